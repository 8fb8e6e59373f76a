//! Sales: units by their serial number, whether a node sees them already or not.

use headroom_core::unit::Evidence;
use jiff::{Timestamp, civil::Date};
use tokio_postgres::{Error, GenericClient};

use super::change::Change;
use super::matching;
use super::variant_name::name_of;

/// A unit that was sold, as imported.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sale {
    /// Serial number.
    pub(crate) serial: String,
    /// Reference of the customer.
    pub(crate) customer: String,
    /// Order number of what was sold.
    pub(crate) product: Option<String>,
    /// What people call it.
    pub(crate) name: String,
    /// Kind of unit; `None` until a node says.
    pub(crate) kind: Option<&'static str>,
    /// Model; `None` until a node says.
    pub(crate) model: Option<String>,
    /// Date of sale.
    pub(crate) sold_on: Option<Date>,
    /// Where it stands.
    pub(crate) site: Option<String>,
    /// Free bays.
    pub(crate) bays_free: Option<i16>,
    /// Identifiers.
    pub(crate) identity: Vec<Evidence>,
}

/// What came of a sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put {
    /// It was written.
    Done(Change),
    /// There is no such customer.
    NoCustomer,
    /// There is no such product.
    NoProduct,
    /// Several units have this serial number.
    Several,
}

/// Writes a sale. Where a node sees the unit already, the two are one from now on, unless the node is another
/// customer's.
pub(crate) async fn put(client: &impl GenericClient, sale: &Sale, now: Timestamp) -> Result<Put, Error> {
    let references = client
        .query_one(
            "select (select customer_id from fleet.customers where reference = $1),
                    (select product_id from fleet.products where sku = $2)",
            &[&sale.customer, &sale.product],
        )
        .await?;
    let (Some(customer), product) =
        (references.get::<_, Option<i64>>(0), references.get::<_, Option<i64>>(1))
    else {
        return Ok(Put::NoCustomer);
    };
    if sale.product.is_some() && product.is_none() {
        return Ok(Put::NoProduct);
    }
    let known = client
        .query(
            "select u.unit_id, u.life from fleet.units u left join fleet.nodes n using (node_id)
              where lower(u.serial) = lower($1) and u.life not in ('replaced', 'retired')
                and (u.life <> 'discovered' or n.customer_id is null or n.customer_id = $2)",
            &[&sale.serial, &customer],
        )
        .await?;
    let (unit, life, is_new) = match known.as_slice() {
        [] => (insert(client, sale, now).await?, "sold".to_owned(), true),
        [one] => (one.get(0), one.get(1), false),
        _ => return Ok(Put::Several),
    };
    let changed = client
        .execute(
            "update fleet.units u
                set customer_id = $2, product_id = $3, name = $4, kind = coalesce($5, kind), model = coalesce($6, model),
                    sold_on = $7, site = coalesce($8, site), bays_free = $9, changed_at = $10
              where unit_id = $1
                and (customer_id, product_id, name, kind, model, sold_on, site, bays_free) is distinct from
                    ($2, $3, $4, coalesce($5, kind), coalesce($6, model), $7, coalesce($8, site), $9)",
            &[
                &unit,
                &customer,
                &product,
                &sale.name,
                &sale.kind,
                &sale.model,
                &sale.sold_on,
                &sale.site,
                &sale.bays_free,
                &now,
            ],
        )
        .await?;
    let identified = identify(client, unit, &life, &sale.identity).await?;
    if life == "discovered" {
        matching::live_on(client, unit, "matched", "to its sale, which was imported", now).await?;
    }
    if is_new && let Some(discovered) = seen_by_identity(client, unit, customer).await? {
        matching::adopt(client, discovered, unit, now).await?;
    }
    Ok(Put::Done(match (is_new, changed > 0 || identified || life == "discovered") {
        (true, _) => Change::Added,
        (false, true) => Change::Changed,
        (false, false) => Change::Unchanged,
    }))
}

async fn insert(client: &impl GenericClient, sale: &Sale, now: Timestamp) -> Result<i64, Error> {
    let row = client
        .query_one(
            "with made as (
                insert into fleet.units (name, serial, life, discovered_at, changed_at)
                values ($1, $2, 'sold', $3, $3) returning unit_id),
             told as (
                insert into fleet.unit_events (unit_id, happened_at, what) select unit_id, $3, 'sold' from made)
             select unit_id from made",
            &[&sale.name, &sale.serial, &now],
        )
        .await?;
    Ok(row.get(0))
}

/// Keeps the identifiers of a sale until a node tells its own.
async fn identify(
    client: &impl GenericClient,
    unit: i64,
    life: &str,
    identity: &[Evidence],
) -> Result<bool, Error> {
    if life != "sold" || identity.is_empty() {
        return Ok(false);
    }
    let kinds: Vec<String> = identity.iter().map(|evidence| name_of(&evidence.kind)).collect();
    let values: Vec<&str> = identity.iter().map(|evidence| evidence.value.as_str()).collect();
    let added = client
        .execute(
            "insert into fleet.identities (unit_id, kind, value)
             select $1, kind, value from unnest($2::text[], $3::text[]) as t (kind, value) on conflict do nothing",
            &[&unit, &kinds, &values],
        )
        .await?;
    Ok(added > 0)
}

/// The one discovered unit that has the identity of this sale, though not its serial number.
async fn seen_by_identity(
    client: &impl GenericClient,
    sale: i64,
    customer: i64,
) -> Result<Option<i64>, Error> {
    let rows = client
        .query(
            "select distinct u.unit_id
               from fleet.units s
               join fleet.identities i
                 on i.component_id is null and i.unit_id <> s.unit_id
                and (exists (select from fleet.identities o
                              where o.unit_id = s.unit_id and o.component_id is null and (o.kind, o.value) = (i.kind, i.value))
                     or i.kind = 'serial' and lower(i.value) = lower(s.serial))
               join fleet.units u on u.unit_id = i.unit_id and u.life = 'discovered'
               left join fleet.nodes n on n.node_id = u.node_id
              where s.unit_id = $1 and (n.customer_id is null or n.customer_id = $2) limit 2",
            &[&sale, &customer],
        )
        .await?;
    Ok(if let [one] = rows.as_slice() { Some(one.get(0)) } else { None })
}
