//! gRPC's framing of requests: a flag byte, a 32-bit length, and the message.
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests>

use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use futures_util::FutureExt as _;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::time::timeout_at;

use super::call::deadline_passed;
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
    let mut frame = Frame::new(limit);
    while let Some(part) = next_part(body, &mut frame, share, &waiting).await? {
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

/// Waits for the next part of a body. What is held meanwhile is counted.
async fn next_part(
    body: &mut Incoming,
    frame: &mut Frame,
    share: &mut Share,
    waiting: impl Fn() -> usize,
) -> Result<Option<http_body::Frame<Bytes>>> {
    let mut next = body.frame();
    let part = match poll_fn(|cx| Poll::Ready(next.poll_unpin(cx))).await {
        Poll::Ready(part) => part,
        Poll::Pending => {
            share.set(frame.detach() + waiting())?;
            next.await
        }
    };
    part.transpose().map_err(broken_stream)
}

/// The messages of a request that streams them, one after the other.
pub(super) struct MessageReader {
    body: Incoming,
    /// What came with the end of the last message: less than a DATA frame of HTTP/2.
    rest: Bytes,
    /// The largest message in bytes.
    limit: usize,
    /// How long a message may take from its first byte to its last.
    patience: Option<Duration>,
}

impl MessageReader {
    pub(super) fn new(body: Incoming, limit: usize, patience: Option<Duration>) -> Self {
        MessageReader { body, rest: Bytes::new(), limit, patience }
    }

    /// Reads the next message, and no more than it takes; `None` where the caller has sent all.
    /// What has arrived is counted on the share.
    pub(super) async fn next(&mut self, share: &mut Share) -> Result<Option<Bytes>> {
        let mut frame = Frame::new(self.limit);
        let mut until = None;
        loop {
            if !self.rest.is_empty() {
                self.rest = frame.push(std::mem::take(&mut self.rest))?;
                if frame.is_whole() {
                    return frame.finish().map(Some);
                }
                until = until.or_else(|| Instant::now().checked_add(self.patience?));
            }
            let rest = self.rest.len();
            let reading = next_part(&mut self.body, &mut frame, share, || rest);
            let part = match until {
                None => reading.await?,
                Some(until) => {
                    timeout_at(until.into(), reading).await.map_err(|_| deadline_passed())??
                }
            };
            match part {
                Some(part) => self.rest = part.into_data().unwrap_or_default(),
                None if frame.is_empty() => return Ok(None),
                None => return frame.finish().map(Some),
            }
        }
    }
}

struct Frame {
    limit: usize,
    buffer: Buffer,
    /// Length of the whole frame, prefix included, once the prefix is there.
    expected: Option<usize>,
}

impl Frame {
    fn new(limit: usize) -> Self {
        Frame { limit, buffer: Buffer::default(), expected: None }
    }

    /// Takes what belongs to the message, and returns the rest.
    fn push(&mut self, mut data: Bytes) -> Result<Bytes> {
        if self.expected.is_none() {
            let missing = PREFIX - self.received();
            if self.buffer.is_empty() && data.len() >= PREFIX {
                // The prefix stays with its message, so that nothing is copied.
                self.expected = Some(PREFIX + self.announced(&data[..PREFIX])?);
            } else {
                self.buffer.push(data.split_to(missing.min(data.len())), usize::MAX);
                if self.received() == PREFIX {
                    self.expected = Some(PREFIX + self.announced(self.buffer.as_slice())?);
                }
            }
        }
        if let Some(expected) = self.expected {
            let missing = expected - self.received();
            if missing > 0 && !data.is_empty() {
                self.buffer.push(data.split_to(missing.min(data.len())), expected);
            }
        }
        Ok(data)
    }

    /// Gets ready to wait for the rest of the message. Answers with what is held meanwhile.
    fn detach(&mut self) -> usize {
        self.buffer.detach(self.expected.unwrap_or(usize::MAX))
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

    fn finish(self) -> Result<Bytes> {
        if !self.is_whole() {
            return Err(malformed("the message ends before its announced length"));
        }
        Ok(self.buffer.into_bytes().slice(PREFIX..))
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

/// Makes room for more bytes: for as many as there are, or what is left of the whole.
fn make_room(buffer: &mut BytesMut, more: usize, whole: usize) {
    if buffer.capacity() - buffer.len() < more {
        let target = (2 * (buffer.len() + more)).min(whole).max(buffer.len() + more);
        buffer.reserve(target - buffer.len());
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Messages as they are read from pieces of a body.
    fn read(pieces: &[&[u8]], limit: usize) -> Result<Vec<Bytes>> {
        let mut messages = Vec::new();
        let mut frame = Frame::new(limit);
        for piece in pieces {
            let mut rest = Bytes::copy_from_slice(piece);
            while !rest.is_empty() {
                rest = frame.push(rest)?;
                if frame.is_whole() {
                    let whole = std::mem::replace(&mut frame, Frame::new(limit));
                    messages.push(whole.finish()?);
                }
            }
        }
        if !frame.is_empty() {
            frame.finish()?;
        }
        Ok(messages)
    }

    /// Cuts bytes at these places.
    fn cut<'a>(mut bytes: &'a [u8], places: &[usize]) -> Vec<&'a [u8]> {
        let mut pieces = Vec::new();
        for place in places {
            let (piece, rest) = bytes.split_at((*place).min(bytes.len()));
            pieces.push(piece);
            bytes = rest;
        }
        pieces.push(bytes);
        pieces
    }

    fn framed(messages: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for message in messages {
            bytes.push(0);
            bytes.extend_from_slice(&(message.len() as u32).to_be_bytes());
            bytes.extend_from_slice(message);
        }
        bytes
    }

    proptest! {
        #[test]
        fn messages_are_the_same_however_their_bytes_are_cut(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6),
            places in prop::collection::vec(0..12_usize, 0..40),
        ) {
            let bytes = framed(&messages);
            prop_assert_eq!(read(&cut(&bytes, &places), 40).unwrap(), messages);
        }

        #[test]
        fn what_ends_within_a_message_is_malformed(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..4),
            places in prop::collection::vec(0..12_usize, 0..40),
            missing in 1..5_usize,
        ) {
            let bytes = framed(&messages);
            // Fewer bytes than the last frame has, so that its beginning is there.
            let bytes = &bytes[..bytes.len() - missing];
            let error = read(&cut(bytes, &places), 40).unwrap_err();
            prop_assert_eq!(error.code(), Code::Internal);
        }

        #[test]
        fn flags_and_lengths_are_judged_as_soon_as_they_are_there(
            flag in 1..=u8::MAX,
            length in 41..=u32::MAX,
            places in prop::collection::vec(1..3_usize, 0..5),
        ) {
            let flagged = [&[flag][..], &[0; 4]].concat();
            let error = read(&cut(&flagged, &places), 40).unwrap_err();
            prop_assert_eq!(error.code(), Code::Internal);
            let long = [&[0][..], &length.to_be_bytes()].concat();
            let error = read(&cut(&long, &places), 40).unwrap_err();
            prop_assert_eq!(error.reason(), Reason::ValueTooLarge);
        }
    }
}
