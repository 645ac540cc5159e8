//! Answers of a store: at once where it can, later where it must.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::{Error, Reason, Result};

/// What a store answers. An inline read is `Ready`, so that the caller need not allocate or
/// suspend for it; a future of its own else.
pub enum StoreFuture<T> {
    /// The answer. `None` once it was taken.
    Ready(Option<Result<T>>),
    /// The answer will come.
    Pending(Pin<Box<dyn Future<Output = Result<T>> + Send>>),
}

impl<T> StoreFuture<T> {
    /// An answer that is there.
    pub fn ready(result: Result<T>) -> Self {
        StoreFuture::Ready(Some(result))
    }

    /// An answer that will come.
    pub fn pending(future: impl Future<Output = Result<T>> + Send + 'static) -> Self {
        StoreFuture::Pending(Box::pin(future))
    }
}

impl<T: Unpin> Future for StoreFuture<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            StoreFuture::Ready(result) => Poll::Ready(result.take().unwrap_or_else(|| {
                Err(Error::new(Reason::Internal, "a store's answer was taken twice"))
            })),
            StoreFuture::Pending(future) => future.as_mut().poll(cx),
        }
    }
}

impl<T> fmt::Debug for StoreFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StoreFuture::Ready(_) => "StoreFuture::Ready",
            StoreFuture::Pending(_) => "StoreFuture::Pending",
        })
    }
}
