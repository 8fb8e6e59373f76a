//! Everything that the page of one unit shows. Each question gives nothing where the person may not see the unit.

use headroom_core::forecast::{Factor, FanPoint, State};
use headroom_core::unit::{Resource, Specs};
use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_postgres::{Error, GenericClient, Row};
use uuid::Uuid;

/// The current forecast of one resource of one component.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ForecastRow {
    /// Which component.
    pub(crate) component_id: i64,
    /// The name its owner knows it by.
    pub(crate) component: Option<String>,
    /// Its kind.
    pub(crate) component_kind: String,
    /// What runs out.
    pub(crate) resource: Resource,
    /// What the forecast says.
    pub(crate) state: State,
    /// Why, for machines.
    pub(crate) reason_code: String,
    /// Why, for people.
    pub(crate) reason: String,
    /// Exhausted before this date with a probability of 10 %.
    pub(crate) p10: Option<Timestamp>,
    /// Median.
    pub(crate) p50: Option<Timestamp>,
    /// Exhausted before this date with a probability of 90 %.
    pub(crate) p90: Option<Timestamp>,
    /// Last value: bytes, ratio or count.
    pub(crate) last_used: Option<f64>,
    /// The limit, in the same unit.
    pub(crate) resource_limit: Option<f64>,
    /// First observation used.
    pub(crate) data_from: Option<Timestamp>,
    /// Last observation used.
    pub(crate) data_until: Option<Timestamp>,
    /// Observations used.
    pub(crate) samples: i64,
    /// Observations that were not believed.
    pub(crate) set_aside: i64,
    /// Model and version of its constants.
    pub(crate) model: String,
    /// The moment of asking.
    pub(crate) as_of: Timestamp,
}

/// A unit's current forecasts, what binds first at the head.
pub(crate) async fn forecasts(client: &impl GenericClient, unit: i64) -> Result<Vec<ForecastRow>, Error> {
    let rows = client
        .query(
            "select f.component_id, k.label, k.kind, f.resource, f.state, f.reason_code, f.reason, f.p10, f.p50, f.p90,
                    f.last_used, f.resource_limit, f.data_from, f.data_until, f.samples, f.set_aside, f.model, f.as_of
               from fleet.components k
               join fleet.forecasts f using (component_id)
               join fleet.forecast_runs r on r.run_id = f.run_id and r.is_current
              where k.unit_id = $1 and k.gone_at is null
              order by f.state = 'already_exhausted' desc, f.p10 nulls last, f.p50 nulls last,
                       f.resource = 'capacity' desc, f.resource_limit desc nulls last, f.component_id, f.resource",
            &[&unit],
        )
        .await?;
    Ok(rows.iter().filter_map(forecast).collect())
}

/// `None` where a name is none of this version's: a later version has written it.
fn forecast(row: &Row) -> Option<ForecastRow> {
    Some(ForecastRow {
        component_id: row.get(0),
        component: row.get(1),
        component_kind: row.get(2),
        resource: row.get::<_, &str>(3).parse().ok()?,
        state: row.get::<_, &str>(4).parse().ok()?,
        reason_code: row.get(5),
        reason: row.get(6),
        p10: row.get(7),
        p50: row.get(8),
        p90: row.get(9),
        last_used: row.get(10),
        resource_limit: row.get(11),
        data_from: row.get(12),
        data_until: row.get(13),
        samples: row.get(14),
        set_aside: row.get(15),
        model: row.get(16),
        as_of: row.get(17),
    })
}

/// The parts of a forecast that only its own page and REST show.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Detail {
    /// Quantiles of the value over time.
    pub(crate) fan: Vec<FanPoint>,
    /// What moves the date.
    pub(crate) why: Vec<Factor>,
    /// Probability of exhaustion by time.
    pub(crate) passage: serde_json::Value,
}

/// Fan, why and distribution of a current forecast.
pub(crate) async fn detail(
    client: &impl GenericClient,
    component: i64,
    resource: Resource,
) -> Result<Detail, Error> {
    let row = client
        .query_opt(
            "select f.fan, f.why, f.passage from fleet.forecasts f
               join fleet.forecast_runs r on r.run_id = f.run_id and r.is_current
              where f.component_id = $1 and f.resource = $2",
            &[&component, &resource.as_str()],
        )
        .await?;
    Ok(row.map_or_else(Detail::default, |row| Detail {
        fan: list(row.get(0)),
        why: list(row.get(1)),
        passage: row.get(2),
    }))
}

/// The entries that this version understands.
fn list<T: DeserializeOwned>(json: serde_json::Value) -> Vec<T> {
    match json {
        serde_json::Value::Array(entries) => {
            entries.into_iter().filter_map(|entry| serde_json::from_value(entry).ok()).collect()
        }
        _ => Vec::new(),
    }
}

/// One value with the limit at that time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    /// When.
    pub(crate) at: Timestamp,
    /// The value.
    pub(crate) used: f64,
    /// The limit.
    pub(crate) limit: Option<f64>,
}

/// Days of history up to which single samples are drawn instead of days.
const SAMPLES_UP_TO_DAYS: f64 = 14.0;

/// What was measured of a resource: the daily values that the forecast is asked with, and of a young component the
/// samples themselves, at most about 800.
pub(crate) async fn history(
    client: &impl GenericClient,
    component: i64,
    resource: Resource,
    as_of: Timestamp,
) -> Result<Vec<Point>, Error> {
    let age: Option<f64> = client
        .query_one(
            "select (extract(epoch from max(at) - min(at)) / 86400)::double precision from fleet.status where component_id = $1",
            &[&component],
        )
        .await?
        .get(0);
    let Some(age) = age else { return Ok(Vec::new()) };
    if age <= SAMPLES_UP_TO_DAYS {
        return samples(client, component, resource, age).await;
    }
    let row = client
        .query_opt(
            "select at, used, limits from fleet.daily_history($1, array[$2::bigint]) where resource = $3",
            &[&as_of, &component, &resource.as_str()],
        )
        .await?;
    let Some(row) = row else { return Ok(Vec::new()) };
    let (at, used, limits): (Vec<Timestamp>, Vec<f64>, Vec<Option<f64>>) =
        (row.get(0), row.get(1), row.get(2));
    Ok(at.into_iter().zip(used).zip(limits).map(|((at, used), limit)| Point { at, used, limit }).collect())
}

async fn samples(
    client: &impl GenericClient,
    component: i64,
    resource: Resource,
    age_days: f64,
) -> Result<Vec<Point>, Error> {
    let (value, limit) = match resource {
        Resource::Capacity => ("used_bytes", "capacity_bytes"),
        Resource::Load => ("utilisation", "0.8"),
        Resource::Endurance => ("endurance_used_percent / 100.0", "1"),
        Resource::Inodes => ("inodes_used", "nullif(inodes_total, 0)"),
        Resource::ThinMetadata => ("metadata_used_bytes", "metadata_capacity_bytes"),
    };
    // The last of each stretch of time, so that the newest sample is always among them.
    let statement = format!(
        "select distinct on (stretch) at, used, resource_limit
           from (select at, ({value})::double precision as used, ({limit})::double precision as resource_limit,
                        floor(extract(epoch from at) / $2::double precision) as stretch
                   from fleet.status where component_id = $1 and ({value}) is not null) s
          order by stretch, at desc"
    );
    let seconds = (age_days * 86_400.0 / 800.0).max(1.0);
    let rows = client.query(&statement, &[&component, &seconds]).await?;
    Ok(rows.iter().map(|row| Point { at: row.get(0), used: row.get(1), limit: row.get(2) }).collect())
}

/// A component with its newest status.
#[derive(Debug, Clone)]
pub(crate) struct ComponentRow {
    /// Key.
    pub(crate) component_id: i64,
    /// Its kind.
    pub(crate) kind: String,
    /// The name its owner knows it by.
    pub(crate) label: Option<String>,
    /// Specifications.
    pub(crate) specs: Specs,
    /// Since when its node no longer sees it.
    pub(crate) gone_at: Option<Timestamp>,
    /// What it is made of.
    pub(crate) providers: Vec<i64>,
    /// When it was last measured.
    pub(crate) at: Option<Timestamp>,
    /// Usable size, bytes.
    pub(crate) capacity_bytes: Option<i64>,
    /// Spent capacity, bytes.
    pub(crate) used_bytes: Option<i64>,
    /// Where that comes from.
    pub(crate) used_source: Option<String>,
    /// Share of the time in which it was busy, 0…1.
    pub(crate) utilisation: Option<f64>,
    /// Endurance used, percent.
    pub(crate) endurance_used_percent: Option<i16>,
    /// Spare left, percent.
    pub(crate) spare_percent: Option<i16>,
    /// Bytes written over its life.
    pub(crate) data_written_bytes: Option<i64>,
    /// Temperature, degrees Celsius.
    pub(crate) temperature_celsius: Option<i16>,
    /// Unrecovered media errors.
    pub(crate) media_errors: Option<i64>,
    /// What it does not report.
    pub(crate) absences: Vec<AbsenceRow>,
}

/// A figure that is not reported.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct AbsenceRow {
    /// Which figure.
    pub(crate) field: String,
    /// Why.
    pub(crate) reason: String,
    /// What was seen, and what would change it.
    pub(crate) detail: Option<String>,
}

/// A unit's components.
pub(crate) async fn components(client: &impl GenericClient, unit: i64) -> Result<Vec<ComponentRow>, Error> {
    let rows = client
        .query(
            "select k.component_id, k.kind, k.label, k.specs, k.gone_at,
                    array(select p.provider_id from fleet.component_providers p where p.component_id = k.component_id order by 1),
                    s.at, s.capacity_bytes, s.used_bytes, s.used_source, s.utilisation, s.endurance_used_percent,
                    s.spare_percent, s.data_written_bytes, s.temperature_celsius, s.media_errors
               from fleet.components k
               left join lateral (select * from fleet.status s where s.component_id = k.component_id order by s.at desc limit 1) s
                 on true
              where k.unit_id = $1
              order by k.gone_at is not null, k.component_id",
            &[&unit],
        )
        .await?;
    let absences = client
        .query(
            "select a.component_id, a.field, a.reason, a.detail from fleet.absences a join fleet.components k using (component_id)
              where k.unit_id = $1 order by a.component_id, a.field",
            &[&unit],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| {
            let component_id: i64 = row.get(0);
            ComponentRow {
                component_id,
                kind: row.get(1),
                label: row.get(2),
                specs: serde_json::from_value(row.get(3)).unwrap_or_default(),
                gone_at: row.get(4),
                providers: row.get(5),
                at: row.get(6),
                capacity_bytes: row.get(7),
                used_bytes: row.get(8),
                used_source: row.get(9),
                utilisation: row.get(10),
                endurance_used_percent: row.get(11),
                spare_percent: row.get(12),
                data_written_bytes: row.get(13),
                temperature_celsius: row.get(14),
                media_errors: row.get(15),
                absences: absences
                    .iter()
                    .filter(|absence| absence.get::<_, i64>(0) == component_id)
                    .map(|absence| AbsenceRow {
                        field: absence.get(1),
                        reason: absence.get(2),
                        detail: absence.get(3),
                    })
                    .collect(),
            }
        })
        .collect())
}

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

/// Whose unit it is and which node sees it.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    /// Name of the customer.
    pub(crate) customer: Option<String>,
    /// The vendor's reference for it.
    pub(crate) reference: Option<String>,
    /// Territory.
    pub(crate) territory: Option<String>,
    /// Whom to contact.
    pub(crate) contact_name: Option<String>,
    /// Their address.
    pub(crate) contact_email: Option<String>,
    /// Days that the customer takes to approve.
    pub(crate) approval_days: Option<i16>,
    /// Days from delivery to use.
    pub(crate) installation_days: Option<i16>,
    /// First month of its fiscal year.
    pub(crate) fiscal_year_start_month: Option<i16>,
    /// Nothing may be sent.
    pub(crate) no_contact: bool,
    /// Purposes that both sides grant, in order.
    pub(crate) granted: Vec<String>,
    /// Date of sale.
    pub(crate) sold_on: Option<Date>,
    /// What was sold.
    pub(crate) product: Option<String>,
    /// Free bays.
    pub(crate) bays_free: Option<i16>,
    /// The node that sees it.
    pub(crate) node_id: Option<Uuid>,
    /// host or peripheral.
    pub(crate) placement: Option<String>,
    /// Version of its program.
    pub(crate) software: Option<String>,
    /// Where its read API is.
    pub(crate) address: Option<String>,
    /// Seconds between two measurements.
    pub(crate) interval_seconds: Option<i32>,
    /// Last answer or push.
    pub(crate) node_seen_at: Option<Timestamp>,
    /// What the last read failed with.
    pub(crate) failure: Option<String>,
    /// Its key inside the node.
    pub(crate) node_key: Option<String>,
}

/// Customer, consent, sale and node of a unit.
pub(crate) async fn surroundings(
    client: &impl GenericClient,
    unit: i64,
) -> Result<Option<Surroundings>, Error> {
    let row = client
        .query_opt(
            "select c.name, c.reference, t.name, c.contact_name, c.contact_email, c.approval_days, c.installation_days,
                    c.fiscal_year_start_month, coalesce(c.no_contact, false),
                    array(select f.purpose from fleet.consent_in_force f where f.unit_id = u.unit_id and f.in_force order by 1),
                    u.sold_on, p.name, u.bays_free, n.node_id, n.placement, n.software, n.address, n.interval_seconds,
                    n.seen_at, n.failure, u.node_key
               from fleet.units u
               left join fleet.customers c using (customer_id)
               left join fleet.territories t using (territory_id)
               left join fleet.products p using (product_id)
               left join fleet.nodes n on n.node_id = u.node_id and n.revoked_at is null
              where u.unit_id = $1",
            &[&unit],
        )
        .await?;
    Ok(row.map(|row| Surroundings {
        customer: row.get(0),
        reference: row.get(1),
        territory: row.get(2),
        contact_name: row.get(3),
        contact_email: row.get(4),
        approval_days: row.get(5),
        installation_days: row.get(6),
        fiscal_year_start_month: row.get(7),
        no_contact: row.get(8),
        granted: row.get(9),
        sold_on: row.get(10),
        product: row.get(11),
        bays_free: row.get(12),
        node_id: row.get(13),
        placement: row.get(14),
        software: row.get(15),
        address: row.get(16),
        interval_seconds: row.get(17),
        node_seen_at: row.get(18),
        failure: row.get(19),
        node_key: row.get(20),
    }))
}

/// What an earlier run said of a resource.
#[derive(Debug, Clone)]
pub(crate) struct EarlierForecast {
    /// The moment of asking.
    pub(crate) as_of: Timestamp,
    /// What it said.
    pub(crate) state: Option<State>,
    /// The three dates.
    pub(crate) dates: [Option<Timestamp>; 3],
}

/// What earlier runs said, the newest first: of each day the last one, at most ten.
pub(crate) async fn earlier(
    client: &impl GenericClient,
    component: i64,
    resource: Resource,
) -> Result<Vec<EarlierForecast>, Error> {
    let rows = client
        .query(
            "select as_of, state, p10, p50, p90 from (
                select distinct on (date_trunc('day', f.as_of)) f.as_of, f.state, f.p10, f.p50, f.p90
                  from fleet.forecasts f join fleet.forecast_runs r using (run_id)
                 where f.component_id = $1 and f.resource = $2 and r.published_at is not null and not r.is_current
                 order by date_trunc('day', f.as_of) desc, f.as_of desc limit 10) newest
              order by as_of desc",
            &[&component, &resource.as_str()],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| EarlierForecast {
            as_of: row.get(0),
            state: row.get::<_, &str>(1).parse().ok(),
            dates: [row.get(2), row.get(3), row.get(4)],
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
