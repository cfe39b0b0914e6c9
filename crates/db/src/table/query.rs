//! Lists in the SQL that both databases speak.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::Any;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;

use crate::error::Error;
use crate::open::Connection;
use crate::row::Columns;
use crate::rows;
use crate::table::listing::{Column, Direction, Filter, Listing, Test};
use crate::time::to_micros;
use crate::value::{Value, bound};

const DOING: &str = "list rows";

/// The statuses in whose place a volume may show another one.
const FREE: &str = "('available', 'in-use')";

#[derive(Default)]
struct Sql {
    text: String,
    values: Vec<Value>,
}

impl Sql {
    fn of(text: String) -> Self {
        Self {
            text,
            values: Vec::new(),
        }
    }

    fn text(&mut self, value: impl Into<String>) -> String {
        self.values.push(Value::Text(Some(value.into())));
        format!("${}", self.values.len())
    }

    fn number(&mut self, value: i64) -> String {
        self.values.push(Value::Number(Some(value)));
        format!("${}", self.values.len())
    }

    fn bound(&self) -> Query<'_, Any, AnyArguments<'_>> {
        bound(&self.text, &self.values)
    }

    fn filter(&mut self, filter: &Filter) -> String {
        match filter {
            Filter::Property(name, value) => self.owner("properties", name, value),
            Filter::Image(name, value) => self.owner("image_properties", name, value),
            Filter::Column(Column::Shown, test) => {
                let (own, shown) = (
                    self.test(Column::Status, test),
                    self.test(Column::Shown, test),
                );
                format!(
                    "((shown IS NULL OR status NOT IN {FREE}) AND {own} \
                     OR status IN {FREE} AND {shown})"
                )
            }
            Filter::Column(column, test) => self.test(*column, test),
            Filter::Either([one, other], test) => {
                format!("({} OR {})", self.test(*one, test), self.test(*other, test))
            }
        }
    }

    fn owner(&mut self, table: &str, name: &str, value: &str) -> String {
        let (name, value) = (self.text(name), self.text(value));
        format!("id IN (SELECT owner FROM {table} WHERE name = {name} AND value = {value})")
    }

    fn test(&mut self, column: Column, test: &Test) -> String {
        let name = column.sql();
        let as_text = if column.is_number() {
            format!("CAST({name} AS TEXT)")
        } else {
            name.to_owned()
        };
        match test {
            Test::OneOf(texts) => self.one_of(column, texts),
            Test::Not(text) => {
                format!("({name} IS NULL OR {as_text} <> {})", self.text(text))
            }
            // LIKE regards capitals in one of the databases and not in the other.
            Test::Contains(text) if text.is_empty() => format!("{name} IS NOT NULL"),
            Test::Contains(text) => {
                format!("REPLACE({as_text}, {}, '') <> {as_text}", self.text(text))
            }
            Test::Begins(text) => {
                let length = text.chars().count();
                format!("SUBSTR({as_text}, 1, {length}) = {}", self.text(text))
            }
            Test::Number(number) if column.is_number() => {
                format!("{name} = {}", self.number(*number))
            }
            Test::Number(number) => format!("{name} = {}", self.text(number.to_string())),
            Test::Null => format!("{name} IS NULL"),
            Test::Time(test, time) => {
                format!("{name} {} {}", test.sql(), self.number(to_micros(*time)))
            }
        }
    }

    fn one_of(&mut self, column: Column, texts: &[String]) -> String {
        let places: Vec<String> = if column.is_number() {
            let numbers = texts.iter().filter_map(|text| text.parse().ok());
            numbers.map(|number| self.number(number)).collect()
        } else {
            texts.iter().map(|text| self.text(text)).collect()
        };
        if places.is_empty() {
            return "1 = 0".to_owned();
        }
        format!("{} IN ({})", column.sql(), places.join(", "))
    }

    fn conditions(&mut self, listing: &Listing) -> Vec<String> {
        let filters = listing.filters.iter();
        filters.map(|filter| self.filter(filter)).collect()
    }

    fn add_where(&mut self, conditions: &[String]) {
        if !conditions.is_empty() {
            self.text += " WHERE ";
            self.text += &conditions.join(" AND ");
        }
    }

    fn add_order(&mut self, order: &[(Column, Direction)]) {
        let keys = order.iter().map(|(column, direction)| {
            let way = match direction {
                Direction::Ascending => "ASC",
                Direction::Descending => "DESC",
            };
            format!("{} {way}", column.key())
        });
        self.text += " ORDER BY ";
        self.text += &keys.collect::<Vec<_>>().join(", ");
    }

    fn add_limit(&mut self, listing: &Listing) {
        if listing.limit.is_some() || listing.offset > 0 {
            let limit = listing.limit.map_or(i64::MAX, i64::from);
            let (limit, offset) = (self.number(limit), self.number(i64::from(listing.offset)));
            self.text += &[" LIMIT ", &limit, " OFFSET ", &offset].concat();
        }
    }

    /// The condition of all rows behind `marker` in that order.
    fn behind(&mut self, marker: &AnyRow, order: &[(Column, Direction)]) -> Result<String, Error> {
        let columns = Columns::of(marker);
        let mut keys = Vec::new();
        for (column, direction) in order {
            let place = if column.is_number() {
                let value = columns.maybe_number(column.sql())?.unwrap_or(0);
                self.number(value)
            } else {
                let value = columns.maybe_text(column.sql())?.unwrap_or_default();
                self.text(value)
            };
            keys.push((column.key(), *direction, place));
        }
        Ok(behind(&keys))
    }
}

const fn beyond(direction: Direction) -> &'static str {
    match direction {
        Direction::Ascending => ">",
        Direction::Descending => "<",
    }
}

/// The rows whose keys lie behind these places.
fn behind(keys: &[(String, Direction, String)]) -> String {
    let first = keys.first().map_or(Direction::Descending, |key| key.1);
    if keys.iter().all(|key| key.1 == first) {
        // Compared as a whole, an index leads straight to the first of them.
        let names: Vec<&str> = keys.iter().map(|key| key.0.as_str()).collect();
        let places: Vec<&str> = keys.iter().map(|key| key.2.as_str()).collect();
        let (names, places) = (names.join(", "), places.join(", "));
        return format!("({names}) {} ({places})", beyond(first));
    }
    let mut ways = Vec::new();
    let mut equal: Vec<String> = Vec::new();
    for (key, direction, place) in keys {
        let mut way = equal.clone();
        way.push(format!("{key} {} {place}", beyond(*direction)));
        ways.push(format!("({})", way.join(" AND ")));
        equal.push(format!("{key} = {place}"));
    }
    format!("({})", ways.join(" OR "))
}

/// What the rows of a page are read as; `None` where the marker is no row of the table.
pub(crate) async fn page<T>(
    connection: &mut Connection,
    table: &'static str,
    listing: &Listing,
    read: impl Fn(&Columns<'_>) -> Result<T, Error>,
) -> Result<Option<Vec<T>>, Error> {
    let order = listing.order();
    let mut sql = Sql::of(format!("SELECT * FROM {table}"));
    let mut conditions = sql.conditions(listing);
    if let Some(marker) = &listing.marker {
        let query = format!("SELECT * FROM {table} WHERE id = $1");
        let row = sqlx::query(&query)
            .bind(marker)
            .fetch_optional(&mut *connection)
            .await;
        let Some(row) = row.map_err(Error::sql(DOING))? else {
            return Ok(None);
        };
        conditions.push(sql.behind(&row, &order)?);
    }
    sql.add_where(&conditions);
    sql.add_order(&order);
    sql.add_limit(listing);
    if listing.limit.is_some_and(|limit| limit <= rows::MANY) {
        let names = rows::columns_of(connection, table).await?;
        let found = rows::read(connection, names, &sql.text, &sql.values, read).await;
        return found.map(Some);
    }
    let rows = sql.bound().fetch_all(connection).await;
    let rows = rows.map_err(Error::sql(DOING))?;
    let found: Result<_, _> = rows.iter().map(|row| read(&Columns::of(row))).collect();
    found.map(Some)
}

/// The properties that the rows of all pages have, each with its different values.
pub(crate) async fn properties(
    connection: &mut Connection,
    table: &'static str,
    listing: &Listing,
) -> Result<BTreeMap<String, BTreeSet<String>>, Error> {
    let mut sql = Sql::of(format!(
        "SELECT DISTINCT name, value FROM properties WHERE owner IN (SELECT id FROM {table}"
    ));
    let conditions = sql.conditions(listing);
    sql.add_where(&conditions);
    sql.text.push(')');
    let rows = sql.bound().fetch_all(connection).await;
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in rows.map_err(Error::sql(DOING))? {
        let columns = Columns::of(&row);
        let (name, value) = (columns.text("name")?, columns.text("value")?);
        found.entry(name).or_default().insert(value);
    }
    Ok(found)
}

/// How many rows there are on all pages, and the sum of a column over them.
pub(crate) async fn total(
    connection: &mut Connection,
    table: &'static str,
    sum: &'static str,
    listing: &Listing,
) -> Result<(u64, u64), Error> {
    // The sum of integers is a decimal in PostgreSQL.
    let mut sql = Sql::of(format!(
        "SELECT COUNT(*) AS number, CAST(COALESCE(SUM({sum}), 0) AS BIGINT) AS total FROM {table}"
    ));
    let conditions = sql.conditions(listing);
    sql.add_where(&conditions);
    let row = sql
        .bound()
        .fetch_one(connection)
        .await
        .map_err(Error::sql(DOING))?;
    let columns = Columns::of(&row);
    Ok((
        columns.number("number")?.max(0) as u64,
        columns.number("total")?.max(0) as u64,
    ))
}
