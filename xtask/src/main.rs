//! Tasks of the project that have outgrown a page of shell.
//!
//! | Task | What it does |
//! |---|---|
//! | `schema` | writes the extension's install script from what the built library says of itself |
//! | `postgres-tree` | makes a private copy of the installed PostgreSQL with the extension in it |

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use xtask::{postgres_tree, schema};

#[derive(Parser)]
#[command(about = "Tasks of the Headroom project")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Print or write the extension's install script.
    Schema {
        /// The built library, libheadroom.so.
        #[arg(long)]
        library: PathBuf,
        /// Where to write it; standard output when left out.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Make or refresh a private PostgreSQL with the extension installed.
    PostgresTree {
        /// Folder that becomes the private installation.
        prefix: PathBuf,
        /// The built library, libheadroom.so.
        #[arg(long)]
        library: PathBuf,
        /// `pg_config` of the PostgreSQL to copy.
        #[arg(long, default_value = "/usr/lib/postgresql/15/bin/pg_config")]
        pg_config: PathBuf,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Schema { library, out } => schema::write(&library, out.as_deref()),
        Task::PostgresTree { prefix, library, pg_config } => {
            postgres_tree::make(&prefix, &library, &pg_config)
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
