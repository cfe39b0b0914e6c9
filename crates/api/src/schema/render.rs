//! Schemas as JSON Schema has them, for the OpenAPI document.

use serde_json::{Map, Value, json};

use super::{Bounds, Schema, Word};
use crate::microversion::Microversion;

impl Schema {
    /// This schema as it is at `version`.
    pub(crate) fn render(&self, version: Microversion) -> Value {
        let mut out = Map::new();
        let mut put = |key: &str, value: Value| out.insert(key.to_owned(), value);
        match self.kinds {
            [] => {}
            [kind] => drop(put("type", json!(kind.name()))),
            kinds => {
                let names: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
                put("type", json!(names));
            }
        }
        if let Some(pattern) = self.pattern {
            put("pattern", json!(pattern.expression));
        }
        if let Some(format) = self.format {
            put("format", json!(format.name));
        }
        if !self.words.is_empty() {
            let words: Vec<Value> = self.words.iter().map(|word| word.render()).collect();
            put("enum", json!(words));
        }
        if !self.any_of.is_empty() {
            let choices: Vec<Value> = self.any_of.iter().map(|s| s.render(version)).collect();
            put("anyOf", json!(choices));
        }
        if let Some(items) = self.items {
            put("items", items.render(version));
        }
        self.render_object(version, &mut out);
        let mut bounds = |keys: [&str; 2], least: Option<i64>, most: Option<i64>| {
            for (key, bound) in keys.into_iter().zip([least, most]) {
                if let Some(bound) = bound {
                    out.insert(key.to_owned(), json!(bound));
                }
            }
        };
        let wide = |bounds: Bounds<u32>| (bounds.least.map(i64::from), bounds.most.map(i64::from));
        for (keys, (least, most)) in [
            (["minLength", "maxLength"], wide(self.length)),
            (["minProperties", "maxProperties"], wide(self.entries)),
            (["minItems", "maxItems"], wide(self.count)),
            (
                ["minimum", "maximum"],
                (self.number.least, self.number.most),
            ),
        ] {
            bounds(keys, least, most);
        }
        Value::Object(out)
    }

    fn render_object(&self, version: Microversion, out: &mut Map<String, Value>) {
        let known = |schema: &Schema| schema.since <= version;
        let mut properties = Map::new();
        for (name, schema) in self.properties.iter().filter(|(_, schema)| known(schema)) {
            properties.insert((*name).to_owned(), schema.render(version));
        }
        if !properties.is_empty() {
            out.insert("properties".to_owned(), Value::Object(properties));
        }
        if let Some((pattern, schema)) = self.others {
            // To JSON Schema a form of keys is one of the known keys too, whose values are others.
            let is_known = |(name, _): &(&str, Schema)| (pattern.matches)(name);
            if self.properties.iter().any(is_known) {
                out.insert("additionalProperties".to_owned(), schema.render(version));
            } else {
                let expression = pattern.expression.to_owned();
                let patterns = json!({ expression: schema.render(version) });
                out.insert("patternProperties".to_owned(), patterns);
            }
        }
        let hidden = |key: &str| {
            (self.properties.iter()).any(|(name, schema)| *name == key && !known(schema))
        };
        let required: Vec<_> = self.required.iter().filter(|key| !hidden(key)).collect();
        if !required.is_empty() {
            out.insert("required".to_owned(), json!(required));
        }
        if self.closed {
            out.entry("additionalProperties").or_insert(json!(false));
        }
    }
}

impl Word {
    fn render(self) -> Value {
        match self {
            Self::True => json!(true),
            Self::False => json!(false),
            Self::Text(text) => json!(text),
        }
    }
}
