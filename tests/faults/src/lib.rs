//! What a real store is held to: its server is killed under load, and nothing that was acknowledged
//! may be lost.
//!
//! [`endure`] keeps up a load of sign-ins, guesses and re-enrolments while its caller kills and
//! restarts a [`Server`], and then checks the history of all requests against what the store holds.
//! [`endure_logins`] does so with logins that have rows of the application's own in their
//! transactions: no half of one may be there. [`bench()`] measures what the crate costs beside the
//! bare statements of the same engine. What endures is any
//! [`BlockingStore`](softtoken::BlockingStore), and [`Blocked`] makes one of an async store;
//! [`bench()`] takes any [`Store`](softtoken::Store), and [`Blocking`] makes one of a store that
//! blocks. [`pauses`] and [`pauses_blocking`] hold a store to its wait after a lost race.

mod bench;
mod blocked;
mod check;
mod history;
mod load;
mod logins;
mod mariadb;
mod pause;
mod postgres;
mod remote;
mod server;
mod storm;

pub use bench::{Blocking, On, bench};
pub use blocked::Blocked;
pub use check::{Broken, Violation};
pub use history::Tally;
pub use load::endure;
pub use logins::{LoginTally, endure_logins};
pub use mariadb::MariaDb;
pub use pause::{pauses, pauses_blocking};
pub use postgres::{IN_THE_WAY, Postgres, postgres_program, postgres_user};
pub use remote::{endure_in_a_file, endure_logins_in_a_file};
pub use server::{Server, free_port};
