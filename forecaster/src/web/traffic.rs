//! How many requests were answered, and how long that took, for `/metrics`.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

/// Upper bounds of the histogram, seconds.
pub(crate) const BOUNDS_SECONDS: [f64; 7] = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0];

/// Requests of one route and one class of status.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Answered {
    /// How many.
    pub(crate) count: u64,
    /// Seconds in all.
    pub(crate) seconds: f64,
    /// How many took at most each of [`BOUNDS_SECONDS`].
    pub(crate) within: [u64; BOUNDS_SECONDS.len()],
}

/// Counts by route pattern and status class. Patterns and classes are few, whatever is asked for.
#[derive(Debug, Default)]
pub(crate) struct Traffic(Mutex<BTreeMap<(String, u16), Answered>>);

impl Traffic {
    /// Notes an answer. `route` is the pattern, never the path: paths are without end.
    pub(crate) fn note(&self, route: &str, status: u16, took: Duration) {
        let seconds = took.as_secs_f64();
        let mut answered = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let entry = answered.entry((route.to_owned(), status / 100 * 100)).or_default();
        entry.count += 1;
        entry.seconds += seconds;
        for (within, bound) in entry.within.iter_mut().zip(BOUNDS_SECONDS) {
            *within += u64::from(seconds <= bound);
        }
    }

    /// A copy of the counts.
    pub(crate) fn counts(&self) -> BTreeMap<(String, u16), Answered> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Traffic;

    #[test]
    fn buckets_count_everything_up_to_their_bound() {
        let traffic = Traffic::default();
        for milliseconds in [5, 50, 20_000] {
            traffic.note("/units/{id}", 204, Duration::from_millis(milliseconds));
        }
        let counts = traffic.counts();
        let answered = counts.get(&("/units/{id}".to_owned(), 200)).expect("counted");
        assert_eq!(answered.count, 3);
        assert_eq!(answered.within, [1, 1, 2, 2, 2, 2, 2]);
    }
}
