//! Whether there is room enough to seal: blocks are written before rows go, and the space of the rows comes back with VACUUM.

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

use crate::server::error::{Error, Kind, Result};

/// Sealing stops while less than this is free, MiB.
static MIN_FREE: GucSetting<i32> = GucSetting::<i32>::new(1_024);

/// Defines the setting.
pub(super) fn define() {
    GucRegistry::define_int_guc(
        c"headroom.min_free_disk",
        c"Policies seal no rows while less space than this is free on the disk of the data.",
        c"Blocks are written before the space of their rows comes back.",
        &MIN_FREE,
        0,
        i32::MAX,
        GucContext::Sighup,
        GucFlags::UNIT_MB,
    );
}

/// Refuses when less is free on the disk of the data folder than the setting asks for.
pub(super) fn require() -> Result<()> {
    let wanted = MIN_FREE.get().unsigned_abs().into();
    // The server's working folder is its data folder.
    let disk = rustix::fs::statvfs(".").map_err(|error| {
        Error::new(Kind::Internal, format!("the free space of the data folder cannot be read: {error}"))
    })?;
    let free: u64 = (disk.f_bavail * disk.f_frsize) >> 20;
    if free >= wanted {
        return Ok(());
    }
    Err(Error::new(
        Kind::DiskFull,
        format!("{free} MB are free on the disk of the data, and sealing wants {wanted}"),
    )
    .detail("Blocks are written before the space of their rows comes back.")
    .hint("Free space, or lower headroom.min_free_disk."))
}
