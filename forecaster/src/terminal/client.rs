//! One connection to a node's read API.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use headroom_core::exchange::{Acknowledgement, Answer, Batch, PROTOCOL_VERSION};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde::{Serialize, de::DeserializeOwned};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Largest answer that is read, bytes.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// Why a node gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TerminalError {
    /// No connection.
    #[error("cannot connect to {address}")]
    Connect {
        /// Where to.
        address: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The two sides do not accept each other's certificates.
    #[error("{address} and this hub do not accept each other's certificates")]
    Handshake {
        /// Who.
        address: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It took too long.
    #[error("{address} did not answer within {seconds} seconds")]
    TimedOut {
        /// Who.
        address: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The conversation broke off.
    #[error("the connection to {address} broke off")]
    Broken {
        /// Who.
        address: String,
        /// Why.
        #[source]
        source: hyper::Error,
    },
    /// The node refused.
    #[error("{address} answered {status}: {detail}")]
    Refused {
        /// Who.
        address: String,
        /// HTTP status.
        status: StatusCode,
        /// What it says.
        detail: String,
    },
    /// The answer cannot be understood.
    #[error("{address} answered something that is no {what}: {reason}")]
    Malformed {
        /// Who.
        address: String,
        /// What was expected.
        what: &'static str,
        /// Why not.
        reason: String,
    },
}

/// A connection to one node.
pub(crate) struct NodeClient {
    address: String,
    sender: SendRequest<Full<Bytes>>,
    timeout: Duration,
}

impl NodeClient {
    /// Connects and shakes hands. `timeout` holds for connecting and for each answer.
    pub(crate) async fn connect(
        address: &str,
        config: Arc<ClientConfig>,
        timeout: Duration,
    ) -> Result<Self, TerminalError> {
        let owned = address.to_owned();
        let connecting = async {
            let stream = TcpStream::connect(address)
                .await
                .map_err(|source| TerminalError::Connect { address: owned.clone(), source })?;
            stream
                .set_nodelay(true)
                .map_err(|source| TerminalError::Connect { address: owned.clone(), source })?;
            // The verifier decides by the names in the certificate; this one is only what TLS sends along.
            let name = ServerName::try_from("node.headroom.internal").map_err(|error| {
                TerminalError::Connect { address: owned.clone(), source: std::io::Error::other(error) }
            })?;
            let stream = TlsConnector::from(config)
                .connect(name, stream)
                .await
                .map_err(|source| TerminalError::Handshake { address: owned.clone(), source })?;
            let (sender, connection) = handshake(TokioIo::new(stream))
                .await
                .map_err(|source| TerminalError::Broken { address: owned.clone(), source })?;
            // Ends by itself when the sender is dropped.
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "the connection to a node ended");
                }
            });
            Ok(sender)
        };
        let sender = tokio::time::timeout(timeout, connecting).await.map_err(|_| {
            TerminalError::TimedOut { address: address.to_owned(), seconds: timeout.as_secs() }
        })??;
        Ok(Self { address: address.to_owned(), sender, timeout })
    }

    /// What the node tells: specifications, user information, latest status.
    pub(crate) async fn answer(&mut self) -> Result<Answer, TerminalError> {
        let answer = self.ask(Method::GET, "/v1/answer", None, "answer").await?;
        self.understood(answer)
    }

    /// The same, measured now.
    pub(crate) async fn measure(&mut self) -> Result<Answer, TerminalError> {
        let answer = self.ask(Method::POST, "/v1/measure", None, "answer").await?;
        self.understood(answer)
    }

    fn understood(&self, answer: Answer) -> Result<Answer, TerminalError> {
        if answer.protocol > PROTOCOL_VERSION {
            return Err(TerminalError::Malformed {
                address: self.address.clone(),
                what: "answer of this version",
                reason: format!(
                    "it speaks protocol {}, this hub understands up to {PROTOCOL_VERSION}: upgrade the hub",
                    answer.protocol
                ),
            });
        }
        Ok(answer)
    }

    /// The newest samples that the node has no acknowledgement for.
    pub(crate) async fn newest(&mut self, most: u32) -> Result<Batch, TerminalError> {
        self.ask(Method::GET, &format!("/v1/samples?newest={most}"), None, "batch").await
    }

    /// Stored samples with a sequence above this one, oldest first.
    pub(crate) async fn after(&mut self, sequence: u64, most: u32) -> Result<Batch, TerminalError> {
        self.ask(Method::GET, &format!("/v1/samples?after={sequence}&limit={most}"), None, "batch").await
    }

    /// Tells the node what was committed.
    pub(crate) async fn acknowledge(
        &mut self,
        acknowledgement: &Acknowledgement,
    ) -> Result<(), TerminalError> {
        let body = json(acknowledgement);
        let (status, bytes) = self.exchange(Method::POST, "/v1/acknowledge", Some(body)).await?;
        if status.is_success() { Ok(()) } else { Err(self.refused(status, &bytes)) }
    }

    /// Sends any JSON and reads any JSON.
    pub(crate) async fn post<Q: Serialize, A: DeserializeOwned>(
        &mut self,
        path: &str,
        question: &Q,
        what: &'static str,
    ) -> Result<A, TerminalError> {
        self.ask(Method::POST, path, Some(json(question)), what).await
    }

    /// Sends any JSON and reads nothing.
    pub(crate) async fn tell<Q: Serialize>(&mut self, path: &str, question: &Q) -> Result<(), TerminalError> {
        let (status, bytes) = self.exchange(Method::POST, path, Some(json(question))).await?;
        if status.is_success() { Ok(()) } else { Err(self.refused(status, &bytes)) }
    }

    async fn ask<T: DeserializeOwned>(
        &mut self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        what: &'static str,
    ) -> Result<T, TerminalError> {
        let (status, bytes) = self.exchange(method, path, body).await?;
        if !status.is_success() {
            return Err(self.refused(status, &bytes));
        }
        serde_json::from_slice(&bytes).map_err(|error| TerminalError::Malformed {
            address: self.address.clone(),
            what,
            reason: error.to_string(),
        })
    }

    fn refused(&self, status: StatusCode, body: &[u8]) -> TerminalError {
        let problem: Option<serde_json::Value> = serde_json::from_slice(body).ok();
        let detail = problem
            .as_ref()
            .and_then(|problem| problem.get("detail").or_else(|| problem.get("title")))
            .and_then(|text| text.as_str())
            .unwrap_or("no reason given");
        TerminalError::Refused { address: self.address.clone(), status, detail: printable(detail) }
    }

    async fn exchange(
        &mut self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<(StatusCode, Bytes), TerminalError> {
        let broken = |source| TerminalError::Broken { address: self.address.clone(), source };
        let malformed = |reason: String| TerminalError::Malformed {
            address: self.address.clone(),
            what: "HTTP answer",
            reason,
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "node.headroom.internal")
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.unwrap_or_default())))
            .map_err(|error| malformed(error.to_string()))?;
        let conversation = async {
            self.sender.ready().await.map_err(broken)?;
            let response = self.sender.send_request(request).await.map_err(broken)?;
            let status = response.status();
            let bytes = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
                .collect()
                .await
                .map_err(|error| malformed(error.to_string()))?
                .to_bytes();
            Ok((status, bytes))
        };
        tokio::time::timeout(self.timeout, conversation).await.map_err(|_| TerminalError::TimedOut {
            address: self.address.clone(),
            seconds: self.timeout.as_secs(),
        })?
    }
}

fn json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("the exchange types have string keys only")
}

/// What a node says, without what would move a terminal's cursor or colour.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}
