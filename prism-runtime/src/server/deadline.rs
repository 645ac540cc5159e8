//! How long a call may take.

use std::time::Duration;

use http::HeaderMap;

use crate::error::{Error, Reason, Result};

/// Reads `grpc-timeout`: at most eight digits and a unit.
/// <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests>
pub(super) fn requested(headers: &HeaderMap) -> Result<Option<Duration>> {
    let Some(value) = headers.get("grpc-timeout") else {
        return Ok(None);
    };
    parse(value.as_bytes()).map(Some).ok_or_else(|| {
        Error::new(
            Reason::InvalidRequest,
            "grpc-timeout is not one to eight digits followed by one of H, M, S, m, u, n",
        )
    })
}

/// The sooner of what the caller allows and what the method allows.
pub(super) fn effective(
    requested: Option<Duration>,
    allowed: Option<Duration>,
) -> Option<Duration> {
    match (requested, allowed) {
        (Some(requested), Some(allowed)) => Some(requested.min(allowed)),
        (requested, allowed) => requested.or(allowed),
    }
}

fn parse(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let count = digits.iter().fold(0, |count, digit| count * 10 + u64::from(digit - b'0'));
    Some(match unit {
        b'H' => Duration::from_secs(count * 3600),
        b'M' => Duration::from_secs(count * 60),
        b'S' => Duration::from_secs(count),
        b'm' => Duration::from_millis(count),
        b'u' => Duration::from_micros(count),
        b'n' => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_and_limits() {
        assert_eq!(parse(b"1H"), Some(Duration::from_secs(3600)));
        assert_eq!(parse(b"99999999n"), Some(Duration::from_nanos(99_999_999)));
        assert_eq!(parse(b"250m"), Some(Duration::from_millis(250)));
        for wrong in [&b""[..], b"S", b"5", b"5x", b"-1S", b"123456789S", b"1 S"] {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn the_sooner_one_holds() {
        let (short, long) = (Duration::from_secs(1), Duration::from_secs(2));
        assert_eq!(effective(Some(long), Some(short)), Some(short));
        assert_eq!(effective(Some(short), Some(long)), Some(short));
        assert_eq!(effective(None, Some(long)), Some(long));
        assert_eq!(effective(None, None), None);
    }
}
