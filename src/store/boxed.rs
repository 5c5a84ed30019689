//! Holds stores whose type is not known when the program is compiled.

use alloc::boxed::Box;
use core::error::Error;
use core::fmt;
use core::pin::Pin;
use core::time::Duration;

use super::{Snapshot, Store, Swap, Write};

/// Holds a future on the heap, as [`DynStore`] returns one.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Makes a trait object of a [`Store`], for a store that is chosen at run time: every `Store` is a
/// `DynStore`, and `dyn DynStore` is a `Store` again.
///
/// Each call through the object allocates its future. Implement [`Store`], never this trait.
///
/// ```
/// # #[cfg(feature = "std")]
/// # {
/// use std::sync::Arc;
/// use softtoken::store::{DynStore, MemoryStore, Store};
///
/// let store: Arc<dyn DynStore> = Arc::new(MemoryStore::new());
/// # pollster::block_on(async {
/// assert!(store.load("alice").await?.is_none());
/// # Ok::<(), softtoken::store::BoxedError>(())
/// # }).unwrap();
/// # }
/// ```
pub trait DynStore: Send + Sync {
    /// Loads as [`Store::load`] does.
    fn load_boxed<'a>(
        &'a self,
        subject: &'a str,
    ) -> BoxFuture<'a, Result<Option<Snapshot>, BoxedError>>;

    /// Swaps as [`Store::compare_and_swap`] does.
    fn swap_boxed(&self, write: Write) -> BoxFuture<'_, Result<Swap, BoxedError>>;

    /// Waits as [`Store::pause`] does.
    fn pause_boxed(&self, time: Duration) -> BoxFuture<'_, ()>;
}

impl<S: Store> DynStore for S {
    fn load_boxed<'a>(
        &'a self,
        subject: &'a str,
    ) -> BoxFuture<'a, Result<Option<Snapshot>, BoxedError>> {
        Box::pin(async move { self.load(subject).await.map_err(BoxedError::new) })
    }

    fn swap_boxed(&self, write: Write) -> BoxFuture<'_, Result<Swap, BoxedError>> {
        Box::pin(async move { self.compare_and_swap(write).await.map_err(BoxedError::new) })
    }

    fn pause_boxed(&self, time: Duration) -> BoxFuture<'_, ()> {
        Box::pin(self.pause(time))
    }
}

impl Store for dyn DynStore + '_ {
    type Error = BoxedError;

    async fn load(&self, subject: &str) -> Result<Option<Snapshot>, BoxedError> {
        self.load_boxed(subject).await
    }

    async fn compare_and_swap(&self, write: Write) -> Result<Swap, BoxedError> {
        self.swap_boxed(write).await
    }

    async fn pause(&self, time: Duration) {
        self.pause_boxed(time).await;
    }
}

/// Wraps the error of a store whose type is not known. The store's own error, whole, is the
/// [`source`](Error::source); [`downcast_ref`](Self::downcast_ref) gives it back.
///
/// ```
/// use core::error::Error;
/// use softtoken::store::BoxedError;
///
/// let error = BoxedError::new(core::fmt::Error);
/// assert!(error.downcast_ref::<core::fmt::Error>().is_some());
/// assert!(error.source().is_some_and(|own| own.is::<core::fmt::Error>()));
/// assert_eq!(BoxedError::new(error).into_inner().to_string(), core::fmt::Error.to_string());
/// ```
pub struct BoxedError(Box<dyn Error + Send + Sync>);

impl BoxedError {
    /// Boxes `error`; a `BoxedError` is not boxed twice.
    #[must_use]
    pub fn new(error: impl Error + Send + Sync + 'static) -> Self {
        let error: Box<dyn Error + Send + Sync> = Box::new(error);
        match error.downcast::<Self>() {
            Ok(boxed) => *boxed,
            Err(error) => Self(error),
        }
    }

    /// Returns the store's own error where it is an `E`.
    #[must_use]
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        self.0.downcast_ref()
    }

    /// Returns the store's own error.
    #[must_use]
    pub fn into_inner(self) -> Box<dyn Error + Send + Sync> {
        self.0
    }
}

impl fmt::Debug for BoxedError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for BoxedError {
    /// Says what failed; the source says why.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the store's driver failed")
    }
}

impl Error for BoxedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}
