//! Holds the numbers that a deployment may choose, each with its reason.

mod builder;
mod odds;
#[cfg(feature = "serde")]
mod seconds;
mod size;
#[cfg(test)]
mod tests;
mod throttle;

use core::time::Duration;

use crate::time::UnixTime;
use crate::totp::{Totp, Window};

pub use builder::PolicyError;
pub use throttle::Throttle;

/// Says whether a sign-in asks for the second factor.
///
/// With feature `serde` it is written as `"off"`, `"optional"`, `"required"` or `{"required_from":
/// 1700000000}`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[expect(clippy::exhaustive_enums, reason = "who asks must know every answer")]
pub enum Requirement {
    /// Never asks.
    Off,
    /// Asks where the user has verified and enabled a token.
    Optional,
    /// Always asks; a user without a verified token is asked to set one up.
    Required,
    /// Asks as [`Optional`](Self::Optional) does before this time, except that a user without a
    /// verified token is already invited to set one up, and as [`Required`](Self::Required) does
    /// from this time on.
    ///
    /// Take the time from what your application stores, the user's own row or its configuration. A
    /// time that is computed from now moves on with every request and never comes.
    RequiredFrom(UnixTime),
}

impl Requirement {
    /// Returns whether the second factor is required at `now`: always for
    /// [`Required`](Self::Required), and from its time on for [`RequiredFrom`](Self::RequiredFrom).
    ///
    /// ```
    /// use softtoken::{Requirement, UnixTime};
    ///
    /// let from = Requirement::RequiredFrom(UnixTime::from_secs(1_700_000_000));
    /// assert!(!from.is_required(UnixTime::from_secs(1_699_999_999)));
    /// assert!(from.is_required(UnixTime::from_secs(1_700_000_000)));
    /// ```
    #[must_use]
    pub const fn is_required(self, now: UnixTime) -> bool {
        match self {
            Self::Off | Self::Optional => false,
            Self::Required => true,
            Self::RequiredFrom(from) => now.as_secs() >= from.as_secs(),
        }
    }
}

/// Holds the rules of a deployment: what a sign-in asks for, what a code may be, how guessing is
/// stopped.
///
/// [`Policy::STANDARD`] is for a server of your own; [`Policy::COGNITO`] behaves as Amazon Cognito
/// does. A [builder](Policy::builder) makes every other policy and refuses contradictions.
///
/// ```
/// use softtoken::{Policy, Requirement};
///
/// let policy = Policy::builder().requirement(Requirement::Required).build()?;
/// assert_eq!(policy, Policy::STANDARD.required());
///
/// let contradiction = Policy::builder().requirement(Requirement::Required).software_tokens(false);
/// assert!(contradiction.build().is_err());
/// # Ok::<(), softtoken::policy::PolicyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(try_from = "PolicyBuilder", into = "PolicyBuilder")
)]
pub struct Policy(PolicyBuilder);

/// Makes a [`Policy`], beginning with [`Policy::STANDARD`] or with the policy on which
/// [`Policy::to_builder`] was called.
///
/// With feature `serde`, a configuration names only the fields that differ from
/// [`Policy::STANDARD`], durations in seconds; an unknown field is an error.
///
/// ```
/// use core::time::Duration;
/// use softtoken::totp::{Algorithm, Digits, Totp, Window};
/// use softtoken::policy::{PolicyError, Throttle};
/// use softtoken::{Policy, Requirement};
///
/// let totp = Totp::new(Algorithm::Sha1, Digits::Six, Duration::from_secs(30))?;
/// let policy = Policy::builder()
///     .requirement(Requirement::Required)
///     .software_tokens(true)
///     .max_tokens(3)
///     .enable_on_verify(true)
///     .totp(totp)
///     .secret_bytes(32)
///     .window(Window::new(1, 0)?)
///     .learn_drift(true)
///     .resynchronise_reach(10)
///     .pending_lifetime(Duration::from_secs(5 * 60))
///     .session_lifetime(Duration::from_secs(15 * 60))
///     .reauthenticate_within(Some(Duration::from_secs(60 * 60)))
///     .waive_possession_of_unasked_token(false)
///     .raise_preference_by_first_factor(false)
///     .name_bytes(64)
///     .throttle(Throttle { debt_limit: 50, ..Throttle::STANDARD })
///     .recovery_limit(Some(100))
///     .swap_attempts(8)
///     .build()?;
///
/// assert_eq!(policy.requirement(), Requirement::Required);
/// assert!(policy.software_tokens() && policy.enable_on_verify() && policy.learn_drift());
/// assert_eq!((policy.totp(), policy.secret_bytes()), (totp, 32));
/// assert_eq!((policy.window().back(), policy.window().forward()), (1, 0));
/// assert_eq!(policy.pending_lifetime().as_secs(), 300);
/// assert_eq!(policy.session_lifetime().as_secs(), 900);
/// assert_eq!(policy.reauthenticate_within(), Some(Duration::from_secs(3600)));
/// assert!(!policy.waive_possession_of_unasked_token());
/// assert!(!policy.raise_preference_by_first_factor());
/// assert_eq!((policy.max_tokens(), policy.resynchronise_reach()), (3, 10));
/// assert_eq!((policy.name_bytes(), policy.swap_attempts()), (64, 8));
/// assert_eq!((policy.throttle().debt_limit, policy.recovery_limit()), (50, Some(100)));
///
/// let cognito = Policy::COGNITO.to_builder().requirement(Requirement::Required).build()?;
/// assert_eq!((cognito.secret_bytes(), cognito.enable_on_verify()), (32, false));
///
/// let too_short = Policy::builder().session_lifetime(Duration::from_secs(60)).build();
/// assert_eq!(too_short, Err(PolicyError::SessionLifetime));
/// # Ok::<(), PolicyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own, set and read by its name"
)]
pub struct PolicyBuilder {
    requirement: Requirement,
    software_tokens: bool,
    max_tokens: usize,
    enable_on_verify: bool,
    totp: Totp,
    secret_bytes: usize,
    window: Window,
    learn_drift: bool,
    resynchronise_reach: u8,
    #[cfg_attr(feature = "serde", serde(with = "seconds"))]
    pending_lifetime: Duration,
    #[cfg_attr(feature = "serde", serde(with = "seconds"))]
    session_lifetime: Duration,
    #[cfg_attr(feature = "serde", serde(with = "seconds::optional"))]
    reauthenticate_within: Option<Duration>,
    waive_possession_of_unasked_token: bool,
    raise_preference_by_first_factor: bool,
    name_bytes: usize,
    throttle: Throttle,
    recovery_limit: Option<u32>,
    swap_attempts: u32,
}

impl Default for PolicyBuilder {
    /// Returns the builder of [`Policy::STANDARD`].
    fn default() -> Self {
        Policy::STANDARD.0
    }
}

impl Policy {
    /// Limits the tokens that a policy may let one subject hold.
    pub const MAX_TOKENS: usize = 10;

    /// Bounds how long any policy lets a pending secret wait.
    pub(crate) const LONGEST_PENDING: Duration = Duration::from_secs(24 * 60 * 60);

    /// Holds the rules for a server of your own: MFA is optional, a verified token is enabled at
    /// once, and a subject holds one token, with a secret of 20 bytes (accepted by every
    /// authenticator app, and recommended by RFC 4226), six digits, 30 seconds and one step either
    /// way (RFC 6238 section 5.2). Whatever changes a factor needs an authentication of the last 15
    /// minutes.
    pub const STANDARD: Self = Self(PolicyBuilder {
        requirement: Requirement::Optional,
        software_tokens: true,
        max_tokens: 1,
        enable_on_verify: true,
        totp: Totp::STANDARD,
        secret_bytes: 20,
        window: Window::STANDARD,
        learn_drift: false,
        resynchronise_reach: 20,
        pending_lifetime: Duration::from_secs(10 * 60),
        session_lifetime: Duration::from_secs(3 * 60),
        reauthenticate_within: Some(Duration::from_secs(15 * 60)),
        waive_possession_of_unasked_token: false,
        raise_preference_by_first_factor: false,
        name_bytes: 256,
        throttle: Throttle::STANDARD,
        recovery_limit: None,
        swap_attempts: 16,
    });

    /// Holds the rules of Amazon Cognito: secrets of 32 bytes (52 characters), a verified token
    /// stays off until the user's preference turns it on, for which the first factor is enough, a
    /// token that has guarded nothing since it was last turned off can be replaced by the first
    /// factor alone, and the expiry of the access token decides how fresh an authentication has to
    /// be.
    pub const COGNITO: Self = Self(PolicyBuilder {
        enable_on_verify: false,
        secret_bytes: 32,
        reauthenticate_within: None,
        waive_possession_of_unasked_token: true,
        raise_preference_by_first_factor: true,
        ..Self::STANDARD.0
    });

    /// Returns a builder that begins with [`Policy::STANDARD`].
    #[must_use]
    pub const fn builder() -> PolicyBuilder {
        Self::STANDARD.0
    }

    /// Returns a builder that begins with this policy.
    #[must_use]
    pub const fn to_builder(self) -> PolicyBuilder {
        self.0
    }

    /// Returns this policy with [`Requirement::Required`], for example for the view of an
    /// administrator's request.
    ///
    /// Software tokens are allowed in the result even where this policy has them off: a user of
    /// whom a second factor is required has to be able to set one up.
    ///
    /// ```
    /// use softtoken::{Policy, Requirement};
    ///
    /// assert_eq!(Policy::COGNITO.required().requirement(), Requirement::Required);
    /// ```
    #[must_use]
    pub const fn required(self) -> Self {
        self.requiring(Requirement::Required)
    }

    /// Returns this policy with [`Requirement::RequiredFrom`] of `time`, which your application has
    /// stored.
    ///
    /// Software tokens are allowed in the result, as in that of [`required`](Self::required).
    ///
    /// ```
    /// use softtoken::{Policy, UnixTime};
    ///
    /// let must_by = UnixTime::from_secs(1_700_000_000);
    /// let policy = Policy::STANDARD.required_from(must_by);
    /// assert!(policy.requires(must_by));
    /// assert!(!policy.requires(UnixTime::from_secs(1_699_999_999)));
    /// ```
    #[must_use]
    pub const fn required_from(self, time: UnixTime) -> Self {
        self.requiring(Requirement::RequiredFrom(time))
    }

    const fn requiring(self, requirement: Requirement) -> Self {
        Self(PolicyBuilder {
            requirement,
            software_tokens: true,
            ..self.0
        })
    }

    /// Returns whether the second factor is required at `now`, by [`Requirement::is_required`].
    #[must_use]
    pub const fn requires(&self, now: UnixTime) -> bool {
        self.0.requirement.is_required(now)
    }

    /// Returns whether a sign-in asks for the second factor.
    #[must_use]
    pub const fn requirement(&self) -> Requirement {
        self.0.requirement
    }

    /// Returns whether tokens may be associated, verified and imported. Sign-ins ask for the tokens
    /// that are in force either way.
    #[must_use]
    pub const fn software_tokens(&self) -> bool {
        self.0.software_tokens
    }

    /// Returns how many tokens one subject may hold.
    #[must_use]
    pub const fn max_tokens(&self) -> usize {
        self.0.max_tokens
    }

    /// Returns whether `verify` also enables the token.
    #[must_use]
    pub const fn enable_on_verify(&self) -> bool {
        self.0.enable_on_verify
    }

    /// Returns the parameters of new tokens. A token keeps the parameters with which it was made.
    #[must_use]
    pub const fn totp(&self) -> Totp {
        self.0.totp
    }

    /// Returns the length of new secrets, in bytes.
    #[must_use]
    pub const fn secret_bytes(&self) -> usize {
        self.0.secret_bytes
    }

    /// Returns the steps around the present one whose codes are accepted.
    #[must_use]
    pub const fn window(&self) -> Window {
        self.0.window
    }

    /// Returns whether an accepted code updates how far the authenticator's clock is known to be
    /// off.
    #[must_use]
    pub const fn learn_drift(&self) -> bool {
        self.0.learn_drift
    }

    /// Returns how many steps either way `resynchronise` searches.
    #[must_use]
    pub const fn resynchronise_reach(&self) -> u8 {
        self.0.resynchronise_reach
    }

    /// Returns how long a newly issued secret waits for its first code.
    #[must_use]
    pub const fn pending_lifetime(&self) -> Duration {
        self.0.pending_lifetime
    }

    /// Returns how long a challenge session lives.
    #[must_use]
    pub const fn session_lifetime(&self) -> Duration {
        self.0.session_lifetime
    }

    /// Returns how old the authentication behind a grant may be where the grant changes a factor,
    /// or `None` where the expiry of your application's access tokens decides.
    #[must_use]
    pub const fn reauthenticate_within(&self) -> Option<Duration> {
        self.0.reauthenticate_within
    }

    /// Returns whether a grant without a second factor may replace a token that no sign-in has ever
    /// asked for. [The builder's setter](PolicyBuilder::waive_possession_of_unasked_token) states
    /// the conditions and the reason.
    #[must_use]
    pub const fn waive_possession_of_unasked_token(&self) -> bool {
        self.0.waive_possession_of_unasked_token
    }

    /// Returns whether a grant without a second factor may enable a token, or make it the preferred
    /// one.
    #[must_use]
    pub const fn raise_preference_by_first_factor(&self) -> bool {
        self.0.raise_preference_by_first_factor
    }

    /// Returns how many bytes of a token's name are kept.
    #[must_use]
    pub const fn name_bytes(&self) -> usize {
        self.0.name_bytes
    }

    /// Returns the numbers of the throttle.
    #[must_use]
    pub const fn throttle(&self) -> &Throttle {
        &self.0.throttle
    }

    /// Returns after how many wrong recovery codes in a row every recovery code is refused, or
    /// `None` where a right one is always accepted.
    #[must_use]
    pub const fn recovery_limit(&self) -> Option<u32> {
        self.0.recovery_limit
    }

    /// Returns how often a request attempts the compare-and-swap before it fails as contended.
    #[must_use]
    pub const fn swap_attempts(&self) -> u32 {
        self.0.swap_attempts
    }

    /// Returns whether both policies agree in everything that the record of a subject depends on,
    /// so that views under either can work on the same row.
    pub(crate) fn shares_record_with(&self, other: &Self) -> bool {
        // Named one by one, so that a new field has to be put on one side or the other.
        let PolicyBuilder {
            requirement: _,
            software_tokens: _,
            max_tokens,
            enable_on_verify: _,
            totp: _,
            secret_bytes: _,
            window,
            learn_drift,
            resynchronise_reach,
            pending_lifetime: _,
            session_lifetime,
            reauthenticate_within: _,
            waive_possession_of_unasked_token: _,
            raise_preference_by_first_factor: _,
            name_bytes,
            throttle,
            recovery_limit,
            swap_attempts: _,
        } = self.0;
        let other = &other.0;
        max_tokens == other.max_tokens
            && window == other.window
            && learn_drift == other.learn_drift
            && resynchronise_reach == other.resynchronise_reach
            && session_lifetime == other.session_lifetime
            && name_bytes == other.name_bytes
            && throttle == other.throttle
            && recovery_limit == other.recovery_limit
    }
}

impl Default for Policy {
    /// Returns [`Policy::STANDARD`].
    fn default() -> Self {
        Self::STANDARD
    }
}

impl TryFrom<PolicyBuilder> for Policy {
    type Error = PolicyError;

    /// Does what [`PolicyBuilder::build`] does.
    fn try_from(builder: PolicyBuilder) -> Result<Self, PolicyError> {
        builder.build()
    }
}

impl From<Policy> for PolicyBuilder {
    /// Does what [`Policy::to_builder`] does.
    fn from(policy: Policy) -> Self {
        policy.0
    }
}
