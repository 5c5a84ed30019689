//! Holds a wrong name to the price of a wrong password: the same hash.

use super::{Accounts, Credentials, hash};

/// Bounds the memory of one hash from below, in bytes: 19 MiB, which nothing else here comes near.
const HASH: u64 = 19 << 20;

/// Returns how many passwords are hashed for a login with a wrong one, by the memory that it takes.
fn cost_of_a_refusal(accounts: &Accounts, user: &str) -> u64 {
    let given = Credentials {
        user: user.to_owned(),
        password: "wrong horse".to_owned(),
    };
    let measured = allocation_counter::measure(|| {
        assert!(accounts.check(given).is_err(), "the password is wrong");
    });
    measured.bytes_total / HASH
}

#[test]
fn an_unknown_user_costs_as_many_hashes_as_a_wrong_password() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("accounts.db");
    let accounts = Accounts::open(file.to_str().expect("UTF-8")).expect("a database");
    let alice = Credentials {
        user: "alice".to_owned(),
        password: "correct horse".to_owned(),
    };
    accounts.sign_up(&alice).expect("a new user");
    for user in ["alice", "nobody", "somebody-else"] {
        assert_eq!(cost_of_a_refusal(&accounts, user), 1, "{user}");
    }
}

/// Holds the cost that OWASP recommends for Argon2id.
#[test]
fn a_hash_costs_19_mebibytes_and_no_two_of_one_password_are_alike() {
    let [one, other] = ["correct horse"; 2].map(|password| hash(password).expect("it is hashed"));
    assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
    assert_ne!(one, other, "the salt is drawn");
}
