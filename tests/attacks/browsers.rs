//! Browsers that are not remembered, and those that are and prove nothing.

use core::time::Duration;

use softtoken::association::{
    BrowserKeys, EventKind, ImportedToken, Method, Preference, SessionFlaw,
};
use softtoken::entropy::NoEntropy;
use softtoken::error::OpenError;
use softtoken::policy::PolicyError;
use softtoken::totp::{Secret, Totp};
use softtoken::{
    Challenge, Evidence, Factor, Fault, Grant, Mfa, OsEntropy, Policy, RecoveryCode, Rejection,
    Requirement, SessionKeys, SignedIn, UnixTime, Vouched,
};

use super::sessions::{SESSION, bytes_of, forgeries, set_up, signed};
use super::{
    authorises_nothing, flaw, no, recovery_codes, replacement, respond, step_up, token, untouched,
    wrong, wrong_recovery_code,
};
use crate::world::{Device, START, World, admin, context};

const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;

/// The key that signs the tokens of browsers, and its id.
const KEY: (u32, [u8; 32]) = (3, [9; 32]);

fn keys() -> BrowserKeys {
    BrowserKeys::from_bytes(KEY.0, &KEY.1)
}

/// Returns this view, which remembers browsers for so long.
fn remembering(mfa: &Mfa, seconds: u64) -> Mfa {
    let lifetime = Duration::from_secs(seconds);
    mfa.clone().with_browsers(keys(), lifetime).unwrap()
}

/// Returns a world that remembers browsers for thirty days.
fn world_of(policy: Policy) -> World {
    let mut world = World::new(policy);
    world.mfa = remembering(&world.mfa, 30 * DAY);
    world
}

/// A token of a browser names the context that ends it: where a sign-in had none, there is none.
#[test]
fn a_sign_in_without_a_context_has_no_browser_remembered() {
    let world = world_of(Policy::STANDARD);
    let device = world.enrol("alice");
    world.time.advance(60);
    let clock = world.time.clone();
    let without = Mfa::new(Policy::STANDARD, move || Some(clock.now()), OsEntropy);
    for (mfa, is_remembered) in [(&without, false), (&world.mfa, true)] {
        let sign_in = mfa.sign_in_with(Some(device.code(world.now()).into()));
        let signed_in = sign_in.run_blocking(&world.store, "alice").unwrap();
        let SignedIn::Proven(evidence) = signed_in else {
            panic!("a code was shown");
        };
        let browser = world.mfa.remember(&evidence).unwrap();
        assert_eq!(browser.is_some(), is_remembered);
        world.time.advance(60);
    }
}

/// Holds what a user has who enrolled, and was remembered as a challenge was answered.
struct Remembered {
    device: Device,
    grant: Grant,
    text: String,
}

impl Remembered {
    fn new(world: &World, subject: &str) -> Self {
        let device = world.enrol(subject);
        world.time.advance(60);
        let session = world.challenge(subject);
        let respond = world.mfa.respond(&session, device.code(world.now()));
        let evidence = respond.run_blocking(&world.store, subject).unwrap();
        Self {
            device,
            grant: Grant::from(&evidence),
            text: remember(&world.mfa, &evidence).expect("it is a code, behind a password"),
        }
    }
}

/// Returns the text for the cookie.
fn remember(mfa: &Mfa, evidence: &Evidence) -> Option<String> {
    let token = mfa.remember(evidence).unwrap()?;
    Some(token.expose().into())
}

/// Returns whether a sign-in of this subject at this view is spared the question for this text;
/// both verbs agree, and neither writes anything.
#[track_caller]
fn spares(mfa: &Mfa, world: &World, subject: &str, text: &str) -> bool {
    let before = world.row(subject);
    world.events();
    let sign_in = mfa.sign_in().from_browser(Some(text));
    let asked = match sign_in.run_blocking(&world.store, subject).unwrap() {
        Challenge::NotRequired { remembered, .. } => Some(remembered),
        Challenge::SoftwareToken { .. } | Challenge::Setup { .. } => None,
    };
    let sign_in = mfa.sign_in_with(None).from_browser(Some(text));
    let also = match sign_in.run_blocking(&world.store, subject).unwrap() {
        SignedIn::NotRequired { remembered, .. } => Some(remembered),
        SignedIn::FactorRequired { .. } | SignedIn::SetupRequired { .. } => None,
        SignedIn::Proven(evidence) => panic!("nothing was shown: {evidence:?}"),
    };
    assert_eq!(asked, also);
    assert_eq!(world.row(subject), before);
    let told = match asked {
        Some(true) => vec![EventKind::BrowserAccepted; 2],
        Some(false) | None => Vec::new(),
    };
    assert_eq!(world.events(), told);
    asked == Some(true)
}

/// Asserts that Alice is spared the question for this text.
#[track_caller]
fn is_spared(world: &World, text: &str) {
    assert!(spares(&world.mfa, world, "alice", text), "it is remembered");
}

/// Asserts that Alice is asked at this view, as if there were no such text.
#[track_caller]
fn is_asked(mfa: &Mfa, world: &World, text: &str) {
    assert!(!spares(mfa, world, "alice", text), "it is not remembered");
    let sign_in = mfa.sign_in().from_browser(Some(text));
    let challenge = sign_in.run_blocking(&world.store, "alice").unwrap();
    assert!(
        matches!(challenge, Challenge::SoftwareToken { .. }),
        "{challenge:?}"
    );
    let sign_in = mfa.sign_in_with(None).from_browser(Some(text));
    let signed_in = sign_in.run_blocking(&world.store, "alice").unwrap();
    assert!(
        matches!(signed_in, SignedIn::FactorRequired { .. }),
        "{signed_in:?}"
    );
}

/// Returns the text with these bytes at that place, signed with the key.
fn changed(text: &str, at: usize, bytes: &[u8]) -> String {
    let mut says = bytes_of(text);
    says.truncate(says.len() - 32);
    says.splice(at..at + bytes.len(), bytes.iter().copied());
    signed(&KEY.1, BROWSER, &says)
}

/// Names the purpose of the signature of a browser's token.
const BROWSER: &[u8] = b"softtoken browser";

/// The places of the numbers in the text: after its version and the id of its key.
const GENERATION: usize = 5;
const BROWSERS_FROM: usize = GENERATION + 8;
const TOKEN: usize = BROWSERS_FROM + 8;
const ISSUED: usize = TOKEN + 16;
const CONTEXT: usize = ISSUED + 8;

/// A browser token of another subject: not remembered.
#[test]
fn a_browser_of_another_user_is_not_remembered() {
    let world = world_of(Policy::STANDARD);
    let [alice, bob] = ["alice", "bob"].map(|subject| Remembered::new(&world, subject));
    is_spared(&world, &alice.text);
    is_asked(&world.mfa, &world, &bob.text);
    assert!(!spares(&world.mfa, &world, "bob", &alice.text));
    assert!(spares(&world.mfa, &world, "bob", &bob.text));
}

/// A browser token of another context: not remembered. So a change of the password ends it, where
/// its version is there.
#[test]
fn a_browser_of_another_context_is_not_remembered() {
    let world = world_of(Policy::STANDARD);
    let alice = Remembered::new(&world, "alice");
    for other in ["elsewhere", "worl", "world2", "World"] {
        let elsewhere = world.mfa.with_context(context(other));
        is_asked(&elsewhere, &world, &alice.text);
    }
    is_spared(&world, &alice.text);

    // Without a context, as without any context that is signed for it.
    let clock = world.time.clone();
    let bare = Mfa::new(Policy::STANDARD, move || Some(clock.now()), OsEntropy);
    let bare = remembering(&bare, 30 * DAY);
    let none = [&[0], &b"alice"[..]].concat();
    for text in [alice.text.clone(), changed_tail(&alice.text, &none)] {
        let sign_in = bare.sign_in_with(None).from_browser(Some(&text));
        let signed_in = sign_in.run_blocking(&world.store, "alice").unwrap();
        assert!(matches!(signed_in, SignedIn::FactorRequired { .. }));
    }
}

/// Returns the text with another context and subject, signed with the key.
fn changed_tail(text: &str, tail: &[u8]) -> String {
    let says = [&bytes_of(text)[..CONTEXT], tail].concat();
    signed(&KEY.1, BROWSER, &says)
}

/// A browser token of another generation: not remembered, an earlier one or a later.
#[test]
fn a_browser_of_another_generation_is_not_remembered() {
    let world = world_of(Policy::STANDARD);
    let alice = Remembered::new(&world, "alice");
    for other in [0_u64, 2, 1 << 32, u64::MAX] {
        let text = changed(&alice.text, GENERATION, &other.to_be_bytes());
        is_asked(&world.mfa, &world, &text);
    }
    for other in [1_u64, u64::MAX] {
        let text = changed(&alice.text, BROWSERS_FROM, &other.to_be_bytes());
        is_asked(&world.mfa, &world, &text);
    }
    let other = changed(&alice.text, TOKEN, &[0xa5; 16]);
    is_asked(&world.mfa, &world, &other);
    let same = changed(&alice.text, GENERATION, &1_u64.to_be_bytes());
    assert_eq!(same, alice.text);
    is_spared(&world, &same);
}

/// A browser token of another key: not remembered.
#[test]
fn a_browser_that_no_key_in_use_has_signed_is_not_remembered() {
    let world = world_of(Policy::STANDARD);
    let alice = Remembered::new(&world, "alice");
    let month = Duration::from_secs(30 * DAY);
    let with = |keys: BrowserKeys| world.mfa.clone().with_browsers(keys, month).unwrap();
    for other in [
        BrowserKeys::from_bytes(KEY.0, &[8; 32]),
        BrowserKeys::from_bytes(4, &KEY.1),
        BrowserKeys::generate(KEY.0, &OsEntropy).unwrap(),
    ] {
        is_asked(&with(other), &world, &alice.text);
    }

    let mut rotated = keys();
    rotated.rotate(4, &[8; 32]);
    assert!(spares(&with(rotated.clone()), &world, "alice", &alice.text));
    rotated.retire(KEY.0);
    is_asked(&with(rotated), &world, &alice.text);
    let mut new = BrowserKeys::from_bytes(4, &[8; 32]);
    new.also_open(KEY.0, &KEY.1);
    assert!(spares(&with(new), &world, "alice", &alice.text));
}

/// A browser token of another purpose: not remembered. A challenge session's text is no browser's,
/// nor the other way round, where both have the same key.
#[test]
fn a_browser_is_no_session_and_a_session_no_browser() {
    let mut world = World::standard();
    let same = BrowserKeys::from_bytes(1, &[7; 32]);
    let month = Duration::from_secs(30 * DAY);
    world.mfa = world.mfa.with_browsers(same, month).unwrap();
    let alice = Remembered::new(&world, "alice");
    let session = world.challenge("alice");
    is_asked(&world.mfa, &world, session.expose());
    world.events();
    let opened = world.mfa.open(&alice.text);
    assert_eq!(opened.err(), Some(OpenError::Invalid));
    assert_eq!(flaw(&world), SessionFlaw::Forged);

    let [session, browser] = [session.expose(), &alice.text].map(|text| {
        let mut says = bytes_of(text);
        says.truncate(says.len() - 32);
        says
    });
    for purpose in [SESSION, b"softtoken attempt", b""] {
        let text = signed(&[7; 32], purpose, &browser);
        is_asked(&world.mfa, &world, &text);
    }
    let session = signed(&[7; 32], BROWSER, &session);
    assert!(world.mfa.open(&session).is_err());
    is_asked(&world.mfa, &world, &session);
    is_spared(&world, &alice.text);
}

/// Rule B3: what the text of a browser is made of, by a key and a time that are known.
#[test]
fn the_text_of_a_browser_is_known() {
    let world = World::standard();
    let clock = world.time.clone();
    let same = |bytes: &mut [u8]| -> Result<(), NoEntropy> {
        bytes.fill(0xa5);
        Ok(())
    };
    let mfa = Mfa::new(Policy::STANDARD, move || Some(clock.now()), same);
    let mfa = mfa.with_sessions(SessionKeys::from_bytes(1, &[7; 32]), context("world"));
    let mfa = remembering(&mfa, HOUR);
    let grant = world.password("alice");
    let issued = mfa.associate(&grant).run_blocking(&world.store, "alice");
    let code = Device::of(&issued.unwrap()).code(world.now());
    let verify = mfa.verify(&grant, code).run_blocking(&world.store, "alice");
    let text = remember(&mfa, verify.unwrap().evidence()).unwrap();
    assert_eq!(
        text,
        "aeaaaaadaaaaaaaaaaaacaaaaaaaaaaaacs2ljnfuws2ljnfuws2ljnfuwsqaaaaabsvh4izav3w64tmmrqwy2ldm\
         u54qgsuf6c46tupd2rlro55rbzdju6jy2b2xbczp4s7yxhzlhc3w"
    );
    let audited = remembering(&world.mfa, HOUR);
    assert!(spares(&audited, &world, "alice", &text));
    let says = [
        &[1][..],
        &KEY.0.to_be_bytes(),
        &1_u64.to_be_bytes(),
        &0_u64.to_be_bytes(),
        &[0xa5; 16],
        &START.to_be_bytes(),
        b"\x05worldalice",
    ];
    assert_eq!(text, signed(&KEY.1, BROWSER, &says.concat()));
}

/// A browser token, after its time by the view's lifetime, not by its own: not remembered.
#[test]
fn a_browser_is_remembered_for_as_long_as_the_view_says_that_asks() {
    let world = World::standard();
    let short = remembering(&world.mfa, HOUR);
    let long = remembering(&world.mfa, 90 * DAY);
    let device = world.enrol("alice");
    let mut began = START;
    for made_by in [&short, &long] {
        began += DAY;
        world.time.set(began);
        let code = device.code(world.now());
        let step_up = world.mfa.step_up(&world.password("alice"), code);
        let evidence = step_up.run_blocking(&world.store, "alice").unwrap();
        let text = remember(made_by, &evidence).unwrap();
        for (view, lifetime) in [(&short, HOUR), (&long, 90 * DAY)] {
            for seconds in [0, 1, lifetime - 1] {
                world.time.set(began + seconds);
                assert!(spares(view, &world, "alice", &text), "{seconds}");
            }
            for seconds in [lifetime, lifetime + 1, 100 * DAY, u64::MAX - began] {
                world.time.set(began + seconds);
                is_asked(view, &world, &text);
            }
        }
    }
}

/// A browser token that was issued in the future: not remembered.
#[test]
fn a_browser_that_was_remembered_in_the_future_is_not() {
    let world = world_of(Policy::STANDARD);
    let alice = Remembered::new(&world, "alice");
    let issued = world.now().as_secs();
    for at in [issued + 1, issued + DAY, u64::MAX - 1, u64::MAX] {
        let text = changed(&alice.text, ISSUED, &at.to_be_bytes());
        is_asked(&world.mfa, &world, &text);
    }
    world.time.go_back(1);
    is_asked(&world.mfa, &world, &alice.text);
    world.time.advance(1);
    is_spared(&world, &alice.text);
}

type Deed = fn(&World, &Remembered);

/// Answers a challenge of Alice's with this factor.
fn answers(world: &World, factor: impl Into<Factor>) {
    respond(world, "alice", &world.challenge("alice"), factor).unwrap();
}

fn temporary_code(world: &World) -> RecoveryCode {
    let hour = Duration::from_secs(HOUR);
    let issue = world.mfa.issue_temporary_code(&admin(), hour);
    issue.run_blocking(&world.store, "alice").unwrap()
}

fn set_enabled(world: &World, grant: &Grant, enabled: bool) {
    let set_enabled = world.mfa.set_enabled(grant, enabled);
    set_enabled.run_blocking(&world.store, "alice").unwrap();
}

/// Associates and verifies: a token more where there is room for it, else one in the place of the
/// other.
fn replace(world: &World, grant: &Grant) {
    let device = replacement(world, grant);
    let verify = world.mfa.verify(grant, device.code(world.now()));
    let _ = verify.run_blocking(&world.store, "alice").unwrap();
}

fn import(world: &World) {
    let secret = Secret::generate(20, &OsEntropy).unwrap();
    let token = ImportedToken::proven(secret, Totp::STANDARD);
    let import = world.mfa.import(&admin(), [token]);
    let import = import.replacing_everything();
    import.run_blocking(&world.store, "alice").unwrap();
}

/// Lists the deeds that end every remembered browser, and leave a token that a sign-in asks for.
/// Each is done under a policy with so many tokens.
const ENDS: [(&str, usize, Deed); 14] = [
    ("a recovery code", 1, |world, alice| {
        let codes = recovery_codes(world, &alice.grant);
        answers(world, codes[0].clone());
    }),
    ("a temporary code", 1, |world, _| {
        answers(world, temporary_code(world));
    }),
    ("a recovery code of another system", 1, |world, _| {
        answers(world, Vouched::recovery_code(true));
    }),
    ("a recovery code to step up", 1, |world, alice| {
        let codes = recovery_codes(world, &alice.grant);
        step_up(world, &alice.grant, codes[0].clone()).unwrap();
    }),
    ("off and on", 1, |world, alice| {
        set_enabled(world, &alice.grant, false);
        set_enabled(world, &alice.grant, true);
    }),
    ("off and preferred", 1, |world, alice| {
        for preference in [Preference::Disabled, Preference::Preferred] {
            let prefer = world.mfa.prefer(&alice.grant, preference);
            prefer.run_blocking(&world.store, "alice").unwrap();
        }
    }),
    ("off and on, by an administrator", 1, |world, _| {
        for enabled in [false, true] {
            let set_enabled = world.mfa.set_enabled(&admin(), enabled);
            set_enabled.run_blocking(&world.store, "alice").unwrap();
        }
    }),
    ("a replacement", 1, |world, alice| {
        replace(world, &alice.grant);
    }),
    ("another token", 2, |world, alice| {
        replace(world, &alice.grant);
    }),
    (
        "the removal of the token that was shown",
        2,
        |world, alice| {
            let shown = token(world, "alice");
            replace(world, &alice.grant);
            let remove = world.mfa.remove(&alice.grant, shown);
            remove.run_blocking(&world.store, "alice").unwrap();
        },
    ),
    ("removal and enrolment", 1, |world, alice| {
        let disassociate = world.mfa.disassociate(&alice.grant);
        disassociate.run_blocking(&world.store, "alice").unwrap();
        world.enrol("alice");
    }),
    ("a reset and enrolment", 1, |world, _| {
        let reset = world.mfa.reset(&admin());
        reset.run_blocking(&world.store, "alice").unwrap();
        world.enrol("alice");
    }),
    ("an import in the place of everything", 1, |world, _| {
        import(world);
    }),
    ("forgetting them", 1, |world, alice| {
        let forget = world.mfa.forget_browsers(&alice.grant);
        forget.run_blocking(&world.store, "alice").unwrap();
    }),
];

/// A browser token after a recovery, after off and on, after a removal or a replacement, after
/// `forget_browsers`: not remembered, nor ever again.
#[test]
fn what_ends_remembered_browsers_ends_them() {
    for (name, tokens, ends) in ENDS {
        let policy = Policy::builder().max_tokens(tokens).build().unwrap();
        let world = world_of(policy);
        let alice = Remembered::new(&world, "alice");
        is_spared(&world, &alice.text);
        ends(&world, &alice);
        assert!(!spares(&world.mfa, &world, "alice", &alice.text), "{name}");
        world.time.advance(DAY);
        is_asked(&world.mfa, &world, &alice.text);
    }
}

/// A browser token after `forget_browsers`: not remembered. A grant without possession forgets
/// none.
#[test]
fn browsers_are_forgotten_by_who_has_the_token_or_by_an_administrator() {
    let world = world_of(Policy::STANDARD);
    let alice = Remembered::new(&world, "alice");
    let forget = world.mfa.forget_browsers(&world.password("alice"));
    let forget = || forget.run_blocking(&world.store, "alice");
    let refused = untouched(&world, "alice", forget);
    assert_eq!(refused, Rejection::SecondFactorRequired);
    is_spared(&world, &alice.text);

    world.events();
    let forget = world.mfa.forget_browsers(&admin());
    forget.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(world.events(), [EventKind::BrowsersForgotten]);
    is_asked(&world.mfa, &world, &alice.text);

    // One that is remembered afterwards is.
    let code = alice.device.code_in(world.now(), 1);
    let step_up = world.mfa.step_up(&alice.grant, code);
    let evidence = step_up.run_blocking(&world.store, "alice").unwrap();
    is_spared(&world, &remember(&world.mfa, &evidence).unwrap());
}

/// Lists the deeds that end no remembered browser.
const LEAVES: [(&str, Deed); 11] = [
    ("another sign-in", |world, alice| {
        answers(world, alice.device.code_in(world.now(), 1));
    }),
    ("wrong codes", |world, alice| {
        for factor in [
            Factor::from(wrong(&[&alice.device], world)),
            wrong_recovery_code().into(),
            Vouched::recovery_code(false).into(),
        ] {
            assert_eq!(
                no(step_up(world, &alice.grant, factor)),
                Rejection::Mismatch
            );
        }
    }),
    ("a vouched factor", |world, _| {
        answers(world, Vouched::factor(&["hwk"]));
    }),
    ("a resynchronisation", |world, alice| {
        let [code, next] = [1, 2].map(|steps| alice.device.code_in(world.now(), steps));
        let resynchronise = world.mfa.resynchronise(&alice.grant, code, next);
        resynchronise.run_blocking(&world.store, "alice").unwrap();
    }),
    ("recovery codes that nobody used", |world, alice| {
        let _ = recovery_codes(world, &alice.grant);
        let _ = temporary_code(world);
    }),
    ("another name", |world, alice| {
        let token = token(world, "alice");
        let rename = world.mfa.rename(&alice.grant, token, "fob");
        rename.run_blocking(&world.store, "alice").unwrap();
    }),
    ("a preference", |world, alice| {
        for preference in [Preference::Preferred, Preference::Enabled] {
            let prefer = world.mfa.prefer(&alice.grant, preference);
            prefer.run_blocking(&world.store, "alice").unwrap();
        }
    }),
    ("a secret that waits", |world, alice| {
        let _ = replacement(world, &alice.grant);
    }),
    ("an unlock", |world, _| {
        let unlock = world.mfa.unlock(&admin());
        unlock.run_blocking(&world.store, "alice").unwrap();
    }),
    ("another browser", |world, alice| {
        let other = Remembered {
            device: alice.device.clone(),
            grant: alice.grant.clone(),
            text: alice.text.clone(),
        };
        world.time.advance(60);
        let code = other.device.code(world.now());
        let step_up = world.mfa.step_up(&other.grant, code);
        let evidence = step_up.run_blocking(&world.store, "alice").unwrap();
        is_spared(world, &remember(&world.mfa, &evidence).unwrap());
    }),
    ("turning off that was refused", |world, _| {
        let grant = world.password("alice");
        let set_enabled = world.mfa.set_enabled(&grant, false);
        let refused = no(set_enabled.run_blocking(&world.store, "alice"));
        assert_eq!(refused, Rejection::SecondFactorRequired);
    }),
];

/// Rule B4: nothing else ends a remembered browser.
#[test]
fn what_does_not_end_remembered_browsers_leaves_them() {
    for (name, deed) in LEAVES {
        let world = world_of(Policy::STANDARD);
        let alice = Remembered::new(&world, "alice");
        deed(&world, &alice);
        let spared = spares(&world.mfa, &world, "alice", &alice.text);
        assert!(spared, "{name}");
    }
}

/// A browser token after a recovery, made of evidence from before it: not remembered. The evidence
/// carries its numbers itself.
#[test]
fn evidence_from_before_browsers_were_forgotten_remembers_none() {
    for (name, tokens, ends) in ENDS {
        let policy = Policy::builder().max_tokens(tokens).build().unwrap();
        let world = world_of(policy);
        let alice = Remembered::new(&world, "alice");
        let code = alice.device.code_in(world.now(), 1);
        let step_up = world.mfa.step_up(&alice.grant, code);
        let evidence = step_up.run_blocking(&world.store, "alice").unwrap();
        ends(&world, &alice);
        let late = remember(&world.mfa, &evidence).unwrap();
        assert!(!spares(&world.mfa, &world, "alice", &late), "{name}");
    }
}

/// An attempt that is repeated is answered with the evidence of then. Made anew, it would carry the
/// number of now.
#[test]
fn an_attempt_from_before_browsers_were_forgotten_is_not_answered_again() {
    let world = world_of(Policy::STANDARD);
    let alice = Remembered::new(&world, "alice");
    let code = alice.device.code_in(world.now(), 1);
    let key = softtoken::association::AttemptKey::from_bytes([9; 16]);
    let attempt = || {
        let step_up = world.mfa.step_up(&alice.grant, code.clone());
        let answer = step_up.attempt(key.clone());
        answer.run_blocking(&world.store, "alice")
    };
    let _ = attempt().unwrap();
    let _ = attempt().expect("it is answered again");
    let forget = world.mfa.forget_browsers(&admin());
    forget.run_blocking(&world.store, "alice").unwrap();
    let again = attempt().unwrap_err();
    assert_eq!(again.rejection(), Some(softtoken::Rejection::Reused));
}

/// A set-up that is finished gives the evidence of its code. Made anew, it would carry the number of
/// now.
#[test]
fn a_set_up_from_before_browsers_were_forgotten_is_not_finished() {
    type Forgets = fn(&World, &Grant);
    let forgets: [(&str, Forgets); 3] = [
        ("forgotten", |world, grant| {
            let forget = world.mfa.forget_browsers(grant);
            forget.run_blocking(&world.store, "alice").unwrap();
        }),
        ("turned off and on", |world, _| {
            let mfa = world.mfa.with_policy(Policy::STANDARD).unwrap();
            for enabled in [false, true] {
                let set = mfa.set_enabled(&admin(), enabled);
                set.run_blocking(&world.store, "alice").unwrap();
            }
        }),
        ("recovered", |world, grant| {
            let codes = recovery_codes(world, grant);
            step_up(world, grant, codes[0].clone()).unwrap();
        }),
    ];
    for (name, forgets) in forgets {
        let world = world_of(Policy::STANDARD.required());
        let (grant, session) = set_up(&world, "alice");
        forgets(&world, &grant);
        let attack = || {
            let finish = world.mfa.finish_setup(&session);
            finish.run_blocking(&world.store, "alice")
        };
        let refused = untouched(&world, "alice", attack);
        assert_eq!(refused, Rejection::InvalidSession, "{name}");
        assert_eq!(flaw(&world), SessionFlaw::Spent, "{name}");
    }
}

/// A browser token for `MFA_SETUP`: not remembered. Who has no token is to set one up.
#[test]
fn no_browser_is_spared_the_setup_of_a_token() {
    let required = Policy::STANDARD.required();
    let world = world_of(required);
    let setup = |policy: Policy, text: &str| {
        let mfa = world.mfa.with_policy(policy).unwrap();
        assert!(!spares(&mfa, &world, "alice", text));
        let sign_in = mfa.sign_in().from_browser(Some(text));
        let challenge = sign_in.run_blocking(&world.store, "alice").unwrap();
        assert!(
            matches!(challenge, Challenge::Setup { .. }),
            "{challenge:?}"
        );
        let sign_in = mfa.sign_in_with(None).from_browser(Some(text));
        let signed_in = sign_in.run_blocking(&world.store, "alice").unwrap();
        assert!(
            matches!(signed_in, SignedIn::SetupRequired { .. }),
            "{signed_in:?}"
        );
    };
    let soon = UnixTime::from_secs(START + 7 * DAY);
    let policies = [required, Policy::STANDARD.required_from(soon)];

    let alice = Remembered::new(&world, "alice");
    let generation: u64 = 1;
    for ended_by in ["reset", "removal"] {
        if ended_by == "reset" {
            let reset = world.mfa.reset(&admin());
            reset.run_blocking(&world.store, "alice").unwrap();
        } else {
            world.enrol("alice");
            let disassociate = world.mfa.disassociate(&admin());
            disassociate.run_blocking(&world.store, "alice").unwrap();
        }
        for policy in policies {
            for later in 0..4 {
                let later = (generation + later).to_be_bytes();
                setup(policy, &changed(&alice.text, GENERATION, &later));
            }
        }
    }
    world.time.set(soon.as_secs());
    for policy in policies {
        setup(policy, &alice.text);
    }
}

/// Rule B2: where no code would be asked for, no browser is said to be remembered.
#[test]
fn a_browser_is_remembered_only_where_a_code_would_be_asked_for() {
    let world = world_of(Policy::STANDARD);
    let alice = Remembered::new(&world, "alice");
    let view = |requirement| {
        let policy = Policy::builder().requirement(requirement).build().unwrap();
        world.mfa.with_policy(policy).unwrap()
    };
    assert!(!spares(
        &view(Requirement::Off),
        &world,
        "alice",
        &alice.text
    ));
    for asks in [
        Requirement::Optional,
        Requirement::Required,
        Requirement::RequiredFrom(world.now()),
    ] {
        assert!(spares(&view(asks), &world, "alice", &alice.text));
    }
    set_enabled(&world, &alice.grant, false);
    assert!(!spares(&world.mfa, &world, "alice", &alice.text));
    is_asked(&view(Requirement::Required), &world, &alice.text);
}

/// Asserts that this evidence remembers no browser, and that no event tells of one.
#[track_caller]
fn is_not_remembered(mfa: &Mfa, world: &World, evidence: &Evidence) {
    world.events();
    assert_eq!(remember(mfa, evidence), None);
    assert_eq!(world.events(), []);
}

/// Evidence of a recovery, temporary or vouched factor: not remembered.
#[test]
fn evidence_of_no_code_remembers_no_browser() {
    let world = world_of(Policy::STANDARD);
    let (_, grant) = world.enrolled("alice");
    let codes = recovery_codes(&world, &grant);
    let temporary = temporary_code(&world);
    for (factor, method) in [
        (Factor::from(codes[0].clone()), Method::RecoveryCode),
        (temporary.into(), Method::TemporaryCode),
        (Vouched::factor(&["otp"]).into(), Method::Vouched),
        (Vouched::recovery_code(true).into(), Method::Vouched),
    ] {
        let session = world.challenge("alice");
        let respond = world.mfa.respond(&session, factor);
        let evidence = respond.run_blocking(&world.store, "alice").unwrap();
        assert_eq!(evidence.method(), method);
        is_not_remembered(&world.mfa, &world, &evidence);
    }
}

/// Evidence without a first factor behind it: not remembered.
#[test]
fn evidence_without_a_first_factor_remembers_no_browser() {
    let world = world_of(Policy::STANDARD);
    let associate = world.mfa.associate(&admin());
    let issued = associate.run_blocking(&world.store, "alice").unwrap();
    let code = Device::of(&issued).code(world.now());
    let verify = world.mfa.verify(&admin(), code);
    let enrolled = verify.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(enrolled.evidence().first_factor_at(), None);
    is_not_remembered(&world.mfa, &world, enrolled.evidence());
}

/// Evidence of another context, or of none: not remembered.
#[test]
fn evidence_of_another_context_remembers_no_browser() {
    let world = world_of(Policy::STANDARD);
    let device = world.enrol("alice");
    let evidence_at = |mfa: &Mfa| {
        world.time.advance(60);
        let factor = Some(device.code(world.now()).into());
        let sign_in = mfa.sign_in_with(factor);
        match sign_in.run_blocking(&world.store, "alice").unwrap() {
            SignedIn::Proven(evidence) => evidence,
            other => panic!("nothing was judged: {other:?}"),
        }
    };
    let here = evidence_at(&world.mfa);
    let elsewhere = world.mfa.with_context(context("elsewhere"));
    is_not_remembered(&elsewhere, &world, &here);
    let there = evidence_at(&elsewhere);
    is_not_remembered(&world.mfa, &world, &there);
    assert!(remember(&elsewhere, &there).is_some());

    let clock = world.time.clone();
    let bare = Mfa::new(Policy::STANDARD, move || Some(clock.now()), OsEntropy);
    let bare = remembering(&bare, HOUR);
    let nowhere = evidence_at(&bare);
    assert!(nowhere.context().as_bytes().is_empty());
    is_not_remembered(&bare, &world, &nowhere);
    is_not_remembered(&world.mfa, &world, &nowhere);
    is_not_remembered(&bare, &world, &here);
    assert!(remember(&world.mfa, &here).is_some());
}

/// Rule B1: evidence of a code with a first factor behind it, whichever verb gave it, is
/// remembered, and told of.
#[test]
fn evidence_of_a_code_behind_a_password_remembers_a_browser() {
    let world = world_of(Policy::STANDARD);
    let issued = world.associate("alice");
    let device = Device::of(&issued);
    let grant = world.password("alice").with_id("login-1");
    let verify = world.mfa.verify(&grant, device.code(world.now()));
    let enrolled = verify.run_blocking(&world.store, "alice").unwrap();
    let step_up = world.mfa.step_up(&grant, device.code_in(world.now(), 1));
    let stepped_up = step_up.run_blocking(&world.store, "alice").unwrap();
    for evidence in [enrolled.evidence(), &stepped_up] {
        world.events();
        let token = world.mfa.remember(evidence).unwrap().unwrap();
        assert_eq!(world.events(), [EventKind::BrowserRemembered]);
        is_spared(&world, token.expose());
        assert_eq!(format!("{token:?}"), "BrowserToken(..)");
    }
}

/// Every one-bit change, truncation, other spelling of the text: not remembered, and asked as ever.
#[test]
fn a_browser_with_anything_changed_is_not_remembered() {
    // Each length of a subject leaves the text another number of unused bits.
    for subject in ["a", "al", "ali", "alic", "alice"] {
        let world = world_of(Policy::STANDARD);
        let browser = Remembered::new(&world, subject);
        for text in forgeries(&browser.text) {
            let sign_in = world.mfa.sign_in_with(None).from_browser(Some(&text));
            let signed_in = sign_in.run_blocking(&world.store, subject).unwrap();
            assert!(
                matches!(signed_in, SignedIn::FactorRequired { .. }),
                "{text}"
            );
        }
        assert!(spares(&world.mfa, &world, subject, &browser.text));
    }
}

/// Every other spelling of what is signed: not remembered, be it signed by one who has the key.
#[test]
fn a_browser_is_what_was_signed_whole_in_that_version() {
    let world = world_of(Policy::STANDARD);
    let alice = Remembered::new(&world, "alice");
    let mut says = bytes_of(&alice.text);
    let signature = says.split_off(says.len() - 32);
    assert_eq!(alice.text, signed(&KEY.1, BROWSER, &says));
    for version in [0, 2, 255] {
        let text = changed(&alice.text, 0, &[version]);
        is_asked(&world.mfa, &world, &text);
    }
    for length in 0..=says.len() {
        let part = &says[..length];
        if length < says.len() {
            is_asked(&world.mfa, &world, &signed(&KEY.1, BROWSER, part));
        }
        let text = super::sessions::text_of(&[part, &signature[..31]].concat());
        is_asked(&world.mfa, &world, &text);
    }
    for tail in [
        &b"\x00worldalice"[..],
        b"\x06worldalice",
        b"\x05worldalice\0",
        b"\x05worldalic",
        b"\x05worldali\xff",
        b"\x7fworldalice",
        b"\xffworldalice",
    ] {
        let text = changed_tail(&alice.text, tail);
        is_asked(&world.mfa, &world, &text);
    }
    let same = changed_tail(&alice.text, b"\x05worldalice");
    is_spared(&world, &same);
}

/// A remembered browser proves nothing: no grant comes of it, `check` refuses, and what needs
/// possession needs it still.
#[test]
fn a_remembered_browser_proves_nothing() {
    let world = world_of(Policy::STANDARD);
    let alice = Remembered::new(&world, "alice");
    world.time.advance(HOUR);
    let before = world.row("alice");
    is_spared(&world, &alice.text);

    // The login that came of it has given the password, and nothing else.
    let grant = world.password("alice").with_id("login-2");
    for max_age in [Duration::from_secs(60), Duration::MAX] {
        let check = world.mfa.check(&grant, max_age);
        let check = || check.run_blocking(&world.store, "alice");
        let refused = untouched(&world, "alice", check);
        assert_eq!(refused, Rejection::SecondFactorRequired);
    }
    let code = alice.device.code(world.now());
    let reason = Rejection::SecondFactorRequired;
    authorises_nothing(&grant, &world, "alice", &code, reason);
    assert_eq!(world.row("alice"), before);
    step_up(&world, &grant, code).expect("no code was spent");
}

/// A remembered browser proves nothing: a factor that is given with it is judged, and its refusal
/// is the answer.
#[test]
fn a_factor_is_judged_that_a_remembered_browser_gives() {
    let world = world_of(Policy::STANDARD);
    let alice = Remembered::new(&world, "alice");
    let sign_in = |factor: Factor| {
        let sign_in = world.mfa.sign_in_with(Some(factor));
        let sign_in = sign_in.from_browser(Some(&alice.text));
        sign_in.run_blocking(&world.store, "alice")
    };
    for failures in 1..=3 {
        let guess = wrong(&[&alice.device], &world);
        assert_eq!(no(sign_in(guess.into())), Rejection::Mismatch);
        let status = world.mfa.status().run_blocking(&world.store, "alice");
        assert_eq!(status.unwrap().failures, failures);
    }
    let code = alice.device.code_in(world.now(), 1);
    let early = no(sign_in(code.clone().into()));
    assert!(matches!(early, Rejection::Throttled { .. }));
    is_spared(&world, &alice.text);
    world.time.advance(5);
    let signed_in = sign_in(code.into()).unwrap();
    assert!(matches!(signed_in, SignedIn::Proven(_)), "{signed_in:?}");
}

/// Rule B5: off, unless the view has keys for it.
#[test]
fn a_view_without_keys_remembers_no_browser() {
    let without = World::standard();
    let world = world_of(Policy::STANDARD);
    let alice = Remembered::new(&world, "alice");
    without.time.set(world.now().as_secs());
    is_asked(&without.mfa, &world, &alice.text);
    world.time.advance(60);
    let code = alice.device.code(world.now());
    let step_up = world.mfa.step_up(&alice.grant, code);
    let evidence = step_up.run_blocking(&world.store, "alice").unwrap();
    is_not_remembered(&without.mfa, &world, &evidence);
    assert_eq!(without.events(), []);
    is_spared(&world, &alice.text);

    let nobody = world.mfa.sign_in().from_browser(None);
    let challenge = nobody.run_blocking(&world.store, "alice").unwrap();
    assert!(matches!(challenge, Challenge::SoftwareToken { .. }));
}

/// Rule B5: a lifetime of 1 hour to 90 days.
#[test]
fn a_browser_is_remembered_for_an_hour_to_ninety_days() {
    let view = |lifetime| {
        let mfa = Mfa::system(Policy::STANDARD);
        mfa.with_browsers(keys(), lifetime).err()
    };
    let [hour, most] = [HOUR, 90 * DAY].map(Duration::from_secs);
    let moment = Duration::from_nanos(1);
    for good in [hour, hour + moment, most.saturating_sub(moment), most] {
        assert_eq!(view(good), None);
    }
    let bad = [
        Duration::ZERO,
        hour.saturating_sub(moment),
        most + moment,
        Duration::from_secs(365 * DAY),
        Duration::MAX,
    ];
    for bad in bad {
        assert_eq!(view(bad), Some(PolicyError::BrowserLifetime));
    }
}

/// Rule D5: a clock that does not know the time remembers nobody.
#[test]
fn a_server_that_does_not_know_the_time_remembers_no_browser() {
    let world = world_of(Policy::STANDARD);
    let alice = Remembered::new(&world, "alice");
    world.time.advance(60);
    let code = alice.device.code(world.now());
    let step_up = world.mfa.step_up(&alice.grant, code);
    let evidence = step_up.run_blocking(&world.store, "alice").unwrap();
    let timeless = Mfa::new(Policy::STANDARD, || None, OsEntropy);
    let timeless = timeless.with_sessions(SessionKeys::from_bytes(1, &[7; 32]), context("world"));
    let timeless = remembering(&timeless, HOUR);
    assert_eq!(timeless.remember(&evidence).err(), Some(Fault::NoTime));
}

/// Rule B3: the longest that there are are remembered.
#[test]
fn the_longest_browser_there_is_is_remembered() {
    let mut world = world_of(Policy::STANDARD);
    let [subject, text] = [256, 128].map(|length| "x".repeat(length));
    world.mfa = world.mfa.with_context(context(&text));
    let longest = Remembered::new(&world, &subject);
    assert!(longest.text.len() <= 1000);
    assert!(spares(&world.mfa, &world, &subject, &longest.text));
}

/// Rule W5: the text is in no `Debug` and no event.
#[test]
fn the_text_of_a_browser_is_told_to_nobody_else() {
    let world = world_of(Policy::STANDARD);
    let alice = Remembered::new(&world, "alice");
    world.events();
    let sign_in = world.mfa.sign_in().from_browser(Some(&alice.text));
    let debug = format!("{sign_in:?}");
    let _ = sign_in.run_blocking(&world.store, "alice").unwrap();
    let told = format!("{debug} {:?} {:?}", world.events(), world.mfa);
    assert!(!told.contains(&alice.text), "{told}");
}
