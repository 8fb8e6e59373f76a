//! NVMe controllers and namespaces, by ioctl on the controller's device node. Several controllers of one subsystem are
//! one drive.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use headroom_core::unit::{AbsenceReason, ComponentKind, Teller};

use super::Found;
use super::block_device::component_name;
use super::guard::{Guard, NoAnswer};
use super::nvme_pages::{self, Pages};
use super::session::{Page, Refusals, Session, read};
use crate::decode::nvme_ana::{AnaGroup, AnaState};
use crate::decode::{Findings, nvme_ana, nvme_endurance_group, nvme_identify, nvme_smart};
use crate::transport::{Transport, attribute};

const CLASS: &str = "/sys/class/nvme";
const IDENTIFY_FIELDS: [&str; 3] = ["serial", "model", "firmware"];

/// The probe: it keeps a worker for each controller and what controllers have refused.
#[derive(Debug, Default)]
pub struct Nvme {
    guard: Guard<Pages>,
    refusals: Refusals,
    /// Namespaces by drive and id: last utilisation, and whether it was seen to change.
    used_blocks: BTreeMap<(String, u32), (u64, bool)>,
}

/// A controller as /sys shows it.
#[derive(Debug, Clone)]
struct Controller {
    device: String,
    drive: String,
    firmware: Option<String>,
    serial: Option<String>,
    model: Option<String>,
    host_path: String,
    /// Block device and namespace id of each namespace reached through it.
    namespaces: Vec<(String, u32)>,
}

/// Drives, and what was read of each namespace by the name of its block device.
#[derive(Debug, Default)]
pub struct Answer {
    /// One for each subsystem.
    pub drives: Vec<Found>,
    /// By component name of the namespace's block device: the drive it belongs to and what was read.
    pub namespaces: BTreeMap<String, (String, Findings)>,
    /// Namespaces that the controller has and the kernel shows no block device for.
    pub without_device: Vec<Found>,
}

impl Nvme {
    /// Measures every controller. A controller that does not answer in time costs only its own figures.
    pub fn measure(&mut self, transport: &Arc<dyn Transport>, patience: Duration) -> Answer {
        let controllers = controllers(&**transport);
        let questions = controllers
            .iter()
            .map(|controller| {
                let transport = Arc::clone(transport);
                let node = PathBuf::from("/dev").join(&controller.device);
                let ids: Vec<u32> = controller.namespaces.iter().map(|(_, id)| *id).collect();
                let refused = self.refusals.of(&firmware_key(controller));
                let question: Box<dyn FnOnce() -> Pages + Send> =
                    Box::new(move || nvme_pages::ask(Session::new(transport, node, refused), &ids));
                (controller.device.clone(), question)
            })
            .collect();
        let answers = self.guard.ask_all(questions, patience);
        let mut answer = Answer::default();
        for (controller, (_, pages)) in controllers.iter().zip(answers) {
            let findings = match pages {
                Ok(pages) => self.told(controller, pages, &mut answer),
                Err(reason) => silent(controller, reason, &mut answer),
            };
            match answer.drives.iter_mut().find(|drive| drive.name == controller.drive) {
                Some(drive) => drive.findings.merge(findings),
                None => answer.drives.push(Found {
                    name: controller.drive.clone(),
                    kind: ComponentKind::Drive,
                    label: Some(controller.device.clone()),
                    below: Vec::new(),
                    host_path: controller.host_path.clone(),
                    attachment: None,
                    findings,
                }),
            }
        }
        answer.drives.iter_mut().for_each(|drive| add_up(drive, &answer.namespaces, &answer.without_device));
        answer
    }

    fn told(&mut self, controller: &Controller, pages: Pages, answer: &mut Answer) -> Findings {
        self.refusals.remember(&firmware_key(controller), pages.refused);
        let mut findings = from_sysfs(controller);
        read(&mut findings, pages.controller, IDENTIFY_FIELDS, |bytes| {
            nvme_identify::controller(bytes).map(|page| page.findings())
        });
        read(&mut findings, pages.smart, smart_fields(), |bytes| {
            nvme_smart::decode(bytes).map(|page| page.findings())
        });
        // One group is the drive's wear told a second time; several are parts of a drive, each worn in its own way.
        for (group, page) in pages.endurance_groups {
            read(&mut findings, page, [], |bytes| {
                let mut page = nvme_endurance_group::decode(bytes)?.findings();
                page.specs.capacity_bytes = None;
                page.sources.remove("capacity_bytes");
                page.sources.values_mut().for_each(|source| source.push_str(&format!(", group {group}")));
                Ok(page)
            });
        }
        if let Some(page) = pages.paths {
            read(&mut findings, page, [], |bytes| {
                Ok(lost_paths(&controller.device, &nvme_ana::decode(bytes)?))
            });
        }
        if pages.namespace_ids.as_ref().is_ok_and(Vec::is_empty) {
            let detail = "the controller has no active namespace: there is no space to fill";
            findings.absent("capacity_bytes", AbsenceReason::NotReported, detail);
        }
        for (id, page, descriptors) in pages.namespaces {
            let namespace = self.namespace(&controller.drive, id, page, descriptors);
            match controller.namespaces.iter().find(|(_, own)| *own == id) {
                Some((block, _)) => answer
                    .namespaces
                    .entry(component_name(block))
                    .or_insert((controller.drive.clone(), Findings::default()))
                    .1
                    .merge(namespace),
                None => without_device(controller, id, namespace, answer),
            }
        }
        findings
    }

    fn namespace(&mut self, drive: &str, id: u32, page: Page, descriptors: Page) -> Findings {
        let mut findings = Findings::default();
        let place = (drive.to_owned(), id);
        let mut has_moved = self.used_blocks.get(&place).is_some_and(|(_, moved)| *moved);
        if let Ok(bytes) = &page
            && let Ok(Some(namespace)) = nvme_identify::namespace(bytes)
        {
            let before = self.used_blocks.get(&place).map(|(blocks, _)| *blocks);
            has_moved |= before.is_some_and(|before| before != namespace.used_blocks);
            self.used_blocks.insert(place, (namespace.used_blocks, has_moved));
        }
        read(&mut findings, page, ["used_bytes", "thin"], |bytes| {
            Ok(nvme_identify::namespace(bytes)?.map(|page| page.findings(has_moved)).unwrap_or_default())
        });
        read(&mut findings, descriptors, [], |bytes| {
            nvme_identify::descriptors(bytes).map(|page| page.findings())
        });
        findings
    }
}

/// What log page 02h tells.
fn smart_fields() -> impl Iterator<Item = &'static str> {
    Teller::DrivePages.names().chain(Teller::NvmePages.names())
}

/// Groups of namespaces that cannot be reached through this controller, for a person to see.
fn lost_paths(device: &str, groups: &[AnaGroup]) -> Findings {
    let mut findings = Findings::default();
    for group in groups {
        if !matches!(group.state, AnaState::Optimized | AnaState::NonOptimized) {
            findings.disagreements.push(format!(
                "paths: through {device} the namespaces {:?} are in state {:?} (NVMe log 0Ch)",
                group.namespaces, group.state
            ));
        }
    }
    findings
}

/// A controller that did not answer: what /sys tells, and why the rest is absent.
fn silent(controller: &Controller, reason: NoAnswer, answer: &mut Answer) -> Findings {
    let mut findings = from_sysfs(controller);
    let detail = match reason {
        NoAnswer::TimedOut => "the controller did not answer in time",
        NoAnswer::StillOutstanding(_) => {
            "an earlier command has not come back; no other is sent until it does"
        }
        NoAnswer::NoWorker => "no worker could be started to ask it",
    };
    for field in IDENTIFY_FIELDS.into_iter().chain(smart_fields()) {
        findings.absent(field, AbsenceReason::TimedOut, detail);
    }
    for (block, _) in &controller.namespaces {
        let place = (controller.drive.clone(), Findings::default());
        answer.namespaces.entry(component_name(block)).or_insert(place);
    }
    findings
}

fn without_device(controller: &Controller, id: u32, findings: Findings, answer: &mut Answer) {
    let name = format!("{} namespace {id}", controller.drive);
    match answer.without_device.iter_mut().find(|found| found.name == name) {
        Some(found) => found.findings.merge(findings),
        None => answer.without_device.push(Found {
            name,
            kind: ComponentKind::Namespace,
            label: Some(format!("{} namespace {id}", controller.device)),
            below: vec![controller.drive.clone()],
            host_path: format!("{} namespace {id}", controller.host_path),
            attachment: None,
            findings,
        }),
    }
}

/// A drive that leaves its size to its namespaces is as large as they are together.
fn add_up(drive: &mut Found, named: &BTreeMap<String, (String, Findings)>, others: &[Found]) {
    if drive.findings.specs.capacity_bytes.is_some() {
        return;
    }
    let named = named.values().filter(|(of, _)| *of == drive.name).map(|(_, findings)| findings);
    let others = others.iter().filter(|found| found.below.contains(&drive.name)).map(|found| &found.findings);
    let sizes: Option<Vec<u64>> =
        named.chain(others).map(|findings| findings.specs.capacity_bytes.map(|bytes| bytes.0)).collect();
    if let Some(sizes) = sizes.filter(|sizes| !sizes.is_empty()) {
        let sum = sizes.iter().map(|size| u128::from(*size)).sum();
        let source = "NVMe Identify Namespace NSZE, all namespaces together";
        drive.findings.specs.capacity_bytes = drive.findings.bytes("capacity_bytes", sum, source);
    }
}

fn firmware_key(controller: &Controller) -> String {
    let serial = controller.serial.as_deref().unwrap_or("");
    format!("{} {serial} {}", controller.device, controller.firmware.as_deref().unwrap_or(""))
}

/// What anybody may read of a controller.
fn from_sysfs(controller: &Controller) -> Findings {
    let mut findings = Findings::default();
    findings.specs.model.clone_from(&controller.model);
    findings.specs.serial.clone_from(&controller.serial);
    findings.specs.firmware.clone_from(&controller.firmware);
    findings.specs.interface = Some("nvme".to_owned());
    findings.specs.rotation_rpm = Some(0);
    for (field, value) in
        [("model", &controller.model), ("serial", &controller.serial), ("firmware", &controller.firmware)]
    {
        if value.is_some() {
            findings.source(field, "/sys/class/nvme");
        }
    }
    findings.model_and_serial(None, controller.model.as_deref(), controller.serial.as_deref());
    findings
}

fn controllers(transport: &dyn Transport) -> Vec<Controller> {
    let class = Path::new(CLASS);
    let mut found = Vec::new();
    for device in transport.list(class).unwrap_or_default() {
        let folder = class.join(&device);
        let text = |name: &str| attribute(transport, &folder.join(name));
        let (serial, model) = (text("serial"), text("model"));
        // The subsystem's name joins the controllers of one drive; old kernels without it have the serial.
        let drive = text("subsysnqn")
            .or_else(|| Some(format!("{} {}", model.clone()?, serial.clone()?)))
            .unwrap_or_else(|| device.clone());
        let host_path = transport.resolve(&folder).unwrap_or(folder.clone()).display().to_string();
        found.push(Controller {
            namespaces: namespaces(transport, &folder),
            drive: format!("nvme:{drive}"),
            firmware: text("firmware_rev"),
            serial,
            model,
            host_path,
            device,
        });
    }
    found
}

/// Namespaces below a controller in /sys: `nvme0n1`, or the path `nvme0c1n1` of the head `nvme0n1`.
fn namespaces(transport: &dyn Transport, controller: &Path) -> Vec<(String, u32)> {
    let mut found = Vec::new();
    for entry in transport.list(controller).unwrap_or_default() {
        let Some((path, id)) = entry.strip_prefix("nvme").and_then(|rest| rest.split_once('n')) else {
            continue;
        };
        let subsystem = path.split('c').next().unwrap_or(path);
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if let Ok(number) = id.parse::<u32>()
            && digits(subsystem)
        {
            // The number in the name is an instance; the namespace's own id is an attribute.
            let folder = controller.join(&entry);
            let own = crate::transport::number(transport, &folder.join("nsid"));
            let own = own.and_then(|own| u32::try_from(own).ok()).unwrap_or(number);
            found.push((format!("nvme{subsystem}n{number}"), own));
        }
    }
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;

    use headroom_core::unit::AbsenceReason;

    use super::Nvme;
    use crate::probe::nvme_pages::SMART_DWORD10;
    use crate::transport::{Fault, Faulty, Recorded, Transport};

    fn machine(root: &Path, controllers: &[&str]) -> Recorded {
        for controller in controllers {
            for (name, text) in [
                ("model", "QEMU NVMe Ctrl  "),
                ("serial", "HDRM0001  "),
                ("firmware_rev", "7.2 "),
                ("subsysnqn", "nqn.2019-08.org.qemu:HDRM0001"),
                ("nvme0c0n1/nsid", "1"),
            ] {
                let place = root.join("sys/class/nvme").join(controller).join(name);
                fs::create_dir_all(place.parent().unwrap()).unwrap();
                fs::write(place, text).unwrap();
            }
        }
        Recorded::below(root)
    }

    fn smart() -> Vec<u8> {
        let mut page = vec![0; 512];
        page[1..3].copy_from_slice(&300_u16.to_le_bytes());
        page[5] = 7;
        page[48] = 2;
        page
    }

    #[test]
    fn two_controllers_of_one_subsystem_are_one_drive() {
        let root = tempfile::tempdir().unwrap();
        let machine = machine(root.path(), &["nvme0", "nvme1"]);
        machine.set_nvme("/dev/nvme0", 2, u32::MAX, SMART_DWORD10, smart());
        let transport: Arc<dyn Transport> = Arc::new(machine);
        let answer = Nvme::default().measure(&transport, Duration::from_secs(5));
        assert_eq!(answer.drives.len(), 1);
        let drive = &answer.drives[0].findings;
        assert_eq!(drive.specs.serial.as_deref(), Some("HDRM0001"));
        assert_eq!(drive.status.temperature_celsius, Some(27));
        assert_eq!(drive.status.data_written_bytes, Some(2 * 512_000));
        assert_eq!(answer.namespaces.len(), 1);
    }

    #[test]
    fn a_refused_page_is_asked_for_once_and_stated_as_absent() {
        let root = tempfile::tempdir().unwrap();
        let machine = Arc::new(machine(root.path(), &["nvme0"]));
        let transport: Arc<dyn Transport> = Arc::clone(&machine) as Arc<dyn Transport>;
        let mut probe = Nvme::default();
        for _ in 0..3 {
            let answer = probe.measure(&transport, Duration::from_secs(5));
            let missing = &answer.drives[0].findings.missing;
            assert!(
                missing
                    .iter()
                    .any(|m| m.field == "temperature_celsius" && m.reason == AbsenceReason::Refused)
            );
        }
        assert_eq!(machine.asked().iter().filter(|asked| asked.contains(" 02h")).count(), 1);
    }

    #[test]
    fn pages_are_asked_for_only_where_the_controller_says_it_has_them() {
        let root = tempfile::tempdir().unwrap();
        let machine = Arc::new(machine(root.path(), &["nvme0"]));
        let transport: Arc<dyn Transport> = Arc::clone(&machine) as Arc<dyn Transport>;
        let mut controller = vec![0; 4096];
        controller[4] = b'S';
        machine.set_nvme("/dev/nvme0", 6, 0, 1, controller.clone());
        Nvme::default().measure(&transport, Duration::from_secs(5));
        let logs = |machine: &Recorded| {
            let asked = machine.asked();
            let pages = asked.iter().filter(|asked| asked.contains(" 02h")).cloned();
            pages.map(|asked| asked.rsplit(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(logs(&machine), ["7f0002"], "neither endurance groups nor ANA");
        controller[96] = 1 << 4;
        controller[340] = 1;
        machine.set_nvme("/dev/nvme0", 6, 0, 1, controller);
        let mut group = vec![0; 512];
        group[5] = 40;
        machine.set_nvme("/dev/nvme0", 2, u32::MAX, 0x007f_0009, group);
        machine.set_nvme("/dev/nvme0", 2, u32::MAX, SMART_DWORD10, smart());
        let answer = Nvme::default().measure(&transport, Duration::from_secs(5));
        assert_eq!(logs(&machine)[1..], ["7f0002", "7f0009"]);
        let drive = &answer.drives[0].findings;
        assert_eq!(drive.status.endurance_used_percent, Some(7), "log 02h comes first");
        assert!(drive.disagreements[0].contains("40 % by NVMe log 09h byte 5, group 1"), "{drive:?}");
    }

    #[test]
    fn every_namespace_on_the_list_is_a_component_and_they_make_up_the_drive() {
        let root = tempfile::tempdir().unwrap();
        let machine = machine(root.path(), &["nvme0"]);
        let mut controller = vec![0; 4096];
        controller[4] = b'S';
        machine.set_nvme("/dev/nvme0", 6, 0, 1, controller);
        let mut list = vec![0; 4096];
        (list[0], list[4]) = (1, 9);
        machine.set_nvme("/dev/nvme0", 6, 0, 2, list);
        for id in [1, 9] {
            let mut page = vec![0; 4096];
            (page[0], page[8], page[16], page[130]) = (100, 100, 100, 12);
            machine.set_nvme("/dev/nvme0", 6, id, 0, page);
        }
        let transport: Arc<dyn Transport> = Arc::new(machine);
        let answer = Nvme::default().measure(&transport, Duration::from_secs(5));
        assert_eq!(answer.namespaces.len(), 1);
        assert_eq!(answer.without_device[0].findings.specs.capacity_bytes.unwrap().0, 409_600);
        assert_eq!(answer.drives[0].findings.specs.capacity_bytes.unwrap().0, 819_200);
    }

    #[test]
    fn faults_of_a_controller_are_stated_and_heal() {
        let root = tempfile::tempdir().unwrap();
        let machine = machine(root.path(), &["nvme0"]);
        machine.set_nvme("/dev/nvme0", 2, u32::MAX, SMART_DWORD10, smart());
        let faulty = Arc::new(Faulty::new(Arc::new(machine)));
        let transport: Arc<dyn Transport> = Arc::clone(&faulty) as Arc<dyn Transport>;
        let mut probe = Nvme::default();
        for (fault, reason) in [
            (Fault::Denied, AbsenceReason::PermissionDenied),
            (Fault::Torn(100), AbsenceReason::Unbelievable),
            (Fault::Filled(0xff), AbsenceReason::Unbelievable),
            (Fault::Gone, AbsenceReason::Refused),
            (Fault::Stuck, AbsenceReason::TimedOut),
        ] {
            faulty.release();
            faulty.set("/dev/nvme0", fault);
            let answer = probe.measure(&transport, Duration::from_millis(200));
            let missing = &answer.drives[0].findings.missing;
            let temperature = missing.iter().find(|m| m.field == "temperature_celsius");
            assert_eq!(temperature.map(|m| m.reason), Some(reason), "{fault:?}");
        }
        faulty.release();
        let healed = (0..50).any(|_| {
            std::thread::sleep(Duration::from_millis(20));
            let answer = probe.measure(&transport, Duration::from_secs(5));
            answer.drives[0].findings.status.temperature_celsius == Some(27)
        });
        assert!(healed);
    }
}
