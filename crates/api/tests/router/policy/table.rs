//! Which request asks which rule.
//!
//! A resource that lands moves its rules from [`UNASKED`] to [`asked`]. Names in braces stand for
//! things of the one project that are made anew for each request.

mod data;
mod groups;
mod settings;

/// One request.
pub(crate) struct Row {
    pub(crate) rule: &'static str,
    pub(crate) method: &'static str,
    /// Below `/v3`.
    pub(crate) path: &'static str,
    /// JSON, or nothing.
    pub(crate) body: &'static str,
    /// What it is answered with where nothing forbids it and there is no backend.
    pub(crate) passes: u16,
}

const fn row(
    rule: &'static str,
    method: &'static str,
    path: &'static str,
    body: &'static str,
    passes: u16,
) -> Row {
    Row {
        rule,
        method,
        path,
        body,
        passes,
    }
}

const fn get(rule: &'static str, path: &'static str) -> Row {
    row(rule, "GET", path, "", 200)
}

const fn act(rule: &'static str, body: &'static str, passes: u16) -> Row {
    row(rule, "POST", "/volumes/{volume}/action", body, passes)
}

/// Every request that asks a rule.
pub(crate) fn asked() -> impl Iterator<Item = &'static Row> {
    let rows = data::ASKED.iter().chain(settings::ASKED);
    rows.chain(groups::ASKED)
}

/// Rules that decide whether a field is shown: the request, and where the field is in its answer.
pub(crate) const FIELDS: &[(Row, &str)] = &[
    (
        get(
            "volume_extension:volume_tenant_attribute",
            "/volumes/{volume}",
        ),
        "/volume/os-vol-tenant-attr:tenant_id",
    ),
    (
        get(
            "volume_extension:volume_host_attribute",
            "/volumes/{volume}",
        ),
        "/volume/os-vol-host-attr:host",
    ),
    (
        get(
            "volume_extension:volume_mig_status_attribute",
            "/volumes/{volume}",
        ),
        "/volume/os-vol-mig-status-attr:migstat",
    ),
    (
        get(
            "volume_extension:types_extra_specs:read_sensitive",
            "/types/{type}",
        ),
        "/volume_type/extra_specs/secret",
    ),
    (
        get("volume_extension:access_types_extra_specs", "/types/{type}"),
        "/volume_type/extra_specs",
    ),
    (
        get(
            "volume_extension:extended_snapshot_attributes",
            "/snapshots/{snapshot}",
        ),
        "/snapshot/os-extended-snapshot-attributes:project_id",
    ),
    (
        get("backup:backup_project_attribute", "/backups/{backup}"),
        "/backup/os-backup-project-attr:project_id",
    ),
    (
        get(
            "volume_extension:access_types_qos_specs_id",
            "/types/{type}",
        ),
        "/volume_type/qos_specs_id",
    ),
    (
        get("volume_extension:volume_type_access", "/types/{type}"),
        "/volume_type/os-volume-type-access:is_public",
    ),
    (
        get(
            "volume_extension:volume_image_metadata:show",
            "/volumes/{imaged}",
        ),
        "/volume/volume_image_metadata",
    ),
    (
        get("group:access_group_types_specs", "/group_types/{grouptype}"),
        "/group_type/group_specs",
    ),
    (
        get("group:group_project_attribute", "/groups/{group}"),
        "/group/project_id",
    ),
    (
        get(
            "group:group_snapshot_project_attribute",
            "/group_snapshots/{groupsnapshot}",
        ),
        "/group_snapshot/project_id",
    ),
    (
        get("limits_extension:used_limits", "/limits"),
        "/limits/absolute/totalVolumesUsed",
    ),
];

/// Rules that nothing asks, and why.
pub(crate) const UNASKED: &[(&str, &[&str])] = &[
    (
        "Other rules refer to these.",
        &[
            "admin_or_owner",
            "system_or_domain_or_project_admin",
            "context_is_admin",
            "admin_api",
            "xena_system_admin_or_project_reader",
            "xena_system_admin_or_project_member",
        ],
    ),
    (
        "Cinder has no address for it.",
        &["group:update_group_snapshot"],
    ),
    (
        "Files of old may name it in place of those of each request; nothing asks it.",
        &["volume_extension:volume_type_encryption"],
    ),
    (
        "Cinder asks it where it writes for itself; no request does.",
        &["volume:update_volume_admin_metadata"],
    ),
];
