//! Remembers the challenge sessions that have succeeded, and will not again.

use alloc::vec::Vec;

use crate::association::credential::Claims;
use crate::association::names::Nonce;
use crate::time::UnixTime;

/// Holds a session that has succeeded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Spent {
    pub(crate) nonce: Nonce,
    pub(crate) expires: UnixTime,
}

/// Holds the sessions that have succeeded and would still be alive.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct SpentSessions(pub(crate) Vec<Spent>);

impl SpentSessions {
    /// Limits the sessions that are kept, whatever the factor.
    pub(crate) const MOST: usize = 64;

    pub(crate) fn contains(&self, nonce: &Nonce) -> bool {
        self.0.iter().any(|spent| spent.nonce == *nonce)
    }

    /// Returns when there will be room for another one; `None` where there is room now.
    pub(crate) fn full_until(&self, now: UnixTime) -> Option<UnixTime> {
        let alive = || self.0.iter().filter(|spent| spent.expires > now);
        if alive().count() < Self::MOST {
            return None;
        }
        alive().map(|spent| spent.expires).min()
    }

    pub(crate) fn spend(&mut self, claims: &Claims, now: UnixTime) {
        self.0.retain(|spent| spent.expires > now);
        self.0.push(Spent {
            nonce: claims.nonce,
            expires: claims.expires,
        });
    }
}
