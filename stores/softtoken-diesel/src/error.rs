//! Says why the database did not answer.

use core::error::Error as StdError;

use diesel::result::{DatabaseErrorKind, Error};

/// Says why a store could not answer, or a transaction did not end as it should. Nothing was
/// accepted. What the driver said is the [`source`](StdError::source), whole.
///
/// No text of an error holds a record. A subject may stand in what the database said.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DieselStoreError {
    /// The pool gave no connection. Nothing was asked.
    #[error("no connection")]
    Pool(#[source] Box<dyn StdError + Send + Sync>),
    /// The statement failed, or the connection while the statement ran. Where a swap or a commit
    /// was under way, it is not known whether the database has stored it.
    #[error("the database did not answer")]
    Database(#[source] Error),
    /// Another transaction was in the way: a serialization failure, a deadlock, or a lock that was
    /// waited for in vain. Nothing was stored, neither the record nor a row of your own, and the
    /// code is not spent: drop what is open, and begin the same request again.
    ///
    /// diesel shows no code of a deadlock, or of a lock that was waited for, so they are known by
    /// what the database says. PostgreSQL says it in the language of `lc_messages`: in another one
    /// than English they are [`Database`](Self::Database).
    #[error("another transaction was in the way")]
    Conflict(#[source] Error),
    /// The database has refused the rows, for a constraint, and has rolled the transaction back.
    /// Nothing was stored, neither the record nor a row of your own, and the code is not spent.
    #[error("the database refused the rows")]
    Refused(#[source] Error),
    /// The transaction that was to be committed is gone, or no longer holds the record that was
    /// swapped in it: the database, or a statement of your application's own, had rolled it back.
    /// What was left of the transaction was rolled back as well; nothing is accepted, and the code
    /// is not spent by it. Except where a COMMIT of your application's own had committed it: then
    /// the record is stored, and the same request is told that its code is used. A row that your
    /// application wrote after the transaction had ended is stored by itself, so leave its end to
    /// the store.
    #[error("the transaction had been rolled back before its commit")]
    Undone(#[source] Error),
    /// The row holds a revision that no store has written. Nothing was judged.
    #[error("the table holds revision {0}, which no store has written")]
    Revision(i64),
    /// The statement changed more rows than a subject has: the table has no primary key. What was
    /// changed in a transaction of your application's own was rolled back.
    #[error("the statement changed {0} rows of one subject")]
    Rows(usize),
    /// The server is a standby, which lags behind its primary, or lets nothing be written. Nothing
    /// was stored.
    #[error("the server is a standby")]
    Standby,
    /// The database has not answered within the store's `answer_timeout`, and the connection was
    /// closed. Of a swap or a commit it is not known whether the database has stored it, or will.
    #[error("the database did not answer in time")]
    TimedOut,
    /// No runtime of Tokio's was there to run the statement. Nothing was asked.
    #[error("there is no runtime of Tokio's")]
    NoRuntime,
    /// The runtime was shut down while the statement ran. It is not known whether the database has
    /// stored it.
    #[error("the runtime was shut down")]
    ShutDown,
}

/// What PostgreSQL says of a deadlock (`40P01`).
const DEADLOCK: &str = "deadlock detected";
/// What PostgreSQL says of a lock that another transaction has held for longer than the
/// `lock_timeout` (`55P03`).
const TIMEOUT: &str = "canceling statement due to lock timeout";
/// What SQLite says of a lock that another connection has held for longer than the `busy_timeout`.
const BUSY: &str = "database is locked";
const LOCKED: &str = "database table is locked";

impl From<Error> for DieselStoreError {
    fn from(error: Error) -> Self {
        use DatabaseErrorKind::{
            CheckViolation, ExclusionViolation, ForeignKeyViolation, NotNullViolation,
            ReadOnlyTransaction, RestrictViolation, SerializationFailure, UniqueViolation, Unknown,
        };
        match &error {
            Error::DatabaseError(SerializationFailure, _) => Self::Conflict(error),
            Error::DatabaseError(Unknown, said)
                if matches!(said.message(), DEADLOCK | TIMEOUT | BUSY | LOCKED) =>
            {
                Self::Conflict(error)
            }
            Error::DatabaseError(ReadOnlyTransaction, _) => Self::Standby,
            Error::DatabaseError(
                UniqueViolation | ForeignKeyViolation | NotNullViolation | CheckViolation
                | RestrictViolation | ExclusionViolation,
                _,
            ) => Self::Refused(error),
            // A connection that is lost at a commit has stored it, or has not.
            _ => Self::Database(error),
        }
    }
}

impl DieselStoreError {
    /// Returns whether another transaction was faster, so that it is known now what that one has
    /// stored, and the same may be tried at once. Who has waited for a lock in vain has waited long
    /// enough.
    pub(crate) fn is_outrun(&self) -> bool {
        let Self::Conflict(Error::DatabaseError(_, said)) = self else {
            return false;
        };
        !matches!(said.message(), TIMEOUT | BUSY | LOCKED)
    }

    /// Returns what to say of a transaction that cannot be read any more, before its commit.
    pub(crate) fn undone(self) -> Self {
        match self {
            Self::Database(error) => Self::Undone(error),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use diesel::result::{DatabaseErrorKind, Error};

    use super::DieselStoreError;

    #[test]
    fn only_what_the_database_has_refused_is_known_to_be_undone() {
        let failed = |kind| {
            let said = Box::new(String::from("said"));
            DieselStoreError::from(Error::DatabaseError(kind, said))
        };
        assert!(matches!(
            failed(DatabaseErrorKind::SerializationFailure),
            DieselStoreError::Conflict(_)
        ));
        assert!(matches!(
            failed(DatabaseErrorKind::ReadOnlyTransaction),
            DieselStoreError::Standby
        ));
        for kind in [
            DatabaseErrorKind::UniqueViolation,
            DatabaseErrorKind::ForeignKeyViolation,
            DatabaseErrorKind::NotNullViolation,
            DatabaseErrorKind::CheckViolation,
            DatabaseErrorKind::RestrictViolation,
            DatabaseErrorKind::ExclusionViolation,
        ] {
            assert!(matches!(failed(kind), DieselStoreError::Refused(_)));
        }
        for kind in [
            DatabaseErrorKind::ClosedConnection,
            DatabaseErrorKind::UnableToSendCommand,
            DatabaseErrorKind::Unknown,
        ] {
            assert!(matches!(failed(kind), DieselStoreError::Database(_)));
        }
    }

    #[test]
    fn who_was_in_the_way_is_known_by_what_the_database_says() {
        let said = |kind, message: &str| {
            let said = Box::new(String::from(message));
            DieselStoreError::from(Error::DatabaseError(kind, said))
        };
        for (kind, message, is_outrun) in [
            (DatabaseErrorKind::SerializationFailure, "said", true),
            (DatabaseErrorKind::Unknown, "deadlock detected", true),
            (
                DatabaseErrorKind::Unknown,
                "canceling statement due to lock timeout",
                false,
            ),
            (DatabaseErrorKind::Unknown, "database is locked", false),
            (
                DatabaseErrorKind::Unknown,
                "database table is locked",
                false,
            ),
        ] {
            let error = said(kind, message);
            assert!(matches!(error, DieselStoreError::Conflict(_)), "{error:?}");
            assert_eq!(error.is_outrun(), is_outrun, "{message}");
            let error = error.undone();
            assert!(matches!(error, DieselStoreError::Conflict(_)), "{error:?}");
        }
        let lost = said(DatabaseErrorKind::Unknown, "the disk is full");
        assert!(!lost.is_outrun());
        assert!(matches!(lost.undone(), DieselStoreError::Undone(_)));
    }
}
