//! A socket whose writes wait for the end of the connection's turn.
//!
//! HTTP/2 asks for a flush after every response, so a connection with 32 calls in flight would
//! pay 32 system calls. Here a flush only promises: bytes gather in a buffer, and the task that
//! drives the connection sends them when the HTTP/2 state machine has nothing more to do for now.
//! All the answers of one turn then leave in one write, and a lone answer leaves in the same turn
//! in which it was made, so one call in flight pays nothing for the deferral.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::frames::{Frames, Greeting, NO_ERROR, SETTINGS, go_away};
use crate::memory::Share;

/// Buffered bytes beyond which a write is sent at once.
const SEND_AT: usize = 64 * 1024;
/// Buffered bytes beyond which a write waits: the peer does not read.
const WAIT_AT: usize = 256 * 1024;
/// A buffer that grew larger than this is given back once it is empty.
const KEEP: usize = 128 * 1024;

/// The half that the HTTP/2 connection owns.
pub(super) struct DeferredIo(Arc<Mutex<State>>);

/// The half of the task that drives the connection.
pub(super) struct Flusher(Arc<Mutex<State>>);

struct State {
    stream: TcpStream,
    out: BytesMut,
    received: Frames,
    /// Whether anything was sent.
    sent: bool,
    /// What waits for the peer to read it.
    share: Share,
    /// How long the peer may take nothing of it.
    patience: Duration,
    /// Present while something waits.
    stall: Option<Stall>,
}

/// The time in which a peer has taken nothing.
struct Stall {
    since: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Stall {
    fn new(patience: Duration) -> Self {
        Stall { since: Instant::now(), timer: Box::pin(tokio::time::sleep(patience)) }
    }

    /// Ready when it has been too long.
    fn poll(&mut self, cx: &mut Context<'_>, patience: Duration) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let end = self.since + patience;
            if end <= Instant::now() {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(end);
        }
    }
}

/// Wraps a socket. What the peer does not read is counted on the share; where it takes nothing for
/// longer than `patience`, that is an error.
pub(super) fn deferred(
    stream: TcpStream,
    share: Share,
    patience: Duration,
) -> (DeferredIo, Flusher) {
    let (out, received) = (BytesMut::new(), Frames::new());
    let state = State { stream, out, received, sent: false, share, patience, stall: None };
    let state = Arc::new(Mutex::new(state));
    (DeferredIo(Arc::clone(&state)), Flusher(state))
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// Sends what is buffered. Ready when the buffer is empty.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, &self.out)? {
                Poll::Ready(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(sent) => {
                    self.sent = true;
                    self.out.advance(sent);
                    if let Some(stall) = &mut self.stall {
                        stall.since = Instant::now();
                    }
                }
                Poll::Pending => {
                    self.share.settle(self.out.capacity());
                    return Poll::Pending;
                }
            }
        }
        self.share.settle(0);
        self.stall = None;
        if self.out.capacity() > KEEP {
            self.out = BytesMut::new();
        } else {
            self.out.clear();
        }
        Poll::Ready(Ok(()))
    }

    /// An error where the peer has taken nothing for too long.
    fn poll_stall(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let patience = self.patience;
        let stall = self.stall.get_or_insert_with(|| Stall::new(patience));
        match stall.poll(cx, patience) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }

    /// Makes room for a write, or waits until the peer has read.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.out.len() >= WAIT_AT {
            ready!(self.poll_send(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    fn send_if_large(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.out.len() < SEND_AT {
            return Ok(());
        }
        match self.poll_send(cx) {
            Poll::Ready(result) => result,
            Poll::Pending => Ok(()),
        }
    }
}

impl Flusher {
    /// Sends what the connection has written in this turn. Where the socket takes no more, the
    /// task is woken when it does, or has not for too long; an error must end the connection.
    ///
    /// Nothing is sent before the peer has shown that it speaks HTTP/2: another protocol gets an
    /// answer of its own.
    pub(super) fn flush(&self, cx: &mut Context<'_>) -> io::Result<()> {
        let mut state = lock(&self.0);
        if state.received.greeting() == Greeting::Waiting {
            return Ok(());
        }
        match state.poll_send(cx) {
            Poll::Ready(result) => result,
            Poll::Pending => state.poll_stall(cx),
        }
    }

    /// Whether nothing waits for the peer to read it.
    pub(super) fn has_sent(&self) -> bool {
        lock(&self.0).out.is_empty()
    }

    /// How far the peer has begun.
    pub(super) fn greeting(&self) -> Greeting {
        lock(&self.0).received.greeting()
    }

    /// Ends HTTP/2 with a GOAWAY that says which streams may have been looked at. hyper's frames
    /// before it are whole: each of its writes ends with one.
    pub(super) fn go_away(&self) {
        let mut state = lock(&self.0);
        if state.out.is_empty() && !state.sent {
            state.out.extend_from_slice(&SETTINGS);
        }
        let frame = go_away(state.received.last_stream(), NO_ERROR);
        state.out.extend_from_slice(&frame);
    }

    /// Sends these bytes in place of what waits to be sent.
    pub(super) fn replace(&self, bytes: &[u8]) {
        let out = &mut lock(&self.0).out;
        out.clear();
        out.extend_from_slice(bytes);
    }

    /// Sends the rest, closes the sending side, and reads what the peer has still under way, so
    /// that closing does not reset the connection before the peer has seen the last bytes.
    pub(super) async fn linger(&self) -> io::Result<()> {
        let mut scratch = [0; 4096];
        let mut closed = false;
        std::future::poll_fn(|cx| {
            let mut state = lock(&self.0);
            if !closed {
                ready!(state.poll_send(cx))?;
                ready!(Pin::new(&mut state.stream).poll_shutdown(cx))?;
                closed = true;
            }
            loop {
                let mut buffer = ReadBuf::new(&mut scratch);
                ready!(Pin::new(&mut state.stream).poll_read(cx, &mut buffer))?;
                if buffer.filled().is_empty() {
                    return Poll::Ready(Ok(()));
                }
            }
        })
        .await
    }
}

impl AsyncRead for DeferredIo {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = lock(&self.0);
        // A peer that does not read its answers is not read from.
        ready!(state.poll_room(cx))?;
        let before = buffer.filled().len();
        ready!(Pin::new(&mut state.stream).poll_read(cx, buffer))?;
        state.received.advance(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for DeferredIo {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = lock(&self.0);
        ready!(state.poll_room(cx))?;
        state.out.extend_from_slice(bytes);
        state.send_if_large(cx)?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut state = lock(&self.0);
        ready!(state.poll_room(cx))?;
        let mut written = 0;
        for slice in slices {
            state.out.extend_from_slice(slice);
            written += slice.len();
        }
        state.send_if_large(cx)?;
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Done at once: the task that drives the connection sends the bytes in this same turn.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = lock(&self.0);
        ready!(state.poll_send(cx))?;
        Pin::new(&mut state.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::net::Ipv4Addr;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::memory::Budget;

    /// A peer that takes something now and then is waited for, and one that takes nothing is not.
    #[tokio::test]
    async fn a_peer_that_takes_nothing_is_given_up() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await;
        let (mut peer, (stream, address)) = (peer.unwrap(), listener.accept().await.unwrap());
        let account = Budget::new(1 << 30, 1 << 20).account(address.ip());
        let patience = Duration::from_millis(500);
        let (mut io, flusher) = deferred(stream, account.share(), patience);
        peer.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        io.read_exact(&mut [0; 24]).await.unwrap();
        let started = Instant::now();
        let answers = std::future::poll_fn(|cx| {
            while Pin::new(&mut io).poll_write(cx, &[0; 64 * 1024])?.is_ready() {}
            match flusher.flush(cx) {
                Ok(()) => Poll::<io::Result<()>>::Pending,
                Err(error) => Poll::Ready(Err(error)),
            }
        });
        let reads = async {
            for _ in 0..8 {
                tokio::time::sleep(patience / 2).await;
                peer.read_exact(&mut vec![0; 8 << 20]).await.unwrap();
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            error = answers => assert_eq!(error.unwrap_err().kind(), io::ErrorKind::TimedOut),
            () = reads => {}
        }
        assert!(started.elapsed() > patience * 4, "{:?}", started.elapsed());
    }
}
