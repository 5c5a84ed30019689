//! Looks a subject up by a hash that has been computed before.

use alloc::boxed::Box;
use core::borrow::Borrow;
use core::hash::{BuildHasherDefault, Hash, Hasher};

/// Holds what a map finds a row by: the subject, and the hash of the subject.
#[derive(PartialEq, Eq)]
pub(super) struct Key {
    hash: u64,
    subject: Box<str>,
}

impl Key {
    pub(super) fn new(hash: u64, subject: &str) -> Self {
        let subject = subject.into();
        Self { hash, subject }
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// Is what a [`Key`] and a subject that nobody owns have in common.
pub(super) trait Sought {
    fn parts(&self) -> (u64, &str);
}

impl Sought for Key {
    fn parts(&self) -> (u64, &str) {
        (self.hash, &self.subject)
    }
}

impl Sought for (u64, &str) {
    fn parts(&self) -> (u64, &str) {
        *self
    }
}

impl<'a> Borrow<dyn Sought + 'a> for Key {
    fn borrow(&self) -> &(dyn Sought + 'a) {
        self
    }
}

impl PartialEq for dyn Sought + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for dyn Sought + '_ {}

impl Hash for dyn Sought + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.parts().0);
    }
}

/// Takes the hash of a [`Key`] as it is.
pub(super) type AsItIs = BuildHasherDefault<Taken>;

#[derive(Default)]
pub(super) struct Taken(u64);

impl Hasher for Taken {
    fn write(&mut self, bytes: &[u8]) {
        debug_assert!(bytes.is_empty(), "a key is hashed as one number");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::{AsItIs, Key, Sought};

    #[test]
    fn subjects_whose_hashes_collide_are_told_apart() {
        let mut map: HashMap<Key, u8, AsItIs> = HashMap::default();
        map.insert(Key::new(7, "alice"), 1);
        map.insert(Key::new(7, "bob"), 2);
        let sought = |hash: u64, subject| map.get(&(hash, subject) as &dyn Sought).copied();
        assert_eq!(sought(7, "alice"), Some(1));
        assert_eq!(sought(7, "bob"), Some(2));
        assert_eq!(sought(7, "carol"), None);
        assert_eq!(sought(8, "alice"), None);
    }
}
