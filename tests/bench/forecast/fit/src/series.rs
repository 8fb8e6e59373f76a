//! The public series as daily values.

use std::{collections::BTreeMap, fs::File, io::Read, path::Path};

/// A daily series: the first day as days since 1970, and the values.
#[derive(Debug, Clone)]
pub struct Series {
    pub name: String,
    pub first_day: i64,
    pub daily: Vec<f64>,
}

impl Series {
    /// The repository, without the kind: what must not be on both sides of a fit.
    pub fn repository(&self) -> &str {
        self.name.rsplit_once(':').map_or(&self.name, |(r, _)| r)
    }

    pub fn kind(&self) -> &str {
        self.name.rsplit_once(':').map_or("", |(_, k)| k)
    }
}

/// Text of a file, packed or not.
pub fn text(path: &Path) -> String {
    let mut bytes = Vec::new();
    let file = File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    if path.extension().is_some_and(|e| e == "gz") {
        flate2::read::MultiGzDecoder::new(file).read_to_end(&mut bytes).expect("a whole gzip file");
    } else {
        { file }.read_to_end(&mut bytes).expect("a readable file");
    }
    String::from_utf8(bytes).expect("UTF-8")
}

/// Days since 1970 of an ISO date (Hinnant's days_from_civil).
pub fn day_number(date: &str) -> i64 {
    let part = |i: std::ops::Range<usize>| date[i].parse::<i64>().expect("an ISO date");
    let (y, m, d) = (part(0..4), part(5..7), part(8..10));
    let y = if m <= 2 { y - 1 } else { y };
    let era = y.div_euclid(400);
    let yoe = y - era * 400;
    let doy = (153 * (if m > 2 { m - 3 } else { m + 9 }) + 2) / 5 + d - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

/// Reads `series_id,date,used_bytes`, only days of change listed, and fills forward.
pub fn read(path: &Path) -> BTreeMap<String, Series> {
    let mut all: BTreeMap<String, Series> = BTreeMap::new();
    for line in text(path).lines().skip(1) {
        let mut fields = line.split(',');
        let (name, date, used) = (fields.next().unwrap(), fields.next().unwrap(), fields.next().unwrap());
        let (day, used): (i64, f64) = (day_number(date), used.parse().expect("a number"));
        let series = all.entry(name.to_owned()).or_insert_with(|| Series {
            name: name.to_owned(),
            first_day: day,
            daily: Vec::new(),
        });
        let index = (day - series.first_day) as usize;
        let before = series.daily.last().copied().unwrap_or(used);
        series.daily.resize(index, before);
        series.daily.push(used);
    }
    all
}
