//! A server that takes password and code in one request, without an executor, with columns of its
//! own beside the record: who has a second factor, it tells without opening a record.

use std::collections::HashMap;
use std::sync::Mutex;

use softtoken::association::{Preference, State};
use softtoken::store::{Snapshot, Swap, Write};
use softtoken::{
    Administrator, BlockingStore, Code, Factor, Grant, Mfa, OsEntropy, Policy, SignedIn, TokenId,
};

use super::{Answer, Down};
use crate::world::{Device, World};

struct Server {
    mfa: Mfa,
    tables: Users,
}

/// One table of users; the record stands in another, and both are written in one transaction.
#[derive(Default)]
struct Users(Mutex<Rows>);

#[derive(Default)]
struct Rows {
    users: HashMap<String, Marker>,
    records: HashMap<String, Snapshot>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Marker {
    has_token: bool,
    is_enabled: bool,
}

impl BlockingStore for Users {
    type Error = Down;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, Down> {
        Ok(self.0.lock().unwrap().records.get(subject).cloned())
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, Down> {
        let mut rows = self.0.lock().unwrap();
        let user = write.subject();
        if rows.records.get(user).map(|row| row.revision) != write.expected() {
            return Ok(Swap::Conflict);
        }
        let marker = Marker {
            has_token: write.state() == State::Verified,
            is_enabled: write.is_enabled(),
        };
        rows.records.insert(user.into(), write.snapshot());
        rows.users.insert(user.into(), marker);
        Ok(Swap::Stored)
    }
}

impl Users {
    fn marker(&self, user: &str) -> Marker {
        let rows = self.0.lock().unwrap();
        rows.users.get(user).copied().unwrap_or_default()
    }
}

/// The answer to a log-in.
#[derive(PartialEq, Eq, Debug)]
enum Reply {
    In { proven: bool },
    CodeMissing { look_at: Vec<String> },
    SetUpFirst,
}

/// The password was right; `typed` came beside it.
fn log_in(server: &Server, user: &str, typed: Option<&str>) -> Answer<Reply> {
    let factor = typed.map(Factor::parse).transpose()?;
    let mut request = server.mfa.sign_in_with(factor);
    if server.tables.marker(user).has_token {
        request = request.expect_enrolled();
    }
    Ok(match request.run_blocking(&server.tables, user)? {
        SignedIn::NotRequired { .. } => Reply::In { proven: false },
        SignedIn::Proven(evidence) => Reply::In {
            proven: evidence.amr() == ["otp", "mfa"],
        },
        SignedIn::FactorRequired { names, .. } => Reply::CodeMissing { look_at: names },
        SignedIn::SetupRequired { .. } => Reply::SetUpFirst,
    })
}

/// A command that the user runs once, with the password just given.
fn enrol(server: &Server, user: &str, ask: impl Fn(Device) -> Code) -> Answer<Grant> {
    let grant = Grant::first_factor(user, server.mfa.now()?);
    let associate = server.mfa.associate(&grant).named("phone");
    let issued = associate.run_blocking(&server.tables, user)?;
    let code = ask(Device::of(&issued));
    let verify = server.mfa.verify(&grant, code);
    let enrolled = verify.run_blocking(&server.tables, user)?;
    Ok(Grant::from(enrolled.evidence()))
}

fn turn(server: &Server, grant: &Grant, on: bool) -> Answer<()> {
    let request = server.mfa.set_enabled(grant, on);
    request.run_blocking(&server.tables, grant.subject())
}

fn remove(server: &Server, grant: &Grant, token: TokenId) -> Answer<()> {
    let request = server.mfa.remove(grant, token);
    request.run_blocking(&server.tables, grant.subject())
}

fn reset(server: &Server, operator: &str, user: &str) -> Answer<()> {
    let admin = Administrator::named(operator);
    server.mfa.reset(&admin).run_blocking(&server.tables, user)
}

fn server(world: &World, policy: Policy) -> Server {
    let time = world.time.clone();
    Server {
        // Without keys: no session leaves such a server.
        mfa: Mfa::new(policy, move || Some(time.now()), OsEntropy),
        tables: Users::default(),
    }
}

/// A server with one user, the user's phone, and the grant that its first code made.
fn enrolled(world: &World) -> (Server, Device, Grant) {
    let server = server(world, Policy::STANDARD);
    let phone = Mutex::new(None);
    let grant = enrol(&server, "u1", |device| {
        let code = device.code(world.now());
        *phone.lock().unwrap() = Some(device);
        code
    });
    world.time.advance(30);
    (server, phone.into_inner().unwrap().unwrap(), grant.unwrap())
}

#[test]
fn password_and_code_come_in_one_request_without_keys() {
    let world = World::standard();
    let (server, phone, _) = enrolled(&world);
    let look_at = vec!["phone".into()];
    assert_eq!(
        log_in(&server, "u1", None),
        Ok(Reply::CodeMissing { look_at })
    );
    let code = phone.code(world.now()).expose();
    assert_eq!(
        log_in(&server, "u1", Some(&code)),
        Ok(Reply::In { proven: true })
    );
    assert_eq!(
        log_in(&server, "u1", Some(&code)).unwrap_err().name(),
        "reused"
    );
    let wrong = phone.wrong_code(world.now()).expose();
    assert_eq!(
        log_in(&server, "u1", Some(&wrong)).unwrap_err().name(),
        "mismatch"
    );
    assert_eq!(
        log_in(&server, "u1", Some("12345")).unwrap_err().name(),
        "malformed_factor"
    );
}

#[test]
fn a_code_of_a_user_who_has_no_token_is_ignored_and_lets_in_as_before() {
    let world = World::standard();
    let server = server(&world, Policy::STANDARD);
    for typed in [None, Some("123456")] {
        assert_eq!(
            log_in(&server, "u2", typed),
            Ok(Reply::In { proven: false })
        );
    }
}

#[test]
fn a_server_that_requires_asks_to_set_up_first() {
    let world = World::standard();
    let server = server(&world, Policy::STANDARD.required());
    assert_eq!(log_in(&server, "u2", None), Ok(Reply::SetUpFirst));
    assert_eq!(log_in(&server, "u2", Some("123456")), Ok(Reply::SetUpFirst));
}

#[test]
fn the_column_of_its_own_agrees_with_the_record_after_every_verb() {
    let world = World::standard();
    let (server, _, grant) = enrolled(&world);
    let agrees = |has_token, is_enabled| {
        let marker = Marker {
            has_token,
            is_enabled,
        };
        assert_eq!(server.tables.marker("u1"), marker);
        let status = server.mfa.status();
        let report = status.run_blocking(&server.tables, "u1").unwrap();
        assert_eq!(
            (report.is_verified(), report.is_enabled()),
            (has_token, is_enabled)
        );
        report
    };
    agrees(true, true);
    turn(&server, &grant, false).unwrap();
    let report = agrees(true, false);
    turn(&server, &grant, true).unwrap();
    agrees(true, true);
    let prefer = server.mfa.prefer(&grant, Preference::Preferred);
    prefer.run_blocking(&server.tables, "u1").unwrap();
    agrees(true, true);
    // Another phone that is set up, and has not shown a code yet.
    let associate = server.mfa.associate(&grant).replacing(report.tokens[0].id);
    let _ = associate.run_blocking(&server.tables, "u1").unwrap();
    agrees(true, true);
    remove(&server, &grant, report.tokens[0].id).unwrap();
    agrees(false, false);

    let grant = Grant::first_factor("u1", world.now());
    let associate = server.mfa.associate(&grant);
    let _ = associate.run_blocking(&server.tables, "u1").unwrap();
    agrees(false, false);
    reset(&server, "root", "u1").unwrap();
    agrees(false, false);
}

#[test]
fn a_record_that_was_deleted_behind_the_column_lets_nobody_in() {
    let world = World::standard();
    let (server, phone, _) = enrolled(&world);
    server.tables.0.lock().unwrap().records.clear();
    let code = phone.code(world.now()).expose();
    for typed in [None, Some(&**code)] {
        let fault = log_in(&server, "u1", typed).unwrap_err();
        assert_eq!(fault.name(), "rolled_back");
    }
}
