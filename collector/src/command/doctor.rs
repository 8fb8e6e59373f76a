//! `headroom-node doctor`: what this node sees here, what it cannot read, and what would change that.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::process::ExitCode;
use std::time::Duration;

use headroom_core::unit::{Absence, AbsenceReason, Component, Remark};
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::{Context, print_json, size};
use crate::config::Settings;
use crate::credentials::Credentials;
use crate::credentials::identity::Identity;
use crate::failure::one_line;
use crate::owner::Owner;
use crate::store::{Store, check_file, quarantined_files};

/// Bits of Linux capabilities that devices ask for, with what each is for.
const CAPABILITIES: [(u8, &str, &str); 3] = [
    (21, "CAP_SYS_ADMIN", "NVMe log pages and identification"),
    (17, "CAP_SYS_RAWIO", "SATA through SCSI, and some SCSI commands"),
    (2, "CAP_DAC_READ_SEARCH", "device nodes and mount points that belong to others"),
];

/// Patience with the hub.
const HUB_PATIENCE: Duration = Duration::from_secs(3);

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
    /// What a person should know: tools that are missing, sets that are degraded, pages that disagree.
    remarks: Vec<Remark>,
}

/// Looks and prints. Exit code 1 where something should be mended.
pub(crate) fn run(context: &Context, args: &Args) -> anyhow::Result<ExitCode> {
    let settings = &context.settings;
    let mut findings = Findings {
        checks: checks(settings),
        components: Vec::new(),
        unread: Vec::new(),
        remarks: Vec::new(),
    };
    let node =
        Identity::read(&settings.data_dir).ok().flatten().map_or(Uuid::nil(), |identity| identity.node);
    match super::run::measurer(settings, node).round() {
        Ok(round) => {
            findings.components = round.units.into_iter().flat_map(|unit| unit.components).collect();
            findings.unread = unread(&round.absences, &findings.components);
            findings.remarks = round.remarks;
            findings.checks.extend(denied(settings, &findings.unread));
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

/// Figures that this process may not read, as one check: it is the one absence that its owner can end.
fn denied(settings: &Settings, unread: &[Unread]) -> Option<Check> {
    let groups = unread.iter().filter(|group| group.reason == AbsenceReason::PermissionDenied);
    let names: BTreeSet<&str> = groups.flat_map(|group| group.figures.keys().map(String::as_str)).collect();
    (!names.is_empty()).then(|| Check {
        what: "permission",
        found: format!("not all may be read of {}", names.into_iter().collect::<Vec<_>>().join(", ")),
        remedy: Some(match &settings.reader {
            Some(_) => "let the unit of headroom-node-reader read it; what each needs stands below".to_owned(),
            None => "run headroom-node-reader as its unit does and set reader = \"/run/headroom-node/reader.sock\"; \
                     what each needs stands below"
                .to_owned(),
        }),
    })
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
    if !folder.exists() {
        // Whoever looks makes nothing: the folder would be root's, and the service's user could not write it.
        let found = format!("{} is not there yet: the first run makes it", folder.display());
        return Check { what, found, remedy: None };
    }
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
            let found = one_line(&anyhow::Error::from(error));
            return Check {
                what,
                found,
                remedy: Some("mend or remove owner.json in the data folder".to_owned()),
            };
        }
    };
    owner.settle(settings);
    let granted = purposes(&owner);
    if granted.is_empty() {
        // That is the owner's right, not a fault.
        let found = "nothing leaves this node; `headroom-node user grant …` allows it, `preview` shows what"
            .to_owned();
        return Check { what, found, remedy: None };
    }
    Check { what, found: format!("granted: {}", granted.join(", ")), remedy: None }
}

fn purposes(owner: &Owner) -> Vec<&'static str> {
    let consent = owner.user.consent;
    [("support", consent.support), ("advice", consent.advice), ("sales", consent.sales)]
        .into_iter()
        .filter_map(|(name, granted)| granted.then_some(name))
        .collect()
}

/// The purposes in force; none where the decisions cannot be read, which has a check of its own.
fn granted(settings: &Settings) -> Vec<&'static str> {
    let mut owner = Owner::read(&settings.data_dir).unwrap_or_default();
    owner.settle(settings);
    purposes(&owner)
}

fn certificate(settings: &Settings) -> Check {
    let what = "certificate";
    let read =
        Credentials::read(&settings.data_dir).and_then(|own| own.map(|own| own.validity()).transpose());
    match read {
        Ok(None) => {
            let found = "this node is not enrolled: it measures and forecasts for its owner alone".to_owned();
            // A hub is nobody's duty, unless something is to leave.
            let is_wanted = settings.push || settings.hub.is_some() || !granted(settings).is_empty();
            Check { what, found, remedy: is_wanted.then(|| "headroom-node enrol --help".to_owned()) }
        }
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
    let what = "way out";
    if !settings.push {
        return Check { what, found: format!("{read_api}; it does not push"), remedy: None };
    }
    let own = Credentials::read(&settings.data_dir).ok().flatten();
    let Some(hub) = settings.hub.clone().or_else(|| own.and_then(|own| own.hub_address)) else {
        let found = format!("{read_api}; it pushes to nobody, because no hub is named");
        return Check { what, found, remedy: Some("set hub = \"HOST:PORT\"".to_owned()) };
    };
    let address = hub.to_socket_addrs().and_then(|mut found| found.next().ok_or(ErrorKind::NotFound.into()));
    match address.and_then(|address| TcpStream::connect_timeout(&address, HUB_PATIENCE)) {
        Ok(_) => {
            Check { what, found: format!("{read_api}; it pushes to {hub}, which answers"), remedy: None }
        }
        Err(error) => Check {
            what,
            found: format!("{read_api}; it pushes to {hub}, which cannot be reached: {error}"),
            remedy: Some(
                "open the way to it in firewall and proxy, or carry bundles; what was measured waits"
                    .to_owned(),
            ),
        },
    }
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
        let capacity = component.specs.capacity_bytes.map(|bytes| size(component.kind, bytes));
        let capacity = capacity.unwrap_or_default();
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
    if !findings.remarks.is_empty() {
        writeln!(out, "\nto know:")?;
    }
    for remark in &findings.remarks {
        writeln!(out, "  {}", remark.text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use headroom_core::unit::AbsenceReason;

    use super::{Unread, certificate, data_folder, denied};
    use crate::config::{Settings, merge};

    fn settings(folder: &std::path::Path, push: &str) -> Settings {
        let flags = BTreeMap::from([
            ("data_dir", folder.join("data").display().to_string()),
            ("push", push.to_owned()),
        ]);
        Settings::of(&merge(None, &BTreeMap::new(), &flags).unwrap()).unwrap()
    }

    #[test]
    fn what_may_not_be_read_is_a_check_with_a_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), "false");
        let unread = |reason| Unread {
            reason,
            detail: String::new(),
            figures: BTreeMap::from([("nvme0".to_owned(), vec!["power_on_hours".to_owned()])]),
        };
        let check = denied(&settings, &[unread(AbsenceReason::PermissionDenied)]).unwrap();
        assert!(check.found.contains("nvme0") && check.remedy.unwrap().contains("reader"));
        assert_eq!(denied(&settings, &[unread(AbsenceReason::Unsupported)]), None);
    }

    #[test]
    fn looking_makes_no_folder_and_a_private_node_needs_no_hub() {
        let folder = tempfile::tempdir().unwrap();
        let private = settings(folder.path(), "false");
        assert_eq!(data_folder(&private).remedy, None);
        assert!(!private.data_dir.exists());
        assert_eq!(certificate(&private).remedy, None);
        assert!(certificate(&settings(folder.path(), "true")).remedy.is_some());
    }
}
