//! Passwords: which are accepted, and what is kept of them.

#[cfg(test)]
mod tests;

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Arc;

use argon2::password_hash::{
    PasswordHash as Phc, PasswordHasher as _, PasswordVerifier as _, SaltString,
};
use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use softtoken::entropy::Entropy as _;
use softtoken::{OsEntropy, UnixTime};
use tokio::sync::Semaphore;

use crate::exception::{Answer, Exception};
use crate::srp::{Challenge, Party, Proof, Srp, Verifier};

/// What is kept of a password: one thing for each way to show it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct KeptPassword {
    hash: PasswordHash,
    srp: Verifier,
}

/// Argon2id with its salt, as a PHC string.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct PasswordHash(String);

impl core::fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str("PasswordHash(..)")
    }
}

impl PasswordHash {
    fn of(password: &str) -> Answer<Self> {
        let mut salt = [0; 16];
        OsEntropy.fill(&mut salt).map_err(Exception::internal)?;
        let salt = SaltString::encode_b64(&salt).map_err(Exception::internal)?;
        let hashed = argon2()?.hash_password(password.as_bytes(), &salt);
        Ok(Self(hashed.map_err(Exception::internal)?.to_string()))
    }

    fn is_of(&self, password: &str) -> bool {
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
    work: Arc<Work>,
}

/// Where the work is done, on whichever thread.
#[derive(Debug)]
struct Work {
    srp: Srp,
    /// What the password of nobody is compared with, so that an unknown user takes as long as a
    /// known one.
    nobody: PasswordHash,
    /// How many passwords were compared, so that two answers are known to take as long.
    comparisons: AtomicU64,
}

impl Passwords {
    pub(crate) fn new(srp: Srp) -> Answer<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            at_once: Arc::new(Semaphore::new(cores)),
            work: Arc::new(Work {
                srp,
                nobody: PasswordHash::of("nobody")?,
                comparisons: AtomicU64::new(0),
            }),
        })
    }

    /// What is kept of this user's password.
    pub(crate) async fn keep(
        &self,
        pool: &str,
        username: &str,
        password: String,
    ) -> Answer<KeptPassword> {
        let (pool, username) = (pool.to_owned(), username.to_owned());
        self.apart(move |work| work.keep(&pool, &username, &password))
            .await?
    }

    /// The same on this thread, which waits.
    pub(crate) fn keep_here(
        &self,
        pool: &str,
        username: &str,
        password: &str,
    ) -> Answer<KeptPassword> {
        self.work.keep(pool, username, password)
    }

    /// Whether it is the password of `kept`; where nothing is kept it is not.
    pub(crate) async fn verify(
        &self,
        password: String,
        kept: Option<KeptPassword>,
    ) -> Answer<bool> {
        self.apart(move |work| {
            let hash = kept.as_ref().map_or(&work.nobody, |kept| &kept.hash);
            let right = hash.is_of(&password);
            // Counted once it is done, so that who answers before it is not counted.
            work.comparisons.fetch_add(1, Relaxed);
            right && kept.is_some()
        })
        .await
    }

    /// Begins SRP with this party, of whose password this is kept.
    ///
    /// # Errors
    ///
    /// As [`Srp::challenge`].
    pub(crate) async fn challenge(
        &self,
        party: Party,
        kept: Option<KeptPassword>,
        srp_a: String,
        now: UnixTime,
    ) -> Answer<Challenge> {
        self.apart(move |work| {
            let kept = kept.as_ref().map(|kept| &kept.srp);
            work.srp.challenge(&party, kept, &srp_a, now)
        })
        .await?
    }

    /// What somebody unknown would be named by, who is asked for by this.
    pub(crate) fn name_of_nobody(&self, pool: &str, alias: &str) -> String {
        self.work.srp.name_of_nobody(pool, alias)
    }

    /// When what a proof answers was made, where it was made for this party.
    pub(crate) fn challenged(&self, party: &Party, proof: &Proof) -> Option<UnixTime> {
        self.work.srp.issued(party, proof)
    }

    /// Whether it proves the password of `kept`; where nothing is kept it does not.
    pub(crate) async fn is_proven(
        &self,
        party: Party,
        kept: Option<KeptPassword>,
        proof: Proof,
    ) -> Answer<bool> {
        self.apart(move |work| {
            let kept = kept.as_ref().map(|kept| &kept.srp);
            work.srp.is_proven(&party, kept, &proof)
        })
        .await
    }

    /// How much was done that takes time: passwords compared, and powers computed.
    #[cfg(test)]
    pub(crate) fn work(&self) -> (u64, u64) {
        let Work {
            srp, comparisons, ..
        } = &*self.work;
        (comparisons.load(Relaxed), srp.powers())
    }

    async fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Work) -> T + Send + 'static,
    ) -> Answer<T> {
        let permit = self.at_once.clone().acquire_owned();
        let permit = permit.await.map_err(Exception::internal)?;
        let at = self.work.clone();
        // Whoever waits for it may go: it counts until it has ended.
        let work = move || {
            let _permit = permit;
            work(&at)
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(Exception::internal)
    }
}

impl Work {
    fn keep(&self, pool: &str, username: &str, password: &str) -> Answer<KeptPassword> {
        Ok(KeptPassword {
            hash: PasswordHash::of(password)?,
            srp: self.srp.keep(pool, username, password)?,
        })
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
