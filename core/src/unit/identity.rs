//! Identity as ordered evidence: no single number names a drive reliably.

use serde::{Deserialize, Serialize};

/// The kinds of identity evidence, strongest first: the order of the variants is the order of trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    /// NVMe namespace globally unique identifier, 16 bytes in hexadecimal.
    Nguid,
    /// IEEE extended unique identifier of a namespace, 8 bytes in hexadecimal.
    Eui64,
    /// UUID of an NVMe namespace or a file system.
    Uuid,
    /// Network address authority designator of SCSI VPD page 83h, in hexadecimal.
    Naa,
    /// World wide name of an ATA drive, in hexadecimal.
    Wwn,
    /// Vendor, model and serial number, joined by `|`.
    VendorModelSerial,
    /// Serial number alone.
    Serial,
    /// The machine that it is attached to (machine id) and the path of the device there: survives only until moved.
    HostPath,
}

/// One piece of identity evidence. All-zero and known-bad values are never evidence: a node leaves them out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Evidence {
    /// What kind of identifier it is.
    pub kind: EvidenceKind,
    /// Its value, trimmed; hexadecimal in lower case.
    pub value: String,
}
