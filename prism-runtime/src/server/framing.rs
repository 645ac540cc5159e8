//! gRPC's framing of requests: a flag byte, a 32-bit length, and the message.
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests>

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use super::budget::{Budget, Share};
use crate::error::{Code, Error, Reason, Result};

const PREFIX: usize = 5;

/// Reads the one message of a request, and that nothing follows it.
///
/// `limit` is the largest message in bytes. A longer one is refused by its announced length,
/// before it is read. One that does not come in one piece takes its share of the budget, which
/// is held as long as the message.
pub(super) async fn read_message(
    body: &mut Incoming,
    limit: usize,
    budget: &Budget,
) -> Result<(Bytes, Option<Share>)> {
    let mut frame = Frame::new(limit, budget);
    while let Some(part) = body.frame().await {
        let part = part.map_err(broken_stream)?;
        if let Ok(data) = part.into_data()
            && !data.is_empty()
            && !frame.push(data)?.is_empty()
        {
            return Err(cardinality("the method takes one message, and the request holds more"));
        }
        if body.is_end_stream() {
            break;
        }
    }
    if frame.is_empty() {
        return Err(cardinality("the method takes one message, and the request holds none"));
    }
    frame.finish()
}

/// The messages of a request that streams them, one after the other.
pub(super) struct MessageReader {
    body: Incoming,
    /// What came with the end of the last message: less than a DATA frame of HTTP/2.
    rest: Bytes,
    /// The largest message in bytes.
    limit: usize,
    budget: Budget,
}

impl MessageReader {
    pub(super) fn new(body: Incoming, limit: usize, budget: Budget) -> Self {
        MessageReader { body, rest: Bytes::new(), limit, budget }
    }

    /// Reads the next message, and no more than it takes; `None` where the caller has sent all.
    pub(super) async fn next(&mut self) -> Result<Option<(Bytes, Option<Share>)>> {
        let mut frame = Frame::new(self.limit, &self.budget);
        loop {
            if !self.rest.is_empty() {
                self.rest = frame.push(std::mem::take(&mut self.rest))?;
                if frame.is_whole() {
                    return frame.finish().map(Some);
                }
            }
            match self.body.frame().await {
                Some(part) => {
                    self.rest = part.map_err(broken_stream)?.into_data().unwrap_or_default();
                }
                None if frame.is_empty() => return Ok(None),
                None => return frame.finish().map(Some),
            }
        }
    }
}

struct Frame<'a> {
    limit: usize,
    budget: &'a Budget,
    buffer: Buffer,
    /// Length of the whole frame, prefix included, once the prefix is there.
    expected: Option<usize>,
    share: Option<Share>,
}

impl<'a> Frame<'a> {
    fn new(limit: usize, budget: &'a Budget) -> Self {
        Frame { limit, budget, buffer: Buffer::default(), expected: None, share: None }
    }

    /// Takes what belongs to the message, and returns the rest.
    fn push(&mut self, mut data: Bytes) -> Result<Bytes> {
        if self.expected.is_none() {
            let missing = PREFIX - self.received();
            if self.buffer.is_empty() && data.len() >= PREFIX {
                // The prefix stays with its message, so that nothing is copied.
                self.expected = Some(PREFIX + self.announced(&data[..PREFIX])?);
            } else {
                self.buffer.push(data.split_to(missing.min(data.len())));
                if self.received() == PREFIX {
                    self.expected = Some(PREFIX + self.announced(self.buffer.as_slice())?);
                }
            }
        }
        if let Some(expected) = self.expected {
            let missing = expected - self.received();
            if missing > 0 && !data.is_empty() {
                self.buffer.push(data.split_to(missing.min(data.len())));
            }
            if self.received() < expected && self.share.is_none() {
                self.share = Some(self.budget.take(expected)?);
            }
        }
        Ok(data)
    }

    fn received(&self) -> usize {
        self.buffer.as_slice().len()
    }

    fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    fn is_whole(&self) -> bool {
        self.expected == Some(self.received())
    }

    /// Reads a prefix.
    fn announced(&self, mut prefix: &[u8]) -> Result<usize> {
        match prefix.get_u8() {
            0 => {}
            // A call whose `grpc-encoding` names a compression was refused by its headers.
            1 => return Err(malformed("the message is compressed without a grpc-encoding")),
            _ => return Err(malformed("the message's first byte is neither 0 nor 1")),
        }
        let length = prefix.get_u32() as usize;
        if length > self.limit {
            return Err(too_large(length, self.limit));
        }
        Ok(length)
    }

    fn finish(self) -> Result<(Bytes, Option<Share>)> {
        if !self.is_whole() {
            return Err(malformed("the message ends before its announced length"));
        }
        Ok((self.buffer.into_bytes().slice(PREFIX..), self.share))
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
    fn push(&mut self, data: Bytes) {
        *self = match std::mem::take(self) {
            Buffer::Empty => Buffer::One(data),
            Buffer::One(first) => {
                let mut all = BytesMut::with_capacity(2 * (first.len() + data.len()));
                all.extend_from_slice(&first);
                all.extend_from_slice(&data);
                Buffer::Many(all)
            }
            Buffer::Many(mut all) => {
                all.extend_from_slice(&data);
                Buffer::Many(all)
            }
        };
    }

    fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
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

/// Bytes that are no frames of gRPC.
/// <https://github.com/grpc/grpc/blob/master/doc/statuscodes.md>
pub(super) fn malformed(message: &'static str) -> Error {
    Error::new(Reason::InvalidRequest, message).with_code(Code::Internal)
}

/// No message, or several, for a method that takes one.
/// <https://github.com/grpc/grpc/blob/master/doc/statuscodes.md>
fn cardinality(message: &'static str) -> Error {
    Error::new(Reason::InvalidRequest, message).with_code(Code::Unimplemented)
}

/// A `grpc-encoding` that is not `identity`.
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
