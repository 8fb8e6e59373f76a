//! The schema's migrations, embedded from `sql/`.

use anyhow::Context as _;
use tokio_postgres::{Client, GenericClient};

use crate::failure::Failure;

mod embedded {
    refinery::embed_migrations!("../sql");
}

/// Versions that this program knows.
pub(crate) fn latest() -> Option<i64> {
    embedded::migrations::runner()
        .get_migrations()
        .iter()
        .map(|migration| i64::from(migration.version()))
        .max()
}

/// Applies what is missing, each in its own transaction; gives the names of what was applied.
pub(crate) async fn apply(client: &mut Client) -> anyhow::Result<Vec<String>> {
    let report = embedded::migrations::runner().run_async(client).await.context(
        "a migration failed; what was applied before it stays, and running again goes on from there",
    )?;
    client
        .batch_execute("grant select on public.refinery_schema_history to headroom_service")
        .await
        .context("cannot let the service read which migrations were applied")?;
    Ok(report.applied_migrations().iter().map(ToString::to_string).collect())
}

/// What the database has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applied {
    /// No schema.
    Nothing,
    /// Up to this version, by `headroom migrate`.
    Version(i64),
    /// By psql, which keeps no history: up to the newest, as far as can be seen.
    ByHand,
}

/// What the database has.
pub(crate) async fn applied(client: &impl GenericClient) -> anyhow::Result<Applied> {
    let row = client
        .query_one(
            "select to_regclass('public.refinery_schema_history') is not null,
                    to_regclass('fleet.consent_in_force') is not null",
            &[],
        )
        .await?;
    let (has_history, has_newest): (bool, bool) = (row.get(0), row.get(1));
    if !has_history {
        return Ok(if has_newest { Applied::ByHand } else { Applied::Nothing });
    }
    let row =
        client.query_one("select max(version)::bigint from public.refinery_schema_history", &[]).await?;
    Ok(row.get::<_, Option<i64>>(0).map_or(Applied::Nothing, Applied::Version))
}

/// Refuses to run on a schema that is older than this program.
pub(crate) async fn check(client: &impl GenericClient) -> anyhow::Result<()> {
    let latest = latest();
    let version = match applied(client).await? {
        Applied::ByHand => return Ok(()),
        Applied::Nothing => None,
        Applied::Version(version) => Some(version),
    };
    if version < latest {
        return Err(Failure::Configuration(format!(
            "the database's schema is at version {}, this program needs {}: run `headroom migrate`",
            version.unwrap_or(0),
            latest.unwrap_or(0)
        ))
        .into());
    }
    Ok(())
}
