//! Rules between settings.

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prism_settings::shown;

use super::{AuthMode, Config, ConfigError, addresses};
use crate::keyvalue::fault_of_namespace;
use crate::telemetry;

/// Length of a page token's key in bytes.
const TOKEN_KEY_LENGTH: usize = 32;

/// The longest time in milliseconds: what Postgres takes, almost 25 days.
pub(super) const LONGEST_MS: u64 = i32::MAX as u64;
/// The longest time in seconds: 10 years, which no sum of times overflows.
const LONGEST_SECONDS: u64 = 10 * 365 * 24 * 60 * 60;
/// The most connections of any kind, and namespaces.
pub(super) const MOST_CONNECTIONS: u64 = 1_000_000_000;

impl Config {
    /// Checks what no single setting can say, and resolves the address to listen on.
    ///
    /// # Errors
    ///
    /// Names the setting and what it should be.
    pub fn validate(&self) -> Result<SocketAddr, ConfigError> {
        self.token_keys()?;
        self.check_numbers()?;
        self.postgres.check("postgres")?;
        self.check_backends()?;
        self.check_namespaces()?;
        telemetry::check_filter("log.level", &self.log.level)?;
        let addresses = addresses("server.listen", &self.server.listen)?;
        if !addresses.iter().all(|address| address.ip().is_loopback()) {
            self.check_exposed()?;
        }
        Ok(addresses[0])
    }

    /// The keys that seal page tokens; empty where a random one will do.
    ///
    /// # Errors
    ///
    /// Where one is not base64 of 32 bytes.
    pub fn token_keys(&self) -> Result<Vec<[u8; TOKEN_KEY_LENGTH]>, ConfigError> {
        let decode = |(index, key): (usize, &super::Secret)| {
            STANDARD.decode(key.expose()).ok().and_then(|key| key.try_into().ok()).ok_or_else(
                || {
                    let name = format!("server.token_keys[{index}]");
                    wrong(
                        &name,
                        "is not base64 of 32 bytes; make one with `openssl rand -base64 32`",
                    )
                },
            )
        };
        self.server.token_keys.iter().enumerate().map(decode).collect()
    }

    fn check_exposed(&self) -> Result<(), ConfigError> {
        if self.auth.mode != Some(AuthMode::Insecure) {
            return Err(wrong(
                "server.listen",
                "is not a loopback address, and no authentication is configured: anybody who \
                 reaches it could do everything. Set auth.mode: insecure if that is meant",
            ));
        }
        if self.server.token_keys.is_empty() {
            return Err(wrong(
                "server.token_keys",
                "is needed on an address that is not loopback; make a key with \
                 `openssl rand -base64 32`",
            ));
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<(), ConfigError> {
        let (server, keyvalue) = (&self.server, &self.keyvalue);
        let longest_hours = LONGEST_SECONDS / 3600;
        let numbers = [
            ("server.threads", server.threads as u64, 0, 1024),
            ("server.max_message_bytes", server.max_message_bytes as u64, 1, u64::from(u32::MAX)),
            ("server.max_connections", server.max_connections as u64, 1, MOST_CONNECTIONS),
            (
                "server.max_connections_per_peer",
                server.max_connections_per_peer as u64,
                0,
                MOST_CONNECTIONS,
            ),
            ("server.idle_timeout_seconds", server.idle_timeout_seconds, 0, LONGEST_SECONDS),
            (
                "server.max_connection_age_seconds",
                server.max_connection_age_seconds,
                0,
                LONGEST_SECONDS,
            ),
            (
                "server.max_connection_grace_seconds",
                server.max_connection_grace_seconds,
                0,
                LONGEST_SECONDS,
            ),
            (
                "server.max_concurrent_streams",
                u64::from(server.max_concurrent_streams),
                1,
                u64::from(u32::MAX),
            ),
            ("server.default_timeout_ms", server.default_timeout_ms, 1, LONGEST_MS),
            ("server.drain_seconds", server.drain_seconds, 0, LONGEST_SECONDS),
            ("keyvalue.max_namespaces", keyvalue.max_namespaces as u64, 0, MOST_CONNECTIONS),
            ("keyvalue.tombstone_hours", u64::from(keyvalue.tombstone_hours), 1, longest_hours),
            (
                "keyvalue.max_clock_skew_seconds",
                u64::from(keyvalue.max_clock_skew_seconds),
                0,
                LONGEST_SECONDS,
            ),
        ];
        numbers
            .into_iter()
            .try_for_each(|(setting, value, least, most)| within(setting, value, least, most))?;
        if server.max_buffered_bytes < server.max_message_bytes {
            return Err(wrong(
                "server.max_buffered_bytes",
                "must be at least server.max_message_bytes",
            ));
        }
        Ok(())
    }

    fn check_namespaces(&self) -> Result<(), ConfigError> {
        for (index, namespace) in self.keyvalue.namespaces.iter().flatten().enumerate() {
            if let Some(fault) = fault_of_namespace(namespace) {
                let setting = format!("keyvalue.namespaces[{index}]{}", shown(namespace));
                return Err(wrong(&setting, fault));
            }
        }
        Ok(())
    }
}

/// Checks that a number is in its range.
pub(super) fn within(setting: &str, value: u64, least: u64, most: u64) -> Result<(), ConfigError> {
    if value < least {
        return Err(wrong(setting, &format!("must be at least {least}")));
    }
    if value > most {
        return Err(wrong(setting, &format!("must be at most {most}")));
    }
    Ok(())
}

pub(super) fn wrong(setting: &str, what: &str) -> ConfigError {
    ConfigError::new(format!("{setting} {what}"))
}
