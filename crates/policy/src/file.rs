//! The form of `policy.yaml`: one `"rule": "check"` a line, and comments; or the same as JSON.

use serde_json::Value;

/// The most bytes of a file.
const MAX_FILE: usize = 1 << 20;

/// Why a line cannot be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Broken {
    #[error("the file is longer than {MAX_FILE} bytes")]
    TooLong,
    #[error(
        "is indented; each rule stands on a line of its own, from its first column, with its check"
    )]
    Indented,
    #[error("has no \": \" between a rule and its check")]
    NoColon,
    #[error("has no check behind its rule; write \"@\" for everybody or \"!\" for nobody")]
    NoCheck,
    #[error("has quotes that do not end, or something behind them")]
    Quotes,
    #[error("is neither a rule with a text nor one with a list on the same line")]
    Form,
    #[error("names the rule {0:?} a second time")]
    Twice(String),
    #[error("is not JSON: {0}")]
    Json(String),
}

/// One rule of a file.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) check: Value,
}

/// The rules in `text`, or the line (from 1) that cannot be read, and why.
pub(crate) fn entries(text: &str) -> Result<Vec<Entry>, (usize, Broken)> {
    if text.len() > MAX_FILE {
        return Err((1, Broken::TooLong));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('{') {
        return json(text);
    }
    let mut found: Vec<Entry> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let entry = line_of(line).map_err(|why| (number + 1, why))?;
        let Some(entry) = entry else {
            continue;
        };
        if found.iter().any(|other| other.name == entry.name) {
            return Err((number + 1, Broken::Twice(entry.name)));
        }
        found.push(entry);
    }
    Ok(found)
}

fn json(text: &str) -> Result<Vec<Entry>, (usize, Broken)> {
    let read: Result<serde_json::Map<String, Value>, _> = serde_json::from_str(text);
    let map = read.map_err(|why| (why.line(), Broken::Json(why.to_string())))?;
    Ok(map
        .into_iter()
        .map(|(name, check)| Entry { name, check })
        .collect())
}

fn line_of(line: &str) -> Result<Option<Entry>, Broken> {
    let content = line.trim_end();
    let bare = content.trim_start();
    if bare.is_empty() || bare.starts_with('#') || content == "---" || content == "..." {
        return Ok(None);
    }
    if bare.len() != content.len() {
        return Err(Broken::Indented);
    }
    // Lists, maps, and keys of more than a word are other YAML.
    if content.starts_with(['-', '?', '[', '&', '*', '!', '|', '>', '%', '@', '`']) {
        return Err(Broken::Form);
    }
    let (name, rest) = if let Some((name, rest)) = quoted(content)? {
        (name, rest.strip_prefix(':').ok_or(Broken::NoColon)?)
    } else if let Some((name, rest)) = content.split_once(": ") {
        (name.trim().to_owned(), rest)
    } else if content.ends_with(':') {
        return Err(Broken::NoCheck);
    } else {
        return Err(Broken::NoColon);
    };
    Ok(Some(Entry {
        name,
        check: value(rest.trim())?,
    }))
}

fn value(text: &str) -> Result<Value, Broken> {
    if let Some((check, rest)) = quoted(text)? {
        return if is_comment(rest) {
            Ok(Value::String(check))
        } else {
            Err(Broken::Quotes)
        };
    }
    let plain = match text.find(" #") {
        Some(comment) => text[..comment].trim_end(),
        None if text.starts_with('#') => "",
        None => text,
    };
    match plain.as_bytes().first() {
        None => Err(Broken::NoCheck),
        Some(b'~') if plain.len() == 1 => Err(Broken::NoCheck),
        Some(_) if plain == "null" => Err(Broken::NoCheck),
        Some(b'[') => serde_json::from_str(plain).map_err(|_| Broken::Form),
        // What YAML gives another meaning.
        Some(b'{' | b'|' | b'>' | b'&' | b'*' | b'%' | b'`' | b'@' | b'!') => Err(Broken::Form),
        Some(_) => Ok(Value::String(plain.to_owned())),
    }
}

fn is_comment(rest: &str) -> bool {
    let rest = rest.trim_start();
    rest.is_empty() || rest.starts_with('#')
}

/// The quoted text that `text` begins with, and what follows it.
fn quoted(text: &str) -> Result<Option<(String, &str)>, Broken> {
    if text.starts_with('"') {
        let mut stream = serde_json::Deserializer::from_str(text).into_iter::<String>();
        let Some(Ok(inner)) = stream.next() else {
            return Err(Broken::Quotes);
        };
        return Ok(Some((inner, &text[stream.byte_offset()..])));
    }
    let Some(mut rest) = text.strip_prefix('\'') else {
        return Ok(None);
    };
    let mut inner = String::new();
    loop {
        let (before, after) = rest.split_once('\'').ok_or(Broken::Quotes)?;
        inner.push_str(before);
        match after.strip_prefix('\'') {
            Some(after) => {
                inner.push('\'');
                rest = after;
            }
            None => return Ok(Some((inner, after))),
        }
    }
}

#[cfg(test)]
mod tests;
