//! The result for one capture, as docs/capture.schema.json describes it.

use headroom_core::unit::{Absence, Component, ComponentKey, Figure, Status};
use serde::Serialize;
use serde_json::Value;

use super::Capture;

/// Version of the form; docs/capture.schema.json names it too.
pub const SCHEMA: u32 = 1;

/// One result a file.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Report {
    /// It was read.
    Read(Box<Reading>),
    /// It was not.
    Failed(Failure),
}

/// A capture that was read.
#[derive(Debug, Serialize)]
pub struct Reading {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The file, as it was named to the program.
    pub file: String,
    /// 0.
    pub exit: u8,
    /// What the file is.
    pub format: &'static str,
    /// Components with identity and specifications.
    pub components: Vec<Component>,
    /// Status of the components that have any.
    pub status: Vec<ComponentStatus>,
    /// What is not reported, and why.
    pub absences: Vec<Absence>,
    /// Unit and source of each figure.
    pub sources: Vec<Source>,
    /// Figures that pages tell differently.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub disagreements: Vec<String>,
    /// Figures of a raw page that have no place above.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub page: Value,
    /// What should be known about the file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

/// Status of one component.
#[derive(Debug, Serialize)]
pub struct ComponentStatus {
    /// Which component.
    pub component: ComponentKey,
    /// Its status; a sample without time, because a capture has none.
    #[serde(flatten)]
    pub status: Status,
}

/// Unit and source of a figure.
#[derive(Debug, Serialize)]
pub struct Source {
    /// Which component.
    pub component: ComponentKey,
    /// Which figure.
    pub field: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// Where it was read.
    pub source: String,
}

/// A capture that was not read.
#[derive(Debug, Serialize)]
pub struct Failure {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The file, as it was named to the program.
    pub file: String,
    /// The exit code for it: 65 damaged, 66 not there, 77 not allowed.
    pub exit: u8,
    /// What is wrong, and what would mend it.
    pub error: String,
}

impl Report {
    /// The exit code for the file.
    pub fn exit(&self) -> u8 {
        match self {
            Self::Read(reading) => reading.exit,
            Self::Failed(failure) => failure.exit,
        }
    }

    /// A file that was not read.
    pub fn failed(file: String, exit: u8, error: String) -> Self {
        Self::Failed(Failure { schema: SCHEMA, file, exit, error })
    }

    /// A file that was read.
    pub fn read(file: String, capture: Capture) -> Self {
        let parts = capture.parts;
        let status = parts.iter().filter(|part| part.findings.status != Status::default());
        let sources = parts.iter().flat_map(|part| sources(part, capture.format));
        Self::Read(Box::new(Reading {
            schema: SCHEMA,
            file,
            exit: 0,
            format: capture.format,
            status: status
                .map(|part| ComponentStatus {
                    component: part.key.clone(),
                    status: part.findings.status.clone(),
                })
                .collect(),
            sources: sources.collect(),
            absences: parts.iter().flat_map(super::Part::absences).collect(),
            disagreements: parts.iter().flat_map(|part| part.findings.disagreements.clone()).collect(),
            components: parts.iter().map(super::Part::component).collect(),
            page: capture.figures,
            remarks: capture.remarks,
        }))
    }
}

/// Sources of a part: what its decoder noted, and the file's format for what it set without a note.
fn sources(part: &super::Part, format: &'static str) -> Vec<Source> {
    let specs = &part.findings.specs;
    let plain = [
        ("vendor", specs.vendor.is_some()),
        ("interface", specs.interface.is_some()),
        ("format", specs.format.is_some()),
        ("thin", specs.thin.is_some()),
        ("rotation_rpm", specs.rotation_rpm.is_some()),
        ("logical_block_bytes", specs.logical_block_bytes.is_some()),
    ];
    let noted = &part.findings.sources;
    let plain = plain.into_iter().filter(|(field, is_set)| *is_set && !noted.contains_key(field));
    let source = |field: &'static str, source: String| Source {
        component: part.key.clone(),
        field,
        unit: unit(field),
        source,
    };
    noted
        .iter()
        .map(|(field, from)| source(field, from.clone()))
        .chain(plain.map(|(field, _)| source(field, format.to_owned())))
        .collect()
}

/// The unit of a figure of the status or the specifications, by its name.
pub fn unit(field: &str) -> &'static str {
    match (Figure::named(field), field) {
        (Some(figure), _) => figure.unit,
        (None, "rotation_rpm") => "rotation per minute",
        (None, "thin") => "truth",
        (None, field) if field.ends_with("_bytes") => "byte",
        (None, _) => "text",
    }
}
