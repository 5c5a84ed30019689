//! Checks what can be seen without a race.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::bench::{Bench, HANDLES, bytes, describe, load_on, row_after, swap_on};
use super::{Rule, Violation};
use crate::revision::Revision;
use crate::store::{BlockingStore, Snapshot, Swap};

/// Counts more subjects than a bounded cache would hold, few enough to be stored one by one.
const SUBJECTS: u32 = 400;
/// Counts the swaps of one row that are each read back by every handle.
const SWAPS: u8 = 100;

pub(super) fn check<S: BlockingStore>(
    bench: &Bench<'_, S>,
    record_bytes: usize,
) -> Result<(), Violation> {
    a_subject_is_absent_until_it_is_written(bench)?;
    subjects_are_independent(bench)?;
    nothing_lives_in_a_handle(bench)?;
    only_the_right_expectation_is_stored(bench)?;
    an_absent_row_meets_no_expectation(bench)?;
    records_are_opaque(bench, record_bytes)?;
    an_empty_record_is_a_record(bench)?;
    every_swap_is_read_back(bench)?;
    subjects_are_compared_byte_for_byte(bench)?;
    many_subjects_are_kept(bench)
}

fn a_subject_is_absent_until_it_is_written<S: BlockingStore>(
    bench: &Bench<'_, S>,
) -> Result<(), Violation> {
    let subject = bench.subject("absent");
    // Twice, as loading must not create a row.
    for handle in 0..2 * HANDLES {
        let loaded = bench.load(handle, &subject)?;
        if loaded.is_some() {
            return Err(Violation::new(
                Rule::Absent,
                format!("{subject:?} loads {}", describe(loaded.as_ref())),
            ));
        }
    }
    bench.stored(0, &subject, None, b"first").map(drop)
}

fn subjects_are_independent<S: BlockingStore>(bench: &Bench<'_, S>) -> Result<(), Violation> {
    let mut rows = ["one", "two"].map(|name| (bench.subject(name), None::<Snapshot>));
    for round in 0..4 {
        for (subject, row) in &mut rows {
            let loaded = bench.load(0, subject)?;
            if loaded != *row {
                return Err(Violation::new(
                    forgotten_or(Rule::Independent, loaded.as_ref()),
                    format!(
                        "{subject:?} held {}, and {} after another subject was written",
                        describe(row.as_ref()),
                        describe(loaded.as_ref()),
                    ),
                ));
            }
            let expected = row.as_ref().map(|row| row.revision);
            if bench.swap(0, subject, expected, &[round])? == Swap::Conflict {
                return Err(Violation::new(
                    Rule::Independent,
                    format!("{subject:?} was a Conflict after another subject was written"),
                ));
            }
            let stored = row_after(expected, &[round]);
            bench.acknowledged(0, subject, &stored)?;
            *row = Some(stored);
        }
    }
    Ok(())
}

fn forgotten_or(rule: Rule, loaded: Option<&Snapshot>) -> Rule {
    if loaded.is_none() {
        Rule::NeverDeleted
    } else {
        rule
    }
}

fn nothing_lives_in_a_handle<S: BlockingStore>(bench: &Bench<'_, S>) -> Result<(), Violation> {
    let subject = bench.subject("reopened");
    let mut expected = None;
    for record in [b"first", b"other", b"third"] {
        let writer = bench.opened();
        if swap_on(&writer, &subject, expected, record)? == Swap::Conflict {
            return Err(Violation::new(
                Rule::Shared,
                format!("a new handle finds a Conflict on {subject:?} where there is none"),
            ));
        }
        drop(writer);
        let stored = row_after(expected, record);
        bench.reopened(&subject, &stored)?;
        bench.acknowledged(0, &subject, &stored)?;
        expected = Some(stored.revision);
    }
    Ok(())
}

fn only_the_right_expectation_is_stored<S: BlockingStore>(
    bench: &Bench<'_, S>,
) -> Result<(), Violation> {
    let subject = bench.subject("expected");
    let mut row = bench.stored(0, &subject, None, b"first")?;
    bench.refused(1, &subject, None, Some(&row))?;
    for record in [b"other", b"third"] {
        row = bench.stored(1, &subject, Some(row.revision), record)?;
    }
    // The offsets are what a column or a variable that is too narrow would drop.
    let wrong = [1, 2, 4]
        .into_iter()
        .chain([8, 16, 31, 32, 53, 62].map(|bits| row.revision.get() + (1 << bits)))
        .chain([i64::MAX.unsigned_abs() - 1])
        .map(Revision::new);
    for (handle, expected) in wrong.chain([None]).enumerate() {
        bench.refused(handle, &subject, expected, Some(&row))?;
    }
    bench
        .stored(2, &subject, Some(row.revision), b"fourth")
        .map(drop)
}

fn an_absent_row_meets_no_expectation<S: BlockingStore>(
    bench: &Bench<'_, S>,
) -> Result<(), Violation> {
    let subject = bench.subject("not created");
    for number in [1, 2, i64::MAX.unsigned_abs() - 1] {
        bench.refused(0, &subject, Revision::new(number), None)?;
    }
    bench.stored(0, &subject, None, b"first").map(drop)
}

fn records_are_opaque<S: BlockingStore>(
    bench: &Bench<'_, S>,
    most: usize,
) -> Result<(), Violation> {
    let subject = bench.subject("opaque");
    let records: [Vec<u8>; 11] = [
        bytes(0, 256),
        bytes(0, most),
        bytes(128, most),
        [0].into(),
        [0, 0, 1, 0, 0].into(),
        [0xFF, 0xFE, 0xC0, 0x80].into(),
        b"0123".into(),
        b"null".into(),
        b" a\r\nb\t ".into(),
        b"'); -- \"\\%_${}".into(),
        b"\\x00\\000".into(),
    ];
    let mut expected = None;
    for (handle, record) in records.iter().enumerate() {
        let row = bench.stored(handle, &subject, expected, record)?;
        expected = Some(row.revision);
    }
    Ok(())
}

fn an_empty_record_is_a_record<S: BlockingStore>(bench: &Bench<'_, S>) -> Result<(), Violation> {
    for (name, records) in [
        ("reset", &[b"enrolled".as_slice(), b"", b""][..]),
        ("empty", &[b""]),
    ] {
        let subject = bench.subject(name);
        let mut expected = None;
        for record in records {
            let stored = row_after(expected, record);
            bench.swapped(0, &subject, expected, record)?;
            if bench.load(0, &subject)?.is_none() {
                return Err(Violation::new(
                    Rule::NeverDeleted,
                    format!(
                        "{subject:?} was stored as {}, and is gone",
                        describe(Some(&stored))
                    ),
                ));
            }
            bench.acknowledged(0, &subject, &stored)?;
            bench.refused(1, &subject, None, Some(&stored))?;
            expected = Some(stored.revision);
        }
        bench.stored(2, &subject, expected, b"again")?;
    }
    Ok(())
}

fn every_swap_is_read_back<S: BlockingStore>(bench: &Bench<'_, S>) -> Result<(), Violation> {
    let subject = bench.subject("read back");
    let mut expected = None;
    for seed in 0..SWAPS {
        let record = bytes(seed, usize::from(seed));
        let row = bench.stored(usize::from(seed), &subject, expected, &record)?;
        expected = Some(row.revision);
    }
    Ok(())
}

fn subjects_are_compared_byte_for_byte<S: BlockingStore>(
    bench: &Bench<'_, S>,
) -> Result<(), Violation> {
    let subjects = subjects_that_are_easily_confused(bench);
    let record = |index: usize| format!("record of subject {index}").into_bytes();
    for (index, subject) in subjects.iter().enumerate() {
        let loaded = bench.load(index, subject)?;
        if loaded.is_some() || bench.swap(index, subject, None, &record(index))? == Swap::Conflict {
            return Err(Violation::new(
                Rule::ByteForByte,
                format!("{subject:?} was taken for another subject"),
            ));
        }
        bench.acknowledged(index, subject, &row_after(None, &record(index)))?;
    }
    for (index, subject) in subjects.iter().enumerate() {
        let loaded = bench.load(index, subject)?;
        if loaded != Some(row_after(None, &record(index))) {
            return Err(Violation::new(
                forgotten_or(Rule::ByteForByte, loaded.as_ref()),
                format!("{subject:?} now loads {}", describe(loaded.as_ref())),
            ));
        }
    }
    Ok(())
}

fn subjects_that_are_easily_confused<S>(bench: &Bench<'_, S>) -> Vec<String> {
    let named = |name: &str| format!("conformance-{}-{name}", bench.run);
    let filled = |filler: &str, length: usize| {
        let mut subject = named("");
        while subject.len() + filler.len() <= length {
            subject.push_str(filler);
        }
        subject
    };
    let mut subjects: Vec<String> = [
        "alice",
        "Alice",
        "ALICE",
        "alic",
        "alicee",
        "alice ",
        "alice\t",
        "alice\n",
        "alice\r\n",
        "alice'",
        "alice''",
        "alice\"",
        "alice\\",
        "alice\\\\",
        "alice%",
        "alice_",
        "alic_",
        "alic%",
        "alice*",
        "alic?",
        "alice/",
        "alice//",
        "alice/..",
        "alice/.",
        "alice.",
        "alice:",
        "alice;",
        "alice#",
        "alice+",
        "alice%20",
        "{alice}",
        "[alice]",
        "$alice",
        "alice\u{1}",
        "alice\u{200b}",
        "alice\u{feff}",
    ]
    .map(named)
    .into();
    subjects.extend(
        [
            // One letter, composed and decomposed; compatibility forms; foldings of case; symbols
            // that a collation takes for one; four bytes a character, the last of which differs.
            "é",
            "e\u{301}",
            "e",
            "É",
            "fi",
            "\u{fb01}",
            "FI",
            "ß",
            "ss",
            "SS",
            "ẞ",
            "ı",
            "i",
            "İ",
            "I",
            "k",
            "K",
            "\u{212a}",
            "Å",
            "\u{212b}",
            "Ａ",
            "A",
            "Σ",
            "σ",
            "ς",
            "а",
            "a",
            "\u{1f600}",
            "\u{1f601}",
            "\u{10ffff}",
            "\u{fffd}",
            "?",
            "",
        ]
        .map(named),
    );
    // Numbers that are equal, and strings that are not; blanks in front.
    subjects
        .extend(["", "0", "+", " ", "\t", "\u{feff}"].map(|sign| format!("{sign}{}", bench.run)));
    subjects.extend([".0", "e0", " "].map(|tail| format!("{}{tail}", bench.run)));
    subjects.extend([
        filled("x", 256),
        filled("x", 255) + "y",
        filled("x", 255),
        filled("x", 128),
        filled("x", 64),
        filled("\u{1f600}", 256),
        filled("é", 256),
    ]);
    subjects
}

fn many_subjects_are_kept<S: BlockingStore>(bench: &Bench<'_, S>) -> Result<(), Violation> {
    let subject = |number: u32| bench.subject(&format!("one of many {number}"));
    for number in 0..SUBJECTS {
        bench.stored(0, &subject(number), None, &number.to_be_bytes())?;
    }
    let reader = bench.opened();
    for number in 0..SUBJECTS {
        let subject = subject(number);
        let loaded = load_on(&reader, &subject)?;
        if loaded != Some(row_after(None, &number.to_be_bytes())) {
            return Err(Violation::new(
                forgotten_or(Rule::Independent, loaded.as_ref()),
                format!(
                    "{subject:?} loads {} after other subjects were written",
                    describe(loaded.as_ref()),
                ),
            ));
        }
    }
    Ok(())
}
