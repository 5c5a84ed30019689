//! What goes wrong: forms that cannot be read, clients that hang up, databases that fail, clocks that
//! are off, codes that are locked.

use core::pin::pin;
use core::time::Duration;

use crate::world::{Browser, PASSWORD, World};
use axum::body::Body;
use axum::http::header::{ALLOW, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{Request, StatusCode};

const FORM: &str = "application/x-www-form-urlencoded";

#[tokio::test]
async fn what_cannot_be_read_gets_a_page_of_its_users_that_repeats_nothing_of_it() {
    let world = World::new().await;
    world.administrator().await;
    let alice = world.user("alice@example.com").await;
    let long = format!("old=zebra&new={}", "zebra".repeat(1_000_000));
    let cases = [
        ("GET", "/zebra", FORM, "", 404),
        ("GET", "/account/activity?before=zebra", FORM, "", 400),
        ("GET", "/account/authenticators/%ff?zebra", FORM, "", 400),
        ("GET", "/account/browsers/zebra", FORM, "", 404),
        ("GET", "/sign-out", FORM, "", 405),
        ("PUT", "/account/password", FORM, "old=zebra", 405),
        ("POST", "/account/password", FORM, "old=zebra", 422),
        ("POST", "/account/password", FORM, "zebra=%ff", 422),
        ("POST", "/account/password", "text/zebra", "zebra", 415),
        ("POST", "/account/password", FORM, &long, 413),
        ("POST", "/sign-in", FORM, "zebra", 422),
    ];
    for (method, path, kind, body, status) in cases {
        for mut browser in [alice.clone(), Browser::default()] {
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header("sec-fetch-site", "same-origin")
                .header(CONTENT_TYPE, kind)
                .body(Body::from(body.to_owned()))
                .unwrap();
            let is_alice = !browser.cookies.is_empty();
            browser.send(&world, request).await;
            // The gate stands before the form.
            if !is_alice && browser.location().starts_with("/sign-in?next=") {
                continue;
            }
            let at = format!("{method} {path} {status}");
            assert_eq!(browser.status.as_u16(), status, "{at}");
            assert_eq!(
                browser.headers[CONTENT_TYPE], "text/html; charset=utf-8",
                "{at}"
            );
            assert!(
                browser.headers.contains_key(CONTENT_SECURITY_POLICY),
                "{at}"
            );
            assert_eq!(browser.headers.contains_key(ALLOW), status == 405, "{at}");
            assert!(!browser.says("zebra"), "{at}: {}", browser.body);
            let navigation = [browser.says("alice@example.com"), browser.says("Sign out")];
            assert_eq!(navigation, [is_alice; 2], "{at}");
        }
    }
}

#[tokio::test]
async fn a_form_of_another_site_gets_a_page() {
    let world = World::new().await;
    let mut visitor = Browser::default();
    let request = Request::post("/sign-in").header("sec-fetch-site", "cross-site");
    visitor
        .send(&world, request.body(Body::empty()).unwrap())
        .await;
    assert_eq!(visitor.status, StatusCode::FORBIDDEN);
    assert!(
        visitor.says("This form did not come from a page of this server.")
            && visitor.says("</html>")
    );
}

#[tokio::test]
async fn sessions_that_have_run_out_are_gone_when_another_one_begins() {
    let world = World::new().await;
    world.administrator().await;
    let left = || async {
        let left = "SELECT count(*) FROM sessions WHERE user = 'somebody'";
        let left = sqlx::query_scalar(left).fetch_one(world.app.pool());
        let left: i64 = left.await.unwrap();
        left
    };
    for (key, expires) in [("past", 1), ("to come", i64::MAX)] {
        sqlx::query(
            "INSERT INTO sessions (key, user, data, expires) VALUES (?, 'somebody', '{}', ?)",
        )
        .bind(key.as_bytes())
        .bind(expires)
        .execute(world.app.pool())
        .await
        .unwrap();
    }
    assert_eq!(left().await, 2);
    world.user("alice@example.com").await;
    assert_eq!(left().await, 1);
}

#[tokio::test]
async fn what_a_client_has_sent_is_finished_where_the_client_hangs_up() {
    let world = World::new().await;
    world.administrator().await;
    let mut alice = world.user("alice@example.com").await;
    let phone = alice.scan(&world, "phone").await;
    let code = phone.code(&world);
    let code = [("code", code.as_str())];
    alice
        .hang_up(&world, "/account/authenticators/confirm", &code)
        .await;
    // The event is the last thing that is written.
    for _ in 0..600 {
        if !world.mail("alice@example.com").await.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    alice.get(&world, "/account").await;
    assert!(alice.says("<strong>phone</strong>"));
    // The login has been proven by the code.
    alice.get(&world, "/account/turn-off").await;
    assert_eq!(alice.status, StatusCode::OK);
}

#[tokio::test]
async fn a_second_factor_is_set_up_with_the_end_of_other_logins_or_not_at_all() {
    let world = World::new().await;
    world.administrator().await;
    let mut alice = world.user("alice@example.com").await;
    let mut other = Browser::default();
    other.password(&world, "alice@example.com").await;
    let phone = alice.scan(&world, "phone").await;
    let code = phone.code(&world);
    let code = [("code", code.as_str())];
    let change = |sql| sqlx::raw_sql(sql).execute(world.app.pool());
    change("CREATE TRIGGER full BEFORE DELETE ON sessions BEGIN SELECT RAISE(ABORT, 'no'); END")
        .await
        .unwrap();
    let path = "/account/authenticators/confirm";
    alice.post(&world, path, &code).await;
    assert_eq!(alice.status, StatusCode::INTERNAL_SERVER_ERROR);
    alice.get(&world, "/account").await;
    assert!(alice.says("Your password alone signs you in."));
    assert!(world.mail("alice@example.com").await.is_empty());

    change("DROP TRIGGER full").await.unwrap();
    // The code is not spent.
    alice.post(&world, path, &code).await;
    assert_eq!(alice.location(), "/account/recovery-codes?notice=set-up");
    other.get(&world, "/account").await;
    assert_eq!(other.location(), "/sign-in?next=/account");
}

/// Sends a form that signs in by the password alone, stops it where it reads the clock for the last
/// of so many times, and has a phone set up meanwhile. Returns whether it has stopped.
async fn overlapped(
    world: &World,
    readings: u32,
    alice: &mut Browser,
    (thief, path, fields): (&mut Browser, &str, &[(&str, &str)]),
) -> bool {
    let phone = alice.scan(world, "phone").await;
    let code = phone.code(world);
    let code = [("code", code.as_str())];

    let mut stopped = world.stop_at(readings);
    let mut login = pin!(thief.post(world, path, fields));
    tokio::select! {
        () = &mut login => return false,
        () = stopped.has_stopped() => {}
    }
    // Where the login holds the record just now, the set-up waits for it.
    let moment = Duration::from_millis(500);
    let set_up = async {
        alice
            .post(world, "/account/authenticators/confirm", &code)
            .await;
    };
    let mut set_up = Box::pin(set_up);
    let is_set_up = tokio::time::timeout(moment, &mut set_up).await.is_ok();
    stopped.go_on();
    login.await;
    if !is_set_up {
        set_up.as_mut().await;
    }
    drop(set_up);
    assert_eq!(alice.location(), "/account/recovery-codes?notice=set-up");
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_login_by_the_password_outlives_no_set_up_that_it_overlaps() {
    let world = World::new().await;
    world.administrator().await;
    for readings in 1.. {
        let email = format!("alice{readings}@example.com");
        let mut alice = world.user(&email).await;
        let mut thief = Browser::default();
        let fields = [("email", email.as_str()), ("password", PASSWORD)];
        let login = (&mut thief, "/sign-in", &fields[..]);
        if !overlapped(&world, readings, &mut alice, login).await {
            assert!(readings > 2, "it reads the clock, and begins a login");
            break;
        }
        thief.get(&world, "/account").await;
        assert_eq!(thief.location(), "/sign-in?next=/account", "{readings}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_set_up_that_is_put_off_outlives_no_other_that_it_overlaps() {
    let world = World::new().await;
    let (mut root, _) = world.administrator().await;
    let later = "/sign-in/set-up/later";
    root.post(&world, "/admin/requirement", &[("date", "2200-01-01")])
        .await;
    for readings in 1.. {
        let email = format!("alice{readings}@example.com");
        let mut alice = Browser::default();
        alice.sign_up(&world, &email).await;
        alice.post(&world, later, &[]).await;
        let mut thief = Browser::default();
        thief.password(&world, &email).await;
        let login = (&mut thief, later, &[][..]);
        if !overlapped(&world, readings, &mut alice, login).await {
            assert!(readings > 2, "it reads the clock, and begins a login");
            break;
        }
        thief.get(&world, "/account").await;
        assert_eq!(thief.location(), "/sign-in?next=/account", "{readings}");
    }
}

#[tokio::test]
async fn a_login_by_a_code_that_is_ended_as_it_begins_does_not_begin() {
    let world = World::new().await;
    world.administrator().await;
    let (_, phone) = world.enrolled("alice@example.com").await;
    // Another browser ends the logins of a user in the moment in which a code is accepted.
    let change = |sql| sqlx::raw_sql(sql).execute(world.app.pool());
    change(
        "CREATE TRIGGER ended AFTER UPDATE ON softtoken
         BEGIN DELETE FROM sessions WHERE user = NEW.subject; END",
    )
    .await
    .unwrap();
    world.next_code();
    let code = phone.code(&world);
    let code = ("code", code.as_str());
    let mut in_steps = Browser::default();
    in_steps.password(&world, "alice@example.com").await;
    in_steps.post(&world, "/sign-in/code", &[code]).await;
    assert_eq!(in_steps.location(), "/sign-in?notice=expired");
    let mut at_once = Browser::default();
    let fields = [("email", "alice@example.com"), ("password", PASSWORD), code];
    at_once.post(&world, "/sign-in", &fields).await;
    assert_eq!(at_once.location(), "/sign-in?notice=expired");
    for mut browser in [in_steps, at_once] {
        browser.get(&world, "/account").await;
        assert_eq!(browser.location(), "/sign-in?next=/account");
    }
    // Nothing of it was stored: the code is not spent.
    change("DROP TRIGGER ended").await.unwrap();
    let mut anew = Browser::default();
    anew.sign_in(&world, "alice@example.com", &phone).await;
}

#[tokio::test]
async fn a_user_is_reset_with_the_end_of_all_logins_or_not_at_all() {
    let world = World::new().await;
    let (mut root, _) = world.administrator().await;
    let (mut alice, _) = world.enrolled("alice@example.com").await;
    let change = |sql| sqlx::raw_sql(sql).execute(world.app.pool());
    change("CREATE TRIGGER stuck BEFORE DELETE ON sessions BEGIN SELECT RAISE(ABORT, 'no'); END")
        .await
        .unwrap();
    let path = format!("/admin/users/{}/reset", world.id("alice@example.com").await);
    root.post(&world, &path, &[]).await;
    assert_eq!(root.status, StatusCode::INTERNAL_SERVER_ERROR);
    change("DROP TRIGGER stuck").await.unwrap();
    alice.get(&world, "/account").await;
    assert!(alice.says("<strong>phone</strong>"), "{}", alice.body);

    root.post(&world, &path, &[]).await;
    alice.get(&world, "/account").await;
    assert_eq!(alice.location(), "/sign-in?next=/account");
    let mut anew = Browser::default();
    anew.password(&world, "alice@example.com").await;
    assert_eq!(anew.location(), "/account");
}

#[tokio::test]
async fn two_codes_in_a_row_tell_how_far_a_clock_is_off() {
    let world = World::new().await;
    world.administrator().await;
    let (_, phone) = world.enrolled("alice@example.com").await;
    world.next_code();
    let mut alice = Browser::default();
    alice.get(&world, "/sign-in/clock").await;
    assert_eq!(alice.location(), "/sign-in?notice=expired");
    alice.password(&world, "alice@example.com").await;
    let ahead = phone.code_ahead(&world, 10);
    alice
        .post(&world, "/sign-in/code", &[("code", &ahead)])
        .await;
    assert!(alice.says("That code is not right.") && alice.says("href=\"/sign-in/clock\""));

    let compare = |code: i64, following: i64| {
        [
            ("code", phone.code_ahead(&world, code)),
            ("following", phone.code_ahead(&world, following)),
        ]
    };
    let path = "/sign-in/clock";
    for (code, following, is_known) in [(10, 12, false), (10, 11, true)] {
        let codes = compare(code, following);
        let codes = [(codes[0].0, &*codes[0].1), (codes[1].0, &*codes[1].1)];
        alice.post(&world, path, &codes).await;
        if is_known {
            assert_eq!(alice.location(), "/sign-in/code?notice=clock");
        } else {
            assert_eq!(alice.status, StatusCode::FORBIDDEN);
            assert!(alice.says("not two codes that your app shows one after the other"));
        }
    }
    // Nobody is signed in by it, and the next code fits.
    alice.get(&world, "/account").await;
    assert_eq!(alice.location(), "/sign-in?next=/account");
    world.wait(30);
    let next = phone.code_ahead(&world, 11);
    alice
        .post(&world, "/sign-in/code", &[("code", &next)])
        .await;
    assert_eq!(alice.location(), "/account");
}

#[tokio::test]
async fn codes_that_guessing_has_locked_are_unlocked_by_a_recovery_code_or_an_administrator() {
    let world = World::new().await;
    let (_, root_phone) = world.administrator().await;
    let (mut alice, phone) = world.enrolled("alice@example.com").await;
    let codes = alice.recovery_codes(&world).await;
    for unlocks in ["a recovery code", "an administrator"] {
        world.next_code();
        // Somebody at a browser that is signed in guesses.
        let mut thief = Browser::default();
        thief.sign_in(&world, "alice@example.com", &phone).await;
        for _ in 0..100 {
            let wrong = phone.wrong(&world);
            thief
                .post(&world, "/account/step-up", &[("code", &wrong)])
                .await;
            let wait = thief.headers.get("retry-after");
            world.wait(wait.map_or(0, |wait| wait.to_str().unwrap().parse().unwrap()));
        }
        let mut alice = Browser::default();
        alice.password(&world, "alice@example.com").await;
        let code = phone.code(&world);
        alice
            .post(&world, "/sign-in/code", &[("code", &code)])
            .await;
        assert!(alice.says("Codes are locked after too many wrong ones."));
        assert!(alice.says(">Use a recovery code</a>") && !alice.says("/sign-in/clock"));
        if unlocks == "a recovery code" {
            let fields = [("code", codes[0].as_str()), ("with", "recovery")];
            alice.post(&world, "/sign-in/code", &fields).await;
            assert_eq!(alice.location(), "/account?notice=recovered");
        } else {
            let mut root = Browser::default();
            root.sign_in(&world, "root@example.com", &root_phone).await;
            let id = world.id("alice@example.com").await;
            let page = format!("/admin/users/{id}");
            root.get(&world, &page).await;
            assert!(root.says("Codes are locked after 100 wrong ones in a row."));
            root.post(&world, &format!("{page}/unlock"), &[]).await;
            assert_eq!(root.location(), format!("{page}?notice=unlocked"));
            alice
                .post(&world, "/sign-in/code", &[("code", &code)])
                .await;
            assert_eq!(alice.location(), "/account");
        }
    }
    let mail = world.mail("alice@example.com").await;
    let told = |subject: &str| mail.iter().filter(|told| *told == subject).count();
    assert_eq!(told("Your codes are locked"), 1);
    // Once a day, not once a guess.
    assert_eq!(told("Somebody seems to have your password"), 2);
}
