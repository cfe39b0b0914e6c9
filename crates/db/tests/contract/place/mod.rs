//! Where a test keeps its database: an SQLite file, or a database of a private PostgreSQL.

mod postgres;

use firebrick_db::Db;
use tempfile::TempDir;

use postgres::Cluster;

/// A place for one database, which goes with it.
pub(crate) struct Place {
    url: String,
    /// What must stay as long as the database is used: the folder of an SQLite file.
    _kept: Option<TempDir>,
}

impl Place {
    /// A file in a folder of its own.
    pub(crate) fn sqlite() -> Self {
        let folder = TempDir::new().unwrap();
        Self {
            url: format!("sqlite://{}", folder.path().join("db").display()),
            _kept: Some(folder),
        }
    }

    /// An empty database of a PostgreSQL that runs for the tests of this process.
    pub(crate) fn postgres() -> Self {
        Self {
            url: Cluster::shared().database(),
            _kept: None,
        }
    }

    /// What `FIREBRICK_TEST_DATABASE` says: `postgres`, or an SQLite file without it.
    #[allow(dead_code, reason = "not every program of tests leaves the choice")]
    pub(crate) fn asked_for() -> Self {
        match std::env::var("FIREBRICK_TEST_DATABASE").as_deref() {
            Ok("postgres") => Self::postgres(),
            Ok("sqlite") | Err(_) => Self::sqlite(),
            Ok(other) => panic!("FIREBRICK_TEST_DATABASE={other} is neither postgres nor sqlite"),
        }
    }

    /// The folder with the socket of the PostgreSQL.
    #[allow(dead_code, reason = "not every program of tests stands in its way")]
    pub(crate) fn folder(&self) -> std::path::PathBuf {
        self.url.split_once("?host=").unwrap().1.into()
    }

    /// The same database, reached by the socket in that folder.
    #[allow(dead_code, reason = "not every program of tests stands in its way")]
    pub(crate) fn by_way_of(self, folder: &std::path::Path) -> Self {
        let (url, _) = self.url.split_once("?host=").unwrap();
        let url = format!("{url}?host={}", folder.display());
        Self { url, ..self }
    }

    /// Opens the database; every time it is the same one.
    pub(crate) async fn open(&self) -> Db {
        Db::open(&self.url).await.unwrap()
    }
}

/// Runs each test with either database.
macro_rules! on_both {
    ($($(#[$meta:meta])* $name:ident),* $(,)?) => {
        mod sqlite {
            $($(#[$meta])* #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                super::$name(crate::place::Place::sqlite()).await;
            })*
        }
        mod postgres {
            $($(#[$meta])* #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                super::$name(crate::place::Place::postgres()).await;
            })*
        }
    };
}
pub(crate) use on_both;
