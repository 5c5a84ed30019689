//! What holds whatever is done, read from the stored bytes and from what was answered: no reading
//! of the specification's tables is needed for it.

use std::collections::HashMap;

use proptest::test_runner::TestCaseResult;
use proptest::{prop_assert, prop_assert_eq};
use softtoken::association::Method;
use softtoken::store::Snapshot;
use softtoken::{Policy, Rejection, TokenId};

use crate::words::{Call, Given, Told};

/// What a row holds, as far as the laws speak of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Row {
    pub revision: u64,
    pub length: usize,
    /// The replay floors, by token.
    pub floors: Vec<(String, u64)>,
    pub pending: Option<String>,
    pub generation: u64,
    pub factors_from: Option<(u64, u64)>,
    pub ever_verified: bool,
    pub streak: u32,
    pub debt: u32,
    pub suspicion: u32,
}

impl Row {
    pub fn read(found: Option<&Snapshot>) -> Self {
        let Some(found) = found else {
            return Self::default();
        };
        let mut bytes = Bytes(&found.record);
        assert_eq!(bytes.take(1), [1], "the format");
        let tokens = bytes.number(2);
        let floors = (0..tokens).map(|_| bytes.token()).collect();
        Self {
            revision: found.revision.get(),
            length: found.record.len(),
            floors,
            pending: bytes.optional(Bytes::pending),
            generation: bytes.number(8),
            factors_from: bytes.optional(|bytes| (bytes.number(8), bytes.number(8))),
            ever_verified: bytes.number(1) == 1,
            streak: bytes.count(),
            debt: bytes.count(),
            suspicion: {
                let _debt_since = bytes.number(8);
                bytes.count()
            },
        }
    }
}

/// Format 1, from its beginning.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    fn number(&mut self, length: usize) -> u64 {
        let bytes = self.take(length).iter();
        bytes.fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    fn count(&mut self) -> u32 {
        u32::try_from(self.number(4)).unwrap()
    }

    fn sized(&mut self) -> &'a [u8] {
        let length = self.number(2);
        self.take(usize::try_from(length).unwrap())
    }

    fn optional<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.number(1) == 1).then(|| read(self))
    }

    fn id(&mut self) -> String {
        let bytes = self.take(16).try_into().unwrap();
        format!("{:032x}", u128::from_be_bytes(bytes))
    }

    fn secret(&mut self) {
        self.take(3);
        self.sized();
    }

    fn token(&mut self) -> (String, u64) {
        let id = self.id();
        self.secret();
        self.take(8);
        self.optional(|bytes| bytes.take(16));
        let floor = self.number(8);
        self.optional(|bytes| bytes.take(8));
        self.take(2);
        self.optional(Self::sized);
        self.take(1);
        (id, floor)
    }

    fn pending(&mut self) -> String {
        let id = self.id();
        self.secret();
        self.take(8);
        self.optional(Self::sized);
        self.optional(|bytes| bytes.take(16));
        id
    }
}

/// One call, as the laws see it.
pub struct Seen<'a> {
    pub call: &'a Call,
    pub policy: &'a Policy,
    pub reply: Result<&'a Given, Rejection>,
    pub told: &'a [Told],
    pub before: &'a Row,
    pub after: &'a Row,
}

/// The highest step of each token whose code was ever accepted.
#[derive(Default)]
pub struct Laws {
    accepted: HashMap<TokenId, u64>,
}

impl Laws {
    pub fn hold(&mut self, seen: &Seen<'_>) -> TestCaseResult {
        self.no_step_is_accepted_twice(seen)?;
        floors_never_fall(seen)?;
        failures_counted_are_failures_answered(seen)?;
        what_is_refused_or_only_read_is_not_written(seen)?;
        what_is_raised_is_not_lowered(seen)?;
        let Row { length, .. } = seen.after;
        prop_assert!(*length <= seen.policy.max_record_bytes(), "{length} bytes");
        Ok(())
    }

    fn no_step_is_accepted_twice(&mut self, seen: &Seen<'_>) -> TestCaseResult {
        let again = |told: &Told| told.kind.name() == "answered_again";
        let finishes = matches!(seen.call, Call::FinishSetup { .. });
        let proof = seen.reply.ok().and_then(Given::proof);
        let Some(proof) = proof.filter(|_| !finishes && !seen.told.iter().any(again)) else {
            return Ok(());
        };
        let Some((token, step)) = proof.token.zip(proof.step) else {
            prop_assert_ne_software_token(proof.method)?;
            return Ok(());
        };
        let before = self.accepted.insert(token, step);
        prop_assert!(
            before.is_none_or(|before| before < step),
            "step {step} of {token} after {before:?}"
        );
        Ok(())
    }
}

fn prop_assert_ne_software_token(method: Method) -> TestCaseResult {
    prop_assert!(method != Method::SoftwareToken, "a code without its step");
    Ok(())
}

fn floors_never_fall(seen: &Seen<'_>) -> TestCaseResult {
    for (id, floor) in &seen.before.floors {
        let after = seen.after.floors.iter().find(|(other, _)| other == id);
        if let Some((_, after)) = after {
            prop_assert!(
                floor <= after,
                "the floor of {id} fell from {floor} to {after}"
            );
        }
    }
    Ok(())
}

/// One for one: every wrong code of a token is in the count, and nothing else is.
fn failures_counted_are_failures_answered(seen: &Seen<'_>) -> TestCaseResult {
    let Row {
        streak, suspicion, ..
    } = *seen.before;
    let after = (seen.after.streak, seen.after.suspicion);
    match seen.reply {
        Err(Rejection::Mismatch) if seen.call.takes_a_code() => {
            prop_assert_eq!(after, (streak + 1, suspicion + 1), "one failure");
            prop_assert!(seen.after.debt >= 1);
        }
        Err(rejection) => {
            prop_assert_eq!(after, (streak, suspicion), "none: {:?}", rejection);
            prop_assert_eq!(seen.after.debt, seen.before.debt, "none: {:?}", rejection);
        }
        Ok(_) => {
            prop_assert!(seen.after.streak == streak || seen.after.streak == 0);
            prop_assert!(seen.after.suspicion <= suspicion);
            prop_assert!(seen.after.debt <= seen.before.debt);
        }
    }
    Ok(())
}

fn what_is_refused_or_only_read_is_not_written(seen: &Seen<'_>) -> TestCaseResult {
    let reads = matches!(
        (seen.call, seen.reply),
        (
            Call::SignIn { .. } | Call::Check { .. } | Call::Remember { .. },
            _
        ) | (
            _,
            Ok(Given::NotRequired { .. }
                | Given::FactorRequired { .. }
                | Given::SetupRequired { .. })
        )
    );
    let refused = seen.reply.err();
    if reads || refused.is_some_and(|rejection| rejection != Rejection::Mismatch) {
        prop_assert_eq!(seen.after, seen.before);
    }
    prop_assert!(
        seen.after.revision <= seen.before.revision + 1,
        "one write a call"
    );
    Ok(())
}

fn what_is_raised_is_not_lowered(seen: &Seen<'_>) -> TestCaseResult {
    let (before, after) = (seen.before, seen.after);
    prop_assert!(after.generation <= after.revision, "{after:?}");
    prop_assert!(before.generation <= after.generation);
    prop_assert!(before.ever_verified <= after.ever_verified);
    let ids = |row: &Row| {
        row.floors
            .iter()
            .map(|(id, _)| id.clone())
            .collect::<Vec<_>>()
    };
    if ids(before) != ids(after) {
        prop_assert!(
            before.generation < after.generation,
            "what is in force has changed"
        );
    }
    let left = ids(before).into_iter().any(|id| !ids(after).contains(&id));
    let raised = after.factors_from.map(|(generation, _)| generation) == Some(after.generation);
    prop_assert!(!left || raised, "a token left: {after:?}");
    let mends = matches!(seen.call, Call::Reset { mending: true });
    let time = |row: &Row| row.factors_from.map(|(_, time)| time);
    prop_assert!(
        mends || time(before) <= time(after),
        "{before:?}, {after:?}"
    );
    prop_assert!(after.pending.is_none() || !ids(after).contains(after.pending.as_ref().unwrap()));
    Ok(())
}
