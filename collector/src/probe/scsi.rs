//! SCSI units and SATA drives, by SG_IO on the block device's node. Those that sleep are left asleep, and what they told
//! when they were awake stays their identity.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use headroom_core::{
    quantity::Bytes,
    unit::{AbsenceReason, ComponentKind, Teller},
};

use super::Found;
use super::guard::{Guard, NoAnswer};
use super::scsi_unit::Unit;
use super::session::{Refusals, Refused, Session};
use super::{sata_drive, scsi_unit};
use crate::decode::Findings;
use crate::transport::{Transport, attribute};

/// The probe: a worker for each device, what firmwares refused, who the devices said they are.
#[derive(Debug, Default)]
pub struct Scsi {
    guard: Guard<Asked>,
    refusals: Refusals,
    known: BTreeMap<String, Findings>,
}

/// What a worker brings back.
#[derive(Debug)]
struct Asked {
    /// `None` of a device that sleeps.
    unit: Option<Unit>,
    refused: Refused,
}

/// How a device is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Scsi,
    Sata,
}

impl Scsi {
    /// Asks every SCSI disk among the components found so far and adds what it tells. True where a drive sleeps.
    pub fn measure(
        &mut self,
        transport: &Arc<dyn Transport>,
        patience: Duration,
        found: &mut [Found],
    ) -> bool {
        let mut asked = Vec::new();
        let mut questions = Vec::new();
        for (index, component) in found.iter_mut().enumerate() {
            let Some(device) = disk(component) else { continue };
            if component.host_path.contains("/usb") {
                let detail = "it hangs on a USB bridge, and asking would wake the drive: smartctl_folder takes what a timer asks";
                absent(&mut component.findings, AbsenceReason::Unsupported, detail);
                continue;
            }
            let manner = match attribute(&**transport, &sysfs(&device).join("device/vendor")).as_deref() {
                Some("ATA") => Manner::Sata,
                _ => Manner::Scsi,
            };
            let firmware = firmware_key(&**transport, &device);
            let refused = self.refusals.of(&firmware);
            let (transport, name) = (Arc::clone(transport), device.clone());
            let question: Box<dyn FnOnce() -> Asked + Send> =
                Box::new(move || ask(transport, &name, manner, refused));
            asked.push((index, firmware));
            questions.push((device, question));
        }
        let answers = self.guard.ask_all(questions, patience);
        let mut any_sleeps = false;
        for ((index, firmware), (_, answer)) in asked.into_iter().zip(answers) {
            let component = &mut found[index];
            match answer {
                Ok(Asked { unit: Some(unit), refused }) => {
                    self.refusals.remember(&firmware, refused);
                    self.known.insert(firmware, who(&unit.findings));
                    take(component, unit);
                }
                Ok(Asked { unit: None, refused }) => {
                    any_sleeps = true;
                    self.refusals.remember(&firmware, refused);
                    self.recall(component, &firmware);
                    let detail = "the drive sleeps and was left asleep";
                    absent(&mut component.findings, AbsenceReason::Asleep, detail);
                }
                Err(reason) => {
                    self.recall(component, &firmware);
                    let detail = match reason {
                        NoAnswer::TimedOut => "the device did not answer in time",
                        NoAnswer::StillOutstanding(_) => {
                            "an earlier command has not come back; no other is sent until it does"
                        }
                        NoAnswer::NoWorker => "no worker could be started to ask it",
                    };
                    absent(&mut component.findings, AbsenceReason::TimedOut, detail);
                }
            }
        }
        any_sleeps
    }

    /// Who the device said it is when it last answered: its key must not change because it sleeps or hangs.
    fn recall(&self, component: &mut Found, firmware: &str) {
        if let Some(known) = self.known.get(firmware) {
            component.findings.merge(known.clone());
        }
    }
}

/// The device's name, where the component is a disk of the SCSI layer.
fn disk(component: &Found) -> Option<String> {
    let device = component.name.strip_prefix("block:")?;
    (component.kind == ComponentKind::Drive && device.starts_with("sd")).then(|| device.to_owned())
}

fn sysfs(device: &str) -> PathBuf {
    Path::new("/sys/block").join(device)
}

/// A firmware on an attachment: another drive under the same name starts anew.
fn firmware_key(transport: &dyn Transport, device: &str) -> String {
    let folder = sysfs(device);
    let text = |name: &str| attribute(transport, &folder.join(name)).unwrap_or_default();
    format!("{device} {} {} {}", text("diskseq"), text("device/model"), text("device/rev"))
}

fn ask(transport: Arc<dyn Transport>, device: &str, manner: Manner, refused: Refused) -> Asked {
    let folder = sysfs(device);
    let text = |name: &str| attribute(&*transport, &folder.join(name));
    let is_suspended = text("device/power/runtime_status").as_deref() == Some("suspended");
    // Solid-state drives have nothing to spin up, and some of them call themselves asleep for ever.
    let may_sleep = text("queue/rotational").as_deref() != Some("0");
    let node = PathBuf::from("/dev").join(device);
    let mut session = Session::new(Arc::clone(&transport), node, refused);
    let sleeps = is_suspended
        || may_sleep
            && match manner {
                Manner::Scsi => scsi_unit::sleeps(&mut session),
                Manner::Sata => sata_drive::sleeps(&mut session),
            };
    let unit = (!sleeps).then(|| match manner {
        Manner::Scsi => scsi_unit::ask(&mut session),
        Manner::Sata => Unit { findings: sata_drive::ask(&mut session), limit_bytes: None },
    });
    Asked { unit, refused: session.into_refused() }
}

/// Identity and specifications alone.
fn who(findings: &Findings) -> Findings {
    Findings { identity: findings.identity.clone(), specs: findings.specs.clone(), ..Findings::default() }
}

fn take(component: &mut Found, unit: Unit) {
    let findings = &mut component.findings;
    // /sys cuts a model off after 16 characters; a SATA drive's own page has the whole.
    if let (Some(cut), Some(whole)) = (&findings.specs.model, &unit.findings.specs.model)
        && whole.starts_with(cut.as_str())
    {
        findings.specs.model = None;
    }
    findings.merge(unit.findings);
    if let (Some(limit), Some(size)) = (unit.limit_bytes, findings.status.capacity_bytes)
        && limit < size.0
    {
        findings.status.capacity_bytes = Some(Bytes(limit));
        findings.source(
            "capacity_bytes",
            "SCSI log page 0Ch: what the unit uses and what the pool that it shares has left",
        );
    }
}

fn absent(findings: &mut Findings, reason: AbsenceReason, detail: &str) {
    for field in Teller::DrivePages.names() {
        findings.absent(field, reason, detail);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;

    use headroom_core::{
        quantity::Bytes,
        unit::{AbsenceReason, CapacitySource, ComponentKind, EvidenceKind},
    };

    use super::Scsi;
    use crate::decode::Findings;
    use crate::probe::Found;
    use crate::probe::scsi_command::{
        CHECK_POWER_MODE, IDENTIFY, READ_CAPACITY, REQUEST_SENSE, log_sense, read_log, vital_product_data,
    };
    use crate::transport::{Fault, Faulty, Recorded, Transport};

    const PATIENCE: Duration = Duration::from_secs(5);
    const NODE: &str = "/dev/sda";

    fn machine(root: &Path, vendor: &str) -> Recorded {
        let folder = root.join("sys/block/sda/device");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("vendor"), vendor).unwrap();
        Recorded::below(root)
    }

    fn found() -> Vec<Found> {
        let mut findings = Findings::default();
        findings.status.capacity_bytes = Some(Bytes(64 << 20));
        vec![Found {
            name: "block:sda".to_owned(),
            kind: ComponentKind::Drive,
            label: None,
            below: Vec::new(),
            host_path: "pci".to_owned(),
            attachment: None,
            findings,
        }]
    }

    fn list(pages: &[u8]) -> Vec<u8> {
        [&[0, 0, 0, pages.len() as u8], pages].concat()
    }

    /// A thin unit of 64 MiB on a shared pool: 20 MiB used, 28 MiB left.
    fn set_thin(machine: &Recorded) {
        machine.set_scsi(NODE, &vital_product_data(0, 252), list(&[0x00, 0x80, 0xb2]));
        machine.set_scsi(NODE, &vital_product_data(0x80, 252), b"\0\x80\0\x04THIN".to_vec());
        machine.set_scsi(NODE, &vital_product_data(0xb2, 252), vec![0, 0xb2, 0, 4, 11, 0xe4, 2, 0]);
        let mut capacity = vec![0; 32];
        capacity[4..8].copy_from_slice(&0x1_ffff_u32.to_be_bytes());
        capacity[10] = 2;
        machine.set_scsi(NODE, &READ_CAPACITY, capacity);
        machine.set_scsi(NODE, &log_sense(0, 0), list(&[0x00, 0x0c, 0x0d]));
        let page = [0x0c, 0, 0, 24, 0, 1, 3, 8, 0, 0, 0, 28, 2, 0, 0, 0, 0, 2, 3, 8, 0, 0, 0, 20, 1, 0, 0, 0];
        machine.set_scsi(NODE, &log_sense(0x0c, 0), page.to_vec());
        machine.set_scsi(NODE, &log_sense(0x0d, 0), vec![0x0d, 0, 0, 6, 0, 0, 3, 2, 0, 31]);
    }

    #[test]
    fn a_thin_unit_can_hold_what_it_uses_and_what_its_pool_has_left() {
        let root = tempfile::tempdir().unwrap();
        let machine = Arc::new(machine(root.path(), "HEADROOM"));
        set_thin(&machine);
        let transport: Arc<dyn Transport> = Arc::clone(&machine) as Arc<dyn Transport>;
        let mut probe = Scsi::default();
        let mut found = found();
        probe.measure(&transport, PATIENCE, &mut found);
        let findings = &found[0].findings;
        assert_eq!(findings.status.used_bytes, Some(Bytes(20 << 20)));
        assert_eq!(findings.status.used_source, Some(CapacitySource::ScsiLogPage0c));
        assert_eq!(findings.status.capacity_bytes, Some(Bytes(48 << 20)));
        assert_eq!(findings.status.temperature_celsius, Some(31));
        assert_eq!(findings.specs.serial.as_deref(), Some("THIN"));
        let asked = machine.asked();
        assert!(!asked.iter().any(|one| one.contains("[4d, 00, 4e")), "only pages on the list: {asked:?}");
    }

    #[test]
    fn what_a_firmware_refuses_is_asked_once() {
        let root = tempfile::tempdir().unwrap();
        let machine = Arc::new(machine(root.path(), "QEMU"));
        let transport: Arc<dyn Transport> = Arc::clone(&machine) as Arc<dyn Transport>;
        let mut probe = Scsi::default();
        for _ in 0..3 {
            let mut found = found();
            probe.measure(&transport, PATIENCE, &mut found);
            let missing = &found[0].findings.missing;
            assert!(
                missing.iter().any(|m| m.field == "power_on_hours" && m.reason == AbsenceReason::Refused)
            );
        }
        assert_eq!(machine.asked().iter().filter(|one| one.contains("[4d,")).count(), 1);
    }

    #[test]
    fn a_sleeping_drive_is_left_asleep_and_keeps_its_identity() {
        let root = tempfile::tempdir().unwrap();
        let machine = Arc::new(machine(root.path(), "ATA"));
        let transport: Arc<dyn Transport> = Arc::clone(&machine) as Arc<dyn Transport>;
        let power = |mode: u8| {
            let registers = [0x09, 0x0c, 0, 0, 0, mode, 0, 0, 0, 0, 0, 0, 0, 0x50];
            machine.set_scsi(
                NODE,
                &CHECK_POWER_MODE,
                [&[0x72, 1, 0, 0x1d, 0, 0, 0, 14][..], &registers].concat(),
            );
        };
        let mut identify = vec![0_u8; 512];
        identify[20..40].copy_from_slice(b"ESIRLA1              ".first_chunk::<20>().unwrap());
        identify[54..94].fill(b'M');
        identify[120..124].copy_from_slice(&1_000_u32.to_le_bytes());
        // A world wide name (word 87 bit 8) and general purpose logging (word 84 bit 5).
        identify[175] = 0x41;
        identify[168] = 0x20;
        identify[216..224].copy_from_slice(&[0, 0x50, 0xc5, 0, 0x34, 0x12, 0x78, 0x56]);
        machine.set_scsi(NODE, &IDENTIFY, identify);
        let mut directory = vec![0; 512];
        directory[8] = 8;
        machine.set_scsi(NODE, &read_log(0, 0), directory);
        let mut pages = vec![0; 512];
        (pages[8], pages[9], pages[10]) = (2, 0, 7);
        machine.set_scsi(NODE, &read_log(4, 0), pages);
        let mut wear = vec![0; 512];
        (wear[2], wear[8], wear[15]) = (7, 12, 0xc0);
        machine.set_scsi(NODE, &read_log(4, 7), wear);
        power(0xff);
        let mut probe = Scsi::default();
        let mut awake = found();
        assert!(!probe.measure(&transport, PATIENCE, &mut awake));
        let wwn = awake[0].findings.identity.iter().find(|evidence| evidence.kind == EvidenceKind::Wwn);
        assert!(wwn.is_some(), "{:?}", awake[0].findings);
        assert_eq!(awake[0].findings.status.endurance_used_percent, Some(12));
        power(0x00);
        let before = machine.asked().len();
        let mut asleep = found();
        assert!(probe.measure(&transport, PATIENCE, &mut asleep));
        assert_eq!(machine.asked().len(), before + 1, "nothing but CHECK POWER MODE");
        assert_eq!(asleep[0].findings.identity, awake[0].findings.identity);
        let missing = &asleep[0].findings.missing;
        assert!(missing.iter().all(|m| m.reason == AbsenceReason::Asleep) && !missing.is_empty());
        // Solid-state drives call themselves asleep without harm.
        fs::create_dir_all(root.path().join("sys/block/sda/queue")).unwrap();
        fs::write(root.path().join("sys/block/sda/queue/rotational"), "0").unwrap();
        assert!(!probe.measure(&transport, PATIENCE, &mut found()));
    }

    #[test]
    fn a_stopped_unit_of_scsi_is_left_alone_too() {
        let root = tempfile::tempdir().unwrap();
        let machine = Arc::new(machine(root.path(), "SEAGATE"));
        set_thin(&machine);
        let mut sense = vec![0; 18];
        (sense[0], sense[12], sense[13]) = (0x70, 0x5e, 0x03);
        machine.set_scsi(NODE, &REQUEST_SENSE, sense);
        let transport: Arc<dyn Transport> = Arc::clone(&machine) as Arc<dyn Transport>;
        assert!(Scsi::default().measure(&transport, PATIENCE, &mut found()));
        assert_eq!(machine.asked().len(), 1);
    }

    #[test]
    fn faults_are_stated() {
        let root = tempfile::tempdir().unwrap();
        let machine = machine(root.path(), "HEADROOM");
        set_thin(&machine);
        let faulty = Arc::new(Faulty::new(Arc::new(machine)));
        let transport: Arc<dyn Transport> = Arc::clone(&faulty) as Arc<dyn Transport>;
        for (fault, reason) in [
            (Fault::Denied, AbsenceReason::PermissionDenied),
            (Fault::Torn(2), AbsenceReason::Unbelievable),
            (Fault::Filled(0xff), AbsenceReason::Unbelievable),
            (Fault::Gone, AbsenceReason::Refused),
            (Fault::Stuck, AbsenceReason::TimedOut),
        ] {
            faulty.release();
            faulty.set(NODE, fault);
            let mut found = found();
            Scsi::default().measure(&transport, Duration::from_millis(200), &mut found);
            let missing = &found[0].findings.missing;
            let wear = missing.iter().find(|m| m.field == "endurance_used_percent");
            assert_eq!(wear.map(|m| m.reason), Some(reason), "{fault:?}");
        }
        faulty.release();
    }
}
