//! A component as one capture tells it: key, kind, what provides it, and what was found.

use headroom_core::unit::{Absence, Component, ComponentKey, ComponentKind, EvidenceKind};

use super::Findings;

/// One component of a capture.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Its name inside the capture.
    pub key: ComponentKey,
    /// What it is.
    pub kind: ComponentKind,
    /// The name that its owner knows.
    pub label: Option<String>,
    /// What its space is made of.
    pub provided_by: Vec<ComponentKey>,
    /// What was found.
    pub findings: Findings,
}

impl Part {
    /// A part with a key made of its strongest evidence that survives a move, or of `otherwise`.
    pub fn new(kind: ComponentKind, findings: Findings, otherwise: &str) -> Self {
        let strongest = findings.identity.iter().find(|evidence| evidence.kind != EvidenceKind::HostPath);
        let key = match strongest {
            Some(evidence) => format!("{:?}:{}", evidence.kind, evidence.value).to_lowercase(),
            None => otherwise.to_owned(),
        };
        Self { key: ComponentKey(key), kind, label: None, provided_by: Vec::new(), findings }
    }

    /// The component as core knows it.
    pub fn component(&self) -> Component {
        Component {
            key: self.key.clone(),
            kind: self.kind,
            label: self.label.clone(),
            provided_by: self.provided_by.clone(),
            identity: self.findings.identity.clone(),
            specs: self.findings.specs.clone(),
        }
    }

    /// What it does not report.
    pub fn absences(&self) -> Vec<Absence> {
        self.findings.absences(&self.key)
    }
}
