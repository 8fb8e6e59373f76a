//! `headroom score`: the model's answers to cases in files, so that anybody can score any build. No database.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use flate2::read::MultiGzDecoder;
use headroom_core::forecast::Prior;

use super::progress;
use crate::failure::Failure;
use crate::score::{ScoreError, cases, m4, predict::predict, series};

/// Arguments of `headroom score`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Series, CSV or CSV.gz: series_id,date,used_bytes
    #[arg(long, value_name = "SERIES.csv[.gz]", required_unless_present = "m4", requires = "cases")]
    series: Option<PathBuf>,
    /// Questions, CSV or CSV.gz: series_id,origin,capacity
    #[arg(long, value_name = "CASES.csv[.gz]", requires = "series")]
    cases: Option<PathBuf>,
    /// Instead: hourly series of the M4 competition for the load model
    #[arg(long, value_name = "FREQUENCY", conflicts_with = "series", requires = "train")]
    m4: Option<Frequency>,
    /// The competition's training series, CSV or CSV.gz: a name and values in each line
    #[arg(value_name = "TRAIN.csv[.gz]", requires = "m4")]
    train: Option<PathBuf>,
    /// Where the predictions go: series_id,origin,capacity,p10_date,p50_date,p90_date,p_within_90d, or id,f1…f48
    #[arg(long, value_name = "PREDICTIONS.csv")]
    out: PathBuf,
    /// Threads; the predictions do not depend on it
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: u16,
}

/// Frequencies that the load model forecasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Frequency {
    /// 24 values a day.
    #[value(name = "Hourly", alias = "hourly")]
    Hourly,
}

/// Reads questions and writes predictions.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    match (&arguments.series, &arguments.cases, arguments.m4, &arguments.train) {
        (Some(series), Some(cases), ..) => capacity(arguments, series, cases),
        (_, _, Some(Frequency::Hourly), Some(train)) => load(arguments, train),
        _ => Err(Failure::Data("give --series and --cases, or --m4 Hourly TRAIN.csv".to_owned()).into()),
    }
}

fn data(path: &Path, error: &ScoreError) -> anyhow::Error {
    anyhow::Error::new(Failure::Data(error.to_string())).context(path.display().to_string())
}

fn capacity(arguments: &Arguments, series_path: &Path, cases_path: &Path) -> anyhow::Result<()> {
    let series = series::read(open(series_path)?).map_err(|error| data(series_path, &error))?;
    let units = cases::read(open(cases_path)?, &series).map_err(|error| data(cases_path, &error))?;
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

fn load(arguments: &Arguments, train: &Path) -> anyhow::Result<()> {
    let series = m4::read(open(train)?).map_err(|error| data(train, &error))?;
    let bar = progress::bar(series.len() as u64, "series");
    let answers = m4::predict(&series, usize::from(arguments.threads), &|| bar.inc(1));
    bar.finish_and_clear();
    write_rows(&arguments.out, |writer| {
        m4::rows(&series, &answers).iter().try_for_each(|row| writer.write_record(row))
    })?;
    println!("{} series", series.len());
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

/// Writes rows as CSV with a header.
fn write(path: &Path, rows: &[impl serde::Serialize]) -> anyhow::Result<()> {
    write_rows(path, |writer| rows.iter().try_for_each(|row| writer.serialize(row)))
}

/// Writes CSV beside the target first, so that a failure leaves no half of a file.
fn write_rows(
    path: &Path,
    rows: impl FnOnce(&mut csv::Writer<BufWriter<File>>) -> csv::Result<()>,
) -> anyhow::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    let cannot = || Failure::CannotCreate(format!("{} cannot be written", path.display()));
    let file = File::create(&beside).with_context(cannot)?;
    let mut writer = csv::Writer::from_writer(BufWriter::new(file));
    rows(&mut writer).with_context(cannot)?;
    let mut file = writer.into_inner().map_err(|error| error.into_error()).with_context(cannot)?;
    file.flush().with_context(cannot)?;
    std::fs::rename(&beside, path).with_context(cannot)
}
