//! Writes and reads a record in format 1.
//!
//! Numbers are big-endian; what is optional begins with a byte `0` or `1`, what has a length with
//! two bytes of it; every record has one encoding.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use super::{FORMAT, RecordError};
use crate::association::{
    Count, FactorsFrom, LastAnswer, Method, Pending, Preference, Proof, Record, Recovery,
    RecoveryCodes, RecoverySet, Spent, SpentSessions, TemporaryCode, Token, TokenId,
};
use crate::policy::Policy;
use crate::scrub;
use crate::time::{Step, UnixTime};
use crate::totp::{Algorithm, Digits, Secret, Totp};

/// Encodes a record over what this buffer holds, or into a new one where the record is longer: a
/// vector that grows would leave pieces of secrets behind.
pub(super) fn encode(record: &Record, mut buffer: scrub::Bytes) -> scrub::Bytes {
    let length = write(record, buffer.as_mut_slice());
    if length <= buffer.len() {
        buffer.truncate(length);
        return buffer;
    }
    let mut buffer = scrub::Bytes::zeros(length);
    write(record, buffer.as_mut_slice());
    buffer
}

/// Writes as much of the record as there is room for, and returns how long it is.
fn write(record: &Record, room: &mut [u8]) -> usize {
    let mut writer = Writer { room, length: 0 };
    writer.record(record);
    writer.length
}

/// Reads the record that follows the byte of the format.
pub(super) fn decode(bytes: &[u8]) -> Result<Record, RecordError> {
    Reader(bytes).record()
}

/// Writes in the order in which [`Reader`] reads.
struct Writer<'a> {
    room: &'a mut [u8],
    /// Counts what has been put, whether or not there was room.
    length: usize,
}

impl Writer<'_> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.length += bytes.len();
        // Where one part had no room, none is left for those after it.
        if let Some((head, rest)) = mem::take(&mut self.room).split_at_mut_checked(bytes.len()) {
            head.copy_from_slice(bytes);
            self.room = rest;
        }
    }

    fn byte(&mut self, value: u8) {
        self.put(&[value]);
    }

    fn flag(&mut self, value: bool) {
        self.byte(u8::from(value));
    }

    fn count(&mut self, value: u32) {
        self.put(&value.to_be_bytes());
    }

    fn number(&mut self, value: u64) {
        self.put(&value.to_be_bytes());
    }

    fn time(&mut self, time: UnixTime) {
        self.number(time.as_secs());
    }

    /// Writes a length: everything of a variable length is bounded far below 64 KiB before it gets
    /// into a record.
    fn length(&mut self, length: usize) {
        self.put(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
    }

    fn sized(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.put(bytes);
    }

    fn optional<T>(&mut self, value: Option<T>, put: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            put(self, value);
        }
    }

    fn list<T>(&mut self, values: &[T], put: impl Fn(&mut Self, &T)) {
        self.length(values.len());
        for value in values {
            put(self, value);
        }
    }

    fn record(&mut self, record: &Record) {
        self.byte(FORMAT);
        self.list(&record.tokens, Self::token);
        self.optional(record.pending.as_deref(), Self::pending);
        self.number(record.generation);
        self.optional(record.factors_from, |writer, from| {
            writer.number(from.generation);
            writer.time(from.time);
        });
        self.flag(record.ever_verified);
        self.count(record.throttle.streak);
        self.count(record.throttle.debt);
        self.time(record.throttle.debt_since);
        self.count(record.throttle.suspicion);
        self.time(record.throttle.not_before);
        self.byte(match record.preference {
            Preference::Disabled => 0,
            Preference::Enabled => 1,
            Preference::Preferred => 2,
        });
        self.flag(record.asked);
        self.optional(record.off_from, Self::time);
        self.recovery(&record.recovery);
        self.list(&record.spent.0, |writer, spent| {
            writer.put(&spent.nonce);
            writer.time(spent.expires);
        });
        self.optional(record.grants_from, Self::time);
        self.number(record.browsers_from);
        self.optional(record.exported, Self::time);
        self.optional(record.last_answer.as_deref(), |writer, answer| {
            writer.put(&answer.attempt);
            writer.number(answer.generation);
            writer.time(answer.until);
            writer.proof(&answer.proof);
        });
    }

    fn recovery(&mut self, recovery: &Recovery) {
        self.optional(recovery.set.as_ref(), |writer, set| {
            writer.put(&set.salt);
            writer.list(&set.hashes, |writer, hash| writer.put(hash));
        });
        self.optional(recovery.temporary.as_deref(), |writer, code| {
            writer.put(&code.salt);
            writer.put(&code.hash);
            writer.time(code.expires);
        });
        self.count(recovery.wrong);
    }

    fn pending(&mut self, pending: &Pending) {
        self.id(pending.id);
        self.secret(&pending.secret, pending.totp);
        self.time(pending.expires);
        self.name(pending.name.as_deref());
        self.optional(pending.replaces, Self::id);
    }

    fn token(&mut self, token: &Token) {
        self.id(token.id);
        self.secret(&token.secret, token.totp);
        self.time(token.since);
        self.optional(token.proved_by.as_ref(), |writer, mark| writer.put(mark));
        self.number(token.last_step.get());
        self.optional(token.last_used, Self::time);
        self.put(&token.drift.to_be_bytes());
        self.name(token.name.as_deref());
        self.flag(token.unfinished);
    }

    fn id(&mut self, id: TokenId) {
        self.put(&id.0);
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

    fn name(&mut self, name: Option<&str>) {
        self.optional(name, |writer, name| writer.sized(name.as_bytes()));
    }

    fn proof(&mut self, proof: &Proof) {
        self.byte(match proof.method {
            Method::SoftwareToken => 1,
            Method::RecoveryCode => 2,
            Method::TemporaryCode => 3,
            Method::Vouched => 4,
        });
        self.optional(proof.token, Self::id);
        self.optional(proof.step, |writer, step| writer.number(step.get()));
        self.time(proof.at);
        self.optional(proof.first_factor, Self::time);
        self.flag(proof.end_other_logins);
    }
}

/// Says that no version has written these bytes.
struct Damaged;

type Read<T> = Result<T, Damaged>;

impl From<Damaged> for RecordError {
    fn from(Damaged: Damaged) -> Self {
        Self::Damaged
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    #[inline]
    fn take(&mut self, length: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| Damaged)
    }

    #[inline]
    fn byte(&mut self) -> Read<u8> {
        self.array().map(|[byte]| byte)
    }

    #[inline]
    fn flag(&mut self) -> Read<bool> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Damaged),
        }
    }

    #[inline]
    fn count(&mut self) -> Read<u32> {
        self.array().map(u32::from_be_bytes)
    }

    #[inline]
    fn number(&mut self) -> Read<u64> {
        self.array().map(u64::from_be_bytes)
    }

    #[inline]
    fn time(&mut self) -> Read<UnixTime> {
        self.number().map(UnixTime::from_secs)
    }

    #[inline]
    fn step(&mut self) -> Read<Step> {
        self.number().map(Step::new)
    }

    #[inline]
    fn length(&mut self) -> Read<usize> {
        self.array().map(u16::from_be_bytes).map(usize::from)
    }

    /// Reads a list of at most so many, for which there is room from the start: a vector that grows
    /// moves what it has.
    #[inline]
    fn list<T>(&mut self, most: usize, read: impl Fn(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        let length = self.length()?;
        if length > most {
            return Err(Damaged);
        }
        let mut values = Vec::with_capacity(length);
        for _ in 0..length {
            values.push(read(self)?);
        }
        Ok(values)
    }

    #[inline]
    fn optional<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<Option<T>> {
        if self.flag()? {
            read(self).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Reads what nothing may follow. Told here, so that the record is not moved to be looked at.
    fn last<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        let last = read(self)?;
        if self.0.is_empty() {
            Ok(last)
        } else {
            Err(Damaged)
        }
    }

    fn record(&mut self) -> Result<Record, RecordError> {
        Ok(Record {
            tokens: self.list(Policy::MAX_TOKENS, Self::token)?,
            pending: self.optional(|reader| reader.pending().map(Box::new))?,
            generation: self.number()?,
            factors_from: self.optional(|reader| {
                Ok(FactorsFrom {
                    generation: reader.number()?,
                    time: reader.time()?,
                })
            })?,
            ever_verified: self.flag()?,
            throttle: Count {
                streak: self.count()?,
                debt: self.count()?,
                debt_since: self.time()?,
                suspicion: self.count()?,
                not_before: self.time()?,
            },
            preference: match self.byte()? {
                0 => Preference::Disabled,
                1 => Preference::Enabled,
                2 => Preference::Preferred,
                _ => Err(Damaged)?,
            },
            asked: self.flag()?,
            off_from: self.optional(Self::time)?,
            recovery: self.recovery()?,
            spent: SpentSessions(self.list(SpentSessions::MOST, |reader| {
                Ok(Spent {
                    nonce: reader.array()?,
                    expires: reader.time()?,
                })
            })?),
            grants_from: self.optional(Self::time)?,
            browsers_from: self.number()?,
            exported: self.optional(Self::time)?,
            last_answer: self.last(|reader| {
                reader.optional(|reader| {
                    Ok(Box::new(LastAnswer {
                        attempt: reader.array()?,
                        generation: reader.number()?,
                        until: reader.time()?,
                        proof: reader.proof()?,
                    }))
                })
            })?,
        })
    }

    fn recovery(&mut self) -> Read<Recovery> {
        Ok(Recovery {
            set: self.optional(|reader| {
                Ok(RecoverySet {
                    salt: reader.array()?,
                    hashes: reader.list(RecoveryCodes::COUNT, Self::array)?,
                })
            })?,
            temporary: self.optional(|reader| {
                Ok(Box::new(TemporaryCode {
                    salt: reader.array()?,
                    hash: reader.array()?,
                    expires: reader.time()?,
                }))
            })?,
            wrong: self.count()?,
        })
    }

    fn pending(&mut self) -> Read<Pending> {
        let id = self.id()?;
        let (secret, totp) = self.secret()?;
        Ok(Pending {
            id,
            secret,
            totp,
            expires: self.time()?,
            name: self.name()?,
            replaces: self.optional(Self::id)?,
        })
    }

    fn token(&mut self) -> Read<Token> {
        let id = self.id()?;
        let (secret, totp) = self.secret()?;
        Ok(Token {
            id,
            secret,
            totp,
            since: self.time()?,
            proved_by: self.optional(Self::array)?,
            last_step: self.step()?,
            last_used: self.optional(Self::time)?,
            drift: self.drift()?,
            name: self.name()?,
            unfinished: self.flag()?,
        })
    }

    fn id(&mut self) -> Read<TokenId> {
        self.array().map(TokenId)
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

    fn name(&mut self) -> Read<Option<Arc<str>>> {
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
                3 => Method::TemporaryCode,
                4 => Method::Vouched,
                _ => return Err(Damaged),
            },
            token: self.optional(Self::id)?,
            step: self.optional(Self::step)?,
            at: self.time()?,
            first_factor: self.optional(Self::time)?,
            end_other_logins: self.flag()?,
        })
    }
}
