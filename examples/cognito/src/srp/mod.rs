//! The Secure Remote Password protocol, SRP-6a, as Cognito's clients compute it: the server keeps
//! a verifier instead of the password, and neither side sends what it knows.
//!
//! Every hash is SHA-256. Numbers are hashed as [`Number::padded`] writes them, and the key that
//! signs a client's answer is derived from the outcome by HKDF (RFC 5869) for `Caldera Derived Key`.

mod group;
mod secret_block;

use aws_lc_rs::{digest, hkdf, hmac};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use softtoken::entropy::Entropy as _;
use softtoken::{OsEntropy, UnixTime};

use crate::exception::{Answer, Exception};
use group::{Exponent, Group, Number};
use secret_block::{Contents, SecretBlocks};

/// What is kept of a password for SRP.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Verifier {
    salt: Number,
    verifier: Number,
}

impl core::fmt::Debug for Verifier {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str("Verifier(..)")
    }
}

/// Who signs in, where: a secret block opens for this party alone.
#[derive(Clone, Debug)]
pub(crate) struct Party {
    pub(crate) pool: String,
    pub(crate) client: String,
    /// `USER_ID_FOR_SRP`.
    pub(crate) username: String,
}

impl Party {
    /// One text for each party, and another for every other.
    fn to_bytes(&self) -> Vec<u8> {
        let parts = [&self.pool, &self.client, &self.username];
        let parts = parts.map(|part| [&part.len().to_be_bytes(), part.as_bytes()].concat());
        parts.concat()
    }

    /// The pool's name as the clients take it: its id without the region.
    fn pool_name(&self) -> &str {
        pool_name(&self.pool)
    }
}

fn pool_name(pool: &str) -> &str {
    pool.split_once('_').map_or(pool, |(_, name)| name)
}

/// What a client is sent, by the names of the challenge's parameters.
#[derive(Debug)]
pub(crate) struct Challenge {
    pub(crate) salt: String,
    pub(crate) srp_b: String,
    pub(crate) secret_block: String,
}

/// What a client answers.
#[derive(Debug)]
pub(crate) struct Proof {
    /// The block, decoded.
    pub(crate) secret_block: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    pub(crate) timestamp: String,
}

impl Proof {
    /// Names the block, where it is one of this server's.
    pub(crate) fn id(&self) -> String {
        SecretBlocks::id(&self.secret_block)
    }
}

/// The server's side.
pub(crate) struct Srp {
    group: Group,
    blocks: SecretBlocks,
    /// Makes salts and names for those who have none: the same each time they are asked for.
    made_up: hmac::Key,
    /// What the password of nobody is checked against, so that an unknown user takes as long as a
    /// known one.
    nobody: Number,
}

impl core::fmt::Debug for Srp {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.debug_struct("Srp").finish_non_exhaustive()
    }
}

const SALT: usize = 16;

impl Srp {
    /// From two keys of 32 bytes.
    pub(crate) fn new(blocks: &[u8], made_up: &[u8]) -> Answer<Self> {
        let group = Group::default();
        let nobody = group.raise(&random()?);
        Ok(Self {
            group,
            blocks: SecretBlocks::new(blocks)?,
            made_up: hmac::Key::new(hmac::HMAC_SHA256, made_up),
            nobody,
        })
    }

    /// What is kept of a password, under a salt that nobody had.
    pub(crate) fn keep(&self, pool: &str, username: &str, password: &str) -> Answer<Verifier> {
        let mut salt = [0; SALT];
        OsEntropy.fill(&mut salt).map_err(Exception::internal)?;
        let salt = short(&salt);
        let identity = [pool_name(pool), username, ":", password].concat();
        let x = hash(&[&salt.padded(), &sha256(&[identity.as_bytes()])]);
        Ok(Verifier {
            salt,
            verifier: self.group.raise(&x),
        })
    }

    /// Answers a client's public number; whether anything is kept of this party is not to be seen.
    ///
    /// # Errors
    ///
    /// `InvalidParameterException` for a number by which a client would not need a password.
    pub(crate) fn challenge(
        &self,
        party: &Party,
        kept: Option<&Verifier>,
        srp_a: &str,
        now: UnixTime,
    ) -> Answer<Challenge> {
        let a = Number::parse(srp_a).filter(|a| !a.vanishes());
        let a = a.ok_or_else(|| Exception::invalid_parameter("SRP_A is not a public value."))?;
        // Made for everybody, so that it takes as long.
        let made_up = self.salt_of_nobody(party);
        let (salt, v) = kept.map_or((made_up, self.nobody), |kept| (kept.salt, kept.verifier));
        let b = random()?;
        let srp_b = self.group.blind(&multiplier(), &v, &b);
        let contents = Contents {
            issued: now,
            u: hash(&[&a.padded(), &srp_b.padded()]),
            b,
            a,
        };
        Ok(Challenge {
            salt: salt.to_string(),
            srp_b: srp_b.to_string(),
            secret_block: BASE64_STANDARD.encode(self.blocks.seal(party, &contents)?),
        })
    }

    /// When the block of this proof was made, where it was made for this party.
    pub(crate) fn issued(&self, party: &Party, proof: &Proof) -> Option<UnixTime> {
        let contents = self.blocks.open(party, &proof.secret_block)?;
        Some(contents.issued)
    }

    /// Whether the client knows the password of `kept`; where nothing is kept it does not.
    pub(crate) fn is_proven(&self, party: &Party, kept: Option<&Verifier>, proof: &Proof) -> bool {
        let Some(Contents { b, u, a, .. }) = self.blocks.open(party, &proof.secret_block) else {
            return false;
        };
        let v = kept.map_or(self.nobody, |kept| kept.verifier);
        let Some(key) = derived(&self.group.agree(&a, &v, &u, &b), &u) else {
            return false;
        };
        let signed = [
            party.pool_name().as_bytes(),
            party.username.as_bytes(),
            &proof.secret_block,
            proof.timestamp.as_bytes(),
        ];
        let right = hmac::verify(&key, &signed.concat(), &proof.signature).is_ok();
        right && kept.is_some()
    }

    /// How many powers it has computed.
    #[cfg(test)]
    pub(crate) fn powers(&self) -> u64 {
        self.group.powers()
    }

    /// What somebody unknown would be named by, who is asked for by this.
    pub(crate) fn name_of_nobody(&self, pool: &str, alias: &str) -> String {
        let bytes = self.made_up("name", pool, alias);
        uuid::Builder::from_random_bytes(bytes)
            .into_uuid()
            .to_string()
    }

    fn salt_of_nobody(&self, party: &Party) -> Number {
        short(&self.made_up("salt", &party.pool, &party.username))
    }

    fn made_up(&self, what: &str, pool: &str, user: &str) -> [u8; SALT] {
        let tag = hmac::sign(
            &self.made_up,
            [what, " ", pool, " ", user].concat().as_bytes(),
        );
        let mut bytes = [0; SALT];
        for (to, from) in bytes.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        bytes
    }
}

/// k, which is the same for everybody.
fn multiplier() -> Exponent {
    hash(&[&Group::MODULUS.padded(), &Group::GENERATOR.padded()])
}

/// The key of a client's signature: the first 16 bytes that HKDF gives.
fn derived(outcome: &Number, u: &Exponent) -> Option<hmac::Key> {
    struct Length;
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            16
        }
    }
    let salt = short(&<[u8; 32]>::from(u.to_be_bytes())).padded();
    let pseudorandom = hkdf::Salt::new(hkdf::HKDF_SHA256, &salt).extract(&outcome.padded());
    let mut key = [0; 16];
    let info: [&[u8]; 1] = [b"Caldera Derived Key"];
    let expanded = pseudorandom.expand(&info, Length).ok()?;
    expanded.fill(&mut key).ok()?;
    Some(hmac::Key::new(hmac::HMAC_SHA256, &key))
}

/// The number that fewer bytes stand for.
fn short(bytes: &[u8]) -> Number {
    let mut number = [0; Number::BYTES];
    for (to, from) in number.iter_mut().rev().zip(bytes.iter().rev()) {
        *to = *from;
    }
    Number::from_bytes(&number)
}

fn random() -> Answer<Exponent> {
    let mut bytes = [0; 32];
    OsEntropy.fill(&mut bytes).map_err(Exception::internal)?;
    Ok(Exponent::from_be_slice(&bytes))
}

fn hash(parts: &[&[u8]]) -> Exponent {
    Exponent::from_be_slice(&sha256(parts))
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}
