//! Brings a token into force: associate, verify.

use alloc::boxed::Box;
use alloc::string::String;

use crate::association::authority::{Authority, Possession, Recognised};
use crate::association::credential::{
    AttemptKey, ChallengeSession, Draw, Purpose, PurposeKind, Repeatable,
};
use crate::association::draft::{Draft, Typed};
use crate::association::names::TokenId;
use crate::association::operation::{Operation, sealed};
use crate::association::outcome::{Actor, EventKind, Evidence, Method, Proof, Refusal, Rejection};
use crate::association::state::{Pending, Preference, Token};
use crate::entropy::{Entropy, NoEntropy};
use crate::policy::Policy;
use crate::time::UnixTime;
use crate::totp::{Code, KeyUri, Secret, Totp, UriError};

/// Issues a secret. Nothing that is in force changes before a code has proven it.
///
/// | from | to |
/// |---|---|
/// | Unassociated | Pending |
/// | Pending | Pending with the new secret; the old one is dead |
/// | Verified | Verified, with a secret beside that will replace a token, or be added |
///
/// With [`Policy::max_tokens`] 1 the secret will replace the token in force. With more it will be
/// added, unless [`replacing`](Self::replacing) names one.
///
/// [`Mfa::associate`](crate::Mfa::associate) makes a request of this operation. Its page has an
/// example, and lists the rejections.
// Not Clone: a secret is one subject's.
#[derive(Debug)]
pub struct Associate {
    authority: Authority,
    pending: TokenId,
    secret: Secret,
    name: Option<String>,
    replacing: Option<TokenId>,
    session: Draw,
}

impl Associate {
    /// Draws a secret of the policy's length.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`] where the source fails. Nothing was made.
    pub fn new(
        authority: impl Into<Authority>,
        policy: &Policy,
        entropy: &dyn Entropy,
    ) -> Result<Self, NoEntropy> {
        Ok(Self {
            authority: authority.into(),
            pending: TokenId::draw(entropy)?,
            // The policy's length is one that a secret has.
            secret: Secret::generate(policy.secret_bytes(), entropy).map_err(|_| NoEntropy)?,
            name: None,
            replacing: None,
            session: Draw::new(entropy)?,
        })
    }

    /// Names the token. [`Verify::named`] may name it otherwise.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Replaces this token, once the new one is verified.
    #[must_use]
    pub fn replacing(mut self, token: TokenId) -> Self {
        self.replacing = Some(token);
        self
    }

    /// Returns the token that the new one is to replace.
    fn replaces(&self, draft: &Draft<'_>) -> Result<Option<TokenId>, Rejection> {
        let record = draft.record();
        match (self.replacing, record.tokens.as_slice()) {
            (Some(id), _) => record.token(id).map(|token| Some(token.id)),
            (None, [only]) if draft.policy().max_tokens() == 1 => Ok(Some(only.id)),
            (None, tokens) if tokens.len() < draft.policy().max_tokens() => Ok(None),
            (None, _) => Err(Rejection::TooManyTokens),
        }
    }
}

/// Holds a secret that waits for its first code. It is handed out this once, and never again.
#[derive(Debug)]
#[must_use = "the secret is handed out this once"]
pub struct Issued {
    token: TokenId,
    secret: Secret,
    totp: Totp,
    expires: UnixTime,
    session: Option<ChallengeSession>,
}

impl Issued {
    /// Returns the id that the token will have.
    #[must_use]
    pub fn token(&self) -> TokenId {
        self.token
    }

    /// Returns the secret, to show by [`Secret::expose_base32`] to a user who types.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// Returns the parameters. A user who types the secret needs them too, where they are not
    /// [`Totp::STANDARD`].
    #[must_use]
    pub fn totp(&self) -> Totp {
        self.totp
    }

    /// Returns when the secret can no longer be verified, nor its session be used.
    #[must_use]
    pub fn expires(&self) -> UnixTime {
        self.expires
    }

    /// Returns the key URI, to show as a QR code to a user who scans.
    ///
    /// # Errors
    ///
    /// [`UriError`] where issuer or account cannot stand in one.
    pub fn uri(&self, issuer: &str, account: &str) -> Result<KeyUri, UriError> {
        KeyUri::new(Some(issuer), account, &self.secret, self.totp)
    }

    /// Returns the session for `verify`, where one came with `associate`.
    #[must_use]
    pub fn session(&self) -> Option<&ChallengeSession> {
        self.session.as_ref()
    }
}

impl sealed::Sealed for Associate {}
impl Operation for Associate {
    type Output = Issued;

    const NAME: &'static str = "associate";

    fn actor(&self) -> Actor {
        self.authority.actor()
    }

    fn needs_session_keys(&self) -> bool {
        self.authority.is_session()
    }

    fn is_one_subjects(&self) -> bool {
        true
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Issued, Refusal> {
        let who = self.authority.recognise(draft, Some(PurposeKind::Setup))?;
        // No second factor opens what is switched off, so none is asked for.
        draft.software_tokens_allowed()?;
        let possession = who.may_set_up(draft, draft.freshness())?;
        let replaces = self.replaces(draft)?;
        possession.covers(replaces)?;

        let totp = draft.policy().totp();
        let lifetime = draft.policy().pending_lifetime();
        let expires = draft.now().saturating_add(lifetime);
        let pending = Pending {
            id: self.pending,
            secret: self.secret.clone(),
            totp,
            expires,
            name: draft.kept_name(self.name.as_deref()),
            replaces,
        };
        let named = pending.named();
        draft.change().pending = Some(Box::new(pending));
        let possession_waived = possession == Possession::Waived;
        draft.event_about(EventKind::Associated { possession_waived }, Some(named));

        Ok(Issued {
            token: self.pending,
            secret: self.secret.clone(),
            totp,
            expires,
            session: next_session(
                draft,
                &who,
                self.session,
                Purpose::SetupPending(self.pending),
                expires,
            )?,
        })
    }
}

/// Confirms a pending secret by its first code, and puts it in force.
///
/// | from | to |
/// |---|---|
/// | Pending | Verified |
/// | Verified, with a secret beside | Verified with the new token; what it replaces is dead from that moment, the others stay |
/// | just verified, the same request again | unchanged: [`Rejection::AlreadyVerified`] |
///
/// [`Mfa::verify`](crate::Mfa::verify) makes a request of this operation. Its page has an example,
/// and lists the rejections.
#[derive(Clone, Debug)]
pub struct Verify {
    authority: Authority,
    code: Code,
    next: Option<Code>,
    name: Option<String>,
    attempt: Option<AttemptKey>,
    session: Draw,
}

impl Verify {
    /// Verifies on this authority, with the code that the user's device shows for the pending
    /// secret.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`] where the source fails. Nothing was made.
    pub fn new(
        authority: impl Into<Authority>,
        code: Code,
        entropy: &dyn Entropy,
    ) -> Result<Self, NoEntropy> {
        Ok(Self {
            authority: authority.into(),
            code,
            next: None,
            name: None,
            attempt: None,
            session: Draw::new(entropy)?,
        })
    }

    /// Verifies with two codes in a row: this one is what the device showed after the first. For a
    /// fob whose clock is off: the two may lie up to [`Policy::resynchronise_reach`] steps from the
    /// present one, and set the token's drift.
    #[must_use]
    pub fn followed_by(mut self, next: Code) -> Self {
        self.next = Some(next);
        self
    }

    /// Names the token, in place of the name given when it was associated.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Names the attempt, so that it can be repeated when its answer was lost: see [`AttemptKey`].
    #[must_use]
    pub fn attempt(mut self, key: AttemptKey) -> Self {
        self.attempt = Some(key);
        self
    }
}

/// Says that a token is in force.
#[derive(Debug)]
#[must_use = "a token is in force now, and its holder has just shown it"]
pub struct Enrolled {
    evidence: Evidence,
    session: Option<ChallengeSession>,
}

impl Enrolled {
    /// Returns the proof that the token's holder has just shown it. Make the login's new grant from
    /// it; where a sign-in had to set up the token, this evidence ends it.
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// Returns the session for `finish_setup`, where one came with `verify`: for protocols with one
    /// call more.
    #[must_use]
    pub fn session(&self) -> Option<&ChallengeSession> {
        self.session.as_ref()
    }
}

impl sealed::Sealed for Verify {}
impl Operation for Verify {
    type Output = Enrolled;

    const NAME: &'static str = "verify";

    fn actor(&self) -> Actor {
        self.authority.actor()
    }

    fn needs_session_keys(&self) -> bool {
        self.authority.is_session()
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Enrolled, Refusal> {
        let purpose = Some(PurposeKind::SetupPending);
        let who = self.authority.recognise(draft, purpose)?;
        let nonce = who.claims().map(|claims| &claims.nonce);
        let codes: &[&Code] = match &self.next {
            Some(next) => &[&self.code, next],
            None => &[&self.code],
        };
        let attempt = self
            .attempt
            .as_ref()
            .map(|key| key.attempt(Repeatable::Verify, draft.context(), nonce, codes));
        if let Some(proof) = draft.answered(attempt) {
            return self.enrolled(draft, &who, proof);
        }
        // A double click is told what it is.
        if has_just_verified(draft, &who) {
            return Err(Rejection::AlreadyVerified.into());
        }

        draft.software_tokens_allowed()?;
        // No freshness: the code of the pending secret is proof enough of the present.
        let possession = who.may_set_up(draft, None)?;
        let pending = draft.record().pending.clone();
        let pending = *pending.ok_or(Rejection::NotAssociated)?;
        possession.covers(pending.replaces)?;
        if !pending.is_alive(draft.now()) {
            return Err(Rejection::Expired.into());
        }
        match pending.replaces {
            Some(id) => draft.record().token(id).map(|_| ())?,
            None if draft.record().tokens.len() < draft.policy().max_tokens() => {}
            None => return Err(Rejection::TooManyTokens.into()),
        }

        let replaces = pending.replaces;
        let is_first = !draft.record().is_verified();
        let (token, failures) = self.prove(draft, &who, pending)?;
        let proof = Proof {
            method: Method::SoftwareToken,
            token: Some(token.id),
            step: Some(token.last_step),
            at: draft.now(),
            first_factor: who.first_factor(),
            end_other_logins: replaces.is_some(),
        };
        put_in_force(draft, token, replaces, possession);
        draft.remember(attempt, proof);
        let kind = match replaces {
            Some(old) => EventKind::Replaced {
                failures,
                replaced: old,
                possession_waived: possession == Possession::Waived,
            },
            None if is_first => EventKind::Verified { failures },
            None => EventKind::Added { failures },
        };
        draft.event_about(kind, draft.named(proof.token));
        self.enrolled(draft, &who, proof)
    }
}

impl Verify {
    /// Returns the pending secret as a token, where the code is one of its own, and the failures
    /// before it.
    fn prove(
        &self,
        draft: &mut Draft<'_>,
        who: &Recognised<'_>,
        pending: Pending,
    ) -> Result<(Token, u32), Refusal> {
        let typed = match &self.next {
            Some(next) => Typed::Pair(&self.code, next),
            None => Typed::One(&self.code),
        };
        let judged = draft.judge_pending(typed, &pending)?;
        let (_, accepted) = judged.matches().next().ok_or(Rejection::Mismatch)?;
        let token = Token {
            id: pending.id,
            proved_by: who.mark(&pending.secret),
            since: draft.now(),
            last_step: accepted.step,
            last_used: Some(draft.now()),
            drift: match typed {
                Typed::One(_) => draft.learned(0, accepted.drift),
                // At most 121 steps: the policy's reach, and one.
                Typed::Pair(..) => i16::try_from(accepted.drift).unwrap_or(0),
            },
            name: draft.kept_name(self.name.as_deref()).or(pending.name),
            unfinished: who.claims().is_some(),
            secret: pending.secret,
            totp: pending.totp,
        };
        Ok((token, judged.failures))
    }

    fn enrolled(
        &self,
        draft: &Draft<'_>,
        who: &Recognised<'_>,
        proof: Proof,
    ) -> Result<Enrolled, Refusal> {
        let session = match (proof.token, proof.step) {
            (Some(token), Some(step)) => {
                let purpose = Purpose::SetupDone(token, step);
                next_session(
                    draft,
                    who,
                    self.session,
                    purpose,
                    draft.session_end(proof.at),
                )?
            }
            _ => None,
        };
        Ok(Enrolled {
            evidence: draft.evidence(proof, who.login_id()),
            session,
        })
    }
}

/// Returns whether the token that this authority would prove is in force already, by this very
/// authority.
fn has_just_verified(draft: &Draft<'_>, who: &Recognised<'_>) -> bool {
    let record = draft.record();
    match who.claims().map(|claims| claims.purpose) {
        Some(Purpose::SetupPending(id)) => record.token(id).is_ok(),
        _ => record.pending.is_none() && record.tokens.iter().any(|token| who.proved(token)),
    }
}

fn put_in_force(
    draft: &mut Draft<'_>,
    token: Token,
    replaces: Option<TokenId>,
    possession: Possession,
) {
    let (policy, now) = (draft.policy(), draft.now());
    let record = draft.change();
    if possession == Possession::Waived {
        // They were the lost token's.
        record.recovery.set = None;
    }
    record.change_in_force(|token| Some(token.id) == replaces, [token], now);
    if policy.enable_on_verify() {
        record.preference = record.preference.max(Preference::Enabled);
    }
    record.asked |= record.is_asked_for(policy, now);
}

/// Returns the next session of a flow, where there is a flow.
fn next_session(
    draft: &Draft<'_>,
    who: &Recognised<'_>,
    draw: Draw,
    purpose: Purpose,
    expires: UnixTime,
) -> Result<Option<ChallengeSession>, Refusal> {
    let first_factor = who.claims().map(|claims| claims.first_factor);
    let session = first_factor.map(|at| draft.issue(draw, purpose, expires, at));
    Ok(session.transpose()?)
}
