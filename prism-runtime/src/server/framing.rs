//! gRPC's framing of requests: a flag byte, a 32-bit length, and the message.
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests>

use std::future::poll_fn;
use std::task::Poll;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::FutureExt as _;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use crate::error::{Code, Error, Reason, Result};
use crate::memory::Share;

const PREFIX: usize = 5;

/// Reads the one message of a request, and that nothing follows it.
///
/// `limit` is the largest message in bytes. A longer one is refused by its announced length,
/// before it is read. One that does not come in one piece is counted as it arrives, whatever
/// length it announces, and what waits for it is counted too: `waiting` bytes.
pub(super) async fn read_message(
    body: &mut Incoming,
    limit: usize,
    share: &mut Share,
    waiting: impl Fn() -> usize,
) -> Result<Bytes> {
    let mut frame = Frame { limit, buffer: Buffer::default(), expected: None };
    loop {
        let mut next = body.frame();
        let part = match poll_fn(|cx| Poll::Ready(next.poll_unpin(cx))).await {
            Poll::Ready(part) => part,
            Poll::Pending => {
                share.set(frame.detach() + waiting())?;
                next.await
            }
        };
        let Some(part) = part else { break };
        let part = part.map_err(broken_stream)?;
        if let Ok(data) = part.into_data()
            && !data.is_empty()
        {
            frame.push(data)?;
        }
        if body.is_end_stream() {
            break;
        }
    }
    frame.finish()
}

struct Frame {
    limit: usize,
    buffer: Buffer,
    /// Length of the whole frame, prefix included, once the prefix is there.
    expected: Option<usize>,
}

impl Frame {
    fn push(&mut self, data: Bytes) -> Result<()> {
        let expected = self.expected.unwrap_or(usize::MAX);
        self.buffer.push(data, expected);
        if self.expected.is_none() && self.buffer.as_slice().len() >= PREFIX {
            self.expected = Some(PREFIX + self.announced()?);
        }
        match self.expected {
            Some(expected) if self.buffer.as_slice().len() > expected => {
                Err(invalid("the request holds more than one message"))
            }
            _ => Ok(()),
        }
    }

    /// Gets ready to wait for the rest of the message. Answers with what is held meanwhile.
    fn detach(&mut self) -> usize {
        self.buffer.detach(self.expected.unwrap_or(usize::MAX))
    }

    /// Reads the prefix.
    fn announced(&self) -> Result<usize> {
        let mut prefix = &self.buffer.as_slice()[..PREFIX];
        match prefix.get_u8() {
            0 => {}
            1 => return Err(compressed()),
            _ => return Err(invalid("the message's first byte is neither 0 nor 1")),
        }
        let length = prefix.get_u32() as usize;
        if length > self.limit {
            return Err(too_large(length, self.limit));
        }
        Ok(length)
    }

    fn finish(self) -> Result<Bytes> {
        let frame = self.buffer.into_bytes();
        match self.expected {
            Some(expected) if frame.len() == expected => Ok(frame.slice(PREFIX..)),
            None if frame.is_empty() => Err(invalid("the request holds no message")),
            _ => Err(invalid("the message ends before its announced length")),
        }
    }
}

/// What was received of a message. The first piece, which mostly is the whole, is not copied.
#[derive(Default)]
enum Buffer {
    #[default]
    Empty,
    One(Bytes),
    Many(BytesMut),
}

impl Buffer {
    /// Adds a piece. `expected` is the length of the whole, which room is never made for at once:
    /// who announces much may send little.
    fn push(&mut self, data: Bytes, expected: usize) {
        if matches!(self, Buffer::Empty) {
            *self = Buffer::One(data);
            return;
        }
        self.detach(expected);
        if let Buffer::Many(all) = self {
            make_room(all, data.len(), expected);
            all.extend_from_slice(&data);
        }
    }

    /// Copies the first piece, which is a part of the connection's buffer and keeps the whole of
    /// that. Answers with what is held now.
    fn detach(&mut self, expected: usize) -> usize {
        if let Buffer::One(first) = self {
            let mut all = BytesMut::new();
            make_room(&mut all, first.len(), expected);
            all.extend_from_slice(first);
            *self = Buffer::Many(all);
        }
        match self {
            Buffer::Many(all) => all.capacity(),
            Buffer::Empty | Buffer::One(_) => 0,
        }
    }

    fn as_slice(&self) -> &[u8] {
        match self {
            Buffer::Empty => &[],
            Buffer::One(bytes) => bytes,
            Buffer::Many(bytes) => bytes,
        }
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Buffer::Empty => Bytes::new(),
            Buffer::One(bytes) => bytes,
            Buffer::Many(bytes) => bytes.freeze(),
        }
    }
}

/// Makes room for more bytes: for as many as there are, or what is left of the whole.
fn make_room(buffer: &mut BytesMut, more: usize, whole: usize) {
    if buffer.capacity() - buffer.len() < more {
        let target = (2 * (buffer.len() + more)).min(whole).max(buffer.len() + more);
        buffer.reserve(target - buffer.len());
    }
}

fn invalid(message: &'static str) -> Error {
    Error::new(Reason::InvalidRequest, message)
}

/// A compressed message, or a `grpc-encoding` that is not `identity`.
pub(super) fn compressed() -> Error {
    Error::new(
        Reason::InvalidRequest,
        "compressed messages are not accepted; send them as they are",
    )
    .with_code(Code::Unimplemented)
}

fn too_large(length: usize, limit: usize) -> Error {
    let message =
        format!("the message has {length} bytes; server.max_message_bytes allows {limit}");
    Error::new(Reason::ValueTooLarge, message).with_code(Code::ResourceExhausted)
}

/// The caller reset the stream or left; the answer reaches nobody, the log gets it.
fn broken_stream(error: hyper::Error) -> Error {
    Error::new(Reason::InvalidRequest, "the request's stream broke off")
        .with_code(Code::Cancelled)
        .with_source(error)
}
