//! What a connection and its calls know of each other.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::call::Front;
use crate::error::{Error, Reason, Result};
use crate::memory::{Account, Share};

/// A connection, as its calls see it.
pub(super) struct Link {
    pub(super) front: Arc<Front>,
    pub(super) peer: SocketAddr,
    accepted: Instant,
    /// Calls that did not end where they were read.
    running: AtomicUsize,
    /// When the last call ended, in microseconds after `accepted`.
    last_end: AtomicU64,
    stage: AtomicU8,
    changed: Notify,
    /// What its calls hold.
    account: Account,
    request_streams: Mutex<RequestStreams>,
}

/// What a peer may send before it is asked for: HTTP/2's window of a connection, in bytes.
pub(super) const CONNECTION_WINDOW: u32 = 1 << 20;
/// The part of it that one stream may take.
pub(super) const STREAM_WINDOW: u32 = 256 << 10;

/// The calls of a connection whose requests are streamed, and the windows that the peer can fill
/// while the methods do not ask for the next request.
struct RequestStreams {
    open: usize,
    windows: Share,
}

impl RequestStreams {
    /// What the windows of so many streams may hold.
    fn bytes(open: usize) -> usize {
        open.saturating_mul(STREAM_WINDOW as usize).min(CONNECTION_WINDOW as usize)
    }
}

/// How far the end of a connection is. A stage is never left for an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Stage {
    /// Calls are served.
    Open,
    /// The peer was told to go away, because the server stops.
    Draining,
    /// The peer was told to go away, because of the connection's age or idleness: streams that
    /// only watch end.
    Retiring,
    /// What can be ended without harm ends.
    Cut,
}

impl Link {
    pub(super) fn new(front: Arc<Front>, peer: SocketAddr, accepted: Instant) -> Arc<Self> {
        let account = front.budget.account(peer.ip());
        let request_streams = Mutex::new(RequestStreams { open: 0, windows: account.share() });
        Arc::new(Link {
            front,
            peer,
            accepted,
            running: AtomicUsize::new(0),
            last_end: AtomicU64::new(0),
            stage: AtomicU8::new(Stage::Open as u8),
            changed: Notify::new(),
            account,
            request_streams,
        })
    }

    /// A share of what the connection holds.
    pub(super) fn share(&self) -> Share {
        self.account.share()
    }

    /// Counts the window of a call that streams its requests, until what is returned is dropped.
    ///
    /// # Errors
    ///
    /// OVERLOADED if it is too much.
    pub(super) fn stream_requests(self: &Arc<Self>) -> Result<StreamsRequests> {
        let mut streams = self.request_streams.lock().unwrap_or_else(PoisonError::into_inner);
        let open = streams.open + 1;
        streams.windows.set(RequestStreams::bytes(open))?;
        streams.open = open;
        Ok(StreamsRequests(Arc::clone(self)))
    }

    /// When the connection was accepted.
    pub(super) fn accepted(&self) -> Instant {
        self.accepted
    }

    /// Notes that a call has ended.
    pub(super) fn ended(&self, at: Instant) {
        let after = at.saturating_duration_since(self.accepted).as_micros();
        self.last_end.store(u64::try_from(after).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Notes that a call goes on, until what is returned is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Running {
        self.running.fetch_add(1, Ordering::Relaxed);
        Running(Arc::clone(self))
    }

    /// Since when there has been no call; none while there is one.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        if self.running.load(Ordering::Relaxed) > 0 {
            return None;
        }
        Some(self.accepted + Duration::from_micros(self.last_end.load(Ordering::Relaxed)))
    }

    /// Tells the calls that the connection is on its way to its end.
    pub(super) fn reach(&self, stage: Stage) {
        self.stage.fetch_max(stage as u8, Ordering::Release);
        self.changed.notify_waiters();
    }

    fn has_reached(&self, stage: Stage) -> bool {
        self.stage.load(Ordering::Acquire) >= stage as u8
    }

    /// Done when the connection has got so far.
    pub(super) async fn reached(&self, stage: Stage) {
        loop {
            let changed = self.changed.notified();
            if self.has_reached(stage) {
                return;
            }
            changed.await;
        }
    }
}

/// A call that goes on.
pub(super) struct Running(Arc<Link>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
        self.0.ended(Instant::now());
    }
}

/// A call that streams its requests.
pub(super) struct StreamsRequests(Arc<Link>);

impl Drop for StreamsRequests {
    fn drop(&mut self) {
        let mut streams = self.0.request_streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.open -= 1;
        let bytes = RequestStreams::bytes(streams.open);
        streams.windows.settle(bytes);
    }
}

/// The end that its connection makes of a stream of answers.
pub(super) struct StreamEnd {
    link: Arc<Link>,
    /// Whether the stream watches: it may end at any place.
    watches: bool,
    reached: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl StreamEnd {
    pub(super) fn new(link: Arc<Link>, watches: bool) -> Self {
        StreamEnd { link, watches, reached: None }
    }

    /// How the stream has to end, as soon as it has to. Cheap to ask before each message.
    pub(super) fn now(&self) -> Option<Result<()>> {
        if self.watches && self.link.has_reached(Stage::Retiring) {
            return Some(Ok(()));
        }
        self.link.has_reached(Stage::Cut).then(|| Err(cut()))
    }

    /// As [`StreamEnd::now`], and wakes the task when it has to.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let reached = self.reached.get_or_insert_with(|| {
            let link = Arc::clone(&self.link);
            let stage = if self.watches { Stage::Retiring } else { Stage::Cut };
            Box::pin(async move { link.reached(stage).await })
        });
        match reached.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(self.now().unwrap_or_else(|| Err(cut()))),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// What a call is answered that cannot go on with its connection.
pub(super) fn cut() -> Error {
    Error::new(Reason::ShuttingDown, "the connection ends before the call")
}
