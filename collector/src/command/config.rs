//! `headroom-node config`: every setting, its value and who said so.

use std::io::Write as _;

use serde_json::json;

use super::{Context, print_json};
use crate::config::SETTINGS;

/// Arguments of `config`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the merged settings.
pub(crate) fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    if args.json {
        let all: serde_json::Map<String, serde_json::Value> = context
            .merged
            .all()
            .map(|(key, value, origin)| {
                (key.to_owned(), json!({ "value": value, "origin": origin.to_string() }))
            })
            .collect();
        return print_json(&all);
    }
    let mut out = std::io::stdout().lock();
    let width = SETTINGS.iter().map(|setting| setting.key.len()).max().unwrap_or(0);
    for (key, value, origin) in context.merged.all() {
        writeln!(out, "{key:<width$} = {value:?}  ({origin})")?;
    }
    Ok(())
}
