//! On real series: what a unit with days of history is told with units alike and without, judged by what came.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use headroom_core::forecast::{Forecast, Observation, Prior, Question, forecast};
use headroom_core::unit::Resource;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::alike::Alike;
use crate::database::histories::{History, Likeness};
use crate::score::series::{self, Changes};

/// Every n-th origin of the public cases.
const EVERY: usize = 12;
/// As the scorer counts: a day beyond the year.
const BEYOND: f64 = 366.0;

fn open(name: &str) -> MultiGzDecoder<File> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/series");
    MultiGzDecoder::new(File::open(folder.join(name)).expect("the public series"))
}

/// The last days of a series up to an origin; the limit is that of every day.
fn observations(
    changes: &Changes,
    origin: Date,
    days: usize,
    limit: impl Fn(f64) -> f64,
) -> Vec<Observation> {
    let daily = changes.daily_until(origin, days + 1);
    let limit = daily.last().copied().map(limit);
    let last = midnight(origin);
    let count = daily.len() as i64;
    daily
        .into_iter()
        .zip(1 - count..)
        .map(|(used, day)| Observation { at: last + SignedDuration::from_hours(24 * day), used, limit })
        .collect()
}

fn midnight(date: Date) -> Timestamp {
    date.to_zoned(TimeZone::UTC).expect("a day of this century").timestamp()
}

/// Repository and kind of a series `repository:kind`.
fn named(series: &str) -> (&str, &str) {
    series.rsplit_once(':').expect("repository:kind")
}

/// What the other repositories say at an origin: each series is a unit whose model is its kind.
fn fitted(all: &BTreeMap<String, Changes>, left_out: &str, origin: Date) -> Alike {
    let others = all.iter().filter(|(name, _)| named(name).0 != left_out).zip(0..);
    let (mut histories, mut likeness) = (Vec::new(), BTreeMap::new());
    for ((name, changes), component) in others {
        let observations = observations(changes, origin, 365, |last| last);
        histories.push(History { component, resource: Resource::Capacity, observations, pooled: None });
        likeness.insert(component, like(named(name).1));
    }
    Alike::of_histories(&histories, &likeness, midnight(origin), &Prior::builtin()).expect("it is fitted")
}

fn like(kind: &str) -> Likeness {
    Likeness { kind: "volume".to_owned(), model: Some(kind.to_owned()), ..Likeness::default() }
}

/// The scorer's pinball loss of ln(days), mean over the three dates.
fn loss(answer: &Forecast, truth: f64) -> f64 {
    let days = |at: Option<Timestamp>| {
        at.map_or(BEYOND, |at| at.duration_since(answer.as_of).as_secs_f64() / 86_400.0).clamp(1.0, BEYOND)
    };
    [(0.1, answer.p10), (0.5, answer.p50), (0.9, answer.p90)]
        .into_iter()
        .map(|(level, at)| {
            let error = truth.ln() - days(at).ln();
            2.0 * (level * error).max((level - 1.0) * error) / 3.0
        })
        .sum()
}

/// Cases of track A by series and origin: capacity and true days.
fn cases() -> BTreeMap<(String, Date), Vec<(f64, f64)>> {
    let mut cases: BTreeMap<(String, Date), Vec<(f64, f64)>> = BTreeMap::new();
    for row in csv::Reader::from_reader(open("truth_public.csv.gz")).records() {
        let row = row.expect("a case");
        if &row[5] == "A" {
            let key = (row[1].to_owned(), row[2].parse().expect("a date"));
            let truth = row[7].parse().unwrap_or(BEYOND).clamp(1.0, BEYOND);
            cases.entry(key).or_default().push((row[3].parse().expect("a capacity"), truth));
        }
    }
    cases
}

#[test]
fn units_alike_tell_more_of_a_left_out_repository_than_its_own_days_do() {
    let all = series::read(open("git_capacity_public_changes.csv.gz")).expect("the public series");
    let cases = cases();
    // By days of history: number of answers, loss with units alike, loss without.
    let mut losses: BTreeMap<usize, (f64, f64, f64)> = BTreeMap::new();
    for ((name, origin), asked) in cases.iter().step_by(EVERY) {
        let (repository, kind) = named(name);
        let alike = fitted(&all, repository, *origin);
        let Some(pooled) = alike.pooled(Resource::Capacity, &like(kind)) else { continue };
        let with = Prior { pooled: Some(pooled), ..Prior::builtin() };
        for days in [2, 6, 13, 14, 20, 30, 45, 60, 80] {
            for (capacity, truth) in asked {
                let observations = observations(&all[name], *origin, days, |_| *capacity);
                let question = Question {
                    resource: Resource::Capacity,
                    observations: &observations,
                    limit: Some(*capacity),
                    as_of: midnight(*origin),
                    horizon_days: 365,
                };
                let sum = losses.entry(days).or_default();
                sum.0 += 1.0;
                sum.1 += loss(&forecast(&question, &with), *truth);
                sum.2 += loss(&forecast(&question, &Prior::builtin()), *truth);
            }
        }
    }
    assert!(!losses.is_empty());
    for (days, (count, with, without)) in losses {
        println!(
            "{days} days: LPL {:.3} with units alike, {:.3} without, {count} cases",
            with / count,
            without / count
        );
        assert!(with < without, "{days} days of history: {with} {without}");
    }
}
