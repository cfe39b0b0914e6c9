//! Opening the database, and transactions.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::{Any, AnyPool, Executor as _};

use crate::error::{Error, ErrorKind};
use crate::schema;

/// What queries run on: a connection that reads, or a [`Tx`].
pub type Connection = sqlx::AnyConnection;

/// Readers of SQLite beside its one writer; for PostgreSQL the connections of each kind.
const READERS: u32 = 16;
/// How long a request waits for a connection.
const PATIENCE: Duration = Duration::from_secs(30);

/// The database.
#[derive(Clone, Debug)]
pub struct Db {
    read: AnyPool,
    write: AnyPool,
    begin: &'static str,
}

/// A transaction: committed whole by [`Self::commit`], otherwise nothing of it happened.
pub struct Tx(sqlx::Transaction<'static, Any>);

impl Db {
    /// Opens `sqlite:///path/to/file` (made where it is not there) or `postgres://…` and brings its
    /// schema up to date.
    pub async fn open(url: &str) -> Result<Self, Error> {
        const DOING: &str = "open the database";
        sqlx::any::install_default_drivers();
        // SQLite has one writer at a time: more connections would only find each other's locks. A
        // transaction that begins as a writer waits for other processes there, and only there.
        let (url, writers, begin) = match url.strip_prefix("sqlite://") {
            Some(path) => (sqlite_url(path)?, 1, "BEGIN IMMEDIATE"),
            None if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                (url.to_owned(), READERS, "BEGIN")
            }
            None => {
                let why = "the address begins with neither sqlite:/// nor postgres://";
                return Err(Error::new(ErrorKind::Address, DOING, why));
            }
        };
        let write = options(writers, WRITER)
            .connect(&url)
            .await
            .map_err(Error::sql(DOING))?;
        let read = options(READERS, READER)
            .connect(&url)
            .await
            .map_err(Error::sql(DOING))?;
        let db = Self { read, write, begin };
        let mut tx = db.begin().await?;
        schema::migrate(&mut tx).await?;
        tx.commit().await?;
        Ok(db)
    }

    /// A connection for reading; it refuses to write. There are few: nobody should hold one while
    /// asking for another, or while waiting for anything else.
    pub async fn read(&self) -> Result<sqlx::pool::PoolConnection<Any>, Error> {
        self.read
            .acquire()
            .await
            .map_err(Error::sql("get a connection to the database"))
    }

    /// A connection for single changes, each of which is a transaction of its own. On SQLite there is
    /// one, which [`Self::begin`] waits for.
    pub async fn begin_alone(&self) -> Result<sqlx::pool::PoolConnection<Any>, Error> {
        self.write
            .acquire()
            .await
            .map_err(Error::sql("get a connection to the database"))
    }

    /// Begins a transaction.
    pub async fn begin(&self) -> Result<Tx, Error> {
        const DOING: &str = "begin a transaction";
        // Whoever asks may go away at any time. A begin that is cut off in the middle would leave
        // SQLite's one writer within a transaction that nobody ends; so it is always brought to its
        // end, and what nobody takes is rolled back.
        let (write, begin) = (self.write.clone(), self.begin);
        let begun = tokio::spawn(async move { write.begin_with(begin).await });
        match begun.await {
            Ok(begun) => begun.map(Tx).map_err(Error::sql(DOING)),
            Err(error) => Err(Error::new(ErrorKind::Failed, DOING, error.to_string())),
        }
    }

    /// Ends all connections.
    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

impl Tx {
    /// Makes everything in it durable and visible.
    pub async fn commit(self) -> Result<(), Error> {
        self.0
            .commit()
            .await
            .map_err(Error::sql("commit a transaction"))
    }
}

impl Deref for Tx {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.0
    }
}

/// What a connection is told at its begin, in each of the two languages.
#[derive(Clone, Copy)]
struct Manners {
    sqlite: &'static str,
    postgres: &'static str,
}

/// A commit is durable when it returns, and readers do not wait for the writer.
const WRITER: Manners = Manners {
    sqlite: "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
             PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 10000;",
    postgres: "SET synchronous_commit = on",
};

/// A write that went past the one writer would find locks, or slip past a compare-and-set.
const READER: Manners = Manners {
    sqlite: "PRAGMA busy_timeout = 10000; PRAGMA query_only = ON;",
    postgres: "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
};

fn options(connections: u32, manners: Manners) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(PATIENCE)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                let settings = match connection.backend_name() {
                    "SQLite" => manners.sqlite,
                    _ => manners.postgres,
                };
                connection.execute(settings).await?;
                Ok(())
            })
        })
}

/// The address of an SQLite file that is made, for its owner alone, where it is not there.
fn sqlite_url(path: &str) -> Result<String, Error> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let failed = |error: std::io::Error| {
        let why = format!("{path}: {error}");
        Error::new(ErrorKind::Unavailable, "open the database", why)
    };
    let whole = std::path::absolute(path).map_err(failed)?;
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&whole)
        .map_err(failed)?;
    let Some(whole) = whole.to_str() else {
        let why = format!("{path}: the path is not UTF-8");
        return Err(Error::new(ErrorKind::Address, "open the database", why));
    };
    // These mean something in an address; in the name of a file they do not.
    let whole = whole
        .replace('%', "%25")
        .replace('?', "%3F")
        .replace('#', "%23");
    Ok(format!("sqlite://{whole}?mode=rw"))
}
