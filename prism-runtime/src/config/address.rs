//! An address and a port.

use std::net::{SocketAddr, ToSocketAddrs};

use super::ConfigError;
use super::validate::wrong;

/// The addresses that a setting names; at least one.
///
/// # Errors
///
/// What is wrong with it, without the text: it may be a URL with a password.
pub(crate) fn addresses(setting: &str, text: &str) -> Result<Vec<SocketAddr>, ConfigError> {
    if let Some(fault) = fault(text) {
        return Err(wrong(setting, fault));
    }
    match text.to_socket_addrs().map(Iterator::collect::<Vec<_>>) {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(wrong(setting, "names a host whose address is not found")),
    }
}

/// What the text is instead of a host, a colon and a port.
fn fault(text: &str) -> Option<&'static str> {
    if text.contains("://") {
        return Some("is a URL, and expected is an address and a port, like 127.0.0.1:8980");
    }
    let Some((host, port)) = text.rsplit_once(':').filter(|(host, _)| !host.is_empty()) else {
        return Some("is not an address and a port, like 127.0.0.1:8980");
    };
    if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
        return Some("has an IPv6 address without brackets: write it like [::1]:8980");
    }
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || port.parse::<u16>().is_err() {
        return Some("has a port that is not a whole number from 0 to 65535");
    }
    None
}
