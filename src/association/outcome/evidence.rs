//! Proves that a factor was accepted.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::sync::Arc;

use crate::association::names::{Context, Generation, LoginId, TokenId, TokenName};
use crate::time::{Step, UnixTime};

/// Says what proved the second factor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Method {
    /// A code of one of the user's software tokens proved it.
    SoftwareToken,
    /// One of the user's recovery codes proved it.
    RecoveryCode,
    /// The temporary code that an administrator issued proved it.
    TemporaryCode,
    /// A factor that your application checked itself and vouched for proved it.
    Vouched,
}

impl Method {
    /// Returns a stable name for logs, metrics and protocols.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SoftwareToken => "software_token",
            Self::RecoveryCode => "recovery_code",
            Self::TemporaryCode => "temporary_code",
            Self::Vouched => "vouched",
        }
    }
}

/// Proves that the subject has just shown the second factor. Only this crate can make one, so a
/// function of yours that takes an `Evidence` cannot be called without a factor that was accepted.
///
/// Issue access tokens for it, and nothing without it; put [`amr`](Self::amr) and [`at`](Self::at)
/// into them, and keep [`Grant::from(&evidence)`](crate::Grant) with the login.
///
/// ```compile_fail,E0451
/// let forged = softtoken::Evidence {
///     subject: "alice".into(),
///     ..panic!()
/// };
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use = "a factor was accepted and is spent: sign the subject in, or the proof is lost"]
pub struct Evidence(pub(crate) Box<Proven>);

/// Holds what an evidence says. Boxed, since an evidence is handed from function to function, and
/// moving it took longer than to ask for memory once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Proven {
    pub(crate) subject: Arc<str>,
    pub(crate) context: Context,
    pub(crate) proof: Proof,
    pub(crate) amr: Cow<'static, [&'static str]>,
    pub(crate) token_name: Option<TokenName>,
    pub(crate) generation: Generation,
    pub(crate) browsers_from: u64,
    pub(crate) login_id: Option<LoginId>,
    pub(crate) recovery_codes_left: Option<u32>,
}

/// Holds what of an evidence is kept with the last answer, so that it can be given again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Proof {
    pub(crate) method: Method,
    pub(crate) token: Option<TokenId>,
    pub(crate) step: Option<Step>,
    pub(crate) at: UnixTime,
    /// Says when the first factor was accepted, where one stands behind it.
    pub(crate) first_factor: Option<UnixTime>,
    pub(crate) end_other_logins: bool,
}

impl Proof {
    /// Returns the references of a code: `mfa` as well where a first factor stands behind it.
    pub(crate) const fn amr(&self) -> &'static [&'static str] {
        match self.first_factor {
            Some(_) => &["otp", "mfa"],
            None => &["otp"],
        }
    }
}

impl Evidence {
    /// Returns the subject whose second factor was accepted.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// Returns the context of the view that accepted the factor.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.0.context
    }

    /// Returns what proved the second factor.
    #[must_use]
    pub fn method(&self) -> Method {
        self.0.proof.method
    }

    /// Returns the token whose code was accepted; `None` where no code of a token was.
    #[must_use]
    pub fn token(&self) -> Option<TokenId> {
        self.0.proof.token
    }

    /// Returns the name that the user gave to that token.
    #[must_use]
    pub fn token_name(&self) -> Option<&str> {
        self.0.token_name.as_deref()
    }

    /// Returns the step whose code was accepted; `None` where no code of a token was.
    #[must_use]
    pub fn step(&self) -> Option<Step> {
        self.0.proof.step
    }

    /// Returns when the second factor was proven: the `auth_time` of access tokens that are issued
    /// for it.
    #[must_use]
    pub fn at(&self) -> UnixTime {
        self.0.proof.at
    }

    /// Returns when the first factor was accepted; `None` where that is not known.
    #[must_use]
    pub fn first_factor_at(&self) -> Option<UnixTime> {
        self.0.proof.first_factor
    }

    /// Returns the id of the login, where a grant with one stood behind it.
    #[must_use]
    pub fn login_id(&self) -> Option<&str> {
        self.0.login_id.as_ref().map(LoginId::expose)
    }

    /// Returns the authentication method references of [RFC
    /// 8176](https://www.rfc-editor.org/rfc/rfc8176#section-2): `otp` (for a vouched factor, what
    /// your application said), and `mfa` as well where a first factor stands behind it. Your
    /// application adds the first factor's reference, such as `pwd`.
    #[must_use]
    pub fn amr(&self) -> &[&'static str] {
        &self.0.amr
    }

    /// Returns how many recovery codes of the user's set are left, where one was used, or an
    /// administrator's temporary code. Ask [`method`](Self::method) first: a temporary code is no
    /// recovery code, and takes none from the set.
    #[must_use]
    pub fn recovery_codes_left(&self) -> Option<u32> {
        self.0.recovery_codes_left
    }

    /// Returns whether your application should now end the subject's other logins: a token was
    /// replaced, or a recovery code (one that was vouched for as well) or a temporary code was
    /// used, so the person who is signed in elsewhere may be the one the user wants to be rid of.
    #[must_use]
    pub fn should_end_other_logins(&self) -> bool {
        self.0.proof.end_other_logins
    }
}
