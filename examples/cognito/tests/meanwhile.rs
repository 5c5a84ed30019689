//! Changes a user while a code of theirs is being judged: between the read of the user, which comes
//! before, and the tokens, which come after.

use core::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use softtoken::MemoryStore;
use softtoken::store::{BlockingStore, Snapshot, Store, Swap, Write};
use tokio::sync::oneshot;

use crate::world::{OPTIONAL, Reply, World, text};

/// A store whose next swap, once it is stored, waits for the test.
#[derive(Debug, Default)]
struct Held {
    rows: MemoryStore,
    next: Mutex<Option<(oneshot::Sender<()>, oneshot::Receiver<()>)>>,
}

impl Held {
    /// Tells when the next swap is stored, and takes the word for it to be answered.
    fn hold(&self) -> (oneshot::Receiver<()>, oneshot::Sender<()>) {
        let (stored, is_stored) = oneshot::channel();
        let (go_on, told) = oneshot::channel();
        *self.next.lock().expect("no panic") = Some((stored, told));
        (is_stored, go_on)
    }
}

impl Store for Held {
    type Error = Infallible;

    async fn load(&self, subject: &str) -> Result<Option<Snapshot>, Infallible> {
        self.rows.load_blocking(subject)
    }

    async fn compare_and_swap(&self, write: Write) -> Result<Swap, Infallible> {
        let swap = self.rows.compare_and_swap_blocking(write)?;
        let held = self
            .next
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some((stored, go_on)) = held {
            stored.send(()).expect("the test waits");
            go_on.await.expect("the test says so");
        }
        Ok(swap)
    }
}

/// Shows a right code, and has an administrator do this while it is being stored.
fn right_code_while(operation: &str, members: &Value) -> Reply {
    let store = Arc::new(Held::default());
    let given = store.clone();
    let world = World::with(|builder| builder.store(given));
    let secret = world.enrol(OPTIONAL);
    let session = text(&world.sign_in(OPTIONAL), "/Session");
    let code = world.code(&secret);
    let (stored, go_on) = store.hold();
    std::thread::scope(|scope| {
        let answered = scope.spawn(|| world.respond(OPTIONAL, &session, &code));
        stored.blocking_recv().expect("the code is stored");
        world.done(operation, members);
        go_on.send(()).expect("the swap waits");
        answered.join().expect("no panic")
    })
}

fn named() -> Value {
    json!({ "UserPoolId": OPTIONAL.id, "Username": OPTIONAL.user })
}

#[test]
fn a_user_who_is_disabled_while_the_code_is_stored_is_refused() {
    let answered = right_code_while("AdminDisableUser", &named());
    assert_eq!(
        (answered.status, answered.body["__type"].as_str()),
        (400, Some("NotAuthorizedException")),
        "{}",
        answered.body
    );
}

#[test]
fn a_user_who_is_deleted_while_the_code_is_stored_is_refused() {
    let answered = right_code_while("AdminDeleteUser", &named());
    assert_eq!(answered.status, 400, "{}", answered.body);
}

#[test]
fn a_password_that_changes_while_the_code_is_stored_ends_the_sign_in() {
    let mut another = named();
    another["Password"] = json!("Another-Horse-2");
    another["Permanent"] = json!(true);
    let answered = right_code_while("AdminSetUserPassword", &another);
    assert_eq!(
        (answered.status, answered.body["__type"].as_str()),
        (400, Some("NotAuthorizedException")),
        "{}",
        answered.body
    );
}

#[test]
fn what_does_not_concern_the_sign_in_does_not_end_it() {
    let answered = right_code_while("AdminGetUser", &named());
    assert_eq!(answered.status, 200, "{}", answered.body);
}
