//! The authority's list of certificates that hold no longer, and whether one held at a moment.

use std::sync::Arc;

use anyhow::Context as _;
use headroom_core::exchange::enrol::bytes_of;
use jiff::Timestamp;
use rcgen::{CertificateRevocationListParams, KeyIdMethod, RevokedCertParams, SerialNumber};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;

use super::Authority;
use super::issue::validity;

/// Days after which a node should have a newer list. A node that was away for longer keeps to the old one.
const LIST_DAYS: i64 = 365;

impl Authority {
    /// The signed list, PEM, of serial numbers (hexadecimal) with the moment since which each holds no longer.
    ///
    /// # Errors
    /// A serial number is none, or the key does not sign.
    pub(crate) fn revocation_list(
        &self,
        revoked: &[(String, Timestamp)],
        now: Timestamp,
    ) -> anyhow::Result<String> {
        let (this_update, next_update) = validity(now, LIST_DAYS);
        let entry = |(serial, at): &(String, Timestamp)| {
            let padded = format!("{serial:0>width$}", width = serial.len().next_multiple_of(2));
            let serial = bytes_of(&padded).with_context(|| format!("{serial:?} is no serial number"))?;
            Ok(RevokedCertParams {
                serial_number: SerialNumber::from_slice(&serial),
                revocation_time: validity(*at, 0).1,
                reason_code: None,
                invalidity_date: None,
            })
        };
        let params = CertificateRevocationListParams {
            this_update,
            next_update,
            crl_number: SerialNumber::from(now.as_second().unsigned_abs()),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect::<anyhow::Result<_>>()?,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list =
            params.signed_by(&self.issuer).context("the list of revoked certificates cannot be signed")?;
        list.pem().context("the list of revoked certificates has no text form")
    }

    /// Whether this authority signed a certificate, for a peer, and it held at a moment. Says nothing about revocation.
    ///
    /// # Errors
    /// It did not, or it did not hold then.
    pub(crate) fn held(&self, certificate: &CertificateDer<'_>, at: Timestamp) -> anyhow::Result<()> {
        let mut roots = RootCertStore::empty();
        roots.add(self.hub.authority.clone()).context("the authority's certificate cannot be used")?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
        let seconds = u64::try_from(at.as_second()).context("a moment before 1970")?;
        let moment = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        verifier.verify_client_cert(certificate, &[], moment)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use rcgen::{CertificateParams, KeyPair};
    use rustls::pki_types::{CertificateDer, pem::PemObject as _};
    use uuid::Uuid;
    use x509_parser::prelude::{CertificateRevocationList, FromDer as _, parse_x509_pem};

    use crate::authority::Authority;

    #[test]
    fn the_list_names_what_was_revoked() {
        let folder = tempfile::tempdir().expect("a folder");
        let now = Timestamp::now();
        let authority = Authority::open(folder.path(), now).expect("made");
        let revoked =
            ["1", "80ff", "1234567890abcdef1234567890abcdef"].map(|serial| (serial.to_owned(), now));
        let pem = authority.revocation_list(&revoked, now).expect("signed");
        let (_, parsed) = parse_x509_pem(pem.as_bytes()).expect("PEM");
        let (_, list) = CertificateRevocationList::from_der(&parsed.contents).expect("a list");
        let serials: Vec<String> =
            list.iter_revoked_certificates().map(|one| one.user_certificate.to_str_radix(16)).collect();
        assert_eq!(serials, ["1", "80ff", "1234567890abcdef1234567890abcdef"]);
        assert!(authority.revocation_list(&[], now).is_ok(), "an empty list is one too");
    }

    #[test]
    fn a_certificate_held_in_its_time_and_under_its_authority() {
        let (folder, other) =
            (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let now = Timestamp::now();
        let authority = Authority::open(folder.path(), now).expect("made");
        let key = KeyPair::generate().expect("a key");
        let request =
            CertificateParams::default().serialize_request(&key).expect("a request").pem().expect("pem");
        let issued = authority.sign_node(Uuid::new_v4(), &request, now).expect("signed");
        let certificate = CertificateDer::from_pem_slice(issued.pem.as_bytes()).expect("a certificate");
        assert!(authority.held(&certificate, now).is_ok());
        assert!(authority.held(&certificate, now + SignedDuration::from_hours(24 * 91)).is_err());
        assert!(authority.held(&certificate, now - SignedDuration::from_hours(2)).is_err());
        let stranger = Authority::open(other.path(), now).expect("made");
        assert!(stranger.held(&certificate, now).is_err());
    }
}
