//! Handles requests: a file for each thing that users do.

pub(crate) mod about;
pub(crate) mod account;
pub(crate) mod administration;
pub(crate) mod authenticators;
pub(crate) mod clock;
pub(crate) mod password;
pub(crate) mod recovery_codes;
mod scan;
pub(crate) mod set_up;
pub(crate) mod sign_in;
pub(crate) mod sign_up;
pub(crate) mod step_up;
