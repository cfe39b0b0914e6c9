//! `filter_function` and `goodness_function`: what an operator wants of a backend, as an expression.
//!
//! Grammar and meaning are those of `cinder.scheduler.evaluator`. From the tightest: `abs() max()
//! min()`, `^`, sign, `* /`, `+ -`, `not !`, comparisons (which chain), `? :`, `and &&`, `or ||`.
//! What differs: all operands of a chain of `and` or `or` count, not only two of them.

mod eval;
mod lexer;
mod parser;

use std::fmt;

pub use eval::{Outcome, Variables};
use parser::Expression;

/// The longest function, in bytes.
const LENGTH_MAX: usize = 4096;

/// Why a function cannot be read, or not be computed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FunctionError {
    /// It is longer than 4,096 bytes.
    #[error("is too long")]
    TooLong,
    /// It is nested too deeply.
    #[error("is nested too deeply")]
    TooDeep,
    /// A character, at this byte, that belongs to nothing.
    #[error("is not understood at {0:?}")]
    Strange(String),
    /// Something else was expected.
    #[error("has {found} where {expected} is expected")]
    Unexpected {
        /// What is there.
        found: String,
        /// What could be there.
        expected: &'static str,
    },
    /// A variable that nobody knows.
    #[error("asks for {0}, which is not known")]
    Missing(String),
    /// A function that does not exist.
    #[error("calls {0}, which does not exist")]
    NoFunction(String),
    /// An operator on a value of another kind.
    #[error("takes a text for a number")]
    NotNumber,
    /// Division by zero, or a result beyond all numbers.
    #[error("has no finite result")]
    NotFinite,
}

/// An expression that was read.
#[derive(Clone, PartialEq)]
pub struct Function {
    text: String,
    root: Expression,
}

impl Function {
    /// Reads `text`.
    pub fn parse(text: &str) -> Result<Self, FunctionError> {
        if text.len() > LENGTH_MAX {
            return Err(FunctionError::TooLong);
        }
        Ok(Self {
            text: text.to_owned(),
            root: parser::parse(&lexer::tokens(text)?)?,
        })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Computes it: once, or, where it speaks of a protocol that has several names, once for each of
    /// them.
    pub fn evaluate(&self, variables: &Variables<'_>) -> Result<Vec<Outcome>, FunctionError> {
        let protocols = if self.text.contains("storage_protocol") {
            variables.protocols()
        } else {
            Vec::new()
        };
        if protocols.is_empty() {
            return Ok(vec![eval::evaluate(&self.root, variables, None)?]);
        }
        protocols
            .into_iter()
            .map(|name| eval::evaluate(&self.root, variables, Some(name)))
            .collect()
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Function({:?})", self.text)
    }
}

#[cfg(test)]
mod tests;
