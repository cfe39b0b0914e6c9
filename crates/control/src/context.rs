//! Who sees what.

use firebrick_db::{Column, Listing, Test};
use firebrick_vocabulary::ProjectId;

use crate::error::{Error, ErrorKind, Result};
use crate::request::{Context, Query};

impl Context {
    /// Whether things of `project` exist for whoever asks.
    pub(crate) fn sees(&self, project: &ProjectId) -> bool {
        self.is_admin || self.project == *project
    }

    /// Refuses those who are no administrators.
    pub(crate) fn require_admin(&self) -> Result<()> {
        if self.is_admin {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Forbidden,
            "Policy doesn't allow this to be performed.",
        ))
    }

    /// Refuses those whom a policy, named as in Cinder, does not allow what they ask for: all but
    /// administrators.
    pub(crate) fn require(&self, policy: &str) -> Result<()> {
        if self.is_admin {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Forbidden,
            format_args!("Policy doesn't allow {policy} to be performed."),
        ))
    }

    /// The list with what hides other projects' rows.
    pub(crate) fn narrowed(&self, query: Query) -> Listing {
        if self.is_admin && query.all_projects {
            return query.listing;
        }
        query
            .listing
            .and(Column::Project, Test::OneOf(vec![self.project.to_string()]))
    }
}
