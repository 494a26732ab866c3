//! The `billing-sim` command: arguments, the ready line, and when to stop.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use billing_sim::{Options, Server};
use clap::Parser;
use tokio::io::AsyncReadExt as _;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// A billing API to try things on. Prints one line of JSON to stdout when it is ready.
#[derive(Parser)]
#[command(version, after_long_help = billing_sim::HELP)]
struct Arguments {
    /// The address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8480")]
    listen: SocketAddr,
    /// The folder that keeps everything; made when missing
    #[arg(long)]
    data: PathBuf,
    /// An admin token; may be given more than once
    #[arg(long = "token", env = "BILLING_SIM_TOKEN", hide_env_values = true)]
    tokens: Vec<String>,
    /// Stop when stdin ends, so that the server never outlives the program that started it
    #[arg(long)]
    stop_with_stdin: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let Arguments { listen, data, tokens, stop_with_stdin } = arguments;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let server = Server::start(Options { listen, data, tokens }).await?;
    writeln!(io::stdout(), "{}", serde_json::json!({"ready": true, "url": server.url()}))?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = stdin_ended(), if stop_with_stdin => {}
    }
    server.stop().await;
    // A read of stdin that is still waiting would hold the runtime back.
    std::process::exit(0)
}

async fn stdin_ended() {
    let mut stdin = tokio::io::stdin();
    let mut ignored = [0; 1024];
    while stdin.read(&mut ignored).await.is_ok_and(|read| read > 0) {}
}
