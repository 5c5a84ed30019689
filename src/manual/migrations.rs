//! Tells how users, secrets and backup codes move in from another system, and back.
//!
//! # A whole table
//!
//! Hand the rows of the old table to [`Rows::move_in`](crate::rows::Rows::move_in), as the columns
//! have them. Try it without writing, until nothing is refused that you do not mean to leave
//! behind; then run it, as often as it takes: a user who is there already stays as they are.
//!
//! ```
//! use core::convert::Infallible;
//! use softtoken::rows::{OldRow, OldToken, Report, Rows, Verdict};
//! use softtoken::{Administrator, MemoryStore, Mfa};
//!
//! struct Old {
//!     user: String,
//!     secret: String,    // base32, as it was typed
//!     last_counter: i64, // in steps; -1 for never
//! }
//!
//! fn migrate(mfa: &Mfa, store: &MemoryStore, table: &[Old], dry: bool) -> Report {
//!     // SELECT .. FROM old WHERE confirmed AND user > $1 ORDER BY user LIMIT 500
//!     let pages = |after: Option<&str>| {
//!         let rest = table.iter().filter(|old| after.is_none_or(|after| *old.user > *after));
//!         let rows = rest.take(500).map(|old| {
//!             let token = OldToken::legacy_base32(&*old.secret).last_step(old.last_counter);
//!             OldRow::new(&*old.user).token(token.named("phone"))
//!         });
//!         Ok::<_, Infallible>(rows.collect())
//!     };
//!     let rows = Rows::move_in(mfa, &Administrator::named("migration"));
//!     let rows = if dry { rows.dry_run() } else { rows };
//!     let report = rows.run_blocking(store, pages, |user, verdict| {
//!         if let Verdict::Refused(refusal) = verdict {
//!             println!("{user}: {refusal}"); // a list to mend the table by
//!         }
//!     });
//!     report.unwrap_or_else(|stopped| panic!("{stopped}"))
//! }
//!
//! # fn main() -> Result<(), Box<dyn core::error::Error>> {
//! # use softtoken::{OsEntropy, Policy, UnixTime};
//! # let now = UnixTime::from_secs(1_700_000_000);
//! # let mfa = Mfa::new(Policy::STANDARD, move || Some(now), OsEntropy);
//! # let store = MemoryStore::new();
//! # let mut table = ["user-1", "user-2"].map(|user| Old {
//! #     user: user.into(),
//! #     secret: "jbsw y3dp ehpk 3pxp jbsw y3dp ee".into(),
//! #     last_counter: -1,
//! # });
//! table[1].last_counter = 1_699_999_980; // seconds: the wrong unit
//! let tried = migrate(&mfa, &store, &table, true);
//! assert_eq!((tried.changed(), tried.count("last_step_in_future")), (1, 1));
//!
//! table[1].last_counter = 1_699_999_980 / 30;
//! assert_eq!(migrate(&mfa, &store, &table, false).count("moved_in"), 2);
//! assert_eq!(migrate(&mfa, &store, &table, false).count("already_verified"), 2);
//! # Ok(())
//! # }
//! ```
//!
//! | the report says | means | do |
//! |---|---|---|
//! | `moved_in` | in force, and the phone of before signs in | ask this crate for the user |
//! | `moved_in_weak` | the same, with a [secret under 128 bits](#short-and-long-secrets) | have the user set up anew, in time |
//! | `already_verified` | a token is in force here, by an earlier run or by the user | nothing |
//! | `verified_before` | the user has removed it here since | nothing |
//! | `already_pending` | a secret waits here for its first code, by an earlier run or by the user | nothing |
//! | `malformed_..` | the reader does not take secret, URI or parameters | mend the row, or let the user set up anew |
//! | `parameters_differ` | the key URI and the columns beside it differ | find out which the app has |
//! | `last_step_in_future` | [seconds for steps](#counters-are-steps-not-seconds), as a rule | divide |
//! | `too_many_tokens`, `listed_twice` | more phones than the policy allows; phones of a user in two rows | [`max_tokens`](crate::policy::PolicyBuilder::max_tokens); one [`OldRow`](crate::rows::OldRow) for each user |
//! | `import` | the row has no token, one secret twice, or a drift out of range | mend the row |
//! | `record_..` | the row here does not open | see [operators](super::operators#records-that-do-not-open) |
//! | `store` | the store failed for this row alone | look at the row, run again |
//!
//! A run that was interrupted is started anew, from the beginning or from the last subject that it
//! told of ([cursor](crate::rows#again-and-from-where-it-stopped)). In the repository
//! `examples/sqlite` has a program that does all of this, with a progress bar. One user by hand is
//! [`Mfa::import`](crate::Mfa::import).
//!
//! A whole key URI (`otpauth://..`) that another system has kept is read by
//! [`OldToken::key_uri`](crate::rows::OldToken::key_uri), parameters included.
//!
//! | the other system | here |
//! |---|---|
//! | has a flag "confirmed" or "enabled" | [`proven`](crate::association::ImportedToken::proven): in force, and asked for |
//! | has confirmed it, and the user has turned it off | the same, with `.enabled(false)` on the row or the request |
//! | has not confirmed it | leave it out: the user scans a new one |
//! | keeps several phones of one user | all of them in one import, with a policy of so many [`max_tokens`](crate::policy::PolicyBuilder::max_tokens) |
//! | keeps SHA-256, 8 digits, 60 s | [`Totp::new`](crate::totp::Totp::new): a token keeps its own parameters |
//! | has counted the drift of a clock | [`drift`](crate::association::ImportedToken::drift), in steps, positive where the phone is ahead |
//!
//! # Counters are steps, not seconds
//!
//! The last step is what keeps a code of before from signing in here. It is the Unix time of the
//! last accepted code divided by the period, 56,666,666 and not 1,700,000,000:
//!
//! | the column holds | import |
//! |---|---|
//! | the counter of the code (`last_t`, `last_used_counter`) | as it is |
//! | the time of the code in seconds | divided by the period |
//! | the time in milliseconds | divided by 1000 and by the period |
//! | the time of the sign-in, not of the code | nothing: leave `last_step` out |
//! | -1, 0 or nothing for "never" | nothing: leave `last_step` out |
//!
//! The systems by name, as their sources have it:
//!
//! | system | column | unit | never used | secret |
//! |---|---|---|---|---|
//! | Nextcloud, `twofactor_totp` | `last_counter` | steps | -1 | base32, encrypted by the instance's secret; import where the state is enabled |
//! | django-otp, `TOTPDevice` | `last_t`; `drift` in steps | steps | -1 | hexadecimal; `step` is the period, `digits` 6 or 8; import where `confirmed` |
//! | devise-two-factor | `consumed_timestep` | steps, but of the sign-in: leave it out | null | base32, encrypted; import where `otp_required_for_login` |
//! | WordPress, Two-Factor | `_two_factor_totp_last_successful_login` | seconds: divide by 30 | no row | base32 |
//!
//! A counter of the sign-in may lie a step or two before the code that was accepted, which would
//! then be accepted again. A `t0` other than 0 (django-otp has a column for it) cannot be imported.
//! Read the column as a signed number: [`OldToken`](crate::rows::OldToken) takes 0 and less as
//! none, in [`last_step`](crate::rows::OldToken::last_step) for steps and in
//! [`last_used`](crate::rows::OldToken::last_used) for seconds. -1 read as an unsigned number is
//! the last step of all, and is refused.
//!
//! A system with a wider window than the policy's may have accepted a code of some steps ahead
//! (Nextcloud 3, WordPress 4). Its user is refused as `LastStepInFuture` for as many steps: run the
//! migration once more, two minutes later.
//!
//! Without a last step every code that is valid at the time of the import counts as spent: the user
//! waits for the next one, at most two periods (a minute) under the standard window, and as many
//! periods longer as the clock of the token is behind. A last step later than that is refused as
//! [`LastStepInFuture`](crate::Rejection::LastStepInFuture), which is how seconds in the place of
//! steps are seen, before they shut the user out for a thousand years.
//!
//! While both systems accept codes, one code signs in at both. Import a user at the moment from
//! which only this crate is asked.
//!
//! # Short and long secrets
//!
//! Secrets of 10 to 128 bytes are read. One outside of that is refused as
//! [`SecretError`](crate::totp::SecretError): its user sets up anew. A secret that is kept in
//! hexadecimal is read by [`Secret::from_hex`](crate::totp::Secret::from_hex), one of bytes by
//! [`from_bytes`](crate::totp::Secret::from_bytes).
//! [`from_base32_legacy`](crate::totp::Secret::from_base32_legacy) reads texts of odd lengths, as
//! systems that draw letters have issued them, in the way authenticator apps do: the spare bits of
//! the last letter are dropped, so an export may end in another letter. The codes are the same.
//!
//! Some systems keep the text in one form and take the key from another: the letters themselves, or
//! a short key that is repeated to the hash's length. Try an account of your own before you import
//! all: the app's next code has to sign in.
//!
//! Many systems have issued 10 bytes. Such a secret is imported, and is called weak in the event
//! and in the [status](crate::association::TokenStatus::weak): ask its holder to set up the phone
//! anew, by [`associate`](crate::Mfa::associate) within a login, at a convenient time.
//!
//! # Backup codes of before
//!
//! Hashes of another system cannot be imported: only that system's algorithm checks them. Go on
//! checking them there, burn the code first, and vouch for it:
//!
//! ```
//! use std::collections::HashSet;
//! use softtoken::{Error, Evidence, MemoryStore, Mfa, Vouched};
//!
//! fn old_backup_code(
//!     mfa: &Mfa,
//!     store: &MemoryStore,
//!     old_codes: &mut HashSet<String>, // in your application, their hashes
//!     session: &str,
//!     typed: &str,
//! ) -> Result<Evidence, Error> {
//!     let session = mfa.open(session)?;
//!     let matched = old_codes.remove(typed); // burnt, whatever comes of it
//!     let respond = mfa.respond(&session, Vouched::recovery_code(matched));
//!     respond.run_blocking(store, session.subject())
//! }
//! ```
//!
//! A code that did not match is vouched for as such, `recovery_code(false)`: the crate counts it
//! with wrong recovery codes, and an event tells of the fifth in a row. After such a sign-in show
//! the user new recovery codes of this crate
//! ([`issue_recovery_codes`](crate::Mfa::issue_recovery_codes)), and delete the old ones.
//!
//! # Fobs
//!
//! The clock of a hardware token that lay in a drawer is off by minutes. Import its secret as
//! [`pending`](crate::association::ImportedToken::pending), and let its holder confirm it by two
//! codes in a row, which find out how far:
//!
//! ```
//! use softtoken::{Code, Error, Grant, MemoryStore, Mfa};
//!
//! fn confirm_fob(
//!     mfa: &Mfa,
//!     store: &MemoryStore,
//!     login: &Grant,
//!     typed: [&str; 2],
//! ) -> Result<Grant, Error> {
//!     let [code, next] = typed.map(Code::parse);
//!     let verify = mfa.verify(login, code?).followed_by(next?);
//!     let enrolled = verify.run_blocking(store, login.subject())?;
//!     Ok(Grant::from(enrolled.evidence()))
//! }
//! ```
//!
//! A pending secret waits for the policy's [`pending_lifetime`](crate::Policy::pending_lifetime),
//! at most a day: import it when its holder asks for it. A fob that is in force already and drifts
//! later is [resynchronised](crate::Mfa::resynchronise).
//!
//! # Once more, and over what is there
//!
//! - [`replacing_everything`](crate::mfa::Request::replacing_everything) puts the imported tokens
//!   in place of what is in force, recovery codes and remembered browsers included. **Do not say it
//!   in a migration that may run a second time**: it overwrites the phone that a user has set up
//!   here since with the old one, and the old one may be in a thief's hands. Say it for one user,
//!   by hand.
//! - [`even_if_verified_before`](crate::mfa::Request::even_if_verified_before) imports for a user
//!   who had a token here and has none now. Say it for a user who asks, never for a whole table: it
//!   brings back what users have removed.
//!
//! # The way back
//!
//! With feature `export`, `Mfa::export` gives the tokens that [`import`](crate::Mfa::import) takes,
//! with last steps and drifts.
//!
//! ```
//! # #[cfg(feature = "export")]
//! # mod example {
//! use softtoken::association::ImportedToken;
//! use softtoken::time::Step;
//! use softtoken::{Administrator, Error, MemoryStore, Mfa};
//!
//! /// Returns base32 and last counter of each token.
//! fn back(
//!     mfa: &Mfa,
//!     store: &MemoryStore,
//!     user: &str,
//! ) -> Result<Vec<(String, Option<u64>)>, Error> {
//!     let export = mfa.export(&Administrator::named("migration"));
//!     let tokens = export.run_blocking(store, user)?;
//!     let row = |token: &ImportedToken| {
//!         let secret = token.secret().expose_base32();
//!         (secret.to_string(), token.last_accepted_step().map(Step::get))
//!     };
//!     Ok(tokens.iter().map(row).collect())
//! }
//! # }
//! ```
//!
//! The export is stored, with its event, before a secret leaves; the
//! [status](crate::association::StatusReport::exported) shows it from then on. Recovery codes
//! cannot be exported: only their hashes are kept. The rows here stay as they are until you
//! [`reset`](crate::Mfa::reset) them, so that you can turn round once more.
//!
//! Lead users back as you brought them, one at a time: stop asking this crate for the user, export,
//! write the other system's row, ask there. A user whose code was accepted here must not find it
//! accepted there: write the last step in the other system's unit (times the period for seconds).
//! Issue new backup codes there.
