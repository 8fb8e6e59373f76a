//! Units that match no sale, and the sales that no node sees, for a person to bring together.

use jiff::Timestamp;
use tokio_postgres::{Error, GenericClient};

/// A unit that a node has discovered.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// Key.
    pub(crate) unit_id: i64,
    /// What it is called.
    pub(crate) name: String,
    /// Model and serial number, as its node reads them.
    pub(crate) model: Option<String>,
    /// Serial number.
    pub(crate) serial: Option<String>,
    /// Whose node sees it.
    pub(crate) customer: Option<String>,
    /// Why it was matched to nothing.
    pub(crate) unmatched: Option<String>,
    /// Since when it is known.
    pub(crate) discovered_at: Timestamp,
}

/// Discovered units, the newest first.
pub(crate) async fn found(client: &impl GenericClient) -> Result<Vec<Found>, Error> {
    let rows = client
        .query(
            "select u.unit_id, u.name, u.model, u.serial, c.name, u.unmatched, u.discovered_at
               from fleet.units u left join fleet.nodes n using (node_id)
               left join fleet.customers c on c.customer_id = coalesce(u.customer_id, n.customer_id)
              where u.life = 'discovered' order by u.discovered_at desc, u.unit_id limit 500",
            &[],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| Found {
            unit_id: row.get(0),
            name: row.get(1),
            model: row.get(2),
            serial: row.get(3),
            customer: row.get(4),
            unmatched: row.get(5),
            discovered_at: row.get(6),
        })
        .collect())
}

/// Sales that no node sees: key and words.
pub(crate) async fn unseen_sales(client: &impl GenericClient) -> Result<Vec<(i64, String)>, Error> {
    let rows = client
        .query(
            "select u.unit_id, concat_ws(', ', u.name, u.model, u.serial, c.name)
               from fleet.units u left join fleet.customers c using (customer_id)
              where u.node_id is null and u.life not in ('replaced', 'retired', 'discovered')
              order by lower(u.name), u.unit_id limit 2000",
            &[],
        )
        .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}
