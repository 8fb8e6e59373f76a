//! The load model on series of the M4 competition (Makridakis et al. 2020): a check that it is sound.

use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};

use headroom_core::forecast::hourly_forecast;

use super::{ScoreError, table::Table};

const WHAT: &str = "training series";
/// Hours that the competition asks for.
pub(crate) const AHEAD: usize = 48;

/// One series: its name and its values, the newest last.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Hourly {
    /// `H1`, `H2` …
    pub(crate) id: String,
    /// Hourly values.
    pub(crate) values: Vec<f64>,
}

/// Reads the competition's form: a header, then a line a series, its name first, empty fields at the end.
pub(crate) fn read(input: impl Read) -> Result<Vec<Hourly>, ScoreError> {
    let mut table = Table::of(WHAT, input, true);
    table.header("V1,V2,V3 …")?;
    let mut all = Vec::new();
    let mut record = csv::StringRecord::new();
    while let Some(line) = table.next(&mut record)? {
        let mut fields = record.iter();
        let id = fields.next().unwrap_or_default().to_owned();
        let told: Vec<&str> = fields.map(str::trim).collect();
        let end = told.iter().rposition(|field| !field.is_empty()).map_or(0, |last| last + 1);
        let flawed = |flaw| ScoreError::NoValue { what: WHAT, line, series: id.clone(), flaw };
        if end == 0 {
            return Err(flawed("has no value"));
        }
        if told[..end].iter().any(|field| field.is_empty()) {
            return Err(flawed("has an empty field between values"));
        }
        let values = told[..end]
            .iter()
            .map(|field| match field.parse::<f64>() {
                Ok(value) if value.is_finite() => Ok(value),
                _ => Err(ScoreError::Field {
                    what: WHAT,
                    line,
                    column: "value",
                    value: (*field).to_owned(),
                    expected: "a number",
                }),
            })
            .collect::<Result<Vec<f64>, _>>()?;
        all.push(Hourly { id, values });
    }
    Ok(all)
}

/// Forecasts every series, in their order whatever the number of threads.
pub(crate) fn predict(series: &[Hourly], threads: usize, done: &(dyn Fn() + Sync)) -> Vec<Vec<f64>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut answers = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(one) = series.get(place) else { return answers };
            answers.push((place, hourly_forecast(&one.values, AHEAD)));
            done();
        }
    };
    let mut answers: Vec<(usize, Vec<f64>)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    answers.sort_unstable_by_key(|(place, _)| *place);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// The answers in the form that the competition's scorer reads: `id,f1…f48`.
pub(crate) fn rows(series: &[Hourly], answers: &[Vec<f64>]) -> Vec<Vec<String>> {
    let header = std::iter::once("id".to_owned()).chain((1..=AHEAD).map(|hour| format!("f{hour}"))).collect();
    let lines = series.iter().zip(answers).map(|(one, answer)| {
        std::iter::once(one.id.clone()).chain(answer.iter().map(f64::to_string)).collect()
    });
    std::iter::once(header).chain(lines).collect()
}

#[cfg(test)]
mod tests {
    use super::{predict, read, rows};

    #[test]
    fn every_series_gets_48_hours_in_the_order_of_the_file() {
        let line = |id: &str, n: usize| {
            let values: Vec<String> = (0..n).map(|i| (i % 24 + 1).to_string()).collect();
            format!("{id},{},,\n", values.join(","))
        };
        let text = format!("V1,V2\n{}{}", line("H1", 700), line("H2", 30));
        let series = read(text.as_bytes()).unwrap();
        let answers = predict(&series, 2, &|| ());
        let rows = rows(&series, &answers);
        assert_eq!(rows.iter().map(Vec::len).collect::<Vec<_>>(), [49; 3]);
        assert_eq!((rows[1][0].as_str(), rows[2][0].as_str()), ("H1", "H2"));
        assert!((answers[0][0] - (700 % 24 + 1) as f64).abs() < 0.1, "{:?}", answers[0]);
    }

    #[test]
    fn a_field_that_is_no_number_is_named_with_its_line() {
        let error = read("V1,V2\nH1,5\nH2,five\n".as_bytes()).unwrap_err().to_string();
        assert!(error.contains("line 3") && error.contains("five"), "{error}");
        for (text, told) in [
            ("V1,V2\nH1,,,\n", "line 2: H1 has no value"),
            ("V1,V2\nH1,1,,2\n", "line 2: H1 has an empty field"),
            ("", "the file is empty"),
        ] {
            let error = read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
