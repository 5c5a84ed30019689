//! Sealed records: what was sealed opens in its place, and nothing else does.
#![allow(clippy::unwrap_used, reason = "a failing step fails the test")]

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use softtoken::record::{Place, RecordError, SEALED};
use softtoken::{
    Code, Fault, Keyring, Mfa, OsEntropy, Policy, Revision, Seal as _, Snapshot, UnixTime,
};

fn keyring() -> Keyring {
    let mut keys = Keyring::from_bytes(1, &[1; 32]);
    keys.also_open(2, &[2; 32]);
    keys
}

fn subject() -> impl Strategy<Value = String> {
    vec(any::<char>(), 1..40).prop_map(String::from_iter)
}

fn revision() -> impl Strategy<Value = Revision> {
    (1..=i64::MAX).prop_map(|number| Revision::from_i64(number).unwrap())
}

/// Bytes that begin as a record sealed with a key that is there.
fn framed() -> impl Strategy<Value = Vec<u8>> {
    (1..=2_u32, vec(any::<u8>(), 0..600))
        .prop_map(|(id, rest)| [&id.to_be_bytes()[..], &rest].concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_sealed_opens_and_is_longer_by_as_much(
        subject in subject(),
        revision in revision(),
        plain in vec(any::<u8>(), 0..1200),
    ) {
        let place = Place::new(&subject, revision);
        let sealed = keyring().seal(place, &OsEntropy, &plain).unwrap();
        prop_assert_eq!(sealed.len(), plain.len() + 44);
        let opened = keyring().open(place, &sealed).unwrap();
        prop_assert_eq!(opened.as_slice(), plain.as_slice());
    }

    #[test]
    fn in_another_place_or_changed_it_does_not_open(
        (subject, other) in (subject(), subject()),
        (revision, later) in (revision(), revision()),
        plain in vec(any::<u8>(), 0..600),
        position in any::<Index>(),
        flipped in 1_u8..,
        cut in any::<Index>(),
    ) {
        let place = Place::new(&subject, revision);
        let sealed = keyring().seal(place, &OsEntropy, &plain).unwrap();
        for elsewhere in [Place::new(&other, revision), Place::new(&subject, later)] {
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

    /// A subject may be made of what stands around another one.
    #[test]
    fn no_two_places_have_the_same_associated_data(
        subject in "[\0\u{8}\u{81}a]{0,24}",
        other in "[\0\u{8}\u{81}a]{0,24}",
        (revision, later) in (1..4_u64, 1..4_u64),
    ) {
        let place = |subject, revision| Place::new(subject, Revision::new(revision).unwrap());
        let (one, another) = (place(&subject, revision), place(&other, later));
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
        first in prop_oneof![Just(SEALED), any::<u8>()],
        rest in prop_oneof![vec(any::<u8>(), 0..600), framed()],
        adopting in any::<bool>(),
        revision in revision(),
    ) {
        let clock = || Some(UnixTime::from_secs(1_700_000_000));
        let mut mfa = Mfa::new(Policy::STANDARD, clock, OsEntropy).sealed(keyring());
        if adopting {
            mfa = mfa.adopting_plain_records();
        }
        let record = [&[first][..], &rest].concat();
        let in_the_clear = adopting && softtoken::record::decode(&record).is_ok();
        let request = mfa.authenticate(Code::parse("123456").unwrap());
        let decided = request.decide("alice", Some(Snapshot { revision, record }));
        prop_assert_eq!(matches!(decided, Err(Fault::Record(_))), !in_the_clear);
    }
}
