//! Which sequence numbers of a node's store the hub has. Reading the newest first leaves holes; they are read later.

use headroom_core::exchange::SequenceRange;

/// A node's first sequence number.
pub(crate) const FIRST_SEQUENCE: u64 = 1;

/// The parts of `FIRST_SEQUENCE..=last` that lie in none of `have`, rising. `have` may overlap and be in any order.
pub(crate) fn holes(have: &[SequenceRange], last: u64) -> Vec<SequenceRange> {
    let mut sorted: Vec<SequenceRange> = have.to_vec();
    sorted.sort_unstable();
    let mut holes = Vec::new();
    let mut next = FIRST_SEQUENCE;
    for range in sorted {
        if range.first > last {
            break;
        }
        if range.first > next {
            holes.push(SequenceRange { first: next, last: range.first - 1 });
        }
        next = next.max(range.last.saturating_add(1));
    }
    if next <= last {
        holes.push(SequenceRange { first: next, last });
    }
    holes
}

#[cfg(test)]
mod tests {
    use headroom_core::exchange::SequenceRange;
    use proptest::prelude::*;

    use super::holes;

    fn range(first: u64, last: u64) -> SequenceRange {
        SequenceRange { first, last }
    }

    #[test]
    fn holes_are_what_is_missing() {
        assert_eq!(holes(&[], 5), [range(1, 5)]);
        assert_eq!(holes(&[range(1, 5)], 5), []);
        assert_eq!(holes(&[range(8, 10), range(3, 4)], 12), [range(1, 2), range(5, 7), range(11, 12)]);
        assert_eq!(holes(&[], 0), []);
    }

    proptest! {
        #[test]
        fn each_number_is_had_or_in_one_hole(
            have in proptest::collection::vec((1_u64..60, 0_u64..10), 0..8), last in 0_u64..70,
        ) {
            let have: Vec<_> = have.into_iter().map(|(first, length)| range(first, first + length)).collect();
            let holes = holes(&have, last);
            for number in 1..=last {
                let had = have.iter().any(|r| (r.first..=r.last).contains(&number));
                let missing = holes.iter().filter(|r| (r.first..=r.last).contains(&number)).count();
                prop_assert_eq!(usize::from(!had), missing);
            }
        }
    }
}
