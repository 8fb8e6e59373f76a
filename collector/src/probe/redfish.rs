//! Arrays and servers by Redfish and Swordfish: the tree is walked once, then only pools and volumes are asked again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use headroom_core::unit::{AbsenceReason, ComponentKind, Evidence, EvidenceKind};
use serde_json::Value;

use super::guard::{Guard, NoAnswer};
use super::session::reason_of;
use super::{Apparatus, Found};
use crate::config::Settings;
use crate::decode::redfish::{normal_id, resource_type};
use crate::decode::redfish_tree::RedfishTree;
use crate::decode::{Findings, is_believable_identity};
use crate::transport::{ArrayAddress, ArrayOverHttp, ArrayTransport, TransportError};

/// Where every service starts.
const ROOT: &str = "/redfish/v1";
/// Properties whose references lead to storage.
const FOLLOWED: [&str; 17] = [
    "Systems",
    "Chassis",
    "Storage",
    "SimpleStorage",
    "StorageServices",
    "StorageSystems",
    "StoragePools",
    "Volumes",
    "Drives",
    "Controllers",
    "StorageControllers",
    "Members",
    "CapacitySources",
    "ProvidingPools",
    "ProvidingDrives",
    "ProvidingVolumes",
    "Links",
];
/// Resources of one array at most.
const RESOURCES_MAX: usize = 2_000;
/// Rounds after which the whole tree is walked again: drives come and go.
const WALK_EVERY: u32 = 12;
/// A walk ends after so long, whatever it has found.
const WALK_PATIENCE: Duration = Duration::from_secs(180);

type Resources = BTreeMap<String, Value>;

/// The probe of one array.
pub struct Array {
    /// Its address, as a name.
    name: String,
    transport: Arc<dyn ArrayTransport>,
    guard: Guard<Result<(), TransportError>>,
    /// What is known of it: the worker writes, so a first walk that takes longer than a round is not lost.
    resources: Arc<Mutex<Resources>>,
    rounds: u32,
}

impl std::fmt::Debug for Array {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Array").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Array {
    /// An array at an address, reached by a transport.
    pub fn new(name: &str, transport: Arc<dyn ArrayTransport>) -> Self {
        Self {
            name: name.to_owned(),
            transport,
            guard: Guard::default(),
            resources: Arc::default(),
            rounds: 0,
        }
    }

    /// The arrays that the settings name, over HTTP.
    pub fn of_settings(settings: &Settings) -> Vec<Self> {
        let over_http =
            |address: &ArrayAddress| Self::new(&address.url, Arc::new(ArrayOverHttp::new(address.clone())));
        settings.arrays.iter().map(over_http).collect()
    }

    /// Asks the array. What it does not answer in time is absent with the reason, and its size and identity stay.
    pub fn measure(&mut self, patience: Duration) -> Apparatus {
        let (transport, resources) = (Arc::clone(&self.transport), Arc::clone(&self.resources));
        let whole = self.rounds.is_multiple_of(WALK_EVERY) || lock(&resources).is_empty();
        let question: Box<dyn FnOnce() -> Result<(), TransportError> + Send> =
            Box::new(
                move || {
                    if whole { walk(&*transport, &resources) } else { refresh(&*transport, &resources) }
                },
            );
        let answer = self.guard.ask_all(vec![(self.name.clone(), question)], patience).pop();
        let trouble = match answer.map(|(_, answer)| answer) {
            Some(Ok(Ok(()))) => {
                self.rounds += 1;
                None
            }
            Some(Ok(Err(error))) => Some((reason_of(&error), error.to_string())),
            Some(Err(NoAnswer::NoWorker)) => {
                Some((AbsenceReason::Refused, "no worker could be started to ask it".to_owned()))
            }
            Some(Err(_)) | None => {
                Some((AbsenceReason::TimedOut, "the array did not answer in time".to_owned()))
            }
        };
        self.apparatus(trouble)
    }

    fn apparatus(&self, trouble: Option<(AbsenceReason, String)>) -> Apparatus {
        let resources = lock(&self.resources);
        let mut tree = RedfishTree::default();
        resources.values().for_each(|resource| tree.add(resource));
        let mut found: Vec<Found> = tree
            .parts()
            .into_iter()
            .map(|part| Found {
                below: part.provided_by.iter().map(|key| key.0.clone()).collect(),
                host_path: format!("{} {}", self.name, part.key.0),
                name: part.key.0,
                kind: part.kind,
                label: part.label,
                attachment: None,
                findings: part.findings,
            })
            .collect();
        if let Some((reason, detail)) = trouble {
            found.iter_mut().for_each(|component| forget(component, reason, &detail));
            if found.is_empty() {
                found.push(unreachable(&self.name, reason, &detail));
            }
        }
        Apparatus { name: self.name.clone(), identity: identity(&resources), found }
    }
}

fn lock(resources: &Mutex<Resources>) -> std::sync::MutexGuard<'_, Resources> {
    resources.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was read earlier is no status of now.
fn forget(component: &mut Found, reason: AbsenceReason, detail: &str) {
    let findings = &mut component.findings;
    findings.status = headroom_core::unit::Status::default();
    for field in ["used_bytes", "endurance_used_percent"] {
        findings.sources.remove(field);
        findings.missing.retain(|missing| missing.field != field);
        findings.absent(field, reason, detail);
    }
}

/// An array that never answered is listed all the same, so that somebody sees that it does not.
fn unreachable(name: &str, reason: AbsenceReason, detail: &str) -> Found {
    let mut findings = Findings::default();
    for field in ["capacity_bytes", "used_bytes"] {
        findings.absent(field, reason, detail);
    }
    Found {
        name: format!("array:{name}"),
        kind: ComponentKind::Controller,
        label: Some(name.to_owned()),
        below: Vec::new(),
        host_path: format!("array {name}"),
        attachment: None,
        findings,
    }
}

/// Who the array is: the first system or chassis with a serial number, and the service's UUID.
fn identity(resources: &Resources) -> Vec<Evidence> {
    let mut identity = Vec::new();
    let text = |json: &Value, field: &str| {
        let text = json.get(field)?.as_str()?.trim();
        is_believable_identity(text).then(|| text.to_owned())
    };
    for resource in resources.values() {
        match resource_type(resource) {
            Some("ComputerSystem" | "StorageSystem" | "Chassis") => {
                let Some(serial) = text(resource, "SerialNumber") else { continue };
                if let Some(model) = text(resource, "Model") {
                    let vendor = text(resource, "Manufacturer").unwrap_or_default();
                    let value = format!("{vendor}|{model}|{serial}");
                    identity.push(Evidence { kind: EvidenceKind::VendorModelSerial, value });
                }
                identity.push(Evidence { kind: EvidenceKind::Serial, value: serial });
            }
            Some("ServiceRoot") => {
                if let Some(uuid) = text(resource, "UUID") {
                    identity.push(Evidence { kind: EvidenceKind::Uuid, value: uuid.to_lowercase() });
                }
            }
            _ => {}
        }
    }
    identity.sort();
    identity.dedup();
    identity
}

/// Walks the tree from its root. A resource that cannot be read is left out; a root that cannot is an error.
fn walk(transport: &dyn ArrayTransport, resources: &Mutex<Resources>) -> Result<(), TransportError> {
    let started = Instant::now();
    let mut seen = BTreeSet::from([ROOT.to_owned()]);
    let mut waiting = VecDeque::from([ROOT.to_owned()]);
    let mut read = Resources::new();
    while let Some(id) = waiting.pop_front() {
        if read.len() >= RESOURCES_MAX || started.elapsed() > WALK_PATIENCE {
            tracing::warn!(
                resources = read.len(),
                "the walk over the array was ended: it has no end in sight"
            );
            break;
        }
        let resource = match get(transport, &id) {
            Ok(resource) => resource,
            Err(error) if id == ROOT => return Err(error),
            Err(error) => {
                tracing::debug!(%error, "a resource of the array was left out");
                continue;
            }
        };
        let mut ids = Vec::new();
        references(&resource, false, &mut ids);
        waiting.extend(ids.into_iter().filter(|id| id.starts_with("/redfish/") && seen.insert(id.clone())));
        read.insert(id, resource);
    }
    *lock(resources) = read;
    Ok(())
}

/// Reads again what moves. A pool that is gone goes; any other error leaves the array for the next round.
fn refresh(transport: &dyn ArrayTransport, resources: &Mutex<Resources>) -> Result<(), TransportError> {
    let moving: Vec<String> = lock(resources)
        .iter()
        .filter(|(_, resource)| matches!(resource_type(resource), Some("StoragePool" | "Volume")))
        .map(|(id, _)| id.clone())
        .collect();
    if moving.is_empty() {
        return walk(transport, resources);
    }
    let mut read = Vec::new();
    for id in moving {
        match get(transport, &id) {
            Ok(resource) => read.push((id, Some(resource))),
            Err(TransportError::NotFound(_)) => read.push((id, None)),
            Err(error) => return Err(error),
        }
    }
    let mut resources = lock(resources);
    for (id, resource) in read {
        match resource {
            Some(resource) => resources.insert(id, resource),
            None => resources.remove(&id),
        };
    }
    Ok(())
}

fn get(transport: &dyn ArrayTransport, id: &str) -> Result<Value, TransportError> {
    let bytes = transport.get(id)?;
    serde_json::from_slice(&bytes)
        .map_err(|error| TransportError::System { what: id.to_owned(), message: format!("no JSON: {error}") })
}

/// Ids that the followed properties of a resource name.
fn references(value: &Value, is_followed: bool, ids: &mut Vec<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| references(value, is_followed, ids)),
        Value::Object(fields) => {
            if is_followed && let Some(id) = fields.get("@odata.id").and_then(Value::as_str) {
                ids.push(normal_id(id));
            }
            for (name, value) in fields {
                if name == "Members@odata.nextLink" {
                    ids.extend(value.as_str().map(normal_id));
                } else if FOLLOWED.contains(&name.as_str()) {
                    // `Links` only holds references, it is none.
                    references(value, name != "Links", ids);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use headroom_core::{quantity::Bytes, unit::AbsenceReason};
    use serde_json::{Value, json};

    use super::Array;
    use crate::transport::{ArrayTransport, TransportError};

    /// An array that answers from a map, and counts what it is asked.
    #[derive(Default)]
    struct Mock {
        resources: Mutex<BTreeMap<String, Value>>,
        asked: Mutex<Vec<String>>,
    }

    impl Mock {
        fn set(&self, id: &str, kind: &str, more: &Value) {
            let mut resource = json!({"@odata.id": id, "@odata.type": format!("#{kind}.v1_0_0.{kind}")});
            for (name, value) in more.as_object().unwrap() {
                resource[name] = value.clone();
            }
            self.resources.lock().unwrap().insert(id.to_owned(), resource);
        }

        fn pool(&self, used: u64) {
            let capacity = json!({"Data": {"AllocatedBytes": 1_000_000_000, "ConsumedBytes": used}});
            self.set(
                "/redfish/v1/Storage/a/StoragePools/A",
                "StoragePool",
                &json!({"Name": "A", "Capacity": capacity}),
            );
        }
    }

    impl ArrayTransport for Mock {
        fn get(&self, path: &str) -> Result<Vec<u8>, TransportError> {
            self.asked.lock().unwrap().push(path.to_owned());
            let found = self.resources.lock().unwrap().get(path).map(Value::to_string);
            found.map(String::into_bytes).ok_or_else(|| TransportError::NotFound(path.to_owned()))
        }
    }

    fn array() -> Arc<Mock> {
        let mock = Mock::default();
        let link = |id: &str| json!({"@odata.id": id});
        mock.set(
            "/redfish/v1",
            "ServiceRoot",
            &json!({"Storage": link("/redfish/v1/Storage"),
            "Managers": link("/redfish/v1/Managers"), "UUID": "92384634-2938-2342-8820-489239905423"}),
        );
        mock.set(
            "/redfish/v1/Storage",
            "StorageCollection",
            &json!({"Members": [link("/redfish/v1/Storage/a")]}),
        );
        mock.set(
            "/redfish/v1/Storage/a",
            "Storage",
            &json!({"StoragePools": link("/redfish/v1/Storage/a/StoragePools"),
            "Drives": [link("/redfish/v1/Storage/a/Drives/0"), link("/redfish/v1/Storage/a/Drives/gone")]}),
        );
        mock.set("/redfish/v1/Storage/a/StoragePools", "StoragePoolCollection",
            &json!({"Members": [link("/redfish/v1/Storage/a/StoragePools/A"), link("/redfish/v1/Storage/a/StoragePools")]}));
        mock.set("/redfish/v1/Storage/a/Drives/0", "Drive", &json!({"CapacityBytes": 2_000_000_000_u64}));
        mock.pool(100);
        Arc::new(mock)
    }

    #[test]
    fn a_pool_that_moves_is_read_again_and_the_rest_is_not() {
        let mock = array();
        let mut array = Array::new("https://array.test", Arc::clone(&mock) as Arc<dyn ArrayTransport>);
        let pool_used = |array: &mut Array| {
            let apparatus = array.measure(Duration::from_secs(5));
            let pool = apparatus.found.into_iter().find(|found| found.name.ends_with("/A")).unwrap();
            pool.findings.status.used_bytes
        };
        assert_eq!(pool_used(&mut array), Some(Bytes(100)));
        assert!(
            !mock.asked.lock().unwrap().iter().any(|path| path.contains("Managers")),
            "only storage is walked"
        );
        let walked = mock.asked.lock().unwrap().len();
        mock.pool(700);
        assert_eq!(pool_used(&mut array), Some(Bytes(700)));
        assert_eq!(mock.asked.lock().unwrap().len(), walked + 1);
        let apparatus = array.measure(Duration::from_secs(5));
        assert_eq!(apparatus.identity.len(), 1);
        assert_eq!(apparatus.found.len(), 2, "a pool and the drive that is there");
    }

    #[test]
    fn an_array_that_fails_is_stated_and_its_old_figures_are_not_told_again() {
        let mock = array();
        let mut array = Array::new("https://array.test", Arc::clone(&mock) as Arc<dyn ArrayTransport>);
        array.measure(Duration::from_secs(5));
        let pool = "/redfish/v1/Storage/a/StoragePools/A";
        mock.resources.lock().unwrap().insert(pool.to_owned(), json!("no resource"));
        let apparatus = array.measure(Duration::from_secs(5));
        assert_eq!(apparatus.found.len(), 1, "what is no pool any more is none: {apparatus:?}");

        let nobody = Arc::new(Mock::default());
        let mut array = Array::new("https://nobody.test", nobody as Arc<dyn ArrayTransport>);
        let apparatus = array.measure(Duration::from_secs(5));
        let missing = &apparatus.found[0].findings.missing;
        assert_eq!((missing[0].field, missing[0].reason), ("capacity_bytes", AbsenceReason::Refused));
    }
}
