//! The HMAC of a counter, under a key that is hashed once.
//!
//! [RFC 2104 section 4](https://www.rfc-editor.org/rfc/rfc2104#section-4): the states after the key's two blocks are kept,
//! so a MAC costs two compressions. A counter and a digest each fit one block with their padding.

use alloc::boxed::Box;
use core::slice::from_ref;

use zeroize::Zeroize;

use super::{Algorithm, Secret};
use crate::time::Step;

/// The part of a MAC that truncation looks at: its first five words of 32 bits, and its last.
pub(super) struct Mac {
    pub(super) head: [u32; 5],
    pub(super) last: u32,
}

/// A key that has been hashed. Boxed, so that moving it leaves no copy behind.
#[derive(Clone)]
pub(super) struct Key(Box<Midstates>);

#[derive(Clone)]
enum Midstates {
    Sha1(Pair<Sha1>),
    Sha256(Pair<Sha256>),
    Sha512(Pair<Sha512>),
}

impl Key {
    pub(super) fn new(secret: &Secret, algorithm: Algorithm) -> Self {
        let mut key = Box::new(match algorithm {
            Algorithm::Sha1 => Midstates::Sha1(Pair::UNKEYED),
            Algorithm::Sha256 => Midstates::Sha256(Pair::UNKEYED),
            Algorithm::Sha512 => Midstates::Sha512(Pair::UNKEYED),
        });
        match &mut *key {
            Midstates::Sha1(pair) => pair.absorb(secret),
            Midstates::Sha256(pair) => pair.absorb(secret),
            Midstates::Sha512(pair) => pair.absorb(secret),
        }
        Self(key)
    }

    /// Hands the MAC of every step to `judge`, in the order of `steps`.
    pub(super) fn for_each(
        &self,
        steps: impl Iterator<Item = Step>,
        judge: impl FnMut(Step, &Mac),
    ) {
        match &*self.0 {
            Midstates::Sha1(pair) => pair.for_each(steps, judge),
            Midstates::Sha256(pair) => pair.for_each(steps, judge),
            Midstates::Sha512(pair) => pair.for_each(steps, judge),
        }
    }
}

/// The chaining value of a hash of [FIPS 180-4](https://doi.org/10.6028/NIST.FIPS.180-4).
trait Hash: Copy + Zeroize {
    type Block: AsMut<[u8]>;

    /// Section 5.3.
    const INITIAL: Self;
    /// Zeros.
    const BLANK: Self::Block;
    /// A block for a counter, padded.
    const COUNTER: Self::Block;
    /// A block for a digest, padded.
    const DIGEST: Self::Block;

    fn compress(&mut self, block: &Self::Block);
    /// Writes the digest to the head of a block.
    fn write(&self, block: &mut Self::Block);
    fn mac(&self) -> Mac;
}

#[derive(Clone)]
struct Pair<H: Hash> {
    inner: H,
    outer: H,
}

impl<H: Hash> Pair<H> {
    const UNKEYED: Self = Self {
        inner: H::INITIAL,
        outer: H::INITIAL,
    };

    fn absorb(&mut self, secret: &Secret) {
        let key = secret.expose();
        // No secret is longer than a block.
        let mut block = H::BLANK;
        block.as_mut()[..key.len()].copy_from_slice(key);
        for byte in block.as_mut() {
            *byte ^= 0x36;
        }
        self.inner.compress(&block);
        for byte in block.as_mut() {
            *byte ^= 0x36 ^ 0x5c;
        }
        self.outer.compress(&block);
        block.as_mut()[..key.len()].zeroize();
    }

    /// Three steps at a time, in stages: the instructions of one compression wait for one another, and a processor has
    /// room for those of the next meanwhile, unless that waits for a block that is still being written.
    #[inline]
    fn for_each(&self, mut steps: impl Iterator<Item = Step>, mut judge: impl FnMut(Step, &Mac)) {
        let mut lanes = [Lane::<H>::PADDED; 3];
        loop {
            let mut taken = 0;
            for (lane, step) in lanes.iter_mut().zip(&mut steps) {
                lane.set(step);
                taken += 1;
            }
            if taken == 0 {
                break;
            }
            for lane in lanes.iter_mut().take(taken) {
                lane.begin(&self.inner);
            }
            for lane in lanes.iter_mut().take(taken) {
                lane.finish(&self.outer);
            }
            for lane in lanes.iter().take(taken) {
                judge(lane.step, &lane.state.mac());
            }
        }
    }
}

impl<H: Hash> Drop for Pair<H> {
    fn drop(&mut self) {
        self.inner.zeroize();
        self.outer.zeroize();
    }
}

/// One MAC in the making. The two blocks that follow the key's are padded once; a step writes only its counter and the
/// inner digest.
struct Lane<H: Hash> {
    step: Step,
    counter: H::Block,
    digest: H::Block,
    state: H,
}

impl<H: Hash> Lane<H> {
    const PADDED: Self = Self {
        step: Step::new(0),
        counter: H::COUNTER,
        digest: H::DIGEST,
        state: H::INITIAL,
    };

    #[inline]
    fn set(&mut self, step: Step) {
        self.step = step;
        self.counter.as_mut()[..size_of::<u64>()].copy_from_slice(&step.get().to_be_bytes());
    }

    #[inline]
    fn begin(&mut self, inner: &H) {
        self.state = *inner;
        self.state.compress(&self.counter);
        self.state.write(&mut self.digest);
    }

    #[inline]
    fn finish(&mut self, outer: &H) {
        self.state = *outer;
        self.state.compress(&self.digest);
    }
}

impl<H: Hash> Drop for Lane<H> {
    fn drop(&mut self) {
        self.digest.as_mut()[..size_of::<H>()].zeroize();
        self.state.zeroize();
    }
}

type Sha1 = [u32; 5];

impl Hash for Sha1 {
    type Block = [u8; 64];

    const INITIAL: Self = [
        0x6745_2301,
        0xefcd_ab89,
        0x98ba_dcfe,
        0x1032_5476,
        0xc3d2_e1f0,
    ];
    const BLANK: [u8; 64] = [0; 64];
    const COUNTER: [u8; 64] = padded(8);
    const DIGEST: [u8; 64] = padded(20);

    #[inline]
    fn compress(&mut self, block: &[u8; 64]) {
        sha1::block_api::compress(self, from_ref(block));
    }

    #[inline]
    fn write(&self, block: &mut [u8; 64]) {
        for (bytes, word) in block.as_chunks_mut().0.iter_mut().zip(self) {
            *bytes = word.to_be_bytes();
        }
    }

    #[inline]
    fn mac(&self) -> Mac {
        Mac {
            head: *self,
            last: self[4],
        }
    }
}

type Sha256 = [u32; 8];

impl Hash for Sha256 {
    type Block = [u8; 64];

    const INITIAL: Self = [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ];
    const BLANK: [u8; 64] = [0; 64];
    const COUNTER: [u8; 64] = padded(8);
    const DIGEST: [u8; 64] = padded(32);

    #[inline]
    fn compress(&mut self, block: &[u8; 64]) {
        sha2::block_api::compress256(self, from_ref(block));
    }

    #[inline]
    fn write(&self, block: &mut [u8; 64]) {
        for (bytes, word) in block.as_chunks_mut().0.iter_mut().zip(self) {
            *bytes = word.to_be_bytes();
        }
    }

    #[inline]
    fn mac(&self) -> Mac {
        let [w0, w1, w2, w3, w4, .., last] = *self;
        Mac {
            head: [w0, w1, w2, w3, w4],
            last,
        }
    }
}

type Sha512 = [u64; 8];

impl Hash for Sha512 {
    type Block = [u8; 128];

    const INITIAL: Self = [
        0x6a09_e667_f3bc_c908,
        0xbb67_ae85_84ca_a73b,
        0x3c6e_f372_fe94_f82b,
        0xa54f_f53a_5f1d_36f1,
        0x510e_527f_ade6_82d1,
        0x9b05_688c_2b3e_6c1f,
        0x1f83_d9ab_fb41_bd6b,
        0x5be0_cd19_137e_2179,
    ];
    const BLANK: [u8; 128] = [0; 128];
    const COUNTER: [u8; 128] = padded(8);
    const DIGEST: [u8; 128] = padded(64);

    #[inline]
    fn compress(&mut self, block: &[u8; 128]) {
        sha2::block_api::compress512(self, from_ref(block));
    }

    #[inline]
    fn write(&self, block: &mut [u8; 128]) {
        for (bytes, word) in block.as_chunks_mut().0.iter_mut().zip(self) {
            *bytes = word.to_be_bytes();
        }
    }

    #[inline]
    fn mac(&self) -> Mac {
        let [w0, w1, w2, .., last] = *self;
        Mac {
            head: [high(w0), low(w0), high(w1), low(w1), high(w2)],
            last: low(last),
        }
    }
}

pub(super) const fn high(word: u64) -> u32 {
    (word >> 32) as u32
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half")]
pub(super) const fn low(word: u64) -> u32 {
    word as u32
}

/// A message of `length` bytes after a block of the key, padded: FIPS 180-4 section 5.1.
const fn padded<const BLOCK: usize>(length: usize) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    block[length] = 0x80;
    let [.., high, low] = (8 * (BLOCK + length)).to_be_bytes();
    block[BLOCK - 2] = high;
    block[BLOCK - 1] = low;
    block
}
