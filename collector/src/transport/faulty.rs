//! Another transport, with faults.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use uuid::Uuid;

use super::{FileSystemFigures, NvmeCommand, Tool, Transport, TransportError};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Calls do not come back until [`Faulty::release`].
    Stuck,
    /// The device answers with an error.
    Refused,
    /// The system denies it.
    Denied,
    /// Pages arrive with only so many bytes.
    Torn(usize),
    /// Every byte of a page arrives as this one.
    Filled(u8),
    /// The device is gone.
    Gone,
}

/// A transport in which everything below given paths has a fault.
pub struct Faulty {
    inner: Arc<dyn Transport>,
    faults: Mutex<Vec<(PathBuf, Fault)>>,
    changed: Condvar,
}

impl std::fmt::Debug for Faulty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Faulty").finish_non_exhaustive()
    }
}

impl Faulty {
    /// Wraps another transport; without faults yet.
    pub fn new(inner: Arc<dyn Transport>) -> Self {
        Self { inner, faults: Mutex::default(), changed: Condvar::new() }
    }

    /// Everything at or below `path` has this fault from now on.
    pub fn set(&self, path: &str, fault: Fault) {
        self.faults().push((path.into(), fault));
    }

    /// All faults end; calls that were stuck go on.
    pub fn release(&self) {
        self.faults().clear();
        self.changed.notify_all();
    }

    fn faults(&self) -> std::sync::MutexGuard<'_, Vec<(PathBuf, Fault)>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while stuck, fails where the fault says so.
    fn check(&self, path: &Path) -> Result<Option<Fault>, TransportError> {
        let mut faults = self.faults();
        loop {
            let fault = faults.iter().find(|(at, _)| path.starts_with(at)).map(|(_, fault)| *fault);
            let what = path.display().to_string();
            match fault {
                Some(Fault::Stuck) => {
                    faults = self.changed.wait(faults).unwrap_or_else(PoisonError::into_inner);
                }
                Some(Fault::Refused) => return Err(TransportError::Refused { what, status: 0x4006 }),
                Some(Fault::Denied) => {
                    let remedy = "grant CAP_SYS_ADMIN".to_owned();
                    return Err(TransportError::PermissionDenied { what, remedy });
                }
                Some(Fault::Gone) => return Err(TransportError::NotFound(what)),
                other => return Ok(other),
            }
        }
    }

    fn spoil(fault: Option<Fault>, mut page: Vec<u8>) -> Vec<u8> {
        match fault {
            Some(Fault::Torn(length)) => page.truncate(length),
            Some(Fault::Filled(byte)) => page.fill(byte),
            _ => {}
        }
        page
    }
}

impl Transport for Faulty {
    fn read(&self, path: &Path) -> Result<Vec<u8>, TransportError> {
        let fault = self.check(path)?;
        Ok(Self::spoil(fault, self.inner.read(path)?))
    }

    fn list(&self, path: &Path) -> Result<Vec<String>, TransportError> {
        self.check(path)?;
        self.inner.list(path)
    }

    fn resolve(&self, path: &Path) -> Result<PathBuf, TransportError> {
        self.check(path)?;
        self.inner.resolve(path)
    }

    fn device_of(&self, path: &Path) -> Result<u64, TransportError> {
        self.check(path)?;
        self.inner.device_of(path)
    }

    fn statvfs(&self, mount_point: &Path) -> Result<FileSystemFigures, TransportError> {
        self.check(mount_point)?;
        self.inner.statvfs(mount_point)
    }

    fn file_system_uuid(
        &self,
        mount_point: &Path,
        format: &str,
        device_node: &Path,
    ) -> Result<Uuid, TransportError> {
        self.check(mount_point)?;
        self.inner.file_system_uuid(mount_point, format, device_node)
    }

    fn nvme(&self, device_node: &Path, command: NvmeCommand) -> Result<Vec<u8>, TransportError> {
        let fault = self.check(device_node)?;
        Ok(Self::spoil(fault, self.inner.nvme(device_node, command)?))
    }

    fn scsi(&self, device_node: &Path, command: &[u8], length: u32) -> Result<Vec<u8>, TransportError> {
        let fault = self.check(device_node)?;
        Ok(Self::spoil(fault, self.inner.scsi(device_node, command, length)?))
    }

    fn device_mapper(&self, name: &str, table: bool) -> Result<(u32, Vec<u8>), TransportError> {
        let fault = self.check(&Path::new("/dev/mapper").join(name))?;
        let (targets, bytes) = self.inner.device_mapper(name, table)?;
        Ok((targets, Self::spoil(fault, bytes)))
    }

    fn tool(&self, tool: Tool) -> Result<Vec<u8>, TransportError> {
        let fault = self.check(&Path::new("/usr/sbin").join(tool.command().0))?;
        Ok(Self::spoil(fault, self.inner.tool(tool)?))
    }
}
