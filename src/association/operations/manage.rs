//! Manages tokens in force: prefer, rename, remove, and the check whether a login may.

use alloc::string::String;
use core::cmp::Ordering;
use core::time::Duration;

use crate::association::authority::{Authority, Grant};
use crate::association::draft::Draft;
use crate::association::names::TokenId;
use crate::association::operation::{Operation, sealed};
use crate::association::outcome::{Actor, EventKind, Refusal, Rejection};
use crate::association::state::Preference;

/// Turns the second factor on or off.
///
/// [`Mfa::set_enabled`](crate::Mfa::set_enabled) makes a request of this operation. Its page has an
/// example, and lists the rejections.
#[derive(Clone, Debug)]
pub struct SetEnabled {
    authority: Authority,
    enabled: bool,
}

impl SetEnabled {
    /// Turns the second factor on or off on this authority. Turning off needs possession of a token
    /// in force.
    #[must_use]
    pub fn new(authority: impl Into<Authority>, enabled: bool) -> Self {
        Self {
            authority: authority.into(),
            enabled,
        }
    }
}

impl sealed::Sealed for SetEnabled {}
impl Operation for SetEnabled {
    type Output = ();

    const NAME: &'static str = "set_enabled";

    fn actor(&self) -> Actor {
        self.authority.actor()
    }

    fn needs_session_keys(&self) -> bool {
        self.authority.is_session()
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<(), Refusal> {
        let wished = match draft.record().preference {
            current if self.enabled => current.max(Preference::Enabled),
            _ => Preference::Disabled,
        };
        prefer(draft, &self.authority, wished)
    }
}

/// Turns the second factor on or off, or prefers it over others.
///
/// [`Mfa::prefer`](crate::Mfa::prefer) makes a request of this operation. Its page has an example,
/// and lists the rejections.
#[derive(Clone, Debug)]
pub struct Prefer {
    authority: Authority,
    preference: Preference,
}

impl Prefer {
    /// Sets this preference on this authority. A lower one needs possession of a token in force.
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

    const NAME: &'static str = "prefer";

    fn actor(&self) -> Actor {
        self.authority.actor()
    }

    fn needs_session_keys(&self) -> bool {
        self.authority.is_session()
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<(), Refusal> {
        prefer(draft, &self.authority, self.preference)
    }
}

fn prefer(draft: &mut Draft<'_>, authority: &Authority, wished: Preference) -> Result<(), Refusal> {
    let who = authority.recognise(draft, None)?;
    let current = draft.record().preference;
    match wished.cmp(&current) {
        Ordering::Greater if draft.policy().raise_preference_by_first_factor() => {}
        // No freshness: it only protects more.
        Ordering::Greater => who.possesses(draft, None)?,
        Ordering::Less => who.possesses(draft, draft.freshness())?,
        Ordering::Equal => who
            .possesses(draft, draft.freshness())
            .or_else(|_| who.is_recent(draft))?,
    }
    draft.record().verified()?;

    let off = !wished.is_enabled();
    if off && draft.policy().requires(draft.now()) {
        return if who.is_administrator() {
            Ok(())
        } else {
            Err(Rejection::MfaRequired.into())
        };
    }
    let proven = who.possesses(draft, draft.freshness()).is_ok();
    let clears_asked = off && draft.record().asked && proven;
    if wished == current && !clears_asked {
        return Ok(());
    }
    let now = draft.now();
    let record = draft.change();
    if off {
        record.turn_off(now);
    } else {
        record.preference = wished;
    }
    draft.event(EventKind::PreferenceChanged {
        enabled: wished.is_enabled(),
        preferred: wished.is_preferred(),
    });
    Ok(())
}

/// Gives a token in force another name. It voids no grant.
///
/// [`Mfa::rename`](crate::Mfa::rename) makes a request of this operation. Its page has an example,
/// and lists the rejections.
#[derive(Clone, Debug)]
pub struct Rename {
    authority: Authority,
    token: TokenId,
    name: String,
}

impl Rename {
    /// Renames this token; an empty name takes its name away. It needs possession of a token in
    /// force.
    #[must_use]
    pub fn new(authority: impl Into<Authority>, token: TokenId, name: &str) -> Self {
        Self {
            authority: authority.into(),
            token,
            name: name.into(),
        }
    }
}

impl sealed::Sealed for Rename {}
impl Operation for Rename {
    type Output = ();

    const NAME: &'static str = "rename";

    fn actor(&self) -> Actor {
        self.authority.actor()
    }

    fn needs_session_keys(&self) -> bool {
        self.authority.is_session()
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<(), Refusal> {
        let who = self.authority.recognise(draft, None)?;
        who.possesses(draft, draft.freshness())?;
        draft.record().verified()?;
        let name = draft.kept_name(Some(&self.name));
        if draft.record().token(self.token)?.name == name {
            return Ok(());
        }
        if let Some(token) = draft.change().token_mut(self.token) {
            token.name = name;
        }
        draft.event_about(EventKind::Renamed, draft.named(Some(self.token)));
        Ok(())
    }
}

/// Removes one token; the last one as [`Disassociate`] does.
///
/// [`Mfa::remove`](crate::Mfa::remove) makes a request of this operation. Its page has an example,
/// and lists the rejections.
#[derive(Clone, Debug)]
pub struct Remove {
    authority: Authority,
    token: TokenId,
}

impl Remove {
    /// Removes this token. It needs possession of a token in force.
    #[must_use]
    pub fn new(authority: impl Into<Authority>, token: TokenId) -> Self {
        Self {
            authority: authority.into(),
            token,
        }
    }
}

impl sealed::Sealed for Remove {}
impl Operation for Remove {
    type Output = ();

    const NAME: &'static str = "remove";

    fn actor(&self) -> Actor {
        self.authority.actor()
    }

    fn needs_session_keys(&self) -> bool {
        self.authority.is_session()
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<(), Refusal> {
        let who = self.authority.recognise(draft, None)?;
        who.possesses(draft, draft.freshness())?;
        draft.record().verified()?;
        let named = draft.record().token(self.token)?.named();
        let is_last = draft.record().tokens.len() == 1;
        if is_last && draft.policy().requires(draft.now()) && !who.is_administrator() {
            return Err(Rejection::MfaRequired.into());
        }
        let now = draft.now();
        draft
            .change()
            .change_in_force(|token| token.id == self.token, None, now);
        let kind = if is_last {
            EventKind::Disassociated
        } else {
            EventKind::Removed
        };
        draft.event_about(kind, Some(named));
        Ok(())
    }
}

/// Removes every token, a pending one, and the recovery codes.
///
/// [`Mfa::disassociate`](crate::Mfa::disassociate) makes a request of this operation. Its page has
/// an example, and lists the rejections.
#[derive(Clone, Debug)]
pub struct Disassociate {
    authority: Authority,
}

impl Disassociate {
    /// Removes every token on this authority. It needs possession of a token in force, where there
    /// is one.
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

    const NAME: &'static str = "disassociate";

    fn actor(&self) -> Actor {
        self.authority.actor()
    }

    fn needs_session_keys(&self) -> bool {
        self.authority.is_session()
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<(), Refusal> {
        let who = self.authority.recognise(draft, None)?;
        who.possesses(draft, draft.freshness())?;
        if draft.policy().requires(draft.now()) && !who.is_administrator() {
            return Err(Rejection::MfaRequired.into());
        }
        let now = draft.now();
        if draft.record().is_verified() {
            draft.change().change_in_force(|_| true, None, now);
            draft.event(EventKind::Disassociated);
        } else if let Some(pending) = &draft.record().pending {
            let named = pending.named();
            // What nobody has proven was never in force: the generation stands.
            draft.change().pending = None;
            draft.event_about(EventKind::PendingRemoved, Some(named));
        }
        Ok(())
    }
}

/// Forgets every remembered browser of the subject's.
///
/// [`Mfa::forget_browsers`](crate::Mfa::forget_browsers) makes a request of this operation. Its
/// page has an example, and lists the rejections.
#[derive(Clone, Debug)]
pub struct ForgetBrowsers {
    authority: Authority,
}

impl ForgetBrowsers {
    /// Forgets the browsers on this authority. It needs possession of a token in force, where there
    /// is one.
    #[must_use]
    pub fn new(authority: impl Into<Authority>) -> Self {
        Self {
            authority: authority.into(),
        }
    }
}

impl sealed::Sealed for ForgetBrowsers {}
impl Operation for ForgetBrowsers {
    type Output = ();

    const NAME: &'static str = "forget_browsers";

    fn actor(&self) -> Actor {
        self.authority.actor()
    }

    fn needs_session_keys(&self) -> bool {
        self.authority.is_session()
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<(), Refusal> {
        let who = self.authority.recognise(draft, None)?;
        who.possesses(draft, draft.freshness())?;
        draft.change().forget_browsers();
        draft.event(EventKind::BrowsersForgotten);
        Ok(())
    }
}

/// Checks that a login may do something dangerous ("sudo mode"): by the rule of [`Disassociate`],
/// within an age of your choosing. Nothing changes.
///
/// [`Mfa::check`](crate::Mfa::check) makes a request of this operation. Its page has an example,
/// and lists the rejections.
#[derive(Clone, Debug)]
pub struct Check {
    grant: Grant,
    max_age: Duration,
}

impl Check {
    /// Asks for possession of a token in force, or for the first factor where no token is, shown at
    /// most `max_age` ago.
    #[must_use]
    pub fn new(grant: &Grant, max_age: Duration) -> Self {
        Self {
            grant: grant.clone(),
            max_age,
        }
    }
}

impl sealed::Sealed for Check {}
impl Operation for Check {
    type Output = ();

    const NAME: &'static str = "check";

    fn actor(&self) -> Actor {
        Actor::Grant
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<(), Refusal> {
        self.grant.is_good(draft)?;
        Ok(self.grant.proves_possession(draft, Some(self.max_age))?)
    }
}
