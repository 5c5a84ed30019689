//! Tells operators about keys, clocks, users who are shut out, alerts, and accounts to delete.
//!
//! # Keys
//!
//! | keys | of what | when they are lost |
//! |---|---|---|
//! | [`SessionKeys`](crate::SessionKeys) | challenge sessions, for minutes | users who are in the middle of a flow begin again; nothing else |
//! | [`BrowserKeys`](crate::association::BrowserKeys) | remembered browsers, for up to 90 days | every browser is asked for a code again |
//! | `Keyring` (feature `seal`) | [sealed records](crate::record#sealed), for good | no record opens: see below |
//!
//! - Give all processes the same keys, from where you keep secrets, each kind its own.
//! - Rotate in three steps, each on all processes before the next begins: open with the new key as
//!   well (`also_open`), sign or seal with it (`rotate`), forget the old one (`retire`). Session
//!   keys retire after the longer of the policy's session and pending lifetimes, browser keys after
//!   the lifetime that you gave to browsers, seal keys after every record was
//!   [resealed](#a-seal-key-is-rotated).
//! - When a key is stolen, rotate and retire at once. The holder of a session key passes for a user
//!   whose password was right: as a user without a token that holder can set one up, as a user who
//!   set one up in the last minutes complete that sign-in, and as any other try codes under the
//!   throttle. A browser key waives the question for a code to a thief
//!   who has the password too. A seal key opens the secrets of every row that the same thief has
//!   read, so these users have to set up new ones.
//! - Back seal keys up apart from the database, and try the backup.
//!
//! # A seal is introduced
//!
//! A process without a seal refuses rows that are sealed (`record_sealed`), and a process with one
//! seals every row that it writes. In a rolling deployment the processes of before would shut out
//! each user whom a new process has written. So:
//!
//! 1. Stop all processes that have no seal, then start those that have it:
//!    [`sealed`](crate::Mfa::sealed), with the same keys and the same
//!    [`seal_label`](crate::Mfa::seal_label) everywhere, and
//!    [`adopting_plain_records`](crate::Mfa::adopting_plain_records).
//! 2. Run [`Rows::reseal`](crate::rows::Rows::reseal) by an [`Mfa`](crate::Mfa) that is made in the
//!    same way, until the report is clean and every row is `current` or `no_row`; the table of the
//!    next section says what to do about the others.
//! 3. Remove `adopting_plain_records` from all processes, one after the other. Until the last of
//!    them is without it, anybody who can write to the database can put any record in any row.
//!
//! There is no way back but the rows of before, from a backup, with all that these have missed: no
//! verb takes a seal off a row. Keep the keys from the first day on.
//!
//! To do without the stop, deploy once more before step 1: processes that do not seal yet, and ask
//! a second `Mfa`, made as step 1 makes it and with the same session and browser keys, where
//! another process has sealed the row. Once these are all that serve, step 1 may be deployed
//! process by process. The fault that leads to the second `Mfa` has judged and counted nothing:
//!
//! ```
//! use softtoken::association::Operation;
//! use softtoken::mfa::Request;
//! use softtoken::record::RecordError;
//! use softtoken::{Error, Fault, MemoryStore, Mfa};
//!
//! fn answer<O: Operation>(
//!     [plain, sealed]: [&Mfa; 2],
//!     store: &MemoryStore,
//!     user: &str,
//!     request: impl Fn(&Mfa) -> Request<O>,
//! ) -> Result<O::Output, Error> {
//!     match request(plain).run_blocking(store, user) {
//!         Err(Error::Fault(Fault::Record(RecordError::Sealed))) => {
//!             request(sealed).run_blocking(store, user)
//!         }
//!         answer => answer,
//!     }
//! }
//! # #[cfg(feature = "seal")]
//! # fn shown() -> Result<(), Box<dyn core::error::Error>> {
//! # use softtoken::record::{Keyring, SEALED};
//! # use softtoken::rows::Rows;
//! # use softtoken::{Administrator, BlockingStore, Policy};
//! # let store = MemoryStore::new();
//! # let plain = Mfa::system(Policy::STANDARD);
//! # let seal = |mfa: &Mfa| mfa.clone().sealed(Keyring::from_bytes(1, &[7; 32]));
//! # let sealed = seal(&plain).adopting_plain_records();
//! # let ops = Administrator::named("ops");
//! # let reset = |user: &str| answer([&plain, &sealed], &store, user, |mfa| mfa.reset(&ops));
//! # let is_sealed = |user: &str| {
//! #     let row = store.load_blocking(user).unwrap().unwrap();
//! #     row.record[0] == SEALED
//! # };
//! # let users = ["alice", "bob"];
//! # users.iter().try_for_each(|user| reset(user))?;
//! # assert!(!is_sealed("alice") && !is_sealed("bob"));
//! # sealed.reset(&ops).run_blocking(&store, "alice")?; // a process of step 1
//! # let refused = plain.status().run_blocking(&store, "alice").unwrap_err();
//! # assert_eq!(refused.name(), "record_sealed");
//! # answer([&plain, &sealed], &store, "alice", Mfa::status)?;
//! # reset("alice")?;
//! # assert!(is_sealed("alice") && !is_sealed("bob"));
//! # let pages = |after: Option<&str>| {
//! #     let rest = users.iter().filter(|user| after.is_none_or(|after| **user > after));
//! #     Ok::<_, core::convert::Infallible>(rest.map(ToString::to_string).collect())
//! # };
//! # for resealed in [1, 0] {
//! #     let report = Rows::reseal(&sealed).run_blocking(&store, pages, |_, _| {})?;
//! #     assert_eq!((report.is_clean(), report.changed()), (true, resealed));
//! # }
//! # let last = seal(&plain);
//! # users.iter().try_for_each(|user| last.status().run_blocking(&store, user).map(drop))?;
//! # Ok(())
//! # }
//! # #[cfg(feature = "seal")]
//! # shown()?;
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! # A seal key is rotated
//!
//! Between "seal with it" and "forget the old one" stands every record that was not written since:
//! [`Rows::reseal`](crate::rows::Rows::reseal) goes over the table while users sign in.
//!
//! 1. Try it ([`dry_run`](crate::rows::Rows::dry_run)): `resealed` is the number of rows to write,
//!    and each refused row is told of by name. `record_unknown_key` of many rows means that a key
//!    is missing in the keyring of this process: add it before anything else.
//! 2. Run it, in an hour of little traffic, with as many rows at once as the pool can spare. Killed
//!    or stopped, it is started anew: rows that are done are `current`.
//! 3. Run it once more. Where the report is [clean](crate::rows::Report::is_clean) and every row is
//!    `current` or `no_row`, no record that this table lists needs the old key: retire it. Rows
//!    that were refused open no more afterwards; settle them first, as the next section says.
//!
//! | the report says | means | do |
//! |---|---|---|
//! | `resealed`, `current`, `no_row` | done; done before; there is no record | nothing |
//! | `record_does_not_open`, `record_damaged` | the row was changed, or is of another subject or label | look for the label; else see below |
//! | `record_unknown_key` | sealed under a key that this keyring lacks | add the key (`also_open`), run again |
//! | `record_unknown_format` | written by a newer version | run the newer version |
//! | `record_not_sealed` | in the clear | [`adopting_plain_records`](crate::Mfa::adopting_plain_records), where such rows are from before there was a seal |
//! | `contended` | lost every race against its user | run again |
//! | `no_seal`, `seal_failed`, `no_entropy` | the process has no seal; key or generator failed | mend that, run again |
//! | `store` | the store failed for this row alone | look at the row, run again |
//!
//! Backups hold records under the old key: keep the key with them, apart from the database, for as
//! long as you keep a backup.
//!
//! # Records that do not open
//!
//! A row that was damaged, or sealed under a key that is lost, shuts its user out:
//! [`Fault::Record`](crate::Fault::Record), whose name begins with `record_`. Nothing is
//! overwritten. First look for the key, the label, the table that the row belongs to. Where all of
//! them are gone, reset the row at the revision that stands in it:
//!
//! ```
//! use softtoken::{Administrator, Error, MemoryStore, Mfa, Revision};
//!
//! fn give_up(
//!     mfa: &Mfa,
//!     store: &MemoryStore,
//!     operator: &str,
//!     user: &str,
//!     seen: Revision,
//! ) -> Result<(), Error> {
//!     let admin = Administrator::named(operator);
//!     mfa.reset(&admin).unreadable(seen).run_blocking(store, user)
//! }
//! ```
//!
//! After it the user has no second factor, and every grant of before is void. No other verb
//! overwrites what it could not read.
//!
//! A row that opens after all is reset as any is, where it has the revision that was stated. A row
//! that has another revision by now is left alone (`other_revision` where it opens), and so is one
//! of a newer format than this version knows.
//!
//! # A clock that was wrong
//!
//! The server's clock decides which codes are valid. Make it say that it does not know
//! ([`Clock`](crate::time::Clock) returns `None`) before it is synchronised.
//!
//! - **It has gone back.** Requests answer [`ClockBehind`](crate::Rejection::ClockBehind): a later
//!   code was accepted before. Nothing is counted. Mend the clock; no record needs anything.
//! - **It was ahead, and codes were accepted.** After it is mended these users see `ClockBehind`
//!   until the time that it showed. Where that is minutes, wait. Where it is years, reset these
//!   users with [`mending_clock`](crate::mfa::Request::mending_clock), which also lowers the times
//!   to come that were stored: otherwise a login of today is older than a reset under that clock,
//!   and authorises nothing.
//! - **The database's clock plays no part**: only the clock that was given to
//!   [`Mfa`](crate::Mfa::new) counts.
//!
//! # A user is shut out
//!
//! Recognise the caller first, as your policy for recovery asks: an attacker who talks an operator
//! into a reset needs no code.
//!
//! | the user says | status shows | verb | the user then |
//! |---|---|---|---|
//! | "It says wait" | `throttled_until` | none; [`unlock`](crate::Mfa::unlock) where somebody else guesses | waits, changes the password |
//! | "It says locked" | `locked` | [`unlock`](crate::Mfa::unlock), after a new password | signs in with a code |
//! | "My phone is at home" | a token | [`issue_temporary_code`](crate::Mfa::issue_temporary_code) | signs in with it once; remembered browsers end, and other logins should |
//! | "My phone is gone", with recovery codes | `recovery_codes` | none | signs in with one, replaces the phone |
//! | "My phone is gone", without | a token | [`reset`](crate::Mfa::reset) | signs in, sets up a new phone |
//! | "My phone was stolen" | a token | [`reset`](crate::Mfa::reset), and end all logins | the same |
//! | "Codes never fit" | `failures`, no lock | none | [resynchronises](crate::Mfa::resynchronise) with two codes, or sets the phone's clock |
//! | "I turned it on and never scanned" | `pending` | none | sets up again |
//!
//! A temporary code lives for 1 minute to 7 days, is good once, and ends with a newer one, with a
//! new set of recovery codes and with any change of what is in force. It needs a token in force:
//! after a reset there is nothing to stand in for. Spent codes stay spent after an `unlock`.
//!
//! Where it is used, a temporary code does what a recovery code does: it waits for no throttle and
//! ends a lock, remembered browsers end,
//! [`should_end_other_logins`](crate::Evidence::should_end_other_logins) is true, and the event is
//! `recovery_code_used`, with `temporary: true`. Ask [`Evidence::method`](crate::Evidence::method)
//! first, before you count or say anything of recovery codes: a temporary code is no recovery code,
//! and takes none from the user's set.
//!
//! After a `reset` the password is enough to enrol. Where it may be known to somebody else, change
//! it first.
//!
//! ```
//! use core::time::Duration;
//! use softtoken::{Administrator, Error, MemoryStore, Mfa, RecoveryCode};
//!
//! /// The view of the operator's request logs who did it, and from where.
//! fn phone_at_home(
//!     mfa: &Mfa,
//!     store: &MemoryStore,
//!     operator: &str,
//!     user: &str,
//! ) -> Result<RecoveryCode, Error> {
//!     let admin = Administrator::named(operator);
//!     let day = Duration::from_secs(24 * 60 * 60);
//!     mfa.issue_temporary_code(&admin, day).run_blocking(store, user)
//! }
//! ```
//!
//! # Events to alert on
//!
//! Log every [`Event`](crate::Event), by its [`name`](crate::Event::name), with the subject and
//! your request's id.
//!
//! | event | means | do |
//! |---|---|---|
//! | `password_probably_known` | five failures in a row, or ten that no success has paid off | tell the user; have the password changed |
//! | `locked` | a hundred failures, or an attempt at locked tokens | the same, then `unlock` |
//! | `signed_in` with many `failures` before it | the user at last, or a guess that was right | ask the user |
//! | `reused_code`, often for one subject | a replay, or an impatient user | look at the addresses |
//! | `recovery_code_used`, `vouched` | a sign-in without the phone; with `temporary: true`, by a temporary code of your support's | tell the user |
//! | `replaced`, `removed`, `disassociated`, `preference_changed` | a factor was changed | tell the user, at an address that did not change with it |
//! | `associated`, `replaced` with `possession_waived` | a replacement is begun, or done, by the password alone, as the policy allows | tell the user |
//! | `reset`, `imported`, `exported`, `temporary_code_issued` | an administrator | compare with your tickets |
//! | `refused` with the flaw `forged` or `other_context` | a session that this view never made | keys or views that differ between processes; else an attack |
//! | `clock_behind` | the server's clock has gone back | mend the clock |
//!
//! [`is_warning`](crate::Event::is_warning) is true of the first two, which feature `tracing` emits
//! at `WARN`. Faults have no events: alert on `record_damaged`, `record_does_not_open`,
//! `rolled_back` and `contended` where your application logs errors.
//!
//! # Metrics
//!
//! Count events by [`name`](crate::Event::name), and refusals by the rejection's name as well. No
//! label holds a subject: a metric for each user is a list of users.
//!
//! | metric | alert |
//! |---|---|
//! | `refused` with `mismatch`, by `signed_in` | twice its value of last week: guessing, or a clock that is off |
//! | `throttled`, `locked`, distinct subjects an hour | ten times the usual: passwords of many users are known |
//! | `refused` with `invalid_session` | a step at a deployment: keys that differ between processes |
//! | `recovery_code_used` without `temporary`, by `signed_in` | a rise after an app's release: users lose their tokens |
//! | errors `contended` | more than a few an hour: a store that is slow, or a client that repeats |
//! | errors of the store; time of a load and of a swap | as for any database on the way in |
//! | any `record_` error, `rolled_back`, `clock_behind` | the first one |
//!
//! # An audit table
//!
//! The audit is called within the request, after the write was stored: let it hand the event on,
//! and write from elsewhere.
//!
//! ```sql
//! CREATE TABLE mfa_audit (
//!     at            BIGINT NOT NULL, -- Unix time
//!     subject       TEXT   NOT NULL, -- empty for a session that nobody signed
//!     name          TEXT   NOT NULL,
//!     operation     TEXT   NOT NULL,
//!     actor         TEXT   NOT NULL,
//!     administrator TEXT,
//!     token         TEXT,
//!     kind          JSON   NOT NULL, -- rejection, flaw, method, failures, possession_waived, ..
//!     request       BIGINT NOT NULL  -- leads to address and browser, which your own log has
//! );
//! CREATE INDEX mfa_audit_subject ON mfa_audit (subject, at);
//! CREATE INDEX mfa_audit_name ON mfa_audit (name, at);
//! ```
//!
//! The column `kind` holds the fields of the event's own kind, as feature `serde` writes them: the
//! alerts above look at these as well.
//!
//! ```
//! # #[cfg(feature = "serde")]
//! # mod example {
//! use std::sync::mpsc::Sender;
//! use softtoken::association::Actor;
//! use softtoken::{Event, Mfa};
//!
//! pub struct Row {
//!     at: u64,
//!     subject: String,
//!     name: &'static str,
//!     operation: &'static str,
//!     actor: &'static str,
//!     administrator: Option<String>,
//!     token: Option<String>,
//!     kind: String,
//!     request: u64,
//! }
//!
//! impl Row {
//!     fn new(subject: &str, event: &Event, request: u64) -> serde_json::Result<Self> {
//!         let administrator = match &event.actor {
//!             Actor::Administrator { name, .. } => Some(name.to_string()),
//!             _ => None,
//!         };
//!         Ok(Self {
//!             at: event.at.as_secs(),
//!             subject: subject.into(),
//!             name: event.name(),
//!             operation: event.operation,
//!             actor: event.actor.name(),
//!             administrator,
//!             token: event.token.as_ref().map(|token| token.id.to_string()),
//!             kind: serde_json::to_string(&event.kind)?,
//!             request,
//!         })
//!     }
//! }
//!
//! fn audited(mfa: &Mfa, request: u64, rows: Sender<serde_json::Result<Row>>) -> Mfa {
//!     mfa.with_audit(move |subject, event| {
//!         // A writer that is gone is an alert of its own, and no reason to refuse users.
//!         let _ = rows.send(Row::new(subject, event, request));
//!     })
//! }
//! # use softtoken::{Administrator, Grant, MemoryStore, Policy, Vouched};
//! # pub fn shown() -> Result<(), Box<dyn core::error::Error>> {
//! # let (sender, rows) = std::sync::mpsc::channel();
//! # let mfa = audited(&Mfa::system(Policy::STANDARD), 7, sender);
//! # let store = MemoryStore::new();
//! # mfa.reset(&Administrator::named("ops")).run_blocking(&store, "alice")?;
//! # let row = rows.recv()??;
//! # assert_eq!((row.name, row.administrator.as_deref(), row.request), ("reset", Some("ops"), 7));
//! # assert_eq!((&*row.subject, row.operation, row.actor), ("alice", "reset", "administrator"));
//! # assert!(row.at > 0 && row.token.is_none());
//! # let grant = Grant::first_factor("alice", mfa.now()?);
//! # mfa.step_up(&grant, Vouched::factor(&["hwk"])).run_blocking(&store, "alice").unwrap_err();
//! # let row = rows.recv()??;
//! # assert_eq!(row.kind, r#"{"name":"refused","rejection":"not_associated","flaw":null}"#);
//! # Ok(())
//! # }
//! # }
//! # #[cfg(feature = "serde")]
//! # example::shown()?;
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! A process that is killed between commit and audit leaves no row: where that must not be, write
//! [`Write::events`](crate::store::Write::events) in the statement's own transaction as well
//! ([an outbox](super::stores#a-column-of-your-own)).
//!
//! # Several servers
//!
//! - All of them ask one primary, by whichever process: the swap decides between two servers as it
//!   does between two threads. Nothing is kept in a process, so no request has to come back to the
//!   one it began at.
//! - All have the same session keys, browser keys, seal keys and seal label, and policies that
//!   agree in what the row depends on ([`with_policy`](crate::Mfa::with_policy) lists it). During a
//!   deployment two policies serve at once, and each judges the same rows by its own numbers:
//!   change the throttle, the window or the number of tokens in all processes at once.
//! - All have synchronised clocks. A server that is behind answers `ClockBehind` to the users who
//!   have just signed in at another one.
//! - Two regions with a primary each are two sets of users. One user's row has one primary, or a
//!   code signs in twice.
//!
//! A row holds counts, floors and tokens, and no limit: nothing in it is migrated when a number of
//! the policy changes.
//!
//! | changed | a row of before |
//! |---|---|
//! | `throttle` | its counts stay, and are held to the new limits: under lower ones a user may be locked at the next attempt, under higher ones a lock is over; a wait that has begun ends when it was to |
//! | `window` | floors stay: no code that was spent is accepted again, however wide the window is |
//! | `max_tokens`, lower | tokens in force stay, and their codes are accepted; none is added (`TooManyTokens`) until fewer are left, and one may be replaced by its id |
//! | `recovery_limit` | the count of wrong recovery codes stays, and is held to the new limit |
//!
//! # A backup is put back
//!
//! The rows are those of the time of the backup, and nothing in them says so:
//!
//! 1. Keep sign-ins shut after the database is back, until the codes that were spent since the
//!    backup are no longer valid: two minutes under the standard window and period; four periods
//!    more where the policy [learns drift](crate::policy::PolicyBuilder::learn_drift); and as many
//!    periods more as the largest drift that a [`status`](crate::Mfa::status) tells of. Or
//!    [`reset`](crate::Mfa::reset) the users with a drift.
//! 2. Read the events since the backup in the audit table, which another database must hold.
//!    [`reset`](crate::Mfa::reset) the users with `replaced`, `removed`, `disassociated` or
//!    `reset`, whose old tokens are in force again; and those with `resynchronised`, whose drift
//!    is that of the backup again, so that a code that was spent since may be valid later. Have
//!    those with `recovery_code_used` or `recovery_codes_issued` take a new set: used codes are
//!    unused, and an older set is good.
//! 3. Users with `verified` or `added` since have a phone whose secret is gone: they set up again.
//! 4. Locks and counts since are forgotten. Have the users of `password_probably_known` change
//!    their passwords.
//! 5. End the logins that were issued since the backup, or all of them.
//!
//! A service that remembers the newest revision of a subject elsewhere finds the rows that went
//! back by itself ([`at_least`](crate::mfa::Request::at_least)), and a column that says "enrolled"
//! finds those that lost their token ([`expect_enrolled`](crate::mfa::Request::expect_enrolled)).
//!
//! # Deleting accounts
//!
//! 1. [`disassociate`](crate::Mfa::disassociate) by an administrator, or
//!    [`reset`](crate::Mfa::reset): the secrets are gone from the row, and every grant of before a
//!    reset is void.
//! 2. Delete the account. Keep the row until the longest challenge session, login and remembered
//!    browser have run out.
//! 3. Delete the row, if the subject never comes back. An id that may be given to somebody else, or
//!    that the same user may get back, keeps its row: without it a grant of before would count
//!    again.
//!
//! Backups hold the secrets for as long as you keep them; sealed rows without their key hold
//! nothing.
