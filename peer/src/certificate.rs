//! What is read from a certificate beside its name.

use headroom_core::exchange::enrol::hexadecimal;
use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::{NoCertificate, provider};

/// The first certificate of a PEM text.
///
/// # Errors
/// There is none.
pub fn first_certificate(pem: &str) -> Result<CertificateDer<'static>, NoCertificate> {
    CertificateDer::from_pem_slice(pem.as_bytes())
        .map_err(|error| NoCertificate::Malformed(error.to_string()))
}

pub(crate) fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, NoCertificate> {
    X509Certificate::from_der(certificate.as_ref())
        .map(|(_, parsed)| parsed)
        .map_err(|error| NoCertificate::Malformed(error.to_string()))
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

/// A certificate's serial number, lower-case hexadecimal without leading zero bytes.
///
/// # Errors
/// It cannot be parsed.
pub fn serial_of(certificate: &CertificateDer<'_>) -> Result<String, NoCertificate> {
    let parsed = parse(certificate)?;
    let raw = parsed.raw_serial();
    let start = raw.iter().position(|byte| *byte != 0).unwrap_or(raw.len());
    Ok(hexadecimal(&raw[start..]))
}

/// Whether a certificate is for this public key (uncompressed point).
pub fn has_key(certificate: &CertificateDer<'_>, public_key: &[u8]) -> bool {
    parse(certificate).is_ok_and(|parsed| parsed.public_key().subject_public_key.data == public_key)
}

/// Whether a signature (ECDSA over P-256 with SHA-256, ASN.1) over a text is by the key of this certificate.
pub fn is_signed_by(certificate: &CertificateDer<'_>, text: &[u8], signature: &[u8]) -> bool {
    let algorithms = provider().signature_verification_algorithms;
    let scheme = rustls::SignatureScheme::ECDSA_NISTP256_SHA256;
    let Some((_, found)) = algorithms.mapping.iter().find(|(known, _)| *known == scheme) else {
        return false;
    };
    let Ok(parsed) = parse(certificate) else { return false };
    let key = &parsed.public_key().subject_public_key.data;
    found.iter().any(|algorithm| algorithm.verify_signature(key, text, signature).is_ok())
}

/// SHA-256 of a certificate's DER form.
pub fn fingerprint(certificate: &CertificateDer<'_>) -> [u8; 32] {
    Sha256::digest(certificate.as_ref()).into()
}
