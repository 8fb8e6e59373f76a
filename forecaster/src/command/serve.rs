//! `headroom serve`: the hub's one service.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Context;
use crate::authority::{self, Authority};
use crate::database::{guard, migrations, pool};
use crate::failure::Failure;
use crate::hub::Hub;
use crate::{intake, listener, schedule, web};

/// How long the database may take to come up before the service gives up starting.
const DATABASE_PATIENCE: Duration = Duration::from_secs(60);

/// Runs until SIGTERM or SIGINT, then ends what it began.
pub(crate) async fn run(context: Context) -> anyhow::Result<()> {
    let settings = context.settings;
    let authority = Authority::open(&settings.data_dir, Timestamp::now())
        .context(Failure::CannotCreate("the certificate authority cannot be opened".to_owned()))?;
    let pools = pool::open(&settings)?;
    let hub = Hub::new(settings, pools, authority);
    check_database(&hub).await?;

    let (stopper, stop) = watch::channel(false);
    let mut parts: JoinSet<(&'static str, anyhow::Result<()>)> = JoinSet::new();

    let settings = hub.settings();
    let intake_listener = bind(settings.intake_listen, "intake.listen").await?;
    let web_listener = bind(settings.web_listen, "web.listen").await?;
    let web_tls = match &settings.web_tls {
        Some((certificate, key)) => Some(Arc::new(authority::web_config(certificate, key)?)),
        None => None,
    };
    let intake_tls = Arc::new(authority::server_config(&hub.authority().hub)?);
    tracing::info!(
        web = %web_listener.local_addr()?, intake = %intake_listener.local_addr()?, "the hub is up"
    );

    let (router, stopped) = (intake::router(hub.clone()), stop.clone());
    parts.spawn(async move {
        listener::serve(intake_listener, intake_tls, router, stopped).await;
        ("intake", Ok(()))
    });
    let (router, mut stopped) = (web::router(hub.clone()), stop.clone());
    parts.spawn(async move {
        match web_tls {
            Some(tls) => listener::serve(web_listener, tls, router, stopped).await,
            None => {
                let service = router.into_make_service_with_connect_info::<std::net::SocketAddr>();
                let serving = axum::serve(web_listener, service)
                    .with_graceful_shutdown(async move { listener::stopped(&mut stopped).await });
                return ("web", serving.await.context("the web view ended"));
            }
        }
        ("web", Ok(()))
    });
    if settings.pull_enabled {
        let (hub, stopped) = (hub.clone(), stop.clone());
        parts.spawn(async move {
            intake::pull_nodes(hub, stopped).await;
            ("pull", Ok(()))
        });
    }
    if settings.jobs_enabled {
        let (hub, stopped) = (hub.clone(), stop.clone());
        parts.spawn(async move {
            schedule::serve(hub, stopped).await;
            ("jobs", Ok(()))
        });
    }

    // A part that ends by itself is a fault: the others are stopped, so that the supervisor starts all anew.
    let mut outcome = Ok(());
    tokio::select! {
        () = told_to_stop() => tracing::info!("told to stop"),
        Some(ended) = parts.join_next() => {
            outcome = match ended {
                Ok((name, Ok(()))) => Err(anyhow::anyhow!("{name} ended by itself")),
                Ok((name, Err(error))) => Err(error.context(format!("{name} failed"))),
                Err(error) => Err(anyhow::anyhow!("a part panicked: {error}")),
            };
        }
    }
    let _ = stopper.send(true);
    let ending = async { while parts.join_next().await.is_some() {} };
    if tokio::time::timeout(Duration::from_secs(20), ending).await.is_err() {
        tracing::warn!("some requests were cut off");
    }
    outcome
}

/// Waits for PostgreSQL where it is still coming up; refuses a wrong role or an old schema at once.
async fn check_database(hub: &Hub) -> anyhow::Result<()> {
    let deadline = tokio::time::Instant::now() + DATABASE_PATIENCE;
    let client = loop {
        match hub.pool().get().await {
            Ok(client) => break client,
            Err(error) if tokio::time::Instant::now() < deadline && is_passing(&error) => {
                tracing::warn!(%error, "the database does not answer yet");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(error) => {
                return Err(error).context(Failure::Unavailable("the database does not answer".to_owned()));
            }
        }
    };
    guard::check(&**client).await?;
    migrations::check(&**client).await
}

/// Whether waiting may help: a refused password or an unknown database does not mend itself.
fn is_passing(error: &deadpool_postgres::PoolError) -> bool {
    match error {
        deadpool_postgres::PoolError::Backend(error) => {
            error.code().is_none_or(|state| state.code().starts_with("57"))
        }
        deadpool_postgres::PoolError::Timeout(_) => true,
        _ => false,
    }
}

async fn bind(address: std::net::SocketAddr, setting: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| Failure::Unavailable(format!("cannot listen at {address} ({setting})")))
}

async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
