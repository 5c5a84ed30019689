//! A row, and what an independent reader finds in it: the oracle does not ask the crate what it has
//! stored.

use std::sync::Arc;

use softtoken::store::Snapshot;
use softtoken::{Revision, TokenId};

/// A token's id, as a number.
pub(crate) type Id = u128;

pub(crate) fn number_of(token: TokenId) -> Id {
    u128::from_str_radix(&token.to_string(), 16).expect("hexadecimal digits")
}

pub(crate) fn token_of(id: Id) -> TokenId {
    format!("{id:032x}").parse().expect("32 digits")
}

/// A subject's row; a state holds many references to few of them.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Row {
    pub(crate) revision: u64,
    pub(crate) record: Box<[u8]>,
}

pub(crate) type Held = Option<Arc<Row>>;

impl Row {
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            revision: Revision::new(self.revision).expect("a revision that was stored"),
            record: self.record.to_vec(),
        }
    }
}

/// What the rules speak of.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct View {
    pub(crate) tokens: Vec<InForce>,
    pub(crate) generation: u64,
    pub(crate) count: Count,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct InForce {
    pub(crate) id: Id,
    pub(crate) floor: u64,
    /// Where in the record the floor stands.
    pub(crate) floor_at: usize,
}

/// The throttle's count, as far as the model's short times move it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Count {
    pub(crate) streak: u32,
    pub(crate) debt: u32,
    pub(crate) not_before: u64,
}

impl View {
    pub(crate) fn of(row: &Held) -> Self {
        row.as_ref().map_or_else(Self::default, |row| {
            let mut reader = Reader {
                bytes: &row.record,
                at: 0,
            };
            reader.record()
        })
    }

    pub(crate) fn is_verified(&self) -> bool {
        !self.tokens.is_empty()
    }

    pub(crate) fn token(&self, id: Id) -> Option<&InForce> {
        self.tokens.iter().find(|token| token.id == id)
    }
}

/// Reads format 1 as far as the throttle. A record that is shorter ends the run: it has no business
/// here.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let taken = self.bytes[self.at..].first_chunk().copied();
        self.at += N;
        taken.expect("a whole record")
    }

    fn byte(&mut self) -> u8 {
        let [byte] = self.take();
        byte
    }

    fn count(&mut self) -> u32 {
        u32::from_be_bytes(self.take())
    }

    fn number(&mut self) -> u64 {
        u64::from_be_bytes(self.take())
    }

    fn length(&mut self) -> usize {
        usize::from(u16::from_be_bytes(self.take()))
    }

    fn sized(&mut self) {
        self.at += self.length();
    }

    fn optional(&mut self, length: usize) {
        if self.byte() == 1 {
            self.at += length;
        }
    }

    fn name(&mut self) {
        if self.byte() == 1 {
            self.sized();
        }
    }

    fn id(&mut self) -> Id {
        u128::from_be_bytes(self.take())
    }

    fn secret(&mut self) {
        let [_algorithm, _digits, _period] = self.take();
        self.sized();
    }

    fn token(&mut self) -> InForce {
        let id = self.id();
        self.secret();
        let _since = self.number();
        self.optional(16);
        let floor_at = self.at;
        let floor = self.number();
        self.optional(8);
        let _drift = self.take::<2>();
        self.name();
        let _unfinished = self.byte();
        InForce {
            id,
            floor,
            floor_at,
        }
    }

    fn record(&mut self) -> View {
        assert_eq!(self.byte(), 1, "the reader knows format 1");
        let tokens = (0..self.length()).map(|_| self.token()).collect();
        if self.byte() == 1 {
            let _id = self.id();
            self.secret();
            let _expires = self.number();
            self.name();
            self.optional(16);
        }
        let generation = self.number();
        self.optional(16);
        let _ever_verified = self.byte();
        let (streak, debt) = (self.count(), self.count());
        let _debt_since = self.number();
        let _suspicion = self.count();
        let not_before = self.number();
        View {
            tokens,
            generation,
            count: Count {
                streak,
                debt,
                not_before,
            },
        }
    }
}
