//! Computes and verifies time-based one-time passwords, [RFC
//! 4226](https://www.rfc-editor.org/rfc/rfc4226) and [RFC
//! 6238](https://www.rfc-editor.org/rfc/rfc6238), and nothing else: this module keeps no state,
//! reads no clock and draws nothing at random.
//!
//! A [`Verifier`] is a prepared key. It judges a [`Code`] against every step of a [`Window`] and
//! gives a [`Verdict`]. It does not remember what it accepted: keep the step of
//! [`Verdict::Accepted`] and hand it back as `after`, or a code that somebody saw opens the door a
//! second time.
//!
//! ```
//! use softtoken::UnixTime;
//! use softtoken::totp::{Code, Secret, Totp, Verdict, Verifier, Window};
//!
//! let secret = Secret::from_base32("GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ")?;
//! let totp = Totp::STANDARD;
//! let verifier = Verifier::new(&secret, totp);
//! let now = totp.step(UnixTime::from_secs(1_111_111_109));
//!
//! let code: Code = "081 804".parse()?;
//! let Verdict::Accepted { step, .. } = verifier.verify(&code, now, Window::STANDARD, None) else {
//!     panic!("the code of RFC 6238 appendix B");
//! };
//! let again = verifier.verify(&code, now, Window::STANDARD, Some(step));
//! assert_eq!(again, Verdict::Reused { step });
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod base32;
mod code;
mod hash;
mod hex;
mod hmac;
mod legacy_uri;
mod parameters;
mod percent;
#[cfg(feature = "qr")]
mod qr;
mod secret;
mod truncation;
mod uri;
mod verifier;
mod window;

pub use code::{Code, CodeError};
pub use legacy_uri::LegacyKeyUri;
pub use parameters::{Algorithm, Digits, Totp, TotpError};
#[cfg(feature = "qr")]
pub use qr::QrCode;
pub use secret::{GenerateError, Secret, SecretError};
pub use uri::{KeyUri, UriError};
pub use verifier::{Verdict, Verifier};
pub use window::Window;

/// Returns whether a character only groups what people type: white space of any script, as it comes
/// along when a text is copied, and the hyphen.
///
/// A secret's text may show no more than its separators: the function stands by itself, so that a
/// checker can name the branch, which is written as the one in `reveal`.
#[inline(never)]
pub(crate) fn is_separator(typed: char) -> bool {
    if typed == '-' || typed.is_whitespace() {
        core::hint::black_box(true)
    } else {
        core::hint::black_box(false)
    }
}
