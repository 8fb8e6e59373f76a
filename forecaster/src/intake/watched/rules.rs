//! What a series means: names of node_exporter and smartctl_exporter, and those that a person mapped.

use headroom_core::unit::{CapacitySource, ComponentKind, Figure, Status};

use super::series::Series;

/// A name of a series and what it tells.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mapping {
    /// Name of the series.
    pub(crate) metric: String,
    /// Kind of component that it speaks of.
    pub(crate) kind: ComponentKind,
    /// Which of its labels names the component.
    pub(crate) label: String,
    /// What it tells: a [`Part`], `facts`, `made_capacity`, or a [`Figure`] by its name.
    pub(crate) field: String,
    /// Its value times this is the figure.
    pub(crate) factor: f64,
}

/// Values that only mean something together with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Part {
    /// Size of a file system, bytes.
    Size,
    /// Free space in it, also what only root may use, bytes.
    Free,
    /// Inodes in all.
    Files,
    /// Free inodes.
    FilesFree,
    /// Seconds in which a device was busy, counter.
    Busy,
}

impl Part {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [Self::Size, Self::Free, Self::Files, Self::FilesFree, Self::Busy];

    /// The name in SQL.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Free => "free",
            Self::Files => "files",
            Self::FilesFree => "files_free",
            Self::Busy => "busy",
        }
    }
}

/// What a series tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told<'a> {
    /// Model, serial number and the like, in its labels.
    Facts,
    /// The capacity that it was made with, bytes.
    MadeCapacity,
    /// Something that needs its counterpart.
    Part(Part),
    /// A figure of the status, as [`set`] knows it.
    Figure(&'a str),
}

impl Mapping {
    /// What it tells.
    pub(super) fn told(&self) -> Told<'_> {
        match self.field.as_str() {
            "facts" => Told::Facts,
            "made_capacity" => Told::MadeCapacity,
            field => match Part::ALL.into_iter().find(|part| part.name() == field) {
                Some(part) => Told::Part(part),
                None => Told::Figure(field),
            },
        }
    }
}

/// Sets a figure. False where there is no such figure, or it cannot have this value.
pub(super) fn set(status: &mut Status, kind: ComponentKind, field: &str, value: f64) -> bool {
    let Some(figure) = Figure::named(field) else { return false };
    let is_set = figure.rounded(value).is_some_and(|number| figure.set(status, number));
    if is_set && field == "used_bytes" {
        status.used_source = Some(match kind {
            ComponentKind::FileSystem => CapacitySource::FileSystem,
            _ => CapacitySource::ArrayPool,
        });
    }
    is_set
}

const FS: ComponentKind = ComponentKind::FileSystem;
const DRIVE: ComponentKind = ComponentKind::Drive;
/// Names of node_exporter and smartctl_exporter. All of them name their component by the label `device`.
const BUILT_IN: [(&str, ComponentKind, &str, f64); 24] = [
    ("node_filesystem_size_bytes", FS, "size", 1.0),
    ("node_filesystem_free_bytes", FS, "free", 1.0),
    ("node_filesystem_files", FS, "files", 1.0),
    ("node_filesystem_files_free", FS, "files_free", 1.0),
    ("node_disk_info", DRIVE, "facts", 1.0),
    ("node_disk_io_time_seconds_total", DRIVE, "busy", 1.0),
    ("node_disk_io_time_weighted_seconds_total", DRIVE, "queue_milliseconds", 1e3),
    ("node_disk_reads_completed_total", DRIVE, "read_ops", 1.0),
    ("node_disk_writes_completed_total", DRIVE, "write_ops", 1.0),
    ("node_disk_read_bytes_total", DRIVE, "read_bytes", 1.0),
    ("node_disk_written_bytes_total", DRIVE, "write_bytes", 1.0),
    ("smartctl_device", DRIVE, "facts", 1.0),
    ("smartctl_device_capacity_bytes", DRIVE, "made_capacity", 1.0),
    ("smartctl_device_nvme_capacity_bytes", DRIVE, "made_capacity", 1.0),
    ("smartctl_device_total_capacity_bytes", DRIVE, "made_capacity", 1.0),
    ("smartctl_device_bytes_read", DRIVE, "data_read_bytes", 1.0),
    ("smartctl_device_bytes_written", DRIVE, "data_written_bytes", 1.0),
    ("smartctl_device_percentage_used", DRIVE, "endurance_used_percent", 1.0),
    ("smartctl_device_available_spare", DRIVE, "spare_percent", 1.0),
    ("smartctl_device_power_on_seconds", DRIVE, "power_on_hours", 1.0 / 3_600.0),
    ("smartctl_device_media_errors", DRIVE, "media_errors", 1.0),
    ("smartctl_device_critical_warning", DRIVE, "critical_warning", 1.0),
    ("smartctl_device_temperature", DRIVE, "temperature_celsius", 1.0),
    ("node_disk_device_mapper_info", ComponentKind::Volume, "facts", 1.0),
];

/// The built-in mappings.
pub(super) fn built_in() -> impl Iterator<Item = Mapping> {
    BUILT_IN.into_iter().map(|(metric, kind, field, factor)| Mapping {
        metric: metric.to_owned(),
        kind,
        label: "device".to_owned(),
        field: field.to_owned(),
        factor,
    })
}

/// Beginnings of names that tell nothing of storage, or that the built-in mappings know and leave out.
const NOT_STORAGE: [&str; 9] =
    ["go_", "process_", "promhttp_", "prometheus_", "scrape_", "net_conntrack_", "node_", "smartctl_", "up"];

/// Whether a name without a mapping is one that a person should look at.
pub(super) fn is_for_a_person(metric: &str) -> bool {
    !metric.is_empty() && !NOT_STORAGE.iter().any(|beginning| metric.starts_with(beginning))
}

/// File systems that hold nothing of a unit: memory, images, and what another machine serves.
const NO_UNITS: [&str; 13] = [
    "tmpfs", "ramfs", "devtmpfs", "overlay", "squashfs", "iso9660", "nfs", "nfs4", "cifs", "smb3", "autofs",
    "rootfs", "9p",
];

/// Whether a series speaks of something that is no part of a unit.
pub(super) fn is_elsewhere(series: &Series) -> bool {
    let not_current = series.name == "smartctl_device_temperature"
        && series.label("temperature_type").is_some_and(|kind| kind != "current");
    let format = series.label("fstype").unwrap_or_default();
    not_current || NO_UNITS.contains(&format) || format.starts_with("fuse.")
}

/// The kind of a block device, by the name that the kernel gave it.
pub(super) fn kind_of_device(kind: ComponentKind, device: &str) -> ComponentKind {
    match kind {
        ComponentKind::Drive if device.starts_with("dm-") => ComponentKind::Volume,
        ComponentKind::Drive if device.starts_with("md") => ComponentKind::Pool,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use headroom_core::unit::{ComponentKind, FIGURES, Status};
    use proptest::prelude::*;

    use super::{Told, built_in, is_for_a_person, set};

    #[test]
    fn every_built_in_mapping_tells_something() {
        for mapping in built_in() {
            if let Told::Figure(field) = mapping.told() {
                assert!(set(&mut Status::default(), mapping.kind, field, 1.0), "{}", mapping.metric);
            }
            assert!(!is_for_a_person(&mapping.metric), "{}", mapping.metric);
        }
    }

    proptest! {
        #[test]
        fn any_value_is_taken_or_left_absent(value in any::<f64>(), figure in prop::sample::select(&FIGURES[..])) {
            let mut status = Status::default();
            let is_set = set(&mut status, ComponentKind::FileSystem, figure.name, value);
            prop_assert_eq!(is_set, figure.of(&status).is_some());
            prop_assert_eq!(status.used_source.is_some(), is_set && figure.name == "used_bytes");
        }
    }
}
