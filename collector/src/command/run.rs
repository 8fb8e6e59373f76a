//! `headroom-node run`: measures, keeps, answers and pushes until told to stop.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{Context, runtime};
use crate::config::Settings;
use crate::credentials::identity::{Copied, Identity};
use crate::credentials::{Credentials, tls};
use crate::deliver::{push, renew};
use crate::durable;
use crate::failure::{Failure, one_line};
use crate::measure::ask::Ask;
use crate::measure::clock::SystemClock;
use crate::measure::round::{Measurer, Source};
use crate::measure::worker;
use crate::node::Node;
use crate::probe::redfish::Array;
use crate::probe::survey::of_machine;
use crate::reader::client::Reader;
use crate::serve::{listener, metrics, routes};
use crate::store::EntryKind;

/// How often it is looked whether the credentials changed: an enrolment shall take hold at once.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Arguments of `run`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {}

/// Runs the node.
pub(crate) fn run(context: &Context, _: &Args) -> anyhow::Result<()> {
    let settings = context.settings.clone();
    durable::make_folder(&settings.data_dir).with_context(|| {
        Failure::CannotCreate(format!("cannot make the data folder {}", settings.data_dir.display()))
    })?;
    let (identity, copied) = Identity::settle(&settings.data_dir)?;
    let (asks, questions) = mpsc::channel();
    let node = Arc::new(Node::new(settings, identity.node, asks.clone()));
    node.keeper().open();
    if let Some(copied) = copied {
        node.note(EntryKind::Certificate, &copied_sentence(&copied));
    }
    let measurer = measurer(node.settings(), identity.node);
    let measuring = std::thread::Builder::new().name("measure".to_owned()).spawn({
        let node = Arc::clone(&node);
        move || worker::run(&node, measurer, &questions)
    })?;
    let outcome = runtime()?.block_on(serve(Arc::clone(&node)));
    // The thread may wait for a device that hangs: it has its watchdog, and what it keeps is kept as a whole.
    if asks.send(Ask::Stop).is_ok() && measuring.join().is_err() {
        tracing::error!("the measuring thread ended with a fault");
    }
    outcome
}

/// What somebody should know whose data folder came from another machine.
pub(crate) fn copied_sentence(copied: &Copied) -> String {
    format!(
        "this data folder was made on another machine, as node {}: its credentials and store were set aside in {}, \
         and this is a new node that has to be enrolled",
        copied.original,
        copied.set_aside.display()
    )
}

/// What measures this machine.
pub(crate) fn measurer(settings: &Settings, node: Uuid) -> Measurer {
    let (prober, transport) = of_machine(settings, node);
    let patience = Duration::from_secs(u64::from(settings.patience_seconds));
    let source = match &settings.reader {
        None => Source::Inside(Box::new(prober)),
        Some(socket) => Source::Reader(Reader::new(socket.clone(), node, patience)),
    };
    Measurer::new(source, Arc::new(SystemClock), transport)
        .with_arrays(Array::of_settings(settings), patience)
}

async fn serve(node: Arc<Node>) -> anyhow::Result<()> {
    let (stop, stopped) = watch::channel(false);
    let (own, credentials) = watch::channel(None);
    let (shown, config) = watch::channel(None);
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut parts = JoinSet::new();
    if let Some(address) = node.settings().listen.clone() {
        let listener = TcpListener::bind(&address).await.with_context(|| {
            Failure::Unavailable(format!("cannot listen on {address}, which `listen` names"))
        })?;
        tracing::info!(node = %node.id(), %address, "the read API listens");
        let (node, router, stopped) = (Arc::clone(&node), routes::router(Arc::clone(&node)), stopped.clone());
        parts.spawn(async move {
            // Whoever asks shall find something: the first round takes no longer than a device's patience.
            first_round(&node).await;
            listener::serve(node, listener, config, router, stopped).await;
        });
    }
    if let Some(address) = node.settings().metrics_listen.clone() {
        let listener = TcpListener::bind(&address).await.with_context(|| {
            Failure::Unavailable(format!("cannot listen on {address}, which `metrics_listen` names"))
        })?;
        let (router, mut stopped) = (metrics::router(Arc::clone(&node)), stopped.clone());
        parts.spawn(async move {
            let stopped = async move { listener::stopped(&mut stopped).await };
            if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stopped).await {
                tracing::error!(%error, "the metrics page ended");
            }
        });
    }
    if node.settings().push {
        parts.spawn(push::run(Arc::clone(&node), credentials.clone(), stopped.clone()));
    }
    parts.spawn(renew::run(Arc::clone(&node), credentials, stopped.clone()));
    parts.spawn(watch_credentials(Arc::clone(&node), own, shown, stopped));
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        ended = parts.join_next() => {
            if let Some(Err(error)) = ended {
                return Err(anyhow::Error::from(error).context("a part of the node ended with a fault"));
            }
        }
    }
    tracing::info!("stopping");
    stop.send_replace(true);
    while parts.join_next().await.is_some() {}
    Ok(())
}

async fn first_round(node: &Node) {
    let patience = Duration::from_secs(u64::from(node.settings().patience_seconds) + 1);
    let mut rounds = node.rounds();
    let first = rounds.wait_for(Option::is_some);
    // A machine whose mount table cannot be read has no first round: then the answers say so.
    let _ = tokio::time::timeout(patience, first).await;
}

/// Follows the credentials' file: an enrolment or renewal by another process takes hold within seconds.
async fn watch_credentials(
    node: Arc<Node>,
    own: watch::Sender<Option<Arc<Credentials>>>,
    shown: watch::Sender<Option<Arc<ServerConfig>>>,
    mut stop: watch::Receiver<bool>,
) {
    let path = Credentials::path(&node.settings().data_dir);
    let mut seen: Option<Option<SystemTime>> = None;
    loop {
        let changed = std::fs::metadata(&path).and_then(|found| found.modified()).ok();
        if seen != Some(changed) {
            seen = Some(changed);
            match load(node.settings()) {
                Ok(Some((credentials, config))) => {
                    let until =
                        credentials.validity().map(|(_, until)| until.to_string()).unwrap_or_default();
                    tracing::info!(until, "enrolled: the certificate is in use");
                    own.send_replace(Some(Arc::new(credentials)));
                    shown.send_replace(Some(Arc::new(config)));
                }
                Ok(None) => {
                    tracing::warn!(
                        "this node is not enrolled: it measures, and nobody can ask it; see headroom-node enrol"
                    );
                    own.send_replace(None);
                    shown.send_replace(None);
                }
                Err(error) => {
                    tracing::error!(error = one_line(&error), "the credentials cannot be used");
                }
            }
        }
        tokio::select! {
            () = listener::stopped(&mut stop) => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

fn load(settings: &Settings) -> anyhow::Result<Option<(Credentials, ServerConfig)>> {
    let Some(credentials) = Credentials::read(&settings.data_dir)? else { return Ok(None) };
    let config = tls::server_config(&credentials)?;
    Ok(Some((credentials, config)))
}
