//! NVMe, SCSI and SATA drives, a file system on one of them, hot plug and a critical warning.

use serde_json::{Value, json};

use crate::machine::{Machine, Plan, Results, Turn};
use crate::seen::Seen;

const MIB: u64 = 1 << 20;

fn boot() -> Results {
    let drives =
        [("one", 128), ("two_a", 32), ("two_b", 32), ("shared", 32), ("scsi", 48), ("sata", 48), ("hot", 16)];
    let arguments = "-device nvme,serial=HDRMONE,id=nvone -device nvme-ns,drive=one,bus=nvone,nsid=1 \
        -device nvme,serial=HDRMTWO,id=nvtwo -device nvme-ns,drive=two_a,bus=nvtwo,nsid=1 \
        -device nvme-ns,drive=two_b,bus=nvtwo,nsid=2,logical_block_size=4096,physical_block_size=4096 \
        -device nvme,serial=HDRMNONE,id=nvnone \
        -device nvme-subsys,id=sub0,nqn=headroom-shared -device nvme,serial=HDRMSHARED,subsys=sub0,id=path0 \
        -device nvme,serial=HDRMSHARED,subsys=sub0,id=path1 -device nvme-ns,drive=shared,bus=path0,nsid=7,shared=on \
        -device virtio-scsi-pci,id=bus0,romfile= -device scsi-hd,drive=scsi,bus=bus0.0,serial=HDRMSCSI \
        -device ide-hd,drive=sata,bus=ide.0,serial=HDRMSATA \
        -device pcie-root-port,id=port0,chassis=1,slot=1";
    let turn = Turn::take();
    let mut machine = Machine::boot(&turn, &Plan { part: "drives", drives: &drives, arguments, words: "" });
    machine.wait_for("AWAIT plug");
    machine.command(&[
        json!({"execute": "qom-set", "arguments":
            {"path": "/machine/peripheral/nvone", "property": "smart_critical_warning", "value": 1}}),
        json!({"execute": "device_add", "arguments":
            {"driver": "nvme", "id": "nvhot", "serial": "HDRMHOT", "drive": "hot", "bus": "port0"}}),
    ]);
    machine.wait_for("AWAIT unplug");
    machine.command(&[json!({"execute": "device_del", "arguments": {"id": "nvhot"}})]);
    machine.results()
}

#[test]
fn drives_are_read_live_and_as_the_tools_of_others_read_them() {
    let results = boot();
    let look = |name: &str| Seen::of(&results, name);
    let (before, written) = (look("before"), look("written"));
    writes_are_counted(&before, &written);
    every_namespace_is_there(&before);
    two_paths_are_one_drive(&before, &written);
    disks_are_named(&before);
    same_as_nvme_and_smartctl(&look("compared"), &results);
    a_file_appears_and_vanishes(&look("empty"), &look("filled"), &look("emptied"));

    let (plugged, unplugged) = (look("plugged"), look("unplugged"));
    assert_eq!(before.one("drive", "HDRMONE").figure("critical_warning"), 0);
    assert_eq!(
        plugged.one("drive", "HDRMONE").figure("critical_warning"),
        1,
        "set from outside, seen at the next poll"
    );
    assert!(look("emptied").all("drive", "HDRMHOT").is_empty());
    assert_eq!(plugged.one("drive", "HDRMHOT").spec("capacity_bytes"), json!(16 * MIB));
    assert!(unplugged.all("drive", "HDRMHOT").is_empty(), "a drive that was pulled goes");
}

fn writes_are_counted(before: &Seen, after: &Seen) {
    let difference = |field: &str| {
        after.one("drive", "HDRMONE").figure(field)
            - before.one("drive", "HDRMONE").status[field].as_u64().unwrap_or(0)
    };
    // Data units are thousands of 512 bytes, rounded up.
    let written = difference("data_written_bytes");
    assert!((64 * MIB..=64 * MIB + 2 * 512_000).contains(&written), "{written} bytes written");
    assert!(difference("data_read_bytes") >= 32 * MIB - 512_000);
    let space = |seen: &Seen| {
        let spaces = seen.all("namespace", "nvme");
        let one = spaces.into_iter().find(|space| space.spec("capacity_bytes") == json!(128 * MIB)).unwrap();
        (one.figure("write_bytes"), one)
    };
    assert_eq!(space(after).0 - space(before).0, 64 * MIB, "the kernel's counters rise by what was written");
    // The emulator holds NUSE at NSZE: not a spent capacity.
    assert_eq!(space(after).1.absence("used_bytes"), Some("not_reported"));
}

fn every_namespace_is_there(seen: &Seen) {
    let two = seen.one("drive", "HDRMTWO");
    assert_eq!(two.spec("capacity_bytes"), json!(64 * MIB), "two namespaces make up the drive");
    let key = two.own["key"].clone();
    let spaces = seen.all("namespace", key.as_str().unwrap());
    let blocks: Vec<Value> = spaces.iter().map(|space| space.spec("logical_block_bytes")).collect();
    assert_eq!(spaces.len(), 2, "{spaces:#?}");
    assert!(blocks.contains(&json!(512)) && blocks.contains(&json!(4_096)), "{blocks:?}");
    let none = seen.one("drive", "HDRMNONE");
    assert_eq!(none.absence("capacity_bytes"), Some("not_reported"), "a controller without namespaces");
    assert_eq!(none.spec("capacity_bytes"), Value::Null);
}

fn two_paths_are_one_drive(before: &Seen, written: &Seen) {
    let space = |seen: &Seen| {
        let drive = seen.one("drive", "HDRMSHARED");
        let mut spaces = seen.all("namespace", drive.own["key"].as_str().unwrap());
        assert_eq!(spaces.len(), 1, "one namespace through two controllers: {spaces:#?}");
        spaces.remove(0)
    };
    let (before, written) = (space(before), space(written));
    // Kernel 6.1 counts nothing at the head: the load is that of the path nodes.
    let grown = |field: &str| written.figure(field) - before.figure(field);
    assert_eq!(grown("write_bytes"), 8 * MIB, "{written:#?}");
    assert!(grown("write_ops") >= 8 && grown("busy_milliseconds") > 0, "{written:#?}");
}

fn disks_are_named(seen: &Seen) {
    let scsi = seen.one("drive", "HDRMSCSI");
    assert_eq!(scsi.spec("capacity_bytes"), json!(48 * MIB));
    assert_eq!(scsi.spec("interface"), json!("scsi"));
    assert_eq!(
        scsi.absence("temperature_celsius"),
        Some("refused"),
        "the emulator has no LOG SENSE: {scsi:#?}"
    );
    let sata = seen.one("drive", "HDRMSATA");
    assert_eq!(sata.spec("interface"), json!("sata"));
    assert_eq!(sata.spec("model"), json!("QEMU HARDDISK"));
    assert_eq!(sata.spec("capacity_bytes"), json!(48 * MIB));
    assert!(sata.status["power_on_hours"].is_u64(), "SMART data through SAT: {sata:#?}");
}

/// A number that nvme-cli writes as number, float or text.
fn number_of(value: &Value) -> u64 {
    let text = value.as_str().map(str::to_owned).unwrap_or_else(|| value.to_string());
    text.parse::<f64>().unwrap_or_else(|_| panic!("{value} is no number")) as u64
}

fn same_as_nvme_and_smartctl(seen: &Seen, results: &Results) {
    let drive = seen.one("drive", "HDRMONE");
    let smart = results.json("nvme_smart.json");
    let fields: [(&str, &str, u64); 5] = [
        ("data_units_written", "data_written_bytes", 512_000),
        ("data_units_read", "data_read_bytes", 512_000),
        ("percent_used", "endurance_used_percent", 1),
        ("avail_spare", "spare_percent", 1),
        ("media_errors", "media_errors", 1),
    ];
    for (theirs, ours, unit) in fields {
        let told = drive.status[ours].as_u64().unwrap_or(0);
        assert_eq!(told, number_of(&smart[theirs]) * unit, "nvme {theirs}, ours {ours}");
    }
    assert_eq!(drive.status["temperature_celsius"].as_u64().unwrap(), number_of(&smart["temperature"]) - 273);
    let identify = results.json("nvme_id_ctrl.json");
    for (theirs, ours) in [("sn", "serial"), ("mn", "model"), ("fr", "firmware")] {
        assert_eq!(identify[theirs].as_str().unwrap().trim(), drive.spec(ours), "nvme {theirs}");
    }
    let space = results.json("nvme_id_ns.json");
    assert_eq!(number_of(&space["nsze"]) * 512, 128 * MIB);

    let mut read = 0;
    for number in 0..10 {
        let name = format!("smartctl_nvme{number}.json");
        if !results.path(&name).exists() {
            continue;
        }
        let theirs = results.json(&name);
        let serial = theirs["serial_number"].as_str().unwrap();
        let ours = seen.one("drive", serial);
        for (name, field) in
            [("serial_number", "serial"), ("model_name", "model"), ("firmware_version", "firmware")]
        {
            assert_eq!(theirs[name], ours.spec(field), "{serial} {field}");
        }
        let log = &theirs["nvme_smart_health_information_log"];
        for (name, field, unit) in [
            ("critical_warning", "critical_warning", 1),
            ("temperature", "temperature_celsius", 1),
            ("available_spare", "spare_percent", 1),
            ("percentage_used", "endurance_used_percent", 1),
            ("data_units_read", "data_read_bytes", 512_000),
            ("data_units_written", "data_written_bytes", 512_000),
            ("power_on_hours", "power_on_hours", 1),
            ("media_errors", "media_errors", 1),
        ] {
            // 0 is "not reported" for some of them.
            let told = ours.status[field].as_u64().unwrap_or(0);
            assert_eq!(told, number_of(&log[name]) * unit, "smartctl {name} of {serial}");
        }
        read += 1;
    }
    assert_eq!(read, 5, "controllers with one, two, no and a shared namespace, twice");

    let disks = results.text("disks.txt");
    let sata = results.json("smartctl_sata.json");
    let ours = seen.one("drive", "HDRMSATA");
    assert_eq!(sata["serial_number"], ours.spec("serial"), "{disks}");
    assert_eq!(sata["model_name"], ours.spec("model"));
    assert_eq!(sata["firmware_version"], ours.spec("firmware"));
    assert_eq!(sata["user_capacity"]["bytes"], ours.spec("capacity_bytes"));
    assert_eq!(sata["power_on_time"]["hours"], ours.status["power_on_hours"]);
    assert_eq!(sata["temperature"]["current"], ours.status["temperature_celsius"]);
    let inquiry = results.text("sg_inq.txt");
    let ours = seen.one("drive", "HDRMSCSI");
    for field in ["vendor", "model", "serial"] {
        let told = ours.spec(field);
        assert!(inquiry.contains(told.as_str().unwrap()), "sg_inq has no {told}: {inquiry}");
    }
    let capacity = results.text("sg_readcap.txt");
    assert!(capacity.contains(&ours.spec("capacity_bytes").to_string()), "{capacity}");
}

fn a_file_appears_and_vanishes(empty: &Seen, filled: &Seen, emptied: &Seen) {
    let used = |seen: &Seen| seen.one("file_system", "/mnt").figure("used_bytes");
    let grown = used(filled) - used(empty);
    assert!((40 * MIB..41 * MIB).contains(&grown), "a file of 40 MiB took {grown} bytes");
    assert!(used(emptied) - used(empty) < MIB, "it vanished");
    let inodes = |seen: &Seen| seen.one("file_system", "/mnt").figure("inodes_used");
    assert_eq!((inodes(filled) - inodes(empty), inodes(emptied) - inodes(empty)), (1, 0));
    assert_eq!(filled.one("file_system", "/mnt").status["used_source"], json!("file_system"));
    // One tree: file system, namespace, drive.
    let system = filled.one("file_system", "/mnt");
    let below = system.own["provided_by"][0].as_str().unwrap().to_owned();
    let space =
        filled.components().into_iter().find(|component| component.own["key"] == below.as_str()).unwrap();
    assert_eq!(space.own["kind"], "namespace");
    assert_eq!(space.own["provided_by"][0], filled.one("drive", "HDRMONE").own["key"]);
}
