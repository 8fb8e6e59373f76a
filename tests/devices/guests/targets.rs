//! A thin unit, device-mapper thin, NVMe over TCP, and a device that swallows every command.

use serde_json::json;

use crate::machine::{Machine, Plan, Results, Turn};
use crate::seen::{Component, Seen};

const MIB: u64 = 1 << 20;

#[test]
fn pools_and_targets_are_read_live_and_a_stuck_device_delays_nobody() {
    let turn = Turn::take();
    let machine = Machine::boot(&turn, &Plan { part: "targets", drives: &[], arguments: "", words: "" });
    let results = machine.results();
    let look = |name: &str| Seen::of(&results, name);
    thin_unit(&look("thin_fresh"), &look("thin_written"), &look("thin_discarded"), &look("thin_full"));
    same_as_sg_tools(&look("thin_written").one("drive", "HDRMTHIN"), &results);
    thin_pool(&look("dm_written"), &look("dm_discarded"), &results);
    over_tcp(&look("tcp_before"), &look("tcp_written"), &results);
    paths(&look("tcp_written"), &look("ana_slower"), &look("ana_lost"), &results);
    stuck(&results);
}

fn thin_unit(fresh: &Seen, written: &Seen, discarded: &Seen, full: &Seen) {
    let unit = |seen: &Seen| seen.one("drive", "HDRMTHIN");
    let used = |seen: &Seen| unit(seen).figure("used_bytes");
    // The kernel reads the first blocks of a new disk; it writes none.
    assert_eq!(used(fresh), 0);
    assert_eq!(used(written), 20 * MIB, "page 0Ch moves with writes");
    assert_eq!(used(discarded), 10 * MIB, "and with discards");
    assert_eq!(used(full), 48 * MIB, "the pool is exhausted");
    let unit = unit(written);
    assert_eq!(unit.spec("thin"), json!(true));
    assert_eq!(unit.spec("capacity_bytes"), json!(64 * MIB));
    assert_eq!(unit.figure("capacity_bytes"), 48 * MIB, "what the pool behind it can hold");
    assert_eq!(unit.status["used_source"], json!("scsi_log_page0c"));
    assert_eq!(unit.figure("endurance_used_percent"), 17);
    assert_eq!(unit.figure("temperature_celsius"), 31);
    assert!(unit.own["identity"].to_string().contains("6001405adeadbeef"), "{:#?}", unit.own);
}

/// The number after a label in the text of a tool.
fn after(text: &str, label: &str) -> u64 {
    let rest = text.split(label).nth(1).unwrap_or_else(|| panic!("no {label:?} in {text}"));
    let digits: String =
        rest.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("no number after {label:?} in {text}"))
}

fn same_as_sg_tools(unit: &Component, results: &Results) {
    let provisioning = results.text("sg_logs_0c.txt");
    assert_eq!(
        after(&provisioning, "Used LBA mapping threshold") * MIB,
        unit.figure("used_bytes"),
        "{provisioning}"
    );
    let available = after(&provisioning, "Available LBA mapping threshold");
    assert_eq!(available * MIB + unit.figure("used_bytes"), unit.figure("capacity_bytes"));
    let wear = results.text("sg_logs_11.txt");
    assert_eq!(
        after(&wear, "Percentage used endurance indicator"),
        unit.figure("endurance_used_percent"),
        "{wear}"
    );
    let counts = results.text("sg_logs_19.txt");
    assert_eq!(after(&counts, "number of write commands"), unit.figure("write_ops"), "{counts}");
    assert_eq!(
        after(&counts, "number of logical blocks received") * 512,
        unit.figure("write_bytes"),
        "{counts}"
    );
    let temperature = results.text("sg_logs_0d.txt");
    assert_eq!(
        after(&temperature, "Current temperature"),
        unit.figure("temperature_celsius"),
        "{temperature}"
    );
    let exponent = results.text("sg_vpd_b2.txt");
    assert!(exponent.to_lowercase().contains("thin"), "{exponent}");
}

fn thin_pool(written: &Seen, discarded: &Seen, results: &Results) {
    let pool = |seen: &Seen| seen.one("pool", "dm-thin");
    assert_eq!(pool(written).figure("used_bytes"), 20 * MIB);
    assert_eq!(pool(discarded).figure("used_bytes"), 10 * MIB);
    assert_eq!(pool(written).figure("capacity_bytes"), 64 * MIB);
    assert_eq!(pool(written).figure("metadata_capacity_bytes"), 4 * MIB, "metadata is a resource of its own");
    for (seen, name) in [(written, "dmsetup_written.txt"), (discarded, "dmsetup_discarded.txt")] {
        let status = results.text(name);
        let line = status.lines().find(|line| line.contains("thin-pool")).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        let used = |word: &str| word.split('/').next().unwrap().parse::<u64>().unwrap();
        assert_eq!(used(words[5]) * 4_096, pool(seen).figure("metadata_used_bytes"), "{line}");
        assert_eq!(used(words[6]) * 65_536, pool(seen).figure("used_bytes"), "{line}");
    }
    let volume =
        written.all("volume", "volume").into_iter().find(|volume| volume.spec("thin") == json!(true));
    let volume = volume.expect("the thin volume is there");
    assert_eq!(volume.figure("used_bytes"), 20 * MIB);
    assert_eq!(volume.own["provided_by"][0], pool(written).own["key"], "one pool, seen through its volume");
}

fn over_tcp(before: &Seen, written: &Seen, results: &Results) {
    let drive = |seen: &Seen| seen.one("drive", r#""interface":"nvme""#);
    let total = |seen: &Seen| drive(seen).status["data_written_bytes"].as_u64().unwrap_or(0);
    let grown = total(written) - total(before);
    assert!((8 * MIB..=8 * MIB + 2 * 512_000).contains(&grown), "{grown}");
    assert_eq!(drive(written).absence("temperature_celsius"), Some("not_reported"), "0 K is no temperature");
    let smart = results.json("nvme_smart.json");
    let units =
        smart["data_units_written"].as_f64().or_else(|| smart["data_units_written"].as_str()?.parse().ok());
    assert_eq!(units.unwrap() as u64 * 512_000, total(written));
}

/// A path that leads nowhere is remarked, one that is merely slower is not.
fn paths(well: &Seen, slower: &Seen, lost: &Seen, results: &Results) {
    let theirs = results.text("nvme_ana.json");
    assert!(theirs.contains("optimized"), "{theirs}");
    let remarks = |seen: &Seen| {
        let drive = seen.one("drive", r#""interface":"nvme""#);
        seen.remarks(&drive).into_iter().filter(|text| text.starts_with("paths: ")).collect::<Vec<_>>()
    };
    assert!(remarks(well).is_empty() && remarks(slower).is_empty(), "{:?}", remarks(slower));
    let told = remarks(lost);
    assert!(matches!(told.as_slice(), [one] if one.contains("[1] are in state Inaccessible")), "{told:?}");
}

fn stuck(results: &Results) {
    let looks = Seen::several(results, "stuck");
    assert_eq!(looks.len(), 2);
    let seconds: u64 = results.text("stuck_seconds.txt").trim().parse().unwrap();
    assert!(seconds < 20, "two looks with 3 s of patience took {seconds} s");
    for look in &looks {
        assert_eq!(look.one("drive", "HDRMTHIN").figure("used_bytes"), 48 * MIB, "its neighbour answers");
        let swallowed = look.one("drive", "scsi_debug");
        assert_eq!(swallowed.absence("temperature_celsius"), Some("timed_out"), "{swallowed:#?}");
    }
}
