//! The kernel of this machine.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::ioctl::{self, Updater};
use uuid::Uuid;

use super::{FileSystemFigures, NvmeCommand, Transport, TransportError};
use crate::probe::superblock;

/// Most of a file that is read, bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// `NVME_IOCTL_ADMIN_CMD`, linux/nvme_ioctl.h.
const NVME_ADMIN: u32 = 0xC048_4E41;
/// `SG_IO`, scsi/sg.h.
const SG_IO: u32 = 0x2285;
/// `FS_IOC_GETFSUUID`, linux/fs.h, since 6.9.
const GET_FILE_SYSTEM_UUID: u32 = 0x8011_1500;
/// What the kernel is told about a device's patience, milliseconds. The worker's watchdog bounds the wall clock.
const COMMAND_MILLISECONDS: u32 = 5_000;

/// The kernel of this machine, or a folder that holds its /proc and /sys.
#[derive(Debug, Clone)]
pub struct Linux {
    root: PathBuf,
}

impl Default for Linux {
    fn default() -> Self {
        Self { root: PathBuf::from("/") }
    }
}

impl Linux {
    /// A machine whose file tree hangs below `root`.
    pub fn below(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn place(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    fn open(&self, path: &Path) -> Result<File, TransportError> {
        fs::OpenOptions::new()
            .read(true)
            // A device that waits for a medium must not make us wait.
            .custom_flags((OFlags::NONBLOCK | OFlags::CLOEXEC).bits().cast_signed())
            .open(self.place(path))
            .map_err(|error| of_io(path, &error))
    }
}

impl Transport for Linux {
    fn read(&self, path: &Path) -> Result<Vec<u8>, TransportError> {
        let mut bytes = Vec::new();
        let file = File::open(self.place(path)).map_err(|error| of_io(path, &error))?;
        file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(|error| of_io(path, &error))?;
        Ok(bytes)
    }

    fn list(&self, path: &Path) -> Result<Vec<String>, TransportError> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.place(path)).map_err(|error| of_io(path, &error))? {
            let entry = entry.map_err(|error| of_io(path, &error))?;
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    fn resolve(&self, path: &Path) -> Result<PathBuf, TransportError> {
        let real = fs::canonicalize(self.place(path)).map_err(|error| of_io(path, &error))?;
        let root = fs::canonicalize(&self.root).map_err(|error| of_io(path, &error))?;
        Ok(Path::new("/").join(real.strip_prefix(root).unwrap_or(&real)))
    }

    fn device_of(&self, path: &Path) -> Result<u64, TransportError> {
        fs::metadata(self.place(path)).map(|found| found.dev()).map_err(|error| of_io(path, &error))
    }

    fn statvfs(&self, mount_point: &Path) -> Result<FileSystemFigures, TransportError> {
        let place = self.place(mount_point);
        // One descriptor for both answers: they are about the same file system, whatever is mounted in between.
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(&place, flags, rustix::fs::Mode::empty())
            .or_else(|_| rustix::fs::open(&place, OFlags::PATH | OFlags::CLOEXEC, rustix::fs::Mode::empty()))
            .map_err(|error| of_errno("statvfs", mount_point, error))?;
        let figures =
            rustix::fs::fstatvfs(&folder).map_err(|error| of_errno("statvfs", mount_point, error))?;
        let device = rustix::fs::fstat(&folder).map_err(|error| of_errno("stat", mount_point, error))?.st_dev;
        Ok(FileSystemFigures {
            fragment_bytes: if figures.f_frsize == 0 { figures.f_bsize } else { figures.f_frsize },
            blocks: figures.f_blocks,
            blocks_free: figures.f_bfree,
            blocks_available: figures.f_bavail,
            inodes: figures.f_files,
            inodes_free: figures.f_ffree,
            device,
        })
    }

    fn file_system_uuid(
        &self,
        mount_point: &Path,
        format: &str,
        device_node: &Path,
    ) -> Result<Uuid, TransportError> {
        if let Ok(folder) = self.open(mount_point)
            && let Some(uuid) = kernel_uuid(folder.as_fd())
        {
            return Ok(uuid);
        }
        let place = superblock::place(format)
            .ok_or_else(|| TransportError::NotFound(format!("a known place of the UUID in {format}")))?;
        let mut device = self.open(device_node)?;
        let mut bytes = [0; superblock::LENGTH];
        device
            .seek(SeekFrom::Start(place.offset))
            .and_then(|_| device.read_exact(&mut bytes))
            .map_err(|error| of_io(device_node, &error))?;
        superblock::uuid(&place, &bytes)
            .ok_or_else(|| TransportError::NotFound(format!("a UUID on {}", device_node.display())))
    }

    fn nvme(&self, device_node: &Path, command: NvmeCommand) -> Result<Vec<u8>, TransportError> {
        let device = self.open(device_node)?;
        let mut data = vec![0_u8; command.length.min(4_096) as usize];
        let mut passthrough = NvmePassthrough {
            operation: command.operation,
            namespace: command.namespace,
            address: data.as_mut_ptr().addr() as u64,
            data_length: data.len() as u32,
            dword10: command.dword10,
            dword11: command.dword11,
            timeout_milliseconds: COMMAND_MILLISECONDS,
            ..NvmePassthrough::default()
        };
        // SAFETY: the number and the layout are those of linux/nvme_ioctl.h; the address is that of `data`, which is
        // `data_length` bytes long, is not moved and outlives the call.
        let done = unsafe { ioctl::ioctl(&device, NvmeAdmin { command: &mut passthrough }) };
        match done {
            Ok(0) => Ok(data),
            Ok(status) => Err(TransportError::Refused {
                what: format!("NVMe command {:02x}h", command.operation),
                status: status.cast_unsigned(),
            }),
            Err(error) => Err(of_errno("NVMe command", device_node, error)),
        }
    }

    fn scsi(&self, device_node: &Path, command: &[u8], length: u32) -> Result<Vec<u8>, TransportError> {
        let device = self.open(device_node)?;
        let mut command = command.to_vec();
        let mut data = vec![0_u8; length.min(65_536) as usize];
        let mut sense = [0_u8; 64];
        let mut header = SgHeader {
            interface: i32::from(b'S'),
            direction: -3, // SG_DXFER_FROM_DEV
            command_length: command.len().min(16) as u8,
            sense_length_max: sense.len() as u8,
            data_length: data.len() as u32,
            data: data.as_mut_ptr().addr(),
            command: command.as_mut_ptr().addr(),
            sense: sense.as_mut_ptr().addr(),
            timeout_milliseconds: COMMAND_MILLISECONDS,
            ..SgHeader::default()
        };
        // SAFETY: the number and the layout are those of scsi/sg.h; the three addresses are those of buffers of the
        // lengths given, which are not moved and outlive the call.
        unsafe { ioctl::ioctl(&device, Updater::<SG_IO, SgHeader>::new(&mut header)) }
            .map_err(|error| of_errno("SCSI command", device_node, error))?;
        let what = || format!("SCSI command {:02x}h", command.first().copied().unwrap_or(0));
        // Host byte 3 is DID_TIME_OUT.
        if header.host_status == 3 {
            return Err(TransportError::TimedOut {
                what: what(),
                seconds: u64::from(COMMAND_MILLISECONDS) / 1_000,
            });
        }
        // ATA pass-through with CK_COND set answers with CHECK CONDITION and a recovered error: the data are good.
        let recovered = matches!(sense[0] & 0x7f, 0x72) && sense[1] & 0x0f == 1;
        if (header.status != 0 || header.host_status != 0 || header.driver_status & 0x0f > 8) && !recovered {
            let key = if sense[0] & 0x7f >= 0x72 { sense[1] } else { sense[2] } & 0x0f;
            let (code, qualifier) =
                if sense[0] & 0x7f >= 0x72 { (sense[2], sense[3]) } else { (sense[12], sense[13]) };
            let status = u32::from(key) << 16 | u32::from(code) << 8 | u32::from(qualifier);
            return Err(TransportError::Refused { what: what(), status });
        }
        let missing = usize::try_from(header.residual).unwrap_or(0).min(data.len());
        data.truncate(data.len() - missing);
        Ok(data)
    }
}

/// struct nvme_passthru_cmd of linux/nvme_ioctl.h, 72 bytes.
#[repr(C)]
#[derive(Debug, Default)]
struct NvmePassthrough {
    operation: u8,
    flags: u8,
    reserved: u16,
    namespace: u32,
    dword2: u32,
    dword3: u32,
    metadata: u64,
    address: u64,
    metadata_length: u32,
    data_length: u32,
    dword10: u32,
    dword11: u32,
    dword12: u32,
    dword13: u32,
    dword14: u32,
    dword15: u32,
    timeout_milliseconds: u32,
    result: u32,
}

/// The admin command: unlike most, its return value is the device's status.
struct NvmeAdmin<'a> {
    command: &'a mut NvmePassthrough,
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
struct SgHeader {
    interface: i32,
    direction: i32,
    command_length: u8,
    sense_length_max: u8,
    scatter: u16,
    data_length: u32,
    data: usize,
    command: usize,
    sense: usize,
    timeout_milliseconds: u32,
    flags: u32,
    pack: i32,
    user: usize,
    status: u8,
    masked_status: u8,
    message_status: u8,
    sense_length: u8,
    host_status: u16,
    driver_status: u16,
    residual: i32,
    duration: u32,
    info: u32,
}

/// struct fsuuid2 of linux/fs.h.
#[repr(C)]
#[derive(Default)]
struct KernelUuid {
    length: u8,
    bytes: [u8; 16],
}

fn kernel_uuid(folder: BorrowedFd<'_>) -> Option<Uuid> {
    let mut answer = KernelUuid::default();
    // SAFETY: the number and the layout are those of linux/fs.h; the kernel writes at most 17 bytes.
    unsafe { ioctl::ioctl(folder, Updater::<GET_FILE_SYSTEM_UUID, KernelUuid>::new(&mut answer)) }.ok()?;
    (answer.length == 16 && answer.bytes != [0; 16]).then(|| Uuid::from_bytes(answer.bytes))
}

fn of_errno(what: &str, path: &Path, error: Errno) -> TransportError {
    of_io(&Path::new(what).join(path.strip_prefix("/").unwrap_or(path)), &io::Error::from(error))
}

fn of_io(path: &Path, error: &io::Error) -> TransportError {
    let what = path.display().to_string();
    match error.kind() {
        io::ErrorKind::NotFound => TransportError::NotFound(what),
        io::ErrorKind::PermissionDenied => TransportError::PermissionDenied {
            what,
            remedy:
                "run the node as its systemd unit does, or grant CAP_SYS_ADMIN (NVMe), CAP_SYS_RAWIO (SATA) \
                     and read access to the device"
                    .to_owned(),
        },
        _ => TransportError::System { what, message: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::{NvmePassthrough, SgHeader};

    #[test]
    fn layouts_are_those_of_the_kernel() {
        assert_eq!(size_of::<NvmePassthrough>(), 72);
        assert_eq!(size_of::<SgHeader>(), 88);
    }
}
