//! One direction of one connection under the weather of its edge.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::Weather;
use crate::chance::Chance;

/// Which way the bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Request,
    Reply,
}

const PIECE_BYTES: usize = 16 * 1024;
/// Pieces on their way, at most: then the sender is slowed down as by a full window.
const ON_THE_WAY: usize = 64;
/// How long TCP waits before it sends a lost piece again.
const SENT_AGAIN: Duration = Duration::from_millis(200);

struct Piece {
    due: Instant,
    bytes: Vec<u8>,
}

/// Forwards until the sender ends.
///
/// # Errors
/// When either side broke: both are to be reset then.
pub(super) async fn flow(
    from: ReadHalf<'_>,
    to: WriteHalf<'_>,
    direction: Direction,
    weather: watch::Receiver<Weather>,
) -> io::Result<()> {
    let (sender, queue) = mpsc::channel(ON_THE_WAY);
    tokio::try_join!(read(from, sender, direction, weather.clone()), write(queue, to, direction, weather))?;
    Ok(())
}

async fn read(
    mut from: ReadHalf<'_>,
    sender: mpsc::Sender<Piece>,
    direction: Direction,
    mut weather: watch::Receiver<Weather>,
) -> io::Result<()> {
    let mut chance = Chance::fresh();
    let mut buffer = vec![0; PIECE_BYTES];
    let mut last = Instant::now();
    loop {
        let length = match from.read(&mut buffer).await {
            Ok(0) => return Ok(()),
            Ok(length) => length,
            Err(error) => {
                // Not even this gets through a cut.
                passes(direction, &mut weather).await;
                return Err(error);
            }
        };
        let delay = delay(*weather.borrow(), direction, &mut chance);
        last = last.max(Instant::now() + delay);
        let piece = Piece { due: last, bytes: buffer[..length].to_vec() };
        if sender.send(piece).await.is_err() {
            return Ok(());
        }
    }
}

async fn write(
    mut queue: mpsc::Receiver<Piece>,
    mut to: WriteHalf<'_>,
    direction: Direction,
    mut weather: watch::Receiver<Weather>,
) -> io::Result<()> {
    while let Some(Piece { due, bytes }) = queue.recv().await {
        sleep_until(due).await;
        passes(direction, &mut weather).await;
        let now = *weather.borrow();
        if let Weather::Throttled(bytes_per_second) = now {
            let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            sleep(Duration::from_secs_f64(f64::from(length) / f64::from(bytes_per_second.max(1)))).await;
        }
        to.write_all(&bytes).await?;
    }
    passes(direction, &mut weather).await;
    to.shutdown().await
}

/// Waits while nothing gets through in this direction.
async fn passes(direction: Direction, weather: &mut watch::Receiver<Weather>) {
    let through = |now: &Weather| match now {
        Weather::Blackhole => false,
        Weather::RepliesLost => direction == Direction::Request,
        Weather::Clear | Weather::Reset | Weather::HalfOpen | Weather::Slow { .. } | Weather::Throttled(_) => true,
    };
    // The edge is gone: what is on its way may as well arrive.
    let _ = weather.wait_for(through).await;
}

fn delay(weather: Weather, direction: Direction, chance: &mut Chance) -> Duration {
    match weather {
        Weather::Slow { delay, jitter, lost } => {
            let again = if chance.percent(lost) { SENT_AGAIN } else { Duration::ZERO };
            let swing = jitter * 2 * u32::from(chance.up_to(101)) / 100;
            match direction {
                Direction::Request => again,
                Direction::Reply => again + delay.saturating_sub(jitter) + swing,
            }
        }
        Weather::Clear
        | Weather::Blackhole
        | Weather::RepliesLost
        | Weather::Reset
        | Weather::HalfOpen
        | Weather::Throttled(_) => Duration::ZERO,
    }
}
