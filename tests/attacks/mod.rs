//! Attacks that must fail: those of the list in docs/DESIGN.md, and more of their kind. The comment
//! of a test begins with the sentence of the list that it tries, or with its rule.
#![allow(
    clippy::unwrap_used,
    reason = "a step of an attack that goes otherwise than it should fails the test"
)]

mod browsers;
mod clock;
mod enrolment;
mod exhaustion;
mod grants;
mod guessing;
mod moving;
mod recovery;
mod replay;
mod sessions;
mod storage;

use core::convert::Infallible;
use core::fmt::Debug;

use crate::world::{Device, World};
use softtoken::association::{Authority, EventKind, SessionFlaw};
use softtoken::{
    ChallengeSession, Code, Error, Factor, Grant, RecoveryCode, Rejection, SignedIn, TokenId,
};

/// Runs a race so often.
const ROUNDS: u32 = 25;
/// Lets so many run it.
const THREADS: usize = 16;

type Answer<T = ()> = Result<T, Error<Infallible>>;

/// The no that this answer is.
#[track_caller]
fn no<T: Debug, E: Debug>(answer: Result<T, Error<E>>) -> Rejection {
    let error = answer.expect_err("it must be refused");
    error.rejection().expect("it must be refused, not fail")
}

/// Counts those that were accepted; the others must all have been refused by one of `refusals`.
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

/// Reads from the events what was wrong with the session that was just refused.
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

/// Signs in with password and factor in one request, to a token that is in force.
fn sign_in_with(world: &World, subject: &str, factor: impl Into<Factor>) -> Answer {
    let request = world.mfa.sign_in_with(Some(factor.into()));
    match request.run_blocking(&world.store, subject)? {
        SignedIn::Proven(_) => Ok(()),
        other => panic!("nothing was judged: {other:?}"),
    }
}

/// Asserts that nothing is in force that this factor could prove: it is not looked at.
#[track_caller]
fn is_ignored(world: &World, subject: &str, factor: impl Into<Factor>) {
    let before = world.row(subject);
    world.events();
    let request = world.mfa.sign_in_with(Some(factor.into()));
    let answer = request.run_blocking(&world.store, subject).unwrap();
    assert!(!matches!(answer, SignedIn::Proven(_)), "{answer:?}");
    assert_eq!(world.events(), [EventKind::FactorIgnored]);
    assert_eq!(world.row(subject), before);
}

fn respond(
    world: &World,
    subject: &str,
    session: &ChallengeSession,
    factor: impl Into<Factor>,
) -> Answer {
    let request = world.mfa.respond(session, factor);
    request.run_blocking(&world.store, subject).map(drop)
}

fn step_up(world: &World, grant: &Grant, factor: impl Into<Factor>) -> Answer {
    let request = world.mfa.step_up(grant, factor);
    request
        .run_blocking(&world.store, grant.subject())
        .map(drop)
}

/// A recovery code that nobody was issued.
fn wrong_recovery_code() -> RecoveryCode {
    RecoveryCode::parse("01234-56789-ABCDE-FGHJK-MNPQR").unwrap()
}

/// Ten of them, by a grant that may have them.
fn recovery_codes(world: &World, grant: &Grant) -> Vec<RecoveryCode> {
    let issue = world.mfa.issue_recovery_codes(grant);
    let codes = issue.run_blocking(&world.store, grant.subject()).unwrap();
    codes.iter().cloned().collect()
}

/// Issues a secret beside the token in force, by a grant that may have it.
fn replacement(world: &World, grant: &Grant) -> Device {
    let associate = world.mfa.associate(grant);
    Device::of(
        &associate
            .run_blocking(&world.store, grant.subject())
            .unwrap(),
    )
}

/// The id of the first token in force; where none is, one that no token has.
fn token(world: &World, subject: &str) -> TokenId {
    let status = world.mfa.status().run_blocking(&world.store, subject);
    match status.unwrap().tokens.first() {
        Some(token) => token.id,
        None => "0".repeat(32).parse().unwrap(),
    }
}

/// Lists what a user does to a token in force, all of which needs its possession.
#[derive(Clone, Copy, Debug)]
enum Touch {
    Associate,
    Verify,
    TurnOff,
    Rename,
    Remove,
    IssueRecoveryCodes,
    Disassociate,
    ForgetBrowsers,
}

impl Touch {
    const ALL: [Self; 8] = [
        Self::Associate,
        Self::Verify,
        Self::TurnOff,
        Self::Rename,
        Self::Remove,
        Self::IssueRecoveryCodes,
        Self::Disassociate,
        Self::ForgetBrowsers,
    ];

    /// Does it to the first token in force; `code` is for `Verify`.
    fn by(
        self,
        authority: impl Into<Authority>,
        world: &World,
        subject: &str,
        code: Code,
    ) -> Answer {
        let World { mfa, store, .. } = world;
        let token = || token(world, subject);
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
                .set_enabled(authority, false)
                .run_blocking(store, subject),
            Self::Rename => mfa
                .rename(authority, token(), "a thief's")
                .run_blocking(store, subject),
            Self::Remove => mfa.remove(authority, token()).run_blocking(store, subject),
            Self::IssueRecoveryCodes => mfa
                .issue_recovery_codes(authority)
                .run_blocking(store, subject)
                .map(drop),
            Self::Disassociate => mfa.disassociate(authority).run_blocking(store, subject),
            Self::ForgetBrowsers => mfa.forget_browsers(authority).run_blocking(store, subject),
        }
    }
}

/// Asserts that everything refuses this grant, for this reason, before the code is looked at.
#[track_caller]
fn authorises_nothing(grant: &Grant, world: &World, subject: &str, code: &Code, reason: Rejection) {
    for touch in Touch::ALL {
        world.events();
        let attack = || touch.by(grant, world, subject, code.clone());
        assert_eq!(untouched(world, subject, attack), reason, "{touch:?}");
        let told = [EventKind::Refused {
            rejection: reason,
            flaw: None,
        }];
        assert_eq!(world.events(), told, "{touch:?}");
    }
}
