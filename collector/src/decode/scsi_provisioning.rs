//! SCSI log page 0Ch, Logical Block Provisioning: spent and free space of a thin unit, in threshold sets.
//!
//! Offsets: SBC, Logical Block Provisioning log page; checked against sg3_utils `src/sg_logs.c` and live. A resource
//! count stands at byte 4 of its parameter (4 bytes), its scope in byte 8; the percentage at byte 4 (2 bytes), its
//! scope in byte 6. Scope: 1 this unit, 2 a pool that several units share, 0 not said.

use headroom_core::unit::{AbsenceReason, CapacitySource};
use serde::Serialize;

use super::{DecodeError, Findings, findings::BYTES_MAX, scsi_log_sense};

const NAME: &str = "SCSI log page 0Ch (logical block provisioning)";

/// Whose space a figure tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// 0: the device does not say.
    NotReported,
    /// 1: dedicated to this unit.
    LogicalUnit,
    /// 2: shared by several units: adding it up per unit would count it often.
    SharedPool,
}

/// A count with its scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Scoped {
    /// Threshold sets, or percent.
    pub value: u32,
    /// Whose.
    pub scope: Scope,
}

/// Log page 0Ch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProvisioningLog {
    /// Parameter 0001h: free threshold sets.
    pub available: Option<Scoped>,
    /// Parameter 0002h: used threshold sets.
    pub used: Option<Scoped>,
    /// Parameter 0003h: free, percent.
    pub available_percent: Option<Scoped>,
}

/// Decodes log page 0Ch.
///
/// # Errors
/// [`DecodeError`] where it is another page, damaged, or says more than 100 percent.
pub fn decode(bytes: &[u8]) -> Result<ProvisioningLog, DecodeError> {
    let page = scsi_log_sense::frame(bytes)?.expect(NAME, 0x0c, 0)?;
    let read = |code: u16, length: usize| -> Result<Option<Scoped>, DecodeError> {
        let Some(parameter) = page.parameter(code) else { return Ok(None) };
        let short = || DecodeError::TooShort {
            page: NAME,
            offset: parameter.offset,
            length: length + 1,
            available: parameter.value.len(),
        };
        let value = parameter.integer(4, length).ok_or_else(short)?;
        let scope = match parameter.u8(4 + length).ok_or_else(short)? & 0x3 {
            1 => Scope::LogicalUnit,
            2 => Scope::SharedPool,
            _ => Scope::NotReported,
        };
        Ok(Some(Scoped { value: u32::try_from(value).unwrap_or(u32::MAX), scope }))
    };
    let log = ProvisioningLog { available: read(1, 4)?, used: read(2, 4)?, available_percent: read(3, 2)? };
    if let Some(percent) = log.available_percent.filter(|percent| percent.value > 100) {
        return Err(DecodeError::Impossible {
            page: NAME,
            offset: page.parameter(3).map_or(0, |parameter| parameter.offset),
            length: 2,
            what: format!("{} percent are available", percent.value),
        });
    }
    Ok(log)
}

/// What a threshold set is: VPD page B2h gives the exponent, READ CAPACITY(16) the block size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetSize {
    /// Two to this power blocks in a set.
    pub threshold_exponent: u8,
    /// Bytes in a block.
    pub block_bytes: u32,
}

impl SetSize {
    fn bytes(self, sets: u32) -> Option<u64> {
        let bytes = u128::from(sets)
            .checked_mul(u128::from(self.block_bytes))?
            .checked_mul(1_u128.checked_shl(self.threshold_exponent.into())?)?;
        u64::try_from(bytes).ok().filter(|bytes| *bytes <= BYTES_MAX)
    }
}

/// Space of a pool that several units share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SharedSpace {
    /// Spent, bytes, where the device tells it for the pool.
    pub used_bytes: Option<u64>,
    /// Free, bytes.
    pub available_bytes: Option<u64>,
}

impl ProvisioningLog {
    /// The space of the shared pool, if any figure has that scope.
    pub fn shared_pool(&self, size: SetSize) -> Option<SharedSpace> {
        let shared = |count: Option<Scoped>| count.filter(|count| count.scope == Scope::SharedPool);
        let (used, available) = (shared(self.used), shared(self.available));
        (used.is_some() || available.is_some()).then(|| SharedSpace {
            used_bytes: used.and_then(|count| size.bytes(count.value)),
            available_bytes: available.and_then(|count| size.bytes(count.value)),
        })
    }

    /// The unit as core knows it. A count without a known set size is absent, and so is one that tells a shared pool.
    pub fn findings(&self, size: Option<SetSize>) -> Findings {
        let mut found = Findings::default();
        let Some(used) = self.used else {
            let detail = "SCSI log page 0Ch has no used resource count (parameter 0002h)";
            found.absent("used_bytes", AbsenceReason::NotReported, detail);
            return found;
        };
        if used.scope == Scope::SharedPool {
            let detail = "SCSI log page 0Ch counts what all units of a shared pool use, not this one";
            found.absent("used_bytes", AbsenceReason::NotReported, detail);
            return found;
        }
        let Some(size) = size else {
            let detail = "SCSI log page 0Ch counts threshold sets: their size needs VPD page B2h (threshold exponent \
                          above 0) and READ CAPACITY(16)";
            found.absent("used_bytes", AbsenceReason::NotReported, detail);
            return found;
        };
        let Some(bytes) = size.bytes(used.value) else {
            let detail =
                format!("SCSI log page 0Ch says {} threshold sets, more than any unit holds", used.value);
            found.absent("used_bytes", AbsenceReason::Unbelievable, detail);
            return found;
        };
        let source = "SCSI log page 0Ch parameter 0002h, times 2^exponent (VPD B2h), times the block size";
        found.status.used_bytes = found.bytes("used_bytes", bytes.into(), source);
        found.status.used_source = Some(CapacitySource::ScsiLogPage0c);
        // Free space of its own bounds the unit; that of a shared pool does not belong to it alone.
        if let Some(available) = self.available.filter(|count| count.scope == Scope::LogicalUnit)
            && let Some(free) = size.bytes(available.value)
        {
            let total = u128::from(bytes) + u128::from(free);
            let source = "SCSI log page 0Ch parameters 0001h and 0002h together";
            found.status.capacity_bytes = found.bytes("capacity_bytes", total, source);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use headroom_core::quantity::Bytes;

    use super::{Scope, SetSize, decode};

    const PAGE: [u8; 36] = [
        0x0c, 0, 0, 0x20, 0, 1, 3, 8, 0, 0, 0, 0x1c, 2, 0, 0, 0, 0, 2, 3, 8, 0, 0, 0, 0x14, 1, 0, 0, 0, 0, 3,
        3, 4, 0, 0x3a, 2, 0,
    ];
    const SIZE: SetSize = SetSize { threshold_exponent: 11, block_bytes: 512 };

    #[test]
    fn used_space_is_the_units_and_free_space_is_the_pools() {
        let decoded = decode(&PAGE).unwrap();
        let found = decoded.findings(Some(SIZE));
        assert_eq!(found.status.used_bytes, Some(Bytes(20 << 20)));
        assert_eq!(found.status.capacity_bytes, None, "what the pool has left is not this unit's");
        assert_eq!(decoded.shared_pool(SIZE).unwrap().available_bytes, Some(28 << 20));
        assert_eq!(decoded.available_percent.unwrap().value, 58);
    }

    #[test]
    fn a_shared_count_is_not_added_to_a_unit() {
        let mut page = PAGE;
        page[24] = 2;
        let decoded = decode(&page).unwrap();
        assert_eq!(decoded.used.unwrap().scope, Scope::SharedPool);
        assert_eq!(decoded.findings(Some(SIZE)).status.used_bytes, None);
    }

    #[test]
    fn a_unit_with_space_of_its_own_has_a_capacity() {
        let mut page = PAGE;
        page[12] = 1;
        assert_eq!(decode(&page).unwrap().findings(Some(SIZE)).status.capacity_bytes, Some(Bytes(48 << 20)));
    }

    #[test]
    fn without_a_set_size_or_with_an_impossible_one_it_is_absent() {
        let decoded = decode(&PAGE).unwrap();
        assert_eq!(decoded.findings(None).status.used_bytes, None);
        let huge = SetSize { threshold_exponent: 63, block_bytes: 4096 };
        assert_eq!(decoded.findings(Some(huge)).status.used_bytes, None);
    }

    #[test]
    fn damage_is_named() {
        let mut page = PAGE;
        page[33] = 101;
        assert!(decode(&page).unwrap_err().to_string().contains("101 percent"));
        assert!(decode(&PAGE[..20]).is_err());
        assert!(decode(&[0x0d, 0, 0, 0]).is_err());
    }
}
