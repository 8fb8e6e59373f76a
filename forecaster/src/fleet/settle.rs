//! Rounds a forecast once, before it is stored: what SQL, page and command line read is the same to the last digit.

use headroom_core::forecast::Forecast;
use headroom_core::unit::Resource;
use jiff::Timestamp;

/// Digits of a ratio, and of a probability.
const RATIO: f64 = 1e6;

/// Times to the second, bytes and counts to whole ones, ratios and probabilities to six digits.
pub(crate) fn settle(mut forecast: Forecast) -> Forecast {
    let whole = matches!(forecast.resource, Resource::Capacity | Resource::Inodes | Resource::ThinMetadata);
    let value = |v: f64| if whole { v.round() } else { (v * RATIO).round() / RATIO };
    for date in [&mut forecast.p10, &mut forecast.p50, &mut forecast.p90] {
        *date = date.map(second);
    }
    forecast.as_of = second(forecast.as_of);
    for point in &mut forecast.fan {
        point.at = second(point.at);
        (point.p10, point.p50, point.p90) = (value(point.p10), value(point.p50), value(point.p90));
    }
    for point in &mut forecast.passage.0 {
        point.at = second(point.at);
        point.probability = (point.probability * RATIO).round() / RATIO;
    }
    for factor in &mut forecast.why {
        factor.at = factor.at.map(second);
    }
    forecast
}

fn second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}
