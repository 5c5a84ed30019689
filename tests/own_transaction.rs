//! The suite passes logins whose rows are committed together, and refuses each form that breaks a
//! rule, by that rule's name.
#![allow(clippy::unwrap_used, reason = "tests")]

use core::error::Error as StdError;
use core::fmt;
use core::future::poll_fn;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::task::Poll;
use core::time::Duration;
use std::collections::{HashMap, HashSet};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use softtoken::association::Operation;
use softtoken::mfa::{Decision, Request};
use softtoken::own_transaction::{
    self, BlockingLogins, Ending, Login, Logins, Rule, Suite, Violation,
};
use softtoken::store::{Snapshot, Swap, Write};
use softtoken::{BlockingStore, Error, Fault, Store};

/// How many connections the pool has.
const CONNECTIONS: u32 = 8;

/// What is wrong with a login.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Flaw {
    None,
    /// A rejection shares the login's fate.
    CountRolledBack,
    /// A rejection is no error.
    RejectionSwallowed,
    /// The row is written on another connection.
    RowOutside,
    /// The record is swapped on another connection.
    RecordOutside,
    /// The row is written before the decision, and committed with a rejection.
    RowBefore,
    /// The row is forgotten.
    NoRow,
    /// What the commit says is not looked at.
    CommitUnchecked,
    /// A second error has rolled the transaction back, and the commit says nothing of it.
    AbortedUnseen,
    /// The decision to accept is of a row that was read before, and is written without its
    /// condition.
    BlindLogin,
    /// The decision to reject is.
    BlindGuess,
    /// The row of every login after a user's first is forgotten.
    NoRowAgain,
    /// The record of every login after a user's first is forgotten.
    NoRecordAgain,
    /// The row of a login that lost its race is committed.
    RowOfOvertaken,
    /// No login is answered.
    NoAnswer,
    /// A transaction that is left stays open.
    OpenWhereLeft,
    /// A transaction whose owner panics stays open.
    OpenWherePanicked,
    /// Between the BEGIN and the guard that rolls back there is an await.
    OpenWhereDropped,
    /// Two commits, and an await in between.
    TwoCommits,
    /// A commit whose client hangs up keeps its connection.
    LostWhereCommitted,
    /// The transaction has ended by itself, and the commit says nothing of it.
    EndedUnseen,
    /// A transaction that has ended by itself is open for the driver.
    OpenWhereEnded,
    /// A login fails while another user's is under way.
    BusyForOthers,
    /// The row is forgotten while another login of the same user's is under way.
    NoRowInRace,
    /// Two commits, the row's first.
    RowCommittedFirst,
    /// A login that is left was committed, and is taken back.
    TakenBack,
    /// A rejection whose client hangs up leaves its transaction open.
    OpenWhereRejected,
    /// The row of a rejection is committed, and taken back.
    RowOfRejected,
    /// The row is committed with a rejection that counts.
    RowOfGuess,
    /// A rejection that counts nothing writes the record anew.
    RejectionWrites,
    /// The login after a rejection whose client hung up fails.
    FailsAfterRejected,
    /// Since a client has hung up, the row of a login that is left is written at its end.
    RowOfLeftLater,
}

#[derive(Clone, Default)]
struct Tables {
    records: HashMap<String, Snapshot>,
    logins: HashSet<String>,
}

impl Tables {
    fn swap(&mut self, write: &Write, blind: bool) -> Swap {
        let found = self.records.get(write.subject()).map(|row| row.revision);
        if found != write.expected() && !blind {
            return Swap::Conflict;
        }
        self.records
            .insert(write.subject().into(), write.snapshot());
        Swap::Stored
    }
}

/// What an attempt came to.
enum Attempt<T> {
    /// The answer, where the transaction was not left.
    Ended(Option<T>),
    /// Another was faster.
    Overtaken,
}

/// Who may write.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Writer {
    Nobody,
    Somebody,
    /// Somebody who is gone.
    Left,
}

/// Two tables and one writer at a time.
struct Database {
    flaw: Flaw,
    committed: Mutex<Tables>,
    writer: Mutex<Writer>,
    ended: Condvar,
    /// Connections that are not given back.
    lost: AtomicU32,
    /// The subjects of the logins that are under way.
    under_way: Mutex<Vec<String>>,
    /// Whether a client has hung up.
    was_hung_up: AtomicBool,
    /// Whether the next login fails.
    fails_next: AtomicBool,
}

#[derive(Debug)]
struct Failed(&'static str);

impl fmt::Display for Failed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

impl StdError for Failed {}

impl Database {
    fn new(flaw: Flaw) -> Self {
        Self {
            flaw,
            committed: Mutex::default(),
            writer: Mutex::new(Writer::Nobody),
            ended: Condvar::new(),
            lost: AtomicU32::new(0),
            under_way: Mutex::default(),
            was_hung_up: AtomicBool::new(false),
            fails_next: AtomicBool::new(false),
        }
    }

    fn committed(&self) -> MutexGuard<'_, Tables> {
        self.committed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a login as under way, long enough that others meet it.
    fn enter(&self, subject: &str) -> Result<Entered<'_>, Failed> {
        if !matches!(self.flaw, Flaw::BusyForOthers | Flaw::NoRowInRace) {
            return Ok(Entered(None));
        }
        let mut under_way = self.under_way.lock().unwrap();
        if self.flaw == Flaw::BusyForOthers && under_way.iter().any(|other| other != subject) {
            return Err(Failed("the database is busy"));
        }
        under_way.push(subject.into());
        drop(under_way);
        std::thread::sleep(Duration::from_millis(10));
        Ok(Entered(Some((self, subject.into()))))
    }

    fn is_alone(&self, subject: &str) -> bool {
        let under_way = self.under_way.lock().unwrap();
        under_way.iter().filter(|other| *other == subject).count() < 2
    }

    fn take_turn(&self) -> Result<(), Failed> {
        if self.lost.load(Ordering::Relaxed) >= CONNECTIONS {
            return Err(Failed("no connection is left"));
        }
        let writer = self.writer.lock().unwrap();
        let busy = |writer: &mut Writer| *writer == Writer::Somebody;
        let mut writer = self.ended.wait_while(writer, busy).unwrap();
        if *writer == Writer::Left {
            return Err(Failed("the database is locked"));
        }
        *writer = Writer::Somebody;
        Ok(())
    }

    fn end_turn(&self, writer: Writer) {
        *self.writer.lock().unwrap() = writer;
        self.ended.notify_all();
    }

    fn transaction(&self) -> Transaction<'_> {
        Transaction {
            database: self,
            tables: self.committed().clone(),
            aborted: false,
            left_open: self.flaw == Flaw::OpenWhereLeft,
        }
    }

    fn begin(&self) -> Result<Transaction<'_>, Failed> {
        self.take_turn()?;
        Ok(self.transaction())
    }

    /// One attempt.
    fn attempt<O: Operation>(
        &self,
        mut transaction: Transaction<'_>,
        subject: &str,
        request: &Request<O>,
        login: &Login,
        stale: Option<Snapshot>,
    ) -> Result<Attempt<O::Output>, Error<Failed>> {
        let found = match self.flaw {
            Flaw::BlindLogin | Flaw::BlindGuess | Flaw::RowOfOvertaken => stale,
            _ => transaction.tables.records.get(subject).cloned(),
        };
        if self.flaw == Flaw::NoAnswer {
            return Err(Error::Store(Failed("no answer")));
        }
        // Another handle's was the first write, of the enrolment.
        let is_first = found.as_ref().is_some_and(|row| row.revision.get() == 1);
        let decision = request.decide(subject, found)?;
        if self.flaw == Flaw::RowBefore {
            transaction.tables.logins.insert(login.row().into());
        }
        if let Some(write) = decision.write() {
            let swap = match self.flaw {
                Flaw::RecordOutside => {
                    let swap = self.committed().swap(write, false);
                    transaction.tables = self.committed().clone();
                    swap
                }
                Flaw::BlindLogin => transaction.tables.swap(write, !decision.is_rejection()),
                Flaw::BlindGuess => transaction.tables.swap(write, decision.is_rejection()),
                Flaw::NoRecordAgain if !is_first && !decision.is_rejection() => Swap::Stored,
                _ => transaction.tables.swap(write, false),
            };
            if swap == Swap::Conflict {
                if self.flaw == Flaw::RowOfOvertaken {
                    self.committed().logins.insert(login.row().into());
                }
                return Ok(Attempt::Overtaken);
            }
        }
        if decision.is_rejection() {
            let counts = decision.write().is_some();
            if self.flaw == Flaw::RowOfGuess && counts {
                transaction.tables.logins.insert(login.row().into());
            }
            if self.flaw == Flaw::RejectionWrites && !counts {
                let held = transaction.tables.records.get_mut(subject).unwrap();
                held.revision = held.revision.next().unwrap();
            }
            return self.reject(transaction, decision);
        }
        if self.flaw == Flaw::RowOutside {
            self.committed().logins.insert(login.row().into());
        }
        let has_row = match self.flaw {
            Flaw::NoRow => false,
            Flaw::NoRowAgain => is_first,
            Flaw::NoRowInRace => self.is_alone(subject),
            _ => true,
        };
        if has_row {
            transaction.tables.logins.insert(login.row().into());
        }
        match login.ending() {
            Ending::Commit => {}
            Ending::Leave => return Ok(Attempt::Ended(None)),
            Ending::WriteTwice => transaction.aborted = true,
            Ending::Fail => {
                if self.flaw == Flaw::CommitUnchecked {
                    return Ok(Attempt::Ended(Some(decision.committed()?)));
                }
                return Err(Error::Store(Failed("a constraint")));
            }
            Ending::RollBack => {
                transaction.left_open |= self.flaw == Flaw::OpenWhereEnded;
                if self.flaw == Flaw::EndedUnseen {
                    return Ok(Attempt::Ended(Some(decision.committed()?)));
                }
                return Err(Error::Store(Failed("no transaction")));
            }
            Ending::Panic => {
                transaction.left_open |= self.flaw == Flaw::OpenWherePanicked;
                panic!("as the suite asks");
            }
        }
        if transaction.aborted {
            if self.flaw == Flaw::AbortedUnseen {
                return Ok(Attempt::Ended(Some(decision.committed()?)));
            }
            return Err(Error::Store(Failed("the transaction is aborted")));
        }
        transaction.commit();
        Ok(Attempt::Ended(Some(decision.committed()?)))
    }

    fn reject<T>(
        &self,
        transaction: Transaction<'_>,
        decision: Decision<T>,
    ) -> Result<Attempt<T>, Error<Failed>> {
        if self.flaw != Flaw::CountRolledBack {
            transaction.commit();
        }
        match decision.committed() {
            Err(_) if self.flaw == Flaw::RejectionSwallowed => Ok(Attempt::Ended(None)),
            answer => Ok(Attempt::Ended(Some(answer?))),
        }
    }
}

/// Is rolled back where it is dropped.
struct Transaction<'d> {
    database: &'d Database,
    tables: Tables,
    aborted: bool,
    left_open: bool,
}

impl Transaction<'_> {
    fn commit(mut self) {
        let tables = core::mem::take(&mut self.tables);
        *self.database.committed() = tables;
        self.left_open = false;
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        self.database.end_turn(if self.left_open {
            Writer::Left
        } else {
            Writer::Nobody
        });
    }
}

/// Is a login that is under way, where somebody looks.
struct Entered<'d>(Option<(&'d Database, String)>);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if let Some((database, subject)) = &self.0 {
            let mut under_way = database.under_way.lock().unwrap();
            let ended = under_way.iter().position(|other| other == subject);
            under_way.remove(ended.unwrap());
        }
    }
}

/// What a driver knows of a transaction whose BEGIN was not answered yet.
struct Begun<'d>(&'d Database, bool);

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if self.1 {
            self.0.end_turn(match self.0.flaw {
                Flaw::OpenWhereDropped | Flaw::OpenWhereRejected => Writer::Left,
                _ => Writer::Nobody,
            });
        }
    }
}

/// Is a login that was not answered yet.
struct Unanswered<'d>(&'d Database);

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        self.0.was_hung_up.store(true, Ordering::Relaxed);
    }
}

/// Is a connection whose rejection was not answered yet.
struct Rejecting<'d>(&'d Database);

impl Drop for Rejecting<'_> {
    fn drop(&mut self) {
        self.0.fails_next.store(true, Ordering::Relaxed);
    }
}

/// Is a connection whose commit was not answered yet.
struct Committing<'d>(&'d Database);

impl Drop for Committing<'_> {
    fn drop(&mut self) {
        if self.0.flaw == Flaw::LostWhereCommitted {
            self.0.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl BlockingStore for Database {
    type Error = Failed;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, Failed> {
        Ok(self.committed().records.get(subject).cloned())
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, Failed> {
        let mut transaction = self.begin()?;
        let swap = transaction.tables.swap(&write, false);
        transaction.commit();
        Ok(swap)
    }
}

impl BlockingLogins for Database {
    fn log_in_blocking<O: Operation>(
        &self,
        subject: &str,
        request: Request<O>,
        login: &Login,
    ) -> Result<Option<O::Output>, Error<Failed>> {
        let _entered = self.enter(subject).map_err(Error::Store)?;
        for _ in 0..request.swap_attempts() {
            let stale = self.load_blocking(subject).map_err(Error::Store)?;
            std::thread::yield_now();
            let transaction = self.begin().map_err(Error::Store)?;
            if let Attempt::Ended(ended) =
                self.attempt(transaction, subject, &request, login, stale)?
            {
                return Ok(ended);
            }
        }
        Err(Fault::Contended.into())
    }

    fn has_row_blocking(&self, row: &str) -> Result<bool, Failed> {
        Ok(self.committed().logins.contains(row))
    }
}

/// The same for an executor, with an await at each step.
struct Awaited(Database);

async fn step() {
    let mut waited = false;
    poll_fn(|context| {
        if waited {
            return Poll::Ready(());
        }
        waited = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Awaited {
    async fn commit_twice<O: Operation>(
        &self,
        subject: &str,
        request: &Request<O>,
        login: &Login,
    ) -> Result<Option<O::Output>, Error<Failed>> {
        let row = || login.row().to_owned();
        loop {
            let found = self.0.load_blocking(subject).map_err(Error::Store)?;
            let decision = request.decide(subject, found)?;
            let row_first = self.0.flaw == Flaw::RowCommittedFirst && !decision.is_rejection();
            if row_first {
                self.0.committed().logins.insert(row());
                step().await;
            }
            if let Some(write) = decision.write() {
                // At once, and no copy of the tables that would undo the rows of others.
                let swap = self.0.committed().swap(write, false);
                if swap == Swap::Conflict {
                    self.0.committed().logins.remove(login.row());
                    continue;
                }
            }
            if !row_first {
                step().await;
            }
            let output = decision.committed()?;
            self.0.committed().logins.insert(row());
            return Ok(Some(output));
        }
    }

    /// Waits for the commit of a rejection.
    async fn reject_slowly(&self, login: &Login) {
        match self.0.flaw {
            Flaw::OpenWhereRejected => {
                let begun = Begun(&self.0, true);
                step().await;
                core::mem::forget(begun);
            }
            Flaw::FailsAfterRejected => {
                let rejecting = Rejecting(&self.0);
                step().await;
                core::mem::forget(rejecting);
            }
            Flaw::RowOfRejected => {
                self.0.committed().logins.insert(login.row().into());
                step().await;
                self.0.committed().logins.remove(login.row());
            }
            _ => {}
        }
    }
}

impl Store for Awaited {
    type Error = Failed;

    async fn load(&self, subject: &str) -> Result<Option<Snapshot>, Failed> {
        self.0.load_blocking(subject)
    }

    async fn compare_and_swap(&self, write: Write) -> Result<Swap, Failed> {
        self.0.compare_and_swap_blocking(write)
    }
}

impl Logins for Awaited {
    async fn log_in<O: Operation>(
        &self,
        subject: &str,
        request: Request<O>,
        login: &Login,
    ) -> Result<Option<O::Output>, Error<Failed>> {
        let unanswered = Unanswered(&self.0);
        step().await;
        if self.0.fails_next.swap(false, Ordering::Relaxed) {
            return Err(Error::Store(Failed("the connection of before")));
        }
        match (self.0.flaw, login.ending()) {
            (Flaw::TwoCommits | Flaw::RowCommittedFirst, Ending::Commit) => {
                return self.commit_twice(subject, &request, login).await;
            }
            (Flaw::TakenBack, Ending::Leave) => {
                let before = self.0.committed().clone();
                let login = Login::new(login.row(), Ending::Commit);
                self.0.log_in_blocking(subject, request, &login)?;
                step().await;
                *self.0.committed() = before;
                return Ok(None);
            }
            _ => {}
        }
        self.0.take_turn().map_err(Error::Store)?;
        let mut begun = Begun(&self.0, true);
        step().await;
        begun.1 = false;
        let transaction = self.0.transaction();
        step().await;
        let ended = self.0.attempt(transaction, subject, &request, login, None);
        if matches!(ended, Err(Error::Rejected { .. })) {
            self.reject_slowly(login).await;
        }
        let ended = match ended {
            Ok(ended) => ended,
            Err(error) => {
                core::mem::forget(unanswered);
                return Err(error);
            }
        };
        step().await;
        // A commit takes longer than to leave.
        if login.ending() == Ending::Commit {
            step().await;
            let committing = Committing(&self.0);
            step().await;
            core::mem::forget(committing);
        }
        core::mem::forget(unanswered);
        if self.0.flaw == Flaw::RowOfLeftLater
            && login.ending() == Ending::Leave
            && self.0.was_hung_up.load(Ordering::Relaxed)
        {
            self.0.committed().logins.insert(login.row().into());
        }
        match ended {
            Attempt::Ended(ended) => Ok(ended),
            Attempt::Overtaken => Err(Fault::Contended.into()),
        }
    }

    async fn has_row(&self, row: &str) -> Result<bool, Failed> {
        self.0.has_row_blocking(row)
    }
}

fn checked(flaw: Flaw) -> Result<(), Violation> {
    let database = Database::new(flaw);
    Suite::new().rounds(200).check_blocking(|| &database)
}

fn awaited(flaw: Flaw) -> Result<(), Violation> {
    let database = Awaited(Database::new(flaw));
    own_transaction::check(|| &database, |future| pollster::block_on(future))
}

#[track_caller]
fn refused_for(rule: Rule, checked: Result<(), Violation>) {
    let violation = checked.expect_err("it is wrong");
    assert_eq!(violation.rule(), rule, "{violation}");
}

/// Is right but for one login, by its number in the suite.
struct OnceWrong {
    database: Database,
    logins: AtomicU32,
    number: u32,
    wrong: Wrong,
}

/// How that login ends, which changes nothing.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    Failed,
    Left,
}

impl BlockingStore for OnceWrong {
    type Error = Failed;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, Failed> {
        self.database.load_blocking(subject)
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, Failed> {
        self.database.compare_and_swap_blocking(write)
    }
}

impl BlockingLogins for OnceWrong {
    fn log_in_blocking<O: Operation>(
        &self,
        subject: &str,
        request: Request<O>,
        login: &Login,
    ) -> Result<Option<O::Output>, Error<Failed>> {
        if self.logins.fetch_add(1, Ordering::Relaxed) + 1 != self.number {
            return self.database.log_in_blocking(subject, request, login);
        }
        match self.wrong {
            Wrong::Failed => Err(Error::Store(Failed("once"))),
            Wrong::Left => Ok(None),
        }
    }

    fn has_row_blocking(&self, row: &str) -> Result<bool, Failed> {
        self.database.has_row_blocking(row)
    }
}

/// Each check of the suite has a login of its own that has to end well.
#[test]
fn one_login_that_fails_or_is_left_is_refused_wherever_it_is() {
    // Six ways to end: the login, its code again, another one. Two rejections and another one, twice.
    // Eight users at once. One code at four clients, another login; four guesses, another login.
    let ended = |way: u32| [3 * way + 1, 3 * way + 2, 3 * way + 3];
    let [commit, leave, twice, fail, roll_back, panic] = [0, 1, 2, 3, 4, 5].map(ended);
    let (failed, left) = (Wrong::Failed, Wrong::Left);
    let mut wrong = vec![
        (commit[0], failed, Rule::Answers),
        (commit[0], left, Rule::Answers),
        (commit[1], failed, Rule::Both),
        (commit[1], left, Rule::Both),
        (leave[0], failed, Rule::Answers),
        (19, failed, Rule::Answers),
        (19, left, Rule::Counted),
        (20, failed, Rule::Answers),
        (20, left, Rule::Counted),
        (38, failed, Rule::Answers),
        (38, left, Rule::Counted),
    ];
    for way in [twice, fail, roll_back, panic] {
        wrong.push((way[0], left, Rule::Answers));
    }
    for way in [leave, twice, fail, roll_back, panic] {
        wrong.extend([failed, left].map(|wrong| (way[1], wrong, Rule::Served)));
    }
    let others = [commit, leave, twice, fail, roll_back, panic].map(|way| way[2]);
    for number in others.into_iter().chain([21, 24, 25, 37, 42]) {
        wrong.extend([failed, left].map(|wrong| (number, wrong, Rule::Served)));
    }
    for (number, wrong, rule) in wrong {
        let database = OnceWrong {
            database: Database::new(Flaw::None),
            logins: AtomicU32::new(0),
            number,
            wrong,
        };
        let checked = Suite::new().rounds(1).check_blocking(|| &database);
        let violation = checked.expect_err("one login was wrong");
        assert_eq!(violation.rule(), rule, "{wrong:?} {number}: {violation}");
    }
}

#[test]
fn logins_that_are_committed_with_their_records_pass() -> Result<(), Violation> {
    checked(Flaw::None)?;
    awaited(Flaw::None)
}

#[test]
fn a_rejection_that_is_not_counted_or_not_told_is_refused() {
    refused_for(Rule::Counted, checked(Flaw::CountRolledBack));
    refused_for(Rule::Both, checked(Flaw::RejectionSwallowed));
}

#[test]
fn a_row_or_a_record_that_is_written_outside_of_the_transaction_is_refused() {
    refused_for(Rule::Neither, checked(Flaw::RowOutside));
    refused_for(Rule::Neither, checked(Flaw::RecordOutside));
    refused_for(Rule::Both, checked(Flaw::NoRow));
    refused_for(Rule::Both, checked(Flaw::NoRowAgain));
    refused_for(Rule::Both, checked(Flaw::NoRecordAgain));
    refused_for(Rule::Both, checked(Flaw::NoRowInRace));
}

#[test]
fn a_row_that_is_committed_with_a_rejection_is_refused() {
    refused_for(Rule::Neither, checked(Flaw::RowBefore));
    refused_for(Rule::Neither, checked(Flaw::RowOfGuess));
    refused_for(Rule::Neither, awaited(Flaw::RowOfRejected));
}

#[test]
fn an_answer_before_the_commit_is_refused() {
    refused_for(Rule::Both, checked(Flaw::CommitUnchecked));
    refused_for(Rule::Both, checked(Flaw::AbortedUnseen));
    refused_for(Rule::Both, checked(Flaw::EndedUnseen));
}

#[test]
fn a_decision_that_is_not_made_anew_is_refused() {
    refused_for(Rule::DecidedAnew, checked(Flaw::BlindLogin));
    refused_for(Rule::DecidedAnew, checked(Flaw::BlindGuess));
    refused_for(Rule::Neither, checked(Flaw::RowOfOvertaken));
    refused_for(Rule::DecidedAnew, checked(Flaw::RejectionWrites));
}

#[test]
fn a_login_that_fails_beside_another_users_is_refused() {
    refused_for(Rule::Served, checked(Flaw::BusyForOthers));
}

#[test]
fn a_login_that_is_left_by_taking_it_back_is_refused() {
    refused_for(Rule::Neither, awaited(Flaw::RowOfLeftLater));
    refused_for(Rule::Neither, awaited(Flaw::TakenBack));
}

#[test]
fn the_standard_suite_refuses_what_is_wrong_as_well() {
    let database = Database::new(Flaw::NoRow);
    refused_for(Rule::Both, own_transaction::check_blocking(|| &database));
}

#[test]
fn a_violation_says_which_rule_after_what_and_what_was_seen() {
    let said = checked(Flaw::RowOutside).unwrap_err().to_string();
    assert_eq!(
        said,
        "a login that was not committed has neither row; \
         but after Leave its record is not there, and its row is there"
    );
    let said = checked(Flaw::RecordOutside).unwrap_err().to_string();
    assert!(
        said.ends_with("its record is there, and its row is not there"),
        "{said}"
    );
    let violation = checked(Flaw::NoAnswer).unwrap_err();
    assert_eq!(violation.rule(), Rule::Answers, "{violation}");
    assert!(violation.source().is_some(), "it has the driver's error");
}

/// What was left of one run is nothing to the next.
#[test]
fn a_database_that_was_checked_before_passes_again() -> Result<(), Violation> {
    let database = Database::new(Flaw::None);
    Suite::new().rounds(1).check_blocking(|| &database)?;
    Suite::new().rounds(1).check_blocking(|| &database)
}

#[test]
fn more_rounds_and_more_who_hang_up_are_more_users_and_logins() -> Result<(), Violation> {
    let users = |rounds| -> Result<usize, Violation> {
        let database = Database::new(Flaw::None);
        let suite = Suite::new().rounds(rounds);
        suite.check_blocking(|| &database)?;
        Ok(database.committed().records.len())
    };
    assert_eq!(users(30)? - users(10)?, 40, "two users a round");

    let logins = |hang_ups| -> Result<usize, Violation> {
        let database = Awaited(Database::new(Flaw::None));
        let suite = Suite::new().rounds(1).hang_ups(hang_ups);
        suite.check(|| &database, |future| pollster::block_on(future))?;
        Ok(database.0.committed().logins.len())
    };
    // Of each that hang up at every point in turn, the last ones have been answered.
    assert!(logins(512)? > logins(0)?);
    Ok(())
}

#[test]
fn a_transaction_that_stays_open_is_refused() {
    refused_for(Rule::Served, checked(Flaw::OpenWhereLeft));
    refused_for(Rule::Served, checked(Flaw::OpenWherePanicked));
    refused_for(Rule::Served, checked(Flaw::OpenWhereEnded));
    refused_for(Rule::Served, awaited(Flaw::OpenWhereDropped));
    refused_for(Rule::Served, awaited(Flaw::OpenWhereRejected));
    refused_for(Rule::Served, awaited(Flaw::FailsAfterRejected));
    refused_for(Rule::Served, awaited(Flaw::LostWhereCommitted));
}

#[test]
fn two_commits_with_an_await_in_between_are_refused() {
    refused_for(Rule::Both, awaited(Flaw::TwoCommits));
    let said = awaited(Flaw::RowCommittedFirst).unwrap_err().to_string();
    assert!(said.ends_with("its row is there, and no record"), "{said}");
}
