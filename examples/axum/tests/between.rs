//! What happens between the head of a request and its answer: logins that end, forms that are held
//! back, a database that fails once something is stored.

use core::pin::pin;
use core::time::Duration;

use crate::world::{Browser, PASSWORD, World};
use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, Request, StatusCode};
use http_body_util::channel::Channel;
use softtoken_axum_example::gate::Route;
use softtoken_axum_example::routes;

const OF_THE_OWNER: &str = "another four plain words";
const OF_THE_THIEF: &str = "four words of the thief";

/// Waits for so long before it is taken that a request goes no further.
const MOMENT: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_password_that_was_changed_meanwhile_changes_no_password() {
    let world = World::new().await;
    world.administrator().await;
    let path = "/account/password";
    let stolen = [("old", PASSWORD), ("new", OF_THE_THIEF)];
    let owned = [("old", PASSWORD), ("new", OF_THE_OWNER)];
    for readings in 1.. {
        let email = format!("alice{readings}@example.com");
        let mut alice = world.user(&email).await;
        let mut thief = Browser::default();
        thief.password(&world, &email).await;

        let mut stopped = world.stop_at(readings);
        {
            let mut change = pin!(thief.post(&world, path, &stolen));
            tokio::select! {
                () = &mut change => {
                    assert!(readings > 2, "it reads the clock before it changes anything");
                    break;
                }
                () = stopped.has_stopped() => {}
            }
            alice.post(&world, path, &owned).await;
            assert_eq!(alice.location(), "/account?notice=password", "{readings}");
            stopped.go_on();
            change.await;
        }
        let refused = thief.location().to_owned();
        assert_eq!(refused, "/sign-in?notice=expired", "{readings}");
        thief.get(&world, "/account").await;
        assert_eq!(thief.location(), "/sign-in?next=/account", "{readings}");
        alice.get(&world, "/account").await;
        assert_eq!(alice.status, StatusCode::OK, "{readings}");
        for (password, signs_in) in [(OF_THE_THIEF, false), (OF_THE_OWNER, true)] {
            let mut browser = Browser::default();
            let fields = [("email", email.as_str()), ("password", password)];
            browser.post(&world, "/sign-in", &fields).await;
            assert_eq!(browser.location() == "/account", signs_in, "{readings}");
        }
    }
}

/// The password is changed by something that ends no login: by hand, say.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_password_is_changed_by_who_has_shown_the_one_before_it() {
    let world = World::new().await;
    world.administrator().await;
    let mut alice = world.user("alice@example.com").await;
    let mut stopped = world.stop_at(2);
    let fields = [("old", PASSWORD), ("new", OF_THE_THIEF)];
    let mut change = Box::pin(alice.post(&world, "/account/password", &fields));
    tokio::select! {
        () = &mut change => panic!("it reads the clock before it changes anything"),
        () = stopped.has_stopped() => {}
    }
    let kept = "UPDATE users SET password = 'kept', password_version = password_version + 1
                WHERE email = 'alice@example.com'";
    sqlx::raw_sql(kept).execute(world.app.pool()).await.unwrap();
    stopped.go_on();
    change.as_mut().await;
    drop(change);
    assert_eq!(alice.location(), "/sign-in?notice=expired");
    let left = "SELECT password FROM users WHERE email = 'alice@example.com'";
    let left: String = sqlx::query_scalar(left)
        .fetch_one(world.app.pool())
        .await
        .unwrap();
    assert_eq!(left, "kept");
}

/// The owner has lost the phone with the login that is on it, and comes back by a recovery code.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_login_that_was_ended_meanwhile_sets_up_no_phone_and_changes_no_password() {
    for form in ["a phone", "a password"] {
        let world = World::new().await;
        world.administrator().await;
        for readings in 1.. {
            let email = format!("{}{readings}@example.com", &form[2..]);
            let (mut thief, _) = world.enrolled(&email).await;
            let codes = thief.recovery_codes(&world).await;
            let phone = thief.scan(&world, "of the thief").await;
            let code = phone.code(&world);
            let (path, fields) = match form {
                "a phone" => (
                    "/account/authenticators/confirm",
                    vec![("code", code.as_str())],
                ),
                _ => (
                    "/account/password",
                    vec![("old", PASSWORD), ("new", OF_THE_THIEF)],
                ),
            };

            let mut stopped = world.stop_at(readings);
            let mut owner = Browser::default();
            let is_back = {
                let mut change = pin!(thief.post(&world, path, &fields));
                tokio::select! {
                    () = &mut change => {
                        assert!(readings > 2, "it reads the clock before it changes anything");
                        break;
                    }
                    () = stopped.has_stopped() => {}
                }
                let recovery = [("code", codes[0].as_str()), ("with", "recovery")];
                let mut come_back = Box::pin(async {
                    owner.password(&world, &email).await;
                    owner.post(&world, "/sign-in/code", &recovery).await;
                });
                // The gate, which reads the clock twice, holds nothing that has to be waited for.
                let limit = if readings > 2 { MOMENT } else { MOMENT * 120 };
                let is_back = tokio::time::timeout(limit, &mut come_back).await.is_ok();
                stopped.go_on();
                change.await;
                if !is_back {
                    come_back.as_mut().await;
                }
                is_back
            };
            if !is_back {
                // The change holds the record already, and the owner comes after it.
                assert!(readings > 2, "the gate holds nothing");
                continue;
            }
            let said = format!("{form} {readings}");
            assert_eq!(owner.location(), "/account?notice=recovered", "{said}");
            assert_eq!(thief.location(), "/sign-in?notice=expired", "{said}");
            owner.get(&world, "/account").await;
            assert_eq!(owner.status, StatusCode::OK, "{said}");
            assert!(!owner.says("of the thief"), "{said}");
            thief.get(&world, "/account").await;
            assert_eq!(thief.location(), "/sign-in?next=/account", "{said}");
            let mut other = Browser::default();
            other.password(&world, &email).await;
            assert_eq!(other.location(), "/sign-in/code", "{said}");
        }
    }
}

/// Returns every row of what the server keeps of second factors and accounts.
async fn kept(world: &World) -> Vec<String> {
    let rows = "SELECT subject || revision || hex(record) FROM softtoken
                UNION ALL SELECT id || password_version || is_administrator FROM users
                UNION ALL SELECT 'from ' || coalesce(required_from, 'never') FROM settings
                ORDER BY 1";
    sqlx::query_scalar(rows)
        .fetch_all(world.app.pool())
        .await
        .unwrap()
}

/// Knocks on each door once the gate has let its request in, and before its handler is done.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_login_that_is_ended_behind_the_gate_does_nothing() {
    let table = routes().table().to_vec();
    let closed = |route: &Route| route.method == Method::POST && route.level != "open";
    let mut doors = 0;
    for route in table.into_iter().filter(closed) {
        // It ends the login itself.
        if route.path == "/sign-out" {
            continue;
        }
        doors += 1;
        let world = World::new().await;
        let (mut browser, phone) = world.administrator().await;
        let (mut alice, of_alice) = world.enrolled("alice@example.com").await;
        // An administrator may not go without a second factor.
        if matches!(
            route.path,
            "/account/turn-off" | "/account/authenticators/{id}/remove"
        ) {
            browser = alice.clone();
        }
        let id = if route.path.starts_with("/admin") {
            // There is something to unlock.
            let wrong = of_alice.wrong(&world);
            let code = [("code", wrong.as_str())];
            alice.post(&world, "/account/step-up", &code).await;
            world.next_code();
            browser.step_up(&world, &phone).await;
            world.id("alice@example.com").await
        } else {
            let path = browser.authenticator(&world).await;
            path.rsplit('/').next().unwrap().to_owned()
        };
        let code = if route.path == "/account/authenticators/confirm" {
            browser.scan(&world, "tablet").await.code(&world)
        } else {
            world.next_code();
            phone.code(&world)
        };
        let fields = [
            ("name", "another"),
            ("code", code.as_str()),
            ("old", PASSWORD),
            ("new", OF_THE_OWNER),
            ("date", "2200-01-01"),
            ("is_administrator", "true"),
        ];
        let path = route.path.replace("{id}", &id);
        let before = kept(&world).await;

        // The gate reads the clock twice.
        let mut stopped = world.stop_at(2);
        let mut late = browser.clone();
        {
            let mut sent = pin!(late.post(&world, &path, &fields));
            tokio::select! {
                () = &mut sent => panic!("{path}: the gate reads the clock twice"),
                () = stopped.has_stopped() => {}
            }
            let ended = "CREATE TABLE ended AS SELECT * FROM sessions; DELETE FROM sessions";
            sqlx::raw_sql(ended)
                .execute(world.app.pool())
                .await
                .unwrap();
            stopped.go_on();
            sent.await;
        }
        assert_eq!(late.location(), "/sign-in?notice=expired", "{path}");
        assert_eq!(kept(&world).await, before, "{path}");

        // By a login that nobody has ended it would have been done.
        let back = "INSERT INTO sessions SELECT * FROM ended";
        sqlx::raw_sql(back).execute(world.app.pool()).await.unwrap();
        browser.post(&world, &path, &fields).await;
        assert_ne!(kept(&world).await, before, "{path}: {}", browser.body);
    }
    assert!(doors >= 15, "{doors}");
}

#[tokio::test]
async fn a_code_of_a_login_that_was_ended_is_not_spent() {
    let world = World::new().await;
    world.administrator().await;
    let (mut alice, phone) = world.enrolled("alice@example.com").await;
    world.next_code();
    let change = |sql| sqlx::raw_sql(sql).execute(world.app.pool());
    change(
        "CREATE TRIGGER ended AFTER UPDATE ON softtoken
         BEGIN DELETE FROM sessions WHERE user = NEW.subject; END",
    )
    .await
    .unwrap();
    let code = phone.code(&world);
    let code = [("code", code.as_str())];
    alice.post(&world, "/account/step-up", &code).await;
    assert_eq!(alice.location(), "/sign-in?notice=expired");
    change("DROP TRIGGER ended").await.unwrap();
    // What the trigger did went with the code.
    alice.post(&world, "/account/step-up", &code).await;
    assert_eq!(alice.location(), "/account");
}

#[tokio::test]
async fn a_form_that_is_held_back_is_judged_by_what_holds_once_it_is_whole() {
    let world = World::new().await;
    let (mut root, phone) = world.administrator().await;
    for (path, form) in [
        (
            "/account/password",
            format!("old={PASSWORD}&new={OF_THE_OWNER}"),
        ),
        ("/account/authenticators/new", "name=tablet".into()),
        ("/admin/requirement", "date=2200-01-01".into()),
    ] {
        world.next_code();
        root.step_up(&world, &phone).await;
        let (mut rest, body) = Channel::<Bytes>::new(1);
        let request = Request::post(path)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .body(Body::new(body))
            .unwrap();
        {
            let mut sending = pin!(root.send(&world, request));
            let answered = tokio::time::timeout(MOMENT, &mut sending).await;
            assert!(answered.is_err(), "{path} waits for the form");
            world.wait(301);
            rest.send_data(form.into()).await.unwrap();
            drop(rest);
            sending.await;
        }
        assert!(
            root.location().starts_with("/account/step-up?next="),
            "{path}: {}",
            root.location()
        );
    }
}

#[tokio::test]
async fn a_failure_of_a_form_says_that_it_may_have_been_done_and_one_of_a_page_that_it_was_not() {
    const UNSURE: &str = "This may have been done all the same.";
    const UNCHANGED: &str = "Nothing was accepted or changed.";
    let world = World::new().await;
    world.administrator().await;
    let mut alice = world.user("alice@example.com").await;
    let phone = alice.scan(&world, "phone").await;
    let code = phone.code(&world);
    let change = |sql| sqlx::raw_sql(sql).execute(world.app.pool());

    // The phone is in force, and the login cannot be renewed.
    change("CREATE TRIGGER full BEFORE UPDATE ON sessions BEGIN SELECT RAISE(ABORT, 'no'); END")
        .await
        .unwrap();
    let confirm = "/account/authenticators/confirm";
    alice
        .post(&world, confirm, &[("code", code.as_str())])
        .await;
    assert_eq!(alice.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(
        alice.says(UNSURE) && !alice.says(UNCHANGED),
        "{}",
        alice.body
    );
    change("DROP TRIGGER full").await.unwrap();
    alice.get(&world, "/account").await;
    assert!(alice.says("<strong>phone</strong>"));

    // The password is changed, and there is no login under it.
    let mut bob = world.user("bob@example.com").await;
    change("CREATE TRIGGER full BEFORE INSERT ON sessions BEGIN SELECT RAISE(ABORT, 'no'); END")
        .await
        .unwrap();
    let fields = [("old", PASSWORD), ("new", OF_THE_OWNER)];
    bob.post(&world, "/account/password", &fields).await;
    assert_eq!(bob.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(bob.says(UNSURE) && !bob.says(UNCHANGED));
    change("DROP TRIGGER full").await.unwrap();
    let fields = [("email", "bob@example.com"), ("password", OF_THE_OWNER)];
    let mut anew = Browser::default();
    anew.post(&world, "/sign-in", &fields).await;
    assert_eq!(anew.location(), "/account");
    // Its user is told, whoever it was.
    assert_eq!(
        world.mail("bob@example.com").await,
        ["Your password was changed"]
    );

    change("ALTER TABLE users RENAME TO gone").await.unwrap();
    anew.get(&world, "/account").await;
    assert_eq!(anew.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(anew.says(UNCHANGED) && !anew.says(UNSURE));
}
