//! Which sequence numbers the hub has committed: disjoint ranges, because reading the newest first leaves holes.

use headroom_core::exchange::{Acknowledgement, SequenceRange};

use super::{Store, StoreError};

impl Store {
    /// Notes that the hub has committed a range. Saying it twice changes nothing.
    ///
    /// # Errors
    /// It is for another store file, or the range was never given out.
    pub fn acknowledge(&mut self, acknowledgement: Acknowledgement) -> Result<(), StoreError> {
        if acknowledgement.store != self.id {
            return Err(StoreError::OtherStore { asked: acknowledgement.store, own: self.id });
        }
        let SequenceRange { first, last } = acknowledgement.range;
        let highest = self.highest()?;
        if first == 0 || first > last || last > highest {
            return Err(StoreError::BadRange { first, last, highest });
        }
        let path = self.path.clone();
        let sqlite = |source| StoreError::Sqlite { path: path.clone(), source };
        let (first, last) = (first.cast_signed(), last.cast_signed());
        let transaction = self.connection.transaction().map_err(sqlite)?;
        // Everything that overlaps or touches becomes one range with it.
        let (low, high): (Option<i64>, Option<i64>) = transaction
            .query_row(
                "SELECT min(first), max(last) FROM acknowledged WHERE first <= ?2 + 1 AND last >= ?1 - 1",
                [first, last],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .map_err(sqlite)?;
        transaction
            .execute("DELETE FROM acknowledged WHERE first <= ?2 + 1 AND last >= ?1 - 1", [first, last])
            .map_err(sqlite)?;
        transaction
            .execute(
                "INSERT INTO acknowledged (first, last) VALUES (?1, ?2)",
                [low.map_or(first, |low| low.min(first)), high.map_or(last, |high| high.max(last))],
            )
            .map_err(sqlite)?;
        transaction.commit().map_err(sqlite)
    }

    /// The acknowledged ranges, rising.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn acknowledged(&self) -> Result<Vec<SequenceRange>, StoreError> {
        let read = || {
            self.connection
                .prepare_cached("SELECT first, last FROM acknowledged ORDER BY first")?
                .query_map([], |row| {
                    Ok(SequenceRange {
                        first: row.get::<_, i64>(0)?.cast_unsigned(),
                        last: row.get::<_, i64>(1)?.cast_unsigned(),
                    })
                })?
                .collect::<Result<Vec<_>, rusqlite::Error>>()
        };
        read().map_err(|source| self.sqlite(source))
    }

    /// What has been given out and not been acknowledged, rising.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn open_ranges(&self) -> Result<Vec<SequenceRange>, StoreError> {
        let highest = self.highest()?;
        let mut open = Vec::new();
        let mut next = 1;
        for range in self.acknowledged()? {
            if range.first > next {
                open.push(SequenceRange { first: next, last: range.first - 1 });
            }
            next = range.last + 1;
        }
        if next <= highest {
            open.push(SequenceRange { first: next, last: highest });
        }
        Ok(open)
    }

    /// How many samples wait for the hub.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn waiting(&self) -> Result<u64, StoreError> {
        let count: i64 = self
            .connection
            .query_row(
                "SELECT count(*) FROM samples s WHERE NOT EXISTS
                    (SELECT 1 FROM acknowledged a WHERE s.sequence BETWEEN a.first AND a.last)",
                [],
                |row| row.get(0),
            )
            .map_err(|source| self.sqlite(source))?;
        Ok(count.cast_unsigned())
    }
}
