//! Passwords: which are accepted, and what is kept of them.

#[cfg(test)]
mod tests;

use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use argon2::password_hash::{
    PasswordHash as Phc, PasswordHasher as _, PasswordVerifier as _, SaltString,
};
use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use softtoken::OsEntropy;
use softtoken::entropy::Entropy as _;
use tokio::sync::Semaphore;

use crate::exception::{Answer, Exception};

/// Argon2id with its salt, as a PHC string.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PasswordHash(String);

impl core::fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str("PasswordHash(..)")
    }
}

impl PasswordHash {
    /// On this thread, which waits.
    pub(crate) fn of(password: &str) -> Answer<Self> {
        let mut salt = [0; 16];
        OsEntropy.fill(&mut salt).map_err(Exception::internal)?;
        let salt = SaltString::encode_b64(&salt).map_err(Exception::internal)?;
        let hashed = argon2()?.hash_password(password.as_bytes(), &salt);
        Ok(Self(hashed.map_err(Exception::internal)?.to_string()))
    }

    fn is_of(&self, password: &str, compared: &AtomicU64) -> bool {
        compared.fetch_add(1, Ordering::Relaxed);
        // The parameters are those of the kept hash.
        Phc::new(&self.0).is_ok_and(|phc| {
            Argon2::default()
                .verify_password(password.as_bytes(), &phc)
                .is_ok()
        })
    }
}

/// Hashes on threads that may block, as many at once as there are cores.
#[derive(Clone, Debug)]
pub(crate) struct Passwords {
    at_once: Arc<Semaphore>,
    /// What the password of nobody is compared with, so that an unknown user takes as long as a
    /// known one.
    nobody: PasswordHash,
    /// How many passwords were hashed for a comparison so far.
    compared: Arc<AtomicU64>,
}

impl Passwords {
    pub(crate) fn new() -> Answer<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            at_once: Arc::new(Semaphore::new(cores)),
            nobody: PasswordHash::of("nobody")?,
            compared: Arc::default(),
        })
    }

    pub(crate) async fn hash(&self, password: String) -> Answer<PasswordHash> {
        self.apart(move || PasswordHash::of(&password)).await?
    }

    /// Whether it is the password of `kept`; where nothing is kept it is not.
    pub(crate) async fn verify(
        &self,
        password: String,
        kept: Option<PasswordHash>,
    ) -> Answer<bool> {
        let known = kept.is_some();
        let kept = kept.unwrap_or_else(|| self.nobody.clone());
        let compared = self.compared.clone();
        let right = self.apart(move || kept.is_of(&password, &compared));
        Ok(right.await? && known)
    }

    async fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Answer<T> {
        let permit = self.at_once.acquire().await.map_err(Exception::internal)?;
        let done = tokio::task::spawn_blocking(work).await;
        drop(permit);
        done.map_err(Exception::internal)
    }
}

/// Whether a pool takes it as a password: its length alone decides. A stand-in is for tests.
///
/// # Errors
///
/// `InvalidPasswordException`.
pub(crate) fn check_policy(password: &str, minimum: usize) -> Answer<()> {
    if password.chars().count() < minimum {
        return Err(Exception::invalid_password(
            "Password did not conform with policy: Password not long enough",
        ));
    }
    Ok(())
}

/// 8 MiB and one pass: milliseconds, so that forty sign-ins at once do not wait for each other. A
/// server that keeps real passwords takes what OWASP recommends, 19 MiB and two.
fn argon2() -> Answer<Argon2<'static>> {
    let params = Params::new(8 * 1024, 1, 1, None).map_err(Exception::internal)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}
