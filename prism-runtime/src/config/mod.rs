//! The settings of a proxy: `prism.yaml`, environment variables and flags.
//!
//! Every setting has a default, so that a proxy runs without any: SQLite at `./prism.db`, on
//! loopback. An unknown or wrong setting is an error that says where it stands.

mod address;
mod backends;
mod load;
mod secret;
mod validate;
mod variable;

use std::collections::BTreeMap;
use std::fmt;

use prism_migrate::Place;
use serde::Deserialize;

pub(crate) use address::addresses;

pub use crate::server::UnknownFields;
pub use backends::{Backend, Database, MAIN, MEMORY};
pub use load::{ConfigError, Sources};
pub use secret::Secret;

/// Everything that can be set.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The gRPC server.
    pub server: Server,
    /// Where everything is stored, unless [`Config::backends`] names several: path of the SQLite
    /// file, also as `sqlite:path`, or the URL of a Postgres database,
    /// `postgres://user:password@host:port/database`. `memory` (or `:memory:`): the proxy's memory,
    /// which is gone with the process.
    pub database: String,
    /// The backends by name, in place of [`Config::database`].
    pub backends: BTreeMap<String, Backend>,
    /// Names of namespaces, of entities and of key-value data, with the name of the backend that
    /// serves each. Absent ones: an entity's is served by what its annotation asks for.
    pub namespaces: BTreeMap<String, String>,
    /// Whether outstanding migrations are applied at start; a database that is behind is refused
    /// else. Absent: they are applied to SQLite, and not to Postgres, which may serve others.
    pub migrate: Option<bool>,
    /// How Postgres databases are used.
    pub postgres: Postgres,
    /// The key-value API.
    pub keyvalue: KeyValue,
    /// Who may call.
    pub auth: Auth,
    /// What is logged.
    pub log: Log,
}

/// `server`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Address and port, `127.0.0.1:8980`. Port 0 takes a free one.
    pub listen: String,
    /// Event loops; 0: one for each core.
    pub threads: usize,
    /// Longest request message, in bytes.
    pub max_message_bytes: usize,
    /// What may be held for all calls together, in bytes: requests as they arrive and decoded, queued
    /// writes, rows that are being read, and answers that clients have not taken.
    pub max_buffered_bytes: usize,
    /// Open connections. Further ones are refused with GOAWAY.
    pub max_connections: usize,
    /// Open connections of one peer: an IPv4 address, or a /64 of IPv6. 0: a quarter of
    /// [`Server::max_connections`].
    pub max_connections_per_peer: usize,
    /// A connection without a call for this long is told to go away; 0: never.
    pub idle_timeout_seconds: u64,
    /// A connection that is this old, give or take 10 %, is told to go away; 0: never.
    pub max_connection_age_seconds: u64,
    /// How long the calls of a connection that was told to go away may take to end.
    pub max_connection_grace_seconds: u64,
    /// Calls in flight on one connection.
    pub max_concurrent_streams: u32,
    /// A call may take this long where neither method nor service says it.
    pub default_timeout_ms: u64,
    /// How long calls in flight may take to end when the server stops.
    pub drain_seconds: u64,
    /// What happens to fields of requests that the schema does not know.
    pub unknown_fields: UnknownFields,
    /// Keys that seal page tokens, the same for all proxies: base64 of 32 bytes each. The first
    /// one seals, all of them open. Empty: a random one, on loopback only.
    pub token_keys: Vec<Secret>,
}

/// `postgres`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Postgres {
    /// Connections of this proxy at most, beside six for calls that share statements and one for
    /// probes.
    pub max_connections: u32,
    /// How long a call waits for a connection, where its deadline does not come first.
    pub acquire_timeout_ms: u64,
    /// How long a statement may run.
    pub statement_timeout_ms: u64,
    /// Whether statements are prepared once a connection. `off` for poolers in transaction mode,
    /// like PgBouncer.
    pub prepared_statements: Switch,
}

/// `on` or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Switch {
    /// `on`, also `true`.
    #[serde(alias = "true")]
    On,
    /// `off`, also `false`.
    #[serde(alias = "false")]
    Off,
}

/// `keyvalue`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeyValue {
    /// Name of the backend of namespaces that [`Config::namespaces`] does not name. Absent: the
    /// only one.
    pub backend: Option<String>,
    /// The namespaces that are served. Absent: any.
    pub namespaces: Option<Vec<String>>,
    /// How many undeclared namespaces may come into being.
    pub max_namespaces: usize,
    /// How long deletes are remembered, and how old a priority token may be.
    pub tombstone_hours: u32,
    /// How far a priority token may be ahead of the server's clock.
    pub max_clock_skew_seconds: u32,
}

/// `auth`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// Absent: no authentication, on loopback only.
    pub mode: Option<AuthMode>,
}

/// `auth.mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMode {
    /// Every caller may do everything, on any address.
    Insecure,
}

/// `log`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// A filter in the syntax of `RUST_LOG`, which overrides it: `info`, `info,prism=debug`. A target
    /// needs a level. Release builds have no `trace`.
    pub level: String,
    /// Layout of the lines.
    pub format: LogFormat,
}

/// `log.format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Readable on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            server: Server::default(),
            database: "./prism.db".to_owned(),
            backends: BTreeMap::new(),
            namespaces: BTreeMap::new(),
            migrate: None,
            postgres: Postgres::default(),
            keyvalue: KeyValue::default(),
            auth: Auth::default(),
            log: Log::default(),
        }
    }
}

impl Default for Server {
    fn default() -> Self {
        Server {
            listen: "127.0.0.1:8980".to_owned(),
            threads: 0,
            max_message_bytes: 4 * 1024 * 1024,
            max_buffered_bytes: 256 * 1024 * 1024,
            max_connections: 10_000,
            max_connections_per_peer: 0,
            idle_timeout_seconds: 600,
            max_connection_age_seconds: 1_800,
            max_connection_grace_seconds: 30,
            max_concurrent_streams: 256,
            default_timeout_ms: 30_000,
            drain_seconds: 30,
            unknown_fields: UnknownFields::Refuse,
            token_keys: Vec::new(),
        }
    }
}

impl Default for Postgres {
    fn default() -> Self {
        Postgres {
            max_connections: 16,
            acquire_timeout_ms: 5_000,
            statement_timeout_ms: 30_000,
            prepared_statements: Switch::On,
        }
    }
}

impl Default for KeyValue {
    fn default() -> Self {
        KeyValue {
            backend: None,
            namespaces: None,
            max_namespaces: 10_000,
            tombstone_hours: 24,
            max_clock_skew_seconds: 60,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Log { level: "info".to_owned(), format: LogFormat::Auto }
    }
}

/// Without the database where it is not a path: it may hold a password.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_path = matches!(Place::parse(&self.database), Ok(Place::Sqlite(_)));
        let database = if is_path { self.database.as_str() } else { "[secret]" };
        f.debug_struct("Config")
            .field("server", &self.server)
            .field("database", &database)
            .field("backends", &self.backends)
            .field("namespaces", &self.namespaces)
            .field("migrate", &self.migrate)
            .field("postgres", &self.postgres)
            .field("keyvalue", &self.keyvalue)
            .field("auth", &self.auth)
            .field("log", &self.log)
            .finish()
    }
}
