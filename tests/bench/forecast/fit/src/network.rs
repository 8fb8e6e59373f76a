//! Training of the quantile network: plain stochastic gradient descent with Adam, single precision, one sample at a time.

use headroom_core::forecast::EVIDENCE;

use crate::cases::Random;

pub const HIDDEN: usize = 32;
pub const SECOND: usize = 16;
pub const OUT: usize = 8;
/// Hidden units of the first layer and the direct outputs stand in one row.
pub const FIRST: usize = HIDDEN + OUT;
/// Levels of the outputs; the last output is unused.
pub const LEVELS: [f32; 7] = [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95];
pub const MEDIAN: usize = 3;

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
        for row in &mut w.first {
            for (j, v) in row.iter_mut().enumerate() {
                *v = draw(EVIDENCE) * if j < HIDDEN { 1.0 } else { 0.1 };
            }
        }
        w.second.iter_mut().flatten().for_each(|v| *v = draw(HIDDEN));
        w.out.iter_mut().flatten().for_each(|v| *v = draw(SECOND));
        for (j, v) in w.first_bias[HIDDEN..].iter_mut().enumerate() {
            *v = if j == MEDIAN { 5.0 } else { -0.5 };
        }
        w
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
        let mut second = self.second_bias;
        for (v, row) in first[..HIDDEN].iter().zip(&self.second) {
            let v = v.max(0.0);
            for j in 0..SECOND {
                second[j] += v * row[j];
            }
        }
        let mut raw = [0.0; OUT];
        raw.copy_from_slice(&first[HIDDEN..]);
        for (v, row) in second.iter().zip(&self.out) {
            let v = v.max(0.0);
            for j in 0..OUT {
                raw[j] += v * row[j];
            }
        }
        Pass { first, second, raw }
    }

    pub fn quantiles(&self, x: &[f32; EVIDENCE]) -> [f32; 7] {
        ordered(&self.forward(x).raw)
    }

    fn backward(&self, x: &[f32; EVIDENCE], pass: &Pass, d: &[f32; OUT], g: &mut Self) {
        let mut d_second = [0.0_f32; SECOND];
        for i in 0..SECOND {
            if pass.second[i] > 0.0 {
                for j in 0..OUT {
                    g.out[i][j] += pass.second[i] * d[j];
                    d_second[i] += self.out[i][j] * d[j];
                }
            }
        }
        let mut d_first = [0.0_f32; FIRST];
        for i in 0..HIDDEN {
            if pass.first[i] > 0.0 {
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
        for (v, row) in x.iter().zip(&mut g.first) {
            for j in 0..FIRST {
                row[j] += v * d_first[j];
            }
        }
    }
}

fn softplus(v: f32) -> f32 {
    if v > 15.0 { v } else { v.exp().ln_1p() }
}

pub fn ordered(raw: &[f32; OUT]) -> [f32; 7] {
    let mut q = [0.0; 7];
    q[MEDIAN] = raw[MEDIAN];
    for k in (0..MEDIAN).rev() {
        q[k] = q[k + 1] - softplus(raw[k]);
    }
    for k in MEDIAN + 1..7 {
        q[k] = q[k - 1] + softplus(raw[k]);
    }
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
}

#[derive(Clone, Debug)]
pub struct Recipe {
    pub epochs: f64,
    pub rate: f64,
    pub decay: f64,
    pub drop: f64,
    pub batch: usize,
}

pub fn train(samples: &[Sample], recipe: &Recipe, seed: u64) -> Weights {
    let mut random = Random(seed);
    let mut w = Weights::random(&mut random);
    let (mut m, mut v) = (Weights::zero(), Weights::zero());
    let steps = (recipe.epochs * samples.len() as f64 / recipe.batch as f64) as usize;
    let mut order: Vec<u32> = (0..samples.len() as u32).collect();
    let mut place = order.len();
    let keep = 1.0 - recipe.drop;
    for step in 0..steps {
        let mut g = Weights::zero();
        for _ in 0..recipe.batch {
            if place == order.len() {
                for i in (1..order.len()).rev() {
                    order.swap(i, random.below(i + 1));
                }
                place = 0;
            }
            let sample = &samples[order[place] as usize];
            place += 1;
            let mut x = sample.x;
            if recipe.drop > 0.0 {
                let threshold = (recipe.drop * 65_536.0) as u64;
                let scale = (1.0 / keep) as f32;
                for chunk in x.chunks_mut(4) {
                    let mut bits = random.next();
                    for value in chunk {
                        *value = if (bits & 0xffff) < threshold { 0.0 } else { *value * scale };
                        bits >>= 16;
                    }
                }
            }
            let pass = w.forward(&x);
            let q = ordered(&pass.raw);
            // Pinball loss, by output; censored as Powell (1986) has it.
            let mut dq = [0.0_f32; 7];
            for k in 0..7 {
                if q[k] < sample.known {
                    dq[k] = sample.weight[k] * if sample.y > q[k] { -LEVELS[k] } else { 1.0 - LEVELS[k] };
                }
            }
            let mut d = [0.0_f32; OUT];
            d[MEDIAN] = dq.iter().sum();
            let mut sum = 0.0;
            for k in 0..MEDIAN {
                sum += dq[k];
                d[k] = -sum * sigmoid(pass.raw[k]);
            }
            sum = 0.0;
            for k in (MEDIAN + 1..7).rev() {
                sum += dq[k];
                d[k] = sum * sigmoid(pass.raw[k]);
            }
            w.backward(&x, &pass, &d, &mut g);
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
    }
    w
}

fn sigmoid(v: f32) -> f32 {
    1.0 / (1.0 + (-v).exp())
}
