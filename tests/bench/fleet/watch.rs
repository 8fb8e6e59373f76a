//! A command of the hub with what it and PostgreSQL take while it runs.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use headroom_tests::{Hub, built};

/// Between two looks at the processes.
const LOOK: Duration = Duration::from_millis(50);

/// The most that was seen at one moment, bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Peak {
    /// Of the hub, resident.
    pub(crate) hub: u64,
    /// Of PostgreSQL's processes, their own.
    pub(crate) private: u64,
    /// Of PostgreSQL, shared between its processes: its buffers.
    pub(crate) shared: u64,
}

/// What a command took.
pub(crate) struct Took {
    /// From start to end.
    pub(crate) seconds: f64,
    /// CPU seconds of the hub.
    pub(crate) cpu: f64,
    /// Memory.
    pub(crate) peak: Peak,
}

/// Runs a command of the hub to its end.
pub(crate) fn run(hub: &Hub, postmaster: u32, arguments: &[&str]) -> anyhow::Result<Took> {
    let begun = Instant::now();
    let mut child = Command::new(built::program("headroom")?)
        .arg("--config")
        .arg(hub.configuration())
        .args(arguments)
        .stdout(Stdio::null())
        .spawn()
        .context("headroom starts")?;
    let (mut peak, mut cpu) = (Peak::default(), 0.0);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        // The process may end between two looks: what was seen last stands.
        cpu = cpu_of(child.id()).unwrap_or(cpu).max(cpu);
        peak.hub = peak.hub.max(bytes(child.id(), "VmHWM").unwrap_or(0));
        let children = fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children"))?;
        let processes: Vec<u32> = children.split_whitespace().filter_map(|id| id.parse().ok()).collect();
        let of_all = |what| processes.iter().filter_map(move |id| bytes(*id, what));
        peak.private = peak.private.max(of_all("RssAnon").sum());
        peak.shared = peak.shared.max(of_all("RssShmem").max().unwrap_or(0));
        thread::sleep(LOOK);
    };
    ensure!(status.success(), "headroom {} ended with {status}", arguments.join(" "));
    Ok(Took { seconds: begun.elapsed().as_secs_f64(), cpu, peak })
}

/// A line of /proc/ID/status in bytes.
fn bytes(process: u32, what: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let lines: BTreeMap<&str, &str> = status.lines().filter_map(|line| line.split_once(':')).collect();
    lines.get(what)?.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// CPU seconds of a process, all of its threads, those that ended too.
fn cpu_of(process: u32) -> Option<f64> {
    const TICKS_A_SECOND: f64 = 100.0; // USER_HZ, fixed on Linux
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // After the name in brackets: fields 14 and 15 of proc(5).
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: f64 = fields.get(11..13)?.iter().filter_map(|field| field.parse::<f64>().ok()).sum();
    Some(ticks / TICKS_A_SECOND)
}
