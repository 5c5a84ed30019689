//! Keeps second factors in an etcd cluster.
//!
//! This file is written to be copied. What must be kept is marked **keep**; names, the prefix and
//! the timeouts are yours.
//!
//! Each subject is one key, `softtoken/` and the subject. Its value is the revision in eight bytes,
//! the highest first; the byte 1, the number of this layout, which needs no migration; and the
//! record.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::io::ErrorKind;
use std::thread;

use serde_json::json;
use softtoken::BlockingStore;
use softtoken::store::{Snapshot, Swap, Write};
use ureq::{Agent, Timeout};

mod layout;

use layout::{Answer, bound, key, value};

/// For each member: longer than an election takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Keeps records in an etcd cluster, through the JSON gateway that each member has, etcd 3.4 or
/// later.
///
/// It blocks: in an async server call it within `spawn_blocking`, or whatever the runtime calls
/// that.
#[derive(Debug)]
pub struct EtcdStore {
    agent: Agent,
    endpoints: Vec<String>,
    /// The endpoint that is asked first.
    first: AtomicUsize,
}

/// Says why etcd did not answer. Whether a swap was applied is not known.
#[derive(Debug, thiserror::Error)]
pub enum EtcdError {
    /// No endpoint was given.
    #[error("no endpoint of the cluster was given")]
    NoEndpoint,
    /// No connection, no answer in time, or a refusal, such as without a majority or a leader.
    #[error("etcd did not answer")]
    Http(#[from] ureq::Error),
    /// The key holds what this store has never written.
    #[error("the key of the subject holds no record that a store has written")]
    Layout,
}

impl EtcdStore {
    /// Makes a store in the cluster with these endpoints, such as `http://127.0.0.1:2379`: all
    /// members', so that it goes on where one fails. Nobody is asked yet.
    ///
    /// # Errors
    ///
    /// [`EtcdError::NoEndpoint`].
    pub fn new(endpoints: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, EtcdError> {
        let endpoints: Vec<String> = endpoints.into_iter().map(Into::into).collect();
        if endpoints.is_empty() {
            return Err(EtcdError::NoEndpoint);
        }
        let agent = Agent::config_builder()
            // Keep: every wait ends.
            .timeout_connect(Some(PATIENCE / 4))
            .timeout_global(Some(PATIENCE))
            // What stands between would see the requests, and might send them twice.
            .proxy(None)
            .max_redirects(0)
            .max_idle_connections(128)
            .max_idle_connections_per_host(64)
            .build()
            .new_agent();
        Ok(Self {
            agent,
            endpoints,
            first: AtomicUsize::new(0),
        })
    }

    /// Asks one member, and the next one where the first cannot have done what it was asked, or
    /// where doing it twice is the same.
    fn ask(
        &self,
        path: &str,
        request: &serde_json::Value,
        again: impl Fn(&ureq::Error) -> bool,
    ) -> Result<Answer, EtcdError> {
        let members = self.endpoints.len();
        let first = self.first.load(Ordering::Relaxed);
        let mut asked = 0;
        loop {
            let member = (first + asked) % members;
            asked += 1;
            let url = format!("{}{path}", self.endpoints[member]);
            let sent = self.agent.post(url).send_json(request);
            match sent.and_then(|mut answer| answer.body_mut().read_json()) {
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    // The next request begins elsewhere.
                    let next = (member + 1) % members;
                    self.first.store(next, Ordering::Relaxed);
                    if asked == members || !again(&error) {
                        return Err(error.into());
                    }
                }
            }
        }
    }
}

/// Keep: only what says for certain that the request has not been sent.
fn unsent(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Io(error) => error.kind() == ErrorKind::ConnectionRefused,
        ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) | ureq::Error::HostNotFound => {
            true
        }
        _ => false,
    }
}

impl BlockingStore for EtcdStore {
    type Error = EtcdError;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, EtcdError> {
        // Keep: linearizable, which it is where nothing is said; "serializable" answers from a
        // member that lags.
        let range = json!({ "key": key(subject) });
        // To read twice is to read, so any member may be asked after any error.
        let answer = self.ask("/v3/kv/range", &range, |_error| true)?;
        answer.snapshot()
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, EtcdError> {
        let key = key(write.subject());
        // Keep: the condition and the write are one transaction.
        let compare = match write.expected() {
            None => json!([
                { "key": key, "target": "CREATE", "result": "EQUAL", "create_revision": "0" },
            ]),
            // Keep both: values begin with their revision, so those of the expected one lie between
            // it and the next.
            Some(expected) => json!([
                { "key": key, "target": "VALUE", "result": "GREATER", "value": bound(expected) },
                { "key": key, "target": "VALUE", "result": "LESS", "value": bound(write.next()) },
            ]),
        };
        let put = json!([{ "requestPut": { "key": key, "value": value(&write) } }]);
        let transaction = json!({ "compare": compare, "success": put });
        // Keep: sent once. A transaction that is not answered may have been applied, and would find
        // its own write the second time and call it a conflict.
        let answer = self.ask("/v3/kv/txn", &transaction, unsent)?;
        Ok(answer.swap())
    }

    fn pause_blocking(&self, time: Duration) {
        thread::sleep(time);
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::{ErrorKind, EtcdStore, Timeout, unsent};

    #[test]
    fn only_what_was_not_sent_is_sent_again() {
        let io = |kind: ErrorKind| ureq::Error::Io(io::Error::from(kind));
        for error in [
            io(ErrorKind::ConnectionRefused),
            ureq::Error::Timeout(Timeout::Resolve),
            ureq::Error::Timeout(Timeout::Connect),
            ureq::Error::HostNotFound,
        ] {
            assert!(unsent(&error), "{error}");
        }
        for error in [
            io(ErrorKind::ConnectionReset),
            io(ErrorKind::BrokenPipe),
            io(ErrorKind::UnexpectedEof),
            io(ErrorKind::TimedOut),
            ureq::Error::Timeout(Timeout::Global),
            ureq::Error::Timeout(Timeout::RecvResponse),
            ureq::Error::StatusCode(503),
        ] {
            assert!(!unsent(&error), "{error}");
        }
    }

    #[test]
    fn who_has_lost_a_race_waits_as_long_as_it_is_told() {
        let store = EtcdStore::new(["http://127.0.0.1:1"]).expect("an endpoint");
        softtoken_faults::pauses_blocking(&store);
    }
}
