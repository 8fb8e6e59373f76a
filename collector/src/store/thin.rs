//! When the store is full, old samples are thinned: an hour keeps its last, then a day its last. A forecast needs a
//! long past more than a dense one. What the hub has comes first, what it has not comes last, and every gap is announced.

use super::{Store, StoreError};

/// How much was thinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Thinned {
    /// Samples deleted that the hub had acknowledged.
    pub acknowledged: u64,
    /// Samples deleted that it had not.
    pub unacknowledged: u64,
}

const ACKNOWLEDGED: &str =
    "EXISTS (SELECT 1 FROM acknowledged a WHERE s.sequence BETWEEN a.first AND a.last)";
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

impl Store {
    /// Bytes of the file that hold something.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn bytes_used(&self) -> Result<u64, StoreError> {
        let pragma = |name: &str| -> Result<u64, StoreError> {
            let value: i64 = self
                .connection
                .query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))
                .map_err(|source| self.sqlite(source))?;
            Ok(value.cast_unsigned())
        };
        Ok((pragma("page_count")?.saturating_sub(pragma("freelist_count")?)) * pragma("page_size")?)
    }

    /// Thins while the store is above its bound, until a tenth of it is free. `None` where there was room.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn thin_if_full(&mut self) -> Result<Option<Thinned>, StoreError> {
        if self.bytes_max == 0 || self.bytes_used()? <= self.bytes_max {
            return Ok(None);
        }
        self.thin().map(Some)
    }

    /// Thins until a tenth of the bound is free: also the way out when the disk is full, since freed pages are used
    /// again.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn thin(&mut self) -> Result<Thinned, StoreError> {
        let mut thinned = Thinned::default();
        let goal = self.bytes_max / 10 * 9;
        for acknowledged in [true, false] {
            for bucket in [HOUR, DAY] {
                self.count_in(&mut thinned, acknowledged, Self::coarsen, bucket)?;
                if self.bytes_used()? <= goal {
                    return Ok(thinned);
                }
            }
        }
        for acknowledged in [true, false] {
            self.count_in(&mut thinned, acknowledged, Self::drop_oldest, 0)?;
            if self.bytes_used()? <= goal {
                break;
            }
        }
        Ok(thinned)
    }

    fn count_in(
        &mut self,
        thinned: &mut Thinned,
        acknowledged: bool,
        how: fn(&mut Self, bool, i64) -> Result<u64, StoreError>,
        bucket: i64,
    ) -> Result<(), StoreError> {
        let deleted = how(self, acknowledged, bucket)?;
        if acknowledged {
            thinned.acknowledged += deleted;
        } else {
            thinned.unacknowledged += deleted;
        }
        Ok(())
    }

    /// Keeps the last sample of each bucket of time, in the older half.
    fn coarsen(&mut self, acknowledged: bool, bucket: i64) -> Result<u64, StoreError> {
        let condition = if acknowledged { ACKNOWLEDGED } else { "1" };
        let query = format!(
            "DELETE FROM samples WHERE sequence IN (
                SELECT sequence FROM (
                    SELECT s.sequence,
                           row_number() OVER (PARTITION BY s.component, s.at / ?1 ORDER BY s.sequence DESC) AS place
                    FROM samples s
                    WHERE s.sequence <= (SELECT (min(sequence) + max(sequence)) / 2 FROM samples) AND {condition}
                ) WHERE place > 1)"
        );
        let deleted = self.connection.execute(&query, [bucket]).map_err(|source| self.sqlite(source))?;
        Ok(deleted as u64)
    }

    /// The last resort: a tenth of all samples, the oldest.
    fn drop_oldest(&mut self, acknowledged: bool, _: i64) -> Result<u64, StoreError> {
        let condition = if acknowledged { ACKNOWLEDGED } else { "1" };
        let query = format!(
            "DELETE FROM samples WHERE sequence IN (
                SELECT s.sequence FROM samples s WHERE {condition} ORDER BY s.sequence
                LIMIT (SELECT count(*) / 10 + 1 FROM samples))"
        );
        let deleted = self.connection.execute(&query, []).map_err(|source| self.sqlite(source))?;
        Ok(deleted as u64)
    }
}
