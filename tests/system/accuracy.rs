//! The accuracy that the fleet shows is what the public scorer counts on the same cases.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;

use flate2::read::MultiGzDecoder;
use headroom_tests::{Hub, built};
use jiff::civil::Date;

/// As the scorer counts what lies beyond the year.
const BEYOND: i64 = 366;
/// Lines of the public cases that are asked.
const CASES: usize = 800;

fn series(name: &str) -> String {
    let file =
        File::open(built::checkout().join("tests/fixtures/series").join(name)).expect("the public series");
    let mut text = String::new();
    MultiGzDecoder::new(file).read_to_string(&mut text).expect("text");
    text
}

/// Days from an origin to a date as the scorer reads them (score.py, `load`).
fn days(origin: Date, date: &str) -> i64 {
    let days = |date: Date| i64::from(origin.until(date).expect("a span of days").get_days());
    date.parse().ok().map(days).filter(|days| *days < BEYOND).unwrap_or(BEYOND).max(1)
}

#[test]
fn coverage_of_the_fleet_is_the_scorers_on_the_same_cases() {
    let hub = Hub::new();
    // Key to true days, of track A, on which the scorer takes the coverage.
    let mut cases = "series_id,origin,capacity\n".to_owned();
    let mut truths: BTreeMap<String, Option<i64>> = BTreeMap::new();
    for line in series("truth_public.csv.gz")
        .lines()
        .skip(1)
        .filter(|line| line.split(',').nth(5) == Some("A"))
        .take(CASES)
    {
        let fields: Vec<&str> = line.split(',').collect();
        let key = fields[1..4].join(",");
        cases += &format!("{key}\n");
        truths.insert(key, fields[7].parse::<f64>().ok().map(|days| days as i64));
    }
    let path = |name: &str| hub.folder().join(name).display().to_string();
    fs::write(path("cases.csv"), cases).expect("written");
    let changes = built::checkout()
        .join("tests/fixtures/series/git_capacity_public_changes.csv.gz")
        .display()
        .to_string();
    let ran =
        hub.run(&["score", "--series", &changes, "--cases", &path("cases.csv"), "--out", &path("out.csv")]);
    assert_eq!(ran.code, 0, "{}", ran.err);

    let (mut rows, mut outside, mut count) = (Vec::new(), [0, 0], 0);
    for line in fs::read_to_string(path("out.csv")).expect("predictions").lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let origin: Date = fields[1].parse().expect("a date");
        let [p10, p50, p90] = [3, 4, 5].map(|column| days(origin, fields[column]));
        let truth = truths[&fields[..3].join(",")];
        let day = truth.unwrap_or(BEYOND).clamp(1, BEYOND);
        outside[0] += i64::from(day < p10.min(p50));
        outside[1] += i64::from(day > p90.max(p50));
        count += 1;
        let stored = |days: i64| if days < BEYOND { days.to_string() } else { "null".to_owned() };
        rows.push(format!(
            "('{}', date '{origin}', {}, {}, {}, {}, {}, {count})",
            fields[0],
            fields[2],
            stored(p10),
            stored(p50),
            stored(p90),
            truth.map_or("null".to_owned(), |days| days.max(1).to_string())
        ));
    }
    assert!(count > 500 && outside.iter().all(|outside| *outside > 20), "{count} {outside:?}");

    hub.psql(&format!(
        "create table judged (series text, origin date, capacity numeric, p10 float8, p50 float8, p90 float8, truth float8, n int);
         insert into judged values {};
         insert into fleet.units (kind, name) select distinct 'nas', series from judged;
         insert into fleet.components (unit_id, node_key, kind) select unit_id, 'a', 'pool' from fleet.units;
         insert into fleet.backtests (component_id, resource, origin, question_limit, judged_until, p10_days, p50_days, p90_days, true_days, model)
             select k.component_id, 'capacity', j.origin::timestamp at time zone 'UTC', j.capacity, (j.origin + 365)::timestamp at time zone 'UTC',
                    j.p10, j.p50, j.p90, j.truth, 'test'
               from judged j join fleet.units u on u.name = j.series join fleet.components k using (unit_id)",
        rows.join(", ")
    ));
    let share = |number: i64| number as f64 / f64::from(count);
    let told = hub.psql("select judged, too_early, too_late, coverage80 from fleet.accuracy()");
    let told: Vec<f64> = told.split('|').map(|figure| figure.parse().expect("a figure")).collect();
    let counted =
        [f64::from(count), share(outside[0]), share(outside[1]), 1.0 - share(outside[0] + outside[1])];
    for (told, counted) in told.iter().zip(counted) {
        assert!((told - counted).abs() < 1e-12, "{told} {counted}");
    }
}
