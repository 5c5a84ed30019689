//! Hashes and compares passwords.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::Semaphore;

use crate::problem::Problem;

/// Bounds the length of a password, in characters. A password may be the only factor, for which
/// NIST SP 800-63B-4 section 3.1.1.2 asks for 15.
pub(crate) const SHORTEST: usize = 15;
/// Bounds the length of a password, in bytes.
pub(crate) const LONGEST: usize = 1024;

/// Hashes on threads that may block, as many at once as there are cores.
#[derive(Clone, Debug)]
pub(crate) struct Passwords {
    at_once: Arc<Semaphore>,
    /// Stands in where there is no such user, who then takes as long as another.
    nobody: Arc<str>,
}

impl Passwords {
    /// Makes the hash that nobody's password has.
    ///
    /// # Errors
    ///
    /// Fails where the operating system gives no randomness.
    pub(crate) fn new() -> Result<Self, Problem> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            at_once: Arc::new(Semaphore::new(cores)),
            nobody: hash("nobody")?.into(),
        })
    }

    /// Hashes a new password.
    ///
    /// # Errors
    ///
    /// [`Problem::Said`] where it is too short or too long.
    pub(crate) async fn hash(&self, password: String) -> Result<String, Problem> {
        if password.chars().count() < SHORTEST {
            return Err(Problem::said(format!(
                "Choose a password of at least {SHORTEST} characters. Four or five words are easy \
                 to remember."
            )));
        }
        if password.len() > LONGEST {
            return Err(Problem::said("Choose a shorter password."));
        }
        self.apart(move || hash(&password)).await?
    }

    /// Returns whether this is the password that was kept. Where nothing was kept it is not.
    ///
    /// # Errors
    ///
    /// Fails where the server is about to end.
    pub(crate) async fn is_right(
        &self,
        password: String,
        kept: Option<&str>,
    ) -> Result<bool, Problem> {
        let known = kept.is_some();
        let kept = kept.map_or_else(|| Arc::clone(&self.nobody), Arc::from);
        let verify = move || {
            // The parameters are those of the kept hash.
            PasswordHash::new(&kept).is_ok_and(|kept| {
                let argon2 = Argon2::default();
                argon2.verify_password(password.as_bytes(), &kept).is_ok()
            })
        };
        Ok(self.apart(verify).await? && known)
    }

    async fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let _permit = self.at_once.acquire().await.map_err(Problem::broken)?;
        let done = tokio::task::spawn_blocking(work);
        done.await.map_err(Problem::broken)
    }
}

fn hash(password: &str) -> Result<String, Problem> {
    let hash = Argon2::default().hash_password(password.as_bytes());
    Ok(hash.map_err(Problem::broken)?.to_string())
}

#[cfg(test)]
mod tests {
    use core::future::poll_fn;
    use core::task::Poll;
    use std::pin::pin;

    use axum::body::Body;
    use axum::http::header::CONTENT_TYPE;
    use axum::http::{Request, StatusCode};
    use softtoken::time::SystemClock;
    use tower::ServiceExt as _;

    use super::*;
    use crate::{App, server};

    #[tokio::test]
    async fn a_password_is_hashed_where_there_is_no_such_user_as_well() {
        let passwords = Passwords::new().expect("there is randomness");
        let cores = passwords
            .at_once
            .available_permits()
            .try_into()
            .expect("few");
        let kept = hash("four plain words of mine").expect("it is hashed");
        for kept in [Some(kept.as_str()), None] {
            let busy = passwords.at_once.acquire_many(cores).await.expect("all");
            let mut judged = pin!(passwords.is_right("nobody".to_owned(), kept));
            let waits = poll_fn(|context| Poll::Ready(judged.as_mut().poll(context).is_pending()));
            assert!(waits.await, "for its turn to be hashed");
            drop(busy);
            assert!(!judged.await.expect("it is judged"));
        }
        let cost = |hash: &str| PasswordHash::new(hash).expect("a hash").params;
        assert_eq!(cost(&passwords.nobody), cost(&kept));
    }

    /// Shows it by a server that hashes nothing any more, and so has no answer.
    #[tokio::test]
    async fn nobody_is_told_of_a_wrong_password_before_one_was_hashed() {
        let folder = tempfile::tempdir().expect("a folder");
        let app = App::open(folder.path(), false, SystemClock).await;
        let app = app.expect("it opens");
        app.passwords().at_once.close();
        let request = Request::post("/sign-in")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .body(Body::from("email=nobody%40example.com&password=wrong"))
            .expect("a request");
        let answer = server(app).oneshot(request).await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }

    /// Holds the cost that OWASP recommends for Argon2id.
    #[test]
    fn a_hash_costs_19_mebibytes_and_no_two_of_one_password_are_alike() {
        let password = ["four plain words of mine"; 2];
        let [one, other] = password.map(|password| hash(password).expect("it is hashed"));
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, other, "the salt is drawn");
    }

    #[tokio::test]
    async fn a_password_has_fifteen_characters_and_1024_bytes_at_most() {
        let passwords = Passwords::new().expect("there is randomness");
        for (password, is_taken) in [
            ("é".repeat(14), false),
            ("é".repeat(15), true),
            ("a".repeat(1024), true),
            ("a".repeat(1025), false),
        ] {
            let length = password.len();
            assert_eq!(passwords.hash(password).await.is_ok(), is_taken, "{length}");
        }
    }
}
