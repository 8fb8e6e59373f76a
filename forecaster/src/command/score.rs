//! `headroom score`: the model's answers to cases in files, so that anybody can score any build. No database.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use flate2::read::MultiGzDecoder;
use headroom_core::forecast::Prior;

use super::progress;
use crate::failure::Failure;
use crate::score::{cases, predict::predict, series};

/// Arguments of `headroom score`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Series, CSV or CSV.gz: series_id,date,used_bytes
    #[arg(long, value_name = "SERIES.csv[.gz]")]
    series: PathBuf,
    /// Questions, CSV or CSV.gz: series_id,origin,capacity
    #[arg(long, value_name = "CASES.csv[.gz]")]
    cases: PathBuf,
    /// Where the predictions go: series_id,origin,capacity,p10_date,p50_date,p90_date,p_within_90d
    #[arg(long, value_name = "PREDICTIONS.csv")]
    out: PathBuf,
    /// Threads; the predictions do not depend on it
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: u16,
}

/// Reads series and cases and writes predictions.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let data = |path: &Path, error: crate::score::ScoreError| {
        anyhow::Error::new(Failure::Data(error.to_string())).context(path.display().to_string())
    };
    let series = series::read(open(&arguments.series)?).map_err(|error| data(&arguments.series, error))?;
    let units =
        cases::read(open(&arguments.cases)?, &series).map_err(|error| data(&arguments.cases, error))?;
    let bar = progress::bar(units.len() as u64, "units");
    let start = std::time::Instant::now();
    let predictions =
        predict(&units, &series, &Prior::builtin(), usize::from(arguments.threads), &|| bar.inc(1));
    let wall = start.elapsed();
    bar.finish_and_clear();
    write(&arguments.out, &predictions.rows)?;
    let cpu = predictions.cpu.unwrap_or(wall).as_secs_f64();
    println!(
        "{} cases of {} units, {:.2} CPU s, {:.0} units per CPU second{}",
        predictions.rows.len(),
        units.len(),
        cpu,
        units.len() as f64 / cpu.max(1e-9),
        if predictions.cpu.is_none() { " (wall time: this kernel tells no CPU time)" } else { "" }
    );
    Ok(())
}

/// Opens a file, unpacking it where its name ends in .gz.
fn open(path: &Path) -> anyhow::Result<Box<dyn Read>> {
    let file = File::open(path)
        .map_err(|error| Failure::NotFound(format!("{} cannot be opened: {error}", path.display())))?;
    let file = BufReader::with_capacity(1 << 20, file);
    Ok(match path.extension() {
        Some(extension) if extension == "gz" => Box::new(MultiGzDecoder::new(file)),
        _ => Box::new(file),
    })
}

/// Writes rows as CSV with a header, beside the target first, so that a failure leaves no half of a file.
fn write(path: &Path, rows: &[impl serde::Serialize]) -> anyhow::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    let cannot = || Failure::CannotCreate(format!("{} cannot be written", path.display()));
    let file = File::create(&beside).with_context(cannot)?;
    let mut writer = csv::Writer::from_writer(BufWriter::new(file));
    for row in rows {
        writer.serialize(row).with_context(cannot)?;
    }
    let mut file = writer.into_inner().map_err(|error| error.into_error()).with_context(cannot)?;
    file.flush().with_context(cannot)?;
    std::fs::rename(&beside, path).with_context(cannot)
}
