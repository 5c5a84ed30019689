//! Many at once.

use std::collections::BTreeMap;

use crate::world::{OPTIONAL, World, text};

#[test]
fn of_twenty_answers_with_one_code_one_succeeds() {
    let world = World::new();
    let secret = world.enrol(OPTIONAL);
    let sessions: Vec<_> = (0..20)
        .map(|_| text(&world.sign_in(OPTIONAL), "/Session"))
        .collect();
    let code = world.code(&secret);
    let told = told(&world, &sessions, &code);
    assert_eq!(told.get("200"), Some(&1), "{told:?}");
    assert!(
        told.keys().all(|kind| {
            ["200", "ExpiredCodeException", "TooManyRequestsException"].contains(&kind.as_str())
        }),
        "{told:?}"
    );
}

#[test]
fn of_forty_wrong_codes_at_once_no_more_are_judged_than_the_throttle_allows() {
    let world = World::new();
    let secret = world.enrol(OPTIONAL);
    let sessions: Vec<_> = (0..40)
        .map(|_| text(&world.sign_in(OPTIONAL), "/Session"))
        .collect();
    let told = told(&world, &sessions, &world.wrong_code(&secret));
    assert_eq!(told.get("CodeMismatchException"), Some(&3), "{told:?}");
    assert_eq!(told.get("TooManyRequestsException"), Some(&37), "{told:?}");
}

/// Answers in every session, all at once: how often each answer was given.
fn told(world: &World, sessions: &[String], code: &str) -> BTreeMap<String, usize> {
    std::thread::scope(|scope| {
        let answers: Vec<_> = sessions
            .iter()
            .map(|session| scope.spawn(move || world.respond(OPTIONAL, session, code)))
            .collect();
        let mut told = BTreeMap::new();
        for answer in answers {
            let reply = answer.join().expect("no panic");
            let kind = reply.error_type.unwrap_or_else(|| reply.status.to_string());
            *told.entry(kind).or_default() += 1;
        }
        told
    })
}
