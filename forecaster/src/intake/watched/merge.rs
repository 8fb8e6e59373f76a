//! Series into units, components and samples. What belongs together may come in different requests, in any order and twice.

use std::collections::{BTreeMap, BTreeSet};

use headroom_core::quantity::Bytes;
use headroom_core::unit::{
    CapacitySource, Component, ComponentKey, ComponentKind, Evidence, EvidenceKind, Sample, Specs, Status,
    UnitKind, UnitReport,
};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::rules::{self, Mapping, Part, Told};
use super::series::Series;
use crate::database::watched::KeptPart;

/// Longest time over which a counter is differenced: an exporter that was away for longer may have been restarted twice.
const DIFFERENCE_SECONDS_MAX: f64 = 3_600.0;
/// Longest text that is taken from a label.
const LABEL_CHARACTERS_MAX: usize = 400;

/// What a request told.
#[derive(Debug, Default)]
pub(super) struct Request {
    /// Units with the components that the request spoke of.
    pub(super) units: BTreeMap<String, UnitReport>,
    statuses: BTreeMap<(String, Timestamp), Status>,
    parts: BTreeMap<(String, Part, Timestamp), f64>,
    /// Names that nothing maps: labels of one of them, and how many.
    pub(super) unmatched: BTreeMap<String, (serde_json::Value, i64)>,
}

/// Twenty hexadecimal digits that stand for a thing: labels may be long and hold anything.
fn key(kind: &str, host: &str, name: &str) -> String {
    let digest = Sha256::digest(format!("{host}\n{name}").as_bytes());
    format!("{kind}-{}", headroom_core::exchange::enrol::hexadecimal(&digest[..10]))
}

fn clean(text: &str) -> Option<String> {
    let text: String = text.chars().filter(|c| !c.is_control()).take(LABEL_CHARACTERS_MAX).collect();
    let text = text.trim().to_owned();
    (!text.is_empty()).then_some(text)
}

impl Request {
    /// Reads series by their mappings.
    pub(super) fn read(series: &[Series], mappings: &BTreeMap<String, Mapping>) -> Self {
        let mut request = Self::default();
        for one in series {
            let is_understood = match mappings.get(&one.name) {
                Some(mapping) => rules::is_elsewhere(one) || request.take(one, mapping).is_some(),
                None => !rules::is_for_a_person(&one.name),
            };
            if !is_understood {
                request.note_unmatched(one);
            }
        }
        request
    }

    fn note_unmatched(&mut self, series: &Series) {
        let Some(name) = clean(&series.name).filter(|name| name.len() <= 200) else { return };
        let labels = series.labels.iter().filter_map(|(label, value)| Some((clean(label)?, clean(value)?)));
        let labels = labels.map(|(label, value)| (label, value.into())).collect();
        let entry = self.unmatched.entry(name).or_insert((serde_json::Value::Object(labels), 0));
        entry.1 += 1;
    }

    /// `None` where it lacks the labels that would say what it is of.
    fn take(&mut self, series: &Series, mapping: &Mapping) -> Option<()> {
        let host = clean(series.host()?)?;
        let device = clean(series.label(&mapping.label)?)?;
        let kind = rules::kind_of_device(mapping.kind, &device);
        let component = self.component(series, kind, &host, &device);
        match mapping.told() {
            Told::Facts => {
                facts(component, series);
                if kind == ComponentKind::Drive {
                    let (own, key) = (component.identity.clone(), component.key.0.clone());
                    if let Some(unit) = self.units.get_mut(&key) {
                        // Strongest first: where it hangs comes last.
                        unit.identity.retain(|evidence| evidence.kind == EvidenceKind::HostPath);
                        unit.identity.splice(0..0, own);
                    }
                }
            }
            Told::MadeCapacity => {
                let bytes = series.samples.last().map(|(_, value)| value * mapping.factor);
                // An exporter that does not know the capacity says 0.
                if let Some(bytes) = bytes.filter(|bytes| (1.0..9.2e18).contains(bytes)) {
                    component.specs.capacity_bytes = Some(Bytes(bytes as u64));
                }
            }
            Told::Part(part) => {
                let key = component.key.0.clone();
                for (at, value) in series.samples.iter().filter(|(_, value)| *value >= 0.0) {
                    self.parts.insert((key.clone(), part, *at), value * mapping.factor);
                }
            }
            Told::Figure(field) => {
                let key = component.key.0.clone();
                for (at, value) in &series.samples {
                    let status = self.statuses.entry((key.clone(), *at)).or_default();
                    rules::set(status, kind, field, value * mapping.factor);
                }
            }
        }
        Some(())
    }

    fn component(
        &mut self,
        series: &Series,
        kind: ComponentKind,
        host: &str,
        device: &str,
    ) -> &mut Component {
        let (name, unit_kind) = match kind {
            ComponentKind::Drive => ("drive", UnitKind::Drive),
            ComponentKind::FileSystem => ("file_system", UnitKind::ServerStorage),
            ComponentKind::Pool => ("pool", UnitKind::ServerStorage),
            _ => ("volume", UnitKind::ServerStorage),
        };
        let own = key(name, host, device);
        let (unit_key, evidence) = match unit_kind {
            UnitKind::Drive => (own.clone(), format!("{host} {device}")),
            _ => (key("host", host, ""), host.to_owned()),
        };
        let unit = self.units.entry(unit_key.clone()).or_insert_with(|| UnitReport {
            key: ComponentKey(unit_key),
            kind: unit_kind,
            identity: vec![Evidence { kind: EvidenceKind::HostPath, value: evidence }],
            components: Vec::new(),
        });
        let index =
            unit.components.iter().position(|component| component.key.0 == own).unwrap_or_else(|| {
                let label = series.label("mountpoint").and_then(clean).unwrap_or_else(|| device.to_owned());
                let format = series.label("fstype").and_then(clean);
                unit.components.push(Component {
                    key: ComponentKey(own),
                    kind,
                    label: Some(format!("{host} {label}")),
                    provided_by: Vec::new(),
                    identity: Vec::new(),
                    specs: Specs { format, ..Specs::default() },
                });
                unit.components.len() - 1
            });
        &mut unit.components[index]
    }

    /// The components whose parts the request has.
    pub(super) fn with_parts(&self) -> Vec<&str> {
        let keys: BTreeSet<&str> = self.parts.keys().map(|(component, ..)| component.as_str()).collect();
        keys.into_iter().collect()
    }

    /// Puts together what belongs together, with what waited. Gives what waits from now on.
    pub(super) fn join(&mut self, waited: Vec<KeptPart>) -> Vec<KeptPart> {
        for kept in waited {
            if let Some(part) = Part::ALL.into_iter().find(|part| part.name() == kept.part) {
                self.parts.entry((kept.component, part, kept.at)).or_insert(kept.value);
            }
        }
        let parts = std::mem::take(&mut self.parts);
        let at = |component: &str, part, at| parts.get(&(component.to_owned(), part, at)).copied();
        let mut waits = Vec::new();
        let mut busy: BTreeMap<&str, Vec<(Timestamp, f64)>> = BTreeMap::new();
        for ((component, part, moment), value) in &parts {
            let counterpart = match part {
                Part::Size => Part::Free,
                Part::Free => Part::Size,
                Part::Files => Part::FilesFree,
                Part::FilesFree => Part::Files,
                Part::Busy => {
                    busy.entry(component).or_default().push((*moment, *value));
                    continue;
                }
            };
            let Some(other) = at(component, counterpart, *moment) else {
                waits.push(KeptPart {
                    component: component.clone(),
                    part: part.name().to_owned(),
                    at: *moment,
                    value: *value,
                });
                continue;
            };
            let status = self.statuses.entry((component.clone(), *moment)).or_default();
            // More free than there is: one of the two is damaged. Then neither is believed.
            match part {
                Part::Size if *value >= other => {
                    status.capacity_bytes = Some(Bytes(*value as u64));
                    status.used_bytes = Some(Bytes((*value - other) as u64));
                    status.used_source = Some(CapacitySource::FileSystem);
                }
                Part::Files if *value >= other && *value > 0.0 => {
                    status.inodes_total = Some(*value as u64);
                    status.inodes_used = Some((*value - other) as u64);
                }
                _ => {}
            }
        }
        for (component, readings) in busy {
            self.difference(component, &readings);
            if let Some((moment, value)) = readings.last() {
                let (component, part) = (component.to_owned(), Part::Busy.name().to_owned());
                waits.push(KeptPart { component, part, at: *moment, value: *value });
            }
        }
        waits
    }

    /// Utilisation between two readings of a counter, rising by time. A decrease is a reset.
    fn difference(&mut self, component: &str, readings: &[(Timestamp, f64)]) {
        for (index, (moment, value)) in readings.iter().enumerate() {
            let status = self.statuses.entry((component.to_owned(), *moment)).or_default();
            status.busy_milliseconds = Some((value * 1e3) as u64);
            let Some((before, was)) = index.checked_sub(1).and_then(|before| readings.get(before)) else {
                continue;
            };
            let seconds = moment.duration_since(*before).as_secs_f64();
            if value >= was && seconds > 0.0 && seconds <= DIFFERENCE_SECONDS_MAX {
                status.utilisation = Some(((value - was) / seconds).min(1.0));
            }
        }
    }

    /// The samples. They have no number of their own: their time names them.
    pub(super) fn samples(&self) -> Vec<Sample> {
        self.statuses
            .iter()
            .filter(|(_, status)| **status != Status::default())
            .map(|((component, at), status)| Sample {
                sequence: 0,
                component: ComponentKey(component.clone()),
                at: *at,
                boot: Uuid::nil(),
                status: status.clone(),
            })
            .collect()
    }
}

/// Model, serial number and the like, from the labels of an info series.
fn facts(component: &mut Component, series: &Series) {
    let first = |names: &[&str]| names.iter().find_map(|name| series.label(name)).and_then(clean);
    let specs = &mut component.specs;
    specs.model = first(&["model_name", "model", "scsi_model"]);
    specs.vendor = first(&["scsi_vendor", "vendor"]);
    specs.serial = first(&["serial_number", "serial"]);
    specs.firmware = first(&["firmware_version", "revision"]);
    specs.interface = first(&["protocol", "interface"]).map(|name| name.to_ascii_lowercase());
    let mut evidence = Vec::new();
    if let Some(wwn) = first(&["wwn"]) {
        let value = wwn.trim_start_matches("0x").to_ascii_lowercase();
        if value.bytes().any(|byte| byte != b'0') {
            evidence.push(Evidence { kind: EvidenceKind::Wwn, value });
        }
    }
    if let Some(serial) = &specs.serial {
        if let Some(model) = &specs.model {
            let value = format!("{}|{model}|{serial}", specs.vendor.as_deref().unwrap_or_default());
            evidence.push(Evidence { kind: EvidenceKind::VendorModelSerial, value });
        }
        evidence.push(Evidence { kind: EvidenceKind::Serial, value: serial.clone() });
    }
    component.identity = evidence;
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
