//! The suite passes stores that keep to the list, and refuses each one that breaks a rule, by that
//! rule's name.
#![allow(clippy::unwrap_used, clippy::std_instead_of_alloc, reason = "tests")]

use core::convert::Infallible;
use core::error::Error;
use core::future::poll_fn;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use core::task::Poll;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::thread;

use softtoken::store::conformance::{self, Rule, Suite, Violation};
use softtoken::store::{
    BlockingStore, BoxedError, DynStore, MemoryStore, Snapshot, Store, Swap, Write,
};
use softtoken::{Policy, Revision};

#[test]
fn the_memory_store_passes() -> Result<(), Violation> {
    let store = MemoryStore::new();
    conformance::check_blocking(|| &store)?;
    conformance::check(|| &store, |future| pollster::block_on(future))
}

#[test]
fn more_rounds_pass_as_well_and_are_more_swaps() -> Result<(), Violation> {
    let swaps_in = |rounds: u32| -> Result<u32, Violation> {
        let (table, swaps) = (Table::default(), AtomicU32::new(0));
        let counting = store(
            |subject| table.get(subject),
            |subject, write| {
                swaps.fetch_add(1, Ordering::SeqCst);
                table.apply(subject, write)
            },
        );
        Suite::new().rounds(rounds).check_blocking(|| &counting)?;
        Ok(swaps.load(Ordering::SeqCst))
    };
    assert!(swaps_in(2_000)? > 2 * swaps_in(500)?);
    Ok(())
}

#[test]
fn a_store_passes_behind_each_pointer() -> Result<(), Violation> {
    let store = Arc::new(MemoryStore::new());
    let erased: Arc<dyn DynStore> = store.clone();
    conformance::check(|| erased.clone(), |future| pollster::block_on(future))?;
    conformance::check(
        || Box::new(store.clone()) as Box<dyn DynStore>,
        |future| pollster::block_on(future),
    )?;
    let blocking: Arc<dyn BlockingStore<Error = Infallible>> = store;
    conformance::check_blocking(|| blocking.clone())
}

/// Rows that do as they are told.
#[derive(Default)]
struct Table(Mutex<HashMap<String, Snapshot>>);

impl Table {
    fn get(&self, subject: &str) -> Option<Snapshot> {
        self.0.lock().unwrap().get(subject).cloned()
    }

    fn revision(&self, subject: &str) -> Option<Revision> {
        self.get(subject).map(|row| row.revision)
    }

    fn put(&self, subject: &str, row: Snapshot) {
        self.0.lock().unwrap().insert(subject.into(), row);
    }

    fn overwrite(&self, subject: &str, row: Snapshot) -> Swap {
        self.put(subject, row);
        Swap::Stored
    }

    fn swap(&self, subject: &str, expected: Option<Revision>, row: Snapshot) -> Swap {
        let mut rows = self.0.lock().unwrap();
        if rows.get(subject).map(|row| row.revision) != expected {
            return Swap::Conflict;
        }
        rows.insert(subject.into(), row);
        Swap::Stored
    }

    fn apply(&self, subject: &str, write: &Write) -> Swap {
        self.swap(subject, write.expected(), write.snapshot())
    }
}

struct Made<L, C> {
    load: L,
    swap: C,
}

fn store(
    load: impl Fn(&str) -> Option<Snapshot> + Send + Sync,
    swap: impl Fn(&str, &Write) -> Swap + Send + Sync,
) -> impl BlockingStore<Error = Infallible> {
    Made { load, swap }
}

impl<L, C> BlockingStore for Made<L, C>
where
    L: Fn(&str) -> Option<Snapshot> + Send + Sync,
    C: Fn(&str, &Write) -> Swap + Send + Sync,
{
    type Error = Infallible;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, Infallible> {
        Ok((self.load)(subject))
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, Infallible> {
        Ok((self.swap)(write.subject(), &write))
    }
}

#[track_caller]
fn refusal<S: BlockingStore>(open: impl Fn() -> S + Sync) -> Violation {
    conformance::check_blocking(open).expect_err("a wrong store")
}

#[track_caller]
fn refused_for<S: BlockingStore>(rule: Rule, open: impl Fn() -> S + Sync) {
    let violation = refusal(open);
    assert_eq!(violation.rule(), rule, "{violation}");
}

#[test]
fn a_store_that_does_as_it_is_told_passes() -> Result<(), Violation> {
    let table = Table::default();
    let right = store(
        |subject| table.get(subject),
        |subject, write| table.apply(subject, write),
    );
    conformance::check_blocking(|| &right)
}

#[test]
fn the_longest_subject_has_256_bytes_and_none_a_nul() -> Result<(), Violation> {
    let table = Table::default();
    let right = store(
        |subject| table.get(subject),
        |subject, write| table.apply(subject, write),
    );
    conformance::check_blocking(|| &right)?;
    let rows = table.0.lock().unwrap();
    assert_eq!(rows.keys().map(String::len).max(), Some(256));
    assert!(rows.keys().all(|subject| !subject.contains('\0')));
    Ok(())
}

#[test]
fn reading_and_then_writing_is_refused() {
    let table = Table::default();
    let wrong = store(
        |subject| table.get(subject),
        |subject, write| {
            if table.revision(subject) != write.expected() {
                return Swap::Conflict;
            }
            thread::yield_now();
            table.overwrite(subject, write.snapshot())
        },
    );
    refused_for(Rule::OneWinner, || &wrong);
}

#[test]
fn reading_and_then_updating_is_refused_where_only_creation_is_atomic() {
    let table = Table::default();
    let wrong = store(
        |subject| table.get(subject),
        |subject, write| {
            if write.expected().is_none() {
                return table.apply(subject, write);
            }
            if table.revision(subject) != write.expected() {
                return Swap::Conflict;
            }
            thread::yield_now();
            table.overwrite(subject, write.snapshot())
        },
    );
    refused_for(Rule::OneWinner, || &wrong);
}

#[test]
fn reading_and_then_creating_is_refused_where_only_updates_are_atomic() {
    let table = Table::default();
    let wrong = store(
        |subject| table.get(subject),
        |subject, write| {
            if write.expected().is_some() {
                return table.apply(subject, write);
            }
            if table.revision(subject) != write.expected() {
                return Swap::Conflict;
            }
            thread::yield_now();
            table.overwrite(subject, write.snapshot())
        },
    );
    refused_for(Rule::OneWinner, || &wrong);
}

#[test]
fn losing_a_write_now_and_then_is_refused() {
    for every in [1, 7, 50] {
        let table = Table::default();
        let writes = AtomicU64::new(0);
        let wrong = store(
            |subject| table.get(subject),
            |subject, write| {
                if table.revision(subject) == write.expected()
                    && writes.fetch_add(1, Ordering::SeqCst) % every == every - 1
                {
                    return Swap::Stored;
                }
                table.apply(subject, write)
            },
        );
        refused_for(Rule::Durable, || &wrong);
    }
}

#[test]
fn ignoring_the_expectation_is_refused() {
    let table = Table::default();
    let wrong = store(
        |subject| table.get(subject),
        |subject, write| table.overwrite(subject, write.snapshot()),
    );
    refused_for(Rule::Expectation, || &wrong);
}

#[test]
fn creating_a_row_that_was_expected_to_be_there_is_refused() {
    let table = Table::default();
    let wrong = store(
        |subject| table.get(subject),
        |subject, write| match table.revision(subject) {
            None => table.overwrite(subject, write.snapshot()),
            Some(_) => table.apply(subject, write),
        },
    );
    refused_for(Rule::Expectation, || &wrong);
}

#[test]
fn comparing_only_the_low_bits_of_a_revision_is_refused() {
    for bits in [8, 16, 32] {
        let low = move |revision: Revision| revision.get() & ((1 << bits) - 1);
        let table = Table::default();
        let wrong = store(
            |subject| table.get(subject),
            |subject, write| {
                if table.revision(subject).map(low) == write.expected().map(low) {
                    table.overwrite(subject, write.snapshot())
                } else {
                    Swap::Conflict
                }
            },
        );
        refused_for(Rule::Expectation, || &wrong);
    }
}

#[test]
fn storing_what_was_a_conflict_is_refused() {
    let table = Table::default();
    let wrong = store(
        |subject| table.get(subject),
        |subject, write| {
            let held = table.revision(subject);
            table.put(subject, write.snapshot());
            if held == write.expected() {
                Swap::Stored
            } else {
                Swap::Conflict
            }
        },
    );
    refused_for(Rule::Unchanged, || &wrong);
}

#[test]
fn a_conflict_without_a_reason_is_refused() {
    let table = Table::default();
    let calls = AtomicU64::new(0);
    let wrong = store(
        |subject| table.get(subject),
        |subject, write| {
            if calls.fetch_add(1, Ordering::SeqCst) % 100 == 99 {
                return Swap::Conflict;
            }
            table.apply(subject, write)
        },
    );
    refused_for(Rule::Progress, || &wrong);
}

#[test]
fn reads_that_lag_by_one_write_are_refused() {
    let table = Table::default();
    let replica = Table::default();
    let wrong = store(
        |subject| replica.get(subject),
        |subject, write| {
            let before = table.get(subject);
            let answer = table.apply(subject, write);
            if let (Swap::Stored, Some(before)) = (answer, before) {
                return replica.overwrite(subject, before);
            }
            answer
        },
    );
    refused_for(Rule::Latest, || &wrong);
}

#[test]
fn a_cache_in_each_handle_is_refused() {
    let table = Table::default();
    refused_for(Rule::Latest, || {
        let cache = Arc::new(Table::default());
        let (table, loaded) = (&table, cache.clone());
        store(
            move |subject| {
                let row = loaded.get(subject).or_else(|| table.get(subject))?;
                loaded.put(subject, row.clone());
                Some(row)
            },
            move |subject, write| match table.apply(subject, write) {
                Swap::Stored => cache.overwrite(subject, write.snapshot()),
                Swap::Conflict => Swap::Conflict,
            },
        )
    });
}

#[test]
fn a_new_handle_that_begins_with_an_old_answer_is_refused() {
    let table = Table::default();
    let replica = Table::default();
    refused_for(Rule::Latest, || {
        let fresh = AtomicBool::new(true);
        let (table, replica) = (&table, &replica);
        store(
            move |subject| {
                if fresh.swap(false, Ordering::SeqCst) {
                    replica.get(subject)
                } else {
                    table.get(subject)
                }
            },
            move |subject, write| {
                let before = table.get(subject);
                let answer = table.apply(subject, write);
                if let (Swap::Stored, Some(before)) = (answer, before) {
                    replica.put(subject, before);
                }
                answer
            },
        )
    });
}

#[test]
fn keeping_writes_in_the_handle_until_later_is_refused() {
    let table = Table::default();
    refused_for(Rule::Shared, || {
        let own = Arc::new(Table::default());
        let late = Mutex::new(VecDeque::new());
        let (table, read) = (&table, own.clone());
        store(
            move |subject| read.get(subject).or_else(|| table.get(subject)),
            move |subject, write| {
                let held = own.revision(subject).or_else(|| table.revision(subject));
                if held != write.expected() {
                    return Swap::Conflict;
                }
                let mut late = late.lock().unwrap();
                late.push_back((subject.to_owned(), write.snapshot()));
                if late.len() > 4 {
                    let (subject, row) = late.pop_front().unwrap();
                    table.put(&subject, row);
                }
                own.overwrite(subject, write.snapshot())
            },
        )
    });
}

#[test]
fn evicting_a_subject_is_refused() {
    for most in [1, 16, 256] {
        let table = Table::default();
        let order = Mutex::new(VecDeque::new());
        let wrong = store(
            |subject| table.get(subject),
            |subject, write| {
                let answer = table.apply(subject, write);
                let mut order = order.lock().unwrap();
                if answer == Swap::Stored && write.expected().is_none() {
                    order.push_back(subject.to_owned());
                    if order.len() > most {
                        let evicted: String = order.pop_front().unwrap();
                        table.0.lock().unwrap().remove(&evicted);
                    }
                }
                answer
            },
        );
        refused_for(Rule::NeverDeleted, || &wrong);
    }
}

#[test]
fn deleting_a_row_for_an_empty_record_is_refused() {
    let table = Table::default();
    let wrong = store(
        |subject| table.get(subject),
        |subject, write| {
            let answer = table.apply(subject, write);
            if answer == Swap::Stored && write.record().is_empty() {
                table.0.lock().unwrap().remove(subject);
            }
            answer
        },
    );
    refused_for(Rule::NeverDeleted, || &wrong);
}

#[test]
fn loading_an_empty_record_as_none_is_refused() {
    let table = Table::default();
    let wrong = store(
        |subject| table.get(subject).filter(|row| !row.record.is_empty()),
        |subject, write| table.apply(subject, write),
    );
    refused_for(Rule::NeverDeleted, || &wrong);
}

#[test]
fn loading_none_as_an_empty_record_is_refused() {
    let table = Table::default();
    let wrong = store(
        |subject| {
            table.get(subject).or(Some(Snapshot {
                revision: Revision::FIRST,
                record: Vec::new(),
            }))
        },
        |subject, write| table.apply(subject, write),
    );
    refused_for(Rule::Absent, || &wrong);
}

#[test]
fn reusing_a_revision_is_refused() {
    let table = Table::default();
    let wrong = store(
        |subject| table.get(subject),
        |subject, write| {
            let row = Snapshot {
                revision: write.expected().unwrap_or(Revision::FIRST),
                record: write.record().into(),
            };
            table.swap(subject, write.expected(), row)
        },
    );
    refused_for(Rule::Revisions, || &wrong);
}

#[test]
fn changing_a_record_is_refused() {
    fn text(record: &[u8]) -> Vec<u8> {
        String::from_utf8_lossy(record).into_owned().into()
    }
    fn short(record: &[u8]) -> Vec<u8> {
        record.iter().copied().take(4095).collect()
    }
    fn trimmed(record: &[u8]) -> Vec<u8> {
        record.trim_ascii_end().into()
    }
    fn until_zero(record: &[u8]) -> Vec<u8> {
        record.split(|byte| *byte == 0).next().unwrap().into()
    }
    fn number(record: &[u8]) -> Vec<u8> {
        let text = core::str::from_utf8(record).unwrap_or_default();
        let number = text.parse::<u64>();
        number.map_or_else(|_| record.into(), |number| number.to_string().into())
    }
    fn null(record: &[u8]) -> Vec<u8> {
        if record == b"null" {
            Vec::new()
        } else {
            record.into()
        }
    }
    fn one_line_end(record: &[u8]) -> Vec<u8> {
        replaced(record, "\r\n", "\n")
    }
    fn unescaped(record: &[u8]) -> Vec<u8> {
        replaced(record, "\\%", "%")
    }
    fn hexadecimal(record: &[u8]) -> Vec<u8> {
        replaced(record, "\\x00", "\0")
    }
    /// Changes a record that is text.
    fn replaced(record: &[u8], from: &str, to: &str) -> Vec<u8> {
        match core::str::from_utf8(record) {
            Ok(text) => text.replace(from, to).into(),
            Err(_) => record.into(),
        }
    }
    for change in [
        text,
        short,
        trimmed,
        until_zero,
        number,
        null,
        one_line_end,
        unescaped,
        hexadecimal,
    ] {
        let table = Table::default();
        let wrong = store(
            |subject| table.get(subject),
            |subject, write| {
                let row = Snapshot {
                    revision: write.next(),
                    record: change(write.record()),
                };
                table.swap(subject, write.expected(), row)
            },
        );
        refused_for(Rule::Opaque, || &wrong);
    }
}

#[test]
fn as_large_records_are_tried_as_a_policy_has() {
    let cut_to = |most: usize| {
        let table = Table::default();
        let wrong = store(
            |subject| table.get(subject),
            |subject, write| {
                let mut row = write.snapshot();
                row.record.truncate(most);
                table.swap(subject, write.expected(), row)
            },
        );
        let most = Policy::builder().max_tokens(10).name_bytes(1024).build();
        let suite = Suite::new().record_bytes(most.unwrap().max_record_bytes());
        [Suite::new(), suite].map(|suite| suite.check_blocking(|| &wrong).err())
    };
    let [standard, larger] = cut_to(4096);
    assert!(standard.is_none(), "{standard:?}");
    assert_eq!(larger.map(|violation| violation.rule()), Some(Rule::Opaque));
    assert!(cut_to(16 * 1024).iter().all(Option::is_none));

    // A column may be as small as a policy allows; races need their stamps.
    let small = MemoryStore::new();
    let suite = Suite::new().record_bytes(Policy::STANDARD.max_record_bytes());
    assert!(suite.check_blocking(|| &small).is_ok());
}

#[test]
fn taking_one_subject_for_another_is_refused() {
    fn without_case(subject: &str) -> String {
        subject.to_ascii_lowercase()
    }
    fn without_unicode_case(subject: &str) -> String {
        subject
            .replace(|letter: char| letter.is_ascii_uppercase(), "")
            .to_lowercase()
    }
    fn trimmed(subject: &str) -> String {
        subject.trim().into()
    }
    fn trimmed_behind(subject: &str) -> String {
        subject.trim_end_matches(' ').into()
    }
    fn composed(subject: &str) -> String {
        subject.replace("e\u{301}", "é")
    }
    fn ascii(subject: &str) -> String {
        subject.replace(|letter: char| !letter.is_ascii(), "?")
    }
    fn short(subject: &str) -> String {
        subject.chars().take(255).collect()
    }
    fn unescaped(subject: &str) -> String {
        subject.replace("%20", " ")
    }
    fn number(subject: &str) -> String {
        subject
            .parse::<u64>()
            .map_or(subject.into(), |number| number.to_string())
    }
    for key in [
        without_case,
        without_unicode_case,
        trimmed,
        trimmed_behind,
        composed,
        ascii,
        short,
        unescaped,
        number,
    ] {
        let table = Table::default();
        let wrong = store(
            |subject| table.get(&key(subject)),
            |subject, write| table.apply(&key(subject), write),
        );
        refused_for(Rule::ByteForByte, || &wrong);
    }
}

#[test]
fn one_revision_for_all_subjects_is_refused() {
    let table = Table::default();
    let latest = Mutex::new(None);
    let wrong = store(
        |subject| table.get(subject),
        |subject, write| {
            let mut latest = latest.lock().unwrap();
            if *latest != write.expected() {
                return Swap::Conflict;
            }
            *latest = Some(write.next());
            table.overwrite(subject, write.snapshot())
        },
    );
    refused_for(Rule::Independent, || &wrong);
}

#[test]
fn a_conflict_with_another_subjects_swap_is_refused() {
    let table = Table::default();
    let busy = Mutex::new(None::<String>);
    let wrong = store(
        |subject| table.get(subject),
        |subject, write| {
            let other = busy.lock().unwrap().replace(subject.into());
            if other.is_some_and(|other| other != subject) {
                return Swap::Conflict;
            }
            thread::yield_now();
            let answer = table.apply(subject, write);
            *busy.lock().unwrap() = None;
            answer
        },
    );
    refused_for(Rule::Independent, || &wrong);
}

#[test]
fn revision_and_record_in_two_places_are_refused() {
    let revisions = Table::default();
    let records = Table::default();
    let wrong = store(
        |subject| {
            let revision = revisions.revision(subject)?;
            thread::yield_now();
            let record = records.get(subject)?.record;
            Some(Snapshot { revision, record })
        },
        |subject, write| {
            let mut rows = revisions.0.lock().unwrap();
            if rows.get(subject).map(|row| row.revision) != write.expected() {
                return Swap::Conflict;
            }
            records.put(subject, write.snapshot());
            rows.insert(subject.into(), write.snapshot());
            Swap::Stored
        },
    );
    refused_for(Rule::Whole, || &wrong);
}

#[test]
fn a_race_that_ends_in_the_losers_record_is_refused() {
    let table = Table::default();
    let turn = Mutex::new(());
    let wrong = store(
        |subject| {
            let _turn = turn.lock().unwrap();
            table.get(subject)
        },
        |subject, write| {
            let answer = table.apply(subject, write);
            // The row that a loser had already prepared.
            if answer == Swap::Conflict && table.revision(subject) == Some(write.next()) {
                table.put(subject, write.snapshot());
            }
            answer
        },
    );
    refused_for(Rule::Unchanged, || &wrong);
}

/// A store that breaks a rule for one subject of the suite's alone, so that one check of it has to see it.
fn wrong_for<'t>(
    table: &'t Table,
    name: &'static str,
    load: impl Fn(&str, Option<Snapshot>) -> Option<Snapshot> + Send + Sync + 't,
    swap: impl Fn(&str, &Write) -> Swap + Send + Sync + 't,
) -> impl BlockingStore<Error = Infallible> + 't {
    store(
        move |subject| {
            let row = table.get(subject);
            if subject.ends_with(name) {
                load(subject, row)
            } else {
                row
            }
        },
        move |subject, write| {
            if subject.ends_with(name) {
                swap(subject, write)
            } else {
                table.apply(subject, write)
            }
        },
    )
}

#[test]
fn a_race_that_ends_in_the_losers_record_is_refused_where_nothing_but_a_race_does() {
    let table = Table::default();
    let wrong = wrong_for(
        &table,
        "-swapped",
        |_, row| row,
        |subject, write| {
            let answer = table.apply(subject, write);
            if answer == Swap::Conflict && table.revision(subject) == Some(write.next()) {
                table.put(subject, write.snapshot());
            }
            answer
        },
    );
    refused_for(Rule::Unchanged, || &wrong);
}

#[test]
fn a_race_that_nobody_wins_is_refused() {
    let table = Table::default();
    let wrong = wrong_for(
        &table,
        "-swapped",
        |_, row| row,
        |subject, write| match write.expected() {
            None => table.apply(subject, write),
            Some(_) => Swap::Conflict,
        },
    );
    let violation = refusal(|| &wrong);
    assert_eq!(violation.rule(), Rule::Progress, "{violation}");
    assert!(violation.to_string().contains("0 were told Stored"));
}

#[test]
fn a_race_whose_winner_is_lost_is_refused() {
    let table = Table::default();
    let claimed = Mutex::new(HashSet::new());
    let wrong = wrong_for(
        &table,
        "-swapped",
        |_, row| row,
        |subject, write| {
            if write.expected().is_none() {
                return table.apply(subject, write);
            }
            let is_right = table.revision(subject) == write.expected();
            if is_right && claimed.lock().unwrap().insert(write.expected()) {
                Swap::Stored
            } else {
                Swap::Conflict
            }
        },
    );
    refused_for(Rule::Durable, || &wrong);
}

#[test]
fn a_conflict_without_a_reason_is_refused_where_nothing_but_contention_gives_it() {
    let table = Table::default();
    let conflicts = AtomicU64::new(0);
    let wrong = wrong_for(
        &table,
        "-raised",
        |_, row| row,
        |subject, write| {
            if write.expected().is_some() && conflicts.fetch_add(1, Ordering::SeqCst) < 40 {
                return Swap::Conflict;
            }
            table.apply(subject, write)
        },
    );
    refused_for(Rule::Progress, || &wrong);
}

#[test]
fn storing_what_was_a_conflict_is_refused_where_nothing_but_contention_does() {
    let table = Table::default();
    let wrong = wrong_for(
        &table,
        "-raised",
        |_, row| row,
        |subject, write| match (write.expected(), table.apply(subject, write)) {
            (None, answer) => answer,
            // A suite without an end of its own comes to this one.
            (Some(_), answer) if write.next().get() > 100_000 => answer,
            (Some(_), _) => Swap::Conflict,
        },
    );
    refused_for(Rule::Unchanged, || &wrong);
}

#[test]
fn losing_a_write_beside_other_subjects_is_refused() {
    let table = Table::default();
    let wrong = wrong_for(
        &table,
        "-alone 1",
        |_, row| row,
        |subject, write| {
            if write.next().get() == 3 && table.revision(subject) == write.expected() {
                return Swap::Stored;
            }
            table.apply(subject, write)
        },
    );
    refused_for(Rule::Durable, || &wrong);
}

#[test]
fn a_handle_that_takes_only_what_it_has_loaded_is_refused() {
    let table = Table::default();
    let violation = refusal(|| {
        let seen = Arc::new(Table::default());
        let (table, loaded) = (&table, seen.clone());
        store(
            move |subject| {
                let row = table.get(subject)?;
                loaded.put(subject, row.clone());
                Some(row)
            },
            move |subject, write| {
                if seen.revision(subject) != write.expected() {
                    return Swap::Conflict;
                }
                let answer = table.apply(subject, write);
                if answer == Swap::Stored {
                    seen.put(subject, write.snapshot());
                }
                answer
            },
        )
    });
    assert_eq!(violation.rule(), Rule::Shared, "{violation}");
    let said = violation.to_string();
    assert!(said.contains("a new handle finds a Conflict"), "{said:?}");
}

#[test]
fn a_handle_whose_second_load_makes_a_row_of_nothing_is_refused() {
    let table = Table::default();
    refused_for(Rule::Absent, || {
        let asked = Arc::new(Table::default());
        let table = &table;
        store(
            move |subject| {
                let created = Snapshot {
                    revision: Revision::FIRST,
                    record: Vec::new(),
                };
                let again = asked.get(subject);
                asked.put(subject, created);
                table.get(subject).or(again)
            },
            move |subject, write| table.apply(subject, write),
        )
    });
}

#[test]
fn a_handle_that_sees_the_rows_of_when_it_was_opened_is_refused() {
    let table = Table::default();
    let opened = AtomicU64::new(0);
    refused_for(Rule::Latest, || {
        let table = &table;
        // The handles that the suite opens first, and keeps.
        let is_old = opened.fetch_add(1, Ordering::SeqCst) < 3;
        wrong_for(
            table,
            "-reopened",
            move |_, row| row.filter(|_| !is_old),
            |subject, write| table.apply(subject, write),
        )
    });
}

#[test]
fn a_handle_that_sees_so_many_subjects_and_no_more_is_refused() {
    let table = Table::default();
    let opened = AtomicU64::new(0);
    refused_for(Rule::Latest, || {
        let table = &table;
        let is_old = opened.fetch_add(1, Ordering::SeqCst) == 2;
        wrong_for(
            table,
            "-one of many 300",
            move |_, row| row.filter(|_| !is_old),
            |subject, write| table.apply(subject, write),
        )
    });
}

#[test]
fn a_handle_that_lags_behind_the_others_writes_is_refused() {
    let table = Table::default();
    let before = Table::default();
    let writer = AtomicU64::new(0);
    let opened = AtomicU64::new(0);
    refused_for(Rule::Latest, || {
        let number = opened.fetch_add(1, Ordering::SeqCst);
        let (table, before, writer) = (&table, &before, &writer);
        wrong_for(
            table,
            "-read back",
            move |subject, row| {
                if writer.load(Ordering::SeqCst) == number {
                    row
                } else {
                    before.get(subject)
                }
            },
            move |subject, write| {
                let held = table.get(subject);
                let answer = table.apply(subject, write);
                if let (Swap::Stored, Some(held)) = (answer, held) {
                    before.put(subject, held);
                }
                writer.store(number, Ordering::SeqCst);
                answer
            },
        )
    });
}

#[test]
fn a_revision_of_which_a_bit_is_lost_is_refused_whichever_it_is() {
    for bit in [8, 16, 31, 32, 53, 62] {
        let without = move |revision: Revision| revision.get() & !(1 << bit);
        let table = Table::default();
        let wrong = wrong_for(
            &table,
            "-expected",
            |_, row| row,
            |subject, write| {
                if table.revision(subject).map(without) == write.expected().map(without) {
                    table.overwrite(subject, write.snapshot())
                } else {
                    Swap::Conflict
                }
            },
        );
        refused_for(Rule::Expectation, || &wrong);
    }
}

#[test]
fn a_revision_that_is_near_the_one_that_is_there_is_refused() {
    type Near = fn(u64, u64) -> bool;
    let one_behind: Near = |held, expected| expected + 1 == held;
    let two_behind: Near = |held, expected| expected + 2 == held;
    let one_ahead: Near = |held, expected| expected == held + 1;
    for near in [one_behind, two_behind, one_ahead] {
        let table = Table::default();
        let wrong = wrong_for(
            &table,
            "-expected",
            |_, row| row,
            |subject, write| match (table.revision(subject), write.expected()) {
                (Some(held), Some(expected)) if near(held.get(), expected.get()) => {
                    table.overwrite(subject, write.snapshot())
                }
                _ => table.apply(subject, write),
            },
        );
        refused_for(Rule::Expectation, || &wrong);
    }
}

#[test]
fn a_largest_revision_that_means_whatever_is_there_is_refused() {
    for name in ["-expected", "-not created"] {
        let table = Table::default();
        let wrong = wrong_for(
            &table,
            name,
            |_, row| row,
            |subject, write| {
                if write.next().get() == i64::MAX.unsigned_abs() {
                    return table.overwrite(subject, write.snapshot());
                }
                table.apply(subject, write)
            },
        );
        refused_for(Rule::Expectation, || &wrong);
    }
}

#[test]
fn a_subject_that_conflicts_lock_is_refused() {
    for (name, most) in [("-expected", 8), ("-not created", 3)] {
        let table = Table::default();
        let conflicts = AtomicU64::new(0);
        let wrong = wrong_for(
            &table,
            name,
            |_, row| row,
            |subject, write| {
                if conflicts.load(Ordering::SeqCst) >= most {
                    return Swap::Conflict;
                }
                let answer = table.apply(subject, write);
                if answer == Swap::Conflict {
                    conflicts.fetch_add(1, Ordering::SeqCst);
                }
                answer
            },
        );
        refused_for(Rule::Progress, || &wrong);
    }
}

#[test]
fn not_storing_an_empty_record_is_refused() {
    let table = Table::default();
    let wrong = store(
        |subject| table.get(subject),
        |subject, write| {
            let is_right = table.revision(subject) == write.expected();
            if is_right && write.record().is_empty() && write.expected().is_some() {
                return Swap::Stored;
            }
            table.apply(subject, write)
        },
    );
    refused_for(Rule::Durable, || &wrong);
}

#[test]
fn creating_a_row_over_one_that_was_written_again_is_refused() {
    let table = Table::default();
    let wrong = wrong_for(
        &table,
        "-expected",
        |_, row| row,
        |subject, write| {
            let is_first = table.revision(subject) == Some(Revision::FIRST);
            if write.expected().is_none() && !is_first {
                return table.overwrite(subject, write.snapshot());
            }
            table.apply(subject, write)
        },
    );
    refused_for(Rule::Expectation, || &wrong);
}

#[test]
fn creating_a_row_over_an_empty_record_is_refused() {
    let table = Table::default();
    let wrong = store(
        |subject| table.get(subject),
        |subject, write| {
            let held = table.get(subject);
            if write.expected().is_none() && held.is_some_and(|row| row.record.is_empty()) {
                return table.overwrite(subject, write.snapshot());
            }
            table.apply(subject, write)
        },
    );
    refused_for(Rule::Expectation, || &wrong);
}

#[test]
fn not_updating_an_empty_record_is_refused() {
    for name in ["-reset", "-empty"] {
        let table = Table::default();
        let wrong = wrong_for(
            &table,
            name,
            |_, row| row,
            |subject, write| {
                if table.get(subject).is_some_and(|row| row.record.is_empty()) {
                    return Swap::Conflict;
                }
                table.apply(subject, write)
            },
        );
        refused_for(Rule::Progress, || &wrong);
    }
}

#[test]
fn loading_another_subject_where_there_is_no_row_is_refused() {
    let table = Table::default();
    let lower = Table::default();
    let wrong = store(
        |subject| {
            let row = table.get(subject);
            row.or_else(|| lower.get(&subject.to_lowercase()))
        },
        |subject, write| {
            let answer = table.apply(subject, write);
            if answer == Swap::Stored {
                lower.put(&subject.to_lowercase(), write.snapshot());
            }
            answer
        },
    );
    refused_for(Rule::ByteForByte, || &wrong);
}

#[test]
fn a_conflict_with_a_subject_that_reads_alike_is_refused() {
    let table = Table::default();
    let taken = Table::default();
    let wrong = store(
        |subject| table.get(subject),
        |subject, write| {
            let lower = subject.to_lowercase();
            if write.expected().is_none() && taken.get(&lower).is_some() {
                return Swap::Conflict;
            }
            let answer = table.apply(subject, write);
            if answer == Swap::Stored {
                taken.put(&lower, write.snapshot());
            }
            answer
        },
    );
    refused_for(Rule::ByteForByte, || &wrong);
}

#[test]
fn losing_the_row_of_a_subject_in_other_letters_is_refused() {
    let table = Table::default();
    let wrong = store(
        |subject| table.get(subject),
        |subject, write| {
            if !subject.is_ascii() && table.revision(subject) == write.expected() {
                return Swap::Stored;
            }
            table.apply(subject, write)
        },
    );
    refused_for(Rule::Durable, || &wrong);
}

#[test]
fn writing_to_the_rows_of_subjects_that_read_alike_is_refused() {
    let table = Table::default();
    let wrong = store(
        |subject| table.get(subject),
        |subject, write| {
            let answer = table.apply(subject, write);
            if answer == Swap::Stored {
                let lower = subject.to_lowercase();
                let mut rows = table.0.lock().unwrap();
                let alike = rows
                    .iter_mut()
                    .filter(|(key, _)| key.to_lowercase() == lower);
                alike.for_each(|(_, row)| *row = write.snapshot());
            }
            answer
        },
    );
    refused_for(Rule::ByteForByte, || &wrong);
}

#[derive(Debug)]
struct Unplugged;

impl core::fmt::Display for Unplugged {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str("the disk is not there")
    }
}

impl Error for Unplugged {}

struct Failing;

impl BlockingStore for Failing {
    type Error = Unplugged;

    fn load_blocking(&self, _: &str) -> Result<Option<Snapshot>, Unplugged> {
        Err(Unplugged)
    }

    fn compare_and_swap_blocking(&self, _: Write) -> Result<Swap, Unplugged> {
        Err(Unplugged)
    }
}

impl Store for Failing {
    type Error = Unplugged;

    async fn load(&self, _: &str) -> Result<Option<Snapshot>, Unplugged> {
        Err(Unplugged)
    }

    async fn compare_and_swap(&self, _: Write) -> Result<Swap, Unplugged> {
        Err(Unplugged)
    }
}

#[test]
fn a_stores_own_error_is_kept_whole() {
    let blocking = conformance::check_blocking(|| Failing);
    let waiting = conformance::check(|| Failing, |future| pollster::block_on(future));
    let erased = conformance::check(
        || Box::new(Failing) as Box<dyn DynStore>,
        |future| pollster::block_on(future),
    );
    for outcome in [blocking, waiting, erased] {
        let violation = outcome.expect_err("it fails");
        assert_eq!(violation.rule(), Rule::Answers);
        assert!(violation.source().unwrap().is::<Unplugged>());
    }
}

#[test]
fn a_boxed_error_is_the_stores_own() {
    let store: Box<dyn DynStore> = Box::new(Failing);
    let twice: Box<dyn DynStore> = Box::new(store);
    let error: BoxedError = pollster::block_on(twice.load("alice")).expect_err("it fails");
    assert!(error.downcast_ref::<Unplugged>().is_some());
    assert!(error.source().unwrap().is::<Unplugged>());
    assert_eq!(format!("{error:?}"), "Unplugged");
    assert_eq!(error.to_string(), "the store's driver failed");
    assert!(error.into_inner().is::<Unplugged>());
}

#[test]
fn a_violation_says_which_rule_which_subject_and_what_was_seen() {
    let wrong = store(|_| None, |_, _| Swap::Stored);
    let violation = refusal(|| &wrong);
    let said = violation.to_string();
    for part in [
        "a load finds the latest acknowledged swap; but ",
        "conformance-",
        "absent",
        "revision 1 (5 bytes)",
        "loads None",
    ] {
        assert!(said.contains(part), "{part:?} is not in {said:?}");
    }
    assert!(violation.source().is_none());

    let table = Table::default();
    let wrong = store(
        |subject| table.get(subject),
        |subject, write| table.overwrite(subject, write.snapshot()),
    );
    let said = refusal(|| &wrong).to_string();
    assert!(
        said.contains("a swap that expects no row was stored"),
        "{said:?}"
    );

    let table = Table::default();
    let wrong = store(
        |subject| {
            let mut row = table.get(subject)?;
            if let Some(byte) = row.record.get_mut(700) {
                *byte ^= 1;
            }
            Some(row)
        },
        |subject, write| table.apply(subject, write),
    );
    let said = refusal(|| &wrong).to_string();
    assert!(
        said.contains("(4096 bytes), other bytes from 700 on"),
        "{said:?}"
    );
}

#[test]
fn an_executor_that_runs_nothing_is_refused() {
    let store = MemoryStore::new();
    let violation = conformance::check(|| &store, |future| drop(future)).expect_err("nothing runs");
    assert_eq!(violation.rule(), Rule::Answers);
    assert!(violation.source().is_some());
}

/// Waits for one poll, as a driver does for its socket.
async fn waited() {
    let mut polled = false;
    poll_fn(|context| {
        if polled {
            return Poll::Ready(());
        }
        polled = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[derive(Clone, Copy)]
enum Drops {
    /// Nothing happens before the last poll.
    Nothing,
    /// The swap was sent, and arrives when the next one is sent.
    ArrivesLate,
    /// The record is put in two halves.
    Tears,
    /// A transaction that writes stays open on its connection.
    LeavesWriteOpen,
    /// A transaction that reads stays open on its connection.
    LeavesReadOpen,
    /// It answers that it is stored before it is, and is not.
    AnswersEarly,
    /// It answers a conflict where there is none.
    Conflicts,
    /// A lock on the row stays, and nobody writes to it any more.
    LeavesLocked,
    /// It is told to have been stored, and nothing after it is kept.
    KeepsNothingAfter,
}

struct Waiting<'t> {
    table: &'t Table,
    drops: Drops,
    sent: Mutex<Option<(Option<Revision>, Snapshot)>>,
    open: Mutex<bool>,
    seen: Table,
}

/// The rest of the suite drops nothing, and must pass.
fn is_to_be_dropped(subject: &str) -> bool {
    subject.ends_with("dropped")
}

impl<'t> Waiting<'t> {
    fn new(table: &'t Table, drops: Drops) -> Self {
        Self {
            table,
            drops,
            sent: Mutex::new(None),
            open: Mutex::new(false),
            seen: Table::default(),
        }
    }

    fn arrive(&self, subject: &str) -> Option<Swap> {
        let (expected, row) = self.sent.lock().unwrap().take()?;
        Some(self.table.swap(subject, expected, row))
    }
}

impl Store for Waiting<'_> {
    type Error = Infallible;

    async fn load(&self, subject: &str) -> Result<Option<Snapshot>, Infallible> {
        let is_open = self.seen.get(subject);
        if is_open.is_some() {
            return Ok(is_open);
        }
        let row = self.table.get(subject);
        if let (Drops::LeavesReadOpen, Some(row)) = (self.drops, &row)
            && is_to_be_dropped(subject)
        {
            self.seen.put(subject, row.clone());
        }
        waited().await;
        self.seen.0.lock().unwrap().clear();
        Ok(self.table.get(subject))
    }

    async fn compare_and_swap(&self, write: Write) -> Result<Swap, Infallible> {
        let subject = write.subject();
        waited().await;
        if !is_to_be_dropped(subject) {
            return Ok(self.table.apply(subject, &write));
        }
        match self.drops {
            Drops::Nothing | Drops::LeavesReadOpen => waited().await,
            // The swaps that may be dropped have large records, those that follow have small ones.
            Drops::AnswersEarly if write.record().len() > 100 => return Ok(Swap::Stored),
            Drops::Conflicts if write.record().len() > 100 => return Ok(Swap::Conflict),
            Drops::AnswersEarly | Drops::Conflicts => {}
            Drops::LeavesLocked | Drops::KeepsNothingAfter => {
                let is_locked = *self.open.lock().unwrap();
                if is_locked && matches!(self.drops, Drops::KeepsNothingAfter) {
                    let held = self.table.revision(subject) == write.expected();
                    return Ok(if held { Swap::Stored } else { Swap::Conflict });
                }
                if is_locked {
                    return Ok(Swap::Conflict);
                }
                *self.open.lock().unwrap() = true;
                waited().await;
                *self.open.lock().unwrap() = false;
            }
            Drops::ArrivesLate => {
                let _ = self.arrive(subject);
                *self.sent.lock().unwrap() = Some((write.expected(), write.snapshot()));
                waited().await;
                return Ok(self.arrive(subject).unwrap());
            }
            Drops::Tears => {
                if let Some(mut row) = self.table.get(subject) {
                    row.record = write.record()[..write.record().len() / 2].into();
                    self.table.put(subject, row);
                }
                waited().await;
            }
            Drops::LeavesWriteOpen => {
                if *self.open.lock().unwrap() {
                    // Within the transaction that nobody ended: seen by this handle alone.
                    return Ok(self.seen.overwrite(subject, write.snapshot()));
                }
                *self.open.lock().unwrap() = true;
                waited().await;
                *self.open.lock().unwrap() = false;
            }
        }
        Ok(self.table.apply(subject, &write))
    }
}

#[test]
fn a_dropped_future_that_does_harm_is_refused() {
    for drops in [Drops::Tears, Drops::LeavesWriteOpen, Drops::LeavesReadOpen] {
        let table = Table::default();
        let violation = conformance::check(
            || Waiting::new(&table, drops),
            |future| pollster::block_on(future),
        )
        .expect_err("a wrong store");
        assert_eq!(violation.rule(), Rule::Dropped, "{violation}");
    }
}

/// Each kind of harm is named: what was seen is the rule that was broken after a future was dropped.
#[test]
fn what_a_dropped_future_has_broken_is_said() {
    for (drops, rule, seen) in [
        (Drops::Tears, Rule::Whole, "neither the old record"),
        (
            Drops::AnswersEarly,
            Rule::Durable,
            "(1024 bytes), and loads",
        ),
        (Drops::Conflicts, Rule::Progress, "it was a Conflict"),
        (Drops::LeavesLocked, Rule::Progress, "are Conflicts"),
        (
            Drops::KeepsNothingAfter,
            Rule::Durable,
            "(16 bytes), and loads",
        ),
    ] {
        let table = Table::default();
        let violation = conformance::check(
            || Waiting::new(&table, drops),
            |future| pollster::block_on(future),
        )
        .expect_err("a wrong store");
        assert_eq!(violation.rule(), Rule::Dropped, "{violation}");
        let said = violation.to_string();
        for part in [&rule.to_string(), seen] {
            assert!(said.contains(part), "{part:?} is not in {said:?}");
        }
    }
}

#[test]
fn a_dropped_future_that_does_no_harm_passes() -> Result<(), Violation> {
    for drops in [Drops::Nothing, Drops::ArrivesLate] {
        let table = Table::default();
        conformance::check(
            || Waiting::new(&table, drops),
            |future| pollster::block_on(future),
        )?;
    }
    Ok(())
}
