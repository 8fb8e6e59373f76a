//! Records of a CSV file with a header line, each with its line.

use std::io::Read;

use super::{ScoreError, lines::Lines};

/// A file that is read record after record.
pub(super) struct Table<R> {
    what: &'static str,
    reader: csv::Reader<Lines<R>>,
}

impl<R: Read> Table<R> {
    /// Begins a file. `flexible`: lines may have more and fewer fields than the header.
    pub(super) fn of(what: &'static str, input: R, flexible: bool) -> Self {
        let reader = csv::ReaderBuilder::new().flexible(flexible).from_reader(Lines::of(input));
        Self { what, reader }
    }

    /// The header line. An empty file is refused.
    pub(super) fn header(&mut self, expected: &'static str) -> Result<csv::StringRecord, ScoreError> {
        let header = match self.reader.headers() {
            Ok(header) => header.clone(),
            Err(error) => return Err(self.error(error)),
        };
        if header.is_empty() {
            return Err(ScoreError::Empty { what: self.what, expected });
        }
        Ok(header)
    }

    /// The places of columns in the header line, in the order asked for.
    pub(super) fn columns<const N: usize>(
        &mut self,
        names: [&'static str; N],
        expected: &'static str,
    ) -> Result<[usize; N], ScoreError> {
        let header = self.header(expected)?;
        let mut places = [0; N];
        for (place, name) in places.iter_mut().zip(names) {
            *place =
                header.iter().position(|column| column.trim() == name).ok_or_else(|| ScoreError::Column {
                    what: self.what,
                    column: name,
                    header: header.iter().collect::<Vec<_>>().join(",").chars().take(80).collect(),
                    expected,
                })?;
        }
        Ok(places)
    }

    /// Reads the next record and gives its line; `None` after the last one.
    pub(super) fn next(&mut self, record: &mut csv::StringRecord) -> Result<Option<u64>, ScoreError> {
        match self.reader.read_record(record) {
            Ok(false) => Ok(None),
            Ok(true) => Ok(Some(self.line_of(record.position()))),
            Err(error) => Err(self.error(error)),
        }
    }

    fn line_of(&mut self, position: Option<&csv::Position>) -> u64 {
        self.reader.get_mut().line_at(position.map_or(0, csv::Position::byte))
    }

    fn error(&mut self, error: csv::Error) -> ScoreError {
        let what = self.what;
        match error.kind() {
            csv::ErrorKind::Utf8 { pos, .. } => ScoreError::NoText { what, line: self.line_of(pos.as_ref()) },
            csv::ErrorKind::UnequalLengths { pos, expected_len, len } => ScoreError::Fields {
                what,
                line: self.line_of(pos.as_ref()),
                fields: *len,
                header: *expected_len,
            },
            _ => ScoreError::Read { what, source: error },
        }
    }
}
