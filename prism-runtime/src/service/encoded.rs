//! Encoded answers.

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;

/// Length of what precedes a message in gRPC's framing: a flag and a 32-bit length.
/// <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests>
const PREFIX: usize = 5;

/// An encoded response message, with room before it for gRPC's length prefix, so that framing
/// copies nothing.
#[derive(Clone, Debug, Default)]
pub struct Encoded(BytesMut);

impl Encoded {
    /// Encodes a message.
    pub fn new(message: &impl Message) -> Self {
        let mut encoded = Encoded::with_capacity(message.encoded_len());
        // A BytesMut grows as needed: encoding into one cannot fail.
        message.encode_raw(encoded.buffer());
        encoded
    }

    /// An empty message with room for one of `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        let mut buffer = BytesMut::with_capacity(PREFIX + capacity);
        buffer.put_bytes(0, PREFIX);
        Encoded(buffer)
    }

    /// Where to append the message's encoded fields.
    pub fn buffer(&mut self) -> &mut BytesMut {
        if self.0.is_empty() {
            self.0.put_bytes(0, PREFIX);
        }
        &mut self.0
    }

    /// Length of the message in bytes, without the prefix.
    pub fn len(&self) -> usize {
        self.0.len().saturating_sub(PREFIX)
    }

    /// Whether the message has no field set.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that the message takes in memory.
    pub(crate) fn capacity(&self) -> usize {
        self.0.capacity()
    }

    /// The message alone.
    pub fn message(&self) -> &[u8] {
        self.0.get(PREFIX..).unwrap_or_default()
    }

    /// The message as a gRPC frame, not compressed.
    ///
    /// # Panics
    ///
    /// Where the message is 4 GiB or longer; limits keep answers far below.
    pub fn into_frame(mut self) -> Bytes {
        let length = u32::try_from(self.len()).expect("an answer below 4 GiB");
        self.buffer()[1..PREFIX].copy_from_slice(&length.to_be_bytes());
        self.0.freeze()
    }
}
