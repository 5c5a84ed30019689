//! `SECRET_BLOCK`: what the server has to know again when a client proves a password, sealed, so
//! that nothing is kept of sign-ins that never come back.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use softtoken::UnixTime;

use super::Party;
use super::group::{Exponent, Number};
use crate::exception::{Answer, Exception};

/// What is sealed.
pub(super) struct Contents {
    pub(super) issued: UnixTime,
    /// The server's secret exponent.
    pub(super) b: Exponent,
    /// The hash of both public numbers.
    pub(super) u: Exponent,
    /// The client's public number.
    pub(super) a: Number,
}

const TIME: usize = 8;
const EXPONENT: usize = 32;
const LENGTH: usize = TIME + 2 * EXPONENT + Number::BYTES;

impl Contents {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(LENGTH + AES_256_GCM.tag_len());
        bytes.extend(self.issued.as_secs().to_be_bytes());
        bytes.extend(<[u8; EXPONENT]>::from(self.b.to_be_bytes()));
        bytes.extend(<[u8; EXPONENT]>::from(self.u.to_be_bytes()));
        bytes.extend(self.a.to_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (issued, bytes) = bytes.split_first_chunk::<TIME>()?;
        let (b, bytes) = bytes.split_first_chunk::<EXPONENT>()?;
        let (u, bytes) = bytes.split_first_chunk::<EXPONENT>()?;
        Some(Self {
            issued: UnixTime::from_secs(u64::from_be_bytes(*issued)),
            b: Exponent::from_be_slice(b),
            u: Exponent::from_be_slice(u),
            a: Number::from_bytes(bytes.try_into().ok()?),
        })
    }
}

/// Seals and opens blocks, under one key.
pub(super) struct SecretBlocks(RandomizedNonceKey);

impl SecretBlocks {
    pub(super) fn new(key: &[u8]) -> Answer<Self> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, key);
        Ok(Self(key.map_err(Exception::internal)?))
    }

    /// A block that opens for this party alone.
    pub(super) fn seal(&self, party: &Party, contents: &Contents) -> Answer<Vec<u8>> {
        let mut bytes = contents.to_bytes();
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(party.to_bytes()), &mut bytes);
        let nonce = nonce.map_err(Exception::internal)?;
        Ok([nonce.as_ref().as_slice(), &bytes].concat())
    }

    /// No two blocks have the same: the random nonce.
    pub(super) fn id(block: &[u8]) -> String {
        let nonce = block.get(..NONCE_LEN).unwrap_or_default();
        format!("secret block {}", BASE64_STANDARD.encode(nonce))
    }

    pub(super) fn open(&self, party: &Party, block: &[u8]) -> Option<Contents> {
        let (nonce, sealed) = block.split_first_chunk::<NONCE_LEN>()?;
        let mut sealed = sealed.to_vec();
        let bytes =
            self.0
                .open_in_place(Nonce::from(nonce), Aad::from(party.to_bytes()), &mut sealed);
        Contents::from_bytes(bytes.ok()?)
    }
}
