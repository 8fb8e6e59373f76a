//! Needs of one customer that fall due together share one offer.

use jiff::civil::Date;

/// What two needs must have in common to share an offer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Addressee {
    /// The customer.
    pub customer: i64,
    /// Whom it is sent to: two contacts of one customer get an offer each.
    pub address: String,
    /// Currency of the prices.
    pub currency: String,
}

/// A need without an open offer, or an offer that more may be added to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// To whom.
    pub to: Addressee,
    /// When the order is due.
    pub on: Date,
}

/// Needs for one offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// Place in `drafts` of the offer that they are added to; `None` for a new one.
    pub draft: Option<usize>,
    /// Places in `needs`, the earliest due first.
    pub needs: Vec<usize>,
}

/// Puts each need into exactly one bundle. A need joins a draft of the same addressee that is due within
/// `window_days` of it; the others are gathered from the earliest on, each bundle spanning at most `window_days`.
pub fn bundle(needs: &[Due], drafts: &[Due], window_days: u16) -> Vec<Bundle> {
    let apart = |a: Date, b: Date| i64::from((a - b).get_days()).abs();
    let window = i64::from(window_days);
    let mut order: Vec<usize> = (0..needs.len()).collect();
    order.sort_by_key(|index| (&needs[*index].to, needs[*index].on, *index));
    let mut bundles: Vec<Bundle> = Vec::new();
    let mut new_from: Option<(usize, usize)> = None; // the bundle that is being filled, and its first need
    for index in order {
        let need = &needs[index];
        let draft = (0..drafts.len())
            .filter(|draft| drafts[*draft].to == need.to && apart(drafts[*draft].on, need.on) <= window)
            .min_by_key(|draft| (apart(drafts[*draft].on, need.on), *draft));
        if let Some(draft) = draft {
            match bundles.iter_mut().find(|bundle| bundle.draft == Some(draft)) {
                Some(bundle) => bundle.needs.push(index),
                None => bundles.push(Bundle { draft: Some(draft), needs: vec![index] }),
            }
            continue;
        }
        match new_from {
            Some((place, first))
                if needs[first].to == need.to && apart(needs[first].on, need.on) <= window =>
            {
                bundles[place].needs.push(index);
            }
            _ => {
                new_from = Some((bundles.len(), index));
                bundles.push(Bundle { draft: None, needs: vec![index] });
            }
        }
    }
    bundles
}
