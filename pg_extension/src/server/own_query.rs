//! Queries of our own, which mean what they say: nobody is warned of what they leave out.

thread_local! {
    // A backend has one thread.
    static RUNNING: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Whether a query of our own is being run.
pub(crate) fn is_running() -> bool {
    RUNNING.get()
}

/// Runs `body`, whose queries are our own.
pub(crate) fn run<T>(body: impl FnOnce() -> T) -> T {
    let _running = Running(RUNNING.replace(true));
    body()
}

struct Running(bool);

impl Drop for Running {
    // An error unwinds, so this runs then too.
    fn drop(&mut self) {
        RUNNING.set(self.0);
    }
}
