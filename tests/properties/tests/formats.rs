//! Format 1, written a second time: what every record's bytes are, and that nothing else is read.
#![allow(clippy::unwrap_used, reason = "a failing step fails the test")]

use proptest::collection::vec;
use proptest::prelude::*;
use softtoken::record::{self, FORMAT};

const FIXTURES: [&[u8]; 3] = [
    include_bytes!("../../fixtures/format-1-empty.bin"),
    include_bytes!("../../fixtures/format-1-pending.bin"),
    include_bytes!("../../fixtures/format-1-everything.bin"),
];

type Bytes = BoxedStrategy<Vec<u8>>;

/// One after the other.
fn all(parts: impl IntoIterator<Item = Bytes>) -> Bytes {
    let parts: Vec<_> = parts.into_iter().collect();
    parts.prop_map(|parts| parts.concat()).boxed()
}

fn byte(values: impl Strategy<Value = u8> + 'static) -> Bytes {
    values.prop_map(|value| vec![value]).boxed()
}

fn exactly(length: usize) -> Bytes {
    vec(any::<u8>(), length).boxed()
}

/// A number of eight bytes: a time, a step, a generation.
fn number() -> Bytes {
    let ends = prop_oneof![Just(0), Just(u64::MAX), any::<u64>()];
    ends.prop_map(|value| value.to_be_bytes().to_vec()).boxed()
}

/// After its length in two bytes.
fn sized(bytes: Bytes) -> Bytes {
    let sized = bytes.prop_map(|bytes| {
        let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
        [&length[..], &bytes].concat()
    });
    sized.boxed()
}

/// After their number in two bytes.
fn list(item: Bytes, most: usize) -> Bytes {
    let items = vec(item, 0..=most).prop_map(|items| {
        let count = u16::try_from(items.len()).unwrap().to_be_bytes();
        [&count[..], &items.concat()].concat()
    });
    items.boxed()
}

fn optional(bytes: Bytes) -> Bytes {
    prop_oneof![
        Just(vec![0]),
        bytes.prop_map(|bytes| [&[1][..], &bytes].concat())
    ]
    .boxed()
}

fn name() -> Bytes {
    let text = vec(any::<char>(), 0..64).prop_map(|text| String::from_iter(text).into_bytes());
    optional(sized(text.boxed()))
}

fn secret() -> Bytes {
    all([
        byte(1..=3_u8),
        byte(6..=8_u8),
        byte(15..=120_u8),
        sized(vec(any::<u8>(), 16..=64).boxed()),
    ])
}

fn pending() -> Bytes {
    all([exactly(16), secret(), number(), name()])
}

fn token() -> Bytes {
    let proved_by = optional(exactly(16));
    let flags = [byte(0..=1_u8), byte(0..=1_u8)];
    let drift = (-121..=121_i16).prop_map(|drift| drift.to_be_bytes().to_vec());
    let drift = drift.boxed();
    let head = [secret(), number(), proved_by, number(), drift, name()];
    all(head.into_iter().chain(flags))
}

fn association() -> Bytes {
    let verified = all([token(), optional(pending())]);
    prop_oneof![
        Just(vec![0]),
        pending().prop_map(|pending| [&[1][..], &pending].concat()),
        verified.prop_map(|verified| [&[2][..], &verified].concat()),
    ]
    .boxed()
}

fn last_answer() -> Bytes {
    let proof = all([
        byte(1..=2_u8),
        optional(number()),
        number(),
        byte(0..=1_u8),
        byte(0..=1_u8),
    ]);
    all([exactly(16), number(), number(), proof])
}

fn format_1() -> Bytes {
    all([
        byte(Just(1)),
        association(),
        number(),
        // The throttle: streak, debt, debt since, not before.
        all([exactly(4), exactly(4), number(), number()]),
        byte(0..=2_u8),
        optional(all([exactly(16), list(exactly(16), 12)])),
        list(all([exactly(16), number()]), 80),
        optional(number()),
        optional(last_answer()),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_record_of_format_1_is_read_and_written_the_same(bytes in format_1()) {
        prop_assert_eq!(FORMAT, 1);
        let record = record::decode(&bytes).unwrap();
        let written = record::encode(&record);
        prop_assert_eq!(written.as_slice(), bytes.as_slice());
        prop_assert_eq!(written.len(), written.capacity(), "it did not grow with secrets in it");
        prop_assert_eq!(record::decode(&written), Ok(record));
    }

    #[test]
    fn two_records_never_have_the_same_bytes(
        bytes in format_1(),
        position in any::<proptest::sample::Index>(),
        flipped in 1_u8..,
    ) {
        let mut changed = bytes.clone();
        let position = position.index(changed.len());
        changed[position] ^= flipped;
        if let Ok(other) = record::decode(&changed) {
            prop_assert_ne!(&other, &record::decode(&bytes).unwrap());
            let written = record::encode(&other);
            prop_assert_eq!(written.as_slice(), changed.as_slice());
        }
    }

    #[test]
    fn no_bytes_make_decoding_panic_and_what_is_read_is_written_the_same(
        bytes in vec(any::<u8>(), 0..600),
    ) {
        if let Ok(record) = record::decode(&bytes) {
            let written = record::encode(&record);
            prop_assert_eq!(written.as_slice(), bytes.as_slice());
        }
    }

    #[test]
    fn damaged_fixtures_are_refused_or_are_other_records(
        position in any::<proptest::sample::Index>(),
        flipped in 1_u8..,
        original in proptest::sample::select(&FIXTURES),
    ) {
        let mut bytes = original.to_vec();
        let position = position.index(bytes.len());
        bytes[position] ^= flipped;
        if let Ok(record) = record::decode(&bytes) {
            prop_assert_ne!(record, record::decode(original).unwrap());
        }
    }
}
