//! W5, E1: what is shown of whatever holds a secret, a code, a session, the token of a browser or the id of a login.
#![allow(clippy::unwrap_used, reason = "a failing step fails the test")]

use core::fmt::{Debug, Write as _};
use core::time::Duration;
use std::sync::{Arc, Mutex};

use crate::world::{Device, World, admin, context};
use softtoken::association::{
    AttemptKey, Authority, BrowserKeys, BrowserToken, ImportedToken, IssueRecoveryCodes,
    IssueTemporaryCode, Issued, Operation, Preference, SetEnabled, Status,
};
use softtoken::mfa::Request;
use softtoken::totp::{Code, KeyUri, Secret, Totp, Verifier};
use softtoken::{
    BlockingStore as _, Challenge, ChallengeSession, Evidence, Factor, Grant, Mfa, OsEntropy,
    Policy, RecoveryCode, SessionKeys, SignedIn, record,
};

const LOGIN: &str = "jti-4711-of-alice";
const SESSION_KEY: [u8; 32] = [0xb1; 32];
const BROWSER_KEY: [u8; 32] = [0xb2; 32];
const ATTEMPT_KEY: [u8; 16] = [0xb3; 16];
const MONTH: Duration = Duration::from_secs(30 * 86_400);

/// What must not be shown, by what it is called; and what was shown so far.
struct Walk {
    secrets: Vec<(&'static str, String)>,
    /// Six digits may stand within a time or an id: these are looked for by themselves.
    codes: Vec<String>,
    shown: Vec<(&'static str, String)>,
}

impl Walk {
    /// As a text, whatever white space stands in it.
    fn hide(&mut self, name: &'static str, text: &str) {
        self.secrets.push((name, squeezed(text)));
    }

    /// As a list of numbers, as hexadecimal digits, and as base32.
    fn hide_bytes(&mut self, name: &'static str, bytes: &[u8]) {
        let list = format!("{bytes:?}");
        self.hide(name, &list[1..list.len() - 1]);
        let mut digits = String::new();
        for byte in bytes {
            write!(digits, "{byte:02x}").unwrap();
        }
        self.hide(name, &digits);
        self.hide(name, &digits.to_ascii_uppercase());
    }

    fn hide_secret(&mut self, secret: &Secret) {
        self.hide_bytes("a secret", secret.expose());
        self.hide("a secret", secret.expose_base32().as_str());
    }

    fn hide_code(&mut self, code: &RecoveryCode) {
        let text = code.expose();
        self.hide("a recovery code", &text);
        self.hide("a recovery code", &text.replace('-', ""));
    }

    fn show(&mut self, name: &'static str, value: &dyn Debug) {
        self.shown.push((name, squeezed(&format!("{value:?}"))));
        self.shown.push((name, squeezed(&format!("{value:#?}"))));
    }

    #[track_caller]
    fn end(self) {
        for (holder, shown) in &self.shown {
            // What is held back leaves a name in its place, or a mark.
            assert!(!shown.is_empty(), "`{{:?}}` of {holder} shows nothing");
            let fields = shown.replace("(())", "").replace("((),)", "");
            for empty in ["(,", "()", "[,", ":,", ":}"] {
                assert!(
                    !fields.contains(empty),
                    "`{{:?}}` of {holder} shows an empty field: {shown}"
                );
            }
            for (name, secret) in &self.secrets {
                assert!(!secret.is_empty(), "{name} is not there");
                assert!(
                    !shown.contains(secret.as_str()),
                    "`{{:?}}` of {holder} shows {name}: {shown}"
                );
            }
            let words = shown.split(|shown: char| !shown.is_ascii_alphanumeric());
            for word in words {
                assert!(
                    !self.codes.iter().any(|code| code == word),
                    "`{{:?}}` of {holder} shows a code: {shown}"
                );
            }
        }
    }
}

/// Written over several lines, a list is the same list: the commas after its last number aside.
fn squeezed(text: &str) -> String {
    let text: String = text
        .chars()
        .filter(|shown| !shown.is_whitespace())
        .collect();
    text.replace(",]", "]")
}

/// A view that signs, remembers browsers and tells; somebody enrolled in it by two tokens.
struct Held {
    world: World,
    mfa: Mfa,
    walk: Walk,
    device: Device,
    /// Made from evidence, with the id of the login.
    grant: Grant,
}

impl Held {
    fn new() -> Self {
        let policy = Policy::builder().max_tokens(3).build().unwrap();
        let world = World::new(policy);
        let mfa = world
            .mfa
            .clone()
            .with_sessions(SessionKeys::from_bytes(1, &SESSION_KEY), context("web"))
            .with_browsers(BrowserKeys::from_bytes(1, &BROWSER_KEY), MONTH)
            .unwrap();
        let mut walk = Walk {
            secrets: Vec::new(),
            codes: Vec::new(),
            shown: Vec::new(),
        };
        walk.hide("the id of a login", LOGIN);
        walk.hide_bytes("the key of sessions", &SESSION_KEY);
        walk.hide_bytes("the key of browsers", &BROWSER_KEY);
        walk.hide_bytes("the key of an attempt", &ATTEMPT_KEY);
        let password = world.password("alice").with_id(LOGIN);
        let issued = mfa.associate(&password).named("phone");
        let issued = issued.run_blocking(&world.store, "alice").unwrap();
        walk.hide_secret(issued.secret());
        let device = Device::of(&issued);
        let verify = mfa.verify(&password, device.code(world.now()));
        let enrolled = verify.run_blocking(&world.store, "alice").unwrap();
        walk.show("Enrolled", &enrolled);
        let grant = Grant::from(enrolled.evidence());
        assert_eq!(grant.id(), Some(LOGIN));
        world.time.advance(30);
        Self {
            world,
            mfa,
            walk,
            device,
            grant,
        }
    }

    fn run<O: Operation>(&self, request: Request<O>) -> O::Output {
        request.run_blocking(&self.world.store, "alice").unwrap()
    }

    /// The right code of now.
    fn code(&mut self) -> Code {
        let code = self.device.code(self.world.now());
        self.walk.codes.push(code.expose().as_str().into());
        code
    }

    /// Another second factor that waits: whoever shows it may hold it already.
    fn issued(&mut self) -> Issued {
        let issued = self.run(self.mfa.associate(&self.grant));
        self.walk.hide_secret(issued.secret());
        issued
    }

    fn session(&mut self) -> ChallengeSession {
        let challenge = self.run(self.mfa.sign_in());
        self.walk.show("Challenge", &challenge);
        let Challenge::SoftwareToken { session, .. } = challenge else {
            panic!("a token is in force");
        };
        self.walk.hide("a session", session.expose());
        session
    }

    /// The evidence of a sign-in by a session, and what its browser is remembered by.
    fn remembered(&mut self) -> (Evidence, BrowserToken) {
        let (session, code) = (self.session(), self.code());
        let evidence = self.run(self.mfa.respond(&session, code));
        let browser = self.mfa.remember(&evidence).unwrap().unwrap();
        self.walk.hide("the token of a browser", browser.expose());
        (evidence, browser)
    }
}

#[test]
fn what_is_issued_and_read_shows_no_secret() {
    let mut held = Held::new();
    let issued = held.issued();
    let uri = issued.uri("Example", "alice@example.com").unwrap();
    held.walk.hide("a key URI", &uri.expose());
    let read = KeyUri::parse(&uri.expose()).unwrap();
    let legacy = KeyUri::parse_legacy(&uri.expose()).unwrap();
    let code = held.code();
    let row = held.world.row("alice").unwrap();
    held.walk.hide_bytes("a record", &row.record);
    let kept = record::decode(&row.record).unwrap();
    let walk = &mut held.walk;
    walk.show("Secret", issued.secret());
    walk.show("Issued", &issued);
    walk.show("KeyUri", &uri);
    walk.show("KeyUri, read", &read);
    walk.show("LegacyKeyUri", &legacy);
    #[cfg(feature = "qr")]
    walk.show("QrCode", &uri.qr_code().unwrap());
    walk.show("Verifier", &Verifier::new(issued.secret(), issued.totp()));
    walk.show("Code", &code);
    walk.show("Record", &kept);
    walk.show("Snapshot", &row);
    walk.show("MemoryStore", &held.world.store);
    walk.show("a bad secret", &Secret::from_base32("JBSW Y3DP EHPK 3PXP!"));
    walk.show("Status", &Status.apply(kept, &environment(&held.world)));
    held.walk.end();
}

fn environment(world: &World) -> softtoken::association::Environment<'_> {
    softtoken::association::Environment::new("alice", world.mfa.policy(), world.now())
}

#[test]
fn every_key_and_view_shows_no_key() {
    let mut held = Held::new();
    let walk = &mut held.walk;
    walk.show("Mfa", &held.mfa);
    walk.show("SessionKeys", &SessionKeys::from_bytes(1, &SESSION_KEY));
    let mut rotated = SessionKeys::from_bytes(2, &[1; 32]);
    rotated.also_open(1, &SESSION_KEY);
    walk.show("SessionKeys, rotated", &rotated);
    walk.show("BrowserKeys", &BrowserKeys::from_bytes(1, &BROWSER_KEY));
    walk.show("AttemptKey", &AttemptKey::from_bytes(ATTEMPT_KEY));
    #[cfg(feature = "seal")]
    {
        use softtoken::record::Keyring;

        let keyring = Keyring::from_bytes(1, &SESSION_KEY);
        walk.show("Keyring", &keyring);
        walk.show("Mfa, sealed", &held.mfa.clone().sealed(keyring));
    }
    held.walk.end();
}

#[test]
fn every_authority_and_evidence_shows_no_login_and_no_session() {
    let mut held = Held::new();
    let session = held.session();
    let opened = held.mfa.open(session.expose()).unwrap();
    let code = held.code();
    let step_up = held.mfa.step_up(&held.grant, code);
    let evidence = held.run(step_up.attempt(AttemptKey::from_bytes(ATTEMPT_KEY)));
    assert_eq!(Grant::from(&evidence).id(), Some(LOGIN));
    let bare = Grant::first_factor("alice", held.world.now()).with_id(LOGIN);
    let walk = &mut held.walk;
    walk.show("ChallengeSession", &session);
    walk.show("ChallengeSession, opened", &opened);
    walk.show("Evidence", &evidence);
    walk.show("Grant", &held.grant);
    walk.show("Grant, of a first factor", &bare);
    walk.show("Authority, a grant", &Authority::from(&held.grant));
    walk.show("Authority, a session", &Authority::from(&session));
    walk.show("Authority, an administrator", &Authority::from(&admin()));
    walk.show("SetEnabled", &SetEnabled::new(&bare, true));
    walk.show("a bad session", &held.mfa.open(&session.expose()[1..]));
    held.walk.end();
}

#[test]
fn every_request_and_decision_shows_nothing_that_it_was_given() {
    let mut held = Held::new();
    let (_, browser) = held.remembered();
    held.world.time.advance(30);
    let session = held.session();
    let code = held.code();
    let codes = held.run(held.mfa.issue_recovery_codes(&held.grant));
    let typed = codes.iter().next().unwrap().clone();
    for code in &codes {
        held.walk.hide_code(code);
    }
    let secret = Secret::from_bytes(&[0xb4; 20]).unwrap();
    held.walk.hide_secret(&secret);
    let imported = ImportedToken::proven(secret, Totp::STANDARD).named("fob");
    let key = || AttemptKey::from_bytes(ATTEMPT_KEY);
    let text = Some(browser.expose());
    let (mfa, grant) = (held.mfa.clone(), held.grant.clone());
    let row = held.world.row("alice");
    let token = held.run(mfa.status()).tokens[0].id;
    let walk = &mut held.walk;

    macro_rules! walk {
        ($($request:expr),* $(,)?) => {$({
            let request = $request;
            walk.show(stringify!($request), &request);
            match request.decide("alice", row.clone()) {
                Ok(decision) => {
                    walk.show(concat!("the decision of ", stringify!($request)), &decision);
                    if let Some(write) = decision.write() {
                        walk.hide_bytes("a record", write.record());
                        walk.show(concat!("the write of ", stringify!($request)), write);
                    }
                    let answer = decision.committed::<core::convert::Infallible>();
                    walk.show(concat!("the answer of ", stringify!($request)), &answer);
                }
                Err(fault) => walk.show("Fault", &fault),
            }
        })*};
    }
    walk!(
        mfa.sign_in().from_browser(text),
        mfa.sign_in_with(Some(code.clone().into()))
            .from_browser(text)
            .attempt(key()),
        mfa.sign_in_with(None).from_browser(text),
        mfa.respond(&session, code.clone()).attempt(key()),
        mfa.respond(&session, typed.clone()),
        mfa.step_up(&grant, code.clone()).attempt(key()),
        mfa.finish_setup(&session),
        mfa.check(&grant, MONTH),
        mfa.verify(&grant, code.clone())
            .followed_by(code.clone())
            .attempt(key()),
        mfa.verify(&session, code.clone()),
        mfa.set_enabled(&grant, true),
        mfa.prefer(&session, Preference::Enabled),
        mfa.rename(&grant, token, "other"),
        mfa.remove(&session, token),
        mfa.disassociate(&grant),
        mfa.forget_browsers(&grant),
        mfa.resynchronise(&grant, code.clone(), code.clone()),
        mfa.import(&admin(), [imported.clone()]),
        mfa.reset(&admin()),
    );
    walk.show("RecoveryCode", &typed);
    walk.show("RecoveryCodes", &codes);
    walk.show("Factor, a code", &Factor::from(code));
    walk.show("Factor, a recovery code", &Factor::from(typed));
    walk.show("ImportedToken", &imported);
    walk.show("BrowserToken", &browser);
    held.walk.end();
}

/// What a request drew is no more shown than what it was given, before it is run and after.
#[test]
fn every_request_shows_nothing_that_it_drew() {
    let mut held = Held::new();
    let (mfa, grant) = (held.mfa.clone(), held.grant.clone());
    let row = held.world.row("alice");
    let hour = Duration::from_secs(3_600);

    let associate = mfa.associate(&grant);
    let shown = format!("{associate:?}");
    let decision = associate.decide("alice", row.clone()).unwrap();
    let told = format!("{decision:?}");
    let issued: Result<Issued, softtoken::Error> = decision.committed();
    held.walk.hide_secret(issued.unwrap().secret());
    held.walk
        .shown
        .push(("Request<Associate>", squeezed(&shown)));
    held.walk.shown.push(("its decision", squeezed(&told)));

    let issue = mfa.issue_recovery_codes(&grant);
    let shown = format!("{issue:?}");
    let decision = issue.decide("alice", row.clone()).unwrap();
    let told = format!("{decision:?}");
    let codes = decision.committed::<core::convert::Infallible>().unwrap();
    codes.iter().for_each(|code| held.walk.hide_code(code));
    held.walk
        .shown
        .push(("Request<IssueRecoveryCodes>", squeezed(&shown)));
    held.walk.shown.push(("its decision", squeezed(&told)));

    let issue = mfa.issue_temporary_code(&admin(), hour);
    let shown = format!("{issue:?}");
    let decision = issue.decide("alice", row).unwrap();
    let told = format!("{decision:?}");
    let code = decision.committed::<core::convert::Infallible>().unwrap();
    held.walk.hide_code(&code);
    held.walk
        .shown
        .push(("Request<IssueTemporaryCode>", squeezed(&shown)));
    held.walk.shown.push(("its decision", squeezed(&told)));

    let by_hand = IssueRecoveryCodes::new(&grant, &OsEntropy).unwrap();
    held.walk.show("IssueRecoveryCodes", &by_hand);
    let by_hand = IssueTemporaryCode::new(&admin(), hour, &OsEntropy).unwrap();
    held.walk.show("IssueTemporaryCode", &by_hand);
    held.walk.end();
}

#[test]
fn every_event_of_a_life_shows_nothing_that_was_typed_or_drawn() {
    let mut held = Held::new();
    let told = Arc::<Mutex<Vec<String>>>::default();
    let log = Arc::clone(&told);
    held.mfa = held.mfa.with_audit(move |_, event| {
        log.lock().unwrap().push(format!("{event:?}"));
    });
    let (_, browser) = held.remembered();
    let spared = held.mfa.sign_in().from_browser(Some(browser.expose()));
    assert!(matches!(held.run(spared), Challenge::NotRequired { .. }));
    let codes = held.run(held.mfa.issue_recovery_codes(&held.grant));
    codes.iter().for_each(|code| held.walk.hide_code(code));
    let typed = codes.iter().next().unwrap().clone();
    let signed_in = held.run(held.mfa.sign_in_with(Some(typed.into())));
    assert!(matches!(signed_in, SignedIn::Proven(_)), "{signed_in:?}");
    held.walk.show("SignedIn", &signed_in);
    let session = held.session();
    let wrong = held.device.wrong_code(held.world.now());
    held.walk.codes.push(wrong.expose().as_str().into());
    let respond = held.mfa.respond(&session, wrong);
    let refused = respond.run_blocking(&held.world.store, "alice");
    held.walk.show("Error", &refused.unwrap_err());
    let reset = held.mfa.reset(&admin());
    reset.run_blocking(&held.world.store, "alice").unwrap();
    let ended = held
        .mfa
        .respond(&session, held.device.code(held.world.now()));
    assert!(ended.run_blocking(&held.world.store, "alice").is_err());
    let told = told.lock().unwrap().clone();
    assert!(told.len() >= 7, "{told:?}");
    for event in told {
        held.walk.shown.push(("Event", squeezed(&event)));
    }
    assert!(held.world.store.load_blocking("alice").unwrap().is_some());
    held.walk.end();
}

#[test]
fn every_row_of_another_system_and_every_run_over_rows_shows_no_key() {
    use core::convert::Infallible;
    use softtoken::rows::{OldRow, OldToken, Rows};

    let mut held = Held::new();
    let secret = Secret::from_bytes(&[0xb4; 20]).unwrap();
    held.walk.hide_secret(&secret);
    let (base32, hexadecimal) = (secret.expose_base32(), "b4".repeat(20));
    let refused = format!("{}!", *base32);
    let uri = format!("otpauth://totp/alice?secret={}", *base32);
    let rows: Vec<OldRow> = [
        OldToken::bytes(secret.expose()),
        OldToken::base32(base32.as_str()),
        OldToken::legacy_base32(base32.as_str()).named("fob"),
        OldToken::hexadecimal(hexadecimal).last_step(1),
        OldToken::key_uri(uri).pending(),
        OldToken::base32(refused),
    ]
    .into_iter()
    .zip(["user-1", "user-2", "user-3", "user-4", "user-5", "user-6"])
    .map(|(token, subject)| {
        held.walk.show("OldToken", &token);
        OldRow::new(subject).token(token)
    })
    .collect();
    held.walk.show("OldRow", &rows);
    let move_in = Rows::move_in(&held.mfa, &admin());
    held.walk.show("Rows<MovingIn>", &move_in);
    held.walk.show("Rows<Sealing>", &Rows::reseal(&held.mfa));
    let pages = |after: Option<&str>| {
        let rest = if after.is_none() {
            rows.clone()
        } else {
            Vec::new()
        };
        Ok::<_, Infallible>(rest)
    };
    let walk = &mut held.walk;
    let report = move_in.run_blocking(&held.world.store, pages, |_, verdict| {
        walk.show("Verdict", verdict);
    });
    held.walk.show("Report", &report);
    assert_eq!(report.unwrap().changed(), 5);
    held.walk.end();
}

#[cfg(feature = "export")]
#[test]
fn an_export_shows_no_secret() {
    let mut held = Held::new();
    let export = held.mfa.export(&admin());
    held.walk.show("Request<Export>", &export);
    let tokens = held.run(export);
    held.walk.show("what is exported", &tokens);
    assert_eq!(tokens.len(), 1);
    held.walk.end();
}

#[cfg(feature = "cognito")]
#[test]
fn every_body_and_call_of_cognitos_shows_no_secret_no_session_and_no_token() {
    use softtoken::cognito::{AuthenticationResult, Call, Exchange, Response, Scope};

    let mut held = Held::new();
    let tokens = AuthenticationResult {
        access_token: "access.token.of.alice".into(),
        expires_in: 3600,
        token_type: "Bearer".into(),
        refresh_token: Some("refresh.token.of.alice".into()),
        id_token: Some("id.token.of.alice".into()),
    };
    for token in ["access", "refresh", "id"] {
        let text = format!("{token}.token.of.alice");
        held.walk.hide("a token of the application's", &text);
    }
    let walk = &mut held.walk;
    walk.show("AuthenticationResult", &tokens);
    walk.show("Response", &Response::authenticated(&tokens, "request"));

    let scope = Scope::new("pool", "client").unwrap();
    let sign_in = Exchange::sign_in(&held.mfa, &scope, "alice", "Alice");
    walk.show("Exchange", &sign_in);
    let reply = sign_in.run_blocking(&held.world.store).unwrap();
    walk.show("Reply, a challenge", &reply);
    let response = reply.response("request").unwrap();
    let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    let session = body["Session"].as_str().unwrap().to_owned();
    walk.hide("a session", &session);
    walk.show("Response, a challenge", &response);

    let code = held.device.code(held.world.now());
    let code = code.expose().as_str().to_owned();
    walk.codes.push(code.clone());
    let respond = format!(
        r#"{{"ClientId":"client","ChallengeName":"SOFTWARE_TOKEN_MFA","Session":"{session}",
        "ChallengeResponses":{{"USERNAME":"alice","SOFTWARE_TOKEN_MFA_CODE":"{code}"}}}}"#
    );
    let associate = r#"{"AccessToken":"access.token.of.alice"}"#;
    let verify = format!(r#"{{"AccessToken":"access.token.of.alice","UserCode":"{code}"}}"#);
    for (operation, body) in [
        ("AssociateSoftwareToken", associate),
        ("VerifySoftwareToken", &verify),
        ("RespondToAuthChallenge", &respond),
    ] {
        let target = format!("AWSCognitoIdentityProviderService.{operation}");
        let call = Call::parse(&target, body.as_bytes()).unwrap().unwrap();
        walk.show(operation, &call);
        let exchange = match &call {
            Call::AccessToken(call) => call.answer(&held.mfa, &held.grant),
            Call::Challenge(call) => call.answer(&held.mfa, &scope, "alice"),
            other => panic!("{other:?}"),
        };
        walk.show("Exchange, of a call", &exchange);
        match exchange.run_blocking(&held.world.store) {
            Ok(reply) => {
                walk.show("Reply", &reply);
                if let Ok(response) = reply.response("request") {
                    let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
                    if let Some(secret) = body["SecretCode"].as_str() {
                        walk.hide("a secret", secret);
                        walk.hide_secret(&Secret::from_base32(secret).unwrap());
                    }
                    walk.show("Response, of a call", &response);
                }
            }
            Err(refusal) => walk.show("Refusal", &refusal),
        }
    }
    let issued = walk.secrets.iter().filter(|(name, _)| *name == "a secret");
    assert!(issued.count() > 4, "a secret was issued on the wire");
    held.walk.end();
}
