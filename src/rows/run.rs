//! Goes from page to page and from row to row.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Debug;
use core::future::ready;

use super::at_once::all;
use super::blocking::{Ready, finish};
use super::looking::Looking;
use super::{Refusal, Report, Verdict};
use crate::association::Operation;
use crate::error::Error;
use crate::mfa::Request;
use crate::store::{BlockingStore, Snapshot, Store};

/// Defines what is done with each row: [`Sealing`](super::Sealing) or
/// [`MovingIn`](super::MovingIn).
pub trait Work: sealed::Sealed + Sync {
    /// Names what a page lists.
    type Row: Sync;

    #[doc(hidden)]
    type Operation: Operation;

    #[doc(hidden)]
    fn subject(row: &Self::Row) -> &str;

    /// Returns what to do, and the name that the report has for it once it is done.
    #[doc(hidden)]
    fn request(&self, row: &Self::Row)
    -> Result<(Request<Self::Operation>, &'static str), Refusal>;

    /// Returns why nothing is to be done with the row, as what was found says: what is done already
    /// would be done once more.
    #[doc(hidden)]
    fn unchanged(&self, row: &Self::Row, found: Option<&Snapshot>) -> Option<&'static str>;

    /// Returns why this refusal means that there was nothing to do.
    #[doc(hidden)]
    fn forgives(refusal: &Refusal) -> Option<&'static str>;
}

pub(super) mod sealed {
    pub trait Sealed {}
}

/// Goes over every row that your application lists. The [module](crate::rows) has examples.
///
/// `pages` gives the rows after a subject, the first ones for `None`, as many as your application
/// likes (a few hundred); an empty page is the end. Order the rows by subject, as the database does
/// (`WHERE subject > $1 ORDER BY subject LIMIT 500`), and list a subject once.
///
/// `told` is called for each row that is settled, in order: write refused rows to a file, let a
/// progress bar go on, keep the subject as the cursor.
#[derive(Clone, Debug)]
#[must_use = "nothing is done until it is run"]
pub struct Rows<W> {
    work: W,
    is_dry: bool,
    after: Option<String>,
    at_once: usize,
    stop_after: usize,
}

impl<W: Work> Rows<W> {
    pub(super) fn of(work: W) -> Self {
        Self {
            work,
            is_dry: false,
            after: None,
            at_once: 1,
            stop_after: 3,
        }
    }

    /// Judges each row by what is stored now, and writes nothing, tells no event. What the run
    /// itself will find differs where the store or the clock has moved on by then.
    pub fn dry_run(mut self) -> Self {
        self.is_dry = true;
        self
    }

    /// Begins after this subject: the last one that an earlier run was `told` of, or
    /// [`Stopped::after`].
    pub fn after(mut self, subject: Option<&str>) -> Self {
        self.after = subject.map(ToOwned::to_owned);
        self
    }

    /// Asks the store for so many rows of a page at once; 1 unless said otherwise. Choose fewer
    /// than your pool has connections: users sign in meanwhile. A store that blocks is asked for
    /// one after the other; run several ranges of subjects on threads of your own.
    pub fn at_once(mut self, rows: usize) -> Self {
        self.at_once = rows.max(1);
        self
    }

    /// Stops where the store does not answer for so many rows one after another; 3 unless said
    /// otherwise. A row that is refused as it is listed, for which the store is not asked, stands
    /// between them for nothing; but a thousand of those are not waited for: what is there is
    /// settled, and the count begins anew.
    pub fn stop_after(mut self, store_errors: usize) -> Self {
        self.stop_after = store_errors.max(1);
        self
    }

    /// Runs over all pages, and returns the report. Dropping the future leaves each row as it was,
    /// or done.
    ///
    /// # Errors
    ///
    /// [`Stopped`] where the store or the pages fail. The rows that the report counts are settled;
    /// of the others some may be done, and will be found unchanged by the next run.
    ///
    /// # Examples
    ///
    /// The future may be spawned where the store, the pages and `told` may.
    ///
    /// ```
    /// # #[cfg(all(feature = "std", feature = "getrandom"))]
    /// # mod example {
    /// use softtoken::rows::{OldRow, OldToken, Report, Rows, Stopped, Verdict};
    /// use softtoken::{Administrator, Mfa, Store};
    ///
    /// # #[derive(Clone)]
    /// # pub struct Pool;
    /// # pub type PoolError = core::convert::Infallible;
    /// # type Users = Vec<(String, String)>;
    /// # impl Pool {
    /// #     async fn users_after(&self, _: Option<String>) -> Result<Users, PoolError> {
    /// #         Ok(vec![])
    /// #     }
    /// # }
    /// async fn move_in<S: Store>(
    ///     mfa: Mfa,
    ///     store: S,
    ///     old: Pool,
    /// ) -> Result<Report, Stopped<S::Error, PoolError>> {
    ///     let pages = |after| {
    ///         let old = old.clone();
    ///         async move {
    ///             let users = old.users_after(after).await?; // ORDER BY id LIMIT 500
    ///             let row = |(id, base32)| OldRow::new(id).token(OldToken::legacy_base32(base32));
    ///             Ok(users.into_iter().map(row).collect())
    ///         }
    ///     };
    ///     let rows = Rows::move_in(&mfa, &Administrator::named("migration")).at_once(8);
    ///     let told = |user: &str, verdict: &Verdict<_>| println!("{user} {}", verdict.name());
    ///     rows.run(&store, pages, told).await
    /// }
    /// # }
    /// ```
    pub async fn run<S, E, F>(
        &self,
        store: &S,
        mut pages: impl FnMut(Option<String>) -> F,
        mut told: impl FnMut(&str, &Verdict<S::Error>),
    ) -> Result<Report, Stopped<S::Error, E>>
    where
        S: Store + ?Sized,
        F: Future<Output = Result<Vec<W::Row>, E>>,
    {
        let mut settled = Settled {
            report: Report::default(),
            after: self.after.clone(),
            waiting: Vec::new(),
            unanswered: 0,
        };
        let mut last = self.after.clone();
        loop {
            let page = match pages(last.clone()).await {
                Ok(page) => page,
                Err(error) => return Err(settled.stopped(Cause::Pages(error))),
            };
            let Some(end) = page.last() else {
                settled.settle_waiting(&mut told);
                return Ok(settled.report);
            };
            if last.as_deref() == Some(W::subject(end)) {
                return Err(settled.stopped(Cause::Cursor));
            }
            for rows in page.chunks(self.at_once) {
                let mut before = last.as_deref();
                let verdicts = rows.iter().map(|row| {
                    let before = before.replace(W::subject(row));
                    self.one(store, row, before == Some(W::subject(row)))
                });
                let verdicts = all(verdicts).await;
                for (row, judged) in rows.iter().zip(verdicts) {
                    settled.add(W::subject(row), judged, &mut told);
                    if settled.unanswered >= self.stop_after
                        && let Some(error) = settled.first_error()
                    {
                        return Err(settled.stopped(Cause::Store(error)));
                    }
                }
                last = rows.last().map(|row| W::subject(row).to_owned());
            }
        }
    }

    /// Does what [`run`](Self::run) does, without an executor, one row after the other.
    ///
    /// # Errors
    ///
    /// [`Stopped`] under the conditions of [`run`](Self::run).
    pub fn run_blocking<S: BlockingStore + ?Sized, E>(
        &self,
        store: &S,
        mut pages: impl FnMut(Option<&str>) -> Result<Vec<W::Row>, E>,
        told: impl FnMut(&str, &Verdict<S::Error>),
    ) -> Result<Report, Stopped<S::Error, E>> {
        let pages = |after: Option<String>| ready(pages(after.as_deref()));
        finish(self.run(&Ready(store), pages, told))
    }

    async fn one<S: Store + ?Sized>(
        &self,
        store: &S,
        row: &W::Row,
        is_listed_twice: bool,
    ) -> Judged<S::Error> {
        if is_listed_twice {
            return Judged::Unasked(Refusal::ListedTwice);
        }
        let subject = W::subject(row);
        let request = self.work.request(row).and_then(|(request, changed)| {
            request.check(subject)?;
            Ok((request, changed))
        });
        match request {
            Ok((request, changed)) => Judged::Asked(self.ask(store, row, request, changed).await),
            Err(refusal) => Judged::Unasked(refusal),
        }
    }

    async fn ask<S: Store + ?Sized>(
        &self,
        store: &S,
        row: &W::Row,
        request: Request<W::Operation>,
        changed: &'static str,
    ) -> Verdict<S::Error> {
        let subject = W::subject(row);
        let work = &self.work;
        let looking = Looking { store, work, row };
        let answer = if self.is_dry {
            match looking.load(subject).await {
                Ok(found) => match request.decide(subject, found) {
                    Ok(decision) => decision.untold(),
                    Err(fault) => Err(fault.into()),
                },
                Err(ended) => Err(Error::Store(ended)),
            }
        } else {
            request.run(&looking, subject).await
        };
        let answer = Verdict::of(answer, changed);
        match &answer {
            Verdict::Refused(refusal) => W::forgives(refusal).map_or(answer, Verdict::Unchanged),
            _ => answer,
        }
    }
}

/// Says how a row was judged.
enum Judged<E> {
    /// The row was refused as it is listed: this says nothing of the store.
    Unasked(Refusal),
    Asked(Verdict<E>),
}

/// Bounds the refused rows that wait: where so many follow one that the store did not answer for,
/// nothing tells whether the store has failed.
const MOST_REFUSED: usize = 1_000;

/// Holds what has become of the rows so far.
struct Settled<E> {
    report: Report,
    after: Option<String>,
    /// Holds the rows from the first one that the store did not answer for, until the store answers
    /// for another one or there are too many.
    waiting: Vec<(String, Verdict<E>)>,
    /// Counts those that wait for which the store was asked.
    unanswered: usize,
}

impl<E> Settled<E> {
    fn add(&mut self, subject: &str, judged: Judged<E>, told: &mut impl FnMut(&str, &Verdict<E>)) {
        let (verdict, waits) = match judged {
            Judged::Asked(verdict @ Verdict::Store(_)) => {
                self.unanswered += 1;
                (verdict, true)
            }
            Judged::Asked(verdict) => (verdict, false),
            Judged::Unasked(refusal) => {
                let refused = self.waiting.len() - self.unanswered;
                let waits = self.unanswered > 0 && refused < MOST_REFUSED;
                (Verdict::Refused(refusal), waits)
            }
        };
        if waits {
            self.waiting.push((subject.to_owned(), verdict));
        } else {
            self.settle_waiting(told);
            self.settle(subject, &verdict, told);
        }
    }

    fn settle_waiting(&mut self, told: &mut impl FnMut(&str, &Verdict<E>)) {
        self.unanswered = 0;
        for (subject, verdict) in core::mem::take(&mut self.waiting) {
            self.settle(&subject, &verdict, told);
        }
    }

    /// Returns the error of the first row that waits, of which none is settled any more.
    fn first_error(&mut self) -> Option<E> {
        let waiting = core::mem::take(&mut self.waiting).into_iter();
        waiting
            .map(|(_, verdict)| verdict)
            .find_map(|verdict| match verdict {
                Verdict::Store(error) => Some(error),
                _ => None,
            })
    }

    fn settle(
        &mut self,
        subject: &str,
        verdict: &Verdict<E>,
        told: &mut impl FnMut(&str, &Verdict<E>),
    ) {
        self.report.add(verdict);
        self.after = Some(subject.to_owned());
        told(subject, verdict);
    }

    fn stopped<P>(self, cause: Cause<E, P>) -> Stopped<E, P> {
        Stopped {
            cause,
            report: self.report,
            after: self.after,
        }
    }
}

/// Reports a run that did not come to its end.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("stopped after {} rows", report.rows())]
#[non_exhaustive]
pub struct Stopped<S, P> {
    /// Says why.
    #[source]
    pub cause: Cause<S, P>,
    /// Counts the rows that are settled.
    pub report: Report,
    /// Names the last subject that is settled, to go on [after](Rows::after); `None` where the run
    /// begins anew.
    pub after: Option<String>,
}

/// Says why a run did not come to its end.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Cause<S, P> {
    /// The store did not answer for several rows one after another, of those that it was asked for;
    /// the error is that of the first one.
    #[error("the store failed")]
    Store(#[source] S),
    /// The next page could not be read.
    #[error("the next page could not be read")]
    Pages(#[source] P),
    /// The page ends with the row that it was to begin after.
    #[error("the page ends where it should begin")]
    Cursor,
}
