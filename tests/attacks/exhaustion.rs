//! More of something than anybody needs, so that there is none left for the user.

use core::convert::Infallible;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;

use softtoken::association::{Operation, Preference};
use softtoken::mfa::Request;
use softtoken::policy::PolicyError;
use softtoken::store::{Snapshot, Swap, Write};
use softtoken::totp::{Algorithm, Digits, Totp, Window};
use softtoken::{
    BlockingStore, Challenge, ChallengeSession, Code, Error, Factor, Fault, Grant, Mfa, Policy,
    Rejection, TokenId, Vouched,
};

use super::{
    Answer, Touch, no, recovery_codes, respond, sign_in_with, step_up, token, wrong,
    wrong_recovery_code,
};
use crate::crowd::together;
use crate::world::{Device, World, admin};

/// Thousands of sessions opened by one who has the password: nobody else is kept out, and nothing
/// is stored.
#[test]
fn opening_thousands_of_sessions_stores_nothing_and_ends_none() {
    let world = World::standard();
    let [alice, bob] = ["alice", "bob"].map(|subject| world.enrol(subject));
    world.time.advance(60);
    let first = world.challenge("alice");
    let before = world.row("alice");
    let opened = together(4, |_| (0..500).map(|_| world.challenge("alice")).last());
    assert_eq!(world.row("alice"), before);
    assert_eq!(world.store.len(), 2);

    let session = world.challenge("bob");
    respond(&world, "bob", &session, bob.code(world.now())).unwrap();
    respond(&world, "alice", &first, alice.code(world.now())).unwrap();
    for session in opened.into_iter().flatten() {
        world.time.advance(30);
        respond(&world, "alice", &session, alice.code(world.now())).unwrap();
    }
}

/// Thousands of `associate` calls by one who has the password: nobody else is kept out, and the
/// user sets up a token and signs in.
#[test]
fn thousands_of_associate_calls_keep_nobody_from_setting_up() {
    let world = World::standard();
    let length = |_| world.row("alice").unwrap().record.len();
    let first = length(world.associate("alice"));
    together(4, |_| {
        for _ in 0..250 {
            // Where they race each other, one may lose every time.
            let associate = world.mfa.associate(&world.password("alice"));
            if let Err(error) = associate.run_blocking(&world.store, "alice") {
                assert_eq!(error.name(), "contended");
            }
        }
    });
    assert_eq!(length(world.associate("alice")), first);
    let bob = world.enrol("bob");
    let alice = world.enrol("alice");

    world.time.advance(60);
    let before = world.row("alice");
    for _ in 0..1000 {
        for touch in [Touch::Associate, Touch::Disassociate] {
            let code = alice.code(world.now());
            let attack = touch.by(&world.password("alice"), &world, "alice", code);
            assert_eq!(no(attack), Rejection::SecondFactorRequired);
        }
    }
    assert_eq!(world.row("alice"), before);
    for (subject, device) in [("alice", alice), ("bob", bob)] {
        let session = world.challenge(subject);
        respond(&world, subject, &session, device.code(world.now())).unwrap();
    }
}

/// Thousands of `associate` calls by one who has the password: a user whose secret was replaced
/// while setting up begins again, and is through.
#[test]
fn a_user_whose_secret_was_replaced_by_somebody_else_begins_again() {
    let world = World::standard();
    let lost = Device::of(&world.associate("alice"));
    let _ = world.associate("alice");
    let verify = world
        .mfa
        .verify(&world.password("alice"), lost.code(world.now()));
    assert_eq!(
        no(verify.run_blocking(&world.store, "alice")),
        Rejection::Mismatch
    );
    let device = world.enrol("alice");
    sign_in_with(&world, "alice", device.code_in(world.now(), 1)).unwrap();
}

/// A record as long as it can get: one with a drift, so that two windows are open.
fn fully_grown(world: &World) -> (Device, usize) {
    let (device, grant) = world.enrolled("alice");
    let _ = recovery_codes(world, &grant);
    world.time.advance(1800);
    let (first, second) = (
        device.code_in(world.now(), -20),
        device.code_in(world.now(), -19),
    );
    let by = world.password("alice");
    let resynchronise = world.mfa.resynchronise(&by, first, second);
    resynchronise.run_blocking(&world.store, "alice").unwrap();
    let length = world.row("alice").unwrap().record.len();
    (device, length)
}

/// Rule C4, of spent sessions: the list cannot be filled by anyone who cannot produce valid
/// codes.
#[test]
fn a_password_alone_puts_nothing_on_the_list_of_spent_sessions() {
    let world = World::standard();
    let (device, length) = fully_grown(&world);
    for _ in 0..200 {
        let session = world.challenge("alice");
        let guess = wrong(&[&device], &world);
        let _ = no(respond(&world, "alice", &session, guess));
        let guess = respond(&world, "alice", &session, wrong_recovery_code());
        assert_eq!(no(guess), Rejection::Mismatch);
        let finish = world.mfa.finish_setup(&session);
        let refused = finish.run_blocking(&world.store, "alice");
        assert_eq!(no(refused), Rejection::InvalidSession);
        world.time.advance(1);
        assert_eq!(world.row("alice").unwrap().record.len(), length);
    }
}

/// Rule C4, of spent sessions: a user who has every code, and uses each at once, is never
/// kept out by the list, and the list stays within its bound.
#[test]
fn no_more_sessions_are_spent_at_a_time_than_the_bound_says() {
    let world = World::standard();
    let (device, length) = fully_grown(&world);
    let bound = 64;
    let mut longest = 0;
    for _ in 0..20 {
        for steps in [-20, -19, -18, -1, 0, 1] {
            let session = world.challenge("alice");
            let code = device.code_in(world.now(), steps);
            match respond(&world, "alice", &session, code) {
                Ok(()) => {}
                answer => assert_eq!(no(answer), Rejection::Reused),
            }
            let spent = (world.row("alice").unwrap().record.len() - length) / 24;
            longest = longest.max(spent);
            assert!(
                spent <= bound,
                "{spent} sessions are kept, and the bound is {bound}"
            );
        }
        world.time.advance(30);
    }
    assert!(
        longest > 6,
        "{longest} at a time are too few to have tried it"
    );
}

/// Rule C4, of spent sessions: nor does it grow past its bound by recovery codes or by what
/// was vouched; what does not fit is refused before anything is spent.
#[test]
fn the_list_of_spent_sessions_stays_within_its_bound_whatever_succeeds() {
    let world = World::standard();
    let (_, length) = fully_grown(&world);
    let bound = 64;
    let mut codes = Vec::new();
    for number in 0..bound + 6 {
        if codes.is_empty() {
            codes = recovery_codes(&world, &world.second_factor("alice"));
        }
        let session = world.challenge("alice");
        let factor = if number % 2 == 0 {
            Factor::from(codes[0].clone())
        } else {
            Vouched::factor(&["hwk", "user"]).into()
        };
        let expires = world
            .now()
            .saturating_add(Policy::STANDARD.session_lifetime());
        let answer = respond(&world, "alice", &session, factor);
        if number < bound {
            answer.unwrap();
            if number % 2 == 0 {
                codes.remove(0);
            }
        } else {
            assert_eq!(no(answer), Rejection::Throttled { until: expires });
        }
    }
    let unspent = codes[0].clone();
    sign_in_with(&world, "alice", unspent).expect("it was not spent, and needs no session");
    let codes = recovery_codes(&world, &world.second_factor("alice"));
    assert_eq!(
        world.row("alice").unwrap().record.len(),
        length + 24 * bound
    );

    world.time.advance(180);
    let session = world.challenge("alice");
    respond(&world, "alice", &session, codes[0].clone()).unwrap();
    assert!(world.row("alice").unwrap().record.len() < length + 24 * bound);
}

/// Rule C4, of spent sessions: a policy under which there could be more than 64 is refused.
#[test]
fn a_policy_that_would_keep_too_many_spent_sessions_is_refused() {
    let quick = Totp::new(Algorithm::Sha1, Digits::Six, Duration::from_secs(15)).unwrap();
    let policy = Policy::builder()
        .totp(quick)
        .session_lifetime(Duration::from_secs(15 * 60));
    let with = |back, forward| {
        let window = Window::new(back, forward).unwrap();
        policy.window(window).build().map(drop)
    };
    assert_eq!(with(0, 0), Ok(()));
    assert_eq!(with(1, 0), Err(PolicyError::SpentBound));
    assert_eq!(with(1, 1), Err(PolicyError::SpentBound));
}

use Cost::{Free, Guess, Raise, RecoveryGuess, Replay};

/// Says what a request may do to the row of a victim who has a token in force, where only the
/// password stands behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cost {
    /// Nothing.
    Free,
    /// A write for each guess that the throttle admits.
    Guess,
    /// Nothing while the code's window is open; then it is a guess.
    Replay,
    /// A write for each, counted by themselves, up to a hundred.
    RecoveryGuess,
    /// A write where the preference goes up, in `Policy::COGNITO`.
    Raise,
}

/// Names an attack, what it costs, and how it is made.
type Attack = (&'static str, Cost, fn(&Thief) -> Answer);

/// Lists every operation of a user's, on every authority that the password alone gives.
const ATTACKS: [Attack; 50] = [
    ("sign_in", Free, |by| by.run(by.world.mfa.sign_in())),
    ("sign_in, strictly", Free, |by| by.run(by.strict.sign_in())),
    ("sign_in from a browser", Free, |by| {
        by.run(by.strict.sign_in().from_browser(Some("forged")))
    }),
    ("sign_in_with nothing", Free, |by| {
        by.run(by.strict.sign_in_with(None))
    }),
    ("sign_in_with a guess", Guess, |by| {
        by.run(by.world.mfa.sign_in_with(Some(by.guess.clone().into())))
    }),
    ("sign_in_with a spent code", Replay, |by| {
        by.run(by.world.mfa.sign_in_with(Some(by.spent.clone().into())))
    }),
    ("sign_in_with a recovery code", RecoveryGuess, |by| {
        by.run(
            by.world
                .mfa
                .sign_in_with(Some(wrong_recovery_code().into())),
        )
    }),
    ("respond with a guess", Guess, |by| {
        by.run(by.world.mfa.respond(&by.challenge(), by.guess.clone()))
    }),
    ("respond with a spent code", Replay, |by| {
        by.run(by.world.mfa.respond(&by.challenge(), by.spent.clone()))
    }),
    ("respond with a recovery code", RecoveryGuess, |by| {
        by.run(by.world.mfa.respond(&by.challenge(), wrong_recovery_code()))
    }),
    ("respond by a set-up", Free, |by| {
        by.run(by.world.mfa.respond(&by.setup, by.guess.clone()))
    }),
    ("respond by a secret that waited", Free, |by| {
        by.run(by.world.mfa.respond(&by.pending, by.guess.clone()))
    }),
    ("finish_setup by a set-up", Free, |by| {
        by.run(by.world.mfa.finish_setup(&by.setup))
    }),
    ("finish_setup by a secret that waited", Free, |by| {
        by.run(by.world.mfa.finish_setup(&by.pending))
    }),
    ("finish_setup by a challenge", Free, |by| {
        by.run(by.world.mfa.finish_setup(&by.challenge()))
    }),
    ("step_up with a guess", Guess, |by| {
        by.run(by.world.mfa.step_up(&by.grant(), by.guess.clone()))
    }),
    ("step_up with a spent code", Replay, |by| {
        by.run(by.world.mfa.step_up(&by.grant(), by.spent.clone()))
    }),
    ("step_up with a recovery code", RecoveryGuess, |by| {
        by.run(by.world.mfa.step_up(&by.grant(), wrong_recovery_code()))
    }),
    ("check", Free, |by| {
        by.run(by.world.mfa.check(&by.grant(), Duration::from_secs(60)))
    }),
    ("status", Free, |by| by.run(by.world.mfa.status())),
    ("associate", Free, |by| {
        by.run(by.world.mfa.associate(&by.grant()).named("phone"))
    }),
    ("associate in a token's place", Free, |by| {
        by.run(by.world.mfa.associate(&by.grant()).replacing(by.token))
    }),
    ("associate by a set-up", Free, |by| {
        by.run(by.world.mfa.associate(&by.setup))
    }),
    ("associate by a challenge", Free, |by| {
        by.run(by.world.mfa.associate(&by.challenge()))
    }),
    ("verify", Free, |by| {
        by.run(by.world.mfa.verify(&by.grant(), by.guess.clone()))
    }),
    ("verify with two codes", Free, |by| {
        by.run(
            by.world
                .mfa
                .verify(&by.grant(), by.guess.clone())
                .followed_by(by.guess.clone()),
        )
    }),
    ("verify by a secret that waited", Free, |by| {
        by.run(by.world.mfa.verify(&by.pending, by.guess.clone()))
    }),
    ("verify by a set-up", Free, |by| {
        by.run(by.world.mfa.verify(&by.setup, by.guess.clone()))
    }),
    ("verify by a challenge", Free, |by| {
        by.run(by.world.mfa.verify(&by.challenge(), by.guess.clone()))
    }),
    ("resynchronise", Guess, |by| {
        by.run(
            by.world
                .mfa
                .resynchronise(&by.grant(), by.guess.clone(), by.guess.clone()),
        )
    }),
    ("resynchronise by a challenge", Guess, |by| {
        by.run(
            by.world
                .mfa
                .resynchronise(&by.challenge(), by.guess.clone(), by.guess.clone()),
        )
    }),
    ("resynchronise by a set-up", Free, |by| {
        by.run(
            by.world
                .mfa
                .resynchronise(&by.setup, by.guess.clone(), by.guess.clone()),
        )
    }),
    ("prefer by a challenge", Free, |by| {
        by.run(by.world.mfa.prefer(&by.challenge(), Preference::Preferred))
    }),
    ("set_enabled off", Free, |by| {
        by.run(by.world.mfa.set_enabled(&by.grant(), false))
    }),
    ("set_enabled off by a challenge", Free, |by| {
        by.run(by.world.mfa.set_enabled(&by.challenge(), false))
    }),
    ("prefer disabled", Free, |by| {
        by.run(by.world.mfa.prefer(&by.grant(), Preference::Disabled))
    }),
    ("rename", Free, |by| {
        by.run(by.world.mfa.rename(&by.grant(), by.token, "a thief's"))
    }),
    ("rename by a challenge", Free, |by| {
        by.run(by.world.mfa.rename(&by.challenge(), by.token, "a thief's"))
    }),
    ("remove", Free, |by| {
        by.run(by.world.mfa.remove(&by.grant(), by.token))
    }),
    ("remove by a challenge", Free, |by| {
        by.run(by.world.mfa.remove(&by.challenge(), by.token))
    }),
    ("disassociate", Free, |by| {
        by.run(by.world.mfa.disassociate(&by.grant()))
    }),
    ("disassociate by a challenge", Free, |by| {
        by.run(by.world.mfa.disassociate(&by.challenge()))
    }),
    ("issue_recovery_codes", Free, |by| {
        by.run(by.world.mfa.issue_recovery_codes(&by.grant()))
    }),
    ("issue_recovery_codes by a challenge", Free, |by| {
        by.run(by.world.mfa.issue_recovery_codes(&by.challenge()))
    }),
    ("forget_browsers", Free, |by| {
        by.run(by.world.mfa.forget_browsers(&by.grant()))
    }),
    ("forget_browsers by a challenge", Free, |by| {
        by.run(by.world.mfa.forget_browsers(&by.challenge()))
    }),
    ("set_enabled on", Raise, |by| {
        by.run(by.world.mfa.set_enabled(&by.grant(), true))
    }),
    ("prefer enabled", Raise, |by| {
        by.run(by.world.mfa.prefer(&by.grant(), Preference::Enabled))
    }),
    ("prefer preferred", Raise, |by| {
        by.run(by.world.mfa.prefer(&by.grant(), Preference::Preferred))
    }),
    ("prefer enabled again", Raise, |by| {
        by.run(by.world.mfa.prefer(&by.grant(), Preference::Enabled))
    }),
];

/// Somebody who has a victim's password and nothing else, and has been there before the victim
/// enrolled.
struct Thief {
    world: World,
    /// The view of an administrator's requests, say: it asks everybody for a code.
    strict: Mfa,
    /// The victim's.
    device: Device,
    token: TokenId,
    guess: Code,
    /// Seen over the victim's shoulder.
    spent: Code,
    /// Of a challenge from before the victim enrolled.
    setup: ChallengeSession,
    /// Of a secret that the victim's own has replaced.
    pending: ChallengeSession,
}

impl Thief {
    /// Of a victim whose token is in force, has guarded something, and has recovery codes.
    fn under(policy: Policy) -> Self {
        let world = World::new(policy);
        let strict = world.mfa.with_policy(policy.required()).unwrap();
        let Challenge::Setup { session: setup, .. } = sign_in(&world, &strict) else {
            panic!("nothing is in force");
        };
        let associate = strict.associate(&setup);
        let issued = associate.run_blocking(&world.store, "alice").unwrap();
        let (device, owner) = world.enrolled("alice");
        let _ = recovery_codes(&world, &owner);
        world.time.advance(60);
        let spent = device.code(world.now());
        step_up(&world, &owner, spent.clone()).unwrap();
        Self {
            strict,
            token: token(&world, "alice"),
            guess: device.wrong_code(world.now()),
            spent,
            setup,
            pending: issued.session().unwrap().clone(),
            device,
            world,
        }
    }

    fn run<O: Operation>(&self, request: Request<O>) -> Answer {
        request.run_blocking(&self.world.store, "alice").map(drop)
    }

    fn grant(&self) -> Grant {
        self.world.password("alice").with_id("the thief's login")
    }

    fn challenge(&self) -> ChallengeSession {
        match sign_in(&self.world, &self.strict) {
            Challenge::SoftwareToken { session, .. } => session,
            other => panic!("no challenge for a code: {other:?}"),
        }
    }

    fn revision(&self) -> u64 {
        self.world.row("alice").unwrap().revision.get()
    }
}

fn sign_in(world: &World, view: &Mfa) -> Challenge {
    view.sign_in().run_blocking(&world.store, "alice").unwrap()
}

fn unlock(world: &World) {
    let unlock = world.mfa.unlock(&admin());
    unlock.run_blocking(&world.store, "alice").unwrap();
}

/// Writes to a victim's row that only a password needs and no throttle slows: none but two
/// preferences that go up, in `Policy::COGNITO`, and a hundred wrong recovery codes, which are
/// counted.
#[test]
fn a_password_alone_writes_nothing_to_a_victims_row_but_what_is_counted() {
    for (policy, raises) in [(Policy::STANDARD, 0), (Policy::COGNITO, 2)] {
        let thief = Thief::under(policy);
        let mut raised = 0;
        for (what, cost, attack) in ATTACKS {
            unlock(&thief.world);
            let before = thief.revision();
            for _ in 0..20 {
                if let Err(error) = attack(&thief) {
                    assert!(error.rejection().is_some(), "{what}: {error:?}");
                }
            }
            let writes = thief.revision() - before;
            match cost {
                Free | Replay => assert_eq!(writes, 0, "{what}"),
                Guess => assert_eq!(writes, 3, "{what}: then it has to wait"),
                RecoveryGuess => assert_eq!(writes, 20, "{what}"),
                Raise => raised += writes,
            }
        }
        assert_eq!(raised, raises);

        // All of them, again and again, in one second: what is counted is counted together.
        unlock(&thief.world);
        let before = thief.revision();
        for _ in 0..60 {
            for (_, _, attack) in ATTACKS {
                let _ = attack(&thief);
            }
        }
        assert_eq!(thief.revision() - before, 3 + 100);
        let codes = thief.device.code_in(thief.world.now(), 1);
        thief.world.time.advance(5);
        sign_in_with(&thief.world, "alice", codes).expect("it has waited");
    }
}

/// The owner's right codes while somebody who has the password does all that needs no more, as fast
/// as can be, but guess: each is accepted.
#[test]
fn a_password_alone_keeps_no_right_code_out_by_being_busy() {
    for policy in [Policy::STANDARD, Policy::COGNITO] {
        for answers in [besieged, outrun] {
            let thief = Thief::under(policy);
            for _ in 0..100 {
                let guess = sign_in_with(&thief.world, "alice", wrong_recovery_code());
                assert_eq!(no(guess), Rejection::Mismatch);
            }
            for answer in answers(&thief, |cost| !matches!(cost, Guess | Replay)) {
                answer.unwrap();
            }
        }
    }
}

/// The same with guesses: then a right code may have to wait, which the throttle says, but is never
/// lost in the crowd.
#[test]
fn guessing_in_parallel_keeps_right_codes_waiting_and_makes_none_fail() {
    for policy in [Policy::STANDARD, Policy::COGNITO] {
        for answers in [besieged, outrun] {
            let thief = Thief::under(policy);
            for answer in answers(&thief, |cost| cost != RecoveryGuess) {
                match answer {
                    Ok(())
                    | Err(Error::Rejected {
                        rejection: Rejection::Throttled { .. } | Rejection::Locked,
                        ..
                    }) => {}
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}

/// The same with recovery codes, which wait for no throttle: while the hundred are counted, a swap
/// may be lost to each, and so a few right codes to all of them.
#[test]
fn guessing_recovery_codes_in_parallel_makes_few_right_codes_fail_and_then_none() {
    let attempts = usize::try_from(Policy::STANDARD.swap_attempts()).unwrap();
    for answers in [besieged, outrun] {
        let thief = Thief::under(Policy::STANDARD);
        let answers = answers(&thief, |cost| cost == RecoveryGuess);
        let failed = |answer: &&Answer| match answer {
            Ok(()) => false,
            Err(Error::Fault(Fault::Contended)) => true,
            other => panic!("{other:?}"),
        };
        let failed = answers.iter().filter(failed).count();
        assert!(failed <= 100 / attempts, "{failed} have failed");
    }
}

/// Tells what becomes of 40 right codes of the owner's, half a minute apart, while three others
/// attack by what costs this.
fn besieged(thief: &Thief, by: fn(Cost) -> bool) -> Vec<Answer> {
    let Thief { world, device, .. } = thief;
    let ended = AtomicBool::new(false);
    let answers = together(4, |thread| {
        if thread == 0 {
            let answers = right_codes(world, device, &world.store);
            ended.store(true, Ordering::SeqCst);
            return answers;
        }
        for (what, cost, attack) in ATTACKS.iter().cycle().skip(thread * 13) {
            if ended.load(Ordering::SeqCst) {
                break;
            }
            if by(*cost)
                && let Err(error) = attack(thief)
            {
                // Theirs may well be lost in the crowd.
                let lost = matches!(error, Error::Fault(Fault::Contended));
                assert!(lost || error.rejection().is_some(), "{what}: {error:?}");
            }
        }
        Vec::new()
    });
    answers.into_iter().flatten().collect()
}

/// Tells what becomes of them where each time somebody attacks by all that costs this, between the
/// owner's load and the swap.
fn outrun(thief: &Thief, by: fn(Cost) -> bool) -> Vec<Answer> {
    right_codes(&thief.world, &thief.device, &Outrun { thief, by })
}

/// Signs in with 40 right codes of the owner's, half a minute apart.
fn right_codes<S>(world: &World, device: &Device, store: &S) -> Vec<Answer>
where
    S: BlockingStore<Error = Infallible>,
{
    let sign_in = |_| {
        world.time.advance(30);
        let code = device.code(world.now());
        let request = world.mfa.step_up(&world.password("alice"), code);
        request.run_blocking(store, "alice").map(drop)
    };
    (0..40).map(sign_in).collect()
}

struct Outrun<'a> {
    thief: &'a Thief,
    by: fn(Cost) -> bool,
}

impl BlockingStore for Outrun<'_> {
    type Error = Infallible;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, Infallible> {
        let rows = &self.thief.world.store;
        let found = rows.load_blocking(subject);
        for (what, _, attack) in ATTACKS.iter().filter(|(_, cost, _)| (self.by)(*cost)) {
            if let Err(error) = attack(self.thief) {
                assert!(error.rejection().is_some(), "{what}: {error:?}");
            }
        }
        found
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, Infallible> {
        self.thief.world.store.compare_and_swap_blocking(write)
    }
}
