//! Encodes a [`Record`] as the bytes that a store keeps.
//!
//! The first byte is the version of the format. Every version that was ever released can be read;
//! [`FORMAT`] is the one that is written.
//!
//! # Sealed
//!
//! A record holds secrets from which codes are made, so anybody who reads the database can sign in
//! as any user, and anybody who writes to it can enrol for any user. With a [`Seal`] the whole
//! record is encrypted and authenticated instead: hand one to [`Mfa::sealed`](crate::Mfa::sealed).
//! `Keyring` (feature `seal`) is one, over keys of yours, and says how they are rotated; it makes a
//! record 45 bytes longer. The manual says how a seal is
//! [introduced](crate::manual::operators#a-seal-is-introduced) where there are rows already.
//!
//! The seal binds in the format, a label of yours, the subject and the revision ([`Place`]). A
//! record opens only where this crate has written it: under this label, for this subject, at this
//! revision. A record that was copied to another subject or another table, old bytes under a newer
//! revision, and any changed bit are [`RecordError::DoesNotOpen`]; a record in the clear is
//! [`RecordError::NotSealed`], unless you [adopt](crate::Mfa::adopting_plain_records) the rows of
//! before there was a seal. Where a record does not open, nothing is judged and nothing
//! overwritten: the subject is shut out until the row is mended, the key is back, or an
//! administrator [resets](crate::association::Reset::unreadable) the row that cannot be read.
//!
//! The label ([`Mfa::seal_label`](crate::Mfa::seal_label)) is empty unless you set one. Name the
//! table and the environment in it, where one keyring serves several: otherwise a row opens in each
//! of them.
//!
//! A seal cannot see:
//!
//! - **A whole row put back**, record and revision together, by restoring a backup or by an
//!   attacker who can write to the database: codes that were spent since are accepted once more
//!   while they are valid, a token that was removed is in force again, and the throttle forgets.
//!   Keep the revision that you saw last where the same hand does not reach, and say it by
//!   [`at_least`](crate::mfa::Request::at_least).
//! - **A candidate that lost its race**: of several requests that raced for a revision, each sealed
//!   a record for it. An attacker who saw one that was not stored, and can write to the database,
//!   can put it in the winner's place.
//! - **A row deleted**: a user, or an attacker, with the password enrols anew. Keep with the user
//!   whether they have enrolled, and say so by
//!   [`expect_enrolled`](crate::mfa::Request::expect_enrolled).
//! - **That a record is there, how long it is and when it changes**, which tells a token from none.
//!
//! A seal keeps no secrets from a person who has the keys or can read the server's memory. It is
//! called while a request is decided and blocks that task: a `Seal` that asks a remote key service
//! would hold up the executor, so fetch the keys at the start.

mod error;
mod format1;
#[cfg(feature = "seal")]
mod keyring;
mod seal;

use alloc::vec::Vec;

use crate::association::Record;
use crate::scrub;

pub use error::RecordError;
#[cfg(feature = "seal")]
pub use keyring::Keyring;
pub(crate) use seal::AtRest;
pub use seal::{Place, SEALED, Seal, SealError};
#[doc(no_inline)]
pub use zeroize::Zeroizing;

/// Names the version that is written.
pub const FORMAT: u8 = 1;

/// Returns the record as bytes, in the format [`FORMAT`]; they hold secrets in the clear, and are
/// wiped when dropped.
///
/// ```
/// use softtoken::association::Record;
/// use softtoken::record;
///
/// let bytes = record::encode(&Record::default());
/// assert_eq!(bytes[0], record::FORMAT);
/// assert_eq!(record::decode(&bytes)?, Record::default());
/// # Ok::<(), record::RecordError>(())
/// ```
#[must_use]
pub fn encode(record: &Record) -> Zeroizing<Vec<u8>> {
    encode_into(record, scrub::Bytes::default()).into_zeroizing()
}

/// Encodes a record where bytes lie that are no longer needed, if it fits there.
pub(crate) fn encode_into(record: &Record, buffer: scrub::Bytes) -> scrub::Bytes {
    format1::encode(record, buffer)
}

/// Returns whether a newer version has written this row, in the clear. Such a row says nothing to
/// this version, not even that it is lost.
pub(crate) fn is_newer(row: &[u8]) -> bool {
    matches!(row, [format, ..] if *format > FORMAT && *format != SEALED)
}

/// Reads the record that these bytes are.
///
/// # Errors
///
/// [`RecordError`] where they are no record. Nothing was read from them.
pub fn decode(bytes: &[u8]) -> Result<Record, RecordError> {
    let (&format, rest) = bytes.split_first().ok_or(RecordError::Damaged)?;
    match format {
        SEALED => Err(RecordError::Sealed),
        FORMAT => format1::decode(rest),
        0 => Err(RecordError::Damaged),
        _ => Err(RecordError::UnknownFormat { format }),
    }
}
