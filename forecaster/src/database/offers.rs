//! Offers with their lines and events, as whoever asks may see them.

use headroom_core::offer::OfferState;
use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::Serialize;
use tokio_postgres::{Error, GenericClient, Row};

/// An offer as lists and pages show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Offer {
    /// Key.
    pub(crate) offer_id: i64,
    /// Key of the customer.
    pub(crate) customer_id: i64,
    /// The customer.
    pub(crate) customer: String,
    /// Where it is.
    pub(crate) state: OfferState,
    /// Addressee.
    pub(crate) contact_name: String,
    /// Their address.
    pub(crate) contact_email: String,
    /// Order by.
    pub(crate) order_by: Option<Date>,
    /// Sum of its lines.
    pub(crate) price: Decimal,
    /// Its currency.
    pub(crate) currency: String,
    /// Made.
    pub(crate) made_at: Timestamp,
    /// Last transition.
    pub(crate) changed_at: Timestamp,
    /// Expires after this date.
    pub(crate) valid_until: Option<Date>,
    /// Why it was declined or withdrawn.
    pub(crate) outcome_reason: Option<String>,
    /// Units that it is for.
    pub(crate) units: i64,
}

const OFFERS: &str = "
    select o.offer_id, o.customer_id, c.name, o.state, o.contact_name, o.contact_email, o.order_by, o.price, o.currency,
           o.made_at, o.changed_at, o.valid_until, o.outcome_reason,
           (select count(distinct i.unit_id) from fleet.offer_items i where i.offer_id = o.offer_id)
      from fleet.offers o join fleet.customers c using (customer_id)";

fn offer(row: &Row) -> Result<Option<Offer>, Error> {
    let Ok(state) = row.try_get::<_, &str>(3)?.parse() else { return Ok(None) };
    Ok(Some(Offer {
        offer_id: row.try_get(0)?,
        customer_id: row.try_get(1)?,
        customer: row.try_get(2)?,
        state,
        contact_name: row.try_get(4)?,
        contact_email: row.try_get(5)?,
        order_by: row.try_get(6)?,
        price: row.try_get(7)?,
        currency: row.try_get(8)?,
        made_at: row.try_get(9)?,
        changed_at: row.try_get(10)?,
        valid_until: row.try_get(11)?,
        outcome_reason: row.try_get(12)?,
        units: row.try_get(13)?,
    }))
}

/// Every offer that whoever asks may see: the open ones first, by their order-by date.
pub(crate) async fn list(client: &impl GenericClient) -> Result<Vec<Offer>, Error> {
    let order = "order by o.state not in ('planned', 'drafted', 'approved', 'sent'), o.order_by nulls last, o.offer_id";
    let rows = client.query(&format!("{OFFERS} {order}"), &[]).await?;
    rows.iter().filter_map(|row| offer(row).transpose()).collect()
}

/// One offer; `None` where there is none that whoever asks may see.
pub(crate) async fn one(client: &impl GenericClient, id: i64) -> Result<Option<Offer>, Error> {
    let row = client.query_opt(&format!("{OFFERS} where o.offer_id = $1"), &[&id]).await?;
    Ok(row.as_ref().map(offer).transpose()?.flatten())
}

/// A line of an offer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Line {
    /// Key of the unit.
    pub(crate) unit_id: i64,
    /// What people call it.
    pub(crate) unit: String,
    /// Its serial number.
    pub(crate) serial: Option<String>,
    /// Where it stands.
    pub(crate) site: Option<String>,
    /// Against running out of what.
    pub(crate) resource: String,
    /// expansion, upgrade or functional_extension.
    pub(crate) action: String,
    /// Order number.
    pub(crate) sku: String,
    /// Name of the product.
    pub(crate) product: String,
    /// How many.
    pub(crate) quantity: i16,
    /// Price of all of them.
    pub(crate) price: Decimal,
    /// When it runs out, by the current run: before this date with a probability of 10 %.
    pub(crate) p10: Option<Timestamp>,
    /// Median.
    pub(crate) p50: Option<Timestamp>,
}

/// The lines of an offer, by unit and product.
pub(crate) async fn lines(client: &impl GenericClient, id: i64) -> Result<Vec<Line>, Error> {
    let rows = client
        .query(
            "select i.unit_id, u.name, u.serial, u.site, i.resource, i.action, d.sku, d.name, i.quantity, i.price, f.p10, f.p50
               from fleet.offer_items i
               join fleet.units u using (unit_id)
               join fleet.products d on d.product_id = i.product_id
               left join lateral (
                    select f.p10, f.p50 from fleet.components k
                      join fleet.forecast_runs r on r.is_current
                      join fleet.forecasts f on f.component_id = k.component_id and f.run_id = r.run_id
                     where k.unit_id = i.unit_id and f.resource = i.resource and f.p10 is not null
                     order by f.p10 limit 1) f on true
              where i.offer_id = $1 order by u.name, i.unit_id, i.resource, d.sku",
            &[&id],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Line {
                unit_id: row.try_get(0)?,
                unit: row.try_get(1)?,
                serial: row.try_get(2)?,
                site: row.try_get(3)?,
                resource: row.try_get(4)?,
                action: row.try_get(5)?,
                sku: row.try_get(6)?,
                product: row.try_get(7)?,
                quantity: row.try_get(8)?,
                price: row.try_get(9)?,
                p10: row.try_get(10)?,
                p50: row.try_get(11)?,
            })
        })
        .collect()
}

/// One transition of an offer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Event {
    /// When.
    pub(crate) happened_at: Timestamp,
    /// From; `None` when it was made.
    pub(crate) from_state: Option<String>,
    /// To.
    pub(crate) to_state: String,
    /// By whom.
    pub(crate) who: String,
    /// Why.
    pub(crate) note: String,
}

/// The life of an offer so far.
pub(crate) async fn events(client: &impl GenericClient, id: i64) -> Result<Vec<Event>, Error> {
    let rows = client
        .query(
            "select happened_at, from_state, to_state, who, note from fleet.offer_events where offer_id = $1 order by event_id",
            &[&id],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| Event {
            happened_at: row.get(0),
            from_state: row.get(1),
            to_state: row.get(2),
            who: row.get(3),
            note: row.get(4),
        })
        .collect())
}
