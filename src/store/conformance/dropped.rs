//! Checks what a future leaves that is dropped before it ends.

use alloc::boxed::Box;
use alloc::format;
use core::pin::Pin;

use super::adapted::Adapted;
use super::bench::{Bench, bytes, describe, row_after};
use super::{Rule, Violation};
use crate::association::Events;
use crate::store::{Snapshot, Store, Swap, Write};

/// Polls a future so often: a driver's has seldom more points at which it waits.
const POLLS: u8 = 12;

pub(super) fn check<S: Store, B: Fn(Pin<Box<dyn Future<Output = ()> + Send + '_>>) + Sync>(
    bench: &Bench<'_, Adapted<'_, S, B>>,
) -> Result<(), Violation> {
    let subject = bench.subject("dropped");
    let mut row = bench.stored(0, &subject, None, b"first")?;
    for polls in 0..POLLS {
        row = drop_one(bench, polls, &subject, &row).map_err(|violation| Violation {
            rule: Rule::Dropped,
            seen: format!(
                "after futures were dropped at poll {polls}: {}; but {}",
                violation.rule, violation.seen
            ),
            source: violation.source,
        })?;
    }
    Ok(())
}

fn drop_one<S: Store, B: Fn(Pin<Box<dyn Future<Output = ()> + Send + '_>>) + Sync>(
    bench: &Bench<'_, Adapted<'_, S, B>>,
    polls: u8,
    subject: &str,
    old: &Snapshot,
) -> Result<Snapshot, Violation> {
    let handle = usize::from(polls);
    let store = bench.handle(handle);
    let expected = Some(old.revision);
    let new = row_after(expected, &bytes(polls, 1024));
    let write = Write::new(subject, expected, new.record.clone(), Events::default())
        .ok_or_else(|| Violation::new(Rule::Revisions, "the revisions are used up"))?;

    store
        .load_dropped_after(polls.into(), subject)
        .map_err(|error| Violation::failed("load", subject, error))?;
    let answer = store
        .swap_dropped_after(polls.into(), write)
        .map_err(|error| Violation::failed("compare_and_swap", subject, error))?;
    if let Some(answer) = answer {
        if answer == Swap::Conflict {
            return Err(Violation::new(Rule::Progress, "it was a Conflict"));
        }
        bench.acknowledged(handle, subject, &new)?;
        return Ok(new);
    }

    // Twice, as the dropped swap may arrive between the load and the swap.
    for _ in 0..2 {
        let Some(loaded) = bench
            .load(handle, subject)?
            .filter(|loaded| loaded == old || *loaded == new)
        else {
            return Err(Violation::new(
                Rule::Whole,
                format!("{subject:?} loads neither the old record nor the new one"),
            ));
        };
        let record = bytes(polls, 16);
        if bench.swap(handle, subject, Some(loaded.revision), &record)? == Swap::Stored {
            let settled = row_after(Some(loaded.revision), &record);
            bench.acknowledged(handle, subject, &settled)?;
            return Ok(settled);
        }
    }
    Err(Violation::new(
        Rule::Progress,
        format!(
            "swaps of {subject:?}, stored as {}, are Conflicts",
            describe(Some(old))
        ),
    ))
}
