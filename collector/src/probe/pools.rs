//! Pools that only their own tools tell of: LVM volume groups and ZFS pools, joined to the devices they are made of.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use headroom_core::unit::{ComponentKind, EvidenceKind};

use super::Found;
use super::block_device::Layout;
use super::guard::{Guard, NoAnswer};
use super::mountinfo::Mount;
use crate::decode::{DecodeError, Part, lvm, zpool};
use crate::transport::{Tool, Transport, TransportError};

type Output = Result<Vec<u8>, TransportError>;

/// The probe: a worker for each tool, and what it last told.
#[derive(Debug, Default)]
pub struct Pools {
    guard: Guard<Output>,
    last: BTreeMap<Tool, Vec<Part>>,
}

impl Pools {
    /// Adds the pools. `keep_quiet` where a drive sleeps: the tools read every disk's label, so the last answer stands.
    /// Gives what a person should know.
    pub fn measure(
        &mut self,
        transport: &Arc<dyn Transport>,
        patience: Duration,
        keep_quiet: bool,
        layout: &Layout,
        found: &mut Vec<Found>,
    ) -> Vec<String> {
        let has_groups = found.iter().any(|component| mapped_by_lvm(component).is_some());
        let has_zfs = transport.list(Path::new("/sys/module/zfs")).is_ok();
        let mut remarks = Vec::new();
        let mut questions = Vec::new();
        for (tool, is_wanted) in [(Tool::VolumeGroups, has_groups), (Tool::ZfsPools, has_zfs)] {
            if !is_wanted {
                self.last.remove(&tool);
            } else if !(keep_quiet && self.last.contains_key(&tool)) {
                let transport = Arc::clone(transport);
                let question: Box<dyn FnOnce() -> Output + Send> = Box::new(move || transport.tool(tool));
                questions.push((tool, (tool.command().0.to_owned(), question)));
            }
        }
        let (tools, questions): (Vec<Tool>, Vec<_>) = questions.into_iter().unzip();
        for (tool, (program, answer)) in tools.into_iter().zip(self.guard.ask_all(questions, patience)) {
            match parts(tool, answer) {
                Ok(parts) => {
                    self.last.insert(tool, parts);
                }
                Err(why) => {
                    self.last.remove(&tool);
                    remarks.push(format!("{program} tells nothing of the pools that are here: {why}"));
                }
            }
        }
        for part in self.last.values().flatten() {
            found.push(component(&**transport, part, layout));
        }
        join_groups(found);
        remarks
    }
}

fn parts(tool: Tool, answer: Result<Output, NoAnswer>) -> Result<Vec<Part>, String> {
    let output = match answer {
        Ok(Err(TransportError::NotFound(_))) => {
            return Err(format!("it is not installed; the package {} has it", tool.package()));
        }
        Ok(output) => output.map_err(|error| error.to_string())?,
        Err(NoAnswer::NoWorker) => return Err("no worker could be started to run it".to_owned()),
        Err(_) => return Err("it did not come back in time".to_owned()),
    };
    let decoded: Result<Vec<Part>, DecodeError> = match tool {
        Tool::VolumeGroups => {
            let json =
                serde_json::from_slice(&output).map_err(|error| format!("it printed no JSON: {error}"))?;
            lvm::decode(&json)
        }
        Tool::ZfsPools => zpool::decode(&String::from_utf8_lossy(&output)),
    };
    decoded.map_err(|error| error.to_string())
}

fn component(transport: &dyn Transport, part: &Part, layout: &Layout) -> Found {
    let mut below: Vec<String> = part
        .provided_by
        .iter()
        .filter_map(|key| layout.component_of_node(transport, key.0.strip_prefix("device:")?))
        .collect();
    below.sort();
    below.dedup();
    Found {
        name: part.key.0.clone(),
        kind: part.kind,
        label: part.label.clone(),
        below,
        host_path: part.key.0.clone(),
        attachment: None,
        findings: part.findings.clone(),
    }
}

/// What device mapper calls a logical volume: `LVM-`, the group's UUID and the volume's, without dashes.
fn mapped_by_lvm(component: &Found) -> Option<&str> {
    let mut uuids = component.findings.identity.iter().filter(|evidence| evidence.kind == EvidenceKind::Uuid);
    uuids.find_map(|evidence| evidence.value.strip_prefix("LVM-"))
}

/// Logical volumes are made of their group's space.
fn join_groups(found: &mut [Found]) {
    let groups: Vec<(String, String)> = found
        .iter()
        .filter(|component| component.kind == ComponentKind::VolumeGroup)
        .filter_map(|group| {
            let uuid = group.findings.identity.iter().find(|evidence| evidence.kind == EvidenceKind::Uuid)?;
            Some((uuid.value.replace('-', ""), group.name.clone()))
        })
        .collect();
    for component in found.iter_mut() {
        let group = mapped_by_lvm(component)
            .and_then(|uuid| groups.iter().find(|(group, _)| uuid.starts_with(group.as_str())));
        if let Some((_, name)) = group {
            component.below.push(name.clone());
        }
    }
}

/// The ZFS pool that a mounted dataset is made of.
pub fn pool_of_dataset(mount: &Mount) -> Option<String> {
    let pool = mount.source.split('/').next().filter(|pool| !pool.is_empty())?;
    (mount.format == "zfs").then(|| format!("zfs:{pool}"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;
    use std::time::Duration;

    use headroom_core::{quantity::Bytes, unit::ComponentKind};

    use super::Pools;
    use crate::probe::{Scope, block_device};
    use crate::transport::{Recorded, Tool, Transport};

    const GROUP: &str = "AbCdEf-0123-4567-89ab-cdef-0123-456789";

    fn machine(root: &std::path::Path) -> Recorded {
        let uuid = format!("LVM-{}{}", GROUP.replace('-', ""), "v".repeat(32));
        for (path, text) in [
            ("sys/block/sda/size", "1000"),
            ("sys/block/dm-0/size", "500"),
            ("sys/block/dm-0/dm/name", "vg0-root"),
            ("sys/block/dm-0/dm/uuid", &uuid),
            ("sys/class/block/sda/x", ""),
            ("sys/module/zfs/x", ""),
            ("dev/sda", ""),
        ] {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), text).unwrap();
        }
        Recorded::below(root)
    }

    #[test]
    fn a_volume_group_stands_between_its_drive_and_its_volumes() {
        let root = tempfile::tempdir().unwrap();
        let machine = machine(root.path());
        let report = format!(
            r#"{{"report":[{{"vg":[{{"vg_name":"vg0","vg_uuid":"{GROUP}","vg_size":"512000","vg_free":"256000","pv_name":"/dev/sda"}}]}}]}}"#
        );
        machine.set_tool(Tool::VolumeGroups, report.as_bytes());
        machine
            .set_tool(Tool::ZfsPools, b"tank\t1000\t400\t600\t-\t-\t1\t40\t1.00\tONLINE\t-\n\t/dev/sda\t-\n");
        let layout = block_device::Layout::read(&machine, &[]);
        let mut found = block_device::measure(&machine, &Scope::default(), &[], &layout);
        let transport: Arc<dyn Transport> = Arc::new(machine);
        let mut pools = Pools::default();
        let remarks = pools.measure(&transport, Duration::from_secs(5), false, &layout, &mut found);
        assert!(remarks.is_empty(), "{remarks:?}");
        let named = |name: &str| found.iter().find(|component| component.name == name).unwrap();
        let group = named("lvm:vg0");
        assert_eq!(group.kind, ComponentKind::VolumeGroup);
        assert_eq!(group.findings.status.used_bytes, Some(Bytes(256_000)));
        assert_eq!(group.below, ["block:sda"]);
        assert_eq!(named("block:dm-0").below, ["lvm:vg0"]);
        assert_eq!(named("zfs:tank").below, ["block:sda"]);
    }

    #[test]
    fn tools_are_not_run_while_a_drive_sleeps_and_say_why_they_tell_nothing() {
        let root = tempfile::tempdir().unwrap();
        let machine = Arc::new(machine(root.path()));
        machine.set_tool(Tool::ZfsPools, b"");
        let nothing: Arc<dyn Transport> = Arc::clone(&machine) as Arc<dyn Transport>;
        let layout = block_device::Layout::read(&*machine, &[]);
        let mut found = block_device::measure(&*machine, &Scope::default(), &[], &layout);
        let remarks = Pools::default().measure(&nothing, Duration::from_secs(5), false, &layout, &mut found);
        assert!(remarks[0].contains("the package lvm2 has it"), "{remarks:?}");
        machine.set_tool(Tool::VolumeGroups, b"not json");
        let transport: Arc<dyn Transport> = Arc::clone(&machine) as Arc<dyn Transport>;
        let mut pools = Pools::default();
        let mut round = |quiet: bool| {
            let mut found = block_device::measure(&*machine, &Scope::default(), &[], &layout);
            pools.measure(&transport, Duration::from_secs(5), quiet, &layout, &mut found)
        };
        assert!(round(false)[0].contains("vgs"), "the reason is told");
        machine.set_tool(Tool::VolumeGroups, br#"{"report":[]}"#);
        assert!(round(false).is_empty());
        let before = machine.asked().len();
        assert!(round(true).is_empty());
        assert_eq!(machine.asked().len(), before, "the last answer stands");
    }
}
