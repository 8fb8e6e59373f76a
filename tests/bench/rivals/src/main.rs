//! Answers the scorer's cases with other people's crates, and measures all of them and ours in one run.
//!
//! `headroom-rivals cut SERIES CASES EVERY OUT`: every n-th unit of the cases (`cases.csv`), and the same questions about
//! series that hold the last 365 days alone (`year_series.csv`, `year_cases.csv`), which `headroom score` is timed on.
//!
//! `headroom-rivals answer SERIES CASES OUT`: each model's predictions in the scorer's form, and its units per CPU second
//! of one thread. All models answer a unit before the next is asked, so what else the machine does meets all alike.

mod cut;
mod models;
mod predictions;
#[path = "../../../../forecaster/src/score/mod.rs"]
#[allow(dead_code, reason = "the hub's reader of series and cases; the rest of it is not asked here")]
mod score;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context as _, bail};
use flate2::read::MultiGzDecoder;

use score::{cases, series};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["cut", series, cases, every, out] => {
            let (series, units) = read(Path::new(series), Path::new(cases))?;
            cut::write(&series, &units, every.parse().context("EVERY is a number")?, Path::new(out))
        }
        ["answer", series, cases, out] => {
            let (series, units) = read(Path::new(series), Path::new(cases))?;
            predictions::write(&series, &units, Path::new(out))
        }
        _ => bail!("usage: headroom-rivals cut SERIES CASES EVERY OUT | answer SERIES CASES OUT"),
    }
}

fn read(
    series_path: &Path,
    cases_path: &Path,
) -> anyhow::Result<(BTreeMap<String, series::Changes>, Vec<cases::Unit>)> {
    let named = |path: &Path| path.display().to_string();
    let series = series::read(open(series_path)?).with_context(|| named(series_path))?;
    let units = cases::read(open(cases_path)?, &series).with_context(|| named(cases_path))?;
    Ok((series, units))
}

fn open(path: &Path) -> anyhow::Result<Box<dyn Read>> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    let is_packed = path.extension().is_some_and(|extension| extension == "gz");
    Ok(if is_packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) })
}
