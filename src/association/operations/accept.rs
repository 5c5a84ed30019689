//! Accepts a factor, in one place: a code, a recovery code, or one that was vouched for.

use alloc::borrow::Cow;

use crate::association::credential::{
    AttemptKey, Claims, Factor, RecoveryCode, Repeatable, VouchedFor,
};
use crate::association::draft::{Draft, Typed};
use crate::association::names::LoginId;
use crate::association::outcome::{EventKind, Evidence, Method, Proof, Refusal, Rejection};
use crate::association::state::{Found, Recovery};
use crate::time::UnixTime;
use crate::totp::Code;

/// Holds what stands behind a factor.
pub(super) struct Behind<'a> {
    /// Holds what the session of a challenge says.
    pub(super) claims: Option<&'a Claims>,
    /// Says when the first factor was accepted.
    pub(super) first_factor: UnixTime,
    pub(super) login_id: Option<LoginId>,
}

/// Names the attempt at an operation, where its caller may have to repeat it.
pub(super) struct Attempted<'a> {
    pub(super) operation: Repeatable,
    pub(super) key: Option<&'a AttemptKey>,
}

/// Accepts a factor, or refuses it and counts what has to be counted.
pub(super) fn accept(
    draft: &mut Draft<'_>,
    factor: &Factor,
    behind: &Behind<'_>,
    attempted: &Attempted<'_>,
) -> Result<Evidence, Refusal> {
    match factor {
        Factor::Code(code) => accept_code(draft, code, behind, attempted),
        Factor::RecoveryCode(code) => accept_recovery_code(draft, code, behind),
        Factor::Vouched(vouched) => accept_vouched(draft, vouched.0, behind),
    }
}

#[inline]
fn accept_code(
    draft: &mut Draft<'_>,
    code: &Code,
    behind: &Behind<'_>,
    attempted: &Attempted<'_>,
) -> Result<Evidence, Refusal> {
    let nonce = behind.claims.map(|claims| &claims.nonce);
    let attempt = attempted
        .key
        .map(|key| key.attempt(attempted.operation, draft.context(), nonce, &[code]));
    if let Some(proof) = draft.answered(attempt) {
        return Ok(draft.evidence(proof, behind.login_id.clone()));
    }
    behind.may_answer(draft)?;

    let judged = draft.judge_tokens(Typed::One(code))?;
    let spent = draft.spend_steps(&judged);
    let proof = Proof {
        token: spent.map(|(token, _)| token),
        step: spent.map(|(_, step)| step),
        ..behind.proof(draft, Method::SoftwareToken)
    };
    behind.succeed(draft, proof, judged.failures);
    draft.remember(attempt, proof);
    Ok(draft.evidence(proof, behind.login_id.clone()))
}

/// Accepts a recovery code, which waits for no throttle and no lock, and clears both.
fn accept_recovery_code(
    draft: &mut Draft<'_>,
    code: &RecoveryCode,
    behind: &Behind<'_>,
) -> Result<Evidence, Refusal> {
    behind.may_answer(draft)?;
    may_recover(draft)?;
    let now = draft.now();
    let Some(found) = draft.record().recovery.find(code, now) else {
        if draft.record().recovery.has_code(now) {
            count_wrong_recovery_code(draft);
        }
        return Err(Rejection::Mismatch.into());
    };

    let failures = draft.record().throttle.streak;
    let record = draft.change();
    record.recovery.take(found);
    record.throttle.recovered();
    record.forget_browsers();
    let left = record.recovery.left();
    let temporary = found == Found::Temporary;
    draft.event(EventKind::RecoveryCodeUsed { left, temporary });
    let method = if temporary {
        Method::TemporaryCode
    } else {
        Method::RecoveryCode
    };
    let proof = Proof {
        end_other_logins: true,
        ..behind.proof(draft, method)
    };
    behind.succeed(draft, proof, failures);
    let mut evidence = draft.evidence(proof, behind.login_id.clone());
    evidence.0.recovery_codes_left = Some(left);
    Ok(evidence)
}

/// Accepts a vouched factor, which waits for no throttle and no lock, and counts as one success.
fn accept_vouched(
    draft: &mut Draft<'_>,
    vouched: VouchedFor,
    behind: &Behind<'_>,
) -> Result<Evidence, Refusal> {
    behind.may_answer(draft)?;
    let (amr, recovers): (&'static [&'static str], bool) = match vouched {
        VouchedFor::Factor(amr) => (amr, false),
        VouchedFor::RecoveryCode { matched } => {
            may_recover(draft)?;
            if !matched {
                count_wrong_recovery_code(draft);
                return Err(Rejection::Mismatch.into());
            }
            (&["otp"], true)
        }
    };

    let (now, limits) = (draft.now(), draft.policy().throttle());
    let failures = draft.record().throttle.streak;
    let record = draft.change();
    record.throttle.succeeded(now, limits);
    if recovers {
        record.recovery.wrong = 0;
        record.forget_browsers();
    }
    draft.event(EventKind::Vouched);
    let proof = Proof {
        end_other_logins: recovers,
        ..behind.proof(draft, Method::Vouched)
    };
    behind.succeed(draft, proof, failures);
    let mut evidence = draft.evidence(proof, behind.login_id.clone());
    evidence.0.amr = if amr.contains(&"mfa") {
        Cow::Borrowed(amr)
    } else {
        amr.iter().copied().chain(["mfa"]).collect()
    };
    Ok(evidence)
}

/// Checks that recovery codes are still judged, where the policy limits the wrong ones.
fn may_recover(draft: &Draft<'_>) -> Result<(), Rejection> {
    let wrong = draft.record().recovery.wrong;
    match draft.policy().recovery_limit() {
        Some(limit) if wrong >= limit => Err(Rejection::RecoveryLocked),
        _ => Ok(()),
    }
}

/// Counts wrong recovery codes by themselves, never in the throttle: an attacker with the password
/// could otherwise shut out recovery too.
fn count_wrong_recovery_code(draft: &mut Draft<'_>) {
    if draft.record().recovery.wrong < Recovery::MOST_WRONG {
        draft.change().recovery.wrong += 1;
    }
    let failures = draft.record().recovery.wrong;
    if failures >= draft.policy().throttle().suspect_at {
        let suspicion = draft.record().throttle.suspicion;
        draft.event(EventKind::PasswordProbablyKnown {
            failures,
            suspicion,
        });
    }
}

impl Behind<'_> {
    /// Checks that the session lives, that a token is in force, and that a success could be
    /// remembered.
    fn may_answer(&self, draft: &Draft<'_>) -> Result<(), Refusal> {
        if let Some(claims) = self.claims {
            draft.record().admits(claims)?;
        }
        draft.record().verified()?;
        Ok(draft.has_room_for(self.claims)?)
    }

    fn proof(&self, draft: &Draft<'_>, method: Method) -> Proof {
        Proof {
            method,
            token: None,
            step: None,
            at: draft.now(),
            first_factor: Some(self.first_factor),
            end_other_logins: false,
        }
    }

    /// Does what every accepted factor does.
    fn succeed(&self, draft: &mut Draft<'_>, proof: Proof, failures: u32) {
        draft.spend(self.claims);
        draft.change().asked = true;
        let method = proof.method;
        draft.event_about(
            EventKind::SignedIn { method, failures },
            draft.named(proof.token),
        );
    }
}
