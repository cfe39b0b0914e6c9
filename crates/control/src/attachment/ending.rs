//! Who may end an attachment.
//!
//! A server goes on writing to a disk that is taken from it behind its back, by then perhaps somebody
//! else's (CVE-2023-2088). So only the service that runs the server, which lets go of the disk first,
//! ends an attachment that a server has.

use firebrick_db::Attachment;
use firebrick_policy::Rule;

use crate::error::{Error, ErrorKind, Result};
use crate::request::Context;

/// How an attachment ends.
#[derive(Clone, Copy)]
pub(super) struct Ending<'a> {
    /// What whoever asks must be allowed.
    pub(super) rules: &'a [Rule],
    /// Whether an administrator answers for what the server still does.
    pub(super) forced: bool,
}

impl<'a> Ending<'a> {
    /// That of a request which `rules` guard.
    pub(super) fn asked(rules: &'a [Rule]) -> Self {
        Self {
            rules,
            forced: false,
        }
    }
}

/// Refuses to end one of `rows`, of which it is not said which, where a server may have it and it is
/// not a service that asks.
pub(super) fn left_by_its_server(context: &Context, rows: &[Attachment]) -> Result<()> {
    if context.access.is_service() {
        return Ok(());
    }
    let instance = match rows {
        [] => return Ok(()),
        [row] => match (&row.instance, &row.connection_info) {
            (Some(instance), Some(_)) => instance.as_str(),
            (None, _) | (_, None) => return Ok(()),
        },
        [_, _, ..] => "",
    };
    let text = format!("Detach volume from instance {instance} using the Compute API");
    Err(Error::new(ErrorKind::Conflict, text))
}
