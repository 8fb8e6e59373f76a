//! The worklist as its page shows it: filtered, sorted, one page of rows with their newest measurement, and the sums of
//! what the filter leaves. What binds first is chosen as in [`super::worklist`].

use headroom_core::forecast::State;
use headroom_core::unit::Resource;
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::Serialize;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, GenericClient, Row};

use super::worklist;

/// What the table is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Sort {
    /// The last day to order.
    #[default]
    OrderBy,
    /// The median date.
    Full,
    /// State.
    State,
    /// Customer.
    Customer,
    /// Name of the unit.
    Unit,
    /// Share of the limit that is used.
    Used,
    /// What runs out.
    Resource,
    /// Price of the suggested plan.
    Price,
    /// Newest measurement.
    Seen,
}

impl Sort {
    /// Every order.
    pub(crate) const ALL: [Self; 9] = [
        Self::State,
        Self::Customer,
        Self::Unit,
        Self::Used,
        Self::OrderBy,
        Self::Full,
        Self::Resource,
        Self::Price,
        Self::Seen,
    ];

    /// The name in an address.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::OrderBy => "order_by",
            Self::Full => "full",
            Self::State => "state",
            Self::Customer => "customer",
            Self::Unit => "unit",
            Self::Used => "used",
            Self::Resource => "resource",
            Self::Price => "price",
            Self::Seen => "seen",
        }
    }

    fn expression(self) -> &'static str {
        match self {
            Self::OrderBy => "order_by",
            Self::Full => "coalesce(p50, p10)",
            Self::State => "state",
            Self::Customer => "lower(customer)",
            Self::Unit => "lower(name)",
            Self::Used => "last_used / resource_limit",
            Self::Resource => "resource",
            Self::Price => "price",
            Self::Seen => "last_seen",
        }
    }
}

/// Which units are meant.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection<'a> {
    /// Text in customer, unit, model, serial number or site.
    pub(crate) text: Option<&'a str>,
    /// Only this state; `none` for units without a forecast.
    pub(crate) state: Option<&'a str>,
    /// Only where this runs out first.
    pub(crate) resource: Option<Resource>,
    /// Only this territory.
    pub(crate) territory: Option<&'a str>,
    /// Only what must be ordered within so many days; 0 for what is overdue.
    pub(crate) due_days: Option<i32>,
    /// Only this unit.
    pub(crate) unit: Option<i64>,
    /// The moment that days are counted from.
    pub(crate) now: Timestamp,
}

/// One row of the page.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Line {
    /// What reports list too.
    #[serde(flatten)]
    pub(crate) row: worklist::Row,
    /// Its key for the outside world.
    pub(crate) public_id: uuid::Uuid,
    /// drive, server_storage, array, nas or other; `None` for a sale that no node has seen.
    pub(crate) kind: Option<String>,
    /// Its life: discovered, matched …
    pub(crate) life: String,
    /// The component whose resource binds first.
    pub(crate) component_id: Option<i64>,
    /// The name its owner knows that component by.
    pub(crate) component: Option<String>,
    /// Kind of that component.
    pub(crate) component_kind: Option<String>,
    /// Whether the last day to order has passed.
    pub(crate) overdue: bool,
    /// What kind of plan is suggested.
    pub(crate) action: Option<String>,
    /// Seconds between two measurements, as its node says.
    pub(crate) interval_seconds: Option<i32>,
    /// Newest spent capacity, bytes, of the component that binds or is fullest.
    pub(crate) used_bytes: Option<i64>,
    /// Its size at that moment, bytes.
    pub(crate) capacity_bytes: Option<i64>,
    /// Kind of the component that these two are of.
    pub(crate) capacity_kind: Option<String>,
    /// When these two were measured.
    pub(crate) measured_at: Option<Timestamp>,
}

/// Everything that the filters look at, one row a visible unit.
const UNITS: &str = "
    with units as (
        select u.unit_id, u.public_id, u.name, u.serial, u.model, u.kind, u.life, u.site, c.name as customer,
               t.name as territory, n.interval_seconds,
               f.component_id, f.label, f.component_kind, f.state, f.reason, f.resource, f.last_used, f.resource_limit,
               f.p10, f.p50, f.p90,
               p.order_by, coalesce(p.order_by < $6::date, false) as overdue, p.action, p.plan, p.price, p.currency,
               s.last_seen
          from fleet.units u
          left join fleet.customers c using (customer_id)
          left join fleet.territories t using (territory_id)
          left join fleet.nodes n on n.node_id = u.node_id
          left join fleet.forecast_runs r on r.is_current
          left join lateral (
               select k.component_id, k.label, k.kind as component_kind, f.state, f.reason, f.resource, f.last_used,
                      f.resource_limit, f.p10, f.p50, f.p90
                 from fleet.components k
                 join fleet.forecasts f on f.component_id = k.component_id and f.run_id = r.run_id
                where k.unit_id = u.unit_id and k.gone_at is null
                order by f.state = 'already_exhausted' desc, f.p10 nulls last, f.p50 nulls last,
                         f.resource = 'capacity' desc, f.resource_limit desc nulls last, f.component_id, f.resource
                limit 1) f on true
          left join lateral (
               select p.order_by, p.action, p.price, p.currency,
                      replace(p.action, '_', ' ') || coalesce(': ' || (
                          select string_agg(i.quantity || ' × ' || d.name, ', ' order by d.sku)
                            from fleet.plan_items i join fleet.products d using (product_id)
                           where i.plan_id = p.plan_id), '') as plan
                 from fleet.plans p where p.unit_id = u.unit_id and p.run_id = r.run_id and p.chosen
                order by p.rank limit 1) p on true
          left join lateral (
               select max(k.status_until) as last_seen from fleet.components k where k.unit_id = u.unit_id) s on true
         where u.life not in ('replaced', 'retired')
           and ($1::text is null
                or position(lower($1) in lower(concat_ws(' ', c.name, u.name, u.model, u.serial, u.site))) > 0)
           and ($3::text is null or f.resource = $3)
           and ($4::text is null or t.name = $4)
           and ($5::int is null or p.order_by < $6::date + $5::int)
           and ($7::bigint is null or u.unit_id = $7)),
    chosen as (select * from units where $2::text is null or coalesce(state, 'none') = $2)";

/// The newest measurement of the component that binds, or where something else binds, of the fullest one.
const LATEST: &str = "
    left join lateral (
        select k.kind, s.at, s.used_bytes, s.capacity_bytes
          from fleet.components k
         cross join lateral (
               select s.at, s.used_bytes, s.capacity_bytes from fleet.status s
                where s.component_id = k.component_id order by s.at desc limit 1) s
         where k.unit_id = chosen.unit_id and k.gone_at is null and s.used_bytes is not null
         order by (k.component_id = chosen.component_id and chosen.resource = 'capacity') is true desc,
                  s.used_bytes::double precision / nullif(s.capacity_bytes, 0) desc nulls last, k.component_id
         limit 1) latest on true";

struct Arguments {
    text: Option<String>,
    state: Option<String>,
    resource: Option<String>,
    territory: Option<String>,
    due_days: Option<i32>,
    today: jiff::civil::Date,
    unit: Option<i64>,
}

impl Arguments {
    fn of(selection: &Selection<'_>) -> Self {
        Self {
            text: selection.text.map(str::to_owned),
            state: selection.state.map(str::to_owned),
            resource: selection.resource.map(|resource| resource.as_str().to_owned()),
            territory: selection.territory.map(str::to_owned),
            due_days: selection.due_days,
            today: selection.now.to_zoned(jiff::tz::TimeZone::UTC).date(),
            unit: selection.unit,
        }
    }

    fn all(&self) -> [&(dyn ToSql + Sync); 7] {
        [&self.text, &self.state, &self.resource, &self.territory, &self.due_days, &self.today, &self.unit]
    }
}

/// Rows from `offset` on, at most `limit`.
pub(crate) async fn page(
    client: &impl GenericClient,
    selection: &Selection<'_>,
    sort: Sort,
    descending: bool,
    limit: i64,
    offset: i64,
) -> Result<Vec<Line>, Error> {
    // Both come from closed sets. What has no value stands last either way.
    let order = format!(
        "{} {} nulls last, order_by nulls last, coalesce(p50, p10) nulls last, unit_id",
        sort.expression(),
        if descending { "desc" } else { "asc" }
    );
    let statement = format!(
        "{UNITS}, paged as (select * from chosen order by {order} limit {limit} offset {offset})
         select chosen.unit_id, chosen.name, chosen.serial, chosen.model, chosen.customer, chosen.territory, chosen.site,
                chosen.state, chosen.reason, chosen.resource, chosen.last_used, chosen.resource_limit,
                chosen.order_by::timestamp at time zone 'UTC', chosen.p10, chosen.p50, chosen.p90, chosen.plan,
                chosen.price, chosen.currency, greatest(chosen.last_seen, latest.at), chosen.public_id, chosen.kind,
                chosen.life, chosen.component_id, chosen.label, chosen.component_kind, chosen.overdue, chosen.action,
                chosen.interval_seconds, latest.used_bytes, latest.capacity_bytes, latest.kind, latest.at
           from paged chosen {LATEST}
          order by {order}"
    );
    let arguments = Arguments::of(selection);
    let rows = client.query(&statement, &arguments.all()).await?;
    Ok(rows.iter().map(line).collect())
}

fn line(row: &Row) -> Line {
    Line {
        row: worklist::Row::of(row),
        public_id: row.get(20),
        kind: row.get(21),
        life: row.get(22),
        component_id: row.get(23),
        component: row.get(24),
        component_kind: row.get(25),
        overdue: row.get(26),
        action: row.get(27),
        interval_seconds: row.get(28),
        used_bytes: row.get(29),
        capacity_bytes: row.get(30),
        capacity_kind: row.get(31),
        measured_at: row.get(32),
    }
}

/// What the filter leaves, in sums.
#[derive(Debug, Clone, Default)]
pub(crate) struct Totals {
    /// Units.
    pub(crate) units: i64,
    /// Units that must be ordered for within 30 days, overdue ones included.
    pub(crate) due_soon: i64,
    /// Of these, how many are overdue.
    pub(crate) overdue: i64,
    /// What the suggested plans cost, by currency.
    pub(crate) prices: Vec<(Decimal, String)>,
    /// Units by state, whatever state was asked for; `None` for units without a forecast.
    pub(crate) by_state: Vec<(Option<State>, i64)>,
}

/// Counts and sums of the selection.
pub(crate) async fn totals(client: &impl GenericClient, selection: &Selection<'_>) -> Result<Totals, Error> {
    let arguments = Arguments::of(selection);
    let counted = client
        .query_one(
            &format!(
                "{UNITS} select count(*), count(*) filter (where order_by < $6::date + 30), count(*) filter (where overdue)
                   from chosen"
            ),
            &arguments.all(),
        )
        .await?;
    let prices = client
        .query(
            &format!(
                "{UNITS} select sum(price), currency from chosen where price is not null group by currency order by currency"
            ),
            &arguments.all(),
        )
        .await?;
    let states = client
        .query(
            &format!("{UNITS} select state, count(*) from units group by state order by state"),
            &arguments.all(),
        )
        .await?;
    Ok(Totals {
        units: counted.get(0),
        due_soon: counted.get(1),
        overdue: counted.get(2),
        prices: prices.iter().map(|row| (row.get(0), row.get(1))).collect(),
        by_state: states
            .iter()
            .map(|row| (row.get::<_, Option<&str>>(0).and_then(|text| text.parse().ok()), row.get(1)))
            .collect(),
    })
}

/// Territories that a filter can name: those of the customers that the person sees.
pub(crate) async fn territories(client: &impl GenericClient) -> Result<Vec<String>, Error> {
    let rows = client
        .query(
            "select distinct t.name from fleet.customers c join fleet.territories t using (territory_id) order by 1",
            &[],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// When the fleet was last forecast; `None` where that never happened.
pub(crate) async fn forecast_as_of(client: &impl GenericClient) -> Result<Option<Timestamp>, Error> {
    let row = client.query_opt("select as_of from fleet.forecast_runs where is_current", &[]).await?;
    Ok(row.map(|row| row.get(0)))
}
