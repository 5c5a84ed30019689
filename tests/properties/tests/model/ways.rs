//! Operations, and every way in which each of them is granted or refused.

/// A refusal's way begins with the rejection, or with what only the event tells of the session, and
/// goes on with what came of it. `_text` is a text that does not open.
pub const WAYS: [(&str, &str); 22] = [
    (
        "sign_in",
        "challenge not_required remembered setup setup_from",
    ),
    (
        "sign_in_with",
        "after_failures after_failures_of_several at_once at_once_of_several \
         at_once_of_several_with_its_code by_the_drift by_the_drift_of_several clock_behind \
         code_length factor_required locked mismatch mismatch_locks mismatch_locks_in_a_row \
         mismatch_of_none mismatch_of_recovery mismatch_paid_off not_required \
         not_required_ignored recovery_code recovery_code_locked remembered repeated reused \
         setup_required setup_required_ignored temporary_code temporary_code_locked throttled \
         vouched vouched_locked",
    ),
    (
        "respond",
        "after_failures after_failures_of_several at_once at_once_of_several by_the_drift \
         by_the_drift_of_several clock_behind code_length expired expired_text forged_text \
         locked mismatch mismatch_locks mismatch_locks_in_a_row mismatch_of_none \
         mismatch_of_recovery mismatch_paid_off other_context other_generation other_purpose \
         other_subject recovery_code recovery_code_locked repeated reused spent throttled \
         vouched vouched_locked",
    ),
    (
        "step_up",
        "after_failures after_failures_of_several after_failures_of_several_with_its_code \
         at_once at_once_of_several at_once_of_several_with_its_code by_the_drift \
         by_the_drift_of_several clock_behind code_length locked mismatch mismatch_locks \
         mismatch_locks_in_a_row mismatch_of_none mismatch_of_recovery mismatch_paid_off \
         not_associated not_authorized recovery_code repeated reused temporary_code throttled \
         vouched vouched_locked",
    ),
    (
        "finish_setup",
        "done expired expired_text forged_text other_context other_generation other_purpose \
         other_subject spent",
    ),
    (
        "check",
        "first_factor not_authorized possession reauthentication_required \
         second_factor_required",
    ),
    ("remember", "done nothing"),
    (
        "associate",
        "addition again expired expired_text first forged_text no_such_token not_authorized \
         other_context other_generation other_purpose other_subject reauthentication_required \
         replacement replacement_waived second_factor_required software_token_disabled \
         too_many_tokens",
    ),
    (
        "verify",
        "added added_by_two already_verified code_length expired expired_text first \
         first_by_two forged_text in_a_sign_in in_a_sign_in_by_two locked mismatch \
         mismatch_locks mismatch_paid_off not_associated not_authorized other_context \
         other_pending other_purpose other_subject repeated replaced replaced_by_two \
         replaced_waived second_factor_required software_token_disabled throttled",
    ),
    (
        "resynchronise",
        "clock_behind code_length done done_of_several expired expired_text forged_text \
         locked mismatch mismatch_ambiguous mismatch_locks mismatch_paid_off not_associated \
         not_authorized other_context other_generation other_purpose other_subject \
         reauthentication_required reused spent throttled",
    ),
    (
        "set_enabled",
        "expired_text forged_text mfa_required not_associated not_authorized nothing \
         nothing_cleared off off_again other_purpose other_subject reauthentication_required \
         second_factor_required up",
    ),
    (
        "prefer",
        "down expired_text forged_text mfa_required not_associated not_authorized nothing \
         nothing_by_administrator nothing_cleared off off_again other_context other_purpose \
         other_subject reauthentication_required second_factor_required up",
    ),
    (
        "rename",
        "done expired_text forged_text no_such_token not_associated not_authorized nothing \
         other_purpose other_subject reauthentication_required second_factor_required",
    ),
    (
        "remove",
        "expired_text forged_text last mfa_required no_such_token not_associated \
         not_authorized one other_purpose other_subject reauthentication_required \
         second_factor_required",
    ),
    (
        "disassociate",
        "expired_text forged_text mfa_required not_authorized nothing other_purpose \
         other_subject pending reauthentication_required second_factor_required token",
    ),
    (
        "forget_browsers",
        "done expired_text forged_text not_authorized other_purpose other_subject \
         reauthentication_required second_factor_required",
    ),
    (
        "issue_recovery_codes",
        "again expired_text first forged_text not_associated not_authorized other_purpose \
         other_subject reauthentication_required second_factor_required",
    ),
    ("issue_temporary_code", "again first not_associated"),
    (
        "reset",
        "locked locked_mending nothing_verified nothing_verified_mending token token_mending",
    ),
    ("unlock", "failures locked nothing"),
    (
        "import",
        "already_verified last_step_in_future pending proven proven_several replacing \
         replacing_several software_token_disabled too_many_tokens verified_before",
    ),
    ("export", "done not_associated"),
];
