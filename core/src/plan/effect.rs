//! What a purchase makes of the limit, so that the same history can be tried on it.
//!
//! Items of one kind add up in a measure of their own, the *gain*: bytes for space, the logarithm of the factor for
//! load. [`Effect::limit_after`] turns a gain into the limit that the value then runs into.

use super::{Item, Need, PlanAction};
use crate::unit::Resource;

/// How purchases of one kind act on the resource that runs out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effect {
    action: PlanAction,
    resource: Resource,
    limit: f64,
    last: f64,
    space: Option<f64>,
    rated_write_bytes: Option<f64>,
}

impl Effect {
    /// `None` where this kind does not help against running out of that, or the limit is not known.
    pub(super) fn of(action: PlanAction, need: &Need<'_>) -> Option<Self> {
        let resource = need.forecast.resource;
        let helps = match action {
            PlanAction::Expansion => {
                matches!(resource, Resource::Capacity | Resource::Inodes | Resource::ThinMetadata)
            }
            PlanAction::Upgrade => true,
            PlanAction::FunctionalExtension => matches!(resource, Resource::Capacity | Resource::Load),
            PlanAction::DoNothing | PlanAction::Reclaim => false,
        };
        let limit = need.forecast.limit.filter(|limit| limit.is_finite() && *limit > 0.0)?;
        helps.then_some(Self {
            action,
            resource,
            limit,
            last: need.forecast.last_used.unwrap_or(0.0),
            space: need.installed.space.map(|space| space.0 as f64).filter(|space| *space > 0.0),
            rated_write_bytes: need.installed.rated_write_bytes.map(|rated| rated.0 as f64),
        })
    }

    /// Gain of one item; `None` where it is none.
    pub(super) fn gain(&self, item: &Item) -> Option<f64> {
        let gain = match (self.resource, self.action) {
            (Resource::Load, _) => libm::log(item.load_factor),
            (Resource::Endurance, _) => match (item.rated_write_bytes, self.rated_write_bytes) {
                (Some(new), Some(old)) if old > 0.0 => new.0 as f64 / old,
                _ => 1.0, // rated like the old one as far as anybody knows
            },
            (_, PlanAction::Upgrade) => item.usable_bytes() - self.space.unwrap_or(self.limit),
            (_, _) => item.usable_bytes(),
        };
        let keeps_the_data = self.action != PlanAction::Upgrade
            || item.capacity.0 == 0
            || self.space.is_none_or(|space| item.usable_bytes() >= space);
        (gain.is_finite() && gain > 0.0 && keeps_the_data).then_some(gain)
    }

    /// The limit after a purchase with this gain; `None` where it cannot be told.
    pub(super) fn limit_after(&self, gain: f64) -> Option<f64> {
        let limit = match (self.resource, self.action) {
            (Resource::Capacity, PlanAction::Upgrade) => self.space.unwrap_or(self.limit) + gain,
            (Resource::Capacity, _) => self.limit + gain,
            (Resource::Load, _) => self.limit * libm::exp(gain),
            // A fresh one starts at zero: the value goes on from where it is, the limit lies as far above.
            (Resource::Endurance, _) => self.last + self.limit * gain,
            // Inodes and metadata grow with the space that they describe.
            (Resource::Inodes | Resource::ThinMetadata, _) => self.limit * (1.0 + gain / self.space?),
        };
        (limit.is_finite() && limit > self.limit).then_some(limit)
    }

    /// The gain that leads to this limit, the inverse of [`Self::limit_after`]; 0 where it cannot be told.
    pub(super) fn gain_for(&self, limit: f64) -> f64 {
        let gain = match (self.resource, self.action) {
            (Resource::Capacity, PlanAction::Upgrade) => limit - self.space.unwrap_or(self.limit),
            (Resource::Capacity, _) => limit - self.limit,
            (Resource::Load, _) => libm::log(limit / self.limit),
            (Resource::Endurance, _) => (limit - self.last) / self.limit,
            (Resource::Inodes | Resource::ThinMetadata, _) => {
                self.space.map_or(0.0, |space| (limit / self.limit - 1.0) * space)
            }
        };
        if gain.is_finite() { gain.max(0.0) } else { 0.0 }
    }
}
