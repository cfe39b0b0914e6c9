//! An object within a body, and the rules its fields are read by.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::python::{plain, repr};
use crate::fault::Fault;

/// The longest name, description or key.
const MAX_TEXT: usize = 255;

/// The largest size, in GiB.
const MAX_SIZE: u64 = 2_147_483_647;

/// What counts as a boolean beside true and false.
const TRUE_WORDS: [&str; 11] = [
    "True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes", "y",
];
const FALSE_WORDS: [&str; 11] = [
    "False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no", "n",
];

/// An object and where it stands.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    name: Option<&'a str>,
    value: &'a Value,
    entries: &'a Map<String, Value>,
}

/// Which keys a map of texts may have.
#[derive(Clone, Copy)]
pub(crate) enum Keys {
    /// Those of metadata: `a-zA-Z0-9-_:. /`.
    Metadata,
    /// Those of a snapshot's metadata resource, without the slash.
    SnapshotMetadata,
    /// Those of extra specs within a new type: as metadata; values may be null.
    NewExtraSpecs,
    /// Those of extra specs: no blank, no slash; values may be null.
    ExtraSpecs,
}

/// A name or description: not said, removed, or a text.
pub(crate) type Name = Option<Option<String>>;

impl Keys {
    fn pattern(self) -> &'static str {
        match self {
            Self::Metadata | Self::NewExtraSpecs => "^[a-zA-Z0-9-_:. /]{1,255}$",
            Self::SnapshotMetadata => "^[a-zA-Z0-9-_:. ]{1,255}$",
            Self::ExtraSpecs => "^[a-zA-Z0-9-_:.]{1,255}$",
        }
    }

    fn allows(self, key: &str) -> bool {
        let other = match self {
            Self::Metadata | Self::NewExtraSpecs => "-_:. /",
            Self::SnapshotMetadata => "-_:. ",
            Self::ExtraSpecs => "-_:.",
        };
        (1..=MAX_TEXT).contains(&key.len())
            && key
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || other.contains(c))
    }

    fn null(self) -> bool {
        match self {
            Self::Metadata | Self::SnapshotMetadata => false,
            Self::NewExtraSpecs | Self::ExtraSpecs => true,
        }
    }
}

/// The error of a field: which, what it holds, and the rule that it breaks.
fn wrong(name: Option<&str>, value: &Value, rule: &str) -> Fault {
    match name {
        Some(name) => Fault::bad_request(format!(
            "Invalid input for field/attribute {name}. Value: {}. {rule}",
            plain(value)
        )),
        None => Fault::bad_request(rule),
    }
}

fn not_of_type(name: Option<&str>, value: &Value, types: &str) -> Fault {
    wrong(
        name,
        value,
        &format!("{} is not of type {types}", repr(value)),
    )
}

impl<'a> Fields<'a> {
    pub(super) fn root(value: &'a Value) -> Result<Self, Fault> {
        Self::of(None, value)
    }

    fn of(name: Option<&'a str>, value: &'a Value) -> Result<Self, Fault> {
        match value {
            Value::Object(entries) => Ok(Self {
                name,
                value,
                entries,
            }),
            other => Err(not_of_type(name, other, "'object'")),
        }
    }

    /// The keys that are there.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.entries.keys().map(String::as_str)
    }

    /// The whole object.
    pub(crate) fn entries(&self) -> &'a Map<String, Value> {
        self.entries
    }

    /// The value of `key`, whatever it is.
    pub(crate) fn get(&self, key: &str) -> Option<&'a Value> {
        self.entries.get(key)
    }

    /// Whether `key` is there and not null.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| !value.is_null())
    }

    /// The error of this object as a whole.
    pub(crate) fn wrong(&self, rule: &str) -> Fault {
        wrong(self.name, self.value, rule)
    }

    /// Refuses the object where one of `keys` is missing.
    pub(crate) fn require(&self, keys: &[&str]) -> Result<(), Fault> {
        match keys.iter().find(|key| !self.entries.contains_key(**key)) {
            Some(key) => Err(self.wrong(&format!("'{key}' is a required property"))),
            None => Ok(()),
        }
    }

    /// Refuses the object where it has another key than `keys`.
    pub(crate) fn only(&self, keys: &[&str]) -> Result<(), Fault> {
        let others: Vec<String> = (self.entries.keys())
            .filter(|key| !keys.contains(&key.as_str()))
            .map(|key| repr(&Value::String(key.clone())))
            .collect();
        let were = match others.len() {
            0 => return Ok(()),
            1 => "was",
            _ => "were",
        };
        let rule = format!(
            "Additional properties are not allowed ({} {were} unexpected)",
            others.join(", ")
        );
        Err(self.wrong(&rule))
    }

    /// The object of `key`, which must be there.
    pub(crate) fn object(&self, key: &'a str) -> Result<Fields<'a>, Fault> {
        self.require(&[key])?;
        Self::of(Some(key), self.entries.get(key).unwrap_or(&Value::Null))
    }

    /// The object of `key`, or `None` where it is missing or null.
    pub(crate) fn object_or_null(&self, key: &'a str) -> Result<Option<Fields<'a>>, Fault> {
        match self.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value @ Value::Object(_)) => Self::of(Some(key), value).map(Some),
            Some(other) => Err(not_of_type(Some(key), other, "'object', 'null'")),
        }
    }

    /// A text of `shortest` to 255 characters; missing is `None`.
    pub(crate) fn text(&self, key: &str, shortest: usize) -> Result<Option<String>, Fault> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => bounded(key, text, shortest).map(Some),
            Some(other) => Err(not_of_type(Some(key), other, "'string'")),
        }
    }

    /// A text that only the request's schema limits in length; missing is `None`.
    pub(crate) fn long_text(&self, key: &str) -> Result<Option<String>, Fault> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(not_of_type(Some(key), other, "'string'")),
        }
    }

    /// As [`Self::text`], with null allowed and told from missing.
    pub(crate) fn text_or_null(&self, key: &str, shortest: usize) -> Result<Name, Fault> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(Value::String(text)) => bounded(key, text, shortest).map(|text| Some(Some(text))),
            Some(other) => Err(not_of_type(Some(key), other, "'string', 'null'")),
        }
    }

    /// A description: as [`Self::text_or_null`], printable characters only.
    pub(crate) fn description(&self, key: &str) -> Result<Name, Fault> {
        let text = self.text_or_null(key, 0)?;
        if let Some(Some(found)) = &text
            && found.chars().any(char::is_control)
        {
            let value = Value::String(found.clone());
            let rule = format!(
                "{} does not match the pattern of printable characters",
                repr(&value)
            );
            return Err(wrong(Some(key), &value, &rule));
        }
        Ok(text)
    }

    /// A volume's name or description under one of two keys: blanks around it are removed.
    pub(crate) fn trimmed(&self, keys: [&str; 2], what: &str) -> Result<Name, Fault> {
        for key in keys {
            match self.get(key) {
                None => {}
                Some(Value::Null) => return Ok(Some(None)),
                Some(Value::String(text)) => {
                    let text = text.trim();
                    let len = text.chars().count();
                    if len > MAX_TEXT {
                        return Err(Fault::invalid_input(format!(
                            "{what} has {len} characters, more than {MAX_TEXT}."
                        )));
                    }
                    return Ok(Some(Some(text.to_owned())));
                }
                Some(other) => return Err(not_of_type(Some(key), other, "'string', 'null'")),
            }
        }
        Ok(None)
    }

    /// A UUID; missing is `None`.
    pub(crate) fn uuid(&self, key: &str) -> Result<Option<Uuid>, Fault> {
        match self.get(key) {
            None => Ok(None),
            Some(value @ Value::String(text)) => match Uuid::parse_str(text) {
                Ok(id) => Ok(Some(id)),
                Err(_) => Err(wrong(
                    Some(key),
                    value,
                    &format!("{} is not a 'uuid'", repr(value)),
                )),
            },
            Some(other) => Err(not_of_type(Some(key), other, "'string'")),
        }
    }

    /// At most `most` UUIDs: a list, or one alone; missing is none.
    pub(crate) fn uuids(&self, key: &str, most: usize) -> Result<Vec<Uuid>, Fault> {
        let Some(value) = self.get(key).filter(|value| !value.is_null()) else {
            return Ok(Vec::new());
        };
        let items = value
            .as_array()
            .map_or(std::slice::from_ref(value), Vec::as_slice);
        if items.len() > most {
            return Err(wrong(
                Some(key),
                value,
                &format!("{} is too long", repr(value)),
            ));
        }
        let ids: Option<Vec<Uuid>> = items
            .iter()
            .map(|item| Uuid::parse_str(item.as_str()?).ok())
            .collect();
        ids.ok_or_else(|| {
            let rule = format!(
                "{} is not valid under any of the given schemas",
                repr(value)
            );
            wrong(Some(key), value, &rule)
        })
    }

    /// A UUID or null; missing is `None` as well.
    pub(crate) fn uuid_or_null(&self, key: &str) -> Result<Option<Uuid>, Fault> {
        let Some(value) = self.get(key).filter(|value| !value.is_null()) else {
            return Ok(None);
        };
        if let Some(Ok(id)) = value.as_str().map(Uuid::parse_str) {
            return Ok(Some(id));
        }
        let rule = format!(
            "{} is not valid under any of the given schemas",
            repr(value)
        );
        Err(wrong(Some(key), value, &rule))
    }

    /// A boolean or one of the words for it; missing is `None`.
    pub(crate) fn boolean(&self, key: &str) -> Result<Option<bool>, Fault> {
        let value = match self.get(key) {
            None => return Ok(None),
            Some(Value::Bool(value)) => return Ok(Some(*value)),
            Some(value) => value,
        };
        let Value::String(word) = value else {
            return Err(not_of_type(Some(key), value, "'boolean', 'string'"));
        };
        match word.as_str() {
            "t" => Ok(Some(true)),
            "f" => Ok(Some(false)),
            word if TRUE_WORDS.contains(&word) => Ok(Some(true)),
            word if FALSE_WORDS.contains(&word) => Ok(Some(false)),
            _ => {
                let list = |words: [&str; 11]| words.map(|word| format!("'{word}'")).join(", ");
                let rule = format!(
                    "{} is not one of [True, {}, 't', False, {}, 'f']",
                    repr(value),
                    list(TRUE_WORDS),
                    list(FALSE_WORDS)
                );
                Err(wrong(Some(key), value, &rule))
            }
        }
    }

    /// One of `words`; missing is `None`.
    pub(crate) fn one_of(&self, key: &str, words: &[&str]) -> Result<Option<&'a str>, Fault> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let Value::String(word) = value else {
            return Err(not_of_type(Some(key), value, "'string'"));
        };
        if words.contains(&word.as_str()) {
            return Ok(Some(word));
        }
        let list: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        Err(wrong(
            Some(key),
            value,
            &format!("{} is not one of [{}]", repr(value), list.join(", ")),
        ))
    }

    /// A size in GiB, a number or its digits, at least 1; `null` says whether null is allowed.
    pub(crate) fn size(&self, key: &str, null: bool) -> Result<Option<u32>, Fault> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let types = if null {
            "'integer', 'string', 'null'"
        } else {
            "'integer', 'string'"
        };
        match value {
            Value::Null if null => Ok(None),
            Value::Number(number) if number.is_u64() || number.is_i64() => {
                let less = number.as_u64().is_none_or(|n| n < 1);
                match number.as_u64().filter(|n| (1..=MAX_SIZE).contains(n)) {
                    Some(size) => Ok(u32::try_from(size).ok()),
                    None if less => Err(wrong(
                        Some(key),
                        value,
                        &format!("{number} is less than the minimum of 1"),
                    )),
                    None => Err(too_large(key, value, &number.to_string())),
                }
            }
            Value::String(text) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => {
                match text.parse::<u64>().ok().filter(|n| *n <= MAX_SIZE) {
                    Some(0) => Err(Fault::invalid_input(format!(
                        "Invalid volume size provided for create request: {text} (size argument must \
                         be an integer (or string representation of an integer) and greater than zero)."
                    ))),
                    Some(size) => Ok(u32::try_from(size).ok()),
                    None => Err(too_large(key, value, text)),
                }
            }
            Value::String(_) => Err(wrong(
                Some(key),
                value,
                &format!("{} does not match '^[0-9]+$'", repr(value)),
            )),
            other => Err(not_of_type(Some(key), other, types)),
        }
    }

    /// A map of texts below `key`; missing or (where `null`) null is `None`.
    pub(crate) fn map(
        &self,
        key: &'a str,
        keys: Keys,
        null: bool,
    ) -> Result<Option<BTreeMap<String, String>>, Fault> {
        let fields = match self.get(key) {
            None => return Ok(None),
            Some(Value::Null) if null => return Ok(None),
            Some(value @ Value::Object(_)) => Self::of(Some(key), value)?,
            Some(other) => {
                let types = if null { "'object', 'null'" } else { "'object'" };
                return Err(not_of_type(Some(key), other, types));
            }
        };
        fields.texts(keys).map(Some)
    }

    /// This object's entries as a map of texts.
    pub(crate) fn texts(&self, keys: Keys) -> Result<BTreeMap<String, String>, Fault> {
        if let Some(bad) = self.entries.keys().find(|key| !keys.allows(key)) {
            let rule = format!(
                "{} does not match any of the regexes: '{}'",
                repr(&Value::String(bad.clone())),
                keys.pattern()
            );
            return Err(self.wrong(&rule));
        }
        let mut texts = BTreeMap::new();
        for (key, value) in self.entries {
            let text = match value {
                Value::String(text) => bounded(key, text, 0)?,
                Value::Null if keys.null() => String::new(),
                other => {
                    let types = if keys.null() {
                        "'string', 'null'"
                    } else {
                        "'string'"
                    };
                    return Err(not_of_type(Some(key), other, types));
                }
            };
            texts.insert(key.clone(), text);
        }
        Ok(texts)
    }

    /// A list of texts of 1 to 255 characters, which must be there.
    pub(crate) fn texts_of(&self, key: &'a str) -> Result<Vec<String>, Fault> {
        let value = self.get(key).unwrap_or(&Value::Null);
        let Some(items) = value.as_array() else {
            return Err(not_of_type(Some(key), value, "'array'"));
        };
        let text = |item: &Value| match item {
            Value::String(text) => bounded(key, text, 1),
            other => Err(not_of_type(Some(key), other, "'string'")),
        };
        items.iter().map(text).collect()
    }

    /// The one entry of an object that must be named `key`, as in `PUT …/metadata/{key}`.
    pub(crate) fn single(&self, key: &str, keys: Keys) -> Result<String, Fault> {
        match self.entries.len() {
            0 => return Err(self.wrong("{} should be non-empty")),
            1 => {}
            _ => return Err(self.wrong(&format!("{} has too many properties", repr(self.value)))),
        }
        let mut texts = self.texts(keys)?;
        texts
            .remove(key)
            .ok_or_else(|| Fault::bad_request("Request body and URI mismatch"))
    }
}

fn too_large(key: &str, value: &Value, number: &str) -> Fault {
    wrong(
        Some(key),
        value,
        &format!("{number} is greater than the maximum of {MAX_SIZE}"),
    )
}

fn bounded(key: &str, text: &str, shortest: usize) -> Result<String, Fault> {
    let value = || Value::String(text.to_owned());
    let len = text.chars().count();
    if len < shortest {
        return Err(wrong(
            Some(key),
            &value(),
            &format!("{} should be non-empty", repr(&value())),
        ));
    }
    if len > MAX_TEXT {
        return Err(wrong(
            Some(key),
            &value(),
            &format!("{} is too long", repr(&value())),
        ));
    }
    Ok(text.to_owned())
}
