//! Holds what answers a challenge or a step-up.

use super::recovery_code::{RecoveryCode, RecoveryCodeError};
use crate::totp::{Code, CodeError};

/// Answers a challenge or a step-up: a code of a token, a recovery code, or a factor that your
/// application vouches for.
///
/// ```
/// use softtoken::{Factor, Vouched};
///
/// // One text field can take both.
/// assert!(matches!(Factor::parse("123 456")?, Factor::Code(_)));
/// assert!(matches!(Factor::parse("01234-56789-ABCDE-FGHJK-MNPQR")?, Factor::RecoveryCode(_)));
/// assert!(Factor::parse("hunter2").is_err());
///
/// // A passkey with user verification, which your application has checked.
/// let factor = Factor::from(Vouched::factor(&["hwk", "user"]));
/// # Ok::<(), softtoken::association::FactorError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Factor {
    /// Holds a code of one of the user's software tokens.
    Code(Code),
    /// Holds a recovery code, or the temporary code of an administrator.
    RecoveryCode(RecoveryCode),
    /// Holds a factor that your application has checked itself.
    Vouched(Vouched),
}

/// Reports a text that is neither a code nor a recovery code. Nothing was looked up, nothing
/// counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FactorError {
    /// The text is as short as a code, and is none.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// The text is as long as a recovery code, and is none.
    #[error(transparent)]
    RecoveryCode(#[from] RecoveryCodeError),
}

impl Factor {
    /// Reads what a user typed into one field: a code of 6 to 8 digits or a recovery code, told
    /// apart by length, white space and hyphens aside. It never vouches.
    ///
    /// # Errors
    ///
    /// [`FactorError`] where the text is neither. Nothing was looked up.
    pub fn parse(text: &str) -> Result<Self, FactorError> {
        let is_typed = |typed: &char| !typed.is_whitespace() && *typed != '-';
        if text.chars().filter(is_typed).count() > LONGEST_CODE {
            Ok(RecoveryCode::parse(text)?.into())
        } else {
            Ok(Code::parse(text)?.into())
        }
    }
}

/// Counts the characters of the longest code.
const LONGEST_CODE: usize = 8;

impl From<Code> for Factor {
    fn from(code: Code) -> Self {
        Self::Code(code)
    }
}

impl From<RecoveryCode> for Factor {
    fn from(code: RecoveryCode) -> Self {
        Self::RecoveryCode(code)
    }
}

impl From<Vouched> for Factor {
    fn from(vouched: Vouched) -> Self {
        Self::Vouched(vouched)
    }
}

/// Says that your application has itself checked another second factor of the subject's: a passkey
/// with user verification, say, or a recovery code of the system that the subject moved from.
///
/// You owe that it was checked, for this subject, in this very request, and that a code that was
/// vouched for is burnt first. Every use of this type is one to review.
///
/// A vouched factor is accepted only where a token is in force. Elsewhere
/// [`step_up`](crate::Mfa::step_up) answers [`NotAssociated`](crate::Rejection::NotAssociated), and
/// [`sign_in_with`](crate::Mfa::sign_in_with) ignores the factor, with an event: about a user who
/// has a passkey alone your application decides by itself, as the manual
/// [shows](crate::manual::handlers#passkeys-beside-codes).
#[derive(Clone, Debug)]
pub struct Vouched(pub(crate) VouchedFor);

#[derive(Clone, Copy, Debug)]
pub(crate) enum VouchedFor {
    Factor(&'static [&'static str]),
    RecoveryCode { matched: bool },
}

impl Vouched {
    /// Vouches for a factor with these authentication method references
    /// ([RFC 8176](https://www.rfc-editor.org/rfc/rfc8176#section-2)), such as `["hwk", "user"]`.
    #[must_use]
    pub fn factor(amr: &'static [&'static str]) -> Self {
        Self(VouchedFor::Factor(amr))
    }

    /// Says whether a recovery code of another system matched. A code that did not match is
    /// refused, and counted with the wrong recovery codes of this crate.
    #[must_use]
    pub fn recovery_code(matched: bool) -> Self {
        Self(VouchedFor::RecoveryCode { matched })
    }
}
