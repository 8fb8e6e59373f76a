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
    Ok(report.applied_migrations().iter().map(ToString::to_string).collect())
}

/// The newest version that the database has; `None` where it has none.
pub(crate) async fn applied(client: &impl GenericClient) -> anyhow::Result<Option<i64>> {
    let known: Option<String> =
        client.query_one("select to_regclass('public.refinery_schema_history')::text", &[]).await?.get(0);
    if known.is_none() {
        return Ok(None);
    }
    let row =
        client.query_one("select max(version)::bigint from public.refinery_schema_history", &[]).await?;
    Ok(row.get(0))
}

/// Refuses to run on a schema that is older than this program.
pub(crate) async fn check(client: &impl GenericClient) -> anyhow::Result<()> {
    let (applied, latest) = (applied(client).await?, latest());
    if applied < latest {
        return Err(Failure::Configuration(format!(
            "the database's schema is at version {}, this program needs {}: run `headroom migrate`",
            applied.unwrap_or(0),
            latest.unwrap_or(0)
        ))
        .into());
    }
    Ok(())
}
