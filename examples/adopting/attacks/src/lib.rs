//! Plays attacks on a second factor, over HTTP, against the same server before and after it takes
//! up softtoken, and against its like on another framework and another database driver.
//!
//! The attacker has the password, and in some of the attacks a code that was looked over the
//! shoulder, or a login that was stolen. Each attack is a function that returns whether it got
//! through.

mod client;
#[cfg(test)]
mod flows;
mod server;

use std::thread;

use client::{Begun, Login, Scene};
use serde_json::json;
pub use server::Which;

/// Is an attack: what it does, as a sentence, and how it is played.
pub type Attack = (&'static str, fn(Which) -> bool);

/// Lists the attacks.
pub const ATTACKS: [Attack; 24] = [
    ("A code signs in twice", code_twice),
    (
        "A code that was sent eight times at once signs in more than once",
        code_at_once,
    ),
    ("The code before the last one still signs in", code_before),
    (
        "A spent code signs in again, with white space around it",
        code_with_white_space,
    ),
    ("The code that set the phone up signs in", set_up_code),
    ("After 200 wrong codes the right one is judged", guesses),
    (
        "A new sign-in for each guess: 200 are judged",
        guesses_across_sign_ins,
    ),
    (
        "Of 50 wrong codes at once more than three are judged",
        guesses_at_once,
    ),
    (
        "A page for settings judges 200 wrong codes",
        guesses_by_settings,
    ),
    (
        "Failures are forgotten when the server is started anew",
        guesses_and_restart,
    ),
    ("The token of a half sign-in opens the account", half_opens),
    (
        "The token of a half sign-in turns the second factor off",
        half_removes,
    ),
    (
        "The token of a half sign-in puts another phone in force",
        half_replaces,
    ),
    (
        "A half sign-in that has succeeded succeeds again",
        half_twice,
    ),
    (
        "Setting up another phone, half done, lets the password in alone",
        pending_lets_in,
    ),
    (
        "Setting up another phone, half done, shuts the owner's phone out",
        pending_shuts_out,
    ),
    (
        "A login from before there was a phone turns the second factor off",
        old_login_removes,
    ),
    (
        "A login that is a month old turns the second factor off",
        month_old_login_removes,
    ),
    (
        "A login by a phone that was replaced turns the second factor off",
        replaced_phone_removes,
    ),
    (
        "A login from before there was a phone opens the account",
        old_login_opens,
    ),
    (
        "A login by the password that begins while the phone is set up opens the account",
        login_beside_set_up,
    ),
    (
        "A stolen login outlives the recovery code by which its user came back",
        login_outlives_recovery,
    ),
    (
        "A login that a recovery code has ended puts another phone in force",
        ended_login_replaces,
    ),
    (
        "A recovery code that was sent eight times at once signs in more than once",
        recovery_at_once,
    ),
];

const AT_ONCE: usize = 8;

/// Plays an attack so often, for a race that is not lost every time.
const RACES: usize = 10;

/// Sends what each thread sends, at once. Returns the statuses.
fn at_once(requests: usize, send: impl Fn(usize) -> u16 + Sync) -> Vec<u16> {
    let barrier = std::sync::Barrier::new(requests);
    thread::scope(|scope| {
        let senders: Vec<_> = (0..requests)
            .map(|number| {
                let (barrier, send) = (&barrier, &send);
                scope.spawn(move || {
                    barrier.wait();
                    send(number)
                })
            })
            .collect();
        senders
            .into_iter()
            .map(|sender| sender.join().expect("an answer"))
            .collect()
    })
}

fn count(statuses: &[u16], status: u16) -> usize {
    statuses.iter().filter(|found| **found == status).count()
}

fn code_twice(which: Which) -> bool {
    let (scene, phone, _) = Scene::enrolled(which);
    let code = scene.code(&phone);
    scene.sign_in(&code);
    scene.signs_in(&code)
}

fn code_at_once(which: Which) -> bool {
    let (scene, phone, _) = Scene::enrolled(which);
    (0..RACES).any(|_| {
        scene.server.wait(60);
        let code = scene.code(&phone);
        let halves: Vec<_> = (0..AT_ONCE).map(|_| scene.half()).collect();
        let statuses = at_once(AT_ONCE, |number| {
            scene.answer(&halves[number], &code).status
        });
        count(&statuses, 200) > 1
    })
}

fn code_before(which: Which) -> bool {
    let (scene, phone, _) = Scene::enrolled(which);
    let before = scene.code_in(&phone, -1);
    scene.sign_in(&scene.code(&phone));
    scene.signs_in(&before)
}

fn code_with_white_space(which: Which) -> bool {
    let (scene, phone, _) = Scene::enrolled(which);
    let code = scene.code(&phone);
    scene.sign_in(&code);
    scene.signs_in(&format!(" {code}\u{2003}"))
}

fn set_up_code(which: Which) -> bool {
    let scene = Scene::new(which);
    let (phone, _) = scene.enrol();
    scene.signs_in(&scene.code(&phone))
}

/// Returns whether the right code signs in after all the wrong ones, without a wait.
fn guesses(which: Which) -> bool {
    let (scene, phone, _) = Scene::enrolled(which);
    let half = scene.half();
    for wrong in scene.wrong_codes(&phone).take(200) {
        scene.answer(&half, &wrong);
    }
    scene.signs_in(&scene.code(&phone))
}

fn guesses_across_sign_ins(which: Which) -> bool {
    let (scene, phone, _) = Scene::enrolled(which);
    for wrong in scene.wrong_codes(&phone).take(200) {
        scene.answer(&scene.half(), &wrong);
    }
    scene.signs_in(&scene.code(&phone))
}

fn guesses_at_once(which: Which) -> bool {
    let (scene, phone, _) = Scene::enrolled(which);
    let half = scene.half();
    let wrong: Vec<_> = scene.wrong_codes(&phone).take(50).collect();
    let statuses = at_once(wrong.len(), |number| {
        scene.answer(&half, &wrong[number]).status
    });
    count(&statuses, 401) > 3
}

/// Guesses at the page on which a new phone is confirmed.
fn guesses_by_settings(which: Which) -> bool {
    let (scene, phone, login) = Scene::enrolled(which);
    let wrong = scene.wrong_codes(&phone).take(200);
    let judged: Vec<_> = wrong
        .map(|code| scene.verify(&login, &code).status)
        .collect();
    count(&judged, 401) == judged.len() && scene.verify(&login, &scene.code(&phone)).status == 200
}

fn guesses_and_restart(which: Which) -> bool {
    let (mut scene, phone, _) = Scene::enrolled(which);
    let half = scene.half();
    let wrong: Vec<_> = scene.wrong_codes(&phone).take(4).collect();
    for wrong in &wrong[..3] {
        scene.answer(&half, wrong);
    }
    scene.server.restart();
    scene.answer(&half, &wrong[3]).status == 401
}

fn half_opens(which: Which) -> bool {
    let (scene, _, _) = Scene::enrolled(which);
    scene.opens(&scene.half().as_login())
}

fn half_removes(which: Which) -> bool {
    let (scene, _, _) = Scene::enrolled(which);
    scene.remove(&scene.half().as_login())
}

fn half_replaces(which: Which) -> bool {
    let (scene, _, _) = Scene::enrolled(which);
    let half = scene.half().as_login();
    scene.associate(&half).is_some_and(|mine| {
        scene.verify(&half, &scene.code(&mine));
        scene.server.wait(30);
        scene.signs_in(&scene.code(&mine))
    })
}

fn half_twice(which: Which) -> bool {
    let (scene, phone, _) = Scene::enrolled(which);
    let half = scene.half();
    assert_eq!(scene.answer(&half, &scene.code(&phone)).status, 200);
    scene.server.wait(30);
    scene.answer(&half, &scene.code(&phone)).status == 200
}

fn pending_lets_in(which: Which) -> bool {
    let (scene, _, login) = Scene::enrolled(which);
    scene.associate(&login);
    matches!(scene.log_in(), Begun::Whole(_))
}

fn pending_shuts_out(which: Which) -> bool {
    let (scene, phone, login) = Scene::enrolled(which);
    scene.associate(&login);
    match scene.log_in() {
        // The owner gets in, and so does everybody.
        Begun::Whole(_) => true,
        Begun::Half(half) => scene.answer(&half, &scene.code(&phone)).status != 200,
    }
}

fn old_login_removes(which: Which) -> bool {
    let scene = Scene::new(which);
    let Begun::Whole(stolen) = scene.log_in() else {
        panic!("nothing guards the account yet");
    };
    scene.enrol();
    scene.remove(&stolen)
}

fn old_login_opens(which: Which) -> bool {
    let scene = Scene::new(which);
    let Begun::Whole(stolen) = scene.log_in() else {
        panic!("nothing guards the account yet");
    };
    let (_, owner) = scene.enrol();
    assert!(scene.opens(&owner), "the owner stays");
    scene.opens(&stolen)
}

/// Logs in by the password again and again, while the owner types the first code of a phone.
fn login_beside_set_up(which: Which) -> bool {
    let scene = Scene::new(which);
    let log_in = || match scene.log_in() {
        Begun::Whole(login) => Some(login),
        Begun::Half(_) => None,
    };
    (0..RACES).any(|_| {
        let owner = log_in().expect("nothing guards the account yet");
        let phone = scene.associate(&owner).expect("a phone");
        let code = scene.code(&phone);
        let logins = thread::scope(|scope| {
            let thieves: Vec<_> = (0..AT_ONCE)
                .map(|_| scope.spawn(|| (0..200).map_while(|_| log_in()).collect::<Vec<_>>()))
                .collect();
            assert_eq!(scene.verify(&owner, &code).status, 200);
            let logins = thieves.into_iter().map(thread::ScopedJoinHandle::join);
            logins
                .flat_map(|logins| logins.expect("logins"))
                .collect::<Vec<_>>()
        });
        let outlived = logins.iter().any(|login| scene.opens(login));
        assert!(scene.remove(&owner), "the next one begins anew");
        scene.server.wait(30);
        outlived
    })
}

/// The owner has lost the phone, and somebody has the login that was on it.
fn login_outlives_recovery(which: Which) -> bool {
    let (scene, stolen, codes) = with_recovery_codes(which);
    scene.sign_in(&codes[0]);
    scene.opens(&stolen)
}

/// The thief sends the head of the request, and its code once the owner has come back.
fn ended_login_replaces(which: Which) -> bool {
    let (scene, stolen, codes) = with_recovery_codes(which);
    let mine = scene.associate(&stolen).expect("a phone");
    let code = json!({ "code": scene.code(&mine) });
    let send = scene.hold("PUT", "/second-factor", &stolen, &code);
    if let Begun::Half(half) = scene.log_in() {
        assert_eq!(scene.answer(&half, &codes[0]).status, 200);
    }
    send();
    scene.server.wait(30);
    scene.signs_in(&scene.code(&mine))
}

fn month_old_login_removes(which: Which) -> bool {
    let (scene, phone, _) = Scene::enrolled(which);
    let stolen = scene.sign_in(&scene.code(&phone));
    scene.server.wait(30 * 24 * 60 * 60);
    scene.remove(&stolen)
}

fn replaced_phone_removes(which: Which) -> bool {
    let (scene, phone, _) = Scene::enrolled(which);
    let stolen = scene.sign_in(&scene.code(&phone));
    scene.server.wait(30);
    let owner = scene.sign_in(&scene.code(&phone));
    assert!(
        scene.remove(&owner),
        "the owner turns the second factor off"
    );
    scene.server.wait(30);
    scene.enrol();
    scene.remove(&stolen)
}

/// Starts a server whose user has a phone. Returns the user's login and recovery codes as well.
fn with_recovery_codes(which: Which) -> (Scene, Login, Vec<String>) {
    let scene = Scene::new(which);
    let Begun::Whole(login) = scene.log_in() else {
        panic!("nothing guards the account yet");
    };
    let phone = scene.associate(&login).expect("a phone");
    let codes = scene.verify(&login, &scene.code(&phone)).recovery_codes();
    (scene, login, codes)
}

fn recovery_at_once(which: Which) -> bool {
    let (scene, _, codes) = with_recovery_codes(which);
    codes.iter().any(|code| {
        let halves: Vec<_> = (0..AT_ONCE).map(|_| scene.half()).collect();
        let statuses = at_once(AT_ONCE, |number| scene.answer(&halves[number], code).status);
        count(&statuses, 200) > 1
    })
}
