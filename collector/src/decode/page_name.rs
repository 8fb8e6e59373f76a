//! The names of raw pages: on the command line, and as captures name their files.

/// A raw page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[non_exhaustive]
pub enum PageName {
    /// Identify Controller (CNS 01h)
    NvmeController,
    /// Identify Namespace (CNS 00h)
    NvmeNamespace,
    /// Active namespace list (CNS 02h)
    NvmeNamespaceList,
    /// Namespace identification descriptors (CNS 03h)
    NvmeDescriptors,
    /// Log page 02h, SMART / Health
    NvmeSmart,
    /// Log page 09h, Endurance Group
    NvmeEnduranceGroup,
    /// Log page 0Ch, Asymmetric Namespace Access
    NvmeAna,
    /// Another NVMe log page: errors, firmware, changed namespaces, effects
    NvmeOtherLog,
    /// Standard INQUIRY data
    ScsiInquiry,
    /// Vital product data; its own code says which
    ScsiVpd,
    /// READ CAPACITY(16)
    ScsiReadCapacity,
    /// LOG SENSE; its own code says which
    ScsiLog,
    /// SCSI data of another command: mode pages, sense data, zones, enclosures
    ScsiOther,
    /// IDENTIFY DEVICE
    AtaIdentify,
    /// SMART READ DATA
    AtaSmart,
    /// Device statistics, GP log 04h
    AtaStatistics,
}

/// Beginnings of file names, the longer before the shorter.
const BEGINNINGS: [(&str, PageName); 38] = [
    ("id_ctrl", PageName::NvmeController),
    ("id_nsdesc", PageName::NvmeDescriptors),
    ("id_ns", PageName::NvmeNamespace),
    ("ns_list", PageName::NvmeNamespaceList),
    ("smart_ctrl", PageName::NvmeSmart),
    ("smart_ns", PageName::NvmeSmart),
    ("log01_error", PageName::NvmeOtherLog),
    ("log02", PageName::NvmeSmart),
    ("log03_fw", PageName::NvmeOtherLog),
    ("log04_changed_ns", PageName::NvmeOtherLog),
    ("log05_effects", PageName::NvmeOtherLog),
    ("log09", PageName::NvmeEnduranceGroup),
    ("log0c", PageName::NvmeAna),
    ("inquiry", PageName::ScsiInquiry),
    ("inq_", PageName::ScsiInquiry),
    ("vpd_", PageName::ScsiVpd),
    ("readcap", PageName::ScsiReadCapacity),
    ("log_", PageName::ScsiLog),
    ("logs_", PageName::ScsiLog),
    ("ata_identify", PageName::AtaIdentify),
    ("ata_smart", PageName::AtaSmart),
    ("ata_devstat", PageName::AtaStatistics),
    ("ata_statistics", PageName::AtaStatistics),
    ("modes_", PageName::ScsiOther),
    ("luns_", PageName::ScsiOther),
    ("opcodes", PageName::ScsiOther),
    ("rep_", PageName::ScsiOther),
    ("ses_", PageName::ScsiOther),
    ("get_", PageName::ScsiOther),
    ("stream_ctl_", PageName::ScsiOther),
    ("wr_mode_", PageName::ScsiOther),
    ("z_act_", PageName::ScsiOther),
    ("nvme_", PageName::ScsiOther),
    ("fixed_sense", PageName::ScsiOther),
    ("descriptor_sense", PageName::ScsiOther),
    ("forwarded_sense", PageName::ScsiOther),
    ("ref_sense", PageName::ScsiOther),
    ("sense", PageName::ScsiOther),
];

impl PageName {
    /// The page that a file is named after, by the name without folder.
    pub fn of_file(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        BEGINNINGS.iter().find(|(beginning, _)| name.starts_with(beginning)).map(|(_, page)| *page)
    }

    /// The name of the format in results.
    pub fn format(self) -> &'static str {
        match self {
            Self::NvmeController => "nvme_controller",
            Self::NvmeNamespace => "nvme_namespace",
            Self::NvmeNamespaceList => "nvme_namespace_list",
            Self::NvmeDescriptors => "nvme_descriptors",
            Self::NvmeSmart => "nvme_smart",
            Self::NvmeEnduranceGroup => "nvme_endurance_group",
            Self::NvmeAna => "nvme_ana",
            Self::NvmeOtherLog => "nvme_other_log",
            Self::ScsiInquiry => "scsi_inquiry",
            Self::ScsiVpd => "scsi_vpd",
            Self::ScsiReadCapacity => "scsi_read_capacity",
            Self::ScsiLog => "scsi_log",
            Self::ScsiOther => "scsi_other",
            Self::AtaIdentify => "ata_identify",
            Self::AtaSmart => "ata_smart",
            Self::AtaStatistics => "ata_statistics",
        }
    }
}
