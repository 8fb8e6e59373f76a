//! What could be done for the unit, and what is offered already.

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::Serialize;
use tokio_postgres::{Error, GenericClient};

/// One thing that could be done.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct PlanRow {
    /// Place among the alternatives.
    pub(crate) rank: i16,
    /// do_nothing, reclaim, expansion, upgrade or functional_extension.
    pub(crate) action: String,
    /// Whether it is the suggestion.
    pub(crate) chosen: bool,
    /// What is bought, in words.
    pub(crate) items: Option<String>,
    /// Price of all items.
    pub(crate) price: Option<Decimal>,
    /// Its currency.
    pub(crate) currency: Option<String>,
    /// Last day to order.
    pub(crate) order_by: Option<Date>,
    /// That day has passed.
    pub(crate) overdue: bool,
    /// Until when it lasts, with a probability of 90 %.
    pub(crate) lasts_until: Option<Timestamp>,
    /// What keeps it from being smaller, cheaper or possible.
    pub(crate) binding_constraint: String,
    /// One sentence.
    pub(crate) reason: String,
    /// Days from order to delivery of what takes longest.
    pub(crate) lead_time_days: Option<i16>,
}

/// The alternatives of the current run, in their order.
pub(crate) async fn plans(client: &impl GenericClient, unit: i64) -> Result<Vec<PlanRow>, Error> {
    let rows = client
        .query(
            "select p.rank, p.action, p.chosen,
                    (select string_agg(i.quantity || ' × ' || d.name || ' (' || d.sku || ')', ', ' order by d.sku)
                       from fleet.plan_items i join fleet.products d using (product_id) where i.plan_id = p.plan_id),
                    p.price, p.currency, p.order_by, p.overdue, p.lasts_until, p.binding_constraint, p.reason,
                    (select max(d.lead_time_days) from fleet.plan_items i join fleet.products d using (product_id)
                      where i.plan_id = p.plan_id)
               from fleet.plans p join fleet.forecast_runs r on r.run_id = p.run_id and r.is_current
              where p.unit_id = $1 order by p.chosen desc, p.rank",
            &[&unit],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| PlanRow {
            rank: row.get(0),
            action: row.get(1),
            chosen: row.get(2),
            items: row.get(3),
            price: row.get(4),
            currency: row.get(5),
            order_by: row.get(6),
            overdue: row.get(7),
            lasts_until: row.get(8),
            binding_constraint: row.get(9),
            reason: row.get(10),
            lead_time_days: row.get(11),
        })
        .collect())
}

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
