//! Gives memory in a number of instructions that hangs on its size and alignment alone.
//!
//! The system's allocator looks at what was given and taken back before: with another path to the
//! program, the same call took another number of instructions.
#![expect(unsafe_code, reason = "an allocator is unsafe by its trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Holds more than any case asks for.
const SIZE: usize = 64 << 20;

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
        // The size takes up the most that aligning the start can cost.
        let size = layout.size() + layout.align() - 1;
        let start = GIVEN
            .fetch_add(size, Ordering::Relaxed)
            .next_multiple_of(layout.align());
        assert!(
            layout.align() <= 4096 && start + layout.size() <= SIZE,
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
