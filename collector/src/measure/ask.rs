//! What others ask of the thread that measures.

use tokio::sync::oneshot;

/// What others ask of the thread.
#[derive(Debug)]
pub enum Ask {
    /// Measure now and say when it is kept.
    Measure(oneshot::Sender<()>),
    /// End.
    Stop,
}
