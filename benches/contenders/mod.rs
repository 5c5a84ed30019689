//! Who judges a code. The key has 20 bytes with every hash; HMAC pads it to a block anyway.

use core::hint::black_box;
use core::slice::from_ref;
use core::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use softtoken::time::Step;
use softtoken::totp::{Algorithm, Code, Digits, Secret, Totp, Verdict, Verifier, Window};

use crate::interleaved::{Batch, repeated, timed};

const KEY: [u8; 20] = *b"12345678901234567890";
const PERIOD: u64 = 30;
const NOW: u64 = 1_700_000_015;
const STEP: u64 = NOW / PERIOD;

/// A code to be judged.
#[derive(Clone, Copy)]
pub(crate) struct Question {
    algorithm: Algorithm,
    /// How many steps either way the window reaches.
    window: u8,
    /// How many steps from now it is right; `None`: it is wrong.
    position: Option<i64>,
}

impl Question {
    pub(crate) fn wrong(algorithm: Algorithm, window: u8) -> Self {
        Self {
            algorithm,
            window,
            position: None,
        }
    }

    /// The right code of each position in the window.
    pub(crate) fn right(self) -> impl Iterator<Item = Self> {
        let reach = i64::from(self.window);
        (-reach..=reach).map(move |position| Self {
            position: Some(position),
            ..self
        })
    }

    /// Two compressions for each step, and two for the key, each waiting for the one before.
    pub(crate) fn limit_from_the_secret(self) -> Batch {
        self.chained(2 + self.compressions())
    }

    /// Two compressions for each step, each waiting for the one before.
    pub(crate) fn limit_from_a_prepared_key(self) -> Batch {
        self.chained(self.compressions())
    }

    /// As many compressions of SHA-1 as the limit has, but none waits for another. What that saves
    /// depends on what else is at work on the same core, and what softtoken saves does alike.
    pub(crate) fn side_by_side(self) -> Batch {
        let count = 2 + self.compressions();
        let block = Aligned([2; 64]);
        repeated(move || {
            for _ in 0..count {
                let mut state = Aligned([1; 5]);
                sha1::block_api::compress(&mut state.0, from_ref(black_box(&block.0)));
                black_box(&state);
            }
        })
    }

    pub(crate) fn softtoken_from_the_secret(self) -> Batch {
        let given = (
            secret(),
            self.totp(),
            self.window(),
            self.code(),
            Step::new(STEP),
        );
        self.judged(given, |(secret, totp, window, code, now)| {
            accepted(Verifier::new(secret, *totp).verify(code, *now, *window, None))
        })
    }

    pub(crate) fn softtoken_from_a_prepared_key(self) -> Batch {
        let given = (self.verifier(), self.window(), self.code(), Step::new(STEP));
        self.judged(given, |(verifier, window, code, now)| {
            accepted(verifier.verify(code, *now, *window, None))
        })
    }

    pub(crate) fn totp_rs(self) -> Batch {
        let algorithm = match self.algorithm {
            Algorithm::Sha1 => totp_rs::Algorithm::SHA1,
            Algorithm::Sha256 => totp_rs::Algorithm::SHA256,
            Algorithm::Sha512 => totp_rs::Algorithm::SHA512,
        };
        let totp = totp_rs::Builder::new()
            .with_algorithm(algorithm)
            .with_step_duration(PERIOD)
            .with_skew(self.window.into())
            .with_secret(KEY)
            .build()
            .unwrap();
        self.judged((totp, self.text(), NOW), |(totp, text, now)| {
            totp.check(text, *now)
        })
    }

    /// The `hmac` crate as it is commonly used, but for an early exit.
    pub(crate) fn hmac(self) -> Batch {
        match self.algorithm {
            Algorithm::Sha1 => self.reused::<Hmac<sha1::Sha1>>(),
            Algorithm::Sha256 => self.reused::<Hmac<sha2::Sha256>>(),
            Algorithm::Sha512 => self.reused::<Hmac<sha2::Sha512>>(),
        }
    }

    fn reused<M: Mac + KeyInit + Clone + 'static>(self) -> Batch {
        let keyed = <M as KeyInit>::new_from_slice(&KEY).unwrap();
        let code: u32 = self.text().parse().unwrap();
        let given = (keyed, code, STEP, u64::from(self.window));
        self.judged(given, |(keyed, code, now, reach)| {
            let mut found = None;
            for step in now - reach..=now + reach {
                let mut mac = keyed.clone();
                mac.update(&step.to_be_bytes());
                let mac = mac.finalize().into_bytes();
                let offset = usize::from(mac[mac.len() - 1] & 0xf);
                let word = mac[offset..].first_chunk().unwrap();
                if (u32::from_be_bytes(*word) & 0x7fff_ffff) % 1_000_000 == *code {
                    found = Some(step);
                }
            }
            found
        })
    }

    fn chained(self, count: u32) -> Batch {
        match self.algorithm {
            Algorithm::Sha1 => chained([1; 5], [2; 64], count, |state, block| {
                sha1::block_api::compress(state, from_ref(block));
            }),
            Algorithm::Sha256 => chained([1; 8], [2; 64], count, |state, block| {
                sha2::block_api::compress256(state, from_ref(block));
            }),
            Algorithm::Sha512 => chained([1; 8], [2; 128], count, |state, block| {
                sha2::block_api::compress512(state, from_ref(block));
            }),
        }
    }

    /// Two for each step.
    fn compressions(self) -> u32 {
        2 * (1 + 2 * u32::from(self.window))
    }

    /// A judgement that has given the right verdict. Each batch copies what it is `given` to where
    /// the others have theirs: how it lies in memory is worth some nanoseconds.
    fn judged<T: Clone + 'static>(self, given: T, judge: fn(&T) -> Option<u64>) -> Batch {
        let right = self
            .position
            .map(|position| STEP.saturating_add_signed(position));
        assert_eq!(judge(&given), right);
        Box::new(move |calls| {
            let given = given.clone();
            timed(calls, || {
                black_box(judge(black_box(&given)));
            })
        })
    }

    fn window(self) -> Window {
        Window::new(self.window, self.window).unwrap()
    }

    fn totp(self) -> Totp {
        Totp::new(self.algorithm, Digits::Six, Duration::from_secs(PERIOD)).unwrap()
    }

    fn verifier(self) -> Verifier {
        Verifier::new(&secret(), self.totp())
    }

    fn code(self) -> Code {
        let (verifier, now) = (self.verifier(), Step::new(STEP));
        match self.position {
            Some(position) => verifier.code(now.saturating_offset(position)),
            None => wrong_code(from_ref(&verifier), now),
        }
    }

    fn text(self) -> String {
        self.code().expose().to_string()
    }
}

fn secret() -> Secret {
    Secret::from_bytes(&KEY).unwrap()
}

/// A code of six digits that is right for none of them at any step near `now`.
pub(crate) fn wrong_code(verifiers: &[Verifier], now: Step) -> Code {
    let widest = Window::new(10, 10).unwrap();
    let is_wrong = |code: &Code| {
        let verdicts = verifiers.iter();
        verdicts
            .map(|verifier| verifier.verify(code, now, widest, None))
            .all(|verdict| verdict == Verdict::Mismatch)
    };
    (0..1_000_000)
        .map(|number| Code::parse(&format!("{number:06}")).unwrap())
        .find(is_wrong)
        .unwrap()
}

fn chained<S: Copy + 'static, B: Copy + 'static>(
    state: S,
    block: B,
    count: u32,
    compress: fn(&mut S, &B),
) -> Batch {
    Box::new(move |calls| {
        let mut state = Aligned(state);
        let block = Aligned(block);
        timed(calls, || {
            for _ in 0..count {
                compress(&mut state.0, black_box(&block.0));
            }
            black_box(&state);
        })
    })
}

/// A state that lies across two cache lines costs a quarter more.
#[repr(align(128))]
struct Aligned<T>(T);

fn accepted(verdict: Verdict) -> Option<u64> {
    match verdict {
        Verdict::Accepted { step, .. } => Some(step.get()),
        Verdict::Reused { .. } | Verdict::Mismatch => None,
    }
}
