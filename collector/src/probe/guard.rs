//! One worker a device, with a wall-clock watchdog: a device that hangs delays nobody, and gets no second question
//! while the first is outstanding. An ioctl's own timeout is no bound: error handling follows it.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

/// Stack of a worker, bytes: it calls the system and fills one struct.
const STACK_BYTES: usize = 128 * 1024;

type Question<T> = Box<dyn FnOnce() -> T + Send>;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// It did not come in time; the call goes on in its worker.
    TimedOut,
    /// An earlier call has not come back for so long.
    StillOutstanding(Duration),
    /// The worker could not be started or ended: the next round starts another.
    NoWorker,
}

/// Workers by device.
#[derive(Debug)]
pub struct Guard<T> {
    workers: BTreeMap<String, Worker<T>>,
}

#[derive(Debug)]
struct Worker<T> {
    questions: Sender<Question<T>>,
    answers: Receiver<T>,
    outstanding: Option<Instant>,
    asked_this_round: bool,
}

impl<T> Default for Guard<T> {
    fn default() -> Self {
        Self { workers: BTreeMap::new() }
    }
}

impl<T: Send + 'static> Guard<T> {
    /// Asks every device at once and waits until all have answered or `patience` has passed. Workers of devices that
    /// are not asked any more end as soon as they are idle.
    pub fn ask_all(
        &mut self,
        questions: Vec<(String, Question<T>)>,
        patience: Duration,
    ) -> Vec<(String, Result<T, NoAnswer>)> {
        for worker in self.workers.values_mut() {
            worker.asked_this_round = false;
        }
        let asked: Vec<_> = questions
            .into_iter()
            .map(|(name, question)| {
                let refused = self.send(&name, question);
                (name, refused)
            })
            .collect();
        let deadline = Instant::now() + patience;
        let answers = asked
            .into_iter()
            .map(|(name, refused)| {
                let answer = match refused {
                    Some(reason) => Err(reason),
                    None => self.receive(&name, deadline),
                };
                (name, answer)
            })
            .collect();
        // Dropping the sender ends the thread once its call returns.
        self.workers.retain(|_, worker| worker.asked_this_round || worker.outstanding.is_some());
        answers
    }

    /// Number of threads that exist, stuck ones included.
    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    fn send(&mut self, name: &str, question: Question<T>) -> Option<NoAnswer> {
        if !self.workers.contains_key(name) {
            let Some(worker) = Worker::start(name) else { return Some(NoAnswer::NoWorker) };
            self.workers.insert(name.to_owned(), worker);
        }
        let worker = self.workers.get_mut(name)?;
        worker.asked_this_round = true;
        if let Some(since) = worker.outstanding {
            match worker.answers.try_recv() {
                // The late answer is about the past: it is dropped.
                Ok(_) => worker.outstanding = None,
                Err(TryRecvError::Empty) => return Some(NoAnswer::StillOutstanding(since.elapsed())),
                Err(TryRecvError::Disconnected) => {
                    self.workers.remove(name);
                    return Some(NoAnswer::NoWorker);
                }
            }
        }
        if worker.questions.send(question).is_err() {
            self.workers.remove(name);
            return Some(NoAnswer::NoWorker);
        }
        worker.outstanding = Some(Instant::now());
        None
    }

    fn receive(&mut self, name: &str, deadline: Instant) -> Result<T, NoAnswer> {
        let Some(worker) = self.workers.get_mut(name) else { return Err(NoAnswer::NoWorker) };
        match worker.answers.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(answer) => {
                worker.outstanding = None;
                Ok(answer)
            }
            Err(RecvTimeoutError::Timeout) => Err(NoAnswer::TimedOut),
            Err(RecvTimeoutError::Disconnected) => {
                self.workers.remove(name);
                Err(NoAnswer::NoWorker)
            }
        }
    }
}

impl<T: Send + 'static> Worker<T> {
    fn start(name: &str) -> Option<Self> {
        let (questions, inbox) = mpsc::channel::<Question<T>>();
        let (outbox, answers) = mpsc::channel();
        let short: String = name.chars().take(15).collect();
        thread::Builder::new()
            .name(short)
            .stack_size(STACK_BYTES)
            .spawn(move || {
                while let Ok(question) = inbox.recv() {
                    if outbox.send(question()).is_err() {
                        break;
                    }
                }
            })
            .map_err(|error| tracing::error!(device = name, %error, "cannot start a worker"))
            .ok()?;
        Some(Self { questions, answers, outstanding: None, asked_this_round: false })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Barrier};
    use std::time::{Duration, Instant};

    use super::{Guard, NoAnswer};

    #[test]
    fn a_stuck_device_delays_nobody_and_is_asked_once() {
        let barrier = Arc::new(Barrier::new(2));
        let mut guard = Guard::<u32>::default();
        let stuck = Arc::clone(&barrier);
        let started = Instant::now();
        let answers = guard.ask_all(
            vec![
                (
                    "stuck".to_owned(),
                    Box::new(move || {
                        stuck.wait();
                        1
                    }),
                ),
                ("well".to_owned(), Box::new(|| 2)),
            ],
            Duration::from_millis(100),
        );
        assert_eq!(answers[0].1, Err(NoAnswer::TimedOut));
        assert_eq!(answers[1].1, Ok(2));
        assert!(started.elapsed() < Duration::from_secs(2));

        let again = guard.ask_all(
            vec![("stuck".to_owned(), Box::new(|| unreachable!("a second call while one is outstanding")))],
            Duration::from_millis(10),
        );
        assert!(matches!(again[0].1, Err(NoAnswer::StillOutstanding(_))));
        assert_eq!(guard.workers(), 1, "the idle worker has ended, the stuck one is kept");

        barrier.wait();
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let healed = guard.ask_all(vec![("stuck".to_owned(), Box::new(|| 3))], Duration::from_secs(1));
            if healed[0].1 == Ok(3) {
                break;
            }
            assert!(Instant::now() < deadline, "{healed:?}");
        }
    }
}
