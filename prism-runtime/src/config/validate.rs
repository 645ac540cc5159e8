//! Rules between settings.

use std::net::{SocketAddr, ToSocketAddrs};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{AuthMode, Config, ConfigError};

/// Length of a page token's key in bytes.
const TOKEN_KEY_LENGTH: usize = 32;

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
        let addresses: Vec<SocketAddr> = self
            .server
            .listen
            .to_socket_addrs()
            .map_err(|_| {
                wrong("server.listen", "is not an address and a port, like 127.0.0.1:8980")
            })?
            .collect();
        let Some(first) = addresses.first() else {
            return Err(wrong("server.listen", "names a host that has no address"));
        };
        if !addresses.iter().all(|address| address.ip().is_loopback()) {
            self.check_exposed()?;
        }
        Ok(*first)
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
        let server = &self.server;
        let positive = [
            ("server.max_message_bytes", server.max_message_bytes as u64),
            ("server.max_connections", server.max_connections as u64),
            ("server.max_concurrent_streams", u64::from(server.max_concurrent_streams)),
            ("server.default_timeout_ms", server.default_timeout_ms),
            ("keyvalue.tombstone_hours", u64::from(self.keyvalue.tombstone_hours)),
        ];
        match positive.iter().find(|(_, value)| *value == 0) {
            Some((name, _)) => Err(wrong(name, "must be at least 1")),
            None if server.max_message_bytes > u32::MAX as usize => {
                Err(wrong("server.max_message_bytes", "must be below 4 GiB"))
            }
            None if server.max_buffered_bytes < server.max_message_bytes => {
                Err(wrong("server.max_buffered_bytes", "must be at least server.max_message_bytes"))
            }
            None if server.threads > 1024 => Err(wrong("server.threads", "must be at most 1024")),
            None => Ok(()),
        }
    }
}

pub(super) fn wrong(setting: &str, what: &str) -> ConfigError {
    ConfigError::new(format!("{setting} {what}"))
}
