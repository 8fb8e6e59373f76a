//! Certificates that were taken out of use before their end.

use jiff::Timestamp;
use tokio_postgres::{Error, GenericClient};
use uuid::Uuid;

/// Those that would hold still: serial number (lower-case hexadecimal) and since when.
pub(crate) async fn revoked(
    client: &impl GenericClient,
    now: Timestamp,
) -> Result<Vec<(String, Timestamp)>, Error> {
    let rows = client
        .query(
            "select serial, revoked_at from fleet.revoked_certificates where ends_at > $1 order by revoked_at, serial",
            &[&now],
        )
        .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Whether this one was taken out of use.
pub(crate) async fn is_revoked(client: &impl GenericClient, serial: &str) -> Result<bool, Error> {
    let row = client
        .query_one("select exists (select from fleet.revoked_certificates where serial = $1)", &[&serial])
        .await?;
    Ok(row.get(0))
}

/// Takes the hub's own out of use.
pub(crate) async fn revoke_hub(
    client: &impl GenericClient,
    serial: &str,
    ends: Timestamp,
    now: Timestamp,
) -> Result<(), Error> {
    client
        .execute(
            "insert into fleet.revoked_certificates (serial, revoked_at, ends_at) values ($1, $2, $3) on conflict do nothing",
            &[&serial, &now, &ends],
        )
        .await?;
    Ok(())
}

/// Takes those of a node out of use that it holds now.
pub(super) async fn revoke_node(
    client: &impl GenericClient,
    node: Uuid,
    now: Timestamp,
) -> Result<(), Error> {
    client
        .execute(
            "insert into fleet.revoked_certificates (serial, node_id, revoked_at, ends_at)
             select serial, node_id, $2, certificate_expires_at
               from fleet.nodes, unnest(array[certificate_serial, previous_certificate_serial]) as serial
              where node_id = $1 and serial is not null and certificate_expires_at is not null
             on conflict do nothing",
            &[&node, &now],
        )
        .await?;
    Ok(())
}

/// Forgets those that have ended by themselves.
pub(crate) async fn forget_ended(client: &impl GenericClient, now: Timestamp) -> Result<u64, Error> {
    client.execute("delete from fleet.revoked_certificates where ends_at <= $1", &[&now]).await
}
