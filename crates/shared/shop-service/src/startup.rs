//! Start-up steps and readiness.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::service::Prepare;

/// Whether the process takes requests. Says nothing of MongoDB or Redis: a pod without them stays and answers 503.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ready(Arc<Flags>);

#[derive(Debug, Default)]
struct Flags {
    running: AtomicBool,
    clock_is_wrong: AtomicBool,
}

/// Why a process takes no requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unready {
    /// It has not started yet, or it stops.
    NotRunning,
    /// Its clock is too far from the database's.
    Clock,
}

impl Ready {
    /// Started, or about to stop.
    pub(crate) fn set(&self, running: bool) {
        self.0.running.store(running, Ordering::Release);
    }

    /// Whether the clock may be right; gives back what was said before.
    pub(crate) fn set_clock(&self, is_right: bool) -> bool {
        !self.0.clock_is_wrong.swap(!is_right, Ordering::AcqRel)
    }

    /// # Errors
    /// Why not.
    pub(crate) fn get(&self) -> Result<(), Unready> {
        if !self.0.running.load(Ordering::Acquire) {
            Err(Unready::NotRunning)
        } else if self.0.clock_is_wrong.load(Ordering::Acquire) {
            Err(Unready::Clock)
        } else {
            Ok(())
        }
    }
}

/// Runs the steps one after the other, each until it succeeds. `false` when the process was stopped meanwhile.
pub(crate) async fn prepare(service: &str, steps: Vec<(&'static str, Prepare)>, stop: &CancellationToken) -> bool {
    for (name, step) in steps {
        let mut pause = Duration::from_millis(200);
        loop {
            let error = tokio::select! {
                () = stop.cancelled() => return false,
                result = step() => match result {
                    Ok(()) => break,
                    Err(error) => error,
                },
            };
            warn!(
                service,
                step = name,
                error = format!("{error:#}"),
                "Start-up step failed, trying again in {pause:?}"
            );
            tokio::select! {
                () = stop.cancelled() => return false,
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(Duration::from_secs(5));
        }
        info!(service, step = name, "Start-up step done");
    }
    true
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    #[test]
    fn a_process_is_ready_when_it_runs_and_its_clock_may_be_right() {
        let ready = Ready::default();
        assert_eq!(ready.get(), Err(Unready::NotRunning));
        ready.set(true);
        assert_eq!(ready.get(), Ok(()));
        assert!(ready.set_clock(false));
        assert_eq!(ready.get(), Err(Unready::Clock));
        assert!(!ready.set_clock(true));
        assert_eq!(ready.get(), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failing_step_is_tried_until_it_succeeds_and_the_next_waits_for_it() {
        let calls = Arc::new(AtomicU32::new(0));
        let seen_by_second = Arc::new(AtomicU32::new(0));
        let (first_calls, second_calls, second_seen) =
            (Arc::clone(&calls), Arc::clone(&calls), Arc::clone(&seen_by_second));
        let first: Prepare = Arc::new(move || {
            let calls = Arc::clone(&first_calls);
            Box::pin(async move {
                anyhow::ensure!(calls.fetch_add(1, Ordering::SeqCst) == 2, "not yet");
                Ok(())
            })
        });
        let second: Prepare = Arc::new(move || {
            second_seen.store(second_calls.load(Ordering::SeqCst), Ordering::SeqCst);
            Box::pin(async { Ok(()) })
        });
        let done = prepare("catalog", vec![("first", first), ("second", second)], &CancellationToken::new()).await;
        assert!(done);
        assert_eq!(seen_by_second.load(Ordering::SeqCst), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn stopping_ends_a_step_that_never_succeeds() {
        let stop = CancellationToken::new();
        let step: Prepare = Arc::new(|| Box::pin(async { anyhow::bail!("never") }));
        let task = tokio::spawn({
            let stop = stop.clone();
            async move { prepare("catalog", vec![("never", step)], &stop).await }
        });
        tokio::time::sleep(Duration::from_secs(30)).await;
        stop.cancel();
        assert!(!task.await.unwrap());
    }
}
