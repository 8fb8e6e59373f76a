//! What happened that somebody may ask about: consent, refusals, clocks that jumped, files set aside, samples thinned.

use headroom_core::unit::Remark;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Store, StoreError};

/// Entries that are kept.
const KEPT: i64 = 10_000;
/// Newest entries that are told to others.
const TOLD: i64 = 50;

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// The owner granted or withdrew a purpose, or changed the user information.
    Owner,
    /// Somebody asked and got nothing.
    Refused,
    /// The clock jumped.
    Clock,
    /// The store was set aside, thinned or made afresh.
    Store,
    /// Certificates were granted or renewed.
    Certificate,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, by the node's clock.
    pub at: Timestamp,
    /// What kind.
    pub kind: EntryKind,
    /// One sentence.
    pub detail: String,
}

impl Store {
    /// Writes an entry.
    ///
    /// # Errors
    /// The disk is full or read-only, or the file is damaged.
    pub fn note(&self, at: Timestamp, kind: EntryKind, detail: &str) -> Result<(), StoreError> {
        let kind = serde_json::to_string(&kind).map_err(|error| self.damaged("the journal", error))?;
        let write = || {
            self.connection.execute(
                "INSERT INTO journal (at, kind, detail) VALUES (?1, ?2, ?3)",
                (at.as_millisecond(), kind.trim_matches('"'), detail),
            )?;
            self.connection
                .execute("DELETE FROM journal WHERE id <= (SELECT max(id) FROM journal) - ?1", [KEPT])
        };
        let written = write();
        written.map(|_| ()).map_err(|source| self.sqlite(source))
    }

    /// What happened lately to the clock and the store, oldest first: what a reader of the samples should know.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn happenings(&self) -> Result<Vec<Remark>, StoreError> {
        let read = || {
            self.connection
                .prepare_cached(
                    "SELECT at, detail FROM (SELECT id, at, detail FROM journal WHERE kind IN ('clock', 'store')
                     ORDER BY id DESC LIMIT ?1) ORDER BY id",
                )?
                .query_map([TOLD], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?
                .collect::<Result<Vec<_>, _>>()
        };
        let rows = read().map_err(|source| self.sqlite(source))?;
        rows.into_iter()
            .map(|(at, text)| {
                let at = Timestamp::from_millisecond(at).map_err(|e| self.damaged("the journal", e))?;
                Ok(Remark { component: None, at: Some(at), text })
            })
            .collect()
    }

    /// The newest entries, newest first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn journal(&self, limit: u32) -> Result<Vec<Entry>, StoreError> {
        let read = || {
            self.connection
                .prepare("SELECT at, kind, detail FROM journal ORDER BY id DESC LIMIT ?1")?
                .query_map([limit], |row| {
                    Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
                })?
                .collect::<Result<Vec<_>, _>>()
        };
        let rows = read().map_err(|source| self.sqlite(source))?;
        rows.into_iter()
            .map(|(at, kind, detail)| {
                let at = Timestamp::from_millisecond(at).map_err(|e| self.damaged("the journal", e))?;
                let kind = serde_json::from_value(kind.into()).map_err(|e| self.damaged("the journal", e))?;
                Ok(Entry { at, kind, detail })
            })
            .collect()
    }
}
