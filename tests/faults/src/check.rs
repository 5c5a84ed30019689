//! What must hold of a history, whatever happened to the store.

use core::error::Error;
use core::fmt;
use std::collections::{HashMap, HashSet};

use softtoken::{Fault, Rejection};

use crate::history::{Answer, Asked, Entry};

/// What does not hold. Subjects and tokens are numbered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Violation {
    /// A code was accepted more than once.
    AcceptedTwice {
        /// Whose.
        subject: usize,
        /// Of which token.
        token: usize,
        /// Its step.
        step: u64,
    },
    /// A code was accepted that no token shows.
    GuessAccepted {
        /// Whose.
        subject: usize,
    },
    /// An acknowledged enrolment was lost: a later sign-in asked for no code, or took one of the
    /// token that it replaced.
    EnrolmentLost {
        /// Whose.
        subject: usize,
    },
    /// After all, not exactly one token was in force.
    InForce {
        /// Whose.
        subject: usize,
        /// How many were.
        tokens: usize,
    },
    /// A revision was acknowledged twice: the first time, what was acknowledged was lost.
    SwapLost {
        /// Whose.
        subject: usize,
        /// Which.
        revision: u64,
    },
    /// Acknowledged failures that no later success reported.
    Uncounted {
        /// Whose.
        subject: usize,
        /// Those that were acknowledged.
        acknowledged: usize,
        /// The most that can have been counted.
        counted: usize,
    },
    /// Successes reported more failures than can have happened.
    Invented {
        /// Whose.
        subject: usize,
        /// The most that can have happened.
        happened: usize,
        /// Those that were reported.
        reported: usize,
    },
    /// A code is spent, and not exactly one of its logins has a row: that of the one which was
    /// acknowledged, if one was.
    Half {
        /// Whose.
        subject: usize,
        /// How many of its logins were acknowledged.
        acknowledged: usize,
        /// How many of its logins have a row.
        rows: usize,
    },
    /// A request failed otherwise than by losing its races: a record that does not open, for one.
    Faulted {
        /// Whose.
        subject: usize,
        /// How.
        fault: Fault,
    },
}

/// All that does not hold.
#[derive(Debug)]
pub struct Broken(pub Vec<Violation>);

impl fmt::Display for Broken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} violations, such as ", self.0.len())?;
        formatter
            .debug_list()
            .entries(self.0.iter().take(8))
            .finish()
    }
}

impl Error for Broken {}

/// `subjects`: how many there are. For each of them the history ends with a success.
pub(crate) fn check(subjects: usize, history: &[Entry]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for subject in 0..subjects {
        let own: Vec<_> = history
            .iter()
            .filter(|entry| entry.subject == subject)
            .collect();
        accepted(subject, &own, &mut violations);
        enrolments(subject, &own, &mut violations);
        failures(subject, &own, &mut violations);
        swaps(subject, &own, &mut violations);
        violations.extend(own.iter().filter_map(|entry| match entry.answer {
            Answer::Fault(Fault::Contended) => None,
            Answer::Fault(fault) => Some(Violation::Faulted { subject, fault }),
            _ => None,
        }));
    }
    violations
}

/// No code twice, and none that no token shows.
fn accepted(subject: usize, own: &[&Entry], violations: &mut Vec<Violation>) {
    let mut times = HashMap::new();
    for entry in own {
        match (entry.asked, entry.answer) {
            (Asked::Guess, Answer::Accepted(_)) => {
                violations.push(Violation::GuessAccepted { subject });
            }
            // The code that proves a token is spent by it.
            (Asked::Code { token } | Asked::Verify { token }, Answer::Accepted(Some(step))) => {
                *times.entry((token, step.get())).or_insert(0) += 1;
            }
            _ => {}
        }
    }
    let twice = times.into_iter().filter(|(_, times)| *times > 1);
    violations.extend(twice.map(|((token, step), _)| Violation::AcceptedTwice {
        subject,
        token,
        step,
    }));
}

/// What an acknowledged enrolment put in force stays in force until another one may have replaced
/// it.
fn enrolments(subject: usize, own: &[&Entry], violations: &mut Vec<Violation>) {
    let verified = |entry: &&&Entry| {
        matches!(
            (entry.asked, entry.answer),
            (Asked::Verify { .. }, Answer::Accepted(_))
        )
    };
    // The last moment at which this token may have come into force.
    let in_force = |token| {
        let proofs = own
            .iter()
            .filter(|entry| entry.asked == Asked::Verify { token });
        let moments = proofs.filter_map(|entry| match entry.answer {
            Answer::Accepted(_) => Some(entry.ended),
            Answer::Unknown => Some(usize::MAX),
            _ => None,
        });
        moments.max()
    };
    for entry in own {
        let lost = match (entry.asked, entry.answer) {
            (Asked::SignIn, Answer::NotRequired) => own
                .iter()
                .filter(verified)
                .any(|proof| proof.ended < entry.began),
            (Asked::Code { token }, Answer::Accepted(_)) => match in_force(token) {
                None => true,
                Some(moment) => own
                    .iter()
                    .filter(verified)
                    .any(|proof| moment < proof.began && proof.ended < entry.began),
            },
            _ => false,
        };
        if lost {
            violations.push(Violation::EnrolmentLost { subject });
        }
    }
}

/// Revisions rise by one with each swap, so one that is stored again had been lost.
fn swaps(subject: usize, own: &[&Entry], violations: &mut Vec<Violation>) {
    let mut seen = HashSet::new();
    let stored = own.iter().filter_map(|entry| entry.stored);
    violations.extend(
        stored
            .filter(|revision| !seen.insert(revision.get()))
            .map(|revision| Violation::SwapLost {
                subject,
                revision: revision.get(),
            }),
    );
}

/// Each success reports the failures since the one before, and the history ends with one.
fn failures(subject: usize, own: &[&Entry], violations: &mut Vec<Violation>) {
    let mut acknowledged = 0;
    let mut uncertain = 0;
    let mut reported = 0;
    let mut uncertainly_reported = 0;
    for entry in own {
        let cleared = usize::try_from(entry.cleared()).unwrap_or(usize::MAX);
        match entry.answer {
            Answer::Rejected(Rejection::Mismatch) => acknowledged += 1,
            Answer::Accepted(_) => reported += cleared,
            Answer::Unknown => {
                uncertain += usize::from(entry.failed());
                uncertainly_reported += cleared;
            }
            _ => {}
        }
    }
    if acknowledged > reported + uncertainly_reported {
        violations.push(Violation::Uncounted {
            subject,
            acknowledged,
            counted: reported + uncertainly_reported,
        });
    }
    if reported > acknowledged + uncertain {
        violations.push(Violation::Invented {
            subject,
            happened: acknowledged + uncertain,
            reported,
        });
    }
}
