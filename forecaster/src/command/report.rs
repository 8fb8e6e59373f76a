//! `headroom report`: the fleet's predicted dates as HTML or CSV.

use std::io::Write as _;
use std::path::PathBuf;

use jiff::Timestamp;

use super::{Context, print_json};
use crate::database::worklist;
use crate::failure::Failure;
use crate::report;

/// Arguments of `headroom report`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// File to write: its ending, .html or .csv, says the form. Standard output where not given
    #[arg(long)]
    out: Option<PathBuf>,
    /// Form
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Print JSON
    #[arg(long, conflicts_with_all = ["format", "out"])]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Html,
    Csv,
}

/// Writes the report.
pub(crate) async fn run(context: &Context, arguments: &Arguments) -> anyhow::Result<()> {
    let ending = arguments.out.as_ref().and_then(|path| path.extension()).and_then(|ending| ending.to_str());
    let format = match (arguments.format, ending) {
        (Some(format), _) => format,
        (None, Some("csv")) => Format::Csv,
        (None, Some("html" | "htm") | None) => Format::Html,
        (None, Some(other)) => {
            return Err(Failure::Usage(format!(
                "--out ends in .{other}: use .html or .csv, or give --format"
            ))
            .into());
        }
    };
    let hub = super::hub(context).await?;
    let client = hub.pool().get().await?;
    let rows = worklist::rows(&**client).await?;
    if arguments.json {
        return print_json(&rows);
    }
    let bytes = match format {
        Format::Csv => report::to_csv(&rows)?,
        Format::Html => report::to_html(&rows, Timestamp::now())?.into_bytes(),
    };
    match &arguments.out {
        Some(path) => report::whole(path, &bytes),
        None => Ok(std::io::stdout().lock().write_all(&bytes)?),
    }
}
