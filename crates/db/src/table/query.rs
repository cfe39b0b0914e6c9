//! Lists: filters, order and pages.

use ::time::OffsetDateTime;
use sqlx::Any;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;

use crate::error::Error;
use crate::open::Connection;
use crate::row::Columns;
use crate::time::to_micros;

const DOING: &str = "list rows";

/// A column by which rows are filtered and sorted. Not every table has every one; the functions that
/// take a [`Listing`] say which.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs, reason = "each is the column of that name")]
pub enum Column {
    Id,
    Name,
    Description,
    Status,
    Size,
    Host,
    Project,
    User,
    Volume,
    AvailabilityZone,
    VolumeType,
    Snapshot,
    Source,
    Bootable,
    Multiattach,
    ReplicationStatus,
    MigrationStatus,
    AttachStatus,
    Instance,
    CreatedAt,
    UpdatedAt,
}

impl Column {
    const fn sql(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Name => "name",
            Self::Description => "description",
            Self::Status => "status",
            Self::Size => "size",
            Self::Host => "host",
            Self::Project => "project",
            Self::User => "user_id",
            Self::Volume => "volume",
            Self::AvailabilityZone => "availability_zone",
            Self::VolumeType => "volume_type",
            Self::Snapshot => "snapshot",
            Self::Source => "source",
            Self::Bootable => "bootable",
            Self::Multiattach => "multiattach",
            Self::ReplicationStatus => "replication_status",
            Self::MigrationStatus => "migration_status",
            Self::AttachStatus => "attach_status",
            Self::Instance => "instance",
            Self::CreatedAt => "created_at",
            Self::UpdatedAt => "updated_at",
        }
    }

    const fn is_number(self) -> bool {
        matches!(
            self,
            Self::Size | Self::Bootable | Self::Multiattach | Self::CreatedAt | Self::UpdatedAt
        )
    }

    /// The column with nothing in the place of null, so that it compares.
    fn comparable(self) -> String {
        let nothing = if self.is_number() { "0" } else { "''" };
        format!("COALESCE({}, {nothing})", self.sql())
    }
}

/// How a time is compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs, reason = "the operators of the API")]
pub enum TimeTest {
    Before,
    AtOrBefore,
    At,
    NotAt,
    AtOrAfter,
    After,
}

impl TimeTest {
    const fn sql(self) -> &'static str {
        match self {
            Self::Before => "<",
            Self::AtOrBefore => "<=",
            Self::At => "=",
            Self::NotAt => "<>",
            Self::AtOrAfter => ">=",
            Self::After => ">",
        }
    }
}

/// What a column must be.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// One of these texts.
    OneOf(Vec<String>),
    /// Contains this text.
    Contains(String),
    /// Begins with this text.
    Begins(String),
    /// This number; for flags 0 or 1.
    Number(i64),
    /// Nothing.
    Null,
    /// A time.
    Time(TimeTest, OffsetDateTime),
}

/// Which rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// Those whose column passes the test.
    Column(Column, Test),
    /// Those that have this property.
    Property(String, String),
}

/// Which way a list goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// The smallest first.
    Ascending,
    /// The largest first.
    Descending,
}

/// Which rows, in which order, and which page of them.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// All must hold.
    pub filters: Vec<Filter>,
    /// The order; without, the newest first. The id is always the last key, in the direction of the
    /// key before.
    pub sort: Vec<(Column, Direction)>,
    /// The page begins behind the row with this id.
    pub marker: Option<String>,
    /// The longest page.
    pub limit: Option<u32>,
    /// Rows left out at the page's begin.
    pub offset: u32,
}

impl Listing {
    /// All rows whose column is `value`.
    pub fn of(column: Column, value: &impl ToString) -> Self {
        let test = Test::OneOf(vec![value.to_string()]);
        Self {
            filters: vec![Filter::Column(column, test)],
            ..Self::default()
        }
    }

    /// With one more filter.
    #[must_use]
    pub fn and(mut self, column: Column, test: Test) -> Self {
        self.filters.push(Filter::Column(column, test));
        self
    }

    fn order(&self) -> Vec<(Column, Direction)> {
        let mut order = self.sort.clone();
        if order.is_empty() {
            order.push((Column::CreatedAt, Direction::Descending));
        }
        if !order.iter().any(|(column, _)| *column == Column::Id) {
            let direction = order
                .last()
                .map_or(Direction::Descending, |(_, direction)| *direction);
            order.push((Column::Id, direction));
        }
        order
    }
}

enum Value {
    Text(String),
    Number(i64),
}

#[derive(Default)]
struct Sql {
    text: String,
    values: Vec<Value>,
}

impl Sql {
    fn text(&mut self, value: impl Into<String>) -> String {
        self.values.push(Value::Text(value.into()));
        format!("${}", self.values.len())
    }

    fn number(&mut self, value: i64) -> String {
        self.values.push(Value::Number(value));
        format!("${}", self.values.len())
    }

    fn bound(&self) -> Query<'_, Any, AnyArguments<'_>> {
        let mut query = sqlx::query(&self.text);
        for value in &self.values {
            query = match value {
                Value::Text(text) => query.bind(text.as_str()),
                Value::Number(number) => query.bind(*number),
            };
        }
        query
    }

    fn filter(&mut self, filter: &Filter) -> String {
        match filter {
            Filter::Property(name, value) => {
                let (name, value) = (self.text(name), self.text(value));
                format!(
                    "id IN (SELECT owner FROM properties WHERE name = {name} AND value = {value})"
                )
            }
            Filter::Column(column, test) => self.test(*column, test),
        }
    }

    fn test(&mut self, column: Column, test: &Test) -> String {
        let name = column.sql();
        match test {
            Test::OneOf(texts) => {
                let places: Vec<String> = texts.iter().map(|text| self.text(text)).collect();
                if places.is_empty() {
                    return "1 = 0".to_owned();
                }
                format!("{name} IN ({})", places.join(", "))
            }
            Test::Contains(text) => {
                let pattern = self.text(format!("%{}%", escaped(text)));
                format!("{name} LIKE {pattern} ESCAPE '\\'")
            }
            Test::Begins(text) => {
                let pattern = self.text(format!("{}%", escaped(text)));
                format!("{name} LIKE {pattern} ESCAPE '\\'")
            }
            Test::Number(number) => format!("{name} = {}", self.number(*number)),
            Test::Null => format!("{name} IS NULL"),
            Test::Time(test, time) => {
                format!("{name} {} {}", test.sql(), self.number(to_micros(*time)))
            }
        }
    }

    fn conditions(&mut self, listing: &Listing) -> Vec<String> {
        listing
            .filters
            .iter()
            .map(|filter| self.filter(filter))
            .collect()
    }

    fn add_where(&mut self, conditions: &[String]) {
        if !conditions.is_empty() {
            self.text.push_str(" WHERE ");
            self.text.push_str(&conditions.join(" AND "));
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_")
}

/// The rows of a page; `None` where the marker is no row of the table.
pub(crate) async fn page(
    connection: &mut Connection,
    table: &'static str,
    listing: &Listing,
) -> Result<Option<Vec<AnyRow>>, Error> {
    let order = listing.order();
    let mut sql = Sql {
        text: format!("SELECT * FROM {table}"),
        values: Vec::new(),
    };
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
        conditions.push(behind(&mut sql, &row, &order)?);
    }
    sql.add_where(&conditions);
    let keys: Vec<String> = order
        .iter()
        .map(|(column, direction)| {
            let way = if *direction == Direction::Ascending {
                "ASC"
            } else {
                "DESC"
            };
            // The bare column where it cannot be null, so that its index serves.
            let bare = matches!(column, Column::Id | Column::CreatedAt);
            let key = if bare {
                column.sql().to_owned()
            } else {
                column.comparable()
            };
            format!("{key} {way}")
        })
        .collect();
    sql.text += " ORDER BY ";
    sql.text += &keys.join(", ");
    if listing.limit.is_some() || listing.offset > 0 {
        let limit = listing.limit.map_or(i64::MAX, i64::from);
        let (limit, offset) = (sql.number(limit), sql.number(i64::from(listing.offset)));
        sql.text += &[" LIMIT ", &limit, " OFFSET ", &offset].concat();
    }
    let rows = sql.bound().fetch_all(connection).await;
    rows.map(Some).map_err(Error::sql(DOING))
}

/// The condition of all rows behind `row` in that order.
fn behind(sql: &mut Sql, row: &AnyRow, order: &[(Column, Direction)]) -> Result<String, Error> {
    let columns = Columns(row);
    let mut ways = Vec::new();
    let mut equal: Vec<String> = Vec::new();
    for (column, direction) in order {
        let place = if column.is_number() {
            let value = columns.maybe_number(column.sql())?.unwrap_or(0);
            sql.number(value)
        } else {
            let value = columns.maybe_text(column.sql())?.unwrap_or_default();
            sql.text(value)
        };
        let key = column.comparable();
        let beyond = if *direction == Direction::Ascending {
            ">"
        } else {
            "<"
        };
        let mut way = equal.clone();
        way.push(format!("{key} {beyond} {place}"));
        ways.push(format!("({})", way.join(" AND ")));
        equal.push(format!("{key} = {place}"));
    }
    Ok(format!("({})", ways.join(" OR ")))
}

/// How many rows there are on all pages, and the sum of a column over them.
pub(crate) async fn total(
    connection: &mut Connection,
    table: &'static str,
    sum: &'static str,
    listing: &Listing,
) -> Result<(u64, u64), Error> {
    // The sum of integers is a decimal in PostgreSQL.
    let select = format!(
        "SELECT COUNT(*) AS number, CAST(COALESCE(SUM({sum}), 0) AS BIGINT) AS total FROM {table}"
    );
    let mut sql = Sql {
        text: select,
        values: Vec::new(),
    };
    let conditions = sql.conditions(listing);
    sql.add_where(&conditions);
    let row = sql
        .bound()
        .fetch_one(connection)
        .await
        .map_err(Error::sql(DOING))?;
    let columns = Columns(&row);
    Ok((
        columns.number("number")?.max(0) as u64,
        columns.number("total")?.max(0) as u64,
    ))
}
