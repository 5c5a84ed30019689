//! A TOTP verifier in constant time.
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;

mod entropy;
mod time;
pub mod totp;

#[cfg(feature = "getrandom")]
pub use entropy::OsEntropy;
pub use entropy::{Entropy, NoEntropy};
#[cfg(feature = "std")]
pub use time::SystemClock;
pub use time::{Clock, Step, UnixTime};
