//! A machine that answers from a folder and from pages kept in memory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use super::{FileSystemFigures, Linux, NvmeCommand, Tool, Transport, TransportError};

/// A machine on record: its /proc and /sys lie in a folder, its devices' pages and file systems in maps.
#[derive(Debug)]
pub struct Recorded {
    files: Linux,
    answers: Mutex<Answers>,
}

#[derive(Debug, Default)]
struct Answers {
    file_systems: BTreeMap<PathBuf, FileSystemFigures>,
    uuids: BTreeMap<PathBuf, Uuid>,
    nvme: BTreeMap<(PathBuf, u8, u32, u32), Vec<u8>>,
    scsi: BTreeMap<(PathBuf, Vec<u8>), Vec<u8>>,
    device_mapper: BTreeMap<(String, bool), (u32, Vec<u8>)>,
    tools: BTreeMap<Tool, Vec<u8>>,
    asked: Vec<String>,
}

impl Recorded {
    /// A machine whose file tree lies in a folder.
    pub fn below(root: impl Into<PathBuf>) -> Self {
        Self { files: Linux::below(root), answers: Mutex::default() }
    }

    /// What `statvfs` answers for a mount point from now on.
    pub fn set_file_system(&self, mount_point: &str, figures: FileSystemFigures) {
        self.answers().file_systems.insert(mount_point.into(), figures);
    }

    /// The UUID of the file system at a mount point.
    pub fn set_uuid(&self, mount_point: &str, uuid: Uuid) {
        self.answers().uuids.insert(mount_point.into(), uuid);
    }

    /// The page that an NVMe device answers to (operation, namespace, dword 10).
    pub fn set_nvme(&self, device: &str, operation: u8, namespace: u32, dword10: u32, page: Vec<u8>) {
        self.answers().nvme.insert((device.into(), operation, namespace, dword10), page);
    }

    /// The page that a SCSI device answers to a command.
    pub fn set_scsi(&self, device: &str, command: &[u8], page: Vec<u8>) {
        self.answers().scsi.insert((device.into(), command.to_vec()), page);
    }

    /// What a SCSI device has forgotten: it refuses the command again.
    pub fn forget_scsi(&self, device: &str, command: &[u8]) {
        self.answers().scsi.remove(&(device.into(), command.to_vec()));
    }

    /// What device mapper tells of a device: number of targets and data area.
    pub fn set_device_mapper(&self, name: &str, table: bool, targets: u32, bytes: Vec<u8>) {
        self.answers().device_mapper.insert((name.to_owned(), table), (targets, bytes));
    }

    /// What a program prints.
    pub fn set_tool(&self, tool: Tool, output: &[u8]) {
        self.answers().tools.insert(tool, output.to_vec());
    }

    /// What was asked of devices so far, in order.
    pub fn asked(&self) -> Vec<String> {
        self.answers().asked.clone()
    }

    fn answers(&self) -> std::sync::MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transport for Recorded {
    fn read(&self, path: &Path) -> Result<Vec<u8>, TransportError> {
        self.files.read(path)
    }

    fn list(&self, path: &Path) -> Result<Vec<String>, TransportError> {
        self.files.list(path)
    }

    fn resolve(&self, path: &Path) -> Result<PathBuf, TransportError> {
        self.files.resolve(path)
    }

    fn device_of(&self, path: &Path) -> Result<u64, TransportError> {
        let answers = self.answers();
        let mount = answers.file_systems.iter().rev().find(|(mount, _)| path.starts_with(mount));
        mount
            .map(|(_, found)| found.device)
            .ok_or_else(|| TransportError::NotFound(path.display().to_string()))
    }

    fn statvfs(&self, mount_point: &Path) -> Result<FileSystemFigures, TransportError> {
        let found = self.answers().file_systems.get(mount_point).copied();
        found.ok_or_else(|| TransportError::NotFound(mount_point.display().to_string()))
    }

    fn file_system_uuid(&self, mount_point: &Path, _: &str, _: &Path) -> Result<Uuid, TransportError> {
        let found = self.answers().uuids.get(mount_point).copied();
        found.ok_or_else(|| TransportError::NotFound(format!("a UUID for {}", mount_point.display())))
    }

    fn nvme(&self, device_node: &Path, command: NvmeCommand) -> Result<Vec<u8>, TransportError> {
        let mut answers = self.answers();
        let what = format!(
            "{} {:02x}h namespace {:x} dword10 {:x}",
            device_node.display(),
            command.operation,
            command.namespace,
            command.dword10
        );
        answers.asked.push(what.clone());
        let key = (device_node.to_owned(), command.operation, command.namespace, command.dword10);
        // 4002h: invalid field, do not retry.
        answers.nvme.get(&key).cloned().ok_or(TransportError::Refused { what, status: 0x4002 })
    }

    fn scsi(&self, device_node: &Path, command: &[u8], length: u32) -> Result<Vec<u8>, TransportError> {
        let mut answers = self.answers();
        let what = format!("{} {command:02x?}", device_node.display());
        answers.asked.push(what.clone());
        let mut page = answers
            .scsi
            .get(&(device_node.to_owned(), command.to_vec()))
            .cloned()
            // Illegal request, invalid field in the command.
            .ok_or(TransportError::Refused { what, status: 0x05_24_00 })?;
        // Without data the answer is sense data, whose length nobody asked for.
        if length > 0 {
            page.truncate(length as usize);
        }
        Ok(page)
    }

    fn device_mapper(&self, name: &str, table: bool) -> Result<(u32, Vec<u8>), TransportError> {
        let found = self.answers().device_mapper.get(&(name.to_owned(), table)).cloned();
        found.ok_or_else(|| TransportError::NotFound(format!("device mapper's {name}")))
    }

    fn tool(&self, tool: Tool) -> Result<Vec<u8>, TransportError> {
        let mut answers = self.answers();
        answers.asked.push(tool.command().0.to_owned());
        answers.tools.get(&tool).cloned().ok_or_else(|| TransportError::NotFound(tool.command().0.to_owned()))
    }
}
