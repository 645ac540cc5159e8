//! Reads the settings from where they stand, the later over the earlier: `prism.yaml`,
//! environment variables, flags.

use std::fmt;
use std::path::{Path, PathBuf};

use prism_migrate::{Place, is_memory};
use prism_settings::Fault;
use serde_json::{Map, Value};

use super::backends::both;
use super::{Config, variable};

/// The file that is read where no other is named.
const FILE: &str = "prism.yaml";

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
        // A value that is not text stays a value that is set, and is refused where it is read.
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
        let mut variables: Vec<_> = self
            .environment
            .iter()
            .filter_map(|(name, value)| Some((name, name.strip_prefix(variable::PREFIX)?, value)))
            .collect();
        variables.sort();
        for (name, setting, value) in variables {
            let path = variable::path_of(setting);
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            settings.assign(&path, value, name).map_err(|error| match variable::meant(setting) {
                Some(meant) => ConfigError::new(format!(
                    "{name}: no setting; did you mean {meant}? Two underscores stand between levels"
                )),
                None => error,
            })?;
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

/// Reads a file's settings. They are read as [`Config`] too, which knows what each expects.
fn parse_file(path: &Path, text: &str) -> Result<Value, ConfigError> {
    let located = |fault: Fault| ConfigError::new(fault.in_file(path));
    prism_settings::read::<Config>(text).map_err(located)?;
    prism_settings::read(text).map_err(located)
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

    /// Sets one setting. The text is taken as it is if the setting takes that, and for YAML
    /// otherwise.
    fn assign(&mut self, path: &[&str], text: &str, source: &str) -> Result<(), ConfigError> {
        let fail = |what: &str| ConfigError::new(format!("{source}: {what}"));
        if path.iter().any(|level| level.is_empty()) {
            return Err(fail("a level of the setting has no name"));
        }
        let typed = match text.trim().is_empty() {
            true => Ok(Value::Null),
            false => prism_settings::read::<Value>(text),
        };
        let plain = Value::String(text.to_owned());
        let refused = match self.try_assign(path, plain, source) {
            Ok(()) => return Ok(()),
            Err(fault) => fault,
        };
        match typed {
            Ok(Value::Null) if self.try_assign(path, Value::Null, source).is_ok() => Ok(()),
            Ok(Value::Null) => Err(fail(&refused.what)),
            Ok(typed) => self.try_assign(path, typed, source).map_err(|fault| fail(&fault.what)),
            // A list or a map that is not readable.
            Err(fault) if text.trim_start().starts_with(['[', '{']) => Err(fail(&fault.what)),
            Err(_) => Err(fail(&refused.what)),
        }
    }

    fn try_assign(&mut self, path: &[&str], value: Value, source: &str) -> Result<(), Fault> {
        let mut changed = self.values.clone();
        place(&mut changed, path, value);
        read(&changed)?;
        self.values = changed;
        if path == ["database"] {
            self.database = Some(source.to_owned());
        }
        Ok(())
    }

    fn finish(self) -> Result<Config, ConfigError> {
        let config = read(&self.values).map_err(|fault| ConfigError::new(fault.what))?;
        match self.database {
            Some(source) if !config.backends.is_empty() => Err(ConfigError::new(both(&source))),
            _ => Ok(config),
        }
    }
}

/// Reads merged settings by the rules that hold in a file: JSON is YAML.
fn read(settings: &Value) -> Result<Config, Fault> {
    prism_settings::read(&settings.to_string())
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
