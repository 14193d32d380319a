//! The operator as a program. No logic: see the library.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use operator::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    let command = Cli::parse();
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        return failed("another TLS provider is installed already");
    }
    match command.execute().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&format!("{error:#}")),
    }
}

/// The chain of causes on one line, for people; logs have their own form.
fn failed(text: &str) -> ExitCode {
    // Nobody is left to be told when standard error is closed.
    let _ = writeln!(std::io::stderr(), "error: {text}");
    ExitCode::FAILURE
}
