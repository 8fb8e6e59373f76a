//! `headroom doctor`: checks this installation and says what to mend.

use std::io::Write as _;

use serde::Serialize;

use super::{Context, print_json};
use crate::authority::Credentials;
use crate::database::{guard, migrations, pool};
use crate::failure::Failure;

/// Arguments of `headroom doctor`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    is_fine: bool,
    /// What was found, and the remedy where it is not fine.
    detail: String,
}

/// Runs every check; exit code 1 where one found something.
pub(crate) async fn run(context: &Context, arguments: &Arguments) -> anyhow::Result<()> {
    let mut findings = Vec::new();
    let mut add = |check, result: anyhow::Result<String>| {
        let (is_fine, detail) = match result {
            Ok(detail) => (true, detail),
            Err(error) => (false, format!("{error:#}")),
        };
        findings.push(Finding { check, is_fine, detail });
    };
    add(
        "authority",
        Credentials::of_hub(&context.settings.data_dir).map(|_| "certificates are there".to_owned()),
    );
    match connected(context).await {
        Err(error) => add("database", Err(error)),
        Ok(client) => {
            let client = &**client;
            add("database", Ok("answers".to_owned()));
            add("role", guard::check(client).await.map(|()| "bound by row-level security".to_owned()));
            add("schema", migrations::check(client).await.map(|()| "up to date".to_owned()));
        }
    }
    let broken = findings.iter().filter(|finding| !finding.is_fine).count();
    if arguments.json {
        print_json(&findings)?;
    } else {
        let mut out = std::io::stdout().lock();
        for finding in &findings {
            let mark = if finding.is_fine { "ok  " } else { "MEND" };
            writeln!(out, "{mark} {:<10} {}", finding.check, finding.detail)?;
        }
    }
    if broken == 0 {
        Ok(())
    } else {
        Err(Failure::Finding(format!("{broken} of {} checks found something", findings.len())).into())
    }
}

async fn connected(context: &Context) -> anyhow::Result<deadpool_postgres::Object> {
    Ok(pool::open(&context.settings)?.service.get().await?)
}
