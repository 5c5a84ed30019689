//! No route is open that should not be: every one is knocked on by whoever should not get in.

use crate::world::{Browser, PASSWORD, World};
use axum::http::{Method, StatusCode};
use softtoken_axum_example::gate::Route;
use softtoken_axum_example::routes;

/// Lists what strangers may see. A route that is open and does not stand here was not meant to be.
const OPEN: [(&str, &str); 15] = [
    ("GET", "/"),
    ("GET", "/second-factor"),
    ("GET", "/static/{file}"),
    ("GET", "/sign-up"),
    ("POST", "/sign-up"),
    ("GET", "/sign-in"),
    ("POST", "/sign-in"),
    ("GET", "/sign-in/code"),
    ("POST", "/sign-in/code"),
    ("GET", "/sign-in/clock"),
    ("POST", "/sign-in/clock"),
    ("GET", "/sign-in/set-up"),
    ("POST", "/sign-in/set-up"),
    ("POST", "/sign-in/set-up/confirm"),
    ("POST", "/sign-in/set-up/later"),
];

/// Returns the routes that are not open.
fn closed() -> Vec<Route> {
    let table = routes().table().to_vec();
    let closed = table.into_iter().filter(|route| route.level != "open");
    let closed: Vec<Route> = closed.collect();
    assert!(closed.len() > 25);
    closed
}

/// Knocks, with every field that any form has. The session is kept as it was.
async fn knock(world: &World, browser: &Browser, route: &Route) -> Browser {
    let mut browser = browser.clone();
    let path = route.path.replace("{id}", &"0".repeat(32));
    if route.method == Method::GET {
        browser.get(world, &path).await;
    } else {
        let fields = [
            ("name", "x"),
            ("code", "000000"),
            ("password", "x"),
            ("old", PASSWORD),
            ("new", "another password, long enough"),
            ("date", ""),
            ("is_administrator", "true"),
        ];
        browser.post(world, &path, &fields).await;
    }
    browser
}

/// Returns whether the answer sends elsewhere first: to sign in, to step up, to set up.
fn is_refused(browser: &Browser) -> bool {
    let to = browser.location();
    browser.status == StatusCode::SEE_OTHER
        && [
            "/sign-in?next=",
            "/account/step-up?next=",
            "/account/authenticators/new?notice=required",
        ]
        .iter()
        .any(|gate| to.starts_with(gate))
        || browser.status == StatusCode::FORBIDDEN && browser.says("for administrators")
}

#[tokio::test]
async fn the_open_routes_are_those_that_were_meant_to_be() {
    let table = routes().table().to_vec();
    let open = table.iter().filter(|route| route.level == "open");
    let open: Vec<(&str, &str)> = open
        .map(|route| (route.method.as_str(), route.path))
        .collect();

    assert_eq!(open, OPEN);
}

#[tokio::test]
async fn without_a_session_no_door_opens() {
    let world = World::new().await;
    for route in closed() {
        let answer = knock(&world, &Browser::default(), &route).await;
        assert!(
            answer.location().starts_with("/sign-in?next="),
            "{route:?}: {}",
            answer.status
        );
    }
}

#[tokio::test]
async fn with_the_password_alone_no_door_opens() {
    let world = World::new().await;
    world.administrator().await;
    let mut half = Browser::default();
    half.password(&world, "root@example.com").await;
    assert_eq!(half.location(), "/sign-in/code");
    for route in closed() {
        let answer = knock(&world, &half, &route).await;
        assert!(
            answer.location().starts_with("/sign-in?next="),
            "{route:?}: {}",
            answer.status
        );
    }
}

#[tokio::test]
async fn a_session_that_waits_for_its_set_up_opens_no_door() {
    let world = World::new().await;
    let mut half = Browser::default();
    half.sign_up(&world, "root@example.com").await;
    assert_eq!(half.location(), "/sign-in/set-up");
    for route in closed() {
        let answer = knock(&world, &half, &route).await;
        assert!(
            answer.location().starts_with("/sign-in?next="),
            "{route:?}: {}",
            answer.status
        );
    }
}

#[tokio::test]
async fn a_login_by_password_opens_nothing_that_a_code_should() {
    let world = World::new().await;
    let (mut root, phone) = world.administrator().await;
    // A remembered browser, which is asked for no code.
    world.next_code();
    let mut half = Browser::default();
    half.sign_in_for_good(&world, "root@example.com", &phone)
        .await;
    half.cookies.remove("session");
    half.password(&world, "root@example.com").await;
    assert_eq!(half.location(), "/account");
    // The password once more proves the password, and not the phone.
    for again in [false, true] {
        if again {
            half.post(&world, "/account/step-up", &[("password", PASSWORD)])
                .await;
            assert_eq!(half.location(), "/account");
        }
        for route in closed().iter().filter(|route| route.level != "signed in") {
            let answer = knock(&world, &half, route).await;
            assert!(
                is_refused(&answer),
                "{route:?} {again}: {} {}",
                answer.status,
                answer.location()
            );
        }
    }
    root.get(&world, "/admin").await;
    assert_eq!(root.status, StatusCode::OK);
}

#[tokio::test]
async fn an_old_session_opens_nothing_dangerous_and_after_a_day_nothing() {
    let world = World::new().await;
    let (root, _) = world.administrator().await;
    world.wait(5 * 60 + 1);
    for route in closed() {
        if ["signed in", "administrator, second factor"].contains(&route.level) {
            continue;
        }
        let answer = knock(&world, &root, &route).await;
        assert!(
            answer.location().starts_with("/account/step-up?next="),
            "{route:?}"
        );
    }
    world.wait(24 * 60 * 60);
    for route in closed() {
        let answer = knock(&world, &root, &route).await;
        assert!(answer.location().starts_with("/sign-in?next="), "{route:?}");
    }
}

#[tokio::test]
async fn somebody_else_opens_neither_administration_nor_another_ones_authenticator() {
    let world = World::new().await;
    world.administrator().await;
    let (mut alice, _) = world.enrolled("alice@example.com").await;
    let (mallory, _) = world.enrolled("mallory@example.com").await;
    for route in closed()
        .iter()
        .filter(|route| route.level.starts_with("administrator"))
    {
        let answer = knock(&world, &mallory, route).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{route:?}");
    }
    let hers = alice.authenticator(&world).await;
    let mut mallory = mallory;
    mallory.get(&world, &hers).await;
    assert_eq!(mallory.status, StatusCode::NOT_FOUND);
    for change in ["rename", "replace", "remove"] {
        mallory
            .post(&world, &format!("{hers}/{change}"), &[("name", "mine")])
            .await;
        assert_eq!(mallory.status, StatusCode::NOT_FOUND, "{change}");
    }
    alice.get(&world, "/account").await;
    assert!(alice.says("<strong>phone</strong>"));
}

#[tokio::test]
async fn an_administrator_without_a_second_factor_sets_one_up_first() {
    let world = World::new().await;
    let (mut root, _) = world.administrator().await;
    let alice = world.user("alice@example.com").await;
    let id = world.id("alice@example.com").await;
    let path = format!("/admin/users/{id}/administrator");
    root.post(&world, &path, &[("is_administrator", "true")])
        .await;
    assert_eq!(root.location(), format!("/admin/users/{id}?notice=role"));
    // Her password is a minute old, and no more than a password.
    for route in closed()
        .iter()
        .filter(|route| route.level.starts_with("administrator"))
    {
        let answer = knock(&world, &alice, route).await;
        let to = answer.location();
        assert_eq!(
            to, "/account/authenticators/new?notice=required",
            "{route:?}"
        );
    }
}

/// Shows that it is the record which ends the login: its session is there still.
#[tokio::test]
async fn a_login_of_before_a_reset_opens_no_door_though_its_session_is_there() {
    let world = World::new().await;
    let (mut root, _) = world.administrator().await;
    let (alice, _) = world.enrolled("alice@example.com").await;
    let id = world.id("alice@example.com").await;
    let kept = "CREATE TRIGGER kept BEFORE DELETE ON sessions BEGIN SELECT RAISE(IGNORE); END";
    sqlx::raw_sql(kept).execute(world.app.pool()).await.unwrap();
    world.wait(1);
    root.post(&world, &format!("/admin/users/{id}/reset"), &[])
        .await;
    assert_eq!(root.location(), format!("/admin/users/{id}?notice=reset"));
    for route in closed() {
        let answer = knock(&world, &alice, &route).await;
        // Where a second factor is asked for, there is none any more, which is told first.
        let leads_in_vain = answer.location() == "/account/authenticators/new?notice=required"
            && route.level.starts_with("administrator");
        assert!(
            leads_in_vain || answer.location().starts_with("/sign-in?next="),
            "{route:?}: {}",
            answer.location()
        );
    }
}

#[tokio::test]
async fn a_login_that_was_ended_opens_no_door() {
    let world = World::new().await;
    let (mut root, phone) = world.administrator().await;
    let (mut alice, _) = world.enrolled("alice@example.com").await;
    let id = world.id("alice@example.com").await;

    // By the administrator's reset.
    root.post(&world, &format!("/admin/users/{id}/reset"), &[])
        .await;
    assert_eq!(root.location(), format!("/admin/users/{id}?notice=reset"));
    // By the user's sign-out, whose cookie somebody has kept.
    let kept = root.clone();
    root.post(&world, "/sign-out", &[]).await;
    // By a new password elsewhere.
    world.next_code();
    let mut old = Browser::default();
    old.sign_in(&world, "root@example.com", &phone).await;
    world.next_code();
    let mut new = Browser::default();
    new.sign_in(&world, "root@example.com", &phone).await;
    let fields = [("old", PASSWORD), ("new", "another password, long enough")];
    new.post(&world, "/account/password", &fields).await;
    assert_eq!(new.location(), "/account?notice=password");

    for route in closed() {
        for ended in [&alice, &kept, &old] {
            let answer = knock(&world, ended, &route).await;
            assert!(answer.location().starts_with("/sign-in?next="), "{route:?}");
        }
    }
    new.get(&world, "/account").await;
    assert_eq!(new.status, StatusCode::OK);
    alice.get(&world, "/").await;
    assert_eq!(alice.status, StatusCode::OK);
}

/// A route that were added to a router, and not to `Routes`, would have no gate and be in no walk.
#[test]
fn routes_are_added_where_a_gate_is_asked_for_and_nowhere_else() {
    let mut folders = vec![concat!(env!("CARGO_MANIFEST_DIR"), "/src").into()];
    let mut added = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir::<std::path::PathBuf>(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap();
            let adds = [
                ".route(",
                ".route_service(",
                ".nest(",
                ".nest_service(",
                ".merge(",
            ];
            let lines = source
                .lines()
                .filter(|line| adds.iter().any(|add| line.contains(add)));
            added.extend(lines.map(|line| (path.file_name().unwrap().to_owned(), line.to_owned())));
        }
    }
    assert_eq!(added.len(), 1, "{added:?}");
    assert_eq!(added[0].0, "gate.rs");
}

#[tokio::test]
async fn forms_of_other_sites_open_no_door() {
    let world = World::new().await;
    let (root, _) = world.administrator().await;
    for route in routes()
        .table()
        .iter()
        .filter(|route| route.method == Method::POST)
    {
        for site in [Some("cross-site"), Some("same-site"), None] {
            let mut browser = root.clone();
            let path = route.path.replace("{id}", &"0".repeat(32));
            let mut request = axum::http::Request::post(path);
            if let Some(site) = site {
                request = request.header("sec-fetch-site", site);
            }
            let request = request.body(axum::body::Body::empty()).unwrap();
            browser.send(&world, request).await;
            assert_eq!(browser.status, StatusCode::FORBIDDEN, "{route:?} {site:?}");
        }
    }
}
