//! Device-mapper devices, by the kernel's own interface: thin pools with their data and metadata, thin volumes.

use std::sync::Arc;
use std::time::Duration;

use headroom_core::unit::{AbsenceReason, ComponentKind};

use super::Found;
use super::guard::Guard;
use super::session::reason_of;
use crate::decode::{Findings, dm_targets, dm_thin};
use crate::transport::{Transport, TransportError};

type Lines = Result<Vec<String>, TransportError>;

/// The probe: a worker for each device.
#[derive(Debug, Default)]
pub struct DeviceMapper {
    guard: Guard<(Lines, Lines)>,
}

impl DeviceMapper {
    /// Asks every device-mapper device among the components found so far and adds what it tells.
    pub fn measure(&mut self, transport: &Arc<dyn Transport>, patience: Duration, found: &mut [Found]) {
        let mut asked = Vec::new();
        let mut questions = Vec::new();
        for (index, component) in found.iter().enumerate() {
            // The label of a device-mapper device is `dm-0 name`.
            let Some((_, name)) = component.label.as_deref().and_then(|label| label.split_once(' ')) else {
                continue;
            };
            if !component.name.starts_with("block:dm-") {
                continue;
            }
            let (transport, name) = (Arc::clone(transport), name.to_owned());
            let question: Box<dyn FnOnce() -> (Lines, Lines) + Send> = Box::new(move || {
                let status = lines(&*transport, &name, false);
                let is_pool =
                    status.as_ref().is_ok_and(|lines| lines.iter().any(|l| dm_thin::is_thin_pool(l)));
                let table = if is_pool { lines(&*transport, &name, true) } else { Ok(Vec::new()) };
                (status, table)
            });
            asked.push(index);
            questions.push((component.name.clone(), question));
        }
        let answers = self.guard.ask_all(questions, patience);
        for (index, (_, answer)) in asked.into_iter().zip(answers) {
            let component = &mut found[index];
            let findings = match answer {
                Ok((Ok(status), table)) => told(component, &status, &table.unwrap_or_default()),
                Ok((Err(error), _)) => silent(reason_of(&error), &error.to_string()),
                Err(_) => silent(AbsenceReason::TimedOut, "device mapper did not answer in time"),
            };
            component.findings.merge(findings);
        }
    }
}

fn lines(transport: &dyn Transport, name: &str, table: bool) -> Lines {
    let (targets, area) = transport.device_mapper(name, table)?;
    dm_targets::lines(targets, &area).map_err(|error| TransportError::System {
        what: format!("device mapper's {name}"),
        message: error.to_string(),
    })
}

fn told(component: &mut Found, status: &[String], table: &[String]) -> Findings {
    if let Some(line) = status.iter().find(|line| dm_thin::is_thin_pool(line)) {
        component.kind = ComponentKind::Pool;
        let block = table.iter().find_map(|line| dm_thin::block_sectors(line));
        return match dm_thin::decode(line, block) {
            Ok(pool) => pool.part().findings,
            Err(error) => silent(AbsenceReason::Unbelievable, &error.to_string()),
        };
    }
    // A volume of several thin targets does not exist: each is one target long.
    match status.iter().find(|line| dm_thin::is_thin_volume(line)).map(|line| dm_thin::thin_volume(line)) {
        Some(Ok(findings)) => findings,
        Some(Err(error)) => silent(AbsenceReason::Unbelievable, &error.to_string()),
        None => Findings::default(),
    }
}

fn silent(reason: AbsenceReason, detail: &str) -> Findings {
    let mut findings = Findings::default();
    findings.absent("used_bytes", reason, detail);
    findings
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;
    use std::time::Duration;

    use headroom_core::{quantity::Bytes, unit::ComponentKind};

    use super::DeviceMapper;
    use crate::probe::{Scope, block_device};
    use crate::transport::{Recorded, Transport};

    fn area(length: u64, kind: &str, parameters: &str) -> Vec<u8> {
        let mut bytes = vec![0; 40];
        bytes[8..16].copy_from_slice(&length.to_le_bytes());
        bytes[24..24 + kind.len()].copy_from_slice(kind.as_bytes());
        bytes.extend(parameters.as_bytes());
        bytes.push(0);
        bytes
    }

    #[test]
    fn a_thin_pool_has_data_and_metadata_and_its_volume_what_is_mapped() {
        let root = tempfile::tempdir().unwrap();
        for (device, name, size) in [("dm-0", "pool", "131072"), ("dm-1", "thin", "409600")] {
            let folder = root.path().join("sys/block").join(device);
            fs::create_dir_all(folder.join("dm")).unwrap();
            fs::write(folder.join("size"), size).unwrap();
            fs::write(folder.join("dm/name"), name).unwrap();
        }
        let machine = Recorded::below(root.path());
        machine.set_device_mapper("pool", false, 1, area(131_072, "thin-pool", "1 17/1024 320/1024 - rw"));
        machine.set_device_mapper("pool", true, 1, area(131_072, "thin-pool", "7:0 7:1 128 0"));
        machine.set_device_mapper("thin", false, 1, area(409_600, "thin", "40960 81919"));
        let layout = block_device::Layout::read(&machine, &[]);
        let mut found = block_device::measure(&machine, &Scope::default(), &[], &layout);
        let transport: Arc<dyn Transport> = Arc::new(machine);
        DeviceMapper::default().measure(&transport, Duration::from_secs(5), &mut found);
        let (pool, thin) = (&found[0], &found[1]);
        assert_eq!((pool.kind, thin.kind), (ComponentKind::Pool, ComponentKind::Volume));
        assert_eq!(pool.findings.status.used_bytes, Some(Bytes(320 * 65_536)));
        assert_eq!(pool.findings.status.metadata_used_bytes, Some(Bytes(17 * 4_096)));
        assert_eq!(pool.findings.status.metadata_capacity_bytes, Some(Bytes(1_024 * 4_096)));
        assert_eq!(thin.findings.status.used_bytes, Some(Bytes(40_960 * 512)));
    }
}
