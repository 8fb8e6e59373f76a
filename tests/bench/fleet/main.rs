//! `make bench-fleet`: the fleet run from daily values in PostgreSQL, all sealed, to stored forecasts and plans. Seconds,
//! CPU seconds and peak memory of the hub and of PostgreSQL, for the first run, for one that follows it and for one in
//! which nothing has changed. Arguments: `--units N` (default 100000), `--days N` (default 400).

mod load;
#[path = "../store/measure.rs"]
mod measure;
mod watch;

use std::env;
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use headroom_tests::{Cluster, Hub};
use watch::Peak;

/// What 100,000 units of 400 days may take, seconds and bytes.
const SECONDS_MAX: f64 = 60.0;
const BYTES_MAX: u64 = 2_000_000_000;
/// Shares of memory between PostgreSQL's processes; the rest of its settings are those of every throw-away server.
const SETTINGS: [(&str, &str); 6] = [
    ("shared_preload_libraries", "headroom"),
    ("shared_buffers", "256MB"),
    ("max_wal_size", "4GB"),
    ("maintenance_work_mem", "256MB"),
    ("headroom.jobs", "off"),
    ("jit", "off"),
];

fn main() -> anyhow::Result<()> {
    let (units, days) = arguments()?;
    let mut cluster = Cluster::with(&SETTINGS);
    let postmaster = cluster.server().process_id().context("the server has ended")?;
    let hub = Hub::on(cluster, "");
    let begun = Instant::now();
    load::fleet(&hub, units, days);
    println!(
        "{units} units of {days} daily values, loaded and sealed in {:.0} s",
        begun.elapsed().as_secs_f64()
    );
    println!(
        "{:>12} {:>9} {:>11} {:>11} {:>9} {:>14} {:>10} {:>8}",
        "run", "seconds", "hub CPU s", "PG CPU s", "hub MB", "PG private MB", "shared MB", "carried"
    );
    let mut missed = Vec::new();
    for (name, arguments) in [
        ("first", ["forecast", "--all"]),
        ("following", ["forecast", "--all"]),
        ("changed", ["forecast", "--changed"]),
    ] {
        let server_before = measure::of_server(postmaster)?;
        let ran = watch::run(&hub, postmaster, &arguments)?;
        let server = measure::of_server(postmaster)? - server_before;
        let told = hub.psql(
            "select r.forecasts, (select sum(carried) from fleet.run_ranges g where g.run_id = r.run_id)
               from fleet.forecast_runs r where r.is_current",
        );
        let (forecasts, carried) = told.split_once('|').context("two figures")?;
        ensure!(forecasts.parse::<u64>()? == u64::from(units), "{forecasts} of {units} forecasts are stored");
        let Peak { hub: hub_bytes, private, shared } = ran.peak;
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        println!(
            "{name:>12} {:>9.1} {:>11.1} {server:>11.1} {:>9.0} {:>14.0} {:>10.0} {carried:>8}",
            ran.seconds,
            ran.cpu,
            megabytes(hub_bytes),
            megabytes(private),
            megabytes(shared)
        );
        if name == "first" {
            let scale = f64::from(units) * f64::from(days) / 4e7;
            if ran.seconds > SECONDS_MAX * scale {
                missed.push(format!("{:.0} s where {:.0} s are the goal", ran.seconds, SECONDS_MAX * scale));
            }
            let bytes = hub_bytes + private + shared;
            if bytes > BYTES_MAX {
                missed.push(format!(
                    "{:.0} MB where {:.0} are the goal",
                    megabytes(bytes),
                    megabytes(BYTES_MAX)
                ));
            }
        }
    }
    println!(
        "states: {}",
        hub.psql(
            "select string_agg(state || ' ' || n, ', ' order by n desc)
               from (select state, count(*) as n from fleet.forecasts f join fleet.forecast_runs r using (run_id)
                      where r.is_current group by state) s"
        )
    );
    println!(
        "stored: {} per forecast, {} plans",
        hub.psql(
            "select pg_size_pretty(pg_total_relation_size('fleet.forecasts') / greatest(count(*), 1)) from fleet.forecasts"
        ),
        hub.psql("select count(*) from fleet.plans p join fleet.forecast_runs r using (run_id) where r.is_current and chosen")
    );
    println!("load of the machine: {}", std::fs::read_to_string("/proc/loadavg")?.trim());
    println!("missed: {}", if missed.is_empty() { "nothing".to_owned() } else { missed.join("; ") });
    Ok(())
}

fn arguments() -> anyhow::Result<(u32, u32)> {
    let (mut units, mut days) = (100_000, 400);
    let mut words = env::args().skip(1).filter(|word| word != "--bench");
    while let Some(word) = words.next() {
        let number: u32 = words.next().with_context(|| format!("{word} wants a number"))?.parse()?;
        match word.as_str() {
            "--units" => units = number,
            "--days" => days = number,
            _ => bail!("{word}: use --units or --days"),
        }
    }
    ensure!(
        (1..=1_000_000).contains(&units) && (2..=1_460).contains(&days),
        "1 to 1,000,000 units, 2 to 1,460 days"
    );
    Ok((units, days))
}
