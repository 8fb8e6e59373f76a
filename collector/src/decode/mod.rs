//! Pure decoders: bytes or text in, core's types or a typed error out. Nothing here asks a device.
//!
//! | Room | What it reads |
//! |---|---|
//! | [`nvme_identify`] | controller, namespaces, namespace list, descriptors |
//! | [`nvme_smart`], [`nvme_endurance_group`], [`nvme_ana`] | log pages 02h, 09h, 0Ch |
//! | [`scsi_inquiry`], [`scsi_vpd`], [`scsi_read_capacity`] | who a SCSI unit is and how large |
//! | [`scsi_log_sense`] | the frame of log pages |
//! | [`scsi_provisioning`], [`scsi_log_pages`] | log page 0Ch; the others |
//! | [`smartctl`] | `smartctl --json` |
//! | [`redfish`], [`redfish_tree`] | arrays: one resource, and what provides whose space |
//! | [`dm_targets`], [`dm_thin`], [`lvm`], [`zpool`], [`mdstat`] | what sits above the drives |
//! | [`ata_identify`], [`ata_smart`], [`ata_statistics`] | SATA drives |
//! | [`PageName`], [`raw_page`] | raw pages by name |
//! | [`capture`], [`report`] | a file from the field, and the result for it |
//!
//! [`Page`] bounds every read, [`Findings`] gathers what pages say of one component.

pub mod ata_identify;
pub mod ata_smart;
pub mod ata_statistics;
pub mod capture;
pub mod dm_targets;
pub mod dm_thin;
mod error;
mod findings;
#[cfg(test)]
mod hostile_tests;
pub mod lvm;
pub mod mdstat;
mod number;
pub mod nvme_ana;
pub mod nvme_endurance_group;
pub mod nvme_identify;
pub mod nvme_smart;
mod page;
mod page_name;
mod part;
pub mod raw_page;
pub mod redfish;
pub mod redfish_tree;
pub mod report;
pub mod scsi_inquiry;
pub mod scsi_log_pages;
pub mod scsi_log_sense;
pub mod scsi_provisioning;
pub mod scsi_read_capacity;
pub mod scsi_vpd;
pub mod smartctl;
mod smartctl_wear;
pub mod zpool;

pub use capture::{Capture, CaptureError, Surroundings};
pub use error::DecodeError;
pub use findings::{BYTES_MAX, Findings, Missing, is_believable_identity};
pub use number::Number;
pub use page::{Page, clean_text};
pub use page_name::PageName;
pub use part::Part;
pub use report::Report;
