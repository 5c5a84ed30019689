//! Asks valgrind, by its client requests.
//!
//! A request is a sequence of instructions that does nothing on a processor, and that valgrind
//! looks for: the addresses of the numbers asked with in `rax`, the answer in `rdx`.
#![expect(
    unsafe_code,
    reason = "the requests are instructions, and speak of addresses"
)]

#[cfg(not(target_arch = "x86_64"))]
compile_error!("valgrind's requests are written for x86-64");

use core::arch::asm;
use core::ffi::c_void;
use core::ptr::from_ref;

/// The numbers of valgrind's own requests, of memcheck's and of callgrind's.
const RUNNING_ON_VALGRIND: u64 = 0x1001;
const COUNT_ERRORS: u64 = 0x1201;
const MAKE_MEM_UNDEFINED: u64 = tool(*b"MC") + 1;
const MAKE_MEM_DEFINED: u64 = tool(*b"MC") + 2;
const GET_VBITS: u64 = tool(*b"MC") + 8;
const SET_VBITS: u64 = tool(*b"MC") + 9;
const TOGGLE_COLLECT: u64 = tool(*b"CT") + 2;

const fn tool(name: [u8; 2]) -> u64 {
    (name[0] as u64) << 24 | (name[1] as u64) << 16
}

fn request(number: u64, operands: [u64; 5]) -> u64 {
    let mut asked = [number; 6];
    asked[1..].copy_from_slice(&operands);
    let mut answer = 0_u64;
    // SAFETY: the rotations make 128 bits, which leave `rdi` as it was, and the exchange is of a
    // register with itself.
    unsafe {
        asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") asked.as_ptr(),
            inout("rdx") answer,
        );
    }
    answer
}

fn about<T: ?Sized>(value: &T) -> (u64, u64) {
    let address = from_ref(value).cast::<c_void>().expose_provenance();
    (address as u64, size_of_val(value) as u64)
}

/// Returns whether the process runs under valgrind.
#[must_use]
pub fn is_there() -> bool {
    request(RUNNING_ON_VALGRIND, [0; 5]) != 0
}

/// Counts what memcheck has reported so far.
#[must_use]
pub fn errors() -> u64 {
    request(COUNT_ERRORS, [0; 5])
}

/// Makes a value a secret: memcheck reports whatever branches on it, and whatever address is made
/// of it.
pub fn hide<T: ?Sized>(value: &T) {
    let (address, length) = about(value);
    request(MAKE_MEM_UNDEFINED, [address, length, 0, 0, 0]);
}

/// Makes a value none any more.
pub fn show<T>(value: T) -> T {
    shown(&value);
    value
}

/// Makes bytes none any more where they lie.
pub fn shown<T: ?Sized>(value: &T) {
    let (address, length) = about(value);
    request(MAKE_MEM_DEFINED, [address, length, 0, 0, 0]);
}

/// Makes a secret of those bits of each byte that are set in `bits`.
pub fn hide_bits(bytes: &[u8], bits: u8) {
    let (address, length) = about(bytes);
    let bits = vec![bits; bytes.len()];
    let (bits, _) = about(bits.as_slice());
    request(SET_VBITS, [address, bits, length, 0, 0]);
}

/// Returns whether any bit of a value is a secret.
#[must_use]
pub fn is_hidden<T: ?Sized>(value: &T) -> bool {
    let mut bits = vec![0_u8; size_of_val(value)];
    let (address, length) = about(value);
    let (into, _) = about(bits.as_mut_slice());
    request(GET_VBITS, [address, into, length, 0, 0]);
    bits.iter().any(|byte| *byte != 0)
}

/// Runs `judge` with callgrind counting its instructions.
pub fn count<T>(judge: impl FnOnce() -> T) -> T {
    request(TOGGLE_COLLECT, [0; 5]);
    let answer = judge();
    request(TOGGLE_COLLECT, [0; 5]);
    answer
}
