//! A connection to the hub's intake.

use std::sync::Arc;
use std::time::Duration;

use headroom_core::exchange::HUB_DNS_NAME;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde::{Serialize, de::DeserializeOwned};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::serve::body::gzip;

/// Largest answer that is read, bytes: a grant with its revocations.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// For connecting and the handshake.
const CONNECT_PATIENCE: Duration = Duration::from_secs(30);
/// For an answer: a slow line may need minutes for a batch.
const ANSWER_PATIENCE: Duration = Duration::from_secs(180);

/// Why the hub did not take something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// No connection.
    #[error("cannot connect to the hub at {address}")]
    Connect {
        /// Where to.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// The two sides do not accept each other's certificates.
    #[error("the hub at {address} and this node do not accept each other's certificates")]
    Handshake {
        /// Where.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// It took too long.
    #[error("the hub at {address} did not answer within {seconds} s")]
    TimedOut {
        /// Where.
        address: String,
        /// The limit.
        seconds: u64,
    },
    /// The conversation broke off.
    #[error("the connection to the hub at {address} broke off: {reason}")]
    Broken {
        /// Where.
        address: String,
        /// Why.
        reason: String,
    },
    /// The hub said no.
    #[error("the hub at {address} answered {status}: {detail}")]
    Refused {
        /// Where.
        address: String,
        /// HTTP status.
        status: StatusCode,
        /// What it says.
        detail: String,
    },
}

impl HubError {
    /// The HTTP status, where the hub answered.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// A connection to the hub.
pub struct HubClient {
    address: String,
    sender: SendRequest<Full<Bytes>>,
}

impl HubClient {
    /// Connects and shakes hands: the name in the hub's certificate counts, not the address.
    ///
    /// # Errors
    /// Nobody is there, or it is somebody else.
    pub async fn connect(address: &str, config: Arc<ClientConfig>) -> Result<Self, HubError> {
        let own = || address.to_owned();
        let connecting = async {
            let stream = TcpStream::connect(address)
                .await
                .and_then(|stream| stream.set_nodelay(true).map(|()| stream))
                .map_err(|source| HubError::Connect { address: own(), source })?;
            let name = ServerName::try_from(HUB_DNS_NAME).expect("the name is a constant DNS name");
            let stream = TlsConnector::from(config)
                .connect(name, stream)
                .await
                .map_err(|source| HubError::Handshake { address: own(), source })?;
            let (sender, connection) = handshake(TokioIo::new(stream))
                .await
                .map_err(|error| HubError::Broken { address: own(), reason: error.to_string() })?;
            // Ends by itself when the sender is dropped.
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "the connection to the hub ended");
                }
            });
            Ok(sender)
        };
        let sender = tokio::time::timeout(CONNECT_PATIENCE, connecting)
            .await
            .map_err(|_| HubError::TimedOut { address: own(), seconds: CONNECT_PATIENCE.as_secs() })??;
        Ok(Self { address: own(), sender })
    }

    /// Sends JSON, compressed, and reads JSON.
    ///
    /// # Errors
    /// The hub says no or does not answer.
    pub async fn post<A: DeserializeOwned>(
        &mut self,
        path: &str,
        question: &impl Serialize,
    ) -> Result<A, HubError> {
        let broken = |reason: String| HubError::Broken { address: self.address.clone(), reason };
        let json = serde_json::to_vec(question).expect("the exchange types have string keys only");
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(header::HOST, HUB_DNS_NAME)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONTENT_ENCODING, "gzip")
            .body(Full::new(Bytes::from(gzip(&json))))
            .expect("the parts of the request are constants");
        let conversation = async {
            self.sender.ready().await.map_err(|error| broken(error.to_string()))?;
            let response =
                self.sender.send_request(request).await.map_err(|error| broken(error.to_string()))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
            Ok((status, body.map_err(|error| broken(error.to_string()))?.to_bytes()))
        };
        let (status, bytes) = tokio::time::timeout(ANSWER_PATIENCE, conversation).await.map_err(|_| {
            HubError::TimedOut { address: self.address.clone(), seconds: ANSWER_PATIENCE.as_secs() }
        })??;
        if !status.is_success() {
            return Err(HubError::Refused { address: self.address.clone(), status, detail: detail(&bytes) });
        }
        serde_json::from_slice(&bytes).map_err(|error| broken(format!("its answer cannot be read: {error}")))
    }
}

/// What the hub says, without what would move a terminal's cursor or colour.
fn detail(body: &[u8]) -> String {
    let problem: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let text = problem.as_ref().and_then(|problem| problem.get("detail").or_else(|| problem.get("title")));
    let text = text.and_then(|text| text.as_str()).unwrap_or("no reason given");
    text.chars().filter(|character| !character.is_control()).take(300).collect()
}
