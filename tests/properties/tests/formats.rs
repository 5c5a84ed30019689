//! Format 1, written a second time: what every record's bytes are, and that nothing else is read.
#![allow(clippy::unwrap_used, reason = "a failing step fails the test")]

use proptest::collection::vec;
use proptest::prelude::*;
use softtoken::Policy;
use softtoken::record::{self, FORMAT, SEALED};

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

fn flag() -> Bytes {
    byte(0..=1_u8)
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
fn list(item: Bytes, count: impl Into<proptest::collection::SizeRange>) -> Bytes {
    let items = vec(item, count).prop_map(|items| {
        let count = u16::try_from(items.len()).unwrap().to_be_bytes();
        [&count[..], &items.concat()].concat()
    });
    items.boxed()
}

/// After a byte that says whether it is there.
fn optional(bytes: Bytes) -> Bytes {
    prop_oneof![Just(vec![0]), present(bytes)].boxed()
}

fn present(bytes: Bytes) -> Bytes {
    bytes.prop_map(|bytes| [&[1][..], &bytes].concat()).boxed()
}

/// How much there is of what varies.
#[derive(Clone, Copy)]
enum Size {
    Any,
    /// As much as a policy allows.
    Full {
        tokens: usize,
        name_bytes: usize,
    },
}

impl Size {
    fn optional(self, bytes: Bytes) -> Bytes {
        match self {
            Self::Any => optional(bytes),
            Self::Full { .. } => present(bytes),
        }
    }

    fn list(self, item: Bytes, most: usize) -> Bytes {
        match self {
            Self::Any => list(item, 0..=most),
            Self::Full { .. } => list(item, most),
        }
    }

    fn tokens(self) -> Bytes {
        match self {
            Self::Any => prop_oneof![
                4 => list(self.token(), 0..=3),
                1 => list(self.token(), 4..=10),
            ]
            .boxed(),
            Self::Full { tokens, .. } => list(self.token(), tokens),
        }
    }

    fn name(self) -> Bytes {
        let text = match self {
            Self::Any => vec(any::<char>(), 0..64)
                .prop_map(|text| String::from_iter(text).into_bytes())
                .boxed(),
            Self::Full { name_bytes, .. } => Just(vec![b'n'; name_bytes]).boxed(),
        };
        self.optional(sized(text))
    }

    fn secret(self) -> Bytes {
        let bytes = match self {
            Self::Any => vec(any::<u8>(), 10..=128).boxed(),
            Self::Full { .. } => exactly(128),
        };
        all([
            byte(1..=3_u8),
            byte(6..=8_u8),
            byte(15..=120_u8),
            sized(bytes),
        ])
    }

    /// Id, secret, end, name, the token that it replaces.
    fn pending(self) -> Bytes {
        let replaces = self.optional(exactly(16));
        all([exactly(16), self.secret(), number(), self.name(), replaces])
    }

    /// Id, secret, since, the grant that proved it, last step, last used, drift, name, whether its
    /// sign-in may still be completed.
    fn token(self) -> Bytes {
        let drift = (-121..=121_i16).prop_map(|drift| drift.to_be_bytes().to_vec());
        all([
            exactly(16),
            self.secret(),
            number(),
            self.optional(exactly(16)),
            number(),
            self.optional(number()),
            drift.boxed(),
            self.name(),
            flag(),
        ])
    }

    /// The set with its salt; the temporary code with its own, and its end; how many were wrong.
    fn recovery(self) -> Bytes {
        let set = all([exactly(16), self.list(exactly(16), 10)]);
        let temporary = all([exactly(16), exactly(16), number()]);
        all([self.optional(set), self.optional(temporary), exactly(4)])
    }

    /// The attempt's hash, generation, end; method, token, step, time, first factor, whether other
    /// logins should end.
    fn last_answer(self) -> Bytes {
        let proof = all([
            byte(1..=4_u8),
            self.optional(exactly(16)),
            self.optional(number()),
            number(),
            self.optional(number()),
            flag(),
        ]);
        all([exactly(16), number(), number(), proof])
    }

    fn format_1(self) -> Bytes {
        all([
            byte(Just(1)),
            self.tokens(),
            self.optional(self.pending()),
            number(),
            // Since when second factors count that name no token: generation and time.
            self.optional(all([number(), number()])),
            flag(),
            // The throttle: streak, debt, debt since, suspicion, not before.
            all([exactly(4), exactly(4), number(), exactly(4), number()]),
            byte(0..=2_u8),
            flag(),
            self.optional(number()),
            self.recovery(),
            self.list(all([exactly(16), number()]), 64),
            self.optional(number()),
            number(),
            self.optional(number()),
            self.optional(self.last_answer()),
        ])
    }
}

/// What a policy allows at the most.
fn full() -> impl Strategy<Value = (Policy, Vec<u8>)> {
    let limits = (
        1..=Policy::MAX_TOKENS,
        prop_oneof![Just(0), Just(1024), 0..=1024_usize],
    );
    limits.prop_flat_map(|(tokens, name_bytes)| {
        let policy = Policy::builder().max_tokens(tokens).name_bytes(name_bytes);
        let record = Size::Full { tokens, name_bytes }.format_1();
        (Just(policy.build().unwrap()), record)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// That what is written outgrew no buffer, with secrets in it, `encode` asserts in a debug
    /// build.
    #[test]
    fn every_record_of_format_1_is_read_and_written_the_same(bytes in Size::Any.format_1()) {
        prop_assert_eq!(FORMAT, 1);
        let record = record::decode(&bytes).unwrap();
        let written = record::encode(&record);
        prop_assert_eq!(written.as_slice(), bytes.as_slice());
        prop_assert_eq!(record::decode(&written), Ok(record));
    }

    #[test]
    fn two_records_never_have_the_same_bytes(
        bytes in Size::Any.format_1(),
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
    fn a_record_that_is_cut_or_followed_by_something_is_no_record(
        bytes in Size::Any.format_1(),
        cut in any::<proptest::sample::Index>(),
        more in vec(any::<u8>(), 1..40),
    ) {
        prop_assert!(record::decode(&bytes[..cut.index(bytes.len())]).is_err());
        prop_assert!(record::decode(&[bytes, more].concat()).is_err());
    }

    /// Sealing adds the format's byte, the key's id, a nonce and a tag.
    #[test]
    fn no_record_that_a_policy_allows_is_larger_than_it_says_sealed_or_not(
        (policy, bytes) in full(),
    ) {
        let record = record::decode(&bytes).unwrap();
        let largest = record::encode(&record).len() + 45;
        prop_assert!(largest <= policy.max_record_bytes());
        prop_assert!(policy.max_record_bytes() < largest + 64, "{} for {largest}", policy.max_record_bytes());
    }

    #[test]
    fn no_record_begins_as_a_sealed_one_does(bytes in Size::Any.format_1()) {
        let mut sealed = bytes;
        sealed[0] = SEALED;
        prop_assert!(record::decode(&sealed).is_err());
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
        let original = record::decode(original).unwrap();
        if let Ok(record) = record::decode(&bytes) {
            prop_assert_ne!(record, original);
        }
    }
}
