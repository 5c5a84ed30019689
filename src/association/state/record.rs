//! Holds the record of a subject: the tokens in force, and all that hangs on them.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::last_answer::LastAnswer;
use super::recovery::Recovery;
use super::spent::SpentSessions;
use super::throttle::Count;
use crate::association::credential::{Claims, Purpose};
use crate::association::names::{Generation, TokenId, TokenName};
use crate::association::outcome::{NamedToken, Rejection, SessionFlaw};
use crate::policy::{Policy, Requirement};
use crate::revision::Revision;
use crate::time::{Step, UnixTime};
use crate::totp::{Secret, Totp};

/// Holds everything that is kept for a subject: one record, one row, one compare-and-swap.
///
/// A subject of whom nothing is stored has the default record. [`record`](crate::record) turns it
/// into bytes and back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Lists the software tokens in force.
    pub(crate) tokens: Vec<Token>,
    // Boxed as all that is seldom there: a record is moved about.
    pub(crate) pending: Option<Box<Pending>>,
    /// Raised whenever what is in force changes: sessions of another generation are dead.
    pub(crate) generation: Generation,
    /// Remembers the last change that took a token out of force. Outlives everything.
    pub(crate) factors_from: Option<FactorsFrom>,
    /// Says whether a token was ever in force here.
    pub(crate) ever_verified: bool,
    pub(crate) throttle: Count,
    pub(crate) preference: Preference,
    /// Says whether a token has guarded something since the second factor was last turned off.
    pub(crate) asked: bool,
    /// Says when the second factor was last turned off.
    pub(crate) off_from: Option<UnixTime>,
    pub(crate) recovery: Recovery,
    pub(crate) spent: SpentSessions,
    /// Grants authenticated before this are void.
    pub(crate) grants_from: Option<UnixTime>,
    /// Remembered browsers of an earlier number are void.
    pub(crate) browsers_from: u64,
    /// Says when the tokens were last exported.
    pub(crate) exported: Option<UnixTime>,
    pub(crate) last_answer: Option<Box<LastAnswer>>,
}

/// Says from when on a second factor that names no token counts: since a token was last taken out
/// of force.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FactorsFrom {
    pub(crate) generation: Generation,
    pub(crate) time: UnixTime,
}

/// Holds a secret that was issued and not yet proven.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Pending {
    /// Becomes the token's id.
    pub(crate) id: TokenId,
    pub(crate) secret: Secret,
    pub(crate) totp: Totp,
    pub(crate) expires: UnixTime,
    pub(crate) name: Option<TokenName>,
    /// Names the token that the new one is to replace.
    pub(crate) replaces: Option<TokenId>,
}

/// Holds a secret that a code has proven.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Token {
    pub(crate) id: TokenId,
    pub(crate) secret: Secret,
    pub(crate) totp: Totp,
    pub(crate) since: UnixTime,
    /// Holds the hash of the id of the grant that proved the token.
    pub(crate) proved_by: Option<[u8; 16]>,
    /// Holds the last accepted step: only a later one is ever accepted.
    pub(crate) last_step: Step,
    pub(crate) last_used: Option<UnixTime>,
    /// Says how many steps the user's clock is ahead.
    pub(crate) drift: i16,
    pub(crate) name: Option<TokenName>,
    /// Says whether the sign-in that set the token up may still be completed by the code that
    /// proved it, while a session of that moment lives. It is a mark on the token, since neither
    /// time, nor another session for the same proof, may make that possible twice.
    pub(crate) unfinished: bool,
}

/// Names the three states.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[expect(clippy::exhaustive_enums, reason = "the machine has three states")]
pub enum State {
    /// No token is in force, and no secret waits for its first code.
    Unassociated,
    /// No token is in force, and a secret waits for its first code.
    Pending,
    /// A token is in force, whatever waits beside it.
    Verified,
}

/// Says whether a sign-in asks for a token where the policy leaves it to the user, and whether
/// before any other factor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[expect(clippy::exhaustive_enums, reason = "a preference is one of three")]
pub enum Preference {
    /// A sign-in does not ask for a token.
    Disabled,
    /// A sign-in asks for a token.
    Enabled,
    /// A sign-in asks for a token before any other factor.
    Preferred,
}

impl Preference {
    /// Returns whether a sign-in asks for a token where the policy leaves it to the user.
    #[must_use]
    pub const fn is_enabled(self) -> bool {
        !matches!(self, Self::Disabled)
    }

    /// Returns whether a sign-in asks for a token before any other factor.
    #[must_use]
    pub const fn is_preferred(self) -> bool {
        matches!(self, Self::Preferred)
    }
}

impl Default for Record {
    fn default() -> Self {
        Self {
            tokens: Vec::new(),
            pending: None,
            generation: 0,
            factors_from: None,
            ever_verified: false,
            throttle: Count::NONE,
            preference: Preference::Disabled,
            asked: false,
            off_from: None,
            recovery: Recovery::default(),
            spent: SpentSessions::default(),
            grants_from: None,
            browsers_from: 0,
            exported: None,
            last_answer: None,
        }
    }
}

impl Record {
    /// Returns what is assumed of a record that does not open, so that it can be reset: a token was
    /// in force, and no generation of its exceeds its revision.
    pub(crate) fn unreadable(revision: Revision, now: UnixTime) -> Self {
        let generation = revision.get();
        Self {
            generation,
            factors_from: Some(FactorsFrom {
                generation: generation.saturating_add(1),
                time: now,
            }),
            ever_verified: true,
            ..Self::default()
        }
    }

    /// Returns which of the three states the record is in, where an expired secret still counts as
    /// waiting.
    pub(crate) fn state(&self) -> State {
        if self.is_verified() {
            State::Verified
        } else if self.pending.is_some() {
            State::Pending
        } else {
            State::Unassociated
        }
    }

    pub(crate) fn is_verified(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// Checks that a token is in force.
    pub(crate) fn verified(&self) -> Result<(), Rejection> {
        if self.is_verified() {
            Ok(())
        } else {
            Err(Rejection::NotAssociated)
        }
    }

    pub(crate) fn token(&self, id: TokenId) -> Result<&Token, Rejection> {
        let token = self.tokens.iter().find(|token| token.id == id);
        token.ok_or(Rejection::NoSuchToken)
    }

    pub(crate) fn token_mut(&mut self, id: TokenId) -> Option<&mut Token> {
        self.tokens.iter_mut().find(|token| token.id == id)
    }

    /// Returns whether a sign-in under this policy asks for a token.
    pub(crate) fn is_asked_for(&self, policy: &Policy, now: UnixTime) -> bool {
        self.is_verified()
            && match policy.requirement() {
                Requirement::Off => false,
                Requirement::Optional => self.preference.is_enabled(),
                Requirement::Required => true,
                Requirement::RequiredFrom(_) => {
                    policy.requires(now) || self.preference.is_enabled()
                }
            }
    }

    /// Checks that a session has not ended: nothing in force has changed since, and it has not
    /// succeeded.
    pub(crate) fn admits(&self, claims: &Claims) -> Result<(), SessionFlaw> {
        if claims.generation != self.generation {
            return Err(SessionFlaw::OtherGeneration);
        }
        if self.spent.contains(&claims.nonce) {
            return Err(SessionFlaw::Spent);
        }
        if let Purpose::SetupPending(id) = claims.purpose
            && self.pending.as_ref().map(|pending| pending.id) != Some(id)
        {
            return Err(SessionFlaw::OtherPending);
        }
        Ok(())
    }

    /// Changes which tokens are in force, in one step: the tokens that `leaves` names go out, these
    /// come in. Whatever hung on those that leave ends, a secret that waits ends, and one
    /// generation follows the other.
    pub(crate) fn change_in_force(
        &mut self,
        leaves: impl Fn(&Token) -> bool,
        come: impl IntoIterator<Item = Token>,
        now: UnixTime,
    ) {
        self.generation = self.generation.saturating_add(1);
        let was_verified = self.is_verified();
        for token in self.tokens.iter().filter(|token| leaves(token)) {
            // A clock that went back must not bring second factors to life that this token has
            // proven.
            let known = self.factors_from.map(|from| from.time);
            let latest = [known, Some(token.since), token.last_used];
            self.factors_from = Some(FactorsFrom {
                generation: self.generation,
                time: latest.into_iter().flatten().fold(now, UnixTime::max),
            });
        }
        self.tokens.retain(|token| !leaves(token));
        let remained = self.tokens.len();
        self.tokens.extend(come);
        if self.tokens.len() > remained {
            self.ever_verified = true;
            if !was_verified {
                self.throttle = Count::NONE;
            }
        }
        self.pending = None;
        self.recovery.temporary = None;
        self.last_answer = None;
        if !self.is_verified() {
            self.preference = Preference::Disabled;
            self.asked = false;
            self.recovery.set = None;
        }
    }

    /// Turns the second factor off, shown its possession: what was remembered of it ends.
    pub(crate) fn turn_off(&mut self, now: UnixTime) {
        self.preference = Preference::Disabled;
        self.asked = false;
        self.off_from = self.off_from.max(Some(now));
        self.forget_browsers();
    }

    pub(crate) fn forget_browsers(&mut self) {
        self.browsers_from = self.browsers_from.saturating_add(1);
        // Given again, or only now, it would be the evidence of a browser to remember anew.
        self.last_answer = None;
        for token in &mut self.tokens {
            token.unfinished = false;
        }
    }

    /// Lowers to `now` every stored time that lies ahead of it: the clock was wrong, and is mended.
    pub(crate) fn lower_times(&mut self, now: UnixTime) {
        let lower = |time: &mut UnixTime| {
            if time.lies_ahead(now) {
                *time = now;
            }
        };
        self.grants_from.iter_mut().for_each(lower);
        self.off_from.iter_mut().for_each(lower);
        self.exported.iter_mut().for_each(lower);
        self.factors_from
            .iter_mut()
            .map(|from| &mut from.time)
            .for_each(lower);
        self.spent
            .0
            .iter_mut()
            .map(|spent| &mut spent.expires)
            .for_each(lower);
    }
}

impl Token {
    /// Returns the names by which an event knows it.
    pub(crate) fn named(&self) -> NamedToken {
        NamedToken {
            id: self.id,
            name: self.name.clone(),
        }
    }
}

impl Pending {
    /// Returns whether its first code may come yet.
    pub(crate) fn is_alive(&self, now: UnixTime) -> bool {
        now.is_before_end(self.expires, Policy::LONGEST_PENDING)
    }

    /// Returns the names by which an event knows it.
    pub(crate) fn named(&self) -> NamedToken {
        NamedToken {
            id: self.id,
            name: self.name.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::association::state::Spent;

    #[test]
    fn a_time_that_is_no_further_ahead_than_clocks_may_be_apart_is_not_lowered() {
        let at = UnixTime::from_secs;
        let mut record = Record {
            grants_from: Some(at(160)),
            off_from: Some(at(161)),
            ..Record::default()
        };
        record.lower_times(at(100));
        assert_eq!(record.grants_from, Some(at(160)));
        assert_eq!(record.off_from, Some(at(100)));
    }

    #[test]
    fn every_time_that_only_grows_is_lowered_where_it_lies_ahead() {
        let record = |seconds| {
            let time = UnixTime::from_secs(seconds);
            let nonce = [1; 16];
            Record {
                factors_from: Some(FactorsFrom {
                    generation: 3,
                    time,
                }),
                off_from: Some(time),
                spent: SpentSessions(vec![Spent {
                    nonce,
                    expires: time,
                }]),
                grants_from: Some(time),
                exported: Some(time),
                ..Record::default()
            }
        };
        let mut ahead = record(161);
        ahead.lower_times(UnixTime::from_secs(100));
        assert_eq!(ahead, record(100));
    }
}
