//! Computes SHA-1, SHA-256 and SHA-512, block by block, as [FIPS
//! 180-4](https://doi.org/10.6028/NIST.FIPS.180-4) has them.

use core::slice::from_ref;

use zeroize::Zeroize;

/// Computes a hash, as its chaining value.
pub(super) trait Hash: Copy + Zeroize {
    type Block: AsMut<[u8]>;

    /// Section 5.3.
    const INITIAL: Self;
    /// Zeros.
    const BLANK: Self::Block;
    /// Holds a block for a counter, padded.
    const COUNTER: Self::Block;
    /// Holds a block for a digest, padded.
    const DIGEST: Self::Block;

    fn compress(&mut self, block: &Self::Block);
    /// Writes the digest to the head of a block.
    fn write(&self, block: &mut Self::Block);
    fn mac(&self) -> Mac;
}

/// Holds the part of a MAC that truncation looks at: its first five words of 32 bits, and its last.
pub(super) struct Mac {
    pub(super) head: [u32; 5],
    pub(super) last: u32,
}

pub(super) type Sha1 = [u32; 5];

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

pub(super) type Sha256 = [u32; 8];

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

pub(super) type Sha512 = [u64; 8];

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

/// Returns a message of `length` bytes after a block of the key, padded: FIPS 180-4 section 5.1.
const fn padded<const BLOCK: usize>(length: usize) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    block[length] = 0x80;
    let [.., high, low] = (8 * (BLOCK + length)).to_be_bytes();
    block[BLOCK - 2] = high;
    block[BLOCK - 1] = low;
    block
}
