//! A storage fleet's status, made up from a seed: every unit fills, is cleaned up now and then, is idle or busy by hour
//! and weekday, counts what it reads and writes, and wears.

use std::io::Write as _;

use jiff::Timestamp;

/// How large the fleet is and how often it is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Name in the table.
    pub(crate) name: &'static str,
    /// Units.
    pub(crate) units: u32,
    /// Days.
    pub(crate) days: u32,
    /// Seconds between two rows of a unit.
    pub(crate) step_seconds: u32,
}

impl Shape {
    /// 10,000 units, 90 days, a row an hour: 21.6 million rows.
    pub(crate) const A: Self = Self { name: "a", units: 10_000, days: 90, step_seconds: 3_600 };
    /// 1,000 units, 30 days, a row in five minutes: 8.64 million rows.
    pub(crate) const B: Self = Self { name: "b", units: 1_000, days: 30, step_seconds: 300 };

    /// Rows in all.
    pub(crate) fn rows(self) -> u64 {
        u64::from(self.units) * self.moments()
    }

    fn moments(self) -> u64 {
        u64::from(self.days) * 86_400 / u64::from(self.step_seconds)
    }
}

/// When the series begins: Thursday, 2026-01-01 00:00 UTC.
const START: i64 = 1_767_225_600;
/// Rows of a batch: one COPY and one transaction.
pub(crate) const BATCH: usize = 10_000;

/// Random numbers from a seed (SplitMix64, Steele et al. 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// About normal: four uniforms added.
    fn normal(&mut self) -> f64 {
        ((0..4).map(|_| self.uniform()).sum::<f64>() - 2.0) * 3.0_f64.sqrt()
    }
}

/// A unit on its way through time.
struct Unit {
    random: Random,
    capacity: f64,
    used: f64,
    growth_a_day: f64,
    is_idle: bool,
    reads_a_second: f64,
    writes_a_second: f64,
    bytes_a_request: f64,
    phase: f64,
    temperature: f64,
    counters: [u64; 4],
    worn: f64,
}

impl Unit {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed.wrapping_mul(0xD134_2543_DE82_EF95));
        let capacity = [0.96e12, 1.92e12, 3.84e12, 7.68e12, 8e12, 16e12][(random.next() % 6) as usize];
        Self {
            capacity,
            used: capacity * (0.2 + 0.6 * random.uniform()),
            growth_a_day: capacity * (0.002_f64.ln() + random.normal()).exp(),
            is_idle: random.uniform() < 0.15,
            reads_a_second: (30_f64.ln() + 1.2 * random.normal()).exp(),
            writes_a_second: (20_f64.ln() + 1.2 * random.normal()).exp(),
            bytes_a_request: 4_096.0 * f64::from(1_u32 << (random.next() % 6)),
            phase: random.uniform() * std::f64::consts::TAU,
            temperature: 30.0 + 15.0 * random.uniform(),
            counters: [(); 4].map(|()| random.next() % 4_000_000_000),
            worn: 40.0 * random.uniform(),
            random,
        }
    }

    /// Lives for a step and writes its row as COPY reads it.
    fn write_row(&mut self, id: u32, at: &str, second: i64, step: f64, out: &mut Vec<u8>) {
        let hour = (second % 86_400) as f64 / 3_600.0;
        let is_weekend = matches!((second / 86_400) % 7, 2 | 3); // 1970-01-01 was a Thursday
        let by_hour = 1.0 + 0.6 * (hour / 24.0 * std::f64::consts::TAU + self.phase).sin();
        let activity = by_hour * if is_weekend { 0.4 } else { 1.24 };
        let mut busy = 0.0;
        if !self.is_idle || self.random.uniform() < 0.02 {
            let growth = self.growth_a_day * step / 86_400.0;
            self.used += growth * activity + self.random.normal() * (growth * 1.5 + self.capacity * 2e-6);
            if self.random.uniform() < step / (86_400.0 * 45.0) {
                self.used *= 0.7 + 0.27 * self.random.uniform();
            }
            self.used = self.used.clamp(0.0, self.capacity * 0.995);
            let mut requests =
                |rate: f64| (rate * activity * (1.0 + 0.3 * self.random.normal())).max(0.0) * step;
            let (reads, writes) = (requests(self.reads_a_second), requests(self.writes_a_second));
            // NVMe counts bytes in thousands of 512-byte blocks.
            let units = |requests: f64| (requests * self.bytes_a_request / 512_000.0) as u64;
            for (counter, gained) in
                self.counters.iter_mut().zip([reads as u64, writes as u64, units(reads), units(writes)])
            {
                *counter += gained;
            }
            self.worn += writes * self.bytes_a_request / (self.capacity * 1_825.0) * 100.0;
            busy = ((reads + writes) / step / 4.0 * (1.0 + 0.1 * self.random.normal())).clamp(0.0, 100.0);
        }
        let temperature =
            self.temperature + 3.0 * (hour / 24.0 * std::f64::consts::TAU).sin() + 0.8 * self.random.normal();
        let [read_ops, write_ops, read_units, write_units] = self.counters;
        writeln!(
            out,
            "{at}\t{id}\t{}\t{}\t{read_ops}\t{write_ops}\t{}\t{}\t{busy:.2}\t{temperature:.0}\t{:.0}",
            (self.used / 4_096.0) as u64 * 4_096,
            self.capacity as u64,
            read_units * 512_000,
            write_units * 512_000,
            self.worn.floor().min(255.0)
        )
        .expect("memory can be written");
    }
}

/// All rows in the order of time, a batch at a time, as COPY's text.
pub(crate) fn batches(shape: Shape, seed: u64, mut take: impl FnMut(Vec<u8>)) {
    let mut units: Vec<Unit> =
        (1..=u64::from(shape.units)).map(|unit| Unit::new(seed ^ (unit << 20))).collect();
    let (mut batch, mut rows) = (Vec::new(), 0);
    for moment in 0..shape.moments() {
        let second = START + (moment * u64::from(shape.step_seconds)) as i64;
        let at = Timestamp::from_second(second).expect("the series lies in this century").to_string();
        for (id, unit) in (1..).zip(&mut units) {
            unit.write_row(id, &at, second, f64::from(shape.step_seconds), &mut batch);
            rows += 1;
            if rows == BATCH {
                take(std::mem::take(&mut batch));
                rows = 0;
            }
        }
    }
    if rows > 0 {
        take(batch);
    }
}
