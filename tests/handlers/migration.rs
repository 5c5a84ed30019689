//! A migration, there and back: secrets and counters of another system, its backup codes, hardware
//! fobs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use softtoken::association::{EventKind, ImportedToken};
use softtoken::time::Step;
use softtoken::totp::{Secret, Totp};
use softtoken::{
    Administrator, Challenge, Code, Context, Evidence, Grant, Mfa, Rejection, Vouched,
};

use super::{Answer, Database, serve};
use crate::world::{Device, World};

struct App {
    mfa: Mfa,
    store: Arc<Database>,
    old: Mutex<HashMap<String, OldRow>>,
}

/// What the other system keeps: base32 as it was typed, the counter of the last code, hashes of
/// backup codes.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
struct OldRow {
    secret: String,
    last_used: Option<u64>,
    backup_codes: Vec<String>,
}

#[derive(Default, PartialEq, Eq, Debug)]
struct Report {
    imported: u32,
    there_already: u32,
    removed_since: u32,
}

/// Runs as often as it takes: who is there already stays as they are.
async fn migrate(app: Arc<App>) -> Answer<Report> {
    let admin = Administrator::named("migration");
    let rows = app.old.lock().unwrap().clone();
    let mut report = Report::default();
    for (id, row) in rows {
        let secret = Secret::from_base32_legacy(&row.secret)?;
        let mut token = ImportedToken::proven(secret, Totp::STANDARD).named("phone");
        if let Some(step) = row.last_used {
            token = token.last_step(Step::new(step));
        }
        match app.mfa.import(&admin, [token]).run(&app.store, &id).await {
            Ok(()) => report.imported += 1,
            Err(error) => match error.rejection() {
                Some(Rejection::AlreadyVerified) => report.there_already += 1,
                Some(Rejection::VerifiedBefore) => report.removed_since += 1,
                _ => return Err(error),
            },
        }
    }
    Ok(report)
}

/// A backup code of the other system, in the place of a code. It is burnt before anybody vouches
/// for it.
async fn old_backup_code(app: Arc<App>, session: String, typed: String) -> Answer<Evidence> {
    let session = app.mfa.open(&session)?;
    let matched = app.burn(session.subject(), &typed);
    let respond = app.mfa.respond(&session, Vouched::recovery_code(matched));
    respond.run(&app.store, session.subject()).await
}

/// A fob that came in the mail, its secret in the maker's list. Its clock may be off by minutes.
async fn hand_out_fob(app: Arc<App>, id: String, listed: String) -> Answer<()> {
    let admin = Administrator::named("fobs");
    let secret = Secret::from_base32_legacy(&listed)?;
    let fob = ImportedToken::pending(secret, Totp::STANDARD).named("fob");
    app.mfa.import(&admin, [fob]).run(&app.store, &id).await
}

async fn confirm_fob(app: Arc<App>, grant: Grant, code: Code, next: Code) -> Answer<Grant> {
    let verify = app.mfa.verify(&grant, code).followed_by(next);
    let enrolled = verify.run(&app.store, grant.subject()).await?;
    Ok(Grant::from(enrolled.evidence()))
}

/// The way back.
#[cfg(feature = "export")]
async fn back(app: Arc<App>, id: String) -> Answer<Vec<OldRow>> {
    let admin = Administrator::named("migration");
    let tokens = app.mfa.export(&admin).run(&app.store, &id).await?;
    let rows = tokens.iter().map(|token| OldRow {
        secret: token.secret().expose_base32().to_string(),
        last_used: token.last_accepted_step().map(Step::get),
        backup_codes: Vec::new(),
    });
    Ok(rows.collect())
}

impl App {
    /// Whether it was one of the user's; then it no longer is.
    fn burn(&self, user: &str, typed: &str) -> bool {
        let mut old = self.old.lock().unwrap();
        let codes = old.get_mut(user).map(|row| &mut row.backup_codes);
        let Some(codes) = codes else { return false };
        let place = codes.iter().position(|code| code == typed);
        place.map(|place| codes.remove(place)).is_some()
    }

    fn session(&self, user: &str) -> String {
        let challenge = self.mfa.sign_in().run(&self.store, user);
        match pollster::block_on(challenge).unwrap() {
            Challenge::SoftwareToken { session, .. } => session.expose().into(),
            other => panic!("no challenge: {other:?}"),
        }
    }
}

/// Sixteen characters, as the most popular libraries made them; one has bits that make no byte.
const SECRETS: [&str; 2] = ["jbsw y3dp ehpk 3pxp", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXQ7"];

fn app(world: &World) -> Arc<App> {
    let row = |secret: &str| OldRow {
        secret: secret.into(),
        last_used: Some(Totp::STANDARD.step(world.now()).get()),
        backup_codes: vec!["old-1".into(), "old-2".into()],
    };
    let old = [("u1", row(SECRETS[0])), ("u2", row(SECRETS[1]))];
    let old = old.map(|(id, row)| (id.into(), row));
    Arc::new(App {
        mfa: world.mfa.with_context(Context::new("web").unwrap()),
        store: Arc::default(),
        old: Mutex::new(old.into()),
    })
}

fn phone(secret: &str) -> Device {
    Device::new(&Secret::from_base32_legacy(secret).unwrap(), Totp::STANDARD)
}

#[test]
fn phones_of_another_system_sign_in_here_and_no_code_of_before_does() {
    let world = World::standard();
    let app = app(&world);
    let report = serve(migrate(Arc::clone(&app))).unwrap();
    assert_eq!(report.imported, 2);
    for (user, secret) in [("u1", SECRETS[0]), ("u2", SECRETS[1])] {
        let phone = phone(secret);
        let session = app.mfa.open(&app.session(user)).unwrap();
        let attempt =
            |code| pollster::block_on(app.mfa.respond(&session, code).run(&app.store, user));
        let before = attempt(phone.code(world.now())).unwrap_err();
        assert_eq!(before.name(), "reused", "the other system accepted it");
        let next = attempt(phone.code_in(world.now(), 1)).unwrap();
        assert_eq!(next.token_name(), Some("phone"));
    }
}

#[test]
fn a_migration_that_runs_twice_brings_nothing_back() {
    let world = World::standard();
    let app = app(&world);
    serve(migrate(Arc::clone(&app))).unwrap();
    let admin = Administrator::named("root");
    pollster::block_on(app.mfa.disassociate(&admin).run(&app.store, "u1")).unwrap();
    let again = serve(migrate(app)).unwrap();
    let expected = Report {
        imported: 0,
        there_already: 1,
        removed_since: 1,
    };
    assert_eq!(again, expected);
}

#[test]
fn a_counter_in_seconds_stops_a_migration_of_steps() {
    let world = World::standard();
    let app = app(&world);
    for row in app.old.lock().unwrap().values_mut() {
        row.last_used = Some(world.now().as_secs());
    }
    let refused = serve(migrate(Arc::clone(&app))).unwrap_err();
    assert_eq!(refused.name(), "last_step_in_future");
    for row in app.old.lock().unwrap().values_mut() {
        row.last_used = row.last_used.map(|seconds| seconds / 30);
    }
    assert_eq!(serve(migrate(app)).unwrap().imported, 2);
}

#[test]
fn an_old_backup_code_signs_in_once_and_a_wrong_one_is_counted() {
    let world = World::standard();
    let app = app(&world);
    serve(migrate(Arc::clone(&app))).unwrap();
    let session = app.session("u1");
    let attempt = |typed: &str| {
        serve(old_backup_code(
            Arc::clone(&app),
            session.clone(),
            typed.into(),
        ))
    };
    for _ in 0..5 {
        assert_eq!(attempt("guess").unwrap_err().name(), "mismatch");
    }
    let told: Vec<_> = world.events().iter().map(EventKind::name).collect();
    assert!(told.contains(&"password_probably_known"));

    let evidence = attempt("old-1").unwrap();
    assert_eq!(evidence.amr(), ["otp", "mfa"]);
    assert!(evidence.should_end_other_logins());
    let session = app.session("u1");
    let again = old_backup_code(Arc::clone(&app), session, "old-1".into());
    assert_eq!(serve(again).unwrap_err().name(), "mismatch");
}

#[test]
fn a_fob_whose_clock_is_off_is_confirmed_by_two_codes() {
    let world = World::standard();
    let app = app(&world);
    let listed = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
    serve(hand_out_fob(Arc::clone(&app), "u3".into(), listed.into())).unwrap();
    let fob = phone(listed);
    let grant = Grant::first_factor("u3", world.now()).with_id("login");
    let [code, next] = [-8, -7].map(|steps| fob.code_in(world.now(), steps));
    let confirm = confirm_fob(Arc::clone(&app), grant, code, next);
    let grant = serve(confirm).unwrap();
    let report = pollster::block_on(app.mfa.status().run(&app.store, "u3")).unwrap();
    assert_eq!(report.tokens[0].drift, -7);

    world.time.advance(30);
    let late = fob.code_in(world.now(), -7);
    let step_up = app.mfa.step_up(&grant, late).run(&app.store, "u3");
    assert!(pollster::block_on(step_up).is_ok());
}

#[test]
#[cfg(feature = "export")]
fn the_way_back_is_the_way_in() {
    let world = World::standard();
    let app = app(&world);
    serve(migrate(Arc::clone(&app))).unwrap();
    let rows = serve(back(Arc::clone(&app), "u1".into())).unwrap();
    let [row] = rows.as_slice() else {
        panic!("one phone: {rows:?}");
    };
    assert_eq!(row.secret, "JBSWY3DPEHPK3PXP");
    let old = app.old.lock().unwrap()["u1"].last_used;
    assert_eq!(row.last_used, old);
    let report = pollster::block_on(app.mfa.status().run(&app.store, "u1")).unwrap();
    assert_eq!(report.exported, Some(world.now()));

    // And in again, elsewhere.
    let other = World::standard();
    let there = Arc::new(App {
        mfa: other.mfa.with_context(Context::new("web").unwrap()),
        store: Arc::default(),
        old: Mutex::new([("u1".into(), row.clone())].into()),
    });
    assert_eq!(serve(migrate(there)).unwrap().imported, 1);
}
