//! Checks that were understood, and how they are decided.

use std::borrow::Cow;

use crate::who::{Credentials, Target};

/// A check; `R` is how it refers to rules: by name as parsed, by place once linked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Check<R> {
    /// `@` and the empty text.
    Always,
    /// `!`.
    Never,
    /// `not …`.
    Not(Box<Self>),
    /// `… and …`.
    All(Vec<Self>),
    /// `… or …`.
    Any(Vec<Self>),
    /// `role:…`.
    Role(Text),
    /// `rule:…`.
    Rule(R),
    /// `project_id:…` and the like.
    Attribute(Attribute, Text),
    /// `'admin':…`: a fixed word instead of an attribute.
    Word(String, Text),
}

/// What checks may compare of who asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Attribute {
    UserId,
    UserDomainId,
    ProjectId,
    ProjectDomainId,
    DomainId,
    SystemScope,
    Roles,
    ServiceRoles,
    IsAdmin,
    IsAdminProject,
}

/// What checks may compare with of what is asked about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Field {
    Project,
    User,
    Domain,
}

/// A text with fields of the target in it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Text(pub(crate) Vec<Part>);

/// A piece of a text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Part {
    Plain(String),
    Field(Field),
}

impl Attribute {
    /// The attribute of that name; some have an older one beside it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "user_id" | "user" => Self::UserId,
            "user_domain_id" | "user_domain" => Self::UserDomainId,
            "project_id" | "tenant" | "tenant_id" => Self::ProjectId,
            "project_domain_id" | "project_domain" => Self::ProjectDomainId,
            "domain_id" | "domain" => Self::DomainId,
            "system_scope" => Self::SystemScope,
            "roles" => Self::Roles,
            "service_roles" => Self::ServiceRoles,
            "is_admin" => Self::IsAdmin,
            "is_admin_project" => Self::IsAdminProject,
            _ => return None,
        })
    }

    fn is(self, who: &Credentials, value: &str) -> bool {
        let same = |own: &Option<String>| own.as_deref() == Some(value);
        let flag = |own: bool| value == if own { "True" } else { "False" };
        match self {
            Self::UserId => same(&who.user_id),
            Self::UserDomainId => same(&who.user_domain_id),
            Self::ProjectId => same(&who.project_id),
            Self::ProjectDomainId => same(&who.project_domain_id),
            Self::DomainId => same(&who.domain_id),
            Self::SystemScope => same(&who.system_scope),
            Self::Roles => who.roles.iter().any(|role| role == value),
            Self::ServiceRoles => who.service_roles.iter().any(|role| role == value),
            Self::IsAdmin => flag(who.is_admin),
            Self::IsAdminProject => flag(who.is_admin_project),
        }
    }
}

impl Text {
    /// The text about `target`; none where the target lacks one of the fields.
    fn about<'a>(&'a self, target: &Target<'a>) -> Option<Cow<'a, str>> {
        if let [part] = self.0.as_slice() {
            return part.about(target).map(Cow::Borrowed);
        }
        let parts: Option<Vec<&str>> = self.0.iter().map(|part| part.about(target)).collect();
        parts.map(|parts| Cow::Owned(parts.concat()))
    }
}

impl Part {
    fn about<'a>(&'a self, target: &Target<'a>) -> Option<&'a str> {
        match self {
            Self::Plain(text) => Some(text),
            Self::Field(Field::Project) => target.project_id,
            Self::Field(Field::User) => target.user_id,
            Self::Field(Field::Domain) => target.domain_id,
        }
    }
}

impl Check<usize> {
    /// Whether it holds for `who` about `target`; `rules` are what it may refer to, without circles.
    pub(crate) fn holds(&self, rules: &[Self], who: &Credentials, target: &Target<'_>) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Not(check) => !check.holds(rules, who, target),
            Self::All(checks) => checks.iter().all(|c| c.holds(rules, who, target)),
            Self::Any(checks) => checks.iter().any(|c| c.holds(rules, who, target)),
            Self::Rule(place) => rules
                .get(*place)
                .is_some_and(|rule| rule.holds(rules, who, target)),
            Self::Role(text) => text
                .about(target)
                .is_some_and(|role| who.roles.iter().any(|own| same_role(own, &role))),
            Self::Attribute(attribute, text) => text
                .about(target)
                .is_some_and(|value| attribute.is(who, &value)),
            Self::Word(word, text) => text.about(target).is_some_and(|value| value == *word),
        }
    }
}

/// Keystone tells roles apart without case.
fn same_role(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
        || (!one.is_ascii() && one.to_lowercase() == other.to_lowercase())
}

impl<R> Check<R> {
    /// Turns what it refers to into something else.
    pub(crate) fn link<S, E>(self, to: &mut impl FnMut(R) -> Result<S, E>) -> Result<Check<S>, E> {
        let mut every = |checks: Vec<Self>| -> Result<Vec<Check<S>>, E> {
            checks.into_iter().map(|check| check.link(to)).collect()
        };
        Ok(match self {
            Self::Always => Check::Always,
            Self::Never => Check::Never,
            Self::All(checks) => Check::All(every(checks)?),
            Self::Any(checks) => Check::Any(every(checks)?),
            Self::Not(check) => Check::Not(Box::new(check.link(to)?)),
            Self::Rule(rule) => Check::Rule(to(rule)?),
            Self::Role(text) => Check::Role(text),
            Self::Attribute(attribute, text) => Check::Attribute(attribute, text),
            Self::Word(word, text) => Check::Word(word, text),
        })
    }

    /// Gives `visit` everything that it refers to.
    pub(crate) fn references(&self, visit: &mut impl FnMut(&R)) {
        match self {
            Self::All(checks) | Self::Any(checks) => {
                for check in checks {
                    check.references(visit);
                }
            }
            Self::Not(check) => check.references(visit),
            Self::Rule(rule) => visit(rule),
            Self::Always | Self::Never | Self::Role(_) | Self::Attribute(..) | Self::Word(..) => {}
        }
    }
}
