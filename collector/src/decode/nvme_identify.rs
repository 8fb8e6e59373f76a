//! NVMe Identify: what the controller and its namespaces are.
//!
//! Offsets: NVM Express Base Specification, Identify Controller and NVM command set Identify Namespace data
//! structures, checked against libnvme `src/nvme/types.h`. Everything is little-endian.

use headroom_core::unit::{AbsenceReason, CapacitySource, EvidenceKind};
use serde::Serialize;

use super::{DecodeError, Findings, Page, findings::BYTES_MAX};

/// Bytes in every Identify page.
pub const LENGTH: usize = 4096;

const CONTROLLER: &str = "NVMe Identify Controller (CNS 01h)";
const NAMESPACE: &str = "NVMe Identify Namespace (CNS 00h)";
const LIST: &str = "NVMe active namespace list (CNS 02h)";
const DESCRIPTORS: &str = "NVMe namespace descriptors (CNS 03h)";

/// Identify Controller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Controller {
    /// PCI vendor id, bytes 0..2.
    pub pci_vendor: u16,
    /// Serial number, bytes 4..24.
    pub serial: Option<String>,
    /// Model, bytes 24..64.
    pub model: Option<String>,
    /// Firmware revision, bytes 64..72.
    pub firmware: Option<String>,
    /// Byte 76, bit 1: more than one controller in the subsystem, so namespaces may have several paths.
    pub multiple_controllers: bool,
    /// Controller id, bytes 78..80.
    pub controller_id: u16,
    /// Specification version, bytes 80..84: major, minor, tertiary; 0.0.0 before 1.2.
    pub version: (u16, u8, u8),
    /// Bytes 96..100, bit 4: endurance groups, and with them log page 09h.
    pub has_endurance_groups: bool,
    /// Byte 76, bit 3: asymmetric namespace access, and with it log page 0Ch.
    pub has_ana: bool,
    /// Log page attributes, byte 261.
    pub log_page_attributes: u8,
    /// Temperature at which it warns, kelvins, bytes 266..268; `None` where 0.
    pub warning_temperature_kelvin: Option<u16>,
    /// Total NVM capacity, bytes, 280..296; `None` where 0, which means "not reported".
    pub total_capacity_bytes: Option<u128>,
    /// NVM capacity in no namespace, bytes, 296..312; only meaningful where the total is reported.
    pub unallocated_capacity_bytes: Option<u128>,
    /// Highest endurance group id, bytes 340..342.
    pub endurance_group_max: u16,
    /// Highest namespace id, bytes 516..520: a limit, not a count.
    pub namespace_id_max: u32,
    /// NVMe qualified name of the subsystem, bytes 768..1024.
    pub subsystem_nqn: Option<String>,
}

/// Decodes Identify Controller.
///
/// # Errors
/// [`DecodeError`] where the page is short, blank or uniform.
pub fn controller(bytes: &[u8]) -> Result<Controller, DecodeError> {
    let page = Page::of_length(CONTROLLER, bytes, LENGTH)?;
    page.refuse_uniform()?;
    let total = page.le128(280)?;
    let unallocated = page.le128(296)?;
    if unallocated > total && total != 0 {
        return Err(page.impossible(296, 16, "more unallocated capacity than there is in all"));
    }
    let (cmic, ctratt, version) = (page.u8(76)?, page.le32(96)?, page.le32(80)?);
    let warning = page.le16(266)?;
    Ok(Controller {
        pci_vendor: page.le16(0)?,
        serial: page.text(4, 20)?,
        model: page.text(24, 40)?,
        firmware: page.text(64, 8)?,
        multiple_controllers: cmic & 1 << 1 != 0,
        controller_id: page.le16(78)?,
        version: ((version >> 16) as u16, (version >> 8) as u8, version as u8),
        has_endurance_groups: ctratt & 1 << 4 != 0,
        has_ana: cmic & 1 << 3 != 0,
        log_page_attributes: page.u8(261)?,
        warning_temperature_kelvin: (warning != 0).then_some(warning),
        total_capacity_bytes: (total != 0).then_some(total),
        unallocated_capacity_bytes: (total != 0).then_some(unallocated),
        endurance_group_max: page.le16(340)?,
        namespace_id_max: page.le32(516)?,
        subsystem_nqn: page.text(768, 256)?,
    })
}

impl Controller {
    /// The drive as core knows it.
    pub fn findings(&self) -> Findings {
        let mut found = Findings::default();
        found.specs.serial.clone_from(&self.serial);
        found.specs.model.clone_from(&self.model);
        found.specs.firmware.clone_from(&self.firmware);
        found.specs.interface = Some("nvme".to_owned());
        found.specs.rotation_rpm = Some(0);
        for (field, value, source) in [
            ("serial", &self.serial, "NVMe Identify Controller bytes 4..24"),
            ("model", &self.model, "NVMe Identify Controller bytes 24..64"),
            ("firmware", &self.firmware, "NVMe Identify Controller bytes 64..72"),
        ] {
            match value {
                Some(_) => found.source(field, source),
                None => found.absent(field, AbsenceReason::NotReported, format!("{source} are blank")),
            }
        }
        found.model_and_serial(None, self.model.as_deref(), self.serial.as_deref());
        match self.total_capacity_bytes {
            Some(total) => {
                let source = "NVMe Identify Controller TNVMCAP, bytes 280..296";
                found.specs.capacity_bytes = found.bytes("capacity_bytes", total, source);
            }
            None => found.absent(
                "capacity_bytes",
                AbsenceReason::NotReported,
                "TNVMCAP is 0: the drive leaves its size to its namespaces",
            ),
        }
        found
    }
}

/// Identify Namespace of the NVM command set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Namespace {
    /// NSZE, logical blocks, bytes 0..8.
    pub size_blocks: u64,
    /// NCAP, logical blocks, bytes 8..16.
    pub capacity_blocks: u64,
    /// NUSE, logical blocks, bytes 16..24. Most drives hold it equal to NSZE for ever.
    pub used_blocks: u64,
    /// NSFEAT bit 0, byte 24.
    pub thin: bool,
    /// Size of a logical block, bytes, of the format in use (FLBAS, byte 26, and LBA formats from byte 128).
    pub block_bytes: u32,
    /// Bytes of NVM behind the namespace, 48..64; `None` where 0.
    pub nvm_capacity_bytes: Option<u128>,
    /// ANA group, bytes 92..96.
    pub ana_group: u32,
    /// Endurance group, bytes 102..104; 0 where there is none.
    pub endurance_group: u16,
    /// NGUID, bytes 104..120, in hexadecimal; `None` where all zero.
    pub nguid: Option<String>,
    /// EUI-64, bytes 120..128, in hexadecimal; `None` where all zero.
    pub eui64: Option<String>,
}

/// Decodes Identify Namespace. `None` for an inactive namespace, which answers with zeros.
///
/// # Errors
/// [`DecodeError`] where the page is short or its sizes contradict each other.
pub fn namespace(bytes: &[u8]) -> Result<Option<Namespace>, DecodeError> {
    let page = Page::of_length(NAMESPACE, bytes, LENGTH)?;
    if page.bytes().iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    page.refuse_uniform()?;
    let (flbas, formats) = (page.u8(26)?, page.u8(25)?);
    // Bits 5 and 6 extend the index only where there are more than 16 formats (NLBAF counts from 0).
    let high = if formats > 15 { flbas >> 5 & 0x3 } else { 0 };
    let index = usize::from(high << 4 | flbas & 0xf);
    let at = 128 + 4 * index;
    let shift = page.u8(at + 2)?;
    if !(9..=24).contains(&shift) {
        let what = format!("LBA format {index} has blocks of 2^{shift} bytes, outside 2^9 to 2^24");
        return Err(page.impossible(at + 2, 1, what));
    }
    let (size, capacity, used) = (page.le64(0)?, page.le64(8)?, page.le64(16)?);
    if size == 0 || u128::from(size) << shift > u128::from(BYTES_MAX) {
        let what = format!("{size} blocks of 2^{shift} bytes are no size of a namespace");
        return Err(page.impossible(0, 8, what));
    }
    if capacity > size {
        return Err(page.impossible(8, 8, format!("NCAP {capacity} is above NSZE {size}")));
    }
    let nvm = page.le128(48)?;
    Ok(Some(Namespace {
        size_blocks: size,
        capacity_blocks: capacity,
        used_blocks: used,
        thin: page.u8(24)? & 1 != 0,
        block_bytes: 1 << shift,
        nvm_capacity_bytes: (nvm != 0).then_some(nvm),
        ana_group: page.le32(92)?,
        endurance_group: page.le16(102)?,
        nguid: hexadecimal(page.slice(104, 16)?),
        eui64: hexadecimal(page.slice(120, 8)?),
    }))
}

impl Namespace {
    /// Size in bytes; checked against overflow when it was decoded.
    pub fn size_bytes(&self) -> u64 {
        self.size_blocks.saturating_mul(u64::from(self.block_bytes))
    }

    /// Whether NUSE says anything: only where the namespace is thin or NUSE differs from NSZE. Four of five drives in
    /// the field report themselves full for ever.
    pub fn utilisation_is_meaningful(&self) -> bool {
        self.used_blocks <= self.capacity_blocks && (self.thin || self.used_blocks != self.size_blocks)
    }

    /// The namespace as core knows it. `was_seen_moving` is what a caller who keeps history knows about NUSE.
    pub fn findings(&self, was_seen_moving: bool) -> Findings {
        let mut found = Findings::default();
        let size = "NVMe Identify Namespace NSZE, bytes 0..8, times the block size";
        found.specs.capacity_bytes = found.bytes("capacity_bytes", self.size_bytes().into(), size);
        found.status.capacity_bytes = found.specs.capacity_bytes;
        found.specs.logical_block_bytes = Some(self.block_bytes);
        found.source("logical_block_bytes", "NVMe Identify Namespace LBADS of the format that FLBAS names");
        found.specs.thin = Some(self.thin);
        found.source("thin", "NVMe Identify Namespace NSFEAT bit 0");
        found.specs.interface = Some("nvme".to_owned());
        if self.used_blocks > self.size_blocks {
            let detail = format!("NUSE {} is above NSZE {}", self.used_blocks, self.size_blocks);
            found.absent("used_bytes", AbsenceReason::Unbelievable, detail);
        } else if self.utilisation_is_meaningful() || was_seen_moving {
            let used = u128::from(self.used_blocks) * u128::from(self.block_bytes);
            found.status.used_bytes =
                found.bytes("used_bytes", used, "NVMe Identify Namespace NUSE, bytes 16..24");
            found.status.used_source = found.status.used_bytes.map(|_| CapacitySource::NvmeNuse);
        } else {
            found.absent(
                "used_bytes",
                AbsenceReason::NotReported,
                "NUSE equals NSZE on a namespace that is not thin: the drive does not track what is spent",
            );
        }
        for (kind, value) in [(EvidenceKind::Nguid, &self.nguid), (EvidenceKind::Eui64, &self.eui64)] {
            if let Some(value) = value {
                found.evidence(kind, value);
            }
        }
        found
    }
}

/// Decodes the list of active namespace ids: rising, ended by 0.
///
/// # Errors
/// [`DecodeError`] where the page is short or the ids do not rise.
pub fn namespace_list(bytes: &[u8]) -> Result<Vec<u32>, DecodeError> {
    let page = Page::of_length(LIST, bytes, LENGTH)?;
    let mut ids = Vec::new();
    for offset in (0..LENGTH).step_by(4) {
        let id = page.le32(offset)?;
        if id == 0 {
            break;
        }
        if ids.last().is_some_and(|last| *last >= id) || id == u32::MAX {
            return Err(page.impossible(offset, 4, format!("namespace id {id} does not rise")));
        }
        ids.push(id);
    }
    Ok(ids)
}

/// Identifiers of a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Descriptors {
    /// EUI-64 in hexadecimal.
    pub eui64: Option<String>,
    /// NGUID in hexadecimal.
    pub nguid: Option<String>,
    /// UUID in its usual form.
    pub uuid: Option<String>,
    /// Command set: 0 NVM, 1 key value, 2 zoned.
    pub command_set: Option<u8>,
}

/// Decodes the namespace identification descriptor list.
///
/// # Errors
/// [`DecodeError`] where the page is short or a descriptor has a length that its type forbids.
pub fn descriptors(bytes: &[u8]) -> Result<Descriptors, DecodeError> {
    let page = Page::of_length(DESCRIPTORS, bytes, LENGTH)?;
    let mut found = Descriptors::default();
    let mut offset = 0;
    while offset + 4 <= LENGTH {
        let (kind, length) = (page.u8(offset)?, usize::from(page.u8(offset + 1)?));
        if kind == 0 {
            break;
        }
        let expected = match kind {
            1 => Some(8),
            2 | 3 => Some(16),
            4 => Some(1),
            _ => None,
        };
        if length == 0 || expected.is_some_and(|expected| expected != length) {
            let what = format!("a descriptor of type {kind} is {length} bytes long");
            return Err(page.impossible(offset + 1, 1, what));
        }
        let value = page.slice(offset + 4, length)?;
        match kind {
            1 => found.eui64 = hexadecimal(value),
            2 => found.nguid = hexadecimal(value),
            3 => {
                found.uuid =
                    hexadecimal(value).and_then(|text| Some(uuid::Uuid::parse_str(&text).ok()?.to_string()))
            }
            4 => found.command_set = value.first().copied(),
            _ => {}
        }
        offset += 4 + length;
    }
    Ok(found)
}

impl Descriptors {
    /// The identity evidence in it.
    pub fn findings(&self) -> Findings {
        let mut found = Findings::default();
        for (kind, value) in [
            (EvidenceKind::Nguid, &self.nguid),
            (EvidenceKind::Eui64, &self.eui64),
            (EvidenceKind::Uuid, &self.uuid),
        ] {
            if let Some(value) = value {
                found.evidence(kind, value);
            }
        }
        found
    }
}

/// Lower-case hexadecimal; `None` where all bytes are zero, which means "no identifier".
fn hexadecimal(bytes: &[u8]) -> Option<String> {
    let any = bytes.iter().any(|byte| *byte != 0);
    any.then(|| headroom_core::exchange::enrol::hexadecimal(bytes))
}

#[cfg(test)]
mod tests {
    use headroom_core::{quantity::Bytes, unit::CapacitySource};

    use super::{LENGTH, controller, descriptors, namespace, namespace_list};

    fn namespace_page(size: u64, used: u64, thin: bool, shift: u8) -> Vec<u8> {
        let mut page = vec![0; LENGTH];
        page[0..8].copy_from_slice(&size.to_le_bytes());
        page[8..16].copy_from_slice(&size.to_le_bytes());
        page[16..24].copy_from_slice(&used.to_le_bytes());
        page[24] = u8::from(thin);
        page[130] = shift;
        page
    }

    #[test]
    fn a_namespace_that_is_always_full_reports_no_spent_capacity() {
        let found = namespace(&namespace_page(1000, 1000, false, 12)).unwrap().unwrap().findings(false);
        assert_eq!(found.specs.capacity_bytes, Some(Bytes(4_096_000)));
        assert_eq!(found.status.used_bytes, None);
        assert_eq!(found.missing[0].field, "used_bytes");
    }

    #[test]
    fn a_thin_namespace_reports_spent_capacity_with_its_source() {
        let found = namespace(&namespace_page(1000, 1000, true, 9)).unwrap().unwrap().findings(false);
        assert_eq!(found.status.used_bytes, Some(Bytes(512_000)));
        assert_eq!(found.status.used_source, Some(CapacitySource::NvmeNuse));
    }

    #[test]
    fn an_inactive_namespace_is_none_and_impossible_ones_are_refused() {
        assert_eq!(namespace(&[0; LENGTH]).unwrap(), None);
        assert!(namespace(&[0xff; LENGTH]).is_err());
        assert!(namespace(&namespace_page(u64::MAX, 0, false, 12)).is_err());
        assert!(namespace(&namespace_page(10, 0, false, 0)).is_err());
        let found = namespace(&namespace_page(10, 11, true, 9)).unwrap().unwrap().findings(false);
        assert_eq!(found.status.used_bytes, None, "NUSE above NSZE is unbelievable");
    }

    #[test]
    fn an_extended_format_index_is_used_only_with_more_than_sixteen_formats() {
        let mut page = namespace_page(10, 10, false, 9);
        page[26] = 1 << 5 | 1;
        page[128 + 4 + 2] = 12;
        page[128 + 17 * 4 + 2] = 13;
        assert_eq!(namespace(&page).unwrap().unwrap().block_bytes, 4096);
        page[25] = 17;
        assert_eq!(namespace(&page).unwrap().unwrap().block_bytes, 8192);
    }

    #[test]
    fn a_controller_without_total_capacity_says_so() {
        let mut page = vec![0; LENGTH];
        page[4..8].copy_from_slice(b"SN01");
        let decoded = controller(&page).unwrap();
        assert_eq!(decoded.total_capacity_bytes, None);
        let found = decoded.findings();
        assert_eq!(found.specs.capacity_bytes, None);
        assert!(found.missing.iter().any(|missing| missing.field == "capacity_bytes"));
        assert!(controller(&page[..4095]).is_err());
        assert!(controller(&[0; LENGTH]).is_err());
    }

    #[test]
    fn the_namespace_list_ends_at_zero_and_must_rise() {
        let mut page = vec![0; LENGTH];
        assert_eq!(namespace_list(&page).unwrap(), Vec::<u32>::new(), "a controller may have no namespace");
        page[0] = 1;
        page[4] = 5;
        assert_eq!(namespace_list(&page).unwrap(), [1, 5]);
        page[8] = 5;
        assert!(namespace_list(&page).is_err());
    }

    #[test]
    fn descriptors_are_read_in_any_order_and_wrong_lengths_refused() {
        let mut page = vec![0; LENGTH];
        page[0..4].copy_from_slice(&[3, 16, 0, 0]);
        page[4..20].copy_from_slice(&[7; 16]);
        page[20..24].copy_from_slice(&[1, 8, 0, 0]);
        page[24..32].copy_from_slice(&[9; 8]);
        let decoded = descriptors(&page).unwrap();
        assert_eq!(decoded.uuid.as_deref(), Some("07070707-0707-0707-0707-070707070707"));
        assert_eq!(decoded.eui64.as_deref(), Some("0909090909090909"));
        page[1] = 15;
        assert!(descriptors(&page).is_err());
    }
}
