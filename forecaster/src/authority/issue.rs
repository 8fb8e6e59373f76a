//! Signing a node's request.

use headroom_core::exchange::node_dns_name;
use headroom_peer::certificate::serial_of;
use jiff::Timestamp;
use rcgen::{
    CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose, KeyUsagePurpose,
    SerialNumber,
};
use rustls::pki_types::CertificateDer;
use uuid::Uuid;

use super::Authority;

/// Days for which a node's certificate holds; the node renews it when a third is left.
pub(crate) const NODE_CERTIFICATE_DAYS: i64 = 90;
/// Minutes by which a certificate is valid before it was made: the node's clock may be behind.
const BACKDATED_MINUTES: i64 = 60;
/// Largest request that is looked at, bytes; real ones have about 500.
const REQUEST_BYTES_MAX: usize = 16_384;

/// A certificate that was signed.
#[derive(Debug, Clone)]
pub(crate) struct IssuedCertificate {
    /// The certificate, PEM.
    pub(crate) pem: String,
    /// Its serial number, lower-case hexadecimal: the hub honours no other of this node's.
    pub(crate) serial: String,
    /// When it ends.
    pub(crate) not_after: Timestamp,
}

/// Why a signing request is not signed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestRefused {
    /// It is not a PKCS#10 request, or its own signature does not match its key.
    #[error("signing_request: this is no PKCS#10 request with a valid signature of its own key ({0})")]
    Malformed(String),
    /// It could not be signed.
    #[error("the certificate could not be signed: {0}")]
    Signing(String),
}

impl Authority {
    /// Signs a node's key under the node's name. Of the request only the key is used: names, usages and times are ours.
    pub(crate) fn sign_node(
        &self,
        node: Uuid,
        signing_request: &str,
        now: Timestamp,
    ) -> Result<IssuedCertificate, RequestRefused> {
        if signing_request.len() > REQUEST_BYTES_MAX {
            return Err(RequestRefused::Malformed(format!("{} bytes are too many", signing_request.len())));
        }
        let request = CertificateSigningRequestParams::from_pem(signing_request)
            .map_err(|error| RequestRefused::Malformed(error.to_string()))?;
        let signing = |error: rcgen::Error| RequestRefused::Signing(error.to_string());
        let name = node_dns_name(node);
        let serial = Uuid::new_v4();
        let mut params = CertificateParams::new(vec![name.clone()]).map_err(signing)?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.serial_number = Some(SerialNumber::from_slice(serial.as_bytes()));
        (params.not_before, params.not_after) = validity(now, NODE_CERTIFICATE_DAYS);
        let not_after = Timestamp::from_second(params.not_after.unix_timestamp())
            .map_err(|error| RequestRefused::Signing(error.to_string()))?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let signed = params.signed_by(&request.public_key, &self.issuer).map_err(signing)?;
        let der: &CertificateDer<'_> = signed.der();
        let serial = serial_of(der).map_err(|error| RequestRefused::Signing(error.to_string()))?;
        Ok(IssuedCertificate { pem: signed.pem(), serial, not_after })
    }
}

/// From an hour ago to so many days ahead.
pub(super) fn validity(now: Timestamp, days: i64) -> (time::OffsetDateTime, time::OffsetDateTime) {
    let at = |second: i64| {
        time::OffsetDateTime::from_unix_timestamp(second).unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
    };
    (at(now.as_second() - BACKDATED_MINUTES * 60), at(now.as_second() + days * 86_400))
}

#[cfg(test)]
mod tests {
    use headroom_peer::certificate::serial_of;
    use headroom_peer::name::{PeerName, name_of};
    use jiff::Timestamp;
    use rcgen::{CertificateParams, KeyPair};
    use rustls::pki_types::{CertificateDer, pem::PemObject as _};
    use uuid::Uuid;

    use super::RequestRefused;
    use crate::authority::Authority;

    #[test]
    fn a_node_gets_its_own_name_whatever_it_asks_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let authority = Authority::open(folder.path(), Timestamp::now()).expect("made");
        let key = KeyPair::generate().expect("a key");
        let asked = CertificateParams::new(vec!["hub.headroom.internal".to_owned()]).expect("params");
        let request = asked.serialize_request(&key).expect("a request").pem().expect("pem");
        let node = Uuid::new_v4();
        let issued = authority.sign_node(node, &request, Timestamp::now()).expect("signed");
        let der = CertificateDer::from_pem_slice(issued.pem.as_bytes()).expect("a certificate");
        assert_eq!(name_of(&der).expect("a name"), PeerName::Node(node));
        assert_eq!(serial_of(&der).expect("a serial"), issued.serial);
        let days = (issued.not_after.as_second() - Timestamp::now().as_second()) / 86_400;
        assert!((89..=90).contains(&days), "{days}");
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let authority = Authority::open(folder.path(), Timestamp::now()).expect("made");
        let key = KeyPair::generate().expect("a key");
        let request =
            CertificateParams::default().serialize_request(&key).expect("a request").pem().expect("pem");
        let mut damaged = request.clone().into_bytes();
        let middle = damaged.len() / 2;
        damaged[middle] = if damaged[middle] == b'A' { b'B' } else { b'A' };
        for text in [
            "",
            "-----BEGIN CERTIFICATE REQUEST-----",
            &"x".repeat(20_000),
            &String::from_utf8_lossy(&damaged),
        ] {
            let refused = authority.sign_node(Uuid::new_v4(), text, Timestamp::now());
            assert!(matches!(refused, Err(RequestRefused::Malformed(_))), "{text:.40}");
        }
    }
}
