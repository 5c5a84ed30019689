//! Every claim, through the public API: one module a claim, one binary for all of them, so that a
//! change is linked once.
#![cfg(all(feature = "std", feature = "getrandom"))]

extern crate alloc;

mod crowd;
mod world;

mod attacks;
mod authority;
#[cfg(feature = "cognito")]
mod cognito;
mod events;
mod formats;
mod guessing;
mod handlers;
mod import;
mod lifecycle;
mod memory_store;
mod names;
#[cfg(feature = "conformance")]
mod own_transaction;
mod races;
mod randomness;
mod recovery;
mod requests;
mod rfc_vectors;
mod rows;
#[cfg(feature = "qr")]
mod scanned;
#[cfg(feature = "seal")]
mod sealing;
mod shown;
mod sign_in;
#[cfg(feature = "conformance")]
mod store_conformance;
mod tokens;
mod unreadable;
mod views;
