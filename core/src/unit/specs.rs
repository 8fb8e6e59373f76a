//! Specifications: what a component was made to hold and to bear.

use serde::{Deserialize, Serialize};

use crate::quantity::Bytes;

/// Specifications of a component, as read from it. A field that it does not report is `None`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Specs {
    /// Manufacturer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// Model name as the device gives it, trimmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Serial number, trimmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Firmware revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    /// Capacity as made (claim 9: specifications hold at least the disk capacity).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity_bytes: Option<Bytes>,
    /// Size of a logical block, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logical_block_bytes: Option<u32>,
    /// How it is attached: `nvme`, `scsi`, `sata`, `virtio`, `loop`, `redfish` …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Rotations per minute; 0 for solid state, `None` where unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotation_rpm: Option<u32>,
    /// Whether space is handed out only when written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thin: Option<bool>,
    /// File-system type, volume type or RAID level, as the system names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Bytes that may be written over its life, where the maker says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rated_write_bytes: Option<Bytes>,
}
