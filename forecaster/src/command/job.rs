//! `headroom job`: scheduled work.

use std::io::Write as _;

use clap::Subcommand;
use jiff::Timestamp;

use super::{Context, print_json};
use crate::database::jobs;
use crate::failure::Failure;
use crate::schedule::{self, Outcome};

/// Subcommands of `headroom job`.
#[derive(Debug, Subcommand)]
pub(crate) enum Commands {
    /// List the jobs with their schedule, next start and last outcome
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Run a job now, whatever its schedule says
    Run {
        /// Its name
        name: String,
    },
    /// Take a parked job up again
    Resume {
        /// Its name
        name: String,
    },
}

/// Runs a subcommand.
pub(crate) async fn run(context: &Context, command: Commands) -> anyhow::Result<()> {
    let hub = super::hub(context).await?;
    match command {
        Commands::List { json } => {
            let client = hub.pool().get().await?;
            let rows = jobs::list(&**client).await?;
            if json {
                return print_json(&rows);
            }
            let mut out = std::io::stdout().lock();
            for job in rows {
                let state = match (&job.parked_at, job.last_outcome.as_deref()) {
                    (Some(at), _) => format!("parked since {at}: `headroom job resume {}`", job.name),
                    (None, Some(outcome)) => outcome.to_owned(),
                    (None, None) => "never ran".to_owned(),
                };
                writeln!(out, "{:<10} {:<16} next {}  {state}", job.name, job.schedule, job.next_start)?;
                writeln!(out, "           {}", job.about)?;
                if let Some(detail) = job.last_detail {
                    writeln!(out, "           {detail}")?;
                }
            }
            Ok(())
        }
        Commands::Run { name } => match schedule::run_now(&hub, &name).await? {
            Outcome::Done(detail) => {
                println!("{name}: {detail}");
                Ok(())
            }
            Outcome::Busy => Err(Failure::Unavailable(format!("{name} is running at this moment")).into()),
        },
        Commands::Resume { name } => {
            let client = hub.pool().get().await?;
            if jobs::resume(&**client, &name, Timestamp::now()).await? {
                println!("{name} is due again");
                Ok(())
            } else {
                Err(Failure::NotFound(format!("there is no job {name:?}: see `headroom job list`")).into())
            }
        }
    }
}
