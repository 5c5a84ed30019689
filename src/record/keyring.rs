//! Holds keys that seal records.

use alloc::vec::Vec;
use core::{fmt, mem};

use orion::hazardous::aead::xchacha20poly1305::{Nonce, SecretKey, Tag, XChaCha20Poly1305};
use subtle::Choice;
use zeroize::Zeroizing;

use super::{Place, RecordError, Seal, SealError};
use crate::entropy::{Entropy, NoEntropy, draw};
use crate::keys::{Key, Keys};
use crate::reveal::reveal;
use crate::scrub;

/// Holds the keys that seal records: the current one seals, all of them open, each by its id.
///
/// The cipher is XChaCha20-Poly1305, whose nonces are long enough to be drawn at random for as many
/// records as there will ever be.
///
/// Give every process of the server the same keys, and keep the keys where the database's backups
/// are not: a record whose key is lost is lost. Use an id for one key, ever.
///
/// ```
/// use softtoken::record::{Keyring, SEALED};
/// use softtoken::{BlockingStore, Grant, MemoryStore, Mfa, OsEntropy, Policy};
///
/// # fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let store = MemoryStore::new();
/// # let key = [7; 32];
/// let mfa = Mfa::system(Policy::STANDARD)
///     .sealed(Keyring::from_bytes(1, &key))
///     .seal_label("production/softtoken");
/// let grant = Grant::first_factor("user-1", mfa.now()?);
/// let issued = mfa.associate(&grant).run_blocking(&store, "user-1")?;
///
/// let row = store.load_blocking("user-1")?.expect("it was stored");
/// assert_eq!(row.record[0], SEALED);
/// let secret = issued.secret().expose();
/// assert!(!row.record.windows(secret.len()).any(|bytes| bytes == secret));
/// # Ok(())
/// # }
/// ```
///
/// # To rotate
///
/// 1. Let all processes open with the new key ([`also_open`](Self::also_open)).
/// 2. Once they do, let all of them seal with it ([`rotate`](Self::rotate)). Every write from now
///    on is sealed with the new key.
/// 3. Reseal all rows by [`Rows::reseal`](crate::rows::Rows::reseal), while users sign in. Rows
///    that are under the new key already are left as they are.
/// 4. Once no row names the old key, [`retire`](Self::retire) it. An old row that somebody puts
///    back is refused from then on.
///
/// A label is rotated by the same steps, with
/// [`Mfa::also_open_seal_label`](crate::Mfa::also_open_seal_label) first. No row names its label,
/// so reseal every subject before the old label is left out.
///
/// ```
/// use softtoken::record::Keyring;
/// use softtoken::{Administrator, BlockingStore, MemoryStore, Mfa, Policy};
///
/// # fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let (old, new) = ([1; 32], [2; 32]);
/// # let store = MemoryStore::new();
/// # let admin = Administrator::named("root");
/// let keyring = Keyring::from_bytes(1, &old);
/// let before = Mfa::system(Policy::STANDARD).sealed(keyring.clone());
/// before.reset(&admin).run_blocking(&store, "user-1")?;
///
/// let mut rotated = keyring;
/// rotated.rotate(2, &new);
/// let mfa = Mfa::system(Policy::STANDARD).sealed(rotated);
/// mfa.reseal().run_blocking(&store, "user-1")?;
/// let row = store.load_blocking("user-1")?.expect("it was stored");
/// assert_eq!(row.record[1..5], 2_u32.to_be_bytes());
/// # Ok(())
/// # }
/// ```
///
/// # What it costs
///
/// A request opens one record, and seals one where it writes. To do either to the record of a user
/// with one token took three times as long as to judge a code, 0.8 µs on one machine. To draw the
/// nonce from the operating system took another 0.4 µs, where each draw was a system call; a
/// [`Seal`] of your own over a library in assembly took half of the 0.8 µs, in the same format.
///
/// # In the row
///
/// | bytes | |
/// |---|---|
/// | 1 | [`SEALED`](super::SEALED) |
/// | 4 | the key's id, big-endian |
/// | 24 | the nonce |
/// | as many as the record has | the ciphertext |
/// | 16 | the tag |
///
/// So a sealed record is 45 bytes longer than the same record in the clear; and the rows that still
/// name key 1 are those with `substr(record, 1, 5) = '\x8100000001'` in PostgreSQL,
/// `= x'8100000001'` in SQLite and MySQL.
#[derive(Clone)]
pub struct Keyring(Keys);

impl Keyring {
    /// Generates one new key under this id. It exists nowhere else, so what the key seals opens in
    /// this process only: for tests, and for rows that live no longer than the process.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`] where the source fails. There is no key then.
    pub fn generate(id: u32, entropy: &dyn Entropy) -> Result<Self, NoEntropy> {
        Keys::generate(id, entropy).map(Self)
    }

    /// Takes one key under this id. The 32 bytes come from a cryptographic generator, and are used
    /// for nothing else.
    #[must_use]
    pub fn from_bytes(id: u32, bytes: &[u8; 32]) -> Self {
        Self(Keys::from_bytes(id, bytes))
    }

    /// Seals with this key from now on; the keys before it go on opening. A key that had this id is
    /// forgotten.
    pub fn rotate(&mut self, id: u32, bytes: &[u8; 32]) {
        self.0.rotate(id, bytes);
    }

    /// Opens with this key as well from now on, and goes on sealing as before. A key that had this
    /// id is forgotten, unless it is the one that seals.
    pub fn also_open(&mut self, id: u32, bytes: &[u8; 32]) {
        self.0.also_open(id, bytes);
    }

    /// Forgets the key with this id, unless it is the one that seals. Records that the key has
    /// sealed open no more ([`RecordError::UnknownKey`]), until the key is back.
    pub fn retire(&mut self, id: u32) {
        self.0.retire(id);
    }
}

impl Seal for Keyring {
    fn seal(
        &self,
        place: Place<'_>,
        entropy: &dyn Entropy,
        plain: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        let key = self.0.current();
        let nonce = draw::<NONCE>(entropy)?;
        let id = key.id().to_be_bytes();
        let head = id.len() + NONCE;
        let end = head + plain.len();

        // The bytes to bind in lie after the text, where the tag is put then, and one is left for
        // the first byte of the row, which is put before it: a buffer that grows leaves pieces.
        let mut sealed = Zeroizing::new(Vec::with_capacity(1 + end + bound_len(place).max(TAG)));
        sealed.extend_from_slice(&id);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        bind(&mut sealed, place, key);
        let (row, bound) = sealed.split_at_mut(end);
        let tag = encrypt(key, &nonce, bound, &mut row[head..]).ok_or(SealError::Failed)?;
        sealed.truncate(end);
        sealed.extend_from_slice(&tag);
        Ok(mem::take(&mut sealed))
    }

    fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, RecordError> {
        let does_not_open = RecordError::DoesNotOpen;
        let (&id, rest) = sealed.split_first_chunk().ok_or(does_not_open)?;
        let (nonce, rest) = rest.split_first_chunk().ok_or(does_not_open)?;
        let (ciphertext, tag) = rest.split_last_chunk().ok_or(does_not_open)?;

        let id = u32::from_be_bytes(id);
        let key = self.0.find(id).ok_or(RecordError::UnknownKey { id })?;
        let end = ciphertext.len();
        let mut plain = Zeroizing::new(Vec::with_capacity(end + bound_len(place)));
        plain.extend_from_slice(ciphertext);
        bind(&mut plain, place, key);
        let (text, bound) = plain.split_at_mut(end);
        if !reveal(Choice::from(u8::from(decrypt(
            key, nonce, bound, text, tag,
        )))) {
            return Err(does_not_open);
        }
        plain.truncate(end);
        Ok(plain)
    }

    fn is_current(&self, sealed: &[u8]) -> bool {
        let current = self.0.current().id().to_be_bytes();
        sealed.first_chunk() == Some(&current)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

const NONCE: usize = 24;
const TAG: usize = 16;

fn bound_len(place: Place<'_>) -> usize {
    place.associated_data_len() + size_of::<u32>()
}

/// Writes down what is bound in: the place, and the key's id as well, since two ids may have one
/// key.
fn bind(bytes: &mut Vec<u8>, place: Place<'_>, key: &Key) {
    place.extend_with_associated_data(bytes);
    bytes.extend_from_slice(&key.id().to_be_bytes());
}

/// Makes the text its ciphertext, and returns the tag. What the cipher had on the stack is wiped.
fn encrypt(key: &Key, nonce: &[u8; NONCE], bound: &[u8], text: &mut [u8]) -> Option<[u8; TAG]> {
    let tag = on_the_stack(|| {
        let (key, nonce) = parameters(key, nonce)?;
        XChaCha20Poly1305::seal_inplace(&key, &nonce, Some(bound), text).ok()
    })?;
    tag.unprotected_as_ref().try_into().ok()
}

/// Makes the ciphertext its text, where the tag is the right one.
fn decrypt(key: &Key, nonce: &[u8; NONCE], bound: &[u8], text: &mut [u8], tag: &[u8; TAG]) -> bool {
    let opened = on_the_stack(|| {
        let (key, nonce) = parameters(key, nonce)?;
        let tag = Tag::try_from(tag).ok()?;
        XChaCha20Poly1305::open_inplace(&key, &nonce, &tag, Some(bound), text).ok()
    });
    opened.is_some()
}

fn parameters(key: &Key, nonce: &[u8; NONCE]) -> Option<(SecretKey, Nonce)> {
    let key = SecretKey::try_from(key.expose()).ok()?;
    Some((key, Nonce::try_from(nonce).ok()?))
}

/// Wipes what this leaves on the stack.
fn on_the_stack<T>(run: impl FnOnce() -> T) -> T {
    #[inline(never)]
    fn below<T>(run: impl FnOnce() -> T) -> T {
        run()
    }
    let done = below(run);
    scrub::stack();
    done
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing step fails the test")]
mod tests {
    use super::*;
    use crate::revision::Revision;

    /// A buffer that grows frees what it held without wiping it.
    #[test]
    fn a_row_has_room_from_the_start_and_so_has_what_opens() {
        let keyring = Keyring::from_bytes(1, &[1; 32]);
        let place = Place::new("alice", Revision::FIRST).labelled(b"production");
        let zeros = |bytes: &mut [u8]| {
            bytes.fill(0);
            Ok(())
        };
        for length in [0, 1, 100, 1000] {
            let row = keyring.seal(place, &zeros, &[7; 1000][..length]).unwrap();
            // One byte is put before it; what is bound in lay where the tag is.
            let begun = 1 + row.len() - TAG;
            assert_eq!(row.capacity(), begun + bound_len(place));
            let plain = keyring.open(place, &row).unwrap();
            assert_eq!(plain.capacity(), length + bound_len(place));
        }
        let bound = place.associated_data();
        assert_eq!(bound.capacity(), bound.len());
        assert_eq!(bound_len(place), bound.len() + size_of::<u32>());
    }
}
