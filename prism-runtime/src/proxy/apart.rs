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
use crate::entity::layout::DEFAULT_MESSAGE_BYTES;
use crate::memory::{Share, hand_over, keep, within_future};
use crate::server::{StartError, answer_too_large, panicked};
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
    /// Length of a streamed message at most, in bytes.
    longest: usize,
    runtime: Mutex<Option<Runtime>>,
}

impl Threads {
    /// Starts the threads of handlers on a server with this `server.max_message_bytes`.
    pub(super) fn start(max_message_bytes: usize) -> Result<Arc<Self>, StartError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(cores.max(THREADS))
            .thread_name("prism-handler")
            .enable_all()
            .build()
            .map_err(|error| StartError::new(format!("cannot start a thread: {error}")))?;
        let handle = runtime.handle().clone();
        let longest = max_message_bytes.max(DEFAULT_MESSAGE_BYTES);
        Ok(Arc::new(Threads { handle, longest, runtime: Mutex::new(Some(runtime)) }))
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
        // The request is held until the handler has ended. What it reads from stores counts for its
        // call on a share beside that, which its store calls take along.
        let request_share = hand_over();
        let mut share = request_share.as_ref().map(Share::sibling);
        if is_stream {
            let (batches, received) = mpsc::channel(1);
            let (opened, opening) = oneshot::channel();
            let longest = self.threads.longest;
            let work = async move {
                let _request_share = request_share;
                let messages = stream(handlers, call, opened, Batches { sender: batches, longest });
                within_future(&mut share, messages).await;
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
            (answer.unwrap_or_else(|_| Err(panicked())), [request_share, share])
        };
        let mut task = self.threads.spawn(watch.over(work));
        Reply::future(async move {
            let Ok((answer, shares)) = (&mut task.0).await else { return Err(stopping()) };
            shares.into_iter().for_each(keep);
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

/// Where the messages of a handler go.
struct Batches {
    sender: mpsc::Sender<Batch>,
    /// Length of a message at most, in bytes.
    longest: usize,
}

impl Batches {
    /// A message as it is handed over. One that is too long ends the stream.
    fn checked(&self, message: Result<Encoded>) -> Result<Encoded> {
        let length = message.as_ref().map_or(0, Encoded::len);
        if length > self.longest { Err(answer_too_large(length, self.longest)) } else { message }
    }
}

/// Says when the answer of a handler begins, and hands its messages over, some ahead of what is
/// asked for.
async fn stream(
    handlers: Arc<dyn Handlers>,
    call: impl FnOnce(&dyn Handlers) -> Reply + Send,
    opened: oneshot::Sender<Result<()>>,
    batches: Batches,
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
        while let Ok(room) = batches.sender.reserve().await {
            let Some(first) = messages.next().await else { return room.send(None) };
            let first = batches.checked(first);
            let mut bytes = first.as_ref().map_or(0, Encoded::len);
            let mut batch = VecDeque::from([first]);
            let mut ended = false;
            while bytes < GATHER && !ended {
                match messages.next().now_or_never() {
                    Some(Some(message)) => {
                        let message = batches.checked(message);
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
                let _ = batches.sender.send(None).await;
                return;
            }
        }
    };
    if AssertUnwindSafe(messages).catch_unwind().await.is_err() {
        let _ = batches.sender.send(Some(VecDeque::from([Err(panicked())]))).await;
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use bytes::Bytes;
    use prism_schema::Service;
    use std::sync::LazyLock;
    use tokio::sync::Notify;

    use super::*;
    use crate::memory::{Budget, within};
    use crate::service::Context;

    static DESCRIPTOR: LazyLock<Service> =
        LazyLock::new(|| Service::new("test.v1.Test").rpc("Forget(.a.A) -> .a.A"));

    /// Gives up a call of a store, which has taken along what the handler's own call holds.
    #[derive(Default)]
    struct Forgetful {
        has_given_up: Arc<Notify>,
        go: Arc<Notify>,
    }

    impl Handlers for Forgetful {
        fn descriptor(&self) -> &'static Service {
            &DESCRIPTOR
        }

        fn call(&self, _: usize, _: Context, _: Bytes) -> Reply {
            let (has_given_up, go) = (Arc::clone(&self.has_given_up), Arc::clone(&self.go));
            Reply::future(async move {
                drop(hand_over());
                has_given_up.notify_one();
                go.notified().await;
                Ok(Encoded::default())
            })
        }
    }

    #[tokio::test]
    async fn a_request_is_held_until_its_handler_has_ended() {
        const HELD: usize = 600_000;
        let budget = Budget::new(1 << 20, HELD);
        let account = |last| budget.account([127, 0, 0, last].into());
        let mut share = Some(account(1).share());
        share.as_mut().unwrap().set(HELD).unwrap();
        let handlers = Forgetful::default();
        let (given_up, go) = (Arc::clone(&handlers.has_given_up), Arc::clone(&handlers.go));
        let apart = Apart::new(Arc::new(handlers), Threads::start(0).unwrap());
        let call = |handlers: &dyn Handlers| handlers.call(0, Context::new("test"), Bytes::new());
        let Reply::Future(answer) = within(&mut share, || apart.run(0, call)) else {
            panic!("it is answered later")
        };
        given_up.notified().await;
        let others = account(2);
        assert!(others.share().set(HELD).is_err(), "the request is not counted");
        go.notify_one();
        within_future(&mut share, answer).await.unwrap();
        assert_eq!(share.take().unwrap().bytes(), HELD);
        others.share().set(HELD).unwrap();
    }
}
