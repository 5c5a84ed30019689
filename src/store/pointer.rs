//! What points to a store is a store.

use alloc::boxed::Box;
#[cfg(target_has_atomic = "ptr")]
use alloc::sync::Arc;

use super::{BlockingStore, Snapshot, Store, Swap, Write};

macro_rules! through_a_pointer {
    ($($(#[$gate:meta])* $pointer:ty;)*) => {$(
        $(#[$gate])*
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
                subject: &str,
                write: Write<'_>,
            ) -> impl Future<Output = Result<Swap, S::Error>> + Send {
                (**self).compare_and_swap(subject, write)
            }
        }

        $(#[$gate])*
        impl<S: BlockingStore + ?Sized> BlockingStore for $pointer {
            type Error = S::Error;

            fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, S::Error> {
                (**self).load_blocking(subject)
            }

            fn compare_and_swap_blocking(&self, subject: &str, write: Write<'_>) -> Result<Swap, S::Error> {
                (**self).compare_and_swap_blocking(subject, write)
            }
        }
    )*};
}

through_a_pointer! {
    &S;
    Box<S>;
    #[cfg(target_has_atomic = "ptr")]
    Arc<S>;
}
