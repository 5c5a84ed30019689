//! A [`Record`] as bytes: what a store keeps.
//!
//! The first byte is the version of the format. Every version that was ever released can be read; `FORMAT` is the one
//! that is written. Numbers are big-endian; what is optional begins with a byte `0` or `1`, what has a length with two
//! bytes of it; every record has one encoding.
//!
//! # Sealed
//!
//! A record holds a secret from which codes are made, so whoever reads the database can sign in as anybody, and whoever
//! writes to it can enrol for anybody. With a [`Seal`] the whole record is encrypted and authenticated instead: hand one to
//! [`Mfa::sealed`](crate::Mfa::sealed). `Keyring` (feature `seal`) is one, over keys of yours, and says how they are rotated;
//! it makes a record 45 bytes longer.
//!
//! Bound in are the subject, the revision and the format ([`Place`]). So what opens is what this crate has written for this
//! subject at this revision. A record that was copied to another subject, old bytes under a newer revision, and any
//! changed bit are [`RecordError::DoesNotOpen`]; a record in the clear is [`RecordError::NotSealed`], unless you
//! [adopt](crate::Mfa::adopting_plain_records) those of before. Then nothing is judged and nothing overwritten, not by a reset
//! either: the subject is shut out until the row is mended, or the key is back.
//!
//! A seal cannot see:
//!
//! - **A whole row put back**, record and revision together, as by restoring a backup or by who can write to the database:
//!   codes that were spent since are accepted once more while they are valid, a token that was removed is in force
//!   again, and the throttle forgets. Keep the revision that you saw last where the same hand does not reach, and say it by
//!   [`at_least`](crate::Request::at_least).
//! - **A row deleted**: whoever has the password enrols anew. Keep with the user whether they have enrolled, and say so by
//!   [`expect_enrolled`](crate::Request::expect_enrolled).
//! - **That a record is there, how long it is and when it changes**, which tells a token from none.
//!
//! It does not keep secrets from who has the keys, nor from who reads the server's memory.

#[cfg(feature = "seal")]
mod keyring;
mod seal;

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::association::{
    Association, Count, LastAnswer, Method, Pending, Preference, Proof, Record, RecoverySet, Spent,
    SpentSessions, Token, Verified,
};
use crate::time::{Step, UnixTime};
use crate::totp::{Algorithm, Digits, Secret, Totp};

#[cfg(feature = "seal")]
pub use keyring::Keyring;
pub(crate) use seal::AtRest;
pub use seal::{Place, SEALED, Seal, SealError};
#[doc(no_inline)]
pub use zeroize::Zeroizing;

/// The version that is written.
pub const FORMAT: u8 = 1;

/// Bytes that are no record. Nothing was read from them: an unreadable record is never an empty one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// A format that a newer version of this crate writes.
    #[error("the record has format {format}, which this version does not know")]
    UnknownFormat {
        /// Its first byte.
        format: u8,
    },
    /// Bytes that no version has written.
    #[error("the record is damaged")]
    Damaged,
    /// A sealed record that was changed, or that stands where it was not sealed for: another subject's, or one of
    /// another revision. Which of these cannot be told.
    #[error("the record does not open")]
    DoesNotOpen,
    /// A record that was sealed with a key that is not there, retired or never known.
    #[error("the record is sealed with key {id}, which is not in the keyring")]
    UnknownKey {
        /// The key's id, as the row has it.
        id: u32,
    },
    /// A record in the clear, where there is a seal ([`Mfa::sealed`](crate::Mfa::sealed)).
    #[error("the record is not sealed")]
    NotSealed,
    /// A sealed record, where there is no seal.
    #[error("the record is sealed, and there is nothing to open it with")]
    Sealed,
    /// The [`Seal`] failed: a key that cannot be reached, a device that does not answer. It says nothing of the record.
    #[error("the record could not be opened")]
    SealFailed,
}

/// The record as bytes, in the format [`FORMAT`]; they hold secrets in the clear, and are wiped when dropped.
///
/// ```
/// use softtoken::{Record, record};
///
/// let bytes = record::encode(&Record::default());
/// assert_eq!(bytes[0], record::FORMAT);
/// assert_eq!(record::decode(&bytes)?, Record::default());
/// # Ok::<(), record::RecordError>(())
/// ```
#[must_use]
pub fn encode(record: &Record) -> Zeroizing<Vec<u8>> {
    // Counted first: a vector that grows leaves pieces of secrets behind.
    let mut length = Counter(0);
    length.record(record);
    let mut bytes = Bytes(Zeroizing::new(Vec::with_capacity(length.0)));
    bytes.record(record);
    bytes.0
}

/// The record that these bytes are.
///
/// # Errors
///
/// [`RecordError`] where they are none. Nothing was read from them.
pub fn decode(bytes: &[u8]) -> Result<Record, RecordError> {
    let (&format, rest) = bytes.split_first().ok_or(RecordError::Damaged)?;
    if format == SEALED {
        return Err(RecordError::Sealed);
    }
    if format > FORMAT {
        return Err(RecordError::UnknownFormat { format });
    }
    let mut reader = Reader(rest);
    match (format, reader.record()) {
        (1, Ok(record)) if reader.0.is_empty() => Ok(record),
        _ => Err(RecordError::Damaged),
    }
}

struct Counter(usize);
struct Bytes(Zeroizing<Vec<u8>>);

impl Sink for Counter {
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}

impl Sink for Bytes {
    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

/// Writes format 1, in the order in which [`Reader`] reads it.
trait Sink {
    fn put(&mut self, bytes: &[u8]);

    fn byte(&mut self, value: u8) {
        self.put(&[value]);
    }

    fn number(&mut self, value: u64) {
        self.put(&value.to_be_bytes());
    }

    fn time(&mut self, time: UnixTime) {
        self.number(time.as_secs());
    }

    /// Everything of a variable length is bounded far below 64 KiB before it gets into a record.
    fn length(&mut self, length: usize) {
        self.put(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
    }

    fn sized(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.put(bytes);
    }

    fn optional<T>(&mut self, value: Option<&T>, put: impl FnOnce(&mut Self, &T)) {
        self.byte(u8::from(value.is_some()));
        if let Some(value) = value {
            put(self, value);
        }
    }

    fn record(&mut self, record: &Record) {
        self.byte(FORMAT);
        match &record.association {
            Association::Unassociated => self.byte(0),
            Association::Pending(pending) => {
                self.byte(1);
                self.pending(pending);
            }
            Association::Verified(Verified { token, replacement }) => {
                self.byte(2);
                self.token(token);
                self.optional(replacement.as_ref(), Self::pending);
            }
        }
        self.number(record.generation);
        self.put(&record.throttle.streak.to_be_bytes());
        self.put(&record.throttle.debt.to_be_bytes());
        self.time(record.throttle.debt_since);
        self.time(record.throttle.not_before);
        self.byte(match record.preference {
            Preference::Disabled => 0,
            Preference::Enabled => 1,
            Preference::Preferred => 2,
        });
        self.optional(record.recovery.as_ref(), |sink, set| {
            sink.put(&set.salt);
            sink.length(set.hashes.len());
            set.hashes.iter().for_each(|hash| sink.put(hash));
        });
        self.length(record.spent.0.len());
        for spent in &record.spent.0 {
            self.put(&spent.nonce);
            self.time(spent.expires);
        }
        self.optional(record.grants_from.as_ref(), |sink, from| sink.time(*from));
        self.optional(record.last_answer.as_ref(), |sink, answer| {
            sink.put(&answer.attempt);
            sink.number(answer.generation);
            sink.time(answer.until);
            sink.proof(&answer.proof);
        });
    }

    fn pending(&mut self, pending: &Pending) {
        self.put(&pending.id);
        self.secret(&pending.secret, pending.totp);
        self.time(pending.expires);
        self.name(pending.name.as_ref());
    }

    fn token(&mut self, token: &Token) {
        self.secret(&token.secret, token.totp);
        self.time(token.since);
        self.optional(token.proved_by.as_ref(), |sink, mark| sink.put(mark));
        self.number(token.last_step.get());
        self.put(&token.drift.to_be_bytes());
        self.name(token.name.as_ref());
        self.byte(u8::from(token.ever_enabled));
        self.byte(u8::from(token.finishes_sign_in));
    }

    fn secret(&mut self, secret: &Secret, totp: Totp) {
        self.byte(match totp.algorithm() {
            Algorithm::Sha1 => 1,
            Algorithm::Sha256 => 2,
            Algorithm::Sha512 => 3,
        });
        self.byte(totp.digits().get());
        // At most 120 s.
        self.byte(u8::try_from(totp.period().as_secs()).unwrap_or(u8::MAX));
        self.sized(secret.expose());
    }

    fn name(&mut self, name: Option<&String>) {
        self.optional(name, |sink, name| sink.sized(name.as_bytes()));
    }

    fn proof(&mut self, proof: &Proof) {
        self.byte(match proof.method {
            Method::SoftwareToken => 1,
            Method::RecoveryCode => 2,
        });
        self.optional(proof.step.as_ref(), |sink, step| sink.number(step.get()));
        self.time(proof.at);
        self.byte(u8::from(proof.first_factor));
        self.byte(u8::from(proof.end_other_sessions));
    }
}

/// No version has written this.
struct Damaged;

type Read<T> = Result<T, Damaged>;

/// Reads format 1.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| Damaged)
    }

    fn byte(&mut self) -> Read<u8> {
        self.array().map(|[byte]| byte)
    }

    fn flag(&mut self) -> Read<bool> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Damaged),
        }
    }

    fn number(&mut self) -> Read<u64> {
        self.array().map(u64::from_be_bytes)
    }

    fn time(&mut self) -> Read<UnixTime> {
        self.number().map(UnixTime::from_secs)
    }

    fn length(&mut self) -> Read<usize> {
        self.array().map(u16::from_be_bytes).map(usize::from)
    }

    /// A list, which takes no more memory than its bytes warrant.
    fn list<T>(&mut self, read: impl Fn(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        let length = self.length()?;
        (0..length).map(|_| read(self)).collect()
    }

    fn optional<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<Option<T>> {
        if self.flag()? {
            read(self).map(Some)
        } else {
            Ok(None)
        }
    }

    fn record(&mut self) -> Read<Record> {
        Ok(Record {
            association: match self.byte()? {
                0 => Association::Unassociated,
                1 => Association::Pending(self.pending()?),
                2 => Association::Verified(Verified {
                    token: self.token()?,
                    replacement: self.optional(Self::pending)?,
                }),
                _ => return Err(Damaged),
            },
            generation: self.number()?,
            throttle: Count {
                streak: self.array().map(u32::from_be_bytes)?,
                debt: self.array().map(u32::from_be_bytes)?,
                debt_since: self.time()?,
                not_before: self.time()?,
            },
            preference: match self.byte()? {
                0 => Preference::Disabled,
                1 => Preference::Enabled,
                2 => Preference::Preferred,
                _ => return Err(Damaged),
            },
            recovery: self.optional(|reader| {
                Ok(RecoverySet {
                    salt: reader.array()?,
                    hashes: reader.list(Self::array)?,
                })
            })?,
            spent: SpentSessions(self.list(|reader| {
                Ok(Spent {
                    nonce: reader.array()?,
                    expires: reader.time()?,
                })
            })?),
            grants_from: self.optional(Self::time)?,
            last_answer: self.optional(|reader| {
                Ok(LastAnswer {
                    attempt: reader.array()?,
                    generation: reader.number()?,
                    until: reader.time()?,
                    proof: reader.proof()?,
                })
            })?,
        })
    }

    fn pending(&mut self) -> Read<Pending> {
        let id = self.array()?;
        let (secret, totp) = self.secret()?;
        Ok(Pending {
            id,
            secret,
            totp,
            expires: self.time()?,
            name: self.name()?,
        })
    }

    fn token(&mut self) -> Read<Token> {
        let (secret, totp) = self.secret()?;
        Ok(Token {
            secret,
            totp,
            since: self.time()?,
            proved_by: self.optional(Self::array)?,
            last_step: self.number().map(Step::new)?,
            drift: self.drift()?,
            name: self.name()?,
            ever_enabled: self.flag()?,
            finishes_sign_in: self.flag()?,
        })
    }

    fn drift(&mut self) -> Read<i16> {
        let drift = self.array().map(i16::from_be_bytes)?;
        // The furthest that resynchronising reaches, and the step after.
        if (-121..=121).contains(&drift) {
            Ok(drift)
        } else {
            Err(Damaged)
        }
    }

    fn secret(&mut self) -> Read<(Secret, Totp)> {
        let algorithm = match self.byte()? {
            1 => Algorithm::Sha1,
            2 => Algorithm::Sha256,
            3 => Algorithm::Sha512,
            _ => return Err(Damaged),
        };
        let digits = Digits::try_from(self.byte()?).map_err(|_| Damaged)?;
        let period = Duration::from_secs(self.byte()?.into());
        let length = self.length()?;
        let secret = Secret::from_bytes(self.take(length)?).map_err(|_| Damaged)?;
        let totp = Totp::new(algorithm, digits, period).map_err(|_| Damaged)?;
        Ok((secret, totp))
    }

    fn name(&mut self) -> Read<Option<String>> {
        self.optional(|reader| {
            let length = reader.length()?;
            let name = core::str::from_utf8(reader.take(length)?).map_err(|_| Damaged)?;
            Ok(name.into())
        })
    }

    fn proof(&mut self) -> Read<Proof> {
        Ok(Proof {
            method: match self.byte()? {
                1 => Method::SoftwareToken,
                2 => Method::RecoveryCode,
                _ => return Err(Damaged),
            },
            step: self.optional(|reader| reader.number().map(Step::new))?,
            at: self.time()?,
            first_factor: self.flag()?,
            end_other_sessions: self.flag()?,
        })
    }
}
