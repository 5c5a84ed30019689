//! The AWS SDK for Rust, as it comes, against the server in this process, with a clock that the
//! test sets and a store that the test breaks.

mod exceptions;
mod phone;
mod time;
mod trouble;
mod walks;
mod world;
