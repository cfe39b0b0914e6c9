//! What is asked about groups.

use super::{Row, get, row};

pub(super) const ASKED: &[Row] = &[
    // Group types.
    row(
        "group:group_types:create",
        "POST",
        "/group_types",
        r#"{"group_type": {"name": "{server}"}}"#,
        202,
    ),
    row(
        "group:group_types:update",
        "PUT",
        "/group_types/{grouptype}",
        r#"{"group_type": {"description": "d"}}"#,
        200,
    ),
    row(
        "group:group_types:delete",
        "DELETE",
        "/group_types/{grouptype}",
        "",
        202,
    ),
    get(
        "group:group_types_specs:get_all",
        "/group_types/{grouptype}/group_specs",
    ),
    get(
        "group:group_types_specs:get",
        "/group_types/{grouptype}/group_specs/key",
    ),
    row(
        "group:group_types_specs:create",
        "POST",
        "/group_types/{grouptype}/group_specs",
        r#"{"group_specs": {"a": "b"}}"#,
        202,
    ),
    row(
        "group:group_types_specs:update",
        "PUT",
        "/group_types/{grouptype}/group_specs/a",
        r#"{"a": "b"}"#,
        200,
    ),
    row(
        "group:group_types_specs:delete",
        "DELETE",
        "/group_types/{grouptype}/group_specs/key",
        "",
        202,
    ),
    // Groups.
    get("group:get_all", "/groups"),
    get("group:get_all", "/groups/detail"),
    get("group:get_all", "/consistencygroups"),
    get("group:get", "/groups/{group}"),
    row(
        "group:create",
        "POST",
        "/groups",
        r#"{"group": {"group_type": "{grouptype}", "volume_types": ["__DEFAULT__"]}}"#,
        202,
    ),
    row(
        "group:create",
        "POST",
        "/consistencygroups",
        r#"{"consistencygroup": {"volume_types": "__DEFAULT__"}}"#,
        202,
    ),
    row(
        "group:update",
        "PUT",
        "/groups/{group}",
        r#"{"group": {"name": "{server}"}}"#,
        202,
    ),
    row(
        "group:delete",
        "POST",
        "/groups/{group}/action",
        r#"{"delete": {}}"#,
        202,
    ),
    row(
        "group:reset_status",
        "POST",
        "/groups/{group}/action",
        r#"{"reset_status": {"status": "error"}}"#,
        202,
    ),
    // It replicates by its volumes only, and there is no backend, so who may ask is told that.
    row(
        "group:enable_replication",
        "POST",
        "/groups/{group}/action",
        r#"{"enable_replication": {}}"#,
        400,
    ),
    row(
        "group:disable_replication",
        "POST",
        "/groups/{group}/action",
        r#"{"disable_replication": {}}"#,
        400,
    ),
    row(
        "group:failover_replication",
        "POST",
        "/groups/{group}/action",
        r#"{"failover_replication": {}}"#,
        400,
    ),
    row(
        "group:list_replication_targets",
        "POST",
        "/groups/{group}/action",
        r#"{"list_replication_targets": {}}"#,
        400,
    ),
    // Their snapshots.
    get("group:get_all_group_snapshots", "/group_snapshots"),
    get("group:get_all_group_snapshots", "/group_snapshots/detail"),
    get("group:get_all_group_snapshots", "/cgsnapshots"),
    get(
        "group:get_group_snapshot",
        "/group_snapshots/{groupsnapshot}",
    ),
    row(
        "group:create_group_snapshot",
        "POST",
        "/group_snapshots",
        r#"{"group_snapshot": {"group_id": "{group}"}}"#,
        202,
    ),
    row(
        "group:delete_group_snapshot",
        "DELETE",
        "/group_snapshots/{groupsnapshot}",
        "",
        202,
    ),
    row(
        "group:reset_group_snapshot_status",
        "POST",
        "/group_snapshots/{groupsnapshot}/action",
        r#"{"reset_status": {"status": "error"}}"#,
        202,
    ),
];
