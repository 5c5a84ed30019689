//! Keeps accounts.

use softtoken::entropy::Entropy as _;
use softtoken::{OsEntropy, UnixTime};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteExecutor, SqlitePool};

use crate::problem::Problem;

/// Holds an account, and what is asked of it.
#[derive(Clone)]
pub struct User {
    /// Names the account for ever: the subject of its second factor.
    pub id: String,
    /// Tells the address, in lower case.
    pub email: String,
    /// Holds the hash of the password.
    pub password: String,
    /// Counts the passwords.
    pub password_version: i64,
    /// Says whether the account may administer others.
    pub is_administrator: bool,
    /// Says from when on everybody must have a second factor.
    pub required_from: Option<UnixTime>,
}

impl core::fmt::Debug for User {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut shown = formatter.debug_struct("User");
        shown.field("id", &self.id).finish_non_exhaustive()
    }
}

/// Finds and changes accounts.
#[derive(Clone, Debug)]
pub(crate) struct Users(SqlitePool);

impl Users {
    /// Keeps accounts in this database.
    #[must_use]
    pub(crate) fn new(pool: SqlitePool) -> Self {
        Self(pool)
    }

    /// Creates an account. The first one may administer the others.
    ///
    /// # Errors
    ///
    /// [`Problem::Said`] where the address is none, or has an account.
    pub(crate) async fn create(&self, email: &str, password: &str) -> Result<User, Problem> {
        let email = address(email).ok_or_else(|| {
            Problem::said("That is not an email address. Check it for a missing @ or dot.")
        })?;
        let id = random_id()?;
        let created = sqlx::query(
            "INSERT INTO users (id, email, password, password_version, is_administrator) \
             VALUES (?, ?, ?, 1, NOT EXISTS (SELECT 1 FROM users)) ON CONFLICT (email) DO NOTHING",
        )
        .bind(&id)
        .bind(email)
        .bind(password)
        .execute(&self.0)
        .await?;
        if created.rows_affected() == 0 {
            return Err(Problem::said(
                "There is an account with this address. Sign in instead, or use another address.",
            ));
        }
        self.by_id(&id).await?.ok_or(Problem::NotFound)
    }

    /// Finds an account by its id.
    ///
    /// # Errors
    ///
    /// Fails where the database does.
    pub(crate) async fn by_id(&self, id: &str) -> Result<Option<User>, Problem> {
        let row =
            sqlx::query("SELECT users.*, required_from FROM users, settings WHERE users.id = ?")
                .bind(id)
                .fetch_optional(&self.0)
                .await?;
        Ok(row.as_ref().map(user).transpose()?)
    }

    /// Finds an account by its address.
    ///
    /// # Errors
    ///
    /// Fails where the database does.
    pub(crate) async fn by_email(&self, email: &str) -> Result<Option<User>, Problem> {
        let row = sqlx::query("SELECT users.*, required_from FROM users, settings WHERE email = ?")
            .bind(email.trim().to_lowercase())
            .fetch_optional(&self.0)
            .await?;
        Ok(row.as_ref().map(user).transpose()?)
    }

    /// Finds the first fifty accounts whose address holds this text.
    ///
    /// # Errors
    ///
    /// Fails where the database does.
    pub(crate) async fn search(&self, text: &str) -> Result<Vec<User>, Problem> {
        let rows = sqlx::query(
            "SELECT users.*, required_from FROM users, settings \
             WHERE instr(email, ?) > 0 ORDER BY email LIMIT 50",
        )
        .bind(text.trim().to_lowercase())
        .fetch_all(&self.0)
        .await?;
        Ok(rows.iter().map(user).collect::<Result<_, _>>()?)
    }

    /// Keeps a new password, which ends what the old one has begun, on a connection that may be in
    /// a transaction. Returns `None` where the account has another password than `user` had when it
    /// was read: who has shown that one changes nothing any more.
    ///
    /// # Errors
    ///
    /// Fails where the database does.
    pub(crate) async fn set_password(
        at: impl SqliteExecutor<'_>,
        user: &User,
        password: String,
    ) -> Result<Option<User>, Problem> {
        let password_version = user.password_version + 1;
        let changed = sqlx::query(
            "UPDATE users SET password = ?, password_version = ? \
             WHERE id = ? AND password_version = ?",
        )
        .bind(&password)
        .bind(password_version)
        .bind(&user.id)
        .bind(user.password_version)
        .execute(at)
        .await?;
        Ok((changed.rows_affected() == 1).then(|| User {
            password,
            password_version,
            ..user.clone()
        }))
    }

    /// Makes an account an administrator's, or takes that away, on a connection that may be in a
    /// transaction.
    ///
    /// # Errors
    ///
    /// Fails where the database does.
    pub(crate) async fn set_administrator(
        at: impl SqliteExecutor<'_>,
        id: &str,
        is_one: bool,
    ) -> Result<(), Problem> {
        sqlx::query("UPDATE users SET is_administrator = ? WHERE id = ?")
            .bind(is_one)
            .bind(id)
            .execute(at)
            .await?;
        Ok(())
    }

    /// Sets from when on everybody must have a second factor, on a connection that may be in a
    /// transaction.
    ///
    /// # Errors
    ///
    /// Fails where the database does.
    pub(crate) async fn require_from(
        at: impl SqliteExecutor<'_>,
        time: Option<UnixTime>,
    ) -> Result<(), Problem> {
        sqlx::query("UPDATE settings SET required_from = ?")
            .bind(
                time.map(UnixTime::as_secs)
                    .and_then(|at| i64::try_from(at).ok()),
            )
            .execute(at)
            .await?;
        Ok(())
    }
}

/// Draws an id that nobody can guess and nobody else has.
///
/// # Errors
///
/// Fails where the operating system gives no randomness.
pub(crate) fn random_id() -> Result<String, Problem> {
    let mut id = [0; 16];
    OsEntropy.fill(&mut id).map_err(Problem::broken)?;
    Ok(format!("{:032x}", u128::from_be_bytes(id)))
}

fn user(row: &SqliteRow) -> Result<User, sqlx::Error> {
    let required_from: Option<i64> = row.try_get("required_from")?;
    let required_from = required_from.and_then(|at| u64::try_from(at).ok());
    Ok(User {
        id: row.try_get("id")?,
        email: row.try_get("email")?,
        password: row.try_get("password")?,
        password_version: row.try_get("password_version")?,
        is_administrator: row.try_get("is_administrator")?,
        required_from: required_from.map(UnixTime::from_secs),
    })
}

/// Returns an address as it is kept. Whether mail arrives there is for a mail to find out.
fn address(typed: &str) -> Option<String> {
    let typed = typed.trim().to_lowercase();
    let (name, host) = typed.split_once('@')?;
    let is_plain = |text: &str| !text.chars().any(|c| c.is_whitespace() || c.is_control());
    let fits = !name.is_empty() && host.contains('.') && !host.contains('@') && typed.len() <= 254;
    // An authenticator app shows it, and a key URI holds no colon in a name.
    (fits && is_plain(&typed) && !typed.contains(':')).then_some(typed)
}
