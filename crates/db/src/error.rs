//! What can go wrong with the database.

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ErrorKind {
    /// The address of the database makes no sense.
    Address,
    /// The database cannot be reached, or is busy.
    Unavailable,
    /// A row with that key is there already.
    Exists,
    /// A row holds what no release writes.
    Damaged,
    /// A text that no row can hold: PostgreSQL keeps no NUL.
    Text,
    /// The schema was made by a newer release.
    NewerSchema,
    /// Anything else that the database says.
    Failed,
}

/// Why the database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("{doing}: {why}")]
pub struct Error {
    /// What kind.
    pub kind: ErrorKind,
    /// What was being done.
    pub doing: &'static str,
    /// The reason, in words for an operator.
    pub why: String,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, doing: &'static str, why: impl Into<String>) -> Self {
        Self {
            kind,
            doing,
            why: why.into(),
        }
    }

    pub(crate) fn damaged(doing: &'static str, why: impl std::fmt::Display) -> Self {
        Self::new(ErrorKind::Damaged, doing, why.to_string())
    }

    /// For `map_err`: an error of the driver while `doing`.
    pub(crate) fn sql(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |error| {
            let kind = match &error {
                sqlx::Error::Database(database) if database.is_unique_violation() => {
                    ErrorKind::Exists
                }
                sqlx::Error::Database(database) if database.code().as_deref() == Some(NO_TEXT) => {
                    ErrorKind::Text
                }
                sqlx::Error::Database(database) if passes(database.code().as_deref()) => {
                    ErrorKind::Unavailable
                }
                sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => {
                    ErrorKind::Unavailable
                }
                sqlx::Error::Configuration(_) => ErrorKind::Address,
                sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) => {
                    ErrorKind::Damaged
                }
                _ => ErrorKind::Failed,
            };
            Self::new(kind, doing, error.to_string())
        }
    }
}

/// What PostgreSQL says of a text with characters that it has not.
const NO_TEXT: &str = "22021";

/// Whether the cause may be gone at the next attempt: in SQLite busy, locked, an I/O error or no room
/// (result codes 5, 6, 10 and 13 in the lowest byte), in PostgreSQL the classes of lost connections
/// (08), rollbacks (40), missing resources (53) and interventions (57).
fn passes(code: Option<&str>) -> bool {
    let Some(code) = code else {
        return false;
    };
    if code.len() == 5 {
        return ["08", "40", "53", "57"]
            .iter()
            .any(|class| code.starts_with(class));
    }
    code.parse::<u32>()
        .is_ok_and(|code| matches!(code & 0xFF, 5 | 6 | 10 | 13))
}
