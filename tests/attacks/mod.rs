//! SPEC 13: attacks that must fail. Each test is one of its sentences, in its order within a module.
#![allow(
    clippy::unwrap_used,
    reason = "a step of an attack that goes otherwise than it should fails the test"
)]

mod clock;
mod enrolment;
mod exhaustion;
mod guessing;
mod recovery;
mod replay;
mod sessions;
mod storage;

use core::convert::Infallible;
use core::fmt::Debug;

use crate::world::{Device, World};
use softtoken::association::SessionFlaw;
use softtoken::{
    Authority, Code, Error, EventKind, Grant, Preference, RecoveryCode, Rejection, Session,
};

/// How often a race is run.
const ROUNDS: u32 = 25;
/// How many run it.
const THREADS: usize = 16;

type Answer<T = ()> = Result<T, Error<Infallible>>;

/// The no that this answer is.
#[track_caller]
fn no<T: Debug, E: Debug>(answer: Result<T, Error<E>>) -> Rejection {
    let error = answer.expect_err("it must be refused");
    error.rejection().expect("it must be refused, not fail")
}

/// How many of them were accepted; the others must all have been refused by one of `refusals`.
#[track_caller]
fn accepted<T>(answers: &[Answer<T>], refusals: &[Rejection]) -> usize {
    for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        let refused = error.rejection();
        assert!(
            refused.is_some_and(|rejection| refusals.contains(&rejection)),
            "{error:?} is none of {refusals:?}"
        );
    }
    answers.iter().filter(|answer| answer.is_ok()).count()
}

/// A no that leaves nothing behind: the row is as it was.
#[track_caller]
fn untouched<T: Debug>(
    world: &World,
    subject: &str,
    attack: impl FnOnce() -> Answer<T>,
) -> Rejection {
    let before = world.row(subject);
    let rejection = no(attack());
    assert_eq!(world.row(subject), before, "{rejection:?} was written down");
    rejection
}

/// What the events say of the session that was just refused.
#[track_caller]
fn flaw(world: &World) -> SessionFlaw {
    match world.events().last() {
        Some(EventKind::Refused {
            rejection: Rejection::InvalidSession,
            flaw: Some(flaw),
        }) => *flaw,
        other => panic!("no session was refused: {other:?}"),
    }
}

/// A code that is wrong for all of these devices, within reach of a resynchronisation.
fn wrong(devices: &[&Device], world: &World) -> Code {
    let shown: Vec<Code> = devices
        .iter()
        .flat_map(|device| (-22..=22).map(|steps| device.code_in(world.now(), steps)))
        .collect();
    (0..1_000_000)
        .map(|number| Code::parse(&format!("{number:06}")).unwrap())
        .find(|code| !shown.contains(code))
        .unwrap()
}

fn authenticate(world: &World, subject: &str, code: Code) -> Answer {
    let request = world.mfa.authenticate(code);
    request.run_blocking(&world.store, subject).map(drop)
}

fn respond(world: &World, subject: &str, session: &Session, code: Code) -> Answer {
    let request = world.mfa.respond(session, code);
    request.run_blocking(&world.store, subject).map(drop)
}

fn recover(world: &World, subject: &str, code: &RecoveryCode) -> Answer {
    let request = world.mfa.recover(code.clone());
    request.run_blocking(&world.store, subject).map(drop)
}

/// Ten of them, by a grant that may have them.
fn recovery_codes(world: &World, subject: &str) -> Vec<RecoveryCode> {
    let issue = world.mfa.issue_recovery_codes(world.second_factor());
    let codes = issue.run_blocking(&world.store, subject).unwrap();
    codes.iter().cloned().collect()
}

/// Issues a secret that would replace the one in force, to its owner.
fn replacement(world: &World, subject: &str) -> Device {
    let associate = world.mfa.associate(world.second_factor());
    Device::of(&associate.run_blocking(&world.store, subject).unwrap())
}

/// What there is to be done to a token on somebody's authority.
#[derive(Clone, Copy, Debug)]
enum Touch {
    Associate,
    Verify,
    TurnOff,
    IssueRecoveryCodes,
    Disassociate,
}

impl Touch {
    const ALL: [Self; 5] = [
        Self::Associate,
        Self::Verify,
        Self::TurnOff,
        Self::IssueRecoveryCodes,
        Self::Disassociate,
    ];

    /// Does it; `code` is for whoever verifies.
    fn by(
        self,
        authority: impl Into<Authority>,
        world: &World,
        subject: &str,
        code: Code,
    ) -> Answer {
        let World { mfa, store, .. } = world;
        match self {
            Self::Associate => mfa
                .associate(authority)
                .run_blocking(store, subject)
                .map(drop),
            Self::Verify => mfa
                .verify(authority, code)
                .run_blocking(store, subject)
                .map(drop),
            Self::TurnOff => mfa
                .prefer(authority, Preference::Disabled)
                .run_blocking(store, subject),
            Self::IssueRecoveryCodes => mfa
                .issue_recovery_codes(authority)
                .run_blocking(store, subject)
                .map(drop),
            Self::Disassociate => mfa.disassociate(authority).run_blocking(store, subject),
        }
    }
}

/// Whether this grant is refused by everything, for this reason, before the code is looked at.
#[track_caller]
fn authorises_nothing(grant: &Grant, world: &World, subject: &str, code: &Code, reason: Rejection) {
    for touch in Touch::ALL {
        world.events();
        let attack = || touch.by(grant.clone(), world, subject, code.clone());
        assert_eq!(untouched(world, subject, attack), reason, "{touch:?}");
        let told = EventKind::Refused {
            rejection: reason,
            flaw: None,
        };
        assert_eq!(world.events(), [told], "{touch:?}");
    }
}
