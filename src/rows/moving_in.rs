//! Moves every user in from the table of another system.

use core::convert::Infallible;

use super::run::sealed::Sealed;
use super::{OldRow, Refusal, Rows, Work};
use crate::association::{Administrator, Import, Rejection, State};
use crate::error::Error;
use crate::mfa::{Mfa, Request};
use crate::store::Snapshot;

/// Imports the tokens of each row: [`Rows::move_in`].
#[derive(Clone, Debug)]
pub struct MovingIn {
    mfa: Mfa,
    by: Administrator,
}

impl Rows<MovingIn> {
    /// Imports the tokens of every [`OldRow`] by this administrator, as [`Mfa::import`] does: give
    /// the administrator a name that says where the users came from.
    ///
    /// A user who has a token in force here, by an earlier run or by own doing, is
    /// `already_verified`, and one who has removed it since `verified_before`; one for whom a
    /// secret waits here is `already_pending`, where the row's is
    /// [pending](super::OldToken::pending) too. All stay as they are. Whatever cannot be read or
    /// imported is refused, each row by itself.
    ///
    /// ```
    /// # #[cfg(all(feature = "std", feature = "getrandom"))]
    /// # fn main() -> Result<(), Box<dyn core::error::Error>> {
    /// use core::convert::Infallible;
    /// use softtoken::rows::{OldRow, OldToken, Rows, Verdict};
    /// use softtoken::{Administrator, MemoryStore, Mfa, Policy};
    ///
    /// # let (store, mfa) = (MemoryStore::new(), Mfa::system(Policy::STANDARD));
    /// let table = [ // user, base32, time of the last code
    ///     ("user-1", "JBSW Y3DP EHPK 3PXP JBSW Y3DP EE", 1_700_000_000),
    ///     ("user-2", "JBSW Y3DP EHPK 3PX", -1),
    /// ];
    /// let pages = |after: Option<&str>| {
    ///     let rest = table.iter().filter(|(user, ..)| after.is_none_or(|after| *user > after));
    ///     let rows = rest.take(500).map(|(user, secret, last_used)| {
    ///         OldRow::new(*user).token(OldToken::legacy_base32(*secret).last_used(*last_used))
    ///     });
    ///     Ok::<_, Infallible>(rows.collect())
    /// };
    /// let move_in = Rows::move_in(&mfa, &Administrator::named("migration"));
    /// let mut refused = Vec::new();
    /// let report = move_in.clone().dry_run().run_blocking(&store, pages, |user, verdict| {
    ///     if let Verdict::Refused(refusal) = verdict {
    ///         refused.push(format!("{user}: {refusal}"));
    ///     }
    /// })?;
    /// assert_eq!((report.changed(), report.refused()), (1, 1));
    /// assert_eq!(refused, ["user-2: a secret has at least 10 bytes, not 9"]);
    ///
    /// let report = move_in.run_blocking(&store, pages, |_, _| {})?;
    /// assert_eq!((report.count("moved_in"), report.count("malformed_secret")), (1, 1));
    /// # Ok(())
    /// # }
    /// # #[cfg(not(all(feature = "std", feature = "getrandom")))]
    /// # fn main() {}
    /// ```
    pub fn move_in(mfa: &Mfa, by: &Administrator) -> Self {
        Self::of(MovingIn {
            mfa: mfa.clone(),
            by: by.clone(),
        })
    }
}

impl Sealed for MovingIn {}

impl Work for MovingIn {
    type Row = OldRow;
    type Operation = Import;

    fn subject(row: &OldRow) -> &str {
        row.subject()
    }

    fn request(&self, row: &OldRow) -> Result<(Request<Import>, &'static str), Refusal> {
        let tokens = row.read()?;
        let is_weak = tokens.iter().any(|token| token.secret().is_weak());
        let mut import = self.mfa.import(&self.by, tokens);
        // Of a secret that waits, its first code says so.
        if !row.is_enabled() && !row.is_pending() {
            import = import.enabled(false);
        }
        if row.may_come_back() {
            import = import.even_if_verified_before();
        }
        Ok((import, if is_weak { "moved_in_weak" } else { "moved_in" }))
    }

    /// A secret that waits here, by an earlier run or by the user's own doing, waits on: imported
    /// once more, another one would take its place.
    fn unchanged(&self, row: &OldRow, found: Option<&Snapshot>) -> Option<&'static str> {
        if !row.is_pending() {
            return None;
        }
        let decision = self.mfa.status().decide(row.subject(), found.cloned());
        let status = decision.ok()?.untold::<Infallible>().ok()?;
        (status.state == State::Pending).then_some("already_pending")
    }

    fn forgives(refusal: &Refusal) -> Option<&'static str> {
        let Refusal::Request(Error::Rejected { rejection, .. }) = refusal else {
            return None;
        };
        let is_there = matches!(
            rejection,
            Rejection::AlreadyVerified | Rejection::VerifiedBefore
        );
        is_there.then(|| rejection.name())
    }
}
