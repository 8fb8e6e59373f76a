//! Writing and reading samples.

use headroom_core::{
    exchange::{Batch, SequenceRange},
    unit::{ComponentKey, Sample, Status},
};
use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, params_from_iter, types::Value};
use uuid::Uuid;

use super::{Store, StoreError, columns};

/// A status to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Which component.
    pub component: ComponentKey,
    /// When, by the node's clock.
    pub at: Timestamp,
    /// In which boot.
    pub boot: Uuid,
    /// What was measured.
    pub status: Status,
}

/// From which end samples are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The newest that the hub has not acknowledged.
    NewestUnacknowledged,
    /// The oldest that the hub has not acknowledged.
    OldestUnacknowledged,
}

impl Store {
    /// Stores a round in one transaction that is on the disk when this returns. Gives the first and last sequence.
    ///
    /// # Errors
    /// The disk is full or read-only, or the file is damaged: nothing of the round is stored then.
    pub fn append(&mut self, rows: &[Row]) -> Result<Option<SequenceRange>, StoreError> {
        let path = self.path.clone();
        let sqlite = |source| StoreError::Sqlite { path: path.clone(), source };
        let transaction = self.connection.transaction().map_err(sqlite)?;
        let mut range: Option<SequenceRange> = None;
        {
            let mut insert = transaction.prepare_cached(&insert_statement()).map_err(sqlite)?;
            for row in rows {
                let component =
                    named(&transaction, "components", "key", Value::Text(row.component.0.clone()))
                        .map_err(sqlite)?;
                let boot = named(&transaction, "boots", "boot", Value::Blob(row.boot.as_bytes().to_vec()))
                    .map_err(sqlite)?;
                let mut bound = vec![
                    Value::Integer(component),
                    Value::Integer(boot),
                    Value::Integer(row.at.as_millisecond()),
                ];
                bound.extend(columns::values(&row.status));
                let sequence = insert.insert(params_from_iter(bound)).map_err(sqlite)?.cast_unsigned();
                range = Some(SequenceRange { first: range.map_or(sequence, |r| r.first), last: sequence });
            }
        }
        transaction.commit().map_err(sqlite)?;
        Ok(range)
    }

    /// The highest sequence number given out; 0 before the first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn highest(&self) -> Result<u64, StoreError> {
        let found: Option<i64> = self
            .connection
            .query_row("SELECT seq FROM sqlite_sequence WHERE name = 'samples'", [], |row| row.get(0))
            .optional()
            .map_err(|source| self.sqlite(source))?;
        Ok(found.unwrap_or(0).cast_unsigned())
    }

    /// Number of samples in the file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn count(&self) -> Result<u64, StoreError> {
        let count: i64 = self
            .connection
            .query_row("SELECT count(*) FROM samples", [], |row| row.get(0))
            .map_err(|source| self.sqlite(source))?;
        Ok(count.cast_unsigned())
    }

    /// The latest sample of each of these components, in their order.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn latest(&self, components: &[ComponentKey]) -> Result<Vec<Sample>, StoreError> {
        let query = select(
            "WHERE s.sequence = (SELECT max(sequence) FROM samples WHERE component =
                (SELECT id FROM components WHERE key = ?1))",
        );
        let mut statement = self.connection.prepare_cached(&query).map_err(|source| self.sqlite(source))?;
        let mut latest = Vec::with_capacity(components.len());
        for component in components {
            latest.extend(self.read(&mut statement, &[Value::Text(component.0.clone())])?);
        }
        Ok(latest)
    }

    /// Samples above a sequence number, oldest first, at most `limit`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn after(&self, node: Uuid, after: u64, limit: u32) -> Result<Batch, StoreError> {
        let highest = self.highest()?;
        if after >= highest || limit == 0 {
            return Ok(self.batch(node, None, Vec::new(), highest));
        }
        let samples = self.between(after + 1, highest, limit)?;
        // What lies behind the last sample was thinned away, and the batch speaks for it too.
        let full = samples.len() >= limit as usize;
        let last = samples.last().filter(|_| full).map_or(highest, |sample| sample.sequence);
        Ok(self.batch(node, Some(SequenceRange { first: after + 1, last }), samples, highest))
    }

    /// Samples that the hub has not acknowledged, from one end, at most `limit`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn unacknowledged(&self, node: Uuid, order: Order, limit: u32) -> Result<Batch, StoreError> {
        let highest = self.highest()?;
        let open = self.open_ranges()?;
        let range = match order {
            Order::OldestUnacknowledged => open.first().map(|range| SequenceRange {
                last: range.last.min(range.first.saturating_add(u64::from(limit)).saturating_sub(1)),
                ..*range
            }),
            Order::NewestUnacknowledged => open.last().map(|range| SequenceRange {
                first: range.first.max(range.last.saturating_sub(u64::from(limit)) + 1),
                ..*range
            }),
        };
        let Some(range) = range.filter(|range| limit > 0 && range.first <= range.last) else {
            return Ok(self.batch(node, None, Vec::new(), highest));
        };
        let samples = self.between(range.first, range.last, limit)?;
        Ok(self.batch(node, Some(range), samples, highest))
    }

    /// Exactly this range, its gaps announced.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn batch_of(&self, node: Uuid, range: SequenceRange) -> Result<Batch, StoreError> {
        let samples = self.between(range.first, range.last, u32::MAX)?;
        Ok(self.batch(node, Some(range), samples, self.highest()?))
    }

    /// Every sample from `first` to `last`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn between(&self, first: u64, last: u64, limit: u32) -> Result<Vec<Sample>, StoreError> {
        let query = select("WHERE s.sequence BETWEEN ?1 AND ?2 ORDER BY s.sequence LIMIT ?3");
        let mut statement = self.connection.prepare_cached(&query).map_err(|source| self.sqlite(source))?;
        let bound =
            [first, last, u64::from(limit)].map(|n| Value::Integer(i64::try_from(n).unwrap_or(i64::MAX)));
        self.read(&mut statement, &bound)
    }

    /// Goes through every sample of one component after a moment, in the order in which they were stored, without
    /// holding them all.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn each_of(
        &self,
        component: &ComponentKey,
        after: Timestamp,
        mut visit: impl FnMut(Sample),
    ) -> Result<(), StoreError> {
        let query = select("WHERE c.key = ?1 AND s.at > ?2 ORDER BY s.sequence");
        let mut statement = self.connection.prepare_cached(&query).map_err(|source| self.sqlite(source))?;
        let bound = vec![Value::Text(component.0.clone()), Value::Integer(after.as_millisecond())];
        let mut rows = statement.query(params_from_iter(bound)).map_err(|source| self.sqlite(source))?;
        let mut damaged = Vec::new();
        while let Some(row) = rows.next().map_err(|source| self.sqlite(source))? {
            match sample(row) {
                Ok(sample) => visit(sample),
                Err(detail) => damaged.push((row.get(0).map_err(|source| self.sqlite(source))?, detail)),
            }
        }
        drop(rows);
        if damaged.is_empty() { Ok(()) } else { self.set_aside(&damaged) }
    }

    /// Every component of which samples are held, by its key.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn components(&self) -> Result<Vec<ComponentKey>, StoreError> {
        let read = || {
            self.connection
                .prepare_cached(
                    "SELECT key FROM components c WHERE EXISTS (SELECT 1 FROM samples s WHERE s.component = c.id)
                     ORDER BY key",
                )?
                .query_map([], |row| Ok(ComponentKey(row.get(0)?)))?
                .collect::<Result<Vec<_>, rusqlite::Error>>()
        };
        read().map_err(|source| self.sqlite(source))
    }

    fn batch(&self, node: Uuid, range: Option<SequenceRange>, samples: Vec<Sample>, highest: u64) -> Batch {
        let gaps = range.map(|range| gaps(range, &samples)).unwrap_or_default();
        let more = range.is_some_and(|range| range.last < highest);
        Batch { node, store: self.id, range, gaps, samples, more }
    }
}

/// What of a range no sample covers.
fn gaps(range: SequenceRange, samples: &[Sample]) -> Vec<SequenceRange> {
    let mut gaps = Vec::new();
    let mut next = range.first;
    for sample in samples {
        if sample.sequence > next {
            gaps.push(SequenceRange { first: next, last: sample.sequence - 1 });
        }
        next = sample.sequence + 1;
    }
    if next <= range.last {
        gaps.push(SequenceRange { first: next, last: range.last });
    }
    gaps
}

pub(super) fn select(condition: &str) -> String {
    let fields: Vec<String> = columns::names().map(|name| format!("s.{name}")).collect();
    format!(
        "SELECT s.sequence, c.key, b.boot, s.at, {} FROM samples s
         LEFT JOIN components c ON c.id = s.component LEFT JOIN boots b ON b.id = s.boot {condition}",
        fields.join(", ")
    )
}

fn insert_statement() -> String {
    let fields: Vec<&str> = columns::names().collect();
    let places: Vec<String> = (1..=fields.len() + 3).map(|place| format!("?{place}")).collect();
    format!("INSERT INTO samples (component, boot, at, {}) VALUES ({})", fields.join(", "), places.join(", "))
}

/// The number of a long name, given out at its first use.
fn named(
    connection: &rusqlite::Connection,
    table: &str,
    column: &str,
    value: Value,
) -> Result<i64, rusqlite::Error> {
    let known = connection
        .prepare_cached(&format!("SELECT id FROM {table} WHERE {column} = ?1"))?
        .query_row([&value], |row| row.get(0))
        .optional()?;
    match known {
        Some(id) => Ok(id),
        None => connection
            .prepare_cached(&format!("INSERT INTO {table} ({column}) VALUES (?1)"))?
            .insert([&value]),
    }
}

/// A sample from a row of [`select`].
pub(super) fn sample(row: &rusqlite::Row<'_>) -> Result<Sample, String> {
    let text = |error: rusqlite::Error| error.to_string();
    let boot: Vec<u8> = row.get(2).map_err(text)?;
    Ok(Sample {
        sequence: row.get::<_, i64>(0).map_err(text)?.cast_unsigned(),
        component: ComponentKey(row.get(1).map_err(text)?),
        boot: Uuid::from_slice(&boot).map_err(|error| error.to_string())?,
        at: Timestamp::from_millisecond(row.get(3).map_err(text)?).map_err(|error| error.to_string())?,
        status: columns::status(|index| row.get_ref(index + 4))?,
    })
}
