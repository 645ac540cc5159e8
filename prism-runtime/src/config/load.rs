//! Reads the settings from where they stand, the later over the earlier: `prism.yaml`,
//! environment variables, flags.

use std::fmt;
use std::path::{Path, PathBuf};

use prism_migrate::{Place, is_memory};
use serde_json::{Map, Value};

use super::Config;
use super::backends::both;
use super::secret::shown;
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
        // A value that is no text stays one that is set, and is refused where it is read.
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| {
                Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
            })
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
            Some((path, text)) => Settings::of_file(&path, &text)?,
            None => Settings::default(),
        };
        if let Some((_, url)) = self.environment.iter().find(|(name, _)| name == "DATABASE_URL") {
            if !is_memory(url)
                && let Err(error) = Place::parse_url(url)
            {
                return Err(ConfigError::new(format!("DATABASE_URL {error}")));
            }
            settings.assign(&["database"], url, "DATABASE_URL")?;
        }
        let mut variables: Vec<_> =
            self.environment.iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
        variables.sort();
        for (name, value) in variables {
            let path = path_of_variable(&name[PREFIX.len()..]);
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            settings.assign(&path, value, name)?;
        }
        for (flag, path, value) in &self.flags {
            settings.assign(&path.split('.').collect::<Vec<_>>(), value, flag)?;
        }
        settings.finish()
    }

    fn file_text(&self) -> Result<Option<(PathBuf, String)>, ConfigError> {
        let path = self.file.clone().unwrap_or_else(|| PathBuf::from(FILE));
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some((path, text))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && self.file.is_none() => {
                Ok(None)
            }
            Err(error) => {
                // A URL that was typed in place of the file may have a password.
                let name = path.display().to_string();
                let name = if name.contains("://") { "the file".to_owned() } else { name };
                Err(ConfigError::new(format!("cannot read {name}: {error}")))
            }
        }
    }
}

/// Reads a file's settings. They are read as [`Config`] too, which knows lines.
fn parse_file(path: &Path, text: &str) -> Result<Value, ConfigError> {
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Value::Object(Map::new()));
    }
    let place = |error: serde_saphyr::Error| {
        let at = match error.without_snippet().location() {
            Some(at) => format!("{}:{}:{}", path.display(), at.line(), at.column()),
            None => path.display().to_string(),
        };
        ConfigError::new(format!("{at}: {}", describe(&error)))
    };
    serde_saphyr::from_str::<Config>(text).map_err(place)?;
    serde_saphyr::from_str(text).map_err(place)
}

/// The levels of a setting that a variable names. Backends and namespaces are the user's names, of
/// letters, digits and hyphens: a shell's variable has an underscore in place of the hyphen.
fn path_of_variable(name: &str) -> Vec<String> {
    let mut path: Vec<String> = name.to_lowercase().split("__").map(str::to_owned).collect();
    if let [first, second, ..] = path.as_mut_slice()
        && ["backends", "namespaces"].contains(&first.as_str())
    {
        *second = second.replace('_', "-");
    }
    path
}

/// Settings that are being merged.
struct Settings {
    values: Value,
    /// What has set `database`, where anything has.
    database: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { values: Value::Object(Map::new()), database: None }
    }
}

impl Settings {
    fn of_file(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let values = parse_file(path, text)?;
        let database = values.get("database").map(|_| path.display().to_string());
        Ok(Settings { values, database })
    }

    /// Sets one setting. The text is taken for YAML where that fits the setting, and as it is else.
    fn assign(&mut self, path: &[&str], text: &str, source: &str) -> Result<(), ConfigError> {
        let plain = Value::String(text.to_owned());
        let typed = serde_saphyr::from_str(text).unwrap_or_else(|_| plain.clone());
        let mut failure = String::new();
        for value in [plain, typed] {
            let mut changed = self.values.clone();
            place(&mut changed, path, value);
            match read(&changed) {
                Ok(_) => {
                    self.values = changed;
                    if path == ["database"] {
                        self.database = Some(source.to_owned());
                    }
                    return Ok(());
                }
                Err(error) => failure = describe(&error),
            }
        }
        Err(ConfigError::new(format!("{source}: {failure}")))
    }

    fn finish(self) -> Result<Config, ConfigError> {
        let config = read(&self.values).map_err(|error| ConfigError::new(describe(&error)))?;
        match self.database {
            Some(source) if !config.backends.is_empty() => Err(ConfigError::new(both(&source))),
            _ => Ok(config),
        }
    }
}

/// Reads merged settings by the rules that hold in a file: JSON is YAML.
fn read(settings: &Value) -> Result<Config, serde_saphyr::Error> {
    serde_saphyr::from_str(&settings.to_string())
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

/// What is wrong, in one line and without the value, which may be a secret.
fn describe(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error;
    match error.without_snippet() {
        Error::SerdeUnknownField { field, expected, .. } => unknown("setting", field, expected),
        Error::SerdeUnknownVariant { variant, expected, .. } => unknown("value", variant, expected),
        Error::SerdeInvalidType { expected, .. } | Error::SerdeInvalidValue { expected, .. } => {
            format!("expected {expected}")
        }
        // All numbers are counts.
        Error::InvalidScalar { .. } => "expected a whole number".to_owned(),
        Error::DuplicateMappingKey { .. } => "the setting is there twice".to_owned(),
        other => {
            let text = other.to_string();
            let line = text.lines().next().unwrap_or_default();
            line.split(" at line ").next().unwrap_or(line).trim_start_matches("error: ").to_owned()
        }
    }
}

fn unknown(kind: &str, name: &str, known: &[&str]) -> String {
    let near = closest(name, known.iter().copied());
    let name = shown(name);
    match near {
        Some(near) => format!("unknown {kind}{name}; did you mean `{near}`?"),
        None => format!("unknown {kind}{name}; known are {}", known.join(", ")),
    }
}
