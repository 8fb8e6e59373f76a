//! Simulated futures: blocks of the unit's own daily increments, drawn from windows of several lengths and added to
//! the last value (moving-block bootstrap, Künsch 1989). One set of paths answers for every limit.
//!
//! A path moves a whole block at a time: the block's gain and its highest point are known beforehand, and only a block
//! that reaches a limit is looked into day by day.

use super::random::Random;

/// Length of a block, days.
pub(super) const BLOCK_DAYS: usize = 30;
/// Days of history from which blocks are drawn, one stratum of paths for each.
pub(super) const WINDOWS_DAYS: [usize; 5] = [60, 180, 365, 730, 1_460];
/// Paths of each stratum.
pub(super) const PATHS: usize = 80;
/// A day later than any horizon: "not reached".
pub(super) const NEVER: u16 = u16::MAX;

/// Days of first passage of every path, for every gap.
#[derive(Debug, Clone)]
pub(super) struct Futures {
    gaps: usize,
    /// Days, rising inside one gap and stratum; [`NEVER`] for paths that do not arrive.
    days: Vec<u16>,
    /// Values gained at the end of each block, by stratum and path: what the fan is drawn from.
    pub gains: Vec<f64>,
    /// Blocks of a path.
    pub blocks: usize,
}

impl Futures {
    /// Days of first passage of one stratum over one gap, rising.
    pub(super) fn days(&self, gap: usize, stratum: usize) -> &[u16] {
        let from = (stratum * self.gaps + gap) * PATHS;
        &self.days[from..from + PATHS]
    }
}

/// Simulates first passages over `gaps` (positive, rising: how far the value is from each limit).
///
/// `daily` needs two values at least; a history shorter than a window uses all there is.
pub(super) fn simulate(daily: &[f64], gaps: &[f64], horizon_days: usize, keep_gains: bool) -> Futures {
    let blocks = horizon_days.div_ceil(BLOCK_DAYS);
    let mut days = vec![NEVER; WINDOWS_DAYS.len() * gaps.len() * PATHS];
    let mut gains = Vec::with_capacity(if keep_gains { WINDOWS_DAYS.len() * PATHS * blocks } else { 0 });
    let increments = daily.len() - 1;
    let block = BLOCK_DAYS.min(increments.div_ceil(2));
    let starts = daily.len() - block;
    let steps = horizon_days.div_ceil(block);
    let highest = block_highs(daily, block);
    for (stratum, window) in WINDOWS_DAYS.iter().enumerate() {
        let window = (*window).clamp(block, increments);
        let choices = window - block + 1;
        let first = starts - choices;
        // The seed depends on nothing but the lengths: rescaling the bytes must not change the draw.
        let mut random = Random::new(0x4865_6164_726f_6f6d ^ ((daily.len() as u64) << 8) ^ stratum as u64);
        for path in 0..PATHS {
            // The first block is a systematic draw over the window: half the variance of a random one for nothing.
            let mut from = first + (2 * path + 1) * choices / (2 * PATHS);
            let (mut gained, mut next) = (0.0, 0);
            let mut next_kept = BLOCK_DAYS;
            for step in 0..steps {
                while next < gaps.len() && gained + highest[from] >= gaps[next] {
                    let wanted = gaps[next] - gained + daily[from];
                    let inside =
                        daily[from + 1..=from + block].iter().position(|v| *v >= wanted).unwrap_or(block - 1);
                    days[(stratum * gaps.len() + next) * PATHS + path] =
                        u16::try_from(step * block + inside + 1).unwrap_or(NEVER - 1);
                    next += 1;
                }
                gained += daily[from + block] - daily[from];
                if keep_gains {
                    while next_kept <= (step + 1) * block && next_kept <= blocks * BLOCK_DAYS {
                        gains.push(gained);
                        next_kept += BLOCK_DAYS;
                    }
                } else if next == gaps.len() {
                    break;
                }
                from = first + random.below(choices);
            }
            if keep_gains {
                gains.resize(gains.len().next_multiple_of(blocks), gained);
            }
        }
    }
    for one in days.chunks_exact_mut(PATHS) {
        one.sort_unstable();
    }
    Futures { gaps: gaps.len(), days, gains, blocks }
}

/// For each start of a block, how far the value rises inside the block above its start.
fn block_highs(daily: &[f64], block: usize) -> Vec<f64> {
    // van Herk 1992: the maximum of a sliding window from running maxima forwards and backwards in chunks.
    let values = &daily[1..];
    let mut forward = values.to_vec();
    let mut backward = values.to_vec();
    for i in 1..values.len() {
        if i % block != 0 {
            forward[i] = forward[i].max(forward[i - 1]);
        }
        let j = values.len() - 1 - i;
        if (j + 1) % block != 0 {
            backward[j] = backward[j].max(backward[j + 1]);
        }
    }
    (0..daily.len() - block).map(|i| backward[i].max(forward[i + block - 1]) - daily[i]).collect()
}
