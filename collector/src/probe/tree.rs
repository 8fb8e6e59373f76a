//! Components joined into units, with keys that stay the same over reboots.

use std::collections::{BTreeMap, BTreeSet};

use headroom_core::{
    exchange::{Placement, enrol::hexadecimal},
    unit::{Component, ComponentKey, ComponentKind, Evidence, EvidenceKind, UnitKind, UnitReport},
};
use sha2::{Digest as _, Sha256};

use super::{Apparatus, Found};

/// Who this machine is: a fingerprint that does not give its machine id away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Fingerprint of the machine id.
    pub fingerprint: String,
    /// Identity of the machine or apparatus as a whole (firmware tables), strongest first.
    pub identity: Vec<Evidence>,
    /// Where the node runs.
    pub placement: Placement,
    /// What the whole apparatus is, where the node runs inside it.
    pub peripheral: UnitKind,
}

/// 20 hexadecimal digits that stand for a text.
pub fn fingerprint(text: &str) -> String {
    hexadecimal(&Sha256::digest(text.as_bytes())[..10])
}

/// Gives every component its key, in the order of `found`. Evidence that two components share names neither.
pub fn keys(found: &[Found], host: &Host) -> Vec<ComponentKey> {
    let mut uses: BTreeMap<(ComponentKind, &Evidence), usize> = BTreeMap::new();
    for component in found {
        for evidence in &component.findings.identity {
            *uses.entry((component.kind, evidence)).or_default() += 1;
        }
    }
    found
        .iter()
        .map(|component| {
            let kind = kind_name(component.kind);
            let own = component
                .findings
                .identity
                .iter()
                .find(|evidence| uses.get(&(component.kind, *evidence)) == Some(&1));
            let text = match own {
                Some(evidence) => format!("{:?} {}", evidence.kind, evidence.value),
                None => format!("host {} {}", host.fingerprint, component.host_path),
            };
            ComponentKey(format!("{kind}-{}", fingerprint(&text)))
        })
        .collect()
}

fn kind_name(kind: ComponentKind) -> &'static str {
    match kind {
        ComponentKind::Drive => "drive",
        ComponentKind::Namespace => "namespace",
        ComponentKind::VolumeGroup => "volume_group",
        ComponentKind::Pool => "pool",
        ComponentKind::Volume => "volume",
        ComponentKind::FileSystem => "file_system",
        ComponentKind::Controller => "controller",
    }
}

/// Joins components into units: what is connected is one unit. A group with one drive is that drive; groups with
/// several are the storage of this server. Inside a peripheral everything is one unit.
pub fn units(found: &[Found], keys: &[ComponentKey], host: &Host) -> Vec<UnitReport> {
    let below = below(found);
    let order = providers_first(&below);
    let group = groups(&below);
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for component in order {
        let place = match host.placement {
            Placement::Peripheral => 0,
            Placement::Host => group[component],
        };
        members.entry(place).or_default().push(component);
    }
    let mut units: Vec<UnitReport> = Vec::new();
    let mut server: Vec<Component> = Vec::new();
    for group in members.into_values() {
        let drives: Vec<usize> =
            group.iter().copied().filter(|i| found[*i].kind == ComponentKind::Drive).collect();
        let components: Vec<Component> =
            group.iter().map(|i| component(&found[*i], &keys[*i], &below[*i], keys, host)).collect();
        match (host.placement, drives.as_slice()) {
            (Placement::Peripheral, _) => units.push(UnitReport {
                key: ComponentKey(format!("peripheral-{}", host.fingerprint)),
                kind: host.peripheral,
                identity: host.identity.clone(),
                components,
            }),
            (Placement::Host, [drive]) => units.push(UnitReport {
                key: keys[*drive].clone(),
                kind: UnitKind::Drive,
                identity: identity(&found[*drive], host),
                components,
            }),
            (Placement::Host, _) => server.extend(components),
        }
    }
    if !server.is_empty() {
        units.push(UnitReport {
            key: ComponentKey(format!("server-{}", host.fingerprint)),
            kind: UnitKind::ServerStorage,
            identity: host.identity.clone(),
            components: server,
        });
    }
    units.sort_by(|a, b| a.key.cmp(&b.key));
    units
}

/// The unit of an apparatus that is reached over the network, with all that is in it.
pub fn apparatus(apparatus: &Apparatus, keys: &[ComponentKey], host: &Host) -> UnitReport {
    let found = &apparatus.found;
    let below = below(found);
    let text = match apparatus.identity.first() {
        Some(evidence) => format!("{:?} {}", evidence.kind, evidence.value),
        None => format!("host {} {}", host.fingerprint, apparatus.name),
    };
    UnitReport {
        key: ComponentKey(format!("array-{}", fingerprint(&text))),
        kind: UnitKind::Array,
        identity: apparatus.identity.clone(),
        components: providers_first(&below)
            .into_iter()
            .map(|i| component(&found[i], &keys[i], &below[i], keys, host))
            .collect(),
    }
}

/// For each component the indices of those that it is made of.
fn below(found: &[Found]) -> Vec<Vec<usize>> {
    let index: BTreeMap<&str, usize> = found.iter().enumerate().map(|(i, f)| (f.name.as_str(), i)).collect();
    found
        .iter()
        .map(|f| f.below.iter().filter_map(|name| index.get(name.as_str()).copied()).collect())
        .collect()
}

fn component(
    found: &Found,
    key: &ComponentKey,
    below: &[usize],
    keys: &[ComponentKey],
    host: &Host,
) -> Component {
    Component {
        key: key.clone(),
        kind: found.kind,
        label: found.label.clone(),
        provided_by: below.iter().map(|i| keys[*i].clone()).collect(),
        identity: identity(found, host),
        specs: found.findings.specs.clone(),
    }
}

fn identity(found: &Found, host: &Host) -> Vec<Evidence> {
    let mut identity = found.findings.identity.clone();
    // The path may hold a mount point, which is its owner's: only its fingerprint is evidence.
    let value = format!("{} {}", host.fingerprint, fingerprint(&found.host_path));
    identity.push(Evidence { kind: EvidenceKind::HostPath, value });
    identity
}

/// Order in which every component comes after those that it is made of. A circle, which no machine has but a hostile
/// one may show, is broken where it is met.
fn providers_first(below: &[Vec<usize>]) -> Vec<usize> {
    let mut order = Vec::with_capacity(below.len());
    let mut seen = BTreeSet::new();
    for start in 0..below.len() {
        let mut stack = vec![(start, false)];
        while let Some((component, children_done)) = stack.pop() {
            if children_done {
                order.push(component);
            } else if seen.insert(component) {
                stack.push((component, true));
                stack.extend(below[component].iter().filter(|i| !seen.contains(i)).map(|i| (*i, false)));
            }
        }
    }
    order
}

/// For each component the smallest index that it is connected to.
fn groups(below: &[Vec<usize>]) -> Vec<usize> {
    fn root(parent: &mut [usize], mut component: usize) -> usize {
        while parent[component] != component {
            parent[component] = parent[parent[component]];
            component = parent[component];
        }
        component
    }
    let mut parent: Vec<usize> = (0..below.len()).collect();
    for (component, providers) in below.iter().enumerate() {
        for provider in providers {
            let (a, b) = (root(&mut parent, component), root(&mut parent, *provider));
            let (low, high) = (a.min(b), a.max(b));
            parent[high] = low;
        }
    }
    (0..below.len()).map(|component| root(&mut parent, component)).collect()
}

#[cfg(test)]
mod tests {
    use headroom_core::{
        exchange::Placement,
        unit::{ComponentKind, EvidenceKind, UnitKind},
    };
    use proptest::prelude::*;

    use super::{Host, keys, providers_first, units};
    use crate::decode::Findings;
    use crate::probe::Found;

    fn host(placement: Placement) -> Host {
        Host { fingerprint: "h".to_owned(), identity: Vec::new(), placement, peripheral: UnitKind::Nas }
    }

    fn found(name: &str, kind: ComponentKind, below: &[&str], wwn: Option<&str>) -> Found {
        let mut findings = Findings::default();
        if let Some(wwn) = wwn {
            findings.evidence(EvidenceKind::Naa, wwn);
        }
        Found {
            name: name.to_owned(),
            kind,
            label: None,
            below: below.iter().map(|b| (*b).to_owned()).collect(),
            host_path: format!("path of {name}"),
            attachment: None,
            findings,
        }
    }

    #[test]
    fn one_drive_is_a_unit_and_a_raid_is_the_servers_storage() {
        use ComponentKind::{Drive, FileSystem, Pool};
        let found = [
            found("fs-md", FileSystem, &["md0"], None),
            found("md0", Pool, &["sda", "sdb"], None),
            found("sda", Drive, &[], Some("5000a")),
            found("sdb", Drive, &[], Some("5000b")),
            found("fs-c", FileSystem, &["sdc"], None),
            found("sdc", Drive, &[], None),
        ];
        let host = host(Placement::Host);
        let keys = keys(&found, &host);
        let units = units(&found, &keys, &host);
        let kinds: Vec<_> = units.iter().map(|u| (u.kind, u.components.len())).collect();
        assert_eq!(kinds, [(UnitKind::Drive, 2), (UnitKind::ServerStorage, 4)]);
        let server = &units[1];
        assert_eq!(server.components[3].kind, FileSystem, "providers come first");
        assert_eq!(server.components[3].provided_by.len(), 1);
    }

    #[test]
    fn inside_a_peripheral_everything_is_one_unit() {
        let found =
            [found("sda", ComponentKind::Drive, &[], None), found("sdb", ComponentKind::Drive, &[], None)];
        let host = host(Placement::Peripheral);
        let units = units(&found, &keys(&found, &host), &host);
        assert_eq!((units.len(), units[0].kind), (1, UnitKind::Nas));
    }

    #[test]
    fn a_number_that_two_drives_share_names_neither() {
        let host = host(Placement::Host);
        let alone = keys(&[found("sda", ComponentKind::Drive, &[], Some("5000c"))], &host);
        let both = keys(
            &[
                found("sda", ComponentKind::Drive, &[], Some("5000c")),
                found("sdb", ComponentKind::Drive, &[], Some("5000c")),
            ],
            &host,
        );
        assert_ne!(both[0], both[1]);
        assert!(!both.contains(&alone[0]));
    }

    proptest! {
        #[test]
        fn every_component_is_in_one_unit_once(
            edges in proptest::collection::vec((0_usize..12, 0_usize..12), 0..30),
            drives in proptest::collection::vec(any::<bool>(), 12),
        ) {
            let mut below = vec![Vec::new(); 12];
            for (from, to) in &edges {
                below[*from].push(*to);
            }
            prop_assert_eq!(providers_first(&below).len(), 12);
            let found: Vec<Found> = (0..12).map(|i| {
                let kind = if drives[i] { ComponentKind::Drive } else { ComponentKind::FileSystem };
                let names: Vec<String> = below[i].iter().map(|b| format!("c{b}")).collect();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                found(&format!("c{i}"), kind, &names, None)
            }).collect();
            let host = host(Placement::Host);
            let units = units(&found, &keys(&found, &host), &host);
            let mut all: Vec<_> = units.iter().flat_map(|u| &u.components).map(|c| c.key.clone()).collect();
            all.sort();
            all.dedup();
            prop_assert_eq!(all.len(), 12);
        }
    }
}
