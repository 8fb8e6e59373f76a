//! From instants and values to places on the drawing, and round axis marks.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use super::measure::Measure;

/// Instants from left to right.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimeScale {
    from: Timestamp,
    until: Timestamp,
    left: f64,
    right: f64,
}

impl TimeScale {
    /// Maps `from`…`until` to `left`…`right`. A span of less than a second is widened to one.
    pub(crate) fn new(from: Timestamp, until: Timestamp, left: f64, right: f64) -> Self {
        let until = if until.as_second() > from.as_second() {
            until
        } else {
            from.checked_add(1.second()).unwrap_or(Timestamp::MAX)
        };
        Self { from, until, left, right }
    }

    /// The place of an instant, clamped to the drawing.
    pub(crate) fn x(&self, at: Timestamp) -> f64 {
        let span = (self.until.as_millisecond() - self.from.as_millisecond()).max(1) as f64;
        let share = (at.as_millisecond() - self.from.as_millisecond()) as f64 / span;
        self.left + share.clamp(0.0, 1.0) * (self.right - self.left)
    }

    /// Whether an instant is on the drawing.
    pub(crate) fn shows(&self, at: Timestamp) -> bool {
        self.from <= at && at <= self.until
    }

    /// First days of months, quarters or years (or single days, or hours, on a short drawing) with their labels: at most about eight.
    pub(crate) fn marks(&self) -> Vec<(Timestamp, String)> {
        let days = (self.until.as_second() - self.from.as_second()) / 86_400;
        let first = self.from.to_zoned(TimeZone::UTC).date();
        let marks: Vec<Date> = match days {
            0..=1 => return self.hour_marks(),
            2..=10 => every_days(first, self.until, 1),
            11..=70 => every_days(first, self.until, 7),
            _ => {
                let months = match days {
                    ..=250 => 1,
                    251..=480 => 2,
                    481..=740 => 3,
                    741..=1_500 => 6,
                    _ => 12 * (days / 365 / 8 + 1),
                };
                every_months(first, self.until, months)
            }
        };
        let long = days > 330;
        let label = |date: Date| {
            if days <= 70 {
                date.strftime("%-d %b").to_string()
            } else if date.month() == 1 || long {
                date.strftime("%b %Y").to_string()
            } else {
                date.strftime("%b").to_string()
            }
        };
        marks
            .into_iter()
            .filter_map(|date| Some((midnight(date)?, label(date))))
            .filter(|(at, _)| self.shows(*at))
            .collect()
    }

    fn hour_marks(&self) -> Vec<(Timestamp, String)> {
        let span = (self.until.as_second() - self.from.as_second()).max(1);
        let step = [60, 300, 900, 1_800, 3_600, 10_800, 21_600]
            .into_iter()
            .find(|step| span / step <= 8)
            .unwrap_or(21_600);
        let start = self.from.as_second().div_euclid(step) * step + step;
        (0..10)
            .map_while(|index| Timestamp::from_second(start + index * step).ok())
            .filter(|at| self.shows(*at))
            .map(|at| (at, at.strftime("%H:%M").to_string()))
            .collect()
    }
}

fn midnight(date: Date) -> Option<Timestamp> {
    date.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

fn every_days(first: Date, until: Timestamp, step: i64) -> Vec<Date> {
    let last = until.to_zoned(TimeZone::UTC).date();
    let mut dates = Vec::new();
    let mut date = first;
    while date <= last && dates.len() < 400 {
        dates.push(date);
        match date.checked_add(step.days()) {
            Ok(next) => date = next,
            Err(_) => break,
        }
    }
    dates
}

fn every_months(first: Date, until: Timestamp, step: i64) -> Vec<Date> {
    let last = until.to_zoned(TimeZone::UTC).date();
    let mut dates = Vec::new();
    let january = first.first_of_year();
    let mut date = january;
    while date <= last && dates.len() < 400 {
        if date >= first {
            dates.push(date);
        }
        match date.checked_add(step.months()) {
            Ok(next) => date = next,
            Err(_) => break,
        }
    }
    dates
}

/// Values from bottom to top, from zero: a cut axis would make growth look steeper than it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ValueScale {
    top_value: f64,
    top: f64,
    bottom: f64,
}

impl ValueScale {
    /// Maps 0…`top_value` to `bottom`…`top`. A top value that is not a positive number counts as 1.
    pub(crate) fn new(top_value: f64, top: f64, bottom: f64) -> Self {
        let top_value = if top_value.is_finite() && top_value > 0.0 { top_value } else { 1.0 };
        Self { top_value, top, bottom }
    }

    /// The place of a value, clamped to the drawing.
    pub(crate) fn y(&self, value: f64) -> f64 {
        let share = if value.is_nan() { 0.0 } else { (value / self.top_value).clamp(0.0, 1.0) };
        self.bottom - share * (self.bottom - self.top)
    }

    /// Round values with their labels, at most seven, zero included.
    pub(crate) fn marks(&self, measure: Measure) -> Vec<(f64, String)> {
        let base = measure.step_base();
        let mut unit = 1.0;
        if measure == Measure::Ratio {
            unit = 0.01;
        } else {
            while self.top_value / (unit * base) >= 1.0 {
                unit *= base;
            }
        }
        let wanted = self.top_value / unit / 5.0;
        let power = 10_f64.powi(floor_log10(wanted));
        let step = [1.0, 2.0, 2.5, 5.0, 10.0]
            .into_iter()
            .map(|factor| factor * power * unit)
            .find(|step| self.top_value / step <= 6.0)
            .unwrap_or(power * unit * 10.0);
        (0..=7)
            .map(|index| f64::from(index) * step)
            .take_while(|value| *value <= self.top_value * 1.000_001)
            .map(|value| (value, measure.write(value)))
            .collect()
    }
}

fn floor_log10(value: f64) -> i32 {
    if value > 0.0 { value.log10().floor().clamp(-300.0, 300.0) as i32 } else { 0 }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{TimeScale, ValueScale};
    use crate::web::chart::measure::Measure;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a timestamp")
    }

    #[test]
    fn places_are_clamped_to_the_drawing() {
        let scale = TimeScale::new(at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"), 10.0, 110.0);
        assert_eq!(scale.x(at("2020-01-01T00:00:00Z")), 10.0);
        assert_eq!(scale.x(at("2030-01-01T00:00:00Z")), 110.0);
        let value = ValueScale::new(100.0, 0.0, 50.0);
        assert_eq!(value.y(f64::INFINITY), 0.0);
        assert_eq!(value.y(-5.0), 50.0);
        assert_eq!(value.y(f64::NAN), 50.0);
        assert_eq!(value.y(50.0), 25.0);
    }

    #[test]
    fn marks_are_round_and_few_for_any_span() {
        let from = at("2026-03-17T13:05:00Z");
        for seconds in [
            1,
            60,
            3_600,
            86_400,
            5 * 86_400,
            40 * 86_400,
            200 * 86_400,
            400 * 86_400,
            3 * 365 * 86_400,
            40 * 365 * 86_400,
        ] {
            let until = Timestamp::from_second(from.as_second() + seconds).expect("in range");
            let marks = TimeScale::new(from, until, 0.0, 1.0).marks();
            assert!(marks.len() <= 11, "{seconds}: {marks:?}");
        }
    }

    #[test]
    fn value_marks_start_at_zero_and_end_below_the_top() {
        for top in [1e-9, 0.4, 1.0, 512.0, 1023.0, 1025.0, 20e12, 9.2e18] {
            for measure in [Measure::BytesSi, Measure::BytesIec, Measure::Ratio, Measure::Inodes] {
                let marks = ValueScale::new(top, 0.0, 1.0).marks(measure);
                assert_eq!(marks[0].0, 0.0);
                assert!(
                    marks.len() <= 8 && marks.iter().all(|(value, _)| *value <= top * 1.001),
                    "{top} {measure:?} {marks:?}"
                );
            }
        }
        let marks = ValueScale::new(20e12, 0.0, 1.0).marks(Measure::BytesSi);
        assert_eq!(
            marks.iter().map(|(_, label)| label.as_str()).collect::<Vec<_>>(),
            ["0 B", "5 TB", "10 TB", "15 TB", "20 TB"]
        );
    }
}
