//! `headroom config`: every setting with its value and where it came from.

use std::io::Write as _;

use serde_json::json;

use super::{Context, print_json};
use crate::config::SETTINGS;

/// Arguments of `headroom config`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the merged settings. Values of secrets are not printed.
pub(crate) fn run(context: &Context, arguments: &Arguments) -> anyhow::Result<()> {
    let rows = SETTINGS.iter().map(|setting| {
        let (value, origin) = match context.merged.get(setting.key) {
            None => (None, "not set".to_owned()),
            Some((_, origin)) if setting.secret && *origin != crate::config::Origin::Default => {
                (Some("(secret)".to_owned()), origin.to_string())
            }
            Some((value, origin)) => (Some(value.clone()), origin.to_string()),
        };
        (setting, value, origin)
    });
    if arguments.json {
        let rows: Vec<_> = rows
            .map(|(setting, value, origin)| {
                json!({ "key": setting.key, "value": value, "origin": origin, "variable": setting.variable(),
                        "flag": format!("--{}", setting.flag()), "meaning": setting.help })
            })
            .collect();
        return print_json(&rows);
    }
    let mut out = std::io::stdout().lock();
    for (setting, value, origin) in rows {
        writeln!(out, "{:<28} {:<40} {origin}", setting.key, value.unwrap_or_default())?;
    }
    Ok(())
}
