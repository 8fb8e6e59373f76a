//! Rows in the order of their times, cut into runs that lie in one bucket of time each.

use crate::functions::bucket::DAY;

/// Buckets of a fixed length, counted from an origin; all in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Buckets {
    /// Above 0.
    pub(super) width: i64,
    pub(super) origin: i64,
}

/// Rows that stand next to each other and lie in one bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// Where the bucket begins.
    pub(super) start: i64,
    pub(super) from: usize,
    pub(super) to: usize,
}

impl Buckets {
    /// Beginning and end of the bucket of a moment. An infinite moment is a bucket of its own.
    pub(super) fn of(self, at: i64) -> (i64, i64) {
        if at == i64::MIN {
            return (at, at + 1);
        }
        if at == i64::MAX {
            return (at, at);
        }
        let near = || {
            let start = at.checked_sub(at.checked_sub(self.origin)?.rem_euclid(self.width))?;
            Some((start, start.checked_add(self.width)?)).filter(|(start, _)| *start > i64::MIN)
        };
        if let Some(bucket) = near() {
            return bucket;
        }
        // Wider than the times: they may be as far from the origin as numbers go.
        let (width, origin) = (i128::from(self.width), i128::from(self.origin));
        let start = i128::from(at) - (i128::from(at) - origin).rem_euclid(width);
        let clamp = |moment: i128| moment.clamp(i128::from(i64::MIN + 1), i128::from(i64::MAX)) as i64;
        (clamp(start), clamp(start + width))
    }

    /// Whether a bucket begins and ends where days of UTC do.
    pub(super) fn are_whole_days(self) -> bool {
        self.width % DAY == 0 && self.origin % DAY == 0
    }

    /// Cuts the rows `from..to` of times that do not fall.
    pub(super) fn runs(self, times: &[i64], from: usize, to: usize, out: &mut Vec<Run>) {
        out.clear();
        let (mut at, mut length) = (from, 1);
        while at < to {
            let (start, end) = self.of(times[at]);
            // Most buckets have as many rows as the one before.
            let guess = at + length;
            let is_right = guess <= to && times[guess - 1] < end && (guess == to || times[guess] >= end);
            let next = if is_right {
                guess
            } else if start == end {
                to
            } else {
                at + times[at..to].partition_point(|time| *time < end).max(1)
            };
            out.push(Run { start, from: at, to: next });
            length = next - at;
            at = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_row_is_in_the_run_of_its_bucket(
            mut times in prop::collection::vec(prop_oneof![-50_i64..50, any::<i64>(), Just(i64::MAX), Just(i64::MIN)], 0..40),
            width in prop_oneof![1_i64..9, 1..i64::MAX], origin in prop_oneof![-9_i64..9, any::<i64>()],
        ) {
            times.sort_unstable();
            let buckets = Buckets { width, origin };
            let mut runs = Vec::new();
            buckets.runs(&times, 0, times.len(), &mut runs);
            let mut next = 0;
            for run in &runs {
                prop_assert_eq!(run.from, next);
                prop_assert!(run.to > run.from);
                for time in &times[run.from..run.to] {
                    prop_assert_eq!(buckets.of(*time).0, run.start);
                }
                next = run.to;
            }
            prop_assert_eq!(next, times.len());
            prop_assert!(runs.is_sorted_by(|a, b| a.start < b.start));
        }
    }

    #[test]
    fn a_bucket_holds_its_beginning_and_not_its_end() {
        let buckets = Buckets { width: 10, origin: 3 };
        assert_eq!(buckets.of(3), (3, 13));
        assert_eq!(buckets.of(12), (3, 13));
        assert_eq!(buckets.of(2), (-7, 3));
    }
}
