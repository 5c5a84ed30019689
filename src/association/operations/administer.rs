//! What only an administrator does: reset, unlock, import.

use alloc::string::String;

use crate::association::authority::Administrator;
use crate::association::draft::Draft;
use crate::association::names::PendingId;
use crate::association::operation::{Operation, sealed};
use crate::association::outcome::{Actor, EventKind, Refusal, Rejection};
use crate::association::state::{Association, Count, Pending, Preference, Token};
use crate::entropy::{Entropy, NoEntropy, draw};
use crate::policy::Requirement;
use crate::time::Step;
use crate::totp::{Secret, Totp};

/// Removes everything and voids every grant given before, by an administrator: the user has lost the phone, or somebody
/// else has it.
#[derive(Clone, Copy, Debug)]
pub struct Reset {
    _by: Administrator,
}

impl Reset {
    /// By an administrator.
    #[must_use]
    pub fn new(by: Administrator) -> Self {
        Self { _by: by }
    }
}

impl sealed::Sealed for Reset {}
impl Operation for Reset {
    type Output = ();

    fn actor(&self) -> Actor {
        Actor::Administrator
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<(), Refusal> {
        let now = draft.now();
        let record = draft.change();
        record.end();
        record.throttle = Count::NONE;
        // A clock that went back must not bring grants to life that an earlier reset has voided.
        record.grants_from = record.grants_from.max(Some(now));
        draft.event(EventKind::Reset);
        Ok(())
    }
}

/// Clears the throttle and the lock, by an administrator. Spent codes stay spent.
#[derive(Clone, Copy, Debug)]
pub struct Unlock {
    _by: Administrator,
}

impl Unlock {
    /// By an administrator.
    #[must_use]
    pub fn new(by: Administrator) -> Self {
        Self { _by: by }
    }
}

impl sealed::Sealed for Unlock {}
impl Operation for Unlock {
    type Output = ();

    fn actor(&self) -> Actor {
        Actor::Administrator
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<(), Refusal> {
        if draft.record().throttle != Count::NONE {
            draft.change().throttle = Count::NONE;
        }
        draft.event(EventKind::Unlocked);
        Ok(())
    }
}

/// Takes over a token that another system has issued, by an administrator, where nothing is verified.
///
/// ```
/// use softtoken::totp::{Secret, Totp};
/// use softtoken::{Administrator, Import, Step};
///
/// let secret = Secret::from_base32("JBSW Y3DP EHPK 3PXP JBSW Y3DP EE")?;
/// let import = Import::proven(Administrator, secret, Totp::STANDARD)
///     .enabled(true)
///     .last_step(Step::new(56_666_666)); // where the old system kept it
/// # Ok::<(), softtoken::totp::SecretError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Import {
    secret: Secret,
    totp: Totp,
    name: Option<String>,
    kind: ImportKind,
}

#[derive(Clone, Copy, Debug)]
enum ImportKind {
    Proven {
        enabled: bool,
        last_step: Option<Step>,
    },
    Pending(PendingId),
}

impl Import {
    /// A token that its holder has proven to the other system: it is in force at once, not enabled.
    #[must_use]
    pub fn proven(_by: Administrator, secret: Secret, totp: Totp) -> Self {
        Self {
            secret,
            totp,
            name: None,
            kind: ImportKind::Proven {
                enabled: false,
                last_step: None,
            },
        }
    }

    /// A secret that nobody has proven yet: it waits for its first code as if it had been associated here.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`] where the source fails. Nothing was drawn.
    pub fn pending(
        _by: Administrator,
        secret: Secret,
        totp: Totp,
        entropy: &dyn Entropy,
    ) -> Result<Self, NoEntropy> {
        Ok(Self {
            secret,
            totp,
            name: None,
            kind: ImportKind::Pending(draw(entropy)?),
        })
    }

    /// Whether a proven token is enabled. A pending one is not, before it is verified.
    #[must_use]
    pub fn enabled(mut self, enable: bool) -> Self {
        if let ImportKind::Proven { enabled, .. } = &mut self.kind {
            *enabled = enable;
        }
        self
    }

    /// The last step that the other system accepted from a proven token; a pending one has none. Without it every code
    /// that is valid at the time of the import counts as spent.
    #[must_use]
    pub fn last_step(mut self, step: Step) -> Self {
        if let ImportKind::Proven { last_step, .. } = &mut self.kind {
            *last_step = Some(step);
        }
        self
    }

    /// Names the device.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.into());
        self
    }
}

impl sealed::Sealed for Import {}
impl Operation for Import {
    type Output = ();

    fn actor(&self) -> Actor {
        Actor::Administrator
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<(), Refusal> {
        draft.software_tokens_allowed()?;
        if let Association::Verified(_) = draft.record().association {
            return Err(Rejection::AlreadyVerified.into());
        }
        let name = draft.kept_name(self.name.as_deref());
        let (secret, totp, now) = (self.secret.clone(), self.totp, draft.now());
        match self.kind {
            ImportKind::Proven { enabled, last_step } => {
                let forward = i64::from(draft.policy().window().forward());
                let ever_enabled = enabled || draft.policy().requirement() == Requirement::Required;
                let record = draft.change();
                record.preference = if enabled {
                    Preference::Enabled
                } else {
                    Preference::Disabled
                };
                record.enforce(Token {
                    secret,
                    totp,
                    since: now,
                    proved_by: None,
                    last_step: last_step
                        .unwrap_or_else(|| totp.step(now).saturating_offset(forward)),
                    drift: 0,
                    name,
                    ever_enabled,
                    finishes_sign_in: false,
                });
            }
            ImportKind::Pending(id) => {
                let expires = now.saturating_add(draft.policy().pending_lifetime());
                draft.change().association = Association::Pending(Pending {
                    id,
                    secret,
                    totp,
                    expires,
                    name,
                });
            }
        }
        draft.event(EventKind::Imported);
        Ok(())
    }
}
