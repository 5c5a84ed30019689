//! A store in a process of its own, for an engine that is no server: what is killed is the process.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::env;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use softtoken::association::Events;
use softtoken::own_transaction::BlockingLogins;
use softtoken::store::{Snapshot, Swap, Write};
use softtoken::{BlockingStore, Revision};

use crate::check::Broken;
use crate::history::Tally;
use crate::load::endure;
use crate::logins::{Attempt, Here, LoginTally, Outcome, Place, log_in_while};
use crate::server::{Server, free_port};

/// Where the process that is killed finds its port, and its file.
const PORT: &str = "SOFTTOKEN_KILLED_PORT";
const FILE: &str = "SOFTTOKEN_KILLED_FILE";

/// The store of another process, as those see it who survive.
struct Remote {
    address: SocketAddr,
    idle: Mutex<Vec<BufReader<TcpStream>>>,
}

#[derive(Serialize, Deserialize)]
enum Call {
    Load(String),
    Swap(String, Option<i64>, Vec<u8>),
    LogIn(Attempt),
    HasRow(String),
}

#[derive(Serialize, Deserialize)]
enum Reply {
    Loaded(Option<(i64, Vec<u8>)>),
    Swapped(bool),
    LoggedIn(Outcome),
    HasRow(bool),
    Failed,
}

/// Keeps up a load on a store in a file, while the process that has opened it is killed so often,
/// and checks what must hold, as [`endure`] does.
///
/// That process is this very program, started once more: call it from a test that stands alone in
/// its file. There `open` opens the file, and this does not return.
///
/// # Panics
///
/// Where something does not hold, or the process does not start.
pub fn endure_in_a_file<S: BlockingStore + 'static>(
    kills: u64,
    open: impl FnOnce(&Path) -> S,
) -> Tally {
    in_a_file(
        kills,
        |file| Rows(open(file)),
        |store, kill| endure(store, kill),
    )
}

/// Does as [`endure_in_a_file`] does, with logins that have rows of the application's own, and
/// checks what must hold, as [`endure_logins`](crate::endure_logins) does.
///
/// # Panics
///
/// As there.
pub fn endure_logins_in_a_file<A: BlockingLogins + 'static>(
    kills: u64,
    open: impl FnOnce(&Path) -> A,
) -> LoginTally {
    in_a_file(
        kills,
        |file| Here(open(file)),
        |place, kill| log_in_while(place, kill),
    )
}

fn in_a_file<A: Answers + 'static, T>(
    kills: u64,
    open: impl FnOnce(&Path) -> A,
    endure: impl FnOnce(&Remote, &mut dyn FnMut()) -> Result<T, Broken>,
) -> T {
    if let (Ok(port), Some(file)) = (env::var(PORT), env::var_os(FILE)) {
        let port = port.parse().expect("it is a port");
        serve(port, open(Path::new(&file))).expect("the port is free");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (mut server, store) = Remote::start(folder.path()).expect("it starts");
    let tally = endure(&store, &mut || {
        for kill in 0..kills {
            thread::sleep(Duration::from_millis(400 + 20 * kill));
            server.kill().expect("it runs");
            server.restart().expect("it starts again");
        }
    });
    tally.unwrap_or_else(|broken| panic!("{broken}"))
}

impl Remote {
    fn start(folder: &Path) -> io::Result<(Server, Self)> {
        let port = free_port();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut itself = Command::new(env::current_exe()?);
        itself
            .env(PORT, port.to_string())
            .env(FILE, folder.join("records.sqlite3"))
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
fn serve(port: u16, store: impl Answers + 'static) -> io::Result<()> {
    let store = Arc::new(store);
    for stream in TcpListener::bind((Ipv4Addr::LOCALHOST, port))?.incoming() {
        let (mut stream, store) = (stream?, Arc::clone(&store));
        thread::spawn(move || -> io::Result<()> {
            let mut calls = BufReader::new(stream.try_clone()?);
            loop {
                let reply = store.answer(receive(&mut calls)?).unwrap_or(Reply::Failed);
                send(&mut stream, &reply)?;
            }
        });
    }
    Err(ErrorKind::BrokenPipe.into())
}

/// What the process answers; `None` where that has failed.
trait Answers: Send + Sync {
    fn answer(&self, call: Call) -> Option<Reply>;
}

/// A store alone.
struct Rows<S>(S);

impl<S: BlockingStore> Answers for Rows<S> {
    fn answer(&self, call: Call) -> Option<Reply> {
        row(&self.0, call).ok()
    }
}

impl<A: BlockingLogins> Answers for Here<A> {
    fn answer(&self, call: Call) -> Option<Reply> {
        match call {
            Call::LogIn(attempt) => Some(Reply::LoggedIn(self.log_in(&attempt))),
            Call::HasRow(row) => self.has_row(&row).map(Reply::HasRow),
            call => row(self, call).ok(),
        }
    }
}

fn row<S: BlockingStore>(store: &S, call: Call) -> Result<Reply, S::Error> {
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
        Call::LogIn(_) | Call::HasRow(_) => Reply::Failed,
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

    fn pause_blocking(&self, time: Duration) {
        thread::sleep(time);
    }
}

impl Place for Remote {
    fn log_in(&self, attempt: &Attempt) -> Outcome {
        match self.call(&Call::LogIn(attempt.clone())) {
            Ok(Reply::LoggedIn(outcome)) => outcome,
            _ => Outcome::Unknown,
        }
    }

    fn has_row(&self, row: &str) -> Option<bool> {
        match self.call(&Call::HasRow(row.into())) {
            Ok(Reply::HasRow(has_row)) => Some(has_row),
            _ => None,
        }
    }
}
