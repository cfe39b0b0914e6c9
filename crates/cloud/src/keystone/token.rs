//! A token as Keystone describes it.

use firebrick_policy::Credentials;
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// `{"token": …}`.
#[derive(Deserialize)]
struct Document {
    token: Described,
}

#[derive(Deserialize)]
struct Described {
    user: Named,
    project: Option<Named>,
    domain: Option<Bare>,
    system: Option<System>,
    #[serde(default)]
    roles: Vec<Role>,
    is_admin_project: Option<bool>,
    expires_at: String,
}

#[derive(Deserialize)]
struct Named {
    id: String,
    domain: Option<Bare>,
}

#[derive(Deserialize)]
struct Bare {
    id: Option<String>,
}

#[derive(Deserialize)]
struct System {
    #[serde(default)]
    all: bool,
}

#[derive(Deserialize)]
struct Role {
    name: String,
}

/// A token that Keystone knows.
pub(super) struct Token {
    credentials: Credentials,
    /// When it ends, or ended.
    pub(super) expires_at: OffsetDateTime,
}

impl Token {
    /// The token that `body` describes.
    pub(super) fn read(body: &[u8]) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let Document { token } = serde_json::from_slice(body)?;
        let expires_at = OffsetDateTime::parse(&token.expires_at, &Rfc3339)?;
        let domain = |named: &Named| named.domain.as_ref().and_then(|domain| domain.id.clone());
        let credentials = Credentials {
            user_domain_id: domain(&token.user),
            user_id: Some(token.user.id),
            project_domain_id: token.project.as_ref().and_then(domain),
            project_id: token.project.map(|project| project.id),
            domain_id: token.domain.and_then(|domain| domain.id),
            system_scope: token
                .system
                .filter(|system| system.all)
                .map(|_| "all".to_owned()),
            roles: token.roles.into_iter().map(|role| role.name).collect(),
            service_roles: Vec::new(),
            is_admin: false,
            is_admin_project: token.is_admin_project.unwrap_or(true),
        };
        Ok(Self {
            credentials,
            expires_at,
        })
    }

    /// What policies see of it.
    pub(super) fn credentials(&self) -> Credentials {
        self.credentials.clone()
    }

    pub(super) fn roles(&self) -> Vec<String> {
        self.credentials.roles.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_told_apart() {
        let read = |scope: &str| {
            let body = format!(
                r#"{{"token": {{"user": {{"id": "u", "name": "n", "domain": {{"id": "d", "name": "D"}}}},
                    "methods": ["password"], "roles": [{{"id": "1", "name": "reader"}}],
                    "expires_at": "2030-01-02T03:04:05.000000Z" {scope}}}}}"#
            );
            Token::read(body.as_bytes()).unwrap().credentials()
        };
        let project =
            read(r#", "project": {"id": "p", "domain": {"id": "e"}}, "is_domain": false"#);
        assert_eq!(project.project_id.as_deref(), Some("p"));
        assert_eq!(project.project_domain_id.as_deref(), Some("e"));
        assert_eq!(project.user_domain_id.as_deref(), Some("d"));
        assert_eq!(project.roles, ["reader"]);
        assert!(project.is_admin_project);
        let system = read(r#", "system": {"all": true}"#);
        assert_eq!(system.system_scope.as_deref(), Some("all"));
        assert_eq!(system.project_id, None);
        let domain = read(r#", "domain": {"id": "f", "name": "F"}"#);
        assert_eq!(domain.domain_id.as_deref(), Some("f"));
        let none = read(r#", "is_admin_project": false"#);
        assert!(!none.is_admin_project);
        assert_eq!((none.project_id, none.system_scope), (None, None));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for body in [
            "",
            "{}",
            "[1]",
            r#"{"token": {"user": {"id": "u"}, "expires_at": "soon"}}"#,
        ] {
            assert!(Token::read(body.as_bytes()).is_err(), "{body}");
        }
    }
}
