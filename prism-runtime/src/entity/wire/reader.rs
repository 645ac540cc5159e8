//! Protobuf's binary form, field by field.
//! <https://protobuf.dev/programming-guides/encoding/>

use crate::Error;

/// How deep groups and messages may nest, as in prost and other implementations.
pub const MAX_DEPTH: usize = 100;

/// Bytes that are no protobuf message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl From<Malformed> for Error {
    fn from(_: Malformed) -> Self {
        Error::new(crate::Reason::InvalidRequest, "the request is not a valid protobuf message")
    }
}

/// The value of a field as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wire<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Len(&'a [u8]),
    /// What stands between a group's start and its end.
    Group(&'a [u8]),
    Fixed32([u8; 4]),
}

/// One occurrence of a field.
#[derive(Clone, Copy, Debug)]
pub struct Occurrence<'a> {
    pub number: u32,
    pub wire: Wire<'a>,
    /// Tag and value.
    pub raw: &'a [u8],
}

/// Reads a message's fields in order.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader(bytes)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next field; `None` at the end.
    pub fn next(&mut self) -> Result<Option<Occurrence<'a>>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let start = self.0;
        let (number, kind) = self.tag()?;
        let wire = self.value(number, kind, 0)?;
        let raw = &start[..start.len() - self.0.len()];
        Ok(Some(Occurrence { number, wire, raw }))
    }

    pub fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for (position, &byte) in self.0.iter().enumerate().take(10) {
            if position == 9 && byte > 1 {
                return Err(Malformed);
            }
            value |= u64::from(byte & 0x7f) << (7 * position);
            if byte < 0x80 {
                self.0 = &self.0[position + 1..];
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    pub fn fixed64(&mut self) -> Result<[u8; 8], Malformed> {
        let (word, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*word)
    }

    pub fn fixed32(&mut self) -> Result<[u8; 4], Malformed> {
        let (word, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*word)
    }

    fn tag(&mut self) -> Result<(u32, u8), Malformed> {
        let tag = u32::try_from(self.varint()?).map_err(|_| Malformed)?;
        let number = tag >> 3;
        if number == 0 {
            return Err(Malformed);
        }
        Ok((number, (tag & 7) as u8))
    }

    fn value(&mut self, number: u32, kind: u8, depth: usize) -> Result<Wire<'a>, Malformed> {
        match kind {
            0 => self.varint().map(Wire::Varint),
            1 => self.fixed64().map(Wire::Fixed64),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
                let (content, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
                self.0 = rest;
                Ok(Wire::Len(content))
            }
            3 => self.group(number, depth + 1).map(Wire::Group),
            5 => self.fixed32().map(Wire::Fixed32),
            _ => Err(Malformed),
        }
    }

    fn group(&mut self, number: u32, depth: usize) -> Result<&'a [u8], Malformed> {
        if depth > MAX_DEPTH {
            return Err(Malformed);
        }
        let start = self.0;
        loop {
            let before = self.0.len();
            let (inner, kind) = self.tag()?;
            if kind == 4 {
                let content = &start[..start.len() - before];
                return if inner == number { Ok(content) } else { Err(Malformed) };
            }
            self.value(inner, kind, depth)?;
        }
    }
}
