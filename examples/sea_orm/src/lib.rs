//! Logs users in with second factors of `softtoken-sqlx`, over the pool of SeaORM, and writes an
//! entity of SeaORM's in the same transaction.
//!
//! The statement is built by SeaORM, and run by sqlx in the transaction that the store lends: no
//! other crate can make SeaORM's own `DatabaseTransaction` of one that has begun.

use sea_orm::{ActiveValue, DatabaseConnection, EntityTrait, QueryTrait};
use sea_query_sqlx::SqlxBinder as _;
use softtoken::{Code, Error, Evidence, Grant, Mfa};
use softtoken_sqlx::{SqliteStore, SqlxStoreError};

/// The table of logins, as an entity.
pub mod logins {
    #![allow(missing_docs, reason = "SeaORM derives most of it")]

    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "logins")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub user_id: String,
        pub device: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Makes the store of a database of SeaORM's, over its pool. For PostgreSQL and MySQL there are
/// `get_postgres_connection_pool` and `get_mysql_connection_pool`.
#[must_use]
pub fn store(database: &DatabaseConnection) -> SqliteStore {
    SqliteStore::new(database.get_sqlite_connection_pool().clone())
}

/// Logs in by a code: the login is committed with the second factor, or neither is.
///
/// # Errors
///
/// Nobody is logged in. A wrong code is counted.
pub async fn log_in(
    store: &SqliteStore,
    mfa: &Mfa,
    grant: &Grant,
    code: Code,
    device: &str,
) -> Result<Evidence, Error<SqlxStoreError>> {
    let request = mfa.step_up(grant, code);
    let mut accepted = store.begin(grant.subject(), request).await?;
    let login = logins::ActiveModel {
        id: ActiveValue::NotSet,
        user_id: ActiveValue::Set(accepted.output().subject().to_owned()),
        device: ActiveValue::Set(device.to_owned()),
    };
    let insert = logins::Entity::insert(login).into_query();
    let (sql, values) = insert.build_sqlx(sea_orm::sea_query::SqliteQueryBuilder);
    // Every value is bound: SeaORM has written no text of the caller's into it.
    let insert = sqlx::query_with(sqlx::AssertSqlSafe(sql), values);
    let written = insert.execute(accepted.transaction()).await;
    written.map_err(|error| Error::Store(error.into()))?;
    accepted.commit().await
}
