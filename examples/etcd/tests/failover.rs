//! Which requests are sent to a second member, against members that are none.

use core::error::Error;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use softtoken::association::Events;
use softtoken::store::{Swap, Write};
use softtoken::{BlockingStore as _, Revision};
use softtoken_etcd::{EtcdError, EtcdStore};
use softtoken_faults::free_port;

type Outcome = Result<(), Box<dyn Error>>;

/// What etcd answers to a range that finds nothing, and to a transaction whose condition does not
/// hold.
const NOTHING: &str = r#"{"header":{"cluster_id":"1","revision":"1"}}"#;
const STORED: &str = r#"{"header":{"cluster_id":"1","revision":"2"},"succeeded":true}"#;

/// Answers each request with this status line and body, or hangs up where there is none; and counts
/// them.
fn member(answer: Option<(&'static str, &'static str)>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it has one"));
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = BufReader::new(connection.expect("a connection"));
            let mut length = 0;
            let mut line = String::new();
            while connection.read_line(&mut line).expect("a header") > 2 {
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a number");
                }
                line.clear();
            }
            let mut body = vec![0; length];
            connection.read_exact(&mut body).expect("a body");
            counter.fetch_add(1, Ordering::SeqCst);
            if let Some((status, body)) = answer {
                let length = body.len();
                let head =
                    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close");
                let sent = write!(connection.get_mut(), "{head}\r\n\r\n{body}");
                sent.expect("it listens");
            }
        }
    });
    (url, asked)
}

fn refuses() -> String {
    format!("http://127.0.0.1:{}", free_port())
}

fn swap(store: &EtcdStore) -> Result<Swap, EtcdError> {
    let (expected, record) = (Some(Revision::FIRST), b"record".to_vec());
    let write = Write::new("alice", expected, record, Events::default());
    store.compare_and_swap_blocking(write.expect("one of many"))
}

#[test]
fn a_swap_that_may_have_been_applied_is_an_error_and_is_not_sent_again() -> Outcome {
    for answer in [
        None,
        Some(("503 Service Unavailable", "{}")),
        Some(("200 OK", "{}")),
    ] {
        let (broken, _) = member(answer);
        let (other, asked) = member(Some(("200 OK", NOTHING)));
        let store = EtcdStore::new([broken, other])?;
        assert!(
            matches!(swap(&store), Err(EtcdError::Http(_))),
            "{answer:?}"
        );
        assert_eq!(asked.load(Ordering::SeqCst), 0, "{answer:?}");
        // The next one goes elsewhere.
        assert_eq!(swap(&store)?, Swap::Conflict);
    }
    Ok(())
}

#[test]
fn a_swap_that_was_not_sent_is_sent_to_the_next_member() -> Outcome {
    let (other, asked) = member(Some(("200 OK", STORED)));
    let store = EtcdStore::new([refuses(), refuses(), other])?;
    assert_eq!(swap(&store)?, Swap::Stored);
    assert_eq!(swap(&store)?, Swap::Stored);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    Ok(())
}

#[test]
fn a_load_goes_on_to_the_next_member_and_around_only_once() -> Outcome {
    let (hangs_up, first) = member(None);
    let (fails, second) = member(Some(("503 Service Unavailable", "{}")));
    let (other, _) = member(Some(("200 OK", NOTHING)));
    let store = EtcdStore::new([hangs_up.clone(), fails.clone(), other])?;
    assert_eq!(store.load_blocking("alice")?, None);

    let store = EtcdStore::new([hangs_up, fails])?;
    assert!(store.load_blocking("alice").is_err());
    let asked = [first, second].map(|asked| asked.load(Ordering::SeqCst));
    assert_eq!(asked, [2, 2]);
    Ok(())
}

#[test]
fn a_store_without_endpoints_is_none() {
    let store = EtcdStore::new([""; 0]);
    assert!(matches!(store, Err(EtcdError::NoEndpoint)));
}
