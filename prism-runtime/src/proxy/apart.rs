//! The place of methods that users write: threads of their own.
//!
//! Bound methods are answered on the event loops, and none of them waits for a thread. A handler
//! may block its thread, by mistake or because a library knows no other way: on an event loop it
//! would hold up every connection of the loop. Here it holds up one thread of several, and the log
//! says which method did it.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as Task, Poll};
use std::time::{Duration, Instant};

use futures_util::{FutureExt, StreamExt, stream};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::codegen::Handlers;
use crate::memory::{hand_over, keep, within_future};
use crate::server::{StartError, panicked};
use crate::service::{Encoded, MessageStream, Reply};
use crate::{Error, Reason, Result};

/// Threads at least: so many handlers may block at the same time, less one, before others wait.
const THREADS: usize = 8;
/// A handler that does not give its thread back for this long is named in the log.
const LONG: Duration = Duration::from_millis(100);
/// Time between two lines about one method.
const SAY_EVERY: Duration = Duration::from_secs(60);
/// Messages that are ready are handed over together up to this many bytes.
const GATHER: usize = 16 * 1024;
/// How long handlers may take to end after the last call.
const END: Duration = Duration::from_secs(1);

/// The threads of all handlers of a proxy.
pub(super) struct Threads {
    handle: Handle,
    runtime: Mutex<Option<Runtime>>,
}

impl Threads {
    pub(super) fn start() -> Result<Arc<Self>, StartError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(cores.max(THREADS))
            .thread_name("prism-handler")
            .enable_all()
            .build()
            .map_err(|error| StartError::new(format!("cannot start a thread: {error}")))?;
        let handle = runtime.handle().clone();
        Ok(Arc::new(Threads { handle, runtime: Mutex::new(Some(runtime)) }))
    }

    /// Ends the threads. Blocks until they have ended, but not for one that is blocked.
    pub(super) fn stop(&self) {
        if let Some(runtime) = self.take() {
            runtime.shutdown_timeout(END);
        }
    }

    fn take(&self) -> Option<Runtime> {
        self.runtime.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.take() {
            runtime.shutdown_background();
        }
    }
}

/// The handlers of a service, on threads of their own.
pub(super) struct Apart {
    handlers: Arc<dyn Handlers>,
    threads: Arc<Threads>,
    /// One for each method.
    watches: Vec<Arc<Watch>>,
}

impl Apart {
    pub(super) fn new(handlers: Arc<dyn Handlers>, threads: Arc<Threads>) -> Self {
        let service = handlers.descriptor();
        let watch = |method: &crate::schema::Method| {
            let method = format!("{}/{}", service.name, method.name);
            Arc::new(Watch { method, made: Instant::now(), said: AtomicU64::new(0) })
        };
        let watches = service.methods.iter().map(watch).collect();
        Apart { handlers, threads, watches }
    }

    /// Answers a method with what `call` makes of the handlers.
    pub(super) fn run(
        &self,
        method: usize,
        call: impl FnOnce(&dyn Handlers) -> Reply + Send + 'static,
    ) -> Reply {
        let handlers = Arc::clone(&self.handlers);
        let Some(watch) = self.watches.get(method) else { return call(&*handlers) };
        let watch = Arc::clone(watch);
        let is_stream = handlers.descriptor().methods[method].server_streaming;
        // What the handler reads from stores counts for its call.
        let mut share = hand_over();
        if is_stream {
            let (batches, received) = mpsc::channel(1);
            let (opened, opening) = oneshot::channel();
            let work = async move {
                within_future(&mut share, stream(handlers, call, opened, batches)).await;
            };
            let messages = batched(received, self.threads.spawn(watch.over(work)));
            return Reply::opening(async move {
                match opening.await {
                    Ok(Err(error)) => Err(error),
                    // Where nothing was said, the messages end with the reason.
                    Ok(Ok(())) | Err(_) => Ok(messages),
                }
            });
        }
        let work = async move {
            match call(&*handlers) {
                Reply::Ready(answer) => answer,
                Reply::Future(future) => future.await,
                Reply::Stream(_) | Reply::Opening(_) => {
                    Err(Error::internal("a unary method answers a stream"))
                }
            }
        };
        let work = async move {
            let work = AssertUnwindSafe(work).catch_unwind();
            let answer = within_future(&mut share, work).await;
            (answer.unwrap_or_else(|_| Err(panicked())), share)
        };
        let mut task = self.threads.spawn(watch.over(work));
        Reply::future(async move {
            let Ok((answer, share)) = (&mut task.0).await else { return Err(stopping()) };
            keep(share);
            answer
        })
    }
}

impl Threads {
    fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Work<T> {
        Work(self.handle.spawn(work))
    }
}

/// Work on another thread that ends when its answer is not wanted any more.
struct Work<T>(JoinHandle<T>);

impl<T> Drop for Work<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Messages that were ready together; none at the end.
type Batch = Option<VecDeque<Result<Encoded>>>;

/// Says when the answer of a handler begins, and hands its messages over, some ahead of what is
/// asked for.
async fn stream(
    handlers: Arc<dyn Handlers>,
    call: impl FnOnce(&dyn Handlers) -> Reply + Send,
    opened: oneshot::Sender<Result<()>>,
    batches: mpsc::Sender<Batch>,
) {
    let messages = async {
        let mut messages: MessageStream = match call(&*handlers) {
            Reply::Stream(messages) => messages,
            Reply::Ready(answer) => Box::pin(stream::iter([answer])),
            Reply::Future(future) => Box::pin(stream::once(future)),
            Reply::Opening(opening) => match opening.await {
                Ok(messages) => messages,
                // The caller may have gone.
                Err(error) => return drop(opened.send(Err(error))),
            },
        };
        if opened.send(Ok(())).is_err() {
            return;
        }
        while let Ok(room) = batches.reserve().await {
            let Some(first) = messages.next().await else { return room.send(None) };
            let mut bytes = first.as_ref().map_or(0, Encoded::len);
            let mut batch = VecDeque::from([first]);
            let mut ended = false;
            while bytes < GATHER && !ended {
                match messages.next().now_or_never() {
                    Some(Some(message)) => {
                        bytes += message.as_ref().map_or(0, Encoded::len);
                        batch.push_back(message);
                    }
                    Some(None) => ended = true,
                    None => break,
                }
            }
            room.send(Some(batch));
            // What was read for these messages is held by them alone from here on.
            drop(hand_over());
            if ended {
                // The caller may have gone.
                let _ = batches.send(None).await;
                return;
            }
        }
    };
    if AssertUnwindSafe(messages).catch_unwind().await.is_err() {
        let _ = batches.send(Some(VecDeque::from([Err(panicked())]))).await;
    }
}

/// The messages that arrive in batches.
fn batched(received: mpsc::Receiver<Batch>, task: Work<()>) -> MessageStream {
    struct State {
        received: mpsc::Receiver<Batch>,
        ready: VecDeque<Result<Encoded>>,
        _task: Work<()>,
    }
    let state = State { received, ready: VecDeque::new(), _task: task };
    Box::pin(stream::unfold(state, |mut state| async {
        loop {
            if let Some(message) = state.ready.pop_front() {
                return Some((message, state));
            }
            match state.received.recv().await {
                Some(Some(batch)) => state.ready = batch,
                Some(None) => return None,
                // The threads have ended.
                None => return Some((Err(stopping()), state)),
            }
        }
    }))
}

fn stopping() -> Error {
    Error::new(Reason::ShuttingDown, "the server stops")
}

/// Watches for how long a method keeps its thread.
struct Watch {
    method: String,
    made: Instant,
    /// When it was last said, in milliseconds after `made`, plus one; 0: never.
    said: AtomicU64,
}

impl Watch {
    /// Measures each time that the work runs.
    async fn over<T>(self: Arc<Self>, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        std::future::poll_fn(move |cx| self.poll(work.as_mut(), cx)).await
    }

    fn poll<T>(&self, work: Pin<&mut impl Future<Output = T>>, cx: &mut Task<'_>) -> Poll<T> {
        let begun = Instant::now();
        let polled = work.poll(cx);
        let took = begun.elapsed();
        if took >= LONG {
            self.say(took);
        }
        polled
    }

    fn say(&self, took: Duration) {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let now = millis(self.made.elapsed()).saturating_add(1);
        let said = self.said.load(Ordering::Relaxed);
        if said != 0 && now - said < millis(SAY_EVERY) {
            return;
        }
        self.said.store(now, Ordering::Relaxed);
        tracing::warn!(
            target: "prism::handlers",
            method = self.method, blocked_ms = millis(took),
            "a handler blocked its thread: wait with .await, or block in tokio::task::spawn_blocking"
        );
    }
}
