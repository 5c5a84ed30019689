//! Every claim about the application, over HTTP, in this process.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod between;
mod flows;
mod gate;
mod mishaps;
mod world;
