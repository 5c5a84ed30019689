//! The stand-in as a program.

use core::net::SocketAddr;
use std::io::IsTerminal as _;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use softtoken_cognito::{CONFIRMATION_CODE, Server, serve};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// A local stand-in for Amazon Cognito user pools that gets the second factor right.
#[derive(Parser, Debug)]
#[command(name = "softtoken-cognito")]
struct Options {
    /// The address to listen at. Anyone who reaches it is an administrator.
    #[arg(long, default_value = "127.0.0.1:9229")]
    listen: SocketAddr,
    /// Keeps everything in this SQLite file; without it, in memory.
    #[arg(long, value_name = "FILE")]
    sqlite: Option<PathBuf>,
    /// Answers requests of this app client with a 400, as a firewall would. May be repeated.
    #[arg(long, value_name = "ID")]
    forbid_client: Vec<String>,
    /// Answers requests whose User-Agent contains this with a 400, as a firewall would. May be
    /// repeated.
    #[arg(long, value_name = "TEXT")]
    forbid_agent: Vec<String>,
    /// Tells of every event of a second factor as well.
    #[arg(long)]
    verbose: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let level = if options.verbose {
        tracing::Level::DEBUG
    } else {
        tracing::Level::INFO
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let runtime = tokio::runtime::Runtime::new();
    let outcome = runtime
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(run(options)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), Box<dyn core::error::Error>> {
    // Before the first request can be answered, so that its client may end the server.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let listener = TcpListener::bind(options.listen).await?;
    let address = listener.local_addr()?;
    let mut builder = Server::builder().issuer(format!("http://{address}"));
    if let Some(file) = options.sqlite {
        builder = builder.file(file);
    }
    for id in options.forbid_client {
        builder = builder.forbid_client(id);
    }
    for text in options.forbid_agent {
        builder = builder.forbid_agent(text);
    }
    let server = builder.build()?;
    println!("{}", server.table());
    println!("Every confirmation code is {CONFIRMATION_CODE}. Endpoint: http://{address}");

    let shutdown = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("stopping");
    };
    tracing::info!("listening at http://{address}");
    serve(server, listener, shutdown).await?;
    tracing::info!("stopped");
    Ok(())
}
