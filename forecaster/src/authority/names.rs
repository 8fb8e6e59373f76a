//! The name in a certificate: names are authenticated, not addresses.

use headroom_core::exchange::{HUB_DNS_NAME, enrol::hexadecimal};
use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// Who a certificate speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PeerName {
    /// The hub.
    Hub,
    /// The node with this id.
    Node(Uuid),
}

impl PeerName {
    /// The DNS name in the certificate.
    pub(crate) fn dns_name(self) -> String {
        match self {
            Self::Hub => HUB_DNS_NAME.to_owned(),
            Self::Node(node) => headroom_core::exchange::node_dns_name(node),
        }
    }
}

/// Why a certificate has no name that means something here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoName {
    /// It cannot be parsed.
    #[error("this is no X.509 certificate: {0}")]
    Malformed(String),
    /// None of its names is a node's or the hub's.
    #[error("the certificate names neither the hub nor a node")]
    Foreign,
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, NoName> {
    X509Certificate::from_der(certificate.as_ref())
        .map(|(_, parsed)| parsed)
        .map_err(|error| NoName::Malformed(error.to_string()))
}

/// Who a certificate speaks for. Says nothing about who signed it.
pub(crate) fn name_of(certificate: &CertificateDer<'_>) -> Result<PeerName, NoName> {
    let parsed = parse(certificate)?;
    let names = parsed
        .subject_alternative_name()
        .map_err(|error| NoName::Malformed(error.to_string()))?
        .ok_or(NoName::Foreign)?;
    names
        .value
        .general_names
        .iter()
        .find_map(|name| match name {
            GeneralName::DNSName(name) if *name == HUB_DNS_NAME => Some(PeerName::Hub),
            GeneralName::DNSName(name) => {
                let id = name.strip_suffix(".node.headroom.internal")?;
                Some(PeerName::Node(id.parse().ok()?))
            }
            _ => None,
        })
        .ok_or(NoName::Foreign)
}

/// A certificate's serial number, lower-case hexadecimal without leading zero bytes.
pub(crate) fn serial_of(certificate: &CertificateDer<'_>) -> Result<String, NoName> {
    let parsed = parse(certificate)?;
    let raw = parsed.raw_serial();
    let start = raw.iter().position(|byte| *byte != 0).unwrap_or(raw.len());
    Ok(hexadecimal(&raw[start..]))
}

/// When a certificate ends, Unix seconds.
pub(crate) fn not_after(certificate: &CertificateDer<'_>) -> Result<i64, NoName> {
    Ok(parse(certificate)?.validity().not_after.timestamp())
}

/// Whether a signature (ECDSA over P-256 with SHA-256, ASN.1) over a text is by the key of this certificate.
pub(crate) fn is_signed_by(certificate: &CertificateDer<'_>, text: &[u8], signature: &[u8]) -> bool {
    let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
    let scheme = rustls::SignatureScheme::ECDSA_NISTP256_SHA256;
    let Some((_, found)) = algorithms.mapping.iter().find(|(known, _)| *known == scheme) else {
        return false;
    };
    let Ok(parsed) = parse(certificate) else { return false };
    let key = &parsed.public_key().subject_public_key.data;
    found.iter().any(|algorithm| algorithm.verify_signature(key, text, signature).is_ok())
}

/// SHA-256 of a certificate's DER form.
pub(crate) fn fingerprint(certificate: &CertificateDer<'_>) -> [u8; 32] {
    Sha256::digest(certificate.as_ref()).into()
}
