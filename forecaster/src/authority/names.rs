//! The name in a certificate: names are authenticated, not addresses.

use std::path::Path;

use headroom_core::exchange::{HUB_DNS_NAME, enrol::hexadecimal};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
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

/// When the certificate in this PEM file ends, Unix seconds.
pub(super) fn not_after(path: &Path) -> anyhow::Result<i64> {
    let certificate = CertificateDer::from_pem_file(path).map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok(parse(&certificate)?.validity().not_after.timestamp())
}

/// SHA-256 of a certificate's DER form.
pub(crate) fn fingerprint(certificate: &CertificateDer<'_>) -> [u8; 32] {
    Sha256::digest(certificate.as_ref()).into()
}
