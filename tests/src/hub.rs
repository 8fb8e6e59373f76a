//! The hub's own program on a throw-away PostgreSQL: its commands, and its service where a test asks for it.

use std::{
    io::Write as _,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use headroom_demo::program::Program;
use serde_json::Value;
use tempfile::TempDir;

use crate::{Cluster, built};

/// Name of the hub's database.
pub const DATABASE: &str = "hub";
const START_PATIENCE: Duration = Duration::from_secs(60);

/// A hub with a database of its own. Dropping it ends its service, then PostgreSQL.
#[derive(Debug)]
pub struct Hub {
    service: Option<Program>,
    /// Where the web view listens.
    pub web: SocketAddr,
    /// Where the intake listens.
    pub intake: SocketAddr,
    /// Its PostgreSQL.
    pub cluster: Cluster,
    folder: TempDir,
}

/// What a command came to.
#[derive(Debug)]
pub struct Ran {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ran {
    /// Standard output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {}\n{}", self.out, self.err))
    }
}

impl Hub {
    /// A migrated database and a configuration; the service does not run yet.
    pub fn new() -> Self {
        Self::with("")
    }

    /// The same with more settings, as lines of TOML with dotted keys.
    pub fn with(settings: &str) -> Self {
        Self::on(Cluster::start(), settings)
    }

    /// The same on a server that is there already.
    pub fn on(cluster: Cluster, settings: &str) -> Self {
        cluster.psql("postgres", &format!("create database {DATABASE}"));
        let folder = tempfile::Builder::new().prefix("headroom-hub-").tempdir().expect("a folder");
        let (web, intake) = (free_address(), free_address());
        let hub = Self { service: None, web, intake, cluster, folder };
        let configuration = format!(
            "data_dir = \"{}\"\ndatabase.url = \"{}\"\ndatabase.owner_url = \"{}\"\n\
             web.listen = \"{web}\"\nintake.listen = \"{intake}\"\npull.interval_seconds = 1\n\
             jobs.enabled = false\n{settings}\n",
            hub.folder.path().join("data").display(),
            hub.cluster.url(DATABASE, "hub_service"),
            hub.cluster.url(DATABASE, "postgres"),
        );
        std::fs::write(hub.configuration(), configuration).expect("the configuration can be written");
        let migrated = hub.run(&["migrate"]);
        assert_eq!(migrated.code, 0, "{}", migrated.err);
        hub.psql("create role hub_service login in role headroom_service");
        hub
    }

    /// A hub whose service runs.
    pub fn serving() -> Self {
        let mut hub = Self::new();
        hub.serve();
        hub
    }

    /// Starts the service and waits until it listens.
    pub fn serve(&mut self) {
        let configuration = self.configuration().display().to_string();
        let mut service = Program::start(
            "the hub",
            &built::program("headroom").expect("headroom is built"),
            &["--config", &configuration, "serve"],
            &self.log_path(),
        )
        .expect("the hub starts");
        let (web, intake) = (self.web, self.intake);
        service
            .wait_until(START_PATIENCE, || {
                TcpStream::connect(web).is_ok() && TcpStream::connect(intake).is_ok()
            })
            .unwrap_or_else(|error| panic!("{error:#}"));
        self.service = Some(service);
    }

    /// Ends the service.
    pub fn stop(&mut self) {
        self.service = None;
    }

    /// The process of the service, where it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.service.as_ref().map(Program::process_id)
    }

    /// What the service logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("hub.log")
    }

    /// A folder that goes away with the hub.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its configuration file.
    pub fn configuration(&self) -> PathBuf {
        self.folder.path().join("headroom.toml")
    }

    /// Runs a command of the hub.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, "")
    }

    /// Runs a command of the hub with this on its standard input.
    pub fn run_with(&self, arguments: &[&str], input: &str) -> Ran {
        let mut child = Command::new(built::program("headroom").expect("headroom is built"))
            .arg("--config")
            .arg(self.configuration())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("headroom starts");
        // A command that does not read its input closes it: that is no failure of the test.
        let _closed = child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes()));
        ran(child.wait_with_output().expect("headroom ends"))
    }

    /// Runs SQL as superuser and gives back what psql printed.
    pub fn psql(&self, sql: &str) -> String {
        self.cluster.psql(DATABASE, sql)
    }

    /// Writes a file and imports it.
    pub fn import(&self, what: &str, csv: &str) -> Ran {
        let path = self.folder.path().join(format!("{what}.csv"));
        std::fs::write(&path, csv).expect("the file can be written");
        self.run(&["import", what, &path.display().to_string()])
    }

    /// A one-time token, for a node of this customer where one is named.
    pub fn token(&self, customer: Option<&str>) -> String {
        let mut arguments = vec!["node", "token", "--json"];
        arguments.extend(customer.iter().flat_map(|customer| ["--customer", customer]));
        let ran = self.run(&arguments);
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.json()["token"].as_str().expect("a token").to_owned()
    }
}

impl Default for Hub {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the hub's log:\n{}", self.log());
        }
    }
}

fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// An address that was free a moment ago.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address")
}
