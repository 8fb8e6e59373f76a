//! Daily series from a CSV `series_id,date,used_bytes` in which only the days of a change need be listed.

use std::collections::BTreeMap;
use std::io::Read;

use jiff::civil::Date;

use super::{ScoreError, table::Table};

const WHAT: &str = "series";
const EXPECTED: &str = "series_id,date,used_bytes";
/// Longest series, days: a century.
const DAYS_MAX: i64 = 36_525;

/// The changes of one series, in the order of days, one a day: the last listed counts.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Changes(BTreeMap<Date, f64>);

impl Changes {
    /// The value of each day up to and with `origin`, the last `days_max` of them, carried over days that are not listed.
    /// Nothing after `origin` is looked at. Empty where the series begins later.
    pub(crate) fn daily_until(&self, origin: Date, days_max: usize) -> Vec<f64> {
        let Some((first, value)) = self.0.range(..=origin).next() else { return Vec::new() };
        let mut value = *value;
        let days = days_between(*first, origin) + 1;
        let kept = days.min(days_max as i64);
        let start = days - kept;
        let mut daily = Vec::with_capacity(kept as usize);
        for (date, next) in self.0.range(..=origin) {
            let index = (days_between(*first, *date) - start).max(0) as usize;
            daily.resize(index, value);
            value = *next;
        }
        daily.resize(kept as usize, value);
        daily
    }
}

fn days_between(from: Date, to: Date) -> i64 {
    from.duration_until(to).as_hours() / 24
}

/// Reads every series of a file.
pub(crate) fn read(input: impl Read) -> Result<BTreeMap<String, Changes>, ScoreError> {
    let mut table = Table::of(WHAT, input, false);
    let [id, date, used] = table.columns(["series_id", "date", "used_bytes"], EXPECTED)?;
    let mut all: BTreeMap<String, Changes> = BTreeMap::new();
    let mut record = csv::StringRecord::new();
    while let Some(line) = table.next(&mut record)? {
        let field = |column: usize, name, expected| {
            let value = record.get(column).unwrap_or_default().trim();
            (value, ScoreError::Field { what: WHAT, line, column: name, value: value.to_owned(), expected })
        };
        let (series, _) = field(id, "series_id", "");
        let (text, wrong) = field(date, "date", "a date, YYYY-MM-DD");
        let date: Date = text.parse().map_err(|_| wrong)?;
        let (text, wrong) = field(used, "used_bytes", "a number that is not negative");
        let used: f64 = match text.parse() {
            Ok(used) if f64::is_finite(used) && used >= 0.0 => used,
            _ => return Err(wrong),
        };
        if !all.contains_key(series) {
            all.insert(series.to_owned(), Changes::default());
        }
        let Some(Changes(changes)) = all.get_mut(series) else { continue };
        changes.insert(date, used);
        if let (Some((first, _)), Some((last, _))) = (changes.first_key_value(), changes.last_key_value()) {
            let days = days_between(*first, *last);
            if days > DAYS_MAX {
                return Err(ScoreError::TooLong { line, series: series.to_owned(), days, most: DAYS_MAX });
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::read;

    #[test]
    fn days_that_are_not_listed_keep_the_value_and_later_ones_are_not_seen() {
        let text =
            "series_id,date,used_bytes\na,2024-01-01,5\na,2024-01-04,7\na,2024-01-06,9\nb,2024-01-02,1\n";
        let all = read(text.as_bytes()).unwrap();
        assert_eq!(all["a"].daily_until(date(2024, 1, 5), 100), [5.0, 5.0, 5.0, 7.0, 7.0]);
        assert_eq!(all["a"].daily_until(date(2024, 1, 5), 3), [5.0, 7.0, 7.0]);
        assert_eq!(all["a"].daily_until(date(2024, 1, 8), 4), [7.0, 9.0, 9.0, 9.0]);
        assert!(all["b"].daily_until(date(2024, 1, 1), 100).is_empty());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, told) in [
            ("a,b\n", "no column \"series_id\""),
            ("series_id,date,used_bytes\na,yesterday,5\n", "line 2: date \"yesterday\""),
            ("series_id,date,used_bytes\na,2024-01-01,NaN\n", "line 2: used_bytes \"NaN\""),
            ("series_id,date,used_bytes\na,2024-01-01,-1\n", "line 2: used_bytes \"-1\""),
            ("series_id,date,used_bytes\na,2024-01-01\n", "line 2: 2 fields where the header line has 3"),
            ("series_id,date,used_bytes\na,b,2024-01-01,1\n", "a comma needs"),
            ("", "the file is empty"),
            (
                "series_id;date;used_bytes\n",
                "line \"series_id;date;used_bytes\"; expected series_id,date,used_bytes",
            ),
            ("series_id,date,used_bytes\r\na,2024-01-01,5\r\na,2024-01-02,x\r\n", "line 3: used_bytes"),
            ("series_id,date,used_bytes\ra,2024-01-01,5\ra,2024-01-02,x\r", "line 3: used_bytes"),
            ("\nseries_id,date,used_bytes\n\n\na,2024-01-01,5\n\n\na,2024-01-02,x\n", "line 8: used_bytes"),
            (
                "series_id,date,used_bytes\r\n\"a\r\nb\",2024-01-01,5\r\n\r\na,2024-01-02,x",
                "line 5: used_bytes",
            ),
            ("series_id,date,used_bytes\na,0001-01-01,1\na,9999-01-01,2\n", "days; at most"),
        ] {
            let error = read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn lines_are_counted_however_long_the_file_is() {
        let rows =
            (0..5_000).map(|n| format!("a,2024-01-01,{n}{}", if n % 3 == 0 { "\r\n\r\n" } else { "\n" }));
        let text = format!("series_id,date,used_bytes\n{}a,2024-01-01,x", rows.collect::<String>());
        let line = text.lines().count();
        let error = read(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(&format!("line {line}:")), "{line}: {error}");
        let error =
            read(&b"series_id,date,used_bytes\r\na,2024-01-01,5\r\n\xff,2024-01-02,6\r\n"[..]).unwrap_err();
        assert!(error.to_string().contains("line 3: not UTF-8"), "{error}");
    }
}
