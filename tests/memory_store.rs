//! What `MemoryStore` promises beyond what every store does.
#![allow(clippy::unwrap_used, clippy::std_instead_of_alloc, reason = "tests")]

use std::thread;

use softtoken::Revision;
use softtoken::association::Events;
use softtoken::store::{BlockingStore, MemoryStore, Snapshot, Store, Swap, Write};

fn put(store: &MemoryStore, subject: &str, expected: Option<Revision>, record: &[u8]) -> Swap {
    let write = Write::new(subject, expected, record.to_vec(), Events::default()).unwrap();
    let Ok(answer) = store.compare_and_swap_blocking(write);
    answer
}

fn get(store: &MemoryStore, subject: &str) -> Option<Snapshot> {
    let Ok(row) = store.load_blocking(subject);
    row
}

#[test]
fn it_counts_subjects_and_not_writes() {
    let store = MemoryStore::new();
    assert!(store.is_empty());
    for number in 0..1_000 {
        assert_eq!(
            put(&store, &number.to_string(), None, b"record"),
            Swap::Stored
        );
    }
    assert_eq!(
        put(&store, "7", Some(Revision::FIRST), b"other"),
        Swap::Stored
    );
    assert_eq!(
        put(&store, "7", Some(Revision::FIRST), b"late"),
        Swap::Conflict
    );
    assert_eq!(store.len(), 1_000);
    assert!(!store.is_empty());
}

#[test]
fn a_load_leaves_no_trace() {
    let store = MemoryStore::default();
    assert_eq!(get(&store, "alice"), None);
    assert!(store.is_empty());
}

#[test]
fn a_reset_keeps_the_row_and_its_revision() {
    let store = MemoryStore::new();
    assert_eq!(put(&store, "alice", None, b"enrolled"), Swap::Stored);
    assert_eq!(
        put(&store, "alice", Some(Revision::FIRST), b""),
        Swap::Stored
    );
    let row = get(&store, "alice").unwrap();
    assert_eq!((row.revision.get(), row.record.len()), (2, 0));
    assert_eq!(put(&store, "alice", None, b"anew"), Swap::Conflict);
    assert_eq!(store.len(), 1);
}

#[test]
fn both_forms_see_the_same_rows() {
    let store = MemoryStore::new();
    let first = Write::new("alice", None, b"first".to_vec(), Events::default()).unwrap();
    let Ok(answer) = pollster::block_on(store.compare_and_swap(first.clone()));
    assert_eq!(answer, Swap::Stored);
    assert_eq!(get(&store, "alice"), Some(first.snapshot()));
    assert_eq!(
        put(&store, "alice", Some(first.next()), b"other"),
        Swap::Stored
    );
    let Ok(row) = pollster::block_on(store.load("alice"));
    assert_eq!(row.unwrap().record, b"other");
}

#[test]
fn a_swap_that_is_never_polled_stores_nothing() {
    let store = MemoryStore::new();
    let first = Write::new("alice", None, b"first".to_vec(), Events::default()).unwrap();
    drop(store.compare_and_swap(first));
    assert!(store.is_empty());
}

#[test]
fn what_is_printed_names_nobody_and_shows_no_record() {
    let store = MemoryStore::new();
    assert_eq!(
        put(&store, "alice", None, b"JBSWY3DPEHPK3PXP"),
        Swap::Stored
    );
    assert_eq!(format!("{store:?}"), "MemoryStore { subjects: 1 }");
    let row = get(&store, "alice").unwrap();
    assert_eq!(
        format!("{row:?}"),
        "Snapshot { revision: Revision(1), record: 16 bytes }"
    );
}

#[test]
fn every_swap_of_many_threads_counts_once() {
    const THREADS: u64 = 8;
    const SWAPS: u64 = 500;
    let store = MemoryStore::new();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut left = SWAPS;
                // Each conflict is another thread's swap, and there are only so many.
                for _ in 0..THREADS * SWAPS {
                    let row = get(&store, "alice");
                    let count = row.as_ref().map_or(0, |row| {
                        u64::from_be_bytes(row.record[..].try_into().unwrap())
                    });
                    let record = (count + 1).to_be_bytes();
                    let expected = row.map(|row| row.revision);
                    if put(&store, "alice", expected, &record) == Swap::Stored {
                        left -= 1;
                    }
                    if left == 0 {
                        break;
                    }
                }
            });
        }
    });
    let row = get(&store, "alice").unwrap();
    assert_eq!(row.revision.get(), THREADS * SWAPS);
    assert_eq!(row.record, (THREADS * SWAPS).to_be_bytes());
}
