//! A CSV file with a header, read so that every mistake is told with its line, not only the first.

use std::collections::BTreeMap;
use std::io::Read;
use std::str::FromStr;

use rust_decimal::Decimal;

/// Most mistakes that are listed; the rest are counted.
const MISTAKES_LISTED: usize = 100;

/// Longest text of a name, characters: as the tables have it.
const TEXT_CHARACTERS_MAX: usize = 500;
/// Amounts are kept as numeric(14, 2).
const MONEY_MAX: Decimal = Decimal::from_parts(1_000_000_000, 0, 0, false, 0);

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Mistake {
    /// Line in the file, the header being line 1.
    pub(crate) line: u64,
    /// Column, where it is about one.
    pub(crate) column: Option<String>,
    /// What is wrong, and what is expected.
    pub(crate) sentence: String,
}

impl std::fmt::Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.column {
            Some(column) => write!(f, "line {}, {column}: {}", self.line, self.sentence),
            None => write!(f, "line {}: {}", self.line, self.sentence),
        }
    }
}

/// The mistakes of a file.
#[derive(Debug, Default)]
pub(crate) struct Mistakes(pub(crate) Vec<Mistake>);

impl Mistakes {
    /// Adds one.
    pub(crate) fn add(&mut self, line: u64, column: Option<&str>, sentence: impl Into<String>) {
        self.0.push(Mistake { line, column: column.map(str::to_owned), sentence: sentence.into() });
    }

    /// All of them as text, one a line.
    pub(crate) fn to_text(&self) -> String {
        let mut lines: Vec<String> = self.0.iter().take(MISTAKES_LISTED).map(ToString::to_string).collect();
        if self.0.len() > MISTAKES_LISTED {
            lines.push(format!("and {} more", self.0.len() - MISTAKES_LISTED));
        }
        lines.join("\n")
    }
}

/// A column of a kind of file.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub(crate) struct Column {
    /// Name in the header.
    pub(crate) name: &'static str,
    /// Whether each row must have a value.
    pub(crate) is_required: bool,
    /// What it means, with its unit.
    pub(crate) about: &'static str,
}

/// One row.
#[derive(Debug)]
pub(crate) struct Row {
    /// Line in the file.
    pub(crate) line: u64,
    values: BTreeMap<&'static str, String>,
}

impl Row {
    /// A text; `None` where the cell is empty.
    pub(crate) fn text(&self, column: &'static str) -> Option<&str> {
        self.values.get(column).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// A text that the sheet has checked to be there.
    pub(crate) fn required(&self, column: &'static str) -> String {
        self.text(column).unwrap_or_default().to_owned()
    }

    /// Whether the file has this column.
    pub(crate) fn has(&self, column: &'static str) -> bool {
        self.values.contains_key(column)
    }

    /// A text of at most 500 characters, as the database keeps them.
    pub(crate) fn bounded(&self, column: &'static str, mistakes: &mut Mistakes) -> String {
        let text = self.required(column);
        let length = text.chars().count();
        if length > TEXT_CHARACTERS_MAX {
            mistakes.add(
                self.line,
                Some(column),
                format!("has {length} characters; up to {TEXT_CHARACTERS_MAX} are kept"),
            );
        }
        text
    }

    /// The words of a list: apart by semicolons where there is one, else by blanks.
    pub(crate) fn words(&self, column: &'static str) -> impl Iterator<Item = &str> {
        let text = self.text(column).unwrap_or_default();
        let by_semicolon = text.contains(';');
        text.split(move |c: char| if by_semicolon { c == ';' } else { c.is_whitespace() })
            .map(str::trim)
            .filter(|word| !word.is_empty())
    }

    /// An amount of money, 0 or more, of at most two decimals.
    pub(crate) fn money(&self, column: &'static str, mistakes: &mut Mistakes) -> Option<Decimal> {
        let amount: Decimal = self.parsed(column, "amount such as 1250.00", mistakes)?;
        let is_sound = !amount.is_sign_negative() && amount.normalize().scale() <= 2 && amount < MONEY_MAX;
        if !is_sound {
            mistakes.add(
                self.line,
                Some(column),
                format!("{amount} is no amount from 0 to {MONEY_MAX} with at most two decimals"),
            );
        }
        is_sound.then_some(amount)
    }

    /// An ISO 4217 code.
    pub(crate) fn currency(&self, column: &'static str, mistakes: &mut Mistakes) -> Option<String> {
        let code = self.text(column)?;
        let is_code = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase());
        if !is_code {
            mistakes.add(self.line, Some(column), format!("{code:?} is no currency code such as EUR"));
        }
        is_code.then(|| code.to_owned())
    }

    /// A value that can be parsed and lies within bounds; a mistake otherwise.
    pub(crate) fn within<T: FromStr + PartialOrd + std::fmt::Display>(
        &self,
        column: &'static str,
        low: T,
        high: T,
        mistakes: &mut Mistakes,
    ) -> Option<T> {
        let text = self.text(column)?;
        match text.parse::<T>() {
            Ok(value) if value >= low && value <= high => Some(value),
            _ => {
                mistakes.add(self.line, Some(column), format!("{text:?} is no number from {low} to {high}"));
                None
            }
        }
    }

    /// One of a list of words.
    pub(crate) fn one_of(
        &self,
        column: &'static str,
        words: &[&'static str],
        mistakes: &mut Mistakes,
    ) -> Option<&'static str> {
        let text = self.text(column)?;
        let word = words.iter().find(|word| **word == text).copied();
        if word.is_none() {
            mistakes.add(self.line, Some(column), format!("{text:?} is none of {}", words.join(", ")));
        }
        word
    }

    /// yes or no, true or false.
    pub(crate) fn yes(&self, column: &'static str, mistakes: &mut Mistakes) -> Option<bool> {
        match self.text(column)?.to_ascii_lowercase().as_str() {
            "yes" | "true" | "1" => Some(true),
            "no" | "false" | "0" => Some(false),
            other => {
                mistakes.add(self.line, Some(column), format!("{other:?} is neither yes nor no"));
                None
            }
        }
    }

    /// Anything else that parses from text, with what is expected.
    pub(crate) fn parsed<T: FromStr>(
        &self,
        column: &'static str,
        expected: &str,
        mistakes: &mut Mistakes,
    ) -> Option<T> {
        let text = self.text(column)?;
        let value = text.parse().ok();
        if value.is_none() {
            mistakes.add(self.line, Some(column), format!("{text:?} is no {expected}"));
        }
        value
    }
}

/// Reads all rows. Unknown, missing and doubled columns, missing values and rows of another length are mistakes.
pub(crate) fn read(input: impl Read, columns: &[Column], mistakes: &mut Mistakes) -> Vec<Row> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(input);
    let header = match reader.headers() {
        Ok(header) => header.clone(),
        Err(error) => {
            mistakes.add(1, None, format!("the header cannot be read: {error}"));
            return Vec::new();
        }
    };
    let places = places(&header, columns, mistakes);
    let mut rows = Vec::new();
    let mut record = csv::StringRecord::new();
    loop {
        match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {
                let line = record.position().map_or(0, csv::Position::line);
                if record.len() != header.len() {
                    mistakes.add(
                        line,
                        None,
                        format!("has {} cells, the header has {}", record.len(), header.len()),
                    );
                    continue;
                }
                let mut values = BTreeMap::new();
                for (column, place) in &places {
                    let text = record.get(*place).unwrap_or_default();
                    if text.is_empty() && column.is_required {
                        mistakes.add(line, Some(column.name), "is empty");
                    }
                    if text.contains('\0') {
                        mistakes.add(line, Some(column.name), "contains the character NUL");
                    }
                    values.insert(column.name, text.to_owned());
                }
                rows.push(Row { line, values });
            }
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                mistakes.add(line, None, error.to_string());
                if matches!(error.kind(), csv::ErrorKind::Io(_)) {
                    break;
                }
            }
        }
    }
    rows
}

fn places<'a>(
    header: &csv::StringRecord,
    columns: &'a [Column],
    mistakes: &mut Mistakes,
) -> Vec<(&'a Column, usize)> {
    let mut places: Vec<(&Column, usize)> = Vec::new();
    for (place, name) in header.iter().enumerate() {
        let name = name.trim_start_matches('\u{feff}');
        match columns.iter().find(|column| column.name == name) {
            None => {
                let known: Vec<_> = columns.iter().map(|column| column.name).collect();
                mistakes.add(1, Some(name), format!("is no column of this file: {}", known.join(", ")));
            }
            Some(column) if places.iter().any(|(other, _)| other.name == column.name) => {
                mistakes.add(1, Some(name), "stands in the header twice");
            }
            Some(column) => places.push((column, place)),
        }
    }
    for column in columns.iter().filter(|column| column.is_required) {
        if !places.iter().any(|(found, _)| found.name == column.name) {
            mistakes.add(1, Some(column.name), format!("is missing: {}", column.about));
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Column, Mistakes, read};

    const COLUMNS: &[Column] = &[
        Column { name: "name", is_required: true, about: "what it is called" },
        Column { name: "days", is_required: false, about: "how many days" },
    ];

    #[test]
    fn every_mistake_is_told_with_its_line() {
        let mut mistakes = Mistakes::default();
        let rows = read("name,days,extra\na,1,x\n,2,x\nb,many,x\nc,1\n".as_bytes(), COLUMNS, &mut mistakes);
        for row in &rows {
            row.within("days", 0, 10, &mut mistakes);
        }
        let text = mistakes.to_text();
        assert!(text.contains("line 1, extra: is no column"), "{text}");
        assert!(text.contains("line 3, name: is empty"), "{text}");
        assert!(text.contains("line 4, days: \"many\" is no number from 0 to 10"), "{text}");
        assert!(text.contains("line 5: has 2 cells, the header has 3"), "{text}");
        assert_eq!(mistakes.0.len(), 4);
    }

    #[test]
    fn a_spreadsheets_byte_order_mark_does_no_harm() {
        let mut mistakes = Mistakes::default();
        let rows = read("\u{feff}name\nä\n".as_bytes(), COLUMNS, &mut mistakes);
        assert_eq!((rows.len(), mistakes.0.len()), (1, 0));
        assert_eq!(rows[0].required("name"), "ä");
    }

    proptest! {
        #[test]
        fn any_bytes_give_rows_or_mistakes(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut mistakes = Mistakes::default();
            let rows = read(bytes.as_slice(), COLUMNS, &mut mistakes);
            prop_assert!(!rows.is_empty() || !mistakes.0.is_empty());
        }
    }
}
