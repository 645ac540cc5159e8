//! Runs a call where it was read, and ends one that is not taken.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

use super::link::{Link, Running};

/// Polls a call once, at once, and makes a task of it only where it has to wait. An inline read
/// is answered without a task, without a wake-up, and within the connection's turn, so that the
/// answers of a turn share one write.
#[derive(Clone)]
pub(super) struct Inline(Arc<Link>);

impl Inline {
    /// Runs the calls of a connection.
    pub(super) fn new(link: Arc<Link>) -> Self {
        Inline(link)
    }
}

/// How long after its deadline a caller may take to read the answer. Then the stream is reset:
/// one that nobody reads would hold its records, and whatever its source holds, for ever.
const GRACE: Duration = Duration::from_secs(1);

thread_local! {
    /// Deadline of the call that is polled, as far as it has said so in this poll.
    static UNTIL: Cell<Option<Instant>> = const { Cell::new(None) };
    /// When the call that is polled arrived, as far as it has said so in this poll.
    static STARTED: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Tells the executor when the call that is being polled arrived, and until when it may last.
pub(super) fn limit_current(started: Instant, until: Option<Instant>) {
    STARTED.set(Some(started));
    UNTIL.set(until);
}

impl<F> hyper::rt::Executor<F> for Inline
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, call: F) {
        let mut call = Limited { call: Box::pin(call), limit: None, _running: None };
        STARTED.set(None);
        // A task polls again and registers its own waker, so this one may be deaf.
        if call.poll_call(&mut Context::from_waker(Waker::noop())).is_pending() {
            call._running = Some(self.0.begin());
            tokio::spawn(call);
        } else {
            // It has ended at once: the clock need not be read again.
            self.0.ended(STARTED.take().unwrap_or_else(Instant::now));
        }
    }
}

/// A call, and the end of its time once that is known.
struct Limited<F> {
    call: Pin<Box<F>>,
    limit: Option<Pin<Box<Sleep>>>,
    /// A call that goes on counts for its connection.
    _running: Option<Running>,
}

impl<F: Future<Output = ()>> Limited<F> {
    fn poll_call(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        UNTIL.set(None);
        let polled = self.call.as_mut().poll(cx);
        if let Some(until) = UNTIL.take()
            && polled.is_pending()
        {
            self.limit = Some(Box::pin(tokio::time::sleep_until((until + GRACE).into())));
        }
        polled
    }
}

impl<F: Future<Output = ()>> Future for Limited<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.poll_call(cx).is_ready() {
            return Poll::Ready(());
        }
        // Dropping the call resets its stream.
        self.limit.as_mut().map_or(Poll::Pending, |limit| limit.as_mut().poll(cx))
    }
}
