//! The stand-in as a program.

use core::net::SocketAddr;
use core::time::Duration;
use std::io::IsTerminal as _;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser};
use softtoken_cognito::{CONFIRMATION_CODE, Limits, Pools, Server, serve};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

const EXITS: &str = "Exits with 0 after SIGTERM or SIGINT, once the requests under way are \
    answered, or after 10 seconds; with 1 where it cannot start; with 2 for options that it does not have, or \
    not with such a value.";

/// A local stand-in for Amazon Cognito user pools that gets the second factor right.
#[derive(Parser, Debug)]
#[command(name = "softtoken-cognito", version, after_help = EXITS)]
struct Options {
    /// The address to listen at. Anyone who reaches it is an administrator.
    #[arg(long, default_value = "127.0.0.1:9229")]
    listen: SocketAddr,
    /// Keeps everything in this SQLite file; without it, in memory.
    #[arg(long, value_name = "FILE")]
    sqlite: Option<PathBuf>,
    /// Begins with the pools, clients and users of this file, TOML or (.json) JSON, instead of the
    /// three pools of this server.
    #[arg(long, value_name = "FILE")]
    pools: Option<PathBuf>,
    /// What stands before the _ in the ids of pools.
    #[arg(long, default_value = "local")]
    region: String,
    /// The address that stands before the pool's id in the iss of tokens; without it, the host that
    /// a request names.
    #[arg(long, value_name = "URL", value_parser = issuer)]
    issuer: Option<String>,
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
    #[command(flatten)]
    bounds: Bounds,
}

/// What clients can make it hold.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Limits")]
struct Bounds {
    /// How many connections there are at once, 1 to 65536; further ones wait.
    #[arg(long, value_name = "N", default_value_t = Limits::default().connections)]
    max_connections: usize,
    /// How long the head of a request may be, 1024 to 65536 bytes.
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().header_bytes)]
    max_header_bytes: usize,
    /// How long a body may be, 1024 to 67108864 bytes.
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().body_bytes)]
    max_body_bytes: usize,
    /// For how long a connection stays open without a whole head, between two requests as well. Each
    /// time is 1 to 86400 s.
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().header_time.as_secs())]
    header_timeout: u64,
    /// For how long a body may be on its way.
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().body_time.as_secs())]
    body_timeout: u64,
    /// For how long a client may leave an answer unread.
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().answer_time.as_secs())]
    answer_timeout: u64,
}

impl Bounds {
    fn limits(&self) -> Limits {
        Limits {
            connections: self.max_connections,
            header_bytes: self.max_header_bytes,
            body_bytes: self.max_body_bytes,
            header_time: Duration::from_secs(self.header_timeout),
            body_time: Duration::from_secs(self.body_timeout),
            answer_time: Duration::from_secs(self.answer_timeout),
        }
    }
}

/// Pools' ids are put behind it.
fn issuer(url: &str) -> Result<String, String> {
    let url = url.trim_end_matches('/');
    let host = ["http://", "https://"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme));
    if host.is_none_or(str::is_empty) || url.contains(['?', '#', ' ']) {
        return Err("an address as http://localhost:9229".into());
    }
    Ok(url.to_owned())
}

fn main() -> ExitCode {
    let options = Options::parse();
    if let Err(limit) = options.bounds.limits().check() {
        Options::command()
            .error(ErrorKind::ValueValidation, limit)
            .exit();
    }
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
    let mut builder = Server::builder()
        .region(options.region)
        .limits(options.bounds.limits());
    if let Some(issuer) = options.issuer {
        builder = builder.issuer(issuer);
    }
    if let Some(file) = options.pools {
        builder = builder.pools(Pools::read(&file)?);
    }
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
    let listen = options.listen;
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| format!("{listen} cannot be listened at: {error}"))?;
    let address = listener.local_addr()?;
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
