//! Where a database is: the path of a SQLite file, or a URL.
//!
//! What is neither is refused, because it would become a file that has the password in its name. No
//! error, and no line of a library, shows any part of what was given.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr as _;

use sqlx::postgres::PgConnectOptions;

/// Where a database is.
#[derive(Clone, Debug)]
pub enum Place {
    /// A file.
    Sqlite(PathBuf),
    /// A database on a server.
    Postgres(Servers),
}

/// The servers of a Postgres URL, in the order in which they are tried, and what one has to be
/// like.
#[derive(Clone)]
pub struct Servers {
    /// How each is connected to; at least one.
    pub hosts: Vec<PgConnectOptions>,
    /// Whether a session that can only read is of no use. `target_session_attrs=any` says no.
    pub writable: bool,
}

/// What is wrong with the text that says where a database is. It shows nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// It is empty, or names a database in memory.
    #[error("is not the path of a file")]
    NoFile,
    /// It is neither a path nor a URL.
    #[error("is neither a path, nor sqlite:path, nor a postgres:// URL")]
    Neither,
    /// It is a path, or nothing at all, and has to be a URL.
    #[error(
        "is not a URL such as postgres://user:password@host:5432/database or sqlite:./prism.db"
    )]
    NoUrl,
    /// It has blanks around it.
    #[error("begins or ends with a blank, a line break or a quotation mark")]
    Padded,
    /// `sqlite:` and parameters.
    #[error("has parameters, which sqlite:path does not take")]
    SqliteParameters,
    /// Host, port, user or password cannot be read.
    #[error(
        "is not readable as postgres://user:password@host:5432/database: special characters in user \
         and password are written in percent encoding, such as %40 for an at sign"
    )]
    Unreadable,
    /// A parameter that libpq or another driver has.
    #[error("has the parameter {name}, which is not supported: remove it")]
    Unsupported {
        /// Its name.
        name: &'static str,
    },
    /// A parameter that is not known.
    #[error(
        "has a parameter that is not known; known are sslmode, sslrootcert, sslcert, sslkey, \
         application_name, options, target_session_attrs, host, hostaddr, port, user, password, dbname"
    )]
    UnknownParameter,
    /// A parameter has a value that it cannot have.
    #[error("has a wrong value of the parameter {name}{expected}")]
    Value {
        /// Its name.
        name: &'static str,
        /// What it may be, after a colon; may be empty.
        expected: &'static str,
    },
}

/// What a database's URL begins with, in lower case.
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

impl Place {
    /// Reads a path or a URL: `postgres://…`, `postgresql://…`, `sqlite:path`, or a path of letters,
    /// digits and `/ \ . _ - ~ + , ( )` and blanks. A path with other characters is written
    /// `sqlite:path`.
    ///
    /// # Errors
    ///
    /// [`PlaceError`].
    pub fn parse(text: &str) -> Result<Self, PlaceError> {
        if text.is_empty() || text.contains(":memory:") {
            return Err(PlaceError::NoFile);
        }
        match Place::parse_url(text) {
            Err(PlaceError::NoUrl) if is_path(text) => Ok(Place::Sqlite(PathBuf::from(text))),
            Err(PlaceError::NoUrl) => Err(PlaceError::Neither),
            read => read,
        }
    }

    /// Reads a URL: `postgres://…`, `postgresql://…` or `sqlite:path`.
    ///
    /// # Errors
    ///
    /// [`PlaceError`].
    pub fn parse_url(text: &str) -> Result<Self, PlaceError> {
        let is_padding = |c: char| c.is_whitespace() || c.is_control() || ['"', '\''].contains(&c);
        if text.starts_with(is_padding) || text.ends_with(is_padding) {
            return Err(PlaceError::Padded);
        }
        if let Some(path) = strip_scheme(text, "sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return match path {
                "" | ":memory:" => Err(PlaceError::NoFile),
                _ if path.contains("://") => Err(PlaceError::Neither),
                _ if path.contains('?') => Err(PlaceError::SqliteParameters),
                _ => Ok(Place::Sqlite(PathBuf::from(path))),
            };
        }
        let rest = SCHEMES.iter().find_map(|scheme| strip_scheme(text, scheme));
        rest.ok_or(PlaceError::NoUrl).and_then(Servers::parse).map(Place::Postgres)
    }
}

/// Whether a place stands for the memory of the server: `memory`, or SQLite's `:memory:`, also
/// behind `sqlite:`.
pub fn is_memory(place: &str) -> bool {
    let place = strip_scheme(place, "sqlite:").unwrap_or(place);
    let place = place.strip_prefix("//").unwrap_or(place);
    let place = place.strip_prefix("file:").unwrap_or(place);
    matches!(place, "memory" | "memory:" | "memory://") || place.starts_with(":memory:")
}

impl Servers {
    /// Reads what comes after `postgres://`.
    fn parse(rest: &str) -> Result<Self, PlaceError> {
        if rest.chars().any(|c| c.is_whitespace() || c.is_control() || c == '#') {
            return Err(PlaceError::Unreadable);
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (format!("{user}@"), hosts),
            None => (String::new(), authority),
        };
        let parameters = Parameters::parse(query)?;
        let hosts = hosts_of(hosts, &parameters)?;
        let connect = |host: &Host| {
            let url = format!(
                "postgres://{user}{}{}/{database}?{}",
                host.name,
                host.port.map(|port| format!(":{port}")).unwrap_or_default(),
                parameters.passed.join("&"),
            );
            PgConnectOptions::from_str(&url).map_err(|_| PlaceError::Unreadable)
        };
        let hosts: Result<Vec<_>, _> = hosts.iter().map(connect).collect();
        Ok(Servers { hosts: hosts?, writable: parameters.writable()? })
    }

    /// How the first one is connected to.
    pub fn first(&self) -> &PgConnectOptions {
        // There is at least one.
        &self.hosts[0]
    }

    /// The servers with other options for each connection.
    #[must_use]
    pub fn map(&self, change: impl Fn(PgConnectOptions) -> PgConnectOptions) -> Self {
        let hosts = self.hosts.iter().cloned().map(change).collect();
        Servers { hosts, writable: self.writable }
    }

    /// How long it takes at most until every server has been tried for so long.
    pub fn at_most(&self, limit: std::time::Duration) -> std::time::Duration {
        limit.saturating_mul(u32::try_from(self.hosts.len()).unwrap_or(u32::MAX))
    }

    /// `host:port` of each.
    pub fn addresses(&self) -> String {
        let addresses: Vec<String> = self
            .hosts
            .iter()
            .map(|host| format!("{}:{}", host.get_host(), host.get_port()))
            .collect();
        addresses.join(",")
    }

    /// The database.
    pub fn database(&self) -> &str {
        self.first().get_database().unwrap_or(self.first().get_username())
    }
}

/// `host:port/database`, without user and password.
impl fmt::Display for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addresses(), self.database())
    }
}

/// Without user and password.
impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Servers({self})")
    }
}

/// Schemes are case-insensitive: RFC 3986, section 3.1.
fn strip_scheme<'a>(text: &'a str, scheme: &str) -> Option<&'a str> {
    let head = text.get(..scheme.len())?;
    head.eq_ignore_ascii_case(scheme).then(|| &text[scheme.len()..])
}

/// Whether a text is a path beyond doubt: a connection string of any kind has a colon, an at sign or
/// an equals sign. A drive of Windows has a colon as its second character.
fn is_path(text: &str) -> bool {
    let is_drive = cfg!(windows) && text.starts_with(|c: char| c.is_ascii_alphabetic());
    let rest = match text.get(1..2) {
        Some(":") if is_drive => &text[2..],
        _ => text,
    };
    rest.chars().all(|c| c.is_alphanumeric() || "/\\._-~+,() ".contains(c))
}

/// A server of a URL.
struct Host {
    /// As a URL has it.
    name: String,
    port: Option<u16>,
}

/// Hosts of the authority, or those of the parameters in place of them.
fn hosts_of(authority: &str, parameters: &Parameters) -> Result<Vec<Host>, PlaceError> {
    let mut hosts: Vec<Host> = match &parameters.hosts {
        Some(names) => names.iter().map(|name| Host { name: encode(name), port: None }).collect(),
        None => authority.split(',').map(host).collect::<Result<_, _>>()?,
    };
    if hosts.len() == 1 && hosts[0].name.is_empty() {
        // As libpq has it: several names are separated by commas.
        let variable = std::env::var("PGHOST").unwrap_or_default();
        if std::env::var_os("PGHOSTADDR").is_none() && variable.contains(',') {
            let port = hosts[0].port;
            hosts = variable.split(',').map(|name| Host { name: encode(name), port }).collect();
        }
    }
    match parameters.ports.as_slice() {
        [] => {}
        [port] => hosts.iter_mut().for_each(|host| host.port = Some(*port)),
        ports if ports.len() == hosts.len() => {
            hosts.iter_mut().zip(ports).for_each(|(host, port)| host.port = Some(*port));
        }
        _ => return Err(PlaceError::Value { name: "port", expected: ": one, or one per host" }),
    }
    Ok(hosts)
}

fn host(text: &str) -> Result<Host, PlaceError> {
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (text, None),
    };
    let is_address = name.starts_with('[') && name.ends_with(']');
    let fits =
        |c: char| c.is_alphanumeric() || "._-%".contains(c) || (is_address && "[:]".contains(c));
    if !name.chars().all(fits) {
        return Err(PlaceError::Unreadable);
    }
    let port = match port {
        None | Some("") => None,
        Some(port) => Some(port.parse().map_err(|_| PlaceError::Unreadable)?),
    };
    Ok(Host { name: name.to_owned(), port })
}

/// A host as a URL has it.
fn encode(name: &str) -> String {
    if name.contains(':') && !name.starts_with('/') {
        return format!("[{name}]");
    }
    let plain = |c: &char| c.is_ascii_alphanumeric() || "._-".contains(*c);
    let mut buffer = [0; 4];
    name.chars()
        .map(|c| match plain(&c) {
            true => c.to_string(),
            false => {
                c.encode_utf8(&mut buffer).bytes().map(|byte| format!("%{byte:02X}")).collect()
            }
        })
        .collect()
}

/// What comes after the question mark.
#[derive(Default)]
struct Parameters<'a> {
    /// Those that the driver reads.
    passed: Vec<&'a str>,
    hosts: Option<Vec<String>>,
    ports: Vec<u16>,
    target_session_attrs: Option<String>,
}

/// Parameters that the driver reads.
const PASSED: [&str; 16] = [
    "application_name",
    "dbname",
    "options",
    "password",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
    "username",
];

/// Parameters that others know, with the values that ask for nothing.
const UNSUPPORTED: [(&str, &[&str]); 38] = [
    ("ApplicationName", &[]),
    ("channel_binding", &["prefer", "disable"]),
    ("client_encoding", &["utf8", "UTF8", "utf-8", "UTF-8", "auto"]),
    ("connect_timeout", &["0"]),
    ("connection_limit", &[]),
    ("currentSchema", &[]),
    ("fallback_application_name", &[]),
    ("gssdelegation", &["0"]),
    ("gssencmode", &["prefer", "disable"]),
    ("gsslib", &[]),
    ("keepalives", &["1"]),
    ("keepalives_count", &["0"]),
    ("keepalives_idle", &["0"]),
    ("keepalives_interval", &["0"]),
    ("krbsrvname", &[]),
    ("load_balance_hosts", &["disable"]),
    ("passfile", &[]),
    ("pgbouncer", &[]),
    ("pool_timeout", &[]),
    ("prepareThreshold", &[]),
    ("replication", &["false", "off", "no", "0"]),
    ("require_auth", &[]),
    ("requirepeer", &[]),
    ("schema", &[]),
    ("search_path", &[]),
    ("service", &[]),
    ("socketTimeout", &[]),
    ("socket_timeout", &[]),
    ("ssl", &[]),
    ("ssl_max_protocol_version", &[]),
    ("ssl_min_protocol_version", &["TLSv1.2"]),
    ("sslcompression", &["0"]),
    ("sslcrl", &[]),
    ("sslnegotiation", &["postgres"]),
    ("sslpassword", &[]),
    ("sslsni", &["1"]),
    ("statement_timeout", &[]),
    ("tcp_user_timeout", &["0"]),
];

/// <https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION>
const SSL_MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

impl<'a> Parameters<'a> {
    fn parse(query: &'a str) -> Result<Self, PlaceError> {
        let mut parameters = Parameters::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or(PlaceError::UnknownParameter)?;
            parameters.add(pair, name, &decode(value)?)?;
        }
        Ok(parameters)
    }

    fn add(&mut self, pair: &'a str, name: &str, value: &str) -> Result<(), PlaceError> {
        let wrong = |name, expected| Err(PlaceError::Value { name, expected });
        match name {
            "target_session_attrs" => self.target_session_attrs = Some(value.to_owned()),
            "host" => self.hosts = Some(value.split(',').map(str::to_owned).collect()),
            "hostaddr" => {
                let addresses: Vec<String> = value.split(',').map(str::to_owned).collect();
                if addresses.iter().any(|it| it.parse::<std::net::IpAddr>().is_err()) {
                    return wrong("hostaddr", ": an IP address");
                }
                self.hosts = Some(addresses);
            }
            "port" => {
                let ports: Result<_, _> = value.split(',').map(str::parse).collect();
                match ports {
                    Ok(ports) => self.ports = ports,
                    Err(_) => return wrong("port", ": a number up to 65535"),
                }
            }
            "sslmode" | "ssl-mode" if !SSL_MODES.contains(&&*value.to_ascii_lowercase()) => {
                return wrong(
                    "sslmode",
                    ": disable, allow, prefer, require, verify-ca, verify-full",
                );
            }
            "statement-cache-capacity" if value.parse::<usize>().is_err() => {
                return wrong("statement-cache-capacity", ": a number");
            }
            name if PASSED.contains(&name) => self.passed.push(pair),
            name if name.starts_with("options[") && name.ends_with(']') => self.passed.push(pair),
            name => return refuse(name, value),
        }
        Ok(())
    }

    /// Whether a session that can only read is of no use.
    fn writable(&self) -> Result<bool, PlaceError> {
        let variable = || std::env::var("PGTARGETSESSIONATTRS").ok();
        match self.target_session_attrs.clone().or_else(variable).as_deref() {
            None | Some("read-write" | "primary") => Ok(true),
            Some("any") => Ok(false),
            Some(_) => Err(PlaceError::Value {
                name: "target_session_attrs",
                expected: ": read-write, primary or any, since Prism writes",
            }),
        }
    }
}

fn refuse(name: &str, value: &str) -> Result<(), PlaceError> {
    match UNSUPPORTED.iter().find(|(unsupported, _)| *unsupported == name) {
        Some((_, neutral)) if neutral.contains(&value) => Ok(()),
        Some((name, _)) => Err(PlaceError::Unsupported { name }),
        None => Err(PlaceError::UnknownParameter),
    }
}

/// Percent decoding.
fn decode(text: &str) -> Result<String, PlaceError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next(), rest.next()].map(|digit| (digit? as char).to_digit(16));
        match digits {
            [Some(high), Some(low)] => bytes.push((high * 16 + low) as u8),
            _ => return Err(PlaceError::Unreadable),
        }
    }
    String::from_utf8(bytes).map_err(|_| PlaceError::Unreadable)
}
