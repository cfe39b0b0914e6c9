//! Shapes of bodies, as constants: what requests are checked by, what answers are held to in tests, and
//! what the OpenAPI document shows. The keywords are those of JSON Schema, and a value is refused in
//! the words that python-jsonschema has for them.

pub(crate) mod attachments;
pub(crate) mod backups;
mod check;
mod common;
pub(crate) mod group_types;
pub(crate) mod groups;
pub(crate) mod manage;
pub(crate) mod moving;
pub(crate) mod qos;
pub(crate) mod quotas;
mod render;
pub(crate) mod replications;
pub(crate) mod services;
pub(crate) mod snapshots;
#[cfg(test)]
mod tests;
pub(crate) mod transfers;
pub(crate) mod types;
pub(crate) mod volumes;

pub(crate) use check::broken;
pub(crate) use common::*;

use crate::microversion::Microversion;

/// What a value must be. Without keywords it may be anything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schema {
    /// The oldest version that knows a property with this schema.
    since: Microversion,
    /// The types it may have, in the order in which messages name them; none for any.
    kinds: &'static [Kind],
    length: Bounds<u32>,
    pattern: Option<Pattern>,
    format: Option<Format>,
    number: Bounds<i64>,
    words: &'static [Word],
    properties: &'static [(&'static str, Schema)],
    /// The form of other keys, and what their values must be.
    others: Option<(Pattern, &'static Schema)>,
    required: &'static [&'static str],
    /// Whether keys beside `properties` and `others` are refused.
    closed: bool,
    entries: Bounds<u32>,
    any_of: &'static [Schema],
    items: Option<&'static Schema>,
    count: Bounds<u32>,
}

/// A type, as JSON Schema names them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Null,
    Boolean,
    Integer,
    Number,
    Text,
    Array,
    Object,
}

/// A value of an enumeration.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Word {
    True,
    False,
    Text(&'static str),
}

/// The form of a text: an expression for people and documents, and what decides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pattern {
    pub(crate) expression: &'static str,
    pub(crate) matches: fn(&str) -> bool,
}

/// The meaning of a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format {
    pub(crate) name: &'static str,
    pub(crate) matches: fn(&str) -> bool,
}

/// The least and the most of something.
#[derive(Clone, Copy, Debug)]
struct Bounds<T> {
    least: Option<T>,
    most: Option<T>,
}

impl<T> Bounds<T> {
    const NONE: Self = Self {
        least: None,
        most: None,
    };
}

/// Anything.
pub(crate) const ANY: Schema = of(&[]);

/// A value of one of `kinds`.
pub(crate) const fn of(kinds: &'static [Kind]) -> Schema {
    Schema {
        since: Microversion::MIN,
        kinds,
        length: Bounds::NONE,
        pattern: None,
        format: None,
        number: Bounds::NONE,
        words: &[],
        properties: &[],
        others: None,
        required: &[],
        closed: false,
        entries: Bounds::NONE,
        any_of: &[],
        items: None,
        count: Bounds::NONE,
    }
}

/// A text.
pub(crate) const fn text() -> Schema {
    of(&[Kind::Text])
}

/// An object with at least these properties known.
pub(crate) const fn object(properties: &'static [(&'static str, Schema)]) -> Schema {
    Schema {
        properties,
        ..of(&[Kind::Object])
    }
}

/// An object whose keys have one form, and whose values one schema.
pub(crate) const fn map(keys: Pattern, values: &'static Schema) -> Schema {
    Schema {
        others: Some((keys, values)),
        closed: true,
        ..of(&[Kind::Object])
    }
}

/// A list.
pub(crate) const fn array(items: &'static Schema) -> Schema {
    Schema {
        items: Some(items),
        ..of(&[Kind::Array])
    }
}

/// Whatever one of `choices` allows.
pub(crate) const fn any_of(choices: &'static [Schema]) -> Schema {
    Schema {
        any_of: choices,
        ..ANY
    }
}

/// The body `{key: …}`, with that key and no other.
pub(crate) const fn only(
    key: &'static [&'static str; 1],
    property: &'static [(&'static str, Schema)],
) -> Schema {
    object(property).required(key).closed()
}

impl Schema {
    /// As it is, for properties that came with `version`.
    pub(crate) const fn since(self, version: Microversion) -> Self {
        Self {
            since: version,
            ..self
        }
    }

    /// With other types than so far.
    pub(crate) const fn kinds(self, kinds: &'static [Kind]) -> Self {
        Self { kinds, ..self }
    }

    /// Of `least` to `most` characters.
    pub(crate) const fn length(self, least: u32, most: u32) -> Self {
        Self {
            length: Bounds {
                least: Some(least),
                most: Some(most),
            },
            ..self
        }
    }

    /// Of a form, where it is a text.
    pub(crate) const fn pattern(self, pattern: Pattern) -> Self {
        Self {
            pattern: Some(pattern),
            ..self
        }
    }

    /// With a meaning, where it is a text.
    pub(crate) const fn format(self, format: Format) -> Self {
        Self {
            format: Some(format),
            ..self
        }
    }

    /// From `least` to `most`, where it is a number.
    pub(crate) const fn range(self, least: i64, most: i64) -> Self {
        Self {
            number: Bounds {
                least: Some(least),
                most: Some(most),
            },
            ..self
        }
    }

    /// One of `words`.
    pub(crate) const fn words(self, words: &'static [Word]) -> Self {
        Self { words, ..self }
    }

    /// With these keys, where it is an object.
    pub(crate) const fn required(self, required: &'static [&'static str]) -> Self {
        Self { required, ..self }
    }

    /// Without unknown keys, where it is an object.
    pub(crate) const fn closed(self) -> Self {
        Self {
            closed: true,
            ..self
        }
    }

    /// Of `least` to `most` keys, where it is an object.
    pub(crate) const fn entries(self, least: u32, most: u32) -> Self {
        Self {
            entries: Bounds {
                least: Some(least),
                most: Some(most),
            },
            ..self
        }
    }

    /// Of at least one key, where it is an object.
    pub(crate) const fn not_empty(self) -> Self {
        Self {
            entries: Bounds {
                least: Some(1),
                most: None,
            },
            ..self
        }
    }

    /// And whatever one of `choices` allows.
    pub(crate) const fn and_any_of(self, choices: &'static [Schema]) -> Self {
        Self {
            any_of: choices,
            ..self
        }
    }

    /// With these keys known besides, where it is an object.
    pub(crate) const fn with(self, properties: &'static [(&'static str, Schema)]) -> Self {
        Self { properties, ..self }
    }

    /// Of at most `most` items, where it is a list.
    pub(crate) const fn at_most(self, most: u32) -> Self {
        Self {
            count: Bounds {
                least: None,
                most: Some(most),
            },
            ..self
        }
    }
}

impl Kind {
    /// Its name in messages and documents.
    fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Text => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }
}
