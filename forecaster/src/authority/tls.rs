//! Both sides of a connection between hub and node, from rustls with ring.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use headroom_peer::name::{PeerName, name_of};
use headroom_peer::provider;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
};
use uuid::Uuid;

use super::Credentials;

fn roots(credentials: &Credentials) -> anyhow::Result<Arc<RootCertStore>> {
    let mut roots = RootCertStore::empty();
    roots.add(credentials.authority.clone()).context("the authority's certificate cannot be used")?;
    Ok(Arc::new(roots))
}

/// Which node a connection must reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// This node.
    Node(Uuid),
    /// Any node that our authority signed.
    AnyNode,
}

/// The client side towards a node: shows the hub's certificate and takes only what our authority signed for the
/// expected name. The address plays no part.
pub(crate) fn client_config(credentials: &Credentials, expected: Expected) -> anyhow::Result<ClientConfig> {
    let inner = WebPkiServerVerifier::builder_with_provider(roots(credentials)?, provider()).build()?;
    let own = credentials.copy();
    Ok(ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(NameVerifier { inner, expected }))
        .with_client_auth_cert(vec![own.certificate], own.key)?)
}

/// The server side of the intake: asks for a certificate, and leaves it to the routes to insist on one, since who
/// enrols has none yet. A certificate of another authority ends the handshake.
pub(crate) fn server_config(credentials: &Credentials) -> anyhow::Result<ServerConfig> {
    let verifier = WebPkiClientVerifier::builder_with_provider(roots(credentials)?, provider())
        .allow_unauthenticated()
        .build()?;
    let own = credentials.copy();
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![own.certificate, own.authority], own.key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The server side of the web view, from the operator's own certificate; browsers show none.
pub(crate) fn web_config(certificate: &Path, key: &Path) -> anyhow::Result<ServerConfig> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|error| anyhow::anyhow!("{error}"))
        .with_context(|| format!("cannot read PEM certificates from {}", certificate.display()))?;
    let key = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| anyhow::anyhow!("{error}"))
        .with_context(|| format!("cannot read a PEM private key from {}", key.display()))?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("web.certificate and web.key do not belong together")?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[derive(Debug)]
struct NameVerifier {
    inner: Arc<WebPkiServerVerifier>,
    expected: Expected,
}

impl ServerCertVerifier for NameVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _address: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let refused = || rustls::Error::InvalidCertificate(CertificateError::NotValidForName);
        let name = match self.expected {
            Expected::Node(node) => PeerName::Node(node),
            Expected::AnyNode => name_of(end_entity).map_err(|_| refused())?,
        };
        if name == PeerName::Hub {
            return Err(refused());
        }
        let name = ServerName::try_from(name.dns_name()).map_err(|_| refused())?;
        self.inner.verify_server_cert(end_entity, intermediates, &name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
