//! Shows the secret of an authenticator that is being set up: once, as a picture, a link and a
//! text.

use askama::Template;
use softtoken::UnixTime;
use softtoken::association::Issued;
use softtoken::totp::KeyUri;

use crate::app::ISSUER;
use crate::page::{Answer, Frame, show};
use crate::problem::{Advice, Problem};
use crate::users::User;

/// Holds where the forms of the page lead.
#[derive(Clone, Copy)]
pub(crate) struct Paths {
    /// Takes the first code.
    pub(crate) confirm: &'static str,
    /// Shows a new QR code.
    pub(crate) again: &'static str,
    /// Leads back.
    pub(crate) back: &'static str,
}

#[derive(Template)]
#[template(path = "scan.html")]
struct Scan<'a> {
    frame: Frame,
    advice: Option<Advice>,
    paths: Paths,
    /// Holds the secret. Only the answer to the form that made it has one.
    secret: Option<Shown<'a>>,
}

struct Shown<'a> {
    svg: &'a str,
    uri: &'a str,
    groups: Vec<&'a str>,
    expires: UnixTime,
}

/// Shows a secret that was just issued.
///
/// # Errors
///
/// Fails where the user's address cannot stand in a key URI.
pub(crate) fn issued(frame: Frame, user: &User, issued: &Issued, paths: Paths) -> Answer {
    let uri: KeyUri = issued.uri(ISSUER, &user.email)?;
    let svg = uri.qr_code()?.expose_svg();
    let text = uri.expose();
    let key = issued.secret().expose_base32();
    let groups = key
        .as_bytes()
        .chunks(4)
        .filter_map(|group| core::str::from_utf8(group).ok());
    let page = Scan {
        frame,
        advice: None,
        paths,
        secret: Some(Shown {
            svg: &svg,
            uri: &text,
            groups: groups.collect(),
            expires: issued.expires(),
        }),
    };
    show(&page, None)
}

/// Asks for the first code again, without the secret, which nobody has any more.
///
/// # Errors
///
/// The problem itself, where the user can do nothing about it.
pub(crate) fn again(frame: Frame, problem: Option<Problem>, paths: Paths) -> Answer {
    let page = Scan {
        frame,
        advice: problem.map(Problem::advice).transpose()?,
        paths,
        secret: None,
    };
    show(&page, page.advice.as_ref())
}
