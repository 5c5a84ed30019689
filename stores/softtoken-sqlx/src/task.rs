//! Runs what must not be cut.

use std::panic::resume_unwind;

use crate::SqlxStoreError;

/// Runs a future in a task of its own, to its end, whatever becomes of the caller. Where nobody
/// waits for the output any more, the output is dropped within the runtime.
pub(crate) async fn uncut<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, SqlxStoreError> {
    match tokio::spawn(work).await {
        Ok(output) => Ok(output),
        Err(stopped) => match stopped.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => Err(SqlxStoreError::ShutDown),
        },
    }
}
