//! What most tables have in common: rows are read, added, swapped and removed by the same statements.

use sqlx::any::AnyRow;

use crate::error::Error;
use crate::open::{Connection, Hold, Tx};
use crate::row::Columns;
use crate::swapped::Swapped;
use crate::table::listing::Listing;
use crate::table::query;
use crate::time::now;
use crate::value::{Value, also};

const READ: &str = "read rows";
const WRITE: &str = "write a row";

/// A column with what it becomes.
pub(crate) type Field = (&'static str, Value);

/// For a column of that name.
pub(crate) fn field(name: &'static str, value: impl Into<Value>) -> Field {
    (name, value.into())
}

/// A row of a table.
pub(crate) trait Record: Sized {
    /// The table.
    const TABLE: &'static str;
    /// The column that names a row.
    const KEY: &'static str = "id";

    /// The row, without what other tables keep of it.
    fn read(columns: &Columns<'_>) -> Result<Self, Error>;

    /// What is written once, or not by a swap; the key is the first.
    fn fixed(&self) -> Vec<Field>;

    /// What a swap writes, besides `updated_at`.
    fn changing(&self) -> Vec<Field>;
}

/// The row of that key.
pub(crate) async fn get<R: Record>(
    connection: &mut Connection,
    key: &str,
) -> Result<Option<R>, Error> {
    by_key(connection, key, "").await
}

/// The row of that key, held until the end of the transaction.
pub(crate) async fn get_held<R: Record>(
    tx: &mut Tx,
    key: &str,
    hold: Hold,
) -> Result<Option<R>, Error> {
    let holding = tx.holding(hold);
    by_key(tx, key, holding).await
}

async fn by_key<R: Record>(
    connection: &mut Connection,
    key: &str,
    holding: &'static str,
) -> Result<Option<R>, Error> {
    let sql = format!("SELECT * FROM {} WHERE {} = $1{holding}", R::TABLE, R::KEY);
    let row = sqlx::query(&sql)
        .bind(key)
        .fetch_optional(connection)
        .await
        .map_err(Error::sql(READ))?;
    row.as_ref().map(read).transpose()
}

pub(crate) fn read<R: Record>(row: &AnyRow) -> Result<R, Error> {
    R::read(&Columns::of(row))
}

/// A page; `None` where the marker is no row.
pub(crate) async fn page<R: Record>(
    connection: &mut Connection,
    listing: &Listing,
) -> Result<Option<Vec<R>>, Error> {
    query::page(connection, R::TABLE, listing, R::read).await
}

/// Adds a row.
pub(crate) async fn insert<R: Record>(connection: &mut Connection, row: &R) -> Result<(), Error> {
    insert_with(connection, row, "").await
}

/// Adds a row, where nothing is in its way.
pub(crate) async fn insert_new<R: Record>(
    connection: &mut Connection,
    row: &R,
) -> Result<(), Error> {
    insert_with(connection, row, " ON CONFLICT DO NOTHING").await
}

async fn insert_with<R: Record>(
    connection: &mut Connection,
    row: &R,
    otherwise: &'static str,
) -> Result<(), Error> {
    let fields: Vec<Field> = row.fixed().into_iter().chain(row.changing()).collect();
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let places: Vec<String> = (1..=fields.len()).map(|i| format!("${i}")).collect();
    let sql = format!(
        "INSERT INTO {} ({}) VALUES ({}){otherwise}",
        R::TABLE,
        names.join(", "),
        places.join(", ")
    );
    let query = fields
        .iter()
        .fold(sqlx::query(&sql), |query, (_, value)| also(query, value));
    query
        .execute(connection)
        .await
        .map(drop)
        .map_err(Error::sql(WRITE))
}

/// Writes everything that changes, if `column` is still one of `from`.
pub(crate) async fn swap<R: Record>(
    connection: &mut Connection,
    column: &'static str,
    from: impl Iterator<Item = &'static str>,
    row: &R,
) -> Result<Swapped, Error> {
    let mut fields: Vec<Field> = row.fixed().into_iter().take(1).collect();
    fields.extend(row.changing());
    fields.push(field("updated_at", now()));
    let sets: Vec<String> = (2..)
        .zip(&fields[1..])
        .map(|(place, (name, _))| format!("{name} = ${place}"))
        .collect();
    let from: Vec<&str> = from.collect();
    let places: Vec<String> = (fields.len() + 1..=fields.len() + from.len())
        .map(|place| format!("${place}"))
        .collect();
    let sql = format!(
        "UPDATE {} SET {} WHERE {} = $1 AND {column} IN ({})",
        R::TABLE,
        sets.join(", "),
        R::KEY,
        places.join(", ")
    );
    let mut query = fields
        .iter()
        .fold(sqlx::query(&sql), |query, (_, value)| also(query, value));
    for status in from {
        query = query.bind(status);
    }
    let done = query.execute(connection).await.map_err(Error::sql(WRITE))?;
    Ok(Swapped::of(done.rows_affected()))
}

/// Writes a few columns of one row, and when that was. Whether the row was there.
pub(crate) async fn write<R: Record>(
    connection: &mut Connection,
    key: &str,
    mut fields: Vec<Field>,
) -> Result<Swapped, Error> {
    fields.push(field("updated_at", now()));
    let sets: Vec<String> = (2..)
        .zip(&fields)
        .map(|(place, (name, _))| format!("{name} = ${place}"))
        .collect();
    let sql = format!(
        "UPDATE {} SET {} WHERE {} = $1",
        R::TABLE,
        sets.join(", "),
        R::KEY
    );
    let query = fields
        .iter()
        .fold(sqlx::query(&sql).bind(key), |query, (_, value)| {
            also(query, value)
        });
    let done = query.execute(connection).await.map_err(Error::sql(WRITE))?;
    Ok(Swapped::of(done.rows_affected()))
}

/// Removes the row of that key; whether it was there.
pub(crate) async fn remove<R: Record>(
    connection: &mut Connection,
    key: &str,
) -> Result<bool, Error> {
    let sql = format!("DELETE FROM {} WHERE {} = $1", R::TABLE, R::KEY);
    let done = sqlx::query(&sql).bind(key).execute(connection).await;
    Ok(done.map_err(Error::sql(WRITE))?.rows_affected() > 0)
}

/// The functions of a table whose rows have an id and nothing in other tables.
macro_rules! keyed {
    ($row:ty, $id:ty) => {
        /// The row of that id.
        pub async fn get(
            connection: &mut crate::open::Connection,
            id: $id,
        ) -> Result<Option<$row>, crate::error::Error> {
            crate::table::record::get(connection, &id.to_string()).await
        }

        /// The row of that id, which nobody else changes until the end of the transaction.
        pub async fn get_locked(
            tx: &mut crate::open::Tx,
            id: $id,
        ) -> Result<Option<$row>, crate::error::Error> {
            let hold = crate::open::Hold::Alone;
            crate::table::record::get_held(tx, &id.to_string(), hold).await
        }

        /// A page; `None` where the marker is no row.
        pub async fn list(
            connection: &mut crate::open::Connection,
            listing: &crate::table::listing::Listing,
        ) -> Result<Option<Vec<$row>>, crate::error::Error> {
            crate::table::record::page(connection, listing).await
        }

        /// Adds a row.
        pub async fn insert(
            connection: &mut crate::open::Connection,
            row: &$row,
        ) -> Result<(), crate::error::Error> {
            crate::table::record::insert(connection, row).await
        }

        /// Removes the row of that id; whether it was there.
        pub async fn remove(
            connection: &mut crate::open::Connection,
            id: $id,
        ) -> Result<bool, crate::error::Error> {
            crate::table::record::remove::<$row>(connection, &id.to_string()).await
        }
    };
}
pub(crate) use keyed;

/// Looking up a table whose rows have metadata, which lies in another.
macro_rules! described {
    ($row:ty, $id:ty) => {
        async fn with_metadata(
            connection: &mut crate::open::Connection,
            rows: impl IntoIterator<Item = $row>,
        ) -> Result<Vec<$row>, crate::error::Error> {
            let mut rows: Vec<$row> = rows.into_iter().collect();
            let ids: Vec<_> = rows.iter().map(|row| row.id.0).collect();
            let mut metadata = crate::table::properties::of_all(connection, &ids).await?;
            for row in &mut rows {
                row.metadata = metadata.remove(&row.id.0).unwrap_or_default();
            }
            Ok(rows)
        }

        /// The row of that id, with its metadata.
        pub async fn get(
            connection: &mut crate::open::Connection,
            id: $id,
        ) -> Result<Option<$row>, crate::error::Error> {
            let found = crate::table::record::get(connection, &id.to_string()).await?;
            Ok(with_metadata(connection, found).await?.pop())
        }

        /// The row of that id, with its metadata, which nobody else changes until the end of the
        /// transaction.
        pub async fn get_locked(
            tx: &mut crate::open::Tx,
            id: $id,
        ) -> Result<Option<$row>, crate::error::Error> {
            let hold = crate::open::Hold::Alone;
            let found = crate::table::record::get_held(tx, &id.to_string(), hold).await?;
            Ok(with_metadata(tx, found).await?.pop())
        }

        /// A page, with the metadata of its rows; `None` where the marker is no row.
        pub async fn list(
            connection: &mut crate::open::Connection,
            listing: &crate::table::listing::Listing,
        ) -> Result<Option<Vec<$row>>, crate::error::Error> {
            match crate::table::record::page(connection, listing).await? {
                None => Ok(None),
                Some(rows) => with_metadata(connection, rows).await.map(Some),
            }
        }
    };
}
pub(crate) use described;

/// The compare-and-set of a table whose rows have a status.
macro_rules! swapped {
    ($row:ty, $status:ty, $column:literal) => {
        /// Writes everything that can change as it is in `row`, if its status is still one of `from`.
        pub async fn swap(
            connection: &mut crate::open::Connection,
            from: &[$status],
            row: &$row,
        ) -> Result<crate::swapped::Swapped, crate::error::Error> {
            let from = from.iter().map(|status| status.as_str());
            crate::table::record::swap(connection, $column, from, row).await
        }
    };
}
pub(crate) use swapped;
