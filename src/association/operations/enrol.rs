//! How a user sets up a token: associate, verify.

use alloc::string::String;

use crate::association::authority::{Authority, Possession, Recognised};
use crate::association::credential::{AttemptKey, Draw, Purpose, PurposeKind, Repeatable, Session};
use crate::association::draft::Draft;
use crate::association::names::PendingId;
use crate::association::operation::{Operation, sealed};
use crate::association::outcome::{Actor, EventKind, Evidence, Method, Proof, Refusal, Rejection};
use crate::association::state::{Association, Pending, Preference, Token};
use crate::entropy::{Entropy, NoEntropy, draw};
use crate::policy::{Policy, Requirement};
use crate::time::{Step, UnixTime};
use crate::totp::{Code, KeyUri, Secret, Totp, UriError, Verifier};

/// Issues a secret. Nothing that is in force changes before a code has proven it.
///
/// | from | to |
/// |---|---|
/// | Unassociated | Pending |
/// | Pending | Pending with the new secret; the old one is dead |
/// | Verified | Verified, with the new secret as its replacement to be |
#[derive(Clone, Debug)]
pub struct Associate {
    authority: Authority,
    pending: PendingId,
    secret: Secret,
    name: Option<String>,
    session: Draw,
}

impl Associate {
    /// Draws a secret of the policy's length.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`] where the source fails. Nothing was drawn.
    pub fn new(
        authority: impl Into<Authority>,
        policy: &Policy,
        entropy: &dyn Entropy,
    ) -> Result<Self, NoEntropy> {
        Ok(Self {
            authority: authority.into(),
            pending: draw(entropy)?,
            // The policy's length is one that a secret has.
            secret: Secret::generate(policy.secret_bytes(), entropy).map_err(|_| NoEntropy)?,
            name: None,
            session: Draw::new(entropy)?,
        })
    }

    /// Names the device. [`Verify::named`] may name it otherwise.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.into());
        self
    }
}

/// A secret that waits for its first code. It is handed out this once, and by nothing else ever again.
#[derive(Debug)]
#[must_use = "the secret is not to be had again"]
pub struct Issued {
    secret: Secret,
    totp: Totp,
    expires: UnixTime,
    session: Option<Session>,
}

impl Issued {
    /// The secret to show, by [`Secret::expose_base32`], to a user who types.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// Its parameters. A user who types the secret needs them too, where they are not [`Totp::STANDARD`].
    #[must_use]
    pub fn totp(&self) -> Totp {
        self.totp
    }

    /// When it can no longer be verified.
    #[must_use]
    pub fn expires(&self) -> UnixTime {
        self.expires
    }

    /// The key URI to show, as a QR code, to a user who scans.
    ///
    /// # Errors
    ///
    /// [`UriError`] where issuer or account cannot stand in one.
    pub fn uri(&self, issuer: &str, account: &str) -> Result<KeyUri, UriError> {
        KeyUri::new(Some(issuer), account, &self.secret, self.totp)
    }

    /// The session for `verify`, where one came with `associate`.
    #[must_use]
    pub fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }
}

impl sealed::Sealed for Associate {}
impl Operation for Associate {
    type Output = Issued;

    fn actor(&self) -> Actor {
        self.authority.actor()
    }

    fn needs_session_keys(&self) -> bool {
        self.authority.is_session()
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Issued, Refusal> {
        let who = self.authority.recognise(draft, Some(PurposeKind::Setup))?;
        who.may_replace(draft)?;
        draft.software_tokens_allowed()?;

        let totp = draft.policy().totp();
        let expires = draft
            .now()
            .saturating_add(draft.policy().pending_lifetime());
        let pending = Pending {
            id: self.pending,
            secret: self.secret.clone(),
            totp,
            expires,
            name: draft.kept_name(self.name.as_deref()),
        };
        match &mut draft.change().association {
            Association::Verified(verified) => verified.replacement = Some(pending),
            association => *association = Association::Pending(pending),
        }
        draft.event(EventKind::Associated);

        let session = flow(
            draft,
            &who,
            self.session,
            Purpose::SetupPending(self.pending),
        )?;
        Ok(Issued {
            secret: self.secret.clone(),
            totp,
            expires,
            session,
        })
    }
}

/// Proves a pending secret by its first code, and puts it in force.
///
/// | from | to |
/// |---|---|
/// | Pending | Verified |
/// | Verified with a replacement | Verified with the new token; the old one is dead from that moment |
#[derive(Clone, Debug)]
pub struct Verify {
    authority: Authority,
    code: Code,
    name: Option<String>,
    attempt: Option<AttemptKey>,
    session: Draw,
}

impl Verify {
    /// With the code that the user's device shows for the pending secret.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`] where the source fails. Nothing was drawn.
    pub fn new(
        authority: impl Into<Authority>,
        code: Code,
        entropy: &dyn Entropy,
    ) -> Result<Self, NoEntropy> {
        Ok(Self {
            authority: authority.into(),
            code,
            name: None,
            attempt: None,
            session: Draw::new(entropy)?,
        })
    }

    /// Names the device, in place of the name given when it was associated.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Names the attempt, so that it can be repeated when its answer was lost.
    #[must_use]
    pub fn attempt(mut self, key: AttemptKey) -> Self {
        self.attempt = Some(key);
        self
    }
}

/// A token is in force.
#[derive(Debug)]
#[must_use = "a token is in force now, and its holder has just shown it"]
pub struct Enrolled {
    evidence: Evidence,
    session: Option<Session>,
}

impl Enrolled {
    /// That its holder has just shown it.
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// The session for `finish_setup`, where one came with `verify`.
    #[must_use]
    pub fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }
}

impl sealed::Sealed for Verify {}
impl Operation for Verify {
    type Output = Enrolled;

    fn actor(&self) -> Actor {
        self.authority.actor()
    }

    fn needs_session_keys(&self) -> bool {
        self.authority.is_session()
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Enrolled, Refusal> {
        let who = self
            .authority
            .recognise(draft, Some(PurposeKind::SetupPending))?;
        let attempt = self
            .attempt
            .as_ref()
            .map(|key| key.attempt(Repeatable::Verify, who.claims(), &self.code));
        if let Some(proof) = draft.answered(attempt) {
            return self.enrolled(draft, &who, proof);
        }

        let possession = who.may_replace(draft)?;
        draft.software_tokens_allowed()?;
        let pending = draft
            .record()
            .association
            .pending()
            .ok_or(Rejection::NotAssociated)?
            .clone();
        if draft.now() >= pending.expires {
            return Err(Rejection::Expired.into());
        }

        let (token, failures) = self.prove(draft, &who, pending)?;
        let replaces = matches!(draft.record().association, Association::Verified(_));
        let proof = Proof {
            method: Method::SoftwareToken,
            step: Some(token.last_step),
            at: draft.now(),
            first_factor: who.has_first_factor(),
            end_other_sessions: replaces,
        };
        let enable = draft.policy().enable_on_verify();
        let record = draft.change();
        if enable && record.preference == Preference::Disabled {
            record.preference = Preference::Enabled;
        }
        if possession == Possession::Waived {
            record.recovery = None;
        }
        record.enforce(token);
        draft.remember(attempt, proof);
        draft.event(if replaces {
            EventKind::Replaced { failures }
        } else {
            EventKind::Verified { failures }
        });
        self.enrolled(draft, &who, proof)
    }
}

impl Verify {
    /// The pending secret as a token, where the code is one of its own, and the failures before it.
    fn prove(
        &self,
        draft: &mut Draft<'_>,
        who: &Recognised<'_>,
        pending: Pending,
    ) -> Result<(Token, u32), Refusal> {
        let window = draft.policy().window();
        let accepted = draft.judge(pending.totp, &[&self.code], None, |now| {
            Verifier::new(&pending.secret, pending.totp).verify(&self.code, now, window, None)
        })?;
        let enabled = draft.policy().enable_on_verify()
            || draft.policy().requirement() == Requirement::Required
            || draft.record().preference.is_enabled();
        // A clock that went back must not bring grants to life that the old token's own time had made void.
        let replaced = draft.record().token().map(|token| token.since);
        let since = replaced.map_or(draft.now(), |before| before.max(draft.now()));
        let token = Token {
            proved_by: who.mark(&pending.secret),
            since,
            last_step: accepted.step,
            drift: draft.learned(0, accepted.drift),
            name: draft.kept_name(self.name.as_deref()).or(pending.name),
            ever_enabled: enabled,
            finishes_sign_in: who.claims().is_some(),
            secret: pending.secret,
            totp: pending.totp,
        };
        Ok((token, accepted.failures))
    }

    fn enrolled(
        &self,
        draft: &Draft<'_>,
        who: &Recognised<'_>,
        proof: Proof,
    ) -> Result<Enrolled, Refusal> {
        let step = proof.step.unwrap_or(Step::new(0));
        Ok(Enrolled {
            evidence: draft.evidence(who.context(), proof),
            session: flow(draft, who, self.session, Purpose::SetupDone(step))?,
        })
    }
}

/// The next session of a flow, where there is a flow.
fn flow(
    draft: &Draft<'_>,
    who: &Recognised<'_>,
    draw: Draw,
    purpose: Purpose,
) -> Result<Option<Session>, Refusal> {
    who.claims()
        .map(|claims| draft.issue(draw, purpose, claims.context().clone()))
        .transpose()
        .map_err(Refusal::from)
}
