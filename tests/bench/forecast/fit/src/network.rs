//! Training of the quantile network: stochastic gradient descent with Adam, single precision, eight samples at a time.
//! After each step the weights on the way of evidence that rises with the limit are held to 0 or more.

use headroom_core::forecast::{EVIDENCE, RISING};

use crate::cases::Random;

pub const HIDDEN: usize = 32;
pub const SECOND: usize = 16;
pub const OUT: usize = 8;
/// Hidden units of the first layer and the direct outputs stand in one row.
pub const FIRST: usize = HIDDEN + OUT;
/// Levels of the outputs; the last output is unused.
pub const LEVELS: [f32; 7] = [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95];
/// Standard normal quantiles at `LEVELS`: where the outputs start.
const NORMAL: [f32; 7] = [-1.64, -1.28, -0.67, 0.0, 0.67, 1.28, 1.64];

/// Samples that are worked on together, and columns of a layer.
const BLOCK: usize = 8;
const LANES: usize = 8;
/// Numbers of noise that are drawn once; each sample starts at another place.
const NOISES: usize = 1 << 16;

/// What is fitted.
#[derive(Clone)]
pub struct Weights {
    pub first: Vec<[f32; FIRST]>,
    pub first_bias: [f32; FIRST],
    pub second: Vec<[f32; SECOND]>,
    pub second_bias: [f32; SECOND],
    pub out: Vec<[f32; OUT]>,
}

impl Weights {
    pub fn zero() -> Self {
        Self {
            first: vec![[0.0; FIRST]; EVIDENCE],
            first_bias: [0.0; FIRST],
            second: vec![[0.0; SECOND]; HIDDEN],
            second_bias: [0.0; SECOND],
            out: vec![[0.0; OUT]; SECOND],
        }
    }

    pub fn random(random: &mut Random) -> Self {
        let mut w = Self::zero();
        let mut draw = |n: usize| (random.between(-1.0, 1.0) / (n as f64).sqrt()) as f32;
        for (i, row) in w.first.iter_mut().enumerate() {
            for (j, v) in row.iter_mut().enumerate() {
                *v = draw(EVIDENCE) * if j < HIDDEN { 1.0 } else { 0.1 };
                if i < RISING {
                    // Entries that rise together would add up.
                    *v = 0.3 * v.abs();
                }
            }
        }
        w.first_bias[..HIDDEN].iter_mut().for_each(|v| *v = draw(1));
        w.second.iter_mut().flatten().for_each(|v| *v = draw(HIDDEN).abs());
        w.second_bias.iter_mut().for_each(|v| *v = draw(1));
        w.out.iter_mut().flatten().for_each(|v| *v = 0.5 * draw(SECOND).abs());
        for (v, normal) in w.first_bias[HIDDEN..].iter_mut().zip(NORMAL) {
            *v = 5.0 + normal;
        }
        w
    }

    fn hold_monotone(&mut self) {
        let held = self.first[..RISING].as_flattened_mut().iter_mut();
        let held = held.chain(self.second.as_flattened_mut()).chain(self.out.as_flattened_mut());
        held.for_each(|v| *v = v.max(0.0));
    }

    pub fn flat_mut(&mut self) -> Vec<&mut [f32]> {
        vec![
            self.first.as_flattened_mut(),
            &mut self.first_bias,
            self.second.as_flattened_mut(),
            &mut self.second_bias,
            self.out.as_flattened_mut(),
        ]
    }

    pub fn flat(&self) -> Vec<&[f32]> {
        vec![
            self.first.as_flattened(),
            &self.first_bias,
            self.second.as_flattened(),
            &self.second_bias,
            self.out.as_flattened(),
        ]
    }
}

/// A date within so many days that does not come within a year is a false alarm.
const NEAR_DAYS: f32 = 180.0;

/// Values between the layers, kept for the way back.
pub struct Pass {
    first: [f32; FIRST],
    second: [f32; SECOND],
    raw: [f32; OUT],
}

impl Weights {
    pub fn forward(&self, x: &[f32; EVIDENCE]) -> Pass {
        let mut first = self.first_bias;
        for (v, row) in x.iter().zip(&self.first) {
            for j in 0..FIRST {
                first[j] += v * row[j];
            }
        }
        self.after_first(first)
    }

    fn after_first(&self, first: [f32; FIRST]) -> Pass {
        let mut second = self.second_bias;
        let shown: [f32; HIDDEN] = std::array::from_fn(|i| bent(first[i], i, HIDDEN));
        for (v, row) in shown.iter().zip(&self.second) {
            for j in 0..SECOND {
                second[j] += v * row[j];
            }
        }
        let mut raw = [0.0; OUT];
        raw.copy_from_slice(&first[HIDDEN..]);
        let shown: [f32; SECOND] = std::array::from_fn(|i| bent(second[i], i, SECOND));
        for (v, row) in shown.iter().zip(&self.out) {
            for j in 0..OUT {
                raw[j] += v * row[j];
            }
        }
        Pass { first, second, raw }
    }

    pub fn quantiles(&self, x: &[f32; EVIDENCE]) -> [f32; 7] {
        ordered(&self.forward(x).raw)
    }

    /// The first layer for [`BLOCK`] samples, entry after entry of the evidence.
    fn first_of_block(&self, x: &[[f32; BLOCK]; EVIDENCE]) -> [[f32; FIRST]; BLOCK] {
        let mut all = [[0.0; FIRST]; BLOCK];
        for from in (0..FIRST).step_by(LANES) {
            let bias: [f32; LANES] = std::array::from_fn(|k| self.first_bias[from + k]);
            let mut sums = [bias; BLOCK];
            for (x, row) in x.iter().zip(&self.first) {
                let row: [f32; LANES] = row[from..from + LANES].try_into().unwrap();
                for (sums, x) in sums.iter_mut().zip(x) {
                    for (sum, w) in sums.iter_mut().zip(row) {
                        *sum += x * w;
                    }
                }
            }
            for (all, sums) in all.iter_mut().zip(sums) {
                all[from..from + LANES].copy_from_slice(&sums);
            }
        }
        all
    }

    /// Adds their gradient of the first layer's weights.
    fn add_block(g: &mut Self, x: &[[f32; BLOCK]; EVIDENCE], d: &[[f32; FIRST]; BLOCK]) {
        for from in (0..FIRST).step_by(LANES) {
            let d: [[f32; LANES]; BLOCK] = std::array::from_fn(|s| std::array::from_fn(|k| d[s][from + k]));
            for (x, row) in x.iter().zip(&mut g.first) {
                let row: &mut [f32; LANES] = (&mut row[from..from + LANES]).try_into().unwrap();
                let mut sum = *row;
                for (x, d) in x.iter().zip(&d) {
                    for (sum, d) in sum.iter_mut().zip(d) {
                        *sum += x * d;
                    }
                }
                *row = sum;
            }
        }
    }

    fn backward(&self, pass: &Pass, d: &[f32; OUT], g: &mut Self) -> [f32; FIRST] {
        let mut d_second = [0.0_f32; SECOND];
        for i in 0..SECOND {
            if bent(pass.second[i], i, SECOND) != 0.0 {
                for j in 0..OUT {
                    g.out[i][j] += pass.second[i] * d[j];
                    d_second[i] += self.out[i][j] * d[j];
                }
            }
        }
        let mut d_first = [0.0_f32; FIRST];
        for i in 0..HIDDEN {
            if bent(pass.first[i], i, HIDDEN) != 0.0 {
                for j in 0..SECOND {
                    g.second[i][j] += pass.first[i] * d_second[j];
                    d_first[i] += self.second[i][j] * d_second[j];
                }
            }
        }
        d_first[HIDDEN..].copy_from_slice(d);
        for j in 0..SECOND {
            g.second_bias[j] += d_second[j];
        }
        for j in 0..FIRST {
            g.first_bias[j] += d_first[j];
        }
        d_first
    }
}

/// What is above 0 of the first half of a layer's units, what is below of the second.
fn bent(v: f32, unit: usize, units: usize) -> f32 {
    if unit < units / 2 { v.max(0.0) } else { v.min(0.0) }
}

/// The outputs in order.
pub fn ordered(raw: &[f32; OUT]) -> [f32; 7] {
    let mut q: [f32; 7] = std::array::from_fn(|k| raw[k]);
    q.sort_unstable_by(f32::total_cmp);
    q
}

/// One case as the training sees it.
pub struct Sample {
    pub x: [f32; EVIDENCE],
    /// Logarithm of the days until reached, or of the days known where not reached.
    pub y: f32,
    /// Logarithm of the days known: a quantile beyond says nothing.
    pub known: f32,
    /// Weight of each level.
    pub weight: [f32; 7],
    /// Factor on it where a quantile is said within [`NEAR_DAYS`].
    pub near: f32,
}

#[derive(Clone, Debug)]
pub struct Recipe {
    /// Share of the samples that one network sees.
    pub share: f64,
    pub epochs: f64,
    pub rate: f64,
    pub decay: f64,
    /// Normal noise on the standardised evidence, standard deviations: few repositories are seen, and many times each.
    pub noise: f64,
    pub batch: usize,
}

/// Standard normal numbers, near enough: sums of four draws of 16 bits.
fn noises(random: &mut Random) -> Vec<f32> {
    (0..NOISES + EVIDENCE)
        .map(|_| {
            let bits = random.next();
            let sum: i64 = (0..4).map(|i| ((bits >> (16 * i)) & 0xffff) as i64).sum();
            ((3.0_f64).sqrt() / 65_536.0 * (sum - 131_070) as f64) as f32
        })
        .collect()
}

/// Fits one network to a share of the samples, drawn by the seed.
pub fn train(samples: &[Sample], recipe: &Recipe, seed: u64) -> Weights {
    let mut random = Random(seed);
    let mut w = Weights::random(&mut random);
    let noises = noises(&mut random);
    let (mut m, mut v) = (Weights::zero(), Weights::zero());
    let mut order: Vec<u32> = (0..samples.len() as u32).filter(|_| random.unit() < recipe.share).collect();
    let steps = (recipe.epochs * order.len() as f64 / recipe.batch as f64) as usize;
    let near = NEAR_DAYS.ln();
    let mut place = order.len();
    for step in 0..steps {
        let mut g = Weights::zero();
        for _ in 0..recipe.batch / BLOCK {
            let mut x = [[0.0; BLOCK]; EVIDENCE];
            let chosen: [&Sample; BLOCK] = std::array::from_fn(|_| {
                if place == order.len() {
                    for i in (1..order.len()).rev() {
                        order.swap(i, random.below(i + 1));
                    }
                    place = 0;
                }
                place += 1;
                &samples[order[place - 1] as usize]
            });
            for (s, sample) in chosen.iter().enumerate() {
                let from = random.below(NOISES);
                let noise = &noises[from..from + EVIDENCE];
                for ((x, v), n) in x.iter_mut().zip(&sample.x).zip(noise) {
                    x[s] = v + recipe.noise as f32 * n;
                }
            }
            let first = w.first_of_block(&x);
            let mut d_first = [[0.0; FIRST]; BLOCK];
            for (s, sample) in chosen.into_iter().enumerate() {
                let pass = w.after_first(first[s]);
                // Each output's place in the order is the quantile that it stands for.
                let mut place_of: [usize; 7] = std::array::from_fn(|k| k);
                place_of.sort_by(|a, b| pass.raw[*a].total_cmp(&pass.raw[*b]));
                // Pinball loss, by output; censored as Powell (1986) has it.
                let mut d = [0.0_f32; OUT];
                for (k, output) in place_of.into_iter().enumerate() {
                    let q = pass.raw[output];
                    if q < sample.known {
                        d[output] =
                            sample.weight[k] * if sample.y > q { -LEVELS[k] } else { 1.0 - LEVELS[k] };
                        if q < near {
                            d[output] *= sample.near;
                        }
                    }
                }
                d_first[s] = w.backward(&pass, &d, &mut g);
            }
            Weights::add_block(&mut g, &x, &d_first);
        }
        // Warm up over a tenth, then a cosine down to nothing.
        let share = step as f64 / steps as f64;
        let rate = recipe.rate
            * if share < 0.1 {
                share / 0.1
            } else {
                0.5 * (1.0 + (std::f64::consts::PI * (share - 0.1) / 0.9).cos())
            };
        let (b1, b2) = (0.9_f64, 0.999_f64);
        let step_size =
            (rate * (1.0 - b2.powi(step as i32 + 1)).sqrt() / (1.0 - b1.powi(step as i32 + 1))) as f32;
        let decay = (1.0 - rate * recipe.decay) as f32;
        let scale = 1.0 / recipe.batch as f32;
        let parts =
            w.flat_mut().into_iter().zip(g.flat_mut()).zip(m.flat_mut().into_iter().zip(v.flat_mut()));
        for ((w, g), (m, v)) in parts {
            for i in 0..w.len() {
                let gradient = g[i] * scale;
                m[i] = 0.9 * m[i] + 0.1 * gradient;
                v[i] = 0.999 * v[i] + 0.001 * gradient * gradient;
                w[i] = w[i] * decay - step_size * m[i] / (v[i].sqrt() + 1e-8);
            }
        }
        w.hold_monotone();
    }
    w
}
