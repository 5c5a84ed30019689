//! Tells the user what somebody else may have done. Mail goes to the table `mail` and to the log: a
//! server of yours hands it to its own sender here.

use crate::app::App;
use crate::journal::Entry;
use crate::problem::Problem;

/// Sends a mail for an event, where the user should know of it.
///
/// # Errors
///
/// Fails where the mail could not be kept.
pub(crate) async fn tell(app: &App, entry: &Entry) -> Result<(), Problem> {
    let Some((subject, text)) = notice(entry) else {
        return Ok(());
    };
    let Some(user) = app.users().by_id(&entry.user).await? else {
        return Ok(());
    };
    // Each code of somebody who goes on guessing is such an event: one mail a day will do.
    let at_most_daily = matches!(&*entry.name, "password_probably_known" | "locked");
    let kept = sqlx::query(
        "INSERT INTO mail (at, email, subject, text) SELECT ?1, ?2, ?3, ?4 WHERE NOT (?5 AND EXISTS \
         (SELECT 1 FROM mail WHERE email = ?2 AND subject = ?3 AND at > ?1 - 86400))",
    )
    .bind(i64::try_from(entry.at.as_secs()).unwrap_or(i64::MAX))
    .bind(&user.email)
    .bind(subject)
    .bind(text)
    .bind(at_most_daily)
    .execute(app.pool())
    .await?;
    if kept.rows_affected() > 0 {
        tracing::info!(to = user.email, subject, text, "mail");
    }
    Ok(())
}

/// Returns subject and text. There is no link in them: a link is what a phisher imitates.
fn notice(entry: &Entry) -> Option<(&'static str, &'static str)> {
    Some(match entry.name.as_str() {
        "verified" | "added" | "replaced" => (
            "An authenticator was set up for your account",
            "If it was not you, sign in, change your password and remove the authenticator.",
        ),
        "removed" => (
            "An authenticator was removed from your account",
            "If it was not you, sign in and change your password.",
        ),
        "disassociated" | "preference_changed" => (
            "Your second factor was turned off",
            "If it was not you, sign in, change your password and turn it on again.",
        ),
        "recovery_code_used" => (
            "A recovery code was used to sign in",
            "If it was not you, change your password and make new recovery codes.",
        ),
        "temporary_code_used" => (
            "A temporary code was used to sign in",
            "If it was not you, change your password, and tell an administrator.",
        ),
        "recovery_codes_issued" => (
            "You have new recovery codes",
            "The old ones stopped working. If it was not you, change your password.",
        ),
        "password_probably_known" => (
            "Somebody seems to have your password",
            "Somebody has typed your password and then wrong codes. If it was not you, change your \
             password.",
        ),
        "locked" => (
            "Your codes are locked",
            "There were too many wrong codes after your password. Sign in by a recovery code, or \
             ask an administrator to unlock your codes. If it was not you, change your password.",
        ),
        "password_changed" => (
            "Your password was changed",
            "If it was not you, ask an administrator for help at once.",
        ),
        "reset" | "temporary_code_issued" | "unlocked" => (
            "An administrator has helped you to sign in",
            "If you did not ask for help, tell an administrator.",
        ),
        _ => return None,
    })
}
