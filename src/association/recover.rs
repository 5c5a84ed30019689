//! When codes do not come or do not fit: recovery codes, resynchronisation.

use super::Count;
use super::authority::Authority;
use super::draft::{Draft, Operation, sealed};
use super::event::{Actor, EventKind};
use super::evidence::{Evidence, Method, Proof};
use super::recovery::{RecoveryCode, RecoveryCodes};
use super::rejection::{Refusal, Rejection};
use super::session::{Context, PurposeKind, Session};
use crate::entropy::{Entropy, NoEntropy};
use crate::totp::Code;

/// Gives the user a new set of recovery codes; the set before is dead.
#[derive(Clone, Debug)]
pub struct IssueRecoveryCodes {
    authority: Authority,
    codes: RecoveryCodes,
}

impl IssueRecoveryCodes {
    /// By a grant with a second factor, or an administrator. Draws the codes.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`] where the source fails. Nothing was drawn.
    pub fn new(authority: impl Into<Authority>, entropy: &dyn Entropy) -> Result<Self, NoEntropy> {
        Ok(Self {
            authority: authority.into(),
            codes: RecoveryCodes::draw(entropy)?,
        })
    }
}

impl sealed::Sealed for IssueRecoveryCodes {}
impl Operation for IssueRecoveryCodes {
    type Output = RecoveryCodes;

    fn actor(&self) -> Actor {
        self.authority.actor()
    }

    fn needs_session_keys(&self) -> bool {
        self.authority.is_session()
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<RecoveryCodes, Refusal> {
        let who = self.authority.recognise(draft, None)?;
        who.proves_possession(draft)?;
        draft.record().token()?;
        draft.change().recovery = Some(self.codes.hashed());
        draft.event(EventKind::RecoveryCodesIssued);
        Ok(self.codes.clone())
    }
}

/// Accepts a recovery code in place of the token's, and clears the throttle. It waits for no throttle and no lock.
#[derive(Clone, Debug)]
pub struct Recover {
    session: Option<Session>,
    code: RecoveryCode,
}

impl Recover {
    /// Without a session: the embedder knows from elsewhere who the user is.
    #[must_use]
    pub fn new(code: RecoveryCode) -> Self {
        Self {
            session: None,
            code,
        }
    }

    /// As the answer to the challenge that gave this session; success ends it.
    #[must_use]
    pub fn within(mut self, session: &Session) -> Self {
        self.session = Some(session.clone());
        self
    }
}

impl sealed::Sealed for Recover {}
impl Operation for Recover {
    type Output = Evidence;

    fn actor(&self) -> Actor {
        self.session
            .as_ref()
            .map_or(Actor::Embedder, |_| Actor::Session)
    }

    fn needs_session_keys(&self) -> bool {
        self.session.is_some()
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Evidence, Refusal> {
        let claims = self
            .session
            .as_ref()
            .map(|session| draft.claims(session, Some(PurposeKind::SoftwareToken)))
            .transpose()?;
        if let Some(claims) = &claims {
            claims.is_alive(draft)?;
        }
        draft.record().token()?;
        draft.has_room_for(claims.as_ref())?;

        let mut left = draft.record().recovery.clone();
        if !left.as_mut().is_some_and(|codes| codes.take(&self.code)) {
            return Err(Rejection::Mismatch.into());
        }
        let remaining = left.as_ref().map_or(0, |codes| codes.hashes.len());
        let failures = draft.record().throttle.streak;
        let record = draft.change();
        record.recovery = left;
        record.throttle = Count::NONE;
        draft.spend(claims.as_ref());
        draft.event(EventKind::RecoveryCodeUsed {
            left: u32::try_from(remaining).unwrap_or(u32::MAX),
        });
        draft.event(EventKind::SignedIn {
            method: Method::RecoveryCode,
            failures,
        });
        let proof = Proof {
            method: Method::RecoveryCode,
            step: None,
            at: draft.now(),
            first_factor: claims.is_some(),
            end_other_sessions: true,
        };
        let context = claims.map_or_else(Context::default, |claims| claims.context().clone());
        Ok(draft.evidence(context, proof))
    }
}

/// Finds out how far the user's clock is off from two codes in a row
/// ([RFC 4226 section 7.4](https://www.rfc-editor.org/rfc/rfc4226#section-7.4)). It signs nobody in.
#[derive(Clone, Debug)]
pub struct Resynchronise {
    authority: Authority,
    code: Code,
    next: Code,
}

impl Resynchronise {
    /// By a grant or the session of a [`Challenge::SoftwareToken`](super::Challenge), with a code and the one that the
    /// device shows after it.
    #[must_use]
    pub fn new(authority: impl Into<Authority>, code: Code, next: Code) -> Self {
        Self {
            authority: authority.into(),
            code,
            next,
        }
    }
}

impl sealed::Sealed for Resynchronise {}
impl Operation for Resynchronise {
    type Output = ();

    fn actor(&self) -> Actor {
        self.authority.actor()
    }

    fn needs_session_keys(&self) -> bool {
        self.authority.is_session()
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<(), Refusal> {
        let who = self
            .authority
            .recognise(draft, Some(PurposeKind::SoftwareToken))?;
        who.is_alive(draft)?;
        let token = draft.record().token()?.clone();
        let reach = draft.policy().resynchronise_reach();
        let floor = Some((token.last_step, token.drift));
        let accepted = draft.judge(token.totp, &[&self.code, &self.next], floor, |now| {
            let last = Some(token.last_step);
            token
                .verifier()
                .verify_pair(&self.code, &self.next, now, reach, last)
        })?;
        // At most 121 steps: the policy's reach, and one.
        let ahead = i16::try_from(accepted.drift).unwrap_or(0);
        draft.spend_step(accepted.step, ahead);
        draft.event(EventKind::Resynchronised {
            drift: ahead,
            failures: accepted.failures,
        });
        Ok(())
    }
}
