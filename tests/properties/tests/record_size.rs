//! A record does not grow with the number of sign-ins.
#![allow(clippy::unwrap_used, reason = "a failing step fails the test")]

use core::time::Duration;

use softtoken::association::{
    Environment, Import, ImportedToken, Operation, Record, Respond, SignIn, Transition,
};
use softtoken::totp::{Secret, Totp, Verifier};
use softtoken::{
    Administrator, Challenge, Context, OsEntropy, Policy, SessionKeys, UnixTime, record,
};

/// Every step's code signs in once, each with a session of its own, so that as many sessions are
/// remembered as can be.
#[test]
fn after_a_million_sign_ins_a_record_is_as_large_as_after_twenty() {
    let keys = SessionKeys::generate(1, &OsEntropy).unwrap();
    let context = Context::new("web").unwrap();
    let mut now = UnixTime::from_secs(1_700_000_000);
    let secret = Secret::generate(20, &OsEntropy).unwrap();
    let phone = Verifier::new(&secret, Totp::STANDARD);
    let token = ImportedToken::proven(secret, Totp::STANDARD);
    let import = Import::new(&Administrator::named("root"), [token], &OsEntropy).unwrap();
    let mut record = applied(
        &import,
        Record::default(),
        &Environment::new("user-1", &Policy::STANDARD, now),
    );

    let mut size = 0;
    for sign_in in 1..=1_000_000_u32 {
        now = now.saturating_add(Duration::from_secs(if sign_in == 1 { 60 } else { 30 }));
        let environment =
            Environment::new("user-1", &Policy::STANDARD, now).with_sessions(&keys, &context);
        let ask = SignIn::new(&OsEntropy).unwrap();
        let Ok(Challenge::SoftwareToken { session, .. }) =
            ask.apply(record.clone(), &environment).outcome
        else {
            panic!("a token is in force");
        };
        let code = phone.code(Totp::STANDARD.step(now));
        record = applied(&Respond::new(&session, code), record, &environment);
        if sign_in == 20 {
            size = record::encode(&record).len();
        }
    }
    assert_eq!(record::encode(&record).len(), size);
}

/// What an operation that succeeds makes of the record.
fn applied<O: Operation>(operation: &O, record: Record, environment: &Environment<'_>) -> Record {
    let Transition { next, outcome, .. } = operation.apply(record, environment);
    assert!(outcome.is_ok());
    next.unwrap()
}
