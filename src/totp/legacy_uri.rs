//! Reads the key URIs that servers have kept, as their libraries wrote them.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use super::percent::decode_legacy;
use super::uri::{Parameters, after_scheme, label_and_query, name_and_value};
use super::{KeyUri, Secret, Totp, UriError};

/// Holds the key in a URI that another system issued, and the names that the URI has for it.
///
/// [`KeyUri::parse_legacy`] reads it. The names are untrusted text of any length: no rule holds for
/// them, and two URIs of one system may disagree on what is the issuer and what the account. Use
/// them to name a token for its holder, after cutting and escaping them; decide nothing by them.
///
/// A URI is wiped of its secret when dropped. `Debug` shows neither the secret nor the names, since
/// a URI that was put together wrongly may have anything in its label.
#[derive(Clone, PartialEq, Eq)]
pub struct LegacyKeyUri {
    secret: Secret,
    totp: Totp,
    // A URI that was put together wrongly may have its secret in either.
    label: Zeroizing<String>,
    issuer: Option<Zeroizing<String>>,
}

impl KeyUri {
    /// Reads a URI that another system issued, for import: the key where it is clear, whatever the
    /// names look like.
    ///
    /// Beyond what [`parse`](Self::parse) reads:
    ///
    /// - issuers may differ or be empty, names may be empty or hold colons, and the issuer or an
    ///   unknown parameter may stand more than once;
    /// - characters need no encoding: a label may hold spaces, `ü`, `#` or a lone `%`. A `+` is a
    ///   space, as in a form. The first `?` ends the label;
    /// - white space around the URI is dropped;
    /// - the secret is read by [`Secret::from_base32_legacy`].
    ///
    /// Names of parameters are matched by case, as authenticator apps match them: `Digits=8` is
    /// ignored. Wiping the text is left to the caller.
    ///
    /// ```
    /// use softtoken::totp::{KeyUri, Totp, UriError};
    ///
    /// let text = "otpauth://totp/Acme+Inc%3aalice%40example.net\
    ///             ?secret=JBSWY3DPEHPK3PXP&issuer=Microsoft";
    /// assert_eq!(KeyUri::parse(text), Err(UriError::IssuerConflict));
    ///
    /// let uri = KeyUri::parse_legacy(text)?;
    /// assert_eq!(uri.secret().expose(), b"Hello!\xde\xad\xbe\xef");
    /// assert_eq!(uri.totp(), Totp::STANDARD);
    /// assert_eq!(uri.name(), Some("Acme Inc:alice@example.net"));
    /// assert_eq!(uri.issuer(), Some("Microsoft"));
    /// assert_eq!(uri.account(), Some("alice@example.net"));
    /// # Ok::<(), UriError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns a [`UriError`] that holds nothing of the text if the key is not clear: another
    /// scheme or type, a user or a port, no secret, or `secret`, `algorithm`, `digits` or `period`
    /// twice, out of range, or after a `#`, where some apps no longer read.
    pub fn parse_legacy(text: &str) -> Result<LegacyKeyUri, UriError> {
        let (label, query) = label_and_query(after_scheme(text.trim())?)?;
        let mut parameters = Parameters::default();
        let mut seen: Vec<Zeroizing<String>> = Vec::new();
        let mut issuer = None;
        let mut after_hash = false;
        for parameter in query.split('&') {
            let (name, value) = name_and_value(parameter);
            let (name, value) = (decode_legacy(name), decode_legacy(value));
            if Parameters::has(&name) {
                if after_hash {
                    return Err(UriError::Fragment);
                }
                if seen.contains(&name) {
                    return Err(UriError::Duplicate);
                }
                parameters.read(&name, &value, Secret::from_base32_legacy)?;
                seen.push(name);
            } else if *name == "issuer" && issuer.is_none() {
                issuer = present(&value).map(|issuer| Zeroizing::new(issuer.to_owned()));
            }
            after_hash |= parameter.contains('#');
        }
        let (secret, totp) = parameters.key()?;
        let label = decode_legacy(label);
        Ok(LegacyKeyUri {
            secret,
            totp,
            label: Zeroizing::new(label.trim().to_owned()),
            issuer,
        })
    }
}

impl LegacyKeyUri {
    /// Returns the key.
    #[must_use]
    pub const fn secret(&self) -> &Secret {
        &self.secret
    }

    /// Returns the parameters that belong to the key.
    #[must_use]
    pub const fn totp(&self) -> Totp {
        self.totp
    }

    /// Returns what the URI calls the key: its label, else the issuer that the parameter names.
    ///
    /// The text is untrusted and of any length.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        present(&self.label).or(self.said_issuer())
    }

    /// Returns the service, if the URI names one: by the parameter, as current apps read it, else
    /// by what stands before the first colon of the label.
    ///
    /// The text is untrusted and of any length.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        let prefix = || self.label.split_once(':').map(|(prefix, _)| prefix);
        self.said_issuer().or_else(|| present(prefix()?))
    }

    /// Returns the user's name at the service, if the URI names one: what stands in the label after
    /// the issuer and a colon, else after the first colon, else the whole label.
    ///
    /// The text is untrusted and of any length.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        let after_issuer = self
            .said_issuer()
            .and_then(|issuer| self.label.strip_prefix(issuer))
            .and_then(|rest| rest.strip_prefix(':'));
        let after_colon = || self.label.split_once(':').map(|(_, account)| account);
        present(after_issuer.or_else(after_colon).unwrap_or(&self.label))
    }

    fn said_issuer(&self) -> Option<&str> {
        self.issuer.as_deref().map(String::as_str)
    }
}

impl fmt::Debug for LegacyKeyUri {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LegacyKeyUri")
            .field("totp", &self.totp)
            .finish_non_exhaustive()
    }
}

/// Returns a name without the white space around it, if there is one.
fn present(name: &str) -> Option<&str> {
    Some(name.trim()).filter(|name| !name.is_empty())
}
