//! What the node's owner says: whose unit it is and which purposes are granted. It lies in a file of its own, so that
//! a damaged store costs no decision, and every command and the running node read the same.

use std::collections::BTreeMap;
use std::path::Path;

use headroom_core::unit::{Consent, Contact, Purpose, UserInformation};
use serde::{Deserialize, Serialize};

use crate::config::Settings;
use crate::durable::{self, DurableError};

/// Name of the file in the data folder.
const FILE_NAME: &str = "owner.json";

/// Why the owner's decisions cannot be used. Nothing leaves the node then.
#[derive(Debug, thiserror::Error)]
#[error("nothing leaves this node, because the owner's decisions cannot be used")]
pub struct OwnerError(#[from] DurableError);

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
    /// Whether a purpose was ever granted: whoever got data then may learn that it was withdrawn.
    pub granted_once: bool,
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
        Ok(durable::read_json(&data_dir.join(FILE_NAME))?.unwrap_or_default())
    }

    /// What is in force by the decisions and the settings; where it changed, the version rises and it is written.
    ///
    /// # Errors
    /// The file is damaged, or cannot be read or written.
    pub fn settled(settings: &Settings) -> Result<Self, OwnerError> {
        let mut owner = Self::read(&settings.data_dir)?;
        if owner.settle(settings) {
            return Self::change(settings, |_| ());
        }
        Ok(owner)
    }

    /// Changes decisions and settles, with nobody else writing meanwhile.
    ///
    /// # Errors
    /// The file is damaged, or cannot be read or written.
    pub fn change(settings: &Settings, decide: impl FnOnce(&mut Self)) -> Result<Self, OwnerError> {
        let _lock = durable::lock(&settings.data_dir)?;
        let mut owner = Self::read(&settings.data_dir)?;
        let before = owner.clone();
        decide(&mut owner);
        owner.settle(settings);
        if owner != before {
            durable::write_json(&settings.data_dir.join(FILE_NAME), &owner)?;
        }
        Ok(owner)
    }

    /// Works out what is in force, and tells whether that changed; the version rises then.
    pub fn settle(&mut self, settings: &Settings) -> bool {
        let in_force = UserInformation { version: self.user.version, ..self.in_force(settings) };
        let changed = in_force != self.user || self.user.version == 0;
        if changed {
            self.user = UserInformation { version: self.user.version + 1, ..in_force };
            self.granted_once |= self.user.consent.any();
        }
        changed
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
    use std::path::Path;

    use headroom_core::unit::Purpose;

    use super::{Owner, UserField};
    use crate::config::{Settings, merge};

    fn settings(folder: &Path, pairs: &[(&'static str, &str)]) -> Settings {
        let mut flags: BTreeMap<&'static str, String> =
            pairs.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        flags.insert("data_dir", folder.display().to_string());
        Settings::of(&merge(None, &BTreeMap::new(), &flags).unwrap()).unwrap()
    }

    #[test]
    fn a_command_decides_over_the_settings_and_the_version_rises() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), &[("consent", "support,sales"), ("organisation", "Ada Ltd")]);
        assert!(!Owner::read(folder.path()).unwrap().user.consent.any(), "off until granted");
        let first = Owner::settled(&settings).unwrap();
        assert!(first.user.consent.sales);
        assert_eq!(Owner::settled(&settings).unwrap(), first, "nothing changed");
        let changed = Owner::change(&settings, |owner| {
            owner.decisions.insert(Purpose::Sales, false);
            owner.set.insert(UserField::Organisation, "Bert Ltd".to_owned());
        });
        assert_eq!(changed.unwrap().user.version, 2);
        let again = Owner::settled(&settings).unwrap();
        assert_eq!(again.user.version, 2);
        assert!(!again.user.consent.sales && again.user.consent.support, "a restart grants nothing again");
        assert_eq!(again.user.organisation, "Bert Ltd");
    }

    #[test]
    fn a_withdrawal_is_remembered_as_one() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), &[]);
        assert!(!Owner::settled(&settings).unwrap().granted_once);
        let decide = |granted| {
            Owner::change(&settings, |owner| {
                owner.decisions.insert(Purpose::Advice, granted);
            })
            .unwrap()
        };
        assert!(decide(true).granted_once);
        let withdrawn = decide(false);
        assert!(withdrawn.granted_once && !withdrawn.user.consent.any());
    }

    #[test]
    fn a_damaged_file_grants_nothing() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("owner.json"), "{\"user\": 5").unwrap();
        assert!(Owner::settled(&settings(folder.path(), &[("consent", "sales")])).is_err());
    }
}
