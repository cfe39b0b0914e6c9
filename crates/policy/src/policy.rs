//! All rules together, ready to be asked.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::check::Check;
use crate::file::{self, Entry};
use crate::language::{self, CheckError};
use crate::rule::Rule;
use crate::who::{Credentials, Target};

/// How many rules may lead from one to the next.
const MAX_CHAIN: usize = 32;
/// The most rules of a file that are none of ours.
const MAX_EXTRA: usize = 1000;

/// Which defaults hold: `[oslo_policy] enforce_new_defaults`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Defaults {
    /// Those with the roles `member` and `reader` only; the default of `enforce_new_defaults`.
    #[default]
    New,
    /// Those, and what was allowed before there were these roles: `enforce_new_defaults = false`.
    NewOrFormer,
}

/// Why a policy cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PolicyError {
    /// The file's form.
    #[error("line {line} {reason}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A rule's check.
    #[error("the check of the rule {rule:?} {reason}")]
    Check {
        /// The rule.
        rule: String,
        /// What is wrong with its check.
        reason: CheckError,
    },
    /// A rule refers to one that is not there.
    #[error("the check of the rule {rule:?} refers to {missing:?}, which is no rule")]
    Missing {
        /// The rule.
        rule: String,
        /// What it refers to.
        missing: String,
    },
    /// A rule leads back to itself.
    #[error("the rule {rule:?} refers to itself, at once or through others")]
    Circle {
        /// The rule.
        rule: String,
    },
    /// A rule leads to one that leads to another, too often.
    #[error(
        "the rule {rule:?} refers to another that refers to another, more than {MAX_CHAIN} times"
    )]
    Chain {
        /// The rule.
        rule: String,
    },
    /// Too many rules.
    #[error("there are more than {MAX_EXTRA} rules with names that nothing asks for")]
    Crowd,
}

/// What an operator should know about a file that can be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Remark {
    /// No request asks for it, and no rule refers to it.
    #[error("the rule {0:?} is none that is known, and no other rule refers to it")]
    Unused(String),
    /// It has another name by now; it is applied nevertheless.
    #[error("the rule {old:?} is called {new:?} by now; the old name is applied")]
    Renamed {
        /// The name in the file.
        old: String,
        /// One of the rules to which it applies.
        new: &'static str,
    },
}

/// Who may do what.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The checks of [`Rule::ALL`], in their order, and behind them those with names of operators.
    checks: Vec<Check<usize>>,
}

/// The defaults, without a file.
impl Default for Policy {
    fn default() -> Self {
        // The tests know that the defaults can be understood; without checks, nobody may do anything.
        let parsed = Self::parse("", Defaults::New);
        parsed.map_or(Self { checks: Vec::new() }, |(policy, _)| policy)
    }
}

impl Policy {
    /// The policy that the text of a `policy.yaml` makes of the defaults, and what should be said
    /// about it. The empty text leaves the defaults.
    ///
    /// # Errors
    ///
    /// With the line or the rule, where something cannot be understood.
    pub fn parse(text: &str, defaults: Defaults) -> Result<(Self, Vec<Remark>), PolicyError> {
        let entries = file::entries(text).map_err(|(line, reason)| PolicyError::Line {
            line,
            reason: reason.to_string(),
        })?;
        let mut named = BTreeMap::new();
        for Entry { name, check } in entries {
            let parsed = match &check {
                Value::String(text) => language::parse(text),
                Value::Array(list) => language::parse_list(list),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
                    Err(CheckError::Form)
                }
            };
            let parsed = parsed.map_err(|reason| refused(&name, reason))?;
            named.insert(name, parsed);
        }
        Builder::new(named, defaults).build()
    }

    /// Whether `who` may do what `rule` is about to `target`.
    pub fn allows(&self, rule: Rule, who: &Credentials, target: &Target<'_>) -> bool {
        let check = self.checks.get(rule.index());
        check.is_some_and(|check| check.holds(&self.checks, who, target))
    }

    /// The same credentials with [`Credentials::is_admin`] as this policy sees it.
    #[must_use]
    pub fn judged(&self, who: Credentials) -> Credentials {
        let is_admin = self.allows(Rule::ContextIsAdmin, &who, &who.own());
        Credentials { is_admin, ..who }
    }
}

fn refused(rule: &str, reason: CheckError) -> PolicyError {
    PolicyError::Check {
        rule: rule.to_owned(),
        reason,
    }
}

struct Builder {
    /// The file's checks.
    named: BTreeMap<String, Check<String>>,
    /// The rules' names, then the file's other names.
    names: Vec<String>,
    defaults: Defaults,
    remarks: Vec<Remark>,
}

impl Builder {
    fn new(named: BTreeMap<String, Check<String>>, defaults: Defaults) -> Self {
        let known = Rule::ALL.iter().map(|rule| rule.name().to_owned());
        let extra = named.keys().filter(|name| Rule::named(name).is_none());
        Self {
            names: known.chain(extra.cloned()).collect(),
            named,
            defaults,
            remarks: Vec::new(),
        }
    }

    fn build(mut self) -> Result<(Policy, Vec<Remark>), PolicyError> {
        if self.names.len() > Rule::ALL.len() + MAX_EXTRA {
            return Err(PolicyError::Crowd);
        }
        let mut parsed = Vec::with_capacity(self.names.len());
        for rule in Rule::ALL {
            parsed.push(self.check_of(*rule)?);
        }
        for name in &self.names[Rule::ALL.len()..] {
            parsed.extend(self.named.get(name).cloned());
        }
        let checks = self.linked(parsed)?;
        let mut heights = BTreeMap::new();
        for place in 0..checks.len() {
            self.follow(&checks, place, &mut heights)?;
        }
        self.remark_unused(&checks);
        Ok((Policy { checks }, self.remarks))
    }

    /// The check of one of our rules: the file's, under its name or its former one, or the default.
    fn check_of(&mut self, rule: Rule) -> Result<Check<String>, PolicyError> {
        if let Some(given) = self.named.get(rule.name()) {
            return Ok(given.clone());
        }
        let parse = |text| language::parse(text).map_err(|why| refused(rule.name(), why));
        let default = parse(rule.default_check())?;
        let Some(former) = rule.former() else {
            return Ok(default);
        };
        if let Some(old) = former.name.filter(|old| self.named.contains_key(*old)) {
            self.remarks.push(Remark::Renamed {
                old: old.to_owned(),
                new: rule.name(),
            });
            return Ok(Check::Rule(old.to_owned()));
        }
        match self.defaults {
            Defaults::New => Ok(default),
            Defaults::NewOrFormer => Ok(Check::Any(vec![default, parse(former.default)?])),
        }
    }

    fn linked(&self, parsed: Vec<Check<String>>) -> Result<Vec<Check<usize>>, PolicyError> {
        let places: BTreeMap<&str, usize> = self
            .names
            .iter()
            .enumerate()
            .map(|(place, name)| (name.as_str(), place))
            .collect();
        let linked = parsed.into_iter().zip(&self.names).map(|(check, name)| {
            check.link(&mut |to: String| {
                let place = places.get(to.as_str()).copied();
                place.ok_or_else(|| PolicyError::Missing {
                    rule: name.clone(),
                    missing: to,
                })
            })
        });
        linked.collect()
    }

    /// How many rules lead on from `place`, which is one of them. Refuses circles and long chains;
    /// `heights` remembers what was followed, with none for what is being followed.
    fn follow(
        &self,
        checks: &[Check<usize>],
        place: usize,
        heights: &mut BTreeMap<usize, Option<usize>>,
    ) -> Result<usize, PolicyError> {
        let rule = || self.names[place].clone();
        match heights.get(&place) {
            Some(Some(height)) => return Ok(*height),
            Some(None) => return Err(PolicyError::Circle { rule: rule() }),
            None => heights.insert(place, None),
        };
        let mut next = Vec::new();
        checks[place].references(&mut |to| next.push(*to));
        let mut height = 1;
        for to in next {
            height = height.max(1 + self.follow(checks, to, heights)?);
        }
        if height > MAX_CHAIN {
            return Err(PolicyError::Chain { rule: rule() });
        }
        heights.insert(place, Some(height));
        Ok(height)
    }

    fn remark_unused(&mut self, checks: &[Check<usize>]) {
        let mut used = vec![false; checks.len()];
        for check in checks {
            check.references(&mut |to| used[*to] = true);
        }
        let extra = (Rule::ALL.len()..checks.len()).filter(|place| !used[*place]);
        let unused = extra.map(|place| Remark::Unused(self.names[place].clone()));
        self.remarks.extend(unused);
    }
}

#[cfg(test)]
mod tests;
