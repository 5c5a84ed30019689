//! When codes do not fit, because the clock of the user's device is off.

use crate::association::authority::Authority;
use crate::association::credential::PurposeKind;
use crate::association::draft::Draft;
use crate::association::operation::{Operation, sealed};
use crate::association::outcome::{Actor, EventKind, Refusal};
use crate::totp::Code;

/// Finds out how far the user's clock is off from two codes in a row
/// ([RFC 4226 section 7.4](https://www.rfc-editor.org/rfc/rfc4226#section-7.4)). It signs nobody in.
#[derive(Clone, Debug)]
pub struct Resynchronise {
    authority: Authority,
    code: Code,
    next: Code,
}

impl Resynchronise {
    /// By a grant or the session of a [`Challenge::SoftwareToken`](crate::Challenge), with a code and the one that the
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
