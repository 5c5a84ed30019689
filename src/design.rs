//! Explains the design: its layers, its rules by number, and the questions behind them.
//!
#![doc = include_str!("../docs/DESIGN.md")]
