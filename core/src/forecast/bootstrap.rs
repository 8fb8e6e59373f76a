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
/// How far a path is followed, days: whole blocks beyond the longest horizon.
const PATH_DAYS: usize = 1_110;
/// Points at which a path's gain is kept, 30 days apart.
pub(super) const GAIN_POINTS: usize = PATH_DAYS / BLOCK_DAYS;
/// A day later than any horizon: "not reached".
pub(super) const NEVER: u16 = u16::MAX;

/// Days of first passage of every path, for every gap.
#[derive(Debug, Clone)]
pub(super) struct Futures {
    gaps: usize,
    /// Days, rising inside one gap and stratum; [`NEVER`] for paths that do not arrive.
    days: Vec<u16>,
    /// The same with all strata of a gap together, rising.
    pooled: Vec<u16>,
    /// Values gained at the end of every 30 days, one row of [`GAIN_POINTS`] for each path; empty unless kept.
    gains: Vec<f64>,
}

impl Futures {
    /// Days of first passage of one stratum over one gap, rising.
    pub(super) fn days(&self, gap: usize, stratum: usize) -> &[u16] {
        let from = (stratum * self.gaps + gap) * PATHS;
        &self.days[from..from + PATHS]
    }

    /// Days of first passage of all strata over one gap, rising.
    pub(super) fn pooled_days(&self, gap: usize) -> &[u16] {
        let paths = PATHS * WINDOWS_DAYS.len();
        &self.pooled[gap * paths..][..paths]
    }

    /// The gains of all paths at a multiple of 30 days (from 1), rising; empty unless kept.
    pub(super) fn gains(&self, month: usize) -> Vec<f64> {
        let mut gains: Vec<f64> = self.gains.iter().skip(month - 1).step_by(GAIN_POINTS).copied().collect();
        gains.sort_unstable_by(f64::total_cmp);
        gains
    }
}

/// Simulates first passages over `gaps` (positive, rising: how far the value is from each limit).
///
/// `daily` needs two values at least; a history shorter than a window uses all there is. The days of one gap do not
/// depend on the other gaps.
pub(super) fn simulate(daily: &[f64], gaps: &[f64], keep_gains: bool) -> Futures {
    let mut futures = Futures {
        gaps: gaps.len(),
        days: vec![NEVER; WINDOWS_DAYS.len() * gaps.len() * PATHS],
        pooled: Vec::with_capacity(WINDOWS_DAYS.len() * gaps.len() * PATHS),
        gains: Vec::with_capacity(if keep_gains { WINDOWS_DAYS.len() * PATHS * GAIN_POINTS } else { 0 }),
    };
    let increments = daily.len() - 1;
    let block = BLOCK_DAYS.min(increments.div_ceil(2));
    let blocks = Blocks { daily, block, highest: block_highs(daily, block) };
    for (stratum, window) in WINDOWS_DAYS.iter().enumerate() {
        let choices = (*window).clamp(block, increments) - block + 1;
        let first = daily.len() - block - choices;
        for path in 0..PATHS {
            // The seed depends on nothing but the lengths: rescaling the bytes must not change the draw.
            let seed = ((daily.len() as u64) << 32) ^ ((stratum as u64) << 16) ^ path as u64;
            let draw = Draw {
                // The first block is a systematic draw over the window: half the variance of a random one for nothing.
                from: first + (2 * path + 1) * choices / (2 * PATHS),
                first,
                choices,
                random: Random::new(0x4865_6164_726f_6f6d ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            };
            let place = stratum * gaps.len() * PATHS + path;
            blocks.follow(draw, gaps, &mut futures.days[place..], keep_gains.then_some(&mut futures.gains));
        }
    }
    for one in futures.days.chunks_exact_mut(PATHS) {
        one.sort_unstable();
    }
    for gap in 0..gaps.len() {
        let from = futures.pooled.len();
        for stratum in 0..WINDOWS_DAYS.len() {
            let place = (stratum * gaps.len() + gap) * PATHS;
            futures.pooled.extend_from_slice(&futures.days[place..place + PATHS]);
        }
        // The stable sort merges runs that are sorted already.
        futures.pooled[from..].sort();
    }
    futures
}

/// The blocks of a history.
struct Blocks<'a> {
    daily: &'a [f64],
    block: usize,
    /// How far the value rises inside each block above its start.
    highest: Vec<f64>,
}

/// Where a path's blocks come from.
struct Draw {
    from: usize,
    first: usize,
    choices: usize,
    random: Random,
}

impl Blocks<'_> {
    /// Follows one path; `days` holds the gaps' days [`PATHS`] apart.
    fn follow(&self, mut draw: Draw, gaps: &[f64], days: &mut [u16], mut gains: Option<&mut Vec<f64>>) {
        let (daily, block) = (self.daily, self.block);
        let (mut gained, mut next, mut months) = (0.0, 0, 0);
        for step in 0..PATH_DAYS.div_ceil(block) {
            let start = daily[draw.from];
            while next < gaps.len() && gained + self.highest[draw.from] >= gaps[next] {
                let wanted = gaps[next] - gained + start;
                let inside = daily[draw.from + 1..=draw.from + block].iter().position(|v| *v >= wanted);
                days[next * PATHS] = (step * block + inside.unwrap_or(block - 1) + 1) as u16;
                next += 1;
            }
            gained += daily[draw.from + block] - start;
            if let Some(gains) = &mut gains {
                while months < GAIN_POINTS && (months + 1) * BLOCK_DAYS <= (step + 1) * block {
                    gains.push(gained);
                    months += 1;
                }
            } else if next == gaps.len() {
                return;
            }
            draw.from = draw.first + draw.random.below(draw.choices);
        }
    }
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
        if !(j + 1).is_multiple_of(block) {
            backward[j] = backward[j].max(backward[j + 1]);
        }
    }
    (0..daily.len() - block).map(|i| backward[i].max(forward[i + block - 1]) - daily[i]).collect()
}
