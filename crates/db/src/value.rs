//! Values on their way to the database.

use sqlx::Any;
use sqlx::any::AnyArguments;
use sqlx::query::Query;

use crate::time::to_micros;

/// A value on its way to the database.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(Option<String>),
    Number(Option<i64>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(str::to_owned))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(Some(number))
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Number(Some(i64::from(flag)))
    }
}

impl From<::time::OffsetDateTime> for Value {
    fn from(time: ::time::OffsetDateTime) -> Self {
        Self::Number(Some(to_micros(time)))
    }
}

impl From<Option<::time::OffsetDateTime>> for Value {
    fn from(time: Option<::time::OffsetDateTime>) -> Self {
        Self::Number(time.map(to_micros))
    }
}

/// A query with its values in their order.
pub(crate) fn bound<'a>(sql: &'a str, values: &'a [Value]) -> Query<'a, Any, AnyArguments<'a>> {
    values.iter().fold(sqlx::query(sql), also)
}

/// The query with one more value.
pub(crate) fn also<'a>(
    query: Query<'a, Any, AnyArguments<'a>>,
    value: &'a Value,
) -> Query<'a, Any, AnyArguments<'a>> {
    match value {
        Value::Text(text) => query.bind(text.as_deref()),
        Value::Number(number) => query.bind(*number),
    }
}
