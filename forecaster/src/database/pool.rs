//! Connections of the service's role.
//!
//! Two pools, because row-level security asks who acts. Those of [`Pools::service`] act as the service itself, for
//! intake and schedule. Those of [`Pools::people`] act as nobody and see nothing until a transaction says
//! `set_config('fleet.person', …, true)`: a page that forgets to say who asks shows nothing.

use std::path::Path;

use anyhow::Context as _;
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts};
use tokio_postgres::{Client, NoTls};

use crate::config::Settings;
use crate::failure::Failure;

/// Seconds that a request waits for a connection before it says that the database does not answer.
const WAIT_SECONDS: u64 = 10;

/// Reads a connection string, with the password from its file.
fn connection(url: &str, password_file: Option<&Path>) -> anyhow::Result<tokio_postgres::Config> {
    let mut config: tokio_postgres::Config = url.parse().context(Failure::Configuration(
        "database.url is no connection string; it reads like host=/run/postgresql dbname=headroom user=headroom_service"
            .to_owned(),
    ))?;
    if let Some(path) = password_file {
        let password = std::fs::read_to_string(path).with_context(|| {
            Failure::Configuration(format!("cannot read database.password_file {}", path.display()))
        })?;
        config.password(password.trim_end_matches(['\r', '\n']));
    }
    config.application_name("headroom");
    config.connect_timeout(std::time::Duration::from_secs(WAIT_SECONDS));
    Ok(config)
}

/// Both pools. A clone is the same pools.
#[derive(Debug, Clone)]
pub(crate) struct Pools {
    /// Acts as the service.
    pub(crate) service: Pool,
    /// Acts as the person that each transaction names.
    pub(crate) people: Pool,
}

/// The pools. Nothing is connected yet, so they can be made while PostgreSQL is away.
pub(crate) fn open(settings: &Settings) -> anyhow::Result<Pools> {
    let people = connection(&settings.database_url, settings.database_password_file.as_deref())?;
    let mut service = people.clone();
    // As an option of the start, so that RESET ALL comes back to it.
    let options = service.get_options().unwrap_or_default();
    let options = format!("{options} -c fleet.task=service");
    service.options(options.trim_start());
    Ok(Pools { service: pool(settings, service)?, people: pool(settings, people)? })
}

fn pool(settings: &Settings, config: tokio_postgres::Config) -> anyhow::Result<Pool> {
    // Clean: no setting of a request survives into the next one.
    let manager =
        Manager::from_config(config, NoTls, ManagerConfig { recycling_method: RecyclingMethod::Clean });
    let wait = std::time::Duration::from_secs(WAIT_SECONDS);
    Pool::builder(manager)
        .max_size(settings.database_connections)
        .runtime(Runtime::Tokio1)
        .timeouts(Timeouts { wait: Some(wait), create: Some(wait), recycle: Some(wait) })
        .build()
        .context("cannot make the pool of connections")
}

/// One connection of the role that owns the schema, for migrations.
pub(crate) async fn owner(settings: &Settings) -> anyhow::Result<Client> {
    let url = settings.database_owner_url.as_deref().ok_or_else(|| {
        Failure::Configuration(
            "database.owner_url is not set: migrations need the role that owns the schema, not the service's own"
                .to_owned(),
        )
    })?;
    let config = connection(url, None)?;
    let (client, connection) = config
        .connect(NoTls)
        .await
        .context(Failure::Unavailable("cannot connect to the database as the schema's owner".to_owned()))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::error!(%error, "the connection to the database ended");
        }
    });
    Ok(client)
}
