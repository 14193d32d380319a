//! The threads that hash, each with the memory that a hash takes.
//!
//! They run at a lower priority than those that answer requests: as many of them compute as there are cores, and beside a
//! flood of logins every other answer would wait for a turn of theirs. What is left of the machine is theirs as before.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use anyhow::Context as _;
use argon2::Block;
use tokio::sync::{Mutex, mpsc, oneshot};

/// The working memory of one hash.
pub(super) type Memory = Vec<Block>;

type Job = Box<dyn FnOnce(&mut Memory) + Send>;

/// As many threads as it was made with. They end with it, after the hash that they are at; nobody waits for that, since
/// whoever would is gone.
pub(super) struct Threads(mpsc::UnboundedSender<Job>);

impl Threads {
    /// Starts them, so much nicer than the others (nice(2), 0 to 19).
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(count: usize, nicer: i32) -> anyhow::Result<Self> {
        let (sender, jobs) = mpsc::unbounded_channel();
        let jobs = Arc::new(Mutex::new(jobs));
        for n in 0..count {
            let jobs = Arc::clone(&jobs);
            let thread = thread::Builder::new().name(format!("hash-{n}"));
            thread.spawn(move || work(&jobs, nicer)).context("failed to start a thread that hashes")?;
        }
        Ok(Self(sender))
    }

    /// Runs a job on the first thread that is free; `None` when it panicked.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(move |memory: &mut Memory| {
            // Whoever asked may have gone.
            let _unheard = answer.send(job(memory));
        });
        self.0.send(job).ok()?;
        answered.await.ok()
    }
}

fn work(jobs: &Mutex<mpsc::UnboundedReceiver<Job>>, nicer: i32) {
    if let Err(error) = rustix::process::nice(nicer) {
        tracing::warn!(error = &error as &dyn std::error::Error, "Passwords are hashed at the priority of all else");
    }
    let mut memory = Memory::new();
    loop {
        // One thread waits for the job, the others for the lock.
        let Some(job) = jobs.blocking_lock().blocking_recv() else { return };
        // The panic is told by its hook; its caller hears that there is no answer.
        let _panicked = catch_unwind(AssertUnwindSafe(|| job(&mut memory)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_job_that_panics_is_told_and_its_thread_goes_on() {
        let threads = Threads::start(1, 0).unwrap();

        assert_eq!(threads.run(|_| -> u8 { panic!("as it should") }).await, None);

        assert_eq!(threads.run(|_| 7).await, Some(7));
    }

    #[tokio::test]
    async fn they_are_nicer_than_those_who_ask() {
        let threads = Threads::start(1, 3).unwrap();
        let own = |pid| rustix::process::getpriority_process(pid);

        let theirs = threads.run(move |_| own(None)).await.unwrap().unwrap();

        assert_eq!(theirs, (own(None).unwrap() + 3).min(19));
    }
}
