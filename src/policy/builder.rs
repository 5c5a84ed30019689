//! Builds policies, and refuses those that are out of range or contradict themselves.

use core::time::Duration;

use super::size::SPENT_SESSIONS;
use super::{Policy, PolicyBuilder, Requirement, Throttle};
use crate::totp::{Totp, TotpError, Window};

/// Says why a policy was refused, by [`PolicyBuilder::build`] or where it was to be used. Nothing
/// was built or changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The TOTP parameters or the window could not be made in the first place; the variant lets `?`
    /// pass their error on.
    #[error(transparent)]
    Totp(#[from] TotpError),
    /// The length of new secrets is out of its range. RFC 4226 R6 asks for at least 16 bytes.
    #[error("a new secret has 16 to 64 bytes")]
    SecretBytes,
    /// MFA is required, or will be, but nobody may set up a software token.
    #[error("MFA cannot be required while software tokens are off")]
    RequiredButDisabled,
    /// The number of tokens that one subject may hold is out of its range.
    #[error("a subject holds at most 1 to 10 tokens")]
    MaxTokens,
    /// The window has a drift. A drift belongs to a token, not to a policy.
    #[error("the window of a policy has no drift")]
    WindowDrift,
    /// The lifetime of a pending secret is out of its range.
    #[error("a pending secret lives 1 minute to 24 hours")]
    PendingLifetime,
    /// The lifetime of a challenge session is out of its range.
    #[error("a challenge session lives 3 to 15 minutes")]
    SessionLifetime,
    /// One token's own codes could complete more sign-ins within one session's lifetime than a
    /// record remembers.
    #[error(
        "session lifetime, period and window allow more than 64 sign-ins within one session's life"
    )]
    SpentBound,
    /// The length of a token's name is out of its range.
    #[error("a token's name is kept to at most 1024 bytes")]
    NameBytes,
    /// The reach of resynchronising is out of its range.
    #[error("resynchronisation reaches 1 to 120 steps")]
    ResynchroniseReach,
    /// The number of attempts at the compare-and-swap is out of its range.
    #[error("the compare-and-swap is attempted 1 to 1000 times")]
    SwapAttempts,
    /// A field of [`Throttle`] is out of its range, which the field's description states.
    #[error("a number of the throttle is out of its range")]
    Throttle,
    /// The number of wrong recovery codes is out of its range.
    #[error("recovery codes are refused after 1 to 100 wrong ones in a row")]
    RecoveryLimit,
    /// A grant's freshness is less than a second.
    #[error("a grant's freshness is at least one second")]
    ReauthenticateWithin,
    /// A view of a request was to be made with a policy that differs in what the record of a
    /// subject depends on: the throttle, the window, `resynchronise_reach`, `learn_drift`,
    /// `max_tokens`, `session_lifetime`, `recovery_limit` or `name_bytes`. All views of one store
    /// share these.
    #[error("the view's policy differs in what the shared record depends on")]
    OtherRecordRules,
    /// The time for which a browser is to be remembered is out of its range.
    #[error("a browser is remembered for 1 hour to 90 days")]
    BrowserLifetime,
}

impl PolicyBuilder {
    /// Sets whether a sign-in asks for the second factor. Default: [`Requirement::Optional`].
    #[must_use]
    pub const fn requirement(mut self, requirement: Requirement) -> Self {
        self.requirement = requirement;
        self
    }

    /// Sets whether tokens may be associated, verified and imported. Default: `true`. While this is
    /// `false`, sign-ins still ask for the tokens that are in force.
    #[must_use]
    pub const fn software_tokens(mut self, allowed: bool) -> Self {
        self.software_tokens = allowed;
        self
    }

    /// Sets how many tokens one subject may hold, 1 to [`Policy::MAX_TOKENS`]. Default: 1, with
    /// which a newly verified token replaces the one in force. Each token more gives a guesser as
    /// many codes more that are right; [`Policy::guess_odds`] takes that into account.
    #[must_use]
    pub const fn max_tokens(mut self, tokens: usize) -> Self {
        self.max_tokens = tokens;
        self
    }

    /// Sets whether `verify` also enables the token. Default: `true`, so that a user who stops
    /// after `verify` is protected.
    #[must_use]
    pub const fn enable_on_verify(mut self, enable: bool) -> Self {
        self.enable_on_verify = enable;
        self
    }

    /// Sets the algorithm, digits and period of new tokens. Default: [`Totp::STANDARD`], the only
    /// parameters that every authenticator app honours. Several apps ignore others silently and
    /// show wrong codes.
    #[must_use]
    pub const fn totp(mut self, totp: Totp) -> Self {
        self.totp = totp;
        self
    }

    /// Sets the length of new secrets, 16 to 64 bytes. Default: 20. Imported secrets may have other
    /// lengths.
    #[must_use]
    pub const fn secret_bytes(mut self, bytes: usize) -> Self {
        self.secret_bytes = bytes;
        self
    }

    /// Sets the steps around the present one whose codes are accepted. Default: one step either
    /// way.
    #[must_use]
    pub const fn window(mut self, window: Window) -> Self {
        self.window = window;
        self
    }

    /// Sets whether an accepted code updates how far the authenticator's clock is known to be off.
    /// Default: `false`.
    #[must_use]
    pub const fn learn_drift(mut self, learn: bool) -> Self {
        self.learn_drift = learn;
        self
    }

    /// Sets how many steps either way `resynchronise` searches, 1 to 120. Default: 20, which is ten
    /// minutes.
    #[must_use]
    pub const fn resynchronise_reach(mut self, steps: u8) -> Self {
        self.resynchronise_reach = steps;
        self
    }

    /// Sets how long a newly issued secret waits for its first code, 1 minute to 24 hours. Default:
    /// 10 minutes.
    #[must_use]
    pub const fn pending_lifetime(mut self, lifetime: Duration) -> Self {
        self.pending_lifetime = lifetime;
        self
    }

    /// Sets how long a challenge session lives, 3 to 15 minutes. Default: 3 minutes.
    #[must_use]
    pub const fn session_lifetime(mut self, lifetime: Duration) -> Self {
        self.session_lifetime = lifetime;
        self
    }

    /// Sets how old the authentication behind a grant may be where the grant changes a factor: the
    /// second factor's time where possession of a token is needed, else the first factor's.
    ///
    /// Default: 15 minutes, so that a session left open or stolen later cannot remove the second
    /// factor; call `step_up` before such a change. With `None`, the default of
    /// [`Policy::COGNITO`], the expiry of your application's own access tokens decides.
    #[must_use]
    pub const fn reauthenticate_within(mut self, age: Option<Duration>) -> Self {
        self.reauthenticate_within = age;
        self
    }

    /// Sets whether a grant without a second factor may replace a token that no sign-in has ever
    /// asked for. Default: `false`; `true` in [`Policy::COGNITO`].
    ///
    /// With `true`, `associate` and `verify` accept such a grant for a replacement where exactly
    /// one token is in force, a sign-in under this policy would not ask for that token, the token
    /// has guarded nothing since it was last turned off, and the user authenticated after the token
    /// was verified and last turned off. The token's recovery codes die with it, and the event says
    /// that possession was waived. No such grant adds a token beside it.
    ///
    /// The reason is the user who loses the phone before the token is enabled, or after an
    /// administrator has turned MFA off: without the waiver such a user could not enrol again by
    /// signing in. Cognito allows the same. In [`Policy::STANDARD`] `verify` enables the token at
    /// once, and the password alone is to replace nothing; there, an administrator's `reset` helps
    /// that user.
    #[must_use]
    pub const fn waive_possession_of_unasked_token(mut self, waive: bool) -> Self {
        self.waive_possession_of_unasked_token = waive;
        self
    }

    /// Sets whether a grant without a second factor may enable a token, or make it the preferred
    /// one. Default: `false`; `true` in [`Policy::COGNITO`], where an access token is enough, as it
    /// is for Amazon Cognito.
    ///
    /// With `false`, raising the preference needs possession of a token, as lowering it always
    /// does: an attacker who has only the password cannot make sign-ins ask for a token that the
    /// user turned off.
    #[must_use]
    pub const fn raise_preference_by_first_factor(mut self, allow: bool) -> Self {
        self.raise_preference_by_first_factor = allow;
        self
    }

    /// Sets how many bytes of a token's name are kept, up to 1,024. Longer names are cut at a
    /// character boundary. Default: 256.
    #[must_use]
    pub const fn name_bytes(mut self, bytes: usize) -> Self {
        self.name_bytes = bytes;
        self
    }

    /// Sets the numbers of the throttle. Default: [`Throttle::STANDARD`].
    #[must_use]
    pub const fn throttle(mut self, throttle: Throttle) -> Self {
        self.throttle = throttle;
        self
    }

    /// Sets after how many wrong recovery codes in a row, 1 to 100, every recovery code is refused.
    /// Default: `None`: wrong codes are counted and reported but never shut recovery out, since a
    /// code has 125 bits and cannot be guessed.
    ///
    /// `Some(100)` follows [NIST SP 800-63B-4 section 4.2.1.1][saved] to the letter, which asks for
    /// the limit of section 3.2.2 here as well. It is a dead end: an attacker who has the password
    /// can use up the limit, after which the user's right recovery code is refused too. A user who
    /// has also lost the authenticator then needs an administrator: `unlock` and a temporary code
    /// clear the count.
    ///
    /// [saved]: https://pages.nist.gov/800-63-4/sp800-63b.html#savedrecovery
    #[must_use]
    pub const fn recovery_limit(mut self, wrong: Option<u32>) -> Self {
        self.recovery_limit = wrong;
        self
    }

    /// Sets how often a request attempts the compare-and-swap, 1 to 1,000 times. Default: 16.
    #[must_use]
    pub const fn swap_attempts(mut self, attempts: u32) -> Self {
        self.swap_attempts = attempts;
        self
    }

    /// Builds the policy.
    ///
    /// # Errors
    ///
    /// Returns the [`PolicyError`] of the first number that is out of its range, or of the
    /// contradiction.
    pub fn build(self) -> Result<Policy, PolicyError> {
        const MINUTE: Duration = Duration::from_secs(60);
        let requires = matches!(
            self.requirement,
            Requirement::Required | Requirement::RequiredFrom(_)
        );
        let checks = [
            (
                (16..=64).contains(&self.secret_bytes),
                PolicyError::SecretBytes,
            ),
            (
                self.software_tokens || !requires,
                PolicyError::RequiredButDisabled,
            ),
            (
                (1..=Policy::MAX_TOKENS).contains(&self.max_tokens),
                PolicyError::MaxTokens,
            ),
            (
                (MINUTE..=Policy::LONGEST_PENDING).contains(&self.pending_lifetime),
                PolicyError::PendingLifetime,
            ),
            (
                (3 * MINUTE..=15 * MINUTE).contains(&self.session_lifetime),
                PolicyError::SessionLifetime,
            ),
            (self.window.drift() == 0, PolicyError::WindowDrift),
            (self.own_codes_fit(), PolicyError::SpentBound),
            (self.name_bytes <= 1024, PolicyError::NameBytes),
            (
                (1..=120).contains(&self.resynchronise_reach),
                PolicyError::ResynchroniseReach,
            ),
            (
                (1..=1000).contains(&self.swap_attempts),
                PolicyError::SwapAttempts,
            ),
            (self.throttle.is_valid(), PolicyError::Throttle),
            (
                self.recovery_limit
                    .is_none_or(|wrong| (1..=100).contains(&wrong)),
                PolicyError::RecoveryLimit,
            ),
            (
                self.reauthenticate_within
                    .is_none_or(|age| age.as_secs() >= 1),
                PolicyError::ReauthenticateWithin,
            ),
        ];
        checks
            .into_iter()
            .find(|(holds, _)| !holds)
            .map_or(Ok(Policy(self)), |(_, error)| Err(error))
    }

    /// Returns whether the codes of one token with these parameters, each used as soon as it is
    /// right, leave room among the sessions that a record remembers as spent.
    ///
    /// Accepted steps only rise, and a drift opens a second window: what is accepted within one
    /// session's lifetime goes through the first window, the steps of the lifetime itself, and the
    /// second window. An imported token of a shorter period has more codes, and so has one whose
    /// clock is moved on purpose: both wait, as [`Throttled`](crate::Rejection::Throttled), until
    /// sessions expire.
    fn own_codes_fit(&self) -> bool {
        let lifetime = self.session_lifetime.as_secs() / self.totp.period().as_secs();
        let most = lifetime + 1 + 2 * self.window_steps();
        usize::try_from(most).is_ok_and(|most| most <= SPENT_SESSIONS)
    }

    /// Returns how many steps the window has.
    pub(super) fn window_steps(&self) -> u64 {
        u64::from(self.window.back()) + u64::from(self.window.forward()) + 1
    }
}
