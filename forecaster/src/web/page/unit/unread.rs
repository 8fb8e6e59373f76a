//! What the node could not read and what would change that, and what it says beside the figures.

use std::collections::BTreeMap;

use crate::database::remarks::RemarkRow;
use crate::database::unit_page::{AbsenceRow, ComponentRow};
use crate::web::wording::{moment, words};

/// Figures that are absent for one reason.
#[derive(Debug, PartialEq)]
pub(super) struct Unread {
    /// Which figures of which components.
    pub(super) what: String,
    /// What was seen.
    pub(super) why: String,
    /// What would change it.
    pub(super) remedy: &'static str,
}

/// What could be read if something changed, most figures first. What a device does not have is not among it.
pub(super) fn unread(components: &[ComponentRow]) -> Vec<Unread> {
    let mut grouped: BTreeMap<(&str, &str), BTreeMap<String, Vec<String>>> = BTreeMap::new();
    for component in components.iter().filter(|component| component.gone_at.is_none()) {
        for AbsenceRow { field, reason, detail } in &component.absences {
            if remedy(reason).is_some() {
                let group = grouped.entry((reason, detail.as_deref().unwrap_or_default())).or_default();
                group.entry(name(component)).or_default().push(words(field).to_lowercase());
            }
        }
    }
    let mut unread: Vec<(usize, Unread)> = grouped
        .into_iter()
        .filter_map(|((reason, detail), figures)| {
            let what: Vec<String> = figures
                .iter()
                .map(|(component, fields)| format!("{component}: {}", fields.join(", ")))
                .collect();
            let reason_words = words(reason);
            let why = if detail.is_empty() { reason_words } else { format!("{reason_words}. {detail}") };
            let count = figures.values().map(Vec::len).sum();
            Some((count, Unread { what: what.join("; "), why, remedy: remedy(reason)? }))
        })
        .collect();
    unread.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    unread.into_iter().map(|(_, one)| one).collect()
}

/// What would change it; `None` where nothing would.
fn remedy(reason: &str) -> Option<&'static str> {
    match reason {
        "permission_denied" => Some(
            "The node may not ask. `headroom-node doctor` on its machine names the capability, group or package that is missing.",
        ),
        "refused" => Some("The device answers with an error and is asked again after its firmware changed."),
        "timed_out" => Some(
            "The device did not answer in time. It is asked again every round, once its last command came back.",
        ),
        "asleep" => Some("The drive sleeps and was left asleep. It is read when something else wakes it."),
        "unbelievable" => Some(
            "The answer was damaged or impossible, so it was not believed. It is read again every round.",
        ),
        _ => None,
    }
}

fn name(component: &ComponentRow) -> String {
    component
        .label
        .clone()
        .unwrap_or_else(|| format!("{} {}", words(&component.kind), component.component_id))
}

/// The node's remarks as sentences: of what they speak or when it happened, then what is said.
pub(super) fn remarks(rows: &[RemarkRow], components: &[ComponentRow]) -> Vec<String> {
    let of = |id: i64| components.iter().find(|component| component.component_id == id).map(name);
    rows.iter()
        .map(|row| {
            let of = row.component_id.and_then(of).map(|name| format!("{name}: ")).unwrap_or_default();
            let at = row.happened_at.map(|at| format!("{}: ", moment(at))).unwrap_or_default();
            format!("{at}{of}{}", row.sentence)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{remarks, unread};
    use crate::database::remarks::RemarkRow;
    use crate::database::unit_page::{AbsenceRow, ComponentRow};

    fn component(component_id: i64, absences: &[(&str, &str, Option<&str>)]) -> ComponentRow {
        let absences = absences.iter().map(|(field, reason, detail)| AbsenceRow {
            field: (*field).to_owned(),
            reason: (*reason).to_owned(),
            detail: detail.map(str::to_owned),
        });
        ComponentRow {
            component_id,
            kind: "drive".to_owned(),
            label: (component_id == 1).then(|| "sda".to_owned()),
            absences: absences.collect(),
            ..ComponentRow::default()
        }
    }

    #[test]
    fn what_one_thing_would_change_stands_together_and_what_a_device_lacks_does_not() {
        let denied = Some("/dev/sda: EPERM");
        let first = component(
            1,
            &[
                ("used_bytes", "unsupported", None),
                ("temperature_celsius", "permission_denied", denied),
                ("media_errors", "permission_denied", denied),
                ("queue_depth", "timed_out", None),
            ],
        );
        let second = component(2, &[("temperature_celsius", "permission_denied", denied)]);
        let gone = ComponentRow { gone_at: Some(Timestamp::UNIX_EPOCH), ..second.clone() };
        let told = unread(&[first, second, ComponentRow { component_id: 3, ..gone }]);
        assert_eq!(told.len(), 2, "{told:?}");
        assert_eq!(told[0].what, "Drive 2: temperature celsius; sda: temperature celsius, media errors");
        assert_eq!(told[0].why, "Permission denied. /dev/sda: EPERM");
        assert!(told[0].remedy.contains("doctor"));
        assert_eq!((told[1].what.as_str(), told[1].why.as_str()), ("sda: queue depth", "Timed out"));
    }

    #[test]
    fn a_remark_says_of_what_it_is_or_when_it_was() {
        let row = |component_id, happened_at, sentence: &str| RemarkRow {
            component_id,
            happened_at,
            sentence: sentence.to_owned(),
        };
        let rows = [
            row(Some(1), None, "pages disagree"),
            row(Some(9), None, "of one that is not shown"),
            row(None, Some(Timestamp::UNIX_EPOCH), "the clock jumped"),
        ];
        let told = remarks(&rows, &[component(1, &[])]);
        assert_eq!(
            told,
            ["sda: pages disagree", "of one that is not shown", "1 Jan 1970, 00:00 UTC: the clock jumped"]
        );
    }
}
