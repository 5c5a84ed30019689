//! Leads the author of a store from two methods to a green suite, and tells what the suite cannot
//! see.
//!
//! The rules that a store must keep are [listed](crate::store#to-be-correct) with its trait. This
//! page leads there on a real engine.
//!
//! # Stores that stand ready
//!
//! `softtoken-sqlx` (SQLite, PostgreSQL, MySQL, MariaDB), `softtoken-diesel` (SQLite, PostgreSQL)
//! and `softtoken-redis` are dependencies: each is held to what this page asks for, and those for
//! SQL commit rows of your application's own with a record. The rest of the page is for a store
//! over another driver.
//!
//! # The table
//!
//! One row a subject, three columns, never more:
//!
//! ```sql
//! CREATE TABLE mfa (
//!     subject  TEXT   NOT NULL PRIMARY KEY,
//!     revision BIGINT NOT NULL,
//!     record   BYTEA  NOT NULL
//! );
//! ```
//!
//! - **The name** is yours. `mfa` says what the rows are, and does not change with the library. The
//!   packages call the table `softtoken`.
//! - **`subject`** compares bytes, up to 256 of UTF-8. A collation that folds case or accents gives
//!   one user's factor to another: `VARBINARY(256)` in MySQL, `COLLATE BINARY` (the default) in
//!   SQLite, `COLLATE "C"` where a PostgreSQL database has a nondeterministic collation.
//!   PostgreSQL's `TEXT` holds no NUL character: each request of a subject with one is an error
//!   (`22021`), and only `BYTEA` holds every subject. A foreign key to the users is welcome, but
//!   not `ON DELETE CASCADE` while a subject may come back, or a session, grant or browser token of
//!   the user may still run.
//! - **`revision`** is a signed integer of 64 bits: [`Revision::as_i64`](crate::Revision::as_i64)
//!   and [`from_i64`](crate::Revision::from_i64). A number in JSON or Lua is a float, and loses the
//!   last digits above 2^53; keep it as text there, and compare it as text.
//! - **`record`** is opaque: not text, not JSON. An ordinary one is at most 1 KiB, 45 bytes more
//!   where it is [sealed](crate::record#sealed); leave room for 4 KiB. An index on it is of no use.
//! - No `expires`, no `updated_at` with a job that deletes: a row may go only with a subject that
//!   never comes back, and not before the longest session, grant and browser token have run out.
//!
//! A key-value engine has the same: the subject is the key, under a prefix of your own; revision
//! and record are the value, written together.
//!
//! # The two methods
//!
//! A load is a `SELECT`; a swap is an `INSERT` where no row is expected, and else an `UPDATE`. Each
//! is one statement, with nothing around it, and the number of rows that the driver says were
//! affected is the answer of a swap:
//!
//! ```
//! # #[cfg(feature = "conformance")]
//! # mod example {
//! # use std::collections::HashMap;
//! # use std::sync::{Arc, Mutex};
//! #
//! # /// What a driver is like: text, parameters, rows affected.
//! # #[derive(Clone, Default)]
//! # pub struct Connection {
//! #     rows: Arc<Mutex<HashMap<String, (i64, Vec<u8>)>>>,
//! #     /// Whether it forgets the condition.
//! #     careless: bool,
//! # }
//! #
//! # #[derive(Debug)]
//! # pub struct DriverError;
//! # impl core::fmt::Display for DriverError {
//! #     fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
//! #         formatter.write_str("the driver failed")
//! #     }
//! # }
//! # impl core::error::Error for DriverError {}
//! #
//! # impl Connection {
//! #     fn query(&self, _: &str, subject: &str) -> Result<Option<(i64, Vec<u8>)>, DriverError> {
//! #         Ok(self.rows.lock().map_err(|_| DriverError)?.get(subject).cloned())
//! #     }
//! #
//! #     fn execute(
//! #         &self,
//! #         sql: &str,
//! #         subject: &str,
//! #         next: i64,
//! #         record: &[u8],
//! #         expected: Option<i64>,
//! #     ) -> Result<u64, DriverError> {
//! #         let mut rows = self.rows.lock().map_err(|_| DriverError)?;
//! #         let there = rows.get(subject).map(|row| row.0);
//! #         let hit = match (sql, expected) {
//! #             (INSERT, _) => there.is_none(),
//! #             (UPDATE, Some(_)) => there == expected || (self.careless && there.is_some()),
//! #             _ => return Err(DriverError),
//! #         };
//! #         if hit {
//! #             rows.insert(subject.into(), (next, record.to_vec()));
//! #         }
//! #         Ok(u64::from(hit))
//! #     }
//! # }
//! #
//! use softtoken::Revision;
//! use softtoken::store::{BlockingStore, Snapshot, Swap, Write};
//!
//! pub struct Rows {
//!     connection: Connection, // in your application, a pool
//! }
//!
//! const LOAD: &str = "SELECT revision, record FROM mfa WHERE subject = $1";
//! const INSERT: &str = "INSERT INTO mfa (subject, revision, record) \
//!                       VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
//! const UPDATE: &str = "UPDATE mfa SET revision = $2, record = $3 \
//!                       WHERE subject = $1 AND revision = $4";
//!
//! impl BlockingStore for Rows {
//!     type Error = DriverError;
//!
//!     fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, DriverError> {
//!         let Some((revision, record)) = self.connection.query(LOAD, subject)? else {
//!             return Ok(None);
//!         };
//!         // Not `None`: a damaged row is no missing row.
//!         let revision = Revision::from_i64(revision).ok_or(DriverError)?;
//!         Ok(Some(Snapshot { revision, record }))
//!     }
//!
//!     fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, DriverError> {
//!         let (subject, next, record) = (write.subject(), write.next().as_i64(), write.record());
//!         let expected = write.expected().map(Revision::as_i64);
//!         let sql = if expected.is_none() { INSERT } else { UPDATE };
//!         let affected = self.connection.execute(sql, subject, next, record, expected)?;
//!         Ok(if affected == 1 { Swap::Stored } else { Swap::Conflict })
//!     }
//! }
//!
//! # pub fn shown() -> Result<(), Box<dyn core::error::Error>> {
//! // In its tests:
//! use softtoken::store::conformance;
//!
//! let connection = Connection::default(); // to a database for tests
//! conformance::check_blocking(|| Rows { connection: connection.clone() })?;
//! # let careless = Connection { careless: true, ..Connection::default() };
//! # let checked = conformance::check_blocking(|| Rows { connection: careless.clone() });
//! # checked.expect_err("the suite sees it");
//! # Ok(())
//! # }
//! # }
//! # #[cfg(feature = "conformance")]
//! # example::shown()?;
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! Then break it, once, and watch the suite fail: leave out `AND revision = $4`, or read the
//! revision first and then write without a condition. A suite that was never seen to fail shows
//! nothing.
//!
//! Over an async driver, implement [`Store`](crate::Store) by `async fn` in the same way, and check
//! the store by `conformance::check` with the driver's executor. A [`Write`](crate::store::Write)
//! is owned: over a driver that blocks, move it into the thread that may block.
//!
//! # A pause
//!
//! A request whose swap was a conflict loads the row again and decides anew, a limited number of
//! times. Give the store the timer that the crate does not have, by a third method:
//! [`pause`](crate::Store::pause) is `tokio::time::sleep(time).await`, say, and
//! [`pause_blocking`](crate::BlockingStore::pause_blocking) is `std::thread::sleep(time)`. Without
//! it, many requests that write one row at once come back together, and those that lose every race
//! are [`Contended`](crate::Fault::Contended).
//!
//! # A column of your own
//!
//! A record is opaque, and a sealed one stays so. To list the users who have a second factor, or to
//! know of one without a load, keep a column beside the record and write it in the same statement:
//! [`Write::state`](crate::store::Write::state) and [`is_enabled`](crate::store::Write::is_enabled)
//! say what holds once the write is stored. Decide nothing by that column but
//! [`expect_enrolled`](crate::mfa::Request::expect_enrolled): where the column of the user's own
//! row says that a token is in force, a record that was deleted or put back is then a fault, and no
//! open door.
//!
//! [`Write::events`](crate::store::Write::events) can go to an outbox in the same transaction.
//!
//! # Why each rule
//!
//! | rule | a store without it | what then happens |
//! |---|---|---|
//! | 1 atomic | `SELECT revision`, compare in the program, `UPDATE` | one code signs in twice; of ten guesses sent at once, one is counted |
//! | 1 durable | answers before the log is on disk | after a crash a spent code is accepted, and the guesses before it were free |
//! | 2 one of two | two primaries, last writer wins | as without 1 |
//! | 3 conflict | `Conflict` for a timeout | a user whose code was accepted hears that it was used already |
//! | 3 stored | `Stored` for a timeout | the code signs in again, the guess was free |
//! | 4 linearizable | loads from a replica | a user who has just enrolled is let in without a code |
//! | 5 no deletes | a job that removes old rows | a reset is undone by a write from before it; the throttle forgets |
//! | 6 revisions | floats | two revisions are one; a swap succeeds on a row that it has not seen |
//! | 7 bytes | a column of text | a record that does not decode: the user is shut out |
//! | 8 subjects | `Alice` is `alice` | one user's factor is another's |
//! | 9 drops | a transaction left open on a pooled connection | the next user's statement commits it, or waits for it |
//!
//! # Isolation
//!
//! A single conditional `UPDATE` is right at the default level of the engines below; a transaction
//! of several statements is where levels begin to matter.
//!
//! - **PostgreSQL**, `READ COMMITTED`: the `UPDATE` waits for the row's writer, then tests its
//!   condition against the row as it is now. At `REPEATABLE READ` and above it fails with SQLSTATE
//!   `40001` instead: roll back, and answer `Conflict`. A statement that fails aborts the whole
//!   transaction, and every one after it fails with `25P02`: an `INSERT` that finds the row there
//!   must therefore say `ON CONFLICT DO NOTHING`. Catching the unique violation (`23505`) comes too
//!   late, unless a savepoint stands before it.
//! - **CockroachDB, YugabyteDB**: `40001` as well. An *ambiguous* result (`40003`) is an error,
//!   never `Conflict`.
//! - **MySQL**: the `UPDATE` reads what is committed, whatever the level. A `SELECT` before it, at
//!   `REPEATABLE READ`, reads what was when the transaction began: after a conflict begin a new
//!   one, or every attempt loads the same old row. `innodb_flush_log_at_trx_commit` stays 1, and
//!   with `log_bin` so does `sync_binlog`, which is 0 in MariaDB unless you set it: a crash takes
//!   back what the binary log does not hold.
//! - **SQLite**: one statement is a transaction. Of several, begin with `BEGIN IMMEDIATE`;
//!   `SQLITE_BUSY` is an error, not `Conflict`; set a `busy_timeout`. Where a pool only begins
//!   `DEFERRED`, write first: a row of yours, or an `UPDATE` of this one that changes nothing. A
//!   transaction that has read first and then writes fails at once with `SQLITE_BUSY_SNAPSHOT`
//!   where another has written in between, whatever the timeout. Set `PRAGMA synchronous=FULL` on
//!   every connection: with `NORMAL`, which is often recommended beside WAL, a loss of power takes
//!   acknowledged swaps back, and their codes sign in again.
//! - **Key-value engines**: one script or one conditional transaction that compares the stored
//!   revision. A lock in another key is no condition: it may have expired when the write arrives.
//!
//! To write the login's own rows in the same transaction, call
//! [`Request::decide`](crate::mfa::Request::decide), where the same holds; see
//! [handlers](super::handlers#in-a-transaction-of-your-own). A commit may answer with success where
//! the engine has rolled the transaction back before, by itself: in PostgreSQL after any statement
//! that failed, in MySQL after a deadlock. Read the record in the transaction before you commit. In
//! MySQL that is not enough, nor is it in any engine after a `ROLLBACK` of the application's own:
//! statements go on, each by itself, a decision may have no record, and another request may have
//! stored the same one. Set a savepoint first, and release it before you commit: it is gone with
//! its transaction. PostgreSQL has `txid_current()`, which costs no statement: select it beside the
//! record, both times, and compare. What was written after a statement that failed is stored by
//! itself in MySQL, whatever the commit says, so begin again after each such error; a savepoint
//! does not help against a deadlock.
//!
//! # Pools
//!
//! - Loads and swaps may use different connections, as long as both go to the primary.
//! - A pool that is exhausted, a connection that is lost, a statement that times out: [`Err`]. So
//!   is a commit whose answer did not come.
//! - **Do not run the swap again by yourself**, and switch off what does: a driver's or a proxy's
//!   automatic retry. If the first one was stored, the second finds the revision that it wrote
//!   itself, and says `Conflict`.
//! - A future may be dropped at every `await`. With single statements nothing is left; with a
//!   transaction, see that your pool rolls back what comes home open, which not all do. The async
//!   suite drops futures at each of their steps.
//! - A guard rolls back only once it is there. A `begin` that sends `BEGIN IMMEDIATE` and then
//!   awaits something else before it returns the guard leaves the transaction open where it is
//!   dropped in between: the connection goes home with it, and with SQLite's only write lock. That
//!   of sqlx 0.9 is such a one in PostgreSQL and MySQL, where it counts a transaction once it has
//!   read the answer: single statements on that connection are then part of what nobody commits.
//!   Run the transaction in a task of its own, which nobody drops, or have the pool send `ROLLBACK`
//!   whenever a connection comes home.
//! - Set a limit of time for statements. The crate has none: it does not know what is long for you.
//!
//! # Replicas
//!
//! Both methods ask the primary. A proxy that sends every `SELECT` to a replica does so to this
//! one, unless it is told; a cache in front of the table is a replica. Where the engine lets you
//! choose, choose the strongest: `ConsistentRead`, `linearizable`, `SERIAL`.
//!
//! Replicas that follow asynchronously are fine for reading reports, and a risk at failover: what
//! was acknowledged and not yet copied is gone. Spent codes are then accepted for as long as they
//! are valid, failures are forgotten, and an enrolment may be. Have the engine wait for a second
//! copy before it says that a write is stored (`synchronous_commit` with
//! `synchronous_standby_names`, write concern `majority`, a quorum), or keep the newest revision of
//! each subject elsewhere and say it by [`at_least`](crate::mfa::Request::at_least).
//!
//! # More than one machine
//!
//! Copies on several machines promise as much as their settings do. `.ci/clusters` in the
//! repository drives `softtoken-sqlx`, `softtoken-diesel`, `softtoken-redis` and the store of
//! `examples/etcd` on real engines, each server in a network of its own, under the load of
//! `tests/faults`: links are cut, leaders killed, standbys promoted, and the history of all
//! requests is checked. With etcd 3.4, PostgreSQL 15, MariaDB 10.11, Galera 26.4 and Redis 7.0, on
//! 2026-11-26:
//!
//! | engine | setting | promised | seen |
//! |---|---|---|---|
//! | etcd, three members, partitions, leader killed | linearizable reads (the default) | one order of all reads and writes; a minority answers nothing | held |
//! | etcd, one member cut off | serializable reads, which no store may ask for | whatever the asked member has | stale: the row of before |
//! | PostgreSQL by sqlx and by diesel-async, primary cut off and killed, standby promoted | `synchronous_standby_names = '*'`, `synchronous_commit = on` | a commit is on two disks before it is acknowledged | held |
//! | the same | asynchronous standby (the default) | nothing of the last moments | broken: hundreds of acknowledged swaps lost, failures forgotten |
//! | PostgreSQL, standby promoted, old primary alive | synchronous | no two commits; nothing about reads | stale: the old primary answers loads with the row of before |
//! | MariaDB Galera, three nodes asked in turn, one cut off, another one killed | `wsrep_sync_wait = 1` on each connection | one order of all commits; a read waits for what was committed before it; a minority answers nothing | held |
//! | MariaDB Galera, one row written on several nodes at once | the same | of the commits the first one is certified | held: of 24 swaps at once one stored, 23 conflicts, 32 times; of two logins by one code on two nodes one committed, the other a conflict at its commit |
//! | MariaDB Galera, a node that is behind | `wsrep_sync_wait = 0` (the default) | nothing about reads | stale: the row of before |
//! | Redis, primary cut off and killed, replica made primary | `appendfsync always`, `WAIT 1` after each swap, an error where nobody is counted | nothing: `WAIT` is no commit | held, in one failover by hand with one replica |
//! | the same | `appendfsync always`, replication alone | nothing of the last moments | broken: hundreds of acknowledged swaps lost, failures forgotten |
//!
//! - **etcd** is right as it comes. Name all members to the store; each request that meets a member
//!   without a majority is an error, and the next one goes elsewhere.
//! - **PostgreSQL** needs a synchronous standby, and a failover that first shuts the old primary
//!   off: the old one commits nothing any more, and still answers loads. While no standby is there
//!   a commit waits without an end, since `statement_timeout` does not count during a commit: that
//!   keeps the promise, and has to be alerted on. An operator who cancels such a wait has the
//!   commit acknowledged without a copy. On the client's side `softtoken-sqlx` and the async stores
//!   of `softtoken-diesel` give up (`answer_timeout`): whether the commit is stored is not known.
//! - **MariaDB Galera** takes writes on every node, and locks rows on one: two nodes may both
//!   accept a code, and one of the two commits is refused. So nobody is let in before the commit
//!   has answered. Set `wsrep_sync_wait = 1` on each connection, or a load may miss an enrolment;
//!   and `sync_binlog = 1` on a node that has `log_bin` on, which `softtoken-sqlx` asks for.
//! - **Redis** with `WAIT` came through the failover that was tried, and promises nothing: of two
//!   replicas a failover may choose the one that was not counted, and a primary that is cut off and
//!   not shut off still answers loads. Keep second factors on one durable server, or in another
//!   engine.
//! - **Asynchronous copies** are for backups and reports, whatever the engine.
//!
//! # Kills
//!
//! No suite in the same process sees what outlives a crash. Start the engine in a temporary folder,
//! with the settings of production; let several writers swap rows, one writer a subject; `kill -9`
//! the engine; start it again; compare; and again, twenty times. Each writer remembers, outside the
//! engine, the last row that it was told is stored and the one it was waiting for. Nothing else may
//! be there:
//!
//! ```
//! use softtoken::store::Snapshot;
//!
//! fn survived(
//!     found: Option<&Snapshot>,
//!     acknowledged: Option<&Snapshot>,
//!     in_flight: Option<&Snapshot>,
//! ) -> bool {
//!     found == acknowledged || (in_flight.is_some() && found == in_flight)
//! }
//! # use softtoken::Revision;
//! # let row = |number| Snapshot { revision: Revision::new(number).unwrap(), record: vec![1] };
//! # let (old, new, lost) = (row(1), row(2), row(3));
//! # assert!(survived(Some(&new), Some(&new), Some(&lost)));
//! # assert!(survived(Some(&lost), Some(&new), Some(&lost)));
//! # assert!(!survived(Some(&old), Some(&new), Some(&lost)));
//! # assert!(!survived(None, Some(&new), None));
//! # assert!(survived(None, None, None));
//! ```
//!
//! Run it as well with the crate above the store: then no code may be accepted twice, no enrolment
//! that was answered be lost, and no failure that was answered be uncounted. And run it on a store
//! that answers before it writes, to see the check fail.
//!
//! Killing a process shows what it had handed to the operating system, not what is on the disk: for
//! the power cord, read what the engine says of `fsync`, and name the setting in the store's own
//! documentation.
//!
//! # Sealing
//!
//! A store has nothing to do for a seal: the bytes are opaque already. Run the suite and the kills
//! without a seal, and the sign-ins with one, by [`Mfa::sealed`](crate::Mfa::sealed). The two
//! migrations that a seal brings, of rows in the clear and of rows under an old key, are
//! [`Rows::reseal`](crate::rows::Rows::reseal) over pages of subjects. The operators' page leads
//! through both: [a seal is introduced](super::operators#a-seal-is-introduced), [its key is
//! rotated](super::operators#a-seal-key-is-rotated). How far they are, the table says by itself
//! (the packages call it `softtoken`, this page `mfa`):
//!
//! ```sql
//! -- the next page:
//! SELECT subject FROM mfa WHERE subject > $1 ORDER BY subject LIMIT 500;
//! -- in the clear, to be adopted (in SQLite and MySQL: <> x'81'):
//! SELECT count(*) FROM mfa WHERE substr(record, 1, 1) <> '\x81';
//! -- under key 1, to be retired (in SQLite and MySQL: = x'8100000001'):
//! SELECT count(*) FROM mfa WHERE substr(record, 1, 5) = '\x8100000001';
//! ```
//!
//! # Before it goes live
//!
//! - The suite is green against the real engine, through the real pool, and was seen to fail.
//! - The kills are survived with the settings of production, which the store's documentation names.
//! - An error of the driver is `Err`, every one of them, and no value of it holds the record:
//!   errors are logged.
//! - No log of statements shows parameters: `record` may hold secrets in the clear.
//! - You have planned the [day after a backup is put
//!   back](super::operators#a-backup-is-put-back): codes that were spent since are accepted once
//!   more while they are valid, tokens that were replaced since are in force again, and recovery
//!   codes that were used are unused.
