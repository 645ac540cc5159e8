//! The share of the call that this thread works on.

use std::cell::RefCell;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::Share;
use crate::Result;

thread_local! {
    static CURRENT: RefCell<Option<Share>> = const { RefCell::new(None) };
}

/// Does work for a call, whose share it is given. Also in each poll of a future.
pub(crate) fn within<T>(share: &mut Option<Share>, work: impl FnOnce() -> T) -> T {
    let outer = CURRENT.replace(share.take());
    let _scope = Scope { share, outer };
    work()
}

/// Gives the share back, also if the work panics.
struct Scope<'a> {
    share: &'a mut Option<Share>,
    outer: Option<Share>,
}

impl Drop for Scope<'_> {
    fn drop(&mut self) {
        *self.share = CURRENT.replace(self.outer.take());
    }
}

/// Counts bytes for the present call, until it has been answered. Counts nothing if there is no
/// call: what the server does by itself is not limited.
///
/// # Errors
///
/// OVERLOADED if it is too much.
pub(crate) fn charge(bytes: usize) -> Result<()> {
    CURRENT.with_borrow_mut(|share| share.as_mut().map_or(Ok(()), |share| share.add(bytes)))
}

/// A future that works for a share, wherever it is polled.
pub(crate) async fn within_future<T>(
    share: &mut Option<Share>,
    future: impl Future<Output = T>,
) -> T {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|cx| within(share, || future.as_mut().poll(cx))).await
}

/// Takes what the present call holds along to another thread, which goes on holding it if the call
/// is given up.
pub(crate) fn hand_over() -> Option<Share> {
    CURRENT.with_borrow_mut(|share| share.as_mut().map(Share::split))
}

/// The turns of the present call's connection; none if there is no call.
pub(crate) fn turns() -> Option<Arc<Semaphore>> {
    CURRENT.with_borrow(|share| share.as_ref().map(Share::turns))
}

/// Adds what was held on another thread to the present call.
pub(crate) fn keep(held: Option<Share>) {
    CURRENT.with_borrow_mut(|share| {
        if let (Some(share), Some(held)) = (share, held) {
            share.merge(held);
        }
    });
}
