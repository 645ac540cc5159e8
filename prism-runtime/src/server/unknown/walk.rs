//! The walk over a message's bytes that every request takes: it only finds whether something is
//! wrong, and counts what its elements take once they are decoded. What exactly is wrong, and where, is found by a second walk of `path.rs`.
//! <https://protobuf.dev/programming-guides/encoding/>

use super::tables::{Field, Kind, MessageId, Tables};

/// Messages within messages that are followed, as protobuf's own decoders do.
pub(super) const MAX_DEPTH: usize = 100;
/// Largest field number.
const MAX_NUMBER: u64 = (1 << 29) - 1;

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The bytes are not a message of the type.
    Malformed(&'static str),
    /// A text is not UTF-8.
    Utf8,
    /// It would take too much memory once it is decoded.
    TooMany,
}

type Checked<T = ()> = Result<T, Fault>;

/// What a message's elements may take once it is decoded: this many bytes, and this many for each
/// of the message's own.
const FREE_WEIGHT: usize = 8 << 20;
const WEIGHT_A_BYTE: usize = 16;

/// What a value takes within a field that is stored as JSON, and a message with fields beside
/// that: it is read into a tree.
const JSON_VALUE: usize = 192;
const JSON_MESSAGE: usize = 1024;

/// What a walk has found in a message that is not malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Walked {
    /// What its repeated elements take once it is decoded, in bytes.
    pub(super) weight: usize,
    /// Whether it has fields or values that the schema does not know.
    pub(super) unknown: bool,
}

/// Checks a message.
pub(super) fn check(tables: &Tables, message: MessageId, bytes: &[u8]) -> Checked<Walked> {
    let limit = FREE_WEIGHT + WEIGHT_A_BYTE * bytes.len();
    let mut walk = Walk { tables, unknown: false, weight: 0, limit, json: false };
    walk.message(message, &mut Reader { rest: bytes }, None, MAX_DEPTH)?;
    if walk.weight > limit {
        return Err(Fault::TooMany);
    }
    Ok(Walked { weight: walk.weight, unknown: walk.unknown })
}

struct Walk<'a> {
    tables: &'a Tables,
    unknown: bool,
    weight: usize,
    limit: usize,
    /// Within a field that is stored as JSON.
    json: bool,
}

impl Walk<'_> {
    /// Reads a message up to the end of the bytes, or of the group of this number.
    fn message(
        &mut self,
        message: MessageId,
        reader: &mut Reader<'_>,
        group: Option<u32>,
        depth: usize,
    ) -> Checked {
        let depth = deeper(depth)?;
        let tables = self.tables;
        let message = tables.fields(message);
        if self.json && !reader.rest.is_empty() {
            self.weight += JSON_MESSAGE;
        }
        while let Some((number, wire)) = reader.tag()? {
            if wire == Wire::EndGroup {
                return ends(group, number);
            }
            match message.field(number) {
                Some(field) => self.field(field, wire, reader, depth)?,
                None => {
                    self.unknown = true;
                    reader.skip(number, wire, depth)?;
                }
            }
        }
        if group.is_some() { Err(truncated()) } else { Ok(()) }
    }

    fn field(
        &mut self,
        field: &Field,
        wire: Wire,
        reader: &mut Reader<'_>,
        depth: usize,
    ) -> Checked {
        self.weight += if self.json || field.json { JSON_VALUE } else { field.weight };
        if self.weight > self.limit {
            return Err(Fault::TooMany);
        }
        match (&field.kind, wire) {
            (Kind::Varint, Wire::Varint) => reader.varint().map(drop),
            (Kind::ClosedEnum(numbers), Wire::Varint) => {
                let value = reader.varint()?;
                self.unknown |= !is_member(numbers, value);
                Ok(())
            }
            (Kind::Fixed32, Wire::Fixed32) => reader.take(4).map(drop),
            (Kind::Fixed64, Wire::Fixed64) => reader.take(8).map(drop),
            (Kind::Text, Wire::Length) => match std::str::from_utf8(reader.delimited()?) {
                Ok(_) => Ok(()),
                Err(_) => Err(Fault::Utf8),
            },
            (Kind::Bytes, Wire::Length) => reader.delimited().map(drop),
            (Kind::Message(inner), Wire::Length) => {
                let mut inner_reader = Reader { rest: reader.delimited()? };
                let outer = self.json;
                self.json |= field.json;
                self.message(*inner, &mut inner_reader, None, depth)?;
                self.json = outer;
                Ok(())
            }
            (Kind::Group(inner), Wire::StartGroup) => {
                let outer = self.json;
                self.json |= field.json;
                self.message(*inner, reader, Some(field.number), depth)?;
                self.json = outer;
                Ok(())
            }
            (_, Wire::Length) if field.repeated => self.packed(field, reader.delimited()?),
            _ => Err(Fault::Malformed("a field has another wire type than the schema gives it")),
        }
    }

    fn packed(&mut self, field: &Field, bytes: &[u8]) -> Checked {
        let mut reader = Reader { rest: bytes };
        let mut count = 0;
        match &field.kind {
            Kind::Fixed32 | Kind::Fixed64 => {
                let size = if matches!(field.kind, Kind::Fixed32) { 4 } else { 8 };
                if !bytes.len().is_multiple_of(size) {
                    return Err(truncated());
                }
                count = bytes.len() / size;
            }
            Kind::Varint => {
                while !reader.rest.is_empty() {
                    reader.varint()?;
                    count += 1;
                }
            }
            Kind::ClosedEnum(numbers) => {
                while !reader.rest.is_empty() {
                    let value = reader.varint()?;
                    self.unknown |= !is_member(numbers, value);
                    count += 1;
                }
            }
            _ => {
                let what = "a field has another wire type than the schema gives it";
                return Err(Fault::Malformed(what));
            }
        }
        let json = self.json || field.json;
        self.weight += count * if json { JSON_VALUE } else { field.weight };
        Ok(())
    }
}

/// Whether a closed enum has this number. Enums are 32 bits wide, the upper ones are cut.
pub(super) fn is_member(numbers: &[i32], value: u64) -> bool {
    numbers.binary_search(&(value as i32)).is_ok()
}

/// What precedes a field's value says how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    Varint,
    Fixed64,
    Length,
    StartGroup,
    EndGroup,
    Fixed32,
}

/// Reads the pieces of a message.
pub(super) struct Reader<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// The next field's number and wire type; none at the end.
    pub(super) fn tag(&mut self) -> Checked<Option<(u32, Wire)>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = tag >> 3;
        if number == 0 || number > MAX_NUMBER {
            return Err(Fault::Malformed("a field number is out of range"));
        }
        let wire = match tag & 7 {
            0 => Wire::Varint,
            1 => Wire::Fixed64,
            2 => Wire::Length,
            3 => Wire::StartGroup,
            4 => Wire::EndGroup,
            5 => Wire::Fixed32,
            _ => return Err(Fault::Malformed("a field has a wire type that does not exist")),
        };
        Ok(Some((number as u32, wire)))
    }

    pub(super) fn varint(&mut self) -> Checked<u64> {
        let mut value = 0;
        for (index, byte) in self.rest.iter().enumerate().take(10) {
            if index == 9 && *byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        if self.rest.len() < 10 {
            Err(truncated())
        } else {
            Err(Fault::Malformed("a varint is too long"))
        }
    }

    pub(super) fn take(&mut self, length: usize) -> Checked<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn delimited(&mut self) -> Checked<&'a [u8]> {
        let length = self.varint()?;
        self.take(usize::try_from(length).map_err(|_| truncated())?)
    }

    /// Passes over the value of a field whose tag has been read.
    pub(super) fn skip(&mut self, number: u32, wire: Wire, depth: usize) -> Checked {
        match wire {
            Wire::Varint => self.varint().map(drop),
            Wire::Fixed64 => self.take(8).map(drop),
            Wire::Fixed32 => self.take(4).map(drop),
            Wire::Length => self.delimited().map(drop),
            Wire::EndGroup => Err(Fault::Malformed("a group ends that did not begin")),
            Wire::StartGroup => {
                let depth = deeper(depth)?;
                while let Some((inner, wire)) = self.tag()? {
                    if wire == Wire::EndGroup {
                        return ends(Some(number), inner);
                    }
                    self.skip(inner, wire, depth)?;
                }
                Err(truncated())
            }
        }
    }
}

fn deeper(depth: usize) -> Checked<usize> {
    depth.checked_sub(1).ok_or(Fault::Malformed("messages are nested more than 100 deep"))
}

fn ends(group: Option<u32>, number: u32) -> Checked {
    if group == Some(number) {
        Ok(())
    } else {
        Err(Fault::Malformed("a group ends that did not begin"))
    }
}

fn truncated() -> Fault {
    Fault::Malformed("the message ends in the middle of a field")
}
