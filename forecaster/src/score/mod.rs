//! Scoring any build of the model on files, without a database.
//!
//! | Room | What it is for |
//! |---|---|
//! | [`series`] | daily series from a CSV of changes |
//! | [`cases`] | the questions: series, origin, capacity |
//! | [`predict`] | questions to answers, over threads |
//! | [`m4`] | the load model on series of the M4 competition |
//! | [`cpu`] | CPU time of a thread |

pub(crate) mod cases;
pub(crate) mod cpu;
pub(crate) mod m4;
pub(crate) mod predict;
pub(crate) mod series;

/// What can be wrong with a file that is scored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScoreError {
    /// It does not read as CSV.
    #[error("{what}: {source}")]
    Csv {
        /// Which file.
        what: &'static str,
        /// What the reader says, with the line.
        source: csv::Error,
    },
    /// A column is missing.
    #[error("{what}: no column {column:?} in the header line; expected {expected}")]
    Column {
        /// Which file.
        what: &'static str,
        /// The missing one.
        column: &'static str,
        /// All that are needed.
        expected: &'static str,
    },
    /// A field does not read as what it should be.
    #[error("{what}, line {line}: {column} {value:?} is not {expected}")]
    Field {
        /// Which file.
        what: &'static str,
        /// Line, the header being line 1.
        line: u64,
        /// Column.
        column: &'static str,
        /// What stands there.
        value: String,
        /// What should.
        expected: &'static str,
    },
    /// A series covers more days than anybody has measured.
    #[error("series, line {line}: {series} would span {days} days; at most {most} are read")]
    TooLong {
        /// Line, the header being line 1.
        line: u64,
        /// Series.
        series: String,
        /// Days between its first and last row.
        days: i64,
        /// The most.
        most: i64,
    },
    /// A case asks about a series that is not there.
    #[error("cases, line {line}: no series {series:?} in the series file")]
    UnknownSeries {
        /// Line, the header being line 1.
        line: u64,
        /// Series.
        series: String,
    },
}

/// The places of columns in a header line, in the order asked for.
fn columns<const N: usize>(
    header: &csv::StringRecord,
    what: &'static str,
    names: [&'static str; N],
    expected: &'static str,
) -> Result<[usize; N], ScoreError> {
    let mut places = [0; N];
    for (place, name) in places.iter_mut().zip(names) {
        *place = header.iter().position(|column| column.trim() == name).ok_or(ScoreError::Column {
            what,
            column: name,
            expected,
        })?;
    }
    Ok(places)
}
