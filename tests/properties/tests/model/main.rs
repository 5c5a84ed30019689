//! Whatever happens in whatever order, the machine answers as a naive reading of the
//! specification does.
//!
//! `reading` is that reading, by its `rules`; `machine` is the real thing; `plan` is what is done
//! to both, in `words` that they share. `PROPTEST_CASES` asks for more plans than the usual 256.
#![expect(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "one test in several files, which a failing step fails"
)]

mod machine;
mod plan;
mod reading;
mod rules;
mod words;

use core::cell::RefCell;
use core::fmt::Debug;
use std::collections::BTreeMap;
use std::rc::Rc;

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestCaseResult, TestRng, TestRunner};
use softtoken::association::Actor;
use softtoken::{Event, EventKind, Rejection, UnixTime};

use machine::{Failure, Machine};
use plan::{Act, Past, Plan, SUBJECTS, Scene};
use reading::Reading;
use words::{Call, Drawn, Given};

/// 2023-11-14T22:13:35Z, within a step.
const START: u64 = 1_700_000_015;
const MOVES: usize = 60;

/// Operations, and every way in which each of them is granted or refused.
const WAYS: [(&str, &str); 14] = [
    (
        "associate",
        "first again replacement software_token_disabled \
         not_authorized reauthentication_required second_factor_required \
         Forged OtherSubject OtherContext OtherPurpose OtherGeneration Expired",
    ),
    (
        "verify",
        "first in_a_sign_in replaced replaced_waived replaced_waived_codes_die repeated \
         mismatch mismatch_locks mismatch_paid_off code_length throttled locked \
         not_associated expired software_token_disabled \
         not_authorized reauthentication_required second_factor_required \
         Forged OtherSubject OtherContext OtherPurpose OtherGeneration OtherPending Expired",
    ),
    ("sign_in", "not_required challenge setup"),
    (
        "respond",
        "at_once after_failures by_the_drift repeated reused \
         mismatch mismatch_locks code_length throttled locked clock_behind \
         Forged OtherSubject OtherContext OtherPurpose OtherGeneration Expired Spent",
    ),
    (
        "finish_setup",
        "done Forged OtherSubject OtherContext OtherPurpose OtherGeneration Expired Spent",
    ),
    (
        "authenticate",
        "at_once after_failures by_the_drift repeated reused not_associated \
         mismatch mismatch_locks mismatch_paid_off code_length throttled locked clock_behind",
    ),
    (
        "resynchronise",
        "done reused not_associated not_authorized reauthentication_required \
         mismatch mismatch_locks mismatch_paid_off code_length throttled locked clock_behind \
         Forged OtherSubject OtherContext OtherPurpose OtherGeneration Expired Spent",
    ),
    (
        "prefer",
        "on off nothing not_associated mfa_required \
         not_authorized reauthentication_required second_factor_required \
         Forged OtherSubject OtherContext OtherPurpose",
    ),
    (
        "issue_recovery_codes",
        "first again not_associated \
         not_authorized reauthentication_required second_factor_required \
         Forged OtherSubject OtherContext OtherPurpose",
    ),
    (
        "recover",
        "code session code_locked session_locked mismatch not_associated \
         Forged OtherSubject OtherContext OtherPurpose OtherGeneration Expired Spent",
    ),
    (
        "disassociate",
        "token pending nothing mfa_required \
         not_authorized reauthentication_required second_factor_required \
         Forged OtherSubject OtherContext OtherPurpose",
    ),
    ("reset", "token locked nothing_verified"),
    ("unlock", "failures locked nothing"),
    (
        "import",
        "proven proven_last_step pending already_verified software_token_disabled",
    ),
];

/// How often each operation was answered in each of its ways.
type Reached = BTreeMap<(&'static str, String), u32>;

#[test]
fn any_sequence_is_answered_as_the_specification_reads() {
    let config = ProptestConfig {
        failure_persistence: None,
        rng_algorithm: RngAlgorithm::XorShift,
        ..ProptestConfig::default()
    };
    run(TestRunner::new(config));
}

#[test]
fn every_operation_is_granted_and_refused_in_each_of_its_ways() {
    let config = ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::XorShift);
    let reached = run(TestRunner::new_with_rng(config, rng));

    let ways = WAYS.iter().flat_map(|(operation, ways)| {
        ways.split_whitespace()
            .map(move |way| (*operation, way.to_owned()))
    });
    let missed: Vec<_> = ways.filter(|way| !reached.contains_key(way)).collect();
    assert!(missed.is_empty(), "missed {missed:?} of {reached:#?}");
}

fn run(mut runner: TestRunner) -> Reached {
    let reached = RefCell::default();
    let result = runner.run(&plan::plan(MOVES), |plan| {
        live(&plan, &mut reached.borrow_mut())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
    reached.into_inner()
}

/// Both do what is planned, and what they say is compared after every move.
fn live(plan: &Plan, reached: &mut Reached) -> TestCaseResult {
    let pool = plan::pools()[plan.pool];
    let mut machine = Machine::new(&pool, plan.seed);
    let mut reading = Reading::new(pool[0], SUBJECTS.len());
    let mut past = Past::default();
    let mut now = START;
    for step in &plan.moves {
        let who = step.who;
        let mut scene = Scene {
            reading: &reading,
            past: &past,
            now,
            who,
        };
        now = scene.time(&step.tick).max(START / 2);
        scene.now = now;
        let act = scene.act(&step.act);
        let call = scene.call(&act);
        machine.set(now);
        past.latest = past.latest.max(now);
        if let Act::Govern(rules) = act {
            machine.govern(rules);
            reading.policy = pool[rules];
        }
        let Some(call) = call else { continue };

        let before = machine.revision(who);
        let (given, drawn, text) = match machine.call(who, &call) {
            Ok((given, drawn, text)) => (Ok(given), drawn, text),
            Err(failure) => (Err(failure), Drawn::default(), None),
        };
        let life = &mut past.of[who];
        life.keys.extend(drawn.key.clone());
        life.recovery.extend(drawn.codes.clone());
        let read = reading.answer(who, now, &call, drawn);

        let at = |what| {
            format!(
                "{what} of {call:?} at {now}, then {:?}",
                reading.accounts[who]
            )
        };
        let granted = read.reply.is_ok();
        agree(&said(given)?, &waits(read.reply, &read.events, now), || {
            at("the reply")
        })?;
        agree(
            &heard(who, now, &machine.told())?,
            &sorted(&read.events),
            || at("the events"),
        )?;
        for other in 0..SUBJECTS.len() {
            let standing = machine.standing(other);
            agree(&standing, &reading.standing(other, now), || {
                at("the status after it")
            })?;
        }
        if let Call::SignIn { .. } = call {
            agree(&machine.revision(who), &before, || at("the revision"))?;
        }

        past.texts.extend(text);
        agree(&past.texts.len(), &reading.tickets.len(), || {
            at("the number of sessions")
        })?;
        if let Call::Import { key, .. } = &call {
            life.keys.push(Rc::clone(key));
        }
        if granted && call.moves_a_limit_for_grants() {
            life.moments.push(now);
        }
        *reached.entry((call.name(), read.path)).or_default() += 1;
        life.calls.push(call);
    }
    Ok(())
}

fn agree<T: PartialEq + Debug>(
    machine: &T,
    reading: &T,
    what: impl FnOnce() -> String,
) -> TestCaseResult {
    if machine == reading {
        return Ok(());
    }
    let what = what();
    Err(TestCaseError::fail(format!(
        "{what}\nmachine: {machine:?}\nreading: {reading:?}"
    )))
}

/// The answer, with the seconds that a refusal says to wait.
type Said = Result<Given, (Rejection, Option<u64>)>;

fn said(given: Result<Given, Failure>) -> Result<Said, TestCaseError> {
    let failure = match given {
        Ok(given) => return Ok(Ok(given)),
        Err(failure) => failure,
    };
    let Some(rejection) = failure.rejection() else {
        return Err(TestCaseError::fail(format!("a failure: {failure:?}")));
    };
    let wait = failure.retry_after().map(|wait| wait.as_secs());
    Ok(Err((rejection, wait)))
}

fn waits(reply: Result<Given, Rejection>, events: &[(Actor, EventKind)], now: u64) -> Said {
    let throttled = events.iter().find_map(|(_, event)| match event {
        EventKind::Throttled { until } => Some(*until),
        _ => None,
    });
    reply.map_err(|rejection| {
        let until = match rejection {
            Rejection::Throttled { until } => Some(until),
            _ => throttled,
        };
        (rejection, until.map(|until| until.as_secs() - now))
    })
}

fn heard(who: usize, now: u64, told: &[(String, Event)]) -> Result<Vec<String>, TestCaseError> {
    for (subject, event) in told {
        agree(&subject.as_str(), &SUBJECTS[who], || "whose event".into())?;
        agree(&event.at, &UnixTime::from_secs(now), || "when".into())?;
    }
    let events = told.iter().map(|(_, event)| (event.actor, event.kind));
    Ok(sorted(&events.collect::<Vec<_>>()))
}

/// What happens at once has no order.
fn sorted(events: &[(Actor, EventKind)]) -> Vec<String> {
    let mut events: Vec<String> = events.iter().map(|event| format!("{event:?}")).collect();
    events.sort();
    events
}
