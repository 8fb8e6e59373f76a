//! The demo's nodes: the real one of this machine, and those that stand for the fictional customers.

use std::{fs, path::Path};

use anyhow::Context as _;
use headroom_core::{
    exchange::Placement,
    unit::{Consent, Contact, UnitKind, UserInformation},
};
use serde::Deserialize;

use crate::{
    addresses::Addresses,
    fleet::{self, THIS_MACHINE, Unit},
    hub::Hub,
    node_client::{Identity, kept_id},
    places::Places,
    program::{self, Program},
    replay::DemoNode,
    series,
};

/// Seconds between two measurements of this machine.
const INTERVAL_SECONDS: u32 = 5;

/// What a customer's node says of its owner; the other columns of the file are the hub's.
#[derive(Debug, Clone, Deserialize)]
struct CustomerRow {
    reference: String,
    name: String,
    contact_name: String,
    contact_email: String,
    consent: String,
}

impl CustomerRow {
    fn user(&self) -> UserInformation {
        let grants = |purpose| self.consent.split_whitespace().any(|word| word == purpose);
        UserInformation {
            version: 1,
            organisation: self.name.clone(),
            customer_reference: Some(self.reference.clone()),
            site: None,
            contact: Some(Contact { name: self.contact_name.clone(), email: self.contact_email.clone() }),
            consent: Consent { support: grants("support"), advice: grants("advice"), sales: grants("sales") },
        }
    }
}

/// Starts the node that measures this machine, enrolled with the demo's hub.
///
/// # Errors
/// When it cannot be configured, enrolled or started.
pub fn this_machine(places: &Places, hub: &Hub, addresses: Addresses) -> anyhow::Result<Program> {
    let data = places.of("node");
    fs::create_dir_all(&data).with_context(|| format!("cannot make {}", data.display()))?;
    let customer = customers(places)?
        .into_iter()
        .find(|row| row.reference == THIS_MACHINE)
        .with_context(|| format!("customers.csv has no {THIS_MACHINE}"))?;
    let configuration = places.of("headroom-node.toml");
    fs::write(&configuration, configuration_text(&data, &customer, addresses))
        .with_context(|| format!("cannot write {}", configuration.display()))?;
    let configuration = configuration.display().to_string();
    let node = places.program("headroom-node");
    let enrolled = places.of("node-enrolled");
    if !enrolled.exists() {
        let token = hub.token(THIS_MACHINE)?;
        let intake = addresses.intake.to_string();
        program::run(
            &node,
            &["--config", &configuration, "enrol", "--hub", &intake, "--token", &token],
            None,
        )?;
        fs::write(&enrolled, "").with_context(|| format!("cannot write {}", enrolled.display()))?;
    }
    Program::start(
        "the node of this machine",
        &node,
        &["--config", &configuration, "run"],
        &places.of("node.log"),
    )
}

fn configuration_text(data: &Path, customer: &CustomerRow, addresses: Addresses) -> String {
    let entries = [
        ("data_dir", data.display().to_string()),
        ("interval_seconds", INTERVAL_SECONDS.to_string()),
        ("listen", addresses.node.to_string()),
        // People who run the demo want to recognise their own mount points.
        ("labels", "true".to_owned()),
        ("consent", customer.consent.split_whitespace().collect::<Vec<_>>().join(",")),
        ("organisation", customer.name.clone()),
        ("customer_reference", customer.reference.clone()),
        ("contact_name", customer.contact_name.clone()),
        ("contact_email", customer.contact_email.clone()),
    ];
    let mut text = "# Written by `make demo`; a change is lost at the next start.\n".to_owned();
    for (key, value) in entries {
        text.push_str(&format!("{key} = {}\n", crate::hub::toml_text(&value)));
    }
    text
}

/// The nodes of the fictional customers, each enrolled with the hub at its first start.
///
/// # Errors
/// When a file of the fleet cannot be read or the hub refuses an enrolment.
pub async fn fleet(
    places: &Places,
    hub: &Hub,
    intake: std::net::SocketAddr,
) -> anyhow::Result<Vec<DemoNode>> {
    let all = series::read_all(&places.series())?;
    let units = fleet::read(&places.fleet(), &all)?;
    let mut nodes = Vec::new();
    for customer in customers(places)? {
        let own: Vec<Unit> =
            units.iter().filter(|unit| unit.row.customer == customer.reference).cloned().collect();
        if own.is_empty() {
            continue;
        }
        let folder = places.of(&format!("nodes/{}", customer.reference));
        let node = kept_id(&folder.join("id"))?;
        let identity = if folder.join("certificate.pem").exists() {
            Identity::read(&folder, node)?
        } else {
            let token = hub.token(&customer.reference)?;
            let identity = Identity::enrol(&intake.to_string(), &token, node).await?;
            identity.write(&folder)?;
            identity
        };
        // A customer whose units are all arrays or NAS runs the node inside them: claim 2.
        let inside = own.iter().all(|unit| matches!(unit.model.kind, UnitKind::Array | UnitKind::Nas));
        nodes.push(DemoNode {
            user: customer.user(),
            customer: customer.reference,
            identity,
            placement: if inside { Placement::Peripheral } else { Placement::Host },
            units: own,
        });
    }
    Ok(nodes)
}

fn customers(places: &Places) -> anyhow::Result<Vec<CustomerRow>> {
    fleet::table(&places.fleet().join("customers.csv"))
}
