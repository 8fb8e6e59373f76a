//! A node that says what it is told to, honest or not: the other side of the hub's intake.

use headroom_core::{
    exchange::{Answer, Batch, NodeDescription, PROTOCOL_VERSION, Placement, Push, SequenceRange},
    quantity::Bytes,
    unit::{
        CapacitySource, Component, ComponentKey, ComponentKind, Consent, Evidence, EvidenceKind, Sample,
        Specs, Status, UnitKind, UnitReport, UserInformation,
    },
};
use headroom_demo::node_client::{Identity, send};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use uuid::Uuid;

use crate::Hub;

/// A node with one unit, a drive that holds a file system.
#[derive(Debug, Clone)]
pub struct Node {
    /// What it shows to the hub.
    pub identity: Identity,
    /// Its store file.
    pub store: Uuid,
    /// Its boot.
    pub boot: Uuid,
    /// Serial number of its drive.
    pub serial: String,
    /// What its owner allows.
    pub consent: Consent,
    /// Its units.
    pub units: Vec<UnitReport>,
    /// When its first sample was measured; each next one five minutes later.
    pub begun: Timestamp,
}

impl Node {
    /// Enrols a node of this customer.
    pub async fn enrol(hub: &Hub, customer: Option<&str>, serial: &str) -> Self {
        let token = hub.token(customer);
        let identity = Identity::enrol(&hub.intake.to_string(), &token, Uuid::new_v4()).await;
        Self::of(identity.expect("enrolled"), serial)
    }

    /// A node with this identity.
    pub fn of(identity: Identity, serial: &str) -> Self {
        Self {
            identity,
            store: Uuid::new_v4(),
            boot: Uuid::new_v4(),
            serial: serial.to_owned(),
            consent: Consent { support: true, advice: true, sales: true },
            units: vec![drive(serial)],
            begun: Timestamp::from_second(Timestamp::now().as_second() - 40 * 86_400).expect("a time"),
        }
    }

    /// The name of its file system.
    pub fn file_system(&self) -> ComponentKey {
        ComponentKey(format!("fs-{}", self.serial))
    }

    /// A sample: each has used 1 GiB more than the one before.
    pub fn sample(&self, sequence: u64) -> Sample {
        let minutes = i64::try_from(sequence).expect("a small number") * 5;
        Sample {
            sequence,
            component: self.file_system(),
            at: self.begun + SignedDuration::from_mins(minutes),
            boot: self.boot,
            status: Status {
                capacity_bytes: Some(Bytes(4_000 << 30)),
                used_bytes: Some(Bytes(sequence << 30)),
                used_source: Some(CapacitySource::FileSystem),
                utilisation: Some(0.25),
                ..Status::default()
            },
        }
    }

    /// What it answers when its newest sample has this number.
    pub fn answer(&self, newest: u64) -> Answer {
        Answer {
            protocol: PROTOCOL_VERSION,
            description: NodeDescription {
                node: self.identity.node,
                placement: Placement::Host,
                software: "test".to_owned(),
                store: self.store,
                interval_seconds: 300,
            },
            answered_at: Timestamp::now(),
            user: UserInformation {
                version: 1,
                organisation: "Test".to_owned(),
                consent: self.consent,
                ..UserInformation::default()
            },
            units: self.units.clone(),
            status: if newest == 0 { Vec::new() } else { vec![self.sample(newest)] },
            absences: Vec::new(),
            gone: Vec::new(),
            notices: Vec::new(),
            remarks: Vec::new(),
        }
    }

    /// A push of these samples, its newest sample being the last of them.
    pub fn push(&self, first: u64, last: u64) -> Push {
        Push {
            answer: self.answer(last),
            batch: Batch {
                node: self.identity.node,
                store: self.store,
                range: Some(SequenceRange { first, last }),
                gaps: Vec::new(),
                samples: (first..=last).map(|sequence| self.sample(sequence)).collect(),
                more: false,
            },
        }
    }

    /// Sends a push and gives back status and body.
    pub async fn send(&self, hub: &Hub, push: &Push) -> (u16, Value) {
        self.send_bytes(hub, serde_json::to_vec(push).expect("JSON")).await
    }

    /// Sends any bytes as a push.
    pub async fn send_bytes(&self, hub: &Hub, bytes: Vec<u8>) -> (u16, Value) {
        self.try_send(hub, bytes).await.unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// Sends any bytes as a push.
    ///
    /// # Errors
    /// When there is no connection or it breaks off.
    pub async fn try_send(&self, hub: &Hub, bytes: Vec<u8>) -> anyhow::Result<(u16, Value)> {
        let config = self.identity.config()?;
        let (status, body) = send(&hub.intake.to_string(), config, "/v1/push", bytes).await?;
        Ok((status.as_u16(), serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }

    /// Sends samples that must be taken.
    pub async fn tell(&self, hub: &Hub, first: u64, last: u64) {
        let (status, body) = self.send(hub, &self.push(first, last)).await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(body["range"]["first"], first);
        assert_eq!(body["range"]["last"], last);
    }
}

/// A drive with a file system on it.
pub fn drive(serial: &str) -> UnitReport {
    let key = ComponentKey(format!("drive-{serial}"));
    let capacity = Some(Bytes(4_096 << 30));
    UnitReport {
        key: key.clone(),
        kind: UnitKind::Drive,
        identity: vec![
            Evidence { kind: EvidenceKind::Wwn, value: format!("5000{}", serial.to_lowercase()) },
            Evidence { kind: EvidenceKind::VendorModelSerial, value: format!("Acme|DISK-4|{serial}") },
        ],
        components: vec![
            Component {
                key: key.clone(),
                kind: ComponentKind::Drive,
                label: Some("/dev/sda".to_owned()),
                provided_by: Vec::new(),
                identity: Vec::new(),
                specs: Specs {
                    model: Some("DISK-4".to_owned()),
                    serial: Some(serial.to_owned()),
                    capacity_bytes: capacity,
                    ..Specs::default()
                },
            },
            Component {
                key: ComponentKey(format!("fs-{serial}")),
                kind: ComponentKind::FileSystem,
                label: Some("/data".to_owned()),
                provided_by: vec![key],
                identity: Vec::new(),
                specs: Specs { capacity_bytes: capacity, ..Specs::default() },
            },
        ],
    }
}
