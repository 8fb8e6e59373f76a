//! The TLS listener of intake and web: each request carries who the certificate at the other end says it is.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use headroom_peer::certificate::serial_of;
use headroom_peer::name::{PeerName, name_of};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// Seconds for a handshake, and for a request's head: who is slower holds a connection for nothing.
const PATIENCE: Duration = Duration::from_secs(15);
/// Most connections at the same time; more wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 2_048;

/// Who is at the other end, from its certificate; `None` where it showed none.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// Its name and its certificate's serial number, where it showed one that our authority signed.
    pub(crate) certificate: Option<(PeerName, String)>,
    /// Where it connects from: for the log only, since names are authenticated, not addresses.
    pub(crate) address: SocketAddr,
}

/// Accepts connections until told to stop, then lets those that are open end.
pub(crate) async fn serve(
    listener: TcpListener,
    config: Arc<ServerConfig>,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let acceptor = TlsAcceptor::from(config);
    let mut tasks = tokio::task::JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stopped(&mut stop) => break,
            Some(_) = tasks.join_next(), if tasks.len() >= CONNECTIONS_MAX => continue,
            accepted = listener.accept(), if tasks.len() < CONNECTIONS_MAX => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                while tasks.try_join_next().is_some() {}
                tasks.spawn(converse(stream, address, acceptor.clone(), router.clone(), stop.clone()));
            }
            Err(error) => {
                // Out of file descriptors, most likely: wait for some to come free instead of spinning.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
    let _ = tokio::time::timeout(PATIENCE, async { while tasks.join_next().await.is_some() {} }).await;
}

async fn converse(
    stream: TcpStream,
    address: SocketAddr,
    acceptor: TlsAcceptor,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let stream = match tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::warn!(%address, %error, "refused a connection: no valid certificate");
            return;
        }
        Err(_) => {
            tracing::debug!(%address, "a handshake took too long");
            return;
        }
    };
    let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let certificate = match shown.map(|der| (name_of(der), serial_of(der))) {
        None => None,
        Some((Ok(name), Ok(serial))) => Some((name, serial)),
        Some(_) => {
            tracing::warn!(%address, "refused a certificate of ours that names nobody");
            return;
        }
    };
    let router = router
        .layer(axum::Extension(Peer { certificate, address }))
        .layer(axum::Extension(ConnectInfo(address)));
    let service = TowerToHyperService::new(router);
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => {
            if let Err(error) = ended {
                tracing::debug!(%address, %error, "a connection broke off");
            }
        }
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(PATIENCE, connection).await;
        }
    }
}

/// Waits until the service is told to stop.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone: then it is time to stop too.
    let _ = stop.wait_for(|stopped| *stopped).await;
}
