//! Issues codes for a user who has lost the phone: a set for the user, one for a while from an
//! administrator.

use alloc::boxed::Box;
use core::time::Duration;

use crate::association::authority::{Administrator, Authority};
use crate::association::credential::{RecoveryCode, RecoveryCodes};
use crate::association::draft::Draft;
use crate::association::operation::{Operation, sealed};
use crate::association::outcome::{Actor, EventKind, Refusal};
use crate::association::state::{RecoverySet, TemporaryCode};
use crate::entropy::{Entropy, NoEntropy, draw};

/// Gives the user a new set of recovery codes; the set before is dead, and so is a temporary code.
///
/// [`Mfa::issue_recovery_codes`](crate::Mfa::issue_recovery_codes) makes a request of this
/// operation; there are an example and the rejections.
// Not Clone: the codes are one subject's.
#[derive(Debug)]
pub struct IssueRecoveryCodes {
    authority: Authority,
    codes: RecoveryCodes,
    salt: [u8; 16],
}

impl IssueRecoveryCodes {
    /// Draws the codes. To issue them needs possession of a token in force.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`] where the source fails. Nothing was made.
    pub fn new(authority: impl Into<Authority>, entropy: &dyn Entropy) -> Result<Self, NoEntropy> {
        Ok(Self {
            authority: authority.into(),
            codes: RecoveryCodes::draw(entropy)?,
            salt: draw(entropy)?,
        })
    }
}

impl sealed::Sealed for IssueRecoveryCodes {}
impl Operation for IssueRecoveryCodes {
    type Output = RecoveryCodes;

    const NAME: &'static str = "issue_recovery_codes";

    fn actor(&self) -> Actor {
        self.authority.actor()
    }

    fn needs_session_keys(&self) -> bool {
        self.authority.is_session()
    }

    fn is_one_subjects(&self) -> bool {
        true
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<RecoveryCodes, Refusal> {
        let who = self.authority.recognise(draft, None)?;
        who.possesses(draft, draft.freshness())?;
        draft.record().verified()?;
        let recovery = &mut draft.change().recovery;
        recovery.set = Some(RecoverySet::of(&self.codes, self.salt));
        recovery.temporary = None;
        draft.event(EventKind::RecoveryCodesIssued);
        Ok(self.codes.clone())
    }
}

/// Gives an administrator one code to pass on, good once and for a while, beside the user's own.
///
/// [`Mfa::issue_temporary_code`](crate::Mfa::issue_temporary_code) makes a request of this
/// operation; there are an example and the rejections.
// Not Clone: the code is one subject's.
#[derive(Debug)]
pub struct IssueTemporaryCode {
    by: Administrator,
    lifetime: Duration,
    code: RecoveryCode,
    salt: [u8; 16],
}

/// Reports why [`IssueTemporaryCode`] was not made.
/// [`Mfa::issue_temporary_code`](crate::Mfa::issue_temporary_code) reports it as a
/// [`Fault`](crate::Fault) when the request is run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TemporaryCodeError {
    /// The lifetime is not 1 minute to 7 days.
    #[error("a temporary code lives 1 minute to 7 days")]
    Lifetime,
    /// The source of randomness failed. Nothing was made.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
}

impl IssueTemporaryCode {
    /// Draws the code, to live 1 minute to 7 days from when it is issued.
    ///
    /// # Errors
    ///
    /// [`TemporaryCodeError`]. Nothing was made.
    pub fn new(
        by: &Administrator,
        lifetime: Duration,
        entropy: &dyn Entropy,
    ) -> Result<Self, TemporaryCodeError> {
        const MINUTE: Duration = Duration::from_secs(60);
        if !(MINUTE..=TemporaryCode::LONGEST).contains(&lifetime) {
            return Err(TemporaryCodeError::Lifetime);
        }
        Ok(Self {
            by: by.clone(),
            lifetime,
            code: RecoveryCode::draw(entropy)?,
            salt: draw(entropy)?,
        })
    }
}

impl sealed::Sealed for IssueTemporaryCode {}
impl Operation for IssueTemporaryCode {
    type Output = RecoveryCode;

    const NAME: &'static str = "issue_temporary_code";

    fn actor(&self) -> Actor {
        self.by.actor()
    }

    fn is_one_subjects(&self) -> bool {
        true
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<RecoveryCode, Refusal> {
        draft.record().verified()?;
        let expires = draft.now().saturating_add(self.lifetime);
        let recovery = &mut draft.change().recovery;
        let kept = TemporaryCode::of(&self.code, self.salt, expires);
        recovery.temporary = Some(Box::new(kept));
        recovery.wrong = 0;
        draft.event(EventKind::TemporaryCodeIssued { expires });
        Ok(self.code.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::association::draft::Environment;
    use crate::association::state::Record;
    use crate::policy::Policy;
    use crate::time::UnixTime;

    /// Fills each draw with a byte of its own.
    fn counting() -> impl Entropy {
        let draws = core::sync::atomic::AtomicU8::new(0);
        move |bytes: &mut [u8]| {
            bytes.fill(1 + draws.fetch_add(1, core::sync::atomic::Ordering::SeqCst));
            Ok(())
        }
    }

    #[test]
    fn codes_are_kept_under_the_salt_that_was_drawn_for_them() {
        let (by, now) = (
            Administrator::named("root"),
            UnixTime::from_secs(1_700_000_000),
        );
        let environment = Environment::new("alice", &Policy::STANDARD, now);
        let secret = crate::totp::Secret::from_bytes(&[7; 20]).expect("twenty bytes");
        let token = crate::association::ImportedToken::proven(secret, crate::totp::Totp::STANDARD);
        let import = crate::association::Import::new(&by, [token], &counting());
        let import = import
            .expect("it draws")
            .apply(Record::default(), &environment);
        let record = import.next.expect("a token is in force");

        let issue = IssueRecoveryCodes::new(&by, &counting()).expect("it draws");
        let record = issue.apply(record, &environment).next.expect("a new set");
        // After ten codes.
        assert_eq!(
            record.recovery.set.as_ref().map(|set| set.salt),
            Some([11; 16])
        );

        let hour = Duration::from_secs(3_600);
        let issue = IssueTemporaryCode::new(&by, hour, &counting()).expect("it draws");
        let record = issue.apply(record, &environment).next.expect("a code");
        let kept = record.recovery.temporary.as_ref();
        assert_eq!(kept.map(|code| code.salt), Some([2; 16]), "after the code");
    }
}
