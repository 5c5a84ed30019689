//! Holds keys that seal records.

use alloc::vec::Vec;
use core::{fmt, mem};

use chacha20poly1305::{AeadInOut as _, KeyInit as _, Tag, XChaCha20Poly1305, XNonce};
use subtle::Choice;
use zeroize::Zeroizing;

use super::{Place, RecordError, Seal, SealError};
use crate::entropy::{Entropy, NoEntropy};
use crate::keys::{Key, Keys};
use crate::reveal::reveal;

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
/// A request opens one record, and seals one where it writes. A program that is built for
/// processors with AVX2 (`-C target-cpu=x86-64-v3`) does so faster than one that is built for every
/// x86-64: to seal a record of 130 bytes took 0.7 µs instead of 1.9 µs on one machine. What is
/// sealed by either opens in both.
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
        let mut nonce = XNonce::default();
        entropy.fill(&mut nonce)?;

        let id = key.id().to_be_bytes();
        let head = id.len() + nonce.len();
        let length = head + plain.len() + size_of::<Tag>();
        // And the first byte of the row, which is put before it.
        let mut sealed = Zeroizing::new(Vec::with_capacity(1 + length));
        sealed.extend_from_slice(&id);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let tag = cipher(key)
            .encrypt_inout_detached(
                &nonce,
                &associated_data(place, key),
                sealed[head..].as_mut().into(),
            )
            .map_err(|_| SealError::Failed)?;
        sealed.extend_from_slice(&tag);
        Ok(mem::take(&mut sealed))
    }

    fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, RecordError> {
        let does_not_open = RecordError::DoesNotOpen;
        let (&id, rest) = sealed.split_first_chunk().ok_or(does_not_open)?;
        let (&nonce, rest) = rest.split_first_chunk::<24>().ok_or(does_not_open)?;
        let (ciphertext, &tag) = rest.split_last_chunk::<16>().ok_or(does_not_open)?;

        let id = u32::from_be_bytes(id);
        let key = self.0.find(id).ok_or(RecordError::UnknownKey { id })?;
        let mut plain = Zeroizing::new(ciphertext.to_vec());
        let opened = cipher(key).decrypt_inout_detached(
            &nonce.into(),
            &associated_data(place, key),
            plain.as_mut_slice().into(),
            &tag.into(),
        );
        if reveal(Choice::from(u8::from(opened.is_ok()))) {
            Ok(plain)
        } else {
            Err(does_not_open)
        }
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

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.expose().into())
}

/// Binds the key's id in as well: two ids may have one key.
fn associated_data(place: Place<'_>, key: &Key) -> Vec<u8> {
    place.associated_data_and(&key.id().to_be_bytes())
}
