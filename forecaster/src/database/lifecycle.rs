//! What a person decides about units: which sale one belongs to, and that one is no longer in use.

use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::{Error, GenericClient};

use super::matching;

/// A unit as `headroom unit list` shows it.
#[derive(Debug, Serialize)]
pub(crate) struct UnitRow {
    /// Key.
    pub(crate) unit_id: i64,
    /// What people call it.
    pub(crate) name: String,
    /// Serial number.
    pub(crate) serial: Option<String>,
    /// Reference of its customer.
    pub(crate) customer: Option<String>,
    /// Order number of what was sold.
    pub(crate) product: Option<String>,
    /// Where it is in its life.
    pub(crate) life: String,
    /// Why it matches no sale.
    pub(crate) unmatched: Option<String>,
    /// Since when its node no longer sees it.
    pub(crate) gone_at: Option<Timestamp>,
}

/// What came of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decided {
    /// It is so.
    Done,
    /// There is no such unit.
    NoUnit(i64),
    /// It cannot be; why, and what would help.
    NotSo(String),
}

/// Units, those that wait for a person alone where `unmatched`.
pub(crate) async fn list(client: &impl GenericClient, unmatched: bool) -> Result<Vec<UnitRow>, Error> {
    let rows = client
        .query(
            "select u.unit_id, u.name, u.serial, c.reference, p.sku, u.life, u.unmatched, u.gone_at
               from fleet.units u
               left join fleet.customers c using (customer_id)
               left join fleet.products p using (product_id)
              where not $1 or u.unmatched is not null and u.gone_at is null
              order by u.unit_id",
            &[&unmatched],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| UnitRow {
            unit_id: row.get(0),
            name: row.get(1),
            serial: row.get(2),
            customer: row.get(3),
            product: row.get(4),
            life: row.get(5),
            unmatched: row.get(6),
            gone_at: row.get(7),
        })
        .collect())
}

/// Whether a node sees a unit; `None` where there is no such unit.
async fn is_seen(client: &impl GenericClient, unit: i64) -> Result<Option<bool>, Error> {
    let row =
        client.query_opt("select node_id is not null from fleet.units where unit_id = $1", &[&unit]).await?;
    Ok(row.map(|row| row.get(0)))
}

/// The discovered unit is the sold one.
pub(crate) async fn match_to(
    client: &impl GenericClient,
    unit: i64,
    sale: i64,
    now: Timestamp,
) -> Result<Decided, Error> {
    match (is_seen(client, unit).await?, is_seen(client, sale).await?) {
        (None, _) => Ok(Decided::NoUnit(unit)),
        (_, None) => Ok(Decided::NoUnit(sale)),
        (Some(false), _) => {
            Ok(Decided::NotSo(format!("no node sees unit {unit}: name the one that is seen first")))
        }
        (_, Some(true)) => Ok(Decided::NotSo(format!("a node sees unit {sale} already: it is no open sale"))),
        (Some(true), Some(false)) => {
            matching::adopt(client, unit, sale, now).await?;
            Ok(Decided::Done)
        }
    }
}

/// The unit is no longer in use: retired, or replaced by another.
pub(crate) async fn end(
    client: &impl GenericClient,
    unit: i64,
    by: Option<i64>,
    now: Timestamp,
) -> Result<Decided, Error> {
    if is_seen(client, unit).await?.is_none() {
        return Ok(Decided::NoUnit(unit));
    }
    let (life, detail) = match by {
        None => ("retired", "by a person".to_owned()),
        Some(by) if by == unit => return Ok(Decided::NotSo("a unit cannot take its own place".to_owned())),
        Some(by) => {
            if is_seen(client, by).await?.is_none() {
                return Ok(Decided::NoUnit(by));
            }
            client
                .execute("update fleet.units set replaced_by = $2 where unit_id = $1", &[&unit, &by])
                .await?;
            ("replaced", format!("by unit {by}"))
        }
    };
    matching::live_on(client, unit, life, &detail, now).await?;
    Ok(Decided::Done)
}
