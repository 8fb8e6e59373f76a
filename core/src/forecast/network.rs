//! The quantile network: from the evidence on a limit to quantiles of the logarithm of the days until it is reached.
//!
//! An ensemble of small networks, fitted by `tests/bench/forecast/fit` on public series and carried as data
//! (`constants/README.md`). Each has a layer of 32 units, one of 16, and a linear way past both. A higher limit is never
//! reached earlier, by construction: no weight on the way from evidence that rises with the limit is negative (after
//! Sill 1998), and half of the units of a layer keep what is above 0, the others what is below, so that the whole can
//! bend both ways (Runje and Shankaranarayana 2023). Outputs are sorted; the ensemble's quantile is the mean.
//!
//! Sums run in one order, in single precision, without fused operations: the same answer on every machine.

use std::sync::LazyLock;

use super::evidence::{EVIDENCE, RISING};

const HIDDEN: usize = 32;
const SECOND: usize = 16;
const OUTPUTS: usize = 8;
/// Units of the first layer, then the direct way to the outputs.
const FIRST: usize = HIDDEN + OUTPUTS;
/// Sums that are made at the same time: for so many limits and so many columns of a layer.
const ROWS: usize = 4;
const LANES: usize = 8;
/// Evidence further than this from its mean, in standard deviations, says no more.
const FURTHEST: f32 = 5.0;

/// Number of quantiles.
pub(super) const QUANTILES: usize = 7;
/// Their levels.
pub(super) const LEVELS: [f64; QUANTILES] = [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95];

struct Member {
    /// For each [`LANES`] columns the weights of all entries of evidence.
    first: Vec<[[f32; LANES]; EVIDENCE]>,
    first_bias: [f32; FIRST],
    second: Vec<[f32; SECOND]>,
    second_bias: [f32; SECOND],
    out: Vec<[f32; OUTPUTS]>,
}

struct Network {
    mean: Vec<f32>,
    factor: Vec<f32>,
    members: Vec<Member>,
}

static CAPACITY: LazyLock<Network> = LazyLock::new(|| {
    Network::read(include_bytes!("constants/capacity.f32"))
        .expect("the constants belong to this version of the evidence: a test reads them")
});

/// Quantiles at [`LEVELS`] of ln(days), rising, for each limit of one unit.
pub(super) fn ln_days(evidence: &[[f32; EVIDENCE]]) -> Vec<[f64; QUANTILES]> {
    CAPACITY.ln_days(evidence)
}

impl Network {
    /// Reads `HRQN`, version, entries of evidence, members (32 bit each), then 32-bit floats, all little-endian.
    fn read(bytes: &[u8]) -> Option<Self> {
        let word = |i: usize| bytes.get(4 * i..4 * i + 4)?.try_into().ok().map(u32::from_le_bytes);
        let header = (bytes.get(..4)?, word(1)?, word(2)?);
        if header != (b"HRQN", 2, EVIDENCE as u32) {
            return None;
        }
        let members = word(3)? as usize;
        let mut floats = bytes[16..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let mut take = |n: usize| -> Option<Vec<f32>> {
            let taken: Vec<f32> = floats.by_ref().take(n).collect();
            (taken.len() == n).then_some(taken)
        };
        let (mean, factor) = (take(EVIDENCE)?, take(EVIDENCE)?);
        let members = (0..members)
            .map(|_| {
                Some(Member {
                    first: by_lanes(&take(EVIDENCE * FIRST)?),
                    first_bias: take(FIRST)?.try_into().ok()?,
                    second: rows(&take(HIDDEN * SECOND)?),
                    second_bias: take(SECOND)?.try_into().ok()?,
                    out: rows(&take(SECOND * OUTPUTS)?),
                })
            })
            .collect::<Option<Vec<Member>>>()?;
        (!members.is_empty() && floats.next().is_none()).then_some(Self { mean, factor, members })
    }

    fn ln_days(&self, evidence: &[[f32; EVIDENCE]]) -> Vec<[f64; QUANTILES]> {
        let mut all = Vec::with_capacity(evidence.len());
        let standard = |row: &[f32; EVIDENCE], i: usize| {
            ((row[i] - self.mean[i]) * self.factor[i]).clamp(-FURTHEST, FURTHEST)
        };
        let Some(unit) = evidence.first() else { return all };
        let unit: [f32; EVIDENCE - RISING] = core::array::from_fn(|i| standard(unit, RISING + i));
        let bases: Vec<[f32; FIRST]> = self.members.iter().map(|member| member.of_unit(&unit)).collect();
        for rows in evidence.chunks(ROWS) {
            let mut x = [[0.0; ROWS]; RISING];
            for (i, x) in x.iter_mut().enumerate() {
                for (x, row) in x.iter_mut().zip(rows) {
                    *x = standard(row, i);
                }
            }
            let mut sums = [[0.0; QUANTILES]; ROWS];
            for (member, base) in self.members.iter().zip(&bases) {
                for (sums, first) in sums.iter_mut().zip(member.first(base, &x)).take(rows.len()) {
                    for (sum, quantile) in sums.iter_mut().zip(member.quantiles(&first)) {
                        *sum += f64::from(quantile);
                    }
                }
            }
            all.extend(sums[..rows.len()].iter().map(|sums| sums.map(|sum| sum / self.members.len() as f64)));
        }
        all
    }
}

fn rows<const N: usize>(floats: &[f32]) -> Vec<[f32; N]> {
    floats.as_chunks().0.to_vec()
}

fn by_lanes(floats: &[f32]) -> Vec<[[f32; LANES]; EVIDENCE]> {
    let by_entry: Vec<[f32; FIRST]> = rows(floats);
    (0..FIRST)
        .step_by(LANES)
        .map(|from| core::array::from_fn(|i| core::array::from_fn(|k| by_entry[i][from + k])))
        .collect()
}

impl Member {
    /// The part of the first layer that is the same for every limit.
    fn of_unit(&self, unit: &[f32; EVIDENCE - RISING]) -> [f32; FIRST] {
        let mut sums = self.first_bias;
        for (sums, weights) in sums.chunks_exact_mut(LANES).zip(&self.first) {
            for (value, weights) in unit.iter().zip(&weights[RISING..]) {
                for (sum, weight) in sums.iter_mut().zip(weights) {
                    *sum += value * weight;
                }
            }
        }
        sums
    }

    /// The first layer for [`ROWS`] limits at once.
    fn first(&self, base: &[f32; FIRST], x: &[[f32; ROWS]; RISING]) -> [[f32; FIRST]; ROWS] {
        let mut all = [[0.0; FIRST]; ROWS];
        for (from, weights) in (0..FIRST).step_by(LANES).zip(&self.first) {
            let base: [f32; LANES] = core::array::from_fn(|k| base[from + k]);
            let mut sums = [base; ROWS];
            for (x, weights) in x.iter().zip(weights) {
                for (sums, x) in sums.iter_mut().zip(x) {
                    for (sum, weight) in sums.iter_mut().zip(weights) {
                        *sum += x * weight;
                    }
                }
            }
            for (all, sums) in all.iter_mut().zip(sums) {
                all[from..from + LANES].copy_from_slice(&sums);
            }
        }
        all
    }

    fn quantiles(&self, first: &[f32; FIRST]) -> [f32; QUANTILES] {
        let mut second = self.second_bias;
        add_products(&mut second, &bent::<HIDDEN>(&first[..HIDDEN]), &self.second);
        let mut out = [0.0; OUTPUTS];
        out.copy_from_slice(&first[HIDDEN..]);
        add_products(&mut out, &bent::<SECOND>(&second), &self.out);
        let mut quantiles: [f32; QUANTILES] = core::array::from_fn(|i| out[i]);
        quantiles.sort_unstable_by(f32::total_cmp);
        quantiles
    }
}

fn add_products<const N: usize, const M: usize>(sums: &mut [f32; N], values: &[f32; M], rows: &[[f32; N]]) {
    for (value, row) in values.iter().zip(rows) {
        for (sum, weight) in sums.iter_mut().zip(row) {
            *sum += value * weight;
        }
    }
}

/// What is above 0 of the first half, what is below of the second.
fn bent<const N: usize>(values: &[f32]) -> [f32; N] {
    core::array::from_fn(|i| if i < N / 2 { values[i].max(0.0) } else { values[i].min(0.0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constants_belong_to_this_evidence_and_order_their_quantiles() {
        assert!(Network::read(include_bytes!("constants/capacity.f32")).is_some());
        for seed in 0..200_u32 {
            let evidence = core::array::from_fn(|i| {
                ((seed.wrapping_mul(2_654_435_761).wrapping_add(i as u32 * 40_503)) % 1_000) as f32 / 100.0
            });
            let quantiles = ln_days(&[evidence])[0];
            assert!(quantiles.is_sorted() && quantiles.iter().all(|q| q.is_finite()), "{quantiles:?}");
        }
    }

    #[test]
    fn constants_of_another_shape_are_refused() {
        let whole = include_bytes!("constants/capacity.f32").to_vec();
        assert!(Network::read(&whole[..whole.len() - 4]).is_none());
        assert!(Network::read(&[whole.as_slice(), &[0; 4]].concat()).is_none());
        for at in [0, 4, 8, 12] {
            let mut other = whole.clone();
            other[at] ^= 1;
            assert!(Network::read(&other).is_none(), "byte {at}");
        }
    }
}
