//! A login of SeaORM's is there with its second factor, or not at all.

use core::error::Error;

use sea_orm::{ColumnTrait as _, ConnectOptions, ConnectionTrait as _, Database, EntityTrait as _};
use sea_orm::{DatabaseConnection, PaginatorTrait as _, QueryFilter as _};
use softtoken::association::ImportedToken;
use softtoken::totp::{Code, Secret, Totp, Verifier};
use softtoken::{Administrator, Evidence, Grant, Mfa, OsEntropy, Policy, Rejection, UnixTime};
use softtoken_sea_orm_example::{log_in, logins, store};
use softtoken_sqlx::{SqliteStore, SqlxStoreError};

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

type Outcome = Result<(), Box<dyn Error>>;

/// A database with alice in it, and her phone.
struct World {
    database: DatabaseConnection,
    store: SqliteStore,
    mfa: Mfa,
    phone: Verifier,
}

impl World {
    async fn new() -> Result<Self, Box<dyn Error>> {
        // In memory, each connection has a database of its own.
        let mut options = ConnectOptions::new("sqlite::memory:");
        options.max_connections(1);
        let database = Database::connect(options).await?;
        let table = "CREATE TABLE logins (id INTEGER PRIMARY KEY, user_id TEXT NOT NULL,
            device TEXT NOT NULL CHECK (device <> 'forbidden'))";
        database.execute_unprepared(table).await?;
        let store = store(&database);
        store.migrate().await?;

        let mfa = Mfa::new(Policy::STANDARD, || Some(NOW), OsEntropy);
        let secret = Secret::generate(20, &OsEntropy)?;
        let token = ImportedToken::proven(secret.clone(), Totp::STANDARD);
        let token = token.last_step(Totp::STANDARD.step(NOW).saturating_offset(-2));
        let import = mfa.import(&Administrator::named("tests"), [token]);
        import.run(&store, "alice").await?;
        let phone = Verifier::new(&secret, Totp::STANDARD);
        Ok(Self {
            database,
            store,
            mfa,
            phone,
        })
    }

    fn code(&self, steps: i64) -> Code {
        let step = Totp::STANDARD.step(NOW).saturating_offset(steps);
        self.phone.code(step)
    }

    async fn log_in(
        &self,
        code: Code,
        device: &str,
    ) -> Result<Evidence, softtoken::Error<SqlxStoreError>> {
        let grant = Grant::first_factor("alice", NOW);
        log_in(&self.store, &self.mfa, &grant, code, device).await
    }

    async fn logins(&self) -> Result<u64, sea_orm::DbErr> {
        let own = logins::Entity::find().filter(logins::Column::UserId.eq("alice"));
        own.count(&self.database).await
    }
}

#[tokio::test]
async fn a_code_that_is_right_logs_in_once_and_a_wrong_one_never() -> Outcome {
    let world = World::new().await?;
    let wrong = world.log_in(world.code(90), "phone").await;
    let wrong = wrong.expect_err("nobody has shown it");
    assert_eq!(wrong.rejection(), Some(Rejection::Mismatch));
    assert_eq!(world.logins().await?, 0);
    let _evidence = world.log_in(world.code(0), "phone").await?;
    assert_eq!(world.logins().await?, 1);
    let again = world.log_in(world.code(0), "phone").await;
    let again = again.expect_err("it is spent");
    assert_eq!(again.rejection(), Some(Rejection::Reused));
    assert_eq!(world.logins().await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_login_that_the_database_refuses_spends_no_code() -> Outcome {
    let world = World::new().await?;
    let refused = world.log_in(world.code(0), "forbidden").await;
    assert_eq!(refused.expect_err("by a constraint").name(), "store");
    assert_eq!(world.logins().await?, 0);
    let _evidence = world.log_in(world.code(0), "phone").await?;
    assert_eq!(world.logins().await?, 1);
    Ok(())
}
