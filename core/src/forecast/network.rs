//! The quantile network: from the evidence on a limit to quantiles of the logarithm of the days until it is reached.
//!
//! An ensemble of small networks, fitted by `tests/bench/forecast/fit` on public series and carried as data
//! (`constants/README.md`). Each has a layer of 32 rectified units, one of 16, and a linear way past both; its seven
//! outputs are ordered by construction: the median, and positive steps away from it. The ensemble's quantile is the mean.
//!
//! Sums run in one order, in single precision, without fused operations: the same answer on every machine.

use std::sync::LazyLock;

use super::evidence::EVIDENCE;

const HIDDEN: usize = 32;
const SECOND: usize = 16;
const OUTPUTS: usize = 8;
/// Hidden units of the first layer, then the direct way to the outputs.
const FIRST: usize = HIDDEN + OUTPUTS;
const MEDIAN: usize = 3;
/// Evidence further than this from its mean, in standard deviations, says no more.
const FURTHEST: f32 = 5.0;

/// Number of quantiles.
pub(super) const QUANTILES: usize = 7;
/// Their levels.
pub(super) const LEVELS: [f64; QUANTILES] = [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95];

struct Member {
    first: Vec<[f32; FIRST]>,
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

/// Quantiles at [`LEVELS`] of ln(days), rising.
pub(super) fn ln_days(evidence: &[f32; EVIDENCE]) -> [f64; QUANTILES] {
    CAPACITY.ln_days(evidence)
}

impl Network {
    /// Reads `HRQN`, version, entries of evidence, members (32 bit each), then 32-bit floats, all little-endian.
    fn read(bytes: &[u8]) -> Option<Self> {
        let word = |i: usize| bytes.get(4 * i..4 * i + 4)?.try_into().ok().map(u32::from_le_bytes);
        let header = (bytes.get(..4)?, word(1)?, word(2)?);
        if header != (b"HRQN", 1, EVIDENCE as u32) {
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
                    first: rows(&take(EVIDENCE * FIRST)?),
                    first_bias: take(FIRST)?.try_into().ok()?,
                    second: rows(&take(HIDDEN * SECOND)?),
                    second_bias: take(SECOND)?.try_into().ok()?,
                    out: rows(&take(SECOND * OUTPUTS)?),
                })
            })
            .collect::<Option<Vec<Member>>>()?;
        (!members.is_empty() && floats.next().is_none()).then_some(Self { mean, factor, members })
    }

    fn ln_days(&self, evidence: &[f32; EVIDENCE]) -> [f64; QUANTILES] {
        let mut x = [0.0; EVIDENCE];
        for (i, x) in x.iter_mut().enumerate() {
            *x = ((evidence[i] - self.mean[i]) * self.factor[i]).clamp(-FURTHEST, FURTHEST);
        }
        let mut sum = [0.0; QUANTILES];
        for member in &self.members {
            for (sum, quantile) in sum.iter_mut().zip(member.quantiles(&x)) {
                *sum += quantile;
            }
        }
        sum.map(|sum| sum / self.members.len() as f64)
    }
}

fn rows<const N: usize>(floats: &[f32]) -> Vec<[f32; N]> {
    floats.as_chunks().0.to_vec()
}

impl Member {
    fn quantiles(&self, x: &[f32; EVIDENCE]) -> [f64; QUANTILES] {
        let mut first = self.first_bias;
        add_products(&mut first, x, &self.first);
        let mut second = self.second_bias;
        add_products(&mut second, &rectified::<HIDDEN>(&first), &self.second);
        let mut out = [0.0; OUTPUTS];
        out.copy_from_slice(&first[HIDDEN..]);
        add_products(&mut out, &rectified::<SECOND>(&second), &self.out);
        let mut quantiles = [0.0; QUANTILES];
        quantiles[MEDIAN] = f64::from(out[MEDIAN]);
        for k in (0..MEDIAN).rev() {
            quantiles[k] = quantiles[k + 1] - softplus(out[k]);
        }
        for k in MEDIAN + 1..QUANTILES {
            quantiles[k] = quantiles[k - 1] + softplus(out[k]);
        }
        quantiles
    }
}

fn add_products<const N: usize>(sums: &mut [f32; N], values: &[f32], rows: &[[f32; N]]) {
    for (value, row) in values.iter().zip(rows) {
        for (sum, weight) in sums.iter_mut().zip(row) {
            *sum += value * weight;
        }
    }
}

fn rectified<const N: usize>(values: &[f32]) -> [f32; N] {
    core::array::from_fn(|i| values[i].max(0.0))
}

fn softplus(value: f32) -> f64 {
    let value = f64::from(value);
    if value > 15.0 { value } else { libm::log1p(libm::exp(value)) }
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
            let quantiles = ln_days(&evidence);
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
