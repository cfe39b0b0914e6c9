//! Tokens to a tree.

use std::slice::Iter;

use super::FunctionError;
use super::lexer::Token;

/// How deeply expressions may be nested; recursion is bounded by it.
const DEPTH_MAX: usize = 64;

/// Two numbers to one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
}

/// Two values to yes or no.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

/// The functions there are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Named {
    Abs,
    Max,
    Min,
}

/// A part of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    Number(f64),
    Text(String),
    /// `stats.free_capacity_gb`: the word before the dot and the one behind it.
    Variable(String, String),
    Negative(Box<Expression>),
    Not(Box<Expression>),
    Arithmetic(Arithmetic, Box<Expression>, Box<Expression>),
    /// `a < b <= c`: holds where each holds.
    Compare(Box<Expression>, Vec<(Comparison, Expression)>),
    Choose(Box<Expression>, Box<Expression>, Box<Expression>),
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Call(Named, Vec<Expression>),
}

type Parsed = Result<Expression, FunctionError>;

pub(super) fn parse(tokens: &[Token]) -> Parsed {
    let mut parser = Parser {
        rest: tokens.iter(),
        depth: 0,
    };
    let root = parser.any()?;
    match parser.rest.next() {
        None => Ok(root),
        Some(token) => Err(unexpected(Some(token), "the end")),
    }
}

fn unexpected(found: Option<&Token>, expected: &'static str) -> FunctionError {
    let found = found.map_or_else(|| "the end".to_owned(), |token| format!("{token:.32}"));
    FunctionError::Unexpected { found, expected }
}

struct Parser<'a> {
    rest: Iter<'a, Token>,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.rest.as_slice().first()
    }

    fn take(&mut self, token: &Token) -> bool {
        let there = self.peek() == Some(token);
        if there {
            self.rest.next();
        }
        there
    }

    fn expect(&mut self, token: &Token, name: &'static str) -> Result<(), FunctionError> {
        match self.rest.next() {
            Some(found) if found == token => Ok(()),
            found => Err(unexpected(found, name)),
        }
    }

    /// What is inside something else.
    fn inner(&mut self, parse: impl FnOnce(&mut Self) -> Parsed) -> Parsed {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(FunctionError::TooDeep);
        }
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn any(&mut self) -> Parsed {
        let mut parts = vec![self.all()?];
        while self.take(&Token::Or) {
            parts.push(self.all()?);
        }
        Ok(alone(parts, Expression::Any))
    }

    fn all(&mut self) -> Parsed {
        let mut parts = vec![self.choose()?];
        while self.take(&Token::And) {
            parts.push(self.choose()?);
        }
        Ok(alone(parts, Expression::All))
    }

    fn choose(&mut self) -> Parsed {
        let condition = self.compare()?;
        if !self.take(&Token::Question) {
            return Ok(condition);
        }
        let yes = self.inner(Self::choose)?;
        self.expect(&Token::Colon, "a colon")?;
        let no = self.inner(Self::choose)?;
        Ok(Expression::Choose(
            Box::new(condition),
            Box::new(yes),
            Box::new(no),
        ))
    }

    fn compare(&mut self) -> Parsed {
        let first = self.not()?;
        let mut others = Vec::new();
        while let Some(comparison) = self.peek().and_then(comparison) {
            self.rest.next();
            others.push((comparison, self.not()?));
        }
        Ok(if others.is_empty() {
            first
        } else {
            Expression::Compare(Box::new(first), others)
        })
    }

    fn not(&mut self) -> Parsed {
        if self.take(&Token::Not) {
            return Ok(Expression::Not(Box::new(self.inner(Self::not)?)));
        }
        self.sum()
    }

    fn sum(&mut self) -> Parsed {
        self.chain(Self::product, |token| match token {
            Token::Plus => Some(Arithmetic::Add),
            Token::Minus => Some(Arithmetic::Subtract),
            _ => None,
        })
    }

    fn product(&mut self) -> Parsed {
        self.chain(Self::signed, |token| match token {
            Token::Times => Some(Arithmetic::Multiply),
            Token::Over => Some(Arithmetic::Divide),
            _ => None,
        })
    }

    /// Operators of one rank, from left to right. Each makes the tree deeper by one.
    fn chain(
        &mut self,
        operand: fn(&mut Self) -> Parsed,
        operator: fn(&Token) -> Option<Arithmetic>,
    ) -> Parsed {
        let mut left = operand(self)?;
        let mut links = 0;
        while let Some(found) = self.peek().and_then(operator) {
            links += 1;
            if links > DEPTH_MAX {
                return Err(FunctionError::TooDeep);
            }
            self.rest.next();
            let right = operand(self)?;
            left = Expression::Arithmetic(found, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn signed(&mut self) -> Parsed {
        if self.take(&Token::Minus) {
            return Ok(Expression::Negative(Box::new(self.inner(Self::signed)?)));
        }
        if self.take(&Token::Plus) {
            return self.inner(Self::signed);
        }
        self.power()
    }

    fn power(&mut self) -> Parsed {
        let base = self.operand()?;
        if !self.take(&Token::Power) {
            return Ok(base);
        }
        let exponent = self.inner(Self::signed)?;
        Ok(Expression::Arithmetic(
            Arithmetic::Power,
            Box::new(base),
            Box::new(exponent),
        ))
    }

    fn operand(&mut self) -> Parsed {
        match self.rest.next() {
            Some(Token::Number(number)) => Ok(Expression::Number(*number)),
            Some(Token::Text(text)) => Ok(Expression::Text(text.clone())),
            Some(Token::Open) => {
                let inner = self.inner(Self::any)?;
                self.expect(&Token::Close, "a closing bracket")?;
                Ok(inner)
            }
            Some(Token::Word(word)) if self.take(&Token::Open) => self.call(word),
            Some(Token::Word(word)) => match word.split_once('.') {
                Some((scope, name)) if !name.contains('.') => {
                    Ok(Expression::Variable(scope.to_owned(), name.to_owned()))
                }
                Some(_) | None => Ok(Expression::Text(word.clone())),
            },
            found => Err(unexpected(found, "a value")),
        }
    }

    fn call(&mut self, name: &str) -> Parsed {
        let named = match name {
            "abs" => Named::Abs,
            "max" => Named::Max,
            "min" => Named::Min,
            _ => return Err(FunctionError::NoFunction(name.to_owned())),
        };
        let mut arguments = vec![self.inner(Self::any)?];
        while self.take(&Token::Comma) {
            arguments.push(self.inner(Self::any)?);
        }
        if named == Named::Abs && arguments.len() > 1 {
            return Err(unexpected(Some(&Token::Comma), "one argument"));
        }
        self.expect(&Token::Close, "a closing bracket")?;
        Ok(Expression::Call(named, arguments))
    }
}

fn comparison(token: &Token) -> Option<Comparison> {
    match token {
        Token::Less => Some(Comparison::Less),
        Token::LessOrEqual => Some(Comparison::LessOrEqual),
        Token::Greater => Some(Comparison::Greater),
        Token::GreaterOrEqual => Some(Comparison::GreaterOrEqual),
        Token::Equal => Some(Comparison::Equal),
        Token::NotEqual => Some(Comparison::NotEqual),
        _ => None,
    }
}

fn alone(mut parts: Vec<Expression>, many: fn(Vec<Expression>) -> Expression) -> Expression {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            many(parts)
        }
        None => many(parts),
    }
}
