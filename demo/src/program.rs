//! Programs that the demo starts: they end with it, whatever happens to it.

use std::{
    fs::File,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use xtask::account::Account;

/// How long a program may take to end by itself.
const STOP_PATIENCE: Duration = Duration::from_secs(15);

/// A running program. Dropping it stops it.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    log: std::path::PathBuf,
}

impl Program {
    /// Starts a program with its output in `log`. It gets SIGTERM when the thread that starts it is gone.
    ///
    /// # Errors
    /// When it cannot be started or its log cannot be written.
    pub fn start(name: &str, program: &Path, arguments: &[&str], log: &Path) -> anyhow::Result<Self> {
        let out = File::options().create(true).append(true).open(log);
        let out = out.with_context(|| format!("cannot write {}", log.display()))?;
        let child = Account::Oneself
            .command_bound_to_parent(program, "TERM")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            // Ctrl-C of a terminal is for the demo, which ends its programs in order.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self { name: name.to_owned(), child, log: log.to_owned() })
    }

    /// Its process id.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Fails when it has ended, with the end of its log.
    ///
    /// # Errors
    /// When it has ended.
    pub fn check(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} ended ({status}):\n{}", self.name, end_of(&self.log));
        }
        Ok(())
    }

    /// Waits until `ready` says so, and fails when the program ends before or takes longer than `patience`.
    ///
    /// # Errors
    /// As [`Self::check`], and when it takes too long.
    pub fn wait_until(&mut self, patience: Duration, mut ready: impl FnMut() -> bool) -> anyhow::Result<()> {
        let begun = Instant::now();
        while !ready() {
            self.check()?;
            if begun.elapsed() > patience {
                bail!("{} is not ready after {} s:\n{}", self.name, patience.as_secs(), end_of(&self.log));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Sends it a signal, by the signal's short name.
    pub fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        // Not yet waited for, so the id cannot have passed to another process.
        let _gone_is_fine =
            Command::new("kill").args(["-s", signal, "--", &id]).stderr(Stdio::null()).status();
    }

    /// Ends it: in order first, by force when that takes too long.
    pub fn stop(&mut self) {
        self.signal("TERM");
        let begun = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if begun.elapsed() > STOP_PATIENCE {
                self.kill();
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it with SIGKILL.
    pub fn kill(&mut self) {
        let _gone_is_fine = self.child.kill();
        let _waited = self.child.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.stop();
        }
    }
}

/// Runs a program to its end and gives back what it printed.
///
/// # Errors
/// With its own words when it fails.
pub fn run(program: &Path, arguments: &[&str], input: Option<&str>) -> anyhow::Result<String> {
    run_with(program, arguments, input, &[])
}

/// As [`run`], with more in the program's environment: for what must not show in the list of processes.
///
/// # Errors
/// With its own words when it fails.
pub fn run_with(
    program: &Path,
    arguments: &[&str],
    input: Option<&str>,
    environment: &[(&str, &str)],
) -> anyhow::Result<String> {
    use std::io::Write as _;
    let mut child = Command::new(program)
        .args(arguments)
        .envs(environment.iter().copied())
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))?;
    if let (Some(text), Some(mut pipe)) = (input, child.stdin.take()) {
        pipe.write_all(text.as_bytes()).with_context(|| format!("{} does not read", program.display()))?;
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!(
            "{} {} failed ({}): {}{}",
            program.file_name().unwrap_or_default().to_string_lossy(),
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stdout).trim(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn end_of(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
