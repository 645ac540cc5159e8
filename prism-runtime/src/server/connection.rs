//! One connection: HTTP/2 on a socket, until it ends, is told to go away, or breaks.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use super::call::handle;
use super::drain::Drain;
use super::executor::Inline;
use super::frames::{Foreign, Greeting};
use super::io::{Flusher, deferred};
use super::lifetime::{Lifetime, Limits, Step};
use super::link::{CONNECTION_WINDOW, Link, STREAM_WINDOW};

/// How long a peer may take to read the last bytes and to close.
pub(super) const LINGER: Duration = Duration::from_secs(1);
/// A connection on which nothing is received is asked for a sign of life this often, and cut off
/// without one.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(60);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a peer may read nothing of what it is sent. hyper does not end such a connection: it
/// waits until the frame that says why has been sent.
const STALLED: Duration = KEEP_ALIVE_INTERVAL.saturating_add(KEEP_ALIVE_TIMEOUT);
/// Largest header list that a call may have, in bytes.
const MAX_HEADER_LIST: u32 = 16 * 1024;
/// Streams that a peer may open and reset before they were looked at (rapid reset,
/// CVE-2023-44487). All of them arrive in one turn of the connection: a client whose calls meet
/// their deadlines while the loop is busy is no attacker. Those that it makes the server reset
/// (CVE-2025-8671) are limited by hyper to 1,024: a burst beyond `server.max_concurrent_streams`
/// is among them, and no attack.
const MAX_RESET_STREAMS: usize = 1000;

/// What a peer that speaks HTTP/1.1 is told.
const TEXT: &str = "This port serves gRPC, which needs HTTP/2. HTTP/1.1 is not supported.\n";

/// Serves a connection until it ends.
pub(super) async fn serve(
    stream: TcpStream,
    link: Arc<Link>,
    limits: Limits,
    max_concurrent_streams: u32,
) {
    // Answers are gathered before they are sent: Nagle's algorithm would only delay them.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let (io, flusher) = deferred(stream, link.share(), STALLED);
    let service = {
        let link = Arc::clone(&link);
        service_fn(move |request| handle(Arc::clone(&link), request))
    };
    let builder = builder(Inline::new(Arc::clone(&link)), max_concurrent_streams);
    let mut http = pin!(builder.serve_connection(TokioIo::new(io), service));
    let drain = Arc::clone(&link.front.drain);
    let mut drained = pin!(drain.started());
    // The flag is cheap to look at in every turn; the future only has to learn the task.
    let mut listening = false;
    let lifetime = Lifetime::new(Arc::clone(&link), limits);
    let mut turns =
        Turns { drain: &drain, flusher: &flusher, lifetime, greeted: false, draining: false };

    let end = std::future::poll_fn(|cx| {
        if !listening {
            listening = true;
            let _ = drained.as_mut().poll(cx);
        }
        turns.turn(cx, |retire, cx| {
            if retire {
                http.as_mut().graceful_shutdown();
            }
            http.as_mut().poll(cx)
        })
    })
    .await;
    last_words(end, link.peer, &flusher);
    // Closed with something of the peer's unread, the connection would be reset, and the peer would
    // lose the last answers. It is gone, or gets told why; there is nobody else to tell.
    let _ = tokio::time::timeout(LINGER, flusher.linger()).await;
}

/// Logs how a connection ended, and writes what its peer has to know.
fn last_words(end: End, peer: SocketAddr, flusher: &Flusher) {
    match &end {
        End::Closed => {}
        End::Broken(error) => {
            tracing::debug!(target: "prism::connection", %peer, %error, "connection ended early");
        }
        end => {
            tracing::debug!(target: "prism::connection", %peer, why = end.why(), "connection ended");
        }
    }
    match end {
        End::Closed | End::Broken(_) => {}
        End::Foreign(foreign) => flusher.replace(answer(foreign).as_bytes()),
        End::Silent | End::Stopped | End::Unacknowledged | End::Cut => flusher.go_away(),
    }
}

/// How a connection ended.
enum End {
    /// By itself, with everything said.
    Closed,
    /// By an error, which the peer has been told if it could be.
    Broken(Box<dyn std::error::Error + Send + Sync>),
    /// It was no HTTP/2.
    Foreign(Foreign),
    /// The preface did not come in time.
    Silent,
    /// The server stops, and the preface had not come.
    Stopped,
    /// The peer was told to go away, and did not acknowledge it.
    Unacknowledged,
    /// Its calls have had their time.
    Cut,
}

impl End {
    fn why(&self) -> &'static str {
        match self {
            End::Closed => "closed",
            End::Broken(_) => "broken",
            End::Foreign(Foreign::Text { .. }) => "the peer speaks HTTP/1.1, not HTTP/2",
            End::Foreign(Foreign::Tls) => "the peer speaks TLS, which this port does not",
            End::Foreign(Foreign::Other) => "the peer does not speak HTTP/2",
            End::Silent => "the HTTP/2 preface did not come in time",
            End::Stopped => "the server stops",
            End::Unacknowledged => "the peer does not acknowledge the GOAWAY",
            End::Cut => "its calls did not end in time",
        }
    }
}

/// What is done each time that the connection's task runs.
struct Turns<'a> {
    drain: &'a Drain,
    flusher: &'a Flusher,
    lifetime: Lifetime,
    /// Whether the client's preface is complete.
    greeted: bool,
    /// Whether the client was told that the server stops.
    draining: bool,
}

impl Turns<'_> {
    /// Runs HTTP/2 with `drive`, which is told whether the peer is to be told to go away.
    fn turn(
        &mut self,
        cx: &mut Context<'_>,
        mut drive: impl FnMut(bool, &mut Context<'_>) -> Poll<hyper::Result<()>>,
    ) -> Poll<End> {
        let mut retire = false;
        loop {
            if self.greeted && !self.draining && self.drain.has_started() {
                self.draining = true;
                self.lifetime.drained();
                retire = true;
            }
            let polled = drive(retire, cx);
            if !self.greeted
                && let Some(end) = self.greet()
            {
                return Poll::Ready(end);
            }
            match polled {
                Poll::Ready(Ok(())) => return Poll::Ready(End::Closed),
                Poll::Ready(Err(error)) => return Poll::Ready(End::Broken(error.into())),
                Poll::Pending => {}
            }
            retire = match self.lifetime.poll(cx, || self.flusher.has_sent()) {
                Poll::Ready(Step::Unacknowledged) => return Poll::Ready(End::Unacknowledged),
                Poll::Ready(Step::Silent) => return Poll::Ready(End::Silent),
                Poll::Ready(Step::Cut) => return Poll::Ready(End::Cut),
                Poll::Ready(Step::Retire(why)) => {
                    tracing::debug!(target: "prism::connection", ?why, "connection retires");
                    true
                }
                Poll::Pending if self.greeted && !self.draining && self.drain.has_started() => {
                    false
                }
                Poll::Pending => break,
            }
        }
        match self.flusher.flush(cx) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(End::Broken(error.into())),
        }
    }

    /// Looks at how far the client's preface is.
    fn greet(&mut self) -> Option<End> {
        match self.flusher.greeting() {
            Greeting::Foreign(foreign) => Some(End::Foreign(foreign)),
            Greeting::Complete => {
                self.greeted = true;
                self.lifetime.opened();
                None
            }
            Greeting::Waiting | Greeting::Begun if self.drain.has_started() => Some(End::Stopped),
            Greeting::Waiting | Greeting::Begun => None,
        }
    }
}

/// What a peer that does not speak HTTP/2 is answered.
fn answer(foreign: Foreign) -> String {
    let Foreign::Text { head } = foreign else { return String::new() };
    let body = if head { "" } else { TEXT };
    format!(
        "HTTP/1.1 505 HTTP Version Not Supported\r\ncontent-type: text/plain; charset=utf-8\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        TEXT.len()
    )
}

fn builder(executor: Inline, max_concurrent_streams: u32) -> http2::Builder<Inline> {
    let mut builder = http2::Builder::new(executor);
    builder
        .timer(TokioTimer::new())
        .auto_date_header(false)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_stream_window_size(STREAM_WINDOW)
        .max_concurrent_streams(max_concurrent_streams)
        .max_header_list_size(MAX_HEADER_LIST)
        .max_pending_accept_reset_streams(MAX_RESET_STREAMS)
        .keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT);
    builder
}
