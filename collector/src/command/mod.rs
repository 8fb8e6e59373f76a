//! The command line: one file a subcommand. Exit codes are those of sysexits.h (see [`crate::failure`]).

mod bundle;
mod config;
pub mod decode;
mod doctor;
mod enrol;
mod forecast;
mod preview;
mod probe;
mod reader;
mod run;
mod store;
mod user;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Arg, ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use headroom_core::quantity::Bytes;
use headroom_core::unit::ComponentKind;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{LogFormat, Merged, SETTINGS, Settings, merge};
use crate::failure::{Failure, exit_code, one_line};

/// Measures storage units where they stand, keeps what it measured, and tells the hub as far as its owner allows.
///
/// Exit codes: 0 done, 1 a check found something, 64 usage, 65 data, 66 not found, 69 a service does not answer,
/// 70 a fault of this program, 73 cannot create, 77 not permitted, 78 configuration.
#[derive(Debug, Parser)]
#[command(name = "headroom-node", version, propagate_version = true)]
struct CommandLine {
    /// Configuration file (TOML); also as HEADROOM_NODE_CONFIG. Where not given, /etc/headroom-node.toml if it exists
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Measure, keep, and answer or push as the owner allows; runs until told to stop
    Run(run::Args),
    /// Get this node its certificate, once, whichever side starts
    Enrol(enrol::Args),
    /// Print exactly what would leave this node, as JSON
    Preview(preview::Args),
    /// Look at this machine now and print what is seen; nothing is kept or sent
    Probe(probe::Args),
    /// Whose unit it is and what may leave: show, set, grant, withdraw
    User(user::Args),
    /// When what this node watches runs out, from its own store
    Forecast(forecast::Args),
    /// What this node sees here, what it cannot read, and what would change that
    Doctor(doctor::Args),
    /// The node's own store: check, export, quarantine
    Store(store::Args),
    /// Carry what was measured to the hub as a signed file, where there is no network
    Bundle(bundle::Args),
    /// Look at devices for the node: the privileged part, a process of its own without a network
    Reader(reader::Args),
    /// Print every setting with its value and where it came from
    Config(config::Args),
    /// What the decoders make of captures: one line of JSON a file
    Decode(decode::Args),
}

/// What each subcommand is given.
pub(crate) struct Context {
    /// Every setting with its origin.
    pub(crate) merged: Merged,
    /// The settings, checked.
    pub(crate) settings: Settings,
}

/// Runs the program.
pub fn run() -> ExitCode {
    let command = CommandLine::command().args(SETTINGS.iter().map(|setting| {
        let help = match setting.default {
            "" => setting.help.to_owned(),
            default => format!("{} [default: {default}]", setting.help),
        };
        Arg::new(setting.key)
            // Once per process, for as long as it runs.
            .long(&*setting.flag().leak())
            .help(help)
            .value_name("VALUE")
            .global(true)
            .hide_short_help(true)
            .help_heading("Settings, also in the configuration file and as HEADROOM_NODE_… variables")
    }));
    let matches = match command.try_get_matches() {
        Ok(matches) => matches,
        Err(error) => {
            let printed = error.print();
            let asked_for = !error.use_stderr();
            return if asked_for && printed.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(64) };
        }
    };
    match dispatch(&matches) {
        Ok(code) => code,
        // The reader of our output went away: that is its right.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("headroom-node: {}", one_line(&error));
            exit_code(&error)
        }
    }
}

fn dispatch(matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let line = CommandLine::from_arg_matches(matches)?;
    // Captures are read anywhere, whatever the settings of this machine say.
    if let Subcommands::Decode(args) = &line.command {
        return Ok(decode::run(args));
    }
    let context = match prepare(&line, matches) {
        Ok(context) => context,
        // A monitoring system wants its one line whatever is wrong.
        Err(error) if matches!(&line.command, Subcommands::Forecast(args) if args.is_check()) => {
            return forecast::unknown(&error);
        }
        Err(error) => return Err(error),
    };
    let done = match line.command {
        Subcommands::Forecast(args) => return forecast::run(&context, &args),
        Subcommands::Doctor(args) => return doctor::run(&context, &args),
        Subcommands::Store(args) => return store::run(&context, &args),
        Subcommands::Decode(args) => return Ok(decode::run(&args)),
        Subcommands::Run(args) => run::run(&context, &args),
        Subcommands::Reader(args) => reader::run(&context, &args),
        Subcommands::Enrol(args) => enrol::run(&context, &args),
        Subcommands::Preview(args) => preview::run(&context, &args),
        Subcommands::Probe(args) => probe::run(&context, &args),
        Subcommands::User(args) => user::run(&context, args),
        Subcommands::Bundle(args) => bundle::run(&context, &args),
        Subcommands::Config(args) => config::run(&context, &args),
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// Settings and log of a command.
fn prepare(line: &CommandLine, matches: &ArgMatches) -> anyhow::Result<Context> {
    // Variables that are no Unicode are none of ours.
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let merged = merge(line.config.as_deref(), &environment, &flags(matches))?;
    let settings = Settings::of(&merged)?;
    start_log(&settings, matches!(line.command, Subcommands::Run(_) | Subcommands::Reader(_)))?;
    Ok(Context { merged, settings })
}

/// The settings that were given as flags. A global flag stands in the matches of every level.
fn flags(matches: &ArgMatches) -> BTreeMap<&'static str, String> {
    let mut levels = vec![matches];
    let mut innermost = matches;
    while let Some((_, deeper)) = innermost.subcommand() {
        levels.push(deeper);
        innermost = deeper;
    }
    // `enrol --listen` is where this one conversation is waited for, not where the read API listens.
    let enrols = matches.subcommand_name() == Some("enrol");
    let given = |key: &str| {
        let mut levels = levels.iter().rev().filter(|_| !(enrols && key == "listen"));
        levels.find_map(|level| level.try_get_one::<String>(key).ok().flatten().cloned())
    };
    SETTINGS.iter().filter_map(|setting| Some((setting.key, given(setting.key)?))).collect()
}

/// Logs go to standard error; a command that a person runs only warns, unless told otherwise.
fn start_log(settings: &Settings, service: bool) -> anyhow::Result<()> {
    let level = if service || settings.log != "info" { settings.log.as_str() } else { "warn" };
    // Not EnvFilter: it brings regular expressions, half a megabyte.
    let filter: Targets = level.parse().map_err(|error| Failure::Configuration(format!("log: {error}")))?;
    let lines =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false).with_ansi(false);
    let log = tracing_subscriber::registry().with(filter);
    match settings.log_format {
        LogFormat::Text => log.with(lines).init(),
        LogFormat::Json => log.with(lines.json()).init(),
    }
    Ok(())
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let mut io = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.any(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// A runtime of one thread: this program waits far more than it works.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .thread_keep_alive(std::time::Duration::from_secs(1))
        .build()
        .context("cannot start the runtime")
}

/// A size as it is told to people: drives are sold by powers of ten, what lies on them counts in powers of two.
pub(crate) fn size(kind: ComponentKind, bytes: Bytes) -> String {
    match kind {
        ComponentKind::Drive | ComponentKind::Namespace => bytes.si().to_string(),
        _ => bytes.iec().to_string(),
    }
}

/// Prints a value as JSON with a line end.
pub(crate) fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let text = serde_json::to_string_pretty(value)?;
    writeln!(out, "{text}")?;
    Ok(())
}
