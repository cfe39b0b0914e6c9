//! Who sees what, and may do what.

use firebrick_db::{Column, Listing, Test};
use firebrick_policy::Rule;
use firebrick_vocabulary::{ProjectId, UserId};
use uuid::Uuid;

use crate::access::{Access, Owned};
use crate::error::{Error, ErrorKind, Result};
use crate::request::{Began, Context, Query};

/// The project and the user of those who are at the machine itself.
const OPERATOR: &str = "firebrick";

impl Context {
    /// Whoever may read the configuration, with its databases and sockets: they may do everything.
    pub fn operator() -> Self {
        let (user, project) = (UserId(OPERATOR.to_owned()), ProjectId(OPERATOR.to_owned()));
        Self {
            access: Access::own(&user, &project),
            request_id: format!("req-{}", Uuid::new_v4()),
            project,
            user,
            began: Began::default(),
        }
    }

    /// Whether the request sees and may change what belongs to other projects.
    pub fn is_admin(&self) -> bool {
        self.access.is_admin()
    }

    /// Whether things of `project` exist for whoever asks.
    pub(crate) fn sees(&self, project: &ProjectId) -> bool {
        self.is_admin() || self.project == *project
    }

    /// The project that owns what they make. One for the whole system has none.
    pub(crate) fn owner(&self) -> Result<&ProjectId> {
        if self.project.as_str().is_empty() {
            let text = "What is made belongs to a project, and this token is for none.";
            return Err(Error::invalid_input(text));
        }
        Ok(&self.project)
    }

    /// Whether they may do what `rule` is about to what they have or are about to make.
    pub fn may(&self, rule: Rule) -> bool {
        self.access.allows(rule, &self.project, Some(&self.user))
    }

    /// Whether they may do what `rule` is about to `thing`.
    pub fn may_for(&self, rule: Rule, thing: &impl Owned) -> bool {
        self.access.allows(rule, thing.project(), thing.user())
    }

    /// Refuses those who [may](Self::may) not.
    pub(crate) fn allow(&self, rule: Rule) -> Result<()> {
        refuse_unless(self.may(rule), rule)
    }

    /// Refuses those who [may](Self::may_for) not.
    pub(crate) fn allow_for(&self, rule: Rule, thing: &impl Owned) -> Result<()> {
        refuse_unless(self.may_for(rule, thing), rule)
    }

    /// The list with what hides other projects' rows.
    pub(crate) fn narrowed(&self, query: Query) -> Listing {
        if self.is_admin() && query.all_projects {
            return query.listing;
        }
        query
            .listing
            .and(Column::Project, Test::OneOf(vec![self.project.to_string()]))
    }
}

fn refuse_unless(allowed: bool, rule: Rule) -> Result<()> {
    if allowed {
        return Ok(());
    }
    let text = format!("Policy doesn't allow {} to be performed.", rule.name());
    Err(Error::new(ErrorKind::Forbidden, text))
}
