//! A unit's place: discovered by a node, matched to a sale by serial number or identity, moved to another node.
//!
//! Only strong evidence counts, and only when it names one unit. What matches nothing, or more than one, or a unit of
//! another customer, becomes a unit of its own with the reason in `unmatched`, for a person to decide: a node says
//! what it likes, and must not get hold of somebody else's unit by naming its serial number.

use headroom_core::unit::{EvidenceKind, UnitReport};
use jiff::Timestamp;
use tokio_postgres::{Error, GenericClient};
use uuid::Uuid;

use super::variant_name::name_of;

/// A unit that a report may be about.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    unit: i64,
    name: String,
    /// Whether it was sold and no node sees it.
    is_free: bool,
    /// Whether it is seen by another node, or by this one under another name, and is there no more.
    is_left: bool,
    /// Whether it may belong to the owner of the node.
    is_own: bool,
}

/// What a report comes to.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It is this unit.
    Is(i64),
    /// It is none; why.
    None(String),
}

/// Finds or makes the unit of a report, and marks it as seen.
pub(super) async fn place(
    client: &impl GenericClient,
    node: Uuid,
    report: &UnitReport,
    now: Timestamp,
) -> Result<(), Error> {
    let known = client
        .query_opt(
            "update fleet.units set gone_at = null, kind = $3,
                    changed_at = case when gone_at is null and kind = $3 then changed_at else $4 end
              where node_id = $1 and node_key = $2 returning unit_id, life",
            &[&node, &report.key.0, &name_of(&report.kind), &now],
        )
        .await?;
    let evidence = Evidence::of(report);
    let Some(known) = known else {
        return match verdict(&candidates(client, node, &evidence, None).await?) {
            Verdict::Is(unit) => take(client, unit, node, report, &evidence, now).await,
            Verdict::None(why) => discover(client, node, report, &evidence, &why, now).await,
        };
    };
    let (unit, life): (i64, String) = (known.get(0), known.get(1));
    if life == "discovered" {
        // It may have been sold, or have told more of itself, since it was discovered.
        match verdict(&candidates(client, node, &evidence, Some(unit)).await?) {
            Verdict::Is(sale) => adopt(client, unit, sale, now).await?,
            Verdict::None(why) => {
                client
                    .execute("update fleet.units set unmatched = $2 where unit_id = $1", &[&unit, &why])
                    .await?;
            }
        }
    }
    Ok(())
}

fn verdict(candidates: &[Candidate]) -> Verdict {
    let fitting: Vec<&Candidate> =
        candidates.iter().filter(|c| c.is_own && (c.is_free || c.is_left)).collect();
    let free: Vec<&Candidate> = fitting.iter().copied().filter(|c| c.is_free).collect();
    match (fitting.as_slice(), free.as_slice()) {
        ([one], _) | (_, [one]) => return Verdict::Is(one.unit),
        ([], _) => {}
        (several, _) => {
            let names: Vec<&str> = several.iter().map(|c| c.name.as_str()).take(5).collect();
            return Verdict::None(format!("its identity is that of several units: {}", names.join(", ")));
        }
    }
    Verdict::None(match candidates.first() {
        None => "no sold unit has its serial number or identity".to_owned(),
        Some(other) if !other.is_own => "its identity is that of a unit of another customer".to_owned(),
        Some(other) => format!("its identity is that of {}, which its own node still sees", other.name),
    })
}

/// Identity evidence, as arrays for SQL.
struct Evidence {
    kinds: Vec<String>,
    values: Vec<String>,
    serials: Vec<String>,
    model: Option<String>,
    serial: Option<String>,
}

impl Evidence {
    /// Only what names a thing wherever it stands: a path ends when it is moved, a UUID is copied with its content.
    fn of(report: &UnitReport) -> Self {
        let strong = |kind| !matches!(kind, EvidenceKind::HostPath | EvidenceKind::Uuid);
        let mut evidence =
            Self { kinds: Vec::new(), values: Vec::new(), serials: Vec::new(), model: None, serial: None };
        for item in report.identity.iter().filter(|item| strong(item.kind) && !item.value.trim().is_empty()) {
            evidence.kinds.push(name_of(&item.kind));
            evidence.values.push(item.value.trim().to_owned());
            match item.kind {
                EvidenceKind::Serial => evidence.serials.push(item.value.trim().to_lowercase()),
                EvidenceKind::VendorModelSerial => {
                    let mut parts = item.value.rsplit('|').map(str::trim);
                    if let Some(serial) = parts.next().filter(|serial| !serial.is_empty()) {
                        evidence.serials.push(serial.to_lowercase());
                        evidence.serial = Some(serial.to_owned());
                    }
                    evidence.model = parts.next().filter(|model| !model.is_empty()).map(str::to_owned);
                }
                _ => {}
            }
        }
        let first_serial = report.identity.iter().find(|item| item.kind == EvidenceKind::Serial);
        evidence.serial = evidence.serial.or_else(|| first_serial.map(|item| item.value.trim().to_owned()));
        evidence
    }
}

/// Units that share strong evidence. For a unit that has a row of its own only sold units come into question.
async fn candidates(
    client: &impl GenericClient,
    node: Uuid,
    evidence: &Evidence,
    own: Option<i64>,
) -> Result<Vec<Candidate>, Error> {
    let rows = client
        .query(
            "select u.unit_id, u.name, u.node_id is null as is_free,
                    u.node_id is not null and (u.gone_at is not null or o.revoked_at is not null) as is_left,
                    n.customer_id is null or u.customer_id is null or n.customer_id = u.customer_id as is_own
               from fleet.units u
               join fleet.nodes n on n.node_id = $1
               left join fleet.nodes o on o.node_id = u.node_id
              where u.life not in ('replaced', 'retired') and u.unit_id is distinct from $5
                and ($5::bigint is null or u.node_id is null)
                and (lower(u.serial) = any ($4)
                     or exists (select from fleet.identities i
                                  join unnest($2::text[], $3::text[]) as t (kind, value) using (kind, value)
                                 where i.unit_id = u.unit_id and i.component_id is null))
              order by u.unit_id",
            &[&node, &evidence.kinds, &evidence.values, &evidence.serials, &own],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| Candidate {
            unit: row.get(0),
            name: row.get(1),
            is_free: row.get(2),
            is_left: row.get(3),
            is_own: row.get(4),
        })
        .collect())
}

/// A report is about a unit that has a row: a sale that nobody saw yet, or one that was seen elsewhere.
async fn take(
    client: &impl GenericClient,
    unit: i64,
    node: Uuid,
    report: &UnitReport,
    evidence: &Evidence,
    now: Timestamp,
) -> Result<(), Error> {
    let row = client
        .query_one(
            "with before as (select life, node_id from fleet.units where unit_id = $1)
             update fleet.units u
                set node_id = $2, node_key = $3, kind = $4, gone_at = null, unmatched = null, changed_at = $5,
                    customer_id = coalesce(u.customer_id, n.customer_id), model = coalesce(u.model, $6),
                    serial = coalesce(u.serial, $7)
               from before b, fleet.nodes n
              where u.unit_id = $1 and n.node_id = $2
             returning b.life, b.node_id is null, b.node_id is not distinct from $2",
            &[&unit, &node, &report.key.0, &name_of(&report.kind), &now, &evidence.model, &evidence.serial],
        )
        .await?;
    let (life, was_free, was_here): (String, bool, bool) = (row.get(0), row.get(1), row.get(2));
    match (was_free, was_here) {
        (true, _) => live_on(client, unit, "matched", &format!("node {node} sees it"), now).await,
        // The same thing under another name: its strongest evidence has changed.
        (false, true) => Ok(()),
        (false, false) if life == "discovered" => {
            event(client, unit, "moved", &format!("node {node} sees it"), now).await
        }
        (false, false) => live_on(client, unit, "moved", &format!("node {node} sees it"), now).await,
    }
}

async fn discover(
    client: &impl GenericClient,
    node: Uuid,
    report: &UnitReport,
    evidence: &Evidence,
    why: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let specs = report.components.iter().find(|component| component.key == report.key).map(|c| &c.specs);
    let model = evidence.model.clone().or_else(|| specs.and_then(|specs| specs.model.clone()));
    let serial = evidence.serial.clone().or_else(|| specs.and_then(|specs| specs.serial.clone()));
    let label =
        report.components.iter().find(|component| component.key == report.key).and_then(|c| c.label.clone());
    let name: String = [model.clone(), serial.clone()]
        .into_iter()
        .flatten()
        .reduce(|model, serial| format!("{model} {serial}"))
        .or(label)
        .unwrap_or_else(|| {
            let kind = name_of(&report.kind).replace('_', " ");
            let key: String =
                report.key.0.chars().rev().take(6).collect::<Vec<_>>().into_iter().rev().collect();
            format!("{kind} {key}")
        })
        .chars()
        .take(200)
        .collect();
    let row = client
        .query_one(
            "insert into fleet.units (kind, name, model, serial, customer_id, node_id, node_key, life, unmatched,
                                      discovered_at, changed_at, site)
             select $2, $3, $4, $5, n.customer_id, n.node_id, $6, 'discovered', $7, $8, $8,
                    nullif(btrim(left(n.user_information ->> 'site', 500)), '')
               from fleet.nodes n where n.node_id = $1
             returning unit_id",
            &[&node, &name_of(&report.kind), &name, &model, &serial, &report.key.0, &why, &now],
        )
        .await?;
    event(client, row.get(0), "discovered", &format!("by node {node}; {why}"), now).await
}

/// A discovered unit turns out to be a sold one: it takes over what the sale says, and the sale's row ends.
pub(crate) async fn adopt(
    client: &impl GenericClient,
    discovered: i64,
    sale: i64,
    now: Timestamp,
) -> Result<(), Error> {
    client
        .execute("update fleet.unit_events set unit_id = $1 where unit_id = $2", &[&discovered, &sale])
        .await?;
    client
        .execute(
            "with sale as (delete from fleet.units where unit_id = $2 and node_id is null returning *)
             update fleet.units u
                set public_id = s.public_id, name = s.name, model = coalesce(s.model, u.model),
                    serial = coalesce(s.serial, u.serial), customer_id = coalesce(s.customer_id, u.customer_id),
                    product_id = s.product_id, sold_on = s.sold_on, site = coalesce(s.site, u.site),
                    bays_free = coalesce(s.bays_free, u.bays_free), unmatched = null, changed_at = $3
               from sale s where u.unit_id = $1",
            &[&discovered, &sale, &now],
        )
        .await?;
    live_on(client, discovered, "matched", "to its sale", now).await
}

/// A unit's life goes on, with an event that says how.
pub(crate) async fn live_on(
    client: &impl GenericClient,
    unit: i64,
    life: &str,
    detail: &str,
    now: Timestamp,
) -> Result<(), Error> {
    client
        .execute(
            "update fleet.units set life = $2, unmatched = null, changed_at = $3 where unit_id = $1",
            &[&unit, &life, &now],
        )
        .await?;
    event(client, unit, life, detail, now).await
}

async fn event(
    client: &impl GenericClient,
    unit: i64,
    what: &str,
    detail: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let detail: String = detail.chars().take(500).collect();
    client
        .execute(
            "insert into fleet.unit_events (unit_id, happened_at, what, detail) values ($1, $2, $3, $4)",
            &[&unit, &now, &what, &detail],
        )
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Candidate, Verdict, verdict};

    fn candidate(unit: i64, is_free: bool, is_left: bool, is_own: bool) -> Candidate {
        Candidate { unit, name: format!("U{unit}"), is_free, is_left, is_own }
    }

    #[test]
    fn one_fitting_unit_is_it_and_a_sale_goes_before_what_was_seen_elsewhere() {
        assert_eq!(verdict(&[candidate(1, true, false, true)]), Verdict::Is(1));
        assert_eq!(
            verdict(&[candidate(1, false, true, true), candidate(2, true, false, true)]),
            Verdict::Is(2)
        );
        assert_eq!(
            verdict(&[candidate(1, false, false, true), candidate(2, false, true, true)]),
            Verdict::Is(2)
        );
    }

    #[test]
    fn what_is_not_certain_is_left_to_a_person() {
        for (candidates, word) in [
            (vec![], "no sold unit"),
            (vec![candidate(1, true, false, true), candidate(2, true, false, true)], "several"),
            (vec![candidate(1, true, false, false)], "another customer"),
            (vec![candidate(1, false, false, true)], "still sees"),
        ] {
            let verdict = verdict(&candidates);
            assert!(matches!(&verdict, Verdict::None(why) if why.contains(word)), "{verdict:?}");
        }
    }
}
