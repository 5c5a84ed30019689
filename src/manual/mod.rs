//! Explains how your application works with this crate, page by page. There is nothing here to
//! call.
//!
//! | page | read it when you |
//! |---|---|
//! | [`ten_minutes`] | begin: a small server, whole |
//! | [`handlers`] | write the sign-in, the set-up and the settings of your users |
//! | [`stores`] | keep records in a database of yours |
//! | [`users`] | write what the screen says, and the mails |
//! | [`migrations`] | bring users from another system, one or a table full, or lead them away |
//! | [`one_field`] | have one password field: LDAP, IMAP, HTTP basic authentication |
//! | [`operators`] | run it: keys, clocks, users who are shut out, alerts, backups, deletions |
//! | [`standards`] | are asked which clauses of NIST SP 800-63B-4 and OWASP ASVS 5.0 are met |
//!
//! # Glossary
//!
//! - **Administrator**: a person of yours with authority over the factors of others, named by
//!   [`Administrator::named`](crate::Administrator::named).
//! - **Challenge session**: the text that a challenge hands out and the next call of the same flow
//!   hands back, signed by the server ([`ChallengeSession`](crate::ChallengeSession)). It is no
//!   login.
//! - **Context**: the bytes that a challenge session and a remembered browser are bound to: the
//!   pool, the client, the version of the password ([`Context`](crate::Context)).
//! - **Evidence**: the value that an accepted factor gives, which only the crate can make
//!   ([`Evidence`](crate::Evidence)).
//! - **Factor**: the answer to a challenge: a code, a recovery code, or another second factor that
//!   your application vouches for ([`Factor`](crate::Factor)).
//! - **First factor**: the password, say. Your application checks it.
//! - **Floor**: the last accepted step of a token; only a later one is accepted.
//! - **Generation**: the number of a subject's record that is raised whenever a token comes into
//!   force or goes out of it. Challenge sessions of an earlier generation are dead.
//! - **Grant**: the statement of your application about a login that it has checked: its subject,
//!   and when and by what the user authenticated ([`Grant`](crate::Grant)).
//! - **In force**: a token is in force from its first code, or from its import where that says that
//!   it was proven elsewhere, until it is replaced, removed or reset.
//! - **Login**: the cookie or the tokens of a user who is signed in, elsewhere called a session.
//!   Logins are your application's.
//! - **Pending**: a secret that was issued and not yet proven by a code.
//! - **Possession**: a grant proves possession where its second factor was a token that is still in
//!   force, or a recovery code, temporary code or vouched factor since which no token was taken out
//!   of force; and where the login itself, known by its [id](crate::Grant::with_id), has verified a
//!   token that is still in force.
//! - **Step**: the time counter of RFC 6238, one for each period of a token
//!   ([`Step`](crate::time::Step)).
//! - **Subject**: the user whose factor it is, by a text of 1 to 256 bytes that never changes: a
//!   user id, not an e-mail address.
//! - **Token**: a software token: a secret in an authenticator app or a fob. It has a name and an
//!   id.
//! - **View**: an [`Mfa`](crate::Mfa) with the policy, the context and the audit of one request.

pub mod handlers;
pub mod migrations;
pub mod one_field;
pub mod operators;
pub mod standards;
pub mod stores;
pub mod ten_minutes;
pub mod users;
