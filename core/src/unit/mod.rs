//! What a sold unit is, whose it is and how it does.

mod component;
mod figure;
mod identity;
mod reading;
mod remark;
mod resource;
mod specs;
mod status;
mod user;

pub use component::{Component, ComponentKey, ComponentKind, UnitKind, UnitReport};
pub use figure::{FIGURES, Figure, FigureKind, Number, Teller};
pub use identity::{Evidence, EvidenceKind};
pub use reading::{LOAD_LIMIT, Reading};
pub use remark::Remark;
pub use resource::Resource;
pub use specs::Specs;
pub use status::{Absence, AbsenceReason, CapacitySource, Sample, Status, StatusField};
pub use user::{Consent, Contact, Purpose, UserInformation};
