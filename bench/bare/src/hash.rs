//! Passwords hashed with argon2id, one after the other on each thread, each thread in memory that it keeps: as identity does it.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use argon2::{Algorithm, Argon2, Block, Params, Version};

/// Bytes of a salt and of a hash, as identity has them.
const SALT: [u8; 16] = [7; 16];
const HASH_BYTES: usize = 32;

/// What one hash costs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameters {
    /// In KiB.
    pub(crate) memory: u32,
    pub(crate) passes: u32,
    pub(crate) lanes: u32,
}

/// How many hashes so many threads make in this time.
///
/// # Errors
/// When the parameters are none.
pub(crate) fn run(of: Parameters, threads: usize, lasts: Duration) -> anyhow::Result<u64> {
    let params = Params::new(of.memory, of.passes, of.lanes, Some(HASH_BYTES)).context("no parameters of argon2id")?;
    let ends = Instant::now() + lasts;
    let threads: Vec<_> = (0..threads)
        .map(|_| {
            let params = params.clone();
            std::thread::spawn(move || hash_until(&params, ends))
        })
        .collect();
    let mut hashes = 0;
    for thread in threads {
        hashes += thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))??;
    }
    Ok(hashes)
}

fn hash_until(params: &Params, ends: Instant) -> anyhow::Result<u64> {
    let mut memory = vec![Block::new(); params.block_count()];
    let mut hash = [0; HASH_BYTES];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    let mut hashes = 0_u64;
    while Instant::now() < ends {
        argon2.hash_password_into_with_memory(&hashes.to_le_bytes(), &SALT, &mut hash, &mut memory)?;
        hashes += 1;
    }
    Ok(hashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_hash_until_the_time_is_over() {
        let small = Parameters { memory: 64, passes: 1, lanes: 1 };
        let began = Instant::now();
        let hashes = run(small, 2, Duration::from_millis(100)).unwrap();
        assert!(hashes >= 2 && began.elapsed() >= Duration::from_millis(100), "{hashes}");
        assert_eq!(run(small, 2, Duration::ZERO).unwrap(), 0);
    }

    #[test]
    fn parameters_that_argon2_does_not_have_are_refused() {
        assert!(run(Parameters { memory: 1, passes: 1, lanes: 1 }, 1, Duration::ZERO).is_err());
    }
}
