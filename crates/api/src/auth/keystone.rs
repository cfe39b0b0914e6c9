//! Tokens of a Keystone.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use firebrick_cloud::{Identity, Keystone, KeystoneError, UserToken};
use firebrick_control::Access;
use firebrick_policy::Policy;
use firebrick_vocabulary::{ProjectId, UserId};
use serde_json::json;

use super::Caller;
use crate::fault::Fault;

/// What the tokens of a request say.
pub(crate) struct Shown(Box<Identity>, UserToken);

/// What the tokens in `headers` say, or the answer to those who have none that counts.
pub(super) async fn ask(keystone: &Keystone, headers: &HeaderMap) -> Result<Shown, Response> {
    let found = match tokens(headers) {
        Ok((token, service)) => keystone.identity(token, service).await.map(|identity| {
            let token = UserToken::new(token);
            Shown(Box::new(identity), token)
        }),
        Err(error) => Err(error),
    };
    found.map_err(|error| refusal(keystone, &error))
}

/// `X-Auth-Token`, and `X-Service-Token` where there is one. Not text is no token.
fn tokens(headers: &HeaderMap) -> Result<(&str, Option<&str>), KeystoneError> {
    let text = |name| match headers.get(name) {
        Some(value) => value.to_str().map(Some).map_err(|_| KeystoneError::Refused),
        None => Ok(None),
    };
    let token = text("x-auth-token")?.ok_or(KeystoneError::Refused)?;
    Ok((token, text("x-service-token")?))
}

/// An answer in the form that keystonemiddleware gives it, which is not that of faults.
fn refusal(keystone: &Keystone, error: &KeystoneError) -> Response {
    let (status, title) = match error {
        KeystoneError::Refused => (StatusCode::UNAUTHORIZED, "Unauthorized"),
        KeystoneError::Unavailable(cause) => {
            tracing::error!(cause, "keystone could not be asked");
            (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
        }
        // Known since the start, so that no request meets it.
        KeystoneError::Options(_) => return Fault::internal().into_response(),
    };
    let body = json!({ "code": status.as_u16(), "title": title, "message": error.to_string() });
    let mut response = (status, axum::Json(json!({ "error": body }))).into_response();
    let challenge = format!("Keystone uri=\"{}\"", keystone.public_url());
    if status == StatusCode::UNAUTHORIZED
        && let Ok(value) = HeaderValue::from_str(&challenge)
    {
        let headers = response.headers_mut();
        headers.insert(header::WWW_AUTHENTICATE, value);
    }
    response
}

impl Shown {
    /// The caller by the token and the project in the address, which must be the token's. Without a
    /// project (a token for the system or a domain) it has to be left out.
    pub(super) fn caller(
        self,
        in_path: Option<&str>,
        policy: Arc<Policy>,
    ) -> Result<(Caller, Access), Fault> {
        let Identity { who, service } = *self.0;
        if in_path.is_some_and(|path| who.project_id.as_deref() != Some(path)) {
            return Err(Fault::bad_request("Malformed request url"));
        }
        let caller = Caller {
            user: UserId(who.user_id.clone().unwrap_or_default()),
            project: ProjectId(who.project_id.clone().unwrap_or_default()),
        };
        let access = Access::new(policy, who).with_token(self.1);
        Ok((caller, if service { access.by_service() } else { access }))
    }
}
