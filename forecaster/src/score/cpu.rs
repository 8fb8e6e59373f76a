//! CPU time of the calling thread, from the kernel's scheduler.

use std::time::Duration;

/// CPU time that the calling thread has used; `None` where the kernel does not tell.
pub(crate) fn of_this_thread() -> Option<Duration> {
    // The first figure of schedstat is the time on a CPU in nanoseconds (Linux, Documentation/scheduler/sched-stats).
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}
