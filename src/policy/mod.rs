//! The numbers that a deployment may choose, each with its reason.

mod builder;
mod odds;
#[cfg(feature = "serde")]
mod seconds;
mod throttle;

use core::time::Duration;

use crate::totp::{Totp, Window};

pub use builder::PolicyError;
pub use throttle::Throttle;

/// Whether a sign-in asks for the second factor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Requirement {
    /// Never.
    Off,
    /// Where the user has verified and enabled a token.
    Optional,
    /// Always; who has no verified token is asked to set one up.
    Required,
}

/// What a pool of users lives by.
///
/// [`Policy::STANDARD`] is for a server of your own, [`Policy::COGNITO`] answers as Amazon Cognito does. Everything else
/// comes from a [builder](Policy::builder), which refuses what contradicts itself.
///
/// ```
/// use softtoken::{Policy, Requirement};
///
/// let policy = Policy::builder().requirement(Requirement::Required).build()?;
/// assert_eq!(policy.requirement(), Requirement::Required);
///
/// let contradiction = Policy::builder().requirement(Requirement::Required).software_tokens(false);
/// assert!(contradiction.build().is_err());
/// # Ok::<(), softtoken::PolicyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(try_from = "PolicyBuilder", into = "PolicyBuilder")
)]
pub struct Policy(PolicyBuilder);

/// Makes a [`Policy`]; begins with [`Policy::STANDARD`], or with the policy that [`Policy::to_builder`] is called on.
///
/// ```
/// use core::time::Duration;
/// use softtoken::totp::{Algorithm, Digits, Totp, Window};
/// use softtoken::{Policy, PolicyError, Requirement, Throttle};
///
/// let totp = Totp::new(Algorithm::Sha1, Digits::Six, Duration::from_secs(30))?;
/// let policy = Policy::builder()
///     .requirement(Requirement::Required)
///     .software_tokens(true)
///     .enable_on_verify(true)
///     .totp(totp)
///     .secret_bytes(32)
///     .window(Window::new(1, 0)?)
///     .learn_drift(true)
///     .resynchronise_reach(10)
///     .pending_lifetime(Duration::from_secs(5 * 60))
///     .session_lifetime(Duration::from_secs(15 * 60))
///     .reauthenticate_within(Some(Duration::from_secs(60 * 60)))
///     .name_bytes(64)
///     .throttle(Throttle { debt_limit: 50, ..Throttle::STANDARD })
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
/// assert_eq!((policy.resynchronise_reach(), policy.name_bytes(), policy.swap_attempts()), (10, 64, 8));
/// assert_eq!(policy.throttle().debt_limit, 50);
/// assert_eq!(policy.spent_bound(), 35); // 30 steps of its life and 1, and a window of 2 twice
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
pub struct PolicyBuilder {
    requirement: Requirement,
    software_tokens: bool,
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
    name_bytes: usize,
    throttle: Throttle,
    swap_attempts: u32,
}

impl Default for PolicyBuilder {
    fn default() -> Self {
        Policy::STANDARD.0
    }
}

impl Policy {
    /// For a server of your own: MFA optional, 20-byte secrets (what every authenticator app takes, and RFC 4226
    /// recommends), six digits, 30 s, one step either way (RFC 6238 section 5.2), and a verified token is enabled at once.
    pub const STANDARD: Self = Self(PolicyBuilder {
        requirement: Requirement::Optional,
        software_tokens: true,
        enable_on_verify: true,
        totp: Totp::STANDARD,
        secret_bytes: 20,
        window: Window::STANDARD,
        learn_drift: false,
        resynchronise_reach: 20,
        pending_lifetime: Duration::from_secs(10 * 60),
        session_lifetime: Duration::from_secs(3 * 60),
        reauthenticate_within: None,
        name_bytes: 256,
        throttle: Throttle::STANDARD,
        swap_attempts: 16,
    });

    /// As Amazon Cognito answers: 32-byte secrets (52 characters), and a verified token stays off until it is preferred.
    pub const COGNITO: Self = Self(PolicyBuilder {
        enable_on_verify: false,
        secret_bytes: 32,
        ..Self::STANDARD.0
    });

    /// A builder that begins with [`Policy::STANDARD`].
    #[must_use]
    pub const fn builder() -> PolicyBuilder {
        Self::STANDARD.0
    }

    /// A builder that begins with this policy.
    #[must_use]
    pub const fn to_builder(self) -> PolicyBuilder {
        self.0
    }

    /// Whether a sign-in asks for the second factor.
    #[must_use]
    pub const fn requirement(&self) -> Requirement {
        self.0.requirement
    }

    /// Whether tokens may be associated, verified and imported. Those in force go on working either way.
    #[must_use]
    pub const fn software_tokens(&self) -> bool {
        self.0.software_tokens
    }

    /// Whether `verify` enables the token as well.
    #[must_use]
    pub const fn enable_on_verify(&self) -> bool {
        self.0.enable_on_verify
    }

    /// The parameters of new tokens. A token keeps those that it was made with.
    #[must_use]
    pub const fn totp(&self) -> Totp {
        self.0.totp
    }

    /// The length of new secrets, in bytes.
    #[must_use]
    pub const fn secret_bytes(&self) -> usize {
        self.0.secret_bytes
    }

    /// The steps around now whose codes are accepted.
    #[must_use]
    pub const fn window(&self) -> Window {
        self.0.window
    }

    /// Whether a success teaches the machine how far the user's clock is off.
    #[must_use]
    pub const fn learn_drift(&self) -> bool {
        self.0.learn_drift
    }

    /// How many steps either way `resynchronise` looks.
    #[must_use]
    pub const fn resynchronise_reach(&self) -> u8 {
        self.0.resynchronise_reach
    }

    /// How long a secret that was handed out waits for its first code.
    #[must_use]
    pub const fn pending_lifetime(&self) -> Duration {
        self.0.pending_lifetime
    }

    /// How long a session lives.
    #[must_use]
    pub const fn session_lifetime(&self) -> Duration {
        self.0.session_lifetime
    }

    /// How old a grant's last authentication may be; `None`: the embedder's access tokens decide by their own expiry.
    #[must_use]
    pub const fn reauthenticate_within(&self) -> Option<Duration> {
        self.0.reauthenticate_within
    }

    /// The bytes of a friendly device name that are kept.
    #[must_use]
    pub const fn name_bytes(&self) -> usize {
        self.0.name_bytes
    }

    /// The throttle's numbers.
    #[must_use]
    pub const fn throttle(&self) -> &Throttle {
        &self.0.throttle
    }

    /// How often a request tries the compare-and-swap before it ends as contended.
    #[must_use]
    pub const fn swap_attempts(&self) -> u32 {
        self.0.swap_attempts
    }

    /// The most sessions of one subject that are remembered as spent: as many as can succeed within one session's life, each
    /// by a step of its own. Who signs in more often than that, by recovery codes or a token with a shorter period, has to
    /// wait until one of them has expired.
    #[must_use]
    pub fn spent_bound(&self) -> usize {
        self.0.spent_bound()
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::STANDARD
    }
}

impl TryFrom<PolicyBuilder> for Policy {
    type Error = PolicyError;

    fn try_from(builder: PolicyBuilder) -> Result<Self, PolicyError> {
        builder.build()
    }
}

impl From<Policy> for PolicyBuilder {
    fn from(policy: Policy) -> Self {
        policy.0
    }
}
