//! What has been read from one component: parts of core's types, with the source of each figure.

use std::collections::BTreeMap;

use headroom_core::{
    quantity::Bytes,
    unit::{
        Absence, AbsenceReason, ComponentKey, Evidence, EvidenceKind, FIGURES, Figure, Number, Specs, Status,
        StatusField,
    },
};

/// The largest byte count that is believed: PostgreSQL keeps bytes as `bigint`.
pub const BYTES_MAX: u64 = i64::MAX as u64;

/// A drive of fewer bytes is a figure in another unit.
pub(super) const DRIVE_BYTES_MIN: u128 = 1_000_000;

/// A figure that was looked for and is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Name of the figure in [`Status`] or [`Specs`].
    pub field: &'static str,
    /// Why it is absent.
    pub reason: AbsenceReason,
    /// What was seen, in one sentence.
    pub detail: String,
}

/// Identity, specifications, status and absences of one component, gathered page by page.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Findings {
    /// Identity evidence; [`Findings::evidence`] keeps it in the order of trust.
    pub identity: Vec<Evidence>,
    /// Specifications read so far.
    pub specs: Specs,
    /// Status read so far.
    pub status: Status,
    /// Figures that are absent. One that another page supplies is dropped by [`Findings::absences`].
    pub missing: Vec<Missing>,
    /// Where each figure comes from, by its name.
    pub sources: BTreeMap<&'static str, String>,
    /// Two pages that tell the same wear differently: both are shown, the first is kept.
    pub disagreements: Vec<String>,
}

impl Findings {
    /// Adds identity evidence unless it is blank, all zero, all FFh or already there.
    pub fn evidence(&mut self, kind: EvidenceKind, value: &str) {
        let value = value.trim();
        let evidence = Evidence { kind, value: value.to_owned() };
        if is_believable_identity(value) && !self.identity.contains(&evidence) {
            self.identity.push(evidence);
            self.identity.sort();
        }
    }

    /// Adds the evidence that vendor, model and serial number make together, and the serial number alone.
    pub fn model_and_serial(&mut self, vendor: Option<&str>, model: Option<&str>, serial: Option<&str>) {
        let Some(serial) = serial.filter(|serial| is_believable_identity(serial)) else { return };
        if let Some(model) = model {
            let value = format!("{}|{model}|{serial}", vendor.unwrap_or(""));
            self.evidence(EvidenceKind::VendorModelSerial, &value);
        }
        self.evidence(EvidenceKind::Serial, serial);
    }

    /// Notes where a figure comes from.
    pub fn source(&mut self, field: &'static str, source: impl Into<String>) {
        self.sources.insert(field, source.into());
    }

    /// Notes that a figure is absent.
    pub fn absent(&mut self, field: &'static str, reason: AbsenceReason, detail: impl Into<String>) {
        self.missing.push(Missing { field, reason, detail: detail.into() });
    }

    /// A byte count from a 128-bit field: kept where it is believable, absent with the reason where not.
    pub fn bytes(&mut self, field: &'static str, value: u128, source: &str) -> Option<Bytes> {
        let is_believed = |count: &u64| match Figure::named(field) {
            Some(figure) => figure.can_be(Number::Whole((*count).into())),
            None => *count <= BYTES_MAX,
        };
        let believed = u64::try_from(value).ok().filter(is_believed);
        match believed {
            Some(_) => self.source(field, source),
            None => {
                let detail = format!("{source} says {value}, more than any device holds or counts");
                self.absent(field, AbsenceReason::Unbelievable, detail);
            }
        }
        believed.map(Bytes)
    }

    /// A counter from a 128-bit field, likewise.
    pub fn counter(&mut self, field: &'static str, value: u128, source: &str) -> Option<u64> {
        self.bytes(field, value, source).map(|count| count.0)
    }

    /// A temperature, kept where it is believable.
    pub fn temperature(&mut self, celsius: i64, source: &str) {
        const FIELD: &str = "temperature_celsius";
        let figure = Figure::named(FIELD).filter(|figure| figure.can_be(Number::Whole(celsius.into())));
        if figure.is_some_and(|figure| figure.set(&mut self.status, Number::Whole(celsius.into()))) {
            self.source(FIELD, source);
        } else {
            self.absent(FIELD, AbsenceReason::Unbelievable, format!("{source} says {celsius} °C"));
        }
    }

    /// Takes over what another page of the same component found; what is there already stays.
    pub fn merge(&mut self, other: Self) {
        self.note_disagreement(&other);
        self.identity.extend(other.identity);
        self.identity.sort();
        self.identity.dedup();
        fill_specs(&mut self.specs, other.specs);
        fill_status(&mut self.status, &other.status);
        self.missing.extend(other.missing);
        for (field, source) in other.sources {
            self.sources.entry(field).or_insert(source);
        }
    }

    fn note_disagreement(&mut self, other: &Self) {
        let (ours, theirs) = (self.status.endurance_used_percent, other.status.endurance_used_percent);
        if let (Some(ours), Some(theirs)) = (ours, theirs)
            && ours != theirs
        {
            let name =
                |findings: &Self| findings.sources.get("endurance_used_percent").cloned().unwrap_or_default();
            self.disagreements.push(format!(
                "endurance_used_percent: {ours} % by {}, {theirs} % by {}",
                name(self),
                name(other)
            ));
        }
        self.disagreements.extend(other.disagreements.iter().cloned());
    }

    /// The absences, for the component with this key: each figure once, and none that another page supplied.
    pub fn absences(&self, component: &ComponentKey) -> Vec<Absence> {
        let mut absences: Vec<Absence> = Vec::new();
        for missing in &self.missing {
            let known = absences.iter().any(|absence| absence.field.0 == missing.field);
            if known || self.sources.contains_key(missing.field) {
                continue;
            }
            absences.push(Absence {
                component: component.clone(),
                field: StatusField(missing.field.to_owned()),
                reason: missing.reason,
                detail: Some(missing.detail.clone()),
            });
        }
        absences
    }
}

/// What makers and scrubbed captures write where an identifier should stand.
const PLACEHOLDERS: [&str; 8] = [
    "redacted",
    "unknown",
    "none",
    "na",
    "notspecified",
    "defaultstring",
    "serialnumber",
    "1234567890abcdef",
];

/// Whether an identifier can tell two devices apart.
pub fn is_believable_identity(value: &str) -> bool {
    let significant: Vec<char> =
        value.chars().filter(|c| !matches!(c, '-' | ' ' | '|' | ':' | '.')).collect();
    let Some(first) = significant.first() else { return false };
    let plain: String = significant.iter().filter(|c| **c != '/').collect::<String>().to_lowercase();
    if PLACEHOLDERS.contains(&plain.as_str()) {
        return false;
    }
    let uniform = significant.iter().all(|c| c.eq_ignore_ascii_case(first));
    !(uniform && matches!(first, '0' | 'f' | 'F' | 'x' | 'X' | '?'))
}

fn fill<T>(ours: &mut Option<T>, theirs: Option<T>) {
    if ours.is_none() {
        *ours = theirs;
    }
}

fn fill_specs(ours: &mut Specs, theirs: Specs) {
    fill(&mut ours.vendor, theirs.vendor);
    fill(&mut ours.model, theirs.model);
    fill(&mut ours.serial, theirs.serial);
    fill(&mut ours.firmware, theirs.firmware);
    fill(&mut ours.capacity_bytes, theirs.capacity_bytes);
    fill(&mut ours.logical_block_bytes, theirs.logical_block_bytes);
    fill(&mut ours.interface, theirs.interface);
    fill(&mut ours.rotation_rpm, theirs.rotation_rpm);
    fill(&mut ours.thin, theirs.thin);
    fill(&mut ours.format, theirs.format);
    fill(&mut ours.rated_write_bytes, theirs.rated_write_bytes);
}

fn fill_status(ours: &mut Status, theirs: &Status) {
    // A used figure and its source go together.
    if ours.used_bytes.is_none() {
        ours.used_bytes = theirs.used_bytes;
        ours.used_source = theirs.used_source;
    }
    for figure in FIGURES.iter().filter(|figure| figure.name != "used_bytes") {
        if let (None, Some(told)) = (figure.of(ours), figure.of(theirs)) {
            let fits = figure.set(ours, told);
            debug_assert!(fits, "{} comes from a status", figure.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use headroom_core::unit::{AbsenceReason, ComponentKey, EvidenceKind};

    use super::{Findings, is_believable_identity};

    #[test]
    fn worthless_identifiers_are_no_evidence() {
        for bad in [
            "",
            "0000000000000000",
            "FFFFFFFF",
            "00000000-0000-0000-0000-000000000000",
            "|",
            "xxxx",
            "REDACTED",
            "N/A",
        ] {
            assert!(!is_believable_identity(bad), "{bad:?}");
        }
        assert!(is_believable_identity("0025385b11b0cd80"));
        let mut findings = Findings::default();
        findings.model_and_serial(None, Some("M"), Some("0000"));
        assert!(findings.identity.is_empty());
        findings.model_and_serial(None, Some("M"), Some("S1"));
        findings.evidence(EvidenceKind::Nguid, "0123");
        assert_eq!(findings.identity[0].kind, EvidenceKind::Nguid, "strongest first");
    }

    #[test]
    fn a_figure_that_another_page_supplies_is_not_absent() {
        let mut first = Findings::default();
        first.absent("power_on_hours", AbsenceReason::NotReported, "page A has none");
        first.absent("temperature_celsius", AbsenceReason::NotReported, "page A has none");
        let mut second = Findings::default();
        second.temperature(30, "page B");
        first.merge(second);
        let absences = first.absences(&ComponentKey("k".to_owned()));
        assert_eq!(absences.len(), 1);
        assert_eq!(absences[0].field.0, "power_on_hours");
        assert_eq!(first.status.temperature_celsius, Some(30));
    }

    #[test]
    fn pages_that_disagree_on_wear_are_both_shown() {
        let wear = |percent, source: &str| {
            let mut findings = Findings::default();
            findings.status.endurance_used_percent = Some(percent);
            findings.source("endurance_used_percent", source);
            findings
        };
        let mut findings = wear(3, "log 02h");
        findings.merge(wear(9, "log 09h"));
        assert_eq!(findings.status.endurance_used_percent, Some(3));
        assert_eq!(findings.disagreements, ["endurance_used_percent: 3 % by log 02h, 9 % by log 09h"]);
    }

    #[test]
    fn impossible_bytes_are_absent() {
        let mut findings = Findings::default();
        assert_eq!(findings.bytes("data_written_bytes", u128::MAX, "log 02h"), None);
        assert_eq!(findings.missing[0].reason, AbsenceReason::Unbelievable);
    }
}
