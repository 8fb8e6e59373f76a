//! `headroom watched`: a Prometheus or an OpenTelemetry collector that sends its series here.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;
use headroom_core::exchange::HUB_DNS_NAME;
use headroom_core::exchange::enrol::Request;
use headroom_core::unit::{FIGURES, Figure};
use rcgen::{CertificateParams, KeyPair};
use uuid::Uuid;

use super::{Context, enrolment, print_json};
use crate::database::watched::{self, MappingRow};
use crate::failure::Failure;
use crate::intake::watched::rules::Part;

/// Subcommands of `headroom watched`.
#[derive(Debug, Subcommand)]
pub(crate) enum Commands {
    /// Make a key and a certificate for a sender, or its next ones, and say how to use them
    Sender {
        /// Folder for authority.pem, certificate.pem, key.pem and sender.id
        folder: PathBuf,
        /// Reference of the customer whose fleet it watches
        #[arg(long)]
        customer: Option<String>,
    },
    /// List names of series that nothing maps
    Unmatched {
        /// Of this sender alone
        #[arg(long)]
        sender: Option<Uuid>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Say what a name of series means
    Map(MapArguments),
    /// Take a mapping back
    Unmap {
        /// Name of the series
        metric: String,
    },
    /// List what was mapped
    Mappings {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Arguments of `headroom watched map`.
#[derive(Debug, clap::Args)]
pub(crate) struct MapArguments {
    /// Name of the series
    metric: String,
    /// A figure of the status, such as used_bytes; or size, free, files, files_free, busy, made_capacity
    #[arg(long)]
    field: String,
    /// Kind of component: drive, pool, volume or file_system
    #[arg(long, value_parser = ["drive", "pool", "volume", "file_system"])]
    kind: String,
    /// Which of its labels names the component
    #[arg(long)]
    label: String,
    /// Its value times this is the figure
    #[arg(long, default_value_t = 1.0)]
    factor: f64,
}

/// Runs a subcommand.
pub(crate) async fn run(context: &Context, command: Commands) -> anyhow::Result<()> {
    match command {
        Commands::Sender { folder, customer } => sender(context, &folder, customer.as_deref()).await,
        Commands::Unmatched { sender, json } => unmatched(context, sender, json).await,
        Commands::Map(arguments) => map(context, arguments).await,
        Commands::Unmap { metric } => unmap(context, &metric).await,
        Commands::Mappings { json } => mappings(context, json).await,
    }
}

/// Its id stays when it gets its next certificate: units and history are known by it.
async fn sender(context: &Context, folder: &Path, customer: Option<&str>) -> anyhow::Result<()> {
    let failed = || Failure::CannotCreate(format!("cannot write in {}", folder.display()));
    fs::create_dir_all(folder).with_context(failed)?;
    let id_file = folder.join("sender.id");
    let id: Uuid = match fs::read_to_string(&id_file) {
        Ok(text) => text
            .trim()
            .parse()
            .with_context(|| Failure::Data(format!("{} holds no id", id_file.display())))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Uuid::new_v4(),
        Err(error) => return Err(error).with_context(failed),
    };
    let key = KeyPair::generate().context("no key can be made")?;
    let signing_request = CertificateParams::default().serialize_request(&key)?.pem()?;
    let hub = super::hub(context).await?;
    let request = Request { secret: String::new(), node: id, signing_request, address: None };
    let grant = enrolment::enrol(&hub, &request, customer).await?;
    for (name, text) in [
        ("sender.id", format!("{id}\n")),
        ("key.pem", key.serialize_pem()),
        ("certificate.pem", grant.certificate),
        ("authority.pem", grant.authority),
    ] {
        let mut file = fs::OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(folder.join(name))
            .with_context(failed)?;
        file.write_all(text.as_bytes()).with_context(failed)?;
    }
    println!("sender {id}: its certificate holds for 90 days; the same command makes the next one");
    println!(
        "remote_write:\n  - url: https://{}/v1/prometheus/write?consent=advice\n    tls_config:\n      \
         ca_file: authority.pem\n      cert_file: certificate.pem\n      key_file: key.pem\n      server_name: {HUB_DNS_NAME}",
        hub.settings().announced_intake()
    );
    Ok(())
}

async fn unmatched(context: &Context, sender: Option<Uuid>, as_json: bool) -> anyhow::Result<()> {
    let hub = super::hub(context).await?;
    let names = watched::unmatched(&**hub.pool().get().await?, sender).await?;
    if as_json {
        return print_json(&names);
    }
    let mut out = std::io::stdout().lock();
    for name in &names {
        writeln!(out, "{}  {} series, seen {}", name.metric, name.series, name.seen_at)?;
        writeln!(out, "    {}", name.labels)?;
    }
    Ok(())
}

async fn map(context: &Context, arguments: MapArguments) -> anyhow::Result<()> {
    let MapArguments { metric, field, kind, label, factor } = arguments;
    let is_part = Part::ALL.into_iter().any(|part| part.name() == field);
    if !(Figure::named(&field).is_some() || is_part || field == "made_capacity") {
        let names: Vec<&str> = FIGURES.iter().map(|figure| figure.name).collect();
        return Err(Failure::Usage(format!("--field {field}: use one of {}", names.join(", "))).into());
    }
    if !(factor.is_finite() && factor > 0.0) {
        return Err(Failure::Usage(format!("--factor {factor}: a number above 0 is expected")).into());
    }
    let hub = super::hub(context).await?;
    let mapping = MappingRow { metric, kind, label, field, factor };
    watched::map(&**hub.pool().get().await?, &mapping).await?;
    println!("{} is {} of a {}, from the next request on", mapping.metric, mapping.field, mapping.kind);
    Ok(())
}

async fn unmap(context: &Context, metric: &str) -> anyhow::Result<()> {
    let hub = super::hub(context).await?;
    if !watched::unmap(&**hub.pool().get().await?, metric).await? {
        return Err(Failure::NotFound(format!("nobody mapped {metric}")).into());
    }
    println!("{metric} is mapped no more");
    Ok(())
}

async fn mappings(context: &Context, as_json: bool) -> anyhow::Result<()> {
    let hub = super::hub(context).await?;
    let mappings = watched::mappings(&**hub.pool().get().await?).await?;
    if as_json {
        return print_json(&mappings);
    }
    let mut out = std::io::stdout().lock();
    for one in &mappings {
        let MappingRow { metric, kind, label, field, factor } = one;
        writeln!(out, "{metric}  {field} of the {kind} that {label} names, times {factor}")?;
    }
    Ok(())
}
