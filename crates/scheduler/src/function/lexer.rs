//! Text to tokens.

use std::fmt;

use super::FunctionError;

/// What an expression is made of.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Number(f64),
    /// Between quotes.
    Text(String),
    /// Letters, digits, underscores and dots.
    Word(String),
    Plus,
    Minus,
    Times,
    Over,
    Power,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
    Question,
    Colon,
    Comma,
    Open,
    Close,
    And,
    Or,
    Not,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) | Self::Word(text) => f.write_str(text),
            Self::Plus => f.write_str("+"),
            Self::Minus => f.write_str("-"),
            Self::Times => f.write_str("*"),
            Self::Over => f.write_str("/"),
            Self::Power => f.write_str("^"),
            Self::Less => f.write_str("<"),
            Self::LessOrEqual => f.write_str("<="),
            Self::Greater => f.write_str(">"),
            Self::GreaterOrEqual => f.write_str(">="),
            Self::Equal => f.write_str("=="),
            Self::NotEqual => f.write_str("!="),
            Self::Question => f.write_str("?"),
            Self::Colon => f.write_str(":"),
            Self::Comma => f.write_str(","),
            Self::Open => f.write_str("("),
            Self::Close => f.write_str(")"),
            Self::And => f.write_str("and"),
            Self::Or => f.write_str("or"),
            Self::Not => f.write_str("not"),
        }
    }
}

/// Longer ones first, so that `<=` is not `<` and something strange.
const SIGNS: [(&str, Token); 20] = [
    ("<=", Token::LessOrEqual),
    (">=", Token::GreaterOrEqual),
    ("==", Token::Equal),
    ("!=", Token::NotEqual),
    ("<>", Token::NotEqual),
    ("&&", Token::And),
    ("||", Token::Or),
    ("+", Token::Plus),
    ("-", Token::Minus),
    ("*", Token::Times),
    ("/", Token::Over),
    ("^", Token::Power),
    ("<", Token::Less),
    (">", Token::Greater),
    ("?", Token::Question),
    (":", Token::Colon),
    (",", Token::Comma),
    ("(", Token::Open),
    (")", Token::Close),
    ("!", Token::Not),
];

pub(super) fn tokens(text: &str) -> Result<Vec<Token>, FunctionError> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '0'..='9' => number(rest)?,
            'a'..='z' | 'A'..='Z' | '_' => word(rest),
            '"' | '\'' => quoted(rest, first)?,
            _ => sign(rest)?,
        };
        tokens.push(token);
        rest = rest.get(length..).unwrap_or_default().trim_start();
    }
    Ok(tokens)
}

fn strange(rest: &str) -> FunctionError {
    FunctionError::Strange(rest.chars().take(16).collect())
}

fn length(rest: &str, belongs: impl Fn(char) -> bool) -> usize {
    rest.find(|c| !belongs(c)).unwrap_or(rest.len())
}

fn number(rest: &str) -> Result<(Token, usize), FunctionError> {
    let length = length(rest, |c| c.is_ascii_digit() || c == '.');
    let number = rest.get(..length).and_then(|text| text.parse().ok());
    let number = number.ok_or_else(|| strange(rest))?;
    Ok((Token::Number(number), length))
}

fn word(rest: &str) -> (Token, usize) {
    let length = length(rest, |c| {
        c.is_ascii_alphanumeric() || matches!(c, '_' | '.')
    });
    let token = match rest.get(..length).unwrap_or_default() {
        "and" | "AND" => Token::And,
        "or" | "OR" => Token::Or,
        "not" | "NOT" => Token::Not,
        word => Token::Word(word.to_owned()),
    };
    (token, length)
}

fn quoted(rest: &str, quote: char) -> Result<(Token, usize), FunctionError> {
    let inner = rest.get(1..).unwrap_or_default();
    let end = inner.find(quote).ok_or_else(|| strange(rest))?;
    let text = inner.get(..end).unwrap_or_default();
    Ok((Token::Text(text.to_owned()), end + 2))
}

fn sign(rest: &str) -> Result<(Token, usize), FunctionError> {
    let found = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign));
    let (sign, token) = found.ok_or_else(|| strange(rest))?;
    Ok((token.clone(), sign.len()))
}
