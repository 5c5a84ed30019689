//! Holds the crate to NIST SP 800-63B-4 and OWASP ASVS 5.0, clause by clause.
//!
#![doc = include_str!("../../docs/STANDARDS.md")]
