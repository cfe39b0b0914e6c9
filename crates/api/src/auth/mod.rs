//! Who asks: by `noauth` whoever they say, by `keystone` whoever a Keystone says.

mod keystone;
mod noauth;

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::response::Response;
use firebrick_control::Access;
use firebrick_policy::Policy;
use firebrick_vocabulary::{ProjectId, UserId};

pub(crate) use keystone::Shown;

use crate::fault::Fault;
use crate::options::AuthStrategy;

/// The longest user or project.
const MAX_NAME: usize = 255;

/// A user and the project they ask for.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) user: UserId,
    pub(crate) project: ProjectId,
}

/// What is known of whoever asks before it is known what they want.
pub(crate) enum Asker {
    /// What they say counts.
    Unproved,
    /// What their tokens say counts.
    Shown(Shown),
}

/// Asks what the tokens in `headers` say, or answers those who have none that counts.
pub(crate) async fn ask(auth: &AuthStrategy, headers: &HeaderMap) -> Result<Asker, Response> {
    match auth {
        AuthStrategy::NoAuth => Ok(Asker::Unproved),
        AuthStrategy::Keystone(keystone) => {
            let shown = keystone::ask(keystone, headers).await?;
            Ok(Asker::Shown(shown))
        }
    }
}

impl Asker {
    /// Who asks, and what they may do, with the project in the address.
    pub(crate) fn caller(
        self,
        headers: &HeaderMap,
        in_path: Option<&str>,
        policy: Arc<Policy>,
    ) -> Result<(Caller, Access), Fault> {
        match self {
            Self::Unproved => {
                let caller = noauth::caller(headers, in_path)?;
                let access = Access::unproved(policy, &caller.user, &caller.project);
                Ok((caller, access))
            }
            Self::Shown(shown) => shown.caller(in_path, policy),
        }
    }
}

/// Whether `text` can be a project's id: Keystone's hex digits and dashes, or a plain name.
pub(crate) fn is_project(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}
