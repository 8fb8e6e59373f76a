//! The time, passed in so that a test can set it, and its jumps.

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};

/// Seconds by which the wall clock may drift from the steady one between two rounds before it is called a jump.
const JUMP_SECONDS: i64 = 2;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The wall clock.
    fn now(&self) -> Timestamp;
    /// Milliseconds since boot, sleep included: nobody can set it.
    fn steady_milliseconds(&self) -> u64;
}

/// The machine's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn steady_milliseconds(&self) -> u64 {
        let time = clock_gettime(ClockId::Boottime);
        time.tv_sec.unsigned_abs() * 1_000 + time.tv_nsec.unsigned_abs() / 1_000_000
    }
}

/// Notices when the wall clock is set.
#[derive(Debug, Default)]
pub struct JumpWatch {
    last: Option<(Timestamp, u64)>,
}

impl JumpWatch {
    /// Takes a reading of both clocks. Gives the seconds by which the wall clock jumped since the last one.
    pub fn observe(&mut self, now: Timestamp, steady_milliseconds: u64) -> Option<i64> {
        let before = self.last.replace((now, steady_milliseconds))?;
        let wall = now.as_millisecond() - before.0.as_millisecond();
        let steady = i64::try_from(steady_milliseconds.saturating_sub(before.1)).unwrap_or(i64::MAX);
        let jump = wall.saturating_sub(steady) / 1_000;
        (jump.abs() >= JUMP_SECONDS).then_some(jump)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::JumpWatch;

    #[test]
    fn only_a_clock_that_was_set_jumps() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut watch = JumpWatch::default();
        assert_eq!(watch.observe(at(1_000), 0), None);
        assert_eq!(watch.observe(at(1_060), 60_400), None);
        assert_eq!(watch.observe(at(90_000), 120_000), Some(88_880));
        assert_eq!(watch.observe(at(1_100), 121_000), Some(-88_901));
    }
}
