//! Counts the instructions of each case, by gungraun. `.ci/instructions` runs it, with what the
//! counts would depend on otherwise held still.
//!
//! A case returns what it was given, so that dropping it is not counted.
#![expect(missing_docs, reason = "gungraun's macros write public items")]

use core::hint::black_box;

use gungraun::{
    Callgrind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use softtoken::association::{BrowserToken, Record};
use softtoken::totp::{Algorithm, Verdict};
use softtoken::{Challenge, ChallengeSession, Grant, SignedIn};
use softtoken_ct::arena::Arena;
use softtoken_instructions::{AtRest, Judgement, User, decode, encode};

#[global_allocator]
static ALLOCATOR: Arena = Arena;

#[library_benchmark]
#[bench::sha1_window_1(Judgement::new(Algorithm::Sha1, 1))]
#[bench::sha1_window_10(Judgement::new(Algorithm::Sha1, 10))]
#[bench::sha256_window_1(Judgement::new(Algorithm::Sha256, 1))]
#[bench::sha256_window_10(Judgement::new(Algorithm::Sha256, 10))]
#[bench::sha512_window_1(Judgement::new(Algorithm::Sha512, 1))]
#[bench::sha512_window_10(Judgement::new(Algorithm::Sha512, 10))]
fn verifier(judgement: Judgement) -> Judgement {
    assert_eq!(black_box(&judgement).judge(), Verdict::Mismatch);
    judgement
}

#[library_benchmark]
#[bench::sha1_reach_20(Judgement::new(Algorithm::Sha1, 1))]
fn verifier_pair(judgement: Judgement) -> Judgement {
    assert_eq!(black_box(&judgement).judge_pair(), Verdict::Mismatch);
    judgement
}

fn plain() -> User {
    User::new(AtRest::Plain, 1)
}

fn sealed() -> User {
    User::new(AtRest::Sealed, 1)
}

#[library_benchmark]
#[bench::plain(plain())]
#[bench::plain_five_tokens(User::new(AtRest::Plain, 5))]
#[bench::sealed(sealed())]
#[bench::recovery_code_first(plain().with_a_recovery_code(0))]
#[bench::recovery_code_last(plain().with_a_recovery_code(9))]
fn sign_in_with(user: User) -> User {
    assert!(matches!(user.sign_in_with(), Ok(SignedIn::Proven(_))));
    user
}

#[library_benchmark]
#[bench::plain(plain())]
#[bench::sealed(sealed())]
fn sign_in_with_async(user: User) -> User {
    assert!(matches!(user.sign_in_with_async(), Ok(SignedIn::Proven(_))));
    user
}

#[library_benchmark]
#[bench::plain(plain().with_a_wrong_code())]
#[bench::sealed(sealed().with_a_wrong_code())]
fn refused_guess(user: User) -> User {
    assert!(user.sign_in_with().is_err());
    user
}

#[library_benchmark]
#[bench::plain(plain())]
#[bench::sealed(sealed())]
fn session_issued(user: User) -> User {
    assert!(matches!(
        user.sign_in(),
        Ok(Challenge::SoftwareToken { .. })
    ));
    user
}

fn asked(user: User) -> (User, ChallengeSession) {
    let session = user.session();
    (user, session)
}

#[library_benchmark]
#[bench::plain(asked(plain()))]
fn session_opened((user, session): (User, ChallengeSession)) -> (User, ChallengeSession) {
    assert!(user.opens(session.expose()));
    (user, session)
}

#[library_benchmark]
#[bench::plain(asked(plain()))]
fn respond((user, session): (User, ChallengeSession)) -> (User, ChallengeSession) {
    assert!(user.respond(&session).is_ok());
    (user, session)
}

fn logged_in(user: User) -> (User, Grant) {
    let grant = user.grant();
    (user, grant)
}

#[library_benchmark]
#[bench::one_token(logged_in(plain()))]
#[bench::five_tokens(logged_in(User::new(AtRest::Plain, 5)))]
fn step_up((user, grant): (User, Grant)) -> (User, Grant) {
    assert!(user.step_up(&grant).is_ok());
    (user, grant)
}

fn remembered(user: User) -> (User, BrowserToken) {
    let token = user.remembered();
    (user, token)
}

#[library_benchmark]
#[bench::plain(remembered(plain()))]
fn remembered_browser((user, token): (User, BrowserToken)) -> (User, BrowserToken) {
    assert!(user.is_remembered(&token));
    (user, token)
}

#[library_benchmark]
#[bench::one_token(plain().record())]
#[bench::five_tokens(User::new(AtRest::Plain, 5).record())]
fn record_encoded(record: Record) -> (Record, usize) {
    let length = black_box(encode(&record)).len();
    (record, length)
}

#[library_benchmark]
#[bench::one_token(plain().row())]
#[bench::five_tokens(User::new(AtRest::Plain, 5).row())]
fn record_decoded(row: Vec<u8>) -> (Vec<u8>, Record) {
    let record = decode(black_box(&row));
    (row, record)
}

library_benchmark_group!(
    name = cases;
    benchmarks =
        verifier, verifier_pair, sign_in_with, sign_in_with_async, refused_guess, session_issued,
        session_opened, respond, step_up, remembered_browser, record_encoded, record_decoded
);

main!(
    config = LibraryBenchmarkConfig::default()
        .env("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX2,-AVX512F,-AVX512VL,-ERMS,-FSRM")
        .tool(Callgrind::with_args(["--cache-sim=no"]));
    library_benchmark_groups = cases
);
