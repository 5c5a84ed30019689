//! Holds keys with ids: the current one makes, all of them open.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::{fmt, mem};

use zeroize::Zeroizing;

use crate::entropy::{Entropy, NoEntropy};

/// Holds 32 bytes under an id.
pub(crate) struct Key {
    id: u32,
    // Boxed: a list that grows, shrinks or is reordered would leave copies behind.
    bytes: Box<Zeroizing<[u8; 32]>>,
}

impl Key {
    /// Makes a key to be filled where it lies: moved there, it would leave a copy on the stack.
    fn blank(id: u32) -> Self {
        Self {
            id,
            bytes: Box::new(Zeroizing::new([0; 32])),
        }
    }

    fn new(id: u32, bytes: &[u8; 32]) -> Self {
        let mut key = Self::blank(id);
        key.bytes.copy_from_slice(bytes);
        key
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.bytes
    }
}

impl Clone for Key {
    fn clone(&self) -> Self {
        Self::new(self.id, &self.bytes)
    }
}

/// Holds keys: the current key makes, and what comes back names the key that made it.
#[derive(Clone)]
pub(crate) struct Keys {
    current: Key,
    others: Vec<Key>,
}

impl Keys {
    pub(crate) fn generate(id: u32, entropy: &dyn Entropy) -> Result<Self, NoEntropy> {
        let mut current = Key::blank(id);
        entropy.fill(&mut **current.bytes)?;
        Ok(Self::of(current))
    }

    pub(crate) fn from_bytes(id: u32, bytes: &[u8; 32]) -> Self {
        Self::of(Key::new(id, bytes))
    }

    fn of(current: Key) -> Self {
        Self {
            current,
            others: Vec::new(),
        }
    }

    /// Returns the key that makes.
    pub(crate) fn current(&self) -> &Key {
        &self.current
    }

    /// Returns the key that opens what was made under this id.
    pub(crate) fn find(&self, id: u32) -> Option<&Key> {
        self.iter().find(|key| key.id == id)
    }

    /// Makes with this key from now on; those before it go on opening. A key that had this id is
    /// forgotten.
    pub(crate) fn rotate(&mut self, id: u32, bytes: &[u8; 32]) {
        let before = mem::replace(&mut self.current, Key::new(id, bytes));
        self.others.insert(0, before);
        self.retire(id);
    }

    /// Opens with this key as well from now on. A key that had this id is forgotten, unless it is
    /// the current one.
    pub(crate) fn also_open(&mut self, id: u32, bytes: &[u8; 32]) {
        self.retire(id);
        self.others.push(Key::new(id, bytes));
    }

    /// Forgets the key with this id, unless it is the current one.
    pub(crate) fn retire(&mut self, id: u32) {
        self.others.retain(|key| key.id != id);
    }

    fn iter(&self) -> impl Iterator<Item = &Key> {
        core::iter::once(&self.current).chain(&self.others)
    }
}

/// Prints ids only, the current one first.
impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = self.iter().map(Key::id);
        formatter.debug_list().entries(ids).finish()
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::{Key, Keys};

    fn opens(keys: &Keys, id: u32) -> Option<u8> {
        keys.find(id).map(|key| key.expose()[0])
    }

    #[test]
    fn the_current_key_makes_and_every_key_opens_until_it_is_retired() {
        let mut keys = Keys::from_bytes(1, &[1; 32]);
        keys.also_open(2, &[2; 32]);
        assert_eq!(keys.current().id(), 1);
        keys.rotate(2, &[3; 32]);
        assert_eq!((keys.current().id(), opens(&keys, 2)), (2, Some(3)));
        assert_eq!(opens(&keys, 1), Some(1));
        keys.rotate(4, &[4; 32]);
        assert_eq!(format!("{keys:?}"), "[4, 2, 1]");
        keys.retire(1);
        assert_eq!(opens(&keys, 1), None);
        assert_eq!(format!("{keys:?}"), "[4, 2]");
    }

    #[test]
    fn the_current_key_is_neither_retired_nor_replaced_by_one_that_opens() {
        let mut keys = Keys::from_bytes(1, &[1; 32]);
        keys.retire(1);
        keys.also_open(1, &[2; 32]);
        assert_eq!(keys.current().expose(), &[1; 32]);
        assert_eq!(opens(&keys, 1), Some(1));
        keys.rotate(1, &[3; 32]);
        assert_eq!(opens(&keys, 1), Some(3));
        assert_eq!(keys.find(1).map(Key::id), Some(1));
        assert_eq!(format!("{keys:?}"), "[1]");
    }
}
