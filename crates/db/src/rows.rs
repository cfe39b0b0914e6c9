//! Rows that come all at once.
//!
//! A driver hands rows over one by one, each of them from the thread of SQLite to that of the request;
//! for a page of a hundred this is most of what a list costs. So the database puts a page together as
//! one text of JSON, an array for each row, and that is read here. For what has few rows only: the text
//! is in memory twice.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use serde::de::{Deserialize, Deserializer, Visitor};
use sqlx::Row as _;

use crate::error::Error;
use crate::open::Connection;
use crate::row::Columns;
use crate::value::{Value, bound};

const DOING: &str = "list rows";

/// The most rows of a page that come at once.
pub(crate) const MANY: u32 = 5000;

/// A value of a row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    Number(i64),
    Text(Cow<'a, str>),
}

impl<'de: 'a, 'a> Deserialize<'de> for Cell<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Seen)
    }
}

/// Reads what the two databases write for text and whole numbers.
struct Seen;

impl<'de> Visitor<'de> for Seen {
    type Value = Cell<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text, a whole number or null")
    }

    fn visit_unit<E>(self) -> Result<Cell<'de>, E> {
        Ok(Cell::Null)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Cell<'de>, E> {
        Ok(Cell::Number(number))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Cell<'de>, E> {
        i64::try_from(number).map(Cell::Number).map_err(E::custom)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cell<'de>, E> {
        Ok(Cell::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cell<'de>, E> {
        Ok(Cell::Text(Cow::Owned(text.to_owned())))
    }
}

/// A query whose rows come as one text: it has at least `names` as columns, and no more rows than should be
/// in memory twice.
pub(crate) struct Page<'a> {
    /// Which columns.
    pub(crate) names: &'static [&'static str],
    /// The query.
    pub(crate) sql: &'a str,
}

impl Page<'_> {
    /// What selects the text.
    fn text(&self, connection: &Connection) -> String {
        let (columns, sql) = (self.names.join(", "), self.sql);
        match connection.backend_name() {
            SQLITE => format!("SELECT json_group_array(json_array({columns})) FROM ({sql})"),
            _ => format!(
                "SELECT CAST(COALESCE(json_agg(json_build_array({columns})), '[]') AS TEXT) \
                 FROM ({sql}) AS page"
            ),
        }
    }

    /// What the rows in such a text are read as, in their order.
    pub(crate) fn read<T>(
        &self,
        text: &str,
        one: impl Fn(&Columns<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let cells: Vec<Vec<Cell<'_>>> =
            serde_json::from_str(text).map_err(|error| Error::damaged(DOING, error))?;
        cells
            .iter()
            .map(|row| one(&Columns::of_cells(self.names, row)))
            .collect()
    }
}

/// What the rows of such a query are read as.
pub(crate) async fn read<T>(
    connection: &mut Connection,
    names: &'static [&'static str],
    sql: &str,
    values: &[Value],
    one: impl Fn(&Columns<'_>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let page = Page { names, sql };
    let [text] = texts(connection, [&page], values).await?;
    page.read(&text, one)
}

/// The texts of several such queries, by one that has the values of all of them.
pub(crate) async fn texts<const N: usize>(
    connection: &mut Connection,
    pages: [&Page<'_>; N],
    values: &[Value],
) -> Result<[String; N], Error> {
    let selects = pages.map(|page| format!("({})", page.text(connection)));
    let whole = format!("SELECT {}", selects.join(", "));
    let row = bound(&whole, values)
        .fetch_one(connection)
        .await
        .map_err(Error::sql(DOING))?;
    let mut texts = [const { String::new() }; N];
    for (i, text) in texts.iter_mut().enumerate() {
        *text = row.try_get(i).map_err(Error::sql(DOING))?;
    }
    Ok(texts)
}

/// A list of ids as the one value of a query. A place for each would cost more than finding their rows.
pub(crate) fn ids<T: fmt::Display>(ids: impl IntoIterator<Item = T>) -> Value {
    let texts: Vec<serde_json::Value> = ids.into_iter().map(|id| id.to_string().into()).collect();
    serde_json::Value::from(texts).to_string().into()
}

/// What selects the ids of the first value, as [`ids`] made it.
pub(crate) fn among(connection: &Connection) -> &'static str {
    match connection.backend_name() {
        SQLITE => "(SELECT value FROM json_each($1))",
        _ => "(SELECT json_array_elements_text(CAST($1 AS json)))",
    }
}

/// The name of SQLite's driver.
const SQLITE: &str = "SQLite";

/// The columns of a table, which no running process changes: asked for once.
pub(crate) async fn columns_of(
    connection: &mut Connection,
    table: &'static str,
) -> Result<&'static [&'static str], Error> {
    static KNOWN: Mutex<BTreeMap<&str, &'static [&'static str]>> = Mutex::new(BTreeMap::new());
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(names) = known().get(table) {
        return Ok(names);
    }
    let sql = match connection.backend_name() {
        SQLITE => "SELECT name FROM pragma_table_info($1)",
        _ => {
            "SELECT CAST(column_name AS TEXT) AS name FROM information_schema.columns \
             WHERE table_name = $1 AND table_schema = current_schema()"
        }
    };
    let rows = sqlx::query(sql)
        .bind(table)
        .fetch_all(connection)
        .await
        .map_err(Error::sql(DOING))?;
    let mut names: Vec<&'static str> = Vec::with_capacity(rows.len());
    for row in rows {
        let name: String = row.try_get("name").map_err(Error::sql(DOING))?;
        names.push(name.leak());
    }
    // Lives as long as the process, once for each table.
    Ok(*known().entry(table).or_insert(names.leak()))
}

#[cfg(test)]
mod tests {
    use sqlx::Connection as _;

    use super::*;

    async fn memory() -> Connection {
        sqlx::any::install_default_drivers();
        Connection::connect("sqlite::memory:").await.unwrap()
    }

    #[tokio::test]
    async fn texts_numbers_and_nulls_come_as_they_are_and_in_order() {
        let mut connection = memory().await;
        let sql = "SELECT $1 AS word, 9223372036854775807 AS number, NULL AS blank \
                   UNION ALL SELECT '', -1, 'x' ORDER BY number";
        let odd = "\"quoted\" \\ back\nslash \u{1}\u{1F9F1}";
        let names = &["word", "number", "blank"];
        let rows = read(&mut connection, names, sql, &[odd.into()], |row| {
            let blank = row.maybe_text("blank")?;
            Ok((blank, row.number("number")?, row.text("word")?))
        })
        .await
        .unwrap();
        let expected = [
            (Some("x".to_owned()), -1, String::new()),
            (None, i64::MAX, odd.to_owned()),
        ];
        assert_eq!(rows, expected);
    }

    #[tokio::test]
    async fn what_a_column_is_not_is_an_error() {
        let mut connection = memory().await;
        let sql = "SELECT 'x' AS word, NULL AS blank";
        for name in ["blank", "other"] {
            let names = &["word", "blank"];
            let read = read(&mut connection, names, sql, &[], |row| row.text(name)).await;
            assert!(read.is_err(), "{name}");
        }
        let number = read(&mut connection, &["word"], sql, &[], |row| {
            row.number("word")
        });
        assert!(number.await.is_err());
    }
}
