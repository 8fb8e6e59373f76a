//! History and forecast of the resource that is looked at: as a chart and, for who cannot or will not see it, as a table.

use headroom_core::forecast::FanPoint;
use headroom_core::unit::Resource;
use jiff::Timestamp;

use crate::database::unit_page::{ComponentRow, ForecastRow, Point};
use crate::web::chart::fan::{FanChart, Measured};
use crate::web::chart::measure::Measure;
use crate::web::line::is_binary;
use crate::web::wording::{day, moment, resource_word, words};

/// Most rows of the table for each half.
const TABLE_ROWS: usize = 24;

/// A row of the table.
pub(super) struct TableRow {
    /// When.
    pub(super) day: String,
    /// Used, or the band.
    pub(super) value: String,
    /// Limit.
    pub(super) limit: String,
    /// Measured or forecast.
    pub(super) kind: &'static str,
}

/// Chart and table.
pub(super) struct Drawn {
    /// The chart.
    pub(super) svg: String,
    /// The same in figures.
    pub(super) table: Vec<TableRow>,
    /// Whether there is a forecast in it.
    pub(super) has_forecast: bool,
}

/// What the values of a forecast count.
pub(super) fn measure(forecast: &ForecastRow) -> Measure {
    Measure::of(forecast.resource, is_binary(&forecast.component_kind))
}

/// Of a resource that was forecast.
pub(super) fn forecast(
    forecast: &ForecastRow,
    fan: &[FanPoint],
    history: &[Point],
    order_by: Option<Timestamp>,
    now: Timestamp,
) -> Drawn {
    let part = forecast.component.clone().unwrap_or_else(|| words(&forecast.component_kind));
    draw(&Subject {
        title: format!("{} of {part}", resource_word(forecast.resource)),
        measure: measure(forecast),
        limit: forecast.resource_limit,
        dates: [forecast.p10, forecast.p50, forecast.p90],
        fan,
        history,
        order_by,
        now,
    })
}

/// Of a component that was not forecast yet.
pub(super) fn history_alone(
    component: &ComponentRow,
    resource: Resource,
    history: &[Point],
    now: Timestamp,
) -> Drawn {
    let part = component.label.clone().unwrap_or_else(|| words(&component.kind));
    draw(&Subject {
        title: format!("{} of {part}", resource_word(resource)),
        measure: Measure::of(resource, is_binary(&component.kind)),
        limit: history.last().and_then(|point| point.limit),
        dates: [None; 3],
        fan: &[],
        history,
        order_by: None,
        now,
    })
}

/// The fullest component that was measured, for a unit that was not forecast yet.
pub(super) fn first_measured(components: &[ComponentRow]) -> Option<(&ComponentRow, Resource)> {
    let share = |component: &ComponentRow| match (component.used_bytes, component.capacity_bytes) {
        (Some(used), Some(capacity)) if capacity > 0 => used as f64 / capacity as f64,
        _ => 0.0,
    };
    let full = components
        .iter()
        .filter(|component| component.used_bytes.is_some())
        .max_by(|left, right| share(left).total_cmp(&share(right)));
    full.map(|component| (component, Resource::Capacity)).or_else(|| {
        components
            .iter()
            .find(|component| component.utilisation.is_some())
            .map(|component| (component, Resource::Load))
    })
}

struct Subject<'a> {
    title: String,
    measure: Measure,
    limit: Option<f64>,
    dates: [Option<Timestamp>; 3],
    fan: &'a [FanPoint],
    history: &'a [Point],
    order_by: Option<Timestamp>,
    now: Timestamp,
}

fn draw(subject: &Subject<'_>) -> Drawn {
    let measured: Vec<Measured> = subject
        .history
        .iter()
        .map(|point| Measured { at: point.at, used: point.used, limit: point.limit })
        .collect();
    let chart = FanChart {
        id: "chart_main",
        title: &subject.title,
        measure: subject.measure,
        history: &measured,
        fan: subject.fan,
        limit: subject.limit,
        now: subject.now,
        order_by: subject.order_by,
        dates: subject.dates,
    };
    Drawn { svg: chart.svg(), table: table(subject), has_forecast: !subject.fan.is_empty() }
}

/// Evenly thinned, the first and the last always among them.
fn thinned<T>(all: &[T]) -> impl Iterator<Item = &T> {
    let step = all.len().div_ceil(TABLE_ROWS).max(1);
    let last = all.len().saturating_sub(1);
    all.iter().enumerate().filter(move |(index, _)| (last - index).is_multiple_of(step)).map(|(_, item)| item)
}

fn table(subject: &Subject<'_>) -> Vec<TableRow> {
    let measure = subject.measure;
    let limit =
        |limit: Option<f64>| limit.map_or_else(|| "not known".to_owned(), |limit| measure.write(limit));
    let span = match (subject.history.first(), subject.history.last()) {
        (Some(first), Some(last)) => last.at.as_second() - first.at.as_second(),
        _ => 0,
    };
    let when = |at: Timestamp| if span < 3 * 86_400 { moment(at) } else { day(at) };
    let history = thinned(subject.history).map(|point| TableRow {
        day: when(point.at),
        value: measure.write(point.used),
        limit: limit(point.limit),
        kind: "measured",
    });
    let ahead: Vec<&FanPoint> = subject.fan.iter().filter(|point| point.at > subject.now).collect();
    let forecast = thinned(&ahead).map(|point| TableRow {
        day: day(point.at),
        value: format!(
            "{} ({} – {})",
            measure.write(point.p50),
            measure.write(point.p10),
            measure.write(point.p90)
        ),
        limit: limit(subject.limit),
        kind: "forecast, P50 (P10 – P90)",
    });
    history.chain(forecast).collect()
}

#[cfg(test)]
mod tests {
    use super::{TABLE_ROWS, thinned};

    #[test]
    fn a_long_series_keeps_its_end() {
        for length in [0_usize, 1, 2, 23, 24, 25, 1_000] {
            let all: Vec<usize> = (0..length).collect();
            let kept: Vec<usize> = thinned(&all).copied().collect();
            assert!(kept.len() <= TABLE_ROWS, "{length}");
            assert_eq!(kept.last(), all.last());
        }
    }
}
