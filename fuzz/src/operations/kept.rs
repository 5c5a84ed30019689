//! What a record keeps, read from its bytes by themselves: the invariants are not to lean on what they judge.

use softtoken::record::FORMAT;
use softtoken::time::Step;
use softtoken::totp::{Algorithm, Digits, Secret, Totp};

/// The parts of a record that the invariants are about.
pub(super) struct Kept {
    pub(super) tokens: Vec<Token>,
    pub(super) pending: Option<Token>,
    pub(super) generation: u64,
    pub(super) streak: u32,
    pub(super) enabled: bool,
}

/// A secret in force, or one that waits, for which the last step is none.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) id: String,
    pub(super) secret: Secret,
    pub(super) totp: Totp,
    pub(super) last_step: Option<Step>,
}

impl Kept {
    pub(super) fn read(bytes: &[u8]) -> Self {
        let mut rest = Rest(bytes);
        assert_eq!(rest.byte(), FORMAT);
        let tokens = (0..rest.length()).map(|_| {
            let (id, secret, totp) = rest.key();
            rest.take(8);
            rest.optional(16);
            let last_step = Some(Step::new(rest.number()));
            rest.optional(8);
            rest.take(2);
            rest.name();
            rest.byte();
            Token {
                id,
                secret,
                totp,
                last_step,
            }
        });
        let tokens = tokens.collect();
        let pending = (rest.byte() == 1).then(|| {
            let (id, secret, totp) = rest.key();
            rest.take(8);
            rest.name();
            rest.optional(16);
            Token {
                id,
                secret,
                totp,
                last_step: None,
            }
        });
        let generation = rest.number();
        rest.optional(16);
        rest.byte();
        let streak = u32::from_be_bytes(rest.array());
        rest.take(4 + 8 + 4 + 8);
        let enabled = rest.byte() > 0;
        Self {
            tokens,
            pending,
            generation,
            streak,
            enabled,
        }
    }

    pub(super) fn token(&self, id: &str) -> Option<&Token> {
        self.tokens.iter().find(|token| token.id == id)
    }

    pub(super) fn is_verified(&self) -> bool {
        !self.tokens.is_empty()
    }
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        self.take(N).try_into().expect("of this length")
    }

    fn byte(&mut self) -> u8 {
        let [byte] = self.array();
        byte
    }

    fn length(&mut self) -> usize {
        u16::from_be_bytes(self.array()).into()
    }

    fn number(&mut self) -> u64 {
        u64::from_be_bytes(self.array())
    }

    fn optional(&mut self, length: usize) {
        if self.byte() == 1 {
            self.take(length);
        }
    }

    fn name(&mut self) {
        if self.byte() == 1 {
            let length = self.length();
            self.take(length);
        }
    }

    fn key(&mut self) -> (String, Secret, Totp) {
        let id = format!("{:032x}", u128::from_be_bytes(self.array()));
        let algorithm = match self.byte() {
            1 => Algorithm::Sha1,
            2 => Algorithm::Sha256,
            _ => Algorithm::Sha512,
        };
        let digits = Digits::try_from(self.byte()).expect("6 to 8");
        let period = core::time::Duration::from_secs(self.byte().into());
        let length = self.length();
        let secret = Secret::from_bytes(self.take(length)).expect("of a length that is read");
        (
            id,
            secret,
            Totp::new(algorithm, digits, period).expect("a period that is read"),
        )
    }
}
