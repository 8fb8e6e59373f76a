//! Which day of the replay today is. Kept in a file, so that the demo goes on where it stood.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Context as _;
use jiff::{ToSpan as _, civil::Date};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::fleet::REPLAY_DAYS;

/// The demo's calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calendar {
    /// The calendar day on which the held-back part begins.
    pub first_day: Date,
    /// Id of the replayed stores: a calendar that was moved tells other samples, so it is another store.
    pub store: Uuid,
    /// The last day of the replay that the hub has acknowledged, by customer.
    pub sent: BTreeMap<String, i64>,
    /// Whether the forecasts of earlier days were made.
    #[serde(default)]
    pub looked_back: bool,
}

impl Calendar {
    /// A calendar that begins on this day.
    pub fn beginning(first_day: Date) -> Self {
        Self { first_day, store: Uuid::new_v4(), sent: BTreeMap::new(), looked_back: false }
    }

    /// Reads it, or begins today where there is none.
    ///
    /// # Errors
    /// When the file holds something else.
    pub fn read_or_begin(path: &Path, today: Date) -> anyhow::Result<Self> {
        match fs::read(path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged", path.display()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::beginning(today)),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let fresh = path.with_extension("new");
        fs::write(&fresh, serde_json::to_vec_pretty(self)?)
            .and_then(|()| fs::rename(&fresh, path))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// The day of the replay on a calendar day.
    pub fn day(&self, today: Date) -> i64 {
        i64::from((today - self.first_day).get_days())
    }

    /// Whether the held-back part has come to its end.
    pub fn is_over(&self, today: Date) -> bool {
        self.day(today) > REPLAY_DAYS
    }

    /// The same replay, so many days further on: it began earlier, so today is later in it.
    ///
    /// # Errors
    /// When it would lie beyond the end of the held-back part.
    pub fn moved_on(&self, days: u16, today: Date) -> anyhow::Result<Self> {
        let moved = Self::beginning(self.first_day.checked_sub(i64::from(days).days())?);
        anyhow::ensure!(
            !moved.is_over(today),
            "the held-back part has {REPLAY_DAYS} days and the demo is at day {}: {days} days are too many",
            self.day(today)
        );
        Ok(moved)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::Calendar;

    #[test]
    fn a_moved_calendar_is_further_on_and_another_store() {
        let today = date(2026, 11, 24);
        let calendar = Calendar::beginning(today);
        assert_eq!(calendar.day(date(2026, 11, 26)), 2);
        let moved = calendar.moved_on(30, today).expect("within the replay");
        assert_eq!(moved.day(today), 30);
        assert_ne!(moved.store, calendar.store);
        assert!(calendar.moved_on(800, today).is_err());
    }

    #[test]
    fn a_calendar_survives_being_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("calendar.json");
        let mut calendar = Calendar::read_or_begin(&path, date(2026, 1, 31)).expect("begins");
        calendar.sent.insert("C-1".to_owned(), 3);
        calendar.write(&path).expect("written");
        assert_eq!(Calendar::read_or_begin(&path, date(2027, 1, 1)).expect("read"), calendar);
    }
}
