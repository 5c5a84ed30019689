//! Operations in any order, on one record, against rules that hold whatever the order is.
//!
//! The first byte chooses the policy. Each byte after that names an operation, of which [`Player::play`] is the list,
//! and the operation takes as many bytes as it has choices to make; where the input ends, so does the run. With the
//! highest bit set, an operation is decided and its swap is lost, as if the server had died before it: nothing of it is
//! kept, and nobody has been told.

mod kept;
mod rules;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use softtoken::association::{
    Associate, AttemptKey, Authority, Check, Disassociate, Export, FinishSetup, ForgetBrowsers,
    Import, ImportedToken, IssueRecoveryCodes, IssueTemporaryCode, Prefer, Preference, Record,
    Remove, Rename, Reseal, Reset, Respond, Resynchronise, SetEnabled, SignIn, SignInWith, Status,
    StepUp, Unlock, Verify,
};
use softtoken::entropy::Entropy;
use softtoken::time::Step;
use softtoken::totp::{Code, Secret, Verifier};
use softtoken::{
    Administrator, Challenge, ChallengeSession, Factor, Grant, Policy, RecoveryCode, SignedIn,
    TokenId, UnixTime, Vouched,
};

use crate::world::{self, START, SUBJECT};
use kept::Token;
use rules::{Asked, By, May, Shown};

/// Plays operations that the bytes name, and holds what comes of each to the rules.
pub fn operations(data: &[u8]) {
    let Some((policy, choices)) = data.split_first() else {
        return;
    };
    let mut player = Player::new(policies()[usize::from(*policy) % 5], choices);
    while player.play().is_some() {}
}

fn policies() -> [Policy; 5] {
    let several = Policy::builder()
        .max_tokens(3)
        .learn_drift(true)
        .recovery_limit(Some(3))
        .name_bytes(4)
        .build()
        .expect("its values are in their ranges");
    [
        Policy::STANDARD,
        Policy::COGNITO,
        Policy::STANDARD.required(),
        several,
        Policy::COGNITO.required_from(UnixTime::from_secs(START + 600)),
    ]
}

/// How many of each kind are at hand: the latest.
const AT_HAND: usize = 6;

/// What has been handed out, the latest last.
struct Hand<T>(Vec<T>);

impl<T> Hand<T> {
    fn put(&mut self, item: T) {
        if self.0.len() == AT_HAND {
            self.0.remove(0);
        }
        self.0.push(item);
    }

    /// The one that a byte chooses, counted from the latest.
    fn get(&self, choice: u8) -> Option<&T> {
        self.0
            .iter()
            .rev()
            .nth(usize::from(choice) % self.0.len().max(1))
    }
}

struct Player<'a> {
    choices: &'a [u8],
    policy: Policy,
    required: bool,
    now: u64,
    /// The latest time that it has been.
    latest: u64,
    generator: Box<dyn Entropy>,
    record: Record,
    revision: u64,
    devices: Hand<Token>,
    ids: Hand<TokenId>,
    sessions: Hand<ChallengeSession>,
    grants: Hand<Grant>,
    codes: Hand<RecoveryCode>,
    browsers: Hand<String>,
    logins: u64,
    /// The tokens and steps whose codes were accepted.
    accepted: BTreeSet<(String, Step)>,
    /// Those of them by which no sign-in that set a token up may be completed: one was, or
    /// browsers were forgotten.
    finished: BTreeSet<(String, Step)>,
    /// The texts of the sessions that have succeeded.
    spent: BTreeSet<String>,
    /// The recovery codes that may be accepted still, at the most.
    issued: BTreeSet<String>,
    /// The temporary code that may be.
    temporary: Option<String>,
    /// What was answered to attempts that have a name.
    answered: BTreeMap<u8, Vec<(String, Step, UnixTime)>>,
    /// The texts of remembered browsers, and when each was.
    remembered: BTreeMap<String, u64>,
}

impl<'a> Player<'a> {
    fn new(policy: Policy, choices: &'a [u8]) -> Self {
        Self {
            choices,
            policy,
            required: false,
            now: START,
            latest: START,
            generator: Box::new(world::generator(3)),
            record: Record::default(),
            revision: 0,
            devices: Hand(Vec::new()),
            ids: Hand(Vec::new()),
            sessions: Hand(Vec::new()),
            grants: Hand(Vec::new()),
            codes: Hand(Vec::new()),
            browsers: Hand(Vec::new()),
            logins: 0,
            accepted: BTreeSet::new(),
            finished: BTreeSet::new(),
            spent: BTreeSet::new(),
            issued: BTreeSet::new(),
            temporary: None,
            answered: BTreeMap::new(),
            remembered: BTreeMap::new(),
        }
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.choices.split_first()?;
        self.choices = rest;
        Some(*byte)
    }

    fn policy(&self) -> Policy {
        if self.required {
            self.policy.required()
        } else {
            self.policy
        }
    }

    fn time(&self) -> UnixTime {
        UnixTime::from_secs(self.now)
    }

    /// The next operation. `None`: the input has ended.
    fn play(&mut self) -> Option<()> {
        let byte = self.byte()?;
        let lost = byte & 0x80 != 0;
        let operation = byte & 0x7f;
        match operation % 31 {
            0 => self.now = self.now.saturating_add(self.byte()?.into()),
            1 => self.now = self.now.saturating_add(u64::from(self.byte()?) * 300),
            2 => self.now = self.now.saturating_sub(u64::from(self.byte()?) * 15),
            3 => self.required = !self.required,
            4 => self.log_in()?,
            5 => self.associate(lost)?,
            6 => self.verify(lost)?,
            7 => self.sign_in(lost)?,
            8 => self.respond(lost)?,
            9 => self.sign_in_with(lost)?,
            10 => self.step_up(lost)?,
            11 => self.finish_setup(lost)?,
            12 => self.resynchronise(lost)?,
            13 => self.issue_recovery_codes(lost)?,
            14 => self.issue_temporary_code(lost)?,
            15 => self.import(lost)?,
            16..=21 => self.manage(operation % 31, lost)?,
            22 => {
                let reset = Reset::new(&admin());
                let mends = self.byte()? & 1 == 1;
                let reset = if mends { reset.mending_clock() } else { reset };
                self.apply(lost, &reset, &Asked::default().that(&[May::Remove]));
            }
            23 => drop(self.apply(lost, &Unlock::new(&admin()), &Asked::default())),
            24 => drop(self.apply(lost, &Export::new(&admin()), &Asked::default())),
            25 => drop(self.apply(lost, &Reseal, &Asked::default())),
            26 => drop(self.apply(lost, &Status, &Asked::default())),
            27 => {
                let grant = self.grant()?;
                let max_age = Duration::from_secs(u64::from(self.byte()?) * 60);
                let by = By::Grant(grant.clone());
                self.apply(lost, &Check::new(&grant, max_age), &Asked::by(&by));
            }
            // A patient guesser.
            28 => {
                for _ in 0..self.byte()? % 8 {
                    let code = Code::parse("000000").expect("six digits");
                    let asked = Asked::default().showing(Shown::Code(code.clone()));
                    let guess = SignInWith::new(Some(code.into()));
                    drop(self.apply(lost, &guess, &asked));
                }
            }
            29 => self.now = self.now.saturating_add(30),
            _ => self.now = START + u64::from(self.byte()?) * 7,
        }
        self.latest = self.latest.max(self.now);
        Some(())
    }

    /// What a user does with tokens in force.
    fn manage(&mut self, operation: u8, lost: bool) -> Option<()> {
        match operation {
            16 => {
                let by = self.authority()?;
                let enabled = self.byte()? & 1 == 1;
                self.apply(
                    lost,
                    &SetEnabled::new(by.0.clone(), enabled),
                    &Asked::by(&by.1),
                );
            }
            17 => {
                let by = self.authority()?;
                let preferences = [
                    Preference::Disabled,
                    Preference::Enabled,
                    Preference::Preferred,
                ];
                let preference = preferences[usize::from(self.byte()?) % 3];
                self.apply(
                    lost,
                    &Prefer::new(by.0.clone(), preference),
                    &Asked::by(&by.1),
                );
            }
            18 => {
                let by = self.authority()?;
                let id = self.id()?;
                let name = ["", "phone", "\u{1d7ce}\u{1d7ce}"][usize::from(self.byte()?) % 3];
                self.apply(
                    lost,
                    &Rename::new(by.0.clone(), id, name),
                    &Asked::by(&by.1),
                );
            }
            19 => {
                let by = self.authority()?;
                let id = self.id()?;
                self.apply(
                    lost,
                    &Remove::new(by.0.clone(), id),
                    &Asked::by(&by.1).that(&[May::Remove]),
                );
            }
            20 => {
                let by = self.authority()?;
                self.apply(
                    lost,
                    &Disassociate::new(by.0.clone()),
                    &Asked::by(&by.1).that(&[May::Remove]),
                );
            }
            _ => {
                let by = self.authority()?;
                self.apply(lost, &ForgetBrowsers::new(by.0.clone()), &Asked::by(&by.1));
            }
        }
        Some(())
    }

    /// A login by password, whose grant is at hand from then on.
    fn log_in(&mut self) -> Option<()> {
        let choice = self.byte()?;
        self.logins += 1;
        let now = self.time();
        let grant = match choice % 8 {
            0 => Grant::first_factor("bob", now),
            1 => Grant::first_factor(SUBJECT, now.saturating_add(Duration::from_secs(600))),
            2 => Grant::from_bare_times(SUBJECT, now, now),
            3 => Grant::first_factor(SUBJECT, now),
            _ => Grant::first_factor(SUBJECT, now).with_id(&format!("login-{}", self.logins)),
        };
        self.grants.put(grant);
        Some(())
    }

    fn grant(&mut self) -> Option<Grant> {
        let choice = self.byte()?;
        let fresh = Grant::first_factor(SUBJECT, self.time());
        Some(self.grants.get(choice).cloned().unwrap_or(fresh))
    }

    fn authority(&mut self) -> Option<(Authority, By)> {
        let choice = self.byte()?;
        let which = choice >> 2;
        Some(match choice % 4 {
            0 => (Authority::from(&admin()), By::Administrator),
            1 if !self.sessions.0.is_empty() => {
                let session = self.sessions.get(which)?;
                (session.into(), By::Session(session.clone()))
            }
            _ => {
                let fresh = Grant::first_factor(SUBJECT, self.time());
                let grant = self.grants.get(which).cloned().unwrap_or(fresh);
                ((&grant).into(), By::Grant(grant))
            }
        })
    }

    fn id(&mut self) -> Option<TokenId> {
        let choice = self.byte()?;
        let unknown = "000102030405060708090a0b0c0d0e0f";
        let unknown = || unknown.parse().expect("32 hexadecimal digits");
        Some(self.ids.get(choice).copied().unwrap_or_else(unknown))
    }

    /// A code of a device at hand, so many steps from now; or, where there is none, any.
    fn code(&mut self) -> Option<Code> {
        let choice = self.byte()?;
        let steps = i64::from(self.byte()?.cast_signed());
        // Mostly what is shown now.
        let steps = if choice & 0x80 == 0 { 0 } else { steps };
        let code = self.devices.get(choice).map(|device| {
            let step = device.totp.step(self.time()).saturating_offset(steps);
            Verifier::new(&device.secret, device.totp).code(step)
        });
        Some(code.unwrap_or_else(|| Code::parse("1234567").expect("seven digits")))
    }

    fn factor(&mut self) -> Option<(Factor, Shown)> {
        Some(match self.byte()? % 8 {
            0 => (Vouched::factor(&["hwk", "user"]).into(), Shown::Vouched),
            1 => (Vouched::recovery_code(true).into(), Shown::Vouched),
            2 => (Vouched::recovery_code(false).into(), Shown::NotVouched),
            3 | 4 if !self.codes.0.is_empty() => {
                let choice = self.byte()?;
                let code = self.codes.get(choice)?.clone();
                let text = code.expose().to_string();
                (code.into(), Shown::RecoveryCode(text))
            }
            3 => {
                let text = "01234-56789-ABCDE-FGHJK-MNPQR";
                let code = RecoveryCode::parse(text).expect("it is none that was drawn");
                (code.into(), Shown::RecoveryCode(text.into()))
            }
            _ => {
                let code = self.code()?;
                (code.clone().into(), Shown::Code(code))
            }
        })
    }

    /// The name of an attempt, or none.
    #[expect(clippy::option_option, reason = "outside, whether the input goes on")]
    fn attempt(&mut self) -> Option<Option<(AttemptKey, u8)>> {
        let choice = self.byte()?;
        let name = choice % 4;
        Some((name != 0).then(|| (AttemptKey::from_bytes([name; 16]), name)))
    }

    fn associate(&mut self, lost: bool) -> Option<()> {
        let (by, asked_by) = self.authority()?;
        let choice = self.byte()?;
        let associate = Associate::new(by, &self.policy(), &*self.generator);
        let mut associate = associate.expect("the generator never fails");
        if choice & 1 == 1 {
            associate = associate.named("\u{1d7ce}hone");
        }
        if choice & 2 == 2 {
            associate = associate.replacing(self.id()?);
        }
        let asked = Asked::by(&asked_by).that(&[May::SetUp]);
        if let Some(issued) = self.apply(lost, &associate, &asked) {
            self.devices.put(Token {
                id: issued.token().to_string(),
                secret: issued.secret().clone(),
                totp: issued.totp(),
                last_step: None,
            });
            self.ids.put(issued.token());
            self.hand_out(issued.session());
        }
        Some(())
    }

    fn hand_out(&mut self, session: Option<&ChallengeSession>) {
        if let Some(session) = session {
            self.sessions.put(session.clone());
        }
    }

    fn verify(&mut self, lost: bool) -> Option<()> {
        let (by, asked_by) = self.authority()?;
        let code = self.code()?;
        let next = if self.byte()? % 4 == 0 {
            Some(self.code()?)
        } else {
            None
        };
        let attempt = self.attempt()?;
        let mut asked = Asked::by(&asked_by)
            .that(&[May::Verify, May::Remove])
            .showing(Shown::Code(code.clone()));
        let verify = Verify::new(by, code, &*self.generator);
        let mut verify = verify.expect("the generator never fails");
        if let Some(next) = next {
            asked = asked.showing(Shown::Pair(next.clone()));
            verify = verify.followed_by(next);
        }
        if let Some((key, name)) = attempt {
            asked = asked.attempt(name);
            verify = verify.attempt(key);
        }
        if let Some(enrolled) = self.apply(lost, &verify, &asked) {
            self.hand_out(enrolled.session());
            self.accept(enrolled.evidence());
        }
        Some(())
    }

    /// Keeps the grant of an evidence, and remembers the browser that showed it.
    fn accept(&mut self, evidence: &softtoken::Evidence) {
        self.grants.put(Grant::from(evidence));
        let mfa = world::mfa_at(self.policy(), self.time());
        if let Some(browser) = mfa.remember(evidence).expect("the clock knows the time") {
            let text = browser.expose().to_owned();
            self.remembered
                .insert(text.clone(), evidence.at().as_secs());
            self.browsers.put(text);
        }
    }

    /// The text of a browser that was remembered, of one that is nearly so, or none.
    #[expect(clippy::option_option, reason = "outside, whether the input goes on")]
    fn browser(&mut self) -> Option<Option<String>> {
        let choice = self.byte()?;
        let text = self.browsers.get(choice >> 2).cloned();
        Some(match choice % 4 {
            0 => None,
            1 => text.map(|text| text[..text.len() - 1].to_owned()),
            _ => text,
        })
    }

    fn sign_in(&mut self, lost: bool) -> Option<()> {
        let browser = self.browser()?;
        let sign_in = SignIn::new(&*self.generator).expect("the generator never fails");
        let sign_in = sign_in.from_browser(browser.as_deref());
        match self.apply(lost, &sign_in, &Asked::default()) {
            Some(Challenge::NotRequired { remembered, .. }) => {
                self.not_required(remembered, browser.as_deref());
            }
            Some(Challenge::SoftwareToken { session, .. } | Challenge::Setup { session, .. }) => {
                self.hand_out(Some(&session));
            }
            None => {}
        }
        Some(())
    }

    fn respond(&mut self, lost: bool) -> Option<()> {
        let choice = self.byte()?;
        let (factor, shown) = self.factor()?;
        let attempt = self.attempt()?;
        let Some(session) = self.sessions.get(choice).cloned() else {
            return Some(());
        };
        let mut asked = Asked::by(&By::Session(session.clone())).showing(shown);
        let mut respond = Respond::new(&session, factor);
        if let Some((key, name)) = attempt {
            asked = asked.attempt(name);
            respond = respond.attempt(key);
        }
        if let Some(evidence) = self.apply(lost, &respond, &asked) {
            self.accept(&evidence);
        }
        Some(())
    }

    fn sign_in_with(&mut self, lost: bool) -> Option<()> {
        let browser = self.browser()?;
        let attempt = self.attempt()?;
        let factor = if self.byte()? % 8 == 0 {
            None
        } else {
            Some(self.factor()?)
        };
        let mut asked = Asked::default();
        let factor = factor.map(|(factor, shown)| {
            asked.shown = vec![shown];
            factor
        });
        let mut sign_in = SignInWith::new(factor).from_browser(browser.as_deref());
        if let Some((key, name)) = attempt {
            asked = asked.attempt(name);
            sign_in = sign_in.attempt(key);
        }
        match self.apply(lost, &sign_in, &asked) {
            Some(SignedIn::NotRequired { remembered, .. }) => {
                self.not_required(remembered, browser.as_deref());
            }
            Some(SignedIn::Proven(evidence)) => self.accept(&evidence),
            _ => {}
        }
        Some(())
    }

    fn step_up(&mut self, lost: bool) -> Option<()> {
        let grant = self.grant()?;
        let (factor, shown) = self.factor()?;
        let attempt = self.attempt()?;
        let mut asked = Asked::by(&By::Grant(grant.clone())).showing(shown);
        let mut step_up = StepUp::new(&grant, factor);
        if let Some((key, name)) = attempt {
            asked = asked.attempt(name);
            step_up = step_up.attempt(key);
        }
        if let Some(evidence) = self.apply(lost, &step_up, &asked) {
            self.accept(&evidence);
        }
        Some(())
    }

    fn finish_setup(&mut self, lost: bool) -> Option<()> {
        let choice = self.byte()?;
        let Some(session) = self.sessions.get(choice).cloned() else {
            return Some(());
        };
        let asked = Asked::by(&By::Session(session.clone())).that(&[May::Finish]);
        if let Some(evidence) = self.apply(lost, &FinishSetup::new(&session), &asked) {
            self.accept(&evidence);
        }
        Some(())
    }

    fn resynchronise(&mut self, lost: bool) -> Option<()> {
        let (by, asked_by) = self.authority()?;
        let (code, next) = (self.code()?, self.code()?);
        let asked = Asked::by(&asked_by)
            .showing(Shown::Code(code.clone()))
            .showing(Shown::Pair(next.clone()));
        let _ = self.apply(lost, &Resynchronise::new(by, code, next), &asked);
        Some(())
    }

    fn issue_recovery_codes(&mut self, lost: bool) -> Option<()> {
        let (by, asked_by) = self.authority()?;
        let issue = IssueRecoveryCodes::new(by, &*self.generator);
        let issue = issue.expect("the generator never fails");
        if let Some(codes) = self.apply(lost, &issue, &Asked::by(&asked_by)) {
            self.issued.clear();
            for code in &codes {
                self.codes.put(code.clone());
                self.issued.insert(code.expose().to_string());
            }
        }
        Some(())
    }

    fn issue_temporary_code(&mut self, lost: bool) -> Option<()> {
        let lifetime = Duration::from_secs(u64::from(self.byte()?) * 60 + 60);
        let issue = IssueTemporaryCode::new(&admin(), lifetime, &*self.generator);
        let issue = issue.expect("at most 256 minutes");
        if let Some(code) = self.apply(lost, &issue, &Asked::default()) {
            self.temporary = Some(code.expose().to_string());
            self.codes.put(code);
        }
        Some(())
    }

    fn import(&mut self, lost: bool) -> Option<()> {
        let choice = self.byte()?;
        let drift = self.byte()?.cast_signed();
        let totp = self.policy.totp();
        let mut secret = [0; 20];
        self.generator
            .fill(&mut secret)
            .expect("the generator never fails");
        let secret = Secret::from_bytes(&secret).expect("20 bytes");
        let token = if choice & 1 == 0 {
            let token = ImportedToken::proven(secret.clone(), totp).drift(drift.into());
            if choice & 2 == 0 {
                token
            } else {
                token.last_step(
                    totp.step(self.time())
                        .saturating_offset((choice >> 4).into()),
                )
            }
        } else {
            ImportedToken::pending(secret.clone(), totp).named("phone")
        };
        let import = Import::new(&admin(), [token], &*self.generator);
        let Ok(mut import) = import else {
            return Some(());
        };
        if choice & 4 == 4 {
            import = match import.replacing_everything() {
                Ok(import) => import,
                Err(_) => return Some(()),
            };
        }
        if choice & 8 == 8 {
            import = import.even_if_verified_before();
        }
        let asked = Asked::default().that(&[May::SetUp, May::BringIn, May::Remove]);
        if self.apply(lost, &import, &asked).is_some() {
            let kept = kept::Kept::read(&softtoken::record::encode(&self.record));
            let mut all = kept.tokens.into_iter().chain(kept.pending);
            if let Some(token) = all.find(|token| token.secret == secret) {
                self.ids
                    .put(token.id.parse().expect("32 hexadecimal digits"));
                self.devices.put(token);
            }
        }
        Some(())
    }
}

fn admin() -> Administrator {
    Administrator::named("root")
}
