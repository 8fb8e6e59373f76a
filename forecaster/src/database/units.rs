//! What a node describes: units, components, identity, absences. Written whole, in one statement a kind of thing.

use std::collections::HashMap;

use deadpool_postgres::GenericClient as Cached;
use headroom_core::exchange::Answer;
use headroom_core::unit::{Component, ComponentKind, UnitReport, UserInformation};
use jiff::Timestamp;
use tokio_postgres::{Error, GenericClient};
use uuid::Uuid;

use super::variant_name::name_of;
use super::{matching, watched};

/// Writes what a node describes. What it no longer describes stays with its history, marked as gone.
pub(crate) async fn describe(
    client: &impl GenericClient,
    answer: &Answer,
    now: Timestamp,
) -> Result<(), Error> {
    let node = answer.description.node;
    user(client, node, &answer.user).await?;
    if !answer.user.consent.any() {
        // The node tells this decision alone. What it described before is neither gone nor changed.
        return Ok(());
    }
    // Before others are looked for in their place: what moved is found again.
    gone(client, answer, now).await?;
    for unit in reports(answer) {
        matching::place(client, node, unit, now).await?;
    }
    components(client, answer, now).await?;
    gone(client, answer, now).await?;
    providers(client, answer).await?;
    identities(client, answer).await?;
    absences(client, answer).await
}

/// Writes the components of an answer that were never heard of, as gone: what was carried may be older than what the
/// node told since and must not undo it, but its samples need their components.
///
/// `known` are those that were heard of.
pub(crate) async fn describe_unknown(
    client: &impl GenericClient,
    answer: &Answer,
    known: &HashMap<String, i64>,
    now: Timestamp,
) -> Result<(), Error> {
    let node = answer.description.node;
    let mut unknown = Answer { units: Vec::new(), gone: Vec::new(), ..answer.clone() };
    for unit in reports(answer) {
        let mut unit = unit.clone();
        unit.components.retain(|component| !known.contains_key(&component.key.0));
        if !unit.components.is_empty() {
            unknown.units.push(unit);
        }
    }
    if unknown.units.is_empty() {
        return Ok(());
    }
    for unit in &unknown.units {
        matching::place(client, node, unit, now).await?;
    }
    components(client, &unknown, now).await?;
    let keys: Vec<&str> = all(&unknown).map(|(_, component)| component.key.0.as_str()).collect();
    client
        .execute(
            "with parts as (
                update fleet.components c set gone_at = $3 from fleet.units u
                 where u.unit_id = c.unit_id and u.node_id = $1 and c.node_key = any ($2) returning c.component_id)
             update fleet.units u set gone_at = $3
              where u.node_id = $1 and u.gone_at is null
                and not exists (select from fleet.components c
                                 where c.unit_id = u.unit_id and c.gone_at is null
                                   and c.component_id not in (select component_id from parts))",
            &[&node, &keys, &now],
        )
        .await?;
    Ok(())
}

/// Writes units and components of a sender that tells a few at a time: what it does not speak of now is not gone, and
/// specifications are added to those that are known.
pub(crate) async fn describe_more(
    client: &impl GenericClient,
    node: Uuid,
    reports: &[UnitReport],
    now: Timestamp,
) -> Result<(), Error> {
    let known: HashMap<String, serde_json::Value> = watched::specs(client, node).await?.into_iter().collect();
    for report in reports {
        let changed: Vec<(&Component, serde_json::Value)> = report
            .components
            .iter()
            .filter_map(|component| {
                let told = serde_json::to_value(&component.specs).unwrap_or_default();
                let before = known.get(&component.key.0);
                let mut specs = before.cloned().unwrap_or_else(|| serde_json::json!({}));
                if let (Some(specs), Some(told)) = (specs.as_object_mut(), told.as_object()) {
                    specs.extend(told.clone());
                }
                (before != Some(&specs)).then_some((component, specs))
            })
            .collect();
        if changed.is_empty() {
            continue;
        }
        matching::place(client, node, report, now).await?;
        for (component, specs) in changed {
            let capacity = specs.get("capacity_bytes").and_then(serde_json::Value::as_i64);
            let kinds: Vec<String> = component.identity.iter().map(|one| name_of(&one.kind)).collect();
            let values: Vec<&str> = component.identity.iter().map(|one| one.value.as_str()).collect();
            client
                .execute(
                    "with unit as (select unit_id from fleet.units where node_id = $1 and node_key = $2),
                     written as (
                        insert into fleet.components as c (unit_id, node_key, kind, label, specs, capacity_bytes)
                        select unit_id, $3, $4, $5, $6, $7 from unit
                        on conflict (unit_id, node_key) do update
                           set specs = excluded.specs, capacity_bytes = excluded.capacity_bytes, gone_at = null
                        returning unit_id, component_id)
                     insert into fleet.identities (unit_id, component_id, kind, value)
                     select w.unit_id, w.component_id, t.kind, t.value from written w, unnest($8::text[], $9::text[]) as t (kind, value)
                     on conflict do nothing",
                    &[
                        &node,
                        &report.key.0,
                        &component.key.0,
                        &name_of(&component.kind),
                        &component.label,
                        &specs,
                        &capacity,
                        &kinds,
                        &values,
                    ],
                )
                .await?;
        }
    }
    Ok(())
}

/// Units that are there, then those of which samples are left.
fn reports(answer: &Answer) -> impl Iterator<Item = &UnitReport> {
    answer.units.iter().chain(&answer.gone)
}

/// Component ids by their key in this node, those that are gone included.
pub(crate) async fn component_ids(client: &impl Cached, node: Uuid) -> Result<HashMap<String, i64>, Error> {
    let statement = client
        .prepare_cached(
            "select c.node_key, c.component_id from fleet.units u join fleet.components c using (unit_id)
              where u.node_id = $1 order by c.gone_at nulls last",
        )
        .await?;
    let rows = client.query(&statement, &[&node]).await?;
    let mut ids = HashMap::with_capacity(rows.len());
    // Should a key stand in two units, the one that is not gone comes last and wins.
    for row in rows.iter().rev() {
        ids.entry(row.get(0)).or_insert(row.get(1));
    }
    Ok(ids)
}

/// A later version of the user information replaces an earlier one, never the other way; a withdrawal of consent counts
/// whatever the version.
async fn user(client: &impl GenericClient, node: Uuid, user: &UserInformation) -> Result<(), Error> {
    let version = i64::try_from(user.version).unwrap_or(i64::MAX);
    let information = serde_json::to_value(user).unwrap_or_default();
    let consent = user.consent;
    client
        .execute(
            "update fleet.nodes n
                set user_information = case when later then $3 else user_information end,
                    user_version = greatest(user_version, $2),
                    consent_support = $4 and (later or consent_support),
                    consent_advice = $5 and (later or consent_advice),
                    consent_sales = $6 and (later or consent_sales)
               from (select $2 > user_version or user_information = '{}' as later
                       from fleet.nodes where node_id = $1) is_later
              where node_id = $1",
            &[&node, &version, &information, &consent.support, &consent.advice, &consent.sales],
        )
        .await?;
    Ok(())
}

/// Marks what the answer no longer has as gone.
async fn gone(client: &impl GenericClient, answer: &Answer, now: Timestamp) -> Result<(), Error> {
    let node = answer.description.node;
    let units: Vec<&str> = answer.units.iter().map(|unit| unit.key.0.as_str()).collect();
    client
        .execute(
            "update fleet.units set gone_at = $3, changed_at = $3
              where node_id = $1 and gone_at is null and not node_key = any ($2)",
            &[&node, &units, &now],
        )
        .await?;
    let parts = answer.units.iter().flat_map(|unit| &unit.components);
    let components: Vec<&str> = parts.map(|component| component.key.0.as_str()).collect();
    client
        .execute(
            "update fleet.components c set gone_at = $3
               from fleet.units u
              where u.unit_id = c.unit_id and u.node_id = $1 and c.gone_at is null and not c.node_key = any ($2)",
            &[&node, &components, &now],
        )
        .await?;
    Ok(())
}

/// Every component with the key of its unit.
fn all(answer: &Answer) -> impl Iterator<Item = (&str, &Component)> {
    reports(answer).flat_map(|unit| unit.components.iter().map(|component| (unit.key.0.as_str(), component)))
}

/// A component keeps its row, and so its history, when it comes to be part of another unit of the same node.
async fn components(client: &impl GenericClient, answer: &Answer, now: Timestamp) -> Result<(), Error> {
    let node = answer.description.node;
    let units: Vec<&str> = all(answer).map(|(unit, _)| unit).collect();
    let keys: Vec<&str> = all(answer).map(|(_, component)| component.key.0.as_str()).collect();
    let kinds: Vec<String> = all(answer).map(|(_, component)| name_of(&component.kind)).collect();
    let labels: Vec<Option<&str>> = all(answer).map(|(_, component)| component.label.as_deref()).collect();
    let specs: Vec<serde_json::Value> = all(answer)
        .map(|(_, component)| {
            serde_json::to_value(&component.specs).unwrap_or_else(|_| serde_json::json!({}))
        })
        .collect();
    let capacities: Vec<Option<i64>> = all(answer)
        .map(|(_, component)| component.specs.capacity_bytes.and_then(|bytes| i64::try_from(bytes.0).ok()))
        .collect();
    let before: Vec<i64> = client
        .query(
            "select distinct u.unit_id from fleet.units u join fleet.components c using (unit_id)
              where u.node_id = $1 and u.life in ('matched', 'moved', 'expanded')",
            &[&node],
        )
        .await?
        .iter()
        .map(|row| row.get(0))
        .collect();
    let new = client
        .query(
            "with told as (
                select t.*, u.unit_id,
                       (select c.component_id from fleet.components c join fleet.units o using (unit_id)
                         where o.node_id = $1 and c.node_key = t.key
                         order by c.gone_at nulls first, c.component_id limit 1) as known
                  from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[], $7::bigint[])
                       as t (unit_key, key, kind, label, specs, capacity)
                  join fleet.units u on u.node_id = $1 and u.node_key = t.unit_key),
             changed as (
                update fleet.components c
                   set unit_id = t.unit_id, kind = t.kind, label = t.label, specs = t.specs,
                       capacity_bytes = t.capacity, gone_at = null
                  from told t where c.component_id = t.known)
             insert into fleet.components (unit_id, node_key, kind, label, specs, capacity_bytes)
             select unit_id, key, kind, label, specs, capacity from told where known is null
             returning unit_id, kind, coalesce(specs ->> 'serial', label, node_key)",
            &[&node, &units, &keys, &kinds, &labels, &specs, &capacities],
        )
        .await?;
    // A drive that was not there before in a unit that was: the unit was expanded.
    for row in new {
        let (unit, kind): (i64, String) = (row.get(0), row.get(1));
        if kind == name_of(&ComponentKind::Drive) && before.contains(&unit) {
            let drive: String = row.get(2);
            matching::live_on(client, unit, "expanded", &format!("a drive was added: {drive}"), now).await?;
        }
    }
    Ok(())
}

async fn providers(client: &impl GenericClient, answer: &Answer) -> Result<(), Error> {
    let node = answer.description.node;
    let (mut components, mut providers) = (Vec::new(), Vec::new());
    for (_, component) in all(answer) {
        for provider in component.provided_by.iter().filter(|provider| **provider != component.key) {
            components.push(component.key.0.as_str());
            providers.push(provider.0.as_str());
        }
    }
    client
        .execute(
            "with mine as (
                select c.component_id, c.node_key from fleet.components c join fleet.units u using (unit_id)
                 where u.node_id = $1 and c.gone_at is null),
             told as (
                select distinct a.component_id, b.component_id as provider_id
                  from unnest($2::text[], $3::text[]) as t (component, provider)
                  join mine a on a.node_key = t.component join mine b on b.node_key = t.provider),
             removed as (
                delete from fleet.component_providers p using mine
                 where p.component_id = mine.component_id
                   and not exists (select from told t where (t.component_id, t.provider_id) = (p.component_id, p.provider_id)))
             insert into fleet.component_providers select * from told on conflict do nothing",
            &[&node, &components, &providers],
        )
        .await?;
    Ok(())
}

async fn identities(client: &impl GenericClient, answer: &Answer) -> Result<(), Error> {
    let node = answer.description.node;
    let (mut units, mut components) = (Vec::new(), Vec::<Option<&str>>::new());
    let (mut kinds, mut values) = (Vec::new(), Vec::new());
    for unit in reports(answer) {
        let own = unit.identity.iter().map(|evidence| (None, evidence));
        let parts = unit.components.iter().flat_map(|component| {
            component.identity.iter().map(|evidence| (Some(component.key.0.as_str()), evidence))
        });
        for (component, evidence) in
            own.chain(parts).filter(|(_, evidence)| !evidence.value.trim().is_empty())
        {
            units.push(unit.key.0.as_str());
            components.push(component);
            kinds.push(name_of(&evidence.kind));
            values.push(evidence.value.trim());
        }
    }
    client
        .execute(
            "with told as (
                select distinct u.unit_id, c.component_id, t.kind, t.value
                  from unnest($2::text[], $3::text[], $4::text[], $5::text[]) as t (unit_key, component_key, kind, value)
                  join fleet.units u on u.node_id = $1 and u.node_key = t.unit_key
                  left join fleet.components c on c.unit_id = u.unit_id and c.node_key = t.component_key
                 where t.component_key is null or c.component_id is not null),
             removed as (
                delete from fleet.identities i using fleet.units u
                 where u.node_id = $1 and u.gone_at is null and i.unit_id = u.unit_id
                   and not exists (select from told t where t.unit_id = i.unit_id and t.kind = i.kind and t.value = i.value
                                                        and t.component_id is not distinct from i.component_id))
             insert into fleet.identities (unit_id, component_id, kind, value) select * from told on conflict do nothing",
            &[&node, &units, &components, &kinds, &values],
        )
        .await?;
    Ok(())
}

async fn absences(client: &impl GenericClient, answer: &Answer) -> Result<(), Error> {
    let node = answer.description.node;
    let keys: Vec<&str> = answer.absences.iter().map(|absence| absence.component.0.as_str()).collect();
    let fields: Vec<&str> = answer.absences.iter().map(|absence| absence.field.0.as_str()).collect();
    let reasons: Vec<String> = answer.absences.iter().map(|absence| name_of(&absence.reason)).collect();
    let details: Vec<Option<&str>> =
        answer.absences.iter().map(|absence| absence.detail.as_deref()).collect();
    client
        .execute(
            "with mine as (
                select c.component_id, c.node_key from fleet.components c join fleet.units u using (unit_id)
                 where u.node_id = $1 and c.gone_at is null),
             told as (
                select distinct on (m.component_id, t.field) m.component_id, t.field, t.reason, t.detail
                  from unnest($2::text[], $3::text[], $4::text[], $5::text[]) as t (key, field, reason, detail)
                  join mine m on m.node_key = t.key),
             removed as (
                delete from fleet.absences a using mine
                 where a.component_id = mine.component_id
                   and not exists (select from told t where (t.component_id, t.field) = (a.component_id, a.field)))
             insert into fleet.absences (component_id, field, reason, detail) select * from told
             on conflict (component_id, field) do update set reason = excluded.reason, detail = excluded.detail
              where (absences.reason, absences.detail) is distinct from (excluded.reason, excluded.detail)",
            &[&node, &keys, &fields, &reasons, &details],
        )
        .await?;
    Ok(())
}
