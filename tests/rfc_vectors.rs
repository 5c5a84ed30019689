//! The test vectors of RFC 4226 and RFC 6238, all of them, and those of another implementation
//! where the RFCs have none.
#![expect(clippy::unwrap_used, reason = "the vectors are valid")]

use core::time::Duration;

use softtoken::UnixTime;
use softtoken::time::Step;
use softtoken::totp::{Algorithm, Code, Digits, Secret, Totp, Verdict, Verifier, Window};

/// The keys are the digits over and over, as many as the hash has bytes.
const KEY: &[u8; 128] = b"1234567890123456789012345678901234567890123456789012345678901234\
    5678901234567890123456789012345678901234567890123456789012345678";

fn totp(algorithm: Algorithm, digits: Digits) -> Totp {
    Totp::new(algorithm, digits, Duration::from_secs(30)).unwrap()
}

fn verifier(algorithm: Algorithm, digits: Digits) -> Verifier {
    let bytes = match algorithm {
        Algorithm::Sha1 => 20,
        Algorithm::Sha256 => 32,
        Algorithm::Sha512 => 64,
    };
    let secret = Secret::from_bytes(&KEY[..bytes]).unwrap();
    Verifier::new(&secret, totp(algorithm, digits))
}

/// RFC 4226 appendix D: the truncated MAC in decimal, and the HOTP value.
const HOTP: [(&str, &str); 10] = [
    ("1284755224", "755224"),
    ("1094287082", "287082"),
    ("137359152", "359152"),
    ("1726969429", "969429"),
    ("1640338314", "338314"),
    ("868254676", "254676"),
    ("1918287922", "287922"),
    ("82162583", "162583"),
    ("673399871", "399871"),
    ("645520489", "520489"),
];

#[test]
fn rfc_4226_appendix_d() {
    for (counter, (decimal, value)) in (0..).map(Step::new).zip(HOTP) {
        assert_eq!(
            *verifier(Algorithm::Sha1, Digits::Six)
                .code(counter)
                .expose(),
            value
        );
        for digits in [Digits::Six, Digits::Seven, Digits::Eight] {
            let shown = verifier(Algorithm::Sha1, digits).code(counter).expose();
            let length = usize::from(digits.get());
            let padded = format!("{decimal:0>10}");
            assert_eq!(*shown, padded[10 - length..], "{counter:?}");
        }
    }
}

/// RFC 6238 appendix B: seconds, the step in hexadecimal, and the codes with SHA-1, SHA-256 and
/// SHA-512.
const TOTP: [(u64, u64, [&str; 3]); 6] = [
    (59, 0x1, ["94287082", "46119246", "90693936"]),
    (
        1_111_111_109,
        0x0235_23ec,
        ["07081804", "68084774", "25091201"],
    ),
    (
        1_111_111_111,
        0x0235_23ed,
        ["14050471", "67062674", "99943326"],
    ),
    (
        1_234_567_890,
        0x0273_ef07,
        ["89005924", "91819424", "93441116"],
    ),
    (
        2_000_000_000,
        0x03f9_40aa,
        ["69279037", "90698825", "38618901"],
    ),
    (
        20_000_000_000,
        0x27bc_86aa,
        ["65353130", "77737706", "47863826"],
    ),
];

const ALGORITHMS: [Algorithm; 3] = [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512];

#[test]
fn rfc_6238_appendix_b() {
    for (seconds, counter, codes) in TOTP {
        let step = Totp::STANDARD.step(UnixTime::from_secs(seconds));
        assert_eq!(step, Step::new(counter));
        for (algorithm, shown) in ALGORITHMS.into_iter().zip(codes) {
            let verifier = verifier(algorithm, Digits::Eight);
            assert_eq!(
                *verifier.code(step).expose(),
                shown,
                "{algorithm} at {seconds}"
            );
            let code = Code::parse(shown).unwrap();
            assert_eq!(
                verifier.verify(&code, step, Window::STANDARD, None),
                Verdict::Accepted { step, drift: 0 }
            );
        }
    }
}

#[test]
fn a_code_of_one_algorithm_is_none_of_another() {
    for (seconds, _, codes) in TOTP {
        let now = Totp::STANDARD.step(UnixTime::from_secs(seconds));
        for (at, shown) in codes.into_iter().enumerate() {
            for (other, algorithm) in ALGORITHMS.into_iter().enumerate() {
                let code = Code::parse(shown).unwrap();
                let verdict =
                    verifier(algorithm, Digits::Eight).verify(&code, now, Window::STANDARD, None);
                assert_eq!(verdict == Verdict::Mismatch, at != other);
            }
        }
    }
}

/// What oathtool 2.6.7 shows for the same digits at some of those times:
/// `oathtool --totp=sha1 --digits=8 --now=@59`, and the key in hexadecimal.
const LONG_KEYS: [(usize, u64, [&str; 3]); 9] = [
    (65, 59, ["65403651", "36516488", "25711220"]),
    (65, 1_111_111_109, ["53173789", "48594904", "04189229"]),
    (65, 20_000_000_000, ["58286781", "56228966", "70110357"]),
    (100, 59, ["14367600", "06763920", "65277677"]),
    (100, 1_111_111_109, ["09145114", "30819405", "52756837"]),
    (100, 20_000_000_000, ["59392826", "99227047", "98219691"]),
    (128, 59, ["57459718", "34240788", "08262687"]),
    (128, 1_111_111_109, ["10057267", "12695608", "34024475"]),
    (128, 20_000_000_000, ["90452652", "29864115", "84892998"]),
];

/// RFC 2104: longer than the block of SHA-1 and SHA-256, as long as that of SHA-512.
#[test]
fn a_key_longer_than_the_block_is_hashed_first() {
    for (bytes, seconds, codes) in LONG_KEYS {
        let secret = Secret::from_bytes(&KEY[..bytes]).unwrap();
        for (algorithm, shown) in ALGORITHMS.into_iter().zip(codes) {
            let totp = totp(algorithm, Digits::Eight);
            let step = totp.step(UnixTime::from_secs(seconds));
            let code = Verifier::new(&secret, totp).code(step);
            assert_eq!(
                *code.expose(),
                shown,
                "{bytes} bytes, {algorithm} at {seconds}"
            );
        }
    }
}
