//! As much HPACK (RFC 7541) as the generator needs: a request's headers out, a response's
//! `grpc-status` in.

/// What a block of response headers says about the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// No `grpc-status`: the headers before the answer.
    None,
    /// `grpc-status: 0`.
    Ok,
    /// Any other status.
    Failed,
}

/// The request headers of one method: the first request puts them into the server's dynamic
/// table, the others refer to it, as gRPC clients do.
#[derive(Debug)]
pub struct RequestHeaders {
    first: Vec<u8>,
    rest: Vec<u8>,
}

impl RequestHeaders {
    /// Headers of calls to `path` at `authority`.
    pub fn new(authority: &str, path: &str) -> Self {
        // Static table: 3 is `:method: POST`, 6 `:scheme: http`; 1 and 4 and 31 are the names
        // `:authority`, `:path` and `content-type`. 0x40 is a literal that enters the table.
        let mut first = vec![0x80 | 3, 0x80 | 6];
        first.push(0x40 | 4);
        string(&mut first, path);
        first.push(0x40 | 1);
        string(&mut first, authority);
        first.push(0x40 | 31);
        string(&mut first, "application/grpc");
        first.push(0x40);
        string(&mut first, "te");
        string(&mut first, "trailers");
        // The newest entry of the dynamic table has index 62.
        let rest = vec![0x80 | 3, 0x80 | 6, 0x80 | 65, 0x80 | 64, 0x80 | 63, 0x80 | 62];
        RequestHeaders { first, rest }
    }

    /// The block of the next request.
    pub fn block(&self, first: bool) -> &[u8] {
        if first { &self.first } else { &self.rest }
    }
}

/// Appends a string shorter than 127 bytes, without Huffman coding.
fn string(block: &mut Vec<u8>, text: &str) {
    block.push(u8::try_from(text.len()).ok().filter(|length| *length < 127).unwrap_or_default());
    block.extend_from_slice(text.as_bytes());
}

/// Finds `grpc-status` in blocks of response headers. Only that name is told from others, so
/// strings are compared in their encoded form.
#[derive(Debug, Default)]
pub struct StatusReader {
    /// The dynamic table: whether an entry is `grpc-status`, and its status. Oldest first; an
    /// encoder does not refer to what it evicted, so nothing is ever removed.
    table: Vec<Status>,
}

/// `grpc-status` as Huffman codes (RFC 7541 appendix B), padded with ones.
const NAME: [u8; 8] = huffman(
    &[
        (0x26, 6), // g
        (0x2c, 6), // r
        (0x2b, 6), // p
        (0x04, 5), // c
        (0x16, 6), // -
        (0x08, 5), // s
        (0x09, 5), // t
        (0x03, 5), // a
        (0x09, 5), // t
        (0x2d, 6), // u
        (0x08, 5), // s
    ],
    0,
);
const ZERO: [u8; 1] = huffman(&[(0x00, 5)], 0);

const fn huffman<const N: usize, const BYTES: usize>(
    codes: &[(u64, u32); N],
    from: u64,
) -> [u8; BYTES] {
    let mut bits = from;
    let mut length = 0;
    let mut at = 0;
    while at < N {
        bits = (bits << codes[at].1) | codes[at].0;
        length += codes[at].1;
        at += 1;
    }
    let padding = BYTES as u32 * 8 - length;
    bits = (bits << padding) | ((1 << padding) - 1);
    let mut bytes = [0; BYTES];
    let mut byte = 0;
    while byte < BYTES {
        bytes[byte] = (bits >> ((BYTES - 1 - byte) * 8)) as u8;
        byte += 1;
    }
    bytes
}

impl StatusReader {
    /// Reads one complete block. `None` where it is malformed.
    pub fn read(&mut self, mut block: &[u8]) -> Option<Status> {
        let mut found = Status::None;
        while let Some(first) = block.first().copied() {
            let status = if first & 0x80 != 0 {
                let index = integer(&mut block, 7)?;
                self.entry(index)?
            } else if first & 0x40 != 0 {
                let status = self.literal(&mut block, 6)?;
                self.table.push(status);
                status
            } else if first & 0x20 != 0 {
                integer(&mut block, 5)?;
                Status::None
            } else {
                self.literal(&mut block, 4)?
            };
            if status != Status::None {
                found = status;
            }
        }
        Some(found)
    }

    fn entry(&self, index: usize) -> Option<Status> {
        match index.checked_sub(62) {
            None => Some(Status::None),
            Some(age) => self.table.iter().rev().nth(age).copied(),
        }
    }

    fn literal(&self, block: &mut &[u8], prefix: u32) -> Option<Status> {
        let index = integer(block, prefix)?;
        let is_status = if index == 0 {
            let (name, coded) = read_string(block)?;
            if coded { name == NAME } else { name == b"grpc-status" }
        } else {
            self.entry(index)? != Status::None
        };
        let (value, coded) = read_string(block)?;
        if !is_status {
            return Some(Status::None);
        }
        let zero = if coded { value == ZERO } else { value == b"0" };
        Some(if zero { Status::Ok } else { Status::Failed })
    }
}

/// RFC 7541, 5.1.
fn integer(block: &mut &[u8], prefix: u32) -> Option<usize> {
    let mask = (1usize << prefix) - 1;
    let mut value = usize::from(*block.first()?) & mask;
    *block = &block[1..];
    if value < mask {
        return Some(value);
    }
    let mut shift = 0;
    loop {
        let byte = *block.first()?;
        *block = &block[1..];
        value = value.checked_add(usize::from(byte & 0x7f).checked_shl(shift)?)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
        shift += 7;
    }
}

/// RFC 7541, 5.2: the string as it is coded, and whether that is with Huffman's code.
fn read_string<'a>(block: &mut &'a [u8]) -> Option<(&'a [u8], bool)> {
    let coded = block.first()? & 0x80 != 0;
    let length = integer(block, 7)?;
    let (text, rest) = block.split_at_checked(length)?;
    *block = rest;
    Some((text, coded))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn status_is_found_plain_coded_and_indexed() {
        let mut reader = StatusReader::default();
        assert_eq!(reader.read(&[0x88]), Some(Status::None)); // :status: 200
        let mut coded = vec![0x40, 0x88];
        coded.extend(NAME);
        coded.extend([0x81, 0x07]);
        assert_eq!(reader.read(&coded), Some(Status::Ok));
        assert_eq!(reader.read(&[0xbe]), Some(Status::Ok)); // entry 62
        // Another entry moves the first to 63.
        assert_eq!(reader.read(b"\x40\x01a\x01b"), Some(Status::None));
        assert_eq!(reader.read(&[0xbf]), Some(Status::Ok));
        // The name from the table, another value.
        assert_eq!(reader.read(b"\x0f\x30\x0214"), Some(Status::Failed));
        assert_eq!(reader.read(b"\x00\x0bgrpc-status\x010"), Some(Status::Ok));
        assert_eq!(reader.read(&[0xff]), None);
    }

    #[test]
    fn later_requests_refer_to_the_first() {
        let headers = RequestHeaders::new("localhost", "/a.B/C");
        assert_eq!(&headers.block(true)[..4], &[0x83, 0x86, 0x44, 6]);
        assert_eq!(headers.block(false).len(), 6);
    }
}
