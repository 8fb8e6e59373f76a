//! The thread that measures: one round every interval, and one in between where somebody asks.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::ask::Ask;
use super::round::Measurer;
use crate::node::Node;

/// A round that was asked for is not repeated inside this time: whoever asks faster gets the same one.
const REST: Duration = Duration::from_secs(1);

/// Measures until told to stop.
pub fn run(node: &Arc<Node>, mut measurer: Measurer, asks: &Receiver<Ask>) {
    let interval = Duration::from_secs(u64::from(node.settings().interval_seconds));
    let mut due = Instant::now();
    let mut measured: Option<Instant> = None;
    loop {
        match asks.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(Ask::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            Ok(Ask::Measure(done)) => {
                if measured.is_none_or(|at| at.elapsed() >= REST) {
                    measure(node, &mut measurer);
                    measured = Some(Instant::now());
                }
                // Whoever asked may have gone away meanwhile.
                let _ = done.send(());
            }
            Err(RecvTimeoutError::Timeout) => {
                measure(node, &mut measurer);
                measured = Some(Instant::now());
                // A round that took longer than the interval is not made up for.
                due = (due + interval).max(Instant::now() + interval / 10);
            }
        }
    }
}

fn measure(node: &Arc<Node>, measurer: &mut Measurer) {
    match measurer.round() {
        Ok(round) => node.take(round),
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "this round measured nothing");
        }
    }
}
