//! Goes over every row of a table: seals all records anew, or moves all users in from another
//! system's table.
//!
//! Your application lists the rows, page by page; this module runs the request of each row, counts
//! what became of it, and goes on where a row is refused. Nothing here decides: each row is judged
//! by [`Mfa::reseal`](crate::Mfa::reseal) or [`Mfa::import`](crate::Mfa::import), and a
//! [dry run](Rows::dry_run) by the same request, whose decision is not written.
//!
//! | | [`Rows::reseal`] | [`Rows::move_in`] |
//! |---|---|---|
//! | a page lists | subjects | an [`OldRow`] for each user |
//! | changed | `resealed` | `moved_in`, `moved_in_weak` (a secret under 128 bits) |
//! | unchanged | `current`, `no_row` | `already_verified`, `verified_before`, `already_pending` |
//! | refused | `record_..`, `contended`, .. | what the reader or the import says, `listed_twice`, .. |
//!
//! # Again, and from where it stopped
//!
//! A run may be repeated without harm: rows that are done are unchanged the second time. So a run
//! that was interrupted, by whatever, is started anew from the beginning, or sooner done from a
//! cursor: `told` is called for one row after the other, in the order of the pages, and only for
//! rows that are settled; a run [goes on](Rows::after) after the last subject that it was called
//! with. Users sign in meanwhile: a row that loses a race is loaded and judged again.
//!
//! # Errors of the store
//!
//! One row that the store cannot read is counted as a store error, and the run goes on. Where
//! several in a row fail ([`Rows::stop_after`]) the store itself has failed: the run stops before
//! the first of them, and says where.
//!
//! # Examples
//!
//! Every record under the current key, with a line for each row that could not be resealed:
//!
//! ```
//! # #[cfg(all(feature = "std", feature = "getrandom", feature = "seal"))]
//! # fn main() -> Result<(), Box<dyn core::error::Error>> {
//! use core::convert::Infallible;
//! use softtoken::record::Keyring;
//! use softtoken::rows::{Rows, Verdict};
//! use softtoken::{Administrator, MemoryStore, Mfa, Policy};
//!
//! # let store = MemoryStore::new();
//! # let mut keyring = Keyring::from_bytes(1, &[1; 32]);
//! # let before = Mfa::system(Policy::STANDARD).sealed(keyring.clone());
//! # let table = ["alice", "bob", "carol"];
//! # for user in table {
//! #     before.reset(&Administrator::named("ops")).run_blocking(&store, user)?;
//! # }
//! # let new = [2; 32];
//! keyring.rotate(2, &new);
//! let mfa = Mfa::system(Policy::STANDARD).sealed(keyring);
//! // SELECT subject FROM mfa WHERE subject > $1 ORDER BY subject LIMIT 500
//! let pages = |after: Option<&str>| {
//!     let rest = table.iter().filter(|user| after.is_none_or(|after| **user > after));
//!     Ok::<_, Infallible>(rest.take(2).map(|user| user.to_string()).collect())
//! };
//! let report = Rows::reseal(&mfa).run_blocking(&store, pages, |subject, verdict| {
//!     if let Verdict::Refused(refusal) = verdict {
//!         println!("{subject}: {refusal}"); // and a progress bar that goes on by one
//!     }
//! })?;
//! assert_eq!((report.rows(), report.count("resealed")), (3, 3));
//!
//! // Once more: every record is under key 2, so key 1 may be retired.
//! let report = Rows::reseal(&mfa).run_blocking(&store, pages, |_, _| {})?;
//! assert_eq!((report.changed(), report.count("current")), (0, 3));
//! # Ok(())
//! # }
//! # #[cfg(not(all(feature = "std", feature = "getrandom", feature = "seal")))]
//! # fn main() {}
//! ```

mod at_once;
mod blocking;
mod looking;
mod moving_in;
mod old_row;
mod report;
mod run;
mod sealing;
mod verdict;

pub use moving_in::MovingIn;
pub use old_row::{OldRow, OldToken};
pub use report::Report;
pub use run::{Cause, Rows, Stopped, Work};
pub use sealing::Sealing;
pub use verdict::{Refusal, Verdict};
