//! Columns as types.

use std::fmt::Display;
use std::str::FromStr;

use ::time::OffsetDateTime;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use crate::error::Error;
use crate::time::from_micros;

const DOING: &str = "read a row";

/// A row whose columns are read as what they mean.
pub(crate) struct Columns<'a>(pub(crate) &'a AnyRow);

impl Columns<'_> {
    pub(crate) fn text(&self, name: &str) -> Result<String, Error> {
        self.0.try_get(name).map_err(Error::sql(DOING))
    }

    pub(crate) fn maybe_text(&self, name: &str) -> Result<Option<String>, Error> {
        self.0.try_get(name).map_err(Error::sql(DOING))
    }

    pub(crate) fn number(&self, name: &str) -> Result<i64, Error> {
        self.0.try_get(name).map_err(Error::sql(DOING))
    }

    pub(crate) fn maybe_number(&self, name: &str) -> Result<Option<i64>, Error> {
        self.0.try_get(name).map_err(Error::sql(DOING))
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
        let text = self.text(name)?;
        text.parse()
            .map_err(|error| Error::damaged(DOING, format!("{name} {text:?}: {error}")))
    }

    pub(crate) fn maybe_parsed<T: FromStr<Err: Display>>(
        &self,
        name: &str,
    ) -> Result<Option<T>, Error> {
        match self.maybe_text(name)? {
            None => Ok(None),
            Some(_) => self.parsed(name).map(Some),
        }
    }

    pub(crate) fn json<T: serde::de::DeserializeOwned>(
        &self,
        name: &str,
    ) -> Result<Option<T>, Error> {
        let Some(text) = self.maybe_text(name)? else {
            return Ok(None);
        };
        let parsed = serde_json::from_str(&text);
        parsed
            .map(Some)
            .map_err(|error| Error::damaged(DOING, format!("{name}: {error}")))
    }
}

/// A flag as the database keeps it.
pub(crate) const fn flag(value: bool) -> i64 {
    value as i64
}

/// An id or status as text, where there is one.
pub(crate) fn maybe<T: Display>(value: Option<&T>) -> Option<String> {
    value.map(ToString::to_string)
}
