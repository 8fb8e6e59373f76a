//! `headroom-node bundle`: a signed file that a person carries to the hub, and what comes back.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use headroom_core::exchange::Acknowledgement;
use jiff::Timestamp;

use super::{Context, print_json};
use crate::config::Settings;
use crate::credentials::Credentials;
use crate::credentials::identity::Identity;
use crate::deliver::bundle;
use crate::failure::Failure;
use crate::node::answer::{Silence, Snapshot, tell};
use crate::owner::Owner;
use crate::store::{Store, StoreError};

/// Arguments of `bundle`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Commands,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum Commands {
    /// Write what the hub has not acknowledged into a signed file
    Export {
        /// Where to; it must not exist yet
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Everything in the store, also what the hub has acknowledged
        #[arg(long)]
        all: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Take the acknowledgement that the hub's import printed, so that the next bundle holds only what is new
    Acknowledge {
        /// The file that came back
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// Runs a subcommand.
pub(crate) fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    match &args.command {
        Commands::Export { file, all, json } => export(&context.settings, file, *all, *json),
        Commands::Acknowledge { file } => acknowledge(&context.settings, file),
    }
}

fn export(settings: &Settings, file: &Path, all: bool, as_json: bool) -> anyhow::Result<()> {
    let now = Timestamp::now();
    let identity = Identity::read(&settings.data_dir)?;
    let node = identity.ok_or_else(|| Failure::NotFound("this node has not run yet".to_owned()))?.node;
    let credentials = Credentials::read(&settings.data_dir)?.ok_or_else(|| {
        Failure::Configuration(
            "this node is not enrolled, so nobody would believe the bundle: headroom-node enrol --request FILE"
                .to_owned(),
        )
    })?;
    let store = store(settings)?;
    let owner = Owner::settled(settings)?;
    let answer =
        tell(settings, node, &owner, &Snapshot::of_store(&store, now)?, now).map_err(
            |silence| match silence {
                Silence::NotGranted => Failure::Permission(silence.to_string()).into(),
                other => anyhow::Error::from(other),
            },
        )?;
    if !answer.user.consent.any() {
        return Err(Failure::Permission("every purpose was withdrawn: nothing leaves".to_owned()).into());
    }
    let out = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .with_context(|| Failure::CannotCreate(format!("cannot make {}", file.display())))?;
    let written = bundle::write(std::io::BufWriter::new(&out), &store, node, &answer, &credentials, all, now)
        .and_then(|bundled| {
            out.sync_all()?;
            Ok(bundled)
        });
    let bundled = match written {
        Ok(bundled) => bundled,
        Err(error) => {
            // Half a bundle is of no use; the error that made it so is what counts.
            let _ = std::fs::remove_file(file);
            return Err(error.context(format!("{} was not written", file.display())));
        }
    };
    if as_json {
        return print_json(&bundled);
    }
    println!("{} holds {} samples, signed by this node", file.display(), bundled.samples);
    Ok(())
}

fn acknowledge(settings: &Settings, file: &Path) -> anyhow::Result<()> {
    let bytes =
        std::fs::read(file).with_context(|| Failure::NotFound(format!("cannot read {}", file.display())))?;
    let acknowledgements: Vec<Acknowledgement> = serde_json::from_slice(&bytes)
        .with_context(|| Failure::Data(format!("{} holds no acknowledgements of a hub", file.display())))?;
    let mut store = store(settings)?;
    let (mut taken, mut for_others) = (0, 0);
    for acknowledgement in acknowledgements {
        match store.acknowledge(acknowledgement) {
            Ok(()) => taken += 1,
            // A store that was set aside since: its numbers mean nothing any more.
            Err(StoreError::OtherStore { .. }) => for_others += 1,
            Err(error) => {
                return Err(error)
                    .context(Failure::Data("this acknowledges what was never measured".to_owned()));
            }
        }
    }
    println!(
        "{taken} ranges are acknowledged, {for_others} were of another store; {} samples wait",
        store.waiting()?
    );
    Ok(())
}

fn store(settings: &Settings) -> anyhow::Result<Store> {
    let path = settings.store_path();
    if !path.exists() {
        return Err(Failure::NotFound(format!("{} is not there: has this node run?", path.display())).into());
    }
    Ok(Store::open_reader(&path)?)
}
