//! Opening the database, and transactions.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::{Any, AnyPool, Executor as _};

use firebrick_vocabulary::{HostName, ProjectId};

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
    dialect: Dialect,
}

/// Which of the two databases it is, where that makes a difference.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Dialect {
    /// One writer at a time: what a transaction has read stays so until its end.
    Sqlite,
    /// Writers side by side, each of which sees what others have committed meanwhile: what must stay
    /// so until the end of a transaction is locked.
    Postgres,
}

impl Dialect {
    /// How a transaction begins. In SQLite as a writer, so that it waits for other processes there,
    /// and only there.
    const fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }
}

/// How a row is held that a transaction reads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Hold {
    /// Nobody else may change it, or hold it to change it.
    Alone,
    /// Nobody may change it.
    Shared,
}

/// What a lock is about that is no row: the first of the two numbers of PostgreSQL's advisory locks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Subject {
    Schema = 1,
    Project = 2,
    Start = 3,
    Backend = 4,
}

/// A transaction: committed whole by [`Self::commit`], otherwise nothing of it happened.
///
/// What it decides upon must not change under it. Whoever goes on to change a row reads it with
/// `get_locked`; whoever counts what a project has calls [`Self::lock_project`] first. Locks are taken
/// in the order project, service, type, group, volume, snapshot, attachment, so that no two
/// transactions wait for each other; they end with the transaction.
pub struct Tx {
    inner: sqlx::Transaction<'static, Any>,
    dialect: Dialect,
}

impl Db {
    /// Opens `sqlite:///path/to/file` (made where it is not there) or `postgres://…` and brings its
    /// schema up to date.
    pub async fn open(url: &str) -> Result<Self, Error> {
        const DOING: &str = "open the database";
        sqlx::any::install_default_drivers();
        // SQLite has one writer at a time: more connections would only find each other's locks.
        let (url, writers, dialect) = match url.strip_prefix("sqlite://") {
            Some(path) => (sqlite_url(path)?, 1, Dialect::Sqlite),
            None if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                (url.to_owned(), READERS, Dialect::Postgres)
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
        let db = Self {
            read,
            write,
            dialect,
        };
        let mut tx = db.begin().await?;
        // Several processes may start at once.
        tx.lock(Subject::Schema, "").await?;
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
        let (write, dialect) = (self.write.clone(), self.dialect);
        let begun = tokio::spawn(async move { write.begin_with(dialect.begin()).await });
        match begun.await {
            Ok(begun) => {
                let inner = begun.map_err(Error::sql(DOING))?;
                Ok(Tx { inner, dialect })
            }
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
        self.inner
            .commit()
            .await
            .map_err(Error::sql("commit a transaction"))
    }

    /// Nobody else adds anything to the project, or takes anything from it, until the end: what is
    /// counted after this stays true.
    pub async fn lock_project(&mut self, project: &ProjectId) -> Result<(), Error> {
        self.lock(Subject::Project, project.as_str()).await
    }

    /// No other process makes what it needs at its start until the end.
    pub async fn lock_start(&mut self) -> Result<(), Error> {
        self.lock(Subject::Start, "").await
    }

    /// Nobody is under way who holds the backend of that host by [`Self::lock_backend_shared`].
    pub async fn lock_backend(&mut self, host: &HostName) -> Result<(), Error> {
        self.lock(Subject::Backend, &host.to_string()).await
    }

    /// Nobody else holds the backend alone until the end; many may hold it so. It is no row, and is
    /// held after all others.
    pub async fn lock_backend_shared(&mut self, host: &HostName) -> Result<(), Error> {
        let function = "pg_advisory_xact_lock_shared";
        self.lock_by(function, Subject::Backend, &host.to_string())
            .await
    }

    async fn lock(&mut self, subject: Subject, name: &str) -> Result<(), Error> {
        self.lock_by("pg_advisory_xact_lock", subject, name).await
    }

    async fn lock_by(
        &mut self,
        function: &'static str,
        subject: Subject,
        name: &str,
    ) -> Result<(), Error> {
        if self.dialect == Dialect::Sqlite {
            return Ok(());
        }
        // Its answer is nothing, which is no type of a column here.
        let sql = format!("SELECT CAST({function}($1, hashtext($2)) AS TEXT) AS nothing");
        let query = sqlx::query(&sql).bind(subject as i32).bind(name);
        query
            .fetch_one(&mut *self.inner)
            .await
            .map(drop)
            .map_err(Error::sql("wait for a lock"))
    }

    /// What a query of rows ends with that are held.
    pub(crate) const fn holding(&self, hold: Hold) -> &'static str {
        match (self.dialect, hold) {
            (Dialect::Sqlite, Hold::Alone | Hold::Shared) => "",
            (Dialect::Postgres, Hold::Alone) => " FOR UPDATE",
            (Dialect::Postgres, Hold::Shared) => " FOR SHARE",
        }
    }

    /// What a query of one row ends with that passes over those that others hold.
    pub(crate) const fn skipping(&self) -> &'static str {
        match self.dialect {
            Dialect::Sqlite => "",
            Dialect::Postgres => " FOR UPDATE SKIP LOCKED",
        }
    }
}

impl Deref for Tx {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.inner
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.inner
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
