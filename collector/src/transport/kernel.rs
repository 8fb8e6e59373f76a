//! The kernel's structures, as its headers lay them out.

use rustix::ioctl;

/// `NVME_IOCTL_ADMIN_CMD`, linux/nvme_ioctl.h.
pub(super) const NVME_ADMIN: u32 = 0xC048_4E41;
/// `SG_IO`, scsi/sg.h.
pub(super) const SG_IO: u32 = 0x2285;
/// `FS_IOC_GETFSUUID`, linux/fs.h, since 6.9.
pub(super) const GET_FILE_SYSTEM_UUID: u32 = 0x8011_1500;
/// `DM_TABLE_STATUS`, linux/dm-ioctl.h.
const DEVICE_MAPPER_TABLE_STATUS: u32 = 0xC138_FD0C;

/// struct nvme_passthru_cmd of linux/nvme_ioctl.h, 72 bytes.
#[repr(C)]
#[derive(Debug, Default)]
pub(super) struct NvmePassthrough {
    pub(super) operation: u8,
    pub(super) flags: u8,
    pub(super) reserved: u16,
    pub(super) namespace: u32,
    pub(super) dword2: u32,
    pub(super) dword3: u32,
    pub(super) metadata: u64,
    pub(super) address: u64,
    pub(super) metadata_length: u32,
    pub(super) data_length: u32,
    pub(super) dword10: u32,
    pub(super) dword11: u32,
    pub(super) dword12: u32,
    pub(super) dword13: u32,
    pub(super) dword14: u32,
    pub(super) dword15: u32,
    pub(super) timeout_milliseconds: u32,
    pub(super) result: u32,
}

/// The admin command: unlike most, its return value is the device's status.
pub(super) struct NvmeAdmin<'a> {
    pub(super) command: &'a mut NvmePassthrough,
}

// SAFETY: the opcode takes a pointer to the struct and writes only it and the buffer that it names.
unsafe impl ioctl::Ioctl for NvmeAdmin<'_> {
    type Output = i32;
    const IS_MUTATING: bool = true;

    fn opcode(&self) -> ioctl::Opcode {
        NVME_ADMIN
    }

    fn as_ptr(&mut self) -> *mut core::ffi::c_void {
        core::ptr::from_mut(self.command).cast()
    }

    unsafe fn output_from_ptr(
        output: ioctl::IoctlOutput,
        _: *mut core::ffi::c_void,
    ) -> rustix::io::Result<i32> {
        Ok(output)
    }
}

/// struct sg_io_hdr of scsi/sg.h, 88 bytes on 64-bit machines.
#[repr(C)]
#[derive(Debug, Default)]
pub(super) struct SgHeader {
    pub(super) interface: i32,
    pub(super) direction: i32,
    pub(super) command_length: u8,
    pub(super) sense_length_max: u8,
    pub(super) scatter: u16,
    pub(super) data_length: u32,
    pub(super) data: usize,
    pub(super) command: usize,
    pub(super) sense: usize,
    pub(super) timeout_milliseconds: u32,
    pub(super) flags: u32,
    pub(super) pack: i32,
    pub(super) user: usize,
    pub(super) status: u8,
    pub(super) masked_status: u8,
    pub(super) message_status: u8,
    pub(super) sense_length: u8,
    pub(super) host_status: u16,
    pub(super) driver_status: u16,
    pub(super) residual: i32,
    pub(super) duration: u32,
    pub(super) info: u32,
}

/// struct fsuuid2 of linux/fs.h.
#[repr(C)]
#[derive(Default)]
pub(super) struct KernelUuid {
    pub(super) length: u8,
    pub(super) bytes: [u8; 16],
}

/// Bytes of struct dm_ioctl, linux/dm-ioctl.h.
const DEVICE_MAPPER_HEADER: usize = 312;
/// Header and data area: a thin pool's line has about a hundred bytes, a table with a hundred targets a few thousand.
const DEVICE_MAPPER_BYTES: usize = 16 * 1_024;
/// `DM_STATUS_TABLE_FLAG`.
const WANTS_TABLE: u32 = 1 << 4;
/// `DM_BUFFER_FULL_FLAG`.
const BUFFER_FULL: u32 = 1 << 8;
/// `DM_NOFLUSH_FLAG`: asking for the status of a thin pool must not make it write its metadata.
const NO_FLUSH: u32 = 1 << 11;

/// A question for the table or the status of a device, and the place for the answer.
pub(super) struct DeviceMapperStatus {
    bytes: Vec<u8>,
}

impl DeviceMapperStatus {
    /// `None` where the name is none that a device can have.
    pub(super) fn new(name: &str, table: bool) -> Option<Self> {
        if name.is_empty() || name.len() > 127 || name.bytes().any(|byte| byte == 0) {
            return None;
        }
        let mut bytes = vec![0; DEVICE_MAPPER_BYTES];
        let mut put = |offset: usize, value: u32| {
            bytes[offset..offset + 4].copy_from_slice(&value.to_ne_bytes());
        };
        // Version 4.0.0 of the interface, which every kernel since 2.6 accepts.
        put(0, 4);
        put(12, DEVICE_MAPPER_BYTES as u32);
        put(16, DEVICE_MAPPER_HEADER as u32);
        put(28, if table { WANTS_TABLE } else { NO_FLUSH });
        bytes[48..48 + name.len()].copy_from_slice(name.as_bytes());
        Some(Self { bytes })
    }

    /// Number of targets and the data area; `None` where it did not fit or says impossible things of itself.
    pub(super) fn answer(&self) -> Option<(u32, Vec<u8>)> {
        let number = |offset: usize| {
            let word = self.bytes.get(offset..offset + 4)?;
            Some(u32::from_ne_bytes(word.try_into().ok()?))
        };
        if number(28)? & BUFFER_FULL != 0 {
            return None;
        }
        let (start, size) = (number(16)? as usize, number(12)? as usize);
        let area = self.bytes.get(start..size.clamp(start, self.bytes.len()))?;
        Some((number(20)?, area.to_vec()))
    }
}

// SAFETY: the opcode takes a pointer to a buffer that starts with struct dm_ioctl, whose `data_size` is the buffer's
// length; the kernel writes no more than that.
unsafe impl ioctl::Ioctl for &mut DeviceMapperStatus {
    type Output = ();
    const IS_MUTATING: bool = true;

    fn opcode(&self) -> ioctl::Opcode {
        DEVICE_MAPPER_TABLE_STATUS
    }

    fn as_ptr(&mut self) -> *mut core::ffi::c_void {
        self.bytes.as_mut_ptr().cast()
    }

    unsafe fn output_from_ptr(_: ioctl::IoctlOutput, _: *mut core::ffi::c_void) -> rustix::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{DeviceMapperStatus, NvmePassthrough, SgHeader};

    #[test]
    fn layouts_are_those_of_the_kernel() {
        assert_eq!(size_of::<NvmePassthrough>(), 72);
        assert_eq!(size_of::<SgHeader>(), 88);
    }

    #[test]
    fn a_name_that_no_device_has_is_refused() {
        for name in ["", "a\0b", &"x".repeat(128)] {
            assert!(DeviceMapperStatus::new(name, false).is_none(), "{name:?}");
        }
        let asked = DeviceMapperStatus::new("pool", true).unwrap();
        assert_eq!(asked.answer().map(|(targets, area)| (targets, area.len())), Some((0, 16 * 1_024 - 312)));
    }
}
