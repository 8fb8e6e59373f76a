//! What is computed, as a plan carries it: a list of integers, which the server copies and sends to no other process.

use crate::sealed::runs::Buckets;

/// What rows are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// The segment.
    Segment,
    /// Buckets of the time.
    Bucket(Buckets),
}

/// What is computed of a column's values that are not null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// How many rows; of no column.
    Rows,
    /// How many values.
    Count,
    /// The sum of integers.
    Sum,
    /// Their mean.
    Mean,
    /// The least value.
    Least,
    /// The greatest value.
    Greatest,
    /// The value of the earliest row, null or not.
    First,
    /// The value of the latest row, null or not.
    Last,
}

const WHATS: [What; 8] =
    [What::Rows, What::Count, What::Sum, What::Mean, What::Least, What::Greatest, What::First, What::Last];

/// One aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) what: What,
    /// The column's position in the layout; of `count(*)` nothing is looked at.
    pub(super) position: usize,
    /// Where the column is among those of an unsealed row.
    pub(super) in_row: usize,
}

/// Everything that is computed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Spec {
    /// The first columns of the answer.
    pub(super) keys: Vec<Key>,
    /// The columns behind them.
    pub(super) functions: Vec<Function>,
    /// Where the time is among the columns of an unsealed row, where it is needed.
    pub(super) time_in_row: usize,
    /// Where the segment is.
    pub(super) segment_in_row: usize,
}

impl Spec {
    /// The buckets that rows are grouped by, if any.
    pub(super) fn buckets(&self) -> Option<Buckets> {
        self.keys.iter().find_map(|key| match key {
            Key::Bucket(buckets) => Some(*buckets),
            Key::Segment => None,
        })
    }

    /// Whether rows are grouped by segment.
    pub(super) fn is_by_segment(&self) -> bool {
        self.keys.contains(&Key::Segment)
    }

    /// As integers.
    pub(super) fn encode(&self) -> Vec<i32> {
        let mut out = vec![self.time_in_row as i32, self.segment_in_row as i32, self.keys.len() as i32];
        let wide = |value: i64| [(value >> 32) as i32, value as i32];
        for key in &self.keys {
            match key {
                Key::Segment => out.push(0),
                Key::Bucket(buckets) => {
                    out.push(1);
                    out.extend(wide(buckets.width));
                    out.extend(wide(buckets.origin));
                }
            }
        }
        for function in &self.functions {
            out.push(WHATS.iter().position(|what| *what == function.what).unwrap_or(0) as i32);
            out.extend([function.position as i32, function.in_row as i32]);
        }
        out
    }

    /// Reads what [`Self::encode`] made; nothing when it is anything else.
    pub(super) fn decode(integers: &[i32]) -> Option<Self> {
        let mut next = integers.iter().copied();
        let index = |value: Option<i32>| value.and_then(|value| usize::try_from(value).ok());
        let (time_in_row, segment_in_row) = (index(next.next())?, index(next.next())?);
        let mut spec = Self { time_in_row, segment_in_row, ..Self::default() };
        for _ in 0..index(next.next())? {
            let key = match next.next()? {
                0 => Key::Segment,
                _ => {
                    let mut wide = || Some(i64::from(next.next()?) << 32 | i64::from(next.next()? as u32));
                    Key::Bucket(Buckets { width: wide()?, origin: wide()? })
                }
            };
            spec.keys.push(key);
        }
        while let Some(what) = next.next() {
            let what = *WHATS.get(usize::try_from(what).ok()?)?;
            let (position, in_row) = (index(next.next())?, index(next.next())?);
            spec.functions.push(Function { what, position, in_row });
        }
        Some(spec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_carries_it() {
        let spec = Spec {
            keys: vec![Key::Bucket(Buckets { width: 86_400_000_000, origin: -1 }), Key::Segment],
            functions: WHATS.iter().map(|what| Function { what: *what, position: 3, in_row: 7 }).collect(),
            time_in_row: 1,
            segment_in_row: 2,
        };
        assert_eq!(Spec::decode(&spec.encode()), Some(spec));
        assert_eq!(Spec::decode(&[]), None);
    }
}
