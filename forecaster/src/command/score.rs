//! `headroom score`: the model's answers to cases in files, so that anybody can score any build. No database.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

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

/// Columns of the predictions, also where no case is asked.
const PREDICTION_COLUMNS: [&str; 7] =
    ["series_id", "origin", "capacity", "p10_date", "p50_date", "p90_date", "p_within_90d"];
/// The kernel brings CPU time up to date at its ticks, up to 10 ms apart: less than half of one is no measurement.
const MEASURED_FROM: Duration = Duration::from_millis(5);

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
    refuse_input(&arguments.out, &[series_path, cases_path])?;
    let series = series::read(open(series_path)?).map_err(|error| data(series_path, &error))?;
    let units = cases::read(open(cases_path)?, &series).map_err(|error| data(cases_path, &error))?;
    let bar = progress::bar(units.len() as u64, "units");
    let start = std::time::Instant::now();
    let predictions =
        predict(&units, &series, &Prior::builtin(), usize::from(arguments.threads), &|| bar.inc(1));
    let wall = start.elapsed();
    bar.finish_and_clear();
    write_rows(&arguments.out, |writer| {
        writer.write_record(PREDICTION_COLUMNS)?;
        predictions.rows.iter().try_for_each(|row| writer.serialize(row))
    })?;
    let cpu = predictions.cpu.unwrap_or(wall);
    let pace = match cpu >= MEASURED_FROM {
        true => format!("{:.0} units per CPU second", units.len() as f64 / cpu.as_secs_f64()),
        false => "too short to measure units per CPU second".to_owned(),
    };
    println!(
        "{} cases of {} units, {:.2} CPU s, {pace}{}",
        predictions.rows.len(),
        units.len(),
        cpu.as_secs_f64(),
        if predictions.cpu.is_none() { " (wall time: this kernel tells no CPU time)" } else { "" }
    );
    Ok(())
}

fn load(arguments: &Arguments, train: &Path) -> anyhow::Result<()> {
    refuse_input(&arguments.out, &[train])?;
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

/// Writes CSV beside the target first, so that a failure leaves no half of a file and nothing of its own. What is no file of
/// its own (a link, a pipe, /dev/null) is written to where it is: a rename would take its place.
fn write_rows(
    path: &Path,
    rows: impl FnOnce(&mut csv::Writer<BufWriter<File>>) -> csv::Result<()>,
) -> anyhow::Result<()> {
    let cannot = || Failure::CannotCreate(format!("{} cannot be written", path.display()));
    if path.symlink_metadata().is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        return write_to(path, rows).with_context(cannot);
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    let written = write_to(&beside, rows).and_then(|()| Ok(std::fs::rename(&beside, path)?));
    written.with_context(cannot).inspect_err(|_| {
        // What is left of it is of no use; where it was never made there is nothing to take away.
        let _ = std::fs::remove_file(&beside);
    })
}

fn write_to(
    path: &Path,
    rows: impl FnOnce(&mut csv::Writer<BufWriter<File>>) -> csv::Result<()>,
) -> anyhow::Result<()> {
    let file = File::options().write(true).create(true).truncate(true).open(path)?;
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(BufWriter::new(file));
    rows(&mut writer)?;
    Ok(writer.into_inner().map_err(|error| error.into_error())?.flush()?)
}

/// Refuses to write over what is read.
fn refuse_input(out: &Path, inputs: &[&Path]) -> anyhow::Result<()> {
    let Ok(out_is) = out.canonicalize() else { return Ok(()) };
    match inputs.iter().find(|input| input.canonicalize().is_ok_and(|input| input == out_is)) {
        Some(input) => {
            Err(Failure::Usage(format!("--out would write over {}: name another file", input.display()))
                .into())
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{refuse_input, write_rows};

    fn write(path: &Path) -> anyhow::Result<()> {
        write_rows(path, |writer| writer.write_record(["a", "b"]))
    }

    #[test]
    fn a_link_stays_a_link_and_nothing_is_left_beside() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file.csv"), folder.path().join("link.csv"));
        write(&file).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write(&link).unwrap();
        assert!(link.is_symlink(), "as /dev/stdout is one");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "a,b\n");
        let taken = folder.path().join("folder");
        std::fs::create_dir(&taken).unwrap();
        write(&taken).unwrap_err();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3, "no .part is left");
    }

    #[test]
    fn what_is_read_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("series.csv");
        refuse_input(&file, &[&file]).unwrap();
        write(&file).unwrap();
        let same = folder.path().join(".").join("series.csv");
        assert!(refuse_input(&same, &[&file]).unwrap_err().to_string().contains("--out would write over"));
    }
}
