//! Training cases: many origins and capacities of every public series, and of random pools of them.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use headroom_core::forecast::{EVIDENCE, capacity_evidence as evidence};

use crate::series::{self, Series};

/// Repositories are dealt into so many folds.
pub const FOLDS: u64 = 6;
const HISTORY_DAYS: usize = 1_462;
const TRUTH_DAYS: usize = 1_096;
/// Mean days between two origins of a repository, and of a pool that the trial scores.
const ORIGIN_DAYS: usize = 24;
const POOL_ORIGIN_DAYS: usize = 48;
/// Pools of a fold that the trial scores (every other one), and more of which only the fit learns: many that differ, with few
/// origins each, tell more than few with many.
const POOLS: usize = 100;
const MORE_POOLS: usize = 600;
const MORE_ORIGIN_DAYS: usize = 144;
/// A day of a copy is from half a day to two days of the original.
const PACES: (f64, f64) = (0.5, 2.0);
const COPIES: usize = 8;
const COPY_ORIGIN_DAYS: usize = 144;

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.unit() * n as f64) as usize
    }

    pub fn between(&mut self, a: f64, b: f64) -> f64 {
        a + (b - a) * self.unit()
    }
}

/// FNV-1a, so that a repository stays in its fold.
pub fn fold_of(repository: &str) -> u64 {
    let hash = repository
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    (hash ^ (hash >> 32)) % FOLDS
}

#[derive(Debug, Clone)]
pub struct Case {
    pub id: String,
    pub group: String,
    pub fold: u64,
    pub track: char,
    /// Days until reached; none: not within `known`.
    pub truth: Option<u32>,
    pub known: u32,
    /// Drift over 365 days with its normal spread, the reference: days at 10, 50, 90 %.
    pub reference: [f64; 3],
    pub evidence: [f32; EVIDENCE],
}

fn passage(daily: &[f64], origin: usize, capacity: f64) -> (Option<u32>, u32) {
    let end = (origin + TRUTH_DAYS).min(daily.len() - 1);
    let found = daily[origin + 1..=end].iter().position(|v| *v >= capacity).map(|i| i as u32 + 1);
    (found, (end - origin) as u32)
}

/// statsforecast's RandomWalkWithDrift over 365 days: the first day on which each quantile of the marginal crosses.
pub fn reference(history: &[f64], gap: f64) -> [f64; 3] {
    let x = &history[history.len().saturating_sub(365)..];
    let n = x.len() as f64;
    if n < 3.0 {
        return [366.0; 3];
    }
    let drift = (x[x.len() - 1] - x[0]) / (n - 1.0);
    let sigma = (x.windows(2).map(|p| (p[1] - p[0] - drift).powi(2)).sum::<f64>() / (n - 2.0)).sqrt();
    [1.2816, 0.0, -1.2816].map(|z| {
        (1..=365)
            .map(f64::from)
            .find(|h| drift * h + z * sigma * (h * (1.0 + h / (n - 1.0))).sqrt() >= gap)
            .unwrap_or(366.0)
    })
}

fn cases_of(
    series: &Series,
    group: &str,
    fold: u64,
    stride: usize,
    random: &mut Random,
    out: &mut Vec<Case>,
) {
    let n = series.daily.len();
    let mut origin = 14 + random.below(stride);
    while origin + 60 < n {
        let from = (origin + 1).saturating_sub(HISTORY_DAYS);
        let history = &series.daily[from..=origin];
        let last = *history.last().unwrap();
        let year = history[history.len().saturating_sub(366)];
        let days = (history.len() - 1).min(365) as f64;
        let rises: f64 =
            history[history.len().saturating_sub(366)..].windows(2).map(|p| (p[1] - p[0]).max(0.0)).sum();
        let mut wanted: Vec<(char, f64)> = Vec::new();
        for (low, high) in [(15.0, 42.0), (42.0, 118.0), (118.0, 328.0), (328.0, 900.0)] {
            let days_ahead = (random.between(f64::ln(low), f64::ln(high))).exp();
            let rate = match random.below(10) {
                0..6 => (last - year) / days,
                6 => rises / days,
                7 => (last - history[history.len().saturating_sub(91)]) / days.min(90.0),
                8 => {
                    (last - history[history.len().saturating_sub(731)])
                        / ((history.len() - 1) as f64).min(730.0)
                }
                _ => last * 0.3 / 365.0,
            };
            wanted.push(('A', last + rate * days_ahead));
        }
        for _ in 0..2 {
            let ahead = (random.between(f64::ln(25.0), f64::ln(220.0))).exp() as usize;
            if origin + ahead < n {
                let high = series.daily[origin + 1..=origin + ahead].iter().copied().fold(f64::MIN, f64::max);
                wanted.push(('B', high));
            }
        }
        if origin + 365 < n {
            let high = series.daily[origin + 1..=origin + 365].iter().copied().fold(last, f64::max);
            wanted.push(('N', high + (high - last).max(last * 0.001) * random.between(0.1, 1.0)));
        }
        wanted.retain(|(_, c)| *c > last && c.is_finite());
        wanted.sort_by(|a, b| a.1.total_cmp(&b.1));
        let gaps: Vec<f64> = wanted.iter().map(|(_, c)| c - last).collect();
        if !gaps.is_empty() && last > 0.0 {
            for ((track, capacity), evidence) in wanted.iter().zip(evidence(history, &gaps)) {
                let (truth, known) = passage(&series.daily, origin, *capacity);
                out.push(Case {
                    id: format!("{}@{}", series.name, origin),
                    group: group.to_owned(),
                    fold,
                    track: *track,
                    truth,
                    known,
                    reference: reference(history, capacity - last),
                    evidence,
                });
            }
        }
        origin += stride / 2 + random.below(stride);
    }
}

/// A pool of some series of one fold, each shifted and scaled a little, so that no two pools are alike.
fn pool(members: &[&Series], small: bool, name: String, random: &mut Random) -> Option<Series> {
    let count = if small { 2 + random.below(2) } else { 4 + random.below(9) }.min(members.len());
    let mut left: Vec<&Series> = members.to_vec();
    let mut chosen = Vec::new();
    for _ in 0..count {
        chosen.push(left.swap_remove(random.below(left.len())));
    }
    let even = random.unit();
    let shift = random.below(2) == 0;
    let start = chosen.iter().map(|s| s.first_day).min()?;
    let mut days = chosen.iter().map(|s| s.first_day - start + s.daily.len() as i64).max()? as usize;
    let first = chosen.iter().map(|s| s.first_day - start).max()? as usize;
    if shift {
        days = chosen.iter().map(|s| s.daily.len()).min()?;
    } else {
        days = days.min(chosen.iter().map(|s| (s.first_day - start) as usize + s.daily.len()).min()?);
    }
    let mut daily = vec![0.0; days];
    for s in &chosen {
        let scale = (1e9 / s.daily[s.daily.len() - 1].max(1.0)).powf(even) * random.between(-0.5, 0.5).exp();
        let offset = if shift { random.below(s.daily.len() - days + 1) as i64 } else { start - s.first_day };
        for (i, value) in daily.iter_mut().enumerate() {
            let at = i as i64 + offset;
            if at >= 0 {
                *value += scale * s.daily[(at as usize).min(s.daily.len() - 1)];
            }
        }
    }
    if !shift {
        daily.drain(..first.min(daily.len()));
    }
    (daily.len() > 400).then_some(Series { name, first_day: 0, daily })
}

/// A copy in which a day is `pace` days of the original.
fn paced(series: &Series, pace: f64, name: String) -> Series {
    let last = series.daily.len() - 1;
    let days = (last as f64 / pace) as usize + 1;
    let daily = (0..days).map(|day| series.daily[((day as f64 * pace) as usize).min(last)]).collect();
    Series { name, first_day: 0, daily }
}

/// The `number`-th pool of a fold.
fn pool_of_fold(
    all: &BTreeMap<String, Series>,
    fold: u64,
    number: usize,
    name: String,
    random: &mut Random,
) -> Option<Series> {
    let kind = ["tree", "store", "both"][number % 3];
    let members: Vec<&Series> = all
        .values()
        .filter(|s| fold_of(s.repository()) == fold && (kind == "both" || s.kind() == kind))
        .collect();
    pool(&members, number % 2 == 1, name, random)
}

/// Cases for training: every series, random pools inside each fold, and paced copies.
pub fn training(fixtures: &Path) -> Vec<Case> {
    let all = series::read(&fixtures.join("git_capacity_public_changes.csv.gz"));
    let mut random = Random(7);
    let mut out = Vec::new();
    for s in all.values() {
        cases_of(s, s.repository(), fold_of(s.repository()), ORIGIN_DAYS, &mut random, &mut out);
    }
    for fold in 0..FOLDS {
        for i in 0..POOLS {
            let name = format!("{}_{fold}_{i}", if i % 2 == 1 { "pair" } else { "pool" });
            if let Some(p) = pool_of_fold(&all, fold, i, name, &mut random) {
                cases_of(&p, &p.name, fold, POOL_ORIGIN_DAYS, &mut random, &mut out);
            }
        }
    }
    // Drawn apart, so that what the trial scores stays the same whatever is added here.
    let mut random = Random(99);
    let pace = |random: &mut Random| random.between(PACES.0.ln(), PACES.1.ln()).exp();
    for s in all.values() {
        for copy in 0..COPIES {
            let copy = paced(s, pace(&mut random), format!("copy{copy}_{}", s.name));
            cases_of(&copy, s.repository(), fold_of(s.repository()), COPY_ORIGIN_DAYS, &mut random, &mut out);
        }
    }
    for fold in 0..FOLDS {
        for i in 0..MORE_POOLS {
            let name = format!("more_{fold}_{i}");
            if let Some(mut p) = pool_of_fold(&all, fold, i, name.clone(), &mut random) {
                if i % 4 >= 2 {
                    p = paced(&p, pace(&mut random), name);
                }
                cases_of(&p, &p.name, fold, MORE_ORIGIN_DAYS, &mut random, &mut out);
            }
        }
    }
    out
}

/// The cases of the public scorer.
pub fn official(fixtures: &Path, which: &str) -> Vec<Case> {
    let file = if which == "git" { "truth_public.csv.gz" } else { "truth_pool_public.csv.gz" };
    let all = series::read(&fixtures.join(format!("{which}_capacity_public_changes.csv.gz")));
    let mut by_origin: BTreeMap<(String, String), Vec<(f64, char, Option<u32>, String)>> = BTreeMap::new();
    for line in series::text(&fixtures.join(file)).lines().skip(1) {
        let f: Vec<&str> = line.split(',').collect();
        by_origin.entry((f[1].to_owned(), f[2].to_owned())).or_default().push((
            f[3].parse().unwrap(),
            f[5].chars().next().unwrap(),
            f[7].parse::<f64>().ok().map(|d| d as u32),
            line.to_owned(),
        ));
    }
    let mut out = Vec::new();
    for ((name, date), mut wanted) in by_origin {
        let s = &all[&name];
        let origin = (series::day_number(&date) - s.first_day) as usize;
        let history = &s.daily[(origin + 1).saturating_sub(HISTORY_DAYS)..=origin];
        let last = *history.last().unwrap();
        wanted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let gaps: Vec<f64> = wanted.iter().map(|w| w.0 - last).collect();
        for ((capacity, track, truth, line), evidence) in wanted.into_iter().zip(evidence(history, &gaps)) {
            out.push(Case {
                id: line.split(',').skip(1).take(3).collect::<Vec<_>>().join(","),
                group: s.repository().to_owned(),
                fold: fold_of(s.repository()),
                track,
                truth,
                known: 365,
                reference: reference(history, capacity - last),
                evidence,
            });
        }
    }
    out
}

fn write(cases: &[Case], out: &Path, name: &str) {
    let mut meta = BufWriter::new(File::create(out.join(format!("{name}.csv"))).unwrap());
    let mut data = BufWriter::new(File::create(out.join(format!("{name}.f32"))).unwrap());
    writeln!(meta, "series_id,origin,capacity,group,fold,track,truth,known,r10,r50,r90").unwrap();
    for c in cases {
        let id = if c.id.contains(',') { c.id.clone() } else { format!("{},,", c.id) };
        let truth = c.truth.map(|t| t.to_string()).unwrap_or_default();
        writeln!(
            meta,
            "{id},{},{},{},{truth},{},{},{},{}",
            c.group, c.fold, c.track, c.known, c.reference[0], c.reference[1], c.reference[2]
        )
        .unwrap();
        for e in c.evidence {
            data.write_all(&e.to_le_bytes()).unwrap();
        }
    }
}

pub fn write_all(fixtures: &Path, out: &Path) {
    std::fs::create_dir_all(out).unwrap();
    for which in ["git", "pool"] {
        let start = std::time::Instant::now();
        let cases = official(fixtures, which);
        eprintln!("{which}: {} cases, {:?}", cases.len(), start.elapsed());
        write(&cases, out, which);
    }
    let start = std::time::Instant::now();
    let cases = training(fixtures);
    eprintln!("training: {} cases, {:?}", cases.len(), start.elapsed());
    write(&cases, out, "train");
}
