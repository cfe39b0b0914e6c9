//! Maps in queries: JSON, or a Python dictionary as older clients print it.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

use serde_json::Value;

/// The map that `text` is; `None` where it is none.
pub(crate) fn map(text: &str) -> Option<BTreeMap<String, String>> {
    if let Ok(Value::Object(entries)) = serde_json::from_str(text) {
        let texts = entries.into_iter().map(|(key, value)| match value {
            Value::String(text) => (key, text),
            other => (key, other.to_string()),
        });
        return Some(texts.collect());
    }
    Reader(text.trim().chars().peekable()).dictionary()
}

struct Reader<'a>(Peekable<Chars<'a>>);

impl Reader<'_> {
    fn dictionary(mut self) -> Option<BTreeMap<String, String>> {
        let mut entries = BTreeMap::new();
        self.expect('{')?;
        loop {
            self.blanks();
            if self.0.next_if_eq(&'}').is_some() {
                break;
            }
            let key = self.value()?;
            self.expect(':')?;
            let value = self.value()?;
            entries.insert(key, value);
            self.blanks();
            match self.0.next()? {
                ',' => {}
                '}' => break,
                _ => return None,
            }
        }
        self.blanks();
        self.0.next().is_none().then_some(entries)
    }

    /// A quoted text, with or without `u` before it, or a bare word.
    fn value(&mut self) -> Option<String> {
        self.blanks();
        let mut rest = self.0.clone();
        if rest.next_if_eq(&'u').is_some() && rest.peek().is_some_and(|c| matches!(c, '\'' | '"')) {
            self.0.next();
        }
        match self.0.next_if(|c| matches!(c, '\'' | '"')) {
            Some(quote) => self.quoted(quote),
            None => self.word(),
        }
    }

    fn quoted(&mut self, quote: char) -> Option<String> {
        let mut text = String::new();
        loop {
            match self.0.next()? {
                '\\' => text.push(self.0.next()?),
                c if c == quote => return Some(text),
                c => text.push(c),
            }
        }
    }

    fn word(&mut self) -> Option<String> {
        let mut text = String::new();
        while let Some(c) = self
            .0
            .next_if(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-'))
        {
            text.push(c);
        }
        (!text.is_empty()).then_some(text)
    }

    fn blanks(&mut self) {
        while self.0.next_if(|c| c.is_whitespace()).is_some() {}
    }

    fn expect(&mut self, wanted: char) -> Option<()> {
        self.blanks();
        self.0.next_if_eq(&wanted).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Option<Vec<(String, String)>> {
        map(text).map(|map| map.into_iter().collect())
    }

    #[test]
    fn json_and_python_say_the_same() {
        let expected = Some(vec![("k".to_owned(), "1".to_owned())]);
        for text in [
            r#"{"k": "1"}"#,
            "{'k': '1'}",
            "{u'k': u'1'}",
            "{'k': \"1\",}",
            "{'k':1}",
            r#"{"k":1}"#,
        ] {
            assert_eq!(pairs(text), expected, "{text}");
        }
        assert_eq!(pairs("{}"), Some(Vec::new()));
        assert_eq!(
            pairs(r"{'it\'s': 'a}'}"),
            Some(vec![("it's".into(), "a}".into())])
        );
    }

    #[test]
    fn other_text_is_no_map() {
        for text in [
            "",
            "k",
            "{",
            "{'k'}",
            "{'k': }",
            "{'k': 'v'",
            "{'k': 'v'} x",
            "[1]",
            "{'k': 'v' 'w'}",
        ] {
            assert_eq!(pairs(text), None, "{text}");
        }
    }
}
