//! The key as authenticator apps read it, mostly off a screen.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::string::String;
use core::fmt::{self, Write as _};
use core::time::Duration;

use zeroize::Zeroizing;

use super::percent::{Encoded, decode};
use super::{Algorithm, Digits, Secret, SecretError, Totp, TotpError};

/// An `otpauth://totp/` URI, the [Key Uri
/// Format](https://github.com/google/google-authenticator/wiki/Key-Uri-Format): who, with whom, with which key.
///
/// It holds the secret: what [`expose`](Self::expose) gives is for the user's screen, and for no log. `Debug` shows the
/// rest of it alone.
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
    /// A URI for this key. Apps show `issuer`, the service, over `account`, the user's name there; the spaces that
    /// `account` begins with are dropped, as apps drop them.
    ///
    /// # Errors
    ///
    /// [`UriError::Issuer`] and [`UriError::Account`] where one is empty or holds a colon.
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

    /// Reads a URI, strictly: what one app would read differently from another is refused.
    ///
    /// Where it does not say, it is SHA-1, six digits and 30 seconds; unknown parameters are ignored. A `+` is a plus.
    /// What may not stand in a URI as it is ([RFC 3986](https://www.rfc-editor.org/rfc/rfc3986#section-3.3)) must be
    /// percent-encoded UTF-8. The text is yours to wipe.
    ///
    /// ```
    /// use softtoken::totp::{KeyUri, Totp, UriError};
    ///
    /// let uri = KeyUri::parse("otpauth://totp/alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Example")?;
    /// assert_eq!((uri.issuer(), uri.account()), (Some("Example"), "alice"));
    /// assert_eq!(uri.totp(), Totp::STANDARD);
    /// assert_eq!(uri.secret().expose(), b"12345678901234567890");
    /// assert_eq!(KeyUri::parse("otpauth://hotp/alice"), Err(UriError::Type));
    /// # Ok::<(), UriError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`UriError`] says what is wrong with it; it holds nothing of the text.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        let (scheme, rest) = text.split_once("://").ok_or(UriError::Scheme)?;
        if !scheme.eq_ignore_ascii_case("otpauth") {
            return Err(UriError::Scheme);
        }
        if rest.contains('#') {
            return Err(UriError::Fragment);
        }
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
        let label = decode(label).ok_or(UriError::Encoding)?;
        let (prefix, account) = match label.split_once(':') {
            Some((issuer, account)) => (Some(issuer), account),
            None => (None, label.as_str()),
        };
        let parameters = Parameters::parse(query)?;
        let issuer = match (prefix, parameters.issuer.as_deref()) {
            (Some(prefix), Some(issuer)) if prefix != issuer => {
                return Err(UriError::IssuerConflict);
            }
            (prefix, issuer) => prefix.or(issuer.map(String::as_str)),
        };
        let secret = parameters.secret.ok_or(UriError::NoSecret)?;
        let totp = Totp::new(
            parameters.algorithm.unwrap_or(Algorithm::Sha1),
            parameters.digits.unwrap_or(Digits::Six),
            parameters.period.unwrap_or(Totp::STANDARD.period()),
        )?;
        Self::new(issuer, account, &secret, totp)
    }

    /// The service, where the URI names it.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// The user's name at the service.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The key.
    #[must_use]
    pub const fn secret(&self) -> &Secret {
        &self.secret
    }

    /// What goes with the key.
    #[must_use]
    pub const fn totp(&self) -> Totp {
        self.totp
    }

    /// The text. The issuer stands in the label and in a parameter, for old apps and new ones, and no default is left
    /// out.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        // Never grown: what a string outgrows is freed without being wiped.
        let names = 2 * self.issuer.as_ref().map_or(0, String::len) + self.account.len();
        let mut text = Zeroizing::new(String::with_capacity(3 * names + 192));
        // A string takes whatever is written to it.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> fmt::Result {
        text.write_str("otpauth://totp/")?;
        if let Some(issuer) = &self.issuer {
            write!(text, "{}:", Encoded(issuer))?;
        }
        let secret = self.secret.expose_base32();
        write!(text, "{}?secret={}", Encoded(&self.account), *secret)?;
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

#[derive(Default)]
struct Parameters {
    secret: Option<Secret>,
    issuer: Option<Zeroizing<String>>,
    algorithm: Option<Algorithm>,
    digits: Option<Digits>,
    period: Option<Duration>,
}

impl Parameters {
    fn parse(query: &str) -> Result<Self, UriError> {
        let mut parameters = Self::default();
        let mut names = BTreeSet::new();
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let name = decode(name).ok_or(UriError::Encoding)?;
            if !names.insert(name.as_str().to_owned()) {
                return Err(UriError::Duplicate);
            }
            let value = decode(value).ok_or(UriError::Encoding)?;
            match name.as_str() {
                "secret" => parameters.secret = Some(Secret::from_base32(&value)?),
                "issuer" => parameters.issuer = Some(value),
                "algorithm" => parameters.algorithm = Some(value.parse()?),
                "digits" => {
                    let digits = number(&value).ok_or(TotpError::Digits)?;
                    parameters.digits = Some(digits.try_into()?);
                }
                "period" => {
                    let seconds = number(&value).ok_or(TotpError::Period)?;
                    parameters.period = Some(Duration::from_secs(seconds.into()));
                }
                _ => {}
            }
        }
        Ok(parameters)
    }
}

/// Digits alone: `parse` takes a sign as well.
fn number(text: &str) -> Option<u8> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// This is not a URI of a TOTP key. Safe to show: it holds nothing of the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UriError {
    /// It does not begin with `otpauth://`.
    #[error("the scheme is not otpauth")]
    Scheme,
    /// It is for another kind of password, `hotp` say.
    #[error("the type is not totp")]
    Type,
    /// There is a user before the type.
    #[error("there is user information")]
    UserInfo,
    /// There is a port after the type.
    #[error("there is a port")]
    Port,
    /// There is a fragment at the end.
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
    /// There is no parameter `secret`.
    #[error("there is no secret")]
    NoSecret,
    /// What stands there is no secret.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The algorithm, the digits or the period is out of range.
    #[error(transparent)]
    Totp(#[from] TotpError),
}
