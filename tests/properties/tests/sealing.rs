//! Sealed records: what was sealed opens in its place, and nothing else does.
#![allow(clippy::unwrap_used, reason = "a failing step fails the test")]

use chacha20poly1305::{AeadInOut as _, KeyInit as _, XChaCha20Poly1305};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use softtoken::association::Record;
use softtoken::record::{self, FORMAT, Keyring, Place, RecordError, SEALED, Seal as _};
use softtoken::store::Snapshot;
use softtoken::{
    Administrator, Code, Event, Fault, Grant, Mfa, OsEntropy, Policy, Revision, UnixTime,
};

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

fn keyring() -> Keyring {
    let mut keys = Keyring::from_bytes(1, &[1; 32]);
    keys.also_open(2, &[2; 32]);
    keys
}

fn mfa() -> Mfa {
    Mfa::new(Policy::STANDARD, || Some(NOW), OsEntropy).sealed(keyring())
}

fn subject() -> impl Strategy<Value = String> {
    vec(any::<char>(), 1..40).prop_map(String::from_iter)
}

fn label() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..24)
}

fn revision() -> impl Strategy<Value = Revision> {
    (1..=i64::MAX).prop_map(|number| Revision::from_i64(number).unwrap())
}

/// Bytes that begin as a record sealed with a key that is there.
fn framed() -> impl Strategy<Value = Vec<u8>> {
    (1..=2_u32, vec(any::<u8>(), 0..600))
        .prop_map(|(id, rest)| [&id.to_be_bytes()[..], &rest].concat())
}

/// A row of anything, which may begin as one that this version or another has written.
fn row() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        4 => Just(SEALED),
        2 => Just(FORMAT),
        1 => Just(FORMAT + 1),
        1 => Just(SEALED + 1),
        2 => any::<u8>(),
    ];
    let rest = prop_oneof![vec(any::<u8>(), 0..600), framed()];
    (first, rest).prop_map(|(first, rest)| [&[first][..], &rest].concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_sealed_opens_and_is_longer_by_as_much(
        subject in subject(),
        label in label(),
        revision in revision(),
        plain in vec(any::<u8>(), 0..1200),
    ) {
        let place = Place::new(&subject, revision).labelled(&label);
        let sealed = keyring().seal(place, &OsEntropy, &plain).unwrap();
        prop_assert_eq!(sealed.len(), plain.len() + 44);
        let opened = keyring().open(place, &sealed).unwrap();
        prop_assert_eq!(opened.as_slice(), plain.as_slice());
    }

    /// Texts shorter than a call for keystream, as long, and longer by some.
    #[test]
    fn what_is_sealed_is_what_another_implementation_seals(
        key in any::<[u8; 32]>(),
        nonce in any::<[u8; 24]>(),
        id in any::<u32>(),
        (subject, label, revision) in (subject(), label(), revision()),
        plain in vec(any::<u8>(), 0..1200),
    ) {
        let place = Place::new(&subject, revision).labelled(&label);
        let entropy = move |bytes: &mut [u8]| {
            bytes.copy_from_slice(&nonce);
            Ok(())
        };
        let keyring = Keyring::from_bytes(id, &key);
        let sealed = keyring.seal(place, &entropy, &plain).unwrap();

        let id = id.to_be_bytes();
        let bound = [&place.associated_data()[..], &id].concat();
        let mut ciphertext = plain.clone();
        let tag = XChaCha20Poly1305::new(&key.into())
            .encrypt_inout_detached(&nonce.into(), &bound, ciphertext.as_mut_slice().into())
            .unwrap();
        let expected = [&id[..], &nonce, &ciphertext, &tag].concat();
        prop_assert_eq!(&sealed, &expected);
        let opened = keyring.open(place, &expected).unwrap();
        prop_assert_eq!(opened.as_slice(), plain.as_slice());
    }

    #[test]
    fn in_another_place_or_changed_it_does_not_open(
        (subject, other) in (subject(), subject()),
        (label, elsewhere) in (label(), label()),
        (revision, later) in (revision(), revision()),
        plain in vec(any::<u8>(), 0..600),
        position in any::<Index>(),
        flipped in 1_u8..,
        cut in any::<Index>(),
    ) {
        let place = Place::new(&subject, revision).labelled(&label);
        let sealed = keyring().seal(place, &OsEntropy, &plain).unwrap();
        for elsewhere in [
            Place::new(&other, revision).labelled(&label),
            Place::new(&subject, later).labelled(&label),
            Place::new(&subject, revision).labelled(&elsewhere),
            Place::new(&subject, revision),
        ] {
            if elsewhere != place {
                let opened = keyring().open(elsewhere, &sealed);
                prop_assert_eq!(opened, Err(RecordError::DoesNotOpen));
            }
        }
        let mut changed = sealed.clone();
        changed[position.index(sealed.len())] ^= flipped;
        prop_assert!(keyring().open(place, &changed).is_err());
        prop_assert!(keyring().open(place, &sealed[..cut.index(sealed.len())]).is_err());
    }

    /// A subject or a label may be made of what stands around another one.
    #[test]
    fn no_two_places_have_the_same_associated_data(
        (label, elsewhere) in ("[\0\u{8}\u{81}a]{0,12}", "[\0\u{8}\u{81}a]{0,12}"),
        (subject, other) in ("[\0\u{8}\u{81}a]{0,24}", "[\0\u{8}\u{81}a]{0,24}"),
        (revision, later) in (1..4_u64, 1..4_u64),
    ) {
        let revision = Revision::new(revision).unwrap();
        let later = Revision::new(later).unwrap();
        let one = Place::new(&subject, revision).labelled(label.as_bytes());
        let another = Place::new(&other, later).labelled(elsewhere.as_bytes());
        prop_assert_eq!(one == another, one.associated_data() == another.associated_data());
    }

    #[test]
    fn no_bytes_open_by_chance_or_make_opening_panic(
        sealed in prop_oneof![vec(any::<u8>(), 0..600), framed()],
        subject in subject(),
        revision in revision(),
    ) {
        let refused = keyring().open(Place::new(&subject, revision), &sealed).unwrap_err();
        let unknown_key = matches!(refused, RecordError::UnknownKey { .. });
        prop_assert!(unknown_key || refused == RecordError::DoesNotOpen, "{:?}", refused);
    }

    #[test]
    fn no_row_is_taken_for_a_sealed_record_or_makes_a_request_panic(
        record in row(),
        adopting in any::<bool>(),
        revision in revision(),
    ) {
        let mut mfa = mfa();
        if adopting {
            mfa = mfa.adopting_plain_records();
        }
        let in_the_clear = adopting && record::decode(&record).is_ok();
        let grant = Grant::first_factor("alice", NOW);
        let request = mfa.step_up(&grant, Code::parse("123456").unwrap());
        let decided = request.decide("alice", Some(Snapshot { revision, record }));
        prop_assert_eq!(matches!(decided, Err(Fault::Record(_))), !in_the_clear);
    }

    /// An old row under another label opens only where its label is named, and is sealed under the
    /// view's own label when it is next written.
    #[test]
    fn a_row_opens_under_the_labels_that_are_named_and_no_other(
        (label, old, other) in (label(), label(), label()),
        revision in 1..i64::MAX - 1,
    ) {
        let revision = Revision::from_i64(revision).unwrap();
        let plain = record::encode(&Record::default());
        let sealed = |label: &[u8], revision| {
            let place = Place::new("alice", revision).labelled(label);
            let sealed = keyring().seal(place, &OsEntropy, &plain).unwrap();
            Some(Snapshot { revision, record: [&[SEALED][..], &sealed].concat() })
        };
        let view = mfa().seal_label(&label).also_open_seal_label(&old);
        let read = |found| view.status().decide("alice", found).map(|_| ());
        prop_assert_eq!(read(sealed(&label, revision)), Ok(()));
        prop_assert_eq!(read(sealed(&old, revision)), Ok(()));
        if other != label && other != old {
            let refused = Err(Fault::Record(RecordError::DoesNotOpen));
            prop_assert_eq!(read(sealed(&other, revision)), refused);
        }
        let resealed = view.reseal().decide("alice", sealed(&old, revision)).unwrap();
        let write = resealed.write().unwrap();
        let place = Place::new("alice", write.next()).labelled(&label);
        prop_assert!(keyring().open(place, &write.record()[1..]).is_ok());
    }

    /// What a newer version has written is not damaged: it waits for the newer version.
    #[test]
    fn the_reset_of_what_does_not_open_overwrites_it_at_the_revision_that_it_states_and_nothing_newer(
        record in row(),
        revision in 1..i64::MAX - 1,
        stated in prop_oneof![3 => Just(0_i64), 1 => -1..=1_i64, 1 => any::<i64>()],
    ) {
        let revision = Revision::from_i64(revision).unwrap();
        let stated = revision.as_i64().saturating_add(stated);
        let stated = Revision::from_i64(stated.max(1)).unwrap();
        let newer = FORMAT < record[0] && record[0] != SEALED;
        let reset = mfa().reset(&Administrator::named("root")).unreadable(stated);
        match reset.decide("alice", Some(Snapshot { revision, record })) {
            Ok(decision) => {
                prop_assert!(stated == revision && !newer);
                let write = decision.write().unwrap();
                prop_assert_eq!(write.next().get(), revision.get() + 1);
                let names: Vec<_> = write.events().iter().map(Event::name).collect();
                prop_assert_eq!(names, ["reset"]);
            }
            Err(fault) => {
                prop_assert!(stated != revision || newer, "{:?}", fault);
                prop_assert!(matches!(fault, Fault::Record(_)));
            }
        }
    }
}
