//! The record of a subject: which of the three states, the token in force, and all that hangs on it.

use alloc::string::String;

use super::last_answer::LastAnswer;
use super::recovery::RecoverySet;
use super::spent::SpentSessions;
use super::throttle::Count;
use crate::association::credential::{Claims, Purpose};
use crate::association::names::PendingId;
use crate::association::outcome::{Rejection, SessionFlaw};
use crate::time::{Step, UnixTime};
use crate::totp::{Secret, Totp, Verifier, Window};

/// Everything that is kept for a subject: one record, one row, one compare-and-swap.
///
/// A subject of whom nothing is stored has the default record. [`record`](crate::record) turns it into bytes and back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    pub(crate) association: Association,
    /// Raised whenever what is in force changes: sessions of another generation are dead.
    pub(crate) generation: u64,
    pub(crate) throttle: Count,
    pub(crate) preference: Preference,
    pub(crate) recovery: Option<RecoverySet>,
    pub(crate) spent: SpentSessions,
    /// Grants authenticated before this are void.
    pub(crate) grants_from: Option<UnixTime>,
    pub(crate) last_answer: Option<LastAnswer>,
}

/// The three states.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Association {
    Unassociated,
    Pending(Pending),
    Verified(Verified),
}

/// A token in force, and the secret that may replace it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Verified {
    pub(crate) token: Token,
    pub(crate) replacement: Option<Pending>,
}

/// A secret that was issued and not yet proven.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Pending {
    pub(crate) id: PendingId,
    pub(crate) secret: Secret,
    pub(crate) totp: Totp,
    pub(crate) expires: UnixTime,
    pub(crate) name: Option<String>,
}

/// A secret that a code has proven.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Token {
    pub(crate) secret: Secret,
    pub(crate) totp: Totp,
    pub(crate) since: UnixTime,
    /// The hash of the id of the grant that proved it.
    pub(crate) proved_by: Option<[u8; 16]>,
    /// The last accepted step: only a later one is ever accepted.
    pub(crate) last_step: Step,
    /// How many steps the user's clock is ahead.
    pub(crate) drift: i16,
    pub(crate) name: Option<String>,
    /// Whether it has ever stood between somebody and a sign-in.
    pub(crate) ever_enabled: bool,
    /// Whether the sign-in that set it up may still be completed by the code that proved it. A mark on the token, since
    /// neither time, nor another session for the same proof, may make that possible twice.
    pub(crate) finishes_sign_in: bool,
}

/// Whether a sign-in asks for the token, and whether it is the user's choice among several factors.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Preference {
    /// An optional pool does not ask for it.
    Disabled,
    /// An optional pool asks for it.
    Enabled,
    /// An optional pool asks for it, before any other factor.
    Preferred,
}

impl Preference {
    /// Whether an optional pool asks for the token.
    #[must_use]
    pub const fn is_enabled(self) -> bool {
        !matches!(self, Self::Disabled)
    }

    /// Whether it asks for the token before any other factor.
    #[must_use]
    pub const fn is_preferred(self) -> bool {
        matches!(self, Self::Preferred)
    }
}

impl Default for Record {
    fn default() -> Self {
        Self {
            association: Association::Unassociated,
            generation: 0,
            throttle: Count::NONE,
            preference: Preference::Disabled,
            recovery: None,
            spent: SpentSessions::default(),
            grants_from: None,
            last_answer: None,
        }
    }
}

impl Record {
    /// Puts a token in force, in place of whatever was. Sessions of before are dead by their generation, so those of them
    /// that were spent need no remembering.
    pub(crate) fn enforce(&mut self, token: Token) {
        self.association = Association::Verified(Verified {
            token,
            replacement: None,
        });
        self.spent = SpentSessions::default();
        self.advance();
    }

    /// Ends what is in force, with all that hung on it.
    pub(crate) fn end(&mut self) {
        self.association = Association::Unassociated;
        self.preference = Preference::Disabled;
        self.recovery = None;
        self.last_answer = None;
        self.advance();
    }

    fn advance(&mut self) {
        self.generation = self.generation.saturating_add(1);
    }

    /// Whether a session has not ended: nothing has come into force since, and it has not succeeded.
    pub(crate) fn admits(&self, claims: &Claims) -> Result<(), SessionFlaw> {
        if claims.generation != self.generation {
            return Err(SessionFlaw::OtherGeneration);
        }
        if self.spent.contains(&claims.nonce) {
            return Err(SessionFlaw::Spent);
        }
        if let Purpose::SetupPending(id) = claims.purpose
            && self.association.pending().map(|pending| pending.id) != Some(id)
        {
            return Err(SessionFlaw::OtherPending);
        }
        Ok(())
    }

    pub(crate) fn is_verified(&self) -> bool {
        matches!(self.association, Association::Verified(_))
    }

    pub(crate) fn token(&self) -> Result<&Token, Rejection> {
        match &self.association {
            Association::Verified(verified) => Ok(&verified.token),
            Association::Unassociated | Association::Pending(_) => Err(Rejection::NotAssociated),
        }
    }

    /// The token, to be written by those who have found that there is one.
    pub(crate) fn token_mut(&mut self) -> Option<&mut Token> {
        match &mut self.association {
            Association::Verified(verified) => Some(&mut verified.token),
            Association::Unassociated | Association::Pending(_) => None,
        }
    }
}

impl Association {
    /// The secret that waits for its first code.
    pub(crate) fn pending(&self) -> Option<&Pending> {
        match self {
            Self::Unassociated => None,
            Self::Pending(pending) => Some(pending),
            Self::Verified(verified) => verified.replacement.as_ref(),
        }
    }
}

impl Token {
    pub(crate) fn verifier(&self) -> Verifier {
        Verifier::new(&self.secret, self.totp)
    }

    /// The window for this token: around the server's time, and around the user's where that is known to differ.
    pub(crate) fn window(&self, window: Window) -> Window {
        window.with_drift(self.drift)
    }
}
