//! Mounted file systems: the truest source of spent capacity.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use headroom_core::{
    quantity::Bytes,
    unit::{AbsenceReason, CapacitySource, ComponentKind, EvidenceKind, Status},
};

use super::guard::{Guard, NoAnswer};
use super::mountinfo::{self, Mount};
use super::session::reason_of;
use super::{Found, Scope};
use crate::decode::{BYTES_MAX, Findings};
use crate::transport::{FileSystemFigures, Transport, TransportError};

/// What one worker brings back.
type Answer = (Result<FileSystemFigures, TransportError>, Option<Result<uuid::Uuid, TransportError>>);

/// The probe: it keeps a worker for each mount.
#[derive(Debug, Default)]
pub struct FileSystems {
    guard: Guard<Answer>,
    uuids: std::collections::BTreeMap<(String, u64), uuid::Uuid>,
}

impl FileSystems {
    /// The file systems that are mounted, each once.
    ///
    /// # Errors
    /// The mount table cannot be read.
    pub fn mounts(transport: &dyn Transport, scope: &Scope) -> Result<Vec<Mount>, TransportError> {
        let table = transport.read(Path::new("/proc/self/mountinfo"))?;
        let (mounts, refused) = mountinfo::parse(&String::from_utf8_lossy(&table));
        if refused > 0 {
            tracing::warn!(lines = refused, "/proc/self/mountinfo has lines in no known form");
        }
        let wanted = |mount: &Mount| {
            scope.includes_mount(&mount.mount_point)
                || (mount.keeps_data() && !scope.skips_mount(&mount.mount_point))
        };
        Ok(mountinfo::one_for_each_file_system(mounts.into_iter().filter(wanted).collect()))
    }

    /// Measures every mount; those that do not answer within `patience` are reported as timed out.
    pub fn measure(
        &mut self,
        transport: &Arc<dyn Transport>,
        mounts: &[Mount],
        patience: Duration,
    ) -> Vec<Found> {
        let questions = mounts
            .iter()
            .map(|mount| {
                let (transport, mount_point) = (Arc::clone(transport), PathBuf::from(&mount.mount_point));
                let (format, source) = (mount.format.clone(), PathBuf::from(&mount.source));
                let known = self.uuids.contains_key(&(mount.mount_point.clone(), mount.device_number()));
                let question: Box<dyn FnOnce() -> Answer + Send> = Box::new(move || {
                    let uuid = if known {
                        None
                    } else {
                        Some(transport.file_system_uuid(&mount_point, &format, &source))
                    };
                    (transport.statvfs(&mount_point), uuid)
                });
                (mount.mount_point.clone(), question)
            })
            .collect();
        let answers = self.guard.ask_all(questions, patience);
        mounts
            .iter()
            .zip(answers)
            .map(|(mount, (_, answer))| {
                let place = (mount.mount_point.clone(), mount.device_number());
                if let Ok((_, Some(Ok(uuid)))) = &answer {
                    self.uuids.insert(place.clone(), *uuid);
                }
                let refusal = match &answer {
                    Ok((_, Some(Err(error @ TransportError::PermissionDenied { .. })))) => {
                        Some(error.to_string())
                    }
                    _ => None,
                };
                let mut found =
                    found(mount, answer.map(|(figures, _)| figures), self.uuids.get(&place), patience);
                if let Some(refusal) = refusal {
                    // Who may not read the disk knows the file system by its mount point: the owner should know why.
                    found.findings.absent("identity", AbsenceReason::PermissionDenied, refusal);
                }
                found
            })
            .collect()
    }
}

fn found(
    mount: &Mount,
    answer: Result<Result<FileSystemFigures, TransportError>, NoAnswer>,
    uuid: Option<&uuid::Uuid>,
    patience: Duration,
) -> Found {
    let mut findings = Findings::default();
    findings.specs.format = Some(mount.format.clone());
    if let Some(uuid) = uuid {
        findings.evidence(EvidenceKind::Uuid, &uuid.to_string());
    }
    match answer {
        Ok(Ok(figures)) if figures.device != mount.device_number() && !has_own_numbers(&mount.format) => {
            let detail = "another file system answered at this mount point: it is not mounted any more";
            without_figures(&mut findings, AbsenceReason::Refused, detail);
        }
        Ok(Ok(figures)) => with_figures(&mut findings, &figures),
        Ok(Err(error)) => without_figures(&mut findings, reason_of(&error), &error.to_string()),
        Err(NoAnswer::TimedOut) => {
            let detail = format!("statvfs did not answer within {} s", patience.as_secs());
            without_figures(&mut findings, AbsenceReason::TimedOut, &detail);
        }
        Err(NoAnswer::StillOutstanding(_)) => {
            // No running figure in the sentence: it would make every answer a new one.
            let detail = "an earlier statvfs has not come back; it is not asked again until it does";
            without_figures(&mut findings, AbsenceReason::TimedOut, detail);
        }
        Err(NoAnswer::NoWorker) => {
            without_figures(&mut findings, AbsenceReason::Refused, "no worker could be started to ask it");
        }
    }
    let below = match mount.source.strip_prefix("/dev/") {
        Some(_) => vec![mount.source.clone()],
        None => Vec::new(),
    };
    Found {
        name: format!("mount:{}:{}", mount.device.0, mount.device.1),
        kind: ComponentKind::FileSystem,
        label: Some(mount.mount_point.clone()),
        below,
        host_path: format!("mount {}", mount.mount_point),
        attachment: None,
        findings,
    }
}

/// btrfs gives each subvolume a device number that is not in the mount table.
fn has_own_numbers(format: &str) -> bool {
    matches!(format, "btrfs" | "bcachefs")
}

fn without_figures(findings: &mut Findings, reason: AbsenceReason, detail: &str) {
    for field in ["capacity_bytes", "used_bytes", "inodes_total", "inodes_used"] {
        findings.absent(field, reason, detail);
    }
}

/// Spent = blocks that are not free; usable = spent + what is free for everybody, because users run out there, not
/// where the blocks kept for root end.
fn with_figures(findings: &mut Findings, figures: &FileSystemFigures) {
    let scale = |blocks: u64| blocks.checked_mul(figures.fragment_bytes).filter(|bytes| *bytes <= BYTES_MAX);
    let used_blocks = figures.blocks.checked_sub(figures.blocks_free);
    let all = scale(figures.blocks);
    let used = used_blocks.and_then(scale);
    let usable = used_blocks.and_then(|used| used.checked_add(figures.blocks_available)).and_then(scale);
    match (all, used, usable) {
        (Some(all), Some(used), Some(usable)) if all > 0 => {
            findings.specs.capacity_bytes = Some(Bytes(all));
            findings.specs.logical_block_bytes = u32::try_from(figures.fragment_bytes).ok();
            findings.status.capacity_bytes = Some(Bytes(usable));
            findings.status.used_bytes = Some(Bytes(used));
            findings.status.used_source = Some(CapacitySource::FileSystem);
            findings.source("capacity_bytes", "statvfs: f_blocks - f_bfree + f_bavail");
            findings.source("used_bytes", "statvfs: f_blocks - f_bfree");
        }
        _ => {
            let detail = format!(
                "statvfs says {} blocks of {} bytes, {} free, {} available: that cannot be",
                figures.blocks, figures.fragment_bytes, figures.blocks_free, figures.blocks_available
            );
            let reason =
                if figures.blocks == 0 { AbsenceReason::NotReported } else { AbsenceReason::Unbelievable };
            findings.absent("capacity_bytes", reason, detail.clone());
            findings.absent("used_bytes", reason, detail);
        }
    }
    inodes(&mut findings.status, figures);
    if findings.status.inodes_total.is_none() {
        let detail = "this file system makes inodes as it needs them";
        findings.absent("inodes_total", AbsenceReason::NotReported, detail);
        findings.absent("inodes_used", AbsenceReason::NotReported, detail);
    }
}

fn inodes(status: &mut Status, figures: &FileSystemFigures) {
    let believable = figures.inodes > 0 && figures.inodes <= BYTES_MAX;
    if let Some(used) = figures.inodes.checked_sub(figures.inodes_free).filter(|_| believable) {
        status.inodes_total = Some(figures.inodes);
        status.inodes_used = Some(used);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;

    use headroom_core::unit::AbsenceReason;
    use proptest::prelude::*;

    use super::{FileSystems, Findings, with_figures};
    use crate::probe::mountinfo::Mount;
    use crate::transport::{Fault, Faulty, FileSystemFigures, Recorded, Transport};

    #[test]
    fn who_may_not_read_the_identity_says_so() {
        let faulty = Faulty::new(Arc::new(Recorded::below(Path::new("/nowhere"))));
        faulty.set("/data", Fault::Denied);
        let transport: Arc<dyn Transport> = Arc::new(faulty);
        let mount = Mount {
            device: (8, 1),
            root: "/".to_owned(),
            mount_point: "/data".to_owned(),
            format: "ext4".to_owned(),
            source: "/dev/sda1".to_owned(),
        };
        let found = FileSystems::default().measure(&transport, &[mount], Duration::from_secs(5)).remove(0);
        let missing = found.findings.missing.iter().find(|missing| missing.field == "identity");
        assert_eq!(missing.map(|missing| missing.reason), Some(AbsenceReason::PermissionDenied));
    }

    proptest! {
        #[test]
        fn hostile_figures_give_a_value_or_an_absence(
            fragment_bytes: u64, blocks: u64, blocks_free: u64, blocks_available: u64, inodes: u64, inodes_free: u64,
        ) {
            let mut findings = Findings::default();
            with_figures(&mut findings, &FileSystemFigures {
                fragment_bytes, blocks, blocks_free, blocks_available, inodes, inodes_free, device: 0,
            });
            let told = findings.status.used_bytes.is_some();
            prop_assert_eq!(told, !findings.missing.iter().any(|missing| missing.field == "used_bytes"));
            if let (Some(used), Some(all)) = (findings.status.used_bytes, findings.status.capacity_bytes) {
                prop_assert!(used <= all);
            }
        }
    }
}
