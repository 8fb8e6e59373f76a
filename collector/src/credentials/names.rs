//! The name in a certificate, and what else is read from one.

use headroom_core::exchange::{HUB_DNS_NAME, enrol::hexadecimal, node_dns_name};
use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// Who a certificate speaks for. Says nothing about who signed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerName {
    /// The hub.
    Hub,
    /// The node with this id.
    Node(Uuid),
}

/// Why something is no certificate of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoCertificate {
    /// It cannot be parsed.
    #[error("this is no X.509 certificate: {0}")]
    Malformed(String),
    /// None of its names means something here.
    #[error("the certificate names neither the hub nor a node")]
    Foreign,
}

/// The first certificate of a PEM text.
///
/// # Errors
/// There is none.
pub fn first_certificate(pem: &str) -> Result<CertificateDer<'static>, NoCertificate> {
    CertificateDer::from_pem_slice(pem.as_bytes())
        .map_err(|error| NoCertificate::Malformed(error.to_string()))
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, NoCertificate> {
    X509Certificate::from_der(certificate.as_ref())
        .map(|(_, parsed)| parsed)
        .map_err(|error| NoCertificate::Malformed(error.to_string()))
}

/// Who a certificate speaks for.
///
/// # Errors
/// It cannot be parsed or names nobody.
pub fn name_of(certificate: &CertificateDer<'_>) -> Result<PeerName, NoCertificate> {
    let parsed = parse(certificate)?;
    let names = parsed
        .subject_alternative_name()
        .map_err(|error| NoCertificate::Malformed(error.to_string()))?
        .ok_or(NoCertificate::Foreign)?;
    let name = names.value.general_names.iter().find_map(|name| match name {
        GeneralName::DNSName(name) if *name == HUB_DNS_NAME => Some(PeerName::Hub),
        GeneralName::DNSName(name) => {
            let node: Uuid = name.split('.').next()?.parse().ok()?;
            (*name == node_dns_name(node)).then_some(PeerName::Node(node))
        }
        _ => None,
    });
    name.ok_or(NoCertificate::Foreign)
}

/// From when to when a certificate holds.
///
/// # Errors
/// It cannot be parsed.
pub fn validity(certificate: &CertificateDer<'_>) -> Result<(Timestamp, Timestamp), NoCertificate> {
    let parsed = parse(certificate)?;
    let at = |seconds: i64| {
        Timestamp::from_second(seconds).map_err(|error| NoCertificate::Malformed(error.to_string()))
    };
    Ok((at(parsed.validity().not_before.timestamp())?, at(parsed.validity().not_after.timestamp())?))
}

/// Whether a certificate is for this public key (uncompressed point).
pub fn has_key(certificate: &CertificateDer<'_>, public_key: &[u8]) -> bool {
    parse(certificate).is_ok_and(|parsed| parsed.public_key().subject_public_key.data == public_key)
}

/// Whether a signature (ECDSA over P-256 with SHA-256, ASN.1) over a text is by the key of this certificate (PEM).
pub fn is_signed_by(certificate: &str, text: &[u8], signature: &[u8]) -> bool {
    let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
    let scheme = rustls::SignatureScheme::ECDSA_NISTP256_SHA256;
    let Some((_, found)) = algorithms.mapping.iter().find(|(known, _)| *known == scheme) else {
        return false;
    };
    let Ok(certificate) = first_certificate(certificate) else { return false };
    let Ok(parsed) = parse(&certificate) else { return false };
    let key = &parsed.public_key().subject_public_key.data;
    found.iter().any(|algorithm| algorithm.verify_signature(key, text, signature).is_ok())
}

/// SHA-256 of a certificate's DER form.
pub fn fingerprint(certificate: &CertificateDer<'_>) -> [u8; 32] {
    Sha256::digest(certificate.as_ref()).into()
}

/// The same for people, and for the log.
pub fn printed_fingerprint(certificate: &CertificateDer<'_>) -> String {
    hexadecimal(&fingerprint(certificate))
}
