//! `headroom import`: customers, catalogue and units from CSV.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use jiff::Timestamp;

use super::{Context, print_json, progress};
use crate::failure::Failure;
use crate::import::{self, Kind, Refused};

/// Arguments of `headroom import`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What the file holds
    kind: Kind,
    /// CSV file with a header, UTF-8; - for standard input
    #[arg(required_unless_present = "columns")]
    file: Option<PathBuf>,
    /// Print the columns of such a file instead
    #[arg(long)]
    columns: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Imports a file, all or nothing. Mistakes are told with their lines: exit code 65.
pub(crate) async fn run(context: &Context, arguments: &Arguments) -> anyhow::Result<()> {
    let Some(file) = arguments.file.as_ref().filter(|_| !arguments.columns) else {
        return columns(arguments);
    };
    let name = file.display().to_string();
    let input: Box<dyn Read> = if name == "-" {
        Box::new(std::io::stdin())
    } else {
        Box::new(
            File::open(file)
                .map_err(|error| Failure::NotFound(format!("{name} cannot be opened: {error}")))?,
        )
    };
    let hub = super::hub(context).await?;
    let mut client = hub.pool().get().await?;
    let bar = progress::bar(0, "rows");
    let result = import::import(
        &mut client,
        arguments.kind,
        input,
        Timestamp::now(),
        |rows| bar.set_length(rows),
        || bar.inc(1),
    )
    .await;
    bar.finish_and_clear();
    match result {
        Ok(imported) if arguments.json => print_json(&imported),
        Ok(imported) => {
            println!(
                "{} rows: {} added, {} changed, {} as they were",
                imported.rows, imported.added, imported.changed, imported.unchanged
            );
            Ok(())
        }
        Err(Refused::Database(error)) => Err(error.into()),
        Err(Refused::Mistakes(mistakes)) => {
            if arguments.json {
                print_json(&serde_json::json!({ "mistakes": mistakes.0 }))?;
            }
            let count = mistakes.0.len();
            let text = mistakes.to_text();
            Err(Failure::Data(format!("{name} has {count} mistakes, nothing was imported\n{text}")).into())
        }
    }
}

fn columns(arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.json {
        return print_json(&arguments.kind.columns());
    }
    for column in arguments.kind.columns() {
        let needed = if column.is_required { "required" } else { "" };
        println!("{:<24} {needed:<9} {}", column.name, column.about);
    }
    Ok(())
}
