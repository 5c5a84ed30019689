//! Computes the HMAC of a counter, under a key that is hashed once.
//!
//! [RFC 2104 section 4](https://www.rfc-editor.org/rfc/rfc2104#section-4): the states after the
//! key's two blocks are kept, so a MAC costs two compressions. A counter and a digest each fit one
//! block with their padding. The length of a key decides what is done to it, its bytes do not.

use alloc::boxed::Box;

use zeroize::Zeroize;

use super::hash::{Hash, Mac, Sha1, Sha256, Sha512};
use super::{Algorithm, Secret};
use crate::scrub;
use crate::time::Step;

/// Computes the MACs of steps under a key.
pub(super) trait Macs {
    /// Hands the MAC of every step to `judge`, in the order of `steps`.
    fn for_each(&self, steps: impl Iterator<Item = Step>, judge: impl FnMut(Step, &Mac));
}

/// Holds a key that has been hashed. Boxed, so that moving it leaves no copy behind.
#[derive(Clone)]
pub(super) enum Key {
    Sha1(Box<Pair<Sha1>>),
    Sha256(Box<Pair<Sha256>>),
    Sha512(Box<Pair<Sha512>>),
}

impl Key {
    pub(super) fn new(secret: &Secret, algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha1 => Self::Sha1(Pair::of(secret)),
            Algorithm::Sha256 => Self::Sha256(Pair::of(secret)),
            Algorithm::Sha512 => Self::Sha512(Pair::of(secret)),
        }
    }
}

impl Macs for Key {
    fn for_each(&self, steps: impl Iterator<Item = Step>, judge: impl FnMut(Step, &Mac)) {
        match self {
            Self::Sha1(pair) => pair.for_each(steps, judge),
            Self::Sha256(pair) => pair.for_each(steps, judge),
            Self::Sha512(pair) => pair.for_each(steps, judge),
        }
    }
}

/// Holds a key that is hashed anew each time, and wiped where it was.
pub(super) struct Unhashed<'a> {
    pub(super) secret: &'a Secret,
    pub(super) algorithm: Algorithm,
}

impl Macs for Unhashed<'_> {
    fn for_each(&self, steps: impl Iterator<Item = Step>, judge: impl FnMut(Step, &Mac)) {
        match self.algorithm {
            Algorithm::Sha1 => Pair::<Sha1>::for_each_under(self.secret, steps, judge),
            Algorithm::Sha256 => Pair::<Sha256>::for_each_under(self.secret, steps, judge),
            Algorithm::Sha512 => Pair::<Sha512>::for_each_under(self.secret, steps, judge),
        }
    }
}

#[derive(Clone)]
pub(super) struct Pair<H: Hash> {
    inner: H,
    outer: H,
}

impl<H: Hash> Pair<H> {
    const UNKEYED: Self = Self {
        inner: H::INITIAL,
        outer: H::INITIAL,
    };

    #[expect(
        clippy::unnecessary_box_returns,
        reason = "moved out of its box it would leave a copy behind"
    )]
    fn of(secret: &Secret) -> Box<Self> {
        let mut pair = Box::new(Self::UNKEYED);
        pair.absorb(secret);
        pair
    }

    /// Hashes the key where it stays until it is wiped.
    #[inline]
    fn for_each_under(
        secret: &Secret,
        steps: impl Iterator<Item = Step>,
        judge: impl FnMut(Step, &Mac),
    ) {
        let mut pair = Self::UNKEYED;
        pair.absorb(secret);
        pair.for_each(steps, judge);
    }

    fn absorb(&mut self, secret: &Secret) {
        let key = secret.expose();
        let mut block = H::BLANK;
        let filled = if let Some(head) = block.as_mut().get_mut(..key.len()) {
            head.copy_from_slice(key);
            key.len()
        } else {
            // Section 2: of a key that is longer than a block, its digest is the key.
            let mut digest = digest::<H>(key);
            digest.write(&mut block);
            digest.zeroize();
            scrub::stack();
            size_of::<H>()
        };
        for byte in block.as_mut() {
            *byte ^= 0x36;
        }
        self.inner.compress(&block);
        for byte in block.as_mut() {
            *byte ^= 0x36 ^ 0x5c;
        }
        self.outer.compress(&block);
        block.as_mut()[..filled].zeroize();
    }

    /// Computes three steps at a time, in stages: the instructions of one compression wait for one
    /// another, and a processor has room for those of the next meanwhile, unless that waits for a
    /// block that is still being written.
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

/// Computes the hash of a whole message, padded as FIPS 180-4 section 5.1 has it. Out of line,
/// since few keys are that long.
#[inline(never)]
fn digest<H: Hash>(message: &[u8]) -> H {
    let mut state = H::INITIAL;
    let mut block = H::BLANK;
    let size = block.as_mut().len();
    // `chunks_exact` divides.
    let mut rest = message;
    while let Some((whole, after)) = rest.split_at_checked(size) {
        block.as_mut().copy_from_slice(whole);
        state.compress(&block);
        rest = after;
    }
    block.as_mut().zeroize();
    block.as_mut()[..rest.len()].copy_from_slice(rest);
    block.as_mut()[rest.len()] = 0x80;
    // The last eighth of a block is for the length.
    if rest.len() >= size - size / 8 {
        state.compress(&block);
        block.as_mut().zeroize();
    }
    block.as_mut()[size - size_of::<u64>()..]
        .copy_from_slice(&(8 * message.len() as u64).to_be_bytes());
    state.compress(&block);
    block.as_mut().zeroize();
    state
}

/// Holds one MAC in the making. The two blocks that follow the key's are padded once; a step writes
/// only its counter and the inner digest. Aligned, since a state that lies across two cache lines
/// is slow to be read back.
#[repr(align(64))]
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

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use sha1::Digest as _;

    use super::*;

    /// Covers also what no secret is long enough for: those of SHA-512.
    #[test]
    fn a_message_of_every_length_up_to_three_blocks_has_the_digest_that_the_hash_crates_give() {
        fn written<H: Hash>(message: &[u8]) -> Vec<u8> {
            let mut block = H::BLANK;
            digest::<H>(message).write(&mut block);
            block.as_mut()[..size_of::<H>()].to_vec()
        }
        let bytes: Vec<u8> = (0..=u8::MAX)
            .cycle()
            .map(|byte| byte.wrapping_mul(89) ^ 0xa5)
            .take(3 * 128)
            .collect();
        for length in 0..=bytes.len() {
            let message = &bytes[..length];
            let ours = [
                written::<Sha1>(message),
                written::<Sha256>(message),
                written::<Sha512>(message),
            ];
            let theirs = [
                sha1::Sha1::digest(message).to_vec(),
                sha2::Sha256::digest(message).to_vec(),
                sha2::Sha512::digest(message).to_vec(),
            ];
            assert_eq!(ours, theirs, "{length}");
        }
    }
}
