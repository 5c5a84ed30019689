//! Users do what users do, over HTTP, in this process.

use crate::world::{Browser, PASSWORD, Phone, World};
use axum::http::{Request, StatusCode};

#[tokio::test]
async fn a_user_signs_up_and_in_without_a_second_factor() {
    let world = World::new().await;
    world.administrator().await;
    world.user("alice@example.com").await;
    let mut browser = Browser::default();
    browser.password(&world, "Alice@Example.com ").await;
    assert_eq!(browser.location(), "/account");
    browser.get(&world, "/account").await;
    assert!(browser.says("Your password alone signs you in."));
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_read_the_same() {
    let world = World::new().await;
    world.administrator().await;
    let mut bodies = Vec::new();
    for email in ["root@example.com", "nobody@example.com"] {
        let mut browser = Browser::default();
        let fields = [("email", email), ("password", "wrong")];
        browser.post(&world, "/sign-in", &fields).await;
        assert_eq!(browser.status, StatusCode::UNPROCESSABLE_ENTITY);
        bodies.push(browser.body.replace(email, ""));
    }
    assert_eq!(bodies[0], bodies[1]);
}

#[tokio::test]
async fn a_user_sets_a_phone_up_and_signs_in_with_it() {
    let world = World::new().await;
    world.administrator().await;
    let (_, phone) = world.enrolled("alice@example.com").await;
    assert_eq!(
        world.mail("alice@example.com").await,
        ["An authenticator was set up for your account"]
    );
    world.next_code();
    let mut browser = Browser::default();
    browser.password(&world, "alice@example.com").await;
    browser.get(&world, "/sign-in/code").await;
    assert!(browser.says("“phone”") && browser.says("one-time-code") && browser.says("numeric"));
    browser
        .post(&world, "/sign-in/code", &[("code", &phone.wrong(&world))])
        .await;
    assert_eq!(browser.status, StatusCode::FORBIDDEN);
    assert!(browser.says("That code is not right.") && browser.says("role=\"alert\""));
    let code = phone.code(&world);
    browser
        .post(&world, "/sign-in/code", &[("code", &code)])
        .await;
    assert_eq!(browser.location(), "/account");
    browser.get(&world, "/account").await;
    assert_eq!(browser.status, StatusCode::OK);
}

#[tokio::test]
async fn password_and_code_go_in_one_form() {
    let world = World::new().await;
    world.administrator().await;
    let (_, phone) = world.enrolled("alice@example.com").await;
    world.next_code();
    let mut browser = Browser::default();
    let (code, wrong) = (phone.code(&world), phone.wrong(&world));
    let both = |code| {
        [
            ("email", "alice@example.com"),
            ("password", PASSWORD),
            ("code", code),
        ]
    };
    browser.post(&world, "/sign-in", &both(&wrong)).await;
    assert!(browser.says("That code is not right."));
    browser.post(&world, "/sign-in", &both(&code)).await;
    assert_eq!(browser.location(), "/account");
    // The code is spent, whichever form it comes by.
    let mut other = Browser::default();
    other.post(&world, "/sign-in", &both(&code)).await;
    assert!(other.says("That code was used already."));
    // Without a code the second page asks for it.
    other.post(&world, "/sign-in", &both("")).await;
    assert_eq!(other.location(), "/sign-in/code");
}

#[tokio::test]
async fn a_recovery_code_signs_in_once() {
    let world = World::new().await;
    world.administrator().await;
    let (mut alice, _) = world.enrolled("alice@example.com").await;
    let codes = alice.recovery_codes(&world).await;
    world.next_code();
    let mut browser = Browser::default();
    browser.password(&world, "alice@example.com").await;
    let typed = codes[0].to_lowercase().replace('-', " ");
    let fields = [("code", typed.as_str()), ("with", "recovery")];
    browser.post(&world, "/sign-in/code", &fields).await;
    assert_eq!(browser.location(), "/account?notice=recovered");
    browser.get(&world, "/account?notice=recovered").await;
    assert!(browser.says("9 left") && browser.says("You signed in without your phone."));
    let mail = world.mail("alice@example.com").await;
    assert!(mail.contains(&"A recovery code was used to sign in".to_owned()));
    // The person who was signed in elsewhere may be the one who has the phone.
    alice.get(&world, "/account").await;
    assert!(alice.location().starts_with("/sign-in"));

    let mut again = Browser::default();
    again.password(&world, "alice@example.com").await;
    again.post(&world, "/sign-in/code", &fields).await;
    assert_eq!(again.status, StatusCode::FORBIDDEN);
    assert!(again.says("Use a recovery code"));
}

#[tokio::test]
async fn a_temporary_code_of_an_administrator_signs_in_once() {
    let world = World::new().await;
    let (mut root, _) = world.administrator().await;
    world.enrolled("alice@example.com").await;
    let id = world.id("alice@example.com").await;
    let code = root.temporary_code(&world, &id).await;
    let code = code.as_str();
    let mut alice = Browser::default();
    alice.password(&world, "alice@example.com").await;
    alice.post(&world, "/sign-in/code", &[("code", code)]).await;
    assert_eq!(alice.location(), "/account?notice=recovered");
    root.get(&world, &format!("/admin/users/{id}")).await;
    assert!(!root.says(code) && root.says("A temporary code was issued"));
    let mail = world.mail("alice@example.com").await;
    assert!(mail.contains(&"A temporary code was used to sign in".to_owned()));
    assert!(root.says("by root@example.com"));
    let mut again = Browser::default();
    again.password(&world, "alice@example.com").await;
    again.post(&world, "/sign-in/code", &[("code", code)]).await;
    assert_eq!(again.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_temporary_code_is_good_for_an_hour() {
    let world = World::new().await;
    let (mut root, phone) = world.administrator().await;
    world.enrolled("alice@example.com").await;
    let id = world.id("alice@example.com").await;
    for (seconds, status) in [
        (3_600, StatusCode::FORBIDDEN),
        (3_599, StatusCode::SEE_OTHER),
    ] {
        world.next_code();
        root.step_up(&world, &phone).await;
        let code = root.temporary_code(&world, &id).await;
        world.wait(seconds);
        let mut alice = Browser::default();
        alice.password(&world, "alice@example.com").await;
        let fields = [("code", code.as_str())];
        alice.post(&world, "/sign-in/code", &fields).await;
        assert_eq!(alice.status, status, "after {seconds} s");
    }
}

#[tokio::test]
async fn several_authenticators_are_named_renamed_and_removed() {
    let world = World::new().await;
    world.administrator().await;
    let (mut alice, phone) = world.enrolled("alice@example.com").await;
    let first = alice.authenticator(&world).await;
    let tablet = alice.set_up(&world, "tablet").await;
    alice.get(&world, "/account").await;
    assert!(alice.says("<strong>phone</strong>") && alice.says("<strong>tablet</strong>"));
    alice
        .post(
            &world,
            &format!("{first}/rename"),
            &[("name", "old <b>phone</b>")],
        )
        .await;
    assert_eq!(alice.location(), "/account?notice=renamed");
    alice.get(&world, "/account").await;
    assert!(alice.says("old &#60;b&#62;phone&#60;/b&#62;"));
    world.next_code();
    Browser::default()
        .sign_in(&world, "alice@example.com", &phone)
        .await;
    alice.post(&world, &format!("{first}/remove"), &[]).await;
    assert_eq!(alice.location(), "/account?notice=removed");
    world.next_code();
    Browser::default()
        .sign_in(&world, "alice@example.com", &tablet)
        .await;
    let mut gone = Browser::default();
    gone.password(&world, "alice@example.com").await;
    gone.post(&world, "/sign-in/code", &[("code", &phone.code(&world))])
        .await;
    assert_eq!(gone.status, StatusCode::FORBIDDEN);
    let mail = world.mail("alice@example.com").await;
    assert!(mail.contains(&"An authenticator was removed from your account".to_owned()));
}

#[tokio::test]
async fn a_phone_is_replaced_while_the_old_one_works() {
    let world = World::new().await;
    world.administrator().await;
    let (mut alice, old) = world.enrolled("alice@example.com").await;
    let path = alice.authenticator(&world).await;
    alice
        .post(&world, &format!("{path}/replace"), &[("name", "new")])
        .await;
    let new = Phone::scanning(&alice.body);
    world.next_code();
    Browser::default()
        .sign_in(&world, "alice@example.com", &old)
        .await;
    let code = new.code(&world);
    alice
        .post(
            &world,
            "/account/authenticators/confirm",
            &[("code", &code)],
        )
        .await;
    assert_eq!(alice.location(), "/account/recovery-codes?notice=set-up");
    world.next_code();
    Browser::default()
        .sign_in(&world, "alice@example.com", &new)
        .await;
    let mut dead = Browser::default();
    dead.password(&world, "alice@example.com").await;
    dead.post(&world, "/sign-in/code", &[("code", &old.code(&world))])
        .await;
    assert_eq!(dead.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_second_factor_is_turned_off_after_a_code() {
    let world = World::new().await;
    world.administrator().await;
    let (mut alice, phone) = world.enrolled("alice@example.com").await;
    world.wait(5 * 60 + 1);
    alice.post(&world, "/account/turn-off", &[]).await;
    assert_eq!(alice.location(), "/account/step-up?next=/account");
    alice.step_up(&world, &phone).await;
    alice.post(&world, "/account/turn-off", &[]).await;
    assert_eq!(alice.location(), "/account?notice=turned-off");
    let mail = world.mail("alice@example.com").await;
    assert!(mail.contains(&"Your second factor was turned off".to_owned()));
    let mut browser = Browser::default();
    browser.password(&world, "alice@example.com").await;
    assert_eq!(browser.location(), "/account");
}

#[tokio::test]
async fn a_remembered_browser_is_not_asked_until_all_are_forgotten() {
    let world = World::new().await;
    world.administrator().await;
    let (mut alice, phone) = world.enrolled("alice@example.com").await;
    world.next_code();
    let mut browser = Browser::default();
    browser
        .sign_in_for_good(&world, "alice@example.com", &phone)
        .await;
    let cookies: Vec<_> = browser.headers.get_all("set-cookie").iter().collect();
    for cookie in cookies {
        let cookie = cookie.to_str().unwrap();
        assert!(
            cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
            "{cookie}"
        );
    }
    browser.cookies.remove("session");
    browser.password(&world, "alice@example.com").await;
    assert_eq!(browser.location(), "/account");
    // It proves nothing: sudo mode asks for a code.
    browser.get(&world, "/account/turn-off").await;
    assert_eq!(
        browser.location(),
        "/account/step-up?next=/account/turn-off"
    );

    world.next_code();
    alice.step_up(&world, &phone).await;
    alice.post(&world, "/account/browsers/forget", &[]).await;
    assert_eq!(alice.location(), "/account?notice=forgotten");
    let cookies = alice.headers.get_all("set-cookie").iter();
    let mut cookies = cookies.filter(|cookie| cookie.as_bytes().starts_with(b"browser="));
    let taken_back = cookies.next().unwrap();
    assert!(taken_back.to_str().unwrap().contains("Max-Age=0"));
    assert!(taken_back.is_sensitive(), "it is not to be logged");
    browser.cookies.remove("session");
    browser.password(&world, "alice@example.com").await;
    assert_eq!(browser.location(), "/sign-in/code");
}

#[tokio::test]
async fn a_browser_is_remembered_where_its_user_says_so() {
    let world = World::new().await;
    world.administrator().await;
    let (_, phone) = world.enrolled("alice@example.com").await;
    world.next_code();
    let mut browser = Browser::default();
    browser.sign_in(&world, "alice@example.com", &phone).await;
    assert!(!browser.cookies.contains_key("browser"));
    browser.cookies.remove("session");
    browser.password(&world, "alice@example.com").await;
    assert_eq!(browser.location(), "/sign-in/code");
}

#[tokio::test]
async fn a_wrong_password_before_what_is_dangerous_is_written_down() {
    let world = World::new().await;
    world.administrator().await;
    let mut alice = world.user("alice@example.com").await;
    alice
        .post(&world, "/account/step-up", &[("password", "wrong")])
        .await;
    assert_eq!(alice.status, StatusCode::UNPROCESSABLE_ENTITY);
    alice.get(&world, "/account/activity").await;
    assert!(alice.says("A wrong password was typed"));
}

/// The password is another user's, and the next page asks for that user's code.
#[tokio::test]
async fn a_password_that_is_typed_in_a_login_ends_it() {
    let world = World::new().await;
    world.administrator().await;
    let (mut browser, _) = world.enrolled("alice@example.com").await;
    let (_, phone) = world.enrolled("bob@example.com").await;
    browser.password(&world, "bob@example.com").await;
    assert_eq!(browser.location(), "/sign-in/code");
    browser.get(&world, "/account").await;
    assert_eq!(browser.location(), "/sign-in?next=/account");
    world.next_code();
    let code = phone.code(&world);
    browser
        .post(&world, "/sign-in/code", &[("code", &code)])
        .await;
    browser.get(&world, "/account").await;
    assert!(browser.says("bob@example.com"));
}

/// Shows that the token says for how long: the browser keeps the cookie for longer.
#[tokio::test]
async fn a_browser_is_remembered_for_thirty_days() {
    let world = World::new().await;
    world.administrator().await;
    let (_, phone) = world.enrolled("alice@example.com").await;
    world.next_code();
    let mut browser = Browser::default();
    browser
        .sign_in_for_good(&world, "alice@example.com", &phone)
        .await;
    for (seconds, page) in [(30 * 24 * 3_600 - 1, "/account"), (1, "/sign-in/code")] {
        world.wait(seconds);
        browser.cookies.remove("session");
        browser.password(&world, "alice@example.com").await;
        assert_eq!(browser.location(), page, "after {seconds} s");
    }
}

#[tokio::test]
async fn wrong_codes_make_the_next_one_wait_and_are_told_by_mail() {
    let world = World::new().await;
    world.administrator().await;
    let (_, phone) = world.enrolled("alice@example.com").await;
    world.next_code();
    let mut browser = Browser::default();
    browser.password(&world, "alice@example.com").await;
    for _ in 0..3 {
        let wrong = phone.wrong(&world);
        browser
            .post(&world, "/sign-in/code", &[("code", &wrong)])
            .await;
        assert_eq!(browser.status, StatusCode::FORBIDDEN);
    }
    assert!(browser.says("data-countdown=\"5\""));
    let code = phone.code(&world);
    browser
        .post(&world, "/sign-in/code", &[("code", &code)])
        .await;
    assert_eq!(browser.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(browser.headers["retry-after"], "5");
    for wait in [5, 10] {
        world.wait(wait);
        let wrong = phone.wrong(&world);
        browser
            .post(&world, "/sign-in/code", &[("code", &wrong)])
            .await;
    }
    let mail = world.mail("alice@example.com").await;
    assert!(mail.contains(&"Somebody seems to have your password".to_owned()));
    // An administrator lets the user go on.
    let (mut root, id) = (Browser::default(), world.id("alice@example.com").await);
    root.password(&world, "root@example.com").await;
    assert_eq!(root.location(), "/sign-in/code");
    let mut user = Browser::default();
    user.get(&world, &format!("/admin/users/{id}")).await;
    assert!(user.location().starts_with("/sign-in"));
}

#[tokio::test]
async fn an_administrator_unlocks_a_user_who_has_to_wait() {
    let world = World::new().await;
    let (mut root, root_phone) = world.administrator().await;
    let (_, phone) = world.enrolled("alice@example.com").await;
    world.next_code();
    let mut alice = Browser::default();
    alice.password(&world, "alice@example.com").await;
    for _ in 0..4 {
        alice
            .post(&world, "/sign-in/code", &[("code", &phone.wrong(&world))])
            .await;
    }
    assert_eq!(alice.status, StatusCode::TOO_MANY_REQUESTS);
    let id = world.id("alice@example.com").await;
    root.step_up(&world, &root_phone).await;
    root.post(&world, &format!("/admin/users/{id}/unlock"), &[])
        .await;
    let code = phone.code(&world);
    alice
        .post(&world, "/sign-in/code", &[("code", &code)])
        .await;
    assert_eq!(alice.location(), "/account");
}

#[tokio::test]
async fn from_a_date_on_everybody_must_enrol() {
    let world = World::new().await;
    let (mut root, root_phone) = world.administrator().await;
    world.user("alice@example.com").await;
    root.post(&world, "/admin/requirement", &[("date", "2200-01-01")])
        .await;
    assert_eq!(root.location(), "/admin?notice=requirement");

    // Before that date a user is told, and may go on.
    let mut alice = Browser::default();
    alice.password(&world, "alice@example.com").await;
    assert_eq!(alice.location(), "/sign-in/set-up");
    alice.get(&world, "/sign-in/set-up").await;
    assert!(alice.says("From 1 January 2200") && alice.says("Later"));
    alice.post(&world, "/sign-in/set-up/later", &[]).await;
    assert_eq!(alice.location(), "/account?notice=later");

    world.next_code();
    root.step_up(&world, &root_phone).await;
    root.post(&world, "/admin/requirement", &[("date", "2020-01-01")])
        .await;
    let mut alice = Browser::default();
    alice.password(&world, "alice@example.com").await;
    alice.get(&world, "/sign-in/set-up").await;
    assert!(!alice.says("Later"));
    alice.post(&world, "/sign-in/set-up/later", &[]).await;
    assert_eq!(alice.location(), "/sign-in?notice=expired");
    alice.get(&world, "/account").await;
    assert!(alice.location().starts_with("/sign-in"));

    alice
        .post(&world, "/sign-in/set-up", &[("name", "phone")])
        .await;
    let phone = Phone::scanning(&alice.body);
    let wrong = phone.wrong(&world);
    alice
        .post(&world, "/sign-in/set-up/confirm", &[("code", &wrong)])
        .await;
    assert!(alice.says("That code is not right.") && !alice.says("otpauth://"));
    let code = phone.code(&world);
    alice
        .post(&world, "/sign-in/set-up/confirm", &[("code", &code)])
        .await;
    assert_eq!(alice.location(), "/account/recovery-codes?notice=set-up");
    alice.post(&world, "/account/turn-off", &[]).await;
    assert!(alice.says("A second factor is required here."));
    root.post(&world, "/admin/requirement", &[("date", "tomorrow")])
        .await;
    assert_eq!(root.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_new_password_ends_a_sign_in_that_waits_for_its_set_up() {
    let world = World::new().await;
    let (mut root, _) = world.administrator().await;
    let mut alice = world.user("alice@example.com").await;
    root.post(&world, "/admin/requirement", &[("date", "2200-01-01")])
        .await;
    let mut waiting = Browser::default();
    waiting.password(&world, "alice@example.com").await;
    assert_eq!(waiting.location(), "/sign-in/set-up");
    let fields = [("old", PASSWORD), ("new", "another password, long enough")];
    alice.post(&world, "/account/password", &fields).await;
    assert_eq!(alice.location(), "/account?notice=password");
    for path in ["/sign-in/set-up/later", "/sign-in/set-up"] {
        waiting.post(&world, path, &[("name", "phone")]).await;
        assert_eq!(waiting.location(), "/sign-in?notice=expired", "{path}");
    }
}

/// Shows it of a session that the new password has not ended, which has another context.
#[tokio::test]
async fn a_sign_in_by_an_older_password_does_not_go_on_though_its_session_is_there() {
    let world = World::new().await;
    let (mut root, _) = world.administrator().await;
    world.user("alice@example.com").await;
    root.post(&world, "/admin/requirement", &[("date", "2200-01-01")])
        .await;
    let mut waiting = Browser::default();
    waiting.password(&world, "alice@example.com").await;
    assert_eq!(waiting.location(), "/sign-in/set-up");
    let newer = "UPDATE users SET password_version = password_version + 1";
    sqlx::raw_sql(newer)
        .execute(world.app.pool())
        .await
        .unwrap();
    for path in ["/sign-in/set-up/later", "/sign-in/set-up"] {
        waiting.post(&world, path, &[("name", "phone")]).await;
        assert_eq!(waiting.location(), "/sign-in?notice=expired", "{path}");
    }
}

/// The password was typed when it was typed, however long its user looked at the set-up.
#[tokio::test]
async fn a_set_up_that_is_put_off_makes_no_password_newer_and_is_put_off_once() {
    let world = World::new().await;
    let (mut root, _) = world.administrator().await;
    world.user("alice@example.com").await;
    root.post(&world, "/admin/requirement", &[("date", "2200-01-01")])
        .await;
    let mut alice = Browser::default();
    alice.password(&world, "alice@example.com").await;
    world.wait(2 * 60);
    let later = "/sign-in/set-up/later";
    alice.post(&world, later, &[]).await;
    assert_eq!(alice.location(), "/account?notice=later");
    alice.post(&world, later, &[]).await;
    assert_eq!(alice.location(), "/sign-in?notice=expired");
    alice.get(&world, "/account/password").await;
    assert_eq!(alice.status, StatusCode::OK);
    world.wait(4 * 60);
    alice.get(&world, "/account/password").await;
    assert_eq!(alice.location(), "/account/step-up?next=/account/password");
}

#[tokio::test]
async fn a_new_authenticator_signs_other_browsers_out() {
    let world = World::new().await;
    world.administrator().await;
    let mut alice = world.user("alice@example.com").await;
    // By the password alone, before there was more to ask for.
    let mut other = Browser::default();
    other.password(&world, "alice@example.com").await;
    assert_eq!(other.location(), "/account");
    alice.set_up(&world, "phone").await;
    other.get(&world, "/account").await;
    assert_eq!(other.location(), "/sign-in?next=/account");
    alice.get(&world, "/account").await;
    assert_eq!(alice.status, StatusCode::OK);
}

#[tokio::test]
async fn a_set_up_within_a_sign_in_signs_other_browsers_out() {
    let world = World::new().await;
    let (mut root, _) = world.administrator().await;
    world.user("alice@example.com").await;
    let date = [("date", "2200-01-01")];
    root.post(&world, "/admin/requirement", &date).await;
    let mut other = Browser::default();
    other.password(&world, "alice@example.com").await;
    other.post(&world, "/sign-in/set-up/later", &[]).await;
    other.get(&world, "/account").await;
    assert_eq!(other.status, StatusCode::OK);

    let mut alice = Browser::default();
    alice.password(&world, "alice@example.com").await;
    let name = [("name", "phone")];
    alice.post(&world, "/sign-in/set-up", &name).await;
    let code = Phone::scanning(&alice.body).code(&world);
    let code = [("code", code.as_str())];
    alice.post(&world, "/sign-in/set-up/confirm", &code).await;
    assert_eq!(alice.location(), "/account/recovery-codes?notice=set-up");
    other.get(&world, "/account").await;
    assert_eq!(other.location(), "/sign-in?next=/account");
}

#[tokio::test]
async fn no_event_is_hidden_behind_many_others() {
    let world = World::new().await;
    world.administrator().await;
    let mut alice = world.user("alice@example.com").await;
    let wrong = [("email", "alice@example.com"), ("password", "not the one")];
    for _ in 0..120 {
        Browser::default().post(&world, "/sign-in", &wrong).await;
    }
    alice.get(&world, "/account/activity").await;
    assert!(!alice.body.contains("The account was created"));
    let (_, older) = alice.body.split_once("href=\"?before=").expect("a link");
    let id = older.split('"').next().unwrap_or_default();
    alice
        .get(&world, &format!("/account/activity?before={id}"))
        .await;
    assert!(alice.body.contains("The account was created"));
}

#[tokio::test]
async fn a_form_that_is_sent_twice_does_its_work_once() {
    let world = World::new().await;
    world.administrator().await;
    let mut alice = world.user("alice@example.com").await;
    let phone = alice.scan(&world, "phone").await;
    let code = phone.code(&world);
    let fields = [("code", code.as_str())];
    let path = "/account/authenticators/confirm";
    let (mut first, mut second) = (alice.clone(), alice.clone());
    first.post(&world, path, &fields).await;
    second.post(&world, path, &fields).await;
    assert_eq!(first.location(), "/account/recovery-codes?notice=set-up");
    assert_eq!(second.location(), "/account/recovery-codes?notice=already");
    // Whichever answer the browser has kept, it is signed in.
    for browser in [&mut first, &mut second, &mut alice] {
        browser.get(&world, "/account").await;
        assert_eq!(browser.status, StatusCode::OK);
    }

    world.next_code();
    let mut browser = Browser::default();
    browser.password(&world, "alice@example.com").await;
    let code = phone.code(&world);
    let mut twice = browser.clone();
    browser
        .post(&world, "/sign-in/code", &[("code", &code)])
        .await;
    twice
        .post(&world, "/sign-in/code", &[("code", &code)])
        .await;
    assert_eq!(browser.location(), "/account");
    twice.get(&world, "/sign-in?notice=expired").await;
    assert_eq!(twice.location(), "/account");
}

#[tokio::test]
async fn a_page_that_was_open_over_a_restart_goes_on() {
    let world = World::new().await;
    world.administrator().await;
    let (mut alice, phone) = world.enrolled("alice@example.com").await;
    world.next_code();
    let mut browser = Browser::default();
    browser.password(&world, "alice@example.com").await;
    let world = world.restarted().await;
    let code = phone.code(&world);
    browser
        .post(&world, "/sign-in/code", &[("code", &code)])
        .await;
    assert_eq!(browser.location(), "/account");
    alice.get(&world, "/account").await;
    assert_eq!(alice.status, StatusCode::OK);
}

#[tokio::test]
async fn a_new_password_ends_other_logins_sign_ins_and_browsers() {
    let world = World::new().await;
    world.administrator().await;
    let (mut alice, phone) = world.enrolled("alice@example.com").await;
    world.next_code();
    let mut remembered = Browser::default();
    remembered
        .sign_in_for_good(&world, "alice@example.com", &phone)
        .await;
    let mut waiting = Browser::default();
    waiting.password(&world, "alice@example.com").await;

    let new = "another password, long enough";
    alice
        .post(
            &world,
            "/account/password",
            &[("old", "wrong"), ("new", new)],
        )
        .await;
    assert!(alice.says("Your present password is not right."));
    alice
        .post(
            &world,
            "/account/password",
            &[("old", PASSWORD), ("new", "short")],
        )
        .await;
    assert!(alice.says("at least 15 characters"));
    alice
        .post(
            &world,
            "/account/password",
            &[("old", PASSWORD), ("new", new)],
        )
        .await;
    assert_eq!(alice.location(), "/account?notice=password");

    remembered.get(&world, "/account").await;
    assert!(remembered.location().starts_with("/sign-in"));
    let fields = [("email", "alice@example.com"), ("password", new)];
    remembered.post(&world, "/sign-in", &fields).await;
    assert_eq!(remembered.location(), "/sign-in/code");
    world.next_code();
    waiting
        .post(&world, "/sign-in/code", &[("code", &phone.code(&world))])
        .await;
    assert_eq!(waiting.location(), "/sign-in?notice=expired");
    alice.get(&world, "/account/activity").await;
    assert!(alice.says("The password was changed"));
}

#[tokio::test]
async fn every_answer_says_what_a_browser_may_do_and_holds_nothing_inline() {
    let world = World::new().await;
    let (mut root, _) = world.administrator().await;
    let id = world.id("root@example.com").await;
    let authenticator = root.authenticator(&world).await;
    let user = format!("/admin/users/{id}");
    let pages = [
        "/",
        "/second-factor",
        "/sign-up",
        "/account",
        "/account/activity",
        "/account/step-up",
        "/account/password",
        "/account/authenticators/new",
        "/account/authenticators/confirm",
        &authenticator,
        "/account/recovery-codes",
        "/account/turn-off",
        "/account/browsers/forget",
        "/admin",
        "/admin/log",
        &user,
        "/nowhere",
    ];
    for path in pages {
        root.get(&world, path).await;
        let expected = if path == "/nowhere" {
            StatusCode::NOT_FOUND
        } else {
            StatusCode::OK
        };
        assert_eq!(root.status, expected, "{path}");
        let policy = root.headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("unsafe"),
            "{path}"
        );
        for closed in [
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(closed), "{path}: {closed}");
        }
        for (header, value) in [
            ("cache-control", "no-store"),
            ("cross-origin-opener-policy", "same-origin"),
            ("referrer-policy", "same-origin"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(root.headers[header], value, "{path}");
        }
        for inline in [
            "<style",
            " style=",
            " onclick=",
            "<script>",
            "javascript:",
            "http://",
        ] {
            let body = root.body.replace("http://www.w3.org/2000/svg", "");
            assert!(!body.contains(inline), "{path}: {inline}");
        }
        // Nothing is loaded from elsewhere.
        assert!(
            !root.body.contains("src=\"//") && !root.body.contains("https://"),
            "{path}"
        );
    }
    let request = Request::get("/static/app.css")
        .body(axum::body::Body::empty())
        .unwrap();
    root.send(&world, request).await;
    assert_eq!(root.headers["content-type"], "text/css");
}

#[tokio::test]
async fn an_address_has_one_account() {
    let world = World::new().await;
    world.administrator().await;
    let mut browser = Browser::default();
    browser.sign_up(&world, "ROOT@example.com").await;
    assert!(browser.says("There is an account with this address."));
    for none in [
        "",
        "alice",
        "alice@example",
        "al ice@example.com",
        "a:b@example.com",
    ] {
        browser.sign_up(&world, none).await;
        assert!(browser.says("That is not an email address."), "{none}");
    }
    let fields = [("email", "alice@example.com"), ("password", "too short")];
    browser.post(&world, "/sign-up", &fields).await;
    assert!(browser.says("at least 15 characters"));
}

#[tokio::test]
async fn over_tls_every_cookie_is_for_tls_and_this_host_alone() {
    for is_secure in [true, false] {
        let world = World::served(is_secure).await;
        let (mut root, phone) = world.administrator().await;
        assert_eq!(
            root.headers.contains_key("strict-transport-security"),
            is_secure
        );
        root.post(&world, "/sign-out", &[]).await;
        world.next_code();
        root.password(&world, "root@example.com").await;
        let mut set: Vec<_> = root.headers.get_all("set-cookie").iter().cloned().collect();
        let code = phone.code(&world);
        let fields = [("code", code.as_str()), ("remember", "yes")];
        root.post(&world, "/sign-in/code", &fields).await;
        set.extend(root.headers.get_all("set-cookie").iter().cloned());
        let prefix = if is_secure { "__Host-" } else { "" };
        for name in ["session", "browser"] {
            let begin = format!("{prefix}{name}=");
            let mut cookies = set.iter().filter_map(|cookie| cookie.to_str().ok());
            let cookie = cookies.rfind(|cookie| cookie.starts_with(&begin));
            let cookie = cookie.expect(name);
            assert!(
                cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
                "{cookie}"
            );
            assert!(
                cookie.contains("Path=/") && !cookie.contains("Domain"),
                "{cookie}"
            );
            assert_eq!(cookie.contains("Secure"), is_secure, "{cookie}");
        }
    }
}

#[tokio::test]
async fn a_wrong_password_is_written_down_for_nobody_as_for_somebody() {
    let world = World::new().await;
    world.administrator().await;
    for email in ["root@example.com", "nobody@example.com"] {
        let fields = [("email", email), ("password", "wrong")];
        Browser::default().post(&world, "/sign-in", &fields).await;
    }
    let users = "SELECT user FROM events WHERE name = 'wrong_password' ORDER BY id";
    let users: Vec<String> = sqlx::query_scalar(users)
        .fetch_all(world.app.pool())
        .await
        .unwrap();
    assert_eq!(users, [world.id("root@example.com").await, String::new()]);
}

#[tokio::test]
async fn a_user_is_told_by_mail_what_somebody_else_may_have_done() {
    let world = World::new().await;
    let (mut root, _) = world.administrator().await;
    let (mut alice, _) = world.enrolled("alice@example.com").await;
    alice.recovery_codes(&world).await;
    let fields = [("old", PASSWORD), ("new", "another password, long enough")];
    alice.post(&world, "/account/password", &fields).await;
    let id = world.id("alice@example.com").await;
    for help in ["temporary-code", "reset"] {
        root.post(&world, &format!("/admin/users/{id}/{help}"), &[])
            .await;
    }
    assert_eq!(
        world.mail("alice@example.com").await,
        [
            "An authenticator was set up for your account",
            "You have new recovery codes",
            "Your password was changed",
            "An administrator has helped you to sign in",
            "An administrator has helped you to sign in",
        ]
    );
}

#[tokio::test]
async fn a_login_of_an_older_password_opens_nothing_although_its_session_is_there() {
    let world = World::new().await;
    world.administrator().await;
    let mut alice = world.user("alice@example.com").await;
    // As by a request that was under way when the password was changed elsewhere.
    sqlx::query("UPDATE users SET password_version = password_version + 1")
        .execute(world.app.pool())
        .await
        .unwrap();
    alice.get(&world, "/account").await;
    assert_eq!(alice.location(), "/sign-in?next=/account");
}

#[tokio::test]
async fn a_new_password_deletes_the_sessions_of_other_browsers() {
    let world = World::new().await;
    world.administrator().await;
    let mut alice = world.user("alice@example.com").await;
    Browser::default()
        .password(&world, "alice@example.com")
        .await;
    let id = world.id("alice@example.com").await;
    let sessions = async || -> i64 {
        let count = sqlx::query_scalar("SELECT count(*) FROM sessions WHERE user = ?");
        let count = count.bind(&id).fetch_one(world.app.pool());
        count.await.unwrap()
    };
    assert_eq!(sessions().await, 2);
    let fields = [("old", PASSWORD), ("new", "another password, long enough")];
    alice.post(&world, "/account/password", &fields).await;
    assert_eq!(sessions().await, 1);
    alice.get(&world, "/account").await;
    assert_eq!(alice.status, StatusCode::OK);
}

#[tokio::test]
async fn a_right_password_changes_the_id_of_the_session() {
    let world = World::new().await;
    world.administrator().await;
    let (_, phone) = world.enrolled("alice@example.com").await;
    world.user("bob@example.com").await;
    world.next_code();
    let mut browser = Browser::default();
    let mut seen = Vec::new();
    // To a page for the code, to another one, and to a login by the password alone.
    for email in ["alice@example.com", "alice@example.com", "bob@example.com"] {
        browser.password(&world, email).await;
        seen.push(browser.cookies["session"].clone());
    }
    let code = phone.code(&world);
    let fields = [
        ("email", "alice@example.com"),
        ("password", PASSWORD),
        ("code", &code),
    ];
    browser.post(&world, "/sign-in", &fields).await;
    assert_eq!(browser.location(), "/account");
    seen.push(browser.cookies["session"].clone());
    for (number, id) in seen.iter().enumerate() {
        assert!(!seen[..number].contains(id), "{number}");
    }
}

#[tokio::test]
async fn a_user_sees_nobody_elses_events() {
    let world = World::new().await;
    world.administrator().await;
    world.enrolled("alice@example.com").await;
    let mut bob = world.user("bob@example.com").await;
    bob.get(&world, "/account/activity").await;
    assert!(bob.says("Signed in by password"));
    assert!(!bob.says("An authenticator was set up"));
    assert!(!bob.says("alice@example.com") && !bob.says("root@example.com"));
}

#[tokio::test]
async fn an_administrator_changes_the_role_of_others_and_not_their_own() {
    let world = World::new().await;
    let (mut root, _) = world.administrator().await;
    world.enrolled("alice@example.com").await;
    for (email, is_changed) in [("alice@example.com", true), ("root@example.com", false)] {
        let path = format!("/admin/users/{}/administrator", world.id(email).await);
        let to = if is_changed { "true" } else { "false" };
        root.post(&world, &path, &[("is_administrator", to)]).await;
        let is_done = root.location().ends_with("?notice=role");
        assert_eq!(is_done, is_changed, "{email}");
    }
    root.get(&world, "/admin").await;
    assert_eq!(root.status, StatusCode::OK);
}

#[tokio::test]
async fn the_table_of_sessions_opens_nothing() {
    let world = World::new().await;
    let (root, _) = world.administrator().await;
    let cookie = &root.cookies["session"];
    let rows: Vec<(Vec<u8>, String)> = sqlx::query_as("SELECT key, data FROM sessions")
        .fetch_all(world.app.pool())
        .await
        .unwrap();
    assert!(!rows.is_empty());
    for (key, data) in rows {
        assert_eq!(key.len(), 32);
        assert!(!data.contains(cookie.as_str()));
    }
}
