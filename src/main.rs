//! The `countersign` command.

use std::{env, process::ExitCode};

use countersign::cli::Cli;
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    // Two libraries use rustls; the one provider of its cryptography is chosen here, before either of them starts.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        eprintln!("countersign: another provider of cryptography is installed already");
        return ExitCode::FAILURE;
    }
    Box::pin(Cli::of(env::args_os()).run()).await
}
