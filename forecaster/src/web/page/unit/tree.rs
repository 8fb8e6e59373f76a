//! Components under what they are made of, with their newest figures and with what they do not report.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::database::unit_page::{AbsenceRow, ComponentRow};
use crate::web::chart::measure::percent;
use crate::web::line::{exact_bytes, size};
use crate::web::wording::{ago, words};

/// Deepest indent.
const DEPTH_MAX: usize = 4;

/// A row of the tree.
pub(super) struct Part {
    pub(super) name: String,
    pub(super) model: Option<String>,
    pub(super) kind: String,
    pub(super) depth: usize,
    pub(super) used: String,
    pub(super) exact: Option<String>,
    pub(super) source: Option<String>,
    pub(super) capacity: String,
    pub(super) load: String,
    pub(super) wear: String,
    pub(super) seen: String,
    pub(super) absences: Vec<String>,
}

/// Every component once, each under the first thing it is made of. A cycle, which no device has, ends at its first member.
pub(super) fn parts(components: &[ComponentRow], now: Timestamp) -> Vec<Part> {
    let mut below: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    let known: BTreeMap<i64, usize> =
        components.iter().enumerate().map(|(index, component)| (component.component_id, index)).collect();
    let mut roots = Vec::new();
    for (index, component) in components.iter().enumerate() {
        match component.providers.iter().find(|provider| known.contains_key(provider)) {
            Some(provider) => below.entry(*provider).or_default().push(index),
            None => roots.push(index),
        }
    }
    let mut placed = vec![false; components.len()];
    let mut parts = Vec::with_capacity(components.len());
    // What is left after the roots stands in a cycle.
    for start in roots.into_iter().chain(0..components.len()) {
        let mut waiting = vec![(start, 0)];
        while let Some((index, depth)) = waiting.pop() {
            let (Some(component), Some(done)) = (components.get(index), placed.get_mut(index)) else {
                continue;
            };
            if std::mem::replace(done, true) {
                continue;
            }
            parts.push(part(component, depth, now));
            let children = below.get(&component.component_id).map(Vec::as_slice).unwrap_or_default();
            waiting.extend(children.iter().rev().map(|child| (*child, (depth + 1).min(DEPTH_MAX))));
        }
    }
    parts
}

fn part(component: &ComponentRow, depth: usize, now: Timestamp) -> Part {
    let specs = &component.specs;
    let model: Vec<&str> =
        [&specs.vendor, &specs.model, &specs.serial].into_iter().flatten().map(String::as_str).collect();
    let capacity = component
        .capacity_bytes
        .or_else(|| specs.capacity_bytes.and_then(|bytes| i64::try_from(bytes.0).ok()));
    let share = match (component.used_bytes, capacity) {
        (Some(used), Some(capacity)) if capacity > 0 => {
            format!(", {}", percent(used as f64 / capacity as f64))
        }
        _ => String::new(),
    };
    Part {
        name: component
            .label
            .clone()
            .unwrap_or_else(|| format!("{} {}", words(&component.kind), component.component_id)),
        model: (!model.is_empty()).then(|| model.join(" ")),
        kind: match &specs.format {
            Some(format) => format!("{}, {format}", words(&component.kind)),
            None => words(&component.kind),
        },
        depth,
        used: component.used_bytes.map_or_else(
            || "not reported".to_owned(),
            |used| format!("{}{share}", size(used, &component.kind)),
        ),
        exact: component.used_bytes.map(exact_bytes),
        source: component.used_source.as_deref().map(|source| source.replace('_', " ")),
        capacity: capacity.map_or_else(|| "not reported".to_owned(), |bytes| size(bytes, &component.kind)),
        load: component
            .utilisation
            .map_or_else(|| "–".to_owned(), |share| format!("{} busy", percent(share))),
        wear: wear(component),
        seen: match (component.gone_at, component.at) {
            (Some(gone), _) => format!("gone, {}", ago(gone, now)),
            (None, Some(at)) => ago(at, now),
            (None, None) => "not measured yet".to_owned(),
        },
        absences: component.absences.iter().map(absence).collect(),
    }
}

fn wear(component: &ComponentRow) -> String {
    let mut told = Vec::new();
    if let Some(used) = component.endurance_used_percent {
        told.push(format!("{used} % used"));
    }
    if let Some(spare) = component.spare_percent {
        told.push(format!("{spare} % spare"));
    }
    if let Some(written) = component.data_written_bytes {
        told.push(format!("{} written", size(written, "drive")));
    }
    if let Some(errors) = component.media_errors.filter(|errors| *errors > 0) {
        told.push(format!("{errors} media errors"));
    }
    if let Some(celsius) = component.temperature_celsius {
        told.push(format!("{celsius} °C"));
    }
    if told.is_empty() { "–".to_owned() } else { told.join(", ") }
}

fn absence(absence: &AbsenceRow) -> String {
    let field = words(&absence.field);
    let reason = absence.reason.replace('_', " ");
    match &absence.detail {
        Some(detail) => format!("{field}: {reason}. {detail}"),
        None => format!("{field}: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::parts;
    use crate::database::unit_page::ComponentRow;

    fn component(component_id: i64, providers: &[i64]) -> ComponentRow {
        ComponentRow {
            component_id,
            kind: "drive".to_owned(),
            label: Some(component_id.to_string()),
            providers: providers.to_vec(),
            ..ComponentRow::default()
        }
    }

    fn shape(components: &[ComponentRow]) -> Vec<(String, usize)> {
        parts(components, Timestamp::UNIX_EPOCH).into_iter().map(|part| (part.name, part.depth)).collect()
    }

    #[test]
    fn what_is_made_of_something_stands_under_it() {
        let shape = shape(&[component(3, &[2]), component(1, &[]), component(2, &[1]), component(4, &[1])]);
        let expected = [("1", 0), ("2", 1), ("3", 2), ("4", 1)].map(|(name, depth)| (name.to_owned(), depth));
        assert_eq!(shape, expected);
    }

    #[test]
    fn every_component_stands_once_even_in_a_cycle_or_under_something_unknown() {
        let shape =
            shape(&[component(1, &[2]), component(2, &[1]), component(3, &[99]), component(4, &[1, 2])]);
        let mut names: Vec<_> = shape.into_iter().map(|(name, _)| name).collect();
        names.sort();
        assert_eq!(names, ["1", "2", "3", "4"]);
    }
}
