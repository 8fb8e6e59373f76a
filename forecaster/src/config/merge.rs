//! File, environment and flags laid over the defaults, each value with where it came from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::setting::{self, SETTINGS};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Built in.
    Default,
    /// The configuration file.
    File(PathBuf),
    /// This environment variable.
    Environment(String),
    /// This flag.
    Flag(String),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => f.write_str(name),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {path}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("{path} is not TOML: {message}")]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// What the parser says, with the line.
        message: String,
    },
    /// A key or variable that means nothing here: most often a misspelling.
    #[error("{origin} sets {key:?}, which is no setting; `headroom config` lists them")]
    Unknown {
        /// What was set.
        key: String,
        /// Where.
        origin: String,
    },
    /// A value that the setting does not take.
    #[error("{key} = {value:?} (from {origin}): {expected}")]
    Value {
        /// Which setting.
        key: &'static str,
        /// What it was set to; empty for secrets.
        value: String,
        /// Where.
        origin: Origin,
        /// What it should be.
        expected: String,
    },
}

/// Every setting with its value, as text, and its origin.
pub(crate) type Merged = BTreeMap<&'static str, (String, Origin)>;

/// Lays the file, then the environment, then the flags over the defaults. What is unknown is an error, not ignored.
pub(crate) fn merge(
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
    flags: &[(&'static str, String)],
) -> Result<Merged, ConfigError> {
    let mut merged: Merged = SETTINGS
        .iter()
        .filter_map(|setting| Some((setting.key, (setting.default?.to_owned(), Origin::Default))))
        .collect();
    if let Some(path) = file {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| ConfigError::Syntax {
            path: path.to_owned(),
            message: error.to_string().trim().replace('\n', " "),
        })?;
        for (key, value) in flatten(&table) {
            let Some(setting) = setting::find(&key) else {
                return Err(ConfigError::Unknown { key, origin: path.display().to_string() });
            };
            merged.insert(setting.key, (value, Origin::File(path.to_owned())));
        }
    }
    for (name, value) in environment {
        // Variables of the node, of tests and of the file's place share the prefix.
        if !name.starts_with("HEADROOM_")
            || ["HEADROOM_NODE_", "HEADROOM_TEST_", "HEADROOM_CONFIG", "HEADROOM_PG_", "HEADROOM_DEMO_"]
                .iter()
                .any(|other| name.starts_with(other))
        {
            continue;
        }
        let Some(setting) = SETTINGS.iter().find(|setting| setting.variable() == name) else {
            return Err(ConfigError::Unknown { key: name, origin: "the environment".to_owned() });
        };
        merged.insert(setting.key, (value, Origin::Environment(name)));
    }
    for (key, value) in flags {
        if let Some(setting) = setting::find(key) {
            merged.insert(setting.key, (value.clone(), Origin::Flag(setting.flag())));
        }
    }
    Ok(merged)
}

/// `[table] name = value` as `table.name` and text.
fn flatten(table: &toml::Table) -> Vec<(String, String)> {
    let mut flat = Vec::new();
    for (name, value) in table {
        match value {
            toml::Value::Table(inner) => {
                flat.extend(flatten(inner).into_iter().map(|(key, value)| (format!("{name}.{key}"), value)));
            }
            toml::Value::String(text) => flat.push((name.clone(), text.clone())),
            other => flat.push((name.clone(), other.to_string())),
        }
    }
    flat
}

#[cfg(test)]
mod tests {
    use super::{ConfigError, Origin, merge};

    fn file(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("headroom.toml");
        std::fs::write(&path, text).expect("written");
        (folder, path)
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let (_folder, path) = file("[web]\nlisten = \"1.1.1.1:1\"\nrefresh_seconds = 7\n[pull]\nbatch = 9\n");
        let environment =
            [("HEADROOM_WEB_LISTEN", "2.2.2.2:2"), ("HEADROOM_PULL_BATCH", "8"), ("PATH", "/bin")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let merged =
            merge(Some(&path), environment.into_iter(), &[("pull.batch", "7".to_owned())]).expect("merges");
        assert_eq!(merged["web.refresh_seconds"], ("7".to_owned(), Origin::File(path)));
        assert_eq!(
            merged["web.listen"],
            ("2.2.2.2:2".to_owned(), Origin::Environment("HEADROOM_WEB_LISTEN".to_owned()))
        );
        assert_eq!(merged["pull.batch"], ("7".to_owned(), Origin::Flag("pull-batch".to_owned())));
        assert_eq!(merged["log.format"].1, Origin::Default);
    }

    #[test]
    fn a_misspelt_key_is_named() {
        let (_folder, path) = file("[web]\nlissen = \"x\"\n");
        let error = merge(Some(&path), std::iter::empty(), &[]).expect_err("refused");
        assert!(error.to_string().contains("web.lissen"), "{error}");
        let variable = [("HEADROOM_WEB_LISSEN".to_owned(), String::new())];
        assert!(matches!(merge(None, variable.into_iter(), &[]), Err(ConfigError::Unknown { .. })));
    }

    #[test]
    fn a_broken_file_is_named_with_its_line() {
        let (_folder, path) = file("a = = b");
        let error = merge(Some(&path), std::iter::empty(), &[]).expect_err("refused").to_string();
        assert!(error.contains("headroom.toml") && error.contains("line 1"), "{error}");
    }
}
