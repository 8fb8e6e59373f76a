//! CPU time of server processes: it holds on a busy machine, wall time does not.

use std::fs;

use anyhow::Context as _;

/// Run seconds of one process so far.
pub(crate) fn of_process(id: u32) -> anyhow::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{id}/schedstat"))
        .with_context(|| format!("process {id} is gone"))?;
    let nanoseconds: u64 = stat.split_whitespace().next().context("schedstat is empty")?.parse()?;
    Ok(nanoseconds as f64 / 1e9)
}

/// Run seconds of the postmaster, its children that live and those that ended.
pub(crate) fn of_server(postmaster: u32) -> anyhow::Result<f64> {
    let children = fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children"))?;
    let living: f64 = children.split_whitespace().filter_map(|id| of_process(id.parse().ok()?).ok()).sum();
    let stat = fs::read_to_string(format!("/proc/{postmaster}/stat"))?;
    // After the name in brackets: fields 16 and 17 of proc(5) are the ticks of children that were waited for.
    let fields: Vec<&str> = stat.rsplit_once(')').context("stat has no name")?.1.split_whitespace().collect();
    let ticks: f64 =
        fields.get(13..15).context("stat is short")?.iter().filter_map(|f| f.parse::<f64>().ok()).sum();
    const TICKS_A_SECOND: f64 = 100.0; // USER_HZ, fixed on Linux
    Ok(living + of_process(postmaster)? + ticks / TICKS_A_SECOND)
}
