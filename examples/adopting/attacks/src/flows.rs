//! Does over HTTP what users do, and what goes wrong on the way, at each server whose second factor
//! is softtoken's: all of them answer alike.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::client::{Answer, Begun, Login, Phone, Scene, credentials};
use crate::server::Which;

/// Lists the servers that are to answer alike.
const SERVERS: [Which; 2] = [Which::After, Which::Actix];

/// Lists what needs a login.
const GUARDED: [(&str, &str); 5] = [
    ("GET", "/me"),
    ("POST", "/second-factor"),
    ("PUT", "/second-factor"),
    ("DELETE", "/second-factor"),
    ("POST", "/recovery-codes"),
];

/// Tells of an answer what no clock and no generator decides.
fn refusal(answer: &Answer) -> (u16, Option<u64>, &str) {
    let name = answer.body.as_str().expect("a name");
    (answer.status, answer.retry_after, name)
}

fn first_login(scene: &Scene) -> Login {
    match scene.log_in() {
        Begun::Whole(login) => login,
        Begun::Half(_) => panic!("nothing guards the account yet"),
    }
}

/// Shows the new phone, and the recovery codes that came with it.
fn enrol(scene: &Scene) -> (Phone, Login, Vec<String>) {
    let login = first_login(scene);
    let phone = scene.associate(&login).expect("a phone is set up");
    let verified = scene.verify(&login, &scene.code(&phone));
    assert_eq!(verified.status, 200);
    let codes = verified.recovery_codes();
    scene.server.wait(90);
    (phone, login, codes)
}

#[test]
fn a_name_signs_up_once_and_logs_in_by_its_password_alone() {
    for which in SERVERS {
        let scene = Scene::new(which);
        let again = scene.send("POST", "/sign-up", None, &credentials());
        assert_eq!(refusal(&again), (409, None, "user exists"), "{which:?}");
        for wrong in [
            json!({ "user": "alice", "password": "wrong horse" }),
            json!({ "user": "alice", "password": "" }),
            json!({ "user": "bob", "password": "correct horse" }),
            // What a server may hash where there is no such user opens nothing.
            json!({ "user": "bob", "password": "nobody" }),
            json!({ "user": "bob", "password": "" }),
        ] {
            let answer = scene.send("POST", "/login", None, &wrong);
            assert_eq!(refusal(&answer), (401, None, "unauthorized"), "{which:?}");
        }
        let login = first_login(&scene);
        let me = scene.send("GET", "/me", Some(&login), &Value::Null);
        assert_eq!((me.status, me.body), (200, json!({ "user": "alice" })));
    }
}

#[test]
fn a_name_has_as_many_bytes_as_a_subject_may_have() {
    for which in SERVERS {
        let scene = Scene::new(which);
        for (length, status) in [(0, 422), (1, 200), (256, 200), (257, 422)] {
            let user = json!({ "user": "a".repeat(length), "password": "correct horse" });
            let signed_up = scene.send("POST", "/sign-up", None, &user);
            assert_eq!(signed_up.status, status, "{which:?} {length}");
            if status == 200 {
                let begun = scene.send("POST", "/login", None, &user);
                assert_eq!(begun.status, 200, "{which:?} {length}");
            }
        }
    }
}

#[test]
fn a_phone_is_asked_for_its_code_from_its_first_code_on() {
    for which in SERVERS {
        let scene = Scene::new(which);
        let login = first_login(&scene);
        let phone = scene.associate(&login).expect("a phone is set up");
        // Shown, and not in force.
        assert!(matches!(scene.log_in(), Begun::Whole(_)), "{which:?}");
        let verified = scene.verify(&login, &scene.code(&phone));
        assert_eq!(verified.status, 200, "{which:?}");
        let codes: BTreeSet<_> = verified.recovery_codes().into_iter().collect();
        assert_eq!(codes.len(), 10, "{which:?}");
        assert!(scene.opens(&login), "the login goes on: {which:?}");

        scene.server.wait(30);
        let half = scene.half();
        assert!(!scene.opens(&half.as_login()), "{which:?}");
        let answer = scene.answer(&half, &scene.code(&phone));
        assert_eq!(answer.status, 200, "{which:?}");
        assert!(scene.opens(&Login::of(&answer)), "{which:?}");
    }
}

#[test]
fn what_ends_or_renews_the_logins_of_a_user_leaves_those_of_another_alone() {
    for which in SERVERS {
        let scene = Scene::new(which);
        let bob = json!({ "user": "bob", "password": "battery staple" });
        let signed_up = scene.send("POST", "/sign-up", None, &bob);
        assert_eq!(signed_up.status, 200, "{which:?}");
        let login_of_bob = Login::of(&scene.send("POST", "/login", None, &bob));

        // Both a first code and a recovery code end the other logins of their user.
        let (_, _, codes) = enrol(&scene);
        scene.sign_in(&codes[0]);
        let me = scene.send("GET", "/me", Some(&login_of_bob), &Value::Null);
        assert_eq!(
            (me.status, me.body),
            (200, json!({ "user": "bob" })),
            "{which:?}"
        );
        let begun = scene.send("POST", "/login", None, &bob);
        assert!(begun.body["login"].is_string(), "{which:?}: {begun:?}");
    }
}

#[test]
fn a_recovery_code_signs_in_once() {
    for which in SERVERS {
        let scene = Scene::new(which);
        let (_, _, codes) = enrol(&scene);
        let [first, second, ..] = &codes[..] else {
            panic!("recovery codes");
        };
        let login = scene.sign_in(first);
        assert!(scene.opens(&login), "{which:?}");
        let again = scene.answer(&scene.half(), first);
        assert_eq!(refusal(&again), (401, None, "mismatch"), "{which:?}");
        scene.sign_in(second);
    }
}

#[test]
fn a_fresh_login_has_recovery_codes_issued_in_place_of_those_before() {
    for which in SERVERS {
        let issue = |scene: &Scene, login: &Login| {
            scene.send("POST", "/recovery-codes", Some(login), &Value::Null)
        };
        let scene = Scene::new(which);
        let refused = issue(&scene, &first_login(&scene));
        assert_eq!(
            refusal(&refused),
            (401, None, "not_associated"),
            "{which:?}"
        );

        let (phone, login, old) = enrol(&scene);
        let issued = issue(&scene, &login);
        assert_eq!(issued.status, 200, "{which:?}");
        let codes = issued.recovery_codes();
        assert_eq!(codes.len(), 10, "{which:?}");
        assert!(!scene.signs_in(&old[0]), "{which:?}");
        scene.sign_in(&codes[0]);
        let login = scene.sign_in(&scene.code(&phone));
        scene.server.wait(15 * 60 + 1);
        let refused = issue(&scene, &login);
        assert_eq!(
            refusal(&refused),
            (401, None, "reauthentication_required"),
            "{which:?}"
        );
        scene.sign_in(&codes[1]);
    }
}

#[test]
fn wrong_codes_make_the_next_one_wait_for_the_seconds_that_are_said() {
    for which in SERVERS {
        let (scene, phone, _) = Scene::enrolled(which);
        let half = scene.half();
        let mut wrong = scene.wrong_codes(&phone);
        let mut answer = || scene.answer(&half, &wrong.next().expect("a code"));
        let mut last = answer();
        let mut judged = 1;
        while last.retry_after.is_none() {
            assert_eq!(refusal(&last), (401, None, "mismatch"), "{which:?}");
            last = answer();
            judged += 1;
        }
        assert_eq!((judged, last.status), (3, 429), "{which:?}");
        let wait = last.retry_after.expect("a wait");

        scene.server.wait(wait - 1);
        let early = scene.answer(&half, &scene.code(&phone));
        assert_eq!(refusal(&early), (429, Some(1), "throttled"), "{which:?}");
        scene.server.wait(1);
        let code = scene.code(&phone);
        assert_eq!(scene.answer(&half, &code).status, 200, "{which:?}");
    }
}

#[test]
fn a_phone_works_until_another_one_has_shown_its_first_code() {
    for which in SERVERS {
        let (scene, old, login) = Scene::enrolled(which);
        let new = scene.associate(&login).expect("another phone is set up");
        scene.sign_in(&scene.code(&old));
        let refused = scene.verify(&login, &scene.wrong_codes(&new).next().expect("a code"));
        assert_eq!(refusal(&refused), (401, None, "mismatch"), "{which:?}");
        scene.server.wait(30);
        let verified = scene.verify(&login, &scene.code(&new));
        assert_eq!(verified.status, 200, "{which:?}");
        scene.server.wait(30);
        assert!(!scene.signs_in(&scene.code(&old)), "{which:?}");
        scene.sign_in(&scene.code(&new));
    }
}

#[test]
fn a_fresh_login_turns_the_second_factor_off_and_an_old_one_does_not() {
    for which in SERVERS {
        let (scene, phone, login) = Scene::enrolled(which);
        scene.server.wait(15 * 60);
        let refused = scene.send("DELETE", "/second-factor", Some(&login), &Value::Null);
        assert_eq!(
            refusal(&refused),
            (401, None, "reauthentication_required"),
            "{which:?}"
        );
        assert!(matches!(scene.log_in(), Begun::Half(_)), "{which:?}");
        assert!(scene.remove(&scene.sign_in(&scene.code(&phone))));
        assert!(matches!(scene.log_in(), Begun::Whole(_)), "{which:?}");
    }
}

#[test]
fn what_needs_a_login_refuses_everything_else() {
    for which in SERVERS {
        let (scene, phone, login) = Scene::enrolled(which);
        let token = &*login.0;
        let half = scene.half().as_login();
        let body = json!({ "code": scene.code(&phone) }).to_string();
        for (method, path) in GUARDED {
            for authorization in [
                None,
                Some(""),
                Some(token),
                Some("Bearer"),
                Some("Bearer "),
                Some("Bearer 00000000000000000000000000000000"),
                Some(&*format!("Basic {token}")),
                Some(&*format!("Bearer {}", &token[1..])),
                Some(&*format!("Bearer {token}0")),
                Some(&*format!("Bearer {}", half.0)),
            ] {
                let answer = scene.send_text(method, path, authorization, &body);
                let refusal = refusal(&answer);
                let said = format!("{which:?} {method} {path} {authorization:?}");
                assert_eq!(refusal, (401, None, "unauthorized"), "{said}");
            }
        }
        assert!(scene.opens(&login), "{which:?}");
    }
}

#[test]
fn a_body_that_is_not_the_one_asked_for_is_refused_and_counts_as_no_guess() {
    for which in SERVERS {
        let (scene, phone, login) = Scene::enrolled(which);
        let bearer = format!("Bearer {}", login.0);
        for (method, path) in [
            ("POST", "/sign-up"),
            ("POST", "/login"),
            ("POST", "/login/code"),
            ("PUT", "/second-factor"),
        ] {
            for body in ["", "{", "null", "[]", "{}", "{\"code\": 123456}", "\u{0}"] {
                let answer = scene.send_text(method, path, Some(&bearer), body);
                // Which of the two it is, the frameworks decide.
                let said = format!("{which:?} {method} {path} {body:?}: {answer:?}");
                assert!([400, 422].contains(&answer.status), "{said}");
            }
        }
        let half = scene.half();
        for code in ["", "12345", "1234567", "12345x", "not a code"] {
            let answer = scene.answer(&half, code);
            assert_eq!((answer.status, answer.retry_after), (401, None), "{code:?}");
            let answer = scene.verify(&login, code);
            assert_eq!((answer.status, answer.retry_after), (401, None), "{code:?}");
        }
        for step in ["", "x", &*login.0] {
            let body = json!({ "step": step, "code": scene.code(&phone) });
            let answer = scene.send("POST", "/login/code", None, &body);
            assert_eq!(
                refusal(&answer),
                (401, None, "invalid_session"),
                "{which:?}"
            );
        }
        let code = scene.code(&phone);
        assert_eq!(scene.answer(&half, &code).status, 200, "{which:?}");
    }
}
