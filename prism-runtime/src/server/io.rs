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

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

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
    received: u64,
    /// What waits for the peer to read it.
    share: Share,
}

/// Wraps a socket. What the peer does not read is counted on the share.
pub(super) fn deferred(stream: TcpStream, share: Share) -> (DeferredIo, Flusher) {
    let state = State { stream, out: BytesMut::new(), received: 0, share };
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
                Poll::Ready(sent) => self.out.advance(sent),
                Poll::Pending => {
                    self.share.settle(self.out.capacity());
                    return Poll::Pending;
                }
            }
        }
        self.share.settle(0);
        if self.out.capacity() > KEEP {
            self.out = BytesMut::new();
        } else {
            self.out.clear();
        }
        Poll::Ready(Ok(()))
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
    /// task is woken when it does; an error must end the connection.
    pub(super) fn flush(&self, cx: &mut Context<'_>) -> io::Result<()> {
        match lock(&self.0).poll_send(cx) {
            Poll::Ready(result) => result,
            Poll::Pending => Ok(()),
        }
    }

    /// Bytes received so far.
    pub(super) fn received(&self) -> u64 {
        lock(&self.0).received
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
        state.received += (buffer.filled().len() - before) as u64;
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
