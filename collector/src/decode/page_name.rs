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

/// Beginnings of file names, the longer before the shorter: as our own captures, sg3_utils and nvme-cli's commands are
/// called. Dashes count as underscores.
const BEGINNINGS: [(&str, PageName); 49] = [
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
    ("smart_log", PageName::NvmeSmart),
    ("endurance_log", PageName::NvmeEnduranceGroup),
    ("endurance_group_log", PageName::NvmeEnduranceGroup),
    ("ana_log", PageName::NvmeAna),
    ("list_ns", PageName::NvmeNamespaceList),
    ("ns_descs", PageName::NvmeDescriptors),
    ("error_log", PageName::NvmeOtherLog),
    ("fw_log", PageName::NvmeOtherLog),
    ("effects_log", PageName::NvmeOtherLog),
    ("changed_ns_list_log", PageName::NvmeOtherLog),
    ("inq", PageName::ScsiInquiry),
    ("vpd", PageName::ScsiVpd),
    ("readcap", PageName::ScsiReadCapacity),
    ("log_", PageName::ScsiLog),
    ("logs", PageName::ScsiLog),
    ("ata_identify", PageName::AtaIdentify),
    ("sat_identify", PageName::AtaIdentify),
    ("identify_device", PageName::AtaIdentify),
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
        let name = name.to_ascii_lowercase().replace(['-', ' '], "_");
        let named = |name: &str| {
            let mut pages = BEGINNINGS.iter().filter(|(beginning, _)| name.starts_with(beginning));
            pages.next().map(|(_, page)| *page)
        };
        // The device may stand before it: nvme0_smart-log.bin, host-sda-vpd_83.bin.
        let behind = name.match_indices('_').map(|(place, _)| &name[place + 1..]);
        let is_page = |page: &Self| !matches!(page, Self::ScsiOther | Self::NvmeOtherLog);
        let behind = behind.filter_map(named).find(is_page);
        match named(&name) {
            Some(page) if is_page(&page) => Some(page),
            other => behind.or(other),
        }
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

#[cfg(test)]
mod tests {
    use super::PageName;

    #[test]
    fn files_are_named_as_the_tools_name_their_commands() {
        for (name, page) in [
            ("id-ctrl.bin", PageName::NvmeController),
            ("nvme0_id_ns_1.bin", PageName::NvmeNamespace),
            ("NVMe1-smart-log.raw", PageName::NvmeSmart),
            ("endurance-log.bin", PageName::NvmeEnduranceGroup),
            ("log02.bin", PageName::NvmeSmart),
            ("vpd83.bin", PageName::ScsiVpd),
            ("host7 sda vpd_83.bin", PageName::ScsiVpd),
            ("sda_log_0c.bin", PageName::ScsiLog),
            ("logs_0c.bin", PageName::ScsiLog),
            ("ata_smart_data.bin", PageName::AtaSmart),
            ("get_lba_status.hex", PageName::ScsiOther),
            ("nvme_identify_ctl.hex", PageName::ScsiOther),
        ] {
            assert_eq!(PageName::of_file(name), Some(page), "{name}");
        }
        assert_eq!(PageName::of_file("readme.bin"), None);
    }
}
