//! The management interface of an array, by HTTP.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ureq::Agent;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::TransportError;

/// Most that a resource may have, bytes.
const RESOURCE_BYTES_MAX: u64 = 4 << 20;
/// Patience for one resource. Management controllers are slow, and some never answer.
const RESOURCE_PATIENCE: Duration = Duration::from_secs(10);

/// Where an array's management interface is, and who asks.
#[derive(Clone, PartialEq, Eq)]
pub struct ArrayAddress {
    /// `https://array.example`, without a path.
    pub url: String,
    /// User and password, where the interface wants them.
    pub credentials: Option<(String, String)>,
    /// Certificates that its own is checked against; the interface of an array is seldom signed by a public authority.
    pub authorities: Option<PathBuf>,
}

impl std::fmt::Debug for ArrayAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the password.
        f.debug_struct("ArrayAddress").field("url", &self.url).finish_non_exhaustive()
    }
}

/// A way to read resources: the network, or a test's array.
pub trait ArrayTransport: Send + Sync + 'static {
    /// The resource at a path such as `/redfish/v1`.
    ///
    /// # Errors
    /// As the interface or the network says.
    fn get(&self, path: &str) -> Result<Vec<u8>, TransportError>;
}

/// HTTP to an array. One connection is kept from one resource to the next.
#[derive(Debug)]
pub struct ArrayOverHttp {
    address: ArrayAddress,
    agent: Mutex<Option<Agent>>,
}

impl ArrayOverHttp {
    /// Nothing is connected yet.
    pub fn new(address: ArrayAddress) -> Self {
        Self { address, agent: Mutex::default() }
    }

    fn agent(&self) -> Result<Agent, TransportError> {
        let mut agent = self.agent.lock().unwrap_or_else(PoisonError::into_inner);
        match &*agent {
            Some(agent) => Ok(agent.clone()),
            None => Ok(agent.insert(self.connect()?).clone()),
        }
    }

    fn connect(&self) -> Result<Agent, TransportError> {
        let mut tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let authorities = match &self.address.authorities {
            Some(file) => authorities(file)?,
            None => Vec::new(),
        };
        tls = tls.root_certs(RootCerts::new_with_certs(&authorities));
        Ok(Agent::config_builder()
            .timeout_global(Some(RESOURCE_PATIENCE))
            // A management interface that sends us elsewhere sends our password there too.
            .max_redirects(0)
            .http_status_as_error(false)
            .tls_config(tls.build())
            .build()
            .new_agent())
    }
}

fn authorities(file: &PathBuf) -> Result<Vec<Certificate<'static>>, TransportError> {
    let what = file.display().to_string();
    let bytes = std::fs::read(file)
        .map_err(|error| TransportError::System { what: what.clone(), message: error.to_string() })?;
    let certificates = parse_pem(&bytes).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let certificates: Vec<_> = certificates.collect();
    if certificates.is_empty() {
        return Err(TransportError::System {
            what,
            message: "it holds no certificate in PEM form".to_owned(),
        });
    }
    Ok(certificates)
}

impl ArrayTransport for ArrayOverHttp {
    fn get(&self, path: &str) -> Result<Vec<u8>, TransportError> {
        let what = format!("{}{path}", self.address.url);
        let mut request = self.agent()?.get(&what).header("Accept", "application/json");
        if let Some((user, password)) = &self.address.credentials {
            let token = STANDARD.encode(format!("{user}:{password}"));
            request = request.header("Authorization", format!("Basic {token}"));
        }
        let mut response = request.call().map_err(|error| match error {
            ureq::Error::Timeout(_) => {
                TransportError::TimedOut { what: what.clone(), seconds: RESOURCE_PATIENCE.as_secs() }
            }
            other => TransportError::System { what: what.clone(), message: other.to_string() },
        })?;
        match response.status().as_u16() {
            200 => {}
            401 | 403 => {
                let remedy = "give the node an account of the array that may read".to_owned();
                return Err(TransportError::PermissionDenied { what, remedy });
            }
            404 => return Err(TransportError::NotFound(what)),
            status => return Err(TransportError::Refused { what, status: status.into() }),
        }
        let body = response.body_mut().with_config().limit(RESOURCE_BYTES_MAX).read_to_vec();
        body.map_err(|error| TransportError::System { what, message: error.to_string() })
    }
}
