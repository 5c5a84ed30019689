//! Scans the memory of another process.

use core::fmt;
use core::hash::BuildHasher;
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;

use crate::pieces::MASK;

/// Where in its memory a process has something.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Region {
    /// What it has allocated, or mapped.
    Heap,
    /// The stack of its first thread.
    Stack,
    /// The variables of the program and its libraries.
    Data,
}

impl fmt::Display for Region {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Heap => "the heap",
            Self::Stack => "the stack",
            Self::Data => "the data",
        })
    }
}

/// How many pieces of which secret are where.
pub type Left = BTreeMap<(usize, Region), usize>;

/// Looks for these pieces, masked, in all memory that the process can write to. Returns also how
/// many bytes that was.
///
/// # Errors
///
/// Where the memory of the process cannot be read.
pub fn scan(
    process: u32,
    sought: &HashMap<u64, usize, impl BuildHasher>,
) -> io::Result<(Left, usize)> {
    let memory = File::open(format!("/proc/{process}/mem"))?;
    let (mut left, mut scanned) = (Left::new(), 0);
    // Most bytes end no piece: that is told by two of them.
    let mut may_end = vec![false; 1 << 16];
    for piece in sought.keys() {
        may_end[lowest(piece ^ MASK)] = true;
    }
    for line in fs::read_to_string(format!("/proc/{process}/maps"))?.lines() {
        let mut columns = line.split_whitespace();
        let (Some(range), Some(rights)) = (columns.next(), columns.next()) else {
            continue;
        };
        if !rights.starts_with("rw") {
            continue;
        }
        let region = match columns.nth(3) {
            Some("[stack]") => Region::Stack,
            None | Some("[heap]") => Region::Heap,
            Some(_) => Region::Data,
        };
        let range = range.split_once('-').and_then(|(from, to)| {
            let from = u64::from_str_radix(from, 16).ok()?;
            Some((from, u64::from_str_radix(to, 16).ok()?))
        });
        let (from, to) = range.ok_or(io::ErrorKind::InvalidData)?;
        let length = usize::try_from(to - from).map_err(|_| io::ErrorKind::InvalidData)?;
        let mut bytes = vec![0; length];
        memory.read_exact_at(&mut bytes, from)?;
        scanned += length;
        let mut piece = 0_u64;
        for byte in bytes {
            piece = piece << 8 | u64::from(byte);
            if may_end[lowest(piece)]
                && let Some(secret) = sought.get(&(piece ^ MASK))
            {
                *left.entry((*secret, region)).or_default() += 1;
            }
        }
    }
    Ok((left, scanned))
}

fn lowest(piece: u64) -> usize {
    let [.., high, low] = piece.to_be_bytes();
    usize::from(u16::from_be_bytes([high, low]))
}
