//! Holds what an exchange came to, and the bodies of the answers.

use alloc::string::String;
use core::fmt;

use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use super::response::{Empty, Response};
use crate::association::{Challenge, ChallengeSession, Enrolled, Evidence, Issued};

/// Holds what an exchange came to.
#[derive(Debug)]
#[must_use = "a code may have been accepted and spent: answer the client"]
pub enum Reply {
    /// Holds the body of the answer, whole: for [`Response::success`].
    Body(Body),
    /// Says that the sign-in is complete. Issue tokens for it, keep the grant that is made from it
    /// with the login, and answer by [`Response::authenticated`].
    Authenticated(Evidence),
    /// Says that nothing more is asked for, and that nothing was proven. Issue tokens that name no
    /// second factor, and answer the same way.
    NotRequired,
}

impl Reply {
    /// Returns the answer, where it needs no tokens.
    ///
    /// # Errors
    ///
    /// No error, but what your application has to issue tokens for: the evidence, or `None` for
    /// [`Self::NotRequired`].
    pub fn response(self, request_id: &str) -> Result<Response, Option<Evidence>> {
        match self {
            Self::Body(body) => Ok(Response::success(&body, request_id)),
            Self::Authenticated(evidence) => Err(Some(evidence)),
            Self::NotRequired => Err(None),
        }
    }
}

/// Holds the body of an answer: an object whose absent members are left out.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Body(Shape);

impl fmt::Debug for Body {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Body(..)")
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Shape {
    #[serde(rename_all = "PascalCase")]
    Issued {
        #[serde(serialize_with = "exposed")]
        secret_code: Zeroizing<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        session: Option<Handed>,
    },
    #[serde(rename_all = "PascalCase")]
    Enrolled {
        status: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        session: Option<Handed>,
    },
    #[serde(rename_all = "PascalCase")]
    Challenge {
        challenge_name: &'static str,
        session: Handed,
        challenge_parameters: Parameters,
    },
    Empty(Empty),
}

/// Holds a session in an answer.
struct Handed(ChallengeSession);

impl Serialize for Handed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose())
    }
}

fn exposed<S: Serializer>(secret: &Zeroizing<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret)
}

#[derive(Default, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
struct Parameters {
    user_id_for_srp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    friendly_device_name: Option<String>,
    /// Holds a list in JSON, as a string.
    #[serde(skip_serializing_if = "Option::is_none")]
    mfas_can_setup: Option<&'static str>,
}

pub(super) fn issued(issued: &Issued) -> Reply {
    Reply::Body(Body(Shape::Issued {
        secret_code: issued.secret().expose_base32(),
        session: issued.session().cloned().map(Handed),
    }))
}

pub(super) fn enrolled(enrolled: &Enrolled) -> Reply {
    Reply::Body(Body(Shape::Enrolled {
        status: "SUCCESS",
        session: enrolled.session().cloned().map(Handed),
    }))
}

pub(super) fn unchanged() -> Reply {
    Reply::Body(Body(Shape::Empty(Empty {})))
}

pub(super) fn challenged(challenge: Challenge, user_name: &str) -> Reply {
    let mut challenge_parameters = Parameters {
        user_id_for_srp: user_name.into(),
        ..Parameters::default()
    };
    let (challenge_name, session) = match challenge {
        Challenge::NotRequired { .. } => return Reply::NotRequired,
        Challenge::SoftwareToken { session, names } => {
            // The service has one device; of several, each will do.
            challenge_parameters.friendly_device_name =
                (!names.is_empty()).then(|| names.join(", "));
            ("SOFTWARE_TOKEN_MFA", session)
        }
        Challenge::Setup { session, .. } => {
            challenge_parameters.mfas_can_setup = Some("[\"SOFTWARE_TOKEN_MFA\"]");
            ("MFA_SETUP", session)
        }
    };
    Reply::Body(Body(Shape::Challenge {
        challenge_name,
        session: Handed(session),
        challenge_parameters,
    }))
}
