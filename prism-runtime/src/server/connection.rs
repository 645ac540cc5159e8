//! One connection: HTTP/2 on a socket, until it ends, is drained, or breaks.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use super::call::{Front, handle};
use super::drain::Drain;
use super::executor::Inline;
use super::io::deferred;

/// Bytes with which every HTTP/2 client begins.
const PREFACE: u64 = 24;
/// A client that has not sent them after this long is cut off.
const PREFACE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a peer may take to read the last bytes and to close.
const LINGER: Duration = Duration::from_secs(1);
/// An idle connection is asked for a sign of life this often, and cut off without one.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(60);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// Largest header list that a call may have, in bytes.
const MAX_HEADER_LIST: u32 = 16 * 1024;
/// Streams that a peer may open and reset before they were looked at (rapid reset,
/// CVE-2023-44487). Those that it makes the server reset (CVE-2025-8671) are limited by hyper to
/// 1,024: a burst beyond `server.max_concurrent_streams` is among them, and no attack.
const MAX_RESET_STREAMS: usize = 64;

/// Serves a connection until it ends.
pub(super) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    front: Arc<Front>,
    drain: Arc<Drain>,
    max_concurrent_streams: u32,
) {
    // Answers are gathered before they are sent: Nagle's algorithm would only delay them.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let account = front.budget.account(peer.ip());
    let (io, flusher) = deferred(stream, account.share());
    let service =
        service_fn(move |request| handle(Arc::clone(&front), peer, account.share(), request));
    let mut connection =
        pin!(builder(max_concurrent_streams).serve_connection(TokioIo::new(io), service));
    let mut preface = pin!(tokio::time::sleep(PREFACE_TIMEOUT));
    let mut drained = pin!(drain.started());
    let mut waiting_for_preface = true;
    let mut listening = false;
    let mut told = false;

    let outcome = std::future::poll_fn(|cx| {
        if waiting_for_preface {
            waiting_for_preface = flusher.received() < PREFACE;
            if waiting_for_preface && preface.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        // The flag is cheap to look at in every turn; the future only has to learn the task.
        if !listening {
            listening = true;
            let _ = drained.as_mut().poll(cx);
        }
        if !told && drain.has_started() {
            told = true;
            if waiting_for_preface {
                return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
            }
            connection.as_mut().graceful_shutdown();
        }
        match connection.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(result.map_err(io::Error::other)),
            Poll::Pending => match flusher.flush(cx) {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            },
        }
    })
    .await;
    if let Err(error) = outcome {
        tracing::debug!(target: "prism::connection", %peer, %error, "connection ended early");
    }
    // Closed with something of the peer's unread, the connection would be reset, and the peer would
    // lose the last answers. It is gone, or gets told why; there is nobody else to tell.
    let _ = tokio::time::timeout(LINGER, flusher.linger()).await;
}

fn builder(max_concurrent_streams: u32) -> http2::Builder<Inline> {
    let mut builder = http2::Builder::new(Inline);
    builder
        .timer(TokioTimer::new())
        .auto_date_header(false)
        .max_concurrent_streams(max_concurrent_streams)
        .max_header_list_size(MAX_HEADER_LIST)
        .max_pending_accept_reset_streams(MAX_RESET_STREAMS)
        .keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT);
    builder
}
