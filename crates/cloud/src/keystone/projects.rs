//! Projects: which of them there are.

use super::{Keystone, KeystoneError};
use crate::seal::UserToken;

/// The longest id of a project, in bytes.
const MAX_ID: usize = 64;

/// What Keystone tells somebody about a project.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProjectAnswer {
    /// There is one with that id.
    There,
    /// There is none.
    Missing,
    /// They may not know.
    Forbidden,
}

impl Keystone {
    /// Whether there is a project `id`, asked with the token of who wants to know, as Cinder does.
    ///
    /// # Errors
    ///
    /// [`KeystoneError::Refused`] where the token has ended meanwhile, and
    /// [`KeystoneError::Unavailable`] where Keystone does not answer.
    pub async fn project(
        &self,
        token: &UserToken,
        id: &str,
    ) -> Result<ProjectAnswer, KeystoneError> {
        if !is_plain(id) {
            return Ok(ProjectAnswer::Missing);
        }
        let answer = self.wire.project(token.text().to_owned(), id).await?;
        match answer.status {
            200 => Ok(ProjectAnswer::There),
            404 => Ok(ProjectAnswer::Missing),
            403 => Ok(ProjectAnswer::Forbidden),
            401 => Err(KeystoneError::Refused),
            status => {
                let why = format!("keystone answered a question for a project with {status}");
                Err(KeystoneError::Unavailable(why.into()))
            }
        }
    }
}

/// Whether a project can have that id: Keystone's are hexadecimal, and those that were imported from
/// elsewhere at most as long. Nothing else may become a part of an address.
fn is_plain(id: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=MAX_ID).contains(&id.len()) && id.bytes().all(known)
}
