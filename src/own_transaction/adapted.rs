//! Makes an async implementation a blocking one, by the caller's executor.

use alloc::boxed::Box;
use core::pin::Pin;

use super::{Answer, BlockingLogins, Login, Logins};
use crate::association::Operation;
use crate::error::Error;
use crate::mfa::Request;
use crate::store::conformance::dropped_after;
use crate::store::{BlockingStore, Snapshot, Swap, Write};

pub(super) struct Adapted<'b, L, B> {
    logins: L,
    block_on: &'b B,
}

impl<'b, L: Logins, B: Fn(Pin<Box<dyn Future<Output = ()> + Send + '_>>) + Sync> Adapted<'b, L, B> {
    pub(super) fn new(logins: L, block_on: &'b B) -> Self {
        Self { logins, block_on }
    }

    fn run<T: Send>(&self, future: impl Future<Output = T> + Send) -> T {
        let mut slot = None;
        (self.block_on)(Box::pin(async { slot = Some(future.await) }));
        slot.expect("block_on runs a future to its end")
    }
}

/// Is a blocking implementation whose clients may hang up.
pub(super) trait HangUp: BlockingLogins {
    /// Hangs up after so many polls. Returns what was answered, if it came to that.
    fn hang_up_after<O: Operation>(
        &self,
        polls: u32,
        subject: &str,
        request: Request<O>,
        login: &Login,
    ) -> Option<Answer<O::Output, Self::Error>>;
}

impl<L: Logins, B: Fn(Pin<Box<dyn Future<Output = ()> + Send + '_>>) + Sync> HangUp
    for Adapted<'_, L, B>
{
    fn hang_up_after<O: Operation>(
        &self,
        polls: u32,
        subject: &str,
        request: Request<O>,
        login: &Login,
    ) -> Option<Answer<O::Output, L::Error>> {
        self.run(dropped_after(
            polls,
            self.logins.log_in(subject, request, login),
        ))
    }
}

impl<L: Logins, B: Fn(Pin<Box<dyn Future<Output = ()> + Send + '_>>) + Sync> BlockingLogins
    for Adapted<'_, L, B>
{
    fn log_in_blocking<O: Operation>(
        &self,
        subject: &str,
        request: Request<O>,
        login: &Login,
    ) -> Result<Option<O::Output>, Error<L::Error>> {
        self.run(self.logins.log_in(subject, request, login))
    }

    fn has_row_blocking(&self, row: &str) -> Result<bool, L::Error> {
        self.run(self.logins.has_row(row))
    }
}

impl<L: Logins, B: Fn(Pin<Box<dyn Future<Output = ()> + Send + '_>>) + Sync> BlockingStore
    for Adapted<'_, L, B>
{
    type Error = L::Error;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, L::Error> {
        self.run(self.logins.load(subject))
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, L::Error> {
        self.run(self.logins.compare_and_swap(write))
    }
}
