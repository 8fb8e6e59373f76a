//! NVMe controllers and namespaces, by ioctl on the controller's device node. Several controllers of one subsystem are
//! one drive.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use headroom_core::unit::{AbsenceReason, ComponentKind};

use super::Found;
use super::block_device::component_name;
use super::filesystem::reason_of;
use super::guard::{Guard, NoAnswer};
use crate::decode::{Findings, nvme_identify, nvme_smart};
use crate::transport::{NvmeCommand, Transport, TransportError, attribute};

const CLASS: &str = "/sys/class/nvme";
const IDENTIFY: u8 = 0x06;
const GET_LOG_PAGE: u8 = 0x02;
const WHOLE_CONTROLLER: u32 = 0xffff_ffff;
/// Log page 02h, 128 dwords less one in the upper half.
const SMART_DWORD10: u32 = 0x007f_0002;

/// The probe: it keeps a worker for each controller and what controllers have refused.
#[derive(Debug, Default)]
pub struct Nvme {
    guard: Guard<Pages>,
    /// Commands that a firmware refused: asking again would only raise the drive's own error counter.
    refused: BTreeMap<String, BTreeSet<(u8, u32, u32)>>,
    /// Namespaces whose utilisation was seen to change, with the last value.
    used_blocks: BTreeMap<String, (u64, bool)>,
}

type Page = Result<Vec<u8>, TransportError>;

/// What one controller answered.
#[derive(Debug)]
struct Pages {
    controller: Page,
    smart: Page,
    namespaces: Vec<(u32, Page, Page)>,
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
                let refused = self.refused.get(&firmware_key(controller)).cloned().unwrap_or_default();
                let question: Box<dyn FnOnce() -> Pages + Send> =
                    Box::new(move || ask(&*transport, &node, &ids, &refused));
                (controller.device.clone(), question)
            })
            .collect();
        let answers = self.guard.ask_all(questions, patience);
        let mut answer = Answer::default();
        for (controller, (_, pages)) in controllers.iter().zip(answers) {
            self.take(controller, pages, &mut answer);
        }
        answer
    }

    fn take(&mut self, controller: &Controller, pages: Result<Pages, NoAnswer>, answer: &mut Answer) {
        let mut findings = from_sysfs(controller);
        match pages {
            Ok(pages) => {
                self.remember_refusals(controller, &pages);
                read(&mut findings, pages.controller, IDENTIFY_FIELDS, |bytes| {
                    nvme_identify::controller(bytes).map(|page| page.findings())
                });
                read(&mut findings, pages.smart, SMART_FIELDS, |bytes| {
                    nvme_smart::decode(bytes).map(|page| page.findings())
                });
                for ((block, id), (asked, page, descriptors)) in
                    controller.namespaces.iter().zip(pages.namespaces)
                {
                    debug_assert_eq!(*id, asked, "answers come in the order of the questions");
                    let namespace = self.namespace(block, page, descriptors);
                    answer
                        .namespaces
                        .entry(component_name(block))
                        .or_insert((controller.drive.clone(), Findings::default()))
                        .1
                        .merge(namespace);
                }
            }
            Err(reason) => {
                let detail = match reason {
                    NoAnswer::TimedOut => "the controller did not answer in time",
                    NoAnswer::StillOutstanding(_) => {
                        "an earlier command has not come back; no other is sent until it does"
                    }
                    NoAnswer::NoWorker => "no worker could be started to ask it",
                };
                for field in IDENTIFY_FIELDS.iter().chain(SMART_FIELDS) {
                    findings.absent(field, AbsenceReason::TimedOut, detail);
                }
                for (block, _) in &controller.namespaces {
                    let place = (controller.drive.clone(), Findings::default());
                    answer.namespaces.entry(component_name(block)).or_insert(place);
                }
            }
        }
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

    fn namespace(&mut self, block: &str, page: Page, descriptors: Page) -> Findings {
        let mut findings = Findings::default();
        let moving = self.used_blocks.get(block).is_some_and(|(_, moved)| *moved);
        if let Ok(bytes) = &page
            && let Ok(Some(namespace)) = nvme_identify::namespace(bytes)
        {
            let before = self.used_blocks.get(block).map(|(blocks, _)| *blocks);
            let moved = moving || before.is_some_and(|before| before != namespace.used_blocks);
            self.used_blocks.insert(block.to_owned(), (namespace.used_blocks, moved));
        }
        let moving = self.used_blocks.get(block).is_some_and(|(_, moved)| *moved);
        read(&mut findings, page, &["used_bytes", "thin"], |bytes| {
            Ok(nvme_identify::namespace(bytes)?.map(|page| page.findings(moving)).unwrap_or_default())
        });
        read(&mut findings, descriptors, &[], |bytes| {
            nvme_identify::descriptors(bytes).map(|page| page.findings())
        });
        findings
    }

    fn remember_refusals(&mut self, controller: &Controller, pages: &Pages) {
        let refused = self.refused.entry(firmware_key(controller)).or_default();
        let mut note = |page: &Page, command: (u8, u32, u32)| {
            if matches!(page, Err(TransportError::Refused { .. })) {
                refused.insert(command);
            }
        };
        note(&pages.smart, (GET_LOG_PAGE, WHOLE_CONTROLLER, SMART_DWORD10));
        for (id, _, descriptors) in &pages.namespaces {
            note(descriptors, (IDENTIFY, *id, 3));
        }
    }
}

const IDENTIFY_FIELDS: &[&str] = &["serial", "model", "firmware"];
const SMART_FIELDS: &[&str] = &[
    "temperature_celsius",
    "endurance_used_percent",
    "spare_percent",
    "data_read_bytes",
    "data_written_bytes",
    "power_on_hours",
    "media_errors",
    "critical_warning",
];

fn firmware_key(controller: &Controller) -> String {
    format!("{} {}", controller.device, controller.firmware.as_deref().unwrap_or(""))
}

/// Decodes a page into the findings, or says for each of `fields` why it is absent.
pub(super) fn read(
    findings: &mut Findings,
    page: Result<Vec<u8>, TransportError>,
    fields: &[&'static str],
    decode: impl FnOnce(&[u8]) -> Result<Findings, crate::decode::DecodeError>,
) {
    let (reason, detail) = match page.map(|bytes| decode(&bytes)) {
        Ok(Ok(more)) => return findings.merge(more),
        Ok(Err(error)) => (AbsenceReason::Unbelievable, error.to_string()),
        Err(error) => (reason_of(&error), error.to_string()),
    };
    for field in fields {
        findings.absent(field, reason, detail.clone());
    }
}

fn ask(transport: &dyn Transport, node: &Path, ids: &[u32], refused: &BTreeSet<(u8, u32, u32)>) -> Pages {
    let send = |operation: u8, namespace: u32, dword10: u32, length: u32| {
        if refused.contains(&(operation, namespace, dword10)) {
            let what = format!("NVMe command {operation:02x}h, which this firmware refused before,");
            return Err(TransportError::Refused { what, status: 0 });
        }
        transport.nvme(node, NvmeCommand { operation, namespace, dword10, dword11: 0, length })
    };
    Pages {
        controller: send(IDENTIFY, 0, 1, 4_096),
        smart: send(GET_LOG_PAGE, WHOLE_CONTROLLER, SMART_DWORD10, 512),
        namespaces: ids
            .iter()
            .map(|id| (*id, send(IDENTIFY, *id, 0, 4_096), send(IDENTIFY, *id, 3, 4_096)))
            .collect(),
    }
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

    use super::{Nvme, SMART_DWORD10};
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
