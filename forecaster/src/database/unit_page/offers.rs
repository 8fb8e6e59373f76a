//! What is offered for the unit already.

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::Serialize;
use tokio_postgres::{Error, GenericClient};

/// An offer that names the unit.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct UnitOffer {
    /// Key.
    pub(crate) offer_id: i64,
    /// Where it is in its life.
    pub(crate) state: String,
    /// Price of the whole offer.
    pub(crate) price: Decimal,
    /// Its currency.
    pub(crate) currency: String,
    /// To whom.
    pub(crate) contact_name: String,
    /// Last change.
    pub(crate) changed_at: Timestamp,
    /// Of how many units.
    pub(crate) units: i64,
}

/// Offers for a unit, open ones first.
pub(crate) async fn offers(client: &impl GenericClient, unit: i64) -> Result<Vec<UnitOffer>, Error> {
    let rows = client
        .query(
            "select o.offer_id, o.state, o.price, o.currency, o.contact_name, o.changed_at,
                    (select count(distinct i.unit_id) from fleet.offer_items i where i.offer_id = o.offer_id)
               from fleet.offers o
              where exists (select from fleet.offer_items i where i.offer_id = o.offer_id and i.unit_id = $1)
              order by o.state in ('planned', 'drafted', 'approved', 'sent') desc, o.changed_at desc limit 10",
            &[&unit],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| UnitOffer {
            offer_id: row.get(0),
            state: row.get(1),
            price: row.get(2),
            currency: row.get(3),
            contact_name: row.get(4),
            changed_at: row.get(5),
            units: row.get(6),
        })
        .collect())
}
