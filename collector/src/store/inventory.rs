//! Units, absences and remarks as last seen. They change seldom, so only changes are written.

use std::collections::{BTreeMap, BTreeSet};

use headroom_core::unit::{Absence, ComponentKey, Remark, UnitReport};
use jiff::Timestamp;
use rusqlite::OptionalExtension as _;

use super::{Store, StoreError};

/// Changes that are kept.
const KEPT: i64 = 32;

/// What there was at the last look.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Inventory {
    /// Units with their components and specifications.
    pub units: Vec<UnitReport>,
    /// What is not reported, and why.
    pub absences: Vec<Absence>,
    /// What a person should know and no figure says.
    pub remarks: Vec<Remark>,
}

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
        remarks: &[Remark],
    ) -> Result<bool, StoreError> {
        let text = |what: &str, json: Result<String, serde_json::Error>| {
            json.map_err(|error| self.damaged(what, error))
        };
        let described = self.one_by_one(units)?;
        let units = text("the units", serde_json::to_string(units))?;
        let absences = text("the absences", serde_json::to_string(absences))?;
        let remarks = text("the remarks", serde_json::to_string(remarks))?;
        let same: Option<bool> = self
            .connection
            .query_row(
                "SELECT units = ?1 AND absences = ?2 AND remarks = ?3 FROM inventory ORDER BY rowid DESC LIMIT 1",
                [&units, &absences, &remarks],
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
                "INSERT INTO inventory (at, units, absences, remarks) VALUES (?1, ?2, ?3, ?4)",
                (at.as_millisecond(), &units, &absences, &remarks),
            )
            .map_err(sqlite)?;
        transaction
            .execute("DELETE FROM inventory WHERE rowid <= (SELECT max(rowid) FROM inventory) - ?1", [KEPT])
            .map_err(sqlite)?;
        transaction
            .execute(
                "DELETE FROM described WHERE NOT EXISTS (SELECT 1 FROM components c JOIN samples s
                    ON s.component = c.id WHERE c.key = described.component)",
                [],
            )
            .map_err(sqlite)?;
        for (key, unit) in &described {
            transaction
                .prepare_cached("INSERT OR REPLACE INTO described (component, unit) VALUES (?1, ?2)")
                .and_then(|mut insert| insert.execute([key, unit]))
                .map_err(sqlite)?;
        }
        transaction.commit().map_err(sqlite)?;
        Ok(true)
    }

    /// Components that are not among these units while samples of them are held, each in its unit as last described.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn gone(&self, units: &[UnitReport]) -> Result<Vec<UnitReport>, StoreError> {
        let read = || {
            self.connection
                .prepare_cached(
                    "SELECT d.component, d.unit FROM described d JOIN components c ON c.key = d.component
                     WHERE EXISTS (SELECT 1 FROM samples s WHERE s.component = c.id) ORDER BY d.component",
                )?
                .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?
                .collect::<Result<Vec<_>, rusqlite::Error>>()
        };
        let described = read().map_err(|source| self.sqlite(source))?;
        let here: BTreeSet<&str> = units
            .iter()
            .flat_map(|unit| &unit.components)
            .map(|component| component.key.0.as_str())
            .collect();
        let mut gone: BTreeMap<ComponentKey, UnitReport> = BTreeMap::new();
        for (_, unit) in described.iter().filter(|(component, _)| !here.contains(component.as_str())) {
            let unit: UnitReport =
                serde_json::from_str(unit).map_err(|error| self.damaged("a description", error))?;
            match gone.get_mut(&unit.key) {
                Some(known) => known.components.extend(unit.components),
                None => {
                    gone.insert(unit.key.clone(), unit);
                }
            }
        }
        Ok(gone.into_values().collect())
    }

    /// Each component with its unit, the unit holding that component alone.
    fn one_by_one(&self, units: &[UnitReport]) -> Result<Vec<(String, String)>, StoreError> {
        let mut described = Vec::new();
        for unit in units {
            for component in &unit.components {
                let alone = UnitReport { components: vec![component.clone()], ..unit.clone() };
                let text =
                    serde_json::to_string(&alone).map_err(|error| self.damaged("a description", error))?;
                described.push((component.key.0.clone(), text));
            }
        }
        Ok(described)
    }

    /// What was last written; empty before the first round.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn inventory(&self) -> Result<Inventory, StoreError> {
        let found: Option<(String, String, String)> = self
            .connection
            .query_row(
                "SELECT units, absences, remarks FROM inventory ORDER BY rowid DESC LIMIT 1",
                [],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .optional()
            .map_err(|source| self.sqlite(source))?;
        let Some((units, absences, remarks)) = found else { return Ok(Inventory::default()) };
        let damaged = |what: &str, error: serde_json::Error| self.damaged(what, error);
        Ok(Inventory {
            units: serde_json::from_str(&units).map_err(|error| damaged("the units", error))?,
            absences: serde_json::from_str(&absences).map_err(|error| damaged("the absences", error))?,
            remarks: serde_json::from_str(&remarks).map_err(|error| damaged("the remarks", error))?,
        })
    }
}
