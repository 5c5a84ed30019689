//! Checks what takes several threads to be seen.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

use super::bench::{Bench, HANDLES, row_after};
use super::{Rule, Violation};
use crate::revision::Revision;
use crate::store::{BlockingStore, Snapshot, Swap};

/// Counts one thread more than there are handles, so that two share one.
const THREADS: usize = HANDLES + 1;
/// Counts the threads that only read.
const READERS: usize = 2;

pub(super) fn check<S: BlockingStore>(bench: &Bench<'_, S>, rounds: u32) -> Result<(), Violation> {
    one_creation_wins(bench, rounds)?;
    one_swap_wins(bench, rounds)?;
    every_swap_counts(bench, rounds)?;
    subjects_do_not_hold_each_other_up(bench, rounds.div_ceil(4))
}

fn one_creation_wins<S: BlockingStore>(bench: &Bench<'_, S>, rounds: u32) -> Result<(), Violation> {
    for round in 0..rounds {
        let subject = bench.subject(&format!("created {round}"));
        race(bench, &subject, None)?;
    }
    Ok(())
}

fn one_swap_wins<S: BlockingStore>(bench: &Bench<'_, S>, rounds: u32) -> Result<(), Violation> {
    let subject = bench.subject("swapped");
    let mut row = bench.stored(0, &subject, None, b"first")?;
    for _ in 0..rounds {
        row = race(bench, &subject, Some(row.revision))?;
    }
    Ok(())
}

/// Swaps by all threads with one expectation, which holds.
fn race<S: BlockingStore>(
    bench: &Bench<'_, S>,
    subject: &str,
    expected: Option<Revision>,
) -> Result<Snapshot, Violation> {
    let rows: [Snapshot; THREADS] = core::array::from_fn(|thread| {
        let stamp = Stamp::new(row_after(expected, b"").revision, thread, 0);
        row_after(expected, &stamp.record())
    });
    let answers = together(THREADS, |thread| {
        bench.swap(thread, subject, expected, &rows[thread].record)
    });
    let mut winners = Vec::new();
    for (thread, answer) in answers.into_iter().enumerate() {
        if answer? == Swap::Stored {
            winners.push(thread);
        }
    }
    let [winner] = winners[..] else {
        return Err(Violation::new(
            if winners.is_empty() {
                Rule::Progress
            } else {
                Rule::OneWinner
            },
            format!(
                "of {THREADS} threads that swapped {subject:?} with one right expectation, \
                 {} were told Stored",
                winners.len()
            ),
        ));
    };
    let loaded = bench.load(winner, subject)?;
    if loaded.is_some_and(|row| row != rows[winner] && rows.contains(&row)) {
        return Err(Violation::new(
            Rule::Unchanged,
            format!("{subject:?} holds the record of a thread that was told Conflict"),
        ));
    }
    bench.acknowledged(winner, subject, &rows[winner])?;
    Ok(rows[winner].clone())
}

/// Runs `work` on that many threads, which begin together; the answers in the threads' order.
fn together<T: Send>(threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let waiting = AtomicUsize::new(threads);
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|thread| {
                let (work, waiting) = (&work, &waiting);
                scope.spawn(move || {
                    waiting.fetch_sub(1, Ordering::SeqCst);
                    // Not a barrier: threads that sleep are woken one after another, and do not
                    // meet.
                    while waiting.load(Ordering::SeqCst) > 0 {
                        thread::yield_now();
                    }
                    work(thread)
                })
            })
            .collect();
        running
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    })
}

/// Says who wrote a record, for which revision, by which attempt; a record repeats the stamp, so
/// that a torn record shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stamp([u64; 3]);

impl Stamp {
    fn new(revision: Revision, thread: usize, attempt: u64) -> Self {
        // There are a handful of threads.
        Self([
            revision.get(),
            thread.try_into().unwrap_or(u64::MAX),
            attempt,
        ])
    }

    fn revision(self) -> u64 {
        self.0[0]
    }

    fn record(self) -> Vec<u8> {
        self.0.map(u64::to_be_bytes).concat().repeat(64)
    }

    /// Reads a stamp; `None` where the record is not one whole stamp, or another revision's.
    fn read(row: &Snapshot) -> Option<Self> {
        let mut stamp = [0; 3];
        for (number, bytes) in stamp.iter_mut().zip(row.record.chunks(8)) {
            *number = u64::from_be_bytes(bytes.try_into().ok()?);
        }
        let stamp = Self(stamp);
        (stamp.revision() == row.revision.get() && stamp.record() == row.record).then_some(stamp)
    }
}

/// Holds a row that several threads raise at once.
struct Contended<'b, S> {
    bench: &'b Bench<'b, S>,
    subject: &'b str,
    swaps_each: u32,
    /// Holds the highest revision of which some thread was told that it is stored.
    acknowledged: AtomicU64,
}

/// Holds what a thread was told: the stamps that were stored, and those that it loaded.
#[derive(Default)]
struct Told {
    stored: Vec<Stamp>,
    loaded: Vec<Stamp>,
}

fn every_swap_counts<S: BlockingStore>(bench: &Bench<'_, S>, rounds: u32) -> Result<(), Violation> {
    let subject = bench.subject("raised");
    let first = Stamp::new(Revision::FIRST, THREADS, 0);
    bench.stored(0, &subject, None, &first.record())?;
    let row = Contended {
        bench,
        subject: &subject,
        swaps_each: rounds,
        acknowledged: AtomicU64::new(Revision::FIRST.get()),
    };
    let told = together(THREADS + READERS, |thread| {
        let mut told = Told::default();
        let outcome = if thread < THREADS {
            row.raise(thread, &mut told)
        } else {
            row.watch(thread, &mut told)
        };
        (told, outcome)
    });
    row.judge(first, told)
}

impl<S: BlockingStore> Contended<'_, S> {
    fn last(&self) -> u64 {
        let threads = u64::try_from(THREADS).unwrap_or(u64::MAX);
        1 + u64::from(self.swaps_each) * threads
    }

    /// Stores so many swaps, trying again after each conflict. The loop ends with any store: a
    /// conflict must be followed by a higher revision, and there are only so many revisions.
    fn raise(&self, thread: usize, told: &mut Told) -> Result<(), Violation> {
        let mut row = self.look(thread, Revision::FIRST, told)?;
        for attempt in 1.. {
            if told.stored.len() as u64 == u64::from(self.swaps_each) {
                break;
            }
            let next = row_after(Some(row), b"").revision;
            let stamp = Stamp::new(next, thread, attempt);
            let expected = row;
            match self
                .bench
                .swap(thread, self.subject, Some(expected), &stamp.record())?
            {
                Swap::Stored => {
                    self.acknowledged.fetch_max(next.get(), Ordering::SeqCst);
                    told.stored.push(stamp);
                    row = self.look(thread, next, told)?;
                }
                Swap::Conflict => {
                    row = self.look(thread, expected, told)?;
                    if row == expected {
                        return Err(self.broken(
                            Rule::Progress,
                            &format!("a swap was a Conflict at {row}, and {row} it is still"),
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    fn watch(&self, thread: usize, told: &mut Told) -> Result<(), Violation> {
        let mut row = Revision::FIRST;
        while row.get() < self.last() && told.loaded.len() as u64 <= 4 * self.last() {
            row = self.look(thread, row, told)?;
        }
        Ok(())
    }

    /// Loads the row. It must be whole, and at least at `seen` and at what any thread was told
    /// before.
    fn look(&self, thread: usize, seen: Revision, told: &mut Told) -> Result<Revision, Violation> {
        let lowest = self.acknowledged.load(Ordering::SeqCst).max(seen.get());
        let Some(row) = self.bench.load(thread, self.subject)? else {
            return Err(self.broken(Rule::NeverDeleted, "it loads None"));
        };
        if row.revision.get() < lowest {
            return Err(self.broken(
                Rule::Latest,
                &format!("revision {} was loaded after {lowest}", row.revision),
            ));
        }
        let Some(stamp) = Stamp::read(&row) else {
            return Err(self.broken(
                Rule::Whole,
                &format!(
                    "revision {} was loaded with other bytes than its own",
                    row.revision
                ),
            ));
        };
        if row.revision.get() > self.last() {
            return Err(self.broken(
                Rule::Unchanged,
                &format!("revision {} is more than was ever stored", row.revision),
            ));
        }
        told.loaded.push(stamp);
        Ok(row.revision)
    }

    /// Checks that what the threads were told is one history, and what is there its end.
    fn judge(
        &self,
        first: Stamp,
        told: Vec<(Told, Result<(), Violation>)>,
    ) -> Result<(), Violation> {
        let mut last = first;
        let mut history = BTreeMap::from([(first.revision(), first)]);
        let mut loaded = Vec::new();
        let mut violations = Vec::new();
        for (told, outcome) in told {
            for stamp in told.stored {
                let revision = stamp.revision();
                if history.insert(revision, stamp).is_some() {
                    return Err(self.broken(
                        Rule::OneWinner,
                        &format!("two swaps were told that they stored revision {revision}"),
                    ));
                }
                if revision > last.revision() {
                    last = stamp;
                }
            }
            loaded.extend(told.loaded);
            violations.extend(outcome.err());
        }
        // A swap that failed may have been stored: after one, nothing else can be held against the
        // store.
        if let Some(failed) = violations
            .iter()
            .position(|violation| violation.rule == Rule::Answers)
        {
            return Err(violations.swap_remove(failed));
        }
        for handle in 0..HANDLES {
            let row = self.bench.load(handle, self.subject)?;
            let found = row.as_ref().map_or(0, |row| row.revision.get());
            if found < last.revision() {
                return Err(self.broken(
                    Rule::Durable,
                    &format!(
                        "{} was stored, and in the end it is {found}",
                        last.revision()
                    ),
                ));
            }
            loaded.extend(row.as_ref().and_then(Stamp::read));
        }
        if let Some(violation) = violations.into_iter().next() {
            return Err(violation);
        }
        for stamp in loaded {
            if history.get(&stamp.revision()) != Some(&stamp) {
                return Err(self.broken(
                    Rule::Unchanged,
                    &format!(
                        "revision {} was loaded as nobody stored it",
                        stamp.revision()
                    ),
                ));
            }
        }
        Ok(())
    }

    fn broken(&self, rule: Rule, seen: &str) -> Violation {
        Violation::new(
            rule,
            format!("while {THREADS} threads raised {:?}, {seen}", self.subject),
        )
    }
}

fn subjects_do_not_hold_each_other_up<S: BlockingStore>(
    bench: &Bench<'_, S>,
    rounds: u32,
) -> Result<(), Violation> {
    let answers = together(THREADS, |thread| {
        let subject = bench.subject(&format!("alone {thread}"));
        let mut expected = None;
        for round in 0..rounds {
            let record = round.to_be_bytes();
            if bench.swap(thread, &subject, expected, &record)? == Swap::Conflict {
                return Err(Violation::new(
                    Rule::Independent,
                    format!(
                        "{subject:?}, which one thread writes, was a Conflict beside other subjects"
                    ),
                ));
            }
            let stored = row_after(expected, &record);
            bench.acknowledged(thread, &subject, &stored)?;
            expected = Some(stored.revision);
        }
        Ok(())
    });
    answers.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::{
        AtomicU64, Bench, Contended, Rule, Snapshot, Stamp, Swap, Told, Vec, Violation, row_after,
    };
    use crate::revision::Revision;
    use crate::store::MemoryStore;

    const SUBJECT: &str = "raised";

    fn stamp(revision: u64, thread: usize) -> Stamp {
        Stamp::new(Revision::new(revision).expect("in range"), thread, 1)
    }

    /// Returns the verdict on a row that went through `rows`, after threads were told these things.
    fn verdict(rows: &[Stamp], told: Vec<(Told, Result<(), Violation>)>) -> Result<(), Rule> {
        let store = MemoryStore::new();
        let open = || &store;
        let bench = Bench::new(&open);
        let mut expected = None;
        for row in rows {
            bench
                .stored(0, SUBJECT, expected, &row.record())
                .expect("a right store");
            expected = Some(row_after(expected, b"").revision);
        }
        let row = Contended {
            bench: &bench,
            subject: SUBJECT,
            swaps_each: 1,
            acknowledged: AtomicU64::new(1),
        };
        row.judge(rows[0], told).map_err(|violation| violation.rule)
    }

    fn told(stored: &[Stamp], loaded: &[Stamp]) -> (Told, Result<(), Violation>) {
        let (stored, loaded) = (stored.into(), loaded.into());
        (Told { stored, loaded }, Ok(()))
    }

    fn and(told: (Told, Result<(), Violation>), rule: Rule) -> (Told, Result<(), Violation>) {
        (told.0, Err(Violation::new(rule, "as it was seen")))
    }

    /// Judges a load that finds this row, where `seen` was loaded and `acknowledged` told before.
    fn look(row: Option<&Snapshot>, seen: u64, acknowledged: u64) -> Result<u64, Rule> {
        let store = MemoryStore::new();
        let open = || &store;
        let bench = Bench::new(&open);
        if let Some(row) = row {
            let before = Revision::new(row.revision.get() - 1);
            for revision in 1..=row.revision.get() {
                let expected = Revision::new(revision - 1);
                let record = if expected == before {
                    &row.record[..]
                } else {
                    b""
                };
                let swap = bench.swap(0, SUBJECT, expected, record);
                assert_eq!(swap.expect("a right store"), Swap::Stored);
            }
        }
        let contended = Contended {
            bench: &bench,
            subject: SUBJECT,
            swaps_each: 1,
            acknowledged: AtomicU64::new(acknowledged),
        };
        let seen = Revision::new(seen).expect("in range");
        let looked = contended.look(0, seen, &mut Told::default());
        looked
            .map(Revision::get)
            .map_err(|violation| violation.rule)
    }

    #[test]
    fn what_is_loaded_must_be_there_whole_and_no_older_than_what_was_told() {
        let whole = |revision| {
            let stamp = stamp(revision, 0);
            Snapshot {
                revision: Revision::new(revision).expect("in range"),
                record: stamp.record(),
            }
        };
        let mut torn = whole(3);
        torn.record.truncate(700);
        let other = Snapshot {
            record: stamp(2, 0).record(),
            ..whole(3)
        };
        // Four threads that swap once each, after the first revision.
        for (name, expected, row, seen, acknowledged) in [
            ("it is as told", Ok(3), Some(whole(3)), 3, 3),
            ("it is later", Ok(5), Some(whole(5)), 3, 4),
            ("it is gone", Err(Rule::NeverDeleted), None, 1, 1),
            ("older than seen", Err(Rule::Latest), Some(whole(3)), 4, 1),
            ("older than told", Err(Rule::Latest), Some(whole(3)), 1, 4),
            ("it is torn", Err(Rule::Whole), Some(torn), 1, 1),
            ("another revision's", Err(Rule::Whole), Some(other), 1, 1),
            ("more than all", Err(Rule::Unchanged), Some(whole(6)), 1, 1),
        ] {
            assert_eq!(look(row.as_ref(), seen, acknowledged), expected, "{name}");
        }
    }

    #[test]
    fn what_the_threads_were_told_must_be_one_history() {
        let [first, second, third, other] = [stamp(1, 9), stamp(2, 0), stamp(3, 1), stamp(3, 0)];
        let rows = [first, second, third];
        for (name, expected, rows, told) in [
            (
                "one history",
                Ok(()),
                &rows[..],
                [
                    told(&[third], &[first, second, third]),
                    told(&[second], &[second]),
                ],
            ),
            (
                "two winners",
                Err(Rule::OneWinner),
                &rows,
                [told(&[third], &[]), told(&[second, other], &[])],
            ),
            (
                "a lost end",
                Err(Rule::Durable),
                &rows[..2],
                [told(&[third], &[]), told(&[second], &[])],
            ),
            (
                "an end that nobody stored",
                Err(Rule::Unchanged),
                &rows,
                [told(&[second], &[]), told(&[], &[])],
            ),
            (
                "a load of what nobody stored",
                Err(Rule::Unchanged),
                &rows,
                [told(&[second], &[other]), told(&[third], &[])],
            ),
            (
                "a stale load",
                Err(Rule::Latest),
                &rows,
                [
                    told(&[second, third], &[]),
                    and(told(&[], &[]), Rule::Latest),
                ],
            ),
            (
                "a stale load, as the end is lost",
                Err(Rule::Durable),
                &rows[..2],
                [
                    told(&[second, third], &[]),
                    and(told(&[], &[]), Rule::Latest),
                ],
            ),
            (
                "an error, whatever is there",
                Err(Rule::Answers),
                &rows,
                [
                    and(told(&[second], &[second]), Rule::Latest),
                    and(told(&[], &[third]), Rule::Answers),
                ],
            ),
        ] {
            assert_eq!(verdict(rows, told.into()), expected, "{name}");
        }
    }
}
