//! Signs in by a token in force: sign in, respond, step up; and the end of a set-up.

use alloc::string::String;
use alloc::vec::Vec;

use super::accept::{Attempted, Behind, accept};
use crate::association::authority::{Authority, Grant};
use crate::association::credential::{
    AttemptKey, BrowserText, ChallengeSession, Draw, Factor, Purpose, PurposeKind, Repeatable,
};
use crate::association::draft::Draft;
use crate::association::operation::{Operation, sealed};
use crate::association::outcome::{
    Actor, EventKind, Evidence, Method, Proof, Refusal, SessionFlaw,
};
use crate::association::state::Token;
use crate::entropy::{Entropy, NoEntropy};
use crate::policy::Requirement;
use crate::time::UnixTime;

/// Asks what a sign-in needs, once the first factor was accepted. Nothing changes, however often it
/// is asked.
///
/// | the policy's requirement | not verified | verified, enabled | verified, not enabled |
/// |---|---|---|---|
/// | `Off` | `NotRequired` | `NotRequired` | `NotRequired` |
/// | `Optional` | `NotRequired` | `SoftwareToken` | `NotRequired` |
/// | `Required` | `Setup` | `SoftwareToken` | `SoftwareToken` |
/// | `RequiredFrom(t)`, before `t` | `Setup`, which says from when | `SoftwareToken` | `NotRequired` |
/// | `RequiredFrom(t)`, from `t` on | `Setup` | `SoftwareToken` | `SoftwareToken` |
///
/// [`Mfa::sign_in`](crate::Mfa::sign_in) makes a request of this operation. Its page has an
/// example, and lists the rejections.
#[derive(Clone, Debug)]
pub struct SignIn {
    browser: Option<BrowserText>,
    session: Draw,
}

impl SignIn {
    /// Makes a sign-in, and draws what its session needs.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`] where the source fails. Nothing was made.
    pub fn new(entropy: &dyn Entropy) -> Result<Self, NoEntropy> {
        Ok(Self {
            browser: None,
            session: Draw::new(entropy)?,
        })
    }

    /// Comes from a browser that shows this text, which may be remembered
    /// ([`Mfa::remember`](crate::Mfa::remember)).
    #[must_use]
    pub fn from_browser(mut self, text: Option<&str>) -> Self {
        self.browser = text.map(BrowserText::new);
        self
    }
}

/// Holds what a sign-in asks for.
///
/// The enum is exhaustive, so that no arm `_ =>` lets anybody in; the fields of its variants are
/// not.
#[derive(Debug)]
#[must_use = "only NotRequired lets the user in without a second factor"]
#[expect(clippy::exhaustive_enums, reason = "an arm `_` would let somebody in")]
pub enum Challenge {
    /// The sign-in needs no second factor. Nothing was proven: there is no evidence.
    #[non_exhaustive]
    NotRequired {
        /// Says whether a code would have been asked for, had the browser not been remembered.
        remembered: bool,
    },
    /// The sign-in needs a factor of the user's: [`respond`](crate::Mfa::respond).
    #[non_exhaustive]
    SoftwareToken {
        /// Carries the flow to [`respond`](crate::Mfa::respond).
        session: ChallengeSession,
        /// Lists the names of the tokens that have one: they tell the user which phone to look at.
        names: Vec<String>,
    },
    /// The sign-in needs a software token, which the policy requires and the user does not have:
    /// [`associate`](crate::Mfa::associate), then [`verify`](crate::Mfa::verify).
    #[non_exhaustive]
    Setup {
        /// Carries the flow to [`associate`](crate::Mfa::associate).
        session: ChallengeSession,
        /// Says from when on the policy requires the token, where that time has not come: until
        /// then your application may let the user go on without evidence.
        required_from: Option<UnixTime>,
    },
}

/// Lists what a sign-in asks for, by the table.
enum Asked {
    Nothing { remembered: bool },
    Token,
    Setup { required_from: Option<UnixTime> },
}

fn asked(draft: &mut Draft<'_>, browser: Option<&BrowserText>) -> Asked {
    let now = draft.now();
    if draft.record().is_asked_for(draft.policy(), now) {
        let token = browser.and_then(|text| draft.remembered(text));
        let Some(token) = token.map(Token::named) else {
            return Asked::Token;
        };
        draft.event_about(EventKind::BrowserAccepted, Some(token));
        return Asked::Nothing { remembered: true };
    }
    match draft.policy().requirement() {
        _ if draft.record().is_verified() => Asked::Nothing { remembered: false },
        Requirement::Off | Requirement::Optional => Asked::Nothing { remembered: false },
        Requirement::Required => Asked::Setup {
            required_from: None,
        },
        Requirement::RequiredFrom(from) => Asked::Setup {
            required_from: (now < from).then_some(from),
        },
    }
}

impl sealed::Sealed for SignIn {}
impl Operation for SignIn {
    type Output = Challenge;

    const NAME: &'static str = "sign_in";

    fn actor(&self) -> Actor {
        Actor::Application
    }

    fn needs_session_keys(&self) -> bool {
        true
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Challenge, Refusal> {
        let asked = asked(draft, self.browser.as_ref());
        let (now, end) = (draft.now(), draft.session_end(draft.now()));
        let issue = |purpose| draft.issue(self.session, purpose, end, now);
        Ok(match asked {
            Asked::Nothing { remembered } => Challenge::NotRequired { remembered },
            Asked::Token => Challenge::SoftwareToken {
                session: issue(Purpose::SoftwareToken)?,
                names: draft.names(),
            },
            Asked::Setup { required_from } => Challenge::Setup {
                session: issue(Purpose::Setup)?,
                required_from,
            },
        })
    }
}

/// Signs in with everything in one request: the first factor was accepted in it, and the second may
/// come with it. No challenge session, no keys.
///
/// [`Mfa::sign_in_with`](crate::Mfa::sign_in_with) makes a request of this operation. Its page has
/// an example, and lists the rejections.
#[derive(Clone, Debug)]
pub struct SignInWith {
    factor: Option<Factor>,
    browser: Option<BrowserText>,
    attempt: Option<AttemptKey>,
}

impl SignInWith {
    /// Makes a sign-in with this factor, or with none. A factor that is given is judged wherever a
    /// token is in force, asked for or not, and its refusal is the answer; where no token is in
    /// force, the factor is ignored, with an event.
    #[must_use]
    pub fn new(factor: Option<Factor>) -> Self {
        Self {
            factor,
            browser: None,
            attempt: None,
        }
    }

    /// Comes from a browser that shows this text, which may be remembered.
    #[must_use]
    pub fn from_browser(mut self, text: Option<&str>) -> Self {
        self.browser = text.map(BrowserText::new);
        self
    }

    /// Names the attempt, so that it can be repeated when its answer was lost: see [`AttemptKey`].
    #[must_use]
    pub fn attempt(mut self, key: AttemptKey) -> Self {
        self.attempt = Some(key);
        self
    }
}

/// Holds what became of a sign-in in one request.
///
/// The enum is exhaustive, so that no arm `_ =>` lets anybody in; the fields of its variants are
/// not.
#[derive(Debug)]
#[must_use = "only NotRequired and Proven let the user in"]
#[expect(clippy::exhaustive_enums, reason = "an arm `_` would let somebody in")]
pub enum SignedIn {
    /// The sign-in needs no second factor. Nothing was proven: there is no evidence.
    #[non_exhaustive]
    NotRequired {
        /// Says whether a code would have been asked for, had the browser not been remembered.
        remembered: bool,
    },
    /// The factor was accepted.
    Proven(Evidence),
    /// The sign-in needs a factor, and none was given: ask for it, and for the password again.
    #[non_exhaustive]
    FactorRequired {
        /// Lists the names of the tokens that have one: they tell the user which phone to look at.
        names: Vec<String>,
    },
    /// The policy requires a software token, and the user has none.
    #[non_exhaustive]
    SetupRequired {
        /// Says from when on the policy requires the token, where that time has not come: until
        /// then your application may let the user go on without evidence.
        required_from: Option<UnixTime>,
    },
}

impl sealed::Sealed for SignInWith {}
impl Operation for SignInWith {
    type Output = SignedIn;

    const NAME: &'static str = "sign_in_with";

    fn actor(&self) -> Actor {
        Actor::Application
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<SignedIn, Refusal> {
        match &self.factor {
            Some(factor) if draft.record().is_verified() => {
                let behind = Behind {
                    claims: None,
                    first_factor: draft.now(),
                    login_id: None,
                };
                let attempted = Attempted {
                    operation: Repeatable::SignInWith,
                    key: self.attempt.as_ref(),
                };
                return accept(draft, factor, &behind, &attempted).map(SignedIn::Proven);
            }
            Some(_) => draft.event(EventKind::FactorIgnored),
            None => {}
        }
        Ok(match asked(draft, self.browser.as_ref()) {
            Asked::Nothing { remembered } => SignedIn::NotRequired { remembered },
            Asked::Token => SignedIn::FactorRequired {
                names: draft.names(),
            },
            Asked::Setup { required_from } => SignedIn::SetupRequired { required_from },
        })
    }
}

/// Answers a [`Challenge::SoftwareToken`] with a factor: the sign-in is complete.
///
/// [`Mfa::respond`](crate::Mfa::respond) makes a request of this operation. Its page has an
/// example, and lists the rejections.
#[derive(Clone, Debug)]
pub struct Respond {
    session: Authority,
    factor: Factor,
    attempt: Option<AttemptKey>,
}

impl Respond {
    /// Answers the challenge that gave this session.
    #[must_use]
    pub fn new(session: &ChallengeSession, factor: impl Into<Factor>) -> Self {
        Self {
            session: session.into(),
            factor: factor.into(),
            attempt: None,
        }
    }

    /// Names the attempt, so that it can be repeated when its answer was lost: see [`AttemptKey`].
    #[must_use]
    pub fn attempt(mut self, key: AttemptKey) -> Self {
        self.attempt = Some(key);
        self
    }
}

impl sealed::Sealed for Respond {}
impl Operation for Respond {
    type Output = Evidence;

    const NAME: &'static str = "respond";

    fn actor(&self) -> Actor {
        Actor::Session
    }

    fn needs_session_keys(&self) -> bool {
        true
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Evidence, Refusal> {
        let purpose = Some(PurposeKind::SoftwareToken);
        let who = self.session.recognise(draft, purpose)?;
        let behind = Behind {
            claims: who.claims(),
            first_factor: who.first_factor().unwrap_or(draft.now()),
            login_id: None,
        };
        let attempted = Attempted {
            operation: Repeatable::Respond,
            key: self.attempt.as_ref(),
        };
        accept(draft, &self.factor, &behind, &attempted)
    }
}

/// Shows the second factor again within a login ("sudo mode"), or for the first time: the evidence
/// makes a grant with which factors may be changed.
///
/// [`Mfa::step_up`](crate::Mfa::step_up) makes a request of this operation. Its page has an
/// example, and lists the rejections.
#[derive(Clone, Debug)]
pub struct StepUp {
    grant: Grant,
    factor: Factor,
    attempt: Option<AttemptKey>,
}

impl StepUp {
    /// Steps this login up.
    #[must_use]
    pub fn new(grant: &Grant, factor: impl Into<Factor>) -> Self {
        Self {
            grant: grant.clone(),
            factor: factor.into(),
            attempt: None,
        }
    }

    /// Names the attempt, so that it can be repeated when its answer was lost: see [`AttemptKey`].
    #[must_use]
    pub fn attempt(mut self, key: AttemptKey) -> Self {
        self.attempt = Some(key);
        self
    }
}

impl sealed::Sealed for StepUp {}
impl Operation for StepUp {
    type Output = Evidence;

    const NAME: &'static str = "step_up";

    fn actor(&self) -> Actor {
        Actor::Grant
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Evidence, Refusal> {
        self.grant.is_good(draft)?;
        let behind = Behind {
            claims: None,
            first_factor: self.grant.first_factor_at(),
            login_id: self.grant.login_id(),
        };
        let attempted = Attempted {
            operation: Repeatable::StepUp,
            key: self.attempt.as_ref(),
        };
        accept(draft, &self.factor, &behind, &attempted)
    }
}

/// Completes the sign-in that had to set up a token first, for protocols with one call more than
/// [`Verify`](super::Verify): the code that proved the token counts for this sign-in as well.
///
/// [`Mfa::finish_setup`](crate::Mfa::finish_setup) makes a request of this operation. Its page has
/// an example, and lists the rejections.
#[derive(Clone, Debug)]
pub struct FinishSetup {
    session: ChallengeSession,
}

impl FinishSetup {
    /// Completes the sign-in whose `verify` gave this session.
    #[must_use]
    pub fn new(session: &ChallengeSession) -> Self {
        Self {
            session: session.clone(),
        }
    }
}

impl sealed::Sealed for FinishSetup {}
impl Operation for FinishSetup {
    type Output = Evidence;

    const NAME: &'static str = "finish_setup";

    fn actor(&self) -> Actor {
        Actor::Session
    }

    fn needs_session_keys(&self) -> bool {
        true
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Evidence, Refusal> {
        let claims = draft.claims(&self.session, Some(PurposeKind::SetupDone))?;
        draft.record().admits(&claims)?;
        let Purpose::SetupDone(id, step) = claims.purpose else {
            return Err(SessionFlaw::OtherPurpose.into());
        };
        let proven_at = match draft.record().token(id) {
            Ok(token) if token.unfinished => token.since,
            _ => return Err(SessionFlaw::Spent.into()),
        };
        // A session can be dated anew by the holder of its key, and the proof behind it cannot. A
        // proof that lies ahead is of a clock that was ahead, and would be good for that long.
        if draft.session_end(proven_at) <= draft.now() || draft.lies_ahead(proven_at) {
            return Err(SessionFlaw::Expired.into());
        }
        if let Some(token) = draft.change().token_mut(id) {
            token.unfinished = false;
        }
        let method = Method::SoftwareToken;
        draft.event_about(
            EventKind::SignedIn {
                method,
                failures: 0,
            },
            draft.named(Some(id)),
        );
        let proof = Proof {
            method,
            token: Some(id),
            step: Some(step),
            at: proven_at,
            first_factor: Some(claims.first_factor),
            end_other_logins: false,
        };
        Ok(draft.evidence(proof, None))
    }
}
