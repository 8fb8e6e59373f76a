//! One round of measuring.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use headroom_core::unit::{Absence, Remark, Sample, StatusField, UnitReport};
use jiff::Timestamp;
use uuid::Uuid;

use super::clock::{Clock, JumpWatch};
use super::difference::Differences;
use crate::probe::redfish::Array;
use crate::probe::survey::{Prober, Survey};
use crate::reader::client::Reader;
use crate::store::Row;
use crate::transport::{Transport, TransportError, attribute};

/// What one round gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Round {
    /// When, whole milliseconds.
    pub at: Timestamp,
    /// Seconds by which the wall clock jumped since the last round.
    pub clock_jump_seconds: Option<i64>,
    /// Units with their components and specifications.
    pub units: Vec<UnitReport>,
    /// Status of each component.
    pub rows: Vec<Row>,
    /// What is not reported, and why.
    pub absences: Vec<Absence>,
    /// What a person should know and no figure says.
    pub remarks: Vec<Remark>,
}

impl Round {
    /// The rows as samples that are not stored: their sequence is 0.
    pub fn samples(&self) -> Vec<Sample> {
        self.rows
            .iter()
            .map(|row| Sample {
                sequence: 0,
                component: row.component.clone(),
                at: row.at,
                boot: row.boot,
                status: row.status.clone(),
            })
            .collect()
    }
}

/// Who looks at the devices.
#[derive(Debug)]
pub enum Source {
    /// This process.
    Inside(Box<Prober>),
    /// The privileged reader.
    Reader(Reader),
}

/// Measures round after round.
pub struct Measurer {
    source: Source,
    arrays: Vec<Array>,
    patience: Duration,
    clock: Arc<dyn Clock>,
    transport: Arc<dyn Transport>,
    differences: Differences,
    jumps: JumpWatch,
    boot: Option<Uuid>,
}

impl Measurer {
    /// A measurer over whoever looks, a clock and the transport to this machine's kernel.
    pub fn new(source: Source, clock: Arc<dyn Clock>, transport: Arc<dyn Transport>) -> Self {
        Self {
            source,
            arrays: Vec::new(),
            patience: Duration::ZERO,
            clock,
            transport,
            differences: Differences::default(),
            jumps: JumpWatch::default(),
            boot: None,
        }
    }

    /// Asks arrays too, which may take so long to answer. Whoever reads devices has no network, so that is done here.
    #[must_use]
    pub fn with_arrays(mut self, arrays: Vec<Array>, patience: Duration) -> Self {
        (self.arrays, self.patience) = (arrays, patience);
        self
    }

    /// Looks at everything once.
    ///
    /// # Errors
    /// The machine's mount table cannot be read.
    pub fn round(&mut self) -> Result<Round, TransportError> {
        let mut survey = match &mut self.source {
            Source::Inside(prober) => prober.survey(self.clock.now())?,
            Source::Reader(reader) => reader.survey()?,
        };
        for array in &mut self.arrays {
            survey.join(Survey::of_apparatus(&array.measure(self.patience)));
        }
        let (now, steady) = (self.clock.now(), self.clock.steady_milliseconds());
        let at = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
        let boot = self.boot();
        let reasons = self.differences.fill(&mut survey.measured, boot, steady);
        for (component, reason, detail) in reasons {
            for field in ["utilisation", "queue_depth"] {
                survey.absences.push(Absence {
                    component: component.clone(),
                    field: StatusField(field.to_owned()),
                    reason,
                    detail: Some(detail.to_owned()),
                });
            }
        }
        survey.absences.sort();
        let rows = survey
            .measured
            .into_iter()
            .map(|measured| Row { component: measured.component, at, boot, status: measured.status })
            .collect();
        Ok(Round {
            at,
            clock_jump_seconds: self.jumps.observe(now, steady),
            units: survey.units,
            rows,
            absences: survey.absences,
            remarks: survey.remarks,
        })
    }

    /// The kernel's id of this boot. Without one, this process is a boot of its own: nothing is differenced too far.
    fn boot(&mut self) -> Uuid {
        *self.boot.get_or_insert_with(|| {
            attribute(&*self.transport, Path::new("/proc/sys/kernel/random/boot_id"))
                .and_then(|id| id.parse().ok())
                .unwrap_or_else(Uuid::new_v4)
        })
    }
}
