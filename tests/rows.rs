//! Whole tables: every row is counted, no bad row ends a run, and a run again changes nothing.
#![allow(clippy::unwrap_used, reason = "a failing step fails the test")]

use core::cell::RefCell;
use core::convert::Infallible;
use core::fmt;
use core::pin::pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::collections::HashSet;
use std::sync::{Mutex, OnceLock};

use crate::world::{Device, START, World, admin};
use softtoken::association::Events;
use softtoken::rows::{Cause, OldRow, OldToken, Report, Rows, Stopped, Verdict};
use softtoken::store::{Snapshot, Swap, Write};
use softtoken::totp::{Algorithm, Digits, Secret, Totp};
use softtoken::{
    BlockingStore, Factor, Grant, MemoryStore, Mfa, Policy, Rejection, SignedIn, Store, Vouched,
};

const KEY: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const BYTES: &[u8] = b"12345678901234567890";

fn counts(report: &Report) -> Vec<(&'static str, u64)> {
    report.counts().collect()
}

/// A table that is listed in pages of three.
fn pages<R: Clone>(
    table: &[R],
    subject: impl Fn(&R) -> &str,
) -> impl FnMut(Option<&str>) -> Result<Vec<R>, Infallible> {
    move |after| {
        let rest = table
            .iter()
            .filter(|row| after.is_none_or(|after| subject(row) > after));
        Ok(rest.take(3).cloned().collect())
    }
}

/// Puts bytes in a row, whatever stands there.
fn overwrite(store: &MemoryStore, subject: &str, record: &[u8]) {
    let expected = store.load_blocking(subject).unwrap();
    let expected = expected.map(|row| row.revision);
    let write = Write::new(subject, expected, record.to_vec(), Events::default()).unwrap();
    assert_eq!(store.compare_and_swap_blocking(write), Ok(Swap::Stored));
}

#[derive(Debug)]
struct Down;

impl fmt::Display for Down {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("down")
    }
}

impl core::error::Error for Down {}

/// Rows of which some are not answered for, with what is done before each swap.
struct Faulty<'s> {
    rows: &'s MemoryStore,
    unanswered: HashSet<&'static str>,
    before_swap: Box<dyn Fn(&Write) + Send + Sync + 's>,
    pauses: AtomicUsize,
}

impl<'s> Faulty<'s> {
    fn new(rows: &'s MemoryStore) -> Self {
        Self {
            rows,
            unanswered: HashSet::new(),
            before_swap: Box::new(|_| ()),
            pauses: AtomicUsize::new(0),
        }
    }
}

impl BlockingStore for Faulty<'_> {
    type Error = Down;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, Down> {
        if self.unanswered.contains(subject) {
            return Err(Down);
        }
        self.rows.load_blocking(subject).map_err(|_| Down)
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, Down> {
        (self.before_swap)(&write);
        let swap = self.rows.compare_and_swap_blocking(write);
        swap.map_err(|_| Down)
    }

    fn pause_blocking(&self, _: Duration) {
        self.pauses.fetch_add(1, Ordering::SeqCst);
    }
}

fn old_rows() -> Vec<OldRow> {
    // Last codes of two minutes ago, in steps and in seconds.
    let (step, seconds) = ((START / 30 - 4).cast_signed(), (START - 120).cast_signed());
    let uri = format!("otpauth://totp/Acme:carol?secret={KEY}&digits=8&issuer=Other");
    vec![
        OldRow::new("alice").token(OldToken::base32(KEY).last_step(step).named("phone")),
        OldRow::new("bob").token(OldToken::bytes(BYTES).last_used(seconds).drift(2)),
        OldRow::new("carol").token(OldToken::key_uri(uri).digits(8).last_step(step)),
        OldRow::new("dave")
            .token(
                OldToken::hexadecimal("3132 3334 3536 3738 3930 3132 3334 3536 3738 3930")
                    .last_used(seconds)
                    .period(60)
                    .algorithm("sha256"),
            )
            .enabled(false),
        OldRow::new("erin").token(OldToken::legacy_base32("JBSWY3DPEHPK3PXP").last_step(-1)),
        // Everything that is wrong with a row.
        OldRow::new("f1").token(OldToken::base32("JBSWY3DPEHPK3PX1")),
        OldRow::new("f2").token(OldToken::hexadecimal("313")),
        OldRow::new("f3").token(OldToken::key_uri(
            "otpauth://hotp/a?secret=JBSWY3DPEHPK3PXP",
        )),
        OldRow::new("f4").token(OldToken::base32(KEY).digits(10)),
        OldRow::new("f5").token(OldToken::base32(KEY).period(-30)),
        OldRow::new("f6").token(OldToken::base32(KEY).algorithm("MD5")),
        OldRow::new("f7").token(OldToken::base32(KEY).last_step(seconds)),
        OldRow::new("f8").token(OldToken::base32(KEY).drift(40_000)),
        OldRow::new("f9")
            .token(OldToken::key_uri(format!("otpauth://totp/a?secret={KEY}")).period(60)),
        OldRow::new("g1"),
        OldRow::new("g2")
            .token(OldToken::base32(KEY))
            .token(OldToken::legacy_base32("JBSWY3DPEHPK3PXP")),
        OldRow::new("h").token(OldToken::base32(KEY).pending()),
        OldRow::new("h").token(OldToken::legacy_base32("JBSWY3DPEHPK3PXP")),
    ]
}

/// What an old table of every kind of row comes to.
const MOVED_IN: [(&str, u64); 13] = [
    ("moved_in", 5),
    ("moved_in_weak", 1),
    ("already_verified", 0),
    ("import", 2),
    ("last_step_in_future", 1),
    ("listed_twice", 1),
    ("malformed_secret", 2),
    ("malformed_totp", 3),
    ("malformed_uri", 1),
    ("parameters_differ", 1),
    ("too_many_tokens", 1),
    ("verified_before", 0),
    ("store", 0),
];

fn all_on_one_page(table: Vec<OldRow>) -> impl FnMut(Option<&str>) -> Result<Vec<OldRow>, Down> {
    let mut table = Some(table);
    move |_| Ok(table.take().unwrap_or_default())
}

#[test]
fn every_old_row_moves_in_or_is_refused_by_name_and_all_are_counted() {
    let world = World::standard();
    let move_in = Rows::move_in(&world.mfa, &admin());
    let table = old_rows();
    let report = move_in.run_blocking(&world.store, all_on_one_page(table.clone()), |_, _| {});
    let report = report.unwrap();
    for (name, count) in MOVED_IN {
        assert_eq!(report.count(name), count, "{name}: {report}");
    }
    assert_eq!(report.rows(), table.len() as u64);
    assert_eq!((report.changed(), report.refused()), (6, 12));
    assert!(!report.is_clean());

    // Those who are there sign in with the phone of before, by its own parameters.
    let eight = Totp::new(Algorithm::Sha1, Digits::Eight, Totp::STANDARD.period()).unwrap();
    let minute = core::time::Duration::from_secs(60);
    let slow = Totp::new(Algorithm::Sha256, Digits::Six, minute).unwrap();
    let secret = Secret::from_bytes(BYTES).unwrap();
    for (subject, totp) in [
        ("alice", Totp::STANDARD),
        ("bob", Totp::STANDARD),
        ("carol", eight),
        ("dave", slow),
    ] {
        let code = Device::new(&secret, totp).code(world.now());
        let sign_in = world.mfa.sign_in_with(Some(code.into()));
        let answer = sign_in.run_blocking(&world.store, subject).unwrap();
        assert!(matches!(answer, SignedIn::Proven(_)), "{subject}");
    }
    let status = |subject| {
        let status = world.mfa.status().run_blocking(&world.store, subject);
        status.unwrap()
    };
    assert_eq!(status("alice").tokens[0].name.as_deref(), Some("phone"));
    assert_eq!(status("bob").tokens[0].drift, 2);
    assert!(!status("dave").is_enabled());
    assert!(status("erin").tokens[0].weak);
}

#[test]
fn a_dry_run_says_of_each_row_what_the_run_will_and_writes_and_tells_nothing() {
    let world = World::standard();
    world.enrol("erin");
    let before = world.row("erin");
    world.events();
    let move_in = Rows::move_in(&world.mfa, &admin());
    let run = |rows: &Rows<_>| {
        let mut said = Vec::new();
        let report = rows.run_blocking(&world.store, all_on_one_page(old_rows()), |user, row| {
            said.push((user.to_owned(), row.clone()));
        });
        (report.unwrap(), said)
    };
    let dry = run(&move_in.clone().dry_run());
    assert_eq!(world.events(), []);
    assert_eq!(world.row("erin"), before);
    for subject in ["alice", "bob", "carol", "dave", "h"] {
        assert!(world.row(subject).is_none(), "{subject}");
    }
    assert_eq!(dry.0.count("already_verified"), 1);
    assert_eq!(run(&move_in), dry, "row by row");
}

#[test]
fn a_table_that_moves_in_twice_overwrites_nothing_and_brings_nothing_back() {
    let world = World::standard();
    let table = &old_rows()[..4];
    let move_in = Rows::move_in(&world.mfa, &admin());
    let report = move_in.run_blocking(&world.store, pages(table, OldRow::subject), |_, _| {});
    assert_eq!(counts(&report.unwrap()), [("moved_in", 4)]);

    // One has signed in since, one has removed the phone.
    let phone = Device::new(&Secret::from_bytes(BYTES).unwrap(), Totp::STANDARD);
    let _grant = world.stepped_up("alice", &phone);
    let disassociate = world.mfa.disassociate(&admin());
    disassociate.run_blocking(&world.store, "bob").unwrap();
    let rows = || ["alice", "bob", "carol", "dave"].map(|subject| world.row(subject));
    let before = rows();
    let report = move_in.run_blocking(&world.store, pages(table, OldRow::subject), |_, _| {});
    let report = report.unwrap();
    assert_eq!(
        counts(&report),
        [("already_verified", 3), ("verified_before", 1)]
    );
    assert!(report.is_clean());
    assert_eq!(report.unchanged(), 4);
    assert_eq!(rows(), before);

    let asked = [table[1].clone().even_if_verified_before()];
    let report = move_in.run_blocking(&world.store, pages(&asked, OldRow::subject), |_, _| {});
    assert_eq!(counts(&report.unwrap()), [("moved_in", 1)]);
}

#[test]
fn a_secret_that_waits_does_not_come_back_to_who_has_removed_the_token() {
    let world = World::standard();
    let (_, grant) = world.enrolled("alice");
    let off = world.mfa.disassociate(&grant);
    off.run_blocking(&world.store, "alice").unwrap();
    let table = [OldRow::new("alice").token(OldToken::base32(KEY).pending())];
    let rows = Rows::move_in(&world.mfa, &admin());
    let report = rows.run_blocking(&world.store, pages(&table, OldRow::subject), |_, _| {});
    assert_eq!(counts(&report.unwrap()), [("verified_before", 1)]);
    let asked = table.map(OldRow::even_if_verified_before);
    let report = rows.run_blocking(&world.store, pages(&asked, OldRow::subject), |_, _| {});
    assert_eq!(counts(&report.unwrap()), [("moved_in", 1)]);
}

#[test]
fn a_counter_of_zero_or_less_is_none_so_that_every_code_that_is_valid_now_counts_as_spent() {
    let token = || OldToken::base32(KEY);
    for (token, is_spent) in [
        (token(), true),
        (token().last_step(0), true),
        (token().last_step(-1), true),
        (token().last_used(0), true),
        (token().last_used(i64::MIN), true),
        (token().last_step(1), false),
        (token().last_used(30), false),
    ] {
        let world = World::standard();
        let table = [OldRow::new("alice").token(token)];
        let move_in = Rows::move_in(&world.mfa, &admin());
        let report = move_in.run_blocking(&world.store, pages(&table, OldRow::subject), |_, _| {});
        assert_eq!(report.unwrap().changed(), 1);
        let phone = Device::new(&Secret::from_bytes(BYTES).unwrap(), Totp::STANDARD);
        let sign_in = world.mfa.sign_in_with(Some(phone.code(world.now()).into()));
        let answer = sign_in.run_blocking(&world.store, "alice");
        let refused = answer.err().and_then(|error| error.rejection());
        assert_eq!(refused, is_spent.then_some(Rejection::Reused));
    }
}

#[test]
fn backup_codes_of_before_are_vouched_for_by_the_application() {
    let world = World::standard();
    let table = &old_rows()[..1];
    let mut old_codes = HashSet::from(["k3fq-99zz"]);
    let move_in = Rows::move_in(&world.mfa, &admin());
    let _report = move_in
        .run_blocking(&world.store, pages(table, OldRow::subject), |_, _| {})
        .unwrap();
    let mut sign_in = |typed: &str| {
        let vouched = Vouched::recovery_code(old_codes.remove(typed));
        let sign_in = world.mfa.sign_in_with(Some(Factor::from(vouched)));
        sign_in.run_blocking(&world.store, "alice")
    };
    assert!(matches!(sign_in("k3fq-99zz"), Ok(SignedIn::Proven(_))));
    let again = sign_in("k3fq-99zz").unwrap_err();
    assert_eq!(again.rejection(), Some(Rejection::Mismatch));
}

#[test]
fn one_row_that_the_store_cannot_read_is_counted_and_the_run_goes_on() {
    let world = World::standard();
    let table = old_rows()[..5].to_vec();
    let mut store = Faulty::new(&world.store);
    // Two at the very end, too.
    store.unanswered = HashSet::from(["bob", "dave", "erin"]);
    let move_in = Rows::move_in(&world.mfa, &admin());
    let mut told = Vec::new();
    let report = move_in.run_blocking(
        &store,
        pages(&table, OldRow::subject),
        |subject, verdict| {
            told.push((subject.to_owned(), verdict.name()));
        },
    );
    let report = report.unwrap();
    assert_eq!(counts(&report), [("moved_in", 2), ("store", 3)]);
    assert_eq!(report.store_errors(), 3);
    assert!(!report.is_clean());
    let expected = [
        ("alice", "moved_in"),
        ("bob", "store"),
        ("carol", "moved_in"),
        ("dave", "store"),
        ("erin", "store"),
    ];
    assert_eq!(told, expected.map(|(user, name)| (user.to_owned(), name)));
}

#[test]
fn a_record_that_cannot_be_read_is_no_subject_that_has_moved_in_before() {
    let world = World::standard();
    overwrite(&world.store, "bob", b"no record");
    let table = old_rows()[..3].to_vec();
    let move_in = Rows::move_in(&world.mfa, &admin());
    let report = move_in.run_blocking(&world.store, pages(&table, OldRow::subject), |_, _| ());
    let report = report.unwrap();
    assert_eq!(
        counts(&report),
        [("moved_in", 2), ("record_unknown_format", 1)]
    );
    assert!(!report.is_clean());
}

#[test]
fn a_store_that_fails_stops_the_run_and_it_goes_on_from_there_counting_each_row_once() {
    let world = World::standard();
    let table = old_rows()[..5].to_vec();
    let mut store = Faulty::new(&world.store);
    // As many as it takes, and not one more.
    store.unanswered = HashSet::from(["bob", "carol", "dave"]);
    let move_in = Rows::move_in(&world.mfa, &admin());
    for at_once in [1, 4] {
        let mut told = Vec::new();
        let rows = move_in.clone().dry_run().at_once(at_once);
        let stopped = rows.run_blocking(&store, pages(&table, OldRow::subject), |subject, _| {
            told.push(subject.to_owned());
        });
        let stopped = stopped.unwrap_err();
        assert!(matches!(stopped.cause, Cause::Store(Down)));
        assert_eq!(stopped.after.as_deref(), Some("alice"));
        assert_eq!(counts(&stopped.report), [("moved_in", 1)]);
        assert_eq!(told, ["alice"]);
        assert_eq!(stopped.to_string(), "stopped after 1 rows");
    }
    let stopped = move_in.clone().stop_after(1).run_blocking(
        &store,
        pages(&table, OldRow::subject),
        |_, _| {},
    );
    let Stopped { report, after, .. } = stopped.unwrap_err();
    let rest = move_in.after(after.as_deref()).run_blocking(
        &world.store,
        pages(&table, OldRow::subject),
        |_, _| {},
    );
    let mut whole = report;
    whole += rest.unwrap();
    assert_eq!(counts(&whole), [("moved_in", 4), ("moved_in_weak", 1)]);
}

#[test]
fn a_row_that_the_store_is_not_asked_for_is_no_answer_of_the_store() {
    let world = World::standard();
    let malformed = |subject| OldRow::new(subject).token(OldToken::hexadecimal("313"));
    let mut table = old_rows()[..4].to_vec();
    table.insert(3, malformed("carla"));
    table.insert(2, malformed("bobby"));
    table.sort_by(|one, other| one.subject().cmp(other.subject()));
    let subjects: Vec<_> = table.iter().map(|row| row.subject().to_owned()).collect();
    assert_eq!(
        subjects,
        ["alice", "bob", "bobby", "carla", "carol", "dave"]
    );
    for at_once in [1, 4] {
        let rows = Rows::move_in(&world.mfa, &admin())
            .dry_run()
            .at_once(at_once);
        let run = |down: &[&'static str]| {
            let mut store = Faulty::new(&world.store);
            store.unanswered = down.iter().copied().collect();
            let mut told = Vec::new();
            let rows = rows.clone();
            let ended =
                rows.run_blocking(&store, pages(&table, OldRow::subject), |row, verdict| {
                    told.push((row.to_owned(), verdict.name()));
                });
            (ended, told)
        };
        let (stopped, told) = run(&["bob", "carol", "dave"]);
        let stopped = stopped.unwrap_err();
        assert!(matches!(stopped.cause, Cause::Store(Down)));
        assert_eq!(stopped.after.as_deref(), Some("alice"));
        assert_eq!(told, [("alice".into(), "moved_in")]);
        assert_eq!(stopped.report.rows(), 1);

        // Once the store answers, all are told of in their order.
        for (down, last) in [
            (&["bob", "carol"][..], "moved_in"),
            (&["bob", "dave"], "store"),
        ] {
            let (report, told) = run(down);
            let named = |subject: &str| told.iter().find(|(row, _)| row == subject).unwrap().1;
            let order: Vec<_> = told.iter().map(|(row, _)| row.clone()).collect();
            assert_eq!(order, subjects);
            assert_eq!(report.unwrap().rows(), 6);
            assert_eq!((named("bob"), named("dave")), ("store", last));
            assert_eq!(named("bobby"), named("carla"));
        }
    }
}

/// The wrong column for the keys: nothing is asked of the store any more, which has failed once.
#[test]
fn refused_rows_wait_for_an_answer_of_the_store_a_thousand_at_a_time() {
    let world = World::standard();
    let mut store = Faulty::new(&world.store);
    store.unanswered = HashSet::from(["a"]);
    let subjects = (0..3_000).map(|row| format!("b{row:04}"));
    let refused = subjects.map(|row| OldRow::new(row).token(OldToken::hexadecimal("313")));
    let asked = |subject| OldRow::new(subject).token(OldToken::base32(KEY));
    let table: Vec<_> = [asked("a")]
        .into_iter()
        .chain(refused)
        .chain([asked("c")])
        .collect();
    let (mut listed, mut told) = (0, Vec::new());
    let (seen, most) = (core::cell::Cell::new(0), core::cell::Cell::new(0));
    let rows = Rows::move_in(&world.mfa, &admin());
    let mut page = pages(&table, OldRow::subject);
    let report = rows.run_blocking(
        &store,
        |after| {
            let page = page(after).unwrap();
            most.set(most.get().max(listed - seen.get()));
            listed += page.len();
            Ok::<_, Down>(page)
        },
        |subject, verdict| {
            seen.set(seen.get() + 1);
            told.push((subject.to_owned(), verdict.name()));
        },
    );
    let report = report.unwrap();
    assert!((990..=1_010).contains(&most.get()), "{} wait", most.get());
    assert_eq!(
        counts(&report),
        [("moved_in", 1), ("malformed_secret", 3_000), ("store", 1)]
    );
    let order: Vec<_> = table.iter().map(OldRow::subject).collect();
    let told_order: Vec<_> = told.iter().map(|(subject, _)| subject.as_str()).collect();
    assert_eq!(told_order, order);
    assert_eq!(told[0].1, "store");
}

/// A run again would put another secret in the place of the one that the user has just scanned.
#[test]
fn a_table_that_moves_in_twice_leaves_a_secret_that_waits() {
    let world = World::standard();
    // What the old system has not asked for yet, as its column may well say.
    let row = OldRow::new("alice").token(OldToken::base32(KEY).pending());
    let table = [row.enabled(false)];
    let run = |dry: bool| {
        let rows = Rows::move_in(&world.mfa, &admin());
        let rows = if dry { rows.dry_run() } else { rows };
        let report = rows.run_blocking(&world.store, pages(&table, OldRow::subject), |_, _| {});
        counts(&report.unwrap())
    };
    assert_eq!(run(true), [("moved_in", 1)]);
    assert_eq!(run(false), [("moved_in", 1)]);
    assert_eq!(run(false), [("already_pending", 1)], "by an earlier run");

    // The user sets another phone up, and is interrupted.
    let issued = world.associate("alice");
    assert_eq!(run(true), [("already_pending", 1)]);
    assert_eq!(run(false), [("already_pending", 1)], "by the user");
    let code = Device::of(&issued).code(world.now());
    let verify = world.mfa.verify(&world.password("alice"), code);
    let enrolled = verify.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(run(false), [("already_verified", 1)]);
    let another = world.mfa.associate(&Grant::from(enrolled.evidence()));
    let _ = another.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(
        run(false),
        [("already_verified", 1)],
        "whatever waits beside"
    );

    // What has expired waits no longer.
    let world = World::standard();
    let run = |expected| {
        let rows = Rows::move_in(&world.mfa, &admin());
        let report = rows.run_blocking(&world.store, pages(&table, OldRow::subject), |_, _| {});
        assert_eq!(counts(&report.unwrap()), [(expected, 1)]);
    };
    run("moved_in");
    let lifetime = world.mfa.policy().pending_lifetime().as_secs();
    world.time.advance(lifetime - 1);
    run("already_pending");
    world.time.advance(1);
    run("moved_in");
}

/// Nobody has proven the secret that waits, and the other system's was proven.
#[test]
fn a_proven_token_moves_in_where_a_secret_waits() {
    let world = World::standard();
    let _ = world.associate("alice");
    let table = [OldRow::new("alice").token(OldToken::base32(KEY))];
    let rows = Rows::move_in(&world.mfa, &admin());
    let report = rows.run_blocking(&world.store, pages(&table, OldRow::subject), |_, _| {});
    assert_eq!(counts(&report.unwrap()), [("moved_in", 1)]);
}

#[test]
fn a_secret_that_comes_to_wait_while_another_moves_in_waits_on() {
    let world = World::standard();
    let issued = OnceLock::new();
    let mut store = Faulty::new(&world.store);
    store.before_swap = Box::new(|_| {
        issued.get_or_init(|| world.associate("alice"));
    });
    let table = [OldRow::new("alice").token(OldToken::base32(KEY).pending())];
    let rows = Rows::move_in(&world.mfa, &admin());
    let report = rows.run_blocking(&store, pages(&table, OldRow::subject), |_, _| {});
    assert_eq!(counts(&report.unwrap()), [("already_pending", 1)]);
    let code = Device::of(issued.get().unwrap()).code(world.now());
    let verify = world.mfa.verify(&world.password("alice"), code);
    let _ = verify.run_blocking(&world.store, "alice").unwrap();
}

#[test]
fn a_run_that_is_interrupted_anywhere_is_started_anew_without_harm() {
    for interrupted_at in 1..=4 {
        let world = World::standard();
        let table = old_rows()[..4].to_vec();
        let move_in = Rows::move_in(&world.mfa, &admin());
        let mut cursor = None;
        let told = RefCell::new(0);
        let crash = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| {
            let _ = move_in.run_blocking(
                &world.store,
                pages(&table, OldRow::subject),
                |subject, _| {
                    *told.borrow_mut() += 1;
                    assert!(*told.borrow() < interrupted_at, "the process ends here");
                    cursor = Some(subject.to_owned());
                },
            );
        }));
        assert!(crash.is_err());
        // From the cursor: the row that was done as the process ended is there already.
        let report = move_in.clone().after(cursor.as_deref()).run_blocking(
            &world.store,
            pages(&table, OldRow::subject),
            |_, _| {},
        );
        let report = report.unwrap();
        assert_eq!(report.count("already_verified"), 1, "{interrupted_at}");
        assert_eq!(report.count("moved_in"), 4 - interrupted_at);
        // From the beginning.
        let report = move_in.run_blocking(&world.store, pages(&table, OldRow::subject), |_, _| {});
        assert_eq!(counts(&report.unwrap()), [("already_verified", 4)]);
    }
}

#[test]
fn pages_that_fail_or_do_not_go_on_end_the_run() {
    let world = World::standard();
    let move_in = Rows::move_in(&world.mfa, &admin());
    let mut page = 0;
    let failing = |_: Option<&str>| {
        page += 1;
        if page == 2 {
            return Err(Down);
        }
        Ok(old_rows()[..2].to_vec())
    };
    let stopped = move_in.run_blocking(&world.store, failing, |_, _| {});
    let stopped = stopped.unwrap_err();
    assert!(matches!(stopped.cause, Cause::Pages(Down)));
    assert_eq!(stopped.after.as_deref(), Some("bob"));
    assert_eq!(stopped.report.changed(), 2);

    // A row that the store is not asked for waits for no answer of it.
    let mut malformed = Some(vec![OldRow::new("f1").token(OldToken::base32("1"))]);
    let failing = |_: Option<&str>| malformed.take().ok_or(Down);
    let stopped = move_in.run_blocking(&world.store, failing, |_, _| {});
    let stopped = stopped.unwrap_err();
    assert_eq!(
        (stopped.report.refused(), stopped.after.as_deref()),
        (1, Some("f1"))
    );

    let same = |_: Option<&str>| Ok::<_, Infallible>(old_rows()[..2].to_vec());
    let stopped = move_in.run_blocking(&world.store, same, |_, _| {});
    let stopped = stopped.unwrap_err();
    assert!(matches!(stopped.cause, Cause::Cursor));
    assert_eq!(stopped.report.rows(), 2);
}

/// A store that answers when it is asked a second time, and counts those that wait.
struct Slow<'s> {
    rows: &'s MemoryStore,
    waiting: AtomicUsize,
    most: AtomicUsize,
}

impl Store for Slow<'_> {
    type Error = Infallible;

    async fn load(&self, subject: &str) -> Result<Option<Snapshot>, Infallible> {
        let waiting = self.waiting.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(waiting, Ordering::SeqCst);
        let mut asked = false;
        core::future::poll_fn(|context| {
            if asked {
                return Poll::Ready(());
            }
            asked = true;
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        self.rows.load(subject).await
    }

    async fn compare_and_swap(&self, write: Write) -> Result<Swap, Infallible> {
        self.rows.compare_and_swap(write).await
    }
}

#[test]
fn so_many_rows_are_asked_for_at_once_and_no_more_and_the_future_may_be_spawned() {
    fn spawned<T: Send + 'static>(future: impl Future<Output = T> + Send) -> T {
        pollster::block_on(future)
    }
    for (at_once, most) in [(1, 1), (2, 2), (3, 3), (16, 5), (0, 1)] {
        let world = World::standard();
        let slow = Slow {
            rows: &world.store,
            waiting: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        };
        let mut table = Some(old_rows()[..5].to_vec());
        let pages = move |_: Option<String>| {
            let page = table.take().unwrap_or_default();
            async move { Ok::<_, Infallible>(page) }
        };
        let order = Mutex::new(Vec::new());
        let told = |subject: &str, _: &Verdict<Infallible>| {
            order.lock().unwrap().push(subject.to_owned());
        };
        let move_in = Rows::move_in(&world.mfa, &admin()).at_once(at_once);
        let report = spawned(move_in.run(&slow, pages, told)).unwrap();
        assert_eq!(report.changed(), 5);
        assert_eq!(slow.most.load(Ordering::SeqCst), most, "{at_once}");
        let order = order.into_inner().unwrap();
        assert_eq!(order, ["alice", "bob", "carol", "dave", "erin"]);
    }
}

#[test]
fn a_run_that_is_dropped_has_told_of_no_row_that_is_not_done() {
    let world = World::standard();
    for polls in 0..6_usize {
        let slow = Slow {
            rows: &world.store,
            waiting: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        };
        let mut table = Some(old_rows()[..5].to_vec());
        let pages = move |_: Option<String>| {
            let page = table.take().unwrap_or_default();
            async move { Ok::<_, Infallible>(page) }
        };
        let mut told = Vec::new();
        let move_in = Rows::move_in(&world.mfa, &admin());
        {
            let mut run = pin!(move_in.run(&slow, pages, |subject: &str, _: &_| {
                told.push(subject.to_owned());
            }));
            let mut context = Context::from_waker(Waker::noop());
            for _ in 0..polls {
                let _ = run.as_mut().poll(&mut context);
            }
        }
        assert_eq!(told.len(), polls.saturating_sub(1));
        assert!(told.iter().all(|subject| world.row(subject).is_some()));
    }
}

#[test]
fn a_row_of_which_any_token_is_weak_is_counted_as_weak() {
    let world = World::new(Policy::builder().max_tokens(2).build().unwrap());
    let weak = || OldToken::legacy_base32("JBSWY3DPEHPK3PXP");
    let table = [
        OldRow::new("a").token(OldToken::base32(KEY)).token(weak()),
        OldRow::new("b").token(weak()).token(OldToken::base32(KEY)),
        OldRow::new("c").token(OldToken::base32(KEY)),
    ];
    let move_in = Rows::move_in(&world.mfa, &admin());
    let report = move_in.run_blocking(&world.store, pages(&table, OldRow::subject), |_, _| {});
    assert_eq!(
        counts(&report.unwrap()),
        [("moved_in", 1), ("moved_in_weak", 2)]
    );
}

#[test]
fn a_report_is_a_table_for_people() {
    let world = World::standard();
    let move_in = Rows::move_in(&world.mfa, &admin());
    let table = old_rows()[3..6].to_vec();
    let report = move_in.run_blocking(&world.store, pages(&table, OldRow::subject), |_, _| {});
    let expected = "\
changed       moved_in                           1
changed       moved_in_weak                      1
refused       malformed_secret                   1
rows                                             3";
    assert_eq!(report.unwrap().to_string(), expected);
}

#[test]
fn an_old_token_shows_nothing_of_its_key() {
    let shown = format!("{:?}", old_rows());
    for key in ["GEZDG", "JBSWY", "3132", "[49", "b\"12"] {
        assert!(!shown.contains(key), "{shown}");
    }
    assert!(
        shown.contains("OldToken(..)"),
        "its name is in its place: {shown}"
    );
}

#[test]
fn without_a_seal_no_row_is_resealed_and_each_is_counted() {
    let world = World::standard();
    world.enrol("alice");
    let before = world.row("alice");
    let table = ["alice".to_owned(), "bob".to_owned()];
    let reseal = Rows::reseal(&world.mfa);
    let report = reseal.run_blocking(&world.store, pages(&table, String::as_str), |_, _| {});
    assert_eq!(counts(&report.unwrap()), [("no_seal", 2)]);
    assert_eq!(world.row("alice"), before);
}

#[cfg(feature = "seal")]
mod sealed {
    use softtoken::OsEntropy;
    use softtoken::entropy::Entropy;
    use softtoken::record::{self, Keyring, Place, RecordError, Seal, SealError};
    use zeroize::Zeroizing;

    use super::*;

    const USERS: [&str; 8] = [
        "alice", "bob", "carol", "damaged", "erin", "frank", "newer", "nobody",
    ];

    fn table() -> Vec<String> {
        USERS.map(str::to_owned).to_vec()
    }

    fn under(keyring: &Keyring) -> (World, Mfa) {
        let mut world = World::new(Policy::STANDARD);
        let mfa = world.mfa.clone();
        world.mfa = mfa.clone().sealed(keyring.clone());
        (world, mfa)
    }

    fn run(rows: &Rows<softtoken::rows::Sealing>, store: &MemoryStore) -> Report {
        let table = table();
        let report = rows.run_blocking(store, pages(&table, String::as_str), |_, _| {});
        report.unwrap()
    }

    fn key_of(row: &Snapshot) -> u8 {
        row.record[4]
    }

    /// Six users under key 1, a damaged row, one of a newer format, and one without a row.
    fn before() -> (World, Mfa, Keyring, Device) {
        let mut keyring = Keyring::from_bytes(1, &[1; 32]);
        let (world, plain) = under(&keyring);
        let device = world.enrol("alice");
        for user in ["bob", "carol", "damaged", "erin", "frank"] {
            world.enrol(user);
        }
        let mut damaged = world.row("damaged").unwrap().record;
        *damaged.last_mut().unwrap() ^= 1;
        overwrite(&world.store, "damaged", &damaged);
        overwrite(&world.store, "newer", &[record::FORMAT + 1, 7, 7]);
        keyring.rotate(2, &[2; 32]);
        (world, plain, keyring, device)
    }

    #[test]
    fn every_record_is_resealed_but_those_that_do_not_open_and_a_run_again_finds_nothing_to_do() {
        let (world, plain, keyring, device) = before();
        let after = plain.sealed(keyring.clone()).adopting_plain_records();
        let rows = Rows::reseal(&after);
        let kept = ["damaged", "newer"].map(|user| world.row(user));

        let dry = run(&rows.clone().dry_run(), &world.store);
        assert_eq!(
            key_of(&world.row("alice").unwrap()),
            1,
            "nothing is written"
        );
        let report = run(&rows, &world.store);
        assert_eq!(report, dry);
        let expected = [
            ("resealed", 5),
            ("no_row", 1),
            ("record_does_not_open", 1),
            ("record_unknown_format", 1),
        ];
        assert_eq!(counts(&report), expected);
        assert_eq!(["damaged", "newer"].map(|user| world.row(user)), kept);

        let sealed = world.row("alice").unwrap();
        assert_eq!(key_of(&sealed), 2);
        let again = run(&rows, &world.store);
        assert_eq!((again.changed(), again.count("current")), (0, 5));
        assert_eq!(world.row("alice").unwrap(), sealed, "not even sealed anew");

        // The old key is retired, and everybody signs in.
        let mut keyring = keyring;
        keyring.retire(1);
        world.time.advance(60);
        let retired = after.sealed(keyring);
        let sign_in = retired.sign_in_with(Some(device.code(world.now()).into()));
        assert!(sign_in.run_blocking(&world.store, "alice").is_ok());
    }

    /// Knows no more than to seal and to open.
    struct Mute(Keyring);

    impl Seal for Mute {
        fn seal(
            &self,
            at: Place<'_>,
            by: &dyn Entropy,
            plain: &[u8],
        ) -> Result<Vec<u8>, SealError> {
            self.0.seal(at, by, plain)
        }

        fn open(&self, at: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, RecordError> {
            self.0.open(at, sealed)
        }
    }

    #[test]
    fn where_a_seal_cannot_tell_its_current_key_every_run_seals_anew() {
        let (world, plain, keyring, _) = before();
        let after = plain.sealed(Mute(keyring)).adopting_plain_records();
        for _ in 0..2 {
            let report = run(&Rows::reseal(&after), &world.store);
            assert_eq!((report.count("resealed"), report.count("current")), (5, 0));
        }
    }

    #[test]
    fn what_opens_under_the_current_key_and_is_no_record_is_not_current() {
        let (world, plain, keyring, _) = before();
        let revision = world.row("damaged").unwrap().revision.next().unwrap();
        let no_record = [record::FORMAT, 7, 7];
        let sealed = keyring.seal(Place::new("damaged", revision), &OsEntropy, &no_record);
        let row = [&[record::SEALED][..], &sealed.unwrap()].concat();
        overwrite(&world.store, "damaged", &row);
        let after = plain.sealed(keyring).adopting_plain_records();
        let report = run(&Rows::reseal(&after), &world.store);
        assert_eq!(report.count("record_damaged"), 1, "{report}");
    }

    #[test]
    fn under_a_wrong_key_every_row_is_refused_by_name_and_none_is_written() {
        let (world, plain, _, _) = before();
        let rows = |keyring| Rows::reseal(&plain.clone().sealed(keyring));
        let before = USERS.map(|user| world.row(user));
        let unknown = run(&rows(Keyring::from_bytes(9, &[9; 32])), &world.store);
        assert_eq!(unknown.count("record_unknown_key"), 6);
        // The right id with other bytes.
        let wrong = run(&rows(Keyring::from_bytes(1, &[9; 32])), &world.store);
        assert_eq!(wrong.count("record_does_not_open"), 6);
        assert_eq!((unknown.changed(), wrong.changed()), (0, 0));
        assert_eq!((unknown.rows(), wrong.rows()), (8, 8));
        assert_eq!(USERS.map(|user| world.row(user)), before);
    }

    #[test]
    fn a_label_is_changed_row_by_row_though_no_row_names_its_label() {
        let (world, plain, keyring, _) = before();
        let new = plain
            .sealed(keyring)
            .adopting_plain_records()
            .seal_label("production")
            .also_open_seal_label("");
        let first = run(&Rows::reseal(&new), &world.store);
        assert_eq!((first.count("resealed"), first.count("current")), (5, 0));
        // Under the current key and another label: not current.
        let third = new.seal_label("staging").also_open_seal_label("production");
        let second = run(&Rows::reseal(&third), &world.store);
        assert_eq!((second.count("resealed"), second.count("current")), (5, 0));
        let again = run(&Rows::reseal(&third), &world.store);
        assert_eq!((again.count("resealed"), again.count("current")), (0, 5));
    }

    #[test]
    fn plain_rows_are_sealed_where_they_are_adopted() {
        let world = World::standard();
        world.enrol("alice");
        world.enrol("bob");
        let sealed = world.mfa.clone().sealed(Keyring::from_bytes(1, &[1; 32]));
        let refused = run(&Rows::reseal(&sealed), &world.store);
        assert_eq!(refused.count("record_not_sealed"), 2);
        let adopting = run(
            &Rows::reseal(&sealed.adopting_plain_records()),
            &world.store,
        );
        assert_eq!(adopting.count("resealed"), 2);
        assert_eq!(world.row("alice").unwrap().record[0], record::SEALED);
    }

    #[test]
    fn who_signs_in_while_the_row_is_resealed_keeps_the_sign_in() {
        // By a server that has the old key still, and by one that has sealed the row anew.
        for (has_new_key, resealed, swaps) in [(false, 5, 2), (true, 4, 1)] {
            let (world, plain, keyring, device) = before();
            world.time.advance(60);
            let after = plain.sealed(keyring).adopting_plain_records();
            let server = if has_new_key { &after } else { &world.mfa };
            let code = device.code(world.now());
            let raced = AtomicUsize::new(0);
            let mut store = Faulty::new(&world.store);
            store.before_swap = Box::new(|write| {
                // Between the load and the swap of the run, once.
                if write.subject() == "alice" && raced.fetch_add(1, Ordering::SeqCst) == 0 {
                    let sign_in = server.sign_in_with(Some(code.clone().into()));
                    let answer = sign_in.run_blocking(&world.store, "alice").unwrap();
                    assert!(matches!(answer, SignedIn::Proven(_)));
                }
            });
            let table = table();
            let rows = Rows::reseal(&after);
            let report = rows.run_blocking(&store, pages(&table, String::as_str), |_, _| {});
            let report = report.unwrap();
            assert_eq!(
                (report.count("resealed"), report.count("current")),
                (resealed, 5 - resealed),
                "the race was lost, and the row judged again"
            );
            assert_eq!(raced.load(Ordering::SeqCst), swaps);
            let again = after.sign_in_with(Some(code.clone().into()));
            let again = again.run_blocking(&world.store, "alice").unwrap_err();
            assert_eq!(again.rejection(), Some(Rejection::Reused));
        }
    }

    #[test]
    fn a_row_that_loses_every_race_is_counted_and_left_for_the_next_run() {
        let (world, plain, keyring, _) = before();
        let after = plain.sealed(keyring).adopting_plain_records();
        let mut store = Faulty::new(&world.store);
        store.before_swap = Box::new(|write| {
            if write.subject() == "alice" {
                world
                    .mfa
                    .reseal()
                    .run_blocking(&world.store, "alice")
                    .unwrap();
            }
        });
        let table = table();
        let rows = Rows::reseal(&after);
        let report = rows.run_blocking(&store, pages(&table, String::as_str), |_, _| {});
        let report = report.unwrap();
        assert_eq!(
            (report.count("contended"), report.count("resealed")),
            (1, 4)
        );
        let races = usize::try_from(Policy::STANDARD.swap_attempts()).unwrap();
        assert_eq!(
            store.pauses.load(Ordering::SeqCst),
            races - 1,
            "the store pauses before each attempt but the first"
        );
        drop(store);
        assert_eq!(run(&rows, &world.store).count("resealed"), 1);
    }
}
