//! Enrols a user and signs in, in an etcd cluster:
//!
//! ```text
//! cargo run -p softtoken-etcd http://127.0.0.1:2379 [..]
//! ```
//!
//! It asks for nothing: the authenticator app is part of it. Each run enrols another user.

use core::error::Error;
use std::process::ExitCode;
use std::{env, process};

use softtoken::record::Keyring;
use softtoken::totp::Verifier;
use softtoken::{
    BlockingStore as _, Challenge, Context, Grant, Mfa, OsEntropy, Policy, SessionKeys,
};
use softtoken_etcd::EtcdStore;

const NO_SERVER: &str =
    "Name the cluster's endpoints as arguments, or in ETCD_ENDPOINTS with commas between them:
    cargo run -p softtoken-etcd http://127.0.0.1:2379
A cluster of one to try it with, from the package etcd-server:
    etcd --data-dir /tmp/softtoken-etcd";

fn main() -> ExitCode {
    match enrol_and_sign_in() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn enrol_and_sign_in() -> Result<(), Box<dyn Error>> {
    let mut endpoints: Vec<_> = env::args().skip(1).collect();
    if endpoints.is_empty() {
        let listed = env::var("ETCD_ENDPOINTS").map_err(|_unset| NO_SERVER)?;
        endpoints = listed.split(',').map(ToOwned::to_owned).collect();
    }
    let store = EtcdStore::new(endpoints.clone())?;
    if let Err(error) = store.load_blocking("") {
        let cause = error.source().map(ToString::to_string).unwrap_or_default();
        return Err(format!("{error}: {cause}\n\n{NO_SERVER}").into());
    }
    // Yours outlive the process, and come from where its other secrets do.
    let mfa = Mfa::system(Policy::STANDARD)
        .with_sessions(SessionKeys::generate(1, &OsEntropy)?, Context::new("web")?)
        .sealed(Keyring::generate(1, &OsEntropy)?)
        .seal_label("example/softtoken");

    let now = mfa.now()?;
    let user = format!("user-{}-{}", now.as_secs(), process::id());
    let grant = Grant::first_factor(&user, now).with_id("the access token's jti");
    let associate = mfa.associate(&grant).named("phone");
    let issued = associate.run_blocking(&store, &user)?;
    let app = Verifier::new(issued.secret(), issued.totp());
    let step = issued.totp().step(now);
    let verify = mfa.verify(&grant, app.code(step));
    let enrolled = verify.run_blocking(&store, &user)?;
    println!("enrolled           {}", enrolled.evidence().subject());

    let sign_in = mfa.sign_in();
    let Challenge::SoftwareToken { session, .. } = sign_in.run_blocking(&store, &user)? else {
        return Err("a verified token is asked for".into());
    };
    // That of the step is spent; so the app's clock is a little ahead.
    let code = app.code(step.saturating_offset(1));
    let respond = mfa.respond(&session, code.clone());
    let evidence = respond.run_blocking(&store, &user)?;
    println!("signed in          amr {}", evidence.amr().join(" "));

    drop(store);
    let again = EtcdStore::new(endpoints)?;
    let replay = mfa.sign_in_with(Some(code.into()));
    match replay.run_blocking(&again, &user) {
        Ok(_evidence) => Err("a code was accepted twice".into()),
        Err(error) => {
            println!("connected again    the same code: {error}");
            Ok(())
        }
    }
}
