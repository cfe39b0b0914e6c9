//! What a volume remembers of its image.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::NOWHERE;
use crate::activities::failed;
use crate::common::Api;

#[tokio::test]
async fn what_is_remembered_of_an_image_is_set_shown_and_unset() {
    let api = Api::new().await;
    let (id, _) = failed(&api).await;
    let path = format!("/v3/dev/volumes/{id}");
    let action = format!("{path}/action");
    let act = async |key: &str, value: Value| api.post(&action, json!({ key: value })).await;
    let shown = async || {
        let one = api.get(&path).await.body["volume"]["volume_image_metadata"].clone();
        let list = api.get("/v3/dev/volumes/detail").await.body;
        assert_eq!(list["volumes"][0]["volume_image_metadata"], one);
        one
    };
    assert_eq!(shown().await, Value::Null);
    let long = "x".repeat(65_535);
    let first = json!({ "metadata": { "image_name": "cirros", "long": long } });
    let set = act("os-set_image_metadata", first.clone()).await;
    assert_eq!((set.status, &set.body), (StatusCode::OK, &first));
    let second = json!({ "metadata": { "image_name": "debian" } });
    let set = act("os-set_image_metadata", second).await;
    let all = json!({ "image_name": "debian", "long": long });
    assert_eq!(set.body, json!({ "metadata": all }));
    let found = act("os-show_image_metadata", Value::Null).await;
    assert_eq!(found.body, json!({ "metadata": all }));
    assert_eq!(shown().await, all);

    let gone = act("os-unset_image_metadata", json!({ "key": "long" })).await;
    assert_eq!((gone.status, gone.body), (StatusCode::OK, Value::Null));
    let gone = act("os-unset_image_metadata", json!({ "key": "long" })).await;
    let text = format!("Glance metadata for volume/snapshot {id} cannot be found.");
    assert_eq!(gone.fault("itemNotFound"), (404, text.as_str()));
    assert_eq!(shown().await, json!({ "image_name": "debian" }));
    // It is no metadata of the user's.
    let own = api.get(&format!("{path}/metadata")).await.body;
    assert_eq!(own, json!({ "metadata": {} }));

    for (key, bad) in [
        ("os-set_image_metadata", json!({})),
        ("os-set_image_metadata", json!({ "metadata": { "k": 1 } })),
        ("os-set_image_metadata", json!({ "metadata": { "é": "v" } })),
        (
            "os-set_image_metadata",
            json!({ "metadata": { "k": format!("{long}x") } }),
        ),
        ("os-unset_image_metadata", json!({ "key": "" })),
        ("os-unset_image_metadata", json!({ "keys": "x" })),
    ] {
        let refused = act(key, bad.clone()).await;
        assert_eq!(refused.fault("badRequest").0, 400, "{key}");
    }
    let body = json!({ "os-show_image_metadata": null });
    let nowhere = format!("/v3/dev/volumes/{NOWHERE}/action");
    let nowhere = api.post(&nowhere, body).await;
    assert_eq!(nowhere.fault("itemNotFound").0, 404);
}

#[tokio::test]
async fn volumes_are_listed_by_their_image() {
    let api = Api::new().await;
    let ((one, _), (_, _)) = (failed(&api).await, failed(&api).await);
    let action = format!("/v3/dev/volumes/{one}/action");
    let body = json!({ "os-set_image_metadata": { "metadata": { "image_name": "cirros" } } });
    assert_eq!(api.post(&action, body).await.status, StatusCode::OK);
    for (version, value, number) in [
        ("3.4", "cirros", 1),
        ("3.4", "debian", 0),
        ("3.3", "debian", 2),
    ] {
        let filter = format!("glance_metadata=%7B'image_name':'{value}'%7D");
        let path = format!("/v3/dev/volumes?{filter}");
        let found = api.call(version, "GET", &path, None).await.body;
        assert_eq!(
            found["volumes"].as_array().unwrap().len(),
            number,
            "{version}"
        );
    }
    let by_own = api
        .get("/v3/dev/volumes?metadata=%7B'image_name':'cirros'%7D")
        .await;
    assert_eq!(by_own.body, json!({ "volumes": [] }));
}
