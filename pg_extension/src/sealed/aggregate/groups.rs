//! Groups and their states.

use super::{
    spec::{Spec, What},
    state::State,
};

/// The groups of one segment, or of all, by the beginning of their buckets.
pub(super) struct Groups {
    pub(super) whats: Vec<What>,
    pub(super) starts: Vec<i64>,
    /// As many for each group as there are functions.
    pub(super) states: Vec<State>,
}

impl Groups {
    pub(super) fn new(spec: &Spec) -> Self {
        Self {
            whats: spec.functions.iter().map(|function| function.what).collect(),
            starts: Vec::new(),
            states: Vec::new(),
        }
    }

    pub(super) fn clear(&mut self) {
        self.starts.clear();
        self.states.clear();
    }

    /// The states of a group, made when it is not there yet.
    pub(super) fn at(&mut self, start: i64) -> &mut [State] {
        let count = self.whats.len();
        let place = match self.starts.last() {
            Some(last) if *last == start => self.starts.len() - 1,
            Some(last) if *last > start => match self.starts.binary_search(&start) {
                Ok(place) => place,
                Err(place) => {
                    self.starts.insert(place, start);
                    let fresh: Vec<_> = self.whats.iter().map(|what| State::new(*what)).collect();
                    self.states.splice(place * count..place * count, fresh);
                    place
                }
            },
            _ => {
                self.starts.push(start);
                self.states.extend(self.whats.iter().map(|what| State::new(*what)));
                self.starts.len() - 1
            }
        };
        &mut self.states[place * count..(place + 1) * count]
    }
}
