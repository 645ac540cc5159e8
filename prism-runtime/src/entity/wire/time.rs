//! `google.protobuf.Timestamp` and `Duration` as microseconds.

use bytes::BufMut;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

use super::reader::{Malformed, Reader, Wire};
use crate::schema::Value;
use crate::schema::plan::Comparison;

/// Seconds of 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z.
/// <https://github.com/protocolbuffers/protobuf/blob/main/src/google/protobuf/timestamp.proto>
const TIMESTAMP_SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// 10,000 years.
/// <https://github.com/protocolbuffers/protobuf/blob/main/src/google/protobuf/duration.proto>
const MAX_DURATION_SECONDS: i64 = 315_576_000_000;

const MICROS: i64 = 1_000_000;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeKind {
    Timestamp,
    Duration,
}

/// Why a message is no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFault {
    Malformed,
    /// What is wrong with it.
    Invalid(&'static str),
}

impl From<Malformed> for TimeFault {
    fn from(_: Malformed) -> Self {
        TimeFault::Malformed
    }
}

/// A time in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Micros {
    /// Cut towards minus infinity.
    pub floor: i64,
    /// Whether finer digits were cut off.
    pub finer: bool,
}

/// What becomes of a time with digits finer than a microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finer {
    /// Cut towards minus infinity: a value that is stored.
    Cut,
    /// Refused: the key, and fields with a unique index, also in reads.
    Refuse,
    /// The next microsecond: the bound of a range. No stored value lies between the two, so that
    /// `>=` and `<` mean the same as with all digits.
    NextMicro,
    /// NULL: a value that a stored one is to be equal to, which none is.
    Unequal,
}

impl Finer {
    /// In a value that a column is compared with.
    pub fn compared(comparison: Comparison) -> Finer {
        match comparison {
            Comparison::AtLeast | Comparison::LessThan => Finer::NextMicro,
            Comparison::Equals | Comparison::AnyOf | Comparison::Prefix => Finer::Unequal,
        }
    }

    /// The value that is stored or compared with.
    ///
    /// # Errors
    ///
    /// What is wrong with finer digits, if they are refused.
    pub fn value(self, micros: Micros) -> Result<Value, &'static str> {
        let Micros { floor, finer } = micros;
        Ok(match self {
            _ if !finer => Value::Int(floor),
            Finer::Cut => Value::Int(floor),
            Finer::NextMicro => Value::Int(floor + 1),
            Finer::Unequal => Value::Null,
            Finer::Refuse => {
                return Err("is finer than a microsecond, which a key or unique field cannot be");
            }
        })
    }
}

impl TimeKind {
    /// The microseconds of an encoded message.
    pub fn decode(self, message: &[u8]) -> Result<Micros, TimeFault> {
        let (mut seconds, mut nanos) = (0i64, 0i32);
        let mut reader = Reader::new(message);
        while let Some(field) = reader.next()? {
            match (field.number, field.wire) {
                (1, Wire::Varint(bits)) => seconds = bits as i64,
                (2, Wire::Varint(bits)) => nanos = bits as i32,
                (1 | 2, _) => return Err(TimeFault::Malformed),
                _ => {}
            }
        }
        self.micros(seconds, nanos).map_err(TimeFault::Invalid)
    }

    /// The microseconds of seconds and nanoseconds.
    pub fn micros(self, seconds: i64, nanos: i32) -> Result<Micros, &'static str> {
        match self {
            TimeKind::Timestamp => {
                if !TIMESTAMP_SECONDS.contains(&seconds) {
                    return Err("is outside of the years 1 to 9999");
                }
                if !(0..1_000_000_000).contains(&nanos) {
                    return Err("has nanos outside of 0 to 999,999,999");
                }
            }
            TimeKind::Duration => {
                if !(-MAX_DURATION_SECONDS..=MAX_DURATION_SECONDS).contains(&seconds) {
                    return Err("is longer than 10,000 years");
                }
                if !(-999_999_999..=999_999_999).contains(&nanos) {
                    return Err("has nanos outside of -999,999,999 to 999,999,999");
                }
                if (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0) {
                    return Err("has seconds and nanos of different signs");
                }
            }
        }
        let nanos = i64::from(nanos);
        let floor = seconds * MICROS + nanos.div_euclid(1_000);
        Ok(Micros { floor, finer: nanos % 1_000 != 0 })
    }

    /// Seconds and nanoseconds of microseconds.
    pub fn parts(self, micros: i64) -> (i64, i32) {
        let (seconds, rest) = match self {
            TimeKind::Timestamp => (micros.div_euclid(MICROS), micros.rem_euclid(MICROS)),
            TimeKind::Duration => (micros / MICROS, micros % MICROS),
        };
        (seconds, (rest * 1_000) as i32)
    }

    /// Whether stored microseconds are within protobuf's range.
    pub fn holds(self, micros: i64) -> bool {
        let (seconds, nanos) = self.parts(micros);
        self.micros(seconds, nanos).is_ok()
    }

    /// Length of the encoded message.
    pub fn encoded_len(self, micros: i64) -> usize {
        let (seconds, nanos) = self.parts(micros);
        let field = |bits: u64| if bits == 0 { 0 } else { 1 + encoded_len_varint(bits) };
        field(seconds as u64) + field(i64::from(nanos) as u64)
    }

    /// Appends the encoded message.
    pub fn encode(self, micros: i64, out: &mut impl BufMut) {
        let (seconds, nanos) = self.parts(micros);
        for (number, value) in [(1, seconds), (2, i64::from(nanos))] {
            if value != 0 {
                encode_key(number, WireType::Varint, out);
                encode_varint(value as u64, out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn micros(kind: TimeKind, seconds: i64, nanos: i32, finer: Finer) -> Value {
        finer.value(kind.micros(seconds, nanos).unwrap()).unwrap()
    }

    #[test]
    fn stored_times_are_cut_towards_minus_infinity() {
        let (timestamp, duration) = (TimeKind::Timestamp, TimeKind::Duration);
        assert_eq!(micros(timestamp, -1, 999_999_999, Finer::Cut), Value::Int(-1));
        assert_eq!(micros(duration, 0, -1, Finer::Cut), Value::Int(-1));
        assert_eq!(micros(duration, 0, -1_000, Finer::Refuse), Value::Int(-1));
        assert_eq!(duration.parts(-1_500_000), (-1, -500_000_000));
        assert_eq!(timestamp.parts(-1), (-1, 999_999_000));
    }

    #[test]
    fn compared_times_keep_their_meaning() {
        let (timestamp, duration) = (TimeKind::Timestamp, TimeKind::Duration);
        let (equals, at_least) = (Comparison::Equals, Comparison::AtLeast);
        for range in [at_least, Comparison::LessThan] {
            let bound = Finer::compared(range);
            assert_eq!(micros(timestamp, 1, 1_000, bound), Value::Int(1_000_001));
            assert_eq!(micros(timestamp, 1, 1_001, bound), Value::Int(1_000_002));
            assert_eq!(micros(timestamp, -1, 999_999_001, bound), Value::Int(0));
            assert_eq!(micros(duration, 0, -1, bound), Value::Int(0));
            assert_eq!(micros(duration, -1, -1_999, bound), Value::Int(-1_000_001));
        }
        assert_eq!(micros(timestamp, 1, 1_000, Finer::compared(equals)), Value::Int(1_000_001));
        assert_eq!(micros(timestamp, 1, 1_001, Finer::compared(equals)), Value::Null);
        assert!(Finer::Refuse.value(timestamp.micros(1, 1).unwrap()).is_err());
    }

    #[test]
    fn the_ends_of_the_range_are_in_and_what_is_beyond_is_not() {
        let (timestamp, duration) = (TimeKind::Timestamp, TimeKind::Duration);
        for seconds in [-62_135_596_800, 253_402_300_799] {
            let micros = timestamp.micros(seconds, 999_999_000).unwrap();
            assert_eq!(timestamp.parts(micros.floor), (seconds, 999_999_000));
        }
        assert!(timestamp.micros(-62_135_596_801, 0).is_err());
        assert!(timestamp.micros(253_402_300_800, 0).is_err());
        assert!(timestamp.micros(0, -1).is_err());
        assert!(timestamp.micros(0, 1_000_000_000).is_err());
        assert!(duration.micros(315_576_000_001, 0).is_err());
        assert!(duration.micros(1, -1).is_err());
        assert!(duration.micros(-1, 1).is_err());
    }
}
