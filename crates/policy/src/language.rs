//! The language of checks: `role:`, `rule:` and attributes, joined by `and`, `or`, `not` and
//! parentheses, as oslo.policy reads them. What it would take for "never" with a line in the log is an
//! error here.

use crate::check::{Attribute, Check, Field, Part, Text};

/// The longest check, in bytes.
const MAX_TEXT: usize = 16 << 10;
/// How deep parentheses and `not` may be nested.
const MAX_DEPTH: usize = 32;

/// Why a check cannot be understood.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CheckError {
    /// Too many bytes.
    #[error("is longer than {MAX_TEXT} bytes")]
    TooLong,
    /// Too many parentheses in one another.
    #[error("is nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// It ends where a check must follow.
    #[error("ends where a check is missing")]
    Unfinished,
    /// Something is where a check or `and` or `or` should be.
    #[error("has {0:?} where it must not be")]
    Unexpected(String),
    /// A parenthesis is open at the end.
    #[error("has a ( without its )")]
    Open,
    /// A word without colon.
    #[error("has {0:?}, which is no check; checks are kind:value, @ or !")]
    NoCheck(String),
    /// The kind is none that is known.
    #[error("compares {0:?}, which is nothing that is known about who asks")]
    UnknownKind(String),
    /// The field is none that is known.
    #[error(
        "compares with %({0})s; only project_id, user_id and domain_id are known of what is asked about"
    )]
    UnknownField(String),
    /// A percent sign that begins no field.
    #[error("has a % that is neither %(…)s nor %%")]
    Percent,
    /// `http:` and `https:`, which ask another server.
    #[error("asks a server for its decision ({0}), which is not supported")]
    Remote(String),
    /// A list that does not hold texts or lists of texts.
    #[error("is neither a text nor a list of lists of texts")]
    Form,
}

type Parsed = Check<String>;

/// The check that `text` means.
pub(crate) fn parse(text: &str) -> Result<Parsed, CheckError> {
    if text.len() > MAX_TEXT {
        return Err(CheckError::TooLong);
    }
    let tokens = tokens(text)?;
    if tokens.is_empty() {
        return Ok(Check::Always);
    }
    let mut rest = tokens.into_iter().peekable();
    let check = any(&mut rest, 0)?;
    match rest.next() {
        None => Ok(check),
        Some(token) => Err(CheckError::Unexpected(token.shown())),
    }
}

/// The check that a list means: one of the inner lists, and of that one all.
pub(crate) fn parse_list(list: &[serde_json::Value]) -> Result<Parsed, CheckError> {
    if list.is_empty() {
        return Ok(Check::Always);
    }
    let mut found = Vec::new();
    for inner in list {
        let words = match inner {
            serde_json::Value::String(word) => vec![leaf(word)?],
            serde_json::Value::Array(words) if words.is_empty() => continue,
            serde_json::Value::Array(words) => {
                let leaves = words.iter().map(|word| match word.as_str() {
                    Some(word) => leaf(word),
                    None => Err(CheckError::Form),
                });
                leaves.collect::<Result<_, _>>()?
            }
            _ => return Err(CheckError::Form),
        };
        found.push(joined(words, Check::All));
    }
    if found.is_empty() {
        return Ok(Check::Never);
    }
    Ok(joined(found, Check::Any))
}

enum Token {
    Open,
    Close,
    And,
    Or,
    Not,
    Check(Parsed),
}

impl Token {
    fn shown(&self) -> String {
        match self {
            Self::Open => "(",
            Self::Close => ")",
            Self::And => "and",
            Self::Or => "or",
            Self::Not => "not",
            Self::Check(_) => "a check",
        }
        .to_owned()
    }
}

type Rest = std::iter::Peekable<std::vec::IntoIter<Token>>;

fn any(rest: &mut Rest, depth: usize) -> Result<Parsed, CheckError> {
    let mut checks = vec![all(rest, depth)?];
    while rest.next_if(|token| matches!(token, Token::Or)).is_some() {
        checks.push(all(rest, depth)?);
    }
    Ok(joined(checks, Check::Any))
}

fn all(rest: &mut Rest, depth: usize) -> Result<Parsed, CheckError> {
    let mut checks = vec![one(rest, depth)?];
    while rest.next_if(|token| matches!(token, Token::And)).is_some() {
        checks.push(one(rest, depth)?);
    }
    Ok(joined(checks, Check::All))
}

fn one(rest: &mut Rest, depth: usize) -> Result<Parsed, CheckError> {
    if depth > MAX_DEPTH {
        return Err(CheckError::TooDeep);
    }
    match rest.next() {
        None => Err(CheckError::Unfinished),
        Some(Token::Check(check)) => Ok(check),
        Some(Token::Not) => one(rest, depth + 1).map(|check| Check::Not(Box::new(check))),
        Some(Token::Open) => {
            let inner = any(rest, depth + 1)?;
            match rest.next() {
                Some(Token::Close) => Ok(inner),
                Some(token) => Err(CheckError::Unexpected(token.shown())),
                None => Err(CheckError::Open),
            }
        }
        Some(token) => Err(CheckError::Unexpected(token.shown())),
    }
}

fn joined(mut checks: Vec<Parsed>, by: fn(Vec<Parsed>) -> Parsed) -> Parsed {
    match (checks.len(), checks.pop()) {
        (1, Some(only)) => only,
        (_, last) => by(checks.into_iter().chain(last).collect()),
    }
}

/// The words of `text`. Parentheses may stand at both ends of a word, with or without a blank.
fn tokens(text: &str) -> Result<Vec<Token>, CheckError> {
    let mut found = Vec::new();
    for word in text.split_whitespace() {
        let inner = word.trim_start_matches('(');
        found.extend((inner.len()..word.len()).map(|_| Token::Open));
        let bare = inner.trim_end_matches(')');
        match bare.to_ascii_lowercase().as_str() {
            "" => {}
            "and" => found.push(Token::And),
            "or" => found.push(Token::Or),
            "not" => found.push(Token::Not),
            _ => found.push(Token::Check(leaf(bare)?)),
        }
        found.extend((bare.len()..inner.len()).map(|_| Token::Close));
    }
    Ok(found)
}

/// The check of one word.
fn leaf(word: &str) -> Result<Parsed, CheckError> {
    if word.contains(char::is_whitespace) {
        return Err(CheckError::NoCheck(word.to_owned()));
    }
    match word {
        "@" => return Ok(Check::Always),
        "!" => return Ok(Check::Never),
        _ => {}
    }
    let Some((kind, value)) = word.split_once(':') else {
        return Err(CheckError::NoCheck(word.to_owned()));
    };
    match kind {
        "rule" => Ok(Check::Rule(value.to_owned())),
        "role" => Ok(Check::Role(text(value)?)),
        "http" | "https" => Err(CheckError::Remote(word.to_owned())),
        "True" | "False" | "None" => Ok(Check::Word(kind.to_owned(), text(value)?)),
        _ => match (unquoted(kind), Attribute::named(kind)) {
            (Some(fixed), _) => Ok(Check::Word(fixed.to_owned(), text(value)?)),
            (None, Some(attribute)) => Ok(Check::Attribute(attribute, text(value)?)),
            (None, None) => Err(CheckError::UnknownKind(kind.to_owned())),
        },
    }
}

fn unquoted(word: &str) -> Option<&str> {
    ['\'', '"']
        .iter()
        .find_map(|quote| word.strip_prefix(*quote)?.strip_suffix(*quote))
}

/// A value with its fields.
fn text(value: &str) -> Result<Text, CheckError> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('%') {
        plain.push_str(before);
        if let Some(after) = after.strip_prefix('%') {
            plain.push('%');
            rest = after;
            continue;
        }
        let named = after
            .strip_prefix('(')
            .and_then(|named| named.split_once(")s"));
        let (name, after) = named.ok_or(CheckError::Percent)?;
        if !plain.is_empty() {
            parts.push(Part::Plain(std::mem::take(&mut plain)));
        }
        parts.push(Part::Field(field(name)?));
        rest = after;
    }
    plain.push_str(rest);
    if !plain.is_empty() || parts.is_empty() {
        parts.push(Part::Plain(plain));
    }
    Ok(Text(parts))
}

fn field(name: &str) -> Result<Field, CheckError> {
    match name {
        "project_id" => Ok(Field::Project),
        "user_id" => Ok(Field::User),
        "domain_id" => Ok(Field::Domain),
        _ => Err(CheckError::UnknownField(name.to_owned())),
    }
}

#[cfg(test)]
mod tests;
