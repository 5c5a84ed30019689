//! What each fuzz target does with an input, as a function that panics where a promise is broken.
//!
//! `.ci/fuzz` runs all of them by libFuzzer, each for a while from `seeds/`, and first the target `planted`, which has
//! to be found out. `cargo test` here plays every seed once, without a fuzzer; `cargo test -- --ignored` writes the
//! seeds anew, after a change of what is read (`tests/seeds.rs` says what each of them is).
//!
//! The target `http` plays the server of examples/cognito whole, so its cryptography and its database are compiled too:
//! that takes minutes, once.
//!
//! No target has a sanitizer: the crate has no unsafe code. The instrumentation for coverage is stable Rust's, so a
//! fuzzer sees where it is, and a stable compiler will do.
#![forbid(unsafe_code)]

mod http;
mod operations;
mod protocol;
mod signed;
mod stored;
mod text;
mod world;

pub use http::http;
pub use operations::operations;
pub use protocol::{cognito_code, cognito_request, cognito_sessions};
pub use signed::{browser, browser_text, payload, session, session_texts};
pub use stored::{grant, record, sealed, sealed_row};
pub use text::{base32, code, factor, key_uri, recovery_code};

/// Panics on one input of eight bytes, which a fuzzer that is blind to coverage would have to guess.
#[cfg(feature = "planted")]
pub fn planted(data: &[u8]) {
    for (at, byte) in b"planted!".iter().enumerate() {
        if data.get(at) != Some(byte) {
            return;
        }
    }
    panic!("the planted fault");
}
