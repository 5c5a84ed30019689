//! What fails below the server.

use core::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::Arc;

use serde_json::json;
use softtoken::MemoryStore;
use softtoken::store::{BlockingStore, Snapshot, Store, Swap, Write};

use crate::world::{OPTIONAL, World, text};

/// How the store fails, while it does.
#[derive(Clone, Copy, Debug)]
enum Failing {
    /// It answers by an error.
    Down,
    /// Somebody else is faster, every time.
    Contended,
}

#[derive(Debug)]
struct Flaky {
    rows: MemoryStore,
    how: Failing,
    fails: AtomicBool,
}

#[derive(Debug, thiserror::Error)]
#[error("the store is down")]
struct Down;

impl Store for Flaky {
    type Error = Down;

    async fn load(&self, subject: &str) -> Result<Option<Snapshot>, Down> {
        match self.how {
            Failing::Down if self.fails.load(SeqCst) => Err(Down),
            _ => self.rows.load_blocking(subject).map_err(|_| Down),
        }
    }

    async fn compare_and_swap(&self, write: Write) -> Result<Swap, Down> {
        match self.how {
            Failing::Contended if self.fails.load(SeqCst) => Ok(Swap::Conflict),
            _ => self.rows.compare_and_swap_blocking(write).map_err(|_| Down),
        }
    }
}

fn flaky(how: Failing) -> (World, Arc<Flaky>) {
    let store = Arc::new(Flaky {
        rows: MemoryStore::new(),
        how,
        fails: AtomicBool::new(false),
    });
    let given = store.clone();
    (World::with(|builder| builder.store(given)), store)
}

#[test]
fn a_store_that_is_down_is_an_internal_error_and_no_verdict() {
    let (world, store) = flaky(Failing::Down);
    let secret = world.enrol(OPTIONAL);
    let session = text(&world.sign_in(OPTIONAL), "/Session");
    store.fails.store(true, SeqCst);
    let answered = world.respond(OPTIONAL, &session, &world.code(&secret));
    assert_eq!(
        (answered.status, answered.body["__type"].as_str()),
        (500, Some("InternalErrorException"))
    );
    assert!(
        !answered.body.to_string().contains("down"),
        "what is inside stays inside"
    );
    store.fails.store(false, SeqCst);
    let answered = world.respond(OPTIONAL, &session, &world.code(&secret));
    assert_eq!(answered.status, 200);
}

#[test]
fn a_user_is_gone_even_where_the_second_factor_cannot_be() {
    let (world, store) = flaky(Failing::Down);
    let token = json!({ "AccessToken": world.access_token(OPTIONAL) });
    store.fails.store(true, SeqCst);
    assert_eq!(world.call("DeleteUser", &token).status, 500);
    store.fails.store(false, SeqCst);
    assert_eq!(world.refused("GetUser", &token), "UserNotFoundException");
}

#[test]
fn a_store_that_is_contended_is_told_as_each_operation_has_it() {
    let (world, store) = flaky(Failing::Contended);
    let secret = world.enrol(OPTIONAL);
    let session = text(&world.sign_in(OPTIONAL), "/Session");
    let signed_in = world.respond(OPTIONAL, &session, &world.code(&secret));
    let token = text(&signed_in.body, "/AuthenticationResult/AccessToken");
    world.wait(30);
    let session = text(&world.sign_in(OPTIONAL), "/Session");
    store.fails.store(true, SeqCst);
    let associate = json!({ "AccessToken": token });
    assert_eq!(
        world.refused("AssociateSoftwareToken", &associate),
        "ConcurrentModificationException"
    );
    let answered = world.respond(OPTIONAL, &session, &world.code(&secret));
    assert_eq!(answered.body["__type"], "TooManyRequestsException");
}

#[test]
fn a_clock_that_went_back_is_an_internal_error() {
    let world = World::new();
    let secret = world.enrol(OPTIONAL);
    let session = text(&world.sign_in(OPTIONAL), "/Session");
    assert_eq!(
        world
            .respond(OPTIONAL, &session, &world.code(&secret))
            .status,
        200
    );
    let session = text(&world.sign_in(OPTIONAL), "/Session");
    world.go_back(600);
    // A challenge of a time to come has expired; of a new one it is the code that is too old.
    let answered = world.respond(OPTIONAL, &session, &world.code(&secret));
    assert_eq!(answered.body["__type"], "NotAuthorizedException");
    let session = text(&world.sign_in(OPTIONAL), "/Session");
    let answered = world.respond(OPTIONAL, &session, &world.code(&secret));
    assert_eq!(
        (answered.status, answered.body["__type"].as_str()),
        (500, Some("InternalErrorException"))
    );
}
