//! Around the file what stands around it in the crate.

use softtoken::store::{BlockingStore, Snapshot, Store, Swap, Write};

#[path = "../../../src/store/memory.rs"]
mod memory;

pub use memory::MemoryStore;
