//! Daily histories as the forecast wants them, and what stands beside each unit for its plan.

use headroom_core::forecast::{Observation, Pooled};
use headroom_core::plan::{Installed, Terms};
use headroom_core::quantity::Bytes;
use headroom_core::unit::Resource;
use jiff::Timestamp;
use rust_decimal::Decimal;
use tokio_postgres::{Error, GenericClient, Row};

use super::runs::Range;

/// A component of a unit in use.
#[derive(Debug, Clone)]
pub(crate) struct Component {
    /// Key.
    pub(crate) id: i64,
    /// Of which unit.
    pub(crate) unit: i64,
    /// Whether its capacity is that of something above it that tells its own: space seen twice counts once.
    pub(crate) capacity_is_told_above: bool,
    /// Whether its unit stores data at all: other kinds fit the schema and get no capacity forecast.
    pub(crate) stores_data: bool,
    /// Newest status that was committed.
    pub(crate) status_until: Option<Timestamp>,
    /// Space for data.
    pub(crate) space: Option<Bytes>,
    /// Interface of its drive, where the node told it.
    pub(crate) interface: Option<String>,
    /// Bytes that may be written over its life.
    pub(crate) rated_write_bytes: Option<Bytes>,
    /// By what others are like it.
    pub(crate) likeness: Likeness,
}

/// By what units are alike.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Likeness {
    /// Kind of the component.
    pub(crate) kind: String,
    /// Model of the unit.
    pub(crate) model: Option<String>,
    /// Key of the customer.
    pub(crate) customer: Option<i64>,
    /// Name of the customer's territory.
    pub(crate) territory: Option<String>,
}

impl Likeness {
    /// From four columns of a row.
    fn of(row: &Row, first: usize) -> Result<Self, Error> {
        Ok(Self {
            kind: row.try_get(first)?,
            model: row.try_get(first + 1)?,
            customer: row.try_get(first + 2)?,
            territory: row.try_get(first + 3)?,
        })
    }
}

const COMPONENTS: &str = "
    with recursive parts as (
        select k.component_id, k.unit_id, k.kind, k.status_until, k.capacity_bytes, k.specs, u.kind as unit_kind,
               coalesce(d.sku, u.model) as model, u.customer_id, t.name as territory
          from fleet.units u join fleet.components k using (unit_id)
          left join fleet.products d using (product_id)
          left join fleet.customers c using (customer_id)
          left join fleet.territories t using (territory_id)
         where u.unit_id between $1 and $2 and u.life not in ('replaced', 'retired') and k.gone_at is null),
    telling as (
        select p.component_id from parts p
         where p.kind in ('file_system', 'pool', 'volume')
           and exists (select from fleet.status s where s.component_id = p.component_id and s.at = p.status_until
                                                    and s.used_bytes is not null)),
    below as (
        select c.provider_id from fleet.component_providers c join telling t using (component_id)
        union
        select c.provider_id from fleet.component_providers c join below b on c.component_id = b.provider_id)
    select p.component_id, p.unit_id, p.kind in ('drive', 'namespace', 'volume_group', 'volume')
               and p.component_id in (select provider_id from below),
           p.unit_kind <> 'other', p.status_until, p.capacity_bytes, p.specs ->> 'interface',
           case when jsonb_typeof(p.specs -> 'rated_write_bytes') = 'number' then (p.specs ->> 'rated_write_bytes')::numeric end,
           p.kind, p.model, p.customer_id, p.territory
      from parts p order by p.unit_id, p.component_id";

/// The components of the units of a range.
pub(crate) async fn components(client: &impl GenericClient, range: Range) -> Result<Vec<Component>, Error> {
    let rows = client.query(COMPONENTS, &[&range.first, &range.last]).await?;
    rows.iter()
        .map(|row| {
            let bytes = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok()).map(Bytes);
            Ok(Component {
                id: row.try_get(0)?,
                unit: row.try_get(1)?,
                capacity_is_told_above: row.try_get(2)?,
                stores_data: row.try_get(3)?,
                status_until: row.try_get(4)?,
                space: bytes(row.try_get(5)?),
                interface: row.try_get(6)?,
                rated_write_bytes: row
                    .try_get::<_, Option<Decimal>>(7)?
                    .and_then(|rated| u64::try_from(rated).ok())
                    .map(Bytes),
                likeness: Likeness::of(row, 8)?,
            })
        })
        .collect()
}

const SAMPLE: &str = "
    with parts as (
        select k.component_id, k.kind, coalesce(d.sku, u.model) as model, u.customer_id, t.name as territory,
               hashint8(k.component_id) as chance
          from fleet.units u join fleet.components k using (unit_id)
          left join fleet.products d using (product_id)
          left join fleet.customers c using (customer_id)
          left join fleet.territories t using (territory_id)
         where u.life not in ('replaced', 'retired') and k.gone_at is null and k.status_until is not null),
    ranked as (
        select parts.*, least(row_number() over (partition by kind, model order by chance, component_id),
                              row_number() over (partition by kind, customer_id order by chance, component_id)) as place
          from parts)
    select component_id, kind, model, customer_id, territory from ranked order by place, chance, component_id limit $1";

/// Components that tell something, at most so many, of each model and each customer as many as of the others.
pub(crate) async fn sample(client: &impl GenericClient, most: i64) -> Result<Vec<(i64, Likeness)>, Error> {
    let rows = client.query(SAMPLE, &[&most]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, Likeness::of(row, 1)?))).collect()
}

/// One resource's history.
#[derive(Debug, Clone)]
pub(crate) struct History {
    /// Whose.
    pub(crate) component: i64,
    /// What can run out.
    pub(crate) resource: Resource,
    /// Its values, one a day.
    pub(crate) observations: Vec<Observation>,
    /// What it borrows from units alike.
    pub(crate) pooled: Option<Pooled>,
}

/// Daily histories of these components up to a moment, in the order of component and resource.
pub(crate) async fn daily(
    client: &impl GenericClient,
    as_of: Timestamp,
    components: &[i64],
) -> Result<Vec<History>, Error> {
    let rows = client
        .query(
            "select component_id, resource, at, used, limits from fleet.daily_history($1, $2)",
            &[&as_of, &components],
        )
        .await?;
    let mut histories = Vec::with_capacity(rows.len());
    for row in &rows {
        let Ok(resource) = row.try_get::<_, &str>(1)?.parse() else { continue };
        let at: Vec<Timestamp> = row.try_get(2)?;
        let used: Vec<f64> = row.try_get(3)?;
        let limits: Vec<Option<f64>> = row.try_get(4)?;
        let observations = at
            .into_iter()
            .zip(used)
            .zip(limits)
            .map(|((at, used), limit)| Observation { at, used, limit })
            .collect();
        histories.push(History { component: row.try_get(0)?, resource, observations, pooled: None });
    }
    // Here and not in SQL, which would write the arrays to disk to sort them.
    histories.sort_by_key(|one| (one.component, one.resource));
    Ok(histories)
}

/// What the planner must know of a unit beside its forecasts.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    /// The unit.
    pub(crate) unit: i64,
    /// What stands there; space, interface and rating are those of a component and filled in later.
    pub(crate) installed: Installed,
    /// The customer's terms.
    pub(crate) terms: Terms,
}

/// The units of a range with their customers' terms. Units of nobody have the terms of nobody.
pub(crate) async fn sites(client: &impl GenericClient, range: Range) -> Result<Vec<Site>, Error> {
    let rows = client
        .query(
            "select u.unit_id, coalesce(d.sku, u.model), u.bays_free, d.interface, d.rated_write_bytes,
                    coalesce(c.approval_days, 0::smallint), coalesce(c.installation_days, 0::smallint), c.budget, c.budget_currency
               from fleet.units u
               left join fleet.products d using (product_id)
               left join fleet.customers c using (customer_id)
              where u.unit_id between $1 and $2 and u.life not in ('replaced', 'retired')",
            &[&range.first, &range.last],
        )
        .await?;
    let days = |value: i16| u16::try_from(value).unwrap_or(0);
    rows.iter()
        .map(|row| {
            Ok(Site {
                unit: row.try_get(0)?,
                installed: Installed {
                    model: row.try_get(1)?,
                    interface: row.try_get(3)?,
                    bays_free: row.try_get::<_, Option<i16>>(2)?.and_then(|bays| u16::try_from(bays).ok()),
                    space: None,
                    rated_write_bytes: row
                        .try_get::<_, Option<i64>>(4)?
                        .and_then(|rated| u64::try_from(rated).ok())
                        .map(Bytes),
                },
                terms: Terms {
                    approval_days: days(row.try_get(5)?),
                    installation_days: days(row.try_get(6)?),
                    budget: row.try_get(7)?,
                    currency: row.try_get(8)?,
                },
            })
        })
        .collect()
}
