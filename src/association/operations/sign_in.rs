//! What a verified token is for: sign in, respond, finish the set-up, authenticate.

use alloc::string::String;

use crate::association::authority::{Authority, Recognised};
use crate::association::credential::{
    AttemptKey, Claims, Draw, Purpose, PurposeKind, Repeatable, Session,
};
use crate::association::draft::Draft;
use crate::association::names::Context;
use crate::association::operation::{Operation, sealed};
use crate::association::outcome::{
    Actor, EventKind, Evidence, Method, Proof, Refusal, SessionFlaw,
};
use crate::association::state::Association;
use crate::entropy::{Entropy, NoEntropy};
use crate::policy::Requirement;
use crate::time::UnixTime;
use crate::totp::Code;

/// Says what a sign-in asks for, once the first factor was accepted. Nothing changes, however often it is asked.
///
/// | | not verified | verified, enabled | verified, not enabled |
/// |---|---|---|---|
/// | `Off` | `NotRequired` | `NotRequired` | `NotRequired` |
/// | `Optional` | `NotRequired` | `SoftwareToken` | `NotRequired` |
/// | `Required` | `Setup` | `SoftwareToken` | `SoftwareToken` |
#[derive(Clone, Debug)]
pub struct SignIn {
    context: Context,
    session: Draw,
}

impl SignIn {
    /// A sign-in in this context, which the sessions of the flow and the evidence at its end carry.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`] where the source fails. Nothing was drawn.
    pub fn new(context: Context, entropy: &dyn Entropy) -> Result<Self, NoEntropy> {
        Ok(Self {
            context,
            session: Draw::new(entropy)?,
        })
    }
}

/// What a sign-in asks for.
#[derive(Debug)]
#[must_use = "only NotRequired lets the user in without a second factor"]
pub enum Challenge {
    /// Nothing more. Nothing was proven either: there is no evidence.
    NotRequired,
    /// A code of the user's software token: `respond`, or `recover` with a recovery code.
    SoftwareToken {
        /// For the answer.
        session: Session,
        /// Which device to look at, where it has a name.
        device_name: Option<String>,
    },
    /// A software token, which the pool requires and the user does not have: `associate`, `verify`, `finish_setup`.
    Setup {
        /// For `associate`.
        session: Session,
    },
}

impl sealed::Sealed for SignIn {}
impl Operation for SignIn {
    type Output = Challenge;

    fn actor(&self) -> Actor {
        Actor::Embedder
    }

    fn needs_session_keys(&self) -> bool {
        true
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Challenge, Refusal> {
        let record = draft.record();
        let requirement = draft.policy().requirement();
        let asked_for = match requirement {
            Requirement::Off => false,
            Requirement::Optional => record.preference.is_enabled(),
            Requirement::Required => true,
            Requirement::RequiredFrom(_) => {
                requirement.is_required(draft.now()) || record.preference.is_enabled()
            }
        };
        let issue = |purpose| draft.issue(self.session, purpose, self.context.clone());
        Ok(match &record.association {
            Association::Verified(verified) if asked_for => Challenge::SoftwareToken {
                session: issue(Purpose::SoftwareToken)?,
                device_name: verified.token.name.clone(),
            },
            _ if requirement.is_required(draft.now()) => Challenge::Setup {
                session: issue(Purpose::Setup)?,
            },
            _ => Challenge::NotRequired,
        })
    }
}

/// Answers a [`Challenge::SoftwareToken`] with a code: the sign-in is complete.
#[derive(Clone, Debug)]
pub struct Respond {
    session: Authority,
    code: Code,
    attempt: Option<AttemptKey>,
}

impl Respond {
    /// With the session of the challenge and the code that the user's device shows.
    #[must_use]
    pub fn new(session: &Session, code: Code) -> Self {
        Self {
            session: session.into(),
            code,
            attempt: None,
        }
    }

    /// Names the attempt, so that it can be repeated when its answer was lost.
    #[must_use]
    pub fn attempt(mut self, key: AttemptKey) -> Self {
        self.attempt = Some(key);
        self
    }
}

impl sealed::Sealed for Respond {}
impl Operation for Respond {
    type Output = Evidence;

    fn actor(&self) -> Actor {
        Actor::Session
    }

    fn needs_session_keys(&self) -> bool {
        true
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Evidence, Refusal> {
        let who = self
            .session
            .recognise(draft, Some(PurposeKind::SoftwareToken))?;
        accept(
            draft,
            Some(&who),
            &self.code,
            Repeatable::Respond,
            self.attempt.as_ref(),
        )
    }
}

/// Accepts a code without a session, for a step-up: the embedder knows from elsewhere who the user is.
#[derive(Clone, Debug)]
pub struct Authenticate {
    code: Code,
    attempt: Option<AttemptKey>,
}

impl Authenticate {
    /// With the code that the user's device shows.
    #[must_use]
    pub fn new(code: Code) -> Self {
        Self {
            code,
            attempt: None,
        }
    }

    /// Names the attempt, so that it can be repeated when its answer was lost.
    #[must_use]
    pub fn attempt(mut self, key: AttemptKey) -> Self {
        self.attempt = Some(key);
        self
    }
}

impl sealed::Sealed for Authenticate {}
impl Operation for Authenticate {
    type Output = Evidence;

    fn actor(&self) -> Actor {
        Actor::Embedder
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Evidence, Refusal> {
        accept(
            draft,
            None,
            &self.code,
            Repeatable::Authenticate,
            self.attempt.as_ref(),
        )
    }
}

/// A code of the token in force, with or without a session behind it.
fn accept(
    draft: &mut Draft<'_>,
    who: Option<&Recognised<'_>>,
    code: &Code,
    operation: Repeatable,
    key: Option<&AttemptKey>,
) -> Result<Evidence, Refusal> {
    let claims = who.and_then(Recognised::claims);
    let context = claims.map_or_else(Context::default, |claims| claims.context().clone());
    let attempt = key.map(|key| key.attempt(operation, claims, code));
    if let Some(proof) = draft.answered(attempt) {
        return Ok(draft.evidence(context, proof));
    }
    if let Some(claims) = claims {
        draft.record().admits(claims)?;
    }

    let token = draft.record().token()?.clone();
    draft.has_room_for(claims)?;
    let window = token.window(draft.policy().window());
    let accepted = draft.judge(
        token.totp,
        &[code],
        Some((token.last_step, token.drift)),
        |now| {
            token
                .verifier()
                .verify(code, now, window, Some(token.last_step))
        },
    )?;

    draft.spend_step(accepted.step, draft.learned(token.drift, accepted.drift));
    draft.spend(claims);
    let proof = Proof {
        method: Method::SoftwareToken,
        step: Some(accepted.step),
        at: draft.now(),
        first_factor: claims.is_some(),
        end_other_sessions: false,
    };
    draft.remember(attempt, proof);
    draft.event(EventKind::SignedIn {
        method: Method::SoftwareToken,
        failures: accepted.failures,
    });
    Ok(draft.evidence(context, proof))
}

/// Completes the sign-in that had to set up a token first: the code that proved it counts for this sign-in as well.
#[derive(Clone, Debug)]
pub struct FinishSetup {
    session: Session,
}

impl FinishSetup {
    /// With the session that `verify` gave.
    #[must_use]
    pub fn new(session: &Session) -> Self {
        Self {
            session: session.clone(),
        }
    }
}

impl sealed::Sealed for FinishSetup {}
impl Operation for FinishSetup {
    type Output = Evidence;

    fn actor(&self) -> Actor {
        Actor::Session
    }

    fn needs_session_keys(&self) -> bool {
        true
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Evidence, Refusal> {
        let claims = draft.claims(&self.session, Some(PurposeKind::SetupDone))?;
        draft.record().admits(&claims)?;
        let token = draft.record().token()?;
        if !token.finishes_sign_in {
            return Err(SessionFlaw::Spent.into());
        }
        let proven_at = token.since;
        if let Some(token) = draft.change().token_mut() {
            token.finishes_sign_in = false;
        }
        draft.event(EventKind::SignedIn {
            method: Method::SoftwareToken,
            failures: 0,
        });
        let proof = claims.proof_of_setup(proven_at);
        Ok(draft.evidence(claims.context().clone(), proof))
    }
}

impl Claims {
    fn proof_of_setup(&self, at: UnixTime) -> Proof {
        Proof {
            method: Method::SoftwareToken,
            step: match self.purpose {
                Purpose::SetupDone(step) => Some(step),
                Purpose::Setup | Purpose::SetupPending(_) | Purpose::SoftwareToken => None,
            },
            at,
            first_factor: true,
            end_other_sessions: false,
        }
    }
}
