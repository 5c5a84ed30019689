//! Every request, and the answer that it was given.

use core::fmt;
use core::time::Duration;
use std::sync::{Mutex, PoisonError};

use softtoken::association::{EventKind, Events};
use softtoken::store::{Snapshot, Swap, Write};
use softtoken::time::Step;
use softtoken::{BlockingStore, Fault, Rejection, Revision};

/// One request. Tokens are numbered, for each subject, in the order in which they were issued.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) subject: usize,
    /// Places in the one order of all beginnings and ends.
    pub(crate) began: usize,
    pub(crate) ended: usize,
    pub(crate) asked: Asked,
    pub(crate) answer: Answer,
    /// What its last write was to say, where there was one: that is not known to be stored where
    /// the answer is `Unknown`.
    pub(crate) events: Events,
    /// The revision that the store acknowledged, where it stored one.
    pub(crate) stored: Option<Revision>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Asked {
    SignIn,
    /// A code of this token, as the answer to a challenge.
    Code {
        token: usize,
    },
    /// A code of no token.
    Guess,
    Associate,
    /// The first code of this token.
    Verify {
        token: usize,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// With the step of the code, where there was one.
    Accepted(Option<Step>),
    /// A sign-in that asks for no code.
    NotRequired,
    Rejected(Rejection),
    Fault(Fault),
    /// The store failed. Whether it has stored anything is not known.
    Unknown,
}

impl Entry {
    /// How many failures in a row this success was to report and clear.
    pub(crate) fn cleared(&self) -> u32 {
        let reported = self.events.iter().find_map(|event| match event.kind {
            EventKind::SignedIn { failures, .. }
            | EventKind::Verified { failures }
            | EventKind::Replaced { failures, .. } => Some(failures),
            _ => None,
        });
        reported.unwrap_or(0)
    }

    /// Whether it was to count a failure.
    pub(crate) fn failed(&self) -> bool {
        self.events.iter().any(|event| {
            matches!(
                event.kind,
                EventKind::Refused {
                    rejection: Rejection::Mismatch,
                    ..
                }
            )
        })
    }
}

/// A store as one request sees it: it remembers what the last write was to say, and whether it was
/// acknowledged.
pub(crate) struct Watched<'s, S> {
    store: &'s S,
    seen: Mutex<(Events, Option<Revision>)>,
}

impl<'s, S> Watched<'s, S> {
    pub(crate) fn new(store: &'s S) -> Self {
        Self {
            store,
            seen: Mutex::default(),
        }
    }

    /// What the last write was to say, and its revision where it was stored.
    pub(crate) fn into_seen(self) -> (Events, Option<Revision>) {
        self.seen
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, events: Events, stored: Option<Revision>) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = (events, stored);
    }
}

impl<S: BlockingStore> BlockingStore for Watched<'_, S> {
    type Error = S::Error;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, S::Error> {
        self.remember(Events::default(), None);
        self.store.load_blocking(subject)
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, S::Error> {
        let (events, next) = (write.events().clone(), write.next());
        self.remember(events.clone(), None);
        let swap = self.store.compare_and_swap_blocking(write)?;
        if swap == Swap::Stored {
            self.remember(events, Some(next));
        }
        Ok(swap)
    }

    fn pause_blocking(&self, time: Duration) {
        self.store.pause_blocking(time);
    }
}

/// What a history consists of.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Tally {
    /// All requests.
    pub requests: usize,
    /// Codes that signed somebody in.
    pub sign_ins: usize,
    /// Tokens that were proven.
    pub enrolments: usize,
    /// Failures that were counted.
    pub failures: usize,
    /// Right codes that were refused because they were used.
    pub reused: usize,
    /// Requests that lost every race.
    pub contended: usize,
    /// Requests that the store did not answer.
    pub unknown: usize,
}

impl Tally {
    pub(crate) fn of(history: &[Entry]) -> Self {
        let mut tally = Self {
            requests: history.len(),
            ..Self::default()
        };
        for entry in history {
            let count = match (entry.asked, entry.answer) {
                (Asked::Code { .. }, Answer::Accepted(_)) => &mut tally.sign_ins,
                (Asked::Verify { .. }, Answer::Accepted(_)) => &mut tally.enrolments,
                (_, Answer::Rejected(Rejection::Mismatch)) => &mut tally.failures,
                (_, Answer::Rejected(Rejection::Reused)) => &mut tally.reused,
                (_, Answer::Fault(Fault::Contended)) => &mut tally.contended,
                (_, Answer::Unknown) => &mut tally.unknown,
                _ => continue,
            };
            *count += 1;
        }
        tally
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} requests: {} sign-ins, {} enrolments, {} failures, {} codes reused, {} contended, {} unknown",
            self.requests,
            self.sign_ins,
            self.enrolments,
            self.failures,
            self.reused,
            self.contended,
            self.unknown
        )
    }
}
