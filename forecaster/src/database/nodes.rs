//! Nodes, their certificates and tokens.

use deadpool_postgres::GenericClient as Cached;
use headroom_core::exchange::{Answer, NodeDescription, Placement};
use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::{Error, GenericClient};
use uuid::Uuid;

use super::certificates;

/// A node that the hub reads.
#[derive(Debug, Clone)]
pub(crate) struct Readable {
    /// Which node.
    pub(crate) node: Uuid,
    /// Its read API, `host:port`.
    pub(crate) address: String,
    /// End of its certificate.
    pub(crate) certificate_expires_at: Option<Timestamp>,
    /// Whether a certificate of the hub was revoked since the node was last granted one with the list.
    pub(crate) has_old_revocations: bool,
}

/// A certificate that was given to a node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Enrolled<'a> {
    /// Which node.
    pub(crate) node: Uuid,
    /// Its read API, where it has one.
    pub(crate) address: Option<&'a str>,
    /// Whose node, by the vendor's reference; `None` where the token named nobody.
    pub(crate) customer: Option<&'a str>,
    /// Serial number of the certificate.
    pub(crate) serial: &'a str,
    /// Its end.
    pub(crate) not_after: Timestamp,
}

/// A node as `headroom node list` shows it.
#[derive(Debug, Serialize)]
pub(crate) struct NodeRow {
    /// Its id.
    pub(crate) node: Uuid,
    /// Whose node, by the vendor's reference.
    pub(crate) customer: Option<String>,
    /// Its read API.
    pub(crate) address: Option<String>,
    /// `host` or `peripheral`; `None` until it has answered.
    pub(crate) placement: Option<String>,
    /// Version of its program.
    pub(crate) software: Option<String>,
    /// Last answer or push.
    pub(crate) last_seen_at: Option<Timestamp>,
    /// End of its certificate.
    pub(crate) certificate_expires_at: Option<Timestamp>,
    /// Its clock minus the hub's, seconds.
    pub(crate) clock_ahead_seconds: Option<f64>,
    /// Units that it describes.
    pub(crate) units: i64,
    /// Samples set aside.
    pub(crate) set_aside: i64,
    /// Since when it is refused.
    pub(crate) revoked_at: Option<Timestamp>,
    /// What says that two copies of it speak.
    pub(crate) fork: Option<String>,
    /// What the last reading failed with, if it was not read since.
    pub(crate) last_failure: Option<String>,
}

/// Nodes that have an address and are not revoked.
pub(crate) async fn readable(client: &impl GenericClient) -> Result<Vec<Readable>, Error> {
    let rows = client
        .query(
            "select node_id, address, certificate_expires_at,
                    exists (select from fleet.revoked_certificates r
                             where r.node_id is null and r.revoked_at > coalesce(n.revocations_at, '-infinity'))
               from fleet.nodes n where address is not null and revoked_at is null order by node_id",
            &[],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| Readable {
            node: row.get(0),
            address: row.get(1),
            certificate_expires_at: row.get(2),
            has_old_revocations: row.get(3),
        })
        .collect())
}

/// Every node.
pub(crate) async fn list(client: &impl GenericClient) -> Result<Vec<NodeRow>, Error> {
    let rows = client
        .query(
            "select n.node_id, c.reference, n.address, case when n.seen_at is not null then n.placement end,
                    nullif(n.software, ''), n.seen_at, n.certificate_expires_at, n.clock_ahead_seconds,
                    (select count(*) from fleet.units u where u.node_id = n.node_id and u.gone_at is null),
                    (select count(*) from fleet.set_aside s where s.node_id = n.node_id),
                    n.revoked_at, n.fork, n.failure
               from fleet.nodes n left join fleet.customers c using (customer_id)
              order by n.enrolled_at, n.node_id",
            &[],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| NodeRow {
            node: row.get(0),
            customer: row.get(1),
            address: row.get(2),
            placement: row.get(3),
            software: row.get(4),
            last_seen_at: row.get(5),
            certificate_expires_at: row.get(6),
            clock_ahead_seconds: row.get(7),
            units: row.get(8),
            set_aside: row.get(9),
            revoked_at: row.get(10),
            fork: row.get(11),
            last_failure: row.get(12),
        })
        .collect())
}

/// Whether the hub honours this certificate of this node. The first time that a renewed one is shown, the one before
/// it ends.
pub(crate) async fn honours(client: &impl Cached, node: Uuid, serial: &str) -> Result<bool, Error> {
    let statement = client
        .prepare_cached(
            "select certificate_serial = $2, previous_certificate_serial = $2, previous_certificate_serial is not null
               from fleet.nodes where node_id = $1 and revoked_at is null",
        )
        .await?;
    let row = client.query_opt(&statement, &[&node, &serial]).await?;
    let Some(row) = row else { return Ok(false) };
    let is = |index| row.get::<_, Option<bool>>(index).unwrap_or(false);
    if is(0) && is(2) {
        client
            .execute(
                "update fleet.nodes set previous_certificate_serial = null where node_id = $1 and certificate_serial = $2",
                &[&node, &serial],
            )
            .await?;
    }
    Ok(is(0) || is(1))
}

/// Makes a token known by the hash of its secret. False where there is no such customer.
pub(crate) async fn add_token(
    client: &impl GenericClient,
    secret_hash: &[u8],
    customer: Option<&str>,
    now: Timestamp,
    expires: Timestamp,
) -> Result<bool, Error> {
    let made = client
        .execute(
            "insert into fleet.enrolment_tokens (secret_sha256, customer_id, made_at, expires_at)
             select $1, c.customer_id, $3, $4
               from (select 1) one left join fleet.customers c on c.reference = $2
              where $2::text is null or c.customer_id is not null",
            &[&secret_hash, &customer, &now, &expires],
        )
        .await?;
    Ok(made > 0)
}

/// Whether there is such a customer, where one is named.
pub(crate) async fn knows_customer(
    client: &impl GenericClient,
    reference: Option<&str>,
) -> Result<bool, Error> {
    let row = client
        .query_one(
            "select $1::text is null or exists (select from fleet.customers where reference = $1)",
            &[&reference],
        )
        .await?;
    Ok(row.get(0))
}

/// Uses a token up. `None` where there is no such token, else the customer that it names.
pub(crate) async fn use_token(
    client: &impl GenericClient,
    secret_hash: &[u8],
    node: Uuid,
    now: Timestamp,
) -> Result<Option<Option<String>>, Error> {
    let row = client
        .query_opt(
            "with used as (
                update fleet.enrolment_tokens set used_at = $3, used_by = $2
                 where secret_sha256 = $1 and used_at is null and expires_at > $3 returning customer_id)
             select c.reference from used left join fleet.customers c using (customer_id)",
            &[&secret_hash, &node, &now],
        )
        .await?;
    Ok(row.map(|row| row.get(0)))
}

/// Forgets tokens that were used or have expired a day ago.
pub(crate) async fn forget_tokens(client: &impl GenericClient, now: Timestamp) -> Result<u64, Error> {
    client
        .execute(
            "delete from fleet.enrolment_tokens where least(used_at, expires_at) < $1::timestamptz - interval '1 day'",
            &[&now],
        )
        .await
}

/// Writes an enrolment; the node's earlier certificates, suspicions and revocation end. False where the node belongs to
/// another customer: an id alone must not take a node away from its owner. In a transaction, which is to be given up then.
pub(crate) async fn enrol(
    client: &impl GenericClient,
    enrolled: &Enrolled<'_>,
    now: Timestamp,
) -> Result<bool, Error> {
    certificates::revoke_node(client, enrolled.node, now).await?;
    let written = client
        .execute(
            "insert into fleet.nodes as n (node_id, customer_id, address, certificate_serial, certificate_expires_at, enrolled_at, revocations_at)
             values ($1, (select customer_id from fleet.customers where reference = $2), $3, $4, $5, $6, $6)
             on conflict (node_id) do update
                set customer_id = excluded.customer_id, address = coalesce(excluded.address, n.address),
                    certificate_serial = excluded.certificate_serial, previous_certificate_serial = null,
                    certificate_expires_at = excluded.certificate_expires_at, enrolled_at = excluded.enrolled_at,
                    revocations_at = excluded.revocations_at, revoked_at = null, forked_at = null, fork = null, failure = null, failed_at = null
              where n.customer_id is null or n.customer_id = excluded.customer_id",
            &[
                &enrolled.node,
                &enrolled.customer,
                &enrolled.address,
                &enrolled.serial,
                &enrolled.not_after,
                &now,
            ],
        )
        .await?;
    if written > 0 {
        // A person vouches for this copy: what was suspected of its lives so far counts no more.
        client.execute("delete from fleet.node_lives where node_id = $1", &[&enrolled.node]).await?;
    }
    Ok(written > 0)
}

/// Writes a renewal. The certificate before stays honoured until the new one is shown: `shown`, or the present one.
pub(crate) async fn renew(
    client: &impl GenericClient,
    renewed: &Enrolled<'_>,
    shown: Option<&str>,
    now: Timestamp,
) -> Result<(), Error> {
    client
        .execute(
            "update fleet.nodes
                set previous_certificate_serial = coalesce($2, certificate_serial), certificate_serial = $3, certificate_expires_at = $4,
                    address = coalesce($5, address), revocations_at = $6
              where node_id = $1",
            &[&renewed.node, &shown, &renewed.serial, &renewed.not_after, &renewed.address, &now],
        )
        .await?;
    Ok(())
}

/// Takes a node's certificate out of use. False where there is no such node, or it is out of use already. In a
/// transaction: the certificate is named in the list of revoked ones as well.
pub(crate) async fn revoke(client: &impl GenericClient, node: Uuid, now: Timestamp) -> Result<bool, Error> {
    certificates::revoke_node(client, node, now).await?;
    let changed = client
        .execute(
            "update fleet.nodes set revoked_at = $2, certificate_serial = null, previous_certificate_serial = null
              where node_id = $1 and revoked_at is null",
            &[&node, &now],
        )
        .await?;
    Ok(changed > 0)
}

/// Notes that a node answered, and locks its row: two writers for one node take turns. Gives the digest of what it
/// described last; `None` where it described nothing yet.
pub(crate) async fn seen(
    client: &impl Cached,
    answer: &Answer,
    now: Timestamp,
) -> Result<Option<Vec<u8>>, Error> {
    let node = &answer.description;
    let (placement, software, interval) = about(node);
    let ahead = answer.answered_at.duration_since(now).as_secs_f64();
    let statement = client
        .prepare_cached(
            "update fleet.nodes set placement = $2, software = $3, interval_seconds = $4, seen_at = $5,
                    clock_ahead_seconds = $6, failure = null, failed_at = null
              where node_id = $1 returning description_sha256",
        )
        .await?;
    let row =
        client.query_opt(&statement, &[&node.node, &placement, &software, &interval, &now, &ahead]).await?;
    Ok(row.and_then(|row| row.get(0)))
}

/// What a node says of itself, as the columns take it.
fn about(node: &NodeDescription) -> (&'static str, String, Option<i32>) {
    let placement = match node.placement {
        Placement::Host => "host",
        Placement::Peripheral => "peripheral",
    };
    let software = node.software.chars().filter(|c| !c.is_control()).take(200).collect();
    (placement, software, i32::try_from(node.interval_seconds).ok().filter(|seconds| *seconds > 0))
}

/// Notes that an answer of a node was carried here, and locks its row. It says nothing about the node's clock, and it may
/// be older than what the node told since. Gives the digest of what the node described last.
pub(crate) async fn carried(client: &impl GenericClient, answer: &Answer) -> Result<Option<Vec<u8>>, Error> {
    let (placement, software, interval) = about(&answer.description);
    let row = client
        .query_opt(
            "update fleet.nodes n
                set placement = case when is_news then $3 else placement end,
                    software = case when is_news then $4 else software end,
                    interval_seconds = case when is_news then $5 else interval_seconds end,
                    seen_at = greatest(seen_at, $2)
               from (select seen_at is null or seen_at < $2 as is_news from fleet.nodes where node_id = $1) is_news
              where node_id = $1 returning description_sha256",
            &[&answer.description.node, &answer.answered_at, &placement, &software, &interval],
        )
        .await?;
    Ok(row.and_then(|row| row.get(0)))
}

/// Whether a node is enrolled and not taken out of use.
pub(crate) async fn is_enrolled(client: &impl GenericClient, node: Uuid) -> Result<bool, Error> {
    let row = client
        .query_one(
            "select exists (select from fleet.nodes where node_id = $1 and revoked_at is null)",
            &[&node],
        )
        .await?;
    Ok(row.get(0))
}

/// Notes what the node described.
pub(crate) async fn described(client: &impl GenericClient, node: Uuid, digest: &[u8]) -> Result<(), Error> {
    client
        .execute("update fleet.nodes set description_sha256 = $2 where node_id = $1", &[&node, &digest])
        .await?;
    Ok(())
}

/// Notes that a node was not read.
pub(crate) async fn note_failure(
    client: &impl GenericClient,
    node: Uuid,
    message: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let message: String = message.chars().filter(|c| *c != '\0').take(1_000).collect();
    client
        .execute(
            "update fleet.nodes set failure = $2, failed_at = $3 where node_id = $1",
            &[&node, &message, &now],
        )
        .await?;
    Ok(())
}
