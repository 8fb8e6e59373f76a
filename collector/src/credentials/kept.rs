//! Key, certificate and authority in one file: a crash leaves the old ones or the new ones, never a mixture.

use std::path::{Path, PathBuf};

use headroom_core::exchange::enrol::{Grant, Request};
use headroom_peer::certificate;
use headroom_peer::name::{PeerName, name_of};
use jiff::Timestamp;
use rcgen::{CertificateParams, KeyPair};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::durable::{self, DurableError};

/// Name of the file in the data folder.
const FILE_NAME: &str = "credentials.json";
/// Name of the file that waits for a grant that a person carries.
const PENDING_FILE_NAME: &str = "request.json";

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// A file cannot be read or written, or is damaged.
    #[error(transparent)]
    File(#[from] DurableError),
    /// The system gives no key.
    #[error("cannot make a key: {0}")]
    Key(String),
    /// A certificate or key that is none, or for somebody else.
    #[error("{0}; enrol this node again")]
    Unusable(String),
}

/// What this node shows and trusts.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// The node's certificate and chain, PEM.
    pub certificate: String,
    /// Its private key, PEM.
    pub key: String,
    /// The hub's authority, PEM.
    pub authority: String,
    /// The hub's intake, where it said one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hub_address: Option<String>,
    /// Certificates that hold no longer, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocations: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("hub_address", &self.hub_address).finish_non_exhaustive()
    }
}

/// A key that waits for its certificate.
#[derive(Serialize, Deserialize)]
pub struct Pending {
    /// The private key, PEM.
    key: String,
}

impl Pending {
    /// A fresh key.
    ///
    /// # Errors
    /// The system gives none.
    pub fn generate() -> Result<Self, CredentialsError> {
        let key = KeyPair::generate().map_err(|error| CredentialsError::Key(error.to_string()))?;
        Ok(Self { key: key.serialize_pem() })
    }

    /// What is sent to the hub to be signed.
    ///
    /// # Errors
    /// The key is damaged.
    pub fn request(
        &self,
        node: Uuid,
        secret: String,
        address: Option<String>,
    ) -> Result<Request, CredentialsError> {
        let key = |error: rcgen::Error| CredentialsError::Key(error.to_string());
        let pair = KeyPair::from_pem(&self.key).map_err(key)?;
        let params = CertificateParams::new(Vec::new()).map_err(key)?;
        let signing_request =
            params.serialize_request(&pair).and_then(|request| request.pem()).map_err(key)?;
        Ok(Request { secret, node, signing_request, address })
    }

    /// Takes what the hub granted, after looking whether it fits this key and this node.
    ///
    /// # Errors
    /// It does not.
    pub fn granted(self, node: Uuid, grant: Grant) -> Result<Credentials, CredentialsError> {
        let unusable = |what: String| CredentialsError::Unusable(what);
        let certificate = certificate::first_certificate(&grant.certificate)
            .map_err(|error| unusable(format!("the hub granted no certificate: {error}")))?;
        certificate::first_certificate(&grant.authority)
            .map_err(|error| unusable(format!("the hub named no authority: {error}")))?;
        match name_of(&certificate) {
            Ok(PeerName::Node(named)) if named == node => {}
            _ => return Err(unusable(format!("the hub granted a certificate that is not of node {node}"))),
        }
        let pair = KeyPair::from_pem(&self.key).map_err(|error| CredentialsError::Key(error.to_string()))?;
        if !certificate::has_key(&certificate, pair.public_key_raw()) {
            return Err(unusable("the hub granted a certificate for another key".to_owned()));
        }
        Ok(Credentials {
            certificate: grant.certificate,
            key: self.key,
            authority: grant.authority,
            hub_address: grant.hub_address,
            revocations: grant.revocations,
        })
    }

    /// Keeps it until a person brings the grant.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep(&self, data_dir: &Path) -> Result<(), CredentialsError> {
        Ok(durable::write_json(&data_dir.join(PENDING_FILE_NAME), self)?)
    }

    /// The one that waits, where there is one.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn kept(data_dir: &Path) -> Result<Option<Self>, CredentialsError> {
        Ok(durable::read_json(&data_dir.join(PENDING_FILE_NAME))?)
    }

    /// Forgets the one that waits.
    pub fn forget(data_dir: &Path) {
        // Missing is as good as removed; a file that cannot be removed is replaced by the next request.
        let _ = std::fs::remove_file(data_dir.join(PENDING_FILE_NAME));
    }
}

impl Credentials {
    /// Where they lie.
    pub fn path(data_dir: &Path) -> PathBuf {
        data_dir.join(FILE_NAME)
    }

    /// Reads them; `None` before the enrolment.
    ///
    /// # Errors
    /// The file is damaged or cannot be read.
    pub fn read(data_dir: &Path) -> Result<Option<Self>, CredentialsError> {
        Ok(durable::read_json(&Self::path(data_dir))?)
    }

    /// Writes them.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn write(&self, data_dir: &Path) -> Result<(), CredentialsError> {
        Ok(durable::write_json(&Self::path(data_dir), self)?)
    }

    /// From when to when the certificate holds.
    ///
    /// # Errors
    /// The certificate is damaged.
    pub fn validity(&self) -> Result<(Timestamp, Timestamp), CredentialsError> {
        certificate::first_certificate(&self.certificate)
            .and_then(|certificate| certificate::validity(&certificate))
            .map_err(|error| CredentialsError::Unusable(format!("the node's certificate: {error}")))
    }

    /// Whether a third or less of its time is left, so that it should be renewed.
    ///
    /// # Errors
    /// The certificate is damaged.
    pub fn is_due(&self, now: Timestamp) -> Result<bool, CredentialsError> {
        let (from, until) = self.validity()?;
        let whole = until.as_second().saturating_sub(from.as_second());
        Ok(until.as_second().saturating_sub(now.as_second()) <= whole / 3)
    }
}
