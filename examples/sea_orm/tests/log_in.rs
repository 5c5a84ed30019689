//! A login of SeaORM's is there with its second factor, or not at all.

use core::error::Error;

use sea_orm::{ColumnTrait as _, ConnectOptions, ConnectionTrait as _, Database, EntityTrait as _};
use sea_orm::{PaginatorTrait as _, QueryFilter as _};
use softtoken::association::ImportedToken;
use softtoken::totp::{Secret, Totp, Verifier};
use softtoken::{Administrator, Grant, Mfa, OsEntropy, Policy, Rejection, UnixTime};
use softtoken_sea_orm_example::{log_in, logins, store};

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

#[tokio::test]
async fn a_code_that_is_right_logs_in_once_and_a_wrong_one_never() -> Result<(), Box<dyn Error>> {
    // In memory, each connection has a database of its own.
    let mut options = ConnectOptions::new("sqlite::memory:");
    options.max_connections(1);
    let database = Database::connect(options).await?;
    let table = "CREATE TABLE logins (id INTEGER PRIMARY KEY, user_id TEXT NOT NULL,
        device TEXT NOT NULL)";
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
    let code = |steps| phone.code(Totp::STANDARD.step(NOW).saturating_offset(steps));
    let grant = Grant::first_factor("alice", NOW);
    let logins = async || {
        let own = logins::Entity::find().filter(logins::Column::UserId.eq("alice"));
        own.count(&database).await
    };

    let wrong = log_in(&store, &mfa, &grant, code(90), "phone").await;
    let wrong = wrong.expect_err("nobody has shown it");
    assert_eq!(wrong.rejection(), Some(Rejection::Mismatch));
    assert_eq!(logins().await?, 0);
    let _evidence = log_in(&store, &mfa, &grant, code(0), "phone").await?;
    assert_eq!(logins().await?, 1);
    let again = log_in(&store, &mfa, &grant, code(0), "phone").await;
    let again = again.expect_err("it is spent");
    assert_eq!(again.rejection(), Some(Rejection::Reused));
    assert_eq!(logins().await?, 1);
    Ok(())
}
