//! `headroom-demo`: what `make demo` runs.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use headroom_demo::{addresses::Addresses, places::Places, run};

/// The demo of Headroom: a private PostgreSQL, a hub, the node of this machine and a fictional fleet.
#[derive(Debug, Parser)]
#[command(version)]
struct CommandLine {
    /// The checkout: the demo lives in its folder `.headroom/demo`
    #[arg(long)]
    checkout: PathBuf,
    /// Folder with the built programs and the extension's library
    #[arg(long)]
    programs: PathBuf,
    #[command(subcommand)]
    command: Commands,
}

#[derive(Debug, Subcommand)]
enum Commands {
    /// Run the demo until Ctrl-C
    Run {
        /// Where the web view listens
        #[arg(long, env = "WEB", default_value = "127.0.0.1:8470")]
        web: SocketAddr,
        /// Where nodes reach the hub
        #[arg(long, env = "INTAKE", default_value = "127.0.0.1:8472")]
        intake: SocketAddr,
        /// Where the node of this machine is read
        #[arg(long, env = "NODE", default_value = "127.0.0.1:8471")]
        node: SocketAddr,
    },
    /// Let days of the held-back part pass at once
    Faster {
        /// How many
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=730))]
        days: u16,
    },
    /// Stop a running demo; its data stays
    Stop,
    /// Open psql on the demo's database, as a member of headroom_admin
    Psql {
        /// What psql is given
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    let line = CommandLine::parse();
    let places = Places { checkout: line.checkout, programs: line.programs };
    let done = match line.command {
        Commands::Run { web, intake, node } => tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(Into::into)
            .and_then(|runtime| runtime.block_on(run::run(&places, Addresses { web, intake, node }))),
        Commands::Faster { days } => run::ask_faster(&places, days),
        Commands::Stop => run::stop(&places),
        Commands::Psql { arguments } => headroom_demo::database::psql(&places, &arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("headroom-demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}
