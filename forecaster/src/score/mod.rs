//! Scoring any build of the model on files, without a database.
//!
//! | Room | What it is for |
//! |---|---|
//! | [`series`] | daily series from a CSV of changes |
//! | [`cases`] | the questions: series, origin, capacity |
//! | [`predict`] | questions to answers, over threads |
//! | [`lines`] | the line of a file on which a record stands |
//! | [`table`] | records of a file with a header line |
//! | [`m4`] | the load model on series of the M4 competition |
//! | [`cpu`] | CPU time of a thread |

pub(crate) mod cases;
pub(crate) mod cpu;
mod lines;
pub(crate) mod m4;
pub(crate) mod predict;
pub(crate) mod series;
mod table;

/// What can be wrong with a file that is scored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScoreError {
    /// It cannot be read, as a packed file that is cut off cannot.
    #[error("{what}: {source}")]
    Read {
        /// Which file.
        what: &'static str,
        /// What the reader says.
        source: csv::Error,
    },
    /// Nothing stands in it.
    #[error("{what}: the file is empty; expected a header line, {expected}")]
    Empty {
        /// Which file.
        what: &'static str,
        /// Columns of the header.
        expected: &'static str,
    },
    /// It holds bytes that are no text.
    #[error("{what}, line {line}: not UTF-8 text; save the file as UTF-8, or name it .gz if it is packed")]
    NoText {
        /// Which file.
        what: &'static str,
        /// Line, the header being line 1.
        line: u64,
    },
    /// A line has more or fewer fields than the header.
    #[error(
        "{what}, line {line}: {fields} fields where the header line has {header}; a field with a comma needs \"quotes\""
    )]
    Fields {
        /// Which file.
        what: &'static str,
        /// Line, the header being line 1.
        line: u64,
        /// Its fields.
        fields: u64,
        /// Those of the header.
        header: u64,
    },
    /// A column is missing.
    #[error(
        "{what}: no column {column:?} in the header line {header:?}; expected {expected}, parted by commas"
    )]
    Column {
        /// Which file.
        what: &'static str,
        /// The missing one.
        column: &'static str,
        /// What stands there, cut short.
        header: String,
        /// All that are needed.
        expected: &'static str,
    },
    /// A series has no value, or none in the middle.
    #[error(
        "{what}, line {line}: {series} {flaw}; an hour without a value must be left out with all before it, or filled"
    )]
    NoValue {
        /// Which file.
        what: &'static str,
        /// Line, the header being line 1.
        line: u64,
        /// Series.
        series: String,
        /// What is missing.
        flaw: &'static str,
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
    #[error(
        "cases, line {line}: no series {series:?} in the series file; add its rows there, or leave the case out"
    )]
    UnknownSeries {
        /// Line, the header being line 1.
        line: u64,
        /// Series.
        series: String,
    },
}
