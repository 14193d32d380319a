//! The other side of `make bench` for single calls: a handler that answers bytes and does nothing else, and threads that hash
//! passwords and do nothing else. More than these a service with the same answers cannot do.

mod hash;
mod serve;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::hash::Parameters;

/// Does one thing as fast as it can be done.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Answers HTTP until it is told to end.
    Serve {
        /// A JSON object: what is answered, by path and query.
        answers: PathBuf,
        /// Where it listens.
        #[arg(long)]
        address: SocketAddr,
    },
    /// Hashes passwords with argon2id for some time and prints how many.
    Hash {
        /// KiB that one hash takes.
        #[arg(long)]
        memory: u32,
        /// Times that they are gone through.
        #[arg(long)]
        passes: u32,
        /// Lanes of one hash.
        #[arg(long)]
        lanes: u32,
        /// Hashes at once.
        #[arg(long)]
        threads: usize,
        /// How long.
        #[arg(long)]
        seconds: u64,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Arguments::parse().what {
        What::Serve { answers, address } => serve::run(&answers, address).await,
        What::Hash { memory, passes, lanes, threads, seconds } => {
            let parameters = Parameters { memory, passes, lanes };
            let hashes = hash::run(parameters, threads, Duration::from_secs(seconds))?;
            #[expect(clippy::disallowed_macros, reason = "the answer of a command line tool")]
            {
                println!("{}", serde_json::json!({ "hashes": hashes }));
            }
            Ok(())
        }
    }
}
