//! The clients of `make bench`: what they are told to send, and the one line of JSON that they answer.
//!
//! Each client has one connection and one request under way. Without a rate it sends the next when the last is answered, or
//! after the pause that a refusal asks for by Retry-After (a closed loop): the figure is what the other side can do with so many clients, and a slow answer delays what would
//! have come after it, so times under overload look better than strangers would see them. With a rate, requests have
//! their times beforehand and waiting counts from there, whoever was late.

mod figures;
mod http1;
mod random;
mod reserve;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

/// Sends requests and prints what came of them.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// HTTP requests of a plan (JSON).
    Http {
        /// The file with the plan.
        plan: PathBuf,
    },
    /// Reservations of one SKU by gRPC.
    Reserve {
        /// Where inventory is, `http://HOST:PORT`.
        url: String,
        /// What everybody wants; without stock all are refused.
        sku: String,
        /// Pieces to put into stock first.
        #[arg(long, default_value_t = 0)]
        pieces: u32,
        /// Buyers at once.
        #[arg(long, default_value_t = 256)]
        clients: usize,
        /// How long.
        #[arg(long, default_value_t = 10)]
        seconds: u64,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let figures = match Arguments::parse().what {
        What::Http { plan } => http1::run(&plan).await?,
        What::Reserve { url, sku, pieces, clients, seconds } => {
            reserve::run(&url, &sku, pieces, clients, Duration::from_secs(seconds)).await?
        }
    };
    #[expect(clippy::disallowed_macros, reason = "the answer of a command line tool")]
    {
        println!("{}", serde_json::to_string(&figures.report()?)?);
    }
    Ok(())
}
