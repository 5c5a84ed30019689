//! Moves a subject in: tokens that another system has issued.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::association::authority::Administrator;
use crate::association::draft::Draft;
use crate::association::names::TokenId;
use crate::association::operation::{Operation, sealed};
use crate::association::outcome::{Actor, EventKind, NamedToken, Refusal, Rejection};
use crate::association::state::{Pending, Preference, Token};
use crate::entropy::{Entropy, NoEntropy};
use crate::policy::Policy;
use crate::time::Step;
use crate::totp::{Secret, Totp};

/// Describes a token of another system, to be taken over by [`Import`].
///
/// ```
/// use softtoken::association::ImportedToken;
/// use softtoken::totp::{Secret, Totp};
/// use softtoken::time::Step;
///
/// let secret = Secret::from_base32_legacy("JBSWY3DPEHPK3PXP")?;
/// let token = ImportedToken::proven(secret, Totp::STANDARD)
///     .named("phone")
///     .last_step(Step::new(56_666_666)); // where the old system kept it, in steps
/// # Ok::<(), softtoken::totp::SecretError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImportedToken {
    secret: Secret,
    totp: Totp,
    name: Option<String>,
    is_proven: bool,
    last_step: Option<Step>,
    drift: Option<i16>,
}

/// Reports a list of tokens that cannot be imported as it stands. Nothing was read, nothing stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// There is no token in the list.
    #[error("there is no token to import")]
    Empty,
    /// A pending token is imported alone.
    #[error("a pending token is imported alone")]
    PendingAmongOthers,
    /// A pending token has accepted no step, and has no drift.
    #[error("a pending token has neither a last step nor a drift")]
    PendingWithHistory,
    /// A pending token is not enabled, and replaces nothing.
    #[error("a pending token is neither enabled nor put in place of others")]
    PendingInForce,
    /// The same secret stands twice in the list.
    #[error("the same secret is imported twice")]
    DuplicateSecret,
    /// A drift is more than 121 steps.
    #[error("the drift of an imported token is more than 121 steps")]
    Drift,
    /// The source of randomness failed. Nothing was made.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
}

impl ImportedToken {
    /// Describes a token that its holder has proven to the other system: it will be in force at
    /// once.
    #[must_use]
    pub fn proven(secret: Secret, totp: Totp) -> Self {
        Self {
            secret,
            totp,
            name: None,
            is_proven: true,
            last_step: None,
            drift: None,
        }
    }

    /// Describes a secret that nobody has proven yet: it will wait for its first code as if it had
    /// been associated here.
    #[must_use]
    pub fn pending(secret: Secret, totp: Totp) -> Self {
        Self {
            is_proven: false,
            ..Self::proven(secret, totp)
        }
    }

    /// Names the token.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Says which step the other system accepted last: the Unix time of that code divided by the
    /// period, not the time itself. Without it every code that is valid at the time of the import
    /// counts as spent.
    #[must_use]
    pub fn last_step(mut self, step: Step) -> Self {
        self.last_step = Some(step);
        self
    }

    /// Says how many steps the token's clock is ahead, -121 to 121.
    #[must_use]
    pub fn drift(mut self, steps: i16) -> Self {
        self.drift = Some(steps);
        self
    }

    /// Returns the secret.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// Returns the parameters.
    #[must_use]
    pub fn totp(&self) -> Totp {
        self.totp
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns the last accepted step, where it is known.
    #[must_use]
    pub fn last_accepted_step(&self) -> Option<Step> {
        self.last_step
    }

    /// Returns how many steps the token's clock is ahead.
    #[must_use]
    pub fn drift_steps(&self) -> i16 {
        self.drift.unwrap_or(0)
    }

    #[cfg(feature = "export")]
    pub(super) fn of(token: &Token) -> Self {
        Self {
            name: token.name.as_deref().map(String::from),
            last_step: Some(token.last_step),
            drift: Some(token.drift),
            ..Self::proven(token.secret.clone(), token.totp)
        }
    }

    /// Returns the floor of the token: what was spent here of the same secret stays spent.
    fn floor(&self, draft: &Draft<'_>) -> Step {
        let mut here = draft.record().tokens.iter();
        // Steps of another period are other times.
        let known = here
            .find(|token| token.secret == self.secret && token.totp.period() == self.totp.period());
        let brought = self.last_step.unwrap_or_else(|| self.latest_step(draft));
        known.map_or(brought, |token| brought.max(token.last_step))
    }

    /// Returns the latest step that can have been accepted by now, which is also the floor where
    /// none is given: every code that is valid now counts as spent.
    fn latest_step(&self, draft: &Draft<'_>) -> Step {
        let ahead = i64::from(self.drift_steps().max(0));
        let forward = i64::from(draft.policy().window().forward());
        self.totp
            .step(draft.now())
            .saturating_offset(ahead + forward)
    }
}

/// Bounds a drift: the furthest that resynchronising reaches, and the step after.
const MOST_DRIFT: u16 = 121;

/// Takes over tokens that another system has issued, by an administrator, where nothing is in
/// force: 1 to [`Policy::max_tokens`] proven ones, or one alone that is pending.
///
/// A subject that ever had a token here is refused ([`Rejection::VerifiedBefore`]), so that a
/// migration that runs twice brings nothing back that its user has removed.
///
/// [`Mfa::import`](crate::Mfa::import) makes a request of this operation. Its page has an example,
/// and lists the rejections.
// Not Clone: grants know a token by its id, and one that was removed would come back to them.
#[derive(Debug)]
pub struct Import {
    by: Administrator,
    tokens: Vec<(TokenId, ImportedToken)>,
    enabled: Option<bool>,
    replacing: bool,
    again: bool,
}

impl Import {
    /// Imports these tokens, and draws an id for each. Proven ones are enabled, unless
    /// [`enabled`](Self::enabled) says otherwise.
    ///
    /// # Errors
    ///
    /// [`ImportError`] where the list contradicts itself. Nothing was made.
    pub fn new(
        by: &Administrator,
        tokens: impl IntoIterator<Item = ImportedToken>,
        entropy: &dyn Entropy,
    ) -> Result<Self, ImportError> {
        let mut import = Self {
            by: by.clone(),
            // Room for more than are ever imported: a vector that grows leaves secrets behind.
            tokens: Vec::with_capacity(Policy::MAX_TOKENS + 1),
            enabled: None,
            replacing: false,
            again: false,
        };
        for token in tokens.into_iter().take(Policy::MAX_TOKENS + 1) {
            let mut before = import.tokens.iter();
            if before.any(|(_, other)| other.secret == token.secret) {
                return Err(ImportError::DuplicateSecret);
            }
            if token
                .drift
                .is_some_and(|drift| drift.unsigned_abs() > MOST_DRIFT)
            {
                return Err(ImportError::Drift);
            }
            if !token.is_proven && (token.last_step.is_some() || token.drift.is_some()) {
                return Err(ImportError::PendingWithHistory);
            }
            import.tokens.push((TokenId::draw(entropy)?, token));
        }
        match import.tokens.as_slice() {
            [] => Err(ImportError::Empty),
            [_, _, ..] if !import.is_proven() => Err(ImportError::PendingAmongOthers),
            _ => Ok(import),
        }
    }

    fn is_proven(&self) -> bool {
        self.tokens.iter().all(|(_, token)| token.is_proven)
    }

    /// Says whether sign-ins ask for the imported tokens where the policy leaves it to the user.
    ///
    /// # Errors
    ///
    /// [`ImportError::PendingInForce`] where the token is pending: `verify` decides.
    pub fn enabled(mut self, enabled: bool) -> Result<Self, ImportError> {
        if !self.is_proven() {
            return Err(ImportError::PendingInForce);
        }
        self.enabled = Some(enabled);
        Ok(self)
    }

    /// Puts the imported tokens in place of everything: tokens in force, what is pending, recovery
    /// and temporary codes, remembered browsers.
    ///
    /// # Errors
    ///
    /// [`ImportError::PendingInForce`] where the token is pending: it would leave the user without
    /// a second factor.
    pub fn replacing_everything(mut self) -> Result<Self, ImportError> {
        if !self.is_proven() {
            return Err(ImportError::PendingInForce);
        }
        self.replacing = true;
        Ok(self)
    }

    /// Imports for a subject that had a token here before, too.
    #[must_use]
    pub fn even_if_verified_before(mut self) -> Self {
        self.again = true;
        self
    }

    fn is_allowed(&self, draft: &Draft<'_>) -> Result<(), Rejection> {
        draft.software_tokens_allowed()?;
        let record = draft.record();
        if record.is_verified() {
            if !self.replacing {
                return Err(Rejection::AlreadyVerified);
            }
        } else if record.ever_verified && !self.again {
            return Err(Rejection::VerifiedBefore);
        }
        if self.tokens.len() > draft.policy().max_tokens() {
            return Err(Rejection::TooManyTokens);
        }
        let lies_ahead = |(_, token): &(TokenId, ImportedToken)| {
            token
                .last_step
                .is_some_and(|last| last > token.latest_step(draft))
        };
        if self.tokens.iter().any(lies_ahead) {
            return Err(Rejection::LastStepInFuture);
        }
        Ok(())
    }
}

impl sealed::Sealed for Import {}
impl Operation for Import {
    type Output = ();

    const NAME: &'static str = "import";

    fn actor(&self) -> Actor {
        self.by.actor()
    }

    fn is_one_subjects(&self) -> bool {
        true
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<(), Refusal> {
        self.is_allowed(draft)?;
        let now = draft.now();
        let is_proven = self.is_proven();
        let was_verified = draft.record().is_verified();
        if is_proven {
            let tokens = self.tokens.iter().map(|(id, token)| Token {
                id: *id,
                secret: token.secret.clone(),
                totp: token.totp,
                since: now,
                proved_by: None,
                last_step: token.floor(draft),
                last_used: None,
                drift: token.drift_steps(),
                name: draft.kept_name(token.name()),
                unfinished: false,
            });
            let tokens = tokens.collect::<Vec<_>>();
            self.put_in_force(draft, tokens);
        } else if let [(id, token)] = self.tokens.as_slice() {
            let lifetime = draft.policy().pending_lifetime();
            let pending = Pending {
                id: *id,
                secret: token.secret.clone(),
                totp: token.totp,
                expires: now.saturating_add(lifetime),
                name: draft.kept_name(token.name()),
                replaces: None,
            };
            draft.change().pending = Some(Box::new(pending));
        }
        for (id, token) in &self.tokens {
            let named = NamedToken {
                id: *id,
                name: draft.kept_name(token.name()),
            };
            let kind = EventKind::Imported {
                pending: !is_proven,
                weak: token.secret.is_weak(),
                replacing: was_verified,
            };
            draft.event_about(kind, Some(named));
        }
        Ok(())
    }
}

impl Import {
    fn put_in_force(&self, draft: &mut Draft<'_>, tokens: Vec<Token>) {
        let now = draft.now();
        let record = draft.change();
        if self.replacing {
            record.recovery.set = None;
            record.forget_browsers();
        }
        record.change_in_force(|_| true, tokens, now);
        record.preference = match self.enabled {
            Some(false) => Preference::Disabled,
            Some(true) | None => record.preference.max(Preference::Enabled),
        };
        record.asked = true;
    }
}
