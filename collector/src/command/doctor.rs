//! `headroom-node doctor`: what this node sees here, what it cannot read, and what would change that.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;

use headroom_core::unit::{Absence, AbsenceReason, Component};
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::{Context, print_json};
use crate::config::Settings;
use crate::credentials::Credentials;
use crate::credentials::identity::Identity;
use crate::owner::Owner;
use crate::store::{Store, check_file, quarantined_files};

/// Bits of Linux capabilities that devices ask for, with what each is for.
const CAPABILITIES: [(u8, &str, &str); 3] = [
    (21, "CAP_SYS_ADMIN", "NVMe log pages and identification"),
    (17, "CAP_SYS_RAWIO", "SATA through SCSI, and some SCSI commands"),
    (2, "CAP_DAC_READ_SEARCH", "device nodes and mount points that belong to others"),
];

/// Arguments of `doctor`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How one thing is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Check {
    /// What was looked at.
    what: &'static str,
    /// How it is.
    found: String,
    /// What would change it, where something should.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

/// What is not read for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Unread {
    /// Why.
    reason: AbsenceReason,
    /// What was seen, and what would change it.
    detail: String,
    /// Which figures of which components.
    figures: BTreeMap<String, Vec<String>>,
}

/// Everything.
#[derive(Debug, Serialize)]
struct Findings {
    checks: Vec<Check>,
    components: Vec<Component>,
    unread: Vec<Unread>,
}

/// Looks and prints. Exit code 1 where something should be mended.
pub(crate) fn run(context: &Context, args: &Args) -> anyhow::Result<ExitCode> {
    let settings = &context.settings;
    let mut findings = Findings { checks: checks(settings), components: Vec::new(), unread: Vec::new() };
    let node =
        Identity::read(&settings.data_dir).ok().flatten().map_or(Uuid::nil(), |identity| identity.node);
    match super::run::measurer(settings, node).round() {
        Ok(round) => {
            findings.components = round.units.into_iter().flat_map(|unit| unit.components).collect();
            findings.unread = unread(&round.absences, &findings.components);
        }
        Err(error) => findings.checks.push(Check {
            what: "devices",
            found: error.to_string(),
            remedy: Some("nothing can be measured before this is mended".to_owned()),
        }),
    }
    let healthy = findings.checks.iter().all(|check| check.remedy.is_none());
    if args.json {
        print_json(&findings)?;
    } else {
        print(&findings)?;
    }
    Ok(ExitCode::from(u8::from(!healthy)))
}

fn checks(settings: &Settings) -> Vec<Check> {
    vec![
        privileges(settings),
        data_folder(settings),
        store(settings),
        owner(settings),
        certificate(settings),
        way_out(settings),
    ]
}

fn privileges(settings: &Settings) -> Check {
    let what = "privileges";
    if let Some(reader) = &settings.reader {
        let there = std::os::unix::net::UnixStream::connect(reader);
        return match there {
            Ok(_) => Check {
                what,
                found: format!("devices are read by the reader at {}", reader.display()),
                remedy: None,
            },
            Err(error) => Check {
                what,
                found: format!("the reader at {} does not answer: {error}", reader.display()),
                remedy: Some("start headroom-node-reader, and let this user be of its group".to_owned()),
            },
        };
    }
    let has = effective_capabilities();
    let missing: Vec<String> = CAPABILITIES
        .iter()
        .filter(|(bit, ..)| has.is_none_or(|has| has >> bit & 1 == 0))
        .map(|(_, name, purpose)| format!("{name} ({purpose})"))
        .collect();
    if missing.is_empty() {
        return Check { what, found: "this process may read every device".to_owned(), remedy: None };
    }
    // Not every machine has a device that asks for them: what is unread says whether it matters.
    Check { what, found: format!("not held: {}", missing.join(", ")), remedy: None }
}

/// From `/proc/self/status`.
fn effective_capabilities() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

fn data_folder(settings: &Settings) -> Check {
    let (what, folder) = ("data folder", &settings.data_dir);
    let probe = folder.join("doctor.tmp");
    let written = crate::durable::replace(&probe, b"").and_then(|()| std::fs::remove_file(&probe));
    match written {
        Ok(()) => Check { what, found: format!("{} can be written", folder.display()), remedy: None },
        Err(error) => Check {
            what,
            found: format!("{} cannot be written: {error}", folder.display()),
            remedy: Some("set data_dir to a folder of this user, or free space on its disk".to_owned()),
        },
    }
}

fn store(settings: &Settings) -> Check {
    let (what, path) = ("store", settings.store_path());
    if !path.exists() {
        return Check { what, found: "there is none yet; the first round makes it".to_owned(), remedy: None };
    }
    let looked = check_file(&path).and_then(|finding| match finding {
        Some(finding) => Ok((format!("it is damaged: {finding}"), true)),
        None => {
            let store = Store::open_reader(&path)?;
            let sentence = format!(
                "{} samples, {} bytes, {} wait for the hub",
                store.count()?,
                store.bytes_used()?,
                store.waiting()?
            );
            Ok((sentence, false))
        }
    });
    let aside = quarantined_files(&path).map(|files| files.len()).unwrap_or(0);
    match looked {
        Ok((found, false)) if aside == 0 => Check { what, found, remedy: None },
        Ok((found, false)) => {
            Check { what, found: format!("{found}; {aside} damaged files were set aside"), remedy: None }
        }
        Ok((found, true)) => Check {
            what,
            found,
            remedy: Some("restart the node: it sets the file aside and saves what can be read".to_owned()),
        },
        Err(error) => {
            Check { what, found: error.to_string(), remedy: Some("see headroom-node store check".to_owned()) }
        }
    }
}

fn owner(settings: &Settings) -> Check {
    let what = "consent";
    let mut owner = match Owner::read(&settings.data_dir) {
        Ok(owner) => owner,
        Err(error) => {
            let found = format!("{:#}", anyhow::Error::from(error));
            return Check {
                what,
                found,
                remedy: Some("mend or remove owner.json in the data folder".to_owned()),
            };
        }
    };
    owner.settle(settings);
    let consent = owner.user.consent;
    let granted: Vec<&str> =
        [("support", consent.support), ("advice", consent.advice), ("sales", consent.sales)]
            .into_iter()
            .filter_map(|(name, granted)| granted.then_some(name))
            .collect();
    if granted.is_empty() {
        // That is the owner's right, not a fault.
        let found = "nothing leaves this node; `headroom-node user grant …` allows it, `preview` shows what"
            .to_owned();
        return Check { what, found, remedy: None };
    }
    Check { what, found: format!("granted: {}", granted.join(", ")), remedy: None }
}

fn certificate(settings: &Settings) -> Check {
    let what = "certificate";
    let read =
        Credentials::read(&settings.data_dir).and_then(|own| own.map(|own| own.validity()).transpose());
    match read {
        Ok(None) => Check {
            what,
            found: "this node is not enrolled".to_owned(),
            remedy: Some(
                "headroom-node enrol; without it this node still measures and forecasts for itself"
                    .to_owned(),
            ),
        },
        Ok(Some((_, ends))) if ends > Timestamp::now() => {
            Check { what, found: format!("it holds until {ends}"), remedy: None }
        }
        Ok(Some((_, ends))) => Check {
            what,
            found: format!("it ended on {ends}"),
            remedy: Some("enrol again with a new token: id and history stay".to_owned()),
        },
        Err(error) => {
            Check { what, found: error.to_string(), remedy: Some("enrol again with a new token".to_owned()) }
        }
    }
}

fn way_out(settings: &Settings) -> Check {
    let read_api = match &settings.listen {
        Some(address) => format!("the hub may read it at {address}"),
        None => "the read API is closed".to_owned(),
    };
    let push = if settings.push { "it pushes" } else { "it does not push" };
    Check { what: "way out", found: format!("{read_api}; {push}"), remedy: None }
}

/// Absences grouped by their sentence, so that one missing capability is one line.
fn unread(absences: &[Absence], components: &[Component]) -> Vec<Unread> {
    let mut groups: BTreeMap<(AbsenceReason, String), BTreeMap<String, Vec<String>>> = BTreeMap::new();
    for absence in absences {
        let component = components.iter().find(|component| component.key == absence.component);
        let name = component
            .and_then(|component| component.label.clone())
            .unwrap_or_else(|| absence.component.0.clone());
        let detail = absence.detail.clone().unwrap_or_default();
        groups
            .entry((absence.reason, detail))
            .or_default()
            .entry(name)
            .or_default()
            .push(absence.field.0.clone());
    }
    groups.into_iter().map(|((reason, detail), figures)| Unread { reason, detail, figures }).collect()
}

fn print(findings: &Findings) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for check in &findings.checks {
        writeln!(out, "{:<12} {}", check.what, check.found)?;
        if let Some(remedy) = &check.remedy {
            writeln!(out, "{:<12} -> {remedy}", "")?;
        }
    }
    writeln!(out, "\nseen:")?;
    for component in &findings.components {
        let name = component.label.as_deref().unwrap_or(&component.key.0);
        let kind = serde_json::to_value(component.kind)?;
        let capacity =
            component.specs.capacity_bytes.map(|bytes| bytes.iec().to_string()).unwrap_or_default();
        writeln!(out, "  {:<12} {name}  {capacity}", kind.as_str().unwrap_or_default())?;
    }
    writeln!(out, "\nnot read:")?;
    for group in &findings.unread {
        let reason = serde_json::to_value(group.reason)?;
        writeln!(out, "  {}: {}", reason.as_str().unwrap_or_default(), group.detail)?;
        for (name, fields) in &group.figures {
            writeln!(out, "    {name}: {}", fields.join(", "))?;
        }
    }
    Ok(())
}
