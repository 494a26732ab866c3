//! The `countersign` command.

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    // Two libraries use rustls; the one provider of its cryptography is chosen here, before either of them starts.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        eprintln!("countersign: another provider of cryptography is installed already");
        return ExitCode::FAILURE;
    }
    Box::pin(countersign::cli::Cli::parse().run()).await
}
