//! Columns as types.

use std::borrow::Cow;
use std::cell::Cell as Kept;
use std::fmt::Display;
use std::str::FromStr;

use ::time::OffsetDateTime;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use crate::error::Error;
use crate::rows::Cell;
use crate::time::from_micros;

const DOING: &str = "read a row";

/// A row whose columns are read as what they mean.
pub(crate) enum Columns<'a> {
    /// One that the driver handed over.
    Driver(&'a AnyRow),
    /// One of those that came all at once.
    Cells(Cells<'a>),
}

/// A row that came with others.
pub(crate) struct Cells<'a> {
    names: &'a [&'a str],
    values: &'a [Cell<'a>],
    /// Where the next column is looked for first: most are read in their order.
    next: Kept<usize>,
}

impl<'a> Cells<'a> {
    fn named(&self, name: &str) -> Result<&'a Cell<'a>, Error> {
        let from = self.next.get();
        let is_it = |one: &&str| *one == name;
        let ahead = self.names.iter().skip(from).position(is_it);
        let at = ahead
            .map(|ahead| from + ahead)
            .or_else(|| self.names.iter().position(is_it));
        let found = at.and_then(|at| {
            self.next.set(at + 1);
            self.values.get(at)
        });
        found.ok_or_else(|| Error::damaged(DOING, format!("there is no column {name}")))
    }
}

impl<'a> Columns<'a> {
    /// A row that the driver handed over.
    pub(crate) const fn of(row: &'a AnyRow) -> Self {
        Self::Driver(row)
    }

    /// A row of columns of these names.
    pub(crate) const fn of_cells(names: &'a [&'a str], cells: &'a [Cell<'a>]) -> Self {
        let next = Kept::new(0);
        Self::Cells(Cells {
            names,
            values: cells,
            next,
        })
    }

    fn seen(&self, name: &str) -> Result<Option<Cow<'a, str>>, Error> {
        match self {
            Self::Driver(row) => {
                let text: Option<String> = row.try_get(name).map_err(Error::sql(DOING))?;
                Ok(text.map(Cow::Owned))
            }
            Self::Cells(row) => match row.named(name)? {
                Cell::Null => Ok(None),
                Cell::Text(text) => Ok(Some(Cow::Borrowed(text))),
                Cell::Number(_) => Err(Error::damaged(DOING, format!("{name} is no text"))),
            },
        }
    }

    pub(crate) fn maybe_text(&self, name: &str) -> Result<Option<String>, Error> {
        Ok(self.seen(name)?.map(Cow::into_owned))
    }

    pub(crate) fn text(&self, name: &str) -> Result<String, Error> {
        self.maybe_text(name)?.ok_or_else(|| null(name))
    }

    pub(crate) fn maybe_number(&self, name: &str) -> Result<Option<i64>, Error> {
        match self {
            Self::Driver(row) => row.try_get(name).map_err(Error::sql(DOING)),
            Self::Cells(row) => match row.named(name)? {
                Cell::Null => Ok(None),
                Cell::Number(number) => Ok(Some(*number)),
                Cell::Text(_) => Err(Error::damaged(DOING, format!("{name} is no number"))),
            },
        }
    }

    pub(crate) fn number(&self, name: &str) -> Result<i64, Error> {
        self.maybe_number(name)?.ok_or_else(|| null(name))
    }

    /// A size that is never negative.
    pub(crate) fn size(&self, name: &str) -> Result<u32, Error> {
        let number = self.number(name)?;
        u32::try_from(number).map_err(|error| Error::damaged(DOING, format!("{name}: {error}")))
    }

    pub(crate) fn maybe_count(&self, name: &str) -> Result<Option<u64>, Error> {
        Ok(self
            .maybe_number(name)?
            .map(|number| number.max(0).unsigned_abs()))
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool, Error> {
        Ok(self.number(name)? != 0)
    }

    pub(crate) fn time(&self, name: &str) -> Result<OffsetDateTime, Error> {
        self.number(name).map(from_micros)
    }

    pub(crate) fn maybe_time(&self, name: &str) -> Result<Option<OffsetDateTime>, Error> {
        Ok(self.maybe_number(name)?.map(from_micros))
    }

    pub(crate) fn parsed<T: FromStr<Err: Display>>(&self, name: &str) -> Result<T, Error> {
        self.maybe_parsed(name)?.ok_or_else(|| null(name))
    }

    pub(crate) fn maybe_parsed<T: FromStr<Err: Display>>(
        &self,
        name: &str,
    ) -> Result<Option<T>, Error> {
        let Some(text) = self.seen(name)? else {
            return Ok(None);
        };
        let wrong = |error| Error::damaged(DOING, format!("{name} {text:?}: {error}"));
        text.parse().map(Some).map_err(wrong)
    }

    pub(crate) fn json<T: serde::de::DeserializeOwned>(
        &self,
        name: &str,
    ) -> Result<Option<T>, Error> {
        let Some(text) = self.seen(name)? else {
            return Ok(None);
        };
        let parsed = serde_json::from_str(&text);
        parsed
            .map(Some)
            .map_err(|error| Error::damaged(DOING, format!("{name}: {error}")))
    }
}

fn null(name: &str) -> Error {
    Error::damaged(DOING, format!("{name} is null"))
}

/// A flag as the database keeps it.
pub(crate) const fn flag(value: bool) -> i64 {
    value as i64
}

/// An id or status as text, where there is one.
pub(crate) fn maybe<T: Display>(value: Option<&T>) -> Option<String> {
    value.map(ToString::to_string)
}
