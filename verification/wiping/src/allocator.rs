//! Looks at every block that is freed.
//!
//! The pieces that are looked for stand in a table of their own, masked: neither the table nor the
//! way there holds a secret. A block that grows is one that is moved and freed.
#![expect(unsafe_code, reason = "an allocator, and a look at what it is given")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicU64, Ordering};

use crate::pieces::{MASK, NUMBER, PIECE, TABLE, number, slot};

/// The allocator of the process.
#[derive(Debug)]
pub struct Inspecting;

static PIECES: [AtomicU64; TABLE] = [const { AtomicU64::new(0) }; TABLE];
static SECRETS: [AtomicU16; TABLE] = [const { AtomicU16::new(0) }; TABLE];
static FOUND: [AtomicU32; 256] = [const { AtomicU32::new(0) }; 256];
static INSPECTED: AtomicU64 = AtomicU64::new(0);
static TRACES: AtomicBool = AtomicBool::new(false);

thread_local! {
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

/// Looks for this piece, masked, of the secret with this number, from now on.
pub fn look_for(masked: u64, secret: u16) {
    let mut at = slot(masked);
    while PIECES[at].load(Ordering::Relaxed) != 0 {
        at = (at + 1) % TABLE;
    }
    SECRETS[at].store(secret, Ordering::Relaxed);
    PIECES[at].store(masked, Ordering::Relaxed);
}

/// Prints where the block is freed, from now on.
pub fn trace() {
    TRACES.store(true, Ordering::Relaxed);
}

/// Counts the blocks that were looked at.
#[must_use]
pub fn inspected() -> u64 {
    INSPECTED.load(Ordering::Relaxed)
}

/// Takes the numbers of the secrets that were found, each with the number of its blocks.
#[must_use]
pub fn take_found() -> Vec<(u16, u32)> {
    let found = (0..).zip(&FOUND);
    let found = found.map(|(secret, count)| (secret, count.swap(0, Ordering::Relaxed)));
    found.filter(|(_, count)| *count > 0).collect()
}

fn secret_of(masked: u64) -> Option<u16> {
    let mut at = slot(masked);
    loop {
        match PIECES[at].load(Ordering::Relaxed) {
            0 => return None,
            piece if piece == masked => return Some(SECRETS[at].load(Ordering::Relaxed)),
            _ => at = (at + 1) % TABLE,
        }
    }
}

fn inspect(block: *const u8, length: usize) {
    INSPECTED.fetch_add(1, Ordering::Relaxed);
    let mut masked = 0_u64;
    let mut last = None;
    for at in 0..length {
        // SAFETY: the block is still the caller's, and as long as its layout says. Bytes that were
        // never written are any bytes: they are compared, and decide nothing else.
        let byte = unsafe { block.add(at).read_volatile() };
        masked = masked << 8 | u64::from(byte);
        let mut found = None;
        if at + 1 >= PIECE {
            found = secret_of(masked ^ MASK);
        }
        // A number lies where the processor reads it at once.
        if (at + 1) % NUMBER == 0 {
            let [.., a, b, c, d] = masked.to_be_bytes();
            found = found.or_else(|| secret_of(number([a, b, c, d])));
        }
        let Some(secret) = found.filter(|_| found != last) else {
            continue;
        };
        last = found;
        FOUND[usize::from(secret)].fetch_add(1, Ordering::Relaxed);
        if TRACES.load(Ordering::Relaxed) {
            eprintln!(
                "secret {secret} in {length} bytes, freed by\n{}",
                Backtrace::force_capture()
            );
        }
    }
}

// SAFETY: the system's allocator does what an allocator has to; what is freed is read before.
unsafe impl GlobalAlloc for Inspecting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if !BUSY.replace(true) {
            inspect(block, layout.size());
            BUSY.set(false);
        }
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.dealloc(block, layout) }
    }
}
