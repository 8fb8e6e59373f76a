//! Units and absences as last seen. They change seldom, so only changes are written.

use headroom_core::unit::{Absence, UnitReport};
use jiff::Timestamp;
use rusqlite::OptionalExtension as _;

use super::{Store, StoreError};

/// Changes that are kept.
const KEPT: i64 = 32;

impl Store {
    /// Writes what there is, if it differs from what was written last. Tells whether it did.
    ///
    /// # Errors
    /// The disk is full or read-only, or the file is damaged.
    pub fn note_inventory(
        &mut self,
        at: Timestamp,
        units: &[UnitReport],
        absences: &[Absence],
    ) -> Result<bool, StoreError> {
        let text = |what: &str, json: Result<String, serde_json::Error>| {
            json.map_err(|error| self.damaged(what, error))
        };
        let units = text("the units", serde_json::to_string(units))?;
        let absences = text("the absences", serde_json::to_string(absences))?;
        let same: Option<bool> = self
            .connection
            .query_row(
                "SELECT units = ?1 AND absences = ?2 FROM inventory ORDER BY rowid DESC LIMIT 1",
                [&units, &absences],
                |row| row.get(0),
            )
            .optional()
            .map_err(|source| self.sqlite(source))?;
        if same == Some(true) {
            return Ok(false);
        }
        let path = self.path.clone();
        let sqlite = |source| StoreError::Sqlite { path: path.clone(), source };
        let transaction = self.connection.transaction().map_err(sqlite)?;
        transaction
            .execute(
                "INSERT INTO inventory (at, units, absences) VALUES (?1, ?2, ?3)",
                (at.as_millisecond(), &units, &absences),
            )
            .map_err(sqlite)?;
        transaction
            .execute("DELETE FROM inventory WHERE rowid <= (SELECT max(rowid) FROM inventory) - ?1", [KEPT])
            .map_err(sqlite)?;
        transaction.commit().map_err(sqlite)?;
        Ok(true)
    }

    /// Units and absences as last written; empty before the first round.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn inventory(&self) -> Result<(Vec<UnitReport>, Vec<Absence>), StoreError> {
        let found: Option<(String, String)> = self
            .connection
            .query_row("SELECT units, absences FROM inventory ORDER BY rowid DESC LIMIT 1", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()
            .map_err(|source| self.sqlite(source))?;
        let Some((units, absences)) = found else { return Ok((Vec::new(), Vec::new())) };
        let units = serde_json::from_str(&units).map_err(|error| self.damaged("the units", error))?;
        let absences =
            serde_json::from_str(&absences).map_err(|error| self.damaged("the absences", error))?;
        Ok((units, absences))
    }
}
