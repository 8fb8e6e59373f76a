//! How the probes reach the machine: one trait, so that a test can play any machine and any fault.
//!
//! | Room | What it is |
//! |---|---|
//! | [`Linux`] | the kernel of this machine, or a folder that looks like one |
//! | [`Recorded`] | a machine that answers from a folder and from pages kept in memory |
//! | [`Faulty`] | another transport, with faults: late, refused, torn, gone |
//! | [`ArrayOverHttp`] | the management interface of an array |

mod array;
mod faulty;
mod kernel;
mod linux;
mod recorded;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use array::{ArrayAddress, ArrayOverHttp, ArrayTransport};
pub use faulty::{Fault, Faulty};
pub use linux::Linux;
pub use recorded::Recorded;

/// Why the machine did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum TransportError {
    /// There is no such file or device.
    #[error("{0} is not there")]
    NotFound(String),
    /// The node may not ask.
    #[error("permission denied for {what}: {remedy}")]
    PermissionDenied {
        /// What was asked.
        what: String,
        /// What would allow it.
        remedy: String,
    },
    /// The device answered with an error status.
    #[error("{what} was refused with status {status:#06x}")]
    Refused {
        /// What was asked.
        what: String,
        /// The device's status word.
        status: u32,
    },
    /// The device did not answer in time.
    #[error("{what} did not answer within {seconds} s")]
    TimedOut {
        /// What was asked.
        what: String,
        /// The limit, seconds.
        seconds: u64,
    },
    /// Anything else that the system says.
    #[error("{what}: {message}")]
    System {
        /// What was asked.
        what: String,
        /// The system's message.
        message: String,
    },
}

/// What `statvfs` tells of a mounted file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSystemFigures {
    /// Size of a fragment, bytes: the unit of the three block counts.
    pub fragment_bytes: u64,
    /// Blocks in all.
    pub blocks: u64,
    /// Blocks that are free, those kept for root included.
    pub blocks_free: u64,
    /// Blocks that are free for everybody.
    pub blocks_available: u64,
    /// Inodes in all; 0 where the file system does not count them.
    pub inodes: u64,
    /// Inodes that are free.
    pub inodes_free: u64,
    /// The device that answered: it must be the one in the mount table.
    pub device: u64,
}

/// A command of the NVMe admin queue that only reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NvmeCommand {
    /// Operation: 06h Identify, 02h Get Log Page.
    pub operation: u8,
    /// Namespace, or FFFFFFFFh for the controller.
    pub namespace: u32,
    /// Command dword 10.
    pub dword10: u32,
    /// Command dword 11.
    pub dword11: u32,
    /// How many bytes to read, at most 4,096.
    pub length: u32,
}

/// A program that reports what no file of /proc or /sys tells. The list is closed: nothing else is ever started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tool {
    /// `vgs`: LVM volume groups and what they are made of.
    VolumeGroups,
    /// `zpool list`: ZFS pools and what they are made of.
    ZfsPools,
}

impl Tool {
    /// Program and arguments. Both only read.
    pub fn command(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::VolumeGroups => (
                "vgs",
                &[
                    "--readonly",
                    "--reportformat",
                    "json",
                    "--units",
                    "b",
                    "--nosuffix",
                    "-o",
                    "vg_name,vg_uuid,vg_size,vg_free,pv_name",
                ],
            ),
            Self::ZfsPools => ("zpool", &["list", "-HpvPL"]),
        }
    }
}

impl Tool {
    /// The package of Debian and its kin that brings it.
    pub fn package(self) -> &'static str {
        match self {
            Self::VolumeGroups => "lvm2",
            Self::ZfsPools => "zfsutils-linux",
        }
    }
}

/// The machine, as the probes see it. Every call may block; the probes run each device's calls in its own worker.
pub trait Transport: Send + Sync + 'static {
    /// A small file of /proc or /sys, at most a megabyte of it.
    ///
    /// # Errors
    /// As the system says.
    fn read(&self, path: &Path) -> Result<Vec<u8>, TransportError>;
    /// Names in a folder, sorted.
    ///
    /// # Errors
    /// As the system says.
    fn list(&self, path: &Path) -> Result<Vec<String>, TransportError>;
    /// The absolute path behind all links, in the machine's own terms.
    ///
    /// # Errors
    /// As the system says.
    fn resolve(&self, path: &Path) -> Result<PathBuf, TransportError>;
    /// The number of the device that a file lies on.
    ///
    /// # Errors
    /// As the system says.
    fn device_of(&self, path: &Path) -> Result<u64, TransportError>;
    /// `statvfs`, with the device that answered.
    ///
    /// # Errors
    /// As the system says.
    fn statvfs(&self, mount_point: &Path) -> Result<FileSystemFigures, TransportError>;
    /// The UUID of a mounted file system, from the kernel (6.9 and newer) or from the disk.
    ///
    /// # Errors
    /// [`TransportError::NotFound`] where neither knows it.
    fn file_system_uuid(
        &self,
        mount_point: &Path,
        format: &str,
        device_node: &Path,
    ) -> Result<uuid::Uuid, TransportError>;
    /// An NVMe admin command on a controller's device node.
    ///
    /// # Errors
    /// As the device or the system says.
    fn nvme(&self, device_node: &Path, command: NvmeCommand) -> Result<Vec<u8>, TransportError>;
    /// A SCSI command that reads up to `length` bytes. With length 0 it moves no data, and the answer is the sense data:
    /// ATA pass-through gives a drive's registers there.
    ///
    /// # Errors
    /// As the device or the system says.
    fn scsi(&self, device_node: &Path, command: &[u8], length: u32) -> Result<Vec<u8>, TransportError>;
    /// What device mapper tells of a device by its name: the data area of its answer, which
    /// [`crate::decode::dm_targets`] reads, and the number of targets in it. `table` asks for the table, not the status.
    ///
    /// # Errors
    /// As the system says.
    fn device_mapper(&self, name: &str, table: bool) -> Result<(u32, Vec<u8>), TransportError>;
    /// What a program prints.
    ///
    /// # Errors
    /// As the system or the program says.
    fn tool(&self, tool: Tool) -> Result<Vec<u8>, TransportError>;
}

/// A trimmed text file of /sys; `None` where it is missing, unreadable or blank.
pub fn attribute(transport: &dyn Transport, path: &Path) -> Option<String> {
    let bytes = transport.read(path).ok()?;
    crate::decode::clean_text(bytes.strip_suffix(b"\n").unwrap_or(&bytes))
}

/// A number in a file of /sys.
pub fn number(transport: &dyn Transport, path: &Path) -> Option<u64> {
    attribute(transport, path)?.parse().ok()
}
