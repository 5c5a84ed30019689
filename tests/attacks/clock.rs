//! Clocks that go back or jump ahead, windows, and secrets that are too short.

use core::convert::Infallible;
use core::time::Duration;

use softtoken::association::{AttemptKey, Authority, EventKind, ImportedToken, SessionFlaw, State};
use softtoken::policy::PolicyError;
use softtoken::store::Snapshot;
use softtoken::time::Step;
use softtoken::totp::{
    Algorithm, Digits, GenerateError, KeyUri, Secret, SecretError, Totp, Window,
};
use softtoken::{Code, Error, Factor, Grant, OsEntropy, Policy, Rejection, SignedIn};

use super::{
    Answer, authorises_nothing, flaw, no, recovery_codes, replacement, respond, sign_in_with,
    step_up, untouched, wrong, wrong_recovery_code,
};
use crate::world::{Device, START, World, admin};

const SECRET: &[u8] = b"12345678901234567890";

/// A token whose codes are the same in every run, and none of which is spent.
fn known(world: &World, totp: Totp) -> Device {
    let secret = Secret::from_bytes(SECRET).unwrap();
    let device = Device::new(&secret, totp);
    let token = ImportedToken::proven(secret, totp).last_step(Step::new(0));
    let import = world
        .mfa
        .import(&admin(), [token])
        .even_if_verified_before();
    import.run_blocking(&world.store, "alice").unwrap();
    device
}

/// Judges this code without spending it.
fn judged(world: &World, row: Option<&Snapshot>, code: Code) -> Result<Step, Rejection> {
    let request = world.mfa.sign_in_with(Some(code.into()));
    let decision = request.decide("alice", row.cloned()).unwrap();
    match decision.committed::<Infallible>() {
        Ok(SignedIn::Proven(evidence)) => Ok(evidence.step().unwrap()),
        Ok(other) => panic!("nothing was judged: {other:?}"),
        Err(error) => Err(error.rejection().unwrap()),
    }
}

/// Every time there is anything to be said about, but `START`.
fn times() -> impl Iterator<Item = u64> {
    let around = (0..=120).map(|steps| START - 1800 + steps * 30);
    let powers = (0..64).map(|power| 1 << power);
    let edges = (0..90).flat_map(|seconds| [seconds, u64::MAX - seconds]);
    around.chain(powers).chain(edges)
}

/// A clock that goes back or jumps ahead: no panic, no acceptance of a spent step.
#[test]
fn no_clock_makes_a_spent_step_valid_again() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(60);
    let steps: Vec<_> = (-40..=0)
        .map(|steps| device.code_in(world.now(), steps))
        .collect();
    let last = Totp::STANDARD.step(world.now());
    sign_in_with(&world, "alice", device.code(world.now())).unwrap();
    let row = world.row("alice");
    for time in times() {
        world.time.set(time);
        for code in &steps {
            // By chance it may be a later step's code as well.
            match judged(&world, row.as_ref(), code.clone()) {
                Ok(step) => assert!(step > last, "{time}"),
                Err(Rejection::Reused | Rejection::Mismatch | Rejection::ClockBehind) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
    }
}

/// A clock that goes back: no acceptance of a spent step, and beyond the window a typed refusal,
/// not counted, with an event.
#[test]
fn a_clock_that_has_gone_back_judges_nothing() {
    let world = World::standard();
    let (device, grant) = world.enrolled("alice");
    let issued = replacement(&world, &grant);
    let last = Totp::STANDARD.step(world.now());
    // T + forward + 1 is the last step: it may be that the user's clock was ahead when it was
    // accepted.
    world.time.go_back(60);
    let spent = device.code_in(world.now(), 1);
    let early = sign_in_with(&world, "alice", spent);
    assert_eq!(no(early), Rejection::Reused);

    for back in [90, 3600, START - 3600] {
        world.time.set(START - back);
        let guess = wrong(&[&device, &issued], &world);
        for code in [device.code(world.now()), guess] {
            world.events();
            let attack = || sign_in_with(&world, "alice", code.clone());
            assert_eq!(untouched(&world, "alice", attack), Rejection::ClockBehind);
            assert_eq!(world.events(), [EventKind::ClockBehind { last }]);
            let resynchronise =
                world
                    .mfa
                    .resynchronise(&world.password("alice"), code.clone(), code);
            let attack = || resynchronise.run_blocking(&world.store, "alice");
            assert_eq!(untouched(&world, "alice", attack), Rejection::ClockBehind);
        }
    }
    world.time.set(START);
    sign_in_with(&world, "alice", device.code_in(world.now(), 1)).expect("it is right again");
}

/// A clock that jumps ahead: no acceptance of a spent step once it is mended, and nothing of the
/// jump is to be used again.
#[test]
fn a_clock_that_jumps_ahead_and_back_accepts_no_step_twice() {
    let world = World::standard();
    let device = world.enrol("alice");
    for ahead in [60, 3600, 86_400 * 365] {
        world.time.set(START);
        world.time.advance(ahead);
        let there = device.code(world.now());
        sign_in_with(&world, "alice", there.clone()).unwrap();
        assert_eq!(
            no(sign_in_with(&world, "alice", there.clone())),
            Rejection::Reused
        );
        world.time.set(START + 30);
        let here = device.code(world.now());
        let attack = || sign_in_with(&world, "alice", here);
        let refused = untouched(&world, "alice", attack);
        assert!(matches!(
            refused,
            Rejection::Reused | Rejection::ClockBehind
        ));
        world.time.advance(ahead);
        let again = || sign_in_with(&world, "alice", there);
        assert_eq!(untouched(&world, "alice", again), Rejection::Reused);
    }
}

/// A clock that goes back opens no throttle and pays off no failure.
#[test]
fn a_clock_that_goes_back_opens_no_throttle() {
    let world = World::standard();
    let device = world.enrol("alice");
    for _ in 0..3 {
        let guess = wrong(&[&device], &world);
        assert_eq!(
            no(sign_in_with(&world, "alice", guess)),
            Rejection::Mismatch
        );
    }
    let until = world.now().saturating_add(Duration::from_secs(5));
    for time in times().filter(|time| *time < until.as_secs()) {
        world.time.set(time);
        let attack = || sign_in_with(&world, "alice", device.code(world.now()));
        assert_eq!(
            untouched(&world, "alice", attack),
            Rejection::Throttled { until }
        );
    }
}

/// A clock that jumps ahead and back: what a set-up has proven counts for one sign-in.
#[test]
fn a_set_up_that_was_finished_is_not_finished_again_after_the_clock_jumped() {
    for recovered in [false, true] {
        let world = World::new(Policy::STANDARD.required());
        let setup = world.setup("alice");
        let associate = world.mfa.associate(&setup);
        let issued = associate.run_blocking(&world.store, "alice").unwrap();
        let device = Device::of(&issued);
        let code = device.code(world.now());
        let verify = world.mfa.verify(issued.session().unwrap(), code);
        let enrolled = verify.run_blocking(&world.store, "alice").unwrap();
        let done = enrolled.session().unwrap();
        let finish = || {
            let finish = world.mfa.finish_setup(done);
            finish.run_blocking(&world.store, "alice")
        };
        let _ = finish().unwrap();

        let codes = recovery_codes(&world, &Grant::from(enrolled.evidence()));
        world.time.advance(3600);
        let session = world.challenge("alice");
        if recovered {
            respond(&world, "alice", &session, codes[0].clone()).unwrap();
        } else {
            respond(&world, "alice", &session, device.code(world.now())).unwrap();
        }
        world.time.go_back(3600);
        assert!(finish().is_err(), "by a recovery code: {recovered}");
    }
}

/// How far a clock was ahead that is mended: just too far, by a day more, and by ten years.
fn mended(furthest: u64) -> [u64; 3] {
    [furthest + 61, furthest + 86_400, 86_400 * 3652]
}

/// The login under which a token was set up proves possession of it, by when that was.
#[test]
fn a_login_is_not_fresh_for_as_long_as_the_clock_was_ahead_that_set_its_token_up() {
    for ahead in mended(0) {
        let world = World::standard();
        let login = world.password("alice").with_id("login");
        world.time.advance(ahead);
        let issued = world.associate("alice");
        let device = Device::of(&issued);
        let verify = world.mfa.verify(&login, device.code(world.now()));
        let _ = verify.run_blocking(&world.store, "alice").unwrap();
        let check = || {
            let check = world.mfa.check(&login, Duration::from_secs(600));
            check.run_blocking(&world.store, "alice")
        };
        assert_eq!(check(), Ok(()), "while it is");
        world.time.set(START);
        assert_eq!(no(check()), Rejection::SecondFactorRequired, "{ahead}");
        let off = world.mfa.disassociate(&login);
        let off = || off.run_blocking(&world.store, "alice");
        assert_eq!(
            untouched(&world, "alice", off),
            Rejection::SecondFactorRequired
        );
        world.time.set(START + ahead - 60);
        assert_eq!(check(), Ok(()), "clocks may be so far apart");
    }
}

#[test]
fn a_challenge_does_not_live_for_as_long_as_the_clock_was_ahead() {
    for ahead in mended(0) {
        let world = World::standard();
        let (device, grant) = world.enrolled("alice");
        let codes = recovery_codes(&world, &grant);
        world.time.advance(ahead);
        let session = world.challenge("alice");
        world.time.set(START);
        assert!(world.mfa.open(session.expose()).is_err(), "{ahead}");
        let factors: [Factor; 2] = [device.code(world.now()).into(), codes[0].clone().into()];
        for factor in factors {
            let attack = || respond(&world, "alice", &session, factor);
            assert_eq!(
                untouched(&world, "alice", attack),
                Rejection::InvalidSession
            );
            assert_eq!(flaw(&world), SessionFlaw::Expired);
        }
        world.time.set(START + ahead - 60);
        assert!(world.mfa.open(session.expose()).is_ok());
        respond(&world, "alice", &session, codes[0].clone()).unwrap();
    }
}

#[test]
fn a_temporary_code_does_not_live_for_as_long_as_the_clock_was_ahead() {
    const LONGEST: u64 = 7 * 86_400;
    for ahead in mended(LONGEST) {
        let world = World::standard();
        let _ = world.enrol("alice");
        world.time.advance(ahead);
        let minute = Duration::from_secs(60);
        let issue = world.mfa.issue_temporary_code(&admin(), minute);
        let code = issue.run_blocking(&world.store, "alice").unwrap();
        let expires = || {
            let status = world.mfa.status().run_blocking(&world.store, "alice");
            status.unwrap().temporary_code_expires
        };
        assert!(expires().is_some());
        world.time.set(START + 59);
        assert_eq!(expires(), None, "{ahead}");
        let attack = sign_in_with(&world, "alice", code.clone());
        assert_eq!(no(attack), Rejection::Mismatch);
        world.time.set(START + ahead - LONGEST);
        assert!(expires().is_some());
        assert!(sign_in_with(&world, "alice", code).is_ok());
    }
}

#[test]
fn a_pending_secret_does_not_wait_for_as_long_as_the_clock_was_ahead() {
    const LONGEST: u64 = 86_400;
    for ahead in mended(LONGEST) {
        let world = World::new(
            Policy::STANDARD
                .to_builder()
                .pending_lifetime(Duration::from_secs(60))
                .build()
                .unwrap(),
        );
        world.time.advance(ahead);
        let device = Device::of(&world.associate("alice"));
        let verify = || {
            let login = world.password("alice");
            let verify = world.mfa.verify(&login, device.code(world.now()));
            verify.run_blocking(&world.store, "alice").map(drop)
        };
        let state = || {
            let status = world.mfa.status().run_blocking(&world.store, "alice");
            status.unwrap().state
        };
        assert_eq!(state(), State::Pending);
        world.time.set(START + 59);
        assert_eq!(untouched(&world, "alice", verify), Rejection::Expired);
        assert_eq!(state(), State::Unassociated, "{ahead}");
        world.time.set(START + ahead - LONGEST);
        assert_eq!(state(), State::Pending);
        assert!(verify().is_ok());
    }
}

#[test]
fn an_answer_is_not_repeated_for_as_long_as_the_clock_was_ahead() {
    for ahead in mended(0) {
        let world = World::standard();
        let device = world.enrol("alice");
        world.time.advance(ahead);
        let code = device.code(world.now());
        let sign_in = || {
            let sign_in = world.mfa.sign_in_with(Some(code.clone().into()));
            let sign_in = sign_in.attempt(AttemptKey::from_bytes([9; 16]));
            sign_in.run_blocking(&world.store, "alice").map(drop)
        };
        assert!(sign_in().is_ok());
        assert!(sign_in().is_ok(), "it is repeated");
        world.time.set(START);
        assert!(sign_in().is_err(), "{ahead}");
        world.time.set(START + ahead - 60);
        assert!(sign_in().is_ok(), "clocks may be so far apart");
    }
}

fn every_operation(world: &World, device: &Device) -> Vec<Answer> {
    let World { mfa, store, .. } = world;
    let code = device.code(world.now());
    let next = device.code_in(world.now(), 1);
    let now = world.now();
    let authorities = [
        Authority::from(&world.password("alice")),
        Authority::from(&world.second_factor("alice")),
        Authority::from(&admin()),
    ];
    let token = super::token(world, "alice");
    let mut answers = Vec::new();
    for by in authorities {
        answers.extend([
            mfa.associate(by.clone())
                .run_blocking(store, "alice")
                .map(drop),
            mfa.verify(by.clone(), code.clone())
                .run_blocking(store, "alice")
                .map(drop),
            mfa.verify(by.clone(), code.clone())
                .followed_by(next.clone())
                .run_blocking(store, "alice")
                .map(drop),
            mfa.resynchronise(by.clone(), code.clone(), next.clone())
                .run_blocking(store, "alice"),
            mfa.issue_recovery_codes(by.clone())
                .run_blocking(store, "alice")
                .map(drop),
            mfa.set_enabled(by.clone(), false)
                .run_blocking(store, "alice"),
            mfa.set_enabled(by.clone(), true)
                .run_blocking(store, "alice"),
            mfa.rename(by.clone(), token, "phone")
                .run_blocking(store, "alice"),
            mfa.forget_browsers(by).run_blocking(store, "alice"),
        ]);
    }
    let grant = Grant::from_bare_times("alice", now, now);
    answers.extend([
        mfa.sign_in().run_blocking(store, "alice").map(drop),
        step_up(world, &grant, code.clone()),
        step_up(world, &grant, wrong_recovery_code()),
        mfa.sign_in_with(Some(code.into()))
            .run_blocking(store, "alice")
            .map(drop),
        mfa.check(&grant, Duration::from_secs(60))
            .run_blocking(store, "alice"),
        mfa.status().run_blocking(store, "alice").map(drop),
        mfa.issue_temporary_code(&admin(), Duration::from_secs(60))
            .run_blocking(store, "alice")
            .map(drop),
        mfa.unlock(&admin()).run_blocking(store, "alice"),
        mfa.remove(&admin(), token).run_blocking(store, "alice"),
        mfa.disassociate(&admin()).run_blocking(store, "alice"),
        mfa.reset(&admin())
            .mending_clock()
            .run_blocking(store, "alice"),
        mfa.reset(&admin()).run_blocking(store, "alice"),
    ]);
    answers
}

/// Asserts that none of them failed: each says yes or no.
#[track_caller]
fn all_are_decided(answers: Vec<Answer>) {
    for answer in answers {
        if let Err(error) = answer {
            assert!(matches!(error, Error::Rejected { .. }), "{error:?}");
        }
    }
}

/// A clock that goes back or jumps ahead: no panic.
#[test]
fn no_time_makes_any_operation_panic() {
    for time in times() {
        let world = World::standard();
        let device = known(&world, Totp::STANDARD);
        world.time.set(time);
        all_are_decided(every_operation(&world, &device));
        // And with all that the last of times has left behind.
        world.time.set(u64::MAX);
        let device = known(&world, Totp::STANDARD);
        let _ = sign_in_with(&world, "alice", device.code(world.now()));
        let _ = sign_in_with(&world, "alice", wrong(&[&device], &world));
        world.time.set(time);
        all_are_decided(every_operation(&world, &device));
    }
}

fn windows() -> impl Iterator<Item = (u8, u8, Policy)> {
    [(0, 0), (1, 1), (1, 0), (0, 1), (2, 0), (0, 3), (10, 10)]
        .into_iter()
        .map(|(back, forward)| {
            let window = Window::new(back, forward).unwrap();
            (
                back,
                forward,
                Policy::builder().window(window).build().unwrap(),
            )
        })
}

/// Windows wider than stated: boundary vectors.
#[test]
fn a_window_is_as_wide_as_stated_and_no_wider() {
    let totps = [
        Totp::STANDARD,
        Totp::new(Algorithm::Sha256, Digits::Eight, Duration::from_secs(15)).unwrap(),
        Totp::new(Algorithm::Sha512, Digits::Seven, Duration::from_secs(120)).unwrap(),
    ];
    for (totp, (back, forward, policy)) in totps
        .into_iter()
        .flat_map(|totp| windows().map(move |window| (totp, window)))
    {
        let world = World::new(policy);
        let device = known(&world, totp);
        let row = world.row("alice");
        let step = totp.step(world.now());
        let period = totp.period().as_secs();
        for second in [0, 1, period - 1] {
            world.time.set(totp.step_start(step).as_secs() + second);
            for steps in -25..=25 {
                let inside = (-i64::from(back)..=i64::from(forward)).contains(&steps);
                let answer = judged(&world, row.as_ref(), device.code_in(world.now(), steps));
                let expected = if inside {
                    Ok(step.saturating_offset(steps))
                } else {
                    Err(Rejection::Mismatch)
                };
                assert_eq!(
                    answer, expected,
                    "{steps} steps on, in {back} and {forward}"
                );
            }
        }
    }
    assert!(Window::new(11, 0).is_err() && Window::new(0, 11).is_err());
}

/// Windows wider than stated: boundary vectors, where a secret is proven.
#[test]
fn the_window_of_a_secret_that_waits_is_as_wide_as_stated() {
    for (back, forward, policy) in windows() {
        let world = World::new(policy);
        let secret = Secret::from_bytes(SECRET).unwrap();
        let device = Device::new(&secret, Totp::STANDARD);
        let token = ImportedToken::pending(secret, Totp::STANDARD);
        let import = world.mfa.import(&admin(), [token]);
        import.run_blocking(&world.store, "alice").unwrap();
        let row = world.row("alice");
        for steps in -25..=25 {
            let inside = (-i64::from(back)..=i64::from(forward)).contains(&steps);
            let code = device.code_in(world.now(), steps);
            let verify = world.mfa.verify(&world.password("alice"), code);
            let decision = verify.decide("alice", row.clone()).unwrap();
            assert_eq!(!decision.is_rejection(), inside, "{steps} steps on");
        }
    }
}

/// Windows wider than stated: boundary vectors, where a drift has opened a second one.
#[test]
fn a_drift_opens_a_second_window_and_nothing_between() {
    for drift in [-19, -7, -3, -1, 1, 2, 5, 21] {
        let world = World::standard();
        let device = known(&world, Totp::STANDARD);
        world.time.go_back(30 * 100);
        let pair = [drift - 1, drift].map(|steps| device.code_in(world.now(), steps));
        let [first, second] = pair;
        let by = world.password("alice");
        let resynchronise = world.mfa.resynchronise(&by, first, second);
        resynchronise.run_blocking(&world.store, "alice").unwrap();
        world.time.set(START);
        let row = world.row("alice");
        for steps in -30..=30 {
            let near = |centre: i64| (centre - 1..=centre + 1).contains(&steps);
            let inside = near(0) || near(drift);
            let answer = judged(&world, row.as_ref(), device.code_in(world.now(), steps));
            assert_eq!(
                answer.is_ok(),
                inside,
                "{steps} steps on, with a drift of {drift}"
            );
        }
    }
}

/// Windows wider than stated: boundary vectors, for two codes in a row.
#[test]
fn resynchronising_reaches_as_far_as_stated() {
    for reach in [1, 20, 120] {
        let policy = Policy::builder()
            .resynchronise_reach(reach)
            .build()
            .unwrap();
        let world = World::new(policy);
        let device = known(&world, Totp::STANDARD);
        let row = world.row("alice");
        let reach = i64::from(reach);
        for steps in [
            -reach - 2,
            -reach - 1,
            -reach,
            -1,
            0,
            1,
            reach,
            reach + 1,
            reach + 2,
        ] {
            let [first, second, third] =
                [0, 1, 2].map(|more| device.code_in(world.now(), steps + more));
            let is_accepted = |first: &Code, second: &Code| {
                let (first, second) = (first.clone(), second.clone());
                let by = world.password("alice");
                let request = world.mfa.resynchronise(&by, first, second);
                !request.decide("alice", row.clone()).unwrap().is_rejection()
            };
            let inside = (-reach..=reach).contains(&steps);
            assert_eq!(is_accepted(&first, &second), inside, "{steps} of {reach}");
            if inside {
                let world = World::new(policy);
                let device = known(&world, Totp::STANDARD);
                let [first, second] = [0, 1].map(|more| device.code_in(world.now(), steps + more));
                let by = world.password("alice");
                let request = world.mfa.resynchronise(&by, first, second);
                request.run_blocking(&world.store, "alice").unwrap();
                let status = world.mfa.status().run_blocking(&world.store, "alice");
                let drift = i64::from(status.unwrap().tokens[0].drift);
                assert_eq!(drift, steps + 1, "the second of them is a code of now");
            }
            assert!(!is_accepted(&second, &first), "the wrong way round");
            assert!(!is_accepted(&first, &third), "not in a row");
            assert!(!is_accepted(&first, &first), "one code twice");
        }
    }
    for reach in [0, 121] {
        let policy = Policy::builder().resynchronise_reach(reach).build();
        assert_eq!(policy, Err(PolicyError::ResynchroniseReach));
    }
}

/// A clock that goes back or jumps ahead: no acceptance of a spent step by two codes in a row.
#[test]
fn resynchronising_takes_no_spent_step() {
    let world = World::standard();
    let device = known(&world, Totp::STANDARD);
    sign_in_with(&world, "alice", device.code(world.now())).unwrap();
    let row = world.row("alice");
    for steps in -5..=5 {
        let [first, second] = [0, 1].map(|more| device.code_in(world.now(), steps + more));
        let by = world.password("alice");
        let request = world.mfa.resynchronise(&by, first, second);
        let decision = request.decide("alice", row.clone()).unwrap();
        let answer = decision
            .committed::<Infallible>()
            .map_err(|error| error.rejection().unwrap());
        let expected = if steps > 0 {
            Ok(())
        } else {
            Err(Rejection::Reused)
        };
        assert_eq!(answer, expected, "{steps} steps on");
    }
}

/// Windows wider than stated: a patient thief of codes does not walk a learned drift away.
#[test]
fn a_learned_drift_walks_no_further_than_four_steps() {
    let window = Window::new(3, 3).unwrap();
    let policy = Policy::builder()
        .learn_drift(true)
        .window(window)
        .build()
        .unwrap();
    for direction in [-1, 1] {
        let world = World::new(policy);
        let device = known(&world, Totp::STANDARD);
        let mut furthest = 0;
        for _ in 0..60 {
            world.time.advance(30 * 20);
            // The furthest that is accepted in this direction.
            let row = world.row("alice");
            let accepted = |steps: &i64| {
                let code = device.code_in(world.now(), direction * steps);
                judged(&world, row.as_ref(), code).is_ok()
            };
            let steps = (0..=30).rev().find(accepted).unwrap();
            furthest = furthest.max(steps);
            let code = device.code_in(world.now(), direction * steps);
            sign_in_with(&world, "alice", code).unwrap();
        }
        assert_eq!(furthest, 4 + 3);
    }
}

/// Windows wider than stated: a drift that resynchronising has set may be kept, and is not exceeded
/// by what codes teach afterwards.
#[test]
fn a_learned_drift_goes_no_further_than_resynchronising_had_set_it() {
    let policy = Policy::builder().learn_drift(true).build().unwrap();
    for drift in [-10, 10] {
        let world = World::new(policy);
        let device = known(&world, Totp::STANDARD);
        let [first, second] = [-1, 0].map(|more| device.code_in(world.now(), drift + more));
        let by = world.password("alice");
        let resynchronise = world.mfa.resynchronise(&by, first, second);
        resynchronise.run_blocking(&world.store, "alice").unwrap();
        let known_drift = || {
            let status = world.mfa.status().run_blocking(&world.store, "alice");
            i64::from(status.unwrap().tokens[0].drift)
        };
        assert_eq!(known_drift(), drift);
        for _ in 0..10 {
            world.time.advance(30 * 20);
            let beyond = device.code_in(world.now(), drift + drift.signum());
            sign_in_with(&world, "alice", beyond).expect("one step on is in the window");
            assert_eq!(known_drift(), drift);
        }
        world.time.advance(30 * 20);
        let further = device.code_in(world.now(), drift + 2 * drift.signum());
        assert_eq!(
            no(sign_in_with(&world, "alice", further)),
            Rejection::Mismatch
        );
    }
}

/// A clock that jumped ahead and back brings no second factor to life: bare times prove nothing of
/// a token that was verified after one had been removed whose code was accepted in the time that
/// never was.
#[test]
fn bare_times_from_a_clock_that_went_back_prove_nothing_of_the_next_token() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(3600);
    sign_in_with(&world, "alice", device.code(world.now())).unwrap();
    let stolen = world.second_factor("alice");

    world.time.go_back(3590);
    let remove = world.mfa.disassociate(&admin());
    remove.run_blocking(&world.store, "alice").unwrap();
    let (_, owner) = world.enrolled("alice");
    let right = replacement(&world, &owner).code(world.now());
    world.time.advance(3590);
    let reason = Rejection::SecondFactorRequired;
    authorises_nothing(&stolen, &world, "alice", &right, reason);
    world.time.advance(1);
    let check = |grant: &Grant| {
        let check = world.mfa.check(grant, Duration::from_secs(60));
        check.run_blocking(&world.store, "alice")
    };
    check(&world.second_factor("alice")).expect("one shown later than that is good");
}

/// The same of a token that was imported and never used, and of one that went before another did.
#[test]
fn bare_times_from_a_clock_that_went_back_prove_nothing_however_the_token_went() {
    let forward = 3600;
    for removed_before in [false, true] {
        let world = World::new(Policy::builder().max_tokens(2).build().unwrap());
        let remove = |id| {
            let remove = world.mfa.remove(&admin(), id);
            remove.run_blocking(&world.store, "alice").unwrap();
        };
        let ids = || {
            let status = world.mfa.status().run_blocking(&world.store, "alice");
            let tokens = status.unwrap().tokens;
            tokens.iter().map(|token| token.id).collect::<Vec<_>>()
        };
        let tokens = [1, 2].map(|number| {
            let secret = Secret::from_bytes(&[number; 20]).unwrap();
            ImportedToken::proven(secret, Totp::STANDARD)
        });
        let import = || {
            let import = world.mfa.import(&admin(), tokens.clone());
            import.run_blocking(&world.store, "alice").unwrap();
        };
        if removed_before {
            import();
            world.time.advance(forward);
            remove(ids()[0]);
        } else {
            world.time.advance(forward);
            import();
        }
        let stolen = world.second_factor("alice");
        world.time.go_back(forward - 10);
        ids().into_iter().for_each(remove);
        let (_, owner) = world.enrolled("alice");
        let right = replacement(&world, &owner).code(world.now());
        world.time.advance(forward - 10);
        let reason = Rejection::SecondFactorRequired;
        authorises_nothing(&stolen, &world, "alice", &right, reason);
    }
}

/// A secret under 128 bits: never made, read where another system has issued it, and then called
/// weak; under 80: refused.
#[test]
fn a_secret_under_128_bits_is_never_made_and_is_weak_where_it_is_read() {
    for bytes in 0..16 {
        let short = &[0xa5; 15][..bytes];
        let generated = Secret::generate(bytes, &OsEntropy);
        assert_eq!(generated.unwrap_err(), GenerateError::Length { bytes });
        let policy = Policy::builder().secret_bytes(bytes).build();
        assert_eq!(policy, Err(PolicyError::SecretBytes));
        match Secret::from_bytes(short) {
            Ok(secret) => assert!(bytes >= 10 && secret.is_weak()),
            Err(error) => {
                assert!(bytes < 10);
                assert_eq!(error, SecretError::TooShort { bytes });
            }
        }
    }
    // 120 bits, and 80, as authenticators' own examples have it.
    for text in ["GEZDGNBVGY3TQOJQGEZDGNBV", "JBSWY3DPEHPK3PXP"] {
        let secret = Secret::from_base32(text).unwrap();
        assert!(secret.is_weak());
        let uri = format!("otpauth://totp/Example:alice?secret={text}&issuer=Example");
        assert_eq!(KeyUri::parse(&uri).unwrap().secret(), &secret);
    }
    assert!(!Secret::from_bytes(&[0xa5; 16]).unwrap().is_weak());
    let shortest = Policy::builder().secret_bytes(16).build().unwrap();
    let world = World::new(shortest);
    assert_eq!(world.associate("alice").secret().expose().len(), 16);
}
