//! Block devices by /sys/block: drives, namespaces, software RAID, device mapper and loop devices, with their counters
//! (Documentation/block/stat.rst) and what they are made of.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use headroom_core::{
    quantity::Bytes,
    unit::{AbsenceReason, ComponentKind, EvidenceKind, Status},
};

use super::mountinfo::Mount;
use super::{Found, Scope};
use crate::decode::{BYTES_MAX, Findings, clean_text};
use crate::transport::{Transport, attribute, number};

/// /sys counts in sectors of 512 bytes whatever the device's block size is.
const SECTOR_BYTES: u64 = 512;

/// What is known of block devices before they are measured: which one carries which mount.
#[derive(Debug, Default)]
pub struct Layout {
    /// Name of the whole device, by the mount's device number.
    carrier: BTreeMap<(u32, u32), String>,
    /// Names of all whole devices.
    devices: Vec<String>,
}

impl Layout {
    /// Reads /sys/block and joins the mounts to it.
    pub fn read(transport: &dyn Transport, mounts: &[Mount]) -> Self {
        let devices = transport.list(Path::new("/sys/block")).unwrap_or_else(|error| {
            tracing::warn!(%error, "no block devices can be seen");
            Vec::new()
        });
        let mut layout = Self { carrier: BTreeMap::new(), devices };
        for mount in mounts {
            if let Some(name) = layout.find_carrier(transport, mount) {
                layout.carrier.insert(mount.device, name);
            }
        }
        layout
    }

    /// The component name of the device that carries a mount.
    pub fn carrier_of(&self, mount: &Mount) -> Option<String> {
        self.carrier.get(&mount.device).map(|name| component_name(name))
    }

    fn find_carrier(&self, transport: &dyn Transport, mount: &Mount) -> Option<String> {
        let (major, minor) = mount.device;
        // Major 0 is a number that btrfs and its like made up: there the source names the device.
        let real = if major == 0 {
            let node = transport
                .resolve(Path::new(mount.source.strip_prefix("/dev/").map(|_| &*mount.source)?))
                .ok()?;
            Path::new("/sys/class/block").join(node.file_name()?)
        } else {
            PathBuf::from(format!("/sys/dev/block/{major}:{minor}"))
        };
        self.whole(&transport.resolve(&real).ok()?)
    }

    /// The component that a device node such as `/dev/sda1` belongs to.
    pub fn component_of_node(&self, transport: &dyn Transport, node: &str) -> Option<String> {
        let real = transport.resolve(Path::new(node)).ok()?;
        let place = transport.resolve(&Path::new("/sys/class/block").join(real.file_name()?)).ok()?;
        self.whole(&place).map(|name| component_name(&name))
    }

    /// The whole device of a path in /sys: its own name or, for a partition, that of the folder around it.
    fn whole(&self, place: &Path) -> Option<String> {
        place
            .ancestors()
            .take(2)
            .filter_map(|folder| folder.file_name()?.to_str())
            .find(|name| self.devices.iter().any(|device| device == name))
            .map(str::to_owned)
    }
}

/// The name in one round of a whole device.
pub fn component_name(device: &str) -> String {
    format!("block:{device}")
}

/// Measures every block device in scope.
pub fn measure(transport: &dyn Transport, scope: &Scope, mounts: &[Mount], layout: &Layout) -> Vec<Found> {
    let mut found = Vec::new();
    for device in &layout.devices {
        let folder = Path::new("/sys/block").join(device);
        let hidden = number(transport, &folder.join("hidden")) == Some(1);
        let sectors = number(transport, &folder.join("size")).unwrap_or(0);
        let measured = layout.carrier.values().any(|carrier| carrier == device);
        let kind = kind_of(device);
        let wanted = match kind {
            Some(ComponentKind::Volume) if device.starts_with("loop") => scope.loop_devices || measured,
            kind => kind.is_some(),
        };
        let Some(kind) = kind.filter(|_| wanted && !hidden && sectors > 0 && !scope.skips_device(device))
        else {
            continue;
        };
        found.push(one(transport, device, kind, sectors, mounts, layout));
    }
    found
}

/// What a device of this name is; `None` for what stores nothing that lasts.
fn kind_of(device: &str) -> Option<ComponentKind> {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| device.starts_with(prefix));
    if starts(&["ram", "zram", "sr", "fd", "zd"]) {
        None
    } else if starts(&["loop", "dm-", "rbd", "nbd", "bcache", "drbd"]) {
        Some(ComponentKind::Volume)
    } else if starts(&["md"]) {
        Some(ComponentKind::Pool)
    } else if starts(&["nvme"]) {
        Some(ComponentKind::Namespace)
    } else {
        Some(ComponentKind::Drive)
    }
}

fn one(
    transport: &dyn Transport,
    device: &str,
    kind: ComponentKind,
    sectors: u64,
    mounts: &[Mount],
    layout: &Layout,
) -> Found {
    let folder = Path::new("/sys/block").join(device);
    let mut findings = Findings::default();
    describe(transport, device, &folder, kind, &mut findings);
    match sectors.checked_mul(SECTOR_BYTES).filter(|bytes| *bytes <= BYTES_MAX) {
        Some(bytes) => {
            findings.specs.capacity_bytes = Some(Bytes(bytes));
            findings.status.capacity_bytes = Some(Bytes(bytes));
            findings.source("capacity_bytes", "/sys/block size, sectors of 512 bytes");
        }
        None => {
            let detail = format!("/sys/block says {sectors} sectors");
            findings.absent("capacity_bytes", AbsenceReason::Unbelievable, detail);
        }
    }
    match counters(transport, device, &folder) {
        Some(status) => {
            findings.source("busy_milliseconds", "/sys/block stat");
            findings.status = Status { capacity_bytes: findings.status.capacity_bytes, ..status };
        }
        None => findings.absent(
            "busy_milliseconds",
            AbsenceReason::NotReported,
            "/sys/block has no counters for it: neither utilisation nor queue depth can be told",
        ),
    }
    let mut below = below(transport, &folder, layout);
    if let Some(path) = attribute(transport, &folder.join("loop/backing_file"))
        && let Ok(number) = transport.device_of(Path::new(&path))
        && let Some(mount) = mounts.iter().find(|mount| mount.device_number() == number)
    {
        below.push(format!("mount:{}:{}", mount.device.0, mount.device.1));
    }
    let hangs = transport.resolve(&folder.join("device")).ok().or_else(|| transport.resolve(&folder).ok());
    let host_path = hangs.unwrap_or(folder.clone()).display().to_string();
    Found {
        name: component_name(device),
        kind,
        label: Some(match attribute(transport, &folder.join("dm/name")) {
            Some(name) => format!("{device} {name}"),
            None => device.to_owned(),
        }),
        below,
        host_path,
        attachment: number(transport, &folder.join("diskseq")),
        findings,
    }
}

/// What the device is made of: the whole devices of its slaves.
fn below(transport: &dyn Transport, folder: &Path, layout: &Layout) -> Vec<String> {
    let slaves = folder.join("slaves");
    let mut names: Vec<String> = transport
        .list(&slaves)
        .unwrap_or_default()
        .iter()
        .filter_map(|slave| layout.whole(&transport.resolve(&slaves.join(slave)).ok()?))
        .map(|device| component_name(&device))
        .collect();
    names.sort();
    names.dedup();
    names
}

fn describe(
    transport: &dyn Transport,
    device: &str,
    folder: &Path,
    kind: ComponentKind,
    findings: &mut Findings,
) {
    let text = |name: &str| attribute(transport, &folder.join(name));
    findings.specs.logical_block_bytes = number(transport, &folder.join("queue/logical_block_size"))
        .and_then(|bytes| u32::try_from(bytes).ok());
    findings.specs.interface = interface(transport, device, folder);
    match kind {
        ComponentKind::Drive => {
            // Rotations are not in /sys: only that there are none.
            if text("queue/rotational").as_deref() == Some("0") {
                findings.specs.rotation_rpm = Some(0);
            }
            findings.specs.vendor =
                text("device/vendor").filter(|vendor| !vendor.starts_with("0x") && vendor != "ATA");
            findings.specs.model = text("device/model");
            findings.specs.firmware = text("device/rev");
            findings.specs.serial = text("serial").or_else(|| text("device/serial")).or_else(|| {
                // VPD page 80h: four bytes of header, then the serial number (SPC-4, 7.8.15).
                let page = transport.read(&folder.join("device/vpd_pg80")).ok()?;
                clean_text(page.get(4..)?)
            });
            if let Some(identifier) = text("device/wwid")
                && let Some(naa) = identifier.strip_prefix("naa.")
            {
                findings.evidence(EvidenceKind::Naa, &naa.to_ascii_lowercase());
            }
            let (vendor, model, serial) =
                (findings.specs.vendor.clone(), findings.specs.model.clone(), findings.specs.serial.clone());
            findings.model_and_serial(vendor.as_deref(), model.as_deref(), serial.as_deref());
        }
        ComponentKind::Namespace => {
            for (attribute, kind) in
                [("nguid", EvidenceKind::Nguid), ("eui", EvidenceKind::Eui64), ("uuid", EvidenceKind::Uuid)]
            {
                if let Some(value) = text(attribute) {
                    let value = value.to_ascii_lowercase();
                    let plain = if kind == EvidenceKind::Eui64 { value.replace(' ', "") } else { value };
                    let plain = if kind == EvidenceKind::Nguid { plain.replace('-', "") } else { plain };
                    findings.evidence(kind, &plain);
                }
            }
        }
        ComponentKind::Pool => {
            findings.specs.format = text("md/level");
            if let Some(missing) =
                number(transport, &folder.join("md/degraded")).filter(|missing| *missing > 0)
            {
                findings
                    .disagreements
                    .push(format!("{device} is degraded: {missing} of its members are missing"));
            }
            if let Some(uuid) = text("md/uuid") {
                findings.evidence(EvidenceKind::Uuid, &uuid.to_ascii_lowercase());
            }
        }
        _ => {
            if let Some(uuid) = text("dm/uuid") {
                findings.specs.format = uuid.split('-').next().map(str::to_ascii_lowercase);
                findings.evidence(EvidenceKind::Uuid, &uuid);
            }
        }
    }
}

fn interface(transport: &dyn Transport, device: &str, folder: &Path) -> Option<String> {
    if device.starts_with("loop") {
        return Some("loop".to_owned());
    }
    if device.starts_with("dm-") || device.starts_with("md") {
        return None;
    }
    let bus = transport.resolve(&folder.join("device/subsystem")).ok()?;
    let bus = bus.file_name()?.to_str()?.to_owned();
    let ata = attribute(transport, &folder.join("device/vendor")).as_deref() == Some("ATA");
    Some(match bus.as_str() {
        "scsi" if ata => "sata".to_owned(),
        "nvme-subsystem" => "nvme".to_owned(),
        _ => bus,
    })
}

/// The counters of a device; of an NVMe namespace with several paths the sum of its path nodes, because the kernel
/// leaves the head's own at zero.
fn counters(transport: &dyn Transport, device: &str, folder: &Path) -> Option<Status> {
    let paths: Vec<Status> =
        path_nodes(transport, device).iter().filter_map(|node| read_stat(transport, node)).collect();
    if paths.is_empty() { read_stat(transport, folder) } else { paths.into_iter().reduce(sum) }
}

fn read_stat(transport: &dyn Transport, folder: &Path) -> Option<Status> {
    parse_stat(&String::from_utf8_lossy(&transport.read(&folder.join("stat")).ok()?))
}

/// Hidden path nodes of an NVMe namespace: `nvme0n1` has `nvme0c0n1`, `nvme0c1n1` …
fn path_nodes(transport: &dyn Transport, device: &str) -> Vec<PathBuf> {
    let Some((subsystem, namespace)) = device.strip_prefix("nvme").and_then(|rest| rest.split_once('n'))
    else {
        return Vec::new();
    };
    let class = Path::new("/sys/class/nvme");
    let mut nodes = Vec::new();
    for controller in transport.list(class).unwrap_or_default() {
        for entry in transport.list(&class.join(&controller)).unwrap_or_default() {
            let path = entry
                .strip_prefix("nvme")
                .and_then(|rest| rest.strip_prefix(subsystem))
                .and_then(|rest| rest.strip_prefix('c'))
                .and_then(|rest| rest.split_once('n'));
            if path.is_some_and(|(_, id)| id == namespace) {
                nodes.push(class.join(&controller).join(&entry));
            }
        }
    }
    nodes
}

fn sum(left: Status, right: Status) -> Status {
    let add = |a: Option<u64>, b: Option<u64>| Some(a?.saturating_add(b?));
    let bytes = |a: Option<Bytes>, b: Option<Bytes>| Some(Bytes(a?.0.saturating_add(b?.0)));
    Status {
        read_ops: add(left.read_ops, right.read_ops),
        write_ops: add(left.write_ops, right.write_ops),
        read_bytes: bytes(left.read_bytes, right.read_bytes),
        write_bytes: bytes(left.write_bytes, right.write_bytes),
        busy_milliseconds: add(left.busy_milliseconds, right.busy_milliseconds),
        queue_milliseconds: add(left.queue_milliseconds, right.queue_milliseconds),
        ..Status::default()
    }
}

/// /sys/block/X/stat: reads, merged, sectors read, ms, writes, merged, sectors written, ms, in flight, ms busy, ms in
/// queue.
pub fn parse_stat(text: &str) -> Option<Status> {
    let fields: Vec<u64> = text.split_ascii_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
    if fields.len() < 11 || fields.iter().any(|field| *field > BYTES_MAX) {
        return None;
    }
    let bytes = |sectors: u64| sectors.checked_mul(SECTOR_BYTES).filter(|b| *b <= BYTES_MAX).map(Bytes);
    Some(Status {
        read_ops: Some(fields[0]),
        read_bytes: bytes(fields[2]),
        write_ops: Some(fields[4]),
        write_bytes: bytes(fields[6]),
        busy_milliseconds: Some(fields[9]),
        queue_milliseconds: Some(fields[10]),
        ..Status::default()
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use proptest::prelude::*;

    use super::{Layout, measure, parse_stat};
    use crate::probe::Scope;
    use crate::transport::Recorded;

    fn write(root: &Path, path: &str, text: &str) {
        let place = root.join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, text).unwrap();
    }

    const STAT: &str = "10 0 20 3 30 0 40 4 0 50 60 0 0 0 0 0 0";

    #[test]
    fn path_nodes_of_a_multipath_namespace_are_summed() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "sys/block/nvme0n1/size", "1000");
        write(root.path(), "sys/block/nvme0n1/stat", "0 0 0 0 0 0 0 0 0 0 0");
        write(root.path(), "sys/block/nvme0c0n1/size", "1000");
        write(root.path(), "sys/block/nvme0c0n1/hidden", "1");
        write(root.path(), "sys/class/nvme/nvme0/nvme0c0n1/stat", STAT);
        write(root.path(), "sys/class/nvme/nvme1/nvme0c1n1/stat", STAT);
        write(root.path(), "sys/class/nvme/nvme1/nvme0c1n2/stat", STAT);
        let machine = Recorded::below(root.path());
        let layout = Layout::read(&machine, &[]);
        let found = measure(&machine, &Scope::default(), &[], &layout);
        assert_eq!(found.len(), 1, "the hidden path node is no device of its own: {found:?}");
        assert_eq!(found[0].findings.status.busy_milliseconds, Some(100));
        assert_eq!(found[0].findings.status.read_ops, Some(20));
    }

    #[test]
    fn what_is_empty_or_skipped_is_no_component() {
        let root = tempfile::tempdir().unwrap();
        for (device, size) in
            [("loop0", "0"), ("loop1", "8"), ("sda", "100"), ("sdb", "0"), ("zram0", "9"), ("sdc", "7")]
        {
            write(root.path(), &format!("sys/block/{device}/size"), size);
            write(root.path(), &format!("sys/block/{device}/stat"), STAT);
        }
        let machine = Recorded::below(root.path());
        let layout = Layout::read(&machine, &[]);
        let mut scope = Scope { skip_devices: vec!["sdc*".to_owned()], ..Scope::default() };
        let names = |scope: &Scope| -> Vec<String> {
            measure(&machine, scope, &[], &layout).into_iter().map(|found| found.name).collect()
        };
        assert_eq!(names(&scope), ["block:sda"]);
        scope.loop_devices = true;
        assert_eq!(names(&scope), ["block:loop1", "block:sda"]);
    }

    proptest! {
        #[test]
        fn any_counters_are_read_or_refused(text in "[0-9 \\-a-z]{0,200}", fields in proptest::collection::vec(any::<u64>(), 0..20)) {
            parse_stat(&text);
            let line: Vec<String> = fields.iter().map(u64::to_string).collect();
            if let Some(status) = parse_stat(&line.join(" ")) {
                prop_assert_eq!(status.busy_milliseconds, Some(fields[9]));
            }
        }
    }
}
