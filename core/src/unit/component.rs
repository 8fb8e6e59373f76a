//! Units and the components they are made of.

use serde::{Deserialize, Serialize};

use super::{Evidence, Specs};

/// A component's name inside one node: stable over reboots, made of its strongest identity evidence.
///
/// The hub never parses it; it only has to be the same string for the same thing each time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ComponentKey(pub String);

/// What kind of thing a component is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ComponentKind {
    /// A physical (or emulated) drive.
    Drive,
    /// An NVMe namespace or a SCSI logical unit of a larger device.
    Namespace,
    /// An LVM volume group.
    VolumeGroup,
    /// A thin pool, ZFS pool, array pool or software RAID set.
    Pool,
    /// A logical volume or an array volume.
    Volume,
    /// A mounted file system.
    FileSystem,
    /// A controller of an array or a drive.
    Controller,
}

/// What kind of thing was sold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitKind {
    /// A single drive.
    Drive,
    /// The storage of a server: several drives that carry common volumes.
    ServerStorage,
    /// A storage array.
    Array,
    /// Network-attached storage.
    Nas,
    /// A peripheral that stores no data. It is listed and gets no capacity forecast (claims 5 to 8).
    Other,
}

/// One part of a unit, with its own identity, specifications and status series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Component {
    /// Stable name inside the node.
    pub key: ComponentKey,
    /// What kind of thing it is.
    pub kind: ComponentKind,
    /// The name its owner knows it by (device node, mount point). Leaves the node only where the owner allows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The components whose space this one is made of: a file system names its volume, a volume group its drives.
    /// Space of a provider is not added to the space of what it provides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub provided_by: Vec<ComponentKey>,
    /// Identity evidence, strongest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identity: Vec<Evidence>,
    /// Specifications.
    #[serde(default)]
    pub specs: Specs,
}

/// A unit as a node sees it: a connected group of components.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnitReport {
    /// Stable name inside the node: the key of the unit's root component, or the host's for a server's storage.
    pub key: ComponentKey,
    /// What kind of thing it is.
    pub kind: UnitKind,
    /// Identity evidence of the unit as a whole, strongest first. The hub matches it to a sale.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identity: Vec<Evidence>,
    /// Its components, providers before what they provide.
    pub components: Vec<Component>,
}
