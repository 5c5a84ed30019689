//! The client's side of SRP, by another library's numbers: as Cognito's clients compute it.

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use num_bigint::{BigInt, BigUint};
use serde_json::{Value, json};

use super::text;

const N: &str = concat!(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74",
    "020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437",
    "4FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED",
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF05",
    "98DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB",
    "9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B",
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF695581718",
    "3995497CEA956AE515D2261898FA051015728E5A8AAAC42DAD33170D04507A33",
    "A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7",
    "ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864",
    "D87602733EC86A64521F2B18177B200CBBE117577A615D6C770988C0BAD946E2",
    "08E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF",
);

pub(crate) fn modulus() -> BigUint {
    number(N)
}

fn number(digits: &str) -> BigUint {
    BigUint::parse_bytes(digits.as_bytes(), 16).expect("hexadecimal digits")
}

/// As a signed number, which is how the clients hash.
fn padded(number: &BigUint) -> Vec<u8> {
    BigInt::from(number.clone()).to_signed_bytes_be()
}

fn hash(parts: &[&[u8]]) -> BigUint {
    BigUint::from_bytes_be(digest::digest(&digest::SHA256, &parts.concat()).as_ref())
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, message).as_ref().to_vec()
}

/// A client with a secret exponent of its own.
pub(crate) struct SrpClient {
    a: BigUint,
}

impl SrpClient {
    pub(crate) fn new() -> Self {
        let secret = [uuid(), uuid(), uuid(), uuid()].concat();
        Self {
            a: BigUint::from_bytes_be(&secret),
        }
    }

    /// `SRP_A`.
    pub(crate) fn public(&self) -> String {
        self.value().to_str_radix(16)
    }

    fn value(&self) -> BigUint {
        BigUint::from(2_u8).modpow(&self.a, &modulus())
    }

    /// The responses that prove this password.
    pub(crate) fn prove(&self, pool: &str, parameters: &Value, password: &str) -> Value {
        let pool = pool.split('_').nth(1).expect("a region and a name");
        let user = text(parameters, "/USER_ID_FOR_SRP");
        let block = text(parameters, "/SECRET_BLOCK");
        let salt = padded(&number(&text(parameters, "/SALT")));
        let server = number(&text(parameters, "/SRP_B"));
        let identity = format!("{pool}{user}:{password}");
        let identity = digest::digest(&digest::SHA256, identity.as_bytes());
        let x = hash(&[&salt, identity.as_ref()]);
        let u = hash(&[&padded(&self.value()), &padded(&server)]);
        let k = hash(&[&padded(&modulus()), &[2]]);
        let verifier = BigUint::from(2_u8).modpow(&x, &modulus());
        let base = (server + &modulus() * k.clone() - k * verifier) % modulus();
        let outcome = base.modpow(&(&self.a + &u * x), &modulus());
        let pseudorandom = hmac(&padded(&u), &padded(&outcome));
        let key = hmac(&pseudorandom, b"Caldera Derived Key\x01");
        let timestamp = "Tue Nov 14 22:13:20 UTC 2023";
        let signed = [
            pool.as_bytes(),
            user.as_bytes(),
            &BASE64_STANDARD.decode(&block).expect("base64"),
            timestamp.as_bytes(),
        ];
        let signature = hmac(&key[..16], &signed.concat());
        json!({
            "USERNAME": text(parameters, "/USERNAME"),
            "PASSWORD_CLAIM_SECRET_BLOCK": block,
            "PASSWORD_CLAIM_SIGNATURE": BASE64_STANDARD.encode(signature),
            "TIMESTAMP": timestamp,
        })
    }
}

fn uuid() -> [u8; 16] {
    *uuid::Uuid::new_v4().as_bytes()
}
