//! The demo's private PostgreSQL: tree, cluster, database, roles.

use anyhow::{Context as _, bail};
use std::{fs, path::Path};
use xtask::{
    postgres_tree, schema,
    server::{PORT, Server, program},
};

use crate::{places::Places, secret};

/// Name of the demo's database.
pub const DATABASE: &str = "headroom";
const PG_CONFIG: &str = "/usr/lib/postgresql/15/bin/pg_config";
/// A small server that keeps what it has committed.
const SETTINGS: [(&str, &str); 7] = [
    ("shared_preload_libraries", "headroom"),
    ("shared_buffers", "128MB"),
    ("max_connections", "60"),
    ("timezone", "UTC"),
    ("password_encryption", "scram-sha-256"),
    ("log_line_prefix", "%m %u "),
    ("log_min_messages", "warning"),
];

/// Starts the private server, making tree, cluster and database where they are missing.
///
/// # Errors
/// When PostgreSQL is missing, or the database was made with another install script of the extension.
pub fn start(places: &Places) -> anyhow::Result<Server> {
    let library = places.program("libheadroom.so");
    fs::create_dir_all(places.tree())?;
    postgres_tree::make(&places.tree(), &library, Path::new(PG_CONFIG))?;
    let password = secret::password(&places.of("postgres-password"))?;
    let cluster = xtask::server::Places {
        tree: places.tree(),
        data: places.of("data"),
        socket: places.socket(),
        log: places.of("postgres.log"),
        bound_to_parent: true,
    };
    Server::initialise(&cluster, "scram-sha-256", Some(&password))?;
    write_passwords(places, &[])?;
    let server = Server::start(cluster, &SETTINGS, Some(&password))?;
    let exists =
        server.psql("postgres", &format!("select 1 from pg_database where datname = '{DATABASE}'"))?;
    if exists.is_empty() {
        server.psql("postgres", &format!("create database {DATABASE}"))?;
    }
    update_extension(places, &server, &library)?;
    Ok(server)
}

/// Brings the database's extension to the version of the library. Within one version its SQL must be the same: an update
/// goes from one released version to the next.
fn update_extension(places: &Places, server: &Server, library: &Path) -> anyhow::Result<()> {
    let script = schema::script(library)?;
    let kept = places.of("extension.sql");
    let installed =
        server.psql(DATABASE, "select extversion from pg_extension where extname = 'headroom'")?;
    if installed == schema::VERSION {
        let old = fs::read_to_string(&kept).with_context(|| format!("cannot read {}", kept.display()))?;
        if !has_same_lines(&old, &script) {
            bail!(
                "the extension's SQL has changed since this demo was made, and its version has not: run `make clean`, then `make demo`"
            );
        }
        return Ok(());
    }
    if !installed.is_empty() {
        println!("== extension: from version {installed} to {}", schema::VERSION);
        server.psql(DATABASE, "alter extension headroom update")?;
    }
    fs::write(&kept, script).with_context(|| format!("cannot write {}", kept.display()))
}

/// The order in which a script makes what does not depend on each other differs from build to build.
fn has_same_lines(one: &str, other: &str) -> bool {
    let sorted = |script: &str| {
        let mut lines: Vec<String> = script.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    sorted(one) == sorted(other)
}

/// Gives roles that log in their passwords, each made for this installation, and notes them where psql looks.
///
/// # Errors
/// When a password cannot be kept or set.
pub fn set_passwords(places: &Places, server: &Server, roles: &[&str]) -> anyhow::Result<()> {
    for role in roles {
        let password = secret::password(&places.of(&format!("{role}-password")))?;
        server.psql(DATABASE, &format!("alter role {role} login password '{password}'"))?;
    }
    write_passwords(places, roles)
}

/// Opens psql on the demo's database as headroom_admin, and leaves this process to it.
///
/// # Errors
/// When psql cannot be started.
pub fn psql(places: &Places, arguments: &[String]) -> anyhow::Result<()> {
    use std::os::unix::process::CommandExt as _;
    let url = format!("host={} port={PORT} dbname={DATABASE} user=headroom_admin", places.socket().display());
    let error = std::process::Command::new(program(&places.tree(), "psql"))
        .env("PGPASSFILE", places.of("pgpass"))
        .arg(url)
        .args(arguments)
        .exec();
    Err(error).context("cannot start psql")
}

/// The file in which libpq's programs look passwords up.
fn write_passwords(places: &Places, roles: &[&str]) -> anyhow::Result<()> {
    let mut lines = Vec::new();
    for role in ["postgres"].iter().chain(roles) {
        let password = secret::password(&places.of(&format!("{role}-password")))?;
        lines.push(format!("*:*:*:{role}:{password}"));
    }
    secret::write(&places.of("pgpass"), &lines.join("\n"))
}
