use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;

use super::{Request, rules};
use crate::intake::watched::rules::Mapping;
use crate::intake::watched::series::Series;

fn mappings() -> BTreeMap<String, Mapping> {
    rules::built_in().map(|mapping| (mapping.metric.clone(), mapping)).collect()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).expect("a time")
}

fn series(name: &str, labels: &[(&str, &str)], samples: &[(i64, f64)]) -> Series {
    let labels = [("instance", "db1:9100")].iter().chain(labels);
    Series {
        name: name.to_owned(),
        labels: labels.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        samples: samples.iter().map(|(second, value)| (at(*second), *value)).collect(),
    }
}

const FS: [(&str, &str); 3] = [("device", "/dev/sda1"), ("mountpoint", "/data"), ("fstype", "ext4")];

/// Used bytes and utilisation.
type Figures = (Option<u64>, Option<f64>);

/// What requests one after the other come to.
fn play(requests: &[&[Series]]) -> BTreeMap<Timestamp, Figures> {
    let mut waits = Vec::new();
    let mut all: BTreeMap<Timestamp, Figures> = BTreeMap::new();
    for told in requests {
        let mut request = Request::read(told, &mappings());
        waits = request.join(waits);
        for sample in request.samples() {
            let entry = all.entry(sample.at).or_default();
            entry.0 = sample.status.used_bytes.map(|bytes| bytes.0).or(entry.0);
            entry.1 = sample.status.utilisation.or(entry.1);
        }
    }
    all
}

#[test]
fn size_and_free_space_find_each_other_over_requests() {
    let size = series("node_filesystem_size_bytes", &FS, &[(0, 100.0), (60, 100.0)]);
    let free = series("node_filesystem_free_bytes", &FS, &[(0, 70.0), (60, 60.0)]);
    for requests in [
        vec![vec![size.clone(), free.clone()]],
        vec![vec![size.clone()], vec![free.clone()]],
        vec![vec![free.clone()], vec![size.clone()]],
        vec![vec![free.clone()], vec![], vec![size.clone()], vec![free.clone(), size.clone()]],
    ] {
        let requests: Vec<&[Series]> = requests.iter().map(Vec::as_slice).collect();
        let used: Vec<_> = play(&requests).into_values().map(|(used, ..)| used).collect();
        assert_eq!(used, [Some(30), Some(40)]);
    }
}

#[test]
fn a_counter_is_differenced_over_requests_and_a_reset_is_none() {
    let busy =
        |samples: &[(i64, f64)]| series("node_disk_io_time_seconds_total", &[("device", "sda")], samples);
    let first = [busy(&[(0, 10.0), (60, 40.0)])];
    let second = [busy(&[(120, 40.0)])];
    let reset = [busy(&[(180, 3.0), (240, 9.0)])];
    let away = [busy(&[(240 + 7_200, 10.0)])];
    let told = play(&[&first, &second, &second, &reset, &away]);
    let utilisation: Vec<_> = told.into_values().map(|(.., utilisation)| utilisation).collect();
    assert_eq!(utilisation, [None, Some(0.5), Some(0.0), None, Some(0.1), None]);
}

#[test]
fn memory_and_what_another_machine_serves_are_no_units() {
    for format in ["tmpfs", "nfs4", "overlay", "fuse.sshfs"] {
        let labels = [("device", "x"), ("mountpoint", "/x"), ("fstype", format)];
        let told = Request::read(&[series("node_filesystem_size_bytes", &labels, &[(0, 1.0)])], &mappings());
        assert!(told.units.is_empty() && told.unmatched.is_empty(), "{format}");
    }
}

#[test]
fn facts_of_two_exporters_meet_in_one_drive_and_strange_names_are_listed() {
    let drive = [("device", "sda"), ("model", "DISK-4"), ("serial", "S1"), ("wwn", "0x5000C500A1B2C3D4")];
    let told = Request::read(
        &[
            series("node_disk_info", &drive, &[(0, 1.0)]),
            series(
                "smartctl_device_percentage_used",
                &[("device", "sda"), ("instance", "db1:9633")],
                &[(0, 12.0)],
            ),
            series("smartctl_device_capacity_bytes", &[("device", "sda")], &[(0, 0.0)]),
            series("ceph_cluster_total_bytes", &[], &[(0, 5.0)]),
            series("go_goroutines", &[], &[(0, 5.0)]),
            series("node_disk_info", &[], &[(0, 1.0)]),
        ],
        &mappings(),
    );
    assert_eq!(told.units.len(), 1);
    let unit = told.units.values().next().expect("one");
    assert_eq!(unit.components.len(), 1);
    assert_eq!(unit.components[0].specs.serial.as_deref(), Some("S1"));
    assert_eq!(unit.components[0].specs.capacity_bytes, None, "0 is no capacity");
    assert_eq!(unit.identity[0].value, "5000c500a1b2c3d4", "strongest first");
    assert_eq!(told.samples()[0].status.endurance_used_percent, Some(12));
    let names: Vec<&String> = told.unmatched.keys().collect();
    assert_eq!(names, ["ceph_cluster_total_bytes", "node_disk_info"], "the second says of no device");
}

proptest! {
    #[test]
    fn hostile_series_give_no_impossible_status(
        told in proptest::collection::vec(
            (prop::sample::select(mappings().into_keys().collect::<Vec<_>>()), ".{0,12}", any::<f64>(), 0_i64..5), 0..40),
    ) {
        let told: Vec<Series> = told
            .iter()
            .map(|(name, device, value, second)| series(name, &[("device", device)], &[(*second, *value)]))
            .collect();
        let mut request = Request::read(&told, &mappings());
        let waits = request.join(Vec::new());
        prop_assert!(waits.iter().all(|part| part.value >= 0.0));
        for sample in request.samples() {
            let status = &sample.status;
            prop_assert!(status.utilisation.is_none_or(|ratio| (0.0..=1.0).contains(&ratio)));
            prop_assert!(status.used_bytes.is_none() || status.used_bytes <= status.capacity_bytes);
        }
        for unit in request.units.values() {
            prop_assert!(unit.key.0.len() < 60 && unit.components.iter().all(|part| !part.key.0.is_empty()));
        }
    }
}
