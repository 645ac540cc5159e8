//! Runs a call where it was read.

use std::future::Future;
use std::task::{Context, Waker};

/// Polls a call once, at once, and makes a task of it only where it has to wait. An inline read
/// is answered without a task, without a wake-up, and within the connection's turn, so that the
/// answers of a turn share one write.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inline;

impl<F> hyper::rt::Executor<F> for Inline
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, call: F) {
        let mut call = Box::pin(call);
        // A task polls again and registers its own waker, so this one may be deaf.
        if call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            tokio::spawn(call);
        }
    }
}
