//! A tree to its value.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::FunctionError;
use super::parser::{Arithmetic, Comparison, Expression, Named};
use crate::pool::{Capability, PoolState};
use crate::request::Request;

/// What a function came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Yes or no.
    Flag(bool),
    /// A finite number.
    Number(f64),
    /// A text.
    Text(String),
}

impl Outcome {
    /// Whether it stands for yes, as in Python: not zero, not empty.
    pub fn is_true(&self) -> bool {
        match self {
            Self::Flag(flag) => *flag,
            Self::Number(number) => *number != 0.0,
            Self::Text(text) => !text.is_empty(),
        }
    }

    fn number(&self) -> Result<f64, FunctionError> {
        match self {
            Self::Flag(flag) => Ok(f64::from(u8::from(*flag))),
            Self::Number(number) => Ok(*number),
            Self::Text(_) => Err(FunctionError::NotNumber),
        }
    }

    /// Texts that are numbers count as numbers, and variables that are yes or no as one and zero.
    fn plain(text: &str) -> Self {
        match text.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => Self::Number(number),
            Ok(_) | Err(_) => Self::Text(text.to_owned()),
        }
    }
}

/// What functions may ask for: `stats.`, `capabilities.`, `volume.`, `extra.` and `qos.`.
#[derive(Clone, Copy, Debug)]
pub struct Variables<'a> {
    /// The pool that is judged.
    pub pool: &'a PoolState,
    /// For what.
    pub request: &'a Request,
}

const PROTOCOL: &str = "storage_protocol";

impl<'a> Variables<'a> {
    /// The names of the pool's protocol, where it has several.
    pub(super) fn protocols(&self) -> Vec<&'a str> {
        match self.pool.capabilities.get(PROTOCOL) {
            Some(Capability::List(names)) => names.iter().map(String::as_str).collect(),
            Some(_) | None => Vec::new(),
        }
    }

    fn get(&self, scope: &str, name: &str, protocol: Option<&str>) -> Option<Outcome> {
        let spec = |specs: &BTreeMap<String, String>| specs.get(name).map(|it| Outcome::plain(it));
        match scope {
            "stats" | "capabilities" => {
                if let (PROTOCOL, Some(protocol)) = (name, protocol) {
                    return Some(Outcome::plain(protocol));
                }
                let own = if scope == "stats" {
                    self.stat(name)
                } else {
                    None
                };
                own.or_else(|| self.pool.capabilities.get(name).and_then(value))
            }
            "volume" => self.request.volume.get(name).and_then(value),
            "extra" => spec(&self.request.extra_specs),
            "qos" => spec(&self.request.qos_specs),
            _ => None,
        }
    }

    /// What is known of the pool itself, rather than told by its backend.
    fn stat(&self, name: &str) -> Option<Outcome> {
        let host = &self.pool.host;
        match name {
            "host" | "backend_id" => Some(Outcome::Text(host.to_string())),
            "total_capacity_gb" => Some(Outcome::plain(&self.pool.total.to_string())),
            "free_capacity_gb" => Some(Outcome::plain(&self.pool.free.to_string())),
            "allocated_capacity_gb" => Some(Outcome::Number(self.pool.allocated)),
            "provisioned_capacity_gb" => Some(Outcome::Number(self.pool.provisioned)),
            "reserved_percentage" => Some(Outcome::Number(self.pool.reserved_percentage.into())),
            _ => None,
        }
    }
}

fn value(capability: &Capability) -> Option<Outcome> {
    match capability {
        Capability::Flag(flag) => Some(Outcome::Number(f64::from(u8::from(*flag)))),
        Capability::Number(number) => Some(Outcome::Number(*number)),
        Capability::Text(text) => Some(Outcome::plain(text)),
        Capability::List(_) | Capability::Map(_) => None,
    }
}

/// Computes `expression`. `protocol` is the name to go by of those that the pool's protocol has.
pub(super) fn evaluate(
    expression: &Expression,
    variables: &Variables<'_>,
    protocol: Option<&str>,
) -> Result<Outcome, FunctionError> {
    let of = |part: &Expression| evaluate(part, variables, protocol);
    match expression {
        Expression::Number(number) => Ok(Outcome::Number(*number)),
        Expression::Text(text) => Ok(Outcome::plain(text)),
        Expression::Variable(scope, name) => variables
            .get(scope, name, protocol)
            .ok_or_else(|| FunctionError::Missing(format!("{scope}.{name}"))),
        Expression::Negative(part) => Ok(Outcome::Number(-of(part)?.number()?)),
        Expression::Not(part) => Ok(Outcome::Flag(!of(part)?.is_true())),
        Expression::Arithmetic(operator, left, right) => {
            computed(*operator, of(left)?.number()?, of(right)?.number()?)
        }
        Expression::Compare(first, others) => {
            let mut left = of(first)?;
            for (comparison, other) in others {
                let right = of(other)?;
                if !compared(*comparison, &left, &right)? {
                    return Ok(Outcome::Flag(false));
                }
                left = right;
            }
            Ok(Outcome::Flag(true))
        }
        Expression::Choose(condition, yes, no) => {
            of(if of(condition)?.is_true() { yes } else { no })
        }
        Expression::All(parts) => pick(parts, of, |outcome| !outcome.is_true()),
        Expression::Any(parts) => pick(parts, of, Outcome::is_true),
        Expression::Call(named, arguments) => called(*named, arguments, of),
    }
}

/// The first that decides, else the last. All are computed: what is wrong in one is never hidden by
/// another.
fn pick(
    parts: &[Expression],
    of: impl Fn(&Expression) -> Result<Outcome, FunctionError>,
    decides: fn(&Outcome) -> bool,
) -> Result<Outcome, FunctionError> {
    let outcomes: Vec<Outcome> = parts.iter().map(of).collect::<Result<_, _>>()?;
    let decisive = outcomes.iter().position(decides);
    let last = outcomes.len().saturating_sub(1);
    let picked = outcomes.into_iter().nth(decisive.unwrap_or(last));
    Ok(picked.unwrap_or(Outcome::Flag(false)))
}

fn finite(number: f64) -> Result<Outcome, FunctionError> {
    if number.is_finite() {
        Ok(Outcome::Number(number))
    } else {
        Err(FunctionError::NotFinite)
    }
}

fn computed(operator: Arithmetic, left: f64, right: f64) -> Result<Outcome, FunctionError> {
    finite(match operator {
        Arithmetic::Add => left + right,
        Arithmetic::Subtract => left - right,
        Arithmetic::Multiply => left * right,
        Arithmetic::Divide => left / right,
        Arithmetic::Power => left.powf(right),
    })
}

fn compared(
    comparison: Comparison,
    left: &Outcome,
    right: &Outcome,
) -> Result<bool, FunctionError> {
    let ordering = match (left, right) {
        (Outcome::Text(left), Outcome::Text(right)) => Some(left.cmp(right)),
        (Outcome::Text(_), _) | (_, Outcome::Text(_)) => match comparison {
            Comparison::Equal => return Ok(false),
            Comparison::NotEqual => return Ok(true),
            Comparison::Less
            | Comparison::LessOrEqual
            | Comparison::Greater
            | Comparison::GreaterOrEqual => return Err(FunctionError::NotNumber),
        },
        (left, right) => left.number()?.partial_cmp(&right.number()?),
    };
    let ordering = ordering.ok_or(FunctionError::NotFinite)?;
    Ok(match comparison {
        Comparison::Less => ordering == Ordering::Less,
        Comparison::LessOrEqual => ordering != Ordering::Greater,
        Comparison::Greater => ordering == Ordering::Greater,
        Comparison::GreaterOrEqual => ordering != Ordering::Less,
        Comparison::Equal => ordering == Ordering::Equal,
        Comparison::NotEqual => ordering != Ordering::Equal,
    })
}

fn called(
    named: Named,
    arguments: &[Expression],
    of: impl Fn(&Expression) -> Result<Outcome, FunctionError>,
) -> Result<Outcome, FunctionError> {
    let numbers = arguments.iter().map(|argument| of(argument)?.number());
    let numbers: Vec<f64> = numbers.collect::<Result<_, _>>()?;
    finite(match named {
        Named::Abs => numbers.first().copied().unwrap_or(f64::NAN).abs(),
        Named::Max => numbers.into_iter().fold(f64::NEG_INFINITY, f64::max),
        Named::Min => numbers.into_iter().fold(f64::INFINITY, f64::min),
    })
}
