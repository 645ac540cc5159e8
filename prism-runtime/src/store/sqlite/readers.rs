//! Threads for reads that are too long for an event loop.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::condition::Condition;
use super::writer::{overloaded, shutting_down};
use super::{Options, connection};
use crate::store::StoreFuture;
use crate::{Error, Result};

/// Where reads are handed to their threads, which end when this is dropped and all are answered.
#[derive(Debug)]
pub(super) struct Readers {
    queue: SyncSender<Read>,
}

/// `None` stands for the connection of a thread that could not open one.
type Read = Box<dyn FnOnce(Result<&Connection>) + Send>;

impl Readers {
    /// Starts the threads.
    pub(super) fn start(
        options: &Options,
        condition: &Arc<Condition>,
    ) -> std::io::Result<(Self, Vec<JoinHandle<()>>)> {
        let (sender, receiver) = sync_channel(options.read_queue);
        let receiver = Arc::new(Mutex::new(receiver));
        let threads = (0..options.reader_threads.max(1))
            .map(|_| {
                let (queue, options) = (Arc::clone(&receiver), options.clone());
                let condition = Arc::clone(condition);
                std::thread::Builder::new()
                    .name("sqlite-reader".into())
                    .spawn(move || run(&queue, &options, &condition))
            })
            .collect::<std::io::Result<Vec<_>>>()?;
        Ok((Readers { queue: sender }, threads))
    }

    /// Hands in a read. It sees every write that was acknowledged before.
    pub(super) fn read<T, F>(&self, work: F) -> StoreFuture<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let (answer, outcome) = oneshot::channel();
        let read = Box::new(move |connection: Result<&Connection>| {
            if answer.is_closed() {
                return;
            }
            let result = connection.and_then(|connection| {
                catch_unwind(AssertUnwindSafe(|| work(connection)))
                    .unwrap_or_else(|_| Err(Error::internal("a read panicked")))
            });
            // The caller may have gone.
            let _ = answer.send(result);
        });
        match self.queue.try_send(read) {
            Ok(()) => StoreFuture::pending(async move {
                outcome.await.unwrap_or_else(|_| Err(shutting_down()))
            }),
            Err(TrySendError::Full(_)) => StoreFuture::ready(Err(overloaded())),
            Err(TrySendError::Disconnected(_)) => StoreFuture::ready(Err(shutting_down())),
        }
    }
}

fn run(queue: &Mutex<Receiver<Read>>, options: &Options, condition: &Condition) {
    let mut connection = None::<Connection>;
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(read) = next else { break };
        if connection.is_none() {
            match connection::open_reader(options, condition) {
                Ok(opened) => connection = Some(opened),
                Err(error) => {
                    read(Err(error));
                    continue;
                }
            }
        }
        if let Some(connection) = &connection {
            read(Ok(connection));
        }
    }
    if let Some(connection) = connection.filter(|_| condition.is_lost()) {
        connection::leave_files(&connection);
    }
}
