//! `make bench-store`: the status-series workload on a heap without index, on weekly partitions, on a hypertable and, where
//! it is installed, on TimescaleDB, in one run. Arguments: `--shape a|b` (default b), `--units N`, `--days N`, `--seed N`.

mod generator;
mod measure;
mod memory;
mod systems;

use std::{env, path::PathBuf, process::Command, time::Instant};

use anyhow::{Context as _, bail};
use futures_util::SinkExt as _;
use generator::{Shape, batches};
use headroom_tests::{Cluster, PG_CONFIG};
use systems::{LATEST, QUERIES, System, all, has_timescaledb};
use tokio_postgres::Client;

/// Each query runs once to warm up and so many times for the figure, the median.
const REPEATS: usize = 3;

/// What was measured of one system.
struct Figures {
    name: &'static str,
    copy_cpu: f64,
    copy_wall: f64,
    all_cpu: f64,
    bytes: f64,
    /// Nothing for one that was not asked.
    queries: Vec<Option<f64>>,
    /// Most memory of a session, in MB, with [`SMALL_WORK_MEM`]: of sealing, and of each query.
    finish_memory: f64,
    query_memory: Vec<Option<f64>>,
}

/// What the server gives a sort or a hash by default; memory is measured with it.
const SMALL_WORK_MEM: &str = "SET work_mem = '4MB'; SET max_parallel_workers_per_gather = 0";

fn main() -> anyhow::Result<()> {
    let (shape, seed) = arguments()?;
    println!(
        "shape {}: {} units, {} days, {} rows, seed {seed}",
        shape.name,
        shape.units,
        shape.days,
        shape.rows()
    );
    let with_timescaledb = has_timescaledb(&libraries()?);
    let preloaded = if with_timescaledb { "timescaledb,headroom" } else { "headroom" };
    let mut cluster = Cluster::with(&[
        ("shared_preload_libraries", preloaded),
        ("headroom.jobs", "off"),
        ("shared_buffers", "1GB"),
        ("max_wal_size", "8GB"),
        ("work_mem", "64MB"),
        ("maintenance_work_mem", "256MB"),
        ("jit", "off"),
    ]);
    let postmaster = cluster.server().process_id().context("the server has ended")?;
    let runtime = tokio::runtime::Runtime::new()?;
    let mut measured = Vec::new();
    for system in all(with_timescaledb) {
        println!("{} …", system.name);
        measured.push(runtime.block_on(measure_one(&cluster, postmaster, &system, shape, seed))?);
    }
    print_table(&measured, shape.rows() as f64);
    Ok(())
}

/// The folder of the libraries of the installed PostgreSQL, of which the throw-away server is a copy.
fn libraries() -> anyhow::Result<PathBuf> {
    let told = Command::new(PG_CONFIG)
        .arg("--pkglibdir")
        .output()
        .with_context(|| format!("cannot run {PG_CONFIG}"))?;
    Ok(PathBuf::from(String::from_utf8(told.stdout)?.trim()))
}

fn arguments() -> anyhow::Result<(Shape, u64)> {
    let (mut shape, mut seed) = (Shape::B, 42);
    let mut given = env::args().skip(1).filter(|argument| argument != "--bench");
    while let Some(name) = given.next() {
        let value = given.next().with_context(|| format!("{name} wants a value"))?;
        match (name.as_str(), value.as_str()) {
            ("--shape", "a") => shape = Shape::A,
            ("--shape", "b") => shape = Shape::B,
            ("--units", units) => shape.units = units.parse().context("--units wants a number")?,
            ("--days", days) => shape.days = days.parse().context("--days wants a number")?,
            ("--seed", number) => seed = number.parse().context("--seed wants a number")?,
            _ => bail!("unknown argument {name} {value}"),
        }
    }
    if !(1..=1_000_000).contains(&shape.units) || !(1..=98).contains(&shape.days) {
        bail!("1 to 1,000,000 units and 1 to 98 days, please");
    }
    Ok((shape, seed))
}

async fn measure_one(
    cluster: &Cluster,
    postmaster: u32,
    system: &System,
    shape: Shape,
    seed: u64,
) -> anyhow::Result<Figures> {
    let database = system.name.replace(' ', "_");
    cluster.database(&database);
    let client = cluster.connect(&database).await;
    client.batch_execute(&system.make).await.context(system.name)?;
    let units = format!(
        "CREATE TABLE units AS SELECT g::int8 AS unit_id FROM generate_series(1, {}) g; ANALYZE units",
        shape.units
    );
    client.batch_execute(&units).await?;
    let process: i32 = client.query_one("SELECT pg_backend_pid()", &[]).await?.get(0);
    let process = u32::try_from(process)?;
    let server_before = measure::of_server(postmaster)?;
    let (copy_cpu, copy_wall) = load(&client, process, shape, seed).await?;
    let mut finish_memory = 0.0_f64;
    for statement in system.finish {
        let taken = session_memory(cluster, &database, statement).await;
        let taken = taken.with_context(|| format!("{}: {statement}", system.name))?;
        // What PostgreSQL's own maintenance takes is bounded by maintenance_work_mem.
        if !statement.starts_with("VACUUM") && !statement.starts_with("REINDEX") {
            finish_memory = finish_memory.max(taken);
        }
    }
    let all_cpu = measure::of_server(postmaster)? - server_before;
    let rows: i64 = client.query_one("SELECT count(*) FROM status", &[]).await?.get(0);
    if u64::try_from(rows)? != shape.rows() {
        bail!("{} has {rows} of {} rows", system.name, shape.rows());
    }
    let bytes = client.query_one(system.size, &[]).await?.get(0);
    client.batch_execute("SET max_parallel_workers_per_gather = 0").await?;
    let end: String = client.query_one("SELECT max(ts)::text FROM status", &[]).await?.get(0);
    let (mut queries, mut query_memory) = (Vec::new(), Vec::new());
    for (name, query) in QUERIES {
        if name == LATEST && !system.finds_units {
            queries.push(None);
            query_memory.push(None);
            continue;
        }
        let query = format!("COPY ({}) TO '/dev/null' (FORMAT binary)", query.replace("{end}", &end));
        let taken = query_cpu(&client, process, &query).await;
        queries.push(Some(taken.with_context(|| format!("{}: {name}", system.name))?));
        query_memory.push(Some(session_memory(cluster, &database, &query).await?));
    }
    Ok(Figures {
        name: system.name,
        copy_cpu,
        copy_wall,
        all_cpu,
        bytes,
        queries,
        finish_memory,
        query_memory,
    })
}

/// The memory that one statement takes in a session of its own, in MB.
async fn session_memory(cluster: &Cluster, database: &str, statement: &str) -> anyhow::Result<f64> {
    let client = cluster.connect(database).await;
    client.batch_execute(SMALL_WORK_MEM).await?;
    let process: i32 = client.query_one("SELECT pg_backend_pid()", &[]).await?.get(0);
    let (done, taken) = memory::of_work(u32::try_from(process)?, client.batch_execute(statement)).await?;
    done?;
    Ok(taken)
}

/// Loads everything, a COPY and a transaction a batch; CPU seconds of the connection's process, and wall seconds.
async fn load(client: &Client, process: u32, shape: Shape, seed: u64) -> anyhow::Result<(f64, f64)> {
    let (send, mut receive) = tokio::sync::mpsc::channel::<Vec<u8>>(4);
    let maker = tokio::task::spawn_blocking(move || {
        batches(shape, seed, |batch| {
            // The receiver is gone when loading failed; its error is told there.
            let _told_by_the_receiver = send.blocking_send(batch);
        });
    });
    let (before, begun) = (measure::of_process(process)?, Instant::now());
    while let Some(batch) = receive.recv().await {
        let sink = client.copy_in("COPY status FROM STDIN").await?;
        let mut sink = std::pin::pin!(sink);
        sink.send(bytes::Bytes::from(batch)).await?;
        sink.as_mut().finish().await?;
    }
    let figures = (measure::of_process(process)? - before, begun.elapsed().as_secs_f64());
    maker.await?;
    Ok(figures)
}

/// Median CPU milliseconds of a query.
async fn query_cpu(client: &Client, process: u32, query: &str) -> anyhow::Result<f64> {
    let mut times = Vec::new();
    for _ in 0..=REPEATS {
        let before = measure::of_process(process)?;
        client.batch_execute(query).await?;
        times.push((measure::of_process(process)? - before) * 1e3);
    }
    let warm = &mut times[1..];
    warm.sort_by(f64::total_cmp);
    Ok(warm[REPEATS / 2])
}

fn not_asked() -> String {
    "–".to_owned()
}

fn print_table(measured: &[Figures], rows: f64) {
    let headings: Vec<&str> = measured.iter().map(|f| f.name).collect();
    println!("\n| | {} |\n|---|{}", headings.join(" | "), "---|".repeat(measured.len()));
    let line = |what: &str, figure: &dyn Fn(&Figures) -> String| {
        let cells: Vec<String> = measured.iter().map(figure).collect();
        println!("| {what} | {} |", cells.join(" | "));
    };
    let partitions = &measured[1];
    line("bytes a row", &|f| format!("{:.1} ({:.2})", f.bytes / rows, f.bytes / partitions.bytes));
    line("COPY, µs CPU a row", &|f| {
        format!("{:.2} ({:.2})", f.copy_cpu / rows * 1e6, f.copy_cpu / partitions.copy_cpu)
    });
    line("COPY, rows a second", &|f| format!("{:.0}", rows / f.copy_wall));
    line("COPY, sealing, vacuum, µs CPU of the server a row", &|f| {
        format!("{:.2} ({:.2})", f.all_cpu / rows * 1e6, f.all_cpu / partitions.all_cpu)
    });
    for (i, (name, _)) in QUERIES.iter().enumerate() {
        line(&format!("{name}, ms CPU"), &|f| {
            let base = partitions.queries[i].unwrap_or(0.0).max(1e-3);
            f.queries[i].map_or_else(not_asked, |taken| format!("{taken:.1} ({:.2})", taken / base))
        });
    }
    line("sealing or compressing, MB of memory", &|f| format!("{:.0}", f.finish_memory));
    for (i, (name, _)) in QUERIES.iter().enumerate() {
        line(&format!("{name}, MB of memory"), &|f| {
            f.query_memory[i].map_or_else(not_asked, |taken| format!("{taken:.0}"))
        });
    }
    println!("\nMemory is a session's own, above what it had, with work_mem at 4 MB.");
    println!("In brackets: as a multiple of weekly partitions, in this run.");
}
