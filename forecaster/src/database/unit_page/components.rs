//! What the unit is made of, how each part does, and what is not reported.

use headroom_core::unit::Specs;
use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::{Error, GenericClient};

/// A component with its newest status.
#[derive(Debug, Clone, Default)]
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
