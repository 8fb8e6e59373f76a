//! Simulated futures: blocks of the unit's own daily increments, drawn from windows of several lengths and added to
//! the last value (moving-block bootstrap, Künsch 1989). One set of paths answers for every limit.
//!
//! A path moves a whole block at a time: the block's gain and its highest point are known beforehand, and only a block
//! that reaches a limit is looked into day by day.

use super::random::Random;

/// Length of a block, days.
pub(super) const BLOCK_DAYS: usize = 30;
/// Length of the parts of a block whose highest value is known beforehand; a block is a whole number of them.
const PART_DAYS: usize = 6;
/// Days of history from which blocks are drawn, one stratum of paths for each.
pub(super) const WINDOWS_DAYS: [usize; 5] = [60, 180, 365, 730, 1_460];
/// Paths of each stratum.
pub(super) const PATHS: usize = 64;
/// Paths of all strata.
const FUTURES: usize = PATHS * WINDOWS_DAYS.len();
/// How far a path is followed, days: whole blocks beyond the longest horizon.
pub(super) const PATH_DAYS: usize = 1_110;
/// Points at which a path's gain is kept, 30 days apart.
pub(super) const GAIN_POINTS: usize = PATH_DAYS / BLOCK_DAYS;
/// A day later than any horizon: "not reached".
pub(super) const NEVER: u16 = u16::MAX;

/// Days of first passage of every path, for every gap.
#[derive(Debug, Clone)]
pub(super) struct Futures {
    /// For each gap and stratum one day a path; [`NEVER`] for paths that do not arrive.
    days: Vec<u16>,
    /// Values gained at the end of every 30 days, one row of [`GAIN_POINTS`] for each path; empty unless kept.
    gains: Vec<f64>,
}

impl Futures {
    /// Days of first passage over one gap, [`PATHS`] of each stratum, in the order of [`WINDOWS_DAYS`].
    pub(super) fn days(&self, gap: usize) -> &[u16] {
        &self.days[gap * FUTURES..][..FUTURES]
    }

    /// Quantiles of all paths' gains at a multiple of 30 days (from 1), at `levels`, which rise; kept gains only.
    pub(super) fn gains<const N: usize>(&self, month: usize, levels: [f64; N]) -> [f64; N] {
        let mut gains: Vec<f64> = self.gains.iter().skip(month - 1).step_by(GAIN_POINTS).copied().collect();
        let mut from = 0;
        levels.map(|level| {
            let place = (level * (gains.len() - 1) as f64) as usize;
            let gain = *gains[from..].select_nth_unstable_by(place - from, f64::total_cmp).1;
            from = place;
            gain
        })
    }
}

/// Simulates first passages over `gaps` (positive, rising: how far the value is from each limit).
///
/// `daily` needs two values at least. Windows longer than the history are the history: its paths count for each of them.
/// The days of one gap do not depend on the other gaps.
pub(super) fn simulate(daily: &[f64], gaps: &[f64], keep_gains: bool) -> Futures {
    let mut futures = Futures {
        days: vec![NEVER; FUTURES * gaps.len()],
        gains: Vec::with_capacity(if keep_gains { FUTURES * GAIN_POINTS } else { 0 }),
    };
    // Nothing reaches what is no number, not even a value that overflowed.
    let wanted: Vec<f64> = gaps.iter().copied().chain([f64::NAN]).collect();
    let increments = daily.len() - 1;
    let block = BLOCK_DAYS.min(increments.div_ceil(2));
    let part_highs = if block == BLOCK_DAYS { sliding_highs(daily, PART_DAYS) } else { Vec::new() };
    let blocks = Blocks { daily, block, blocks: blocks(daily, block), part_highs };
    let mut choices_before = 0;
    for (stratum, window) in WINDOWS_DAYS.iter().enumerate() {
        let choices = (*window).clamp(block, increments) - block + 1;
        if choices == choices_before {
            for of_gap in futures.days.chunks_exact_mut(FUTURES) {
                of_gap.copy_within((stratum - 1) * PATHS..stratum * PATHS, stratum * PATHS);
            }
            let from = futures.gains.len().saturating_sub(PATHS * GAIN_POINTS);
            futures.gains.extend_from_within(from..);
            continue;
        }
        choices_before = choices;
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
            let days = &mut futures.days[stratum * PATHS + path..];
            if keep_gains {
                blocks.follow::<true>(draw, &wanted, days, &mut futures.gains);
            } else {
                blocks.follow::<false>(draw, &wanted, days, &mut futures.gains);
            }
        }
    }
    futures
}

/// The blocks of a history.
struct Blocks<'a> {
    daily: &'a [f64],
    block: usize,
    /// By their first day.
    blocks: Vec<Block>,
    /// Highest value of the [`PART_DAYS`] after each day; empty where blocks are shorter than [`BLOCK_DAYS`].
    part_highs: Vec<f64>,
}

/// What one block does to the value.
#[derive(Clone, Copy)]
struct Block {
    /// How far the value rises inside it above its start.
    highest: f64,
    /// How far it is from the start at the end.
    gain: f64,
}

/// Where a path's blocks come from.
struct Draw {
    from: usize,
    first: usize,
    choices: usize,
    random: Random,
}

impl Blocks<'_> {
    /// Follows one path over the gaps, the last of them no number; `days` holds the gaps' days [`FUTURES`] apart.
    fn follow<const GAINS: bool>(
        &self,
        mut draw: Draw,
        gaps: &[f64],
        days: &mut [u16],
        gains: &mut Vec<f64>,
    ) {
        let block = self.block;
        let (mut gained, mut next, mut months) = (0.0, 0, 0);
        let mut wanted = gaps[0];
        let mut bits = 0;
        for step in 0..PATH_DAYS.div_ceil(block) {
            let Block { highest, gain } = self.blocks[draw.from];
            while gained + highest >= wanted {
                let inside = self.day_inside(draw.from, wanted - gained);
                days[next * FUTURES] = (step * block + inside) as u16;
                next += 1;
                wanted = gaps[next];
            }
            gained += gain;
            if GAINS {
                while months < GAIN_POINTS && (months + 1) * BLOCK_DAYS <= (step + 1) * block {
                    gains.push(gained);
                    months += 1;
                }
            } else if next == gaps.len() - 1 {
                return;
            }
            // Three draws of 21 bits from one number.
            if step % 3 == 0 {
                bits = draw.random.next();
            }
            draw.from = draw.first + (((bits & 0x1f_ffff) * draw.choices as u64) >> 21) as usize;
            bits >>= 21;
        }
    }

    /// The day of a block, from 1, on which the value stands `rise` above the block's start, which it does.
    fn day_inside(&self, from: usize, rise: f64) -> usize {
        let wanted = self.daily[from] + rise;
        let (mut first, mut days) = (0, self.block);
        if let Some(highs) = self.part_highs.get(from..=from + BLOCK_DAYS - PART_DAYS)
            && self.block == BLOCK_DAYS
        {
            let starts = (0..BLOCK_DAYS).step_by(PART_DAYS);
            first = first_where(starts, |part| highs[part] >= wanted).unwrap_or(BLOCK_DAYS - PART_DAYS);
            days = PART_DAYS;
        }
        let daily = &self.daily[from + first + 1..=from + first + days];
        // Rounding may put the wanted value a hair above the highest.
        first + 1 + first_where(0..days, |day| daily[day] >= wanted).unwrap_or(days - 1)
    }
}

/// The first that fits, without a branch to mispredict.
fn first_where(
    places: impl DoubleEndedIterator<Item = usize>,
    fits: impl Fn(usize) -> bool,
) -> Option<usize> {
    let found = places.rev().fold(usize::MAX, |found, place| if fits(place) { place } else { found });
    (found != usize::MAX).then_some(found)
}

/// The block that starts on each day.
fn blocks(daily: &[f64], block: usize) -> Vec<Block> {
    let highs = sliding_highs(daily, block).into_iter().zip(daily).zip(&daily[block..]);
    highs.map(|((high, start), end)| Block { highest: high - start, gain: end - start }).collect()
}

/// The highest of the `days` values after each one that has so many.
fn sliding_highs(daily: &[f64], days: usize) -> Vec<f64> {
    // van Herk 1992: the maximum of a sliding window from running maxima forwards and backwards in chunks.
    let values = &daily[1..];
    let mut forward = values.to_vec();
    let mut backward = values.to_vec();
    for i in 1..values.len() {
        if i % days != 0 {
            forward[i] = forward[i].max(forward[i - 1]);
        }
        let j = values.len() - 1 - i;
        if !(j + 1).is_multiple_of(days) {
            backward[j] = backward[j].max(backward[j + 1]);
        }
    }
    (0..daily.len() - days).map(|i| backward[i].max(forward[i + days - 1])).collect()
}
