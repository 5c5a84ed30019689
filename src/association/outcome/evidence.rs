//! The proof that a code was accepted.

use alloc::string::String;

use crate::association::names::Context;
use crate::time::{Step, UnixTime};

/// Which kind of code proved it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Method {
    /// A code of the user's software token.
    SoftwareToken,
    /// One of the user's recovery codes.
    RecoveryCode,
}

/// Proof that the subject has just shown the second factor. Only this crate can make one: a function that takes it cannot
/// be called by mistake.
///
/// Issue tokens for it, and nothing without it; put [`amr`](Self::amr) and [`at`](Self::at) into them.
///
/// ```compile_fail,E0451
/// let forged = softtoken::Evidence {
///     subject: String::from("alice"),
///     context: softtoken::Context::default(),
///     proof: panic!(),
/// };
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use = "a code was accepted and is spent: sign the subject in, or the proof is lost"]
pub struct Evidence {
    pub(crate) subject: String,
    pub(crate) context: Context,
    pub(crate) proof: Proof,
}

/// What of an evidence is kept with the last answer, so that it can be given again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Proof {
    pub(crate) method: Method,
    pub(crate) step: Option<Step>,
    pub(crate) at: UnixTime,
    pub(crate) first_factor: bool,
    pub(crate) end_other_sessions: bool,
}

impl Evidence {
    /// Whose second factor it was.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The context that the embedder gave at the beginning of the flow; empty where there was no session.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Which kind of code proved it.
    #[must_use]
    pub fn method(&self) -> Method {
        self.proof.method
    }

    /// The step whose code was accepted; `None` for a recovery code.
    #[must_use]
    pub fn step(&self) -> Option<Step> {
        self.proof.step
    }

    /// When it was proven: the `auth_time` of tokens that are issued for it.
    #[must_use]
    pub fn at(&self) -> UnixTime {
        self.proof.at
    }

    /// The authentication method references of [RFC 8176](https://www.rfc-editor.org/rfc/rfc8176#section-2): `otp`, and
    /// `mfa` as well where a first factor stands behind it (a session or a grant). What the first factor was, such as
    /// `pwd`, is the embedder's to add.
    #[must_use]
    pub fn amr(&self) -> &'static [&'static str] {
        if self.proof.first_factor {
            &["otp", "mfa"]
        } else {
            &["otp"]
        }
    }

    /// Whether the embedder should now end the subject's other sessions: the token was replaced, or a recovery code was
    /// used, so whoever is signed in elsewhere may be the one that the user is getting rid of.
    #[must_use]
    pub fn should_end_other_sessions(&self) -> bool {
        self.proof.end_other_sessions
    }
}
