//! What is told, from a round or from the store, and only as the owner allows.

use headroom_core::exchange::{Answer, NodeDescription, PROTOCOL_VERSION};
use headroom_core::unit::{Absence, ComponentKey, Consent, Remark, Sample, UnitReport, UserInformation};
use jiff::Timestamp;
use uuid::Uuid;

use crate::config::Settings;
use crate::owner::{Owner, OwnerError};
use crate::store::{Inventory, Store, StoreError};

/// Why nothing is told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Silence {
    /// No purpose is granted.
    #[error("the owner of this node has granted no purpose: `headroom-node user grant support` allows one")]
    NotGranted,
    /// The owner's decisions cannot be read.
    #[error(transparent)]
    Owner(OwnerError),
    /// Nothing was measured yet.
    #[error("nothing has been measured yet: ask again in a few seconds")]
    NothingYet,
}

/// What the node knows at one moment, before anybody asked who may hear it.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// When it was measured.
    pub at: Timestamp,
    /// Which store; `None` while none can be opened.
    pub store: Option<Uuid>,
    /// Units that are there.
    pub units: Vec<UnitReport>,
    /// Components that are not there any more, whose samples are still held.
    pub gone: Vec<UnitReport>,
    /// Latest status of each component.
    pub status: Vec<Sample>,
    /// What is not reported, and why.
    pub absences: Vec<Absence>,
    /// What a person should know and no figure says.
    pub remarks: Vec<Remark>,
    /// What is to be known about the node itself.
    pub notices: Vec<String>,
}

impl Snapshot {
    /// What a store last knew, for commands beside or without a running node.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn of_store(store: &Store, now: Timestamp) -> Result<Self, StoreError> {
        let Inventory { units, absences, mut remarks } = store.inventory()?;
        remarks.extend(store.happenings()?);
        let keys: Vec<ComponentKey> =
            units.iter().flat_map(|unit| &unit.components).map(|component| component.key.clone()).collect();
        Ok(Self {
            at: now,
            store: Some(store.id()),
            gone: store.gone(&units)?,
            status: store.latest(&keys)?,
            units,
            absences,
            remarks,
            notices: Vec::new(),
        })
    }
}

/// The answer that may leave.
///
/// # Errors
/// No purpose is granted and none ever was.
pub fn tell(
    settings: &Settings,
    node: Uuid,
    owner: &Owner,
    snapshot: &Snapshot,
    now: Timestamp,
) -> Result<Answer, Silence> {
    if owner.user.consent.any() {
        return Ok(everything(settings, node, &owner.user, snapshot, now));
    }
    if owner.granted_once {
        return Ok(withdrawal(settings, node, &owner.user, snapshot, now));
    }
    Err(Silence::NotGranted)
}

/// The answer as it would be, whatever is granted. Names that the owner gave stay here unless the settings let them go.
pub fn everything(
    settings: &Settings,
    node: Uuid,
    user: &UserInformation,
    snapshot: &Snapshot,
    now: Timestamp,
) -> Answer {
    let (mut units, mut gone) = (snapshot.units.clone(), snapshot.gone.clone());
    let (mut absences, mut notices) = (snapshot.absences.clone(), snapshot.notices.clone());
    let mut remarks = snapshot.remarks.clone();
    if !settings.labels {
        let mut names = Vec::new();
        let components = units.iter_mut().chain(&mut gone).flat_map(|unit| &mut unit.components);
        names.extend(components.filter_map(|component| component.label.take()));
        // The longest first, so that no part of a name stays behind; "/" alone names nobody.
        names.retain(|name| name.len() > 1);
        names.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        let details = absences.iter_mut().filter_map(|absence| absence.detail.as_mut());
        let remarked = remarks.iter_mut().map(|remark| &mut remark.text);
        details.chain(&mut notices).chain(remarked).for_each(|text| withhold(text, &names));
    }
    Answer {
        protocol: PROTOCOL_VERSION,
        description: description(settings, node, snapshot),
        answered_at: now,
        user: user.clone(),
        units,
        status: snapshot.status.clone(),
        absences,
        remarks,
        gone,
        notices,
    }
}

/// What is told after everything was withdrawn: that, and nothing else.
fn withdrawal(
    settings: &Settings,
    node: Uuid,
    user: &UserInformation,
    snapshot: &Snapshot,
    now: Timestamp,
) -> Answer {
    Answer {
        protocol: PROTOCOL_VERSION,
        description: description(settings, node, snapshot),
        answered_at: now,
        user: UserInformation {
            version: user.version,
            consent: Consent::default(),
            ..UserInformation::default()
        },
        units: Vec::new(),
        status: Vec::new(),
        absences: Vec::new(),
        remarks: Vec::new(),
        gone: Vec::new(),
        notices: Vec::new(),
    }
}

fn description(settings: &Settings, node: Uuid, snapshot: &Snapshot) -> NodeDescription {
    NodeDescription {
        node,
        placement: settings.placement,
        software: concat!("headroom-node ", env!("CARGO_PKG_VERSION")).to_owned(),
        store: snapshot.store.unwrap_or(Uuid::nil()),
        interval_seconds: settings.interval_seconds,
    }
}

fn withhold(text: &mut String, names: &[String]) {
    for name in names {
        if text.contains(name.as_str()) {
            *text = text.replace(name.as_str(), "(name withheld)");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use headroom_core::unit::{
        Absence, AbsenceReason, Component, ComponentKey, ComponentKind, Consent, Remark, Specs, StatusField,
        UnitKind, UnitReport, UserInformation,
    };
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::{Silence, Snapshot, tell};
    use crate::config::{Settings, merge};
    use crate::owner::Owner;

    fn settings(labels: &str) -> Settings {
        let flags = BTreeMap::from([("labels", labels.to_owned())]);
        Settings::of(&merge(None, &BTreeMap::new(), &flags).unwrap()).unwrap()
    }

    fn snapshot() -> Snapshot {
        let key = ComponentKey("file_system-1".to_owned());
        let unit = |label: &str| UnitReport {
            key: key.clone(),
            kind: UnitKind::ServerStorage,
            identity: Vec::new(),
            components: vec![Component {
                key: key.clone(),
                kind: ComponentKind::FileSystem,
                label: Some(label.to_owned()),
                provided_by: Vec::new(),
                identity: Vec::new(),
                specs: Specs::default(),
            }],
        };
        Snapshot {
            at: Timestamp::UNIX_EPOCH,
            store: None,
            units: vec![unit("/srv/payroll")],
            gone: vec![unit("/srv/payroll/old")],
            status: Vec::new(),
            absences: vec![Absence {
                component: key.clone(),
                field: StatusField("used_bytes".to_owned()),
                reason: AbsenceReason::Refused,
                detail: Some("/srv/payroll/old: no such file".to_owned()),
            }],
            remarks: vec![Remark {
                component: Some(key.clone()),
                at: None,
                text: "/srv/payroll/old and its drive disagree".to_owned(),
            }],
            notices: vec!["/srv/payroll is slow".to_owned()],
        }
    }

    fn owner(consent: Consent, granted_once: bool) -> Owner {
        let user = UserInformation {
            version: 3,
            organisation: "Ada Ltd".to_owned(),
            consent,
            ..UserInformation::default()
        };
        Owner { user, granted_once, ..Owner::default() }
    }

    #[test]
    fn names_stay_here_unless_they_may_leave() {
        let owner = owner(Consent { advice: true, ..Consent::default() }, true);
        let told = |labels| {
            let answer = tell(&settings(labels), Uuid::nil(), &owner, &snapshot(), Timestamp::UNIX_EPOCH);
            serde_json::to_string(&answer.unwrap()).unwrap()
        };
        assert!(!told("false").contains("payroll"), "{}", told("false"));
        assert!(told("true").contains("/srv/payroll/old: no such file"));
        assert!(told("true").contains("/srv/payroll/old and its drive disagree"));
        assert!(told("false").contains("(name withheld) and its drive disagree"), "{}", told("false"));
    }

    #[test]
    fn nothing_leaves_before_a_grant_and_only_the_decision_after_a_withdrawal() {
        let silent = tell(
            &settings("true"),
            Uuid::nil(),
            &owner(Consent::default(), false),
            &snapshot(),
            Timestamp::UNIX_EPOCH,
        );
        assert!(matches!(silent, Err(Silence::NotGranted)));
        let withdrawn = tell(
            &settings("true"),
            Uuid::nil(),
            &owner(Consent::default(), true),
            &snapshot(),
            Timestamp::UNIX_EPOCH,
        );
        let text = serde_json::to_string(&withdrawn.unwrap()).unwrap();
        assert!(text.contains("\"version\":3"), "{text}");
        assert!(!text.contains("payroll") && !text.contains("Ada"), "{text}");
    }
}
