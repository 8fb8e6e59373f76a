//! A PostgreSQL server of our own: started on a private tree, reached by a Unix socket only, stopped with its owner.

use std::{
    fs::{self, File, Permissions},
    io::Write as _,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use crate::{account::Account, postgres_tree};

/// The port only names the socket's file: each server has a socket folder of its own.
pub const PORT: u16 = 5432;
/// Name of the cluster's superuser.
pub const SUPERUSER: &str = "postgres";
/// How long a start may take: recovery after a crash included.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// How long an orderly end may take before it is cut short.
const STOP_PATIENCE: Duration = Duration::from_secs(20);
/// A Unix socket's path holds 107 bytes at most (sun_path of unix(7)); the socket's own name takes 14.
pub const SOCKET_FOLDER_BYTES_MAX: usize = 107 - 14;

/// Where a server's files are.
#[derive(Debug, Clone)]
pub struct Places {
    /// The private tree made by [`postgres_tree::make`].
    pub tree: PathBuf,
    /// The cluster's data folder.
    pub data: PathBuf,
    /// The folder of its socket.
    pub socket: PathBuf,
    /// Where it logs.
    pub log: PathBuf,
    /// Whether it ends with the thread that starts it, even when that is killed. A server that tests hand from thread
    /// to thread does not.
    pub bound_to_parent: bool,
}

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    places: Places,
    account: Account,
    settings: Vec<(String, String)>,
    password: Option<String>,
    child: Option<Child>,
}

impl Server {
    /// Makes the cluster where there is none. `authentication` is what `pg_hba.conf` says of the local socket.
    ///
    /// # Errors
    /// With initdb's own words when it fails.
    pub fn initialise(
        places: &Places,
        authentication: &str,
        superuser_password: Option<&str>,
    ) -> anyhow::Result<()> {
        if places.data.join("PG_VERSION").exists() {
            return Ok(());
        }
        let account = Account::for_folder(&places.tree)?;
        account.make_own_folder(&places.data)?;
        let mut initdb = account.command(&program(&places.tree, "initdb"));
        initdb.arg("--pgdata").arg(&places.data).args([
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--data-checksums",
            &format!("--username={SUPERUSER}"),
            &format!("--auth-local={authentication}"),
            "--auth-host=reject",
        ]);
        // initdb runs as another account, which may not open our standard input: it reads a file of its own.
        let secret = places.data.with_extension("initdb");
        if let Some(password) = superuser_password {
            if secret.exists() {
                fs::remove_file(&secret).with_context(|| format!("cannot remove {}", secret.display()))?;
            }
            account.write_secret(&secret, password)?;
            initdb.arg("--pwfile").arg(&secret);
        }
        let output = initdb.stdin(Stdio::null()).output().context("cannot start initdb")?;
        if superuser_password.is_some() {
            fs::remove_file(&secret).with_context(|| format!("cannot remove {}", secret.display()))?;
        }
        if !output.status.success() {
            bail!(
                "initdb failed in {}: {}",
                places.data.display(),
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(())
    }

    /// Starts a server on an initialised cluster and waits until it takes connections. `password` is the superuser's.
    ///
    /// # Errors
    /// When it ends at once or does not answer within a minute; the message holds the end of its log.
    pub fn start(places: Places, settings: &[(&str, &str)], password: Option<&str>) -> anyhow::Result<Self> {
        if places.socket.as_os_str().len() > SOCKET_FOLDER_BYTES_MAX {
            bail!(
                "the path {} is too long for a socket: at most {SOCKET_FOLDER_BYTES_MAX} bytes",
                places.socket.display()
            );
        }
        let account = Account::for_folder(&places.tree)?;
        account.make_own_folder(&places.socket)?;
        fs::set_permissions(&places.socket, Permissions::from_mode(0o700))?;
        let settings =
            settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let password = password.map(str::to_owned);
        let mut server = Self { places, account, settings, password, child: None };
        server.start_again()?;
        Ok(server)
    }

    /// Starts it again after [`Self::stop`] or [`Self::kill`].
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_again(&mut self) -> anyhow::Result<()> {
        if self.child.is_some() {
            return Ok(());
        }
        let log = File::options().create(true).append(true).open(&self.places.log);
        let log = log.with_context(|| format!("cannot write {}", self.places.log.display()))?;
        let postgres = program(&self.places.tree, "postgres");
        let mut command = if self.places.bound_to_parent {
            let mut command = self.account.command_bound_to_parent(&postgres, "INT");
            // Ctrl-C of a terminal is for its owner, who ends it in order.
            command.process_group(0);
            command
        } else {
            self.account.command(&postgres)
        };
        command.arg("-D").arg(&self.places.data);
        let socket = self.places.socket.to_string_lossy();
        let fixed =
            [("listen_addresses", ""), ("unix_socket_directories", &*socket), ("port", &PORT.to_string())];
        for (name, value) in
            fixed.into_iter().chain(self.settings.iter().map(|(n, v)| (n.as_str(), v.as_str())))
        {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        // With it, every error's DETAIL would be a backtrace of the extension.
        command.env_remove("RUST_BACKTRACE");
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.child = Some(command.spawn().context("cannot start postgres")?);
        let begun = Instant::now();
        loop {
            let ended = self.child.as_mut().map(Child::try_wait).transpose()?.flatten();
            if let Some(status) = ended {
                self.child = None;
                bail!("PostgreSQL ended at its start ({status}): {}", self.end_of_log());
            }
            if self.psql("postgres", "select 1").is_ok() {
                return Ok(());
            }
            if begun.elapsed() > START_PATIENCE {
                self.stop();
                bail!("PostgreSQL does not answer: {}", self.end_of_log());
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Changes a setting: the next start uses it.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// Stops it in order: open sessions are ended, everything is written. Cut short when it takes too long.
    pub fn stop(&mut self) {
        self.end("INT");
    }

    /// Kills the postmaster with SIGKILL, as a crash would, and waits until its children are gone.
    pub fn kill(&mut self) {
        self.end("KILL");
        // Orphaned backends notice within moments; a new server refuses to start while one is attached.
        let begun = Instant::now();
        while self.has_orphans() && begun.elapsed() < STOP_PATIENCE {
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn end(&mut self, signal: &str) {
        let Some(mut child) = self.child.take() else { return };
        signal_process(child.id(), signal);
        let begun = Instant::now();
        let mut cut = false;
        loop {
            match child.try_wait() {
                Ok(Some(_)) | Err(_) => return,
                Ok(None) if !cut && begun.elapsed() > STOP_PATIENCE => {
                    signal_process(child.id(), "QUIT");
                    cut = true;
                }
                Ok(None) => thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    fn has_orphans(&self) -> bool {
        let Ok(processes) = fs::read_dir("/proc") else { return false };
        processes
            .flatten()
            .any(|process| fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd == self.places.data))
    }

    /// The process id of the postmaster, while it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Where its files are.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// A program of the private tree, to be run as the server's account, with the connection's place in its environment.
    pub fn client(&self, name: &str) -> Command {
        let mut command = self.account.command(&program(&self.places.tree, name));
        command.env("PGHOST", &self.places.socket).env("PGPORT", PORT.to_string()).env("PGUSER", SUPERUSER);
        command.env_remove("PGDATABASE").env_remove("PGSERVICE").env("PGCONNECT_TIMEOUT", "10");
        if let Some(password) = &self.password {
            command.env("PGPASSWORD", password);
        }
        command
    }

    /// Runs SQL as superuser with psql and gives back what it printed, unaligned and without headers.
    ///
    /// # Errors
    /// With psql's own words.
    pub fn psql(&self, database: &str, sql: &str) -> anyhow::Result<String> {
        let mut command = self.client("psql");
        command.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-f", "-", "-d", database]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut input = child.stdin.take().context("psql has no input")?;
        let sql = sql.to_owned();
        // Written beside the reading: a long script and a long answer would wait for each other.
        let writer = thread::spawn(move || input.write_all(sql.as_bytes()));
        let output = child.wait_with_output()?;
        let written = writer.join().map_err(|_| anyhow::anyhow!("the writer of psql's input panicked"))?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
        }
        written.context("psql did not read all of its input")?;
        Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
    }

    /// The last lines of its log.
    pub fn end_of_log(&self) -> String {
        let log = fs::read_to_string(&self.places.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Path of a program in a private tree.
pub fn program(tree: &Path, name: &str) -> PathBuf {
    postgres_tree::programs(tree).join(name)
}

fn signal_process(process: u32, signal: &str) {
    // The process is our own child and not yet waited for, so its id cannot have passed to another.
    let _gone_is_fine =
        Command::new("kill").args(["-s", signal, "--", &process.to_string()]).stderr(Stdio::null()).status();
}
