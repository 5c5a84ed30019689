//! When no code comes, because the device is not at hand: recovery codes.

use crate::association::authority::Authority;
use crate::association::credential::{PurposeKind, RecoveryCode, RecoveryCodes, Session};
use crate::association::draft::Draft;
use crate::association::names::Context;
use crate::association::operation::{Operation, sealed};
use crate::association::outcome::{Actor, EventKind, Evidence, Method, Proof, Refusal, Rejection};
use crate::association::state::{Count, RecoverySet};
use crate::entropy::{Entropy, NoEntropy};

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
        draft.change().recovery = Some(RecoverySet::of(&self.codes));
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
            draft.record().admits(claims)?;
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
