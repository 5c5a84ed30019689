//! The crate's `MemoryStore`, to the letter, on loom's locks.
//!
//! The file is `src/store/memory.rs` of the crate, compiled once more: here the name `std` means
//! this crate, whose `sync` has loom's mutex. So the crate itself needs no alias, no `cfg` and no
//! dependency for loom.
#![no_std]

extern crate alloc;
extern crate self as std;
extern crate std as real;

/// What the file names as `std::sync`.
pub mod sync {
    pub use loom::sync::{Mutex, MutexGuard};
    pub use real::sync::PoisonError;
}

/// What the file names as `std::collections`.
pub mod collections {
    pub use real::collections::{HashMap, hash_map};
}

/// What the file names as `std::hash`. Each order of the threads begins with the same choice of
/// locks.
pub mod hash {
    /// Hashes without a key.
    pub type RandomState = core::hash::BuildHasherDefault<real::hash::DefaultHasher>;
}

mod revision {
    pub(crate) use softtoken::Revision;
}

mod store;

pub use store::MemoryStore;
