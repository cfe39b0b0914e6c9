//! What verbs of the mirror say to programs, in JSON and in XML.

use serde::Serialize;
use serde_json::Value;

use crate::cli::rbd::doc::Doc;
use crate::cli::rbd::site::Rbd;

impl Rbd {
    /// Prints a value; in XML all of it is called `root`.
    pub(super) fn print_value(&self, root: &'static str, value: &impl Serialize) {
        let value = serde_json::to_value(value).unwrap_or_default();
        self.print(root, &doc(root, value));
    }
}

/// A value that is called `name`.
pub(super) fn doc(name: &str, value: Value) -> Doc {
    match value {
        Value::Null => Doc::Null,
        Value::Bool(value) => Doc::Bool(value),
        Value::String(text) => Doc::Text(text),
        Value::Number(number) => match number.as_u64() {
            Some(number) => Doc::Number(number),
            None => number.as_f64().map_or(Doc::Null, Doc::Real),
        },
        Value::Array(values) => {
            let item = item(name);
            Doc::List(
                values
                    .into_iter()
                    .map(|value| (item, doc(item, value)))
                    .collect(),
            )
        }
        Value::Object(entries) => {
            let entries = entries.into_iter().map(|(key, value)| {
                let value = doc(&key, value);
                (key, value)
            });
            Doc::Map(entries.collect())
        }
    }
}

/// What each of a list is called in XML.
fn item(list: &str) -> &'static str {
    match list {
        "images" => "image",
        "peers" => "peer",
        "peer_sites" => "peer_site",
        "daemons" => "daemon",
        "reasons" => "reason",
        "snapshots" => "snapshot",
        "mirror_peer_uuids" => "peer_uuid",
        _ => "item",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_name_their_items() {
        let value =
            json!({"name": "a", "peer_sites": [{"lag": null, "records": 3}], "seconds": 0.5});
        let text = doc("image", value).xml("image", false);
        let expected = "<image><name>a</name><peer_sites><peer_site><lag></lag><records>3</records>\
                        </peer_site></peer_sites><seconds>0.5</seconds></image>";
        assert_eq!(text, expected);
    }
}
