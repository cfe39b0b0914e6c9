//! Holds a value against its schema, keyword by keyword in python-jsonschema's order, up to the first
//! that is broken.

use std::fmt;

use serde_json::{Map, Value};

use super::{Kind, Schema, Word};
use crate::body::python::{plain, repr};
use crate::fault::Fault;
use crate::microversion::Microversion;

/// Where a value stands in its parent.
#[derive(Clone, Copy, Debug)]
enum Place<'a> {
    Root,
    Key(&'a str),
    Item(usize),
}

/// The first keyword that a value breaks.
#[derive(Debug)]
pub(crate) struct Broken<'a> {
    place: Place<'a>,
    value: &'a Value,
    rule: String,
}

impl fmt::Display for Broken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, rule) = (plain(self.value), &self.rule);
        let words = "Invalid input for field/attribute";
        match self.place {
            Place::Root => f.write_str(rule),
            Place::Key(key) => write!(f, "{words} {key}. Value: {value}. {rule}"),
            Place::Item(at) => write!(f, "{words} {at}. Value: {value}. {rule}"),
        }
    }
}

impl From<Broken<'_>> for Fault {
    fn from(broken: Broken<'_>) -> Self {
        Self::bad_request(broken.to_string())
    }
}

/// What of `schema` is broken at `version` by `value`, which stands below `key` or is a whole body.
pub(crate) fn broken<'a>(
    schema: &Schema,
    version: Microversion,
    key: Option<&'a str>,
    value: &'a Value,
) -> Option<Broken<'a>> {
    schema.first(version, key.map_or(Place::Root, Place::Key), value)
}

impl Schema {
    fn first<'a>(
        &self,
        version: Microversion,
        place: Place<'a>,
        value: &'a Value,
    ) -> Option<Broken<'a>> {
        let here = |rule| Broken { place, value, rule };
        if let Some(rule) = self.kind_rule(value).or_else(|| self.word_rule(value)) {
            return Some(here(rule));
        }
        let inner = match value {
            Value::Object(entries) => {
                let below = self.in_object(version, entries);
                below.or_else(|| self.object_rule(version, value, entries).map(here))
            }
            Value::Array(items) => {
                let rule = bounds(
                    items.len(),
                    self.count.least,
                    self.count.most,
                    value,
                    ["should be non-empty", "is too short", "is too long"],
                );
                let below = || self.in_array(version, items);
                rule.map(here).or_else(below)
            }
            Value::String(text) => self.text_rule(value, text).map(here),
            Value::Number(number) => number
                .as_i64()
                .or_else(|| number.as_u64().map(|_| i64::MAX))
                .and_then(|n| self.number_rule(value, n))
                .map(here),
            Value::Null | Value::Bool(_) => None,
        };
        inner.or_else(|| {
            let none = !self.any_of.is_empty()
                && (self.any_of.iter())
                    .all(|choice| choice.first(version, Place::Root, value).is_some());
            none.then(|| {
                here(format!(
                    "{} is not valid under any of the given schemas",
                    repr(value)
                ))
            })
        })
    }

    fn kind_rule(&self, value: &Value) -> Option<String> {
        if self.kinds.is_empty() || self.kinds.iter().any(|kind| kind.is(value)) {
            return None;
        }
        let names: Vec<String> = (self.kinds.iter())
            .map(|kind| format!("'{}'", kind.name()))
            .collect();
        Some(format!(
            "{} is not of type {}",
            repr(value),
            names.join(", ")
        ))
    }

    fn word_rule(&self, value: &Value) -> Option<String> {
        if self.words.is_empty() || self.words.iter().any(|word| word.is(value)) {
            return None;
        }
        let words: Vec<String> = self.words.iter().map(|word| word.shown()).collect();
        Some(format!(
            "{} is not one of [{}]",
            repr(value),
            words.join(", ")
        ))
    }

    fn text_rule(&self, value: &Value, text: &str) -> Option<String> {
        if let Some(pattern) = self.pattern.filter(|p| !(p.matches)(text)) {
            let expression = Value::String(pattern.expression.to_owned());
            return Some(format!(
                "{} does not match {}",
                repr(value),
                repr(&expression)
            ));
        }
        let bounds = bounds(
            text.chars().count(),
            self.length.least,
            self.length.most,
            value,
            ["should be non-empty", "is too short", "is too long"],
        );
        bounds.or_else(|| {
            let format = self.format.filter(|format| !(format.matches)(text))?;
            Some(format!("{} is not a '{}'", repr(value), format.name))
        })
    }

    fn number_rule(&self, value: &Value, number: i64) -> Option<String> {
        if let Some(least) = self.number.least.filter(|least| number < *least) {
            return Some(format!(
                "{} is less than the minimum of {least}",
                repr(value)
            ));
        }
        let most = self.number.most.filter(|most| number > *most)?;
        Some(format!(
            "{} is greater than the maximum of {most}",
            repr(value)
        ))
    }

    /// The schema of a known property.
    fn property(&self, version: Microversion, key: &str) -> Option<&Schema> {
        (self.properties.iter())
            .find(|(name, schema)| *name == key && schema.since <= version)
            .map(|(_, schema)| schema)
    }

    fn in_object<'a>(
        &self,
        version: Microversion,
        entries: &'a Map<String, Value>,
    ) -> Option<Broken<'a>> {
        for (name, schema) in self.properties {
            if schema.since <= version
                && let Some((key, value)) = entries.get_key_value(*name)
                && let Some(broken) = schema.first(version, Place::Key(key), value)
            {
                return Some(broken);
            }
        }
        let (pattern, schema) = self.others?;
        (entries.iter())
            .filter(|(key, _)| (pattern.matches)(key) && self.property(version, key).is_none())
            .find_map(|(key, value)| schema.first(version, Place::Key(key), value))
    }

    fn object_rule(
        &self,
        version: Microversion,
        value: &Value,
        entries: &Map<String, Value>,
    ) -> Option<String> {
        let missing = |key: &&&str| {
            let known = self.properties.iter().any(|(name, _)| name == *key);
            !entries.contains_key(**key) && (!known || self.property(version, key).is_some())
        };
        if let Some(key) = self.required.iter().find(missing) {
            return Some(format!("'{key}' is a required property"));
        }
        let unknown = || self.unknown(version, entries);
        bounds(
            entries.len(),
            self.entries.least,
            self.entries.most,
            value,
            [
                "should be non-empty",
                "does not have enough properties",
                "has too many properties",
            ],
        )
        .or_else(unknown)
    }

    fn unknown(&self, version: Microversion, entries: &Map<String, Value>) -> Option<String> {
        if !self.closed {
            return None;
        }
        let other = |key: &&String| {
            let formed = self
                .others
                .is_some_and(|(pattern, _)| (pattern.matches)(key));
            !formed && self.property(version, key).is_none()
        };
        let keys: Vec<String> = (entries.keys().filter(other))
            .map(|key| repr(&Value::String(key.clone())))
            .collect();
        let one = match keys.len() {
            0 => return None,
            1 => true,
            _ => false,
        };
        let keys = keys.join(", ");
        if let Some((pattern, _)) = self.others {
            let verb = if one { "does" } else { "do" };
            let pattern = repr(&Value::String(pattern.expression.to_owned()));
            return Some(format!(
                "{keys} {verb} not match any of the regexes: {pattern}"
            ));
        }
        let verb = if one { "was" } else { "were" };
        Some(format!(
            "Additional properties are not allowed ({keys} {verb} unexpected)"
        ))
    }

    fn in_array<'a>(&self, version: Microversion, items: &'a [Value]) -> Option<Broken<'a>> {
        let schema = self.items?;
        (items.iter().enumerate())
            .find_map(|(at, item)| schema.first(version, Place::Item(at), item))
    }
}

/// The rule that a size breaks; `words` are for less than 1, less than more, and too much.
fn bounds(
    size: usize,
    least: Option<u32>,
    most: Option<u32>,
    value: &Value,
    words: [&str; 3],
) -> Option<String> {
    let [empty, less, more] = words;
    let words = match (least, most) {
        (Some(1), _) if size < 1 => empty,
        (Some(least), _) if size < least as usize => less,
        (_, Some(most)) if size > most as usize => more,
        _ => return None,
    };
    Some(format!("{} {words}", repr(value)))
}

impl Kind {
    fn is(self, value: &Value) -> bool {
        match self {
            Self::Null => value.is_null(),
            Self::Boolean => value.is_boolean(),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Number => value.is_number(),
            Self::Text => value.is_string(),
            Self::Array => value.is_array(),
            Self::Object => value.is_object(),
        }
    }
}

impl Word {
    fn is(self, value: &Value) -> bool {
        match self {
            Self::True => value == &Value::Bool(true),
            Self::False => value == &Value::Bool(false),
            Self::Text(text) => value.as_str() == Some(text),
        }
    }

    fn shown(self) -> String {
        match self {
            Self::True => "True".to_owned(),
            Self::False => "False".to_owned(),
            Self::Text(text) => format!("'{text}'"),
        }
    }
}
