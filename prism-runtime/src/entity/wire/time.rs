//! `google.protobuf.Timestamp` and `Duration` as microseconds.

use bytes::BufMut;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

use super::reader::{Malformed, Reader, Wire};

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

impl TimeKind {
    /// The microseconds of an encoded message, cut towards minus infinity; where `exact`, finer
    /// digits are a fault instead.
    pub fn decode(self, message: &[u8], exact: bool) -> Result<i64, TimeFault> {
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
        self.micros(seconds, nanos, exact).map_err(TimeFault::Invalid)
    }

    /// The microseconds of seconds and nanoseconds.
    pub fn micros(self, seconds: i64, nanos: i32, exact: bool) -> Result<i64, &'static str> {
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
        if exact && nanos % 1_000 != 0 {
            return Err("is finer than a microsecond, which a key or unique field cannot be");
        }
        Ok(seconds * MICROS + nanos.div_euclid(1_000))
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
        self.micros(seconds, nanos, false).is_ok()
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

    #[test]
    fn times_are_cut_towards_minus_infinity() {
        let (timestamp, duration) = (TimeKind::Timestamp, TimeKind::Duration);
        assert_eq!(timestamp.micros(-1, 999_999_999, false).unwrap(), -1);
        assert_eq!(duration.micros(0, -1, false).unwrap(), -1);
        assert_eq!(duration.micros(0, -1_000, true).unwrap(), -1);
        assert_eq!(duration.parts(-1_500_000), (-1, -500_000_000));
        assert_eq!(timestamp.parts(-1), (-1, 999_999_000));
    }

    #[test]
    fn the_ends_of_the_range_are_in_and_what_is_beyond_is_not() {
        let (timestamp, duration) = (TimeKind::Timestamp, TimeKind::Duration);
        for seconds in [-62_135_596_800, 253_402_300_799] {
            let micros = timestamp.micros(seconds, 999_999_000, true).unwrap();
            assert_eq!(timestamp.parts(micros), (seconds, 999_999_000));
        }
        assert!(timestamp.micros(-62_135_596_801, 0, false).is_err());
        assert!(timestamp.micros(253_402_300_800, 0, false).is_err());
        assert!(timestamp.micros(0, -1, false).is_err());
        assert!(timestamp.micros(0, 1_000_000_000, false).is_err());
        assert!(duration.micros(315_576_000_001, 0, false).is_err());
        assert!(duration.micros(1, -1, false).is_err());
        assert!(duration.micros(-1, 1, false).is_err());
        assert!(duration.micros(0, 1, true).is_err());
    }
}
