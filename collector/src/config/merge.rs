//! Who said what, the later winning: built in, file, environment, flag.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{DEFAULT_FILE, FILE_VARIABLE, SETTINGS};

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The program.
    BuiltIn,
    /// This file.
    File(PathBuf),
    /// This variable.
    Environment(String),
    /// This flag.
    Flag(String),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built in"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => f.write_str(name),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("{path} is no TOML: {message}")]
    NoToml {
        /// Which file.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// A key that nobody knows.
    #[error("{path} has an unknown key {key:?}; `headroom-node config` lists the known ones")]
    UnknownKey {
        /// Which file.
        path: PathBuf,
        /// Which key.
        key: String,
    },
    /// A variable that nobody knows.
    #[error("the variable {name} names no setting; `headroom-node config` lists them")]
    UnknownVariable {
        /// Its name.
        name: String,
    },
    /// A value that cannot be used.
    #[error("{key} = {value:?} (from {origin}): {expected}")]
    BadValue {
        /// Which setting.
        key: &'static str,
        /// Its value.
        value: String,
        /// Who said so.
        origin: Origin,
        /// What is expected.
        expected: String,
    },
}

/// Every setting's value as text, and who said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    values: BTreeMap<&'static str, (String, Origin)>,
}

impl Merged {
    /// Value and origin of a setting.
    pub fn get(&self, key: &str) -> (&str, &Origin) {
        self.values.get(key).map_or(("", &Origin::BuiltIn), |(value, origin)| (value.as_str(), origin))
    }

    /// Every setting in the order of the list, with its value and origin.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &str, &Origin)> {
        SETTINGS.iter().map(|setting| {
            let (value, origin) = self.get(setting.key);
            (setting.key, value, origin)
        })
    }
}

/// Merges the sources. `file` is the one that a flag names; `environment` and `flags` are given, not read here.
///
/// # Errors
/// The file cannot be read, or it or the environment names what is no setting.
pub fn merge(
    file: Option<&Path>,
    environment: &BTreeMap<String, String>,
    flags: &BTreeMap<&'static str, String>,
) -> Result<Merged, ConfigError> {
    let mut values: BTreeMap<&'static str, (String, Origin)> =
        SETTINGS.iter().map(|setting| (setting.key, (setting.default.to_owned(), Origin::BuiltIn))).collect();
    let named = file.map(Path::to_owned).or_else(|| environment.get(FILE_VARIABLE).map(PathBuf::from));
    let must_exist = named.is_some();
    let path = named.unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
    match std::fs::read_to_string(&path) {
        Ok(text) => take_file(&path, &text, &mut values)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !must_exist => {}
        Err(source) => return Err(ConfigError::Unreadable { path, source }),
    }
    let is_known =
        |name: &String| name == FILE_VARIABLE || SETTINGS.iter().any(|setting| setting.variable() == *name);
    let mut ours = environment.keys().filter(|name| name.starts_with("HEADROOM_NODE_"));
    if let Some(name) = ours.find(|name| !is_known(name)) {
        return Err(ConfigError::UnknownVariable { name: name.clone() });
    }
    for setting in SETTINGS {
        let variable = setting.variable();
        if let Some(value) = environment.get(&variable) {
            values.insert(setting.key, (value.clone(), Origin::Environment(variable)));
        }
        if let Some(value) = flags.get(setting.key) {
            values.insert(setting.key, (value.clone(), Origin::Flag(setting.flag())));
        }
    }
    Ok(Merged { values })
}

fn take_file(
    path: &Path,
    text: &str,
    values: &mut BTreeMap<&'static str, (String, Origin)>,
) -> Result<(), ConfigError> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| ConfigError::NoToml {
        path: path.to_owned(),
        message: error.to_string(),
    })?;
    for (key, value) in table {
        let Some(setting) = SETTINGS.iter().find(|setting| setting.key == key) else {
            return Err(ConfigError::UnknownKey { path: path.to_owned(), key });
        };
        values.insert(setting.key, (plain(&value), Origin::File(path.to_owned())));
    }
    Ok(())
}

/// Lists become text with commas, as in variables and flags.
fn plain(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{ConfigError, merge};
    use crate::config::Settings;

    #[test]
    fn the_later_source_wins_and_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("node.toml");
        std::fs::write(&file, "interval_seconds = 10\nskip_mounts = [\"/a\", \"/b\"]\npush = true\n")
            .unwrap();
        let environment = BTreeMap::from([("HEADROOM_NODE_INTERVAL_SECONDS".to_owned(), "20".to_owned())]);
        let flags = BTreeMap::from([("push", "false".to_owned())]);
        let merged = merge(Some(&file), &environment, &flags).unwrap();
        assert_eq!(merged.get("interval_seconds").0, "20");
        assert_eq!(merged.get("push").1.to_string(), "--push");
        let settings = Settings::of(&merged).unwrap();
        assert_eq!(settings.scope.skip_mounts, ["/a", "/b"]);
        assert_eq!(settings.interval_seconds, 20);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("node.toml");
        std::fs::write(&file, "intervall = 10\n").unwrap();
        let none = BTreeMap::new();
        let refused = merge(Some(&file), &none, &BTreeMap::new());
        assert!(matches!(refused, Err(ConfigError::UnknownKey { key, .. }) if key == "intervall"));
        assert!(merge(Some(&folder.path().join("missing")), &none, &BTreeMap::new()).is_err());
        let mistyped = BTreeMap::from([("HEADROOM_NODE_INTERVALL_SECONDS".to_owned(), "5".to_owned())]);
        let refused = merge(None, &mistyped, &BTreeMap::new());
        assert!(
            matches!(refused, Err(ConfigError::UnknownVariable { name }) if name.ends_with("INTERVALL_SECONDS"))
        );
        for (key, value) in [
            ("interval_seconds", "0"),
            ("interval_seconds", "-1"),
            ("interval_seconds", "1e9"),
            ("placement", "cloud"),
            ("listen", "8471"),
            ("listen", "host:99999"),
            ("hub", "https://hub.example:8472"),
            ("hub", "ada@hub.example:8472"),
            ("contact_email", "ada"),
            ("contact_email", "ada @example.org"),
            ("arrays_credentials", "/no/such/file"),
            ("push", "yes please"),
            ("consent", "sales,everything"),
            ("store_bytes_max", "5"),
            ("data_dir", ""),
            ("skip_mounts", "relative"),
        ] {
            let merged = merge(None, &none, &BTreeMap::from([(key, value.to_owned())])).unwrap();
            let message = Settings::of(&merged).unwrap_err().to_string();
            assert!(message.contains(key) && message.contains(value), "{message}");
        }
    }
}
