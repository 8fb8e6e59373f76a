//! The one conversation of an enrolment that the hub starts. The hub knows this node by the fingerprint in the token,
//! the node knows the hub by the token's secret.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::post;
use headroom_core::exchange::enrol::{Grant, Opening, Token, hexadecimal};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use uuid::Uuid;

use super::body;
use super::problem::Problem;
use crate::credentials::{Credentials, CredentialsError, Pending, tls};

/// How long the node waits for its hub.
pub const WAIT: Duration = Duration::from_secs(3_600);
/// For one conversation.
const PATIENCE: Duration = Duration::from_secs(30);
/// Wrong secrets after which nobody is listened to any more.
const WRONG_MAX: u32 = 10;

/// An enrolment that waits for the hub.
#[derive(Debug)]
pub struct Waiting {
    /// What a person gives to the hub.
    pub token: Token,
    acceptor: Arc<rustls::ServerConfig>,
}

struct Shared {
    node: Uuid,
    data_dir: PathBuf,
    address: Option<String>,
    secret_hash: [u8; 32],
    wrong: Mutex<u32>,
    pending: Mutex<Option<Pending>>,
    done: mpsc::UnboundedSender<Result<Credentials, String>>,
}

impl Waiting {
    /// Makes the token and the certificate of this one conversation.
    ///
    /// # Errors
    /// The system gives no key or no random bytes.
    pub fn new() -> Result<Self, CredentialsError> {
        let (config, fingerprint) = tls::listening_config()?;
        let mut secret = [0; 32];
        rustls::crypto::ring::default_provider()
            .secure_random
            .fill(&mut secret)
            .map_err(|_| CredentialsError::Key("the system gives no random bytes".to_owned()))?;
        Ok(Self { token: Token { secret, fingerprint }, acceptor: Arc::new(config) })
    }

    /// Waits until the hub has granted a certificate, which is written then.
    ///
    /// # Errors
    /// Too many wrong secrets, or nobody came in time.
    pub async fn wait(
        self,
        listener: TcpListener,
        node: Uuid,
        data_dir: PathBuf,
        address: Option<String>,
    ) -> anyhow::Result<Credentials> {
        let (done, mut ended) = mpsc::unbounded_channel();
        let router = Router::new()
            .route("/v1/enrol/request", post(request))
            .route("/v1/enrol/grant", post(grant))
            .fallback(|| async { Problem::NoSuchPage })
            .with_state(Arc::new(Shared {
                node,
                data_dir,
                address,
                secret_hash: Sha256::digest(hexadecimal(&self.token.secret)).into(),
                wrong: Mutex::new(0),
                pending: Mutex::new(None),
                done,
            }));
        let acceptor = TlsAcceptor::from(self.acceptor);
        let mut connections = tokio::task::JoinSet::new();
        let accepting = async {
            loop {
                let outcome = tokio::select! {
                    outcome = ended.recv() => outcome,
                    accepted = listener.accept() => {
                        let (stream, _) = accepted?;
                        let (acceptor, router) = (acceptor.clone(), router.clone());
                        connections.spawn(tokio::time::timeout(PATIENCE, converse(acceptor, stream, router)));
                        continue;
                    }
                };
                return match outcome {
                    Some(Ok(credentials)) => Ok(credentials),
                    Some(Err(sentence)) => anyhow::bail!(sentence),
                    None => anyhow::bail!("the enrolment ended without an outcome"),
                };
            }
        };
        let outcome = tokio::time::timeout(WAIT, accepting)
            .await
            .unwrap_or_else(|_| Err(anyhow::anyhow!("no hub came within an hour: start again")));
        // The answer to the grant is still on its way.
        let _ = tokio::time::timeout(Duration::from_secs(2), async {
            while connections.join_next().await.is_some() {}
        })
        .await;
        outcome
    }
}

async fn converse(acceptor: TlsAcceptor, stream: tokio::net::TcpStream, router: Router) {
    let stream = match acceptor.accept(stream).await {
        Ok(stream) => stream,
        Err(error) => return tracing::warn!(%error, "somebody connected who does not know this token"),
    };
    let ended = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .await;
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
}

async fn request(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let opening: Opening = body::read(body).await?;
    // Digests are compared, so that the time that it takes tells nothing about the secret.
    let given: [u8; 32] = Sha256::digest(opening.secret.trim().to_ascii_lowercase()).into();
    if given != shared.secret_hash {
        let mut wrong = shared.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        *wrong += 1;
        if *wrong >= WRONG_MAX {
            let sentence = format!("{WRONG_MAX} wrong tokens were shown: the enrolment was broken off");
            // The receiver is gone where the enrolment has ended already.
            let _ = shared.done.send(Err(sentence));
        }
        return Err(Problem::Forbidden("this is not the token that the node printed".to_owned()));
    }
    let pending = Pending::generate()?;
    let request = pending.request(shared.node, String::new(), shared.address.clone())?;
    *shared.pending.lock().unwrap_or_else(PoisonError::into_inner) = Some(pending);
    Ok(body::tell(&headers, &request))
}

async fn grant(State(shared): State<Arc<Shared>>, body: Body) -> Result<StatusCode, Problem> {
    let grant: Grant = body::read(body).await?;
    // The key was made for who knew the secret; a grant for another key is refused by what it is checked against.
    let pending = shared.pending.lock().unwrap_or_else(PoisonError::into_inner).take();
    let pending = pending.ok_or_else(|| {
        Problem::Invalid("no enrolment is under way: POST /v1/enrol/request comes first".to_owned())
    })?;
    let credentials = pending.granted(shared.node, grant)?;
    credentials.write(&shared.data_dir)?;
    let _ = shared.done.send(Ok(credentials));
    Ok(StatusCode::NO_CONTENT)
}
