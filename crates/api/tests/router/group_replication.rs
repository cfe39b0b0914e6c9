//! Replication of groups, as requests ask for it, where there is no backend.

use firebrick_db::{Group, groups, now};
use firebrick_state::{GroupStatus, ReplicationStatus};
use firebrick_vocabulary::{GroupId, ProjectId, UserId};
use serde_json::{Value, json};

use crate::NOWHERE;
use crate::common::Api;
use crate::group_types::kind;

/// An available group of that type.
async fn group(api: &Api, kind: &str) -> String {
    let group = Group {
        id: GroupId::random(),
        project: ProjectId("dev".to_owned()),
        user: UserId("admin".to_owned()),
        name: None,
        description: None,
        status: GroupStatus::Available,
        replication_status: ReplicationStatus::Disabled,
        host: None,
        availability_zone: "nova".to_owned(),
        group_type: kind.parse().unwrap(),
        group_snapshot: None,
        source: None,
        site: None,
        cluster: None,
        created_at: now(),
        updated_at: None,
    };
    let mut tx = api.db.begin().await.unwrap();
    groups::insert(&mut tx, &group).await.unwrap();
    tx.commit().await.unwrap();
    group.id.to_string()
}

async fn replicating(api: &Api, name: &str) -> String {
    let specs = json!({ "group_replication_enabled": "<is> True" });
    kind(api, name, specs).await
}

const ACTIONS: [&str; 4] = [
    "enable_replication",
    "disable_replication",
    "failover_replication",
    "list_replication_targets",
];

fn body(action: &str, value: Value) -> Value {
    Value::Object([(action.to_owned(), value)].into_iter().collect())
}

#[tokio::test]
async fn the_actions_came_with_3_38() {
    let api = Api::new().await;
    let kind = replicating(&api, "moving").await;
    let path = format!("/v3/dev/groups/{}/action", group(&api, &kind).await);
    for action in ACTIONS {
        let asked = Some(body(action, json!({})));
        let old = api.call("3.37", "POST", &path, asked.clone()).await;
        assert_eq!(old.fault("itemNotFound").0, 404, "{action}");
        let new = api.call("3.38", "POST", &path, asked.clone()).await;
        assert_ne!(new.status.as_u16(), 404, "{action}: {}", new.body);
        let nowhere = format!("/v3/dev/groups/{NOWHERE}/action");
        let missing = api.call("3.38", "POST", &nowhere, asked).await;
        let message = format!("Group {NOWHERE} could not be found.");
        assert_eq!(missing.fault("itemNotFound"), (404, message.as_str()));
    }
    let found = api.post(&path, body(ACTIONS[3], json!({}))).await;
    assert_eq!(found.status.as_u16(), 200);
    assert_eq!(found.body, json!({ "replication_targets": [] }));
}

#[tokio::test]
async fn bodies_are_cinders() {
    let api = Api::new().await;
    let kind = replicating(&api, "moving").await;
    let path = format!("/v3/dev/groups/{}/action", group(&api, &kind).await);
    for action in ACTIONS {
        for value in [json!(null), json!("now"), json!([])] {
            let reply = api.post(&path, body(action, value.clone())).await;
            let (code, text) = reply.fault("badRequest");
            assert_eq!(code, 400);
            assert!(text.contains("is not of type 'object'"), "{action}: {text}");
        }
    }
    for (value, part) in [
        (json!({ "target": "site-b" }), "'target' was unexpected"),
        (json!({ "secondary_backend_id": 1 }), "1 is not of type"),
        (
            json!({ "secondary_backend_id": "x".repeat(256) }),
            "is too long",
        ),
        (
            json!({ "allow_attached_volume": "maybe" }),
            "'maybe' is not one of",
        ),
        (json!({ "allow_attached_volume": null }), "None is not"),
    ] {
        let reply = api.post(&path, body(ACTIONS[2], value)).await;
        let (code, text) = reply.fault("badRequest");
        assert_eq!(code, 400);
        assert!(text.contains(part), "{text}");
    }
    // As the client sends it.
    let whole = json!({ "allow_attached_volume": "True", "secondary_backend_id": null });
    let reply = api.post(&path, body(ACTIONS[2], whole)).await;
    let (_, text) = reply.fault("badRequest");
    assert!(
        text.contains("replication status must be ['enabled', 'failed-over']"),
        "{text}"
    );
}

#[tokio::test]
async fn groups_that_do_not_replicate_are_told_so() {
    let api = Api::new().await;
    let sets = kind(&api, "sets", json!({})).await;
    let id = group(&api, &sets).await;
    let path = format!("/v3/dev/groups/{id}/action");
    for action in ACTIONS {
        let reply = api.post(&path, body(action, json!({}))).await;
        let message = format!("Invalid group type: Group {id} is not a replication group type.");
        assert_eq!(reply.fault("badRequest"), (400, message.as_str()));
    }
    // The types are looked at when a group is made.
    replicating(&api, "moving").await;
    let new = json!({ "group": { "group_type": "moving", "volume_types": ["__DEFAULT__"] } });
    let reply = api.post("/v3/dev/groups", new).await;
    let (code, text) = reply.fault("badRequest");
    assert_eq!(code, 400);
    assert!(
        text.starts_with("Invalid volume type: Volume type "),
        "{text}"
    );
    let both = json!({
        "group_replication_enabled": "<is> True",
        "consistent_group_replication_enabled": "<is> True",
    });
    kind(&api, "both", both).await;
    let new = json!({ "group": { "group_type": "both", "volume_types": ["__DEFAULT__"] } });
    let reply = api.post("/v3/dev/groups", new).await;
    let (code, text) = reply.fault("badRequest");
    assert_eq!(code, 400);
    assert!(text.starts_with("Invalid group type: "), "{text}");
}
