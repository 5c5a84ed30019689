//! Mends codes that do not fit because a clock is off.

use crate::association::authority::Authority;
use crate::association::credential::PurposeKind;
use crate::association::draft::{Draft, Typed};
use crate::association::operation::{Operation, sealed};
use crate::association::outcome::{Actor, EventKind, Refusal, Rejection};
use crate::totp::Code;

/// Finds out how far a token's clock is off from two codes in a row ([RFC 4226 section
/// 7.4](https://www.rfc-editor.org/rfc/rfc4226#section-7.4)). It signs nobody in.
///
/// [`Mfa::resynchronise`](crate::Mfa::resynchronise) makes a request of this operation. Its page
/// has an example, and lists the rejections.
#[derive(Clone, Debug)]
pub struct Resynchronise {
    authority: Authority,
    code: Code,
    next: Code,
}

impl Resynchronise {
    /// Takes a code, and the one that the device shows after it, on the authority of a grant, of
    /// the session of a [`Challenge::SoftwareToken`](super::Challenge), or of an administrator.
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

    const NAME: &'static str = "resynchronise";

    fn actor(&self) -> Actor {
        self.authority.actor()
    }

    fn needs_session_keys(&self) -> bool {
        self.authority.is_session()
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<(), Refusal> {
        let purpose = Some(PurposeKind::SoftwareToken);
        let who = self.authority.recognise(draft, purpose)?;
        who.is_recent(draft)?;
        draft.record().verified()?;
        let judged = draft.judge_tokens(Typed::Pair(&self.code, &self.next))?;
        let spent = draft.spend_steps(&judged);
        let Some((index, accepted)) = judged.matches().next() else {
            return Err(Rejection::Mismatch.into());
        };
        // At most 121 steps: the policy's reach, and one.
        let ahead = i16::try_from(accepted.drift).unwrap_or(0);
        if let Some(token) = draft.change().tokens.get_mut(index) {
            token.drift = ahead;
        }
        let kind = EventKind::Resynchronised {
            drift: ahead,
            failures: judged.failures,
        };
        draft.event_about(kind, draft.named(spent.map(|(id, _)| id)));
        Ok(())
    }
}
