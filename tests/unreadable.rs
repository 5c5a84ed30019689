//! A record that does not open (rules W3 and W9): what an administrator may overwrite, what not,
//! and that nothing of before is worth anything afterwards.
#![allow(clippy::unwrap_used, reason = "a failing step fails the test")]

use core::convert::Infallible;
use core::time::Duration;

use softtoken::association::{BrowserKeys, EventKind, Events, ImportedToken, State};
use softtoken::record::RecordError;
use softtoken::store::{Snapshot, Swap, Write};
use softtoken::totp::{Secret, Totp};
use softtoken::{
    BlockingStore as _, Challenge, Error, Fault, Grant, Policy, Rejection, Revision, Vouched,
};

use crate::world::{Device, World, admin};

/// Puts bytes into the row, as somebody does who writes past this crate, or a disk that fails.
fn put(world: &World, subject: &str, record: Vec<u8>) -> Revision {
    let expected = world.row(subject).map(|row| row.revision);
    let write = Write::new(subject, expected, record, Events::default()).unwrap();
    let next = write.next();
    let stored = world.store.compare_and_swap_blocking(write);
    assert_eq!(stored, Ok(Swap::Stored));
    next
}

/// Cuts the row short.
fn damage(world: &World) -> Revision {
    let mut record = world.row("alice").unwrap().record;
    record.pop();
    put(world, "alice", record)
}

fn reset_at(world: &World, revision: Revision) -> Result<(), Error> {
    let reset = world.mfa.reset(&admin()).unreadable(revision);
    reset.run_blocking(&world.store, "alice")
}

/// That what is in alice's row can be overwritten at its revision, and no earlier or later one.
#[track_caller]
fn is_overwritten(world: &World, error: RecordError) {
    let found = world.row("alice").unwrap();
    let revision = found.revision;
    let failed = Err(Error::Fault(Fault::Record(error)));
    for other in [
        Revision::new(revision.get() - 1),
        Revision::new(revision.get() + 1),
        Revision::from_i64(i64::MAX),
    ] {
        assert_eq!(
            other.map_or(failed.clone(), |other| reset_at(world, other)),
            failed
        );
    }
    let reset = world
        .mfa
        .reset(&admin())
        .run_blocking(&world.store, "alice");
    assert_eq!(
        reset, failed,
        "nothing is said of a record that does not open"
    );
    assert_eq!(world.row("alice").as_ref(), Some(&found));

    world.events();
    assert_eq!(reset_at(world, revision), Ok(()));
    let told = EventKind::Reset {
        unreadable: true,
        clock_mended: false,
    };
    assert_eq!(world.events(), [told]);
    assert_eq!(world.row("alice").map(|row| row.revision), revision.next());
    let status = world
        .mfa
        .status()
        .run_blocking(&world.store, "alice")
        .unwrap();
    assert_eq!(status.state, State::Unassociated);
}

/// That not even an administrator overwrites what is in alice's row.
#[track_caller]
fn is_kept(world: &World, error: RecordError) {
    let found = world.row("alice").unwrap();
    world.events();
    let failed = Err(Error::Fault(Fault::Record(error)));
    assert_eq!(reset_at(world, found.revision), failed);
    assert_eq!(world.row("alice"), Some(found));
    assert_eq!(world.events(), [], "nothing has happened");
}

#[test]
fn damaged_bytes_are_overwritten_at_the_revision_that_is_said() {
    let world = World::standard();
    let _ = world.enrol("alice");
    let whole = world.row("alice").unwrap().record;
    for damaged in [
        vec![],
        vec![0],
        whole[..1].to_vec(),
        whole[..whole.len() - 1].to_vec(),
        [&whole[..], &[0]].concat(),
        [&[0], &whole[1..]].concat(),
    ] {
        put(&world, "alice", damaged);
        is_overwritten(&world, RecordError::Damaged);
    }
}

#[test]
fn a_newer_format_is_kept() {
    let world = World::standard();
    let _ = world.enrol("alice");
    let whole = world.row("alice").unwrap().record;
    for format in [2, 0x7f, 0x80, 0x82, 0xff] {
        put(&world, "alice", [&[format], &whole[1..]].concat());
        is_kept(&world, RecordError::UnknownFormat { format });
    }
}

#[test]
fn a_record_that_opens_is_reset_as_ever() {
    let world = World::standard();
    let _ = world.enrol("alice");
    let revision = world.row("alice").unwrap().revision;
    world.events();
    assert_eq!(reset_at(&world, revision), Ok(()));
    let told = EventKind::Reset {
        unreadable: false,
        clock_mended: false,
    };
    assert_eq!(world.events(), [told]);
    let written_since = reset_at(&world, revision);
    assert_eq!(written_since, Err(Fault::OtherRevision.into()));
    // And where there is no row.
    let nobody = world.mfa.reset(&admin()).unreadable(Revision::FIRST);
    assert_eq!(nobody.run_blocking(&world.store, "nobody"), Ok(()));
}

#[test]
fn after_the_last_revision_nothing_is_overwritten() {
    let world = World::standard();
    let last = Revision::from_i64(i64::MAX).unwrap();
    let found = Snapshot {
        revision: last,
        record: vec![0],
    };
    let reset = world.mfa.reset(&admin()).unreadable(last);
    let decided = reset.decide("alice", Some(found)).map(drop);
    assert_eq!(decided, Err(Fault::RevisionsExhausted));
}

#[test]
fn what_an_application_knows_of_the_row_is_asked_first() {
    let world = World::standard();
    let _ = world.enrol("alice");
    let revision = damage(&world);
    let reset = || world.mfa.reset(&admin()).unreadable(revision);
    let later = reset().at_least(revision.next().unwrap());
    let rolled_back = Err(Error::Fault(Fault::RolledBack));
    assert_eq!(later.run_blocking(&world.store, "alice"), rolled_back);
    let enrolled = reset().expect_enrolled();
    assert_eq!(
        enrolled.run_blocking(&world.store, "alice"),
        rolled_back,
        "of that nothing is known"
    );
    let seen = reset().at_least(revision);
    assert_eq!(seen.run_blocking(&world.store, "alice"), Ok(()));
}

#[test]
fn nothing_of_before_is_worth_anything_after_an_unreadable_reset() {
    let mut world = World::standard();
    let browsers = BrowserKeys::from_bytes(1, &[8; 32]);
    world.mfa = world
        .mfa
        .with_browsers(browsers, Duration::from_secs(86_400))
        .unwrap();
    let mfa = world.mfa.clone();
    let (device, enrolled) = world.enrolled("alice");
    world.time.advance(60);
    let respond = mfa.respond(&world.challenge("alice"), device.code(world.now()));
    let evidence = respond.run_blocking(&world.store, "alice").unwrap();
    let browser = mfa.remember(&evidence).unwrap().unwrap();
    let from_browser = || {
        let sign_in = mfa.sign_in().from_browser(Some(browser.expose()));
        sign_in.run_blocking(&world.store, "alice").unwrap()
    };
    assert!(matches!(
        from_browser(),
        Challenge::NotRequired {
            remembered: true,
            ..
        }
    ));
    let grants = [
        world.password("alice"),
        world.second_factor("alice"),
        enrolled,
        Grant::from(&evidence),
    ];
    let session = world.challenge("alice");

    world.time.advance(1);
    assert_eq!(reset_at(&world, damage(&world)), Ok(()));
    for grant in &grants {
        let associate = mfa.associate(grant).run_blocking(&world.store, "alice");
        assert_eq!(
            associate.unwrap_err().rejection(),
            Some(Rejection::NotAuthorized)
        );
    }
    let import = |again: bool| {
        let secret = Secret::from_bytes(&[9; 20]).unwrap();
        let import = mfa.import(&admin(), [ImportedToken::proven(secret, Totp::STANDARD)]);
        let import = if again {
            import.even_if_verified_before()
        } else {
            import
        };
        import.run_blocking(&world.store, "alice")
    };
    assert_eq!(
        import(false).unwrap_err().rejection(),
        Some(Rejection::VerifiedBefore)
    );

    // The same device even, as far as a session or a browser could tell.
    assert_eq!(import(true), Ok(()));
    world.time.advance(60);
    let again = Device::new(&Secret::from_bytes(&[9; 20]).unwrap(), Totp::STANDARD);
    let respond = mfa.respond(&session, again.code(world.now()));
    let respond = respond.run_blocking(&world.store, "alice");
    assert_eq!(
        respond.unwrap_err().rejection(),
        Some(Rejection::InvalidSession)
    );
    assert!(matches!(from_browser(), Challenge::SoftwareToken { .. }));
    for grant in &grants {
        let shown = mfa
            .check(grant, Duration::MAX)
            .run_blocking(&world.store, "alice");
        assert_eq!(
            shown.unwrap_err().rejection(),
            Some(Rejection::NotAuthorized)
        );
    }
    let _ = world.stepped_up("alice", &again);
}

/// Whole seconds tell nothing apart that happened in one.
#[test]
fn a_second_factor_of_the_very_second_of_an_unreadable_reset_proves_nothing_after_it() {
    let world = World::standard();
    let (mfa, store) = (&world.mfa, &world.store);
    let (_, enrolled) = world.enrolled("alice");
    let vouched = mfa.step_up(&world.password("alice"), Vouched::factor(&["hwk"]));
    let vouched = Grant::from(&vouched.run_blocking(store, "alice").unwrap());
    let bare = world.second_factor("alice");
    assert_eq!(reset_at(&world, damage(&world)), Ok(()));

    let secret = Secret::from_bytes(&[9; 20]).unwrap();
    let token = ImportedToken::proven(secret, Totp::STANDARD);
    let import = mfa.import(&admin(), [token]).even_if_verified_before();
    import.run_blocking(store, "alice").unwrap();
    for grant in [&enrolled, &vouched, &bare] {
        let check = mfa.check(grant, Duration::MAX).run_blocking(store, "alice");
        let rejection = check.unwrap_err().rejection();
        assert_eq!(rejection, Some(Rejection::SecondFactorRequired));
    }
}

/// A session to set up a token is good while its generation is; of a record that cannot be read the
/// generation is not known.
#[test]
fn a_session_to_set_up_a_token_ends_by_an_unreadable_reset_even_of_the_highest_generation() {
    let world = World::new(Policy::STANDARD.required());
    let setup = |generation: u64| {
        let session = world.setup("alice");
        assert_eq!(generations(&world, "alice"), [generation, generation]);
        session
    };
    let token = || {
        let secret = Secret::from_bytes(&[9; 20]).unwrap();
        ImportedToken::proven(secret, Totp::STANDARD)
    };
    let import = world.mfa.import(&admin(), [token()]);
    import.run_blocking(&world.store, "alice").unwrap();
    let disassociate = world.mfa.disassociate(&admin());
    disassociate.run_blocking(&world.store, "alice").unwrap();
    let before = setup(2);

    // Damaged in its place, so that its revision is that of the session.
    let found = Snapshot {
        revision: Revision::new(2).unwrap(),
        record: vec![0],
    };
    let reset = world.mfa.reset(&admin()).unreadable(found.revision);
    let decision = reset.decide("alice", Some(found)).unwrap();
    let stored = world
        .store
        .compare_and_swap_blocking(decision.write().unwrap().clone());
    assert_eq!(stored, Ok(Swap::Stored));
    decision.committed::<Infallible>().unwrap();
    assert_eq!(world.row("alice").unwrap().revision.get(), 3);

    let associate = world
        .mfa
        .associate(&before)
        .run_blocking(&world.store, "alice");
    assert_eq!(
        associate.unwrap_err().rejection(),
        Some(Rejection::InvalidSession)
    );
    let associate = world
        .mfa
        .associate(&setup(3))
        .run_blocking(&world.store, "alice");
    assert!(associate.is_ok());
}

/// Every number in alice's record that names a generation: of the record, of the last change that
/// took a token out of force, of the last answer.
fn generations(world: &World, subject: &str) -> Vec<u64> {
    let record = format!("{:?}", world.record(subject));
    let numbers = record.split("generation: ").skip(1);
    let number = |text: &str| {
        let end = text.find(|digit: char| !digit.is_ascii_digit()).unwrap();
        text[..end].parse().unwrap()
    };
    numbers.map(number).collect()
}

/// What an unreadable reset rests on: the revision bounds the generation of a record that nobody
/// can read.
#[test]
fn no_generation_exceeds_its_revision() {
    let policy = Policy::builder().max_tokens(Policy::MAX_TOKENS);
    let world = World::new(policy.build().unwrap());
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let (mut reached, mut full, mut removed) = (false, false, false);
    for number in 0..1_500_u32 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        world.time.advance(30);
        let subject = if random >> 60 == 0 { "bob" } else { "alice" };
        let verb = (random >> 32) % 12;
        // Whether it is refused does not matter.
        let _: Result<(), Error> = one_verb(&world, subject, verb, number);
        let Some(row) = world.row(subject) else {
            continue;
        };
        let revision = row.revision.get();
        let generations = generations(&world, subject);
        let highest = generations.iter().max().copied();
        assert!(
            highest <= Some(revision),
            "{generations:?} at {revision}, by verb {verb}"
        );
        reached |= highest == Some(revision);
        removed |= generations.len() > 1;
        let status = world.mfa.status().run_blocking(&world.store, subject);
        full |= status.unwrap().tokens.len() == Policy::MAX_TOKENS;
    }
    assert!(reached && full && removed);
}

/// One of those that change what is in force, or of those that do not.
fn one_verb(world: &World, subject: &str, verb: u64, number: u32) -> Result<(), Error> {
    let (mfa, store, admin) = (&world.mfa, &world.store, &admin());
    let secret = |of: u8| {
        let bytes = [number.to_be_bytes(), [of; 4]].concat().repeat(2);
        Secret::from_bytes(&bytes).unwrap()
    };
    let import = |count: u8| {
        let tokens = (0..count).map(|of| ImportedToken::proven(secret(of), Totp::STANDARD));
        mfa.import(admin, tokens).even_if_verified_before()
    };
    let in_force = mfa.status().run_blocking(store, subject)?.tokens;
    let grant = world.password(subject).with_id("jti-1");
    match verb {
        0 => import(10).run_blocking(store, subject),
        1 => import(3)
            .replacing_everything()
            .run_blocking(store, subject),
        2 => {
            let pending = ImportedToken::pending(secret(0), Totp::STANDARD);
            let import = mfa.import(admin, [pending]).even_if_verified_before();
            import.run_blocking(store, subject)
        }
        3 => {
            let issued = mfa.associate(admin).run_blocking(store, subject)?;
            let code = Device::of(&issued).code(world.now());
            let verify = mfa.verify(&grant, code);
            verify.run_blocking(store, subject).map(drop)
        }
        4..=6 => match in_force.first() {
            Some(first) => mfa.remove(admin, first.id).run_blocking(store, subject),
            None => Ok(()),
        },
        7 => mfa.disassociate(admin).run_blocking(store, subject),
        8 => mfa.reset(admin).run_blocking(store, subject),
        9 => {
            let step_up = mfa.step_up(&grant, Vouched::factor(&["hwk"]));
            step_up.run_blocking(store, subject).map(drop)
        }
        10 if number.is_multiple_of(8) => {
            let reset = mfa.reset(admin).unreadable(put(world, subject, vec![0]));
            reset.run_blocking(store, subject)
        }
        _ => mfa.forget_browsers(admin).run_blocking(store, subject),
    }
}

#[cfg(feature = "seal")]
mod sealed {
    use softtoken::association::Record;
    use softtoken::entropy::Entropy;
    use softtoken::record::{
        self, Keyring, Place, RecordError, SEALED, Seal, SealError, Zeroizing,
    };
    use softtoken::{OsEntropy, Policy};

    use super::{is_kept, is_overwritten, put};
    use crate::world::World;

    fn keyring() -> Keyring {
        Keyring::from_bytes(1, &[0x11; 32])
    }

    /// Alice's record, sealed for this keyring, and the server that has it.
    fn world() -> World {
        let mut world = World::standard();
        world.mfa = world
            .mfa
            .sealed(keyring())
            .seal_label("production/softtoken");
        let _ = world.enrol("alice");
        world
    }

    /// The same rows, and a server with another seal.
    fn over(mut world: World, seal: impl Seal + 'static) -> World {
        world.mfa = world.mfa.sealed(seal);
        world
    }

    #[test]
    fn what_was_changed_or_moved_here_is_overwritten() {
        let world = world();
        let _ = world.enrol("mallory");
        let own = world.row("alice").unwrap().record;
        let mut changed = own.clone();
        *changed.last_mut().unwrap() ^= 1;
        for record in [
            changed,
            own.clone(),
            own[..40].to_vec(),
            vec![SEALED],
            world.row("mallory").unwrap().record,
        ] {
            put(&world, "alice", record);
            is_overwritten(&world, RecordError::DoesNotOpen);
        }
    }

    #[test]
    fn what_a_lost_key_or_another_label_sealed_is_overwritten() {
        let world = over(world(), Keyring::from_bytes(2, &[0x22; 32]));
        is_overwritten(&world, RecordError::UnknownKey { id: 1 });
        let world = over(world, Keyring::from_bytes(2, &[0x33; 32]));
        is_overwritten(&world, RecordError::DoesNotOpen);
        let mut world = world;
        world.mfa = world.mfa.seal_label("staging/softtoken");
        is_overwritten(&world, RecordError::DoesNotOpen);
    }

    #[test]
    fn a_record_in_the_clear_is_overwritten_where_there_is_a_seal() {
        let world = World::standard();
        let _ = world.enrol("alice");
        let world = over(world, keyring());
        is_overwritten(&world, RecordError::NotSealed);
        assert_eq!(world.row("alice").unwrap().record[0], SEALED);
    }

    /// Rules W1 and W3: what a newer version has written is not lost, and its reset is that version's.
    #[test]
    fn a_newer_format_in_the_clear_is_kept_where_there_is_a_seal() {
        let world = World::standard();
        let _ = world.enrol("alice");
        let own = world.row("alice").unwrap().record;
        let world = over(world, keyring());
        for format in [record::FORMAT + 1, 0x7f] {
            put(&world, "alice", [&[format], &own[1..]].concat());
            is_kept(&world, RecordError::NotSealed);
        }
        for format in [0x80, 0xff] {
            put(&world, "alice", [&[format], &own[1..]].concat());
            is_kept(&world, RecordError::UnknownFormat { format });
        }
    }

    /// Sealed bytes, for the next revision of alice's row.
    fn seal_next(world: &World, plain: &[u8]) -> Vec<u8> {
        let next = world.row("alice").unwrap().revision.next().unwrap();
        let place = Place::new("alice", next).labelled(b"production/softtoken");
        let sealed = keyring().seal(place, &OsEntropy, plain).unwrap();
        [&[SEALED], &sealed[..]].concat()
    }

    #[test]
    fn what_opens_and_is_no_record_is_overwritten_and_a_newer_format_is_kept() {
        let world = world();
        put(&world, "alice", seal_next(&world, &[1, 2, 3]));
        is_overwritten(&world, RecordError::Damaged);
        let mut newer = record::encode(&Record::default()).to_vec();
        newer[0] = 2;
        put(&world, "alice", seal_next(&world, &newer));
        is_kept(&world, RecordError::UnknownFormat { format: 2 });
        for format in [0x80, 0x82] {
            let mut newer = world.row("alice").unwrap().record;
            newer[0] = format;
            put(&world, "alice", newer);
            is_kept(&world, RecordError::UnknownFormat { format });
        }
    }

    #[test]
    fn a_sealed_record_is_kept_where_there_is_no_seal() {
        let plain = World::new(Policy::STANDARD);
        let _ = plain.enrol("alice");
        let record = seal_next(&plain, &[1]);
        put(&plain, "alice", record);
        is_kept(&plain, RecordError::Sealed);
    }

    /// A seal whose key cannot be reached just now.
    struct Unreachable;

    impl Seal for Unreachable {
        fn seal(&self, _: Place<'_>, _: &dyn Entropy, _: &[u8]) -> Result<Vec<u8>, SealError> {
            Err(SealError::Failed)
        }

        fn open(&self, _: Place<'_>, _: &[u8]) -> Result<Zeroizing<Vec<u8>>, RecordError> {
            Err(RecordError::SealFailed)
        }
    }

    #[test]
    fn a_record_is_kept_whose_key_cannot_be_reached_just_now() {
        is_kept(&over(world(), Unreachable), RecordError::SealFailed);
    }

    /// A seal whose key cannot be reached just now, under one label; under another it opens nothing.
    struct UnreachableUnder(&'static [u8]);

    impl Seal for UnreachableUnder {
        fn seal(&self, _: Place<'_>, _: &dyn Entropy, _: &[u8]) -> Result<Vec<u8>, SealError> {
            Err(SealError::Failed)
        }

        fn open(&self, place: Place<'_>, _: &[u8]) -> Result<Zeroizing<Vec<u8>>, RecordError> {
            if place.label() == self.0 {
                Err(RecordError::SealFailed)
            } else {
                Err(RecordError::DoesNotOpen)
            }
        }
    }

    /// Else an outage that ends before the second label is tried would let a reset overwrite.
    #[test]
    fn a_record_whose_key_cannot_be_reached_is_tried_under_no_other_label() {
        let mut world = over(world(), UnreachableUnder(b"production/softtoken"));
        world.mfa = world.mfa.also_open_seal_label("staging/softtoken");
        is_kept(&world, RecordError::SealFailed);
    }

    #[test]
    fn what_cannot_be_sealed_is_not_put_in_the_clear_over_what_does_not_open() {
        let world = world();
        let revision = put(&world, "alice", vec![SEALED]);
        let world = over(world, BrokenPen);
        let before = world.row("alice");
        let failed = super::reset_at(&world, revision).unwrap_err();
        assert_eq!(failed.name(), "seal_failed");
        assert_eq!(world.row("alice"), before);
    }

    /// A seal that opens, and does not seal.
    struct BrokenPen;

    impl Seal for BrokenPen {
        fn seal(&self, _: Place<'_>, _: &dyn Entropy, _: &[u8]) -> Result<Vec<u8>, SealError> {
            Err(SealError::Failed)
        }

        fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, RecordError> {
            keyring().open(place, sealed)
        }
    }
}
