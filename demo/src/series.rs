//! The real growth series that the demo's histories are made of.

use std::{collections::HashMap, fs::File, path::Path};

use anyhow::{Context as _, bail};
use flate2::read::GzDecoder;
use jiff::civil::Date;

/// The files of series, in `tests/fixtures/series/`; their source is told there.
const FILES: [&str; 2] = ["git_capacity_public_changes.csv.gz", "pool_capacity_public_changes.csv.gz"];

/// One series: a value for each day.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    first: Date,
    daily: Vec<u64>,
}

impl Series {
    /// Fills the days between changes with the last value. The days must rise.
    fn from_changes(changes: &[(Date, u64)]) -> anyhow::Result<Self> {
        let &(first, _) = changes.first().context("a series without days")?;
        let mut daily: Vec<u64> = Vec::new();
        for &(day, bytes) in changes {
            let index =
                usize::try_from((day - first).get_days()).context("the days of a series do not rise")?;
            if index < daily.len() {
                bail!("{day} comes twice or out of order");
            }
            if let Some(&last) = daily.last() {
                daily.resize(index, last);
            }
            daily.push(bytes);
        }
        Ok(Self { first, daily })
    }

    /// The value on a day; `None` outside the series.
    pub fn on(&self, day: Date) -> Option<u64> {
        let index = usize::try_from((day - self.first).get_days()).ok()?;
        self.daily.get(index).copied()
    }
}

/// Every series of the folder by its name.
pub fn read_all(folder: &Path) -> anyhow::Result<HashMap<String, Series>> {
    let mut changes: HashMap<String, Vec<(Date, u64)>> = HashMap::new();
    for name in FILES {
        let path = folder.join(name);
        let file = File::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut rows = csv::Reader::from_reader(GzDecoder::new(file));
        for row in rows.deserialize() {
            let (series, day, bytes): (String, Date, u64) =
                row.with_context(|| path.display().to_string())?;
            changes.entry(series).or_default().push((day, bytes));
        }
    }
    changes
        .into_iter()
        .map(|(name, changes)| {
            let series = Series::from_changes(&changes).with_context(|| name.clone())?;
            Ok((name, series))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::Series;

    #[test]
    fn days_without_change_keep_the_last_value() {
        let series =
            Series::from_changes(&[(date(2020, 2, 27), 5), (date(2020, 3, 1), 7)]).expect("a series");
        let days = [(2, 26), (2, 27), (2, 28), (2, 29), (3, 1), (3, 2)];
        let values = days.map(|(month, day)| series.on(date(2020, month, day)));
        assert_eq!(values, [None, Some(5), Some(5), Some(5), Some(7), None]);
    }

    #[test]
    fn days_out_of_order_are_refused() {
        for second in [date(2020, 1, 1), date(2019, 12, 31)] {
            assert!(Series::from_changes(&[(date(2020, 1, 1), 5), (second, 7)]).is_err(), "{second}");
        }
    }
}
