//! Counts what became of the rows.

use alloc::collections::BTreeMap;
use core::fmt;
use core::ops::AddAssign;

use super::Verdict;

/// Counts the rows of a run by what became of each.
///
/// `Display` writes a table for people: a line for each kind and name that was counted, and the
/// sum. Reports of several runs are added by `+=`.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
#[must_use]
pub struct Report {
    counts: BTreeMap<(Kind, &'static str), u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Kind {
    Changed,
    Unchanged,
    Refused,
    Store,
}

impl Report {
    pub(super) fn add<E>(&mut self, verdict: &Verdict<E>) {
        let kind = match verdict {
            Verdict::Changed(_) => Kind::Changed,
            Verdict::Unchanged(_) => Kind::Unchanged,
            Verdict::Refused(_) => Kind::Refused,
            Verdict::Store(_) => Kind::Store,
        };
        *self.counts.entry((kind, verdict.name())).or_default() += 1;
    }

    /// Returns how many rows there were.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Returns how many rows were written; in a dry run, how many would be.
    #[must_use]
    pub fn changed(&self) -> u64 {
        self.of(Kind::Changed)
    }

    /// Returns how many rows there was nothing to do for.
    #[must_use]
    pub fn unchanged(&self) -> u64 {
        self.of(Kind::Unchanged)
    }

    /// Returns how many rows were refused.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.of(Kind::Refused)
    }

    /// Returns how many rows the store did not answer for.
    #[must_use]
    pub fn store_errors(&self) -> u64 {
        self.of(Kind::Store)
    }

    /// Returns whether no row was refused and the store answered for all of them: whether a key may
    /// be retired, or the old table be left.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.refused() == 0 && self.store_errors() == 0
    }

    /// Returns how many rows have this [name](Verdict::name).
    #[must_use]
    pub fn count(&self, name: &str) -> u64 {
        self.counts()
            .filter_map(|(other, count)| (other == name).then_some(count))
            .sum()
    }

    /// Lists the names that were counted, each with its number of rows.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.counts.iter().map(|(&(_, name), &count)| (name, count))
    }

    fn of(&self, wanted: Kind) -> u64 {
        let counts = self.counts.iter();
        counts
            .filter_map(|(&(kind, _), &count)| (kind == wanted).then_some(count))
            .sum()
    }
}

impl AddAssign for Report {
    fn add_assign(&mut self, other: Self) {
        for (name, count) in other.counts {
            *self.counts.entry(name).or_default() += count;
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((kind, name), count) in &self.counts {
            let kind = match kind {
                Kind::Changed => "changed",
                Kind::Unchanged => "unchanged",
                Kind::Refused => "refused",
                Kind::Store => "not answered",
            };
            writeln!(formatter, "{kind:<13} {name:<26} {count:>9}")?;
        }
        write!(formatter, "{:<40} {:>9}", "rows", self.rows())
    }
}
