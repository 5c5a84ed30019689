//! The rows of the directory, within one transaction.

use rusqlite::{OptionalExtension as _, Transaction, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use softtoken::UnixTime;
use softtoken::cognito::Name;

use super::aliases::needs_verifying;
use super::{Client, Pool, User};
use crate::exception::{Answer, Exception};

const BY_NAME: &str = "SELECT document FROM cognito_user WHERE pool = ?1 AND username = ?2";
const BY_SUB: &str = "SELECT document FROM cognito_user WHERE pool = ?1 AND sub = ?2";
const BY_ALIAS: &str = "
    SELECT attribute, document FROM cognito_alias JOIN cognito_user USING (sub)
    WHERE cognito_alias.pool = ?1 AND value = ?2
";

/// Reads and writes; what it finds lasts as long as the transaction.
#[derive(Debug)]
pub(crate) struct Rows<'a>(&'a Transaction<'a>);

impl<'a> Rows<'a> {
    pub(super) fn new(transaction: &'a Transaction<'a>) -> Self {
        Self(transaction)
    }

    /// The key that is kept under this name, made where there is none.
    pub(crate) fn key(
        &self,
        name: &str,
        make: impl FnOnce() -> Answer<Vec<u8>>,
    ) -> Answer<Vec<u8>> {
        let mut select = self
            .0
            .prepare_cached("SELECT value FROM cognito_key WHERE name = ?1")?;
        if let Some(found) = select.query_row([name], |row| row.get(0)).optional()? {
            return Ok(found);
        }
        let value = make()?;
        let mut insert = self
            .0
            .prepare_cached("INSERT INTO cognito_key (name, value) VALUES (?1, ?2)")?;
        insert.execute(params![name, value])?;
        Ok(value)
    }

    /// # Errors
    ///
    /// `ResourceNotFoundException` where there is none.
    pub(crate) fn pool(&self, id: &str) -> Answer<Pool> {
        self.one("SELECT document FROM cognito_pool WHERE id = ?1", [id])?
            .ok_or_else(|| Exception::resource_not_found(format!("User pool {id} does not exist.")))
    }

    pub(crate) fn pools(&self) -> Answer<Vec<Pool>> {
        self.all("SELECT document FROM cognito_pool ORDER BY rowid", [])
    }

    pub(crate) fn put_pool(&self, pool: &Pool) -> Answer<()> {
        let mut put = self.0.prepare_cached(
            "INSERT INTO cognito_pool (id, document) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET document = ?2",
        )?;
        put.execute(params![pool.id, written(pool)?])?;
        Ok(())
    }

    /// With its clients and users.
    pub(crate) fn delete_pool(&self, id: &str) -> Answer<()> {
        for delete in [
            "DELETE FROM cognito_alias WHERE pool = ?1",
            "DELETE FROM cognito_user WHERE pool = ?1",
            "DELETE FROM cognito_client WHERE pool = ?1",
            "DELETE FROM cognito_pool WHERE id = ?1",
        ] {
            self.0.execute(delete, [id])?;
        }
        Ok(())
    }

    /// # Errors
    ///
    /// `ResourceNotFoundException` where there is none.
    pub(crate) fn client(&self, id: &str) -> Answer<Client> {
        self.one("SELECT document FROM cognito_client WHERE id = ?1", [id])?
            .ok_or_else(|| {
                Exception::resource_not_found(format!("User pool client {id} does not exist."))
            })
    }

    /// # Errors
    ///
    /// `ResourceNotFoundException` where this pool has none of that id.
    pub(crate) fn client_of(&self, pool: &str, id: &str) -> Answer<Client> {
        let client = self.client(id)?;
        if client.pool == pool {
            return Ok(client);
        }
        Err(Exception::resource_not_found(format!(
            "User pool client {id} does not exist."
        )))
    }

    pub(crate) fn put_client(&self, client: &Client) -> Answer<()> {
        let mut put = self.0.prepare_cached(
            "INSERT INTO cognito_client (id, pool, document) VALUES (?1, ?2, ?3) ON CONFLICT (id) DO UPDATE SET document = ?3",
        )?;
        put.execute(params![client.id, client.pool, written(client)?])?;
        Ok(())
    }

    pub(crate) fn delete_client(&self, client: &Client) -> Answer<()> {
        self.0
            .execute("DELETE FROM cognito_client WHERE id = ?1", [&client.id])?;
        Ok(())
    }

    pub(crate) fn clients(&self, pool: &str) -> Answer<Vec<Client>> {
        self.all(
            "SELECT document FROM cognito_client WHERE pool = ?1 ORDER BY rowid",
            [pool],
        )
    }

    pub(crate) fn users(&self, pool: &str) -> Answer<Vec<User>> {
        self.all(
            "SELECT document FROM cognito_user WHERE pool = ?1 ORDER BY rowid",
            [pool],
        )
    }

    /// By user name, or else by `sub` or an alias: as people name users. All three are looked up, each
    /// in an index, whichever finds somebody: how long it takes tells nobody who there is.
    pub(crate) fn user(&self, pool: &str, name: &str) -> Answer<Option<User>> {
        let by_name = self.by_name(pool, name)?;
        let by_sub = self.by_sub(pool, name)?;
        let by_alias = self.named_by(pool, name)?.into_iter().next();
        Ok(by_name.or(by_sub).or(by_alias.map(|(_, user)| user)))
    }

    fn by_name(&self, pool: &str, name: &str) -> Answer<Option<User>> {
        self.one(BY_NAME, [pool, name])
    }

    /// The users who go by this alias, each with the attribute that it is in.
    fn named_by(&self, pool: &str, name: &str) -> Answer<Vec<(String, User)>> {
        let mut select = self.0.prepare_cached(BY_ALIAS)?;
        let found = select.query_map([pool, name], |row| {
            Ok((row.get(0)?, row.get::<_, String>(1)?))
        })?;
        let read_both = |row: rusqlite::Result<(String, String)>| {
            let (attribute, document) = row?;
            Ok((attribute, read(&document)?))
        };
        found.map(read_both).collect()
    }

    /// Makes sure that nobody else goes by a name of this user's, who is not kept yet, whatever
    /// kind of name it is for either. With `force` somebody else who shares the address loses it:
    /// it is not verified any more.
    ///
    /// # Errors
    ///
    /// `AliasExistsException`, and `InvalidParameterException` for a preferred name that looks like
    /// an address where users are named by addresses.
    pub(crate) fn claim_aliases(&self, pool: &Pool, user: &User, force: bool) -> Answer<()> {
        for (attribute, name) in pool.aliases_of(user) {
            if !needs_verifying(attribute) && pool.has_alias_like(name) {
                return Err(Exception::invalid_parameter(
                    "A preferred username cannot look like an address that users sign in by.",
                ));
            }
            let exists = || {
                Exception::alias_exists(format!(
                    "An account with the given {attribute} already exists."
                ))
            };
            for other in [self.by_name(&pool.id, name)?, self.by_sub(&pool.id, name)?] {
                if other.is_some_and(|other| other.sub != user.sub) {
                    return Err(exists());
                }
            }
            let may_take =
                force && needs_verifying(attribute) && pool.username_attributes.is_empty();
            for (same, mut other) in self.named_by(&pool.id, name)? {
                if other.sub == user.sub {
                    continue;
                }
                if !may_take || same != attribute {
                    return Err(exists());
                }
                other.set_attribute(&format!("{attribute}_verified"), "false");
                self.put_user(&other)?;
            }
        }
        Ok(())
    }

    /// By `sub` alone, as tokens and sessions name users: a user who takes a `sub` for a name is
    /// not found by it.
    fn by_sub(&self, pool: &str, sub: &str) -> Answer<Option<User>> {
        self.one(BY_SUB, [pool, sub])
    }

    /// For an administrator, who may know who exists.
    ///
    /// # Errors
    ///
    /// `ResourceNotFoundException` for the pool, `UserNotFoundException` for the user.
    pub(crate) fn known_user(&self, pool: &str, name: &str) -> Answer<User> {
        self.pool(pool)?;
        self.user(pool, name)?
            .ok_or_else(|| Name::UserNotFound.into())
    }

    /// For the holder of a token or a session of this `sub`.
    ///
    /// # Errors
    ///
    /// As [`known_user`](Self::known_user).
    pub(crate) fn holder(&self, pool: &str, sub: &str) -> Answer<User> {
        self.pool(pool)?;
        self.by_sub(pool, sub)?
            .ok_or_else(|| Name::UserNotFound.into())
    }

    pub(crate) fn put_user(&self, user: &User) -> Answer<()> {
        let mut put = self.0.prepare_cached(
            "INSERT INTO cognito_user (pool, username, sub, document) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (pool, username) DO UPDATE SET document = ?4",
        )?;
        put.execute(params![user.pool, user.username, user.sub, written(user)?])?;
        self.delete_aliases(user)?;
        let mut put = self.0.prepare_cached(
            "INSERT INTO cognito_alias (pool, attribute, value, sub) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO NOTHING",
        )?;
        for (attribute, value) in self.pool(&user.pool)?.aliases_of(user) {
            put.execute(params![user.pool, attribute, value, user.sub])?;
        }
        Ok(())
    }

    pub(crate) fn delete_user(&self, user: &User) -> Answer<()> {
        self.delete_aliases(user)?;
        self.0
            .execute("DELETE FROM cognito_user WHERE sub = ?1", [&user.sub])?;
        Ok(())
    }

    fn delete_aliases(&self, user: &User) -> Answer<()> {
        let mut delete = self
            .0
            .prepare_cached("DELETE FROM cognito_alias WHERE sub = ?1")?;
        delete.execute([&user.sub])?;
        Ok(())
    }

    /// Whether somebody has this `sub`, in whichever pool.
    pub(crate) fn has_sub(&self, sub: &str) -> Answer<bool> {
        let mut select = self
            .0
            .prepare_cached("SELECT 1 FROM cognito_user WHERE sub = ?1")?;
        Ok(select.exists([sub])?)
    }

    /// Makes something void that would be good `until` then: `since` a moment that may be to come,
    /// or since that of the first time, which is returned. What has ended by itself is forgotten.
    pub(crate) fn void(
        &self,
        id: &str,
        now: UnixTime,
        since: UnixTime,
        until: UnixTime,
    ) -> Answer<Option<UnixTime>> {
        self.0
            .execute("DELETE FROM cognito_void WHERE until <= ?1", [seconds(now)])?;
        let before = self.void_since(id)?;
        let mut put = self.0.prepare_cached(
            "INSERT INTO cognito_void (id, since, until) VALUES (?1, ?2, ?3) ON CONFLICT (id) DO NOTHING",
        )?;
        put.execute(params![id, seconds(since), seconds(until)])?;
        Ok(before)
    }

    /// Since when it is void, if it is.
    pub(crate) fn void_since(&self, id: &str) -> Answer<Option<UnixTime>> {
        let mut select = self
            .0
            .prepare_cached("SELECT since FROM cognito_void WHERE id = ?1")?;
        let since: Option<i64> = select.query_row([id], |row| row.get(0)).optional()?;
        Ok(since.map(|since| UnixTime::from_secs(since.unsigned_abs())))
    }

    fn all<T: DeserializeOwned>(&self, sql: &str, keys: impl rusqlite::Params) -> Answer<Vec<T>> {
        let mut select = self.0.prepare_cached(sql)?;
        let documents = select.query_map(keys, |row| row.get::<_, String>(0))?;
        documents.map(|document| read(&document?)).collect()
    }

    fn one<T: DeserializeOwned>(
        &self,
        sql: &str,
        keys: impl rusqlite::Params,
    ) -> Answer<Option<T>> {
        let mut select = self.0.prepare_cached(sql)?;
        let found: Option<String> = select.query_row(keys, |row| row.get(0)).optional()?;
        found.map(|document| read(&document)).transpose()
    }
}

/// As the database has numbers.
fn seconds(time: UnixTime) -> i64 {
    time.as_secs().try_into().unwrap_or(i64::MAX)
}

fn read<T: DeserializeOwned>(document: &str) -> Answer<T> {
    serde_json::from_str(document).map_err(Exception::internal)
}

fn written<T: Serialize>(document: &T) -> Answer<String> {
    serde_json::to_string(document).map_err(Exception::internal)
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus::{FullscanStep, VmStep};

    use super::*;
    use crate::directory::{Attribute, Directory};

    /// How many steps the database took to find a user, of them in rows that were not asked for.
    fn steps(rows: &Rows<'_>, name: &str) -> (i32, i32) {
        // They are kept, with their counts, for the next who asks.
        let counted = |status| {
            let statements = [BY_NAME, BY_SUB, BY_ALIAS].map(|sql| rows.0.prepare_cached(sql));
            let counts = statements.map(|statement| statement.expect("SQL").reset_status(status));
            counts.into_iter().sum()
        };
        let [_, _]: [i32; 2] = [counted(VmStep), counted(FullscanStep)];
        let found = rows.user("local_pool", name).expect("rows");
        assert_eq!(found.is_some(), name != "nobody@example.org");
        (counted(VmStep), counted(FullscanStep))
    }

    #[test]
    fn somebody_unknown_is_not_found_as_fast_as_a_user_is_found_however_many_there_are() {
        let now = UnixTime::from_secs(1_700_000_000);
        let mut pool = Pool::new("local_pool".into(), "pool".into(), now);
        pool.alias_attributes = vec!["email".into()];
        let mut seen = Vec::new();
        for users in [2, 300] {
            let directory = Directory::open(None).expect("it opens");
            let taken = directory.change_here(|rows| {
                rows.put_pool(&pool)?;
                let mut sub = String::new();
                for user in 0..users {
                    let attributes = [
                        ("email", format!("user{user}@example.org")),
                        ("email_verified", "true".into()),
                    ];
                    let attributes = attributes.map(|(name, value)| Attribute {
                        name: name.into(),
                        value,
                    });
                    let name = format!("user{user}");
                    let user = User::new(pool.id.clone(), name, attributes.into(), now);
                    rows.put_user(&user)?;
                    sub.clone_from(&user.sub);
                }
                let names = ["user0", &sub, "user0@example.org", "nobody@example.org"];
                Ok(names.map(|name| steps(rows, name)))
            });
            seen.push(taken.expect("rows"));
        }
        assert_eq!(seen[0], seen[1]);
        let [name, sub, alias, nobody] = seen[0];
        for found in [name, sub, alias] {
            assert_eq!(found.1, 0, "no row is looked at in vain");
            // What hands the row over.
            assert!(
                (0..=12).contains(&(found.0 - nobody.0)),
                "{found:?} {nobody:?}"
            );
        }
    }
}
