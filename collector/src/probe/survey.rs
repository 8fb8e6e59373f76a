//! One round over all probes: what there is, how it does, what is absent.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use headroom_core::{
    exchange::Placement,
    unit::{Absence, ComponentKey, Evidence, EvidenceKind, Status, UnitKind, UnitReport},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::filesystem::FileSystems;
use super::nvme::Nvme;
use super::tree::{self, Host};
use super::{Found, Scope, absent, block_device};
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
        Self { transport, scope, patience, host, file_systems: FileSystems::default(), nvme: Nvme::default() }
    }

    /// Looks at everything once.
    ///
    /// # Errors
    /// The machine's mount table cannot be read: without it nothing can be told.
    pub fn survey(&mut self) -> Result<Survey, TransportError> {
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
        for (mut file_system, mount) in
            self.file_systems.measure(&self.transport, &mounts, self.patience).into_iter().zip(&mounts)
        {
            file_system.below = layout.carrier_of(mount).into_iter().collect();
            found.push(file_system);
        }
        Ok(self.assemble(found))
    }

    fn assemble(&self, mut found: Vec<Found>) -> Survey {
        found.iter_mut().for_each(absent::state);
        let keys = tree::keys(&found, &self.host);
        let units = tree::units(&found, &keys, &self.host);
        let mut survey = Survey { units, ..Survey::default() };
        for (component, key) in found.iter().zip(&keys) {
            survey.absences.extend(component.findings.absences(key));
            survey.measured.push(Measured {
                component: key.clone(),
                attachment: component.attachment,
                status: component.findings.status.clone(),
            });
        }
        survey.absences.sort();
        survey
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
