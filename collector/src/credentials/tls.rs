//! Both sides of a connection between node and hub: rustls with ring, mutual authentication by name.

use std::sync::Arc;

use headroom_peer::certificate::{fingerprint, first_certificate};
use headroom_peer::name::{PeerName, name_of};
use headroom_peer::provider;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig,
    SignatureScheme,
};

use super::{Credentials, CredentialsError};

fn unusable(what: &str, error: impl std::fmt::Display) -> CredentialsError {
    CredentialsError::Unusable(format!("{what}: {error}"))
}

type Own = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>, Arc<RootCertStore>);

fn own(credentials: &Credentials) -> Result<Own, CredentialsError> {
    let chain = CertificateDer::pem_slice_iter(credentials.certificate.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unusable("the node's certificate", error))?;
    let key = PrivateKeyDer::from_pem_slice(credentials.key.as_bytes())
        .map_err(|error| unusable("the node's key", error))?;
    let mut roots = RootCertStore::empty();
    let authority =
        first_certificate(&credentials.authority).map_err(|error| unusable("the hub's authority", error))?;
    roots.add(authority).map_err(|error| unusable("the hub's authority", error))?;
    Ok((chain, key, Arc::new(roots)))
}

/// The read API's side: only who shows a valid certificate that names the hub gets past the handshake.
///
/// # Errors
/// The credentials are damaged.
pub fn server_config(credentials: &Credentials) -> Result<ServerConfig, CredentialsError> {
    let (chain, key, roots) = own(credentials)?;
    let mut verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
    if let Some(pem) = &credentials.revocations {
        let lists = CertificateRevocationListDer::pem_slice_iter(pem.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unusable("the list of revoked certificates", error))?;
        verifier = verifier.with_crls(lists).allow_unknown_revocation_status();
    }
    let verifier = verifier
        .build()
        .map_err(|error| unusable("the hub's authority or its list of revocations", error))?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable("TLS", error))?
        .with_client_cert_verifier(Arc::new(HubOnly(verifier)))
        .with_single_cert(chain, key)
        .map_err(|error| unusable("the node's certificate and key", error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The node's side towards the hub's intake.
///
/// # Errors
/// The credentials are damaged.
pub fn client_config(credentials: &Credentials) -> Result<ClientConfig, CredentialsError> {
    let (chain, key, roots) = own(credentials)?;
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable("TLS", error))?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(|error| unusable("the node's certificate and key", error))
}

/// The one conversation of an enrolment that the hub starts: a certificate made for it alone.
///
/// # Errors
/// No key can be made.
pub fn listening_config() -> Result<(ServerConfig, [u8; 32]), CredentialsError> {
    let key = |error: rcgen::Error| CredentialsError::Key(error.to_string());
    let pair = rcgen::KeyPair::generate().map_err(key)?;
    let certificate = rcgen::CertificateParams::new(vec!["node.headroom.internal".to_owned()])
        .and_then(|params| params.self_signed(&pair))
        .map_err(key)?;
    let der = certificate.der().clone();
    let fingerprint = fingerprint(&der);
    let private =
        PrivateKeyDer::try_from(pair.serialize_der()).map_err(|error| unusable("the key", error))?;
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable("TLS", error))?
        .with_no_client_auth()
        .with_single_cert(vec![der], private)
        .map_err(|error| unusable("the certificate of this conversation", error))?;
    Ok((config, fingerprint))
}

/// Takes a client that the authority signed and that is the hub: another node's certificate is no key to this one.
#[derive(Debug)]
struct HubOnly(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for HubOnly {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verified = self.0.verify_client_cert(end_entity, intermediates, now)?;
        match name_of(end_entity) {
            Ok(PeerName::Hub) => Ok(verified),
            _ => Err(rustls::Error::InvalidCertificate(CertificateError::NotValidForName)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
