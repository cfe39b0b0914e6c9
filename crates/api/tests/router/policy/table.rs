//! Which request asks which rule.
//!
//! A resource that lands moves its rules from [`UNASKED`] to [`ASKED`]. Names in braces stand for
//! things of the one project that are made anew for each request.

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
pub(crate) const ASKED: &[Row] = &[
    // Activities and messages.
    get("firebrick:activity:get_all", "/activities"),
    get("firebrick:activity:get", "/activities/{activity}"),
    row(
        "firebrick:activity:cancel",
        "DELETE",
        "/activities/{activity}",
        "",
        202,
    ),
    get("message:get_all", "/messages"),
    get("message:get", "/messages/{message}"),
    row("message:delete", "DELETE", "/messages/{message}", "", 204),
    // Volumes.
    row(
        "volume:create",
        "POST",
        "/volumes",
        r#"{"volume": {"size": 1}}"#,
        202,
    ),
    row(
        "volume:multiattach",
        "POST",
        "/volumes",
        r#"{"volume": {"size": 1, "volume_type": "{type}"}}"#,
        202,
    ),
    get("volume:get", "/volumes/{volume}"),
    get("volume:get_all", "/volumes"),
    get("volume:get_all", "/volumes/detail"),
    get("volume:get_all", "/volumes/summary"),
    row(
        "volume:update",
        "PUT",
        "/volumes/{volume}",
        r#"{"volume": {"name": "n"}}"#,
        200,
    ),
    act(
        "volume:update",
        r#"{"os-set_bootable": {"bootable": true}}"#,
        200,
    ),
    act(
        "volume:update_readonly_flag",
        r#"{"os-update_readonly_flag": {"readonly": true}}"#,
        202,
    ),
    row("volume:delete", "DELETE", "/volumes/{volume}", "", 202),
    row(
        "volume:force_delete",
        "DELETE",
        "/volumes/{volume}?force=true",
        "",
        202,
    ),
    // It has no snapshot.
    act(
        "volume:revert_to_snapshot",
        r#"{"revert": {"snapshot_id": null}}"#,
        400,
    ),
    act("volume:extend", r#"{"os-extend": {"new_size": 2}}"#, 202),
    row(
        "volume:extend_attached_volume",
        "POST",
        "/volumes/{busy}/action",
        r#"{"os-extend": {"new_size": 2}}"#,
        202,
    ),
    act(
        "volume_extension:volume_admin_actions:reset_status",
        r#"{"os-reset_status": {"status": "error"}}"#,
        202,
    ),
    act(
        "volume_extension:volume_admin_actions:force_delete",
        r#"{"os-force_delete": {}}"#,
        202,
    ),
    get("volume:get_volume_metadata", "/volumes/{volume}/metadata"),
    act(
        "volume:get_volume_metadata",
        r#"{"os-show_image_metadata": null}"#,
        200,
    ),
    act(
        "volume_extension:volume_image_metadata:set",
        r#"{"os-set_image_metadata": {"metadata": {"a": "b"}}}"#,
        200,
    ),
    row(
        "volume_extension:volume_image_metadata:remove",
        "POST",
        "/volumes/{imaged}/action",
        r#"{"os-unset_image_metadata": {"key": "key"}}"#,
        200,
    ),
    get(
        "volume:get_volume_metadata",
        "/volumes/{volume}/metadata/key",
    ),
    row(
        "volume:create_volume_metadata",
        "POST",
        "/volumes/{volume}/metadata",
        r#"{"metadata": {"a": "b"}}"#,
        200,
    ),
    row(
        "volume:update_volume_metadata",
        "PUT",
        "/volumes/{volume}/metadata",
        r#"{"metadata": {"a": "b"}}"#,
        200,
    ),
    row(
        "volume:update_volume_metadata",
        "PUT",
        "/volumes/{volume}/metadata/a",
        r#"{"meta": {"a": "b"}}"#,
        200,
    ),
    row(
        "volume:delete_volume_metadata",
        "DELETE",
        "/volumes/{volume}/metadata/key",
        "",
        200,
    ),
    // Attachments.
    row(
        "volume:attachment_create",
        "POST",
        "/attachments",
        r#"{"attachment": {"volume_uuid": "{volume}", "instance_uuid": "{server}"}}"#,
        200,
    ),
    row(
        "volume:multiattach_bootable_volume",
        "POST",
        "/attachments",
        r#"{"attachment": {"volume_uuid": "{boot}", "instance_uuid": "{server}"}}"#,
        200,
    ),
    row(
        "volume:attachment_update",
        "PUT",
        "/attachments/{attachment}",
        r#"{"attachment": {"connector": {"host": "h"}}}"#,
        503,
    ),
    row(
        "volume:attachment_complete",
        "POST",
        "/attachments/{attachment}/action",
        r#"{"os-complete": {}}"#,
        204,
    ),
    row(
        "volume:attachment_delete",
        "DELETE",
        "/attachments/{attachment}",
        "",
        200,
    ),
    act(
        "volume_extension:volume_actions:reserve",
        r#"{"os-reserve": {}}"#,
        202,
    ),
    act(
        "volume_extension:volume_actions:unreserve",
        r#"{"os-unreserve": {}}"#,
        202,
    ),
    row(
        "volume_extension:volume_actions:begin_detaching",
        "POST",
        "/volumes/{busy}/action",
        r#"{"os-begin_detaching": {}}"#,
        202,
    ),
    act(
        "volume_extension:volume_actions:roll_detaching",
        r#"{"os-roll_detaching": {}}"#,
        202,
    ),
    act(
        "volume_extension:volume_actions:initialize_connection",
        r#"{"os-initialize_connection": {"connector": {"host": "h"}}}"#,
        503,
    ),
    act(
        "volume_extension:volume_actions:terminate_connection",
        r#"{"os-terminate_connection": {"connector": {}}}"#,
        202,
    ),
    act(
        "volume_extension:volume_actions:attach",
        r#"{"os-attach": {"mountpoint": "/dev/vdb", "host_name": "h"}}"#,
        202,
    ),
    act(
        "volume_extension:volume_actions:detach",
        r#"{"os-detach": {}}"#,
        202,
    ),
    act(
        "volume_extension:volume_admin_actions:force_detach",
        r#"{"os-force_detach": {}}"#,
        202,
    ),
    // Snapshots.
    row(
        "volume:create_snapshot",
        "POST",
        "/snapshots",
        r#"{"snapshot": {"volume_id": "{volume}"}}"#,
        202,
    ),
    get("volume:get_snapshot", "/snapshots/{snapshot}"),
    get("volume:get_all_snapshots", "/snapshots"),
    get("volume:get_all_snapshots", "/snapshots/detail"),
    row(
        "volume:update_snapshot",
        "PUT",
        "/snapshots/{snapshot}",
        r#"{"snapshot": {"name": "n"}}"#,
        200,
    ),
    row(
        "volume:delete_snapshot",
        "DELETE",
        "/snapshots/{snapshot}",
        "",
        202,
    ),
    get(
        "volume:get_snapshot_metadata",
        "/snapshots/{snapshot}/metadata",
    ),
    get(
        "volume:get_snapshot_metadata",
        "/snapshots/{snapshot}/metadata/key",
    ),
    row(
        "volume:update_snapshot_metadata",
        "POST",
        "/snapshots/{snapshot}/metadata",
        r#"{"metadata": {"a": "b"}}"#,
        200,
    ),
    row(
        "volume:update_snapshot_metadata",
        "PUT",
        "/snapshots/{snapshot}/metadata",
        r#"{"metadata": {"a": "b"}}"#,
        200,
    ),
    row(
        "volume:update_snapshot_metadata",
        "PUT",
        "/snapshots/{snapshot}/metadata/a",
        r#"{"meta": {"a": "b"}}"#,
        200,
    ),
    row(
        "volume:delete_snapshot_metadata",
        "DELETE",
        "/snapshots/{snapshot}/metadata/key",
        "",
        200,
    ),
    row(
        "volume_extension:snapshot_admin_actions:reset_status",
        "POST",
        "/snapshots/{snapshot}/action",
        r#"{"os-reset_status": {"status": "error"}}"#,
        202,
    ),
    row(
        "volume_extension:snapshot_admin_actions:force_delete",
        "POST",
        "/snapshots/{snapshot}/action",
        r#"{"os-force_delete": {}}"#,
        202,
    ),
    row(
        "snapshot_extension:snapshot_actions:update_snapshot_status",
        "POST",
        "/snapshots/{snapshot}/action",
        r#"{"os-update_snapshot_status": {"status": "available"}}"#,
        400,
    ),
    // Backups, of which none is made or read where no folder is named for them.
    get("backup:get_all", "/backups"),
    get("backup:get_all", "/backups/detail"),
    get("backup:get", "/backups/{backup}"),
    row(
        "backup:create",
        "POST",
        "/backups",
        r#"{"backup": {"volume_id": "{volume}"}}"#,
        503,
    ),
    row(
        "backup:update",
        "PUT",
        "/backups/{backup}",
        r#"{"backup": {"name": "n"}}"#,
        200,
    ),
    row("backup:delete", "DELETE", "/backups/{backup}", "", 503),
    row(
        "backup:restore",
        "POST",
        "/backups/{backup}/restore",
        r#"{"restore": {"volume_id": "{volume}"}}"#,
        503,
    ),
    row(
        "backup:restore",
        "POST",
        "/backups/{backup}/restore",
        r#"{"restore": {}}"#,
        503,
    ),
    row(
        "backup:backup-import",
        "POST",
        "/backups/import_record",
        r#"{"backup-record": {"backup_service": "s", "backup_url": "Zg=="}}"#,
        503,
    ),
    row(
        "backup:export-import",
        "GET",
        "/backups/{backup}/export_record",
        "",
        503,
    ),
    row(
        "volume_extension:backup_admin_actions:reset_status",
        "POST",
        "/backups/{backup}/action",
        r#"{"os-reset_status": {"status": "error"}}"#,
        202,
    ),
    row(
        "volume_extension:backup_admin_actions:force_delete",
        "POST",
        "/backups/{backup}/action",
        r#"{"os-force_delete": {}}"#,
        503,
    ),
    // Types.
    get("volume_extension:type_get_all", "/types"),
    get("volume_extension:type_get", "/types/{type}"),
    get("volume_extension:type_get", "/types/default"),
    row(
        "volume_extension:type_create",
        "POST",
        "/types",
        r#"{"volume_type": {"name": "{server}"}}"#,
        200,
    ),
    row(
        "volume_extension:type_update",
        "PUT",
        "/types/{type}",
        r#"{"volume_type": {"description": "d"}}"#,
        200,
    ),
    row(
        "volume_extension:type_delete",
        "DELETE",
        "/types/{type}",
        "",
        202,
    ),
    get(
        "volume_extension:types_extra_specs:index",
        "/types/{type}/extra_specs",
    ),
    get(
        "volume_extension:types_extra_specs:show",
        "/types/{type}/extra_specs/multiattach",
    ),
    row(
        "volume_extension:types_extra_specs:create",
        "POST",
        "/types/{type}/extra_specs",
        r#"{"extra_specs": {"a": "b"}}"#,
        200,
    ),
    row(
        "volume_extension:types_extra_specs:update",
        "PUT",
        "/types/{type}/extra_specs/a",
        r#"{"a": "b"}"#,
        200,
    ),
    row(
        "volume_extension:types_extra_specs:delete",
        "DELETE",
        "/types/{type}/extra_specs/multiattach",
        "",
        202,
    ),
    // Who may use types, and how they are encrypted.
    get(
        "volume_extension:volume_type_access:get_all_for_type",
        "/types/{private}/os-volume-type-access",
    ),
    row(
        "volume_extension:volume_type_access:addProjectAccess",
        "POST",
        "/types/{private}/action",
        r#"{"addProjectAccess": {"project": "others"}}"#,
        202,
    ),
    row(
        "volume_extension:volume_type_access:removeProjectAccess",
        "POST",
        "/types/{private}/action",
        r#"{"removeProjectAccess": {"project": "guests"}}"#,
        202,
    ),
    get(
        "volume_extension:volume_type_encryption:get",
        "/types/{encrypted}/encryption",
    ),
    get(
        "volume_extension:volume_type_encryption:get",
        "/types/{encrypted}/encryption/provider",
    ),
    row(
        "volume_extension:volume_type_encryption:create",
        "POST",
        "/types/{type}/encryption",
        r#"{"encryption": {"provider": "luks", "control_location": "front-end"}}"#,
        200,
    ),
    row(
        "volume_extension:volume_type_encryption:update",
        "PUT",
        "/types/{encrypted}/encryption/{server}",
        r#"{"encryption": {"key_size": 256}}"#,
        200,
    ),
    row(
        "volume_extension:volume_type_encryption:delete",
        "DELETE",
        "/types/{encrypted}/encryption/{server}",
        "",
        202,
    ),
    get(
        "volume_extension:volume_encryption_metadata",
        "/volumes/{volume}/encryption",
    ),
    row(
        "volume_extension:volume_encryption_metadata",
        "GET",
        "/volumes/{volume}/encryption/none",
        "",
        404,
    ),
    // Default types.
    get("volume_extension:default_get_all", "/default-types"),
    get(
        "volume_extension:default_get",
        "/default-types/{defaulting}",
    ),
    row(
        "volume_extension:default_set_or_update",
        "PUT",
        "/default-types/{server}",
        r#"{"default_type": {"volume_type": "{type}"}}"#,
        200,
    ),
    row(
        "volume_extension:default_unset",
        "DELETE",
        "/default-types/{defaulting}",
        "",
        204,
    ),
    // QoS specs.
    get("volume_extension:qos_specs_manage:get_all", "/qos-specs"),
    get(
        "volume_extension:qos_specs_manage:get_all",
        "/qos-specs/{qos}/associations",
    ),
    get("volume_extension:qos_specs_manage:get", "/qos-specs/{qos}"),
    row(
        "volume_extension:qos_specs_manage:create",
        "POST",
        "/qos-specs",
        r#"{"qos_specs": {"name": "{server}"}}"#,
        200,
    ),
    row(
        "volume_extension:qos_specs_manage:update",
        "PUT",
        "/qos-specs/{qos}",
        r#"{"qos_specs": {"a": "b"}}"#,
        200,
    ),
    row(
        "volume_extension:qos_specs_manage:update",
        "GET",
        "/qos-specs/{qos}/associate?vol_type_id={type}",
        "",
        202,
    ),
    row(
        "volume_extension:qos_specs_manage:update",
        "GET",
        "/qos-specs/{qos}/disassociate?vol_type_id={type}",
        "",
        202,
    ),
    row(
        "volume_extension:qos_specs_manage:update",
        "GET",
        "/qos-specs/{qos}/disassociate_all",
        "",
        202,
    ),
    row(
        "volume_extension:qos_specs_manage:delete",
        "DELETE",
        "/qos-specs/{qos}",
        "",
        202,
    ),
    row(
        "volume_extension:qos_specs_manage:delete",
        "PUT",
        "/qos-specs/{qos}/delete_keys",
        r#"{"keys": []}"#,
        202,
    ),
    // Quotas.
    get("volume_extension:quotas:show", "/os-quota-sets/{here}"),
    get(
        "volume_extension:quotas:show",
        "/os-quota-sets/{here}?usage=true",
    ),
    get(
        "volume_extension:quotas:show",
        "/os-quota-sets/{here}/defaults",
    ),
    row(
        "volume_extension:quotas:update",
        "PUT",
        "/os-quota-sets/{here}",
        r#"{"quota_set": {"groups": 5}}"#,
        200,
    ),
    row(
        "volume_extension:quotas:delete",
        "DELETE",
        "/os-quota-sets/{here}",
        "",
        200,
    ),
    get(
        "volume_extension:quota_classes:get",
        "/os-quota-class-sets/gold",
    ),
    row(
        "volume_extension:quota_classes:update",
        "PUT",
        "/os-quota-class-sets/gold",
        r#"{"quota_class_set": {"groups": 5}}"#,
        200,
    ),
    // Services and pools.
    get("volume_extension:services:index", "/os-services"),
    row(
        "volume_extension:services:update",
        "PUT",
        "/os-services/enable",
        r#"{"binary": "cinder-volume", "host": "none@none"}"#,
        404,
    ),
    row(
        "volume_extension:services:update",
        "PUT",
        "/os-services/disable",
        r#"{"binary": "cinder-volume", "host": "none@none"}"#,
        404,
    ),
    row(
        "volume:freeze_host",
        "PUT",
        "/os-services/freeze",
        r#"{"host": "none@none"}"#,
        400,
    ),
    row(
        "volume:thaw_host",
        "PUT",
        "/os-services/thaw",
        r#"{"host": "none@none"}"#,
        400,
    ),
    row(
        "volume:failover_host",
        "PUT",
        "/os-services/failover_host",
        r#"{"host": "none@none"}"#,
        400,
    ),
    row(
        "volume:failover_host",
        "PUT",
        "/os-services/failover",
        r#"{"host": "none@none"}"#,
        400,
    ),
    get("volume_extension:hosts", "/os-hosts"),
    row(
        "volume_extension:hosts",
        "GET",
        "/os-hosts/none@none",
        "",
        404,
    ),
    row(
        "volume_extension:hosts",
        "PUT",
        "/os-hosts/none@none",
        r#"{"status": "enable"}"#,
        404,
    ),
    get(
        "scheduler_extension:scheduler_stats:get_pools",
        "/scheduler-stats/get_pools",
    ),
    row(
        "volume_extension:capabilities",
        "GET",
        "/capabilities/none@none",
        "",
        404,
    ),
];

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
        "There are no clusters yet.",
        &[
            "clusters:get_all",
            "clusters:get",
            "clusters:update",
            "workers:cleanup",
        ],
    ),
    (
        "There are no groups yet.",
        &[
            "group:get_all",
            "group:create",
            "group:get",
            "group:update",
            "group:group_project_attribute",
            "group:group_types:create",
            "group:group_types:update",
            "group:group_types:delete",
            "group:access_group_types_specs",
            "group:group_types_specs:get",
            "group:group_types_specs:get_all",
            "group:group_types_specs:create",
            "group:group_types_specs:update",
            "group:group_types_specs:delete",
            "group:get_all_group_snapshots",
            "group:create_group_snapshot",
            "group:get_group_snapshot",
            "group:delete_group_snapshot",
            "group:update_group_snapshot",
            "group:group_snapshot_project_attribute",
            "group:reset_group_snapshot_status",
            "group:delete",
            "group:reset_status",
            "group:enable_replication",
            "group:disable_replication",
            "group:failover_replication",
            "group:list_replication_targets",
        ],
    ),
    (
        "Nothing is managed or unmanaged yet.",
        &[
            "snapshot_extension:list_manageable",
            "snapshot_extension:snapshot_manage",
            "snapshot_extension:snapshot_unmanage",
            "volume_extension:list_manageable",
            "volume_extension:volume_manage",
            "volume_extension:volume_unmanage",
        ],
    ),
    (
        "Files of old may name it in place of those of each request; nothing asks it.",
        &["volume_extension:volume_type_encryption"],
    ),
    (
        "There are no transfers yet.",
        &[
            "volume:get_all_transfers",
            "volume:create_transfer",
            "volume:get_transfer",
            "volume:accept_transfer",
            "volume:delete_transfer",
        ],
    ),
    (
        "Volumes are neither made of images nor made into ones yet.",
        &[
            "volume_extension:volume_actions:upload_public",
            "volume_extension:volume_actions:upload_image",
            "volume:reimage",
            "volume:reimage_reserved",
            "volume:create_from_image",
        ],
    ),
    (
        "Cinder asks it where it writes for itself; no request does.",
        &["volume:update_volume_admin_metadata"],
    ),
    (
        "Volumes do not do this yet.",
        &[
            "volume_extension:volume_admin_actions:extend_volume_completion",
            "volume:retype",
            "volume_extension:volume_admin_actions:migrate_volume",
            "volume_extension:volume_admin_actions:migrate_volume_completion",
        ],
    ),
];
