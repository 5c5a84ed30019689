//! The verifier against the `hmac` crate and the words of RFC 4226, and its window and floor to the
//! step.
#![expect(clippy::unwrap_used, reason = "the keys and codes are valid")]

use core::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use proptest::prelude::*;
use softtoken::time::Step;
use softtoken::totp::{Algorithm, Code, Digits, Secret, Totp, Verdict, Verifier, Window};

const ALGORITHMS: [Algorithm; 3] = [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512];
const LENGTHS: [Digits; 3] = [Digits::Six, Digits::Seven, Digits::Eight];

/// RFC 4226 section 5.3, to the letter.
fn oracle(key: &[u8], algorithm: Algorithm, digits: Digits, step: u64) -> String {
    macro_rules! digest {
        ($hash:ty) => {
            Hmac::<$hash>::new_from_slice(key)
                .unwrap()
                .chain_update(step.to_be_bytes())
                .finalize()
                .into_bytes()
                .to_vec()
        };
    }
    let mac = match algorithm {
        Algorithm::Sha1 => digest!(sha1::Sha1),
        Algorithm::Sha256 => digest!(sha2::Sha256),
        Algorithm::Sha512 => digest!(sha2::Sha512),
    };
    let offset = usize::from(mac.last().unwrap() & 0xf);
    let bytes = mac[offset..offset + 4].try_into().unwrap();
    let value = u32::from_be_bytes(bytes) & 0x7fff_ffff;
    let length = usize::from(digits.get());
    format!("{:0length$}", value % 10_u32.pow(digits.get().into()))
}

fn totp(algorithm: Algorithm, digits: Digits) -> Totp {
    Totp::new(algorithm, digits, Duration::from_secs(30)).unwrap()
}

fn verifier(digits: Digits) -> Verifier {
    let secret = Secret::from_bytes(b"12345678901234567890").unwrap();
    Verifier::new(&secret, totp(Algorithm::Sha1, digits))
}

fn accepted(step: u64, now: u64) -> Verdict {
    let drift = i64::try_from(i128::from(step) - i128::from(now)).unwrap();
    Verdict::Accepted {
        step: Step::new(step),
        drift,
    }
}

fn reused(step: u64) -> Verdict {
    Verdict::Reused {
        step: Step::new(step),
    }
}

fn window(back: u8, forward: u8) -> Window {
    Window::new(back, forward).unwrap()
}

/// Any time, and those near both ends of it.
fn times() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..60_u64,
        0..u64::MAX,
        (0..60_u64).prop_map(|from_end| u64::MAX - from_end)
    ]
}

fn windows() -> impl Strategy<Value = Window> {
    (
        0..=10_u8,
        0..=10_u8,
        prop_oneof![Just(0), -25..=25_i16, any::<i16>()],
    )
        .prop_map(|(back, forward, drift)| window(back, forward).with_drift(drift))
}

fn keys() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), Secret::MIN_READ_BYTES..=Secret::MAX_READ_BYTES)
}

#[test]
fn a_key_of_every_length_gives_the_codes_of_the_hmac_crate() {
    for length in Secret::MIN_READ_BYTES..=Secret::MAX_READ_BYTES {
        let key: Vec<u8> = (0..)
            .map(|byte: u8| byte.wrapping_mul(89) ^ 0xa5)
            .take(length)
            .collect();
        let secret = Secret::from_bytes(&key).unwrap();
        for algorithm in ALGORITHMS {
            for digits in LENGTHS {
                let verifier = Verifier::new(&secret, totp(algorithm, digits));
                for step in [0, 1, 37_037_036, u64::MAX / 30, u64::MAX - 1, u64::MAX] {
                    let shown = verifier.code(Step::new(step));
                    assert_eq!(*shown.expose(), oracle(&key, algorithm, digits, step));
                    assert_eq!(shown.digits(), digits);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The verdict against a list of the window's codes, made by the oracle and searched with `==`.
    #[test]
    fn a_verdict_is_what_a_search_of_the_window_says(
        key in keys(),
        algorithm in proptest::sample::select(&ALGORITHMS),
        digits in proptest::sample::select(&LENGTHS),
        now in times(),
        window in windows(),
        pick in any::<proptest::sample::Index>(),
        floor in proptest::option::of(-40..=40_i64),
        wrong in proptest::bool::weighted(0.1),
    ) {
        let verifier = Verifier::new(&Secret::from_bytes(&key).unwrap(), totp(algorithm, digits));
        let after = floor.map(|floor| Step::new(now).saturating_offset(floor));
        let shown: Vec<_> = window
            .steps(Step::new(now))
            .map(|step| (step, oracle(&key, algorithm, digits, step.get())))
            .collect();
        prop_assume!(!shown.is_empty());
        let text = if wrong { "0".repeat(digits.get().into()) } else { pick.get(&shown).1.clone() };

        let matches = || shown.iter().filter(|(_, code)| *code == text).map(|(step, _)| *step);
        let expected = match (matches().find(|step| Some(*step) > after), matches().next()) {
            (Some(step), _) => accepted(step.get(), now),
            (None, Some(step)) => Verdict::Reused { step },
            (None, None) => Verdict::Mismatch,
        };
        let code = Code::parse(&text).unwrap();
        prop_assert_eq!(verifier.verify(&code, Step::new(now), window, after), expected);
    }

    /// The same for two codes in a row.
    #[test]
    fn a_pair_is_found_where_it_was_shown(
        key in keys(),
        algorithm in proptest::sample::select(&ALGORITHMS),
        now in times(),
        reach in 0..=120_u8,
        apart in -125..=125_i64,
        floor in proptest::option::of(-130..=130_i64),
    ) {
        let digits = Digits::Eight;
        let verifier = Verifier::new(&Secret::from_bytes(&key).unwrap(), totp(algorithm, digits));
        // Near an end of time, the nearest pair that there is.
        let first = (i128::from(now) + i128::from(apart)).clamp(0, i128::from(u64::MAX) - 1);
        let apart = first - i128::from(now);
        let first = u64::try_from(first).unwrap();
        let after = floor.map(|floor| Step::new(now).saturating_offset(floor));
        let codes = [first, first + 1]
            .map(|step| Code::parse(&oracle(&key, algorithm, digits, step)).unwrap());
        let expected = if apart.unsigned_abs() > u128::from(reach) {
            Verdict::Mismatch
        } else if Some(Step::new(first)) > after {
            accepted(first + 1, now)
        } else {
            reused(first + 1)
        };
        let verdict = verifier.verify_pair(&codes[0], &codes[1], Step::new(now), reach, after);
        prop_assert_eq!(verdict, expected);
    }
}

#[test]
fn every_step_of_every_window_is_reached_and_the_next_on_either_side_is_not() {
    let verifier = verifier(Digits::Eight);
    let now = 37_037_036;
    let code = |step| verifier.code(Step::new(step));
    for back in 0..=10 {
        for forward in 0..=10 {
            let judge =
                |step| verifier.verify(&code(step), Step::new(now), window(back, forward), None);
            let (first, last) = (now - u64::from(back), now + u64::from(forward));
            for step in first..=last {
                assert_eq!(judge(step), accepted(step, now));
            }
            assert_eq!(judge(first - 1), Verdict::Mismatch, "{back} back");
            assert_eq!(judge(last + 1), Verdict::Mismatch, "{forward} forward");
        }
    }
}

#[test]
fn a_drifted_window_holds_both_centres_and_nothing_between_or_beyond() {
    let verifier = verifier(Digits::Eight);
    let now = 1_000_i64;
    let judge = |step: i64, drift| {
        let code = verifier.code(Step::new(step.unsigned_abs()));
        verifier.verify(
            &code,
            Step::new(1_000),
            window(1, 2).with_drift(drift),
            None,
        )
    };
    for drift in [-9, -4, -3, -1, 0, 1, 3, 4, 9] {
        for step in now - 15..=now + 15 {
            let holds = [now, now + i64::from(drift)]
                .into_iter()
                .any(|centre| (centre - 1..=centre + 2).contains(&step));
            let expected = if holds {
                accepted(step.unsigned_abs(), 1_000)
            } else {
                Verdict::Mismatch
            };
            assert_eq!(judge(step, drift), expected, "step {step}, drift {drift}");
        }
    }
}

#[test]
fn a_step_is_spent_up_to_the_floor_and_fresh_above_it() {
    let verifier = verifier(Digits::Eight);
    let now = 1_000;
    for step in now - 3..=now + 3 {
        for floor in now - 5..=now + 5 {
            let code = verifier.code(Step::new(step));
            let verdict =
                verifier.verify(&code, Step::new(now), window(3, 3), Some(Step::new(floor)));
            let expected = if step > floor {
                accepted(step, now)
            } else {
                reused(step)
            };
            assert_eq!(verdict, expected, "step {step}, floor {floor}");
        }
    }
}

#[test]
fn of_two_steps_with_one_code_the_lowest_above_the_floor_is_accepted() {
    let verifier = verifier(Digits::Six);
    // The first two steps of this key that share a code and a window.
    let (lower, upper) = (2386, 2394);
    let code = verifier.code(Step::new(lower));
    assert_eq!(code, verifier.code(Step::new(upper)));
    let now = upper - 10;
    let judge = |after: Option<u64>| {
        verifier.verify(&code, Step::new(now), window(10, 10), after.map(Step::new))
    };
    assert_eq!(judge(None), accepted(lower, now));
    assert_eq!(judge(Some(lower - 1)), accepted(lower, now));
    assert_eq!(judge(Some(lower)), accepted(upper, now));
    assert_eq!(judge(Some(upper - 1)), accepted(upper, now));
    assert_eq!(judge(Some(upper)), reused(lower));
    assert_eq!(judge(Some(u64::MAX)), reused(lower));
}

#[test]
fn at_both_ends_of_time_the_window_is_cut_short() {
    let verifier = verifier(Digits::Eight);
    let codes = |step: u64| (step, verifier.code(Step::new(step)));
    let (first, last): (Vec<_>, Vec<_>) = (0..=12)
        .map(|step| (codes(step), codes(u64::MAX - step)))
        .unzip();
    for distance in [0, 1, 9, 10, 11] {
        for drift in [0, 1, -1, 7, -7, 40, -40, i16::MAX, i16::MIN] {
            let window = window(10, 10).with_drift(drift);
            for now in [distance, u64::MAX - distance] {
                for (step, code) in first.iter().chain(&last) {
                    let ahead = i128::from(*step) - i128::from(now);
                    let holds = ahead.abs() <= 10 || (ahead - i128::from(drift)).abs() <= 10;
                    let expected = if holds {
                        accepted(*step, now)
                    } else {
                        Verdict::Mismatch
                    };
                    let verdict = verifier.verify(code, Step::new(now), window, None);
                    assert_eq!(verdict, expected, "step {step} at {now}, drift {drift}");
                }
            }
        }
    }
}

#[test]
fn a_code_of_another_length_matches_nothing_even_where_its_number_does() {
    let (seven, six) = (verifier(Digits::Seven), verifier(Digits::Six));
    let now = (0..1_000)
        .map(Step::new)
        .find(|step| seven.code(*step).expose().starts_with('0'))
        .unwrap();
    let shorter = Code::parse(&seven.code(now).expose()[1..]).unwrap();
    assert_eq!(
        seven.verify(&shorter, now, Window::STANDARD, None),
        Verdict::Mismatch
    );
    assert_eq!(
        six.verify(&shorter, now, Window::STANDARD, None),
        accepted(now.get(), now.get()),
        "the last six digits of the same number"
    );
    let longer = Code::parse(&format!("0{}", *six.code(now).expose())).unwrap();
    assert_eq!(
        six.verify(&longer, now, Window::STANDARD, None),
        Verdict::Mismatch
    );
    // This key's first step that shows zeros.
    let zeros = Step::new(349_495);
    assert_eq!(*six.code(zeros).expose(), "000000");
    for text in ["0000000", "1234567"] {
        let longer = Code::parse(text).unwrap();
        assert_eq!(
            six.verify(&longer, zeros, Window::STANDARD, None),
            Verdict::Mismatch
        );
    }
}

mod pair {
    use super::*;

    const NOW: u64 = 1_000;

    fn judge(first: u64, second: u64, reach: u8, after: Option<u64>) -> Verdict {
        let verifier = verifier(Digits::Eight);
        let code = |step| verifier.code(Step::new(step));
        let after = after.map(Step::new);
        verifier.verify_pair(&code(first), &code(second), Step::new(NOW), reach, after)
    }

    #[test]
    fn the_first_of_two_is_at_most_so_many_steps_away() {
        for reach in [0, 1, 2, 19, 20, 119, 120] {
            let (first, last) = (NOW - u64::from(reach), NOW + u64::from(reach));
            for step in [first, NOW, last] {
                assert_eq!(judge(step, step + 1, reach, None), accepted(step + 1, NOW));
            }
            assert_eq!(judge(first - 1, first, reach, None), Verdict::Mismatch);
            assert_eq!(judge(last + 1, last + 2, reach, None), Verdict::Mismatch);
        }
    }

    #[test]
    fn no_reach_is_further_than_a_hundred_and_twenty_steps() {
        assert_eq!(
            judge(NOW + 120, NOW + 121, 255, None),
            accepted(NOW + 121, NOW)
        );
        assert_eq!(judge(NOW + 121, NOW + 122, 255, None), Verdict::Mismatch);
        assert_eq!(judge(NOW - 121, NOW - 120, 255, None), Verdict::Mismatch);
    }

    #[test]
    fn two_codes_that_did_not_follow_one_another_are_none() {
        for (first, second) in [(NOW, NOW), (NOW + 1, NOW), (NOW, NOW + 2), (NOW, NOW - 1)] {
            assert_eq!(judge(first, second, 20, None), Verdict::Mismatch);
        }
        assert_eq!(judge(NOW, NOW + 5_000, 20, None), Verdict::Mismatch);
        assert_eq!(judge(NOW + 5_000, NOW, 20, None), Verdict::Mismatch);
    }

    #[test]
    fn both_steps_must_be_above_the_floor() {
        assert_eq!(
            judge(NOW, NOW + 1, 20, Some(NOW - 1)),
            accepted(NOW + 1, NOW)
        );
        for floor in [NOW, NOW + 1, NOW + 2, u64::MAX] {
            assert_eq!(judge(NOW, NOW + 1, 20, Some(floor)), reused(NOW + 1));
        }
    }

    #[test]
    fn both_must_have_the_length_of_the_token() {
        let (six, eight) = (verifier(Digits::Six), verifier(Digits::Eight));
        let (now, next) = (Step::new(NOW), Step::new(NOW + 1));
        let verdicts = [
            eight.verify_pair(&six.code(now), &eight.code(next), now, 20, None),
            eight.verify_pair(&eight.code(now), &six.code(next), now, 20, None),
        ];
        assert_eq!(verdicts, [Verdict::Mismatch; 2]);
    }

    #[test]
    fn at_both_ends_of_time_there_are_fewer_pairs() {
        let verifier = verifier(Digits::Eight);
        let code = |step| verifier.code(Step::new(step));
        let judge = |first, second, now| {
            verifier.verify_pair(&code(first), &code(second), Step::new(now), 120, None)
        };
        for distance in 0..=3 {
            let late = u64::MAX - distance;
            assert_eq!(judge(0, 1, distance), accepted(1, distance));
            assert_eq!(
                judge(u64::MAX - 1, u64::MAX, late),
                accepted(u64::MAX, late)
            );
            assert_eq!(judge(u64::MAX, 0, late), Verdict::Mismatch);
            assert_eq!(judge(u64::MAX, 0, distance), Verdict::Mismatch);
        }
    }
}

#[test]
fn a_verifier_shows_nothing_of_its_key() {
    let shown = format!("{:?}", verifier(Digits::Six));
    assert!(
        shown.starts_with("Verifier { totp: Totp {") && shown.ends_with(".. }"),
        "{shown}"
    );
}
