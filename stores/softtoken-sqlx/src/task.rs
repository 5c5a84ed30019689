//! Runs what must not be cut.

use std::panic::resume_unwind;

use sqlx::Database;
use sqlx::pool::PoolConnection;
use tokio::sync::oneshot;
use tokio::task::JoinError;

use crate::SqlxStoreError;

/// Runs a future in a task of its own, to its end, whatever becomes of the caller. Where nobody
/// waits for the output any more, the output is dropped within the runtime.
///
/// The task begins at once, so that whoever waits holds a handle and not the work as well.
pub(crate) fn uncut<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> impl Future<Output = Result<T, SqlxStoreError>> + Send {
    let task = tokio::spawn(work);
    async { task.await.or_else(stopped) }
}

/// Runs a future as [`uncut`] does, and tells what it has come to before the connection goes home,
/// for which the pool spawns a task: nobody waits for that.
pub(crate) fn uncut_over<DB: Database, T: Send + 'static>(
    work: impl Future<Output = Result<(T, PoolConnection<DB>), SqlxStoreError>> + Send + 'static,
) -> impl Future<Output = Result<T, SqlxStoreError>> + Send {
    let (tell, told) = oneshot::channel();
    let task = tokio::spawn(async move {
        match work.await {
            Ok((answer, connection)) => {
                // Where nobody waits any more the answer is dropped.
                let _ = tell.send(Ok(answer));
                drop(connection);
            }
            Err(error) => drop(tell.send(Err(error))),
        }
    });
    async {
        match told.await {
            Ok(answer) => answer,
            Err(_) => stopped(task.await.expect_err("it has told nothing")),
        }
    }
}

/// Goes on with the panic of a task.
fn stopped<T>(stopped: JoinError) -> Result<T, SqlxStoreError> {
    match stopped.try_into_panic() {
        Ok(panic) => resume_unwind(panic),
        Err(_) => Err(SqlxStoreError::ShutDown),
    }
}
