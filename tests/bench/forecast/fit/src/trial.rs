//! Trials: what a recipe is worth on repositories that it has not seen.

use std::{collections::BTreeMap, path::Path};

use headroom_core::forecast::{Calibration, EVIDENCE, Prior};

use crate::network::{self, Recipe, Sample, Weights};

/// A case read back from the files that `cases` wrote.
pub struct Known {
    pub series: String,
    pub fold: u64,
    pub track: char,
    pub truth: Option<f64>,
    pub known: f64,
    pub reference: [f64; 3],
    pub x: [f32; EVIDENCE],
}

pub fn read(dir: &Path, name: &str) -> Vec<Known> {
    let text = std::fs::read_to_string(dir.join(format!("{name}.csv"))).unwrap();
    let data = std::fs::read(dir.join(format!("{name}.f32"))).unwrap();
    text.lines()
        .skip(1)
        .zip(data.chunks_exact(4 * EVIDENCE))
        .map(|(line, bytes)| {
            let f: Vec<&str> = line.split(',').collect();
            let mut x = [0.0; EVIDENCE];
            for (v, b) in x.iter_mut().zip(bytes.chunks_exact(4)) {
                *v = f32::from_le_bytes(b.try_into().unwrap());
            }
            Known {
                series: f[0].split('@').next().unwrap().to_owned(),
                fold: f[4].parse().unwrap(),
                track: f[5].chars().next().unwrap(),
                truth: f[6].parse().ok(),
                known: f[7].parse().unwrap(),
                reference: [f[8], f[9], f[10]].map(|v| v.parse().unwrap()),
                x,
            }
        })
        .collect()
}

pub struct Scale {
    pub mean: [f32; EVIDENCE],
    pub factor: [f32; EVIDENCE],
}

impl Scale {
    pub fn of(cases: &[&Known]) -> Self {
        let n = cases.len() as f64;
        let (mut sums, mut squares) = ([0.0; EVIDENCE], [0.0; EVIDENCE]);
        for case in cases {
            for (sum, v) in sums.iter_mut().zip(case.x) {
                *sum += f64::from(v);
            }
        }
        for case in cases {
            for ((square, sum), v) in squares.iter_mut().zip(sums).zip(case.x) {
                *square += (f64::from(v) - sum / n).powi(2);
            }
        }
        let mean = sums.map(|sum| (sum / n) as f32);
        let factor = squares.map(|square: f64| (1.0 / ((square / n).sqrt() + 1e-3)) as f32);
        Self { mean, factor }
    }

    pub fn apply(&self, x: &[f32; EVIDENCE]) -> [f32; EVIDENCE] {
        std::array::from_fn(|i| ((x[i] - self.mean[i]) * self.factor[i]).clamp(-5.0, 5.0))
    }
}

#[derive(Clone, Debug)]
pub struct Balance {
    pub pool: f64,
    pub b: f64,
    pub n: f64,
    /// Factor on `n` where the median is said within half a year.
    pub alarm: f64,
    /// Weight of the levels that are not asked for, next to 1 of those at 10, 50 and 90 %.
    pub others: f64,
    pub horizon: f64,
    pub power: f64,
}

/// Levels that are asked for.
const ASKED: [bool; 7] = [false, true, false, true, false, true, false];

pub fn samples(cases: &[&Known], scale: &Scale, balance: &Balance) -> Vec<Sample> {
    let mut count: BTreeMap<&str, f64> = BTreeMap::new();
    for c in cases {
        *count.entry(&c.series).or_default() += 1.0;
    }
    let weight = |c: &Known| {
        let is_pool = ["pool_", "pair_", "more_"].iter().any(|kind| c.series.starts_with(kind));
        let pool = if is_pool { balance.pool } else { 1.0 };
        pool * count[c.series.as_str()].powf(-balance.power)
    };
    let mean = cases.iter().map(|c| weight(c)).sum::<f64>() / cases.len() as f64;
    cases
        .iter()
        .map(|c| {
            let w = (weight(c) / mean) as f32;
            let mut levels = [0.0; 7];
            match c.track {
                'A' => levels = ASKED.map(|asked| if asked { w } else { w * balance.others as f32 }),
                'B' => levels[3] = w * balance.b as f32,
                _ => levels[3] = w * balance.n as f32,
            }
            let near = if c.track == 'N' { balance.alarm as f32 } else { 1.0 };
            let known = c.known.min(balance.horizon);
            let y = c.truth.unwrap_or(f64::INFINITY).min(known).max(1.0);
            Sample { x: scale.apply(&c.x), y: y.ln() as f32, known: known.ln() as f32, weight: levels, near }
        })
        .collect()
}

/// The scorer's figures.
#[derive(Default, Debug)]
pub struct Score {
    lpl: f64,
    medb: f64,
    bias: f64,
    hit15: f64,
    lo: f64,
    hi: f64,
    f1: f64,
    brier: f64,
    fa: [f64; 2],
}

pub fn p90(q: &[f64; 7]) -> f64 {
    let x = 90f64.ln();
    let mut levels = vec![0.0];
    levels.extend(network::LEVELS.map(f64::from));
    levels.push(1.0);
    let mut at = vec![q[0] - 1.0];
    at.extend(q);
    at.push(q[6] + 1.0);
    let k = at.partition_point(|v| *v <= x).clamp(1, at.len() - 1);
    let f = ((x - at[k - 1]) / (at[k] - at[k - 1]).max(1e-6)).clamp(0.0, 1.0);
    levels[k - 1] + f * (levels[k] - levels[k - 1])
}

pub fn score(cases: &[&Known], answers: &[([f64; 3], f64)]) -> Score {
    let day = |ln: f64| ln.exp().round().clamp(1.0, 366.0);
    let mut s = Score::default();
    let (mut a, mut b, mut n) = (0.0, vec![], 0.0);
    let mut confusion = [0.0; 3];
    let mut bias = vec![];
    for (c, (q, p)) in cases.iter().zip(answers) {
        let t = c.truth.filter(|t| *t <= 365.0).unwrap_or(366.0);
        if c.known < 365.0 && c.truth.is_none() {
            continue;
        }
        let d = q.map(day);
        match c.track {
            'A' => {
                a += 1.0;
                for (level, d) in [0.1, 0.5, 0.9].iter().zip(d) {
                    let e = t.ln() - d.ln();
                    s.lpl += 2.0 / 3.0 * (level * e).max((level - 1.0) * e);
                }
                s.lo += f64::from(u8::from(t < d[0]));
                s.hi += f64::from(u8::from(t > d[2]));
                let y = f64::from(u8::from(t <= 90.0));
                s.brier += (p - y).powi(2);
                let said = f64::from(u8::from(*p >= 0.5));
                confusion[0] += y * said;
                confusion[1] += said;
                confusion[2] += y;
            }
            'B' => {
                b.push(((d[1] - t) / t).abs());
                bias.push((d[1] - t) / t);
            }
            _ => {
                n += 1.0;
                s.fa[0] += f64::from(u8::from(d[1] <= 90.0));
                s.fa[1] += f64::from(u8::from(d[1] <= 180.0));
            }
        }
    }
    b.sort_by(f64::total_cmp);
    bias.sort_by(f64::total_cmp);
    s.medb = b[b.len() / 2];
    s.bias = bias[bias.len() / 2];
    s.hit15 = b.partition_point(|e| *e <= 0.15) as f64 / b.len() as f64;
    s.lpl /= a;
    s.lo /= a;
    s.hi /= a;
    s.brier /= a;
    s.f1 = 2.0 * confusion[0] / (confusion[1] + confusion[2]);
    s.fa = s.fa.map(|v| v / n);
    s
}

fn print(name: &str, s: &Score, r: Option<&Score>) {
    print!(
        "{name:10} LPL {:.4} medB {:.3} bias {:+.3} hit15 {:.3} lo {:.3} hi {:.3} cov {:.3} F1 {:.3} brier {:.4} FA {:.3} {:.3}",
        s.lpl,
        s.medb,
        s.bias,
        s.hit15,
        s.lo,
        s.hi,
        1.0 - s.lo - s.hi,
        s.f1,
        s.brier,
        s.fa[0],
        s.fa[1]
    );
    if let Some(r) = r {
        print!(
            " | LPL {:.3} medB {:.3} hit {:.2} FA {:.2} {:.2}",
            s.lpl / r.lpl,
            s.medb / r.medb,
            s.hit15 / r.hit15,
            s.fa[0] / r.fa[0],
            s.fa[1] / r.fa[1]
        );
        print!(" F1 {:.3}", s.f1 / r.f1);
    }
    println!();
}

/// Powers of the levels below and above the median that the trial prints: what `Prior::builtin` chooses from.
const POWERS: [(f64, f64); 5] = [(1.0, 1.0), (1.05, 0.7), (1.1, 0.7), (1.05, 0.8), (1.05, 0.65)];

/// Fits without each fold in turn, and scores what was left out.
pub fn run(dir: &Path, recipe: &Recipe, balance: &Balance, members: u64, folds: u64, threads: usize) {
    let train = read(dir, "train");
    let git = read(dir, "git");
    let start = std::time::Instant::now();
    let next = std::sync::atomic::AtomicU64::new(0);
    let parts: Vec<Vec<(bool, usize, Vec<[f64; 7]>)>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut out = vec![];
                    loop {
                        let fold = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        if fold >= folds {
                            break out;
                        }
                        let seen: Vec<&Known> = train.iter().filter(|c| c.fold != fold).collect();
                        let scale = Scale::of(&seen);
                        let samples = samples(&seen, &scale, balance);
                        let nets: Vec<Weights> =
                            (0..members).map(|m| network::train(&samples, recipe, 1000 * m + fold)).collect();
                        // The ensemble's quantiles, then those of each network alone.
                        let answers = |x: &[f32; EVIDENCE]| -> Vec<[f64; 7]> {
                            let x = scale.apply(x);
                            let alone: Vec<[f64; 7]> =
                                nets.iter().map(|net| net.quantiles(&x).map(f64::from)).collect();
                            let mean = |i| alone.iter().map(|q| q[i]).sum::<f64>() / members as f64;
                            std::iter::once(std::array::from_fn(mean)).chain(alone.iter().copied()).collect()
                        };
                        out.extend(
                            git.iter()
                                .enumerate()
                                .filter(|(_, c)| c.fold == fold)
                                .map(|(i, c)| (true, i, answers(&c.x))),
                        );
                        out.extend(
                            train
                                .iter()
                                .enumerate()
                                .filter(|(_, c)| c.fold == fold && c.series.starts_with("pool_"))
                                .map(|(i, c)| (false, i, answers(&c.x))),
                        );
                    }
                })
            })
            .collect();
        workers.into_iter().map(|w| w.join().unwrap()).collect()
    });
    println!("{recipe:?} {balance:?} members {members} {:?}", start.elapsed());
    for (name, is_git) in [("git", true), ("pool", false)] {
        let chosen: Vec<&(bool, usize, Vec<[f64; 7]>)> =
            parts.iter().flatten().filter(|part| part.0 == is_git).collect();
        let cases: Vec<&Known> =
            chosen.iter().map(|part| if is_git { &git[part.1] } else { &train[part.1] }).collect();
        let reference: Vec<([f64; 3], f64)> = cases
            .iter()
            .map(|c| (c.reference.map(f64::ln), f64::from(u8::from(c.reference[1] <= 90.0))))
            .collect();
        let r = score(&cases, &reference);
        let scored = |member: usize, (early, late): (f64, f64)| {
            let calibration =
                Calibration::of(&Prior { power_early: early, power_late: late, ..Prior::builtin() });
            let answers: Vec<([f64; 3], f64)> = chosen
                .iter()
                .map(|part| part.2[member])
                .map(|q| calibration.ln_days(&q))
                .map(|q| ([q[1], q[3], q[5]], p90(&q)))
                .collect();
            score(&cases, &answers)
        };
        for member in 1..=members as usize {
            print(&format!("{name} network {member} alone"), &scored(member, (1.0, 1.0)), Some(&r));
        }
        for (early, late) in POWERS {
            print(&format!("{name} {early:.2}/{late:.2}"), &scored(0, (early, late)), Some(&r));
        }
    }
}

/// Fits the ensemble on every repository and writes the constants in the form that core reads.
pub fn fit(dir: &Path, out: &Path, recipe: &Recipe, balance: &Balance, members: u64, threads: usize) {
    let train = read(dir, "train");
    let seen: Vec<&Known> = train.iter().collect();
    let scale = Scale::of(&seen);
    let samples = samples(&seen, &scale, balance);
    let next = std::sync::atomic::AtomicU64::new(0);
    let nets: Vec<Weights> = std::thread::scope(|scope| {
        let work = || {
            let mut nets = vec![];
            loop {
                let member = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                if member >= members {
                    break nets;
                }
                nets.push((member, network::train(&samples, recipe, 1000 * member + 77)));
            }
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut nets: Vec<(u64, Weights)> = workers.into_iter().flat_map(|w| w.join().unwrap()).collect();
        nets.sort_by_key(|(member, _)| *member);
        nets.into_iter().map(|(_, net)| net).collect()
    });
    let mut bytes = b"HRQN".to_vec();
    for word in [2, EVIDENCE as u32, members as u32] {
        bytes.extend(word.to_le_bytes());
    }
    let parts = [&scale.mean[..], &scale.factor[..]].into_iter().chain(nets.iter().flat_map(Weights::flat));
    for value in parts.flatten() {
        bytes.extend(value.to_le_bytes());
    }
    std::fs::write(out, bytes).unwrap();
}
