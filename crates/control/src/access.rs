//! Who asks as policies see them, and the policy that holds.

use std::fmt;
use std::sync::{Arc, OnceLock};

use firebrick_cloud::UserToken;
use firebrick_db::{Attachment, Backup, Group, GroupSnapshot, Snapshot, Volume};
use firebrick_policy::{Credentials, Policy, Rule, Target};
use firebrick_vocabulary::{ProjectId, UserId};

/// What belongs to a project.
pub trait Owned {
    /// The project.
    fn project(&self) -> &ProjectId;

    /// The user who made it, where that is known.
    fn user(&self) -> Option<&UserId>;
}

impl Owned for Volume {
    fn project(&self) -> &ProjectId {
        &self.project
    }

    fn user(&self) -> Option<&UserId> {
        Some(&self.user)
    }
}

impl Owned for Snapshot {
    fn project(&self) -> &ProjectId {
        &self.project
    }

    fn user(&self) -> Option<&UserId> {
        Some(&self.user)
    }
}

impl Owned for Backup {
    fn project(&self) -> &ProjectId {
        &self.project
    }

    fn user(&self) -> Option<&UserId> {
        Some(&self.user)
    }
}

impl Owned for Group {
    fn project(&self) -> &ProjectId {
        &self.project
    }

    fn user(&self) -> Option<&UserId> {
        Some(&self.user)
    }
}

impl Owned for GroupSnapshot {
    fn project(&self) -> &ProjectId {
        &self.project
    }

    fn user(&self) -> Option<&UserId> {
        Some(&self.user)
    }
}

impl Owned for Attachment {
    fn project(&self) -> &ProjectId {
        &self.project
    }

    fn user(&self) -> Option<&UserId> {
        None
    }
}

/// Anything of a project.
impl Owned for ProjectId {
    fn project(&self) -> &ProjectId {
        self
    }

    fn user(&self) -> Option<&UserId> {
        None
    }
}

/// What whoever asks may do.
#[derive(Clone)]
pub struct Access {
    policy: Arc<Policy>,
    who: Arc<Credentials>,
    service: bool,
    token: Option<UserToken>,
}

impl Access {
    /// That of `who` by `policy`, which says too whether they are an administrator.
    pub fn new(policy: Arc<Policy>, who: Credentials) -> Self {
        let who = Arc::new(policy.judged(who));
        let service = false;
        Self {
            policy,
            who,
            service,
            token: None,
        }
    }

    /// The same with the token that they showed, which other services ask for.
    #[must_use]
    pub fn with_token(self, token: UserToken) -> Self {
        Self {
            token: Some(token),
            ..self
        }
    }

    /// The token that they showed; none under `noauth`.
    pub(crate) fn token(&self) -> Option<&UserToken> {
        self.token.as_ref()
    }

    /// The same, where a service such as Nova has shown that it passes the request on.
    #[must_use]
    pub fn by_service(self) -> Self {
        Self {
            service: true,
            ..self
        }
    }

    /// That of somebody who is an administrator without having shown it: `noauth`.
    pub fn unproved(policy: Arc<Policy>, user: &UserId, project: &ProjectId) -> Self {
        let roles = ["admin", "manager", "member", "reader"];
        let who = Credentials {
            user_id: Some(user.0.clone()),
            project_id: Some(project.0.clone()),
            roles: roles.map(str::to_owned).to_vec(),
            is_admin: true,
            is_admin_project: true,
            ..Credentials::default()
        };
        let who = Arc::new(who);
        // Services have nothing to show there either.
        let service = true;
        Self {
            policy,
            who,
            service,
            token: None,
        }
    }

    /// That of this program, for what it does by itself.
    pub(crate) fn own(user: &UserId, project: &ProjectId) -> Self {
        static POLICY: OnceLock<Arc<Policy>> = OnceLock::new();
        let policy = POLICY.get_or_init(Arc::default);
        Self::unproved(Arc::clone(policy), user, project)
    }

    /// Whether they are an administrator.
    pub fn is_admin(&self) -> bool {
        self.who.is_admin
    }

    /// Whether a service passes the request on, or nobody has to show that.
    pub(crate) fn is_service(&self) -> bool {
        self.service
    }

    /// Whether they may do what `rule` is about to something of `project`.
    pub(crate) fn allows(&self, rule: Rule, project: &ProjectId, user: Option<&UserId>) -> bool {
        let own = self.who.project_id.as_deref() == Some(project.as_str());
        let domain = self.who.project_domain_id.as_deref();
        let target = Target {
            project_id: Some(project.as_str()),
            user_id: user.map(|user| user.0.as_str()),
            // Of other projects the domain is not known.
            domain_id: domain.filter(|_| own),
        };
        self.policy.allows(rule, &self.who, &target)
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The policy is the same for all, and long.
        f.debug_tuple("Access").field(&self.who).finish()
    }
}
