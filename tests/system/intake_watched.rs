//! Fleets that are watched already: what a Prometheus writes and a collector exports becomes units with status, once,
//! whatever order it comes in. The requests are put together here byte by byte, and one was recorded from a Prometheus.

use std::path::Path;

use headroom_demo::node_client::{Identity, send_with};
use headroom_tests::{Hub, built};
use serde_json::Value;

/// A sender with its certificate.
struct Sender<'a> {
    hub: &'a Hub,
    identity: Identity,
}

/// Protocol buffers: a field that has a length.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2][..], &varint(content.len() as u64), content].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A series: labels, then seconds and values.
type Told<'a> = (&'a [(&'a str, &'a str)], &'a [(i64, f64)]);

/// `prometheus.WriteRequest`.
fn write_request(series: &[Told<'_>]) -> Vec<u8> {
    let mut request = Vec::new();
    for (labels, samples) in series {
        let mut one = Vec::new();
        for (name, value) in *labels {
            one.extend(field(1, &[field(1, name.as_bytes()), field(2, value.as_bytes())].concat()));
        }
        for (second, value) in *samples {
            let milliseconds = (second * 1_000).unsigned_abs();
            let sample = [&[9][..], &value.to_le_bytes(), &[16], &varint(milliseconds)].concat();
            one.extend(field(2, &sample));
        }
        request.extend(field(1, &one));
    }
    request
}

/// A snappy block that compresses nothing.
fn snappy(plain: &[u8]) -> Vec<u8> {
    let mut block = varint(plain.len() as u64);
    for chunk in plain.chunks(60) {
        block.push((chunk.len() as u8 - 1) << 2);
        block.extend(chunk);
    }
    block
}

impl<'a> Sender<'a> {
    fn new(hub: &'a Hub, folder: &Path) -> Self {
        let made = hub.run(&["watched", "sender", &folder.display().to_string()]);
        assert_eq!(made.code, 0, "{}", made.err);
        assert!(made.out.contains("/v1/prometheus/write"), "{}", made.out);
        let id = std::fs::read_to_string(folder.join("sender.id")).expect("written");
        let identity = Identity::read(folder, id.trim().parse().expect("an id")).expect("written");
        Self { hub, identity }
    }

    async fn post(&self, path: &str, consent: &str, body: Vec<u8>) -> (u16, Value) {
        let headers = [("content-type", "application/x-protobuf"), ("user-agent", "Prometheus/2.42")];
        let path = &format!("{path}?consent={consent}");
        let config = self.identity.config().expect("TLS");
        let (status, body) =
            send_with(&self.hub.intake.to_string(), config, path, &headers, body).await.expect("an answer");
        (status.as_u16(), serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn write(&self, series: &[Told<'_>]) {
        let (status, body) =
            self.post("/v1/prometheus/write", "advice", snappy(&write_request(series))).await;
        assert_eq!(status, 204, "{body}");
    }
}

const NOW: i64 = 1_790_000_000;
type Labels = [(&'static str, &'static str); 5];

const fn of_data(name: &'static str) -> Labels {
    [
        ("__name__", name),
        ("instance", "db1:9100"),
        ("device", "/dev/sda1"),
        ("mountpoint", "/data"),
        ("fstype", "ext4"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_prometheus_writes_becomes_units_with_status_once() {
    let hub = Hub::serving();
    let folder = hub.folder().join("sender");
    let sender = Sender::new(&hub, &folder);
    let samples = |values: [f64; 3]| [0, 1, 2].map(|minute| (NOW + minute * 60, values[minute as usize]));
    let (size, free) = (samples([1e12; 3]), samples([7e11, 6e11, 5e11]));
    let busy = samples([100.0, 130.0, 145.0]);
    let disk = |name: &'static str| [("__name__", name), ("instance", "db1:9100"), ("device", "sda")];
    let info = [
        ("__name__", "node_disk_info"),
        ("instance", "db1:9100"),
        ("device", "sda"),
        ("model", "DISK-4"),
        ("serial", "S1"),
    ];
    let wear = [("__name__", "smartctl_device_percentage_used"), ("instance", "db1:9633"), ("device", "sda")];
    let (sizes, frees) = (of_data("node_filesystem_size_bytes"), of_data("node_filesystem_free_bytes"));
    let (times, strange) = (
        disk("node_disk_io_time_seconds_total"),
        [("__name__", "ceph_cluster_total_bytes"), ("instance", "ceph:9283"), ("cluster", "c1")],
    );
    for _ in 0..2 {
        // The two halves of the file system come in two requests, as from two shards.
        sender.write(&[(&sizes, &size), (&info, &[(NOW, 1.0)])]).await;
        sender.write(&[(&frees, &free), (&times, &busy), (&wear, &[(NOW, 12.0)])]).await;
        sender.write(&[(&strange, &[(NOW, 5e15)])]).await;
    }
    let told = hub.psql(
        "select string_agg(format('%s %s %s %s %s', c.kind, used_bytes, capacity_bytes_of.b, utilisation, endurance_used_percent), E'\\n'
                           order by c.kind, at)
           from fleet.status s join fleet.components c using (component_id)
           cross join lateral (select s.capacity_bytes as b) capacity_bytes_of",
    );
    assert_eq!(
        told,
        "drive    12\ndrive   0.5 \ndrive   0.25 \n\
         file_system 300000000000 1000000000000  \nfile_system 400000000000 1000000000000  \nfile_system 500000000000 1000000000000"
    );
    let known = hub
        .psql("select string_agg(kind || ' ' || coalesce(serial, '-'), ', ' order by kind) from fleet.units");
    assert_eq!(known, "drive S1, server_storage -");
    assert_eq!(
        hub.psql("select software || ' ' || consent_advice || ' ' || consent_sales from fleet.nodes"),
        "Prometheus/2.42 true false"
    );

    // What nothing maps is listed; mapped by a person, the next request tells it.
    let unmatched = hub.run(&["watched", "unmatched", "--json"]).json();
    assert_eq!(unmatched[0]["metric"], "ceph_cluster_total_bytes", "{unmatched}");
    assert_eq!(unmatched[0]["labels"]["cluster"], "c1");
    let map = |metric: &str, field: &str| {
        hub.run(&["watched", "map", metric, "--field", field, "--kind", "pool", "--label", "cluster"]).code
    };
    assert_eq!(map("ceph_cluster_total_bytes", "nonsense"), 64);
    assert_eq!(map("ceph_cluster_total_bytes", "capacity_bytes"), 0);
    assert_eq!(map("ceph_cluster_total_used_bytes", "used_bytes"), 0);
    assert_eq!(hub.run(&["watched", "unmatched", "--json"]).json(), serde_json::json!([]));
    let used = [("__name__", "ceph_cluster_total_used_bytes"), ("instance", "ceph:9283"), ("cluster", "c1")];
    sender.write(&[(&strange, &[(NOW + 60, 5e15)])]).await;
    sender.write(&[(&used, &[(NOW + 60, 2e15)])]).await;
    let pool = hub.psql(
        "select used_bytes || ' ' || s.capacity_bytes from fleet.status s join fleet.components using (component_id) where kind = 'pool'",
    );
    assert_eq!(pool, "2000000000000000 5000000000000000");

    // The next certificate ends the one before; the id and what belongs to it stay.
    let again = Sender::new(&hub, &folder);
    assert_eq!(again.identity.node, sender.identity.node);
    let (status, _) = sender.post("/v1/prometheus/write", "advice", snappy(&[])).await;
    assert_eq!(status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_consent_a_certificate_or_sense_nothing_is_taken() {
    let hub = Hub::serving();
    let sender = Sender::new(&hub, &hub.folder().join("sender"));
    let sizes = of_data("node_filesystem_size_bytes");
    let whole = snappy(&write_request(&[(&sizes, &[(NOW, 1e12)])]));
    let write = "/v1/prometheus/write";
    for (what, path, consent, body, code) in [
        ("no purpose", write, "", whole.clone(), 403),
        ("an unknown purpose", write, "everything", whole.clone(), 422),
        ("no snappy", write, "advice", b"hello".to_vec(), 422),
        ("cut off", write, "advice", whole[..whole.len() - 9].to_vec(), 422),
        ("no protocol buffer", write, "advice", snappy(&[0xff; 50]), 422),
        ("gigabytes, it says", write, "advice", vec![0xff, 0xff, 0xff, 0xff, 0x0f, 0], 413),
        ("no OTLP", "/v1/metrics", "advice", vec![0xff; 50], 422),
    ] {
        let (status, body) = sender.post(path, consent, body).await;
        assert_eq!(status, code, "{what}: {body}");
        assert!(body["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{what}: {body}");
    }
    assert_eq!(hub.psql("select count(*) from fleet.status"), "0");
    // From the future: set aside, with the reason.
    let future = jiff::Timestamp::now().as_second() + 86_400 * 365;
    let files = of_data("node_filesystem_files");
    let files_free = of_data("node_filesystem_files_free");
    sender.write(&[(&files, &[(future, 9.0)]), (&files_free, &[(future, 1.0)])]).await;
    assert_eq!(hub.psql("select count(*) from fleet.status"), "0");
    assert_eq!(hub.psql("select left(reason, 6) from fleet.set_aside"), "future");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_exports_the_same_names_by_otlp() {
    let hub = Hub::serving();
    let sender = Sender::new(&hub, &hub.folder().join("sender"));
    let attribute =
        |key: &str, value: &str| [field(1, key.as_bytes()), field(2, &field(1, value.as_bytes()))].concat();
    let nanoseconds = (NOW.unsigned_abs() * 1_000_000_000).to_le_bytes();
    let metric = |name: &str, value: f64| {
        let point = [
            &[25][..], // time, field 3 of eight bytes
            &nanoseconds,
            &[33], // value, field 4 of eight bytes
            &value.to_le_bytes(),
            &field(7, &attribute("device", "/dev/sda1")),
            &field(7, &attribute("mountpoint", "/data")),
        ]
        .concat();
        field(2, &[field(1, name.as_bytes()), field(5, &field(1, &point))].concat())
    };
    let metrics =
        [metric("node_filesystem_size_bytes", 1e12), metric("node_filesystem_free_bytes", 2.5e11)].concat();
    let resource = field(1, &field(1, &attribute("service.instance.id", "db1:9100")));
    let request = field(1, &[resource, field(2, &metrics)].concat());
    for _ in 0..2 {
        let (status, body) = sender.post("/v1/metrics", "support", request.clone()).await;
        assert_eq!(status, 200, "{body}");
    }
    assert_eq!(hub.psql("select used_bytes from fleet.status"), "750000000000");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_a_prometheus_sent_is_read() {
    let hub = Hub::serving();
    let sender = Sender::new(&hub, &hub.folder().join("sender"));
    let recorded = built::checkout().join("tests/fixtures/watched/prometheus-2.42.snappy");
    let body = std::fs::read(recorded).expect("a fixture");
    let (status, told) = sender.post("/v1/prometheus/write", "advice", body).await;
    assert_eq!(status, 204, "{told}");
    let file_systems = hub.psql(
        "select count(*) from fleet.status s join fleet.components c using (component_id)
          where kind = 'file_system' and used_bytes between 1 and s.capacity_bytes and inodes_used > 0",
    );
    assert_ne!(file_systems, "0", "size and free space of a mounted file system");
    let disks = hub.psql(
        "select count(*) from fleet.status s join fleet.components c using (component_id)
          where kind = 'drive' and busy_milliseconds is not null and read_bytes > 0",
    );
    assert_ne!(disks, "0", "counters of a disk");
}
