//! What a user decides about a token of theirs: prefer, disassociate.

use crate::association::authority::Authority;
use crate::association::draft::Draft;
use crate::association::operation::{Operation, sealed};
use crate::association::outcome::{Actor, EventKind, Refusal, Rejection};
use crate::association::state::{Association, Preference};
use crate::policy::Requirement;

/// Turns the token on or off, or prefers it.
#[derive(Clone, Debug)]
pub struct Prefer {
    authority: Authority,
    preference: Preference,
}

impl Prefer {
    /// By a grant, which needs a second factor to turn the token off, or by an administrator.
    #[must_use]
    pub fn new(authority: impl Into<Authority>, preference: Preference) -> Self {
        Self {
            authority: authority.into(),
            preference,
        }
    }
}

impl sealed::Sealed for Prefer {}
impl Operation for Prefer {
    type Output = ();

    fn actor(&self) -> Actor {
        self.authority.actor()
    }

    fn needs_session_keys(&self) -> bool {
        self.authority.is_session()
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<(), Refusal> {
        let who = self.authority.recognise(draft, None)?;
        let current = draft.record().preference;
        if current.is_enabled() && !self.preference.is_enabled() {
            who.proves_possession(draft)?;
        }
        draft.record().token()?;
        if !self.preference.is_enabled() && draft.policy().requirement() == Requirement::Required {
            return Err(Rejection::MfaRequired.into());
        }
        if self.preference == current {
            return Ok(());
        }
        let preference = self.preference;
        let record = draft.change();
        record.preference = preference;
        if let Some(token) = record.token_mut() {
            token.ever_enabled |= preference.is_enabled();
        }
        draft.event(EventKind::PreferenceChanged {
            enabled: preference.is_enabled(),
            preferred: preference.is_preferred(),
        });
        Ok(())
    }
}

/// Removes the token, a pending one and the recovery codes, at the user's wish.
#[derive(Clone, Debug)]
pub struct Disassociate {
    authority: Authority,
}

impl Disassociate {
    /// By a grant with a second factor, or an administrator.
    #[must_use]
    pub fn new(authority: impl Into<Authority>) -> Self {
        Self {
            authority: authority.into(),
        }
    }
}

impl sealed::Sealed for Disassociate {}
impl Operation for Disassociate {
    type Output = ();

    fn actor(&self) -> Actor {
        self.authority.actor()
    }

    fn needs_session_keys(&self) -> bool {
        self.authority.is_session()
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<(), Refusal> {
        let who = self.authority.recognise(draft, None)?;
        who.proves_possession(draft)?;
        if draft.policy().requirement() == Requirement::Required {
            return Err(Rejection::MfaRequired.into());
        }
        match draft.record().association {
            Association::Unassociated => return Ok(()),
            // What nobody has proven was never in force: the generation stands.
            Association::Pending(_) => draft.change().association = Association::Unassociated,
            Association::Verified(_) => draft.change().end(),
        }
        draft.event(EventKind::Disassociated);
        Ok(())
    }
}
