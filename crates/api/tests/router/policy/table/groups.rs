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
];
