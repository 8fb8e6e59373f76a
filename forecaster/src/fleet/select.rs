//! Which units of a range are forecast anew, and which of their histories.

use std::collections::{BTreeMap, BTreeSet};

use headroom_core::unit::Resource;
use jiff::{SignedDuration, Timestamp};

use crate::database::forecasts::Stored;
use crate::database::histories::Component;

/// A forecast without new status is made again after this time: its dates come nearer, and at last it is stale.
const AGE_MAX: SignedDuration = SignedDuration::from_hours(24);

/// Units whose forecasts stand: no component has status that the current run does not know, and the run is neither old
/// nor made with other constants.
pub(crate) fn unchanged(
    components: &[Component],
    previous: &[Stored],
    model: &str,
    as_of: Timestamp,
) -> BTreeSet<i64> {
    let mut newest: BTreeMap<i64, Option<Timestamp>> = BTreeMap::new();
    for part in components {
        let known = newest.entry(part.unit).or_default();
        *known = (*known).max(part.status_until);
    }
    let mut told: BTreeMap<i64, (Option<Timestamp>, bool)> = BTreeMap::new();
    for one in previous {
        let known = told.entry(one.unit_id).or_insert((None, true));
        let said = &one.forecast;
        known.0 = known.0.max(said.data_until);
        known.1 &= said.model == model && as_of.duration_since(said.as_of) < AGE_MAX && said.as_of <= as_of;
    }
    newest
        .into_iter()
        .filter(|(unit, until)| told.get(unit).is_some_and(|(told, stands)| *stands && told >= until))
        .map(|(unit, _)| unit)
        .collect()
}

/// Whether this resource of a component is forecast: space seen twice counts once, and only what stores data fills up.
pub(crate) fn counts(component: &Component, resource: Resource) -> bool {
    resource != Resource::Capacity || (component.stores_data && !component.capacity_is_told_above)
}

#[cfg(test)]
mod tests {
    use headroom_core::forecast::{Observation, Prior, Question, forecast};
    use headroom_core::unit::Resource;
    use jiff::{SignedDuration, Timestamp};

    use super::{counts, unchanged};
    use crate::database::forecasts::Stored;
    use crate::database::histories::{Component, Likeness};

    fn at(hours: i64) -> Timestamp {
        "2026-11-24T00:00:00Z".parse::<Timestamp>().expect("a time") + SignedDuration::from_hours(hours)
    }

    fn part(id: i64, unit: i64, until: Option<i64>) -> Component {
        Component {
            id,
            unit,
            capacity_is_told_above: false,
            stores_data: true,
            status_until: until.map(at),
            space: None,
            interface: None,
            rated_write_bytes: None,
            likeness: Likeness::default(),
        }
    }

    fn told(component: i64, unit: i64, until: i64) -> Stored {
        let question = Question {
            resource: Resource::Capacity,
            observations: &[Observation { at: at(until), used: 1.0, limit: None }],
            limit: Some(2.0),
            as_of: at(0),
            horizon_days: 365,
        };
        let prior = Prior { version: "m".to_owned(), ..Prior::builtin() };
        Stored { unit_id: unit, component_id: component, forecast: forecast(&question, &prior) }
    }

    #[test]
    fn a_unit_stands_until_it_tells_something_new_or_its_forecast_is_old() {
        let parts = [
            part(1, 1, Some(-1)),
            part(2, 2, Some(-1)),
            part(3, 2, Some(1)),
            part(4, 3, Some(-1)),
            part(5, 4, None),
        ];
        let previous = [told(1, 1, -1), told(2, 2, -1), told(3, 2, -1)];
        let stands =
            |model, hours| unchanged(&parts, &previous, model, at(hours)).into_iter().collect::<Vec<_>>();
        assert_eq!(stands("m", 2), [1], "2 has news, 3 was never forecast, 4 never told anything");
        assert!(stands("other", 2).is_empty() && stands("m", 24).is_empty() && stands("m", -1).is_empty());
    }

    #[test]
    fn space_seen_twice_counts_once() {
        let below = Component { capacity_is_told_above: true, ..part(1, 1, None) };
        assert!(!counts(&below, Resource::Capacity) && counts(&below, Resource::Endurance));
        assert!(counts(&part(1, 1, None), Resource::Capacity));
    }
}
