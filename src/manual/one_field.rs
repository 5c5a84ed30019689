//! Tells servers with one password field, and no page behind it, how to take a code: LDAP, IMAP,
//! SMTP, RADIUS, HTTP basic authentication.
//!
//! # The code at the end of the password
//!
//! The user types the password and the code without a space: `correct horse081804`. Split the code
//! off, check the password, and only then call [`sign_in_with`](crate::Mfa::sign_in_with):
//!
//! ```
//! use softtoken::{Code, Error, MemoryStore, Mfa, SignedIn};
//!
//! /// Returns password and code, where the text ends in as many digits as a code has.
//! fn split(typed: &str, digits: usize) -> Option<(&str, Code)> {
//!     let (password, code) = typed.split_at_checked(typed.len().checked_sub(digits)?)?;
//!     let is_code = code.bytes().all(|byte| byte.is_ascii_digit());
//!     is_code.then(|| Code::parse(code).ok())?.map(|code| (password, code))
//! }
//!
//! /// Returns whether to let the user in.
//! fn bind(
//!     mfa: &Mfa,
//!     store: &MemoryStore,
//!     user: &str,
//!     typed: &str,
//!     password_is_right: impl Fn(&str) -> bool, // yours: with a throttle of its own
//! ) -> Result<bool, Error> {
//!     let digits = usize::from(mfa.policy().totp().digits().get());
//!     let factor = match split(typed, digits) {
//!         Some((password, code)) if password_is_right(password) => Some(code.into()),
//!         // No code, or a password that ends in digits.
//!         _ if password_is_right(typed) => None,
//!         _ => return Ok(false),
//!     };
//!     Ok(match mfa.sign_in_with(factor).run_blocking(store, user)? {
//!         SignedIn::Proven(_) | SignedIn::NotRequired { .. } => true,
//!         SignedIn::FactorRequired { .. } => false,
//!         // Announced, and not required yet.
//!         SignedIn::SetupRequired { required_from, .. } => required_from.is_some(),
//!     })
//! }
//! # fn main() -> Result<(), Box<dyn core::error::Error>> {
//! # use softtoken::association::ImportedToken;
//! # use softtoken::totp::{Secret, Totp, Verifier};
//! # use softtoken::{Administrator, OsEntropy, Policy, UnixTime};
//! # let (store, now) = (MemoryStore::new(), UnixTime::from_secs(1_700_000_000));
//! # let mfa = Mfa::new(Policy::STANDARD, move || Some(now), OsEntropy);
//! # let right = |password: &str| password == "correct horse1234567";
//! # let secret = Secret::from_base32("JBSW Y3DP EHPK 3PXP JBSW Y3DP EE")?;
//! # let step = Totp::STANDARD.step(now);
//! # let code = Verifier::new(&secret, Totp::STANDARD).code(step).expose();
//! # let token = ImportedToken::proven(secret, Totp::STANDARD);
//! # let token = token.last_step(step.saturating_offset(-2));
//! # assert!(bind(&mfa, &store, "alice", "correct horse1234567", right)?);
//! # assert!(!bind(&mfa, &store, "alice", "wrong", right)?);
//! # let required = mfa.with_policy(Policy::STANDARD.required())?;
//! # assert!(!bind(&required, &store, "alice", "correct horse1234567", right)?);
//! # for (seconds, is_let_in) in [(1, true), (0, false)] {
//! #     let from = UnixTime::from_secs(now.as_secs() + seconds);
//! #     let announced = mfa.with_policy(Policy::STANDARD.required_from(from))?;
//! #     let bound = bind(&announced, &store, "alice", "correct horse1234567", right)?;
//! #     assert_eq!(bound, is_let_in);
//! #     assert!(!bind(&announced, &store, "alice", "wrong", right)?);
//! # }
//! # mfa.import(&Administrator::named("ops"), [token]).run_blocking(&store, "alice")?;
//! # assert!(!bind(&mfa, &store, "alice", "correct horse1234567", right)?);
//! # let typed = format!("correct horse1234567{}", *code);
//! # assert!(bind(&mfa, &store, "alice", &typed, right)?);
//! # assert_eq!(bind(&mfa, &store, "alice", &typed, right).unwrap_err().name(), "reused");
//! # assert!(split("é1234", 6).is_none());
//! # assert!(split("12345", 6).is_none());
//! # Ok(())
//! # }
//! ```
//!
//! - **The password comes first, every time.** A code that is judged beside a wrong password counts
//!   guesses of strangers against the user.
//! - **Split by length, from the end.** A separator may stand in a password. Where a user's tokens
//!   have codes of several lengths, try each length, the longest first.
//! - **Answer one thing**: "invalid credentials" (LDAP result 49, status 401), whether the password
//!   was wrong, a code was missing, or the code was wrong. The audit has the reason.
//! - **Set-up happens elsewhere**, on a page of yours. `SetupRequired` is a refusal here, unless it
//!   has a `required_from`: the time from which on the policy requires a token, which has not come
//!   then.
//! - A recovery code belongs on a page, too: the user needs new ones after it.
//!
//! # What polling does
//!
//! A mail program keeps what was typed, and sends it again with every connection. The first
//! connection is let in. For as long as the code's window is open, the next ones are `Reused`,
//! which counts nothing. After that the same text is a wrong code, and each connection a failure:
//! the fifth in a row is reported as `password_probably_known`, the waits grow to 15 minutes, and
//! after about a day of polling the hundredth failure locks the user's tokens. The count is one, so
//! the sign-in on your web page waits and locks with it.
//!
//! A client that binds twice for one login (a search, then a bind; two parallel connections) is
//! refused the second time in the same way.
//!
//! # How to avoid it
//!
//! | client | do |
//! |---|---|
//! | keeps its password and polls: mail, calendars, file synchronisation | issue application passwords |
//! | sends the same header with every request: HTTP basic authentication | issue a cookie or a token after the first, and look at it first |
//! | stays connected: a shell, a VPN, a database | ask once a connection; never at a keep-alive |
//! | binds twice within seconds | remember the accepted text for these seconds, as below |
//! | can ask a second question: PAM, keyboard-interactive, RADIUS challenges | [`sign_in`](crate::Mfa::sign_in) and [`respond`](crate::Mfa::respond), in two steps |
//!
//! **Application passwords** are your application's: random, 128 bits, one for each client, shown
//! once, kept as a hash, listed by name and revoked one by one. Let each open one service only, and
//! let a user make one only after [`check`](crate::Mfa::check). A client that shows one has proven
//! no second factor: do not call this crate for it, and make no grant. Delete them with the user's
//! logins, where [`should_end_other_logins`](crate::Evidence::should_end_other_logins) says so, and
//! with a new password.
//!
//! **A remembered text** lets the holder of that text in again, without a code, for as long as it
//! is remembered. Keep a keyed hash of it, with the user, for seconds; bind it to the connection's
//! address; and drop it with a new password. An [`AttemptKey`](crate::association::AttemptKey) is
//! no help: it is for requests that your own server repeats.
//!
//! **A remembered address** is not offered by this crate. Many users share one address, and an
//! attacker may sit behind it too. A [remembered browser](crate::Mfa::remember) needs a client that
//! keeps a cookie.
