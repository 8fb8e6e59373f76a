//! A throw-away PostgreSQL for one test: private, on a Unix socket of its own, gone when dropped, also after a panic.
//!
//! The private tree is made once per target folder and refreshed when the library has changed; an initialised data
//! folder is kept beside it and copied, so a start costs a fraction of a second.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};
use tempfile::TempDir;
use tokio_postgres::{Client, Config, NoTls};
use xtask::{
    account::Account,
    postgres_tree,
    server::{PORT, Places, SUPERUSER, Server},
};

use crate::built;

/// What tells where the PostgreSQL is that every throw-away server is a copy of.
pub const PG_CONFIG: &str = "/usr/lib/postgresql/15/bin/pg_config";
/// What every throw-away server is told: no durability that a crash of the machine would need, small memory.
const SETTINGS: [(&str, &str); 5] = [
    ("fsync", "off"),
    ("max_connections", "50"),
    ("shared_buffers", "64MB"),
    ("log_min_messages", "warning"),
    ("timezone", "UTC"),
];

/// A hypertable with a key, most of its rows sealed, one late row, and a policy.
pub const READINGS: &str = "
create table readings (at timestamptz not null, device bigint not null, value float8, word text, primary key (device, at));
select headroom.create_hypertable('readings', 'at', 'device');
insert into readings select timestamptz '2026-01-01' + g * interval '5 minutes', g % 7, g * 0.25, nullif('w' || g % 13, 'w5')
  from generate_series(1, 21000) g;
select headroom.seal('readings', timestamptz '2026-03-01');
insert into readings values ('2026-02-01 00:00:01', 3, -1, 'late');
select headroom.add_seal_policy('readings', interval '30 days', initial_start => '2100-01-01');";

/// A throw-away PostgreSQL server.
#[derive(Debug)]
pub struct Cluster {
    server: Server,
    // Dropped after the server: fields are dropped in the order in which they stand.
    folder: TempDir,
}

impl Cluster {
    /// A server that preloads the extension's library, as a production server does.
    pub fn start() -> Self {
        Self::with(&[("shared_preload_libraries", "headroom")])
    }

    /// A server with these settings and no others: without `shared_preload_libraries` unless it is among them.
    pub fn with(settings: &[(&str, &str)]) -> Self {
        Self::try_with(settings).unwrap_or_else(|error| panic!("no throw-away PostgreSQL: {error:#}"))
    }

    fn try_with(settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let tree = tree()?;
        let folder = tempfile::Builder::new().prefix("headroom-test-").tempdir()?;
        let account = Account::for_folder(&tree)?;
        account.make_own_folder(folder.path())?;
        let places = Places {
            data: folder.path().join("data"),
            socket: folder.path().join("run"),
            log: folder.path().join("postgres.log"),
            bound_to_parent: false,
            tree,
        };
        copy_folder(&places.tree.join("template"), &places.data)?;
        let settings: Vec<_> = SETTINGS.iter().chain(settings).copied().collect();
        let server = Server::start(places, &settings, None)?;
        Ok(Self { server, folder })
    }

    /// The server itself: to stop, kill and start again.
    pub fn server(&mut self) -> &mut Server {
        &mut self.server
    }

    /// A folder that goes away with the cluster.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder of its socket: the host in a connection string.
    pub fn host(&self) -> &Path {
        &self.server.places().socket
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.server.places().log).unwrap_or_default()
    }

    /// A connection string, as libpq and tokio-postgres read it.
    pub fn url(&self, database: &str, user: &str) -> String {
        format!("host={} port={PORT} dbname={database} user={user}", self.host().display())
    }

    /// Runs SQL with psql as superuser and gives back what it printed. Panics with psql's words when it fails.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        self.try_psql(database, sql).unwrap_or_else(|error| panic!("{error:#}\nin: {sql}"))
    }

    /// Runs SQL with psql as superuser and gives back what it printed.
    ///
    /// # Errors
    /// With psql's own words.
    pub fn try_psql(&self, database: &str, sql: &str) -> anyhow::Result<String> {
        self.server.psql(database, sql)
    }

    /// A program of the private tree (`psql`, `pg_dump` …) with the connection's place in its environment.
    pub fn client_program(&self, name: &str) -> Command {
        self.server.client(name)
    }

    /// Makes a database with the extension in it.
    pub fn database(&self, name: &str) {
        self.psql("postgres", &format!("create database {name}"));
        self.psql(name, "create schema if not exists headroom; create extension headroom schema headroom");
    }

    /// Makes a database with the extension and every migration of the domain, as psql applies them: in order.
    pub fn migrated_database(&self, name: &str) {
        self.database(name);
        for (path, script) in migrations() {
            self.try_psql(name, &script).unwrap_or_else(|error| panic!("{}: {error:#}", path.display()));
        }
    }

    /// Connects as superuser. The connection's task ends with the client.
    pub async fn connect(&self, database: &str) -> Client {
        self.connect_as(database, SUPERUSER).await
    }

    /// Connects as this role.
    pub async fn connect_as(&self, database: &str, user: &str) -> Client {
        let mut config = Config::new();
        config.host_path(self.host()).port(PORT).dbname(database).user(user);
        let connected = config.connect(NoTls).await;
        let (client, connection) =
            connected.unwrap_or_else(|e| panic!("{user} cannot connect to {database}: {e:?}"));
        tokio::spawn(async move {
            // A lost connection shows in the client's next call; tests that kill the server expect it.
            let _lost = connection.await;
        });
        client
    }
}

/// The numbered migrations in their order, with their text.
pub fn migrations() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(built::checkout().join("sql")).expect("the checkout has a folder sql") {
        let path = entry.expect("the folder sql can be listed").path();
        let name = path.file_name().expect("an entry has a name").to_string_lossy().into_owned();
        let number = name
            .strip_prefix('V')
            .and_then(|rest| rest.split_once("__"))
            .and_then(|(n, _)| n.parse::<u32>().ok());
        if let (Some(number), true) = (number, name.ends_with(".sql")) {
            let script = fs::read_to_string(&path).expect("a migration is text");
            found.push((number, path, script));
        }
    }
    found.sort();
    found.into_iter().map(|(_, path, script)| (path, script)).collect()
}

/// The private tree of this build, up to date, with an initialised data folder as `template`.
fn tree() -> anyhow::Result<PathBuf> {
    let build = built::folder()?;
    let tree = build.join("postgres-tree");
    fs::create_dir_all(&tree)?;
    // Tests of several processes start at the same time; one makes the tree, the others wait.
    let lock = File::create(build.join("postgres-tree.lock"))?;
    lock.lock()?;
    postgres_tree::make(&tree, &built::library()?, Path::new(PG_CONFIG))?;
    let template = tree.join("template");
    if !template.join("complete").exists() {
        let places = Places {
            tree: tree.clone(),
            data: template.clone(),
            socket: build.join("unused"),
            log: build.join("unused"),
            bound_to_parent: false,
        };
        Server::initialise(&places, "trust", None)?;
        fs::write(template.join("complete"), "")?;
    }
    Ok(tree)
}

/// Copies a folder with its owners.
fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    let status = Command::new("cp")
        .args(["-a", "--reflink=auto", "--"])
        .arg(from)
        .arg(to)
        .status()
        .context("cannot run cp")?;
    if !status.success() {
        bail!("cannot copy {} to {}", from.display(), to.display());
    }
    Ok(())
}
