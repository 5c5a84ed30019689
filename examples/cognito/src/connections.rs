//! Connections: how many there are at once, and for how long one may keep the server waiting.

use core::time::Duration;
use std::io::ErrorKind;
use std::pin::pin;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;

use crate::builder::StartError;
use crate::http;
use crate::server::Server;

/// How long requests that are under way at a shutdown have to finish.
const GRACE: Duration = Duration::from_secs(10);

/// How long the server waits before it takes connections again, where the system has none to give.
const PAUSE: Duration = Duration::from_secs(1);

/// Bounds what clients can make a server hold, whatever they send and however slowly.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many connections there are at once, from 1 to 65,536. Further clients wait in the
    /// system's queue.
    pub connections: usize,
    /// How long the head of a request may be, in bytes: from 1024 to 65,536.
    pub header_bytes: usize,
    /// How long a body may be, in bytes: from 1024 to 67,108,864. So many times four are held by
    /// requests that are being answered; further ones wait.
    pub body_bytes: usize,
    /// For how long a connection may stay open without the whole head of a request, between two
    /// requests as well. This time, and each that follows, is at most a day, and not nothing.
    pub header_time: Duration,
    /// For how long a body may be on its way.
    pub body_time: Duration,
    /// For how long a client may leave an answer unread.
    pub answer_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 128,
            header_bytes: 16 * 1024,
            // A device name of 131,072 characters, each escaped, and room for a token.
            body_bytes: 2 * 1024 * 1024,
            header_time: Duration::from_secs(30),
            body_time: Duration::from_secs(10),
            answer_time: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// Checks that a server can be built with them, as
    /// [`build`](crate::ServerBuilder::build) does.
    ///
    /// # Errors
    ///
    /// One of them is out of its range, and is named.
    pub fn check(&self) -> Result<(), StartError> {
        let times = [self.header_time, self.body_time, self.answer_time];
        let possible = Duration::from_nanos(1)..=Duration::from_secs(86_400);
        Err(StartError::Limit(
            if !(1..=65_536).contains(&self.connections) {
                "there is room for 1 to 65536 connections"
            } else if !(1024..=65_536).contains(&self.header_bytes) {
                "the head of a request may have 1024 to 65536 bytes"
            } else if !(1024..=64 * 1024 * 1024).contains(&self.body_bytes) {
                "a body may have 1024 to 67108864 bytes"
            } else if !times.iter().all(|time| possible.contains(time)) {
                "a client has some time to send and to read, 86400 s at most"
            } else {
                return Ok(());
            },
        ))
    }

    /// How much of bodies is answered at once, in KiB.
    pub(crate) fn held_kib(&self) -> usize {
        4 * self.body_bytes.div_ceil(1024)
    }
}

/// Answers requests until `shutdown` is ready; those under way then are finished, for ten seconds
/// at most.
///
/// # Errors
///
/// The listener has no address: it is none.
pub async fn serve(
    server: Server,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let limits = *server.limits();
    let room = Arc::new(Semaphore::new(limits.connections));
    let server = server.listening_at(listener.local_addr()?);
    let service = TowerToHyperService::new(http::router(server));
    let mut http1 = http1::Builder::new();
    http1
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .max_header_size(limits.header_bytes)
        .max_buf_size(limits.header_bytes.max(8 * 1024));
    let graceful = GracefulShutdown::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let next = async {
            // The semaphore is never closed.
            let permit = room.clone().acquire_owned().await.ok();
            (permit, accept(&listener).await)
        };
        let (permit, stream) = tokio::select! {
            next = next => next,
            () = &mut shutdown => break,
        };
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(limits.answer_time));
        let stream = TokioIo::new(Box::pin(stream));
        let connection = graceful.watch(http1.serve_connection(stream, service.clone()));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(permit);
        });
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = tokio::time::sleep(GRACE) => {}
    }
    Ok(())
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // The client has gone before it was its turn.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
                ) => {}
            // Too many files are open, say: that passes.
            Err(error) => {
                tracing::error!(%error, "no connection can be taken");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
