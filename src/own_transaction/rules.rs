//! Checks logins that end in each way, one after another and at once.

use alloc::format;
use alloc::vec::Vec;
use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Barrier;
use std::thread;

use super::bench::{Bench, User};
use super::{BlockingLogins, Ending, Login, Rule, Violation};
use crate::association::Rejection;
use crate::error::{Error, Fault};

const AT_ONCE: usize = 4;

pub(super) fn check<L: BlockingLogins>(bench: &Bench<'_, L>, rounds: u32) -> Result<(), Violation> {
    for ending in [
        Ending::Commit,
        Ending::Leave,
        Ending::WriteTwice,
        Ending::Fail,
        Ending::RollBack,
        Ending::Panic,
    ] {
        ended(bench, ending).map_err(|seen| seen.after(&format!("{ending:?}")))?;
    }
    for ending in [Ending::Commit, Ending::Leave] {
        rejected(bench, ending)?;
    }
    many_users(bench)?;
    for _ in 0..rounds {
        one_code(bench)?;
        guesses(bench)?;
    }
    Ok(())
}

/// Ends an accepted login in this way, and looks for its rows by another handle.
fn ended<L: BlockingLogins>(bench: &Bench<'_, L>, ending: Ending) -> Result<(), Violation> {
    let (handle, other) = (bench.opened(), bench.opened());
    let user = bench.user(&handle)?;
    let before = user.revision(&other)?;
    let login = bench.login(ending);
    let answer = catch_unwind(AssertUnwindSafe(|| {
        user.log_in(&handle, user.code(), &login)
    }));
    let accepted = matches!(answer, Ok(Ok(Some(_))));
    both_or_neither(&other, &user, &login, before, accepted)?;

    match (ending, answer) {
        (Ending::Commit | Ending::WriteTwice, Ok(Ok(Some(_))))
        | (Ending::Leave, Ok(Ok(None)))
        | (Ending::WriteTwice | Ending::Fail | Ending::RollBack, Ok(Err(_)))
        | (Ending::Panic, Err(_) | Ok(Err(_))) => {}
        (_, Ok(Err(error))) => {
            return Err(Violation::failed(Rule::Answers, "a login failed", error));
        }
        _ => {
            let seen = "a login did not end as it was to";
            return Err(Violation::new(Rule::Answers, seen));
        }
    }

    // The same code: spent with the login, or not at all.
    let again = bench.login(Ending::Commit);
    match (accepted, user.log_in(&handle, user.code(), &again)) {
        (false, Ok(None)) => return Err(Violation::new(Rule::Served, "a login was left")),
        (false, Err(error)) => {
            let seen = "the code of a login that was none is not accepted";
            return Err(Violation::failed(Rule::Served, seen, error));
        }
        (false, Ok(Some(_)))
        | (
            true,
            Err(Error::Rejected {
                rejection: Rejection::Reused,
                ..
            }),
        ) => {}
        (true, _) => {
            let seen = "the code of a login is not refused as used already";
            return Err(Violation::new(Rule::Both, seen));
        }
    }
    bench.served(&handle, &user)
}

/// Checks that a login's record and row are there where it was accepted, and else not.
pub(super) fn both_or_neither<L: BlockingLogins>(
    handle: &L,
    user: &User,
    login: &Login,
    before: u64,
    accepted: bool,
) -> Result<(), Violation> {
    let found = user.found(handle, login)?;
    let rule = if accepted { Rule::Both } else { Rule::Neither };
    let there = |there| if there { "is there" } else { "is not there" };
    if (found.revision > before, found.row) != (accepted, accepted) {
        let (record, row) = (there(found.revision > before), there(found.row));
        let seen = format!("its record {record}, and its row {row}");
        return Err(Violation::new(rule, seen));
    }
    Ok(())
}

/// Sends two wrong codes: each counts, and no row is written, whatever the login was to do.
fn rejected<L: BlockingLogins>(bench: &Bench<'_, L>, ending: Ending) -> Result<(), Violation> {
    let (handle, other) = (bench.opened(), bench.opened());
    let user = bench.user(&handle)?;
    for guesses in 1..=2 {
        let login = bench.login(ending);
        match user.log_in(&handle, user.wrong_code(), &login) {
            Err(Error::Rejected { .. }) => {}
            Err(error) => {
                return Err(Violation::failed(Rule::Answers, "a guess failed", error));
            }
            Ok(_) => return Err(Violation::new(Rule::Counted, "a guess was not refused")),
        }
        if user.found(&other, &login)?.row {
            let seen = "the row of a login that was refused is there";
            return Err(Violation::new(Rule::Neither, seen));
        }
        let counted = user.failures(&other)?;
        if counted != guesses {
            let seen = format!("{counted} are counted of {guesses} that were refused");
            return Err(Violation::new(Rule::Counted, seen));
        }
    }
    bench.served(&handle, &user)
}

/// Logs several users in at once: none is in the way of another.
fn many_users<L: BlockingLogins>(bench: &Bench<'_, L>) -> Result<(), Violation> {
    let handle = bench.opened();
    let users: Result<Vec<_>, _> = (0..2 * AT_ONCE).map(|_| bench.user(&handle)).collect();
    let served = at_once(&users?, |user| bench.served(&handle, user));
    served.into_iter().collect()
}

/// Sends one code several times at once: one login, one row.
fn one_code<L: BlockingLogins>(bench: &Bench<'_, L>) -> Result<(), Violation> {
    let handle = bench.opened();
    let user = bench.user(&handle)?;
    let before = user.revision(&handle)?;
    let logins: [_; AT_ONCE] = core::array::from_fn(|_| bench.login(Ending::Commit));
    let answers = at_once(&logins, |login| user.log_in(&handle, user.code(), login));

    let mut accepted = 0;
    for (login, answer) in logins.iter().zip(answers) {
        let row = user.found(&handle, login)?.row;
        match answer {
            Ok(Some(_)) if row => accepted += 1,
            Ok(_) => return Err(Violation::new(Rule::Both, "a login has no row")),
            Err(_) if row => {
                let seen = "the row of a login that was refused is there";
                return Err(Violation::new(Rule::Neither, seen));
            }
            Err(Error::Rejected { .. } | Error::Fault(Fault::Contended)) => {}
            Err(error) => {
                return Err(Violation::failed(Rule::Answers, "a login failed", error));
            }
        }
    }
    let written = user.revision(&handle)? - before;
    if (accepted, written) != (1, 1) {
        let seen = format!(
            "one code was sent {AT_ONCE} times at once: {accepted} logins, {written} writes"
        );
        return Err(Violation::new(Rule::DecidedAnew, seen));
    }
    bench.served(&handle, &user)
}

/// Sends several guesses at once: as many are counted as were refused for what they are.
fn guesses<L: BlockingLogins>(bench: &Bench<'_, L>) -> Result<(), Violation> {
    let handle = bench.opened();
    let user = bench.user(&handle)?;
    let logins: [_; AT_ONCE] = core::array::from_fn(|_| bench.login(Ending::Commit));
    let answers = at_once(&logins, |login| {
        user.log_in(&handle, user.wrong_code(), login)
    });
    let mut refused = 0;
    for answer in answers {
        match answer {
            Err(Error::Rejected {
                rejection: Rejection::Mismatch,
                ..
            }) => refused += 1,
            Err(Error::Rejected { .. } | Error::Fault(Fault::Contended)) => {}
            Err(error) => {
                return Err(Violation::failed(Rule::Answers, "a guess failed", error));
            }
            Ok(_) => return Err(Violation::new(Rule::Counted, "a guess was not refused")),
        }
    }
    let counted = user.failures(&handle)?;
    if counted != refused {
        let seen = format!("{counted} are counted of {refused} that were refused at once");
        return Err(Violation::new(Rule::DecidedAnew, seen));
    }
    bench.served(&handle, &user)
}

/// Does something with each item on a thread of its own, all at once.
fn at_once<I: Sync, T: Send>(items: &[I], work: impl Fn(&I) -> T + Sync) -> Vec<T> {
    let (all, work) = (&Barrier::new(items.len()), &work);
    thread::scope(|threads| {
        let spawn = |item| {
            threads.spawn(move || {
                all.wait();
                work(item)
            })
        };
        let threads: Vec<_> = items.iter().map(spawn).collect();
        let joined = threads.into_iter().map(thread::ScopedJoinHandle::join);
        joined.map(|ended| ended.expect("nobody panics")).collect()
    })
}
