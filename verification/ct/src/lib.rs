//! What the checks of constant time share: valgrind's requests, and a world in which a secret is
//! one that valgrind watches.

pub mod arena;
pub mod counted;
pub mod twins;
pub mod valgrind;
pub mod watched;
pub mod world;
