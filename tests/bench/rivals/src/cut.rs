//! A part of the cases, and the same questions about the last year alone.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, ensure};
use jiff::ToSpan as _;

use crate::models::HISTORY_DAYS;
use crate::score::{cases::Unit, series::Changes};

/// Writes every n-th unit of the cases, and what it asks about a series of its last year.
pub(crate) fn write(
    series: &BTreeMap<String, Changes>,
    units: &[Unit],
    every: usize,
    folder: &Path,
) -> anyhow::Result<()> {
    ensure!(every > 0, "EVERY is at least 1");
    let mut cases = csv::Writer::from_path(folder.join("cases.csv"))?;
    let mut year_series = csv::Writer::from_path(folder.join("year_series.csv"))?;
    let mut year_cases = csv::Writer::from_path(folder.join("year_cases.csv"))?;
    for writer in [&mut cases, &mut year_cases] {
        writer.write_record(["series_id", "origin", "capacity"])?;
    }
    year_series.write_record(["series_id", "date", "used_bytes"])?;
    for unit in units.iter().step_by(every) {
        let name = format!("{}@{}", unit.series, unit.origin);
        let daily = series[&unit.series].daily_until(unit.origin, HISTORY_DAYS);
        let first = unit.origin.checked_sub((daily.len() as i64 - 1).days()).context("a date")?;
        for (value, day) in daily.iter().zip(0_i64..) {
            let date = first.checked_add(day.days()).context("a date")?;
            year_series.write_record([name.as_str(), &date.to_string(), &value.to_string()])?;
        }
        for (_, key, _) in &unit.asked {
            cases.write_record(key)?;
            year_cases.write_record([name.as_str(), &key[1], &key[2]])?;
        }
    }
    for mut writer in [cases, year_series, year_cases] {
        writer.flush()?;
    }
    Ok(())
}
