//! Cuts secrets into pieces to look for.

/// How many bytes a piece has: few enough to find a part of a secret, and enough to find nothing
/// else.
pub const PIECE: usize = 8;
/// How many pieces there is room for.
pub const TABLE: usize = 1 << 16;
/// What a piece is kept under, so that the table is not found for the secret.
pub const MASK: u64 = 0x9d3c_71ab_5e02_f864;

/// How many bytes a number has, which is a piece of its own.
pub const NUMBER: usize = 4;

/// Returns the piece of a number, masked. It is none that eight bytes in memory are.
#[must_use]
pub fn number(bytes: [u8; NUMBER]) -> u64 {
    0xa5c3_96f0_u64 << 32 | u64::from(u32::from_ne_bytes(bytes) ^ 0x5e02_f864)
}

/// Returns where to begin to look for a piece.
#[must_use]
pub fn slot(masked: u64) -> usize {
    let mixed = masked.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
    usize::from(u16::try_from(mixed).unwrap_or_default())
}

/// Returns the pieces of a secret, each begun with every of its bytes, masked. Those that say
/// little are left out: they are in any memory.
pub fn pieces(secret: &[u8]) -> impl Iterator<Item = u64> {
    let whole = secret.try_into().map(number);
    let windows = secret.windows(PIECE).filter_map(|piece| {
        let mut sorted = piece.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let piece = piece.try_into().map(u64::from_be_bytes);
        piece
            .ok()
            .filter(|_| sorted.len() > 3)
            .map(|piece| piece ^ MASK)
    });
    whole.into_iter().chain(windows)
}
