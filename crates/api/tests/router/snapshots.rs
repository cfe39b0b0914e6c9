//! What is particular about snapshots.

use serde_json::json;

use crate::common::Api;

#[tokio::test]
async fn a_list_is_sorted_by_name_later_than_by_display_name() {
    let api = Api::new().await;
    for (version, key, status) in [
        ("3.0", "display_name", 200),
        ("3.29", "name", 400),
        ("3.30", "name", 200),
    ] {
        let path = format!("/v3/dev/snapshots?sort_key={key}");
        let answer = api.call(version, "GET", &path, None).await;
        assert_eq!(answer.status.as_u16(), status, "{version} {key}");
    }
}

#[tokio::test]
async fn a_snapshot_of_no_volume_is_of_one_that_is_not_there() {
    let api = Api::new().await;
    let body = json!({ "snapshot": { "volume_id": null } });
    let refused = api.post("/v3/dev/snapshots", body).await;
    assert_eq!(
        refused.fault("itemNotFound"),
        (404, "Volume None could not be found.")
    );
}

#[tokio::test]
async fn an_address_that_ends_before_its_id_is_none() {
    let api = Api::new().await;
    for path in ["/v3/dev/volumes/", "/v3/dev/snapshots/", "/v3/volumes/"] {
        let answer = api.get(path).await;
        assert_eq!(answer.status.as_u16(), 404, "{path}");
    }
}
