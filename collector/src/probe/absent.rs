//! What a component of a kind could report and does not: the absence is stated with its reason, never left to guess.

use headroom_core::unit::{AbsenceReason, ComponentKind, EvidenceKind};

use super::Found;

/// States the figures that nobody has spoken about yet.
pub(super) fn state(found: &mut Found) {
    let stated: Vec<&str> = found.findings.missing.iter().map(|missing| missing.field).collect();
    let knows = |field: &str| stated.contains(&field);
    let mut gaps: Vec<(&'static str, AbsenceReason, &str)> = Vec::new();
    let (status, specs) = (&found.findings.status, &found.findings.specs);
    match found.kind {
        ComponentKind::Drive => {
            if status.used_bytes.is_none() {
                gaps.push((
                    "used_bytes",
                    AbsenceReason::Unsupported,
                    "a drive does not know what is spent on it: the file systems and pools above it do",
                ));
            }
            for (field, missing) in [
                ("serial", specs.serial.is_none()),
                ("model", specs.model.is_none()),
                ("temperature_celsius", status.temperature_celsius.is_none()),
                ("endurance_used_percent", status.endurance_used_percent.is_none()),
                ("power_on_hours", status.power_on_hours.is_none()),
            ] {
                if missing {
                    gaps.push((
                        field,
                        AbsenceReason::Unsupported,
                        "this attachment has no page that tells it",
                    ));
                }
            }
        }
        ComponentKind::Namespace
        | ComponentKind::Volume
        | ComponentKind::Pool
        | ComponentKind::VolumeGroup => {
            if status.used_bytes.is_none() {
                gaps.push((
                    "used_bytes",
                    AbsenceReason::Unsupported,
                    "nothing at this level tells what is spent: the file systems and pools above it do",
                ));
            }
        }
        ComponentKind::FileSystem => {
            if !found.findings.identity.iter().any(|evidence| evidence.kind < EvidenceKind::HostPath) {
                gaps.push((
                    "identity",
                    AbsenceReason::NotReported,
                    "neither the kernel nor the disk tells its UUID: it is known by its mount point",
                ));
            }
        }
        ComponentKind::Controller => {}
    }
    let gaps: Vec<_> = gaps.into_iter().filter(|(field, ..)| !knows(field)).collect();
    for (field, reason, detail) in gaps {
        found.findings.absent(field, reason, detail);
    }
}
