//! The node's id, made at its first start and kept. A disk image that is copied to another machine takes the id along:
//! the machine's own id tells the copy from the original, and the copy becomes a node of its own.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::CredentialsError;
use crate::durable;
use crate::probe::tree::fingerprint;

/// Name of the file in the data folder.
const FILE_NAME: &str = "node.json";
/// Where the machine's own id lies.
const MACHINE_ID: &str = "/etc/machine-id";

/// Which node this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The node's id.
    pub node: Uuid,
    /// Fingerprint of the machine for which it was made; `None` where the machine has no id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
}

/// The id that this data folder had on another machine, and where the things of that machine were set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The original's id.
    pub original: Uuid,
    /// Where the original's credentials and store lie now.
    pub set_aside: PathBuf,
}

impl Identity {
    /// Reads the id, without making one.
    ///
    /// # Errors
    /// The file is damaged or cannot be read.
    pub fn read(data_dir: &Path) -> Result<Option<Self>, CredentialsError> {
        durable::read_json(&data_dir.join(FILE_NAME)).map_err(CredentialsError::from)
    }

    /// Reads the id and makes one where there is none. A folder that was copied from another machine gets a new id;
    /// the original's credentials and store are set aside, never used: two machines must not speak as one node.
    ///
    /// # Errors
    /// The folder cannot be read or written.
    pub fn settle(data_dir: &Path) -> Result<(Self, Option<Copied>), CredentialsError> {
        Self::settle_on(data_dir, this_machine())
    }

    fn settle_on(
        data_dir: &Path,
        machine: Option<String>,
    ) -> Result<(Self, Option<Copied>), CredentialsError> {
        let is_own = |known: &Self| known.machine.is_none() || machine.is_none() || known.machine == machine;
        // A folder that cannot be written is no reason not to measure.
        if let Some(known) = Self::read(data_dir)?.filter(is_own) {
            return Ok((known, None));
        }
        let _lock = durable::lock(data_dir)?;
        let original = Self::read(data_dir)?;
        // Another process may have been faster.
        if let Some(known) = original.clone().filter(is_own) {
            return Ok((known, None));
        }
        let copied = match original {
            Some(original) => Some(set_aside(data_dir, original.node)?),
            None => None,
        };
        let fresh = Self { node: Uuid::new_v4(), machine };
        durable::write_json(&data_dir.join(FILE_NAME), &fresh)?;
        Ok((fresh, copied))
    }
}

fn set_aside(data_dir: &Path, original: Uuid) -> Result<Copied, CredentialsError> {
    let set_aside = data_dir.join("quarantine").join(format!("copied-{original}"));
    for name in [crate::store::FILE_NAME, "store.sqlite-wal", "store.sqlite-shm", "credentials.json"] {
        durable::move_into(&data_dir.join(name), &set_aside)?;
    }
    Ok(Copied { original, set_aside })
}

/// Fingerprint of this machine; `None` where it has no id of its own.
fn this_machine() -> Option<String> {
    let id = std::fs::read_to_string(MACHINE_ID).ok()?;
    let id = id.trim();
    (id.len() >= 32 && id.bytes().any(|digit| digit != b'0')).then(|| fingerprint(id))
}

#[cfg(test)]
mod tests {
    use super::Identity;

    #[test]
    fn a_copied_folder_becomes_a_node_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let on = |machine: &str| Identity::settle_on(folder.path(), Some(machine.to_owned())).unwrap();
        let (first, copied) = on("a");
        assert_eq!(copied, None);
        assert_eq!(on("a"), (first.clone(), None), "kept");
        std::fs::write(folder.path().join("credentials.json"), "x").unwrap();
        std::fs::write(folder.path().join("store.sqlite"), "y").unwrap();
        let (second, copied) = on("b");
        let copied = copied.expect("the copy was noticed");
        assert_ne!(second.node, first.node);
        assert_eq!(copied.original, first.node);
        assert!(!folder.path().join("credentials.json").exists());
        assert_eq!(std::fs::read_to_string(copied.set_aside.join("store.sqlite")).unwrap(), "y");
        assert_eq!(on("b"), (second, None));
    }

    #[test]
    fn a_machine_without_an_id_is_no_copy() {
        let folder = tempfile::tempdir().unwrap();
        let (first, _) = Identity::settle_on(folder.path(), Some("a".to_owned())).unwrap();
        assert_eq!(Identity::settle_on(folder.path(), None).unwrap(), (first, None));
    }
}
