//! A hypertable `t` with sealed blocks and its plain twin `p`.

pub(crate) mod statement;

use headroom_tests::Cluster;
use statement::{Expect, Random, Statement};
use tokio_postgres::{Client, SimpleQueryMessage};

/// Both tables, and the session that works on them.
pub(crate) struct Twins {
    client: Client,
    /// As the owner: seals, alters, compares.
    owner: Client,
    old: Option<Client>,
    columns: usize,
    as_reader: bool,
}

/// What a statement gave: its rows as text, or the SQLSTATE of its error.
type Answer = Result<Vec<Vec<Option<String>>>, String>;

impl Twins {
    /// Makes them, with a part of the rows sealed. With a role the session is that role, which policies keep from
    /// one of the devices.
    pub(crate) async fn make(cluster: &Cluster, role: Option<&str>) -> Self {
        cluster.database("db");
        cluster.psql(
            "db",
            "create table t (at timestamptz not null, device int not null, used bigint, busy float8, hot smallint,
                 ok boolean, note text collate \"C\", boot uuid, price numeric, primary key (device, at));
             insert into t select timestamptz '2026-01-01' + n * interval '20 minutes', d,
                 case when n % 11 <> 0 then 4096 * (n * d) end, case when n % 13 <> 0 then n / 7.0 end, n % 70,
                 n % 5 = 0, case n % 4 when 0 then 'a' when 1 then 'bb' when 2 then 'ä' end,
                 md5((n / 50)::text)::uuid, n / 8.0
             from generate_series(1, 6) d, generate_series(0, 400) n where (n + d) % 17 <> 0;
             create table p (like t including all);
             insert into p table t;
             create table units (device int primary key, name text collate \"C\");
             insert into units select d, 'unit ' || d from generate_series(0, 7) d;
             analyze;
             select headroom.create_hypertable('t', 'at', 'device');
             select headroom.seal('t', timestamptz '2026-01-04');
             create role reader; grant usage on schema headroom to reader;
             grant all on t, p, units to reader",
        );
        if role.is_some() {
            for table in ["t", "p"] {
                cluster.psql(
                    "db",
                    &format!(
                        "alter table {table} enable row level security;
                         create policy seen on {table} using (device <> 2) with check (device <> 2 and used is distinct from 13)"
                    ),
                );
            }
        }
        let client = cluster.connect("db").await;
        if let Some(role) = role {
            client.batch_execute(&format!("set role {role}")).await.expect("takes the role");
        }
        let owner = cluster.connect("db").await;
        Self { client, owner, old: None, columns: 0, as_reader: role.is_some() }
    }

    /// Runs the next random statement on both.
    pub(crate) async fn step(&mut self, random: &mut Random, at: &str) {
        match random.below(40) {
            0 => {
                let day = 1 + random.below(8);
                let until = format!("'t', timestamptz '2026-01-0{day}'");
                let sql = match random.below(3) {
                    0 => format!("call headroom.seal_by_slices({until})"),
                    _ => format!("select headroom.seal({until})"),
                };
                self.own(&sql, at).await;
            }
            1 if random.below(4) == 0 => self.own("select headroom.unseal('t')", at).await,
            // Altering waits for the old snapshot's session.
            2 if random.below(4) == 0 && self.old.is_none() => {
                self.columns += 1;
                let column = format!("extra{}", self.columns);
                for table in ["t", "p"] {
                    self.own(
                        &format!("alter table {table} add column {column} int default {}", self.columns),
                        at,
                    )
                    .await;
                }
            }
            3 if random.below(6) == 0 && self.columns > 0 && self.old.is_none() => {
                let column = format!("extra{}", 1 + random.below(self.columns as u64));
                for table in ["t", "p"] {
                    self.own(&format!("alter table {table} drop column if exists {column}"), at).await;
                }
            }
            4 => self.compare_everything(at).await,
            5 if random.below(4) == 0 => self.own("analyze t", at).await,
            _ => {
                let statement = Statement::random(random, self.as_reader);
                self.both(&self.client, &statement, at).await;
            }
        }
    }

    async fn own(&self, sql: &str, at: &str) {
        self.owner.batch_execute(sql).await.unwrap_or_else(|error| panic!("{at}: {sql}: {error:?}"));
    }

    async fn both(&self, client: &Client, statement: &Statement, at: &str) {
        let mut answers = Vec::new();
        for table in ["t", "p"] {
            for setting in &statement.settings {
                client.batch_execute(setting).await.expect("sets");
            }
            answers.push(ask(client, &statement.on(table)).await);
            if !statement.settings.is_empty() {
                client.batch_execute("reset max_parallel_workers_per_gather; reset parallel_setup_cost; reset parallel_tuple_cost; reset min_parallel_table_scan_size; reset enable_hashjoin; reset enable_mergejoin; reset enable_seqscan").await.expect("resets");
            }
        }
        if statement.expect == Expect::Multiset {
            for rows in answers.iter_mut().flatten() {
                rows.sort();
            }
        }
        assert!(
            answers[0] == answers[1],
            "{at}: {}\nhypertable: {:?}\nplain:      {:?}",
            statement.on("t"),
            shortened(&answers[0], &answers[1]),
            shortened(&answers[1], &answers[0])
        );
    }

    /// Every row of both, and that no key is there twice.
    pub(crate) async fn compare_everything(&self, at: &str) {
        let differences =
            ask(&self.owner, "(table t except all table p) union all (table p except all table t) limit 3")
                .await;
        assert_eq!(differences, Ok(vec![vec![Some("0 rows".to_owned())]]), "{at}");
    }

    /// A session whose snapshot stays.
    pub(crate) async fn begin_old_snapshot(&mut self, cluster: &Cluster) {
        let old = cluster.connect("db").await;
        old.batch_execute("begin isolation level repeatable read; select 1").await.expect("begins");
        self.old = Some(old);
    }

    /// Reads both in that session.
    pub(crate) async fn read_in_old_snapshot(&self, random: &mut Random, at: &str) {
        let old = self.old.as_ref().expect("a snapshot was begun");
        // An added column is there for a snapshot from before it as well, so whole rows are not asked for here.
        let statement = Statement::read(random).within_transaction();
        self.both(old, &statement, &format!("{at}, old snapshot")).await;
    }
}

/// Runs SQL of one or more statements; gives the rows of all.
async fn ask(client: &Client, sql: &str) -> Answer {
    match client.simple_query(sql).await {
        Ok(messages) => Ok(messages
            .into_iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => {
                    Some((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect())
                }
                SimpleQueryMessage::CommandComplete(count) => Some(vec![Some(format!("{count} rows"))]),
                _ => None,
            })
            .collect()),
        Err(error) => {
            let code = error.code().map_or_else(|| format!("{error:?}"), |code| code.code().to_owned());
            if sql.starts_with("begin") {
                client.batch_execute("rollback").await.expect("rolls back");
            }
            assert!(!code.starts_with("XX"), "{sql}: {error:?}");
            Err(code)
        }
    }
}

/// The rows that the other has not.
fn shortened(answer: &Answer, other: &Answer) -> Answer {
    match (answer, other) {
        (Ok(rows), Ok(others)) => {
            Ok(rows.iter().filter(|row| !others.contains(row)).take(5).cloned().collect())
        }
        _ => answer.clone().map(|rows| rows.into_iter().take(5).collect()),
    }
}
