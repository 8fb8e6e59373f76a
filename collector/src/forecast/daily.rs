//! One value a day of each resource: what `fleet.daily_history` gives at the hub. Days are counted back from the moment
//! of asking. Of a day the last value counts; of load the 95 % quantile.

use std::collections::BTreeMap;

use headroom_core::forecast::Observation;
use headroom_core::unit::{Resource, Sample};
use jiff::{SignedDuration, Timestamp};

/// No older value is used: four years, as at the hub.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(24 * 1_461);
const DAY_MILLISECONDS: i64 = 86_400_000;
/// Of a day's load the value that is exceeded one time in twenty.
const LOAD_QUANTILE: f64 = 0.95;

/// The moment after which values count.
pub fn since(as_of: Timestamp) -> Timestamp {
    as_of.checked_sub(LOOK_BACK).unwrap_or(Timestamp::MIN)
}

/// Days of one component.
#[derive(Debug)]
pub struct Days {
    as_of: Timestamp,
    resources: BTreeMap<Resource, BTreeMap<i64, Day>>,
}

#[derive(Debug, Default)]
struct Day {
    last: Option<Timestamp>,
    used: f64,
    limit: Option<f64>,
    /// All values of the day, where a quantile is wanted.
    all: Vec<f64>,
}

impl Days {
    /// No days yet.
    pub fn new(as_of: Timestamp) -> Self {
        Self { as_of, resources: BTreeMap::new() }
    }

    /// Takes a sample; what lies after the moment of asking or too far back is left out.
    pub fn take(&mut self, sample: &Sample) {
        if sample.at > self.as_of || sample.at <= since(self.as_of) {
            return;
        }
        let day = (sample.at.as_millisecond() - self.as_of.as_millisecond()).div_euclid(DAY_MILLISECONDS);
        for resource in Resource::ALL {
            let Some(reading) = sample.status.reading(resource) else { continue };
            let day = self.resources.entry(resource).or_default().entry(day).or_default();
            if day.last.is_none_or(|last| sample.at >= last) {
                (day.last, day.used, day.limit) = (Some(sample.at), reading.used, reading.limit);
            }
            if resource == Resource::Load {
                day.all.push(reading.used);
            }
        }
    }

    /// The histories, by resource, oldest first.
    pub fn histories(self) -> impl Iterator<Item = (Resource, Vec<Observation>)> {
        self.resources.into_iter().map(|(resource, days)| {
            let observations = days.into_values().filter_map(|mut day| {
                let used = if resource == Resource::Load { quantile(&mut day.all) } else { day.used };
                Some(Observation { at: day.last?, used, limit: day.limit })
            });
            (resource, observations.collect())
        })
    }
}

/// PostgreSQL's `percentile_cont`: linear between the two values around the place.
fn quantile(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let place = LOAD_QUANTILE * values.len().saturating_sub(1) as f64;
    let (low, high) = (place.floor() as usize, place.ceil() as usize);
    match (values.get(low), values.get(high)) {
        (Some(low_value), Some(high_value)) => low_value + (high_value - low_value) * (place - low as f64),
        _ => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use headroom_core::quantity::Bytes;
    use headroom_core::unit::{ComponentKey, Resource, Sample, Status};
    use jiff::{SignedDuration, Timestamp};
    use uuid::Uuid;

    use super::{Days, quantile};

    fn sample(at: Timestamp, used: u64, utilisation: Option<f64>) -> Sample {
        Sample {
            sequence: 1,
            component: ComponentKey("drive-1".to_owned()),
            at,
            boot: Uuid::nil(),
            status: Status { used_bytes: Some(Bytes(used)), utilisation, ..Status::default() },
        }
    }

    #[test]
    fn the_last_value_of_a_day_counts_and_days_end_at_the_moment_of_asking() {
        let as_of: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        let hours = |hours| as_of - SignedDuration::from_hours(hours);
        let mut days = Days::new(as_of);
        // Out of order, as a store holds them after the clock was set back.
        for (at, used) in [(hours(1), 5), (hours(3), 4), (hours(24), 3), (hours(25), 2), (hours(-1), 9)] {
            days.take(&sample(at, used, None));
        }
        let histories: Vec<_> = days.histories().collect();
        let [(Resource::Capacity, observations)] = histories.as_slice() else { panic!("{histories:?}") };
        let values: Vec<_> = observations.iter().map(|day| (day.at, day.used)).collect();
        // Exactly one day back belongs to the day that begins there.
        assert_eq!(values, [(hours(25), 2.0), (hours(1), 5.0)]);
    }

    #[test]
    fn of_load_the_quantile_counts() {
        let as_of: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        let mut days = Days::new(as_of);
        for minute in 1..=101 {
            let utilisation = Some(f64::from(minute - 1) / 100.0);
            days.take(&sample(as_of - SignedDuration::from_mins(i64::from(minute)), 1, utilisation));
        }
        let load = days.histories().find(|(resource, _)| *resource == Resource::Load).unwrap().1;
        assert_eq!(load.len(), 1);
        assert!((load[0].used - 0.95).abs() < 1e-12, "{load:?}");
    }

    #[test]
    fn a_quantile_lies_between_its_neighbours() {
        assert_eq!(quantile(&mut [3.0]), 3.0);
        assert!((quantile(&mut [2.0, 1.0]) - 1.95).abs() < 1e-12);
        assert!(quantile(&mut []).is_nan());
    }
}
