//! Random statements.

/// A small random generator: the same seed gives the same statements everywhere.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, count: u64) -> u64 {
        self.next() % count
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len() as u64) as usize]
    }
}

/// How answers are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Row by row.
    Order,
    /// As multisets.
    Multiset,
}

/// A statement over the table `TABLE`.
pub(crate) struct Statement {
    text: String,
    pub(crate) expect: Expect,
    pub(crate) settings: Vec<String>,
}

impl Statement {
    pub(crate) fn on(&self, table: &str) -> String {
        self.text.replace("TABLE", table)
    }

    /// The statement for a session that is in a transaction and stays in it.
    pub(crate) fn within_transaction(self) -> Self {
        let text = match self.text.strip_prefix("begin; ").and_then(|rest| rest.strip_suffix("; commit")) {
            Some(rest) => format!("{rest}; close c"),
            None => self.text,
        };
        Self { text, ..self }
    }

    /// Reads or writes.
    pub(crate) fn random(random: &mut Random, as_reader: bool) -> Self {
        match random.below(4) {
            0 => Self::write(random, as_reader),
            _ => Self::read(random),
        }
    }

    /// Reads.
    pub(crate) fn read(random: &mut Random) -> Self {
        let condition = condition(random, "a");
        let (text, expect) = match random.below(22) {
            0 => (format!("select {} from TABLE a where {condition}", projection(random)), Expect::Multiset),
            1 => (
                format!(
                    "select at, device, used from TABLE a where {condition} order by {} limit {} offset {}",
                    order(random),
                    1 + random.below(60),
                    random.below(5)
                ),
                Expect::Order,
            ),
            2 => (
                format!(
                    "select device, count(*), count(used), sum(used), min(busy), max(busy), min(at), max(at), bool_or(ok), max(note), min(price), sum(hot) from TABLE a where {condition} group by device"
                ),
                Expect::Multiset,
            ),
            3 => (
                format!(
                    "select date_bin('1 day', at, '2026-01-01') as day, device, max(used), min(used), count(*), sum(hot) from TABLE a where {condition} group by 1, 2 order by 2, 1"
                ),
                Expect::Order,
            ),
            4 => (
                format!(
                    "select count(*), sum(used), max(busy), min(at), max(at), avg(hot) from TABLE a where {condition}"
                ),
                Expect::Multiset,
            ),
            5 => (
                format!(
                    "select u.name, a.at, a.used from units u join TABLE a using (device) where {condition}"
                ),
                Expect::Multiset,
            ),
            6 => (
                format!(
                    "select u.device, l.* from units u left join lateral (select at, used, note from TABLE a where a.device = u.device and {condition} order by at {} limit {}) l on true",
                    random.of(&["", "desc"]),
                    1 + random.below(3)
                ),
                Expect::Multiset,
            ),
            7 => (
                format!(
                    "select distinct on (device) device, at, used, busy from TABLE a where {condition} order by device, at {}",
                    random.of(&["", "desc"])
                ),
                Expect::Order,
            ),
            8 => (
                format!(
                    "select a.at, a.device, b.device, b.used from TABLE a join TABLE b on a.at = b.at and a.device < b.device where {condition} and b.hot < {}",
                    random.below(70)
                ),
                Expect::Multiset,
            ),
            9 => (
                format!(
                    "select device, at from TABLE a where {condition} and exists (select from TABLE b where b.device = a.device and b.at = a.at + interval '20 minutes' and b.used > a.used)"
                ),
                Expect::Multiset,
            ),
            10 => (
                format!(
                    "select device, name from units u where device {} (select device from TABLE a where {condition})",
                    random.of(&["in", "not in"])
                ),
                Expect::Multiset,
            ),
            11 => (
                format!(
                    "select at, device, used - lag(used) over (partition by device order by at) from TABLE a where {condition}"
                ),
                Expect::Multiset,
            ),
            12 => (
                format!(
                    "begin; declare c scroll cursor for select at, device, used from TABLE a where {condition} order by device, at; fetch {} from c; fetch backward {} from c; fetch last from c; fetch absolute {} from c; commit",
                    1 + random.below(20),
                    1 + random.below(20),
                    1 + random.below(50)
                ),
                Expect::Order,
            ),
            13 => (
                format!(
                    "prepare q (int, timestamptz) as select at, device, used, note from TABLE a where device = $1 and at >= $2 and {condition} order by at; {} deallocate q",
                    (0..7)
                        .map(|_| format!("execute q ({}, {});", random.below(8), time(random)))
                        .collect::<String>()
                ),
                Expect::Order,
            ),
            14 => (
                format!(
                    "select device, (select max(used) from TABLE b where b.device = a.device and b.at < a.at) from TABLE a where {condition} and hot < 4"
                ),
                Expect::Multiset,
            ),
            15 => (
                format!(
                    "select ok, note, count(*) from TABLE a where {condition} group by grouping sets ((ok), (note), ()) having count(*) > 1"
                ),
                Expect::Multiset,
            ),
            16 => (
                format!(
                    "select device, used from TABLE a where {condition} union all select device, hot from TABLE a where {} except select device, used from TABLE a where hot = 3",
                    self::condition(random, "a")
                ),
                Expect::Multiset,
            ),
            17 => (
                format!(
                    "select {}, count(*), count(used), sum(used), avg(used), min(busy), max(busy), min(at), max(at), max(hot), min(price), sum(hot) from TABLE a where {} group by 1",
                    random.of(&[
                        "device",
                        "date_bin('1 day', at, '2026-01-02 05:00')",
                        "headroom.time_bucket('5 hours', at)"
                    ]),
                    block_condition(random)
                ),
                Expect::Multiset,
            ),
            18 => (
                format!(
                    "select device, headroom.time_bucket('{}', at) as bucket, count(*), sum(used), avg(hot), min(used), max(busy), headroom.first(used, at), headroom.last(busy, at), headroom.last(ok, at) from TABLE a where {} group by bucket, device having count(*) > {} order by device {}, bucket",
                    random.of(&["1 day", "7 hours", "20 days"]),
                    block_condition(random),
                    random.below(5),
                    random.of(&["", "desc"])
                ),
                Expect::Order,
            ),
            19 => (
                format!(
                    "select count(*), count(used), sum(used), avg(hot), min(busy), max(busy), min(at), max(at), max(used), count(note) from TABLE a where {}",
                    block_condition(random)
                ),
                Expect::Multiset,
            ),
            20 => (
                format!(
                    "select u.device, l.* from units u left join lateral (select count(*), max(used), headroom.last(note, at), headroom.last(used, at), min(at) from TABLE a where a.device = u.device and {} group by device) l on true",
                    block_condition(random)
                ),
                Expect::Multiset,
            ),
            _ => (
                format!(
                    "with recursive days (day) as (select timestamptz '2026-01-01' union all select day + interval '1 day' from days where day < '2026-01-08') select day, (select count(*) from TABLE a where a.at >= day and a.at < day + interval '1 day' and {condition}) from days"
                ),
                Expect::Multiset,
            ),
        };
        let settings = match random.below(5) {
            0 => vec!["set max_parallel_workers_per_gather = 2; set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0".to_owned()],
            1 => vec!["set enable_hashjoin = off; set enable_mergejoin = off".to_owned()],
            2 => vec!["set enable_seqscan = off; set enable_hashjoin = off".to_owned()],
            _ => Vec::new(),
        };
        Self { text, expect, settings }
    }

    /// Writes.
    fn write(random: &mut Random, as_reader: bool) -> Self {
        let condition = narrow_condition(random);
        let conflict = match random.below(4) {
            0 => "",
            1 => "on conflict do nothing",
            2 => "on conflict (device, at) do nothing",
            _ => {
                "on conflict (at, device) do update set used = coalesce(TABLE.used, 0) + coalesce(excluded.used, 1), note = excluded.note"
            }
        };
        let returning = random.of(&["", "returning at, device, used, note", "returning used * 2"]);
        let text = match random.below(6) {
            0 | 1 => {
                let rows: Vec<_> = (0..1 + random.below(4))
                    .map(|_| {
                        // On the grid it meets rows that are there; off it, it is late.
                        let minute = random.of(&["0", "0", "7"]);
                        format!(
                            "(timestamptz '2026-01-01' + {} * interval '20 minutes' + {minute} * interval '1 minute', {}, {}, {}, 'new')",
                            random.below(450),
                            random.below(8),
                            random.of(&["13", "null", "4096", "-1"]),
                            random.of(&["'nan'", "1.5", "null"]),
                        )
                    })
                    .collect();
                format!(
                    "insert into TABLE (at, device, used, busy, note) values {} {conflict} {returning}",
                    rows.join(", ")
                )
            }
            2 => format!(
                "update TABLE set used = coalesce(used, 0) + 1, hot = hot + 1 where {condition} {returning}"
            ),
            3 => format!(
                "update TABLE set at = at + interval '{} minutes' where {condition} {returning}",
                random.of(&["1", "20"])
            ),
            4 if !as_reader => format!(
                "begin; delete from TABLE where {condition}; insert into TABLE (at, device) select '2026-01-03 00:03', 5 {}; commit",
                random.of(&["", "on conflict do nothing"])
            ),
            _ => format!("delete from TABLE where {condition} and hot % 5 = 1 {returning}"),
        };
        // A multi-row change of keys meets its own rows in an order that is the plan's: one row is safe.
        let text = if text.contains("20 minutes") && text.starts_with("update") {
            format!(
                "update TABLE set at = at + interval '20 minutes' where device = {} and at = {}",
                random.below(7),
                grid_time(random)
            )
        } else {
            text
        };
        Self { text, expect: Expect::Multiset, settings: Vec::new() }
    }
}

fn projection(random: &mut Random) -> &'static str {
    random.of(&[
        "*",
        "a",
        "at, used",
        "device",
        "1",
        "used + hot, upper(note)",
        "count(*) over (), at",
        "price, boot, ok",
        "tableoid is null, note",
    ])
}

fn order(random: &mut Random) -> &'static str {
    random.of(&[
        "device, at",
        "device, at desc",
        "at, device",
        "at desc, device desc",
        "device desc, at desc",
        "used nulls first, device, at",
    ])
}

fn grid_time(random: &mut Random) -> String {
    format!("timestamptz '2026-01-01' + {} * interval '20 minutes'", random.below(420))
}

fn time(random: &mut Random) -> String {
    match random.below(4) {
        0 => format!("timestamptz '2026-01-0{}'", 1 + random.below(8)),
        1 => "'-infinity'".to_owned(),
        _ => grid_time(random),
    }
}

fn narrow_condition(random: &mut Random) -> String {
    match random.below(3) {
        0 => format!(
            "device = {} and at >= {} and hot = {}",
            random.below(7),
            grid_time(random),
            random.below(70)
        ),
        1 => format!("at = {}", grid_time(random)),
        _ => format!(
            "device = {} and at between {} and {}",
            random.below(7),
            grid_time(random),
            grid_time(random)
        ),
    }
}

/// Conditions that blocks as a whole can answer: on the segment and on the time.
fn block_condition(random: &mut Random) -> String {
    let one = |random: &mut Random| match random.below(7) {
        0 => format!("a.device = {}", random.below(8)),
        1 => format!("a.device in ({}, {})", random.below(8), random.below(8)),
        2 => {
            format!("a.device = any (array[{}, null, {}]) or a.device = 4", random.below(8), random.below(8))
        }
        3 => format!("a.at >= {}", time(random)),
        4 => format!("{} > a.at", time(random)),
        5 => format!("a.at between {} and {}", grid_time(random), grid_time(random)),
        _ => "true".to_owned(),
    };
    let (first, second) = (one(random), one(random));
    if random.below(2) == 0 { first } else { format!("({first}) and ({second})") }
}

fn condition(random: &mut Random, table: &str) -> String {
    let one = |random: &mut Random| match random.below(16) {
        0 => "true".to_owned(),
        1 => format!("{table}.device = {}", random.below(8)),
        2 => format!("{table}.device in ({}, {})", random.below(8), random.below(8)),
        3 => format!("{table}.at >= {}", time(random)),
        4 => format!("{table}.at < {}", time(random)),
        5 => format!("{table}.at between {} and {}", time(random), time(random)),
        6 => format!("{table}.at = {}", grid_time(random)),
        7 => format!("{table}.used > {}", 4096 * random.below(2_000)),
        8 => format!(
            "{table}.busy {} {}",
            random.of(&["<", "<=", "=", ">", ">="]),
            random.of(&["10", "'nan'", "0", "3.5", "20::float4"])
        ),
        9 => format!("{table}.used is {}null", random.of(&["", "not "])),
        10 => format!(
            "{table}.note {} {}",
            random.of(&["=", "<", ">="]),
            random.of(&["'a'", "'bb'", "'ä'", "null"])
        ),
        11 => random
            .of(&["a.ok", "not a.ok", "a.ok is true", "a.ok = true"])
            .replace("a.", &format!("{table}.")),
        12 => format!(
            "{table}.hot {} {}",
            random.of(&["<", "=", ">"]),
            random.of(&["3", "40::bigint", "69", "3.5", "-1"])
        ),
        13 => format!("{} < {table}.at", time(random)),
        14 => format!("{table}.device > {}", random.of(&["2", "4::bigint", "3.5"])),
        _ => format!("{table}.price <= {}", random.below(50)),
    };
    let first = one(random);
    match random.below(4) {
        0 => first,
        1 => format!("({first} or {})", one(random)),
        2 => format!("{first} and {}", one(random)),
        _ => format!("{first} and {} and {}", one(random), one(random)),
    }
}
