//! Work beside the event loops: conversions of long JSON.
//!
//! Threads for it are few, in the whole process. A connection has one of them at a time, so that the
//! conversions that one caller asks for wait for each other, and those of others do not wait for them.

use std::sync::LazyLock;
use std::thread::available_parallelism;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::memory::{hand_over, keep, turns, within};
use crate::{Error, Result};

/// JSON that is converted where its call runs, in bytes of text. More of it is converted beside.
pub(super) const INLINE_JSON: usize = 64 << 10;

/// JSON of a request that is converted where its call runs, in bytes of protobuf, of which each is
/// several of text.
pub(super) const INLINE_REQUEST: usize = 16 << 10;

/// Conversions at the same time.
static PLACES: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(available_parallelism().map_or(2, usize::from).max(2)));

/// Does work on another thread, for the present call: what the call holds goes along. Work that has
/// not begun is left out if the future is dropped; work that has begun ends.
///
/// # Errors
///
/// Those of the work; INTERNAL if it panics.
pub(super) async fn beside<T, F>(work: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T> + Send + 'static,
{
    let Ok(runtime) = Handle::try_current() else { return work() };
    let turn = match turns() {
        Some(turns) => Some(turns.acquire_owned().await.map_err(Error::internal)?),
        None => None,
    };
    let place = PLACES.acquire().await.map_err(Error::internal)?;
    let mut share = hand_over();
    let done = runtime.spawn_blocking(move || {
        let _places = (place, turn);
        let result = within(&mut share, work);
        (result, share)
    });
    let (result, share) = done.await.map_err(Error::internal)?;
    keep(share);
    result
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::pin::pin;
    use std::sync::mpsc;

    use super::*;
    use crate::memory::{Budget, within_future};

    #[tokio::test]
    async fn a_connection_has_one_place_and_others_have_theirs() {
        let budget = Budget::new(1 << 20, 1 << 20);
        let one = budget.account([127, 0, 0, 1].into());
        let other = budget.account([127, 0, 0, 2].into());
        let mut shares = [&one, &one, &other].map(|account| Some(account.share()));
        shares[0].as_mut().unwrap().set(1_000).unwrap();
        {
            let [first, second, third] = &mut shares;
            let (go, gone) = mpsc::channel();
            let long = move || gone.recv().map_err(Error::internal);
            let mut long = pin!(within_future(first, beside(long)));
            let mut next = Box::pin(within_future(second, beside(|| Ok(2))));
            let mut of_other = pin!(within_future(third, beside(|| Ok(3))));
            // They begin in this order.
            let answer = tokio::select! {
                biased;
                answer = &mut long => answer,
                answer = &mut next => answer,
                answer = &mut of_other => answer,
            };
            assert_eq!(answer.unwrap(), 3);
            drop(next);
            go.send(1).unwrap();
            assert_eq!(long.await.unwrap(), 1);
        }
        assert_eq!(shares[0].as_ref().unwrap().bytes(), 1_000);
        assert_eq!(within_future(&mut shares[1], beside(|| Ok(4))).await.unwrap(), 4);
        let panicked = beside::<(), _>(|| panic!("a panic of the test")).await;
        assert_eq!(panicked.unwrap_err().reason(), crate::Reason::Internal);
    }
}
