//! As whom PostgreSQL runs. It refuses to run as root; root's checkout is often closed to everybody else.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};

/// The account that PostgreSQL's packages make.
const ACCOUNT: &str = "postgres";

/// Capabilities that let an account through folders that are closed to it. A container often has only the second.
const CAPABILITIES: [&str; 2] = ["dac_read_search", "dac_override"];

/// How to start programs of PostgreSQL: as oneself, or as `postgres` where we are root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Account {
    /// As whoever runs this.
    Oneself,
    /// As `postgres`, with a capability where the way to the program is closed to it.
    Postgres {
        /// The capability, by its short name.
        capability: Option<&'static str>,
    },
}

impl Account {
    /// Who runs what lies in this folder, which must exist.
    ///
    /// # Errors
    /// Where we are root and no way is found that lets `postgres` reach the folder.
    pub fn for_folder(folder: &Path) -> anyhow::Result<Self> {
        if !is_root()? {
            return Ok(Self::Oneself);
        }
        let ways = [None, Some(CAPABILITIES[0]), Some(CAPABILITIES[1])];
        for account in ways.map(|capability| Self::Postgres { capability }) {
            let reached = account
                .command(Path::new("/usr/bin/test"))
                .arg("-r")
                .arg(folder)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .context("cannot run setpriv: install util-linux")?;
            if reached.success() {
                return Ok(account);
            }
        }
        bail!(
            "PostgreSQL runs as the account {ACCOUNT}, which cannot reach {}: use a checkout under /srv or /tmp, \
             or open the folders above it with chmod o+x",
            folder.display()
        )
    }

    /// A command that starts this program as this account.
    pub fn command(&self, program: &Path) -> Command {
        match self {
            Self::Oneself => Command::new(program),
            Self::Postgres { capability } => {
                let mut command = Command::new("setpriv");
                command.args([
                    &format!("--reuid={ACCOUNT}"),
                    &format!("--regid={ACCOUNT}"),
                    "--clear-groups",
                ]);
                if let Some(capability) = capability {
                    command.args([
                        &format!("--inh-caps=+{capability}"),
                        &format!("--ambient-caps=+{capability}"),
                    ]);
                }
                command.arg("--").arg(program);
                command
            }
        }
    }

    /// The same, for a program that gets this signal when the thread that starts it is gone.
    pub fn command_bound_to_parent(&self, program: &Path, signal: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.arg(format!("--pdeathsig={signal}"));
        // setpriv sets the signal last, so the change of account does not clear it.
        let plain = self.command(program);
        match self {
            Self::Oneself => command.arg("--").arg(program),
            Self::Postgres { .. } => command.args(plain.get_args()),
        };
        command
    }

    /// Makes a folder that this account owns and nobody else may enter. An existing folder keeps what is in it.
    ///
    /// # Errors
    /// When the folder cannot be made or handed over.
    pub fn make_own_folder(&self, folder: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        self.hand_over(folder)
    }

    /// Writes a file that this account alone may read.
    ///
    /// # Errors
    /// When it exists, cannot be written or handed over.
    pub fn write_secret(&self, path: &Path, text: &str) -> anyhow::Result<()> {
        File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .and_then(|mut file| writeln!(file, "{text}"))
            .with_context(|| format!("cannot write {}", path.display()))?;
        self.hand_over(path)
    }

    fn hand_over(&self, path: &Path) -> anyhow::Result<()> {
        if *self == Self::Oneself {
            return Ok(());
        }
        let status =
            Command::new("chown").arg(ACCOUNT).arg("--").arg(path).status().context("cannot run chown")?;
        if !status.success() {
            bail!("cannot give {} to {ACCOUNT}", path.display());
        }
        Ok(())
    }
}

fn is_root() -> anyhow::Result<bool> {
    let own = fs::metadata("/proc/self").context("cannot see who we are: /proc is not mounted")?;
    Ok(own.uid() == 0)
}
