//! The authority's files: made at the first start, readable by the service's user alone.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use headroom_core::exchange::HUB_DNS_NAME;
use headroom_peer::certificate;
use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

use super::issue::validity;

/// Days for which the authority's own certificate holds: ten years.
const AUTHORITY_DAYS: i64 = 3_653;
/// Days for which the hub's certificate holds; it is made anew at a start when a third is left.
const HUB_DAYS: i64 = 365;

/// A certificate with its key and the authority that signed it: what one side shows and trusts.
#[derive(Debug)]
pub(crate) struct Credentials {
    /// The authority's certificate, DER.
    pub(crate) authority: CertificateDer<'static>,
    /// Own certificate, DER.
    pub(crate) certificate: CertificateDer<'static>,
    /// Own key.
    pub(crate) key: PrivateKeyDer<'static>,
}

impl Credentials {
    /// Reads them from three PEM files.
    pub(crate) fn read(authority: &Path, certificate: &Path, key: &Path) -> anyhow::Result<Self> {
        let parsed = |path: &Path| {
            CertificateDer::from_pem_file(path)
                .map_err(|error| anyhow::anyhow!("{error}"))
                .with_context(|| format!("cannot read a PEM certificate from {}", path.display()))
        };
        Ok(Self {
            authority: parsed(authority)?,
            certificate: parsed(certificate)?,
            key: PrivateKeyDer::from_pem_file(key)
                .map_err(|error| anyhow::anyhow!("{error}"))
                .with_context(|| format!("cannot read a PEM private key from {}", key.display()))?,
        })
    }

    /// Reads the hub's own from the data folder, without the authority's key.
    pub(crate) fn of_hub(data_dir: &Path) -> anyhow::Result<Self> {
        let folder = data_dir.join("authority");
        Self::read(&folder.join("authority.pem"), &folder.join("hub.pem"), &folder.join("hub.key"))
            .context("the hub's certificates are made at the first `headroom serve` or `headroom node token`")
    }

    /// A copy: private keys are not `Clone` by accident.
    pub(crate) fn copy(&self) -> Self {
        Self {
            authority: self.authority.clone(),
            certificate: self.certificate.clone(),
            key: self.key.clone_key(),
        }
    }
}

/// The authority, able to sign.
pub(crate) struct Authority {
    /// The authority's certificate, PEM.
    pub(crate) certificate_pem: String,
    /// What signs.
    pub(super) issuer: Issuer<'static, KeyPair>,
    /// The hub's own certificate.
    pub(crate) hub: Credentials,
}

impl Authority {
    /// Opens the authority in the data folder, and makes it where there is none.
    pub(crate) fn open(data_dir: &Path, now: Timestamp) -> anyhow::Result<Self> {
        let folder = data_dir.join("authority");
        let _lock = lock(&folder)?;
        let (certificate, key) = (folder.join("authority.pem"), folder.join("authority.key"));
        if !certificate.exists() && !key.exists() {
            let (certificate_pem, key_pem) = new_authority(now)?;
            write_secret(&key, &key_pem)?;
            write_secret(&certificate, &certificate_pem)?;
            tracing::info!(folder = %folder.display(), "made the hub's certificate authority");
        }
        refuse_if_readable_by_others(&key)?;
        let certificate_pem = read(&certificate)?;
        let key_pair = KeyPair::from_pem(&read(&key)?)
            .with_context(|| format!("{} holds no private key", key.display()))?;
        let issuer = Issuer::from_ca_cert_pem(&certificate_pem, key_pair)
            .with_context(|| format!("{} holds no certificate of an authority", certificate.display()))?;
        let hub = hub_credentials(&folder, &issuer, now)?;
        Ok(Self { certificate_pem, issuer, hub })
    }
}

/// Makes the folder and locks it: two processes that start together must not each make an authority.
fn lock(folder: &Path) -> anyhow::Result<std::fs::File> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let lock = std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(folder.join("lock"))
        .with_context(|| format!("cannot write in {}", folder.display()))?;
    lock.lock().with_context(|| format!("cannot lock {}", folder.display()))?;
    Ok(lock)
}

/// Takes the hub's certificate and key away, so that the next opening makes new ones.
pub(crate) fn replace_hub_certificate(data_dir: &Path) -> anyhow::Result<()> {
    let folder = data_dir.join("authority");
    let _lock = lock(&folder)?;
    // The key first: a certificate without its key is made anew, a key without its certificate too.
    for name in ["hub.key", "hub.pem"] {
        let path = folder.join(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", path.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The hub's certificate, made anew where it is missing or a third of its time is left.
fn hub_credentials(
    folder: &Path,
    issuer: &Issuer<'static, KeyPair>,
    now: Timestamp,
) -> anyhow::Result<Credentials> {
    let (certificate, key) = (folder.join("hub.pem"), folder.join("hub.key"));
    let ends =
        CertificateDer::from_pem_file(&certificate).ok().and_then(|der| certificate::validity(&der).ok());
    let least = now.as_second() + HUB_DAYS * 86_400 / 3;
    if !key.exists() || ends.is_none_or(|(_, end)| end.as_second() < least) {
        let key_pair = KeyPair::generate().context("cannot make the hub's key")?;
        let mut params = CertificateParams::new(vec![HUB_DNS_NAME.to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, HUB_DNS_NAME);
        (params.not_before, params.not_after) = validity(now, HUB_DAYS);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let signed = params.signed_by(&key_pair, issuer).context("cannot sign the hub's certificate")?;
        write_secret(&key, &key_pair.serialize_pem())?;
        write_secret(&certificate, &signed.pem())?;
    }
    refuse_if_readable_by_others(&key)?;
    Credentials::read(&folder.join("authority.pem"), &certificate, &key)
}

fn new_authority(now: Timestamp) -> anyhow::Result<(String, String)> {
    let key_pair = KeyPair::generate().context("cannot make the authority's key")?;
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, "Headroom hub authority");
    (params.not_before, params.not_after) = validity(now, AUTHORITY_DAYS);
    // It signs ends only: a stolen node key can never become an authority.
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key_pair).context("cannot sign the authority's certificate")?;
    Ok((certificate.pem(), key_pair.serialize_pem()))
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Writes the whole file or nothing: a crash in between leaves the old one.
fn write_secret(path: &Path, text: &str) -> anyhow::Result<()> {
    let fresh: PathBuf = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let mut file =
            std::fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&fresh, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

fn refuse_if_readable_by_others(path: &Path) -> anyhow::Result<()> {
    let mode = std::fs::metadata(path)
        .with_context(|| format!("cannot read {}", path.display()))?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        bail!("{} can be read by others (mode {:o}): chmod 600 it", path.display(), mode & 0o777);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use headroom_peer::name::{PeerName, name_of};
    use jiff::Timestamp;

    use super::Authority;

    #[test]
    fn an_authority_is_made_once_and_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let now = Timestamp::now();
        let first = Authority::open(folder.path(), now).expect("made");
        let again = Authority::open(folder.path(), now).expect("opened");
        assert_eq!(first.certificate_pem, again.certificate_pem);
        assert_eq!(first.hub.certificate, again.hub.certificate);
        assert_eq!(name_of(&first.hub.certificate).expect("a name"), PeerName::Hub);
        let later = now + jiff::SignedDuration::from_hours(24 * 300);
        let renewed = Authority::open(folder.path(), later).expect("opened");
        assert_ne!(first.hub.certificate, renewed.hub.certificate, "renewed when a third is left");
        assert_eq!(first.certificate_pem, renewed.certificate_pem);
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        Authority::open(folder.path(), Timestamp::now()).expect("made");
        let key = folder.path().join("authority/authority.key");
        assert_eq!(std::fs::metadata(&key).expect("there").permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).expect("changed");
        let error = Authority::open(folder.path(), Timestamp::now()).err().expect("refused");
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
}
