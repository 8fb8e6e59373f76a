//! What the machine has and how it does, at one moment.
//!
//! | Room | What it is |
//! |---|---|
//! | [`survey`] | one round over all probes |
//! | [`mountinfo`] | the mount table, as text |
//! | [`filesystem`] | mounted file systems, by statvfs |
//! | [`block_device`] | drives and what lies on them, by /sys/block |
//! | [`nvme`] | NVMe controllers and namespaces, by ioctl |
//! | [`scsi`] | SCSI units and SATA drives, by SG_IO |
//! | [`device_mapper`] | thin pools and thin volumes |
//! | [`pools`] | LVM volume groups and ZFS pools, by their tools |
//! | [`smartctl_files`] | drives behind controllers and bridges, from files that a timer writes |
//! | [`redfish`] | arrays, by their management interface |
//! | [`superblock`] | where file systems keep their UUID |
//! | [`guard`] | one worker a device, with a watchdog |
//! | [`tree`] | components joined into units, with stable keys |
//! | [`absent`] | what a component of a kind should report and does not |

mod absent;
pub mod block_device;
pub mod device_mapper;
pub mod filesystem;
pub mod guard;
pub mod mountinfo;
pub mod nvme;
mod nvme_pages;
pub mod pools;
pub mod redfish;
mod sata_drive;
pub mod scsi;
mod scsi_command;
mod scsi_unit;
mod session;
pub mod smartctl_files;
pub mod superblock;
pub mod survey;
pub mod tree;

use headroom_core::unit::{ComponentKind, Evidence};

use crate::decode::Findings;

/// A component as a probe found it, before it has a key.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Its name in this round only: `block:vda`, `nvme:nqn…`, `mount:254:0`.
    pub name: String,
    /// What kind of thing it is.
    pub kind: ComponentKind,
    /// The name its owner knows it by.
    pub label: Option<String>,
    /// Names of the components whose space it is made of.
    pub below: Vec<String>,
    /// Where it hangs in this machine: the weakest identity, and the strongest where a device has no other.
    pub host_path: String,
    /// The kernel's number of this attachment: counters do not go on over a change.
    pub attachment: Option<u64>,
    /// What was read.
    pub findings: Findings,
}

/// An apparatus that is reached over the network: all of its components are one unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Apparatus {
    /// Its name in this round only.
    pub name: String,
    /// Identity evidence, strongest first.
    pub identity: Vec<Evidence>,
    /// What is in it.
    pub found: Vec<Found>,
}

/// Which parts of the machine are looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Mount points that are not measured, with everything below them.
    pub skip_mounts: Vec<String>,
    /// Mount points that are measured whatever their type.
    pub include_mounts: Vec<String>,
    /// Block devices that are not looked at: `sda`, `loop*`.
    pub skip_devices: Vec<String>,
    /// Whether loop devices are drives of their own even without a measured mount.
    pub loop_devices: bool,
    /// Folder of smartctl's files.
    pub smartctl_folder: Option<std::path::PathBuf>,
}

impl Scope {
    /// Whether this mount point is to be left alone.
    pub fn skips_mount(&self, mount_point: &str) -> bool {
        self.skip_mounts.iter().any(|skip| std::path::Path::new(mount_point).starts_with(skip))
    }

    /// Whether this mount point was asked for by name.
    pub fn includes_mount(&self, mount_point: &str) -> bool {
        self.include_mounts.iter().any(|included| included == mount_point)
    }

    /// Whether this block device is to be left alone. A `*` at the end stands for anything.
    pub fn skips_device(&self, name: &str) -> bool {
        self.skip_devices.iter().any(|skip| {
            let skip = skip.strip_prefix("/dev/").unwrap_or(skip);
            skip.strip_suffix('*').map_or(name == skip, |start| name.starts_with(start))
        })
    }
}
