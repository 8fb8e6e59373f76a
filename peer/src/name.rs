//! The name in a certificate: names are authenticated, not addresses.

use headroom_core::exchange::{HUB_DNS_NAME, node_dns_name};
use rustls::pki_types::CertificateDer;
use uuid::Uuid;
use x509_parser::prelude::GeneralName;

use crate::{NoCertificate, certificate::parse};

/// Who a certificate speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerName {
    /// The hub.
    Hub,
    /// The node with this id.
    Node(Uuid),
}

impl PeerName {
    /// The DNS name in the certificate.
    pub fn dns_name(self) -> String {
        match self {
            Self::Hub => HUB_DNS_NAME.to_owned(),
            Self::Node(node) => node_dns_name(node),
        }
    }
}

/// Who a certificate speaks for. Says nothing about who signed it.
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

#[cfg(test)]
mod tests {
    use rustls::pki_types::CertificateDer;
    use uuid::Uuid;

    use super::{PeerName, name_of};
    use crate::NoCertificate;

    fn certificate(names: &[String]) -> CertificateDer<'static> {
        let key = rcgen::KeyPair::generate().expect("a key");
        let params = rcgen::CertificateParams::new(names).expect("names");
        params.self_signed(&key).expect("a certificate").der().clone()
    }

    #[test]
    fn a_certificate_speaks_for_whom_it_names_in_exactly_that_form() {
        let node = Uuid::from_u128(7);
        for name in [PeerName::Hub, PeerName::Node(node)] {
            let other = "elsewhere.example".to_owned();
            assert_eq!(name_of(&certificate(&[other, name.dns_name()])), Ok(name));
        }
        let own = PeerName::Node(node).dns_name();
        for foreign in [
            own.replace('-', ""),
            format!("{own}.example"),
            format!("x.{own}"),
            own.replace("node", "nodes"),
            "hub.headroom.internal.example".to_owned(),
        ] {
            assert_eq!(
                name_of(&certificate(std::slice::from_ref(&foreign))),
                Err(NoCertificate::Foreign),
                "{foreign}"
            );
        }
        assert_eq!(name_of(&certificate(&[])), Err(NoCertificate::Foreign));
        let garbage = CertificateDer::from(vec![0x30, 0x82, 0xff, 0xff]);
        assert!(matches!(name_of(&garbage), Err(NoCertificate::Malformed(_))));
    }
}
