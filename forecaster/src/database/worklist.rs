//! One row a unit with what binds first, as the worklist and the reports show it.

use headroom_core::forecast::State;
use headroom_core::unit::Resource;
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::Serialize;
use tokio_postgres::{Error, GenericClient};

/// A unit.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Row {
    /// Key.
    pub(crate) unit_id: i64,
    /// What people call it.
    pub(crate) unit: String,
    /// Serial number.
    pub(crate) serial: Option<String>,
    /// Model.
    pub(crate) model: Option<String>,
    /// Whose unit.
    pub(crate) customer: Option<String>,
    /// Territory of its customer.
    pub(crate) territory: Option<String>,
    /// Where it stands.
    pub(crate) site: Option<String>,
    /// What the forecast of the resource that binds first says.
    pub(crate) state: Option<State>,
    /// Why it is in this state.
    pub(crate) reason: Option<String>,
    /// What runs out first.
    pub(crate) resource: Option<Resource>,
    /// Its last value: bytes, ratio or count.
    pub(crate) used: Option<f64>,
    /// Its limit, in the same unit.
    pub(crate) limit: Option<f64>,
    /// Last day to order.
    pub(crate) order_by: Option<Timestamp>,
    /// Exhausted before this date with a probability of 10 %.
    pub(crate) p10: Option<Timestamp>,
    /// Median.
    pub(crate) p50: Option<Timestamp>,
    /// Exhausted before this date with a probability of 90 %.
    pub(crate) p90: Option<Timestamp>,
    /// The suggested plan, in a few words.
    pub(crate) plan: Option<String>,
    /// Its price.
    pub(crate) price: Option<Decimal>,
    /// Currency of the price.
    pub(crate) currency: Option<String>,
    /// Newest status.
    pub(crate) last_seen: Option<Timestamp>,
}

const ROWS: &str = "
    select u.unit_id, u.name, u.serial, u.model, c.name, t.name, u.site,
           f.state, f.reason, f.resource, f.last_used, f.resource_limit,
           p.order_by::timestamp at time zone 'UTC', f.p10, f.p50, f.p90, p.plan, p.price, p.currency, s.last_seen
      from fleet.units u
      left join fleet.customers c using (customer_id)
      left join fleet.territories t using (territory_id)
      left join fleet.forecast_runs r on r.is_current
      left join lateral (
           select f.* from fleet.components k join fleet.forecasts f on f.component_id = k.component_id and f.run_id = r.run_id
            where k.unit_id = u.unit_id and k.gone_at is null
            order by f.state = 'already_exhausted' desc, f.p10 nulls last, f.p50 nulls last, f.resource = 'capacity' desc,
                     f.resource_limit desc nulls last, f.component_id, f.resource limit 1) f on true
      left join lateral (
           select p.order_by, p.price, p.currency,
                  replace(p.action, '_', ' ') || coalesce(': ' || (
                      select string_agg(i.quantity || ' × ' || d.sku, ', ' order by d.sku)
                        from fleet.plan_items i join fleet.products d using (product_id) where i.plan_id = p.plan_id), '') as plan
             from fleet.plans p where p.unit_id = u.unit_id and p.run_id = r.run_id and p.chosen
            order by p.rank limit 1) p on true
      left join lateral (
           select max(k.status_until) as last_seen from fleet.components k where k.unit_id = u.unit_id) s on true
     where u.life not in ('replaced', 'retired')
     order by p.order_by nulls last, f.p10 nulls last, u.unit_id";

impl Row {
    /// The first columns of a row, in the order of the fields.
    pub(super) fn of(row: &tokio_postgres::Row) -> Self {
        Self {
            unit_id: row.get(0),
            unit: row.get(1),
            serial: row.get(2),
            model: row.get(3),
            customer: row.get(4),
            territory: row.get(5),
            site: row.get(6),
            state: row.get::<_, Option<&str>>(7).and_then(|text| text.parse().ok()),
            reason: row.get(8),
            resource: row.get::<_, Option<&str>>(9).and_then(|text| text.parse().ok()),
            used: row.get(10),
            limit: row.get(11),
            order_by: row.get(12),
            p10: row.get(13),
            p50: row.get(14),
            p90: row.get(15),
            plan: row.get(16),
            price: row.get(17),
            currency: row.get(18),
            last_seen: row.get(19),
        }
    }
}

/// Every unit that whoever asks may see, the most urgent first.
pub(crate) async fn rows(client: &impl GenericClient) -> Result<Vec<Row>, Error> {
    let rows = client.query(ROWS, &[]).await?;
    Ok(rows.iter().map(Row::of).collect())
}
