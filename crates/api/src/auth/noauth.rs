//! Cinder's `noauth`: the token is `user:project`; everybody is an administrator.

use axum::http::HeaderMap;
use firebrick_vocabulary::{ProjectId, UserId};

use super::{Caller, MAX_NAME, is_project};
use crate::fault::Fault;

/// Who somebody without a token is, and the project of an address without one.
const ANYBODY: &str = "admin";

/// The caller by `headers` and the project in the address. A token for another project is refused.
pub(super) fn caller(headers: &HeaderMap, in_path: Option<&str>) -> Result<Caller, Fault> {
    let token = match headers.get("x-auth-token") {
        Some(value) => value.to_str().map_err(|_| Fault::malformed())?,
        None => "",
    };
    let (user, project) = match token.split_once(':') {
        Some((user, "")) => (user, None),
        Some((user, project)) => (user, Some(project)),
        None => (token, None),
    };
    if let (Some(token), Some(path)) = (project, in_path)
        && token != path
    {
        return Err(Fault::bad_request("Malformed request url"));
    }
    let user = if user.is_empty() { ANYBODY } else { user };
    let project = project.or(in_path).unwrap_or(ANYBODY);
    if user.len() > MAX_NAME || !is_project(project) {
        return Err(Fault::bad_request("Malformed request url"));
    }
    Ok(Caller {
        user: UserId(user.to_owned()),
        project: ProjectId(project.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn asked(token: Option<&'static str>, path: Option<&str>) -> Result<(String, String), u16> {
        let mut headers = HeaderMap::new();
        if let Some(token) = token {
            headers.insert("x-auth-token", HeaderValue::from_static(token));
        }
        caller(&headers, path)
            .map(|caller| (caller.user.0, caller.project.0))
            .map_err(|fault| fault.status().as_u16())
    }

    fn is(user: &str, project: &str) -> (String, String) {
        (user.to_owned(), project.to_owned())
    }

    #[test]
    fn tokens_and_addresses_name_user_and_project() {
        assert_eq!(asked(None, None), Ok(is("admin", "admin")));
        assert_eq!(asked(None, Some("p1")), Ok(is("admin", "p1")));
        assert_eq!(asked(Some("u:p1"), None), Ok(is("u", "p1")));
        assert_eq!(asked(Some("u:p1"), Some("p1")), Ok(is("u", "p1")));
        assert_eq!(asked(Some("u"), Some("p1")), Ok(is("u", "p1")));
        assert_eq!(asked(Some("u:"), Some("p1")), Ok(is("u", "p1")));
    }

    #[test]
    fn a_token_for_another_project_is_refused() {
        assert_eq!(asked(Some("u:p2"), Some("p1")), Err(400));
        assert_eq!(asked(Some("u:p/2"), None), Err(400));
    }
}
