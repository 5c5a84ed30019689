//! Names for what is made.

use uuid::Uuid;

/// Lower-case letters and digits, 4 bits of randomness each, up to 64 of them.
pub(crate) fn random_id(length: usize) -> String {
    let mut id = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    id.truncate(length);
    id
}
