//! One round over all probes: what there is, how it does, what is absent.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use headroom_core::{
    exchange::Placement,
    unit::{Absence, ComponentKey, Evidence, EvidenceKind, Remark, Status, UnitKind, UnitReport},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::device_mapper::DeviceMapper;
use super::filesystem::FileSystems;
use super::nvme::Nvme;
use super::pools::{Pools, pool_of_dataset};
use super::scsi::Scsi;
use super::smartctl_files::SmartctlFiles;
use super::tree::{self, Host};
use super::{Apparatus, Found, Scope, absent, block_device};
use crate::config::Settings;
use crate::decode::is_believable_identity;
use crate::transport::{Linux, Transport, TransportError, attribute};

/// The status of one component in this round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Which component.
    pub component: ComponentKey,
    /// The kernel's number of its attachment: counters do not go on over a change.
    pub attachment: Option<u64>,
    /// What was measured.
    pub status: Status,
}

/// What one round found.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Survey {
    /// Units with their components and specifications.
    pub units: Vec<UnitReport>,
    /// Status of each component.
    pub measured: Vec<Measured>,
    /// What is not reported, and why.
    pub absences: Vec<Absence>,
    /// What a person should know: pages that disagree, sets that are degraded, tools that tell nothing.
    pub remarks: Vec<Remark>,
}

/// All probes, with what they keep between rounds.
#[derive(Debug)]
pub struct Prober {
    transport: Arc<dyn Transport>,
    scope: Scope,
    patience: Duration,
    host: Host,
    file_systems: FileSystems,
    nvme: Nvme,
    scsi: Scsi,
    smartctl_files: SmartctlFiles,
    device_mapper: DeviceMapper,
    pools: Pools,
}

impl std::fmt::Debug for dyn Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Transport")
    }
}

impl Prober {
    /// Probes of a machine. `node` names the machine where it has no machine id.
    pub fn new(
        transport: Arc<dyn Transport>,
        scope: Scope,
        patience: Duration,
        node: Uuid,
        placement: Placement,
        peripheral: UnitKind,
    ) -> Self {
        let host = host(&*transport, node, placement, peripheral);
        Self {
            transport,
            scope,
            patience,
            host,
            file_systems: FileSystems::default(),
            nvme: Nvme::default(),
            scsi: Scsi::default(),
            smartctl_files: SmartctlFiles::default(),
            device_mapper: DeviceMapper::default(),
            pools: Pools::default(),
        }
    }

    /// Looks at everything once. `now` tells files that a timer wrote from those that it has left.
    ///
    /// # Errors
    /// The machine's mount table cannot be read: without it nothing can be told.
    pub fn survey(&mut self, now: Timestamp) -> Result<Survey, TransportError> {
        let mounts = FileSystems::mounts(&*self.transport, &self.scope)?;
        let layout = block_device::Layout::read(&*self.transport, &mounts);
        let mut found = block_device::measure(&*self.transport, &self.scope, &mounts, &layout);
        let nvme = self.nvme.measure(&self.transport, self.patience);
        for component in &mut found {
            if let Some((drive, findings)) = nvme.namespaces.get(&component.name) {
                component.below.push(drive.clone());
                component.findings.merge(findings.clone());
            }
        }
        let skipped =
            |drive: &Found| drive.label.as_deref().is_some_and(|name| self.scope.skips_device(name));
        found.extend(nvme.drives.into_iter().filter(|drive| !skipped(drive)));
        found.extend(nvme.without_device);
        let any_sleeps = self.scsi.measure(&self.transport, self.patience, &mut found);
        let folder = self.scope.smartctl_folder.as_deref();
        let mut remarks = self.smartctl_files.measure(&*self.transport, folder, now, &mut found);
        self.device_mapper.measure(&self.transport, self.patience, &mut found);
        remarks.extend(self.pools.measure(&self.transport, self.patience, any_sleeps, &layout, &mut found));
        for (mut file_system, mount) in
            self.file_systems.measure(&self.transport, &mounts, self.patience).into_iter().zip(&mounts)
        {
            file_system.below = layout
                .carrier_of(mount)
                .into_iter()
                .chain(pool_of_dataset(mount))
                .chain(btrfs_members(&*self.transport, &layout, mount, &file_system))
                .collect();
            file_system.below.sort();
            file_system.below.dedup();
            found.push(file_system);
        }
        let mut survey = Survey::default();
        survey.remarks.extend(remarks.into_iter().map(|text| Remark { component: None, at: None, text }));
        found.iter_mut().for_each(absent::state);
        let keys = tree::keys(&found, &self.host);
        survey.units = tree::units(&found, &keys, &self.host);
        survey.take(&found, &keys);
        survey.absences.sort();
        Ok(survey)
    }
}

impl Survey {
    /// What an apparatus told: one unit. Components without an identity are named after its address.
    pub fn of_apparatus(apparatus: &Apparatus) -> Self {
        let host = Host {
            fingerprint: tree::fingerprint(&apparatus.name),
            identity: Vec::new(),
            placement: Placement::Host,
            peripheral: UnitKind::Array,
        };
        let keys = tree::keys(&apparatus.found, &host);
        let mut survey = Self { units: vec![tree::apparatus(apparatus, &keys, &host)], ..Self::default() };
        survey.take(&apparatus.found, &keys);
        survey
    }

    /// Takes over what another look saw.
    pub fn join(&mut self, other: Self) {
        self.units.extend(other.units);
        self.measured.extend(other.measured);
        self.absences.extend(other.absences);
        self.absences.sort();
        self.remarks.extend(other.remarks);
    }

    fn take(&mut self, found: &[Found], keys: &[ComponentKey]) {
        for (component, key) in found.iter().zip(keys) {
            self.absences.extend(component.findings.absences(key));
            self.measured.push(Measured {
                component: key.clone(),
                attachment: component.attachment,
                status: component.findings.status.clone(),
            });
            let remarks = component.findings.disagreements.iter().cloned();
            self.remarks.extend(remarks.map(|text| Remark { component: Some(key.clone()), at: None, text }));
        }
    }
}

/// Probes of the machine that this runs on, and the transport that they use.
pub fn of_machine(settings: &Settings, node: Uuid) -> (Prober, Arc<dyn Transport>) {
    let transport: Arc<dyn Transport> = Arc::new(Linux::default());
    let prober = Prober::new(
        Arc::clone(&transport),
        settings.scope.clone(),
        Duration::from_secs(u64::from(settings.patience_seconds)),
        node,
        settings.placement,
        settings.peripheral_kind,
    );
    (prober, transport)
}

/// All devices of a btrfs: its mount names only one of them.
fn btrfs_members(
    transport: &dyn Transport,
    layout: &block_device::Layout,
    mount: &super::mountinfo::Mount,
    found: &Found,
) -> Vec<String> {
    let uuid = found.findings.identity.iter().find(|evidence| evidence.kind == EvidenceKind::Uuid);
    let Some(uuid) = uuid.filter(|_| mount.format == "btrfs") else { return Vec::new() };
    let folder = Path::new("/sys/fs/btrfs").join(&uuid.value).join("devices");
    let devices = transport.list(&folder).unwrap_or_default();
    devices
        .iter()
        .filter_map(|device| layout.component_of_node(transport, &format!("/dev/{device}")))
        .collect()
}

/// Who this machine is.
fn host(transport: &dyn Transport, node: Uuid, placement: Placement, peripheral: UnitKind) -> Host {
    let machine = attribute(transport, Path::new("/etc/machine-id")).unwrap_or_else(|| node.to_string());
    let firmware = |name: &str| {
        attribute(transport, &Path::new("/sys/class/dmi/id").join(name))
            .filter(|text| is_believable_identity(text) && !is_placeholder(text))
    };
    let fingerprint = tree::fingerprint(&machine);
    let mut identity = Vec::new();
    if let Some(serial) = firmware("product_serial") {
        if let Some(product) = firmware("product_name") {
            let vendor = firmware("sys_vendor").unwrap_or_default();
            identity.push(Evidence {
                kind: EvidenceKind::VendorModelSerial,
                value: format!("{vendor}|{product}|{serial}"),
            });
        }
        identity.push(Evidence { kind: EvidenceKind::Serial, value: serial });
    }
    identity.push(Evidence { kind: EvidenceKind::HostPath, value: fingerprint.clone() });
    Host { fingerprint, identity, placement, peripheral }
}

/// What board makers leave in tables that they did not fill in.
fn is_placeholder(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["to be filled", "default string", "not specified", "system serial", "none", "n/a", "123456789"]
        .iter()
        .any(|placeholder| text.contains(placeholder))
}
