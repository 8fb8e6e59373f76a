//! Connections to the read API. Who has no valid certificate of the hub learns nothing, not even an error page.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::node::Node;
use crate::store::EntryKind;

/// For a handshake, and for a request's head: who is slower holds a connection for nothing.
const PATIENCE: Duration = Duration::from_secs(20);
/// Most connections at the same time; more wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 32;
/// A refusal of one address is written into the journal once in this time: the log has each.
const REFUSAL_REST: Duration = Duration::from_secs(60);
/// Addresses whose last refusal is remembered.
const REFUSED_MAX: usize = 256;

/// Who was refused lately, so that knocking fills no disk.
#[derive(Debug, Default)]
struct Refusals(Mutex<HashMap<IpAddr, Instant>>);

impl Refusals {
    fn is_new(&self, address: IpAddr) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REFUSED_MAX {
            known.retain(|_, at| at.elapsed() < REFUSAL_REST);
        }
        let is_new = known.get(&address).is_none_or(|at| at.elapsed() >= REFUSAL_REST);
        if is_new && known.len() < REFUSED_MAX {
            known.insert(address, Instant::now());
        }
        is_new && known.contains_key(&address)
    }
}

/// Accepts connections until told to stop, then lets those that are open end. `config` may change meanwhile: a renewed
/// certificate is shown to the next connection. While it is `None` nobody is let in.
pub async fn serve(
    node: Arc<Node>,
    listener: TcpListener,
    config: watch::Receiver<Option<Arc<ServerConfig>>>,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let refusals = Arc::new(Refusals::default());
    let mut tasks = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stopped(&mut stop) => break,
            Some(_) = tasks.join_next(), if !tasks.is_empty() => continue,
            accepted = listener.accept(), if tasks.len() < CONNECTIONS_MAX => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                let Some(config) = config.borrow().clone() else {
                    tracing::warn!(%address, "refused a connection: this node is not enrolled");
                    continue;
                };
                let (node, refusals) = (Arc::clone(&node), Arc::clone(&refusals));
                let (router, stop) = (router.clone(), stop.clone());
                tasks.spawn(async move {
                    if let Err(error) = converse(stream, config, router, stop).await {
                        refused(&node, &refusals, address, &error).await;
                    }
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: wait for some to come free instead of spinning.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
    let _ =
        tokio::time::timeout(Duration::from_secs(3), async { while tasks.join_next().await.is_some() {} })
            .await;
}

async fn refused(node: &Arc<Node>, refusals: &Refusals, address: SocketAddr, error: &io::Error) {
    tracing::warn!(%address, %error, "refused a connection: no valid certificate of the hub");
    if refusals.is_new(address.ip()) {
        let (node, detail) = (Arc::clone(node), format!("refused {}: {error}", address.ip()));
        let noted = tokio::task::spawn_blocking(move || node.note(EntryKind::Refused, &detail)).await;
        if let Err(error) = noted {
            tracing::error!(%error, "a refusal was not written down");
        }
    }
}

/// One connection. An error is a handshake that failed; what breaks off later is the other side's affair.
async fn converse(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    router: Router,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let stream = tokio::time::timeout(PATIENCE, TlsAcceptor::from(config).accept(stream))
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the handshake took too long"))??;
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
    Ok(())
}

/// Waits until the node is told to stop.
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone: then it is time to stop too.
    let _ = stop.wait_for(|stopped| *stopped).await;
}
