//! Results for programs: JSON and XML, in the order and under the names of the `rbd` tool.

use std::fmt::Write as _;

use firebrick_vocabulary::{Bytes, ImageId, ImageName, SnapshotId, SnapshotName};
use serde::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};

/// A value; what it holds keeps its order.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Doc {
    Null,
    Text(String),
    Number(u64),
    Integer(i64),
    Real(f64),
    Bool(bool),
    /// Values; in XML each has that name.
    List(Vec<(&'static str, Doc)>),
    Map(Vec<(String, Doc)>),
}

impl Doc {
    /// A map of these.
    pub(super) fn map<const N: usize>(entries: [(&str, Self); N]) -> Self {
        let entries = entries.map(|(key, value)| (key.to_owned(), value));
        Self::Map(entries.into())
    }

    /// A list of these, of which each is an `item`.
    pub(super) fn list<T: Into<Self>>(
        item: &'static str,
        items: impl IntoIterator<Item = T>,
    ) -> Self {
        let items = items.into_iter().map(|value| (item, value.into()));
        Self::List(items.collect())
    }

    /// Adds an entry behind those that are there; nothing where this is no map.
    pub(super) fn put(&mut self, key: &str, value: impl Into<Self>) {
        if let Self::Map(entries) = self {
            entries.push((key.to_owned(), value.into()));
        }
    }

    /// As XML, under a name for the whole.
    pub(super) fn xml(&self, root: &str, pretty: bool) -> String {
        let mut text = String::new();
        self.write(&mut text, root, pretty.then_some(0));
        text
    }

    fn write(&self, text: &mut String, name: &str, depth: Option<usize>) {
        let indent = |text: &mut String| {
            if let Some(depth) = depth {
                text.extend(std::iter::repeat_n(' ', depth));
            }
        };
        let end = if depth.is_some() { "\n" } else { "" };
        let name = element(name);
        indent(text);
        let within = depth.map(|depth| depth + 1);
        match self {
            Self::List(items) => {
                _ = write!(text, "<{name}>{end}");
                for (item, value) in items {
                    value.write(text, item, within);
                }
                indent(text);
            }
            Self::Map(entries) => {
                _ = write!(text, "<{name}>{end}");
                for (key, value) in entries {
                    value.write(text, key, within);
                }
                indent(text);
            }
            Self::Null => _ = write!(text, "<{name}>"),
            Self::Text(value) => _ = write!(text, "<{name}>{}", escaped(value)),
            Self::Number(value) => _ = write!(text, "<{name}>{value}"),
            Self::Integer(value) => _ = write!(text, "<{name}>{value}"),
            Self::Real(value) => _ = write!(text, "<{name}>{value}"),
            Self::Bool(value) => _ = write!(text, "<{name}>{value}"),
        }
        _ = write!(text, "</{name}>{end}");
    }
}

/// What may name an element: RBD turns blanks into underscores.
fn element(name: &str) -> String {
    name.replace(' ', "_")
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            c if c.is_control() && !matches!(c, '\n' | '\t') => {
                _ = write!(escaped, "&#x{:02x};", u32::from(c));
            }
            c => escaped.push(c),
        }
    }
    escaped
}

impl Serialize for Doc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Integer(number) => serializer.serialize_i64(*number),
            Self::Real(number) => serializer.serialize_f64(*number),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for (_, item) in items {
                    list.serialize_element(item)?;
                }
                list.end()
            }
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

macro_rules! from {
    ($($kind:ty => $make:expr),* $(,)?) => {
        $(impl From<$kind> for Doc {
            fn from(value: $kind) -> Self {
                $make(value)
            }
        })*
    };
}

from! {
    &str => |text: &str| Self::Text(text.to_owned()),
    String => Self::Text,
    &String => |text: &String| Self::Text(text.clone()),
    u64 => Self::Number,
    u32 => |number| Self::Number(u64::from(number)),
    f64 => Self::Real,
    bool => Self::Bool,
    Bytes => |bytes: Bytes| Self::Number(bytes.0),
    SnapshotId => |id: SnapshotId| Self::Number(id.0),
    ImageId => |id: ImageId| Self::Text(id.to_string()),
    &SnapshotName => |name: &SnapshotName| Self::Text(name.to_string()),
    &ImageName => |name: &ImageName| Self::Text(name.base().to_owned()),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Doc {
        let watcher = Doc::map([("address", "nbd".into()), ("client", 1_u64.into())]);
        Doc::map([
            ("name", "a<b".into()),
            ("watchers", Doc::list("watcher", [watcher])),
            ("flags", Doc::list("flag", [""; 0])),
            ("primary", true.into()),
        ])
    }

    #[test]
    fn json_keeps_the_order() {
        let text = serde_json::to_string(&sample()).unwrap();
        let golden =
            r#"{"name":"a<b","watchers":[{"address":"nbd","client":1}],"flags":[],"primary":true}"#;
        assert_eq!(text, golden);
    }

    #[test]
    fn xml_names_what_lists_hold() {
        let golden = "<status><name>a&lt;b</name><watchers><watcher><address>nbd</address>\
             <client>1</client></watcher></watchers><flags></flags><primary>true</primary></status>";
        assert_eq!(sample().xml("status", false), golden);
        let golden = "<status>\n <flags>\n  <flag>a</flag>\n </flags>\n</status>\n";
        let flags = Doc::map([("flags", Doc::list("flag", ["a"]))]);
        assert_eq!(flags.xml("status", true), golden);
    }
}
