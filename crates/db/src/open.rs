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
}

/// A transaction: committed whole by [`Self::commit`], otherwise nothing of it happened.
pub struct Tx(sqlx::Transaction<'static, Any>);

impl Db {
    /// Opens `sqlite:///path/to/file` (made where it is not there) or `postgres://…` and brings its
    /// schema up to date.
    pub async fn open(url: &str) -> Result<Self, Error> {
        const DOING: &str = "open the database";
        sqlx::any::install_default_drivers();
        let (url, writers) = match url.strip_prefix("sqlite://") {
            Some(path) => (sqlite_url(path)?, 1),
            None if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                (url.to_owned(), READERS)
            }
            None => {
                let why = "the address begins with neither sqlite:/// nor postgres://";
                return Err(Error::new(ErrorKind::Address, DOING, why));
            }
        };
        // SQLite has one writer at a time: more connections would only find each other's locks.
        let write = options(writers)
            .connect(&url)
            .await
            .map_err(Error::sql(DOING))?;
        let read = options(READERS)
            .connect(&url)
            .await
            .map_err(Error::sql(DOING))?;
        let db = Self { read, write };
        let mut tx = db.begin().await?;
        schema::migrate(&mut tx).await?;
        tx.commit().await?;
        Ok(db)
    }

    /// A connection for reading.
    pub async fn read(&self) -> Result<sqlx::pool::PoolConnection<Any>, Error> {
        self.read
            .acquire()
            .await
            .map_err(Error::sql("get a connection to the database"))
    }

    /// A connection for single changes, each of which is a transaction of its own.
    pub async fn begin_alone(&self) -> Result<sqlx::pool::PoolConnection<Any>, Error> {
        self.write
            .acquire()
            .await
            .map_err(Error::sql("get a connection to the database"))
    }

    /// Begins a transaction.
    pub async fn begin(&self) -> Result<Tx, Error> {
        self.write
            .begin()
            .await
            .map(Tx)
            .map_err(Error::sql("begin a transaction"))
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

fn options(connections: u32) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(PATIENCE)
        .after_connect(|connection, _| {
            Box::pin(async move {
                if connection.backend_name() == "SQLite" {
                    // A commit is durable when it returns, and readers do not wait for the writer.
                    let settings = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                                    PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 10000;";
                    connection.execute(settings).await?;
                }
                Ok(())
            })
        })
}

/// The address of an SQLite file that is made, for its owner alone, where it is not there.
fn sqlite_url(path: &str) -> Result<String, Error> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let made = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path);
    made.map_err(|error| {
        Error::new(
            ErrorKind::Unavailable,
            "open the database",
            format!("{path}: {error}"),
        )
    })?;
    Ok(format!("sqlite://{path}?mode=rw"))
}
