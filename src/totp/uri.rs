//! Writes and reads the key as authenticator apps read it, mostly off a screen.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};
use core::time::Duration;

use zeroize::Zeroizing;

use super::percent::{Encoded, decode};
use super::{Algorithm, Digits, Secret, SecretError, Totp, TotpError};

/// Holds an `otpauth://totp/` URI, the [Key Uri
/// Format](https://github.com/google/google-authenticator/wiki/Key-Uri-Format): an issuer, an
/// account there, and the key that both share.
///
/// A key URI holds the secret: what [`expose`](Self::expose) returns belongs on the user's screen
/// and in no log. `Debug` shows the rest of it alone.
///
/// ```
/// use softtoken::totp::{KeyUri, Secret, Totp};
///
/// let secret = Secret::from_base32("HXDMVJECJJWSRB3HWIZR4IFUGFTMXBOZ")?;
/// let uri = KeyUri::new(Some("ACME Co"), "john.doe@email.com", &secret, Totp::STANDARD)?;
/// assert_eq!(
///     *uri.expose(),
///     "otpauth://totp/ACME%20Co:john.doe@email.com?secret=HXDMVJECJJWSRB3HWIZR4IFUGFTMXBOZ\
///      &issuer=ACME%20Co&algorithm=SHA1&digits=6&period=30",
/// );
/// assert_eq!(KeyUri::parse(&uri.expose())?, uri);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyUri {
    issuer: Option<String>,
    account: String,
    secret: Secret,
    totp: Totp,
}

impl KeyUri {
    /// Creates a URI for a key. Apps show `issuer`, the service, over `account`, the user's name
    /// there; the spaces that `account` begins with are dropped, as apps drop them.
    ///
    /// # Errors
    ///
    /// Returns [`UriError::Issuer`] or [`UriError::Account`] if one is empty or holds a colon.
    pub fn new(
        issuer: Option<&str>,
        account: &str,
        secret: &Secret,
        totp: Totp,
    ) -> Result<Self, UriError> {
        let account = account.trim_start_matches(' ');
        if issuer.is_some_and(|issuer| issuer.is_empty() || issuer.contains(':')) {
            return Err(UriError::Issuer);
        }
        if account.is_empty() || account.contains(':') {
            return Err(UriError::Account);
        }
        Ok(Self {
            issuer: issuer.map(ToOwned::to_owned),
            account: account.to_owned(),
            secret: secret.clone(),
            totp,
        })
    }

    /// Reads a URI strictly: what one app would read differently from another is refused.
    /// [`parse_legacy`](Self::parse_legacy) reads what other servers have kept in their tables.
    ///
    /// Parameters that are left out are SHA-1, six digits and 30 seconds; unknown ones are ignored.
    /// A `+` is a plus. Characters that may not stand in a URI as they are ([RFC
    /// 3986](https://www.rfc-editor.org/rfc/rfc3986#section-3.3)) must be percent-encoded UTF-8.
    /// Wiping the text is left to the caller.
    ///
    /// ```
    /// use softtoken::totp::{KeyUri, Totp, UriError};
    ///
    /// let text = "otpauth://totp/alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Example";
    /// let uri = KeyUri::parse(text)?;
    /// assert_eq!((uri.issuer(), uri.account()), (Some("Example"), "alice"));
    /// assert_eq!(uri.totp(), Totp::STANDARD);
    /// assert_eq!(uri.secret().expose(), b"12345678901234567890");
    /// assert_eq!(KeyUri::parse("otpauth://hotp/alice"), Err(UriError::Type));
    /// # Ok::<(), UriError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns a [`UriError`] that says what is wrong with the text and holds nothing of it.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        let rest = after_scheme(text)?;
        if rest.contains('#') {
            return Err(UriError::Fragment);
        }
        let (label, query) = label_and_query(rest)?;
        let label = decode(label).ok_or(UriError::Encoding)?;
        let (prefix, account) = match label.split_once(':') {
            Some((issuer, account)) => (Some(issuer), account),
            None => (None, label.as_str()),
        };
        let (parameters, issuer) = strict(query)?;
        let issuer = match (prefix, issuer.as_deref()) {
            (Some(prefix), Some(issuer)) if prefix != issuer => {
                return Err(UriError::IssuerConflict);
            }
            (prefix, issuer) => prefix.or(issuer.map(String::as_str)),
        };
        let (secret, totp) = parameters.key()?;
        Self::new(issuer, account, &secret, totp)
    }

    /// Returns the service, if the URI names one.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// Returns the user's name at the service.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

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

    /// Returns the text. The issuer stands in the label and in a parameter, for old apps and new
    /// ones, and no default is left out.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        // Never grown: what a string outgrows is freed without being wiped.
        let names = 2 * self.issuer.as_ref().map_or(0, String::len) + self.account.len();
        let secret = self.secret.expose_base32();
        let mut text = Zeroizing::new(String::with_capacity(3 * names + secret.len() + 80));
        // A string takes whatever is written to it.
        let _ = self.write(&secret, &mut text);
        text
    }

    fn write(&self, secret: &str, text: &mut String) -> fmt::Result {
        text.write_str("otpauth://totp/")?;
        if let Some(issuer) = &self.issuer {
            write!(text, "{}:", Encoded(issuer))?;
        }
        write!(text, "{}?secret={secret}", Encoded(&self.account))?;
        if let Some(issuer) = &self.issuer {
            write!(text, "&issuer={}", Encoded(issuer))?;
        }
        let (algorithm, digits) = (self.totp.algorithm(), self.totp.digits().get());
        let period = self.totp.period().as_secs();
        write!(
            text,
            "&algorithm={algorithm}&digits={digits}&period={period}"
        )
    }
}

/// Returns what stands after `otpauth://`.
pub(super) fn after_scheme(text: &str) -> Result<&str, UriError> {
    match text.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("otpauth") => Ok(rest),
        _ => Err(UriError::Scheme),
    }
}

/// Splits the label from the query, of what stands after the scheme. The type must be `totp`.
pub(super) fn label_and_query(rest: &str) -> Result<(&str, &str), UriError> {
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, label) = place.split_once('/').unwrap_or((place, ""));
    if authority.contains('@') {
        return Err(UriError::UserInfo);
    }
    if authority.contains(':') {
        return Err(UriError::Port);
    }
    if !authority.eq_ignore_ascii_case("totp") {
        return Err(UriError::Type);
    }
    Ok((label, query))
}

/// Returns the name and the value of a parameter, as they stand in the query.
pub(super) fn name_and_value(parameter: &str) -> (&str, &str) {
    parameter.split_once('=').unwrap_or((parameter, ""))
}

/// Returns what a query says of the key, and the issuer that it names.
fn strict(query: &str) -> Result<(Parameters, Option<Zeroizing<String>>), UriError> {
    let parts = || query.split('&').filter(|parameter| !parameter.is_empty());
    let names = parts().map(|parameter| decode(name_and_value(parameter).0));
    let names: Option<Vec<_>> = names.collect();
    let names = names.ok_or(UriError::Encoding)?;
    let mut sorted: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    sorted.sort_unstable();
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(UriError::Duplicate);
    }
    let (mut parameters, mut issuer) = (Parameters::default(), None);
    for (name, parameter) in names.iter().zip(parts()) {
        let value = decode(name_and_value(parameter).1).ok_or(UriError::Encoding)?;
        match name.as_str() {
            "issuer" => issuer = Some(value),
            name => parameters.read(name, &value, Secret::from_base32)?,
        }
    }
    Ok((parameters, issuer))
}

/// Holds what a query says of the key.
#[derive(Default)]
pub(super) struct Parameters {
    secret: Option<Secret>,
    algorithm: Option<Algorithm>,
    digits: Option<Digits>,
    period: Option<Duration>,
}

impl Parameters {
    /// Returns whether a parameter of this name says something of the key.
    pub(super) fn has(name: &str) -> bool {
        matches!(name, "secret" | "algorithm" | "digits" | "period")
    }

    /// Reads a value that was decoded. Any other name is ignored.
    pub(super) fn read(
        &mut self,
        name: &str,
        value: &str,
        secret: fn(&str) -> Result<Secret, SecretError>,
    ) -> Result<(), UriError> {
        match name {
            "secret" => self.secret = Some(secret(value)?),
            "algorithm" => self.algorithm = Some(value.parse()?),
            "digits" => {
                let digits = number(value).ok_or(TotpError::Digits)?;
                self.digits = Some(digits.try_into()?);
            }
            "period" => {
                let seconds = number(value).ok_or(TotpError::Period)?;
                self.period = Some(Duration::from_secs(seconds.into()));
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn key(self) -> Result<(Secret, Totp), UriError> {
        let secret = self.secret.ok_or(UriError::NoSecret)?;
        let totp = Totp::new(
            self.algorithm.unwrap_or(Algorithm::Sha1),
            self.digits.unwrap_or(Digits::Six),
            self.period.unwrap_or(Totp::STANDARD.period()),
        )?;
        Ok((secret, totp))
    }
}

/// Reads digits alone: `parse` takes a sign as well.
fn number(text: &str) -> Option<u8> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// Reports why a text is not the URI of a TOTP key. The error holds nothing of the text, so it is
/// safe to show.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UriError {
    /// The text does not begin with `otpauth://`.
    #[error("the scheme is not otpauth")]
    Scheme,
    /// The URI is for another kind of password, `hotp` say.
    #[error("the type is not totp")]
    Type,
    /// There is a user before the type.
    #[error("there is user information")]
    UserInfo,
    /// There is a port after the type.
    #[error("there is a port")]
    Port,
    /// There is a fragment at the end; for [`KeyUri::parse_legacy`], one that holds a parameter of
    /// the key.
    #[error("there is a fragment")]
    Fragment,
    /// A character that must be percent-encoded is not, or what is percent-encoded is not UTF-8.
    #[error("a part is not percent-encoded UTF-8")]
    Encoding,
    /// The account is empty, or holds a colon.
    #[error("the account is empty, or holds a colon")]
    Account,
    /// The issuer is empty, or holds a colon.
    #[error("the issuer is empty, or holds a colon")]
    Issuer,
    /// The label names one issuer, the parameter another.
    #[error("the label and the parameter name different issuers")]
    IssuerConflict,
    /// A parameter stands twice.
    #[error("a parameter stands twice")]
    Duplicate,
    /// The URI is longer than a QR code can hold.
    #[error("the URI is too long for a QR code")]
    TooLong,
    /// There is no parameter `secret`.
    #[error("there is no secret")]
    NoSecret,
    /// The parameter `secret` is no secret.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The algorithm, the digits or the period is out of range.
    #[error(transparent)]
    Totp(#[from] TotpError),
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "the keys and names are valid")]
mod tests {
    use super::*;

    /// A string that grows frees what it held without wiping it.
    #[test]
    fn the_text_is_never_moved_while_it_is_written() {
        for bytes in [Secret::MIN_READ_BYTES, 20, Secret::MAX_READ_BYTES] {
            let secret = Secret::from_bytes(&[0xff; 128][..bytes]).unwrap();
            for (issuer, account) in [
                (None, "a"),
                (Some("A"), "a"),
                (Some("\u{fc}%"), "\u{1d7ce}"),
            ] {
                let period = Duration::from_secs(120);
                let totp = Totp::new(Algorithm::Sha512, Digits::Eight, period).unwrap();
                let text = KeyUri::new(issuer, account, &secret, totp)
                    .unwrap()
                    .expose();
                let names = 2 * issuer.map_or(0, str::len) + account.len();
                let reserved = 3 * names + (bytes * 8).div_ceil(5) + 80;
                assert_eq!(text.capacity(), reserved);
            }
        }
    }
}
