//! What came of the requests of all clients: how many, how long, and what they cost this process.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Serialize;

/// Answers by what they were, such as `201` or `402 payment_declined`, with the time that each took.
#[derive(Debug)]
pub(crate) struct Figures {
    began: Instant,
    /// From the first request that counts to the last answer.
    lasted: Duration,
    /// In microseconds.
    took: BTreeMap<String, Vec<u64>>,
    cpu_before: Duration,
}

/// What is printed. Times in milliseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    seconds: f64,
    /// Of one core, while requests were counted.
    cpu_seconds: f64,
    answers: BTreeMap<String, Times>,
}

/// How long answers of one kind took.
#[derive(Debug, Serialize)]
pub(crate) struct Times {
    count: usize,
    p50: f64,
    p90: f64,
    p95: f64,
    p99: f64,
    p999: f64,
    max: f64,
}

impl Figures {
    /// Begins to count, now.
    ///
    /// # Errors
    /// When this process cannot tell its processor time.
    pub(crate) fn begin() -> anyhow::Result<Self> {
        let (began, took) = (Instant::now(), BTreeMap::new());
        Ok(Self { began, lasted: Duration::ZERO, took, cpu_before: cpu()? })
    }

    /// Adds the answers of one client.
    pub(crate) fn add(&mut self, answers: BTreeMap<String, Vec<u64>>) {
        for (answer, took) in answers {
            self.took.entry(answer).or_default().extend(took);
        }
        self.lasted = self.began.elapsed();
    }

    /// Sums up.
    ///
    /// # Errors
    /// When this process cannot tell its processor time.
    pub(crate) fn report(mut self) -> anyhow::Result<Report> {
        let cpu = cpu()?.saturating_sub(self.cpu_before);
        let answers = self.took.iter_mut().map(|(answer, took)| (answer.clone(), times(took))).collect();
        Ok(Report { seconds: self.lasted.as_secs_f64(), cpu_seconds: cpu.as_secs_f64(), answers })
    }
}

fn times(took: &mut [u64]) -> Times {
    took.sort_unstable();
    let at = |permille: usize| {
        let place = (took.len() * permille / 1_000).min(took.len().saturating_sub(1));
        took.get(place).map_or(0.0, |micros| Duration::from_micros(*micros).as_secs_f64() * 1_000.0)
    };
    Times { count: took.len(), p50: at(500), p90: at(900), p95: at(950), p99: at(990), p999: at(999), max: at(1_000) }
}

/// Microseconds since then.
pub(crate) fn since(then: Instant) -> u64 {
    u64::try_from(then.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// The processor time of this process so far. The kernel counts in hundredths of a second.
fn cpu() -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").context("failed to read /proc/self/stat")?;
    // The name of the program may hold anything, brackets too; its end is the last one.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |place: usize| -> anyhow::Result<u64> {
        fields.get(place).and_then(|text| text.parse().ok()).context("/proc/self/stat has another form")
    };
    Ok(Duration::from_millis(10 * (ticks(11)? + ticks(12)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_times() {
        let mut took: Vec<u64> = (1..=1_000).rev().map(|millis| millis * 1_000).collect();
        let Times { count, p50, p90, p95, p99, p999, max } = times(&mut took);
        assert_eq!((count, p50, p90, p95, p99, p999, max), (1_000, 501.0, 901.0, 951.0, 991.0, 1_000.0, 1_000.0));
    }

    #[test]
    fn one_answer_is_every_percentile() {
        let Times { p50, p999, max, .. } = times(&mut [2_000]);
        assert_eq!((p50, p999, max), (2.0, 2.0, 2.0));
    }

    #[test]
    fn processor_time_grows_with_work() {
        let before = cpu().unwrap();
        let until = Instant::now() + Duration::from_millis(300);
        let mut sum = 0_u64;
        while Instant::now() < until {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(cpu().unwrap() > before);
    }
}
