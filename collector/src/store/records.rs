//! A sample that cannot be read is set aside alone: its number becomes a gap, which is announced, and all others go on.

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Statement, params_from_iter, types::Value};

use headroom_core::unit::Sample;

use super::{EntryKind, Store, StoreError, columns, samples};

/// Where they lie: as SQL literals, the columns of samples in their order, the sequence first.
pub(super) const TABLE: &str = "CREATE TABLE IF NOT EXISTS damaged (
    sequence INTEGER PRIMARY KEY,
    detail   TEXT NOT NULL,
    held     TEXT NOT NULL
)";

impl Store {
    /// Samples that were set aside because they could not be read.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn damaged_samples(&self) -> Result<u64, StoreError> {
        let count = || {
            // A reader of an older store finds no such table.
            let name = "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'damaged'";
            let known = self.connection.query_row(name, [], |row| row.get::<_, String>(0)).optional()?;
            match known {
                None => Ok(0),
                Some(_) => {
                    self.connection.query_row("SELECT count(*) FROM damaged", [], |row| row.get::<_, i64>(0))
                }
            }
        };
        count().map(i64::cast_unsigned).map_err(|source| self.sqlite(source))
    }

    /// Every sample of a query. Those that cannot be read are set aside first, so that what comes is what is there.
    pub(super) fn read(
        &self,
        statement: &mut Statement<'_>,
        bound: &[Value],
    ) -> Result<Vec<Sample>, StoreError> {
        loop {
            let (mut whole, mut damaged) = (Vec::new(), Vec::new());
            let mut rows = statement.query(params_from_iter(bound)).map_err(|source| self.sqlite(source))?;
            while let Some(row) = rows.next().map_err(|source| self.sqlite(source))? {
                match samples::sample(row) {
                    Ok(sample) => whole.push(sample),
                    Err(detail) => {
                        damaged.push((row.get(0).map_err(|source| self.sqlite(source))?, detail));
                    }
                }
            }
            drop(rows);
            if damaged.is_empty() {
                return Ok(whole);
            }
            // With a limit those behind them come into sight: once more.
            self.set_aside(&damaged)?;
        }
    }

    pub(super) fn set_aside(&self, damaged: &[(i64, String)]) -> Result<(), StoreError> {
        let literals: Vec<String> = ["sequence", "component", "boot", "at"]
            .into_iter()
            .chain(columns::names())
            .map(|name| format!("quote({name})"))
            .collect();
        let copy = format!(
            "INSERT OR REPLACE INTO damaged (sequence, detail, held)
             SELECT sequence, ?2, {} FROM samples WHERE sequence = ?1",
            literals.join(" || ', ' || ")
        );
        let write = || {
            let transaction = self.connection.unchecked_transaction()?;
            for (sequence, detail) in damaged {
                transaction.execute(&copy, (sequence, detail))?;
                transaction.execute("DELETE FROM samples WHERE sequence = ?1", [sequence])?;
            }
            transaction.commit()
        };
        write().map_err(|source| self.sqlite(source))?;
        for (sequence, detail) in damaged {
            let sentence = format!("sample {sequence} could not be read and was set aside: {detail}");
            tracing::error!("{sentence}");
            self.note(Timestamp::now(), EntryKind::Store, &sentence)?;
        }
        Ok(())
    }
}
