//! The throw-away cluster itself: everything else stands on it.

use std::path::PathBuf;

use headroom_tests::Cluster;

#[test]
fn a_cluster_has_the_extension_and_is_gone_afterwards() {
    let folder: PathBuf;
    {
        let cluster = Cluster::start();
        folder = cluster.folder().to_owned();
        cluster.database("demo");
        assert_eq!(cluster.psql("demo", "select nspname from pg_extension e join pg_namespace n on n.oid = extnamespace where extname = 'headroom'"), "headroom");
        assert_eq!(cluster.psql("demo", "show shared_preload_libraries"), "headroom");
    }
    assert!(!folder.exists(), "{} is left", folder.display());
}

#[test]
fn a_cluster_is_gone_after_a_panic_too() {
    let caught = std::panic::catch_unwind(|| {
        let cluster = Cluster::with(&[]);
        let folder = cluster.folder().to_owned();
        std::panic::panic_any(folder);
    });
    let folder = caught.expect_err("it panicked").downcast::<PathBuf>().expect("with a path");
    assert!(!folder.exists(), "{} is left", folder.display());
}

#[test]
fn what_was_committed_survives_a_killed_server() {
    let mut cluster = Cluster::start();
    cluster.psql("postgres", "create table kept (n int); insert into kept values (1)");
    cluster.server().kill();
    cluster.server().start_again().expect("it starts after a crash");
    assert_eq!(cluster.psql("postgres", "select n from kept"), "1");
}

#[tokio::test]
async fn two_clusters_run_side_by_side() {
    let (first, second) = (Cluster::start(), Cluster::start());
    first.psql("postgres", "create table only_here ()");
    let client = second.connect("postgres").await;
    let row = client.query_one("select to_regclass('only_here') is null", &[]).await.expect("answers");
    assert!(row.get::<_, bool>(0));
}
