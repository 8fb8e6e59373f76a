//! What a demo unit's node would tell on a day of the demo: specifications, status, and what is not reported.

use headroom_core::{
    quantity::Bytes,
    unit::{
        Absence, AbsenceReason, CapacitySource, Component, ComponentKey, ComponentKind, Evidence,
        EvidenceKind, Sample, Specs, Status, StatusField, UnitKind, UnitReport,
    },
};
use jiff::{Timestamp, ToSpan as _, civil::Date, tz::TimeZone};
use uuid::Uuid;

use crate::fleet::Unit;

/// Maker of everything in the demo; there is no such company.
const VENDOR: &str = "Halden Storage";

/// Which kind of component holds the data of a unit.
fn holder(kind: UnitKind) -> ComponentKind {
    if kind == UnitKind::Array { ComponentKind::Pool } else { ComponentKind::FileSystem }
}

/// The component that holds the data.
fn holder_key(unit: &Unit) -> ComponentKey {
    ComponentKey(format!("{}/data", unit.row.serial))
}

fn drive_key(unit: &Unit, number: u32) -> ComponentKey {
    ComponentKey(format!("{}/drive-{number}", unit.row.serial))
}

/// The unit as its node describes it.
pub fn describe(unit: &Unit) -> UnitReport {
    let serial = &unit.row.serial;
    let drives = (1..=unit.row.drives).map(|number| Component {
        key: drive_key(unit, number),
        kind: ComponentKind::Drive,
        label: Some(format!("bay {number}")),
        provided_by: Vec::new(),
        identity: vec![Evidence { kind: EvidenceKind::Serial, value: format!("{serial}-D{number}") }],
        specs: Specs {
            vendor: Some(VENDOR.to_owned()),
            model: Some(unit.row.drive.clone()),
            serial: Some(format!("{serial}-D{number}")),
            capacity_bytes: Some(unit.drive.capacity_bytes),
            interface: Some(unit.drive.interface.clone()),
            rotation_rpm: Some(unit.drive.rotation_rpm),
            rated_write_bytes: unit.drive.rated_write_bytes,
            ..Specs::default()
        },
    });
    let data = Component {
        key: holder_key(unit),
        kind: holder(unit.model.kind),
        label: Some("/volume1".to_owned()),
        provided_by: (1..=unit.row.drives).map(|number| drive_key(unit, number)).collect(),
        identity: Vec::new(),
        specs: Specs {
            capacity_bytes: Some(Bytes(unit.usable_bytes())),
            format: unit.model.volume_format.clone(),
            ..Specs::default()
        },
    };
    UnitReport {
        key: ComponentKey(serial.clone()),
        kind: unit.model.kind,
        identity: vec![
            Evidence {
                kind: EvidenceKind::VendorModelSerial,
                value: format!("{VENDOR}|{}|{serial}", unit.row.product),
            },
            Evidence { kind: EvidenceKind::Serial, value: serial.clone() },
        ],
        components: drives.chain([data]).collect(),
    }
}

/// What the replay does not have, with the reason.
pub fn absences(unit: &Unit) -> Vec<Absence> {
    let not_reported = |component: ComponentKey, field: &str| Absence {
        component,
        field: StatusField(field.to_owned()),
        reason: AbsenceReason::NotReported,
        detail: Some("The demo replays no such figure for this unit.".to_owned()),
    };
    let mut absences = vec![not_reported(holder_key(unit), "inodes_used")];
    for number in 1..=unit.row.drives {
        if unit.load.is_none() {
            absences.push(not_reported(drive_key(unit, number), "utilisation"));
        }
        if unit.wear.is_none() {
            absences.push(not_reported(drive_key(unit, number), "data_written_bytes"));
        }
    }
    absences
}

/// The status of each component on a day, without sequence numbers. `days` counts from the demo's first day, `on` is
/// the calendar day that it stands for.
pub fn status(unit: &Unit, days: i64, on: Date) -> Option<Vec<(ComponentKey, Timestamp, Status)>> {
    let at = on.to_zoned(TimeZone::UTC).ok()?.timestamp();
    let usable = unit.usable_bytes();
    let mut all = vec![(
        holder_key(unit),
        at,
        Status {
            capacity_bytes: Some(Bytes(usable)),
            used_bytes: Some(Bytes(part(usable, unit.capacity.share(days)?))),
            used_source: Some(if unit.model.kind == UnitKind::Array {
                CapacitySource::ArrayPool
            } else {
                CapacitySource::FileSystem
            }),
            ..Status::default()
        },
    )];
    let load = unit.load.as_ref().map(|trace| trace.share(days));
    let wear =
        unit.wear.as_ref().zip(unit.drive.rated_write_bytes).map(|(trace, rated)| (trace.share(days), rated));
    if load.is_some() || wear.is_some() {
        let rating = wear.and_then(|(share, rated)| Some((share?, rated)));
        for number in 1..=unit.row.drives {
            let status = Status {
                utilisation: load.flatten().map(|share| share.min(1.0)),
                data_written_bytes: rating.map(|(share, rated)| scaled(rated.0, share)),
                endurance_used_percent: rating.map(|(share, _)| percent(share)),
                ..Status::default()
            };
            all.push((drive_key(unit, number), at, status));
        }
    }
    Some(all)
}

/// A share of a size; never more than the size, as in a file system that is full.
fn part(size: u64, share: f64) -> u64 {
    scaled(size, share).min(size)
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sizes are below 2^53 times the grain of a block, shares are positive"
)]
fn scaled(size: u64, share: f64) -> u64 {
    // In whole blocks of 4096 bytes, as file systems count.
    (size as f64 * share / 4096.0).round() as u64 * 4096
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a positive share of at most a few hundred"
)]
fn percent(share: f64) -> u16 {
    (share * 100.0).round().min(255.0) as u16
}

/// Gives samples their place in the store: every day has the same number of samples, so the numbers of a day are known
/// without keeping anything, and sending a day again sends the same.
pub fn number(day_index: u64, statuses: Vec<(ComponentKey, Timestamp, Status)>, boot: Uuid) -> Vec<Sample> {
    let each_day = statuses.len() as u64;
    statuses
        .into_iter()
        .zip(day_index * each_day + 1..)
        .map(|((component, at, status), sequence)| Sample { sequence, component, at, boot, status })
        .collect()
}

/// The calendar day so many days after another.
pub fn day_after(first: Date, days: i64) -> Option<Date> {
    first.checked_add(days.days()).ok()
}
