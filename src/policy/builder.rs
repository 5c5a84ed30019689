//! How a policy is made, and which ones are refused.

use core::time::Duration;

use super::{Policy, PolicyBuilder, Requirement, Throttle};
use crate::totp::{Secret, Totp, TotpError, Window};

/// A policy that [`PolicyBuilder::build`] refuses. Nothing was built.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Parameters or a window that cannot be made in the first place; so that `?` takes them along.
    #[error(transparent)]
    Totp(#[from] TotpError),
    /// RFC 4226 R6 asks for 16 bytes; 64 is the most that this crate keeps.
    #[error("a secret has 16 to 64 bytes")]
    SecretBytes,
    /// MFA is required, but nobody may set up the only second factor there is.
    #[error("MFA cannot be required while software tokens are off")]
    RequiredButDisabled,
    /// A drift belongs to a token, not to a policy.
    #[error("the window of a policy has no drift")]
    WindowDrift,
    /// A pending secret lives 1 minute to 24 hours.
    #[error("a pending secret lives 1 minute to 24 hours")]
    PendingLifetime,
    /// A session lives 3 to 15 minutes.
    #[error("a session lives 3 to 15 minutes")]
    SessionLifetime,
    /// More sessions could succeed within one lifetime than the record keeps.
    #[error(
        "session lifetime, period and window allow more than 64 sign-ins within one session's life"
    )]
    SpentBound,
    /// A device name is kept to at most 1,024 bytes.
    #[error("a device name is kept to at most 1024 bytes")]
    NameBytes,
    /// A reach is 1 to 120 steps.
    #[error("resynchronisation reaches 1 to 120 steps")]
    ResynchroniseReach,
    /// At least one, at most 1,000 attempts at the compare-and-swap.
    #[error("the compare-and-swap is attempted 1 to 1000 times")]
    SwapAttempts,
    /// A number of the throttle out of its range.
    #[error("a number of the throttle is out of its range")]
    Throttle,
    /// Freshness of less than a second.
    #[error("a grant's freshness is at least one second")]
    ReauthenticateWithin,
}

impl PolicyBuilder {
    /// Whether a sign-in asks for the second factor. Default: [`Requirement::Optional`].
    #[must_use]
    pub const fn requirement(mut self, requirement: Requirement) -> Self {
        self.requirement = requirement;
        self
    }

    /// Whether tokens may be associated, verified and imported. Default: yes.
    #[must_use]
    pub const fn software_tokens(mut self, allowed: bool) -> Self {
        self.software_tokens = allowed;
        self
    }

    /// Whether `verify` enables the token as well. Default: yes, so that whoever stops there is protected.
    #[must_use]
    pub const fn enable_on_verify(mut self, enable: bool) -> Self {
        self.enable_on_verify = enable;
        self
    }

    /// The algorithm, digits and period of new tokens. Default: [`Totp::STANDARD`], the only parameters that every
    /// authenticator app honours; several ignore others in silence and show wrong codes.
    #[must_use]
    pub const fn totp(mut self, totp: Totp) -> Self {
        self.totp = totp;
        self
    }

    /// The length of new secrets, 16 to 64 bytes. Default: 20.
    #[must_use]
    pub const fn secret_bytes(mut self, bytes: usize) -> Self {
        self.secret_bytes = bytes;
        self
    }

    /// The steps around now whose codes are accepted. Default: one either way.
    #[must_use]
    pub const fn window(mut self, window: Window) -> Self {
        self.window = window;
        self
    }

    /// Whether a success teaches the machine how far the user's clock is off. Default: no.
    #[must_use]
    pub const fn learn_drift(mut self, learn: bool) -> Self {
        self.learn_drift = learn;
        self
    }

    /// How many steps either way `resynchronise` looks, 1 to 120. Default: 20, ten minutes.
    #[must_use]
    pub const fn resynchronise_reach(mut self, steps: u8) -> Self {
        self.resynchronise_reach = steps;
        self
    }

    /// How long a secret that was handed out waits for its first code, 1 minute to 24 hours. Default: 10 minutes.
    #[must_use]
    pub const fn pending_lifetime(mut self, lifetime: Duration) -> Self {
        self.pending_lifetime = lifetime;
        self
    }

    /// How long a session lives, 3 to 15 minutes. Default: 3 minutes.
    #[must_use]
    pub const fn session_lifetime(mut self, lifetime: Duration) -> Self {
        self.session_lifetime = lifetime;
        self
    }

    /// How old a grant's last authentication may be. Default: as old as the embedder's access tokens live.
    #[must_use]
    pub const fn reauthenticate_within(mut self, age: Option<Duration>) -> Self {
        self.reauthenticate_within = age;
        self
    }

    /// The bytes of a friendly device name that are kept, up to 1,024; longer names are cut at a character. Default: 256.
    #[must_use]
    pub const fn name_bytes(mut self, bytes: usize) -> Self {
        self.name_bytes = bytes;
        self
    }

    /// The throttle's numbers. Default: [`Throttle::STANDARD`].
    #[must_use]
    pub const fn throttle(mut self, throttle: Throttle) -> Self {
        self.throttle = throttle;
        self
    }

    /// How often a request tries the compare-and-swap, 1 to 1,000 times. Default: 16.
    #[must_use]
    pub const fn swap_attempts(mut self, attempts: u32) -> Self {
        self.swap_attempts = attempts;
        self
    }

    /// The policy.
    ///
    /// # Errors
    ///
    /// The first number that is out of its range, or the contradiction. Nothing was built.
    pub fn build(self) -> Result<Policy, PolicyError> {
        const MINUTE: Duration = Duration::from_secs(60);
        let throttle = &self.throttle;
        let checks = [
            (
                (Secret::MIN_BYTES..=Secret::MAX_BYTES).contains(&self.secret_bytes),
                PolicyError::SecretBytes,
            ),
            (
                self.requirement != Requirement::Required || self.software_tokens,
                PolicyError::RequiredButDisabled,
            ),
            (
                (MINUTE..=24 * 60 * MINUTE).contains(&self.pending_lifetime),
                PolicyError::PendingLifetime,
            ),
            (
                (3 * MINUTE..=15 * MINUTE).contains(&self.session_lifetime),
                PolicyError::SessionLifetime,
            ),
            (self.window.drift() == 0, PolicyError::WindowDrift),
            (self.spent_bound() <= 64, PolicyError::SpentBound),
            (self.name_bytes <= 1024, PolicyError::NameBytes),
            (
                (1..=120).contains(&self.resynchronise_reach),
                PolicyError::ResynchroniseReach,
            ),
            (
                (1..=1000).contains(&self.swap_attempts),
                PolicyError::SwapAttempts,
            ),
            (
                (1..=10).contains(&throttle.free)
                    && throttle.base.as_secs() >= 1
                    && throttle.base <= throttle.cap
                    && (1..=100).contains(&throttle.debt_limit)
                    && throttle.debt_decay >= MINUTE
                    && throttle.suspect_at >= 1,
                PolicyError::Throttle,
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

    /// Steps only rise, and a drift opens a second window: what is accepted within one lifetime walks through the first
    /// window, along the lifetime's own steps, and through the second.
    pub(super) fn spent_bound(&self) -> usize {
        let lifetime = self.session_lifetime.as_secs() / self.totp.period().as_secs();
        usize::try_from(lifetime + 1 + 2 * self.window_steps()).unwrap_or(usize::MAX)
    }

    pub(super) fn window_steps(&self) -> u64 {
        u64::from(self.window.back()) + u64::from(self.window.forward()) + 1
    }
}
