//! Drives behind RAID controllers and USB bridges, from files of `smartctl --json` that a timer writes anew. Its owner
//! knows how each is asked (`-d megaraid,7`), so no command is sent to them from here.

use std::collections::BTreeMap;
use std::path::Path;

use headroom_core::unit::{AbsenceReason, ComponentKind, EvidenceKind, Status, Teller};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::Found;
use crate::decode::{Findings, Part, capture, smartctl};
use crate::transport::{Transport, attribute};

/// Files of a folder at most.
const FILES_MAX: usize = 256;
/// How long the figures of a file are those of now.
const FRESH: SignedDuration = SignedDuration::from_hours(1);
/// Drivers of controllers that may hide the drives behind them.
const RAID_DRIVERS: [&str; 7] =
    ["megaraid_sas", "hpsa", "smartpqi", "aacraid", "arcmsr", "3w-9xxx", "3w-sas"];

/// The probe: it remembers who each file told of, because a drive that sleeps or a file that is damaged does not say.
#[derive(Debug, Default)]
pub struct SmartctlFiles {
    known: BTreeMap<String, Findings>,
}

impl SmartctlFiles {
    /// Adds the drives of the folder's files, and what they tell of drives that were found already. Gives what a person
    /// should know.
    pub fn measure(
        &mut self,
        transport: &dyn Transport,
        folder: Option<&Path>,
        now: Timestamp,
        found: &mut Vec<Found>,
    ) -> Vec<String> {
        let Some(folder) = folder else { return hidden(transport) };
        let names = match transport.list(folder) {
            Ok(names) => names,
            Err(error) => return vec![format!("smartctl_folder cannot be read: {error}")],
        };
        // A timer writes under a hidden or another name first, and renames.
        let names = names.into_iter().filter(|name| name.ends_with(".json") && !name.starts_with('.'));
        let mut remarks = Vec::new();
        for name in names.take(FILES_MAX) {
            if let Err(why) = self.file(transport, folder, &name, now, found) {
                remarks.push(format!("the smartctl file {name} tells nothing: {why}"));
                let known = self.known.iter().filter(|(place, _)| place.starts_with(&format!("{name} ")));
                for (place, known) in known {
                    let mut findings = known.clone();
                    absent(&mut findings, AbsenceReason::Unbelievable, &format!("its smartctl file: {why}"));
                    join(place, None, findings, Vec::new(), found);
                }
            }
        }
        remarks
    }

    fn file(
        &mut self,
        transport: &dyn Transport,
        folder: &Path,
        name: &str,
        now: Timestamp,
        found: &mut Vec<Found>,
    ) -> Result<(), String> {
        let bytes = transport.read(&folder.join(name)).map_err(|error| error.to_string())?;
        let documents = capture::documents(&bytes).map_err(|error| error.to_string())?;
        if documents.is_empty() {
            return Err("it is empty".to_owned());
        }
        for (index, document) in documents.iter().enumerate() {
            if document.get("devices").is_some() {
                return Err("it lists devices (--scan) and asks none".to_owned());
            }
            let mut parts = smartctl::decode(document).map_err(|error| error.to_string())?;
            let drive = parts.remove(0);
            let mut findings = drive.findings;
            let place = format!("{name} {index}");
            if findings.identity.is_empty() {
                if let Some(known) = self.known.get(&place) {
                    findings.merge(known.clone());
                }
            } else {
                let Findings { identity, specs, .. } = findings.clone();
                self.known.insert(place.clone(), Findings { identity, specs, ..Findings::default() });
            }
            if let Some(why) = too_old(document, now) {
                absent(&mut findings, AbsenceReason::NotReported, &why);
            }
            join(&place, drive.label, findings, parts, found);
        }
        Ok(())
    }
}

/// Why the figures of a document are not those of now.
fn too_old(document: &Value, now: Timestamp) -> Option<String> {
    let seconds = document.pointer("/local_time/time_t").and_then(Value::as_i64);
    let Some(taken) = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok()) else {
        return Some("its smartctl file does not say when it was taken".to_owned());
    };
    (now.duration_since(taken).abs() > FRESH)
        .then(|| format!("its smartctl file is of {taken}: let the timer write it at least once an hour"))
}

/// No figure of now. What the drive is and how large it is stays true.
fn absent(findings: &mut Findings, reason: AbsenceReason, why: &str) {
    findings.status = Status::default();
    for field in Teller::DrivePages.names().chain(Teller::NvmePages.names()) {
        let was_told = findings.sources.remove(field).is_some();
        findings.missing.retain(|missing| missing.field != field);
        if was_told || Teller::DrivePages.names().any(|name| name == field) {
            findings.absent(field, reason, why);
        }
    }
}

/// Adds what a file tells to the drive that it is about, where that was found already; else as a drive of its own.
fn join(place: &str, label: Option<String>, findings: Findings, parts: Vec<Part>, found: &mut Vec<Found>) {
    let node =
        label.as_deref().filter(|label| !label.contains(',')).and_then(|label| label.strip_prefix("/dev/"));
    let is_it = |other: &Found| {
        other.kind == ComponentKind::Drive
            && (node.is_some_and(|node| is_at(other, node)) || is_same(&other.findings, &findings))
    };
    if let Some(known) = found.iter_mut().find(|other| is_it(other)) {
        known.findings.merge(findings);
        return;
    }
    let name = format!("smartctl:{place}");
    let host_path = format!("smartctl {}", label.as_deref().unwrap_or(place));
    let components = parts.into_iter().enumerate().map(|(index, part)| Found {
        name: format!("{name} part {index}"),
        kind: part.kind,
        label: part.label,
        below: vec![name.clone()],
        host_path: format!("{host_path} part {index}"),
        attachment: None,
        findings: part.findings,
    });
    let components: Vec<Found> = components.collect();
    found.push(Found {
        name,
        kind: ComponentKind::Drive,
        label,
        below: Vec::new(),
        host_path,
        attachment: None,
        findings,
    });
    found.extend(components);
}

/// Whether a drive is the one behind a node such as `sda`, `nvme0` or `nvme0n1`.
fn is_at(drive: &Found, node: &str) -> bool {
    let controller = node.strip_prefix("nvme").and_then(|rest| rest.split('n').next());
    drive.name.strip_prefix("block:") == Some(node)
        || controller.is_some_and(|number| drive.label.as_deref() == Some(&format!("nvme{number}")))
}

/// Whether two look like one drive. Names are shared by whole batches, so serial numbers that differ decide.
fn is_same(one: &Findings, other: &Findings) -> bool {
    if let (Some(one), Some(other)) = (&one.specs.serial, &other.specs.serial)
        && one != other
    {
        return false;
    }
    let names = one.identity.iter().filter(|evidence| evidence.kind < EvidenceKind::Serial);
    names.into_iter().any(|evidence| other.identity.contains(evidence))
}

/// Controllers behind which there may be drives that nobody tells of.
fn hidden(transport: &dyn Transport) -> Vec<String> {
    let class = Path::new("/sys/class/scsi_host");
    let hosts = transport.list(class).unwrap_or_default();
    let drivers = hosts.iter().filter_map(|host| attribute(transport, &class.join(host).join("proc_name")));
    let mut drivers: Vec<String> = drivers.filter(|driver| RAID_DRIVERS.contains(&driver.as_str())).collect();
    drivers.sort();
    drivers.dedup();
    let sentence = |driver: String| {
        format!(
            "there is a RAID controller ({driver}): of the drives that it hides, the setting smartctl_folder tells"
        )
    };
    drivers.into_iter().map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use headroom_core::quantity::Bytes;
    use headroom_core::unit::{AbsenceReason, ComponentKind, EvidenceKind};
    use jiff::{SignedDuration, Timestamp};
    use serde_json::{Value, json};

    use super::SmartctlFiles;
    use crate::decode::Findings;
    use crate::probe::Found;
    use crate::transport::Recorded;

    const FOLDER: &str = "/var/lib/smartctl";

    struct Machine {
        root: tempfile::TempDir,
        probe: SmartctlFiles,
        now: Timestamp,
    }

    impl Machine {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            fs::create_dir_all(root.path().join("var/lib/smartctl")).unwrap();
            let now = "2026-11-27T12:00:00Z".parse().unwrap();
            Self { root, probe: SmartctlFiles::default(), now }
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.root.path().join("var/lib/smartctl").join(name), text).unwrap();
        }

        fn look(&mut self, mut found: Vec<Found>) -> (Vec<Found>, Vec<String>) {
            let machine = Recorded::below(self.root.path());
            let remarks = self.probe.measure(&machine, Some(Path::new(FOLDER)), self.now, &mut found);
            (found, remarks)
        }

        fn drive(&self, number: u32, serial: &str, wear: u32) -> Value {
            json!({"json_format_version": [1, 0], "smartctl": {"exit_status": 0},
                "local_time": {"time_t": self.now.as_second() - 300},
                "device": {"name": "/dev/bus/0", "type": format!("megaraid,{number}"), "protocol": "SCSI"},
                "scsi_vendor": "SEAGATE", "scsi_product": "ST1200", "serial_number": serial,
                // The controller's own name, for every drive behind it.
                "logical_unit_id": "0x600605b00a1b2c3d", "user_capacity": {"bytes": 1_200_243_695_616_u64},
                "scsi_percentage_used_endurance_indicator": wear, "temperature": {"current": 31}})
        }
    }

    fn reason(found: &Found, field: &str) -> Option<AbsenceReason> {
        found.findings.missing.iter().find(|missing| missing.field == field).map(|missing| missing.reason)
    }

    #[test]
    fn drives_behind_a_controller_are_drives_of_their_own() {
        let mut machine = Machine::new();
        for (number, serial) in [(7, "S7"), (8, "S8")] {
            machine.write(&format!("{number}.json"), &machine.drive(number, serial, number).to_string());
        }
        machine.write(".9.json", "{half");
        let (found, remarks) = machine.look(Vec::new());
        assert!(remarks.is_empty(), "{remarks:?}");
        assert_eq!(found.len(), 2, "one name for both, and two serial numbers: {found:?}");
        assert_eq!(found[1].findings.specs.capacity_bytes, Some(Bytes(1_200_243_695_616)));
        assert_eq!(found[1].findings.status.endurance_used_percent, Some(8));
        assert_eq!(found[1].label.as_deref(), Some("/dev/bus/0 megaraid,8"));
    }

    #[test]
    fn an_old_file_tells_what_the_drive_is_and_no_figure_of_now() {
        let mut machine = Machine::new();
        machine.write("7.json", &machine.drive(7, "S7", 3).to_string());
        machine.now += SignedDuration::from_hours(2);
        let (found, _) = machine.look(Vec::new());
        assert_eq!(found[0].findings.specs.serial.as_deref(), Some("S7"));
        assert_eq!(found[0].findings.status, headroom_core::unit::Status::default());
        assert_eq!(reason(&found[0], "endurance_used_percent"), Some(AbsenceReason::NotReported));
        machine.now -= SignedDuration::from_hours(24);
        assert_eq!(machine.look(Vec::new()).0[0].findings.status.temperature_celsius, None, "of tomorrow");
    }

    #[test]
    fn a_drive_that_sleeps_or_a_damaged_file_keeps_its_identity_and_says_why() {
        let mut machine = Machine::new();
        machine.write("7.json", &machine.drive(7, "S7", 3).to_string());
        let awake = machine.look(Vec::new()).0.remove(0);
        let asleep = json!({"json_format_version": [1, 0], "local_time": {"time_t": machine.now.as_second()},
            "smartctl": {"exit_status": 2, "messages": [{"string": "Device is in STANDBY mode, exit(2)"}]},
            "device": {"name": "/dev/bus/0", "type": "megaraid,7", "protocol": "SCSI"}});
        machine.write("7.json", &asleep.to_string());
        let found = machine.look(Vec::new()).0.remove(0);
        assert_eq!(found.findings.identity, awake.findings.identity);
        assert_eq!(reason(&found, "endurance_used_percent"), Some(AbsenceReason::Asleep));
        for damaged in ["{\"json_format_version\": [1", "", "{}", "{\"devices\": []}"] {
            machine.write("7.json", damaged);
            let (found, remarks) = machine.look(Vec::new());
            assert!(remarks[0].contains("7.json"), "{remarks:?}");
            assert_eq!(found[0].findings.identity, awake.findings.identity, "{damaged}");
            assert_eq!(reason(&found[0], "endurance_used_percent"), Some(AbsenceReason::Unbelievable));
        }
    }

    #[test]
    fn what_is_seen_already_is_one_drive_and_a_shared_name_joins_nobody() {
        let mut machine = Machine::new();
        let mut bridged = machine.drive(0, "S1", 3);
        bridged["device"] = json!({"name": "/dev/sda", "type": "sat", "protocol": "SCSI"});
        machine.write("sda.json", &bridged.to_string());
        machine.write("7.json", &machine.drive(7, "S7", 7).to_string());
        let mut findings = Findings::default();
        findings.evidence(EvidenceKind::Naa, "600605b00a1b2c3d");
        findings.specs.serial = Some("BRIDGE".to_owned());
        let seen = Found {
            name: "block:sda".to_owned(),
            kind: ComponentKind::Drive,
            label: Some("sda".to_owned()),
            below: Vec::new(),
            host_path: "usb".to_owned(),
            attachment: None,
            findings,
        };
        let (found, _) = machine.look(vec![seen]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(
            found[0]
                .findings
                .status
                .endurance_used_percent
                .zip(found[1].findings.status.endurance_used_percent),
            Some((3, 7))
        );
    }

    #[test]
    fn a_controller_that_hides_drives_is_named_with_what_would_show_them() {
        let root = tempfile::tempdir().unwrap();
        for (host, driver) in [("host0", "ahci"), ("host1", "megaraid_sas"), ("host2", "megaraid_sas")] {
            let folder = root.path().join("sys/class/scsi_host").join(host);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("proc_name"), driver).unwrap();
        }
        let machine = Recorded::below(root.path());
        let remarks =
            SmartctlFiles::default().measure(&machine, None, Timestamp::UNIX_EPOCH, &mut Vec::new());
        assert_eq!(remarks.len(), 1);
        assert!(remarks[0].contains("megaraid_sas") && remarks[0].contains("smartctl_folder"), "{remarks:?}");
    }
}
