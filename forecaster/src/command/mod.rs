//! The command line: one file a subcommand. Exit codes are those of sysexits.h (see [`crate::failure`]).

mod carried;
mod certificate;
mod config;
mod doctor;
mod enrolment;
mod forecast;
mod import;
mod job;
mod migrate;
mod node;
mod offers;
mod plan;
pub(crate) mod progress;
mod report;
mod score;
mod serve;
mod unit;
mod user;
mod watched;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Arg, ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use jiff::Timestamp;
use tracing_subscriber::EnvFilter;

use crate::authority::Authority;
use crate::config::{LogFormat, Merged, SETTINGS, Settings, merge};
use crate::database::{guard, migrations, pool};
use crate::failure::{Failure, exit_code};
use crate::hub::Hub;

/// Tells when each sold storage unit will run out, early enough to order what it needs, and drafts the offer.
///
/// Exit codes: 0 done, 1 a check found something, 64 usage, 65 data, 66 not found, 69 a service does not answer,
/// 70 a fault of this program, 73 cannot create, 77 not permitted, 78 configuration.
#[derive(Debug, Parser)]
#[command(name = "headroom", version, propagate_version = true)]
struct CommandLine {
    /// Configuration file (TOML); also as HEADROOM_CONFIG. Where not given, /etc/headroom/headroom.toml if it exists.
    #[arg(long, global = true, env = "HEADROOM_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Bring the database's schema up to date
    Migrate(migrate::Arguments),
    /// Run the hub: read nodes, take pushes, forecast, draft offers, show it all
    Serve,
    /// Nodes: make a token, enrol, list, read straight, import what was carried, remove
    #[command(subcommand)]
    Node(node::Commands),
    /// The hub's own certificate: replace it where its key was seen by others
    #[command(subcommand)]
    Certificate(certificate::Commands),
    /// Fleets that are watched already: certificates for a Prometheus or a collector, names of series
    #[command(subcommand)]
    Watched(watched::Commands),
    /// Sold and discovered units: list, match to a sale, replace, retire
    #[command(subcommand)]
    Unit(unit::Commands),
    /// People who sign in: make, list, give another password, keep out
    #[command(subcommand)]
    User(user::Commands),
    /// Import customers, catalogue or units from CSV
    Import(import::Arguments),
    /// Forecast the fleet and publish the result, or print what stands
    Forecast(forecast::Arguments),
    /// Plan anew on the current forecasts and list what should be bought
    Plan(plan::Arguments),
    /// Offers: list, show, approve, send, note the answer, withdraw
    #[command(subcommand)]
    Offers(offers::Commands),
    /// The fleet's predicted dates as HTML or CSV
    Report(report::Arguments),
    /// Scheduled work: list, run now, resume
    #[command(subcommand)]
    Job(job::Commands),
    /// Print every setting with its value and where it came from
    Config(config::Arguments),
    /// Answer cases in files with the model, so that anybody can score this build
    Score(score::Arguments),
    /// Check this installation and say what to mend
    Doctor(doctor::Arguments),
}

/// What each subcommand is given.
pub(crate) struct Context {
    /// Every setting with its origin.
    pub(crate) merged: Merged,
    /// The settings, checked.
    pub(crate) settings: Settings,
}

/// Runs the program.
pub(crate) fn run() -> ExitCode {
    let command = CommandLine::command().args(SETTINGS.iter().map(|setting| {
        let help = match setting.default {
            Some(default) => format!("{} [default: {default}]", setting.help),
            None => setting.help.to_owned(),
        };
        Arg::new(setting.key)
            .long(setting.flag())
            .help(help)
            .value_name("VALUE")
            .global(true)
            .hide_short_help(true)
            .help_heading("Settings, also in the configuration file and as HEADROOM_… variables")
    }));
    let matches = match command.try_get_matches() {
        Ok(matches) => matches,
        Err(error) => {
            let printed = error.print();
            let asked_for = !error.use_stderr();
            return if asked_for && printed.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(64) };
        }
    };
    match parsed(&matches).and_then(|(context, command)| dispatch(context, command)) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of our output went away: that is its right.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("headroom: {error:#}");
            exit_code(&error)
        }
    }
}

fn parsed(matches: &ArgMatches) -> anyhow::Result<(Context, Subcommands)> {
    let line = CommandLine::from_arg_matches(matches)?;
    let mut given = vec![matches];
    let mut innermost = matches;
    while let Some((_, deeper)) = innermost.subcommand() {
        given.push(deeper);
        innermost = deeper;
    }
    // A global flag stands in the matches of every level; the innermost has it wherever it was written.
    let flags: Vec<(&'static str, String)> = SETTINGS
        .iter()
        .filter_map(|setting| {
            let value = given
                .iter()
                .rev()
                .find_map(|level| level.try_get_one::<String>(setting.key).ok().flatten())?;
            Some((setting.key, value.clone()))
        })
        .collect();
    let usual = PathBuf::from("/etc/headroom/headroom.toml");
    let file = line.config.clone().or_else(|| usual.exists().then_some(usual));
    let merged = merge(file.as_deref(), std::env::vars(), &flags)?;
    let settings = Settings::read(&merged)?;
    Ok((Context { merged, settings }, line.command))
}

fn dispatch(context: Context, command: Subcommands) -> anyhow::Result<()> {
    let service = matches!(command, Subcommands::Serve);
    start_log(&context.settings, service)?;
    if let Subcommands::Config(arguments) = &command {
        return config::run(&context, arguments);
    }
    if let Subcommands::Score(arguments) = &command {
        return score::run(arguments);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        match command {
            Subcommands::Migrate(arguments) => migrate::run(&context, &arguments).await,
            Subcommands::Serve => serve::run(context).await,
            Subcommands::Node(command) => node::run(&context, command).await,
            Subcommands::Certificate(command) => certificate::run(&context, command).await,
            Subcommands::Watched(command) => watched::run(&context, command).await,
            Subcommands::Unit(command) => unit::run(&context, command).await,
            Subcommands::User(command) => user::run(&context, command).await,
            Subcommands::Import(arguments) => import::run(&context, &arguments).await,
            Subcommands::Forecast(arguments) => forecast::run(&context, &arguments).await,
            Subcommands::Plan(arguments) => plan::run(&context, &arguments).await,
            Subcommands::Offers(command) => offers::run(&context, command).await,
            Subcommands::Report(arguments) => report::run(&context, &arguments).await,
            Subcommands::Job(command) => job::run(&context, command).await,
            Subcommands::Doctor(arguments) => doctor::run(&context, &arguments).await,
            Subcommands::Config(_) | Subcommands::Score(_) => Ok(()),
        }
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    result
}

/// Logs go to standard error; a command that a person runs only warns, unless told otherwise.
fn start_log(settings: &Settings, service: bool) -> anyhow::Result<()> {
    let level = if service || settings.log_level != "info" { settings.log_level.as_str() } else { "warn" };
    let filter =
        EnvFilter::try_new(level).map_err(|error| Failure::Configuration(format!("log.level: {error}")))?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    match settings.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
}

/// The hub's parts without its service, for a command that works on the database.
pub(crate) async fn hub(context: &Context) -> anyhow::Result<Hub> {
    let authority = Authority::open(&context.settings.data_dir, Timestamp::now())
        .context(Failure::CannotCreate("the certificate authority cannot be opened".to_owned()))?;
    let pools = pool::open(&context.settings)?;
    let client =
        pools.service.get().await.context(Failure::Unavailable("the database does not answer".to_owned()))?;
    guard::check(&**client).await?;
    migrations::check(&**client).await?;
    drop(client);
    Ok(Hub::new(context.settings.clone(), pools, authority))
}

/// Random bytes of the system.
pub(crate) fn random_secret() -> anyhow::Result<[u8; 32]> {
    let mut secret = [0; 32];
    rustls::crypto::ring::default_provider()
        .secure_random
        .fill(&mut secret)
        .map_err(|_| anyhow::anyhow!("the system gives no random bytes"))?;
    Ok(secret)
}

/// Prints a value as JSON with a line end.
pub(crate) fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value)?;
    writeln!(out)?;
    Ok(())
}
