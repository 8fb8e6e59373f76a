//! `headroom node sign` and `headroom node import-bundle`: what a person carries from and to nodes without a network.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use flate2::read::GzDecoder;
use headroom_core::exchange::enrol::Request;
use jiff::Timestamp;

use super::{Context, enrolment, print_json};
use crate::failure::Failure;
use crate::intake;

/// Largest request that is read, bytes: real ones have about a thousand.
const REQUEST_BYTES_MAX: u64 = 65_536;
/// Largest bundle after decompression, bytes: 90 days of a hundred components have a tenth of it.
const BUNDLE_BYTES_MAX: u64 = 1 << 30;

/// Arguments of `headroom node sign`.
#[derive(Debug, clap::Args)]
pub(crate) struct SignArguments {
    /// The request that the node wrote
    request: PathBuf,
    /// Where to write what the node takes back with `headroom-node enrol --grant`; it must not exist yet
    #[arg(long, value_name = "FILE")]
    grant: PathBuf,
    /// Reference of the customer whose node it is
    #[arg(long)]
    customer: Option<String>,
}

/// Arguments of `headroom node import-bundle`.
#[derive(Debug, clap::Args)]
pub(crate) struct ImportArguments {
    /// The bundle that the node wrote
    bundle: PathBuf,
    /// Where to write what the node takes back with `headroom-node bundle acknowledge`; it must not exist yet
    #[arg(long, value_name = "FILE")]
    acknowledgement: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Signs a carried request. Whoever runs this vouches for the node.
pub(crate) async fn sign(context: &Context, arguments: &SignArguments) -> anyhow::Result<()> {
    let bytes = read(&arguments.request, REQUEST_BYTES_MAX, false)?;
    let request: Request = serde_json::from_slice(&bytes).with_context(|| {
        Failure::Data(format!("{} holds no request of a node", arguments.request.display()))
    })?;
    // Made before anything is signed: a grant that cannot be written would end the node's present certificate for nothing.
    let mut out = create(&arguments.grant)?;
    let hub = super::hub(context).await?;
    let granted = enrolment::enrol(&hub, &request, arguments.customer.as_deref()).await;
    let grant = match granted {
        Ok(grant) => grant,
        Err(error) => {
            // What stands there is empty; the error that made it so is what counts.
            let _ = std::fs::remove_file(&arguments.grant);
            return Err(error);
        }
    };
    serde_json::to_writer_pretty(&mut out, &grant)?;
    out.sync_all()?;
    println!("signed for node {}; it takes: headroom-node enrol --grant FILE", request.node);
    Ok(())
}

/// Imports a bundle. Importing it again changes nothing.
pub(crate) async fn import(context: &Context, arguments: &ImportArguments) -> anyhow::Result<()> {
    let bytes = read(&arguments.bundle, BUNDLE_BYTES_MAX, true)?;
    let hub = super::hub(context).await?;
    let out = arguments.acknowledgement.as_deref().map(create).transpose()?;
    let imported = intake::import_bundle(&hub, &bytes, Timestamp::now()).await;
    let imported = match (imported, &arguments.acknowledgement) {
        (Ok(imported), _) => imported,
        (Err(error), path) => {
            if let Some(path) = path {
                // What stands there is empty; the error that made it so is what counts.
                let _ = std::fs::remove_file(path);
            }
            return Err(error.context(format!("{} was not imported to its end", arguments.bundle.display())));
        }
    };
    if let Some(mut out) = out {
        serde_json::to_writer(&mut out, &imported.acknowledged)?;
        out.write_all(b"\n")?;
        out.sync_all()?;
    }
    if arguments.json {
        return print_json(&imported);
    }
    println!(
        "node {}: {} pushes, {} rows that were not there before, {} samples set aside",
        imported.node, imported.pushes, imported.rows, imported.set_aside
    );
    Ok(())
}

fn create(path: &Path) -> anyhow::Result<std::fs::File> {
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .with_context(|| Failure::CannotCreate(format!("cannot make {}", path.display())))
}

/// A whole file, of at most so many bytes after decompression.
fn read(path: &Path, most: u64, is_zipped: bool) -> anyhow::Result<Vec<u8>> {
    let file = std::fs::File::open(path)
        .with_context(|| Failure::NotFound(format!("{} cannot be opened", path.display())))?;
    let mut bytes = Vec::new();
    let read = if is_zipped {
        GzDecoder::new(file).take(most + 1).read_to_end(&mut bytes)
    } else {
        file.take(most + 1).read_to_end(&mut bytes)
    };
    read.with_context(|| Failure::Data(format!("{} is damaged or no such file", path.display())))?;
    if bytes.len() as u64 > most {
        return Err(Failure::Data(format!("{} holds more than {most} bytes", path.display())).into());
    }
    Ok(bytes)
}
