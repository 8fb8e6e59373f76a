//! The fictional fleet: who has which unit, and which real series drives it.

use std::{collections::HashMap, path::Path};

use anyhow::{Context as _, ensure};
use headroom_core::{quantity::Bytes, unit::UnitKind};
use jiff::{ToSpan as _, civil::Date};
use serde::{Deserialize, de::DeserializeOwned};

use crate::series::Series;

/// Reference of the customer to whom this machine belongs in the demo.
pub const THIS_MACHINE: &str = "C-1000";
/// Days of history before the demo's first day.
pub const HISTORY_DAYS: i64 = 540;
/// Days after the first day that every series has; then the replay begins again.
pub const REPLAY_DAYS: i64 = 730;

/// A unit, as `demo/fleet/units.csv` has it.
#[derive(Debug, Clone, Deserialize)]
pub struct UnitRow {
    /// Its serial number.
    pub serial: String,
    /// Reference of the customer.
    pub customer: String,
    /// Product it was sold as.
    pub product: String,
    /// Where it stands.
    pub site: String,
    /// Which drive is in it.
    pub drive: String,
    /// How many of them.
    pub drives: u32,
    series: String,
    cut: Date,
    fill: f64,
    load_series: Option<String>,
    load_cut: Option<Date>,
    load_fill: Option<f64>,
    wear_series: Option<String>,
    wear_cut: Option<Date>,
    wear_fill: Option<f64>,
}

/// What a sold product is made of.
#[derive(Debug, Clone, Deserialize)]
pub struct Model {
    model: String,
    /// What kind of thing it is.
    pub kind: UnitKind,
    /// Drives' worth of space that redundancy takes.
    parity_drives: u32,
    /// How the drives are joined; empty for a single drive.
    pub volume_format: Option<String>,
}

/// What a drive is.
#[derive(Debug, Clone, Deserialize)]
pub struct Drive {
    drive: String,
    /// Capacity as made.
    pub capacity_bytes: Bytes,
    /// How it is attached.
    pub interface: String,
    /// Rotations per minute, 0 for solid state.
    pub rotation_rpm: u32,
    /// Bytes that may be written over its life.
    pub rated_write_bytes: Option<Bytes>,
}

/// Part of a real series, scaled: on the cut it stands at `fill`, a share of the limit.
#[derive(Debug, Clone)]
pub struct Trace {
    series: Series,
    cut: Date,
    fill: f64,
}

impl Trace {
    fn new(all: &HashMap<String, Series>, name: &str, cut: Date, fill: f64) -> anyhow::Result<Self> {
        let series = all.get(name).with_context(|| format!("there is no series {name}"))?.clone();
        ensure!(fill > 0.0 && fill < 1.0, "a fill of {fill} is no share between 0 and 1");
        for days in [-HISTORY_DAYS, 0, REPLAY_DAYS] {
            let day = cut.checked_add(days.days())?;
            ensure!(series.on(day).is_some_and(|bytes| bytes > 0), "{name} has nothing on {day}");
        }
        Ok(Self { series, cut, fill })
    }

    /// Share of the limit, this many days after the cut.
    pub fn share(&self, days: i64) -> Option<f64> {
        let at_cut = self.series.on(self.cut)?;
        let value = self.series.on(self.cut.checked_add(days.days()).ok()?)?;
        #[expect(clippy::cast_precision_loss, reason = "bytes of a repository, far below 2^53")]
        let growth = value as f64 / at_cut as f64;
        Some(self.fill * growth)
    }
}

/// A unit with everything that its reports are made of.
#[derive(Debug, Clone)]
pub struct Unit {
    /// The row of the table.
    pub row: UnitRow,
    /// What it was sold as.
    pub model: Model,
    /// The drive in it.
    pub drive: Drive,
    /// Spent capacity.
    pub capacity: Trace,
    /// Utilisation.
    pub load: Option<Trace>,
    /// Bytes written, of the rating.
    pub wear: Option<Trace>,
}

impl Unit {
    /// Space for data after redundancy.
    pub fn usable_bytes(&self) -> u64 {
        u64::from(self.row.drives.saturating_sub(self.model.parity_drives)) * self.drive.capacity_bytes.0
    }
}

/// Reads the fleet from `folder` (`demo/fleet`).
pub fn read(folder: &Path, all: &HashMap<String, Series>) -> anyhow::Result<Vec<Unit>> {
    let models: Vec<Model> = table(&folder.join("models.csv"))?;
    let drives: Vec<Drive> = table(&folder.join("drives.csv"))?;
    let rows: Vec<UnitRow> = table(&folder.join("units.csv"))?;
    rows.into_iter()
        .map(|row| {
            let serial = row.serial.clone();
            unit(row, &models, &drives, all).with_context(|| format!("unit {serial}"))
        })
        .collect()
}

fn unit(
    row: UnitRow,
    models: &[Model],
    drives: &[Drive],
    all: &HashMap<String, Series>,
) -> anyhow::Result<Unit> {
    let model = models.iter().find(|model| model.model == row.product);
    let model = model.with_context(|| format!("there is no model {}", row.product))?.clone();
    let drive = drives.iter().find(|drive| drive.drive == row.drive);
    let drive = drive.with_context(|| format!("there is no drive {}", row.drive))?.clone();
    ensure!(row.drives > model.parity_drives, "{} drives are too few for {}", row.drives, row.product);
    let optional = |name: &Option<String>, cut: Option<Date>, fill: Option<f64>| match (name, cut, fill) {
        (Some(name), Some(cut), Some(fill)) => Trace::new(all, name, cut, fill).map(Some),
        _ => Ok(None),
    };
    Ok(Unit {
        capacity: Trace::new(all, &row.series, row.cut, row.fill)?,
        load: optional(&row.load_series, row.load_cut, row.load_fill)?,
        wear: optional(&row.wear_series, row.wear_cut, row.wear_fill)?,
        row,
        model,
        drive,
    })
}

/// Reads a table.
pub fn table<T: DeserializeOwned>(path: &Path) -> anyhow::Result<Vec<T>> {
    let mut reader =
        csv::Reader::from_path(path).with_context(|| format!("cannot read {}", path.display()))?;
    reader.deserialize().collect::<Result<_, _>>().with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::Path};

    use super::{HISTORY_DAYS, REPLAY_DAYS, read};
    use crate::series::read_all;

    #[test]
    fn every_unit_has_a_history_and_a_future() {
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a checkout");
        let all = read_all(&checkout.join("tests/fixtures/series")).expect("series");
        let fleet = read(&checkout.join("demo/fleet"), &all).expect("a fleet");
        assert!(fleet.len() >= 60, "{} units", fleet.len());
        let serials: BTreeSet<_> = fleet.iter().map(|unit| &unit.row.serial).collect();
        assert_eq!(serials.len(), fleet.len(), "serial numbers repeat");
        for unit in &fleet {
            for days in -HISTORY_DAYS..=REPLAY_DAYS {
                let shares = [Some(&unit.capacity), unit.load.as_ref(), unit.wear.as_ref()];
                for share in shares.into_iter().flatten().map(|trace| trace.share(days)) {
                    assert!(
                        share.is_some_and(|share| share > 0.0 && share.is_finite()),
                        "{} {days}",
                        unit.row.serial
                    );
                }
            }
        }
    }
}
