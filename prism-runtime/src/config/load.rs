//! Reads the settings from where they stand, the later over the earlier: `prism.yaml`,
//! environment variables, flags.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::Config;
use super::suggest::closest;

/// The file that is read where no other is named.
const FILE: &str = "prism.yaml";
/// Prefix of environment variables that are settings.
const PREFIX: &str = "PRISM_";

/// A setting that is wrong: one line, with the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(String);

impl ConfigError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        ConfigError(message.into())
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

/// Where settings come from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// A file that must exist. Absent: `prism.yaml` in the working directory, where there is one.
    pub file: Option<PathBuf>,
    /// Environment variables.
    pub environment: Vec<(String, String)>,
    /// Settings from flags: the flag, the setting's path, the value.
    pub flags: Vec<(String, String, String)>,
}

impl Sources {
    /// The process's environment, and the default file.
    pub fn from_environment() -> Self {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Sources { environment, ..Sources::default() }
    }

    /// Reads and merges the settings.
    ///
    /// # Errors
    ///
    /// The first setting that is unknown or has a wrong type, with file and line, variable or
    /// flag. Rules between settings are checked by [`Config::validate`].
    pub fn load(&self) -> Result<Config, ConfigError> {
        let mut settings = match self.file_text()? {
            Some((path, text)) => parse_file(&path, &text)?,
            None => Value::Object(Map::new()),
        };
        if let Some((_, url)) = self.environment.iter().find(|(name, _)| name == "DATABASE_URL") {
            assign(&mut settings, &["database"], url, "DATABASE_URL")?;
        }
        let mut variables: Vec<_> =
            self.environment.iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
        variables.sort();
        for (name, value) in variables {
            let path = name[PREFIX.len()..].to_lowercase();
            assign(&mut settings, &path.split("__").collect::<Vec<_>>(), value, name)?;
        }
        for (flag, path, value) in &self.flags {
            assign(&mut settings, &path.split('.').collect::<Vec<_>>(), value, flag)?;
        }
        read(settings).map_err(|error| ConfigError::new(describe(&error.to_string())))
    }

    fn file_text(&self) -> Result<Option<(PathBuf, String)>, ConfigError> {
        let path = self.file.clone().unwrap_or_else(|| PathBuf::from(FILE));
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some((path, text))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && self.file.is_none() => {
                Ok(None)
            }
            Err(error) => Err(ConfigError::new(format!("cannot read {}: {error}", path.display()))),
        }
    }
}

/// Reads a file's settings. They are read as [`Config`] too, which knows lines.
fn parse_file(path: &Path, text: &str) -> Result<Value, ConfigError> {
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Value::Object(Map::new()));
    }
    let place = |error: serde_saphyr::Error| {
        let error = error.without_snippet();
        let at = match error.location() {
            Some(at) => format!("{}:{}:{}", path.display(), at.line(), at.column()),
            None => path.display().to_string(),
        };
        ConfigError::new(format!("{at}: {}", describe(&message_of(error))))
    };
    serde_saphyr::from_str::<Config>(text).map_err(place)?;
    serde_saphyr::from_str(text).map_err(place)
}

/// The first line of an error, without the place, which is said elsewhere.
fn message_of(error: &serde_saphyr::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    let line = line.split(" at line ").next().unwrap_or(line);
    line.trim_start_matches("error: ").to_owned()
}

fn read(settings: Value) -> Result<Config, serde_json::Error> {
    Config::deserialize(settings)
}

/// Sets one setting. The text is taken for YAML where that fits the setting, and as it is else.
fn assign(
    settings: &mut Value,
    path: &[&str],
    text: &str,
    source: &str,
) -> Result<(), ConfigError> {
    let typed = serde_saphyr::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
    let plain = Value::String(text.to_owned());
    let mut failure = None;
    for value in [plain, typed] {
        let mut changed = settings.clone();
        place(&mut changed, path, value);
        match read(changed.clone()) {
            Ok(_) => {
                *settings = changed;
                return Ok(());
            }
            Err(error) => failure = Some(error.to_string()),
        }
    }
    let failure = failure.unwrap_or_default();
    // What the value is stays out: it may be a secret.
    let what = match failure.split_once(": ") {
        Some((kind, rest)) if kind.starts_with("invalid") => match rest.rsplit_once("expected ") {
            Some((_, expected)) => format!("expected {expected}"),
            None => kind.to_owned(),
        },
        _ => describe(&failure),
    };
    Err(ConfigError::new(format!("{source}: {what}")))
}

fn place(settings: &mut Value, path: &[&str], value: Value) {
    let Some((first, rest)) = path.split_first() else {
        *settings = value;
        return;
    };
    if !settings.is_object() {
        *settings = Value::Object(Map::new());
    }
    if let Value::Object(map) = settings {
        let slot = map.entry((*first).to_owned()).or_insert(Value::Null);
        place(slot, rest, value);
    }
}

/// Adds the likely name to serde's complaint about an unknown one.
fn describe(message: &str) -> String {
    let mut names = message.split('`').skip(1).step_by(2);
    if !message.starts_with("unknown field") && !message.starts_with("unknown variant") {
        return message.to_owned();
    }
    let Some(wrong) = names.next() else { return message.to_owned() };
    let candidates: Vec<&str> = names.collect();
    let kind = if message.starts_with("unknown field") { "setting" } else { "value" };
    match closest(wrong, candidates.iter().copied()) {
        Some(near) => format!("unknown {kind} `{wrong}`; did you mean `{near}`?"),
        None => format!("unknown {kind} `{wrong}`; known are {}", candidates.join(", ")),
    }
}
