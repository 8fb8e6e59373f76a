//! The node forecasts its own history as the hub forecasts the same: one model, one daily history, the same figures.

use std::collections::BTreeMap;

use headroom_core::quantity::Bytes;
use headroom_core::unit::{CapacitySource, ComponentKey, Status, UnitReport};
use headroom_node::store::{Row, Store};
use headroom_tests::node::drive;
use headroom_tests::{Hub, NodeProcess};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use uuid::Uuid;

const DAYS: i64 = 200;
const ROOM: u64 = 64 << 20;

/// xorshift from a fixed seed, as a ratio.
fn draw(state: &mut u64) -> f64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 11) as f64 / (1_u64 << 53) as f64
}

/// A file system that fills with bursts, clean-ups and an expansion, on a drive that wears and is busy at times; four
/// rounds a day, some of them missing, until a moment.
fn history(unit: &UnitReport, until: Timestamp) -> Vec<Row> {
    let mut chance = 0x5eed_u64;
    let (mut used, mut inodes) = (400_u64 << 30, 100_000_u64);
    let mut rows = Vec::new();
    for quarter in 0..DAYS * 4 {
        let at = until - SignedDuration::from_hours(6 * (DAYS * 4 - quarter)) + SignedDuration::from_mins(7);
        used += (draw(&mut chance) * 2e9) as u64;
        inodes += (draw(&mut chance) * 50.0) as u64;
        if quarter % 97 == 96 {
            used -= 60 << 30;
        }
        if draw(&mut chance) < 0.1 {
            continue;
        }
        let capacity = if quarter < 500 { 1_500_u64 << 30 } else { 2_000 << 30 };
        let file_system = Status {
            capacity_bytes: Some(Bytes(capacity)),
            used_bytes: Some(Bytes(used)),
            used_source: Some(CapacitySource::FileSystem),
            inodes_total: Some(4_000_000),
            inodes_used: Some(inodes),
            ..Status::default()
        };
        let drive = Status {
            utilisation: Some(draw(&mut chance) * (0.2 + quarter as f64 / 1_600.0)),
            endurance_used_percent: Some(10 + u16::try_from(quarter / 40).expect("small")),
            ..Status::default()
        };
        let row = |component: &ComponentKey, status| Row {
            component: component.clone(),
            at,
            boot: Uuid::from_u128(7),
            status,
        };
        rows.push(row(&unit.components[0].key, drive));
        rows.push(row(&unit.components[1].key, file_system));
    }
    rows
}

/// State and dates, which must be the same.
fn dates(forecast: &Value) -> Vec<Value> {
    let moment = |name: &str| {
        let at = forecast[name].as_str().map(|at| at.parse::<Timestamp>().expect("a time"));
        at.map_or(Value::Null, |at| at.as_millisecond().into())
    };
    vec![forecast["state"].clone(), moment("p10"), moment("p50"), moment("p90")]
}

/// The points of fan and passage. The hub keeps six decimals of them.
fn points(forecast: &Value) -> Vec<f64> {
    let lists = ["fan", "passage"]
        .into_iter()
        .flat_map(|list| forecast[list].as_array().cloned().unwrap_or_default());
    lists
        .flat_map(|point| ["p10", "p50", "p90", "probability"].map(|name| point[name].as_f64()))
        .flatten()
        .collect()
}

#[test]
fn the_node_forecasts_what_the_hub_forecasts() {
    let hub = Hub::new();
    let node = NodeProcess::new("consent = [\"advice\"]").expect("a folder and a port");
    node.enrol_by_files(&hub).expect("enrolled");
    let as_of = Timestamp::from_second(Timestamp::now().as_second()).expect("a time");
    let unit = drive("PARITY1");
    let mut store = Store::open(&node.data().join("store.sqlite"), ROOM).expect("made").store;
    store.note_inventory(as_of, std::slice::from_ref(&unit), &[], &[]).expect("written");
    store.append(&history(&unit, as_of)).expect("written");
    drop(store);
    let bundle = node.folder().join("carried.bundle").display().to_string();
    node.must(&["bundle", "export", &bundle]).expect("written");
    let imported = hub.run(&["node", "import-bundle", &bundle, "--json"]);
    assert_eq!((imported.code, &imported.json()["set_aside"]), (0, &Value::from(0)), "{}", imported.err);

    let moment = as_of.to_string();
    let told = hub.run(&["forecast", "--as-of", &moment, "--json"]);
    assert_eq!(told.code, 0, "{}", told.err);
    let keys: BTreeMap<String, String> = hub
        .psql("select component_id || ' ' || node_key from fleet.components")
        .lines()
        .map(|line| line.split_once(' ').map(|(id, key)| (id.to_owned(), key.to_owned())).expect("two words"))
        .collect();
    let hubs: BTreeMap<(String, String), Value> = told.json()["forecasts"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| {
            let key = keys[&one["component_id"].to_string()].clone();
            ((key, one["resource"].as_str().expect("a resource").to_owned()), one.clone())
        })
        .collect();
    let own = node.must(&["forecast", "--as-of", &moment, "--json"]).expect("printed");
    let own: Vec<Value> = serde_json::from_str(&own).expect("JSON");
    assert_eq!(own.len(), 4, "capacity and inodes, load and endurance: {own:#?}");
    assert_eq!(hubs.len(), 4, "{hubs:#?}");
    let mut dated = 0;
    for one in &own {
        let component = one["component"].as_str().expect("a key").to_owned();
        let resource = one["resource"].as_str().expect("a resource").to_owned();
        let theirs = &hubs[&(component.clone(), resource.clone())];
        assert_eq!(dates(one), dates(theirs), "{resource} of {component}");
        let (ours, theirs) = (points(one), points(theirs));
        assert_eq!(ours.len(), theirs.len(), "{resource} of {component}");
        for (ours, theirs) in ours.into_iter().zip(theirs) {
            assert!((ours - theirs).abs() <= 1e-6 * ours.abs().max(1.0), "{resource}: {ours} {theirs}");
        }
        dated += usize::from(one["state"] == "dated");
    }
    assert!(dated > 0, "a history without any date shows little: {own:#?}");
}
