//! What the node's owner says: whose unit it is and which purposes are granted. It lies in a file of its own, so that
//! a damaged store costs no decision, and every command and the running node read the same.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use headroom_core::unit::{Consent, Contact, Purpose, UserInformation};
use serde::{Deserialize, Serialize};

use crate::config::Settings;
use crate::durable;

/// Name of the file in the data folder.
const FILE_NAME: &str = "owner.json";

/// Why the owner's decisions cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OwnerError {
    /// The file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is damaged. Nothing leaves the node then.
    #[error("{path} is damaged ({source}): nothing leaves this node until it is mended or removed")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

/// The owner's decisions, as commands made them, and what follows from them together with the settings.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Owner {
    /// Purposes that a command granted or withdrew: it decides over the settings.
    pub decisions: BTreeMap<Purpose, bool>,
    /// Fields that a command set: they decide over the settings.
    pub set: BTreeMap<UserField, String>,
    /// What is in force.
    pub user: UserInformation,
}

/// A field of the user information that a command sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum UserField {
    /// Who uses the unit.
    Organisation,
    /// The vendor's reference for this customer.
    CustomerReference,
    /// Where the unit stands.
    Site,
    /// Whom to contact.
    ContactName,
    /// At which address.
    ContactEmail,
}

impl Owner {
    /// Reads the decisions. Where there are none yet, everything is off.
    ///
    /// # Errors
    /// The file is damaged or cannot be read.
    pub fn read(data_dir: &Path) -> Result<Self, OwnerError> {
        let path = data_dir.join(FILE_NAME);
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|source| OwnerError::Damaged { path, source }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(OwnerError::File { path, source }),
        }
    }

    /// Works out what is in force from the decisions and the settings, and writes it where it changed; the version
    /// rises then. Tells whether it changed.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn settle(&mut self, settings: &Settings) -> Result<bool, OwnerError> {
        let in_force = UserInformation { version: self.user.version, ..self.in_force(settings) };
        let changed = in_force != self.user || self.user.version == 0;
        if changed {
            self.user = UserInformation { version: self.user.version + 1, ..in_force };
        }
        Ok(changed)
    }

    /// Writes the decisions.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, data_dir: &Path) -> Result<(), OwnerError> {
        let path = data_dir.join(FILE_NAME);
        let bytes = serde_json::to_vec_pretty(self)
            .map_err(|source| OwnerError::Damaged { path: path.clone(), source })?;
        durable::replace(&path, &bytes).map_err(|source| OwnerError::File { path, source })
    }

    fn in_force(&self, settings: &Settings) -> UserInformation {
        let field = |field: UserField, setting: Option<&String>| -> Option<String> {
            self.set.get(&field).or(setting).filter(|text| !text.is_empty()).cloned()
        };
        let granted = |purpose: Purpose| {
            self.decisions.get(&purpose).copied().unwrap_or_else(|| settings.consent.contains(&purpose))
        };
        let of_settings = settings.contact.as_ref();
        let name = field(UserField::ContactName, of_settings.map(|contact| &contact.name));
        let email = field(UserField::ContactEmail, of_settings.map(|contact| &contact.email));
        UserInformation {
            version: 0,
            organisation: field(UserField::Organisation, settings.organisation.as_ref()).unwrap_or_default(),
            customer_reference: field(UserField::CustomerReference, settings.customer_reference.as_ref()),
            site: field(UserField::Site, settings.site.as_ref()),
            contact: (name.is_some() || email.is_some())
                .then(|| Contact { name: name.unwrap_or_default(), email: email.unwrap_or_default() }),
            consent: Consent {
                support: granted(Purpose::Support),
                advice: granted(Purpose::Advice),
                sales: granted(Purpose::Sales),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use headroom_core::unit::Purpose;

    use super::{Owner, OwnerError, UserField};
    use crate::config::{Settings, merge};

    fn settings(pairs: &[(&'static str, &str)]) -> Settings {
        let flags = pairs.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        Settings::of(&merge(None, &BTreeMap::new(), &flags).unwrap()).unwrap()
    }

    #[test]
    fn a_command_decides_over_the_settings_and_the_version_rises() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(&[("consent", "support,sales"), ("organisation", "Ada Ltd")]);
        let mut owner = Owner::read(folder.path()).unwrap();
        assert!(!owner.user.consent.any(), "off until granted");
        assert!(owner.settle(&settings).unwrap());
        assert!(owner.user.consent.sales);
        assert!(!owner.settle(&settings).unwrap(), "nothing changed");
        owner.decisions.insert(Purpose::Sales, false);
        owner.set.insert(UserField::Organisation, "Bert Ltd".to_owned());
        assert!(owner.settle(&settings).unwrap());
        assert_eq!(owner.user.version, 2);
        owner.write(folder.path()).unwrap();
        let mut again = Owner::read(folder.path()).unwrap();
        assert!(!again.settle(&settings).unwrap(), "a restart does not grant again what was withdrawn");
        assert!(!again.user.consent.sales && again.user.consent.support);
        assert_eq!(again.user.organisation, "Bert Ltd");
    }

    #[test]
    fn a_damaged_file_grants_nothing() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("owner.json"), "{\"user\": 5").unwrap();
        assert!(matches!(Owner::read(folder.path()), Err(OwnerError::Damaged { .. })));
    }
}
