//! The pools that stand ready at the start.

use softtoken::UnixTime;

use crate::directory::{Client, MfaConfiguration, Pool, Rows, Standing, User};
use crate::exception::Answer;
use crate::passwords::Passwords;

/// A pool with one client and one user.
#[derive(Clone, Debug)]
pub struct Seeded {
    /// Whether it asks for MFA, in a word. Where that is off, so are software tokens.
    pub mfa: &'static str,
    /// Its `UserPoolId`.
    pub pool_id: &'static str,
    /// The `ClientId` of a client that may use every flow, without a secret.
    pub client_id: &'static str,
    /// A confirmed user.
    pub username: &'static str,
    /// The user's password, unless it was changed since.
    pub password: &'static str,
}

const POOLS: [(Seeded, MfaConfiguration, bool); 3] = [
    (
        Seeded {
            mfa: "optional",
            pool_id: "local_optional1",
            client_id: "optional1client00000000000",
            username: "otto",
            password: PASSWORD,
        },
        MfaConfiguration::Optional,
        true,
    ),
    (
        Seeded {
            mfa: "required",
            pool_id: "local_required1",
            client_id: "required1client00000000000",
            username: "rosa",
            password: PASSWORD,
        },
        MfaConfiguration::On,
        true,
    ),
    (
        Seeded {
            mfa: "off",
            pool_id: "local_off000001",
            client_id: "off000001client00000000000",
            username: "olga",
            password: PASSWORD,
        },
        MfaConfiguration::Off,
        false,
    ),
];

const PASSWORD: &str = "Correct-Horse-1";

/// Plants those that are not there; what is there stays as it is.
pub(crate) fn plant(rows: &Rows<'_>, passwords: &Passwords, now: UnixTime) -> Answer<Vec<Seeded>> {
    let known = rows.pools()?;
    for (seeded, mfa, software_tokens) in &POOLS {
        if known.iter().any(|pool| pool.id == seeded.pool_id) {
            continue;
        }
        rows.put_pool(&Pool {
            mfa: *mfa,
            software_tokens: *software_tokens,
            ..Pool::new(seeded.pool_id.into(), seeded.mfa.into(), now)
        })?;
        let mut client = Client::new(
            seeded.client_id.into(),
            seeded.pool_id.into(),
            "seeded".into(),
            now,
        );
        client.flows = Client::EVERY_FLOW.map(String::from).to_vec();
        rows.put_client(&client)?;
        let mut user = User::new(
            seeded.pool_id.into(),
            seeded.username.into(),
            Vec::new(),
            now,
        );
        user.standing = Standing::Confirmed;
        user.password =
            Some(passwords.keep_here(seeded.pool_id, seeded.username, seeded.password)?);
        rows.put_user(&user)?;
    }
    Ok(POOLS.map(|(seeded, ..)| seeded).to_vec())
}

/// They as a table, for the console.
pub(crate) fn table(seeded: &[Seeded]) -> String {
    let titles = ["MFA", "UserPoolId", "ClientId", "Username", "Password"];
    let rows = seeded.iter().map(|seeded| {
        [
            seeded.mfa,
            seeded.pool_id,
            seeded.client_id,
            seeded.username,
            seeded.password,
        ]
    });
    let lines = [titles]
        .into_iter()
        .chain(rows)
        .map(|[mfa, pool, client, user, password]| {
            format!("{mfa:<8}  {pool:<15}  {client:<26}  {user:<8}  {password}\n")
        });
    lines.collect()
}
