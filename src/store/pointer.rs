//! Makes a pointer to a store a store.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::time::Duration;

use super::{BlockingStore, Snapshot, Store, Swap, Write};

macro_rules! through_a_pointer {
    ($($pointer:ty;)*) => {$(
        impl<S: Store + ?Sized> Store for $pointer {
            type Error = S::Error;

            fn load(
                &self,
                subject: &str,
            ) -> impl Future<Output = Result<Option<Snapshot>, S::Error>> + Send {
                (**self).load(subject)
            }

            fn compare_and_swap(
                &self,
                write: Write,
            ) -> impl Future<Output = Result<Swap, S::Error>> + Send {
                (**self).compare_and_swap(write)
            }

            fn pause(&self, time: Duration) -> impl Future<Output = ()> + Send {
                (**self).pause(time)
            }
        }

        impl<S: BlockingStore + ?Sized> BlockingStore for $pointer {
            type Error = S::Error;

            fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, S::Error> {
                (**self).load_blocking(subject)
            }

            fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, S::Error> {
                (**self).compare_and_swap_blocking(write)
            }

            fn pause_blocking(&self, time: Duration) {
                (**self).pause_blocking(time);
            }
        }
    )*};
}

through_a_pointer! {
    &S;
    Box<S>;
    Arc<S>;
}
