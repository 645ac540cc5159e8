//! Answers of jobs that share a statement.

use std::sync::{Arc, Weak};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::error::shutting_down;
use crate::Result;
use crate::store::StoreFuture;

/// Whoever waits for an answer: gone with the last strong reference.
pub(super) type Caller = Weak<()>;

/// Where a job's answer goes.
#[derive(Debug)]
pub(super) struct Answer<T> {
    sender: oneshot::Sender<Result<T>>,
    caller: Caller,
    _room: OwnedSemaphorePermit,
}

/// An answer that is to be given, and what awaits it. The room is given back with the answer.
pub(super) fn answer<T: Send + 'static>(room: OwnedSemaphorePermit) -> (Answer<T>, StoreFuture<T>) {
    let (sender, outcome) = oneshot::channel();
    let waiting = Arc::new(());
    let answer = Answer { sender, caller: Arc::downgrade(&waiting), _room: room };
    let outcome = StoreFuture::pending(async move {
        let _waiting = waiting;
        outcome.await.unwrap_or_else(|_| Err(shutting_down()))
    });
    (answer, outcome)
}

impl<T> Answer<T> {
    /// Answers.
    pub(super) fn send(self, result: Result<T>) {
        // The caller may have gone.
        let _ = self.sender.send(result);
    }

    /// Whether nobody waits for the answer any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.sender.is_closed()
    }

    /// Whoever waits for it.
    pub(super) fn caller(&self) -> Caller {
        Weak::clone(&self.caller)
    }
}
