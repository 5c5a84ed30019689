//! Checks what a login leaves whose client hangs up.

use alloc::format;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use super::adapted::HangUp;
use super::bench::{Bench, User};
use super::rules::both_or_neither;
use super::{Ending, Rule, Violation};

/// Polls a login so often at most: a driver's has seldom more points at which it waits.
const POLLS: u32 = 64;
/// Hangs up by so many threads.
const CLIENTS: u32 = 16;

pub(super) fn check<L: HangUp>(bench: &Bench<'_, L>, hang_ups: u32) -> Result<(), Violation> {
    let handle = bench.opened();
    let user = bench.user(&handle)?;
    // A commit waits where a login that is left has ended.
    let mut waits = 0;
    for ending in [Ending::Commit, Ending::Leave] {
        for polls in 0..POLLS {
            let after = |seen: Violation| seen.after(&format!("a client hung up at poll {polls}"));
            waits = waits.max(polls);
            if one(bench, &handle, &user, ending, polls).map_err(after)? {
                break;
            }
        }
    }
    for polls in 0..waits {
        let after = |seen: Violation| seen.after(&format!("a guesser hung up at poll {polls}"));
        guesser(bench, &handle, &user, polls).map_err(after)?;
    }
    let after = |seen: Violation| seen.after(&format!("{hang_ups} clients hung up"));
    many(bench, &handle, waits, hang_ups).map_err(after)
}

/// Hangs up once, and logs in once more. Returns whether the login had ended before.
fn one<L: HangUp>(
    bench: &Bench<'_, L>,
    handle: &L,
    user: &User,
    ending: Ending,
    polls: u32,
) -> Result<bool, Violation> {
    user.wait();
    let before = user.revision(handle)?;
    let login = bench.login(ending);
    let answer = handle.hang_up_after(polls, &user.subject, user.request(user.code()), &login);
    if let Some(answer) = answer {
        let accepted = matches!(answer, Ok(Some(_)));
        both_or_neither(handle, user, &login, before, accepted)?;
        return Ok(true);
    }
    // By the next code: what still runs has come before it, or finds its own code used.
    bench.served_by(handle, user, user.next_code())?;
    let found = user.found(handle, &login)?;
    match (found.revision - before, found.row) {
        (1, false) => Ok(false),
        (2, true) if ending == Ending::Commit => Ok(false),
        (2, false) => Err(Violation::new(
            Rule::Both,
            "its record is there, and no row",
        )),
        (1, true) => Err(Violation::new(
            Rule::Both,
            "its row is there, and no record",
        )),
        _ => Err(Violation::new(Rule::Neither, "it was committed")),
    }
}

/// Hangs up before the answer to a wrong code: it is counted, or was never judged.
fn guesser<L: HangUp>(
    bench: &Bench<'_, L>,
    handle: &L,
    user: &User,
    polls: u32,
) -> Result<(), Violation> {
    user.wait();
    let login = bench.login(Ending::Commit);
    let request = user.request(user.wrong_code());
    // Answered or not: that what was answered is counted is a rule of its own.
    drop(handle.hang_up_after(polls, &user.subject, request, &login));
    bench.served(handle, user)?;
    if user.found(handle, &login)?.row {
        return Err(Violation::new(Rule::Neither, "the row of a guess is there"));
    }
    Ok(())
}

/// Hangs up many times, at each point in turn, and then serves as many as a pool may have
/// connections.
fn many<L: HangUp>(
    bench: &Bench<'_, L>,
    handle: &L,
    waits: u32,
    hang_ups: u32,
) -> Result<(), Violation> {
    let users: Result<Vec<_>, _> = (0..CLIENTS).map(|_| bench.user(handle)).collect();
    let (users, hung_up) = (users?, AtomicU32::new(0));
    let each = |check: &(dyn Fn(&User) -> Result<(), Violation> + Sync)| -> Result<(), Violation> {
        thread::scope(|threads| {
            let spawn = |user| threads.spawn(move || check(user));
            let threads: Vec<_> = users.iter().map(spawn).collect();
            let joined = threads.into_iter().map(thread::ScopedJoinHandle::join);
            // Every one is waited for, whatever the first has seen.
            let seen: Vec<_> = joined.map(|ended| ended.expect("nobody panics")).collect();
            seen.into_iter().collect()
        })
    };
    each(&|user| {
        loop {
            let number = hung_up.fetch_add(1, Ordering::Relaxed);
            if number >= hang_ups {
                return Ok(());
            }
            user.wait();
            let (polls, login) = (number % (waits + 1), bench.login(Ending::Commit));
            let request = user.request(user.code());
            // Answered or not.
            drop(handle.hang_up_after(polls, &user.subject, request, &login));
        }
    })?;
    each(&|user| (0..4).try_for_each(|_| bench.served(handle, user)))
}
