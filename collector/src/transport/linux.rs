//! The kernel of this machine.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::ioctl::{self, Updater};
use uuid::Uuid;

use super::kernel::{
    DeviceMapperStatus, GET_FILE_SYSTEM_UUID, KernelUuid, NvmeAdmin, NvmePassthrough, SG_IO, SgHeader,
};
use super::{FileSystemFigures, NvmeCommand, Tool, Transport, TransportError};
use crate::probe::superblock;

/// Most of a file that is read, bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;
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
        let has_data = length > 0;
        let mut data = vec![0_u8; length.min(65_536) as usize];
        let mut sense = [0_u8; 64];
        let mut header = SgHeader {
            interface: i32::from(b'S'),
            // SG_DXFER_FROM_DEV, SG_DXFER_NONE
            direction: if has_data { -3 } else { -1 },
            command_length: command.len().min(16) as u8,
            sense_length_max: sense.len() as u8,
            data_length: data.len() as u32,
            data: if has_data { data.as_mut_ptr().addr() } else { 0 },
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
        let key = if sense[0] & 0x7f >= 0x72 { sense[1] } else { sense[2] } & 0x0f;
        let recovered = matches!(sense[0] & 0x7f, 0x70 | 0x72) && key == 1;
        if (header.status != 0 || header.host_status != 0 || header.driver_status & 0x0f > 8) && !recovered {
            let (code, qualifier) =
                if sense[0] & 0x7f >= 0x72 { (sense[2], sense[3]) } else { (sense[12], sense[13]) };
            let status = u32::from(key) << 16 | u32::from(code) << 8 | u32::from(qualifier);
            return Err(TransportError::Refused { what: what(), status });
        }
        if !has_data {
            return Ok(sense[..usize::from(header.sense_length).min(sense.len())].to_vec());
        }
        let missing = usize::try_from(header.residual).unwrap_or(0).min(data.len());
        data.truncate(data.len() - missing);
        Ok(data)
    }

    fn device_mapper(&self, name: &str, table: bool) -> Result<(u32, Vec<u8>), TransportError> {
        let control = Path::new("/dev/mapper/control");
        let device = self.open(control)?;
        let mut request = DeviceMapperStatus::new(name, table).ok_or_else(|| {
            TransportError::NotFound(format!("a device mapper device of the name {name:?}"))
        })?;
        // SAFETY: the request is a buffer that says its own length, which the kernel respects; it outlives the call.
        unsafe { ioctl::ioctl(&device, &mut request) }
            .map_err(|error| of_errno("device mapper", Path::new(name), error))?;
        request.answer().ok_or_else(|| TransportError::System {
            what: format!("device mapper's {name}"),
            message: "its table is longer than any that is read here".to_owned(),
        })
    }

    fn tool(&self, tool: Tool) -> Result<Vec<u8>, TransportError> {
        let (program, arguments) = tool.command();
        // A folder that looks like another machine has no programs that tell of it.
        if self.root != Path::new("/") {
            return Err(TransportError::NotFound(program.to_owned()));
        }
        let run = |program: &str| {
            Command::new(program).args(arguments).env("LC_ALL", "C").stdin(Stdio::null()).output()
        };
        // Who is not root has no sbin in his path.
        let output = run(program)
            .or_else(|error| match error.kind() {
                io::ErrorKind::NotFound => run(&format!("/usr/sbin/{program}")),
                _ => Err(error),
            })
            .map_err(|error| of_io(Path::new(program), &error))?;
        if output.status.success() && output.stdout.len() as u64 <= FILE_BYTES_MAX {
            return Ok(output.stdout);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(TransportError::System {
            what: program.to_owned(),
            message: said.lines().next().unwrap_or("it failed without a word").chars().take(200).collect(),
        })
    }
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
