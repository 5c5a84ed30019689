//! Gives memory in a number of instructions that hangs on its size alone, and where a copy into it
//! takes as many as a copy into any other.
//!
//! The system's allocator looks at what was given and taken back before, and copies of bytes take
//! more or fewer instructions by where they begin in a line of the processor's cache.
#![expect(unsafe_code, reason = "an allocator is unsafe by its trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Holds more than any case asks for.
const SIZE: usize = 64 << 20;
/// Every part begins a line.
const LINE: usize = 64;

#[repr(align(4096))]
struct Memory(UnsafeCell<[u8; SIZE]>);

// SAFETY: no part of the memory is given twice, and no reference to the whole is made.
unsafe impl Sync for Memory {}

static MEMORY: Memory = Memory(UnsafeCell::new([0; SIZE]));

/// Says where the part that was not given begins.
static GIVEN: AtomicUsize = AtomicUsize::new(0);

static IS_ON: AtomicBool = AtomicBool::new(false);

/// Gives memory from the system, and once the arena is on, from the arena, which takes none back.
#[derive(Debug)]
pub struct Arena;

impl Arena {
    /// Turns the arena on, for all that is asked for from now on.
    pub fn turn_on() {
        IS_ON.store(true, Ordering::Relaxed);
    }
}

// SAFETY: a part is aligned as asked, lies within the memory, and is not given again.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !IS_ON.load(Ordering::Relaxed) {
            // SAFETY: as the caller owes it.
            return unsafe { System.alloc(layout) };
        }
        let size = layout.size().next_multiple_of(LINE);
        let start = GIVEN.fetch_add(size, Ordering::Relaxed);
        assert!(
            layout.align() <= LINE && start + size <= SIZE,
            "the arena is full"
        );
        // SAFETY: `start` lies within the memory, by the line above.
        unsafe { MEMORY.0.get().cast::<u8>().add(start) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let memory = MEMORY.0.get().cast::<u8>().addr();
        if !(memory..memory + SIZE).contains(&block.addr()) {
            // SAFETY: what is not of the arena is of the system.
            unsafe { System.dealloc(block, layout) };
        }
    }
}
