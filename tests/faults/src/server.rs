//! A server to be killed.

use core::fmt;
use core::net::Ipv4Addr;
use core::time::Duration;
use std::fs;
use std::io::{Error, ErrorKind, Result};
use std::net::TcpListener;
use std::process::{Child, Command};
use std::thread;
use std::time::Instant;

/// How long a server may take to answer. A database recovers first, on a machine that has more to
/// do.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process of one's own that serves on loopback. It is killed when dropped, by its process id.
pub struct Server {
    command: Command,
    answers: Box<dyn Fn() -> bool + Send + Sync>,
    process: Child,
}

/// A port of loopback that nobody listens on just now.
///
/// # Panics
///
/// Where there is none.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("it has an address").port()
}

impl Server {
    /// Starts it, and waits until `answers` says that it does. The command is used again for each
    /// restart; its files belong into a temporary folder, which outlives this.
    ///
    /// # Errors
    ///
    /// It cannot be started, or does not answer within a minute.
    pub fn start(
        mut command: Command,
        answers: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<Self> {
        let process = command.spawn()?;
        let mut server = Self {
            command,
            answers: Box::new(answers),
            process,
        };
        server.wait()?;
        Ok(server)
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Ends it and its own children at once, by `kill -9`, as a power failure would end them.
    ///
    /// # Errors
    ///
    /// It cannot be killed.
    pub fn kill(&mut self) -> Result<()> {
        let id = self.id();
        // Where there is no such file there are no children to be found: their parent's death ends
        // them a little later.
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        self.process.kill()?;
        let children = children.unwrap_or_default();
        if !children.trim().is_empty() {
            // Some of them may have ended by themselves.
            let _ = Command::new("kill")
                .arg("-9")
                .args(children.split_whitespace())
                .output()?;
        }
        self.process.wait()?;
        Ok(())
    }

    /// Starts it again, and waits until it answers.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn restart(&mut self) -> Result<()> {
        self.process = self.command.spawn()?;
        self.wait()
    }

    fn wait(&mut self) -> Result<()> {
        let began = Instant::now();
        while !(self.answers)() {
            if began.elapsed() > PATIENCE {
                return Err(Error::new(
                    ErrorKind::TimedOut,
                    format!("{} does not answer", self.command.get_program().display()),
                ));
            }
            thread::sleep(Duration::from_millis(20));
            // What the one before has left, a lock or a port, may stand in its way for a moment.
            if self.process.try_wait()?.is_some() {
                thread::sleep(Duration::from_millis(100));
                self.process = self.command.spawn()?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Server")
            .field("command", &self.command)
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.kill();
    }
}
