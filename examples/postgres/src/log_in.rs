//! A login with a row of your application's own and the second factor's row in one transaction.

use softtoken::store::Swap;
use softtoken::{ChallengeSession, Error, Evidence, Factor, Fault, Mfa};

use crate::{PostgresError, PostgresStore, load, swap};

/// The row that goes with a login; your own has more columns.
const COUNT: &str = "INSERT INTO logins (subject, logins) VALUES ($1, 1)
    ON CONFLICT (subject) DO UPDATE SET logins = logins.logins + 1";

/// Logs in a user who answers a challenge, and counts the login in the table `logins`: both rows
/// are committed, or neither is. A rejection is the exception: its failure is committed although
/// the login is rolled back, or guessing is free.
///
/// READ COMMITTED, as the store's connections have it, is enough: the condition is tested against
/// the row as it is when it is written.
///
/// # Errors
///
/// [`Error::Rejected`]: the answer is no; what it had to count is stored, and the login is not. Any
/// other: there is no answer, and nobody is to be let in.
pub async fn log_in(
    store: &PostgresStore,
    mfa: &Mfa,
    session: &ChallengeSession,
    factor: Factor,
) -> Result<Evidence, Error<PostgresError>> {
    let failed = |error: tokio_postgres::Error| Error::Store(PostgresError::from(error));
    let user = session.subject();
    let request = mfa.respond(session, factor);
    for _ in 0..mfa.policy().swap_attempts() {
        let mut client = store.client().await.map_err(Error::Store)?;
        let mut transaction = client.transaction().await.map_err(failed)?;
        transaction.execute(COUNT, &[&user]).await.map_err(failed)?;

        // Keep: read and written in this transaction, decided in between.
        let found = load(&transaction, user).await.map_err(Error::Store)?;
        let decision = request.decide(user, found)?;
        if decision.is_rejection() {
            // Keep: the login is gone; the guess is counted in a transaction of its own.
            transaction.rollback().await.map_err(failed)?;
            transaction = client.transaction().await.map_err(failed)?;
        }

        let stored = match decision.write() {
            None => Swap::Stored,
            Some(write) => swap(&transaction, write).await.map_err(Error::Store)?,
        };
        if stored == Swap::Conflict {
            // Keep: somebody else was faster; decide again, on what there is now.
            transaction.rollback().await.map_err(failed)?;
            continue;
        }
        // Keep: the answer after the commit, never before.
        transaction.commit().await.map_err(failed)?;
        return decision.committed();
    }
    Err(Fault::Contended.into())
}
