//! Values as Cinder's messages print them: Python's `repr`, which clients and people have learnt to read.

use std::fmt::Write;

use serde_json::Value;

/// The most characters of a value that a message repeats.
const MOST: usize = 1024;

/// `value` as Python's `repr` prints it, cut where it is long.
pub(crate) fn repr(value: &Value) -> String {
    let mut text = String::new();
    write_value(&mut text, value);
    cut(text)
}

/// `value` as Python's `str` prints it: text without quotes.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => cut(text.clone()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            repr(value)
        }
    }
}

fn cut(text: String) -> String {
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

fn write_value(out: &mut String, value: &Value) {
    if out.len() > MOST * 4 {
        return;
    }
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Number(number) => {
            let _ = write!(out, "{number}");
        }
        Value::String(text) => write_text(out, text),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                write_value(out, item);
            }
            out.push(']');
        }
        Value::Object(entries) => {
            out.push('{');
            for (at, (key, item)) in entries.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                write_text(out, key);
                out.push_str(": ");
                write_value(out, item);
            }
            out.push('}');
        }
    }
}

fn write_text(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push(quote);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_print_as_in_python() {
        assert_eq!(
            repr(&json!({"a": [1, true, null, "it's"]})),
            r#"{'a': [1, True, None, "it's"]}"#
        );
        assert_eq!(plain(&json!("abc")), "abc");
        assert_eq!(plain(&json!(1.5)), "1.5");
        assert_eq!(repr(&json!("a\nb")), r"'a\nb'");
    }

    #[test]
    fn long_values_are_cut() {
        assert!(repr(&json!("x".repeat(100_000))).len() < 2000);
    }
}
