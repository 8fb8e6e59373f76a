//! Utilisation and queue depth, from counters that only mean something inside one boot and one attachment.

use std::collections::BTreeMap;

use headroom_core::unit::{AbsenceReason, ComponentKey, Status};
use uuid::Uuid;

use crate::probe::survey::Measured;

/// What is kept of each component's last round.
#[derive(Debug, Default)]
pub struct Differences {
    last: BTreeMap<ComponentKey, Reading>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Reading {
    boot: Uuid,
    attachment: Option<u64>,
    steady_milliseconds: u64,
    busy_milliseconds: u64,
    queue_milliseconds: Option<u64>,
}

impl Differences {
    /// Fills in utilisation and queue depth. Gives the reason where a component has counters but no difference.
    pub fn fill(
        &mut self,
        measured: &mut [Measured],
        boot: Uuid,
        steady_milliseconds: u64,
    ) -> Vec<(ComponentKey, AbsenceReason, &'static str)> {
        let mut reasons = Vec::new();
        let mut readings = BTreeMap::new();
        for component in measured {
            let Some(busy_milliseconds) = component.status.busy_milliseconds else { continue };
            let reading = Reading {
                boot,
                attachment: component.attachment,
                steady_milliseconds,
                busy_milliseconds,
                queue_milliseconds: component.status.queue_milliseconds,
            };
            if let Err(reason) =
                fill_one(&mut component.status, self.last.get(&component.component), &reading)
            {
                reasons.push((component.component.clone(), AbsenceReason::NotReported, reason));
            }
            readings.insert(component.component.clone(), reading);
        }
        // A component that was away starts anew: its counters may have been reset meanwhile.
        self.last = readings;
        reasons
    }
}

fn fill_one(status: &mut Status, before: Option<&Reading>, now: &Reading) -> Result<(), &'static str> {
    let before = before.ok_or("it is the difference of two rounds, and this is the first")?;
    if before.boot != now.boot || before.attachment != now.attachment {
        return Err("the counters started anew with a boot or an attachment");
    }
    let elapsed = now.steady_milliseconds.saturating_sub(before.steady_milliseconds);
    if elapsed == 0 {
        return Err("no time has passed since the last round");
    }
    let busy = now
        .busy_milliseconds
        .checked_sub(before.busy_milliseconds)
        .ok_or("the counters fell: they were reset")?;
    // The kernel counts in ticks, so a busy device may seem busy for a little longer than the time that passed.
    status.utilisation = Some((busy as f64 / elapsed as f64).min(1.0));
    let queued = now.queue_milliseconds.zip(before.queue_milliseconds);
    status.queue_depth =
        queued.and_then(|(now, before)| now.checked_sub(before)).map(|sum| sum as f64 / elapsed as f64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use headroom_core::unit::{ComponentKey, Status};
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::{Differences, Measured};

    fn one(busy: u64, queue: u64, attachment: u64) -> [Measured; 1] {
        [Measured {
            component: ComponentKey("drive-1".to_owned()),
            attachment: Some(attachment),
            status: Status {
                busy_milliseconds: Some(busy),
                queue_milliseconds: Some(queue),
                ..Status::default()
            },
        }]
    }

    #[test]
    fn counters_are_differenced_only_inside_one_boot_and_attachment() {
        let (boot, next) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut differences = Differences::default();
        let mut round = |busy, attachment, boot, steady| {
            let mut measured = one(busy, busy * 3, attachment);
            let reasons = differences.fill(&mut measured, boot, steady);
            (measured[0].status.utilisation, measured[0].status.queue_depth, reasons.len())
        };
        assert_eq!(round(1_000, 1, boot, 0), (None, None, 1), "the first");
        assert_eq!(round(1_500, 1, boot, 1_000), (Some(0.5), Some(1.5), 0));
        assert_eq!(round(200, 1, boot, 2_000), (None, None, 1), "reset");
        assert_eq!(round(900, 1, next, 3_000), (None, None, 1), "another boot");
        assert_eq!(round(950, 2, next, 4_000), (None, None, 1), "another attachment");
        assert_eq!(round(1_950, 2, next, 4_500), (Some(1.0), Some(6.0), 0), "never above 1");
    }

    proptest! {
        #[test]
        fn any_counters_give_a_ratio_or_none(rounds in proptest::collection::vec((any::<u64>(), any::<u64>(), any::<u64>()), 1..20)) {
            let mut differences = Differences::default();
            for (busy, queue, steady) in rounds {
                let mut measured = one(busy, queue, 1);
                differences.fill(&mut measured, Uuid::nil(), steady);
                let status = &measured[0].status;
                prop_assert!(status.utilisation.is_none_or(|u| (0.0..=1.0).contains(&u)));
                prop_assert!(status.queue_depth.is_none_or(|d| d.is_finite() && d >= 0.0));
            }
        }
    }
}
