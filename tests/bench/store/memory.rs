//! The memory that a server process takes for itself; what it shares with the others is not counted.

use std::{fs, pin::pin, time::Duration};

use anyhow::Context as _;

/// How often the kernel is asked.
const PAUSE: Duration = Duration::from_millis(2);

/// Does `work` and tells how much memory the process took meanwhile at most, above what it had before, in MB.
pub(crate) async fn of_work<T>(process: u32, work: impl Future<Output = T>) -> anyhow::Result<(T, f64)> {
    let before = of_process(process)?;
    let mut most = before;
    let mut work = pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return Ok((done, (most - before) / 1024.0)),
            () = tokio::time::sleep(PAUSE) => most = of_process(process)?.max(most),
        }
    }
}

/// KB that are the process's own (`RssAnon` of proc(5)).
fn of_process(id: u32) -> anyhow::Result<f64> {
    let status =
        fs::read_to_string(format!("/proc/{id}/status")).with_context(|| format!("process {id} is gone"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let number = line.and_then(|line| line.split_whitespace().next()).context("status has no RssAnon")?;
    Ok(number.parse()?)
}
