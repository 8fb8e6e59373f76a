//! Status: how a component does at one moment. The probe makes it, the node stores it, the wire carries it and
//! the hub writes it: one type all the way.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::ComponentKey;
use crate::quantity::Bytes;

/// Where a figure of spent capacity comes from. The order of the variants is their rank, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapacitySource {
    /// `statvfs` of a mounted file system.
    FileSystem,
    /// LVM volume group or thin pool.
    Lvm,
    /// ZFS pool.
    Zfs,
    /// Pool of an array, by its management interface.
    ArrayPool,
    /// SCSI log page 0Ch, logical block provisioning.
    ScsiLogPage0c,
    /// NVMe namespace utilisation, only where the namespace is thin or was seen moving.
    NvmeNuse,
}

impl CapacitySource {
    /// Every source, by rank.
    pub const ALL: [Self; 6] =
        [Self::FileSystem, Self::Lvm, Self::Zfs, Self::ArrayPool, Self::ScsiLogPage0c, Self::NvmeNuse];

    /// The name in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FileSystem => "file_system",
            Self::Lvm => "lvm",
            Self::Zfs => "zfs",
            Self::ArrayPool => "array_pool",
            Self::ScsiLogPage0c => "scsi_log_page0c",
            Self::NvmeNuse => "nvme_nuse",
        }
    }
}

/// What a component reports at one moment. `None` is "not reported", never zero. [`super::FIGURES`] lists its figures
/// with their units.
///
/// Counters (`read_*`, `write_*`, `busy_milliseconds`, `queue_milliseconds`) count from an arbitrary start and are
/// only comparable inside one boot; `data_*_bytes` are life-time counters kept by the device.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// Usable size at this moment, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity_bytes: Option<Bytes>,
    /// Spent capacity, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_bytes: Option<Bytes>,
    /// Where `used_bytes` comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_source: Option<CapacitySource>,
    /// Inodes in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inodes_total: Option<u64>,
    /// Inodes in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inodes_used: Option<u64>,
    /// Metadata space of a thin pool, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_capacity_bytes: Option<Bytes>,
    /// Metadata space in use, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_used_bytes: Option<Bytes>,
    /// Read operations, counter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_ops: Option<u64>,
    /// Write operations, counter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write_ops: Option<u64>,
    /// Bytes read, counter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_bytes: Option<Bytes>,
    /// Bytes written, counter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write_bytes: Option<Bytes>,
    /// Milliseconds in which at least one request was outstanding, counter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub busy_milliseconds: Option<u64>,
    /// Sum over requests of the milliseconds each was outstanding, counter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_milliseconds: Option<u64>,
    /// Share of the time since the previous sample in which it was busy, 0…1. Only inside one boot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utilisation: Option<f64>,
    /// Mean number of outstanding requests since the previous sample, 0 or more. Only inside one boot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_depth: Option<f64>,
    /// Temperature, degrees Celsius.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature_celsius: Option<i16>,
    /// Endurance used by the device's own estimate, percent of the rating; may exceed 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endurance_used_percent: Option<u16>,
    /// Spare capacity left, percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spare_percent: Option<u8>,
    /// Bytes read by hosts over its life.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_read_bytes: Option<u64>,
    /// Bytes written by hosts over its life.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_written_bytes: Option<u64>,
    /// Hours powered on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub power_on_hours: Option<u64>,
    /// Unrecovered media errors over its life.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_errors: Option<u64>,
    /// The device's own warning bits (NVMe critical warning, byte 0 of log page 02h), as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub critical_warning: Option<u8>,
}

/// A status of one component at one moment, as stored and as sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Position in the node's store; rises by one with each sample and never repeats inside one store.
    pub sequence: u64,
    /// Which component.
    pub component: ComponentKey,
    /// When it was measured, by the node's clock, UTC, whole milliseconds.
    pub at: Timestamp,
    /// The boot in which it was measured: counters are only comparable inside one.
    pub boot: Uuid,
    /// What was measured.
    #[serde(flatten)]
    pub status: Status,
}

/// A figure of [`Status`] or of the specifications, by the name it has in JSON and SQL, that a component might report.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StatusField(pub String);

/// Why a figure is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AbsenceReason {
    /// The device has no such figure.
    Unsupported,
    /// The device answered with an error.
    Refused,
    /// The node may not ask: a capability or permission is missing.
    PermissionDenied,
    /// The device did not answer in time.
    TimedOut,
    /// The device sleeps and was left asleep.
    Asleep,
    /// The answer was damaged or impossible.
    Unbelievable,
    /// The device answers with the value that its standard reserves for "not reported".
    NotReported,
}

/// A figure that a component does not report, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Absence {
    /// Which component.
    pub component: ComponentKey,
    /// Which figure.
    pub field: StatusField,
    /// Why it is absent.
    pub reason: AbsenceReason,
    /// What was seen, and what would change it, in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::CapacitySource;

    #[test]
    fn sources_are_called_as_in_json() {
        for source in CapacitySource::ALL {
            assert_eq!(serde_json::to_value(source).expect("JSON"), source.as_str());
        }
    }
}
