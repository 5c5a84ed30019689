//! A store in a process of its own, for an engine that is no server: what is killed is the process.

use core::fmt;
use core::net::{Ipv4Addr, SocketAddr};
use std::env;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use softtoken::association::Events;
use softtoken::store::{Snapshot, Swap, Write};
use softtoken::{BlockingStore, Revision};

use crate::server::{Server, free_port};

/// Where the process that is killed finds its port, and its file.
const PORT: &str = "SOFTTOKEN_KILLED_PORT";
const FILE: &str = "SOFTTOKEN_KILLED_FILE";

/// The store of another process, as those see it who survive.
pub struct Remote {
    address: SocketAddr,
    idle: Mutex<Vec<BufReader<TcpStream>>>,
}

#[derive(Serialize, Deserialize)]
enum Call {
    Load(String),
    Swap(String, Option<i64>, Vec<u8>),
}

#[derive(Serialize, Deserialize)]
enum Reply {
    Loaded(Option<(i64, Vec<u8>)>),
    Swapped(bool),
    Failed,
}

impl Remote {
    /// Starts this very test, alone in its binary, once more: in a process that can be killed, in
    /// which this function opens the file, serves its store, and never returns. Returns that
    /// process and its store.
    ///
    /// # Errors
    ///
    /// The process does not start, or does not answer.
    pub fn start<S: BlockingStore + 'static>(
        file: &Path,
        open: impl FnOnce(&Path) -> S,
    ) -> io::Result<(Server, Self)> {
        if let (Ok(port), Some(file)) = (env::var(PORT), env::var_os(FILE)) {
            return serve(&port, Path::new(&file), open);
        }
        let port = free_port();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut itself = Command::new(env::current_exe()?);
        itself
            .env(PORT, port.to_string())
            .env(FILE, file)
            .stdout(Stdio::null());
        let server = Server::start(itself, move || TcpStream::connect(address).is_ok())?;
        let idle = Mutex::default();
        Ok((server, Self { address, idle }))
    }

    fn call(&self, call: &Call) -> io::Result<Reply> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = idle().pop();
        let mut connection = match connection {
            Some(connection) => connection,
            None => BufReader::new(TcpStream::connect(self.address)?),
        };
        send(connection.get_mut(), call)?;
        let reply = receive(&mut connection)?;
        idle().push(connection);
        Ok(reply)
    }
}

/// What is killed: it has the file, and answers every connection in a thread of its own.
fn serve<T, S: BlockingStore + 'static>(
    port: &str,
    file: &Path,
    open: impl FnOnce(&Path) -> S,
) -> io::Result<T> {
    let port: u16 = port.parse().map_err(|_| ErrorKind::InvalidInput)?;
    let store = Arc::new(open(file));
    for stream in TcpListener::bind((Ipv4Addr::LOCALHOST, port))?.incoming() {
        let (mut stream, store) = (stream?, Arc::clone(&store));
        thread::spawn(move || -> io::Result<()> {
            let mut calls = BufReader::new(stream.try_clone()?);
            loop {
                let reply = answer(&*store, receive(&mut calls)?).unwrap_or(Reply::Failed);
                send(&mut stream, &reply)?;
            }
        });
    }
    Err(ErrorKind::BrokenPipe.into())
}

fn answer<S: BlockingStore>(store: &S, call: Call) -> Result<Reply, S::Error> {
    Ok(match call {
        Call::Load(subject) => {
            let found = store.load_blocking(&subject)?;
            Reply::Loaded(found.map(|row| (row.revision.as_i64(), row.record)))
        }
        Call::Swap(subject, expected, record) => {
            let expected = expected.and_then(Revision::from_i64);
            let write = Write::new(&subject, expected, record, Events::default());
            let swap = store.compare_and_swap_blocking(write.expect("one of many"))?;
            Reply::Swapped(swap == Swap::Stored)
        }
    })
}

fn send(stream: &mut TcpStream, message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    stream.write_all(&line)
}

fn receive<T: DeserializeOwned>(lines: &mut BufReader<TcpStream>) -> io::Result<T> {
    let mut line = String::new();
    lines.read_line(&mut line)?;
    // An empty one is the end.
    Ok(serde_json::from_str(&line)?)
}

impl fmt::Debug for Remote {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("Remote")
            .field(&self.address)
            .finish()
    }
}

impl BlockingStore for Remote {
    type Error = io::Error;

    fn load_blocking(&self, subject: &str) -> io::Result<Option<Snapshot>> {
        let Reply::Loaded(found) = self.call(&Call::Load(subject.into()))? else {
            return Err(ErrorKind::Other.into());
        };
        found
            .map(|(revision, record)| {
                let revision = Revision::from_i64(revision).ok_or(ErrorKind::InvalidData)?;
                Ok(Snapshot { revision, record })
            })
            .transpose()
    }

    fn compare_and_swap_blocking(&self, write: Write) -> io::Result<Swap> {
        let expected = write.expected().map(Revision::as_i64);
        let call = Call::Swap(write.subject().into(), expected, write.record().to_vec());
        match self.call(&call)? {
            Reply::Swapped(true) => Ok(Swap::Stored),
            Reply::Swapped(false) => Ok(Swap::Conflict),
            _ => Err(ErrorKind::Other.into()),
        }
    }
}
