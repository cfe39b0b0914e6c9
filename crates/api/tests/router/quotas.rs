//! Quotas of projects and classes, and the limits that follow from them.

use serde_json::{Value, json};

use crate::common::{Api, Reply};

const SET: &str = "/v3/dev/os-quota-sets/dev";
const CLASS: &str = "/v3/dev/os-quota-class-sets/default";

async fn put(api: &Api, path: &str, body: Value) -> Reply {
    api.call("3.71", "PUT", path, Some(body)).await
}

/// The limits of an API on which nobody has set any.
fn usual() -> Value {
    json!({
        "volumes": 10, "per_volume_gigabytes": -1, "snapshots": 10, "gigabytes": 1000,
        "backups": 10, "backup_gigabytes": 1000, "groups": 10,
        "volumes___DEFAULT__": -1, "snapshots___DEFAULT__": -1, "gigabytes___DEFAULT__": -1,
    })
}

fn with_id(set: &Value, id: &str) -> Value {
    let mut set = set.clone();
    set["id"] = json!(id);
    set
}

#[tokio::test]
async fn quotas_of_a_project_are_shown_set_and_deleted() {
    let api = Api::new().await;
    let mut limits = usual();
    for path in [
        SET,
        "/v3/dev/os-quota-sets/dev/defaults",
        "/v3/os-quota-sets/dev",
    ] {
        let shown = api.get(path).await.body;
        assert_eq!(shown, json!({ "quota_set": with_id(&limits, "dev") }));
    }
    let used = api.get(&format!("{SET}?usage=True")).await.body;
    let nothing = json!({ "limit": 10, "in_use": 0, "reserved": 0 });
    assert_eq!(used["quota_set"]["volumes"], nothing);
    assert_eq!(used["quota_set"]["id"], "dev");

    let change = json!({ "volumes": "5", "gigabytes": -1, "id": "dev" });
    let set = put(&api, SET, json!({ "quota_set": change })).await;
    limits["volumes"] = json!(5);
    limits["gigabytes"] = json!(-1);
    assert_eq!(set.body, json!({ "quota_set": limits }));
    let absolute = api.get("/v3/dev/limits").await.body["limits"]["absolute"].clone();
    let seen = (
        &absolute["maxTotalVolumes"],
        &absolute["maxTotalVolumeGigabytes"],
    );
    assert_eq!(seen, (&json!(5), &json!(-1)));
    assert_eq!(absolute["maxTotalBackups"], 10);
    let defaults = api.get(&format!("{SET}/defaults")).await.body;
    assert_eq!(defaults["quota_set"]["volumes"], 10);
    let gone = api.call("3.71", "DELETE", SET, None).await;
    assert_eq!((gone.status.as_u16(), gone.body), (200, Value::Null));
    assert_eq!(api.get(SET).await.body["quota_set"]["volumes"], 10);
}

#[tokio::test]
async fn bad_quotas_are_refused() {
    let api = Api::new().await;
    let input = "Invalid input received:";
    for (set, message) in [
        (
            json!({ "bogus": 1 }),
            format!("{input} Bad key(s) in quota set: bogus"),
        ),
        (
            json!({ "volumes": -2 }),
            format!("{input} volumes must be >= -1."),
        ),
        (
            json!({ "volumes": "x" }),
            format!("{input} volumes must be an integer."),
        ),
        (
            json!({ "volumes": null }),
            format!("{input} volumes must be an integer."),
        ),
        (
            json!({ "volumes": 2_147_483_648_u64 }),
            format!("{input} volumes must be <= 2147483647."),
        ),
    ] {
        let refused = put(&api, SET, json!({ "quota_set": set })).await;
        assert_eq!(refused.fault("badRequest"), (400, message.as_str()));
    }
    for body in [
        json!({ "quota_set": {} }),
        json!({}),
        json!({ "quota_set": 1 }),
    ] {
        let refused = put(&api, SET, body).await;
        assert_eq!(refused.fault("badRequest").0, 400);
    }
    let long = format!("/v3/dev/os-quota-sets/{}", "p".repeat(256));
    assert_eq!(api.get(&long).await.fault("badRequest").0, 400);
    let set = api.get(SET).await.body;
    assert_eq!(set["quota_set"], with_id(&usual(), "dev"));
}

#[tokio::test]
async fn classes_hold_for_projects_without_quotas() {
    let api = Api::new().await;
    let shown = api.get(CLASS).await.body;
    assert_eq!(shown["quota_class_set"], with_id(&usual(), "default"));
    let change = json!({ "quota_class_set": { "volumes": 7, "snapshots": "6" } });
    let set = put(&api, CLASS, change).await;
    let mut limits = usual();
    limits["volumes"] = json!(7);
    limits["snapshots"] = json!(6);
    assert_eq!(set.body, json!({ "quota_class_set": limits }));
    assert_eq!(
        api.get(SET).await.body["quota_set"],
        with_id(&limits, "dev")
    );
    for bad in [
        json!({ "bogus": 1 }),
        json!({ "volumes": -2 }),
        json!({ "volumes": "-1" }),
    ] {
        let refused = put(&api, CLASS, json!({ "quota_class_set": bad })).await;
        assert_eq!(refused.fault("badRequest").0, 400);
    }
}
