//! Predictions of every model in the scorer's form, and how many units a CPU second each answers.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use jiff::ToSpan as _;
use jiff::civil::Date;
use rustix::time::{ClockId, clock_gettime};

use crate::models::{Days, HISTORY_DAYS, HORIZON_DAYS, MODELS};
use crate::score::{cases::Unit, series::Changes};

/// Answers every unit with every model and writes `NAME.csv` for each.
pub(crate) fn write(
    series: &BTreeMap<String, Changes>,
    units: &[Unit],
    folder: &Path,
) -> anyhow::Result<()> {
    let mut writers = Vec::with_capacity(MODELS.len());
    for model in MODELS {
        let mut writer = csv::Writer::from_path(folder.join(format!("{}.csv", model.name)))?;
        writer.write_record(["series_id", "origin", "capacity", "p10_date", "p50_date", "p90_date"])?;
        writers.push(writer);
    }
    let mut cpu = [Duration::ZERO; MODELS.len()];
    let mut without_answer = [0; MODELS.len()];
    for unit in units {
        let daily = series[&unit.series].daily_until(unit.origin, HISTORY_DAYS);
        let capacities: Vec<f64> = unit.asked.iter().map(|(_, _, capacity)| *capacity).collect();
        for (index, model) in MODELS.iter().enumerate() {
            let start = cpu_of_this_thread();
            let answer = (model.answer)(&daily, &capacities);
            cpu[index] += cpu_of_this_thread().saturating_sub(start);
            // A case without a row counts as "no answer" in the scorer, which tells their number.
            let Ok(answer) = answer else {
                without_answer[index] += 1;
                continue;
            };
            for ((_, key, _), days) in unit.asked.iter().zip(answer) {
                writers[index].write_record(row(key, unit.origin, days)?)?;
            }
        }
    }
    for mut writer in writers {
        writer.flush()?;
    }
    for ((model, cpu), without) in MODELS.iter().zip(cpu).zip(without_answer) {
        let speed = units.len() as f64 / cpu.as_secs_f64().max(1e-9);
        println!("speed {} {speed:.1} units per CPU second, {without} of {} units without an answer", model.name, units.len());
    }
    Ok(())
}

fn row(key: &[String; 3], origin: Date, days: Days) -> anyhow::Result<Vec<String>> {
    let mut row = key.to_vec();
    for day in days {
        row.push(if day.round() <= HORIZON_DAYS as f64 {
            origin.checked_add((day.round() as i64).days()).context("a date")?.to_string()
        } else {
            String::new()
        });
    }
    Ok(row)
}

/// CPU time of this thread, to the nanosecond.
fn cpu_of_this_thread() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}
