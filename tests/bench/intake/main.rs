//! `make bench-intake`: simulated nodes push to one hub, each over its own connection with its own certificate, at rates
//! that rise until one is no longer held. Latency counts from the moment at which a push was due, not from the moment at
//! which its turn came. Arguments: `--nodes N` (default 1000), `--samples N` a push (default 10), `--seconds N` a rate
//! (default 15). Nodes, hub and PostgreSQL share this machine.

use std::env;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use futures_util::StreamExt as _;
use headroom_core::exchange::enrol::{Token, hexadecimal};
use headroom_demo::node_client::Identity;
use headroom_tests::{Hub, Node};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use uuid::Uuid;

/// Pushes a second in all, one after the other.
const RATES: [u32; 7] = [25, 50, 100, 150, 200, 300, 400];
/// A rate is held while 99 of 100 pushes are acknowledged within this time, and none is refused.
const LATENCY_MAX: Duration = Duration::from_secs(1);

struct Arguments {
    nodes: usize,
    samples: u64,
    seconds: u64,
}

/// What one rate came to.
struct Figures {
    pushes: usize,
    failed: usize,
    p50: Duration,
    p99: Duration,
    wall: Duration,
    cpu_hub: f64,
    cpu_postgres: f64,
    cpu_nodes: f64,
}

fn main() -> anyhow::Result<()> {
    let arguments = arguments()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(&arguments))
}

fn arguments() -> anyhow::Result<Arguments> {
    let mut found = Arguments { nodes: 1_000, samples: 10, seconds: 15 };
    let mut words = env::args().skip(1).filter(|word| word != "--bench");
    while let Some(word) = words.next() {
        let number: u64 = words.next().with_context(|| format!("{word} wants a number"))?.parse()?;
        match word.as_str() {
            "--nodes" => found.nodes = usize::try_from(number)?,
            "--samples" => found.samples = number,
            "--seconds" => found.seconds = number,
            _ => bail!("{word}: use --nodes, --samples or --seconds"),
        }
    }
    Ok(found)
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let hub = Arc::new(Hub::serving());
    let begun = Instant::now();
    let nodes = enrol_all(&hub, arguments.nodes).await?;
    let took = begun.elapsed().as_secs_f64();
    println!(
        "{} nodes enrolled in {took:.1} s, {} samples a push, {} s a rate",
        nodes.len(),
        arguments.samples,
        arguments.seconds
    );
    // The first push of a node describes its units, each later one only tells samples.
    let begun = Instant::now();
    let first = futures_util::stream::iter(nodes.iter().cloned())
        .map(|node| {
            let hub = Arc::clone(&hub);
            async move { node.tell(&hub, 1, arguments.samples).await }
        })
        .buffer_unordered(8);
    first.collect::<Vec<()>>().await;
    println!("their first pushes took {:.1} s", begun.elapsed().as_secs_f64());
    println!(
        "{:>9} {:>10} {:>8} {:>7} {:>8} {:>8} {:>10} {:>10} {:>12} {:>6}",
        "pushes/s",
        "samples/s",
        "pushes",
        "failed",
        "p50 ms",
        "p99 ms",
        "hub CPU ms",
        "pg CPU ms",
        "nodes CPU ms",
        "held"
    );
    let mut next = vec![1 + arguments.samples; nodes.len()];
    let (mut held_rate, mut turn) = (None, 0);
    for rate in RATES {
        let figures = hold(&hub, &nodes, &mut next, &mut turn, rate, arguments).await?;
        let is_held = figures.failed == 0 && figures.p99 <= LATENCY_MAX;
        let of_one = |cpu: f64| cpu * 1e3 / figures.pushes.max(1) as f64;
        let told = figures.pushes as f64 / figures.wall.as_secs_f64();
        println!(
            "{told:>9.1} {:>10.0} {:>8} {:>7} {:>8.1} {:>8.1} {:>10.2} {:>10.2} {:>12.2} {:>6}",
            told * arguments.samples as f64,
            figures.pushes,
            figures.failed,
            figures.p50.as_secs_f64() * 1e3,
            figures.p99.as_secs_f64() * 1e3,
            of_one(figures.cpu_hub),
            of_one(figures.cpu_postgres),
            of_one(figures.cpu_nodes),
            if is_held { "yes" } else { "no" }
        );
        if !is_held {
            break;
        }
        held_rate = Some((rate, figures.p99));
    }
    let sent: u64 = next.iter().map(|next| next - 1).sum();
    let kept: u64 = hub.psql("select count(*) from fleet.status").parse()?;
    ensure!(kept == sent, "{sent} samples were acknowledged, {kept} are in PostgreSQL");
    println!("{kept} samples were acknowledged, and as many are in PostgreSQL");
    match held_rate {
        Some((rate, p99)) => println!(
            "held: {rate} pushes a second with p99 {:.0} ms; at one push in five minutes that is {} nodes",
            p99.as_secs_f64() * 1e3,
            u64::from(rate) * 300
        ),
        None => println!("no rate was held"),
    }
    Ok(())
}

/// Enrols nodes as their owners would, a token each.
async fn enrol_all(hub: &Arc<Hub>, count: usize) -> anyhow::Result<Vec<Arc<Node>>> {
    let fingerprint = hub.token(None).parse::<Token>()?.fingerprint;
    let secrets: Vec<[u8; 32]> = (0..count)
        .map(|_| {
            let mut secret = [0; 32];
            secret[..16].copy_from_slice(Uuid::new_v4().as_bytes());
            secret
        })
        .collect();
    // A process for each token would take longer than everything else.
    let hashes: Vec<String> =
        secrets.iter().map(|secret| format!("(sha256('{}'))", hexadecimal(secret))).collect();
    hub.psql(&format!(
        "insert into fleet.enrolment_tokens (secret_sha256, expires_at)
         select hash, now() + interval '1 hour' from (values {}) as t (hash)",
        hashes.join(", ")
    ));
    let places = Arc::new(Semaphore::new(16));
    let mut enrolling = Vec::with_capacity(count);
    for (number, secret) in secrets.into_iter().enumerate() {
        let (places, address) = (Arc::clone(&places), hub.intake.to_string());
        enrolling.push(tokio::spawn(async move {
            let _place = places.acquire_owned().await?;
            let token = Token { secret, fingerprint }.to_string();
            let identity = Identity::enrol(&address, &token, Uuid::new_v4()).await?;
            anyhow::Ok(Arc::new(Node::of(identity, &format!("BENCH{number}"))))
        }));
    }
    let mut nodes = Vec::with_capacity(count);
    for node in enrolling {
        nodes.push(node.await??);
    }
    Ok(nodes)
}

/// Pushes at a rate for a time, the nodes taking turns.
async fn hold(
    hub: &Arc<Hub>,
    nodes: &[Arc<Node>],
    next: &mut [u64],
    turn: &mut usize,
    rate: u32,
    arguments: &Arguments,
) -> anyhow::Result<Figures> {
    let count = usize::try_from(u64::from(rate) * arguments.seconds)?;
    let cpu_before = (cpu_of_hub(hub)?, cpu_of_postgres(hub)?, cpu_of(std::process::id())?);
    let begun = Instant::now();
    let mut sending = Vec::with_capacity(count);
    for push in 0..count {
        let index = *turn % nodes.len();
        *turn += 1;
        let (first, last) = (next[index], next[index] + arguments.samples - 1);
        next[index] = last + 1;
        let due = begun + Duration::from_secs_f64(push as f64 / f64::from(rate));
        let (hub, node) = (Arc::clone(hub), Arc::clone(&nodes[index]));
        sending.push(tokio::spawn(async move {
            tokio::time::sleep_until(due).await;
            let bytes = serde_json::to_vec(&node.push(first, last)).expect("JSON");
            let is_taken = node.try_send(&hub, bytes).await.is_ok_and(|(status, _)| status == 200);
            (is_taken, due.elapsed())
        }));
    }
    let (mut latencies, mut failed) = (Vec::with_capacity(count), 0);
    for one in sending {
        let (is_taken, latency) = one.await?;
        latencies.push(latency);
        failed += usize::from(!is_taken);
    }
    let wall = begun.elapsed();
    latencies.sort_unstable();
    let quantile = |share: f64| latencies[((latencies.len() - 1) as f64 * share).round() as usize];
    Ok(Figures {
        pushes: count,
        failed,
        p50: quantile(0.5),
        p99: quantile(0.99),
        wall,
        cpu_hub: cpu_of_hub(hub)? - cpu_before.0,
        cpu_postgres: cpu_of_postgres(hub)? - cpu_before.1,
        cpu_nodes: cpu_of(std::process::id())? - cpu_before.2,
    })
}

/// Seconds of CPU that the hub's service has used.
fn cpu_of_hub(hub: &Hub) -> anyhow::Result<f64> {
    cpu_of(hub.process_id().context("the hub has ended")?)
}

/// Seconds of CPU that PostgreSQL has used, in all of its processes, also those that have ended.
fn cpu_of_postgres(hub: &Hub) -> anyhow::Result<f64> {
    let lock = std::fs::read_to_string(hub.cluster.folder().join("data/postmaster.pid"))?;
    let postmaster = lock.lines().next().context("postmaster.pid is empty")?.trim().to_owned();
    let mut ticks = 0.0;
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        // A process may end while the list is read: then the postmaster has counted it.
        let Some(fields) = name.parse().ok().and_then(|process| stat(process).ok()) else { continue };
        let parent = fields.get(1).context("stat is short")?;
        if name == postmaster {
            ticks += sum(&fields, 11..15)?;
        } else if *parent == postmaster {
            ticks += sum(&fields, 11..13)?;
        }
    }
    Ok(ticks / TICKS_A_SECOND)
}

/// Seconds of CPU that a process has used, all of its threads.
fn cpu_of(process: u32) -> anyhow::Result<f64> {
    Ok(sum(&stat(process)?, 11..13)? / TICKS_A_SECOND)
}

/// USER_HZ, fixed on Linux.
const TICKS_A_SECOND: f64 = 100.0;

/// Fields of /proc/PID/stat after the name in brackets, proc(5): the parent is the second, from the twelfth on stand ticks
/// in user and kernel mode, then those of children that have ended.
fn stat(process: u32) -> anyhow::Result<Vec<String>> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').context("stat has no name")?;
    Ok(fields.split_whitespace().map(str::to_owned).collect())
}

fn sum(fields: &[String], which: std::ops::Range<usize>) -> anyhow::Result<f64> {
    let fields = fields.get(which).context("stat is short")?;
    Ok(fields.iter().filter_map(|field| field.parse::<f64>().ok()).sum())
}
