//! An operator's desk: every change is logged with the operator's name, the request's id and the
//! address.

use core::time::Duration;
use std::sync::{Arc, Mutex};

use softtoken::association::{Actor, StatusReport};
use softtoken::{Administrator, Mfa, RecoveryCode, Revision};

use super::{Answer, Database, serve};
use crate::world::{Device, World};

struct Desk {
    mfa: Mfa,
    store: Arc<Database>,
    log: Arc<Mutex<Vec<Line>>>,
    pager: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Line {
    request: u64,
    address: String,
    user: String,
    by: String,
    what: &'static str,
}

/// A request as it came in.
#[derive(Clone)]
struct Incoming {
    id: u64,
    address: String,
    operator: String,
}

impl Desk {
    /// The view of a request: whatever it does is logged under its id and its address.
    fn view(&self, incoming: &Incoming) -> Mfa {
        let (log, pager) = (Arc::clone(&self.log), Arc::clone(&self.pager));
        let (request, address) = (incoming.id, incoming.address.clone());
        self.mfa.with_audit(move |user, event| {
            let by = match &event.actor {
                Actor::Administrator { name, .. } => name.to_string(),
                other => other.name().into(),
            };
            log.lock().unwrap().push(Line {
                request,
                address: address.clone(),
                user: user.into(),
                by,
                what: event.name(),
            });
            if event.is_warning() {
                pager.lock().unwrap().push(user.into());
            }
        })
    }
}

/// The phone is stolen, or gone for good.
async fn reset(desk: Arc<Desk>, incoming: Incoming, user: String) -> Answer<()> {
    let admin = Administrator::named(&incoming.operator);
    let reset = desk.view(&incoming).reset(&admin);
    reset.run(&desk.store, &user).await
}

/// The phone is at home: one code, to be read out after the caller has been recognised.
async fn phone_at_home(desk: Arc<Desk>, incoming: Incoming, user: String) -> Answer<RecoveryCode> {
    let admin = Administrator::named(&incoming.operator);
    let day = Duration::from_secs(24 * 60 * 60);
    let issue = desk.view(&incoming).issue_temporary_code(&admin, day);
    issue.run(&desk.store, &user).await
}

/// Somebody else has guessed until the tokens were locked.
async fn unlock(desk: Arc<Desk>, incoming: Incoming, user: String) -> Answer<()> {
    let admin = Administrator::named(&incoming.operator);
    let unlock = desk.view(&incoming).unlock(&admin);
    unlock.run(&desk.store, &user).await
}

async fn look(desk: Arc<Desk>, incoming: Incoming, user: String) -> Answer<StatusReport> {
    let status = desk.view(&incoming).status();
    status.run(&desk.store, &user).await
}

/// The row does not open, and the operator has read its revision from the table.
async fn reset_unreadable(
    desk: Arc<Desk>,
    incoming: Incoming,
    user: String,
    revision: Revision,
) -> Answer<()> {
    let admin = Administrator::named(&incoming.operator);
    let reset = desk.view(&incoming).reset(&admin).unreadable(revision);
    reset.run(&desk.store, &user).await
}

fn incoming(id: u64) -> Incoming {
    Incoming {
        id,
        address: "192.0.2.7".into(),
        operator: "ines".into(),
    }
}

/// A desk, and the phone of its user.
fn desk(world: &World) -> (Arc<Desk>, Device) {
    let desk = Desk {
        mfa: world.mfa.clone(),
        store: Arc::default(),
        log: Arc::default(),
        pager: Arc::default(),
    };
    let grant = world.password("u1");
    let issued = pollster::block_on(desk.mfa.associate(&grant).run(&desk.store, "u1")).unwrap();
    let phone = Device::of(&issued);
    let verify = desk.mfa.verify(&grant, phone.code(world.now()));
    let _ = pollster::block_on(verify.run(&desk.store, "u1")).unwrap();
    world.time.advance(30);
    (Arc::new(desk), phone)
}

/// What was logged since this was last asked.
fn logged(desk: &Desk) -> Vec<Line> {
    core::mem::take(&mut *desk.log.lock().unwrap())
}

#[test]
fn what_an_operator_does_is_logged_with_name_request_and_address() {
    let world = World::standard();
    let (desk, _) = desk(&world);
    let code = serve(phone_at_home(Arc::clone(&desk), incoming(1), "u1".into())).unwrap();
    serve(unlock(Arc::clone(&desk), incoming(2), "u1".into())).unwrap();
    let seen = serve(look(Arc::clone(&desk), incoming(3), "u1".into())).unwrap();
    assert!(seen.is_enabled() && seen.temporary_code_expires.is_some());

    // The user's own request has a view of its own.
    let mut users = incoming(4);
    users.address = "198.51.100.1".into();
    let mfa = desk.view(&users);
    let sign_in = mfa.sign_in_with(Some(code.into()));
    assert!(pollster::block_on(sign_in.run(&desk.store, "u1")).is_ok());
    serve(reset(Arc::clone(&desk), incoming(5), "u1".into())).unwrap();

    let line = |request, address: &str, by: &str, what| Line {
        request,
        address: address.into(),
        user: "u1".into(),
        by: by.into(),
        what,
    };
    assert_eq!(
        logged(&desk),
        [
            line(1, "192.0.2.7", "ines", "temporary_code_issued"),
            line(2, "192.0.2.7", "ines", "unlocked"),
            line(4, "198.51.100.1", "application", "recovery_code_used"),
            line(4, "198.51.100.1", "application", "signed_in"),
            line(5, "192.0.2.7", "ines", "reset"),
        ]
    );
}

#[test]
fn a_temporary_code_is_for_who_has_a_phone_and_a_reset_for_who_has_none() {
    let world = World::standard();
    let (desk, _) = desk(&world);
    serve(reset(Arc::clone(&desk), incoming(1), "u1".into())).unwrap();
    let refused = serve(phone_at_home(Arc::clone(&desk), incoming(2), "u1".into()));
    assert_eq!(refused.unwrap_err().name(), "not_associated");
    assert_eq!(logged(&desk)[1].what, "refused");

    // Who gives the password after the reset enrols anew.
    world.time.advance(1);
    let associate = desk.mfa.associate(&world.password("u1"));
    assert!(pollster::block_on(associate.run(&desk.store, "u1")).is_ok());
}

#[test]
fn the_pager_rings_for_a_password_that_is_probably_known_and_an_unlock_lets_the_user_in() {
    let world = World::standard();
    let (desk, phone) = desk(&world);
    let mfa = desk.view(&incoming(1));
    let guess = || {
        world.time.advance(20 * 60);
        let wrong = phone.wrong_code(world.now());
        let guess = mfa.sign_in_with(Some(wrong.into()));
        pollster::block_on(guess.run(&desk.store, "u1")).unwrap_err()
    };
    for _ in 0..4 {
        assert_eq!(guess().name(), "mismatch");
    }
    assert!(desk.pager.lock().unwrap().is_empty());
    assert_eq!(guess().name(), "mismatch");
    assert_eq!(*desk.pager.lock().unwrap(), ["u1"]);
    while guess().name() != "locked" {}

    let right = || {
        let code = phone.code(world.now());
        let sign_in = mfa.sign_in_with(Some(code.into()));
        pollster::block_on(sign_in.run(&desk.store, "u1"))
    };
    assert_eq!(right().unwrap_err().name(), "locked");
    serve(unlock(Arc::clone(&desk), incoming(2), "u1".into())).unwrap();
    assert!(right().is_ok());
}

#[test]
fn a_row_that_does_not_open_is_reset_at_its_revision_and_at_no_other() {
    let world = World::standard();
    let (desk, _) = desk(&world);
    let mut tables = desk.store.committed.lock().unwrap();
    let row = tables.tokens.get_mut("u1").unwrap();
    row.record[1] ^= 0xff;
    let revision = row.revision;
    drop(tables);

    let attempt = |revision| {
        serve(reset_unreadable(
            Arc::clone(&desk),
            incoming(1),
            "u1".into(),
            revision,
        ))
    };
    let seen = serve(look(Arc::clone(&desk), incoming(1), "u1".into()));
    assert_eq!(seen.unwrap_err().name(), "record_damaged");
    assert_eq!(
        attempt(Revision::FIRST).unwrap_err().name(),
        "record_damaged"
    );
    attempt(revision).unwrap();
    let seen = serve(look(Arc::clone(&desk), incoming(2), "u1".into())).unwrap();
    assert!(!seen.is_verified());
}
