//! Who asks, and about what.

/// What a token says about who asks.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Credentials {
    /// `user_id`.
    pub user_id: Option<String>,
    /// `user_domain_id`: the domain that the user belongs to.
    pub user_domain_id: Option<String>,
    /// `project_id`; none where the token is for a domain or for the system.
    pub project_id: Option<String>,
    /// `project_domain_id`: the domain that the project belongs to.
    pub project_domain_id: Option<String>,
    /// `domain_id`; only where the token is for a domain.
    pub domain_id: Option<String>,
    /// `system_scope`: `all` where the token is for the system.
    pub system_scope: Option<String>,
    /// `roles`, by name, with those that they imply, as Keystone lists them.
    pub roles: Vec<String>,
    /// `service_roles`: the roles of the service that passed the request on.
    pub service_roles: Vec<String>,
    /// `is_admin`: what [`Rule::ContextIsAdmin`](crate::Rule::ContextIsAdmin) said about the others.
    pub is_admin: bool,
    /// `is_admin_project`: false only where the cloud has an admin project, and this is not it.
    pub is_admin_project: bool,
}

/// What is asked about. A check that compares with something that is `None` is false.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Target<'a> {
    /// `%(project_id)s`: the project that owns it.
    pub project_id: Option<&'a str>,
    /// `%(user_id)s`: the user who made it.
    pub user_id: Option<&'a str>,
    /// `%(domain_id)s`: the domain of that project.
    pub domain_id: Option<&'a str>,
}

impl<'a> Target<'a> {
    /// Something of `project`.
    pub fn of_project(project: &'a str) -> Self {
        Self {
            project_id: Some(project),
            ..Self::default()
        }
    }
}

impl Credentials {
    /// What things are that whoever asks is about to make.
    pub fn own(&self) -> Target<'_> {
        Target {
            project_id: self.project_id.as_deref(),
            user_id: self.user_id.as_deref(),
            domain_id: self.domain_id.as_deref(),
        }
    }
}
