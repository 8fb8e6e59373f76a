//! A real Prometheus scrapes a real node exporter on this machine and writes to the hub, with mutual TLS.

#![expect(clippy::unwrap_used, reason = "what a test finds missing ends it where it stands")]

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use headroom_tests::Hub;
use headroom_tests::built::checkout;
use headroom_tests::hub::free_address;

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(name: &str, arguments: &[String], log: &std::path::Path) -> Running {
    let program = checkout().join(".headroom/devices/root/usr/bin").join(name);
    let log = fs::File::create(log).unwrap();
    let child = Command::new(&program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}: run `make test-devices`", program.display()));
    Running(child)
}

#[test]
fn a_prometheus_writes_what_it_scraped_and_no_more_than_its_owner_allows() {
    let hub = Hub::serving();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let made = hub.run(&["watched", "sender", &at("sender").display().to_string()]);
    assert_eq!(made.code, 0, "{}", made.err);
    let (exporter, own) = (free_address(), free_address());
    let sender = at("sender").display().to_string();
    let configuration = format!(
        "global: {{ scrape_interval: 1s }}\n\
         scrape_configs:\n  - job_name: node\n    static_configs: [{{ targets: [\"{exporter}\"] }}]\n\
         remote_write:\n  - url: https://{}/v1/prometheus/write?consent=advice\n    \
         tls_config: {{ ca_file: {sender}/authority.pem, cert_file: {sender}/certificate.pem, \
         key_file: {sender}/key.pem, server_name: hub.headroom.internal }}\n",
        hub.intake
    );
    fs::write(at("prometheus.yml"), configuration).unwrap();
    let _exporter = start(
        "prometheus-node-exporter",
        &[
            format!("--web.listen-address={exporter}"),
            "--collector.disable-defaults".to_owned(),
            "--collector.filesystem".to_owned(),
            "--collector.diskstats".to_owned(),
        ],
        &at("exporter.log"),
    );
    let _prometheus = start(
        "prometheus",
        &[
            format!("--config.file={}", at("prometheus.yml").display()),
            format!("--storage.tsdb.path={}", at("tsdb").display()),
            format!("--web.listen-address={own}"),
        ],
        &at("prometheus.log"),
    );
    let measured = "select count(*) >= 3 from fleet.status s join fleet.components c using (component_id)
        where c.kind = 'file_system' and s.used_bytes between 1 and s.capacity_bytes";
    let busy = "select count(*) > 0 from fleet.status s join fleet.components c using (component_id)
        where c.kind = 'drive' and s.utilisation is not null";
    let begun = Instant::now();
    while hub.psql(measured) != "t" || hub.psql(busy) != "t" {
        let told = || fs::read_to_string(at("prometheus.log")).unwrap_or_default();
        assert!(begun.elapsed() < Duration::from_secs(60), "{}\n{}", told(), hub.log());
        std::thread::sleep(Duration::from_millis(300));
    }
    let doubled = hub.psql("select count(*) - count(distinct (component_id, at)) from fleet.status");
    assert_eq!(doubled, "0");
    let software =
        hub.psql("select software || ' ' || consent_advice || ' ' || consent_sales from fleet.nodes");
    assert!(software.starts_with("Prometheus/") && software.ends_with("true false"), "{software}");
}
