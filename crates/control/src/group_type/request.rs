//! What is asked for about group types.

use crate::request::Metadata;

/// `POST /group_types`.
#[derive(Clone, Debug)]
pub struct CreateGroupType {
    /// `name`.
    pub name: String,
    /// `description`.
    pub description: Option<String>,
    /// `is_public`.
    pub is_public: bool,
    /// `group_specs`.
    pub group_specs: Metadata,
}

/// `PUT /group_types/{id}`: what is `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct UpdateGroupType {
    /// `name`.
    pub name: Option<String>,
    /// `description`.
    pub description: Option<String>,
    /// `is_public`.
    pub is_public: Option<bool>,
}
