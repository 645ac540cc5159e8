//! Answers of jobs that share a statement.

use std::sync::{Arc, Weak};

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::error::shutting_down;
use crate::Result;
use crate::memory::{self, Share};

/// Whoever waits for an answer: gone with the last strong reference.
pub(super) type Caller = Weak<()>;

/// An answer, and what it holds.
pub(super) type Answered<T> = (Result<T>, Option<Share>);

/// Where a job's answer goes.
#[derive(Debug)]
pub(super) struct Answer<T> {
    sender: oneshot::Sender<Answered<T>>,
    /// What the call holds, and what is read for it.
    share: Option<Share>,
    /// What the call held when it came.
    brought: usize,
    caller: Caller,
    /// The caller's event loop, where it has one.
    home: Option<Handle>,
    _room: OwnedSemaphorePermit,
}

/// An answer that is to be given, and what awaits it. The room is given back with the answer.
pub(super) fn answer<T: Send + 'static>(
    room: OwnedSemaphorePermit,
) -> (Answer<T>, impl Future<Output = Result<T>> + Send + 'static) {
    let (sender, outcome) = oneshot::channel();
    let waiting = Arc::new(());
    let home = Handle::try_current().ok();
    let (share, caller) = (memory::hand_over(), Arc::downgrade(&waiting));
    let brought = share.as_ref().map_or(0, Share::bytes);
    let answer = Answer { sender, share, brought, caller, home, _room: room };
    let outcome = async move {
        let _waiting = waiting;
        let (result, share) = outcome.await.unwrap_or_else(|_| (Err(shutting_down()), None));
        memory::keep(share);
        result
    };
    (answer, outcome)
}

impl<T> Answer<T> {
    /// Answers.
    pub(super) fn send(self, result: Result<T>) {
        // The caller may have gone.
        let _ = self.sender.send((result, self.share));
    }

    /// Counts what is read for the call, in place of what was counted before: before it is kept
    /// for longer than the step that reads it.
    ///
    /// # Errors
    ///
    /// OVERLOADED if it is too much.
    pub(super) fn charge(&mut self, bytes: usize) -> Result<()> {
        let brought = self.brought;
        self.share.as_mut().map_or(Ok(()), |share| share.set(brought + bytes))
    }

    /// Counts what the answer holds in place of what was charged, where it cannot be refused any
    /// more: what it answers was written.
    pub(super) fn settle(&mut self, bytes: usize) {
        if let Some(share) = &mut self.share {
            share.settle(self.brought + bytes);
        }
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

/// Answers of one event loop.
struct Batch<T> {
    home: Handle,
    answers: Vec<(oneshot::Sender<Answered<T>>, Answered<T>)>,
}

/// Answers many. An event loop is woken once for all that its callers wait for: to be woken from
/// another thread takes a system call each time.
pub(super) fn send_all<T: Send + 'static>(
    answers: impl IntoIterator<Item = (Answer<T>, Result<T>)>,
) {
    let mut batches: Vec<Batch<T>> = Vec::new();
    for (answer, result) in answers {
        let Some(home) = answer.home else {
            // The caller may have gone.
            let _ = answer.sender.send((result, answer.share));
            continue;
        };
        let of_home = |batch: &&mut Batch<T>| batch.home.id() == home.id();
        match batches.iter_mut().find(of_home) {
            Some(batch) => batch.answers.push((answer.sender, (result, answer.share))),
            None => {
                let answers = vec![(answer.sender, (result, answer.share))];
                batches.push(Batch { home, answers });
            }
        }
    }
    for Batch { home, answers } in batches {
        let is_alone = answers.len() == 1;
        let deliver = move || {
            for (sender, result) in answers {
                // The caller may have gone.
                let _ = sender.send(result);
            }
        };
        if is_alone { deliver() } else { drop(home.spawn(async move { deliver() })) }
    }
}
