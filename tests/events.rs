//! What is told of a decision: which event, by what name, to whom, and that nobody is left in the
//! dark.
#![allow(clippy::unwrap_used, reason = "a failing step fails the test")]

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use crate::world::{Device, World, admin, context};
use softtoken::association::{
    Actor, Associate, AttemptKey, BrowserKeys, Check, Disassociate, EventKind, FinishSetup,
    ForgetBrowsers, Import, ImportedToken, IssueRecoveryCodes, IssueTemporaryCode, Issued, Method,
    Operation, Prefer, Preference, Remove, Rename, Reseal, Reset, Respond, Resynchronise,
    SessionFlaw, SetEnabled, SignIn, SignInWith, Status, StepUp, Unlock, Verify,
};
use softtoken::mfa::Request;
use softtoken::policy::Throttle;
use softtoken::store::{Snapshot, Swap, Write};
use softtoken::time::Step;
use softtoken::totp::{Secret, Totp};
use softtoken::{
    Challenge, Code, Event, Grant, MemoryStore, Mfa, Policy, RecoveryCode, Rejection, SessionKeys,
    Store, UnixTime, Vouched,
};

const DAY: u64 = 86_400;

/// The name of every event. Logs, metrics and alerts hold on to them: none may change.
fn names() -> Vec<(EventKind, &'static str)> {
    let token = "000102030405060708090a0b0c0d0e0f".parse().unwrap();
    let until = UnixTime::from_secs(1_700_000_000);
    let step = Step::new(56_666_666);
    vec![
        (
            EventKind::Associated {
                possession_waived: true,
            },
            "associated",
        ),
        (EventKind::Verified { failures: 1 }, "verified"),
        (
            EventKind::Replaced {
                failures: 1,
                replaced: token,
                possession_waived: true,
            },
            "replaced",
        ),
        (EventKind::Added { failures: 1 }, "added"),
        (EventKind::Removed, "removed"),
        (EventKind::Renamed, "renamed"),
        (
            EventKind::SignedIn {
                method: Method::SoftwareToken,
                failures: 1,
            },
            "signed_in",
        ),
        (
            EventKind::PreferenceChanged {
                enabled: true,
                preferred: false,
            },
            "preference_changed",
        ),
        (EventKind::RecoveryCodesIssued, "recovery_codes_issued"),
        (
            EventKind::RecoveryCodeUsed {
                left: 9,
                temporary: false,
            },
            "recovery_code_used",
        ),
        (
            EventKind::TemporaryCodeIssued { expires: until },
            "temporary_code_issued",
        ),
        (EventKind::Vouched, "vouched"),
        (EventKind::FactorIgnored, "factor_ignored"),
        (EventKind::BrowserRemembered, "browser_remembered"),
        (EventKind::BrowserAccepted, "browser_accepted"),
        (EventKind::BrowsersForgotten, "browsers_forgotten"),
        (
            EventKind::Resynchronised {
                drift: -1,
                failures: 1,
            },
            "resynchronised",
        ),
        (EventKind::AnsweredAgain, "answered_again"),
        (EventKind::Disassociated, "disassociated"),
        (EventKind::PendingRemoved, "pending_removed"),
        (
            EventKind::Reset {
                unreadable: false,
                clock_mended: true,
            },
            "reset",
        ),
        (EventKind::Unlocked, "unlocked"),
        (
            EventKind::Imported {
                pending: false,
                weak: true,
                replacing: false,
            },
            "imported",
        ),
        (EventKind::Exported, "exported"),
        (
            EventKind::Refused {
                rejection: Rejection::Mismatch,
                flaw: None,
            },
            "refused",
        ),
        (EventKind::Throttled { until }, "throttled"),
        (EventKind::Locked, "locked"),
        (
            EventKind::PasswordProbablyKnown {
                failures: 5,
                suspicion: 5,
            },
            "password_probably_known",
        ),
        (EventKind::ReusedCode { step }, "reused_code"),
        (EventKind::ClockBehind { last: step }, "clock_behind"),
    ]
}

#[test]
fn every_event_has_its_name_for_good() {
    for (kind, name) in names() {
        assert_eq!(kind.name(), name);
        #[cfg(feature = "serde")]
        assert_eq!(serde_json::to_value(&kind).unwrap()["name"], name);
    }
}

#[test]
fn every_actor_has_its_name_for_good() {
    let names = [Actor::Grant, Actor::Session, Actor::Application].map(|actor| actor.name());
    assert_eq!(names, ["grant", "session", "application"]);
    let told = Life::lived("alice").told;
    let by_admin = told.iter().find(|event| event.operation == "reset");
    assert_eq!(by_admin.unwrap().actor.name(), "administrator");
}

#[test]
fn every_operation_has_its_name_for_good() {
    fn name<O: Operation>() -> &'static str {
        O::NAME
    }
    let names = [
        (name::<Associate>(), "associate"),
        (name::<Check>(), "check"),
        (name::<Disassociate>(), "disassociate"),
        (name::<FinishSetup>(), "finish_setup"),
        (name::<ForgetBrowsers>(), "forget_browsers"),
        (name::<Import>(), "import"),
        (name::<IssueRecoveryCodes>(), "issue_recovery_codes"),
        (name::<IssueTemporaryCode>(), "issue_temporary_code"),
        (name::<Prefer>(), "prefer"),
        (name::<Remove>(), "remove"),
        (name::<Rename>(), "rename"),
        (name::<Reseal>(), "reseal"),
        (name::<Reset>(), "reset"),
        (name::<Respond>(), "respond"),
        (name::<Resynchronise>(), "resynchronise"),
        (name::<SetEnabled>(), "set_enabled"),
        (name::<SignIn>(), "sign_in"),
        (name::<SignInWith>(), "sign_in_with"),
        (name::<Status>(), "status"),
        (name::<StepUp>(), "step_up"),
        (name::<Unlock>(), "unlock"),
        (name::<Verify>(), "verify"),
    ];
    for (named, name) in names {
        assert_eq!(named, name);
    }
    #[cfg(feature = "export")]
    assert_eq!(name::<softtoken::association::Export>(), "export");
}

/// What a view has told.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<(String, Event)>>>);

impl Heard {
    fn view(&self, mfa: &Mfa) -> Mfa {
        let heard = Arc::clone(&self.0);
        mfa.with_audit(move |subject, event| {
            heard.lock().unwrap().push((subject.into(), event.clone()));
        })
    }

    fn take(&self) -> Vec<(String, Event)> {
        core::mem::take(&mut *self.0.lock().unwrap())
    }

    fn kinds(&self) -> Vec<EventKind> {
        let told = self.take();
        told.into_iter().map(|(_, event)| event.kind).collect()
    }
}

/// A life with every event in it.
struct Life {
    subject: &'static str,
    world: World,
    mfa: Mfa,
    /// What was shown or typed, and belongs in no log.
    secrets: Vec<String>,
    told: Vec<Event>,
}

impl Life {
    fn lived(subject: &'static str) -> Self {
        let world = World::new(Policy::builder().max_tokens(2).build().unwrap());
        let heard = Heard::default();
        let time = world.time.clone();
        // The same in every run, or a code would be found in a token's id some day.
        let drawn = AtomicU64::new(0);
        let entropy = move |bytes: &mut [u8]| {
            for byte in bytes {
                let number = drawn.fetch_add(1, Ordering::SeqCst);
                *byte = number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes()[0];
            }
            Ok(())
        };
        let policy = *world.mfa.policy();
        let mfa = Mfa::new(policy, move || Some(time.now()), entropy)
            .with_sessions(SessionKeys::from_bytes(1, &[7; 32]), context("life"));
        let day = Duration::from_secs(DAY);
        let browsers = BrowserKeys::from_bytes(1, &[8; 32]);
        let mfa = heard.view(&mfa).with_browsers(browsers, day);
        let mut life = Self {
            subject,
            world,
            mfa: mfa.unwrap(),
            secrets: vec!["login-1".into()],
            told: Vec::new(),
        };
        let (phone, grant) = life.enrols();
        life.signs_in(&phone);
        life.recovers(&grant);
        life.is_off(&phone);
        life.is_guessed_at(&phone);
        life.manages();
        life.is_administered();
        let told = heard.take();
        assert!(told.iter().all(|(whose, _)| whose == subject));
        life.told = told.into_iter().map(|(_, event)| event).collect();
        life
    }

    fn ask<O: Operation>(&self, request: Request<O>) -> Result<O::Output, Rejection> {
        let answer = request.run_blocking(&self.world.store, self.subject);
        answer.map_err(|error| error.rejection().unwrap())
    }

    fn password(&self) -> Grant {
        self.world.password(self.subject).with_id("login-1")
    }

    /// The code that the device shows now.
    fn code(&mut self, device: &Device) -> Code {
        let code = device.code(self.world.now());
        self.keep(&code.expose());
        code
    }

    fn keep(&mut self, secret: &str) {
        self.secrets.push(secret.into());
    }

    fn issued(&mut self, issued: &Issued) -> Device {
        self.keep(&issued.secret().expose_base32());
        Device::of(issued)
    }

    fn adds(&mut self, grant: &Grant, name: &str) -> (Device, Grant) {
        let issued = self.ask(self.mfa.associate(grant).named(name)).unwrap();
        let device = self.issued(&issued);
        let code = self.code(&device);
        let enrolled = self.ask(self.mfa.verify(grant, code)).unwrap();
        (device, Grant::from(enrolled.evidence()))
    }

    fn enrols(&mut self) -> (Device, Grant) {
        let code = Code::parse("918273").unwrap();
        self.keep(&code.expose());
        let ignored = self.mfa.sign_in_with(Some(code.into()));
        let _ = self.ask(ignored).unwrap();
        let (phone, grant) = self.adds(&self.password(), "phone");
        self.adds(&grant, "tablet");
        (phone, grant)
    }

    fn signs_in(&mut self, phone: &Device) {
        self.world.time.advance(60);
        let Ok(Challenge::SoftwareToken { session, .. }) = self.ask(self.mfa.sign_in()) else {
            panic!("a token is in force");
        };
        self.keep(session.expose());
        let code = self.code(phone);
        let key = AttemptKey::from_bytes([9; 16]);
        let respond = |code: &Code| self.mfa.respond(&session, code.clone());
        let evidence = self.ask(respond(&code).attempt(key.clone())).unwrap();
        let _ = self.ask(respond(&code).attempt(key)).unwrap();
        let step_up = self.mfa.step_up(&self.password(), code);
        assert_eq!(self.ask(step_up).unwrap_err(), Rejection::Reused);
        let browser = self.mfa.remember(&evidence).unwrap().unwrap();
        let sign_in = self.mfa.sign_in().from_browser(Some(browser.expose()));
        assert!(matches!(
            self.ask(sign_in),
            Ok(Challenge::NotRequired { .. })
        ));
        self.keep(browser.expose());
    }

    fn recovers(&mut self, grant: &Grant) {
        let codes = self.ask(self.mfa.issue_recovery_codes(grant)).unwrap();
        let hour = Duration::from_secs(3600);
        let temporary = self.ask(self.mfa.issue_temporary_code(&admin(), hour));
        for code in [codes.iter().next().unwrap().clone(), temporary.unwrap()] {
            self.keep(&code.expose());
            let _ = self.ask(self.mfa.step_up(grant, code)).unwrap();
        }
        let vouched = Vouched::factor(&["hwk"]);
        let _ = self.ask(self.mfa.step_up(grant, vouched)).unwrap();
    }

    fn is_off(&mut self, phone: &Device) {
        self.world.time.advance(600);
        let now = self.world.now();
        let [code, next] = [5, 6].map(|steps| phone.code_in(now, steps));
        self.keep(&code.expose());
        self.keep(&next.expose());
        let grant = self.password();
        let resynchronise = self.mfa.resynchronise(&grant, code, next.clone());
        self.ask(resynchronise).unwrap();
        // Both clocks are behind what they have accepted.
        self.world.time.go_back(800);
        let behind = self.mfa.step_up(&self.password(), next);
        assert_eq!(self.ask(behind).unwrap_err(), Rejection::ClockBehind);
        self.world.time.advance(1000);
    }

    fn is_guessed_at(&mut self, phone: &Device) {
        for _ in 0..100 {
            self.world.time.advance(900);
            let wrong = phone.wrong_code(self.world.now());
            let step_up = self.mfa.step_up(&self.password(), wrong);
            assert_eq!(self.ask(step_up).unwrap_err(), Rejection::Mismatch);
        }
        self.ask(self.mfa.unlock(&admin())).unwrap();
    }

    fn manages(&mut self) {
        let status = self.ask(self.mfa.status()).unwrap();
        let [phone, tablet] = status.tokens.as_slice() else {
            panic!("two tokens are in force");
        };
        let holder = self
            .mfa
            .step_up(&self.password(), Vouched::factor(&["hwk"]));
        let holder = Grant::from(&self.ask(holder).unwrap()).with_id("login-1");
        self.ask(self.mfa.rename(&holder, tablet.id, "slate"))
            .unwrap();
        let preferred = self.mfa.prefer(&holder, Preference::Preferred);
        self.ask(preferred).unwrap();
        self.ask(self.mfa.forget_browsers(&holder)).unwrap();
        let associate = self.mfa.associate(&holder).named("new phone");
        let issued = self.ask(associate.replacing(phone.id)).unwrap();
        let new = self.issued(&issued);
        let code = self.code(&new);
        let enrolled = self.ask(self.mfa.verify(&holder, code)).unwrap();
        let holder = Grant::from(enrolled.evidence());
        self.ask(self.mfa.remove(&holder, tablet.id)).unwrap();
        self.ask(self.mfa.disassociate(&holder)).unwrap();
    }

    fn is_administered(&mut self) {
        self.ask(self.mfa.reset(&admin())).unwrap();
        let issued = self.ask(self.mfa.associate(&admin()).named("pad")).unwrap();
        let _ = self.issued(&issued);
        self.ask(self.mfa.disassociate(&admin())).unwrap();
        let secret = Secret::from_bytes(&[7; 20]).unwrap();
        self.keep(&secret.expose_base32());
        let token = ImportedToken::proven(secret, Totp::STANDARD).named("moved");
        let import = self.mfa.import(&admin(), [token]);
        self.ask(import.even_if_verified_before()).unwrap();
        #[cfg(feature = "export")]
        self.ask(self.mfa.export(&admin())).unwrap();
    }
}

#[test]
fn every_event_is_reached_by_something_real() {
    let told = Life::lived("alice").told;
    let told: BTreeSet<_> = told.iter().map(Event::name).collect();
    let mut named: BTreeSet<_> = names().into_iter().map(|(_, name)| name).collect();
    if cfg!(not(feature = "export")) {
        named.remove("exported");
    }
    assert_eq!(told, named);
}

#[test]
fn an_event_names_its_operation_its_actor_and_its_token() {
    let told = Life::lived("alice").told;
    let mut told: Vec<_> = told
        .iter()
        .map(|event| {
            let Event {
                operation, actor, ..
            } = event;
            let token = event.token.as_ref();
            let token = token.map_or("-", |token| token.name.as_deref().unwrap());
            (*operation, event.name(), actor.name(), token)
        })
        .collect();
    told.dedup();
    // A hundred failures, each with its alarms.
    let guessed = ["refused", "throttled", "password_probably_known", "locked"];
    let is_guessed = |(_, name, _, _): &(_, &str, _, _)| guessed.contains(name);
    let alarms: BTreeSet<_> = told.extract_if(.., |told| is_guessed(told)).collect();
    assert_eq!(
        alarms,
        guessed.map(|name| ("step_up", name, "grant", "-")).into()
    );
    let mut expected = vec![
        ("sign_in_with", "factor_ignored", "application", "-"),
        ("associate", "associated", "grant", "phone"),
        ("verify", "verified", "grant", "phone"),
        ("associate", "associated", "grant", "tablet"),
        ("verify", "added", "grant", "tablet"),
        ("respond", "signed_in", "session", "phone"),
        ("respond", "answered_again", "session", "phone"),
        ("step_up", "reused_code", "grant", "phone"),
        ("remember", "browser_remembered", "application", "phone"),
        ("sign_in", "browser_accepted", "application", "phone"),
        (
            "issue_recovery_codes",
            "recovery_codes_issued",
            "grant",
            "-",
        ),
        (
            "issue_temporary_code",
            "temporary_code_issued",
            "administrator",
            "-",
        ),
        ("step_up", "recovery_code_used", "grant", "-"),
        ("step_up", "signed_in", "grant", "-"),
        ("step_up", "recovery_code_used", "grant", "-"),
        ("step_up", "signed_in", "grant", "-"),
        ("step_up", "vouched", "grant", "-"),
        ("step_up", "signed_in", "grant", "-"),
        ("resynchronise", "resynchronised", "grant", "phone"),
        ("step_up", "clock_behind", "grant", "-"),
        ("unlock", "unlocked", "administrator", "-"),
        ("step_up", "vouched", "grant", "-"),
        ("step_up", "signed_in", "grant", "-"),
        ("rename", "renamed", "grant", "slate"),
        ("prefer", "preference_changed", "grant", "-"),
        ("forget_browsers", "browsers_forgotten", "grant", "-"),
        ("associate", "associated", "grant", "new phone"),
        ("verify", "replaced", "grant", "new phone"),
        ("remove", "removed", "grant", "slate"),
        ("disassociate", "disassociated", "grant", "-"),
        ("reset", "reset", "administrator", "-"),
        ("associate", "associated", "administrator", "pad"),
        ("disassociate", "pending_removed", "administrator", "pad"),
        ("import", "imported", "administrator", "moved"),
    ];
    if cfg!(feature = "export") {
        expected.push(("export", "exported", "administrator", "-"));
    }
    assert_eq!(told, expected);
}

/// What no life needs: a check, whose refusal is all that is told of it, and the last call of a flow.
#[test]
fn a_check_and_the_end_of_a_set_up_name_their_operation_and_their_actor() {
    let world = World::new(Policy::STANDARD.required());
    let heard = Heard::default();
    let mfa = heard.view(&world.mfa);
    let issued = mfa.associate(&world.setup("alice"));
    let issued = issued.run_blocking(&world.store, "alice").unwrap();
    let code = Device::of(&issued).code(world.now());
    let verify = mfa.verify(issued.session().unwrap(), code);
    let enrolled = verify.run_blocking(&world.store, "alice").unwrap();
    heard.take();
    let finish = mfa.finish_setup(enrolled.session().unwrap());
    let _ = finish.run_blocking(&world.store, "alice").unwrap();
    let check = mfa.check(&world.password("alice"), Duration::from_secs(60));
    assert!(check.run_blocking(&world.store, "alice").is_err());
    let told = heard.take();
    let told: Vec<_> = told
        .iter()
        .map(|(_, event)| (event.operation, event.name(), event.actor.name()))
        .collect();
    assert_eq!(
        told,
        [
            ("finish_setup", "signed_in", "session"),
            ("check", "refused", "grant"),
        ]
    );
}

#[test]
fn an_administrators_event_says_which_administrator() {
    let told = Life::lived("alice").told;
    let administered = told.iter().filter_map(|event| match &event.actor {
        Actor::Administrator { name, .. } => Some((event.operation, &**name)),
        _ => None,
    });
    let mut administered: Vec<_> = administered.collect();
    administered.retain(|(operation, _)| *operation != "export");
    let by_root = [
        "issue_temporary_code",
        "unlock",
        "reset",
        "associate",
        "disassociate",
        "import",
    ];
    assert_eq!(administered, by_root.map(|operation| (operation, "root")));
}

#[test]
fn no_event_shows_a_secret_a_code_or_a_session() {
    let life = Life::lived("alice");
    for event in &life.told {
        let shown = format!("{event:?}");
        for secret in &life.secrets {
            assert!(!shown.contains(secret.as_str()), "{secret}: {shown}");
        }
    }
}

/// A refusal, as the event tells it.
fn refused(rejection: Rejection) -> EventKind {
    let flaw = None;
    EventKind::Refused { rejection, flaw }
}

fn bad_session(flaw: SessionFlaw) -> EventKind {
    EventKind::Refused {
        rejection: Rejection::InvalidSession,
        flaw: Some(flaw),
    }
}

/// Makes a request about alice, and hands back what was told.
fn told<O: Operation>(world: &World, request: Request<O>) -> Vec<EventKind> {
    world.events();
    let _ = request.run_blocking(&world.store, "alice");
    world.events()
}

fn step_up(world: &World, code: Code) -> Vec<EventKind> {
    told(world, world.mfa.step_up(&world.password("alice"), code))
}

/// Guesses wrongly, as soon as the guess will be judged.
fn fail(world: &World, device: &Device) -> Vec<EventKind> {
    let status = world.mfa.status().run_blocking(&world.store, "alice");
    if let Some(until) = status.unwrap().throttled_until {
        world.time.set(until.as_secs());
    }
    let told = step_up(world, device.wrong_code(world.now()));
    assert_eq!(told.last(), Some(&refused(Rejection::Mismatch)));
    told
}

fn succeed(world: &World, device: &Device) {
    world.time.advance(1800);
    let told = step_up(world, device.code(world.now()));
    assert!(matches!(told[..], [EventKind::SignedIn { .. }]), "{told:?}");
}

fn with(throttle: Throttle) -> World {
    World::new(Policy::builder().throttle(throttle).build().unwrap())
}

#[test]
fn what_writes_nothing_has_its_event_all_the_same() {
    let world = World::standard();
    let mfa = &world.mfa;
    let (device, grant) = world.enrolled("alice");
    world.time.advance(30);
    let session = world.challenge("alice");
    let code = device.code(world.now());
    let answered = mfa.respond(&session, code.clone());
    let _ = answered.run_blocking(&world.store, "alice").unwrap();
    let revision = world.row("alice").unwrap().revision;

    let long = Code::parse("12345678").unwrap();
    let step = Totp::STANDARD.step(world.now());
    let other = Grant::first_factor("mallory", world.now());
    let password = world.password("alice");
    let old = Grant::first_factor("alice", UnixTime::from_secs(1));
    let id = "000102030405060708090a0b0c0d0e0f".parse().unwrap();
    let elsewhere = mfa.with_context(context("elsewhere"));
    let strict = mfa.with_policy(Policy::STANDARD.required()).unwrap();
    let hour = Duration::from_secs(3600);
    let expected = refused(Rejection::CodeLength {
        expected: Totp::STANDARD.digits(),
    });
    assert_eq!(step_up(&world, long), [expected]);
    assert_eq!(step_up(&world, code), [EventKind::ReusedCode { step }]);
    for (told, expected) in [
        (
            told(&world, mfa.respond(&session, device.code(world.now()))),
            bad_session(SessionFlaw::Spent),
        ),
        (
            told(&world, mfa.finish_setup(&session)),
            bad_session(SessionFlaw::OtherPurpose),
        ),
        (
            told(&world, elsewhere.respond(&session, Vouched::factor(&[]))),
            bad_session(SessionFlaw::OtherContext),
        ),
        (
            told(&world, mfa.associate(&password)),
            refused(Rejection::SecondFactorRequired),
        ),
        (
            told(&world, mfa.associate(&other)),
            refused(Rejection::NotAuthorized),
        ),
        (
            told(&world, mfa.check(&password, hour)),
            refused(Rejection::SecondFactorRequired),
        ),
        (
            told(&world, mfa.resynchronise(&old, code_of(1), code_of(2))),
            refused(Rejection::ReauthenticationRequired),
        ),
        (
            told(&world, mfa.verify(&grant, code_of(1))),
            refused(Rejection::NotAssociated),
        ),
        (
            told(&world, mfa.remove(&grant, id)),
            refused(Rejection::NoSuchToken),
        ),
        (
            told(&world, strict.disassociate(&grant)),
            refused(Rejection::MfaRequired),
        ),
    ] {
        assert_eq!(told, [expected]);
    }
    assert_eq!(world.row("alice").unwrap().revision, revision);

    world.time.go_back(300);
    let behind = EventKind::ClockBehind { last: step };
    assert_eq!(step_up(&world, device.code(world.now())), [behind]);
    assert_eq!(world.row("alice").unwrap().revision, revision);

    let unlock = mfa.unlock(&admin());
    unlock.run_blocking(&world.store, "bob").unwrap();
    assert_eq!(world.events(), [EventKind::Unlocked]);
    assert_eq!(world.row("bob"), None);
}

fn code_of(number: u32) -> Code {
    Code::parse(&format!("{number:06}")).unwrap()
}

#[test]
fn reads_that_are_answered_are_no_events() {
    let world = World::standard();
    let (_, grant) = world.enrolled("alice");
    world.events();
    let _ = world.challenge("alice");
    let hour = Duration::from_secs(3600);
    assert_eq!(told(&world, world.mfa.check(&grant, hour)), []);
    assert_eq!(told(&world, world.mfa.status()), []);
    assert_eq!(told(&world, world.mfa.sign_in()), []);
    assert_eq!(told(&world, world.mfa.sign_in_with(None)), []);
    assert_eq!(told(&world, world.mfa.set_enabled(&grant, true)), []);
}

#[test]
fn a_text_that_is_no_session_is_told_of_with_its_flaw_and_with_whose_it_is() {
    let world = World::standard();
    world.enrol("alice");
    let heard = Heard::default();
    let mfa = heard.view(&world.mfa);
    let session = world.challenge("alice");
    assert!(mfa.open(session.expose()).is_ok());
    assert_eq!(heard.take(), [], "what opens is no event");

    assert!(mfa.open("forged").is_err());
    world.time.advance(180);
    assert!(mfa.open(session.expose()).is_err());
    let told = heard.take();
    let told: Vec<_> = told
        .iter()
        .map(|(subject, event)| (&**subject, event.operation, event.kind.clone()))
        .collect();
    assert_eq!(
        told,
        [
            ("", "open", bad_session(SessionFlaw::Forged)),
            ("alice", "open", bad_session(SessionFlaw::Expired)),
        ]
    );
}

#[test]
fn an_event_is_handed_to_the_view_of_its_request_and_to_no_other() {
    let world = World::standard();
    let device = world.enrol("alice");
    let [desk, phone] = [Heard::default(), Heard::default()];
    let views = [&desk, &phone].map(|heard| heard.view(&world.mfa));
    world.events();
    for (view, heard) in views.iter().zip([&desk, &phone]) {
        let wrong = device.wrong_code(world.now());
        let step_up = view.step_up(&world.password("alice"), wrong);
        assert!(step_up.run_blocking(&world.store, "alice").is_err());
        let told = heard.take();
        let [(subject, event)] = told.as_slice() else {
            panic!("one event: {told:?}");
        };
        assert_eq!(subject, "alice");
        assert_eq!(event.at, world.now());
        assert_eq!((desk.take(), phone.take()), (vec![], vec![]));
    }
    let changed = views[0].with_policy(Policy::STANDARD.required()).unwrap();
    let changed = changed.with_context(context("elsewhere"));
    assert!(changed.open("forged").is_err());
    assert_eq!(desk.kinds(), [bad_session(SessionFlaw::Forged)]);
    assert_eq!(world.events(), []);
}

/// How many failures in a row, and how much suspicion, each alarm told of.
fn alarms(told: &[EventKind]) -> Vec<(u32, u32)> {
    let alarm = |told: &EventKind| match told {
        EventKind::PasswordProbablyKnown {
            failures,
            suspicion,
        } => Some((*failures, *suspicion)),
        _ => None,
    };
    told.iter().filter_map(alarm).collect()
}

#[test]
fn every_failure_from_the_fifth_in_a_row_on_says_that_the_password_is_probably_known() {
    let world = World::standard();
    let device = world.enrol("alice");
    for failure in 1..=20 {
        let expected = if failure < 5 {
            vec![]
        } else {
            vec![(failure, failure)]
        };
        assert_eq!(alarms(&fail(&world, &device)), expected);
    }
    world.time.advance(900);
    let told = step_up(&world, device.code(world.now()));
    let method = Method::SoftwareToken;
    let failures = 20;
    assert_eq!(
        told,
        [EventKind::SignedIn { method, failures }],
        "a success tells how many came before it"
    );
}

#[test]
fn a_token_that_is_added_and_a_clock_that_is_set_tell_how_many_failures_came_before() {
    let world = World::new(Policy::builder().max_tokens(2).build().unwrap());
    let (device, grant) = world.enrolled("alice");
    fail(&world, &device);
    fail(&world, &device);
    let associate = world.mfa.associate(&grant);
    let issued = associate.run_blocking(&world.store, "alice").unwrap();
    let code = Device::of(&issued).code(world.now());
    let verify = world.mfa.verify(&grant, code);
    assert_eq!(told(&world, verify), [EventKind::Added { failures: 2 }]);

    world.time.advance(300);
    fail(&world, &device);
    let [code, next] = [7, 8].map(|steps| device.code_in(world.now(), steps));
    let by = world.password("alice");
    let resynchronise = world.mfa.resynchronise(&by, code, next);
    let (drift, failures) = (8, 1);
    assert_eq!(
        told(&world, resynchronise),
        [EventKind::Resynchronised { drift, failures }]
    );
}

#[test]
fn a_browser_is_told_of_at_the_time_when_it_was_remembered() {
    let life = World::standard();
    let heard = Heard::default();
    let keys = BrowserKeys::from_bytes(1, &[8; 32]);
    let mfa = heard.view(&life.mfa);
    let mfa = mfa.with_browsers(keys, Duration::from_secs(DAY)).unwrap();
    let device = life.enrol("alice");
    life.time.advance(30);
    let step_up = mfa.step_up(&life.password("alice"), device.code(life.now()));
    let evidence = step_up.run_blocking(&life.store, "alice").unwrap();
    life.time.advance(20);
    heard.take();
    assert!(mfa.remember(&evidence).unwrap().is_some());
    let told = heard.take();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].1.at, life.now());
}

#[test]
fn a_pending_secret_that_is_dropped_alone_is_told_of() {
    let world = World::standard();
    let _ = world.associate("alice");
    let drops = world.mfa.disassociate(&world.password("alice"));
    assert_eq!(told(&world, drops), [EventKind::PendingRemoved]);
    let nothing = world.mfa.disassociate(&world.password("alice"));
    assert_eq!(told(&world, nothing), [], "and nothing is, of nothing");
}

#[test]
fn guesses_at_a_pending_secret_are_told_of_as_well() {
    let world = World::standard();
    let device = Device::of(&world.associate("alice"));
    for failure in 1..=6 {
        world.time.advance(60);
        let wrong = device.wrong_code(world.now());
        let verify = world.mfa.verify(&world.password("alice"), wrong);
        let expected = if failure < 5 {
            vec![]
        } else {
            vec![(failure, failure)]
        };
        assert_eq!(alarms(&told(&world, verify)), expected);
    }
}

#[test]
fn a_patient_guesser_who_stays_under_five_in_a_row_is_told_of_from_the_tenth_suspicion_on() {
    let world = World::standard();
    let device = world.enrol("alice");
    let mut suspicion = 0;
    for day in 1..=365 {
        for failures in 1..=3 {
            suspicion += 1;
            let expected = if suspicion < 10 {
                vec![]
            } else {
                vec![(failures, suspicion)]
            };
            assert_eq!(alarms(&fail(&world, &device)), expected, "day {day}");
        }
        // The owner signs in, which begins a new row.
        succeed(&world, &device);
        suspicion -= 1;
        world.time.advance(DAY - 1800);
    }
    assert_eq!(suspicion, 730, "and nothing was ever locked");
}

#[test]
fn no_time_takes_suspicion_away_and_each_success_takes_one() {
    let world = World::standard();
    let device = world.enrol("alice");
    // Two in a row each time: 11 failures and 2 successes leave 9.
    for failures in [4, 4, 3] {
        for _ in 0..failures {
            assert_eq!(alarms(&fail(&world, &device)), []);
        }
        if failures == 4 {
            succeed(&world, &device);
        }
    }
    succeed(&world, &device);
    world.time.advance(1000 * DAY);
    assert_eq!(alarms(&fail(&world, &device)), [], "eight, and one");
    assert_eq!(alarms(&fail(&world, &device)), [(2, 10)]);

    let vouched = world
        .mfa
        .step_up(&world.password("alice"), Vouched::factor(&["hwk"]));
    told(&world, vouched);
    assert_eq!(alarms(&fail(&world, &device)), [(1, 10)], "nine, and one");
    let unlock = world.mfa.unlock(&admin());
    unlock.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(
        alarms(&fail(&world, &device)),
        [],
        "an administrator has looked"
    );
}

/// A store whose swap is stored, and never answers.
struct HangsUp<'a> {
    rows: &'a MemoryStore,
    written: Mutex<Vec<EventKind>>,
}

impl Store for HangsUp<'_> {
    type Error = <MemoryStore as Store>::Error;

    async fn load(&self, subject: &str) -> Result<Option<Snapshot>, Self::Error> {
        self.rows.load(subject).await
    }

    async fn compare_and_swap(&self, write: Write) -> Result<Swap, Self::Error> {
        let kinds = write.events().iter().map(|event| event.kind.clone());
        self.written.lock().unwrap().extend(kinds);
        let swap = self.rows.compare_and_swap(write).await;
        let () = core::future::pending().await;
        swap
    }
}

#[test]
fn who_hangs_up_as_the_fifth_failure_is_stored_silences_nothing() {
    let world = World::standard();
    let device = world.enrol("alice");
    for _ in 0..4 {
        assert_eq!(alarms(&fail(&world, &device)), []);
    }
    world.time.advance(60);
    world.events();
    let store = HangsUp {
        rows: &world.store,
        written: Mutex::default(),
    };
    let wrong = device.wrong_code(world.now());
    let fifth = world.mfa.step_up(&world.password("alice"), wrong);
    let mut fifth = Box::pin(fifth.run(&store, "alice"));
    let mut waker = core::task::Context::from_waker(core::task::Waker::noop());
    assert!(fifth.as_mut().poll(&mut waker).is_pending());
    drop(fifth);
    assert_eq!(world.events(), [], "nobody was told");
    let written = store.written.into_inner().unwrap();
    assert_eq!(alarms(&written), [(5, 5)], "but an outbox was");

    assert_eq!(alarms(&fail(&world, &device)), [(6, 6)], "the sixth tells");
}

#[test]
fn a_lock_is_told_by_the_failure_that_locks_and_by_every_attempt_that_finds_it() {
    let world = with(Throttle {
        streak_limit: 7,
        ..Throttle::STANDARD
    });
    let device = world.enrol("alice");
    for _ in 0..6 {
        assert!(!fail(&world, &device).contains(&EventKind::Locked));
    }
    let alarm = EventKind::PasswordProbablyKnown {
        failures: 7,
        suspicion: 7,
    };
    let mismatch = refused(Rejection::Mismatch);
    let locking = [alarm, EventKind::Locked, mismatch];
    assert_eq!(fail(&world, &device), locking);

    let locked = [refused(Rejection::Locked), EventKind::Locked];
    let revision = world.row("alice").unwrap().revision;
    let (mfa, password) = (&world.mfa, world.password("alice"));
    for day in 0..3 {
        world
            .time
            .set(password.first_factor_at().as_secs() + 60 * day);
        let (session, code) = (world.challenge("alice"), device.code(world.now()));
        let next = device.code_in(world.now(), 1);
        let sign_in = mfa.sign_in_with(Some(code.clone().into()));
        let resynchronise = mfa.resynchronise(&password, code.clone(), next);
        assert_eq!(step_up(&world, code.clone()), locked);
        assert_eq!(told(&world, sign_in), locked);
        assert_eq!(told(&world, mfa.respond(&session, code)), locked);
        assert_eq!(told(&world, resynchronise), locked);
    }
    assert_eq!(world.row("alice").unwrap().revision, revision);
}

#[test]
fn every_wrong_recovery_code_from_the_fifth_on_is_told_of_written_or_not() {
    let world = World::standard();
    let (_, grant) = world.enrolled("alice");
    let issue = world.mfa.issue_recovery_codes(&grant);
    let _ = issue.run_blocking(&world.store, "alice").unwrap();
    let wrong = RecoveryCode::parse("01234-56789-ABCDE-FGHJK-MNPQR").unwrap();
    for count in 1..=103_u32 {
        let told = told(&world, world.mfa.step_up(&grant, wrong.clone()));
        let expected = if count < 5 {
            vec![]
        } else {
            vec![(count.min(100), 0)]
        };
        assert_eq!(alarms(&told), expected);
    }
}

#[test]
fn a_lock_and_a_password_that_is_probably_known_are_warnings_and_nothing_else_is() {
    let told = Life::lived("alice").told;
    let warnings: BTreeSet<_> = told
        .iter()
        .filter(|event| event.is_warning())
        .map(Event::name)
        .collect();
    let both = ["locked", "password_probably_known"];
    assert_eq!(warnings, BTreeSet::from(both));
    let others = told.iter().filter(|event| !event.is_warning());
    assert!(others.map(Event::name).all(|name| !both.contains(&name)));
}

#[cfg(feature = "serde")]
mod serde {
    use serde_json::{Value, json, to_value};

    use super::{Life, UnixTime};

    #[test]
    fn an_event_is_written_as_one_flat_object_without_secrets() {
        let life = Life::lived("alice");
        for event in &life.told {
            let written = to_value(event).unwrap();
            assert_eq!(written["name"], event.name());
            assert_eq!(written["operation"], event.operation);
            assert_eq!(written["actor"], event.actor.name());
            assert_eq!(written["at"], event.at.as_secs());
            for (key, value) in written.as_object().unwrap() {
                let nested = matches!(value, Value::Object(_) | Value::Array(_));
                assert!(!nested, "{key} of {written}");
            }
            let written = written.to_string();
            for secret in &life.secrets {
                assert!(!written.contains(secret.as_str()), "{secret}: {written}");
            }
        }
    }

    #[test]
    fn what_is_written_stays_as_it_is() {
        let life = Life::lived("alice");
        let written = |operation: &str, name: &str| {
            let mut told = life.told.iter();
            let event = told.find(|event| (event.operation, event.name()) == (operation, name));
            let mut written = to_value(event.unwrap()).unwrap();
            let token = written["token"].take();
            assert!(token.is_null() || token.as_str().unwrap().len() == 32);
            written
        };
        let enrolled = 1_700_000_025;
        assert_eq!(
            written("verify", "verified"),
            json!({
                "at": enrolled,
                "name": "verified",
                "operation": "verify",
                "actor": "grant",
                "administrator": null,
                "token": null,
                "token_name": "phone",
                "failures": 0,
            })
        );
        assert_eq!(
            written("issue_temporary_code", "temporary_code_issued"),
            json!({
                "at": enrolled + 60,
                "name": "temporary_code_issued",
                "operation": "issue_temporary_code",
                "actor": "administrator",
                "administrator": "root",
                "token": null,
                "token_name": null,
                "expires": enrolled + 60 + 3600,
            })
        );
        let refused = written("step_up", "refused");
        let at = UnixTime::from_secs(refused["at"].as_u64().unwrap());
        assert_eq!(
            refused,
            json!({
                "at": at,
                "name": "refused",
                "operation": "step_up",
                "actor": "grant",
                "administrator": null,
                "token": null,
                "token_name": null,
                "rejection": "mismatch",
                "flaw": null,
            })
        );
    }
}

#[cfg(feature = "tracing")]
mod tracing {
    use core::fmt;
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Level, Metadata, Subscriber};

    use super::Life;

    /// What was emitted: target, level, fields.
    static EMITTED: Mutex<Vec<(String, Level, Fields)>> = Mutex::new(Vec::new());

    /// Collects the events of this binary, of whichever test.
    struct Collector;

    impl Subscriber for Collector {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            let mut fields = Fields::default();
            event.record(&mut fields);
            let metadata = event.metadata();
            let emitted = (metadata.target().into(), *metadata.level(), fields);
            EMITTED.lock().unwrap().push(emitted);
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    #[derive(Clone, Default, Debug)]
    struct Fields(BTreeMap<&'static str, String>);

    impl Visit for Fields {
        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            self.0.insert(field.name(), format!("{value:?}"));
        }

        fn record_str(&mut self, field: &Field, value: &str) {
            self.0.insert(field.name(), value.into());
        }
    }

    impl Fields {
        fn get(&self, name: &str) -> Option<&str> {
            self.0.get(name).map(String::as_str)
        }
    }

    #[test]
    fn every_event_is_emitted_with_its_names_as_fields_and_warns_of_the_two_warnings() {
        tracing::subscriber::set_global_default(Collector).unwrap();
        let life = Life::lived("traced");
        let mut emitted = EMITTED.lock().unwrap().clone();
        emitted.retain(|(_, _, fields)| fields.get("subject") == Some("traced"));
        assert_eq!(emitted.len(), life.told.len());
        for ((target, level, fields), event) in emitted.iter().zip(&life.told) {
            assert_eq!(target, "softtoken");
            let warning = ["locked", "password_probably_known"].contains(&event.name());
            let expected = if warning { Level::WARN } else { Level::INFO };
            assert_eq!(*level, expected, "{fields:?}");
            assert_eq!(fields.get("event"), Some(event.name()));
            assert_eq!(fields.get("operation"), Some(event.operation));
            assert_eq!(fields.get("actor"), Some(event.actor.name()));
            let root = (event.actor.name() == "administrator").then_some("root");
            assert_eq!(fields.get("administrator"), root);
            let token = event.token.as_ref();
            let id = token.map(|token| token.id.to_string());
            assert_eq!(fields.get("token"), id.as_deref());
            let name = token.and_then(|token| token.name.as_deref());
            assert_eq!(fields.get("token_name"), name);
            let shown = format!("{fields:?}");
            for secret in &life.secrets {
                assert!(!shown.contains(secret.as_str()), "{secret}: {shown}");
            }
        }
    }
}
