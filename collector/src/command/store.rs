//! `headroom-node store`: what is in the node's own store, beside a running node.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::json;

use super::{Context, print_json};
use crate::failure::Failure;
use crate::store::{Store, check_file, export_readable, quarantined_files};

/// Rows of the journal that a check shows.
const ENTRIES: u32 = 10;

/// Arguments of `store`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Commands,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum Commands {
    /// Look whether the file is whole, and what it holds; changes nothing; exit code 1 where it is damaged
    Check {
        /// Another file than the node's
        file: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print every sample as a line of JSON, oldest first
    Export {
        /// Only samples measured after this moment
        #[arg(long, value_name = "TIME")]
        since: Option<Timestamp>,
    },
    /// Damaged files that were set aside: list them, or print what can be read in one
    Quarantine {
        /// Print every sample that can be read in this file, as a line of JSON
        #[arg(long, value_name = "FILE")]
        export: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Runs a subcommand.
pub(crate) fn run(context: &Context, args: &Args) -> anyhow::Result<ExitCode> {
    let own = context.settings.store_path();
    match &args.command {
        Commands::Check { file, json } => check(file.as_ref().unwrap_or(&own), *json),
        Commands::Export { since } => export(&own, since.unwrap_or(Timestamp::MIN)),
        Commands::Quarantine { export: Some(file), .. } => export_damaged(file),
        Commands::Quarantine { export: None, json } => quarantine(&own, *json),
    }
}

fn check(path: &std::path::Path, as_json: bool) -> anyhow::Result<ExitCode> {
    if !path.exists() {
        return Err(Failure::NotFound(format!("{} is not there", path.display())).into());
    }
    if let Some(finding) = check_file(path)? {
        if as_json {
            print_json(&json!({ "file": path, "damaged": finding }))?;
        } else {
            println!("{} is damaged: {finding}", path.display());
            println!("A node that opens it sets it aside and saves what can be read.");
        }
        return Ok(ExitCode::from(1));
    }
    let store = Store::open_reader(path)?;
    let (count, highest, waiting) = (store.count()?, store.highest()?, store.waiting()?);
    let damaged = store.damaged_samples()?;
    let (bytes, acknowledged, journal) =
        (store.bytes_used()?, store.acknowledged()?, store.journal(ENTRIES)?);
    if as_json {
        print_json(&json!({
            "file": path, "store": store.id(), "samples": count, "highest_sequence": highest,
            "waiting": waiting, "bytes": bytes, "acknowledged": acknowledged,
            "damaged_samples": damaged, "thinned": highest.saturating_sub(count + damaged), "journal": journal,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "{} is whole (store {})", path.display(), store.id())?;
    writeln!(
        out,
        "{count} samples of {highest} that were measured; {waiting} wait for the hub; {bytes} bytes"
    )?;
    if damaged > 0 {
        writeln!(out, "{damaged} samples could not be read and were set aside")?;
    }
    for entry in journal {
        writeln!(out, "  {}  {}", entry.at.strftime("%Y-%m-%d %H:%M:%SZ"), entry.detail)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn export(path: &std::path::Path, since: Timestamp) -> anyhow::Result<ExitCode> {
    if !path.exists() {
        return Err(Failure::NotFound(format!("{} is not there: has this node run?", path.display())).into());
    }
    let store = Store::open_reader(path)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let (mut after, highest) = (0, store.highest()?);
    while after < highest {
        let samples = store.between(after + 1, highest, 1_000)?;
        let Some(last) = samples.last() else { break };
        after = last.sequence;
        for sample in samples.iter().filter(|sample| sample.at > since) {
            serde_json::to_writer(&mut out, sample)?;
            writeln!(out)?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn export_damaged(file: &std::path::Path) -> anyhow::Result<ExitCode> {
    if !file.exists() {
        return Err(Failure::NotFound(format!("{} is not there", file.display())).into());
    }
    let (samples, unreadable) = export_readable(file);
    if samples.is_empty()
        && unreadable == 0
        && let Some(finding) = check_file(file)?
    {
        let sentence = format!("no sample can be read in {}: {finding}", file.display());
        return Err(Failure::Data(sentence).into());
    }
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for sample in &samples {
        serde_json::to_writer(&mut out, sample)?;
        writeln!(out)?;
    }
    out.flush()?;
    eprintln!(
        "headroom-node: {} samples of {} can be read, {unreadable} between them cannot",
        samples.len(),
        file.display()
    );
    Ok(ExitCode::SUCCESS)
}

fn quarantine(store: &std::path::Path, as_json: bool) -> anyhow::Result<ExitCode> {
    let files = quarantined_files(store).context("the quarantine cannot be read")?;
    if as_json {
        print_json(&files)?;
    } else if files.is_empty() {
        println!("no damaged store was set aside");
    }
    for file in files.iter().filter(|_| !as_json) {
        let bytes = std::fs::metadata(file).map(|found| found.len()).unwrap_or(0);
        println!("{}  {bytes} bytes", file.display());
    }
    Ok(ExitCode::SUCCESS)
}
