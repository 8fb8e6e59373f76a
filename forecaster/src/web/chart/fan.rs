//! The fan chart: what was measured, the limit with its expansions, and the band in which the value will lie.

use std::fmt::Write as _;

use headroom_core::forecast::FanPoint;
use jiff::{Timestamp, ToSpan as _};

use super::measure::Measure;
use super::scale::{TimeScale, ValueScale};
use crate::markup::escape;
use crate::web::wording::day;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 78.0;
const RIGHT: f64 = 940.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 318.0;

/// One measured value with the limit at that time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Measured {
    /// When.
    pub(crate) at: Timestamp,
    /// The value.
    pub(crate) used: f64,
    /// The limit then, where it was known.
    pub(crate) limit: Option<f64>,
}

/// Everything that the chart shows.
#[derive(Debug, Clone)]
pub(crate) struct FanChart<'a> {
    /// Makes the element ids unique on a page with several charts; letters, digits and `_` only.
    pub(crate) id: &'a str,
    /// Read out first.
    pub(crate) title: &'a str,
    /// What the values count.
    pub(crate) measure: Measure,
    /// What was measured, by rising time.
    pub(crate) history: &'a [Measured],
    /// The forecast, by rising time; empty where there is none.
    pub(crate) fan: &'a [FanPoint],
    /// The limit to run into.
    pub(crate) limit: Option<f64>,
    /// Where measurement ends and forecast begins.
    pub(crate) now: Timestamp,
    /// The last day to order, where there is one.
    pub(crate) order_by: Option<Timestamp>,
    /// The dates before which it is exhausted with 10, 50 and 90 %.
    pub(crate) dates: [Option<Timestamp>; 3],
}

impl FanChart<'_> {
    /// What the picture shows, in words, for who cannot see it.
    pub(crate) fn description(&self) -> String {
        let mut text = String::new();
        if let (Some(first), Some(last)) = (self.history.first(), self.history.last()) {
            let _ = write!(
                text,
                "Measured from {} to {}: from {} to {}.",
                day(first.at),
                day(last.at),
                self.measure.write(first.used),
                self.measure.write(last.used)
            );
        } else {
            text.push_str("Nothing measured yet.");
        }
        if let Some(limit) = self.limit {
            let _ = write!(text, " Limit {}.", self.measure.write(limit));
        }
        match self.dates {
            [_, Some(p50), _] => {
                let _ = write!(text, " The median forecast reaches the limit on {}", day(p50));
                match (self.dates[0], self.dates[2]) {
                    (Some(p10), Some(p90)) => {
                        let _ = write!(text, ", with 80 % between {} and {}.", day(p10), day(p90));
                    }
                    _ => text.push('.'),
                }
            }
            [Some(p10), ..] => {
                let _ = write!(text, " With 10 % it reaches the limit before {}.", day(p10));
            }
            _ if self.fan.is_empty() => text.push_str(" No forecast."),
            _ => text.push_str(" The forecast does not reach the limit."),
        }
        if let Some(order_by) = self.order_by {
            let _ = write!(text, " Order by {}.", day(order_by));
        }
        text
    }

    /// The drawing as one SVG element, with title and description; no style attribute and no script, so that it
    /// may stand in a page with a strict content security policy.
    pub(crate) fn svg(&self) -> String {
        let (time, value) = self.scales();
        let mut out = String::with_capacity(16_384);
        let _ = write!(
            out,
            r#"<svg class="fan" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="{id}_t {id}_d" focusable="false"><title id="{id}_t">{}</title><desc id="{id}_d">{}</desc>"#,
            escape(self.title),
            escape(&self.description()),
            id = self.id,
        );
        self.axes(&mut out, &time, &value);
        self.band(&mut out, &time, &value);
        self.limit_line(&mut out, &time, &value);
        self.measured_line(&mut out, &time, &value);
        self.markers(&mut out, &time);
        self.limit_note(&mut out, &value);
        out.push_str("</svg>");
        out
    }

    fn scales(&self) -> (TimeScale, ValueScale) {
        let first = self.history.first().map_or(self.now, |point| point.at).min(self.now);
        let ahead = self.future_end();
        let highest = self
            .history
            .iter()
            .flat_map(|point| [Some(point.used), point.limit])
            .flatten()
            .chain(self.limit)
            .filter(|value| value.is_finite())
            .fold(0.0_f64, f64::max);
        let fan_top =
            self.fan.iter().map(|point| point.p90).filter(|v| v.is_finite()).fold(0.0_f64, f64::max);
        let top = if self.limit.is_some() { highest } else { highest.max(fan_top) };
        (TimeScale::new(first, ahead, LEFT, RIGHT), ValueScale::new(top * 1.06, TOP, BOTTOM))
    }

    /// The drawing ends a little after the last date of the band, not at the horizon: three empty years tell nothing.
    fn future_end(&self) -> Timestamp {
        let Some(end) = self.fan.last().map(|point| point.at).filter(|end| *end > self.now) else {
            return self.history.last().map_or(self.now, |point| point.at).max(self.now);
        };
        let known = [self.dates[2], self.dates[1], self.dates[0]].into_iter().flatten().next();
        let span_days =
            (self.now.as_second() - self.history.first().map_or(self.now, |p| p.at).as_second()) / 86_400;
        let days_ahead = match known {
            Some(date) => ((date.as_second() - self.now.as_second()) / 86_400 * 5 / 4).max(45),
            None => span_days.clamp(180, 730),
        };
        let shown = self.now.checked_add((days_ahead * 24).hours()).unwrap_or(end);
        shown.min(end)
    }

    fn axes(&self, out: &mut String, time: &TimeScale, value: &ValueScale) {
        for (mark, label) in value.marks(self.measure) {
            let y = value.y(mark);
            let _ = write!(
                out,
                r#"<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y:.1}" y2="{y:.1}"/><text class="axis" text-anchor="end" x="{:.1}" y="{:.1}">{}</text>"#,
                LEFT - 8.0,
                y + 4.0,
                escape(&label)
            );
        }
        let mut free_from = LEFT;
        for (mark, label) in time.marks() {
            let x = time.x(mark);
            let _ = write!(
                out,
                r#"<line class="grid grid-time" x1="{x:.1}" x2="{x:.1}" y1="{TOP}" y2="{BOTTOM}"/>"#
            );
            if x >= free_from && x < RIGHT - 20.0 {
                let _ = write!(
                    out,
                    r#"<text class="axis" text-anchor="middle" x="{x:.1}" y="{:.1}">{}</text>"#,
                    BOTTOM + 20.0,
                    escape(&label)
                );
                free_from = x + 62.0;
            }
        }
    }

    fn band(&self, out: &mut String, time: &TimeScale, value: &ValueScale) {
        let points: Vec<FanPoint> = self
            .anchor()
            .into_iter()
            .chain(self.fan.iter().copied().filter(|point| point.at > self.now))
            .filter(|point| {
                time.shows(point.at)
                    && point.p10.is_finite()
                    && point.p50.is_finite()
                    && point.p90.is_finite()
            })
            .collect();
        if points.len() < 2 {
            return;
        }
        let ceiling = self.limit.filter(|limit| limit.is_finite() && *limit > 0.0).unwrap_or(f64::MAX);
        let place =
            |at: Timestamp, v: f64| format!("{:.1},{:.1}", time.x(at), value.y(v.clamp(0.0, ceiling)));
        let upper = points.iter().map(|p| place(p.at, p.p90));
        let lower = points.iter().rev().map(|p| place(p.at, p.p10));
        let outline = upper.chain(lower).collect::<Vec<_>>().join(" ");
        let median = points.iter().map(|p| place(p.at, p.p50)).collect::<Vec<_>>().join(" ");
        let _ = write!(
            out,
            r#"<polygon class="band" points="{outline}"/><polyline class="median" points="{median}"/>"#
        );
    }

    /// The band starts at the last measured value, where there is no doubt left.
    fn anchor(&self) -> Option<FanPoint> {
        let last = self.history.iter().rev().find(|point| point.used.is_finite())?;
        (!self.fan.is_empty()).then_some(FanPoint {
            at: self.now.max(last.at),
            p10: last.used,
            p50: last.used,
            p90: last.used,
        })
    }

    fn limit_line(&self, out: &mut String, time: &TimeScale, value: &ValueScale) {
        let mut path = String::new();
        let mut current: Option<f64> = None;
        for point in self.history {
            let Some(limit) = point.limit.filter(|limit| limit.is_finite()) else { continue };
            let x = time.x(point.at);
            match current {
                None => {
                    let _ = write!(path, "M{x:.1} {:.1}", value.y(limit));
                }
                Some(before) if before != limit => {
                    let _ = write!(path, "H{x:.1}V{:.1}", value.y(limit));
                }
                Some(_) => {}
            }
            current = Some(limit);
        }
        let now = time.x(self.now);
        if current.is_some() {
            let _ = write!(path, "H{now:.1}");
            let _ = write!(out, r#"<path class="limit" d="{path}"/>"#);
        }
        if let Some(limit) = self.limit.filter(|limit| limit.is_finite()) {
            let y = value.y(limit);
            let from = if current.is_some() { now } else { LEFT };
            let _ = write!(out, r#"<path class="limit limit-ahead" d="M{from:.1} {y:.1}H{RIGHT}"/>"#);
        }
    }

    /// Said after the markers, so that none of their lines crosses it.
    fn limit_note(&self, out: &mut String, value: &ValueScale) {
        if let Some(limit) = self.limit.filter(|limit| limit.is_finite()) {
            let _ = write!(
                out,
                r#"<text class="note note-limit" text-anchor="end" x="{:.1}" y="{:.1}">limit {}</text>"#,
                RIGHT - 2.0,
                value.y(limit) - 6.0,
                escape(&self.measure.write(limit))
            );
        }
    }

    fn measured_line(&self, out: &mut String, time: &TimeScale, value: &ValueScale) {
        let gap = self.widest_ordinary_step();
        let mut path = String::new();
        let mut before: Option<Timestamp> = None;
        for point in thinned(self.history) {
            if !point.used.is_finite() {
                before = None;
                continue;
            }
            // A hole in the measurements stays a hole: a line across it would claim what nobody saw.
            let joined = before.is_some_and(|before| point.at.as_second() - before.as_second() <= gap);
            let _ = write!(
                path,
                "{}{:.1} {:.1}",
                if joined { 'L' } else { 'M' },
                time.x(point.at),
                value.y(point.used)
            );
            before = Some(point.at);
        }
        if !path.is_empty() {
            let _ = write!(out, r#"<path class="measured" d="{path}"/>"#);
        }
    }

    fn widest_ordinary_step(&self) -> i64 {
        let mut steps: Vec<i64> = thinned(self.history)
            .zip(thinned(self.history).skip(1))
            .map(|(left, right)| right.at.as_second() - left.at.as_second())
            .collect();
        if steps.is_empty() {
            return i64::MAX;
        }
        steps.sort_unstable();
        (steps[steps.len() / 2] * 4).max(60)
    }

    fn markers(&self, out: &mut String, time: &TimeScale) {
        let now = time.x(self.now);
        let now_end = if now > RIGHT - 60.0 { "end" } else { "middle" };
        let _ = write!(
            out,
            r#"<line class="now" x1="{now:.1}" x2="{now:.1}" y1="{TOP}" y2="{BOTTOM}"/><text class="note note-now" text-anchor="{now_end}" x="{now:.1}" y="{:.1}">now</text>"#,
            TOP - 8.0
        );
        if let Some(order_by) = self.order_by.filter(|at| time.shows(*at) && *at > self.now) {
            let x = time.x(order_by);
            let close = x - now < 120.0;
            let (anchor, shift) = if close { ("start", 6.0) } else { ("middle", 0.0) };
            let height = if close { TOP + 12.0 } else { TOP - 8.0 };
            let _ = write!(
                out,
                r#"<line class="order" x1="{x:.1}" x2="{x:.1}" y1="{TOP}" y2="{BOTTOM}"/><path class="order-mark" d="M{x:.1} {BOTTOM}l-6 10h12z"/><text class="note note-order" text-anchor="{anchor}" x="{:.1}" y="{height:.1}">order by {}</text>"#,
                x + shift,
                escape(&day(order_by))
            );
        }
        if let Some(p50) = self.dates[1].filter(|at| time.shows(*at)) {
            let x = time.x(p50);
            let _ = write!(out, r#"<line class="full" x1="{x:.1}" x2="{x:.1}" y1="{TOP}" y2="{BOTTOM}"/>"#);
        }
    }
}

/// At most 800 points of the history, the last one always among them: more than that is below a pixel.
fn thinned(history: &[Measured]) -> impl Iterator<Item = &Measured> {
    let step = history.len().div_ceil(800).max(1);
    let last = history.len().saturating_sub(1);
    history
        .iter()
        .enumerate()
        .filter(move |(index, _)| index % step == 0 || *index == last)
        .map(|(_, point)| point)
}

#[cfg(test)]
mod tests {
    use headroom_core::forecast::FanPoint;
    use jiff::{Timestamp, ToSpan as _};
    use proptest::prelude::*;

    use super::{FanChart, Measured};
    use crate::web::chart::measure::Measure;

    fn start() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().expect("a timestamp")
    }

    fn after(days: i64) -> Timestamp {
        start().checked_add((days * 24).hours()).expect("in range")
    }

    fn chart<'a>(history: &'a [Measured], fan: &'a [FanPoint]) -> FanChart<'a> {
        FanChart {
            id: "capacity",
            title: "Capacity <of> \"A & B\"",
            measure: Measure::BytesSi,
            history,
            fan,
            limit: Some(20e12),
            now: after(100),
            order_by: Some(after(150)),
            dates: [Some(after(180)), Some(after(220)), Some(after(300))],
        }
    }

    #[test]
    fn the_picture_says_in_words_what_it_shows() {
        let history: Vec<_> =
            (0..=100).map(|d| Measured { at: after(d), used: 1e11 * d as f64, limit: Some(20e12) }).collect();
        let fan: Vec<_> =
            (101..400).map(|d| FanPoint { at: after(d), p10: 1e11, p50: 1e12, p90: 9e13 }).collect();
        let svg = chart(&history, &fan).svg();
        assert!(svg.contains("Capacity &lt;of&gt; &quot;A &amp; B&quot;"), "{svg}");
        assert!(
            svg.contains("reaches the limit on 9 Aug 2026, with 80 % between 30 Jun 2026 and 28 Oct 2026"),
            "{svg}"
        );
        assert!(svg.contains("order by 31 May 2026"));
        assert!(!svg.contains("style="));
    }

    #[test]
    fn an_expansion_is_a_step_of_the_limit() {
        let history: Vec<_> = (0..=100)
            .map(|d| Measured { at: after(d), used: 1e12, limit: Some(if d < 50 { 10e12 } else { 20e12 }) })
            .collect();
        let svg = chart(&history, &[]).svg();
        let path = svg
            .split("class=\"limit\" d=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .expect("a limit line");
        assert_eq!(path.matches('V').count(), 1, "{path}");
    }

    #[test]
    fn a_hole_in_the_measurements_stays_a_hole() {
        let history: Vec<_> = (0..=100)
            .filter(|d| !(30..60).contains(d))
            .map(|d| Measured { at: after(d), used: 1e12, limit: None })
            .collect();
        let svg = chart(&history, &[]).svg();
        let path = svg
            .split("class=\"measured\" d=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .expect("a line");
        assert_eq!(path.matches('M').count(), 2, "{path}");
    }

    #[test]
    fn nothing_measured_is_said() {
        let mut chart = chart(&[], &[]);
        chart.dates = [None; 3];
        assert!(chart.description().starts_with("Nothing measured yet."));
        assert!(chart.svg().ends_with("</svg>"));
    }

    proptest! {
        #[test]
        fn any_values_stay_on_the_drawing(
            values in prop::collection::vec((0_i64..4_000, prop::num::f64::ANY, prop::option::of(prop::num::f64::ANY)), 0..50),
            fan in prop::collection::vec((0_i64..4_000, prop::num::f64::ANY, prop::num::f64::ANY, prop::num::f64::ANY), 0..50),
            limit in prop::option::of(prop::num::f64::ANY),
        ) {
            let mut history: Vec<_> = values.into_iter().map(|(d, used, limit)| Measured { at: after(d), used, limit }).collect();
            history.sort_by_key(|point| point.at);
            let mut fan: Vec<_> = fan.into_iter().map(|(d, p10, p50, p90)| FanPoint { at: after(d), p10, p50, p90 }).collect();
            fan.sort_by_key(|point| point.at);
            let svg = FanChart { limit, ..chart(&history, &fan) }.svg();
            prop_assert!(!svg.contains("NaN") && !svg.contains("inf"), "{}", svg);
        }
    }
}
