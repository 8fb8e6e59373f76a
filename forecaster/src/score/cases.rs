//! The questions: `series_id,origin,capacity`, grouped by what is answered at once.

use std::collections::BTreeMap;
use std::io::Read;

use jiff::civil::Date;

use super::{ScoreError, series::Changes, table::Table};

const WHAT: &str = "cases";
const EXPECTED: &str = "series_id,origin,capacity";

/// One unit at one moment, and the capacities asked about.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Unit {
    /// Which series.
    pub(crate) series: String,
    /// The moment of asking.
    pub(crate) origin: Date,
    /// Place of each case in the file, its key as it is written there, and the capacity.
    pub(crate) asked: Vec<(usize, [String; 3], f64)>,
}

/// Reads every case of a file; all about one series and origin stand together.
pub(crate) fn read(input: impl Read, series: &BTreeMap<String, Changes>) -> Result<Vec<Unit>, ScoreError> {
    let mut table = Table::of(WHAT, input, false);
    let [id, origin, capacity] = table.columns(["series_id", "origin", "capacity"], EXPECTED)?;
    let mut units: BTreeMap<(String, Date), Unit> = BTreeMap::new();
    let mut record = csv::StringRecord::new();
    let mut place = 0;
    while let Some(line) = table.next(&mut record)? {
        let key = [id, origin, capacity].map(|column| record.get(column).unwrap_or_default().to_owned());
        let wrong = |i: usize, column, expected| ScoreError::Field {
            what: WHAT,
            line,
            column,
            value: key[i].clone(),
            expected,
        };
        let name = key[0].trim().to_owned();
        if !series.contains_key(&name) {
            return Err(ScoreError::UnknownSeries { line, series: name });
        }
        let date: Date = key[1].trim().parse().map_err(|_| wrong(1, "origin", "a date, YYYY-MM-DD"))?;
        let capacity: f64 = match key[2].trim().parse() {
            Ok(capacity) if f64::is_finite(capacity) && capacity > 0.0 => capacity,
            _ => return Err(wrong(2, "capacity", "a number above 0")),
        };
        units
            .entry((name.clone(), date))
            .or_insert_with(|| Unit { series: name, origin: date, asked: Vec::new() })
            .asked
            .push((place, key, capacity));
        place += 1;
    }
    Ok(units.into_values().collect())
}
