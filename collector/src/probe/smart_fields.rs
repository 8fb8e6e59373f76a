//! What a drive's own pages tell, by the names of core's fields: all absent together where the pages cannot be had.

/// Figures of wear, temperature and life-time counts.
pub(super) const SMART_FIELDS: &[&str] = &[
    "temperature_celsius",
    "endurance_used_percent",
    "spare_percent",
    "data_read_bytes",
    "data_written_bytes",
    "power_on_hours",
    "media_errors",
];
