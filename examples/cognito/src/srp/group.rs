//! The numbers of SRP: the group of 3072 bits that Cognito's clients compute in (RFC 3526 section
//! 4, generator 2), and how they write its numbers.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crypto_bigint::modular::{ConstMontyForm, ConstMontyParams};
use crypto_bigint::{U256, U3072, const_monty_params};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const_monty_params!(
    Modulus,
    U3072,
    concat!(
        "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74",
        "020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f1437",
        "4fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed",
        "ee386bfb5a899fa5ae9f24117c4b1fe649286651ece45b3dc2007cb8a163bf05",
        "98da48361c55d39a69163fa8fd24cf5f83655d23dca3ad961c62f356208552bb",
        "9ed529077096966d670c354e4abc9804f1746c08ca18217c32905e462e36ce3b",
        "e39e772c180e86039b2783a2ec07a28fb5c55df06f4c52c9de2bcbf695581718",
        "3995497cea956ae515d2261898fa051015728e5a8aaac42dad33170d04507a33",
        "a85521abdf1cba64ecfb850458dbef0a8aea71575d060c7db3970f85a6e1e4c7",
        "abf5ae8cdb0933d71e8c94e04a25619dcee3d2261ad2ee6bf12ffa06d98a0864",
        "d87602733ec86a64521f2b18177b200cbbe117577a615d6c770988c0bad946e2",
        "08e24fa074e5ab3143db5bfce0fd108e4b82d120a93ad2caffffffffffffffff",
    )
);

/// A number modulo that of the group.
type Element = ConstMontyForm<Modulus, { Modulus::LIMBS }>;

/// An exponent: every one here is a hash, or as many random bits as a hash has.
pub(super) type Exponent = U256;

/// A number of up to 3072 bits, written in hexadecimal digits without leading zeros.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Number(U3072);

impl Number {
    /// How many bytes every number fits into.
    pub(super) const BYTES: usize = 384;

    /// The number that these digits stand for.
    pub(super) fn parse(digits: &str) -> Option<Self> {
        let digits = digits.trim_start_matches('0');
        let all = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        if !all || digits.len() > 2 * Self::BYTES {
            return None;
        }
        if digits.is_empty() {
            return Some(Self(U3072::ZERO));
        }
        U3072::from_str_radix_vartime(digits, 16).ok().map(Self)
    }

    pub(super) fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        Self(U3072::from_be_slice(bytes))
    }

    pub(super) fn to_bytes(self) -> [u8; Self::BYTES] {
        self.0.to_be_bytes().into()
    }

    /// As few bytes as the number fits into with its highest bit clear: as the clients hash it.
    pub(super) fn padded(self) -> Vec<u8> {
        let bytes = self.to_bytes();
        let first = bytes.iter().position(|byte| *byte != 0);
        let bytes = bytes.get(first.unwrap_or(Self::BYTES - 1)..);
        let bytes = bytes.unwrap_or_default();
        let sign = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
        [if sign { &[0][..] } else { &[] }, bytes].concat()
    }

    /// Whether it is nothing to this group: whoever sends such a number knows the outcome without
    /// a password.
    pub(super) fn vanishes(self) -> bool {
        Element::new(&self.0) == Element::ZERO
    }
}

impl core::fmt::Display for Number {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let digits = format!("{:x}", self.0);
        match digits.trim_start_matches('0') {
            "" => formatter.write_str("0"),
            digits => formatter.write_str(digits),
        }
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let digits = String::deserialize(deserializer)?;
        Self::parse(&digits).ok_or_else(|| de::Error::custom("a number in hexadecimal digits"))
    }
}

/// Computes in the group, in time that depends on no number, and counts its powers: they are what
/// takes time, so that two answers are known to take as long.
#[derive(Default)]
pub(super) struct Group {
    powers: AtomicU64,
}

impl Group {
    pub(super) const MODULUS: Number = Number(*Modulus::PARAMS.modulus().as_ref());
    pub(super) const GENERATOR: Number = Number(U3072::from_u8(2));

    /// g^exponent.
    pub(super) fn raise(&self, exponent: &Exponent) -> Number {
        Number(
            self.power(&Element::new(&Self::GENERATOR.0), exponent)
                .retrieve(),
        )
    }

    /// k * v + g^b, what the server sends.
    pub(super) fn blind(&self, k: &Exponent, v: &Number, b: &Exponent) -> Number {
        let masked = Element::new(&k.resize()) * Element::new(&v.0);
        let power = self.power(&Element::new(&Self::GENERATOR.0), b);
        Number((masked + power).retrieve())
    }

    /// (A * v^u)^b, what both sides arrive at.
    pub(super) fn agree(&self, a: &Number, v: &Number, u: &Exponent, b: &Exponent) -> Number {
        let power = self.power(&Element::new(&v.0), u);
        Number(self.power(&(Element::new(&a.0) * power), b).retrieve())
    }

    /// How many powers it has computed.
    #[cfg(test)]
    pub(super) fn powers(&self) -> u64 {
        self.powers.load(Relaxed)
    }

    fn power(&self, base: &Element, exponent: &Exponent) -> Element {
        self.powers.fetch_add(1, Relaxed);
        base.pow(exponent)
    }
}
