//! A hub with a small fleet in a throw-away PostgreSQL: the real program, the real schema, on free ports of this machine.

use std::{
    fs::{self, File},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use headroom_tests::{Cluster, built};

/// How long the hub may take to come up.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// The hub and its database. Both end when it is dropped.
pub(crate) struct World {
    hub: Child,
    /// Where its pages are.
    pub(crate) origin: String,
    /// Its database.
    pub(crate) cluster: Cluster,
    log: PathBuf,
}

impl World {
    /// Makes the database, fills it from `world.sql` and starts the hub on it.
    pub(crate) fn start() -> Self {
        let cluster = Cluster::start();
        cluster.psql("postgres", "create database fleet");
        let folder = cluster.folder().join("hub");
        fs::create_dir(&folder).expect("the cluster's folder takes folders");
        let (web, intake, node) = (free_port(), free_port(), free_port());
        let settings = [
            ("HEADROOM_DATA_DIR", folder.display().to_string()),
            ("HEADROOM_DATABASE_URL", cluster.url("fleet", "headroom_service")),
            ("HEADROOM_DATABASE_OWNER_URL", cluster.url("fleet", "postgres")),
            ("HEADROOM_WEB_LISTEN", format!("127.0.0.1:{web}")),
            ("HEADROOM_INTAKE_LISTEN", format!("127.0.0.1:{intake}")),
            ("HEADROOM_WEB_BANNER", "A world of tests: <b>nothing</b> here is real.".to_owned()),
            ("HEADROOM_WEB_REFRESH_SECONDS", "1".to_owned()),
            ("HEADROOM_PULL_ENABLED", "false".to_owned()),
            ("HEADROOM_JOBS_ENABLED", "false".to_owned()),
        ];
        let program = built::program("headroom").expect("the hub is built");
        let command = |subcommand: &str| {
            let mut command = Command::new(&program);
            command.arg(subcommand).envs(settings.iter().map(|(name, value)| (name, value)));
            command
        };
        let migrated = command("migrate").output().expect("the hub's program runs");
        assert!(migrated.status.success(), "migrate: {}", String::from_utf8_lossy(&migrated.stderr));
        cluster.psql("fleet", "alter role headroom_service login");
        let world = fs::read_to_string(built::checkout().join("tests/browser/world.sql")).expect("the world");
        cluster.psql(
            "fleet",
            &format!("\\set node_address '127.0.0.1:{node}'\nbegin;\n{world}\ncommit;\nanalyze;\n"),
        );

        let log = folder.join("hub.log");
        let output = File::create(&log).expect("the folder takes files");
        let errors = output.try_clone().expect("a second handle");
        let hub = command("serve").stdin(Stdio::null()).stdout(output).stderr(errors).spawn();
        let mut world = Self {
            hub: hub.expect("the hub starts"),
            origin: format!("http://127.0.0.1:{web}"),
            cluster,
            log,
        };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", web)).is_err() {
            let ended = world.hub.try_wait().expect("the hub is our child");
            assert!(ended.is_none(), "the hub ended at its start: {}", world.log());
            assert!(begun.elapsed() < START_PATIENCE, "the hub does not come up: {}", world.log());
            thread::sleep(Duration::from_millis(50));
        }
        world
    }

    /// What the hub has logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _already_gone = self.hub.kill();
        let _already_gone = self.hub.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}
