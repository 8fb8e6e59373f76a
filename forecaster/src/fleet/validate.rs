//! What must hold of a forecast before anybody sees it. The old one stays until the new one has passed.

use headroom_core::forecast::{Forecast, State};

/// Why a forecast is not published; `None` where it is sound.
pub(crate) fn flaw(forecast: &Forecast) -> Option<String> {
    let dates = [forecast.p10, forecast.p50, forecast.p90];
    if forecast.state == State::Dated {
        if forecast.p10.is_none() {
            return Some("it is dated and has no P10".to_owned());
        }
        let known: Vec<_> = dates.iter().flatten().collect();
        if !known.is_sorted() {
            return Some(format!("its dates are out of order: {dates:?}"));
        }
        if dates[1].is_none() && dates[2].is_some() {
            return Some("it has a P90 without a P50".to_owned());
        }
        if forecast.p10.is_some_and(|p10| p10 < forecast.as_of) {
            return Some("its P10 lies before the moment of asking".to_owned());
        }
    } else if dates.iter().any(Option::is_some) {
        return Some(format!("it has a date in the state {}", forecast.state));
    }
    let fan = forecast.fan.iter();
    if let Some(point) =
        fan.clone().find(|p| !(p.p10.is_finite() && p.p90.is_finite() && p.p10 <= p.p50 && p.p50 <= p.p90))
    {
        return Some(format!("its fan is out of order at {}", point.at));
    }
    let passage = &forecast.passage.0;
    if passage.iter().any(|point| !(0.0..=1.0).contains(&point.probability)) {
        return Some("a probability lies outside 0 to 1".to_owned());
    }
    if !passage.is_sorted_by(|a, b| a.at < b.at && a.probability <= b.probability) {
        return Some("its probabilities fall with time".to_owned());
    }
    if [forecast.last_used, forecast.limit].into_iter().flatten().any(|value| !value.is_finite()) {
        return Some("a value is not finite".to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use headroom_core::forecast::{Forecast, Observation, Prior, Question, State, forecast};
    use headroom_core::unit::Resource;
    use jiff::{SignedDuration, Timestamp};

    use super::flaw;

    fn sound() -> Forecast {
        let as_of: Timestamp = "2026-11-24T00:00:00Z".parse().expect("a time");
        let observations: Vec<_> = (0..200)
            .map(|day| Observation {
                at: as_of - SignedDuration::from_hours(24 * (199 - day)),
                used: day as f64 * 3.0,
                limit: Some(1_000.0),
            })
            .collect();
        let question = Question {
            resource: Resource::Capacity,
            observations: &observations,
            limit: None,
            as_of,
            horizon_days: 1_096,
        };
        forecast(&question, &Prior::builtin())
    }

    #[test]
    fn a_sound_forecast_passes() {
        let forecast = sound();
        assert_eq!(forecast.state, State::Dated);
        assert_eq!(flaw(&forecast), None);
    }

    #[test]
    fn what_cannot_be_is_held_back() {
        let changes: [fn(&mut Forecast); 7] = [
            |f| f.p10 = None,
            |f| f.p10 = f.p90.map(|p90| p90 + SignedDuration::from_hours(1)),
            |f| f.state = State::BeyondHorizon,
            |f| f.fan[0].p10 = f64::NAN,
            |f| f.passage.0[0].probability = 1.5,
            |f| f.passage.0.reverse(),
            |f| f.limit = Some(f64::INFINITY),
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let mut forecast = sound();
            change(&mut forecast);
            assert!(flaw(&forecast).is_some(), "change {index}");
        }
    }
}
