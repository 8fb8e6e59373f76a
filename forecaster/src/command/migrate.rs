//! `headroom migrate`: brings the database's schema up to date.

use super::{Context, print_json};
use crate::database::{migrations, pool};

/// Arguments of `headroom migrate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Applies the embedded migrations as the schema's owner (database.owner_url).
pub(crate) async fn run(context: &Context, arguments: &Arguments) -> anyhow::Result<()> {
    let mut client = pool::owner(&context.settings).await?;
    let applied = migrations::apply(&mut client).await?;
    if arguments.json {
        return print_json(&serde_json::json!({ "applied": applied, "version": migrations::latest() }));
    }
    for name in &applied {
        println!("applied {name}");
    }
    println!("the schema is at version {}", migrations::latest().unwrap_or(0));
    Ok(())
}
