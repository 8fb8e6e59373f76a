//! The catalogue, and plans of a run.

use headroom_core::plan::{Alternative, Item, PlanAction};
use headroom_core::quantity::Bytes;
use headroom_core::unit::Resource;
use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize, Serializer};
use tokio_postgres::types::Json;
use tokio_postgres::{Error, GenericClient, Row, Transaction};

/// What is sold, without what was withdrawn, in the order of order numbers.
pub(crate) async fn catalogue(client: &impl GenericClient) -> Result<Vec<Item>, Error> {
    let rows = client
        .query(
            "select sku, action, fits_models, interface, capacity_bytes, raid_overhead, bays, load_factor, rated_write_bytes,
                    price, currency, lead_time_days
               from fleet.products where not withdrawn and action <> 'unit' order by sku",
            &[],
        )
        .await?;
    let mut items = Vec::with_capacity(rows.len());
    for row in &rows {
        let Ok(action) = row.try_get::<_, &str>(1)?.parse::<PlanAction>() else { continue };
        let unsigned = |value: i64| Bytes(u64::try_from(value).unwrap_or(0));
        items.push(Item {
            sku: row.try_get(0)?,
            action,
            fits_models: row.try_get(2)?,
            interface: row.try_get(3)?,
            capacity: unsigned(row.try_get(4)?),
            raid_overhead: row.try_get(5)?,
            bays: u16::try_from(row.try_get::<_, i16>(6)?).unwrap_or(0),
            load_factor: row.try_get(7)?,
            rated_write_bytes: row.try_get::<_, Option<i64>>(8)?.map(unsigned),
            price: row.try_get(9)?,
            currency: row.try_get(10)?,
            lead_time_days: u16::try_from(row.try_get::<_, i16>(11)?).unwrap_or(0),
        });
    }
    Ok(items)
}

/// The alternatives of one unit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct UnitPlan {
    /// The unit.
    pub(crate) unit: i64,
    /// The component that runs out first.
    pub(crate) component: i64,
    /// Of what.
    pub(crate) resource: Resource,
    /// What could be done, in the order in which it is shown.
    pub(crate) alternatives: Vec<Alternative>,
}

/// One alternative as the statement below takes it.
#[derive(Debug, Serialize)]
struct Line<'a> {
    unit_id: i64,
    component_id: i64,
    resource: &'static str,
    rank: usize,
    action: &'static str,
    chosen: bool,
    order_by: Option<Date>,
    overdue: bool,
    late_probability: Option<f64>,
    sufficient: bool,
    lasts_until: Option<Timestamp>,
    price: Option<Decimal>,
    currency: Option<&'a str>,
    binding_constraint: String,
    reason: &'a str,
    items: Vec<(&'a str, u16)>,
}

/// Writes the plans of units, in place of what the run has of them.
pub(crate) async fn write(transaction: &Transaction<'_>, run: i64, plans: &[UnitPlan]) -> Result<(), Error> {
    if plans.is_empty() {
        return Ok(());
    }
    let lines: Vec<Line<'_>> = plans
        .iter()
        .flat_map(|plan| plan.alternatives.iter().enumerate().map(move |(index, one)| line(plan, index, one)))
        .collect();
    transaction
        .execute(
            "with lines as materialized (
                 select * from jsonb_to_recordset($2) as l (unit_id bigint, component_id bigint, resource text, rank smallint,
                        action text, chosen boolean, order_by date, overdue boolean, late_probability double precision,
                        sufficient boolean, lasts_until timestamptz, price numeric, currency text, binding_constraint text,
                        reason text, items jsonb)),
             plans as (
                 insert into fleet.plans (unit_id, component_id, resource, run_id, rank, action, chosen, order_by, overdue,
                        late_probability, sufficient, lasts_until, price, currency, binding_constraint, reason)
                 select unit_id, component_id, resource, $1, rank, action, chosen, order_by, overdue, late_probability,
                        sufficient, lasts_until, price, currency, binding_constraint, reason from lines
                 returning plan_id, unit_id, rank)
             insert into fleet.plan_items (plan_id, product_id, quantity)
             select p.plan_id, d.product_id, (item ->> 1)::smallint
               from plans p join lines l using (unit_id, rank) cross join lateral jsonb_array_elements(l.items) as item
               join fleet.products d on d.sku = item ->> 0",
            &[&run, &Json(&lines)],
        )
        .await?;
    Ok(())
}

fn line<'a>(plan: &UnitPlan, index: usize, one: &'a Alternative) -> Line<'a> {
    Line {
        unit_id: plan.unit,
        component_id: plan.component,
        resource: plan.resource.as_str(),
        rank: index + 1,
        action: one.action.as_str(),
        chosen: one.chosen,
        order_by: one.order_by,
        overdue: one.overdue,
        late_probability: one.late_probability,
        sufficient: one.sufficient,
        lasts_until: one.lasts_until,
        price: one.price.as_ref().map(|(price, _)| *price),
        currency: one.price.as_ref().map(|(_, currency)| currency.as_str()),
        binding_constraint: one.constraint.to_string(),
        reason: &one.reason,
        items: one.items.iter().map(|item| (item.sku.as_str(), item.quantity)).collect(),
    }
}

/// Removes a run's plans of the units of a range, before they are made anew.
pub(crate) async fn remove(
    transaction: &Transaction<'_>,
    run: i64,
    first: i64,
    last: i64,
) -> Result<u64, Error> {
    transaction
        .execute(
            "delete from fleet.plans where run_id = $1 and unit_id between $2 and $3",
            &[&run, &first, &last],
        )
        .await
}

/// Carries the plans of these units over from the current run, with their items.
pub(crate) async fn carry_over(transaction: &Transaction<'_>, run: i64, units: &[i64]) -> Result<(), Error> {
    transaction
        .execute(
            "with old as materialized (
                 select p.* from fleet.plans p join fleet.forecast_runs r on r.run_id = p.run_id and r.is_current
                  where p.unit_id = any ($2)),
             plans as (
                 insert into fleet.plans (unit_id, component_id, resource, run_id, rank, action, chosen, order_by, overdue,
                        late_probability, sufficient, lasts_until, price, currency, binding_constraint, reason)
                 select unit_id, component_id, resource, $1, rank, action, chosen, order_by, overdue, late_probability,
                        sufficient, lasts_until, price, currency, binding_constraint, reason from old
                 returning plan_id, unit_id, rank)
             insert into fleet.plan_items (plan_id, product_id, quantity)
             select p.plan_id, i.product_id, i.quantity
               from plans p join old o using (unit_id, rank) join fleet.plan_items i on i.plan_id = o.plan_id",
            &[&run, &units],
        )
        .await?;
    Ok(())
}

/// Something that is bought with an alternative.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Bought {
    /// How many.
    pub(crate) quantity: i16,
    /// Order number.
    pub(crate) sku: String,
    /// What the catalogue calls it.
    pub(crate) name: String,
    /// Days from order to delivery.
    pub(crate) lead_time_days: i16,
}

/// A stored alternative: serialised as `headroom plan --json` lists it, with order numbers for what is bought.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct PlanRow {
    /// Key of the unit.
    pub(crate) unit_id: i64,
    /// What people call it.
    pub(crate) unit: String,
    /// Whose.
    pub(crate) customer: Option<String>,
    /// What runs out first.
    pub(crate) resource: String,
    /// Place among the alternatives.
    pub(crate) rank: i16,
    /// do_nothing, reclaim, expansion, upgrade or functional_extension.
    pub(crate) action: String,
    /// The suggestion.
    pub(crate) chosen: bool,
    /// What is bought, in the order of order numbers.
    #[serde(serialize_with = "by_order_number")]
    pub(crate) items: Vec<Bought>,
    /// Price of all.
    pub(crate) price: Option<Decimal>,
    /// Its currency.
    pub(crate) currency: Option<String>,
    /// Order by.
    pub(crate) order_by: Option<Date>,
    /// That has passed.
    pub(crate) overdue: bool,
    /// Probability that it runs out before an order of today is in use.
    pub(crate) late_probability: Option<f64>,
    /// Lasts to the end of the planning horizon.
    pub(crate) sufficient: bool,
    /// When it runs out again, with a probability of 90 % not before.
    pub(crate) lasts_until: Option<Timestamp>,
    /// What keeps it from being smaller, cheaper or sufficient.
    pub(crate) binding_constraint: String,
    /// One sentence.
    pub(crate) reason: String,
}

impl PlanRow {
    /// What is bought, with names and order numbers; `None` where that is nothing.
    pub(crate) fn items_by_name(&self) -> Option<String> {
        in_words(&self.items, |item| format!("{} × {} ({})", item.quantity, item.name, item.sku))
    }

    /// Days from order to delivery of what takes longest.
    pub(crate) fn lead_time_days(&self) -> Option<i16> {
        self.items.iter().map(|item| item.lead_time_days).max()
    }
}

fn by_order_number<S: Serializer>(items: &[Bought], serializer: S) -> Result<S::Ok, S::Error> {
    in_words(items, |item| format!("{} × {}", item.quantity, item.sku)).serialize(serializer)
}

fn in_words(items: &[Bought], write: impl Fn(&Bought) -> String) -> Option<String> {
    (!items.is_empty()).then(|| items.iter().map(write).collect::<Vec<_>>().join(", "))
}

/// What [`row`] reads, of the current run.
const ROWS: &str = "
select p.unit_id, u.name, c.name, p.resource, p.rank, p.action, p.chosen,
       (select jsonb_agg(jsonb_build_object('quantity', i.quantity, 'sku', d.sku, 'name', d.name,
                                            'lead_time_days', d.lead_time_days) order by d.sku)
          from fleet.plan_items i join fleet.products d using (product_id) where i.plan_id = p.plan_id),
       p.price, p.currency, p.order_by, p.overdue, p.late_probability, p.sufficient, p.lasts_until,
       p.binding_constraint, p.reason
  from fleet.plans p
  join fleet.forecast_runs r on r.run_id = p.run_id and r.is_current
  join fleet.units u using (unit_id)
  left join fleet.customers c using (customer_id)";

/// Alternatives of the current run, the most urgent unit first; of one unit or of all that are visible.
pub(crate) async fn current(client: &impl GenericClient, unit: Option<i64>) -> Result<Vec<PlanRow>, Error> {
    let sql = format!(
        "{ROWS} where $1::bigint is null or p.unit_id = $1
          order by min(p.order_by) filter (where p.chosen) over (partition by p.unit_id) nulls last, p.unit_id, p.rank"
    );
    client.query(&sql, &[&unit]).await?.iter().map(row).collect()
}

/// Alternatives of the current run for one unit, the suggestion first.
pub(crate) async fn of_unit(client: &impl GenericClient, unit: i64) -> Result<Vec<PlanRow>, Error> {
    let sql = format!("{ROWS} where p.unit_id = $1 order by p.chosen desc, p.rank");
    client.query(&sql, &[&unit]).await?.iter().map(row).collect()
}

fn row(row: &Row) -> Result<PlanRow, Error> {
    Ok(PlanRow {
        unit_id: row.try_get(0)?,
        unit: row.try_get(1)?,
        customer: row.try_get(2)?,
        resource: row.try_get(3)?,
        rank: row.try_get(4)?,
        action: row.try_get(5)?,
        chosen: row.try_get(6)?,
        items: row.try_get::<_, Option<Json<_>>>(7)?.map(|Json(items)| items).unwrap_or_default(),
        price: row.try_get(8)?,
        currency: row.try_get(9)?,
        order_by: row.try_get(10)?,
        overdue: row.try_get(11)?,
        late_probability: row.try_get(12)?,
        sufficient: row.try_get(13)?,
        lasts_until: row.try_get(14)?,
        binding_constraint: row.try_get(15)?,
        reason: row.try_get(16)?,
    })
}

#[cfg(test)]
mod tests {
    use super::{Bought, PlanRow};

    fn plan(items: &[(i16, &str, i16)]) -> PlanRow {
        let items = items.iter().map(|(quantity, sku, lead_time_days)| Bought {
            quantity: *quantity,
            sku: (*sku).to_owned(),
            name: sku.to_lowercase(),
            lead_time_days: *lead_time_days,
        });
        PlanRow {
            unit_id: 1,
            unit: "one".to_owned(),
            customer: None,
            resource: "capacity".to_owned(),
            rank: 1,
            action: "expansion".to_owned(),
            chosen: true,
            items: items.collect(),
            price: None,
            currency: None,
            order_by: None,
            overdue: false,
            late_probability: None,
            sufficient: true,
            lasts_until: None,
            binding_constraint: String::new(),
            reason: String::new(),
        }
    }

    #[test]
    fn what_is_bought_is_told_by_order_number_and_by_name() {
        let both = plan(&[(1, "DRIVE", 20), (2, "SHELF", 35)]);
        assert_eq!(serde_json::to_value(&both).expect("JSON")["items"], "1 × DRIVE, 2 × SHELF");
        assert_eq!(both.items_by_name().as_deref(), Some("1 × drive (DRIVE), 2 × shelf (SHELF)"));
        assert_eq!(both.lead_time_days(), Some(35));
        let nothing = plan(&[]);
        assert!(serde_json::to_value(&nothing).expect("JSON")["items"].is_null());
        assert_eq!((nothing.items_by_name(), nothing.lead_time_days()), (None, None));
    }
}
