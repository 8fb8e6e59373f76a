//! The twin test: random statements on a hypertable with sealed blocks and on a plain table with the same key give the
//! same rows, also while rows are being sealed and under a snapshot from before.
//!
//! `HEADROOM_TWIN_SEED` repeats a run; a failure names its seed and statement.

mod twin;

use headroom_tests::Cluster;
use twin::{Twins, statement::Random};

/// Statements of a run in CI; `make soak` runs many more.
const STATEMENTS: usize = 1_500;
const STATEMENTS_SOAK: usize = 20_000;

fn seed() -> u64 {
    std::env::var("HEADROOM_TWIN_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_261_124)
}

async fn run(statements: usize, seed: u64, role: Option<&str>) {
    let cluster = Cluster::start();
    let mut twins = Twins::make(&cluster, role).await;
    let mut random = Random::new(seed);
    for number in 0..statements {
        twins.step(&mut random, &format!("seed {seed}, statement {number}")).await;
    }
    twins.compare_everything(&format!("seed {seed}, at the end")).await;
}

#[tokio::test]
async fn twins_answer_alike() {
    run(STATEMENTS, seed(), None).await;
}

#[tokio::test]
async fn twins_answer_alike_under_row_level_security() {
    run(STATEMENTS / 2, seed() + 1, Some("reader")).await;
}

#[tokio::test]
async fn twins_answer_alike_while_rows_are_sealed() {
    let cluster = Cluster::start();
    let mut twins = Twins::make(&cluster, None).await;
    let sealing = cluster.connect("db").await;
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let sealer = tokio::spawn(async move {
        let mut rounds = 0;
        while stopped.try_recv().is_err() {
            let sql = match rounds % 5 {
                4 => "select headroom.unseal('t')".to_owned(),
                day => format!("select headroom.seal('t', timestamptz '2026-01-0{}')", day + 2),
            };
            sealing.batch_execute(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
            rounds += 1;
        }
        rounds
    });
    let mut random = Random::new(seed() + 2);
    for number in 0..STATEMENTS / 2 {
        twins.step(&mut random, &format!("seed {}, statement {number}, while sealing", seed() + 2)).await;
    }
    stop.send(()).expect("the sealer runs");
    let rounds = sealer.await.expect("sealing goes on");
    assert!(rounds > 5, "only {rounds} rounds of sealing");
    twins.compare_everything("after sealing").await;
}

#[tokio::test]
async fn a_snapshot_from_before_sees_twins_alike() {
    let cluster = Cluster::start();
    let mut twins = Twins::make(&cluster, None).await;
    let mut random = Random::new(seed() + 3);
    for round in 0..6 {
        twins.begin_old_snapshot(&cluster).await;
        for number in 0..40 {
            twins.step(&mut random, &format!("seed {}, round {round}, statement {number}", seed() + 3)).await;
            twins.read_in_old_snapshot(&mut random, &format!("round {round}, statement {number}")).await;
        }
    }
}

#[tokio::test]
#[ignore = "a long run, for make soak"]
async fn twins_answer_alike_for_long() {
    let seed = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(1, |elapsed| elapsed.as_secs());
    println!("HEADROOM_TWIN_SEED={seed}");
    run(STATEMENTS_SOAK, seed, None).await;
}
