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
    let mut frame = Frame { limit, budget, buffer: Buffer::default(), expected: None, share: None };
    while let Some(part) = body.frame().await {
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

struct Frame<'a> {
    limit: usize,
    budget: &'a Budget,
    buffer: Buffer,
    /// Length of the whole frame, prefix included, once the prefix is there.
    expected: Option<usize>,
    share: Option<Share>,
}

impl Frame<'_> {
    fn push(&mut self, data: Bytes) -> Result<()> {
        self.buffer.push(data);
        if self.expected.is_none() && self.buffer.as_slice().len() >= PREFIX {
            self.expected = Some(PREFIX + self.announced()?);
        }
        let received = self.buffer.as_slice().len();
        match self.expected {
            Some(expected) if received > expected => {
                Err(invalid("the request holds more than one message"))
            }
            Some(expected) if received < expected && self.share.is_none() => {
                self.share = Some(self.budget.take(expected)?);
                Ok(())
            }
            _ => Ok(()),
        }
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

    fn finish(self) -> Result<(Bytes, Option<Share>)> {
        let frame = self.buffer.into_bytes();
        match self.expected {
            Some(expected) if frame.len() == expected => Ok((frame.slice(PREFIX..), self.share)),
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
