//! The node's side of the exchange, by hand: enrolment with a token and pushes. The demo fleet speaks through it, and
//! the tests say with it what no honest node would.

use std::{fs, path::Path, sync::Arc};

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use headroom_core::exchange::{
    HUB_DNS_NAME,
    enrol::{Grant, Request, Token},
};
use headroom_peer::fingerprint;
use http_body_util::{BodyExt as _, Full};
use hyper::{StatusCode, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use uuid::Uuid;

/// What a node shows and trusts.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The node's id.
    pub node: Uuid,
    /// Its certificate, PEM.
    pub certificate: String,
    /// Its private key, PEM.
    pub key: String,
    /// The hub's authority, PEM.
    pub authority: String,
}

impl Identity {
    /// Asks the hub at `address` for a certificate with a token that `headroom node token` printed.
    ///
    /// # Errors
    /// When the hub does not answer, is not the one that the token names, or refuses.
    pub async fn enrol(address: &str, token: &str, node: Uuid) -> anyhow::Result<Self> {
        let token: Token = token.parse()?;
        let key = rcgen::KeyPair::generate()?;
        let signing_request = rcgen::CertificateParams::new(Vec::new())?.serialize_request(&key)?.pem()?;
        let request = Request {
            secret: headroom_core::exchange::enrol::hexadecimal(&token.secret),
            node,
            signing_request,
            address: None,
        };
        let config = fingerprint::client_config(token.fingerprint)?;
        let (status, body) = send(address, config, "/v1/enrol", serde_json::to_vec(&request)?).await?;
        ensure!(
            status.is_success(),
            "the hub refused the enrolment: {status} {}",
            String::from_utf8_lossy(&body)
        );
        let grant: Grant = serde_json::from_slice(&body).context("the hub's grant")?;
        Ok(Self {
            node,
            certificate: grant.certificate,
            key: key.serialize_pem(),
            authority: grant.authority,
        })
    }

    /// Reads it from a folder.
    ///
    /// # Errors
    /// When a file is missing.
    pub fn read(folder: &Path, node: Uuid) -> anyhow::Result<Self> {
        let file = |name: &str| {
            let path = folder.join(name);
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        Ok(Self {
            node,
            certificate: file("certificate.pem")?,
            key: file("key.pem")?,
            authority: file("authority.pem")?,
        })
    }

    /// Writes it into a folder; the key is readable by its owner alone.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(folder)?;
        crate::secret::write(&folder.join("key.pem"), &self.key)?;
        fs::write(folder.join("certificate.pem"), &self.certificate)?;
        fs::write(folder.join("authority.pem"), &self.authority)?;
        Ok(())
    }

    /// How a connection to the hub is made with it.
    ///
    /// # Errors
    /// When certificate or key cannot be read.
    pub fn config(&self) -> anyhow::Result<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.as_bytes())?)?;
        let chain =
            CertificateDer::pem_slice_iter(self.certificate.as_bytes()).collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes())?;
        Ok(ClientConfig::builder_with_provider(headroom_peer::provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)?)
    }
}

/// Posts JSON to the hub's intake and gives back what it answered.
///
/// # Errors
/// When there is no connection or it breaks off; a refusal is an answer.
pub async fn send(
    address: &str,
    config: ClientConfig,
    path: &str,
    body: Vec<u8>,
) -> anyhow::Result<(StatusCode, Bytes)> {
    send_with(address, config, path, &[("content-type", "application/json")], body).await
}

/// Posts anything with these headers.
///
/// # Errors
/// When there is no connection or it breaks off; a refusal is an answer.
pub async fn send_with(
    address: &str,
    config: ClientConfig,
    path: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> anyhow::Result<(StatusCode, Bytes)> {
    let stream = TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
    let name = ServerName::try_from(HUB_DNS_NAME)?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    let stream = stream.with_context(|| format!("{address} and this node do not accept each other"))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends by itself when the sender is dropped.
    let driver = tokio::spawn(connection);
    let mut request = hyper::Request::post(path).header(header::HOST, HUB_DNS_NAME);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body)))?;
    let response = sender.send_request(request).await.with_context(|| format!("{address} broke off"))?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    drop(sender);
    driver.abort();
    Ok((status, body))
}

/// The node's id, made once and kept in a folder.
///
/// # Errors
/// When the folder cannot be written or holds something else.
pub fn kept_id(path: &Path) -> anyhow::Result<Uuid> {
    if let Ok(text) = fs::read_to_string(path) {
        return text.trim().parse().with_context(|| format!("{} holds no id", path.display()));
    }
    let Some(folder) = path.parent() else { bail!("{} lies in no folder", path.display()) };
    fs::create_dir_all(folder)?;
    let id = Uuid::new_v4();
    fs::write(path, id.to_string())?;
    Ok(id)
}
