//! Plays acts with secrets in them, and looks for the secrets where none may be.

pub mod acts;
pub mod allocator;
pub mod pieces;
pub mod scan;
pub mod stage;
