//! The summary of volumes.

use axum::http::StatusCode;
use serde_json::json;

use crate::common::Api;

#[tokio::test]
async fn a_summary_tells_number_size_and_metadata() {
    let api = Api::new().await;
    for (size, metadata) in [
        (1, json!({ "k": "0", "i": "0" })),
        (2, json!({ "k": "1", "i": "1" })),
        (3, json!({ "k": "0" })),
        (1, json!({})),
    ] {
        let body = json!({ "volume": { "size": size, "metadata": metadata } });
        let made = api.post("/v3/dev/volumes", body).await;
        assert_eq!(made.status, StatusCode::ACCEPTED, "{}", made.body);
    }
    let at = async |version: &'static str, query: &str| {
        let path = format!("/v3/dev/volumes/summary{query}");
        api.call(version, "GET", &path, None).await
    };
    // Before there were summaries, it is a volume that is not there.
    let old = at("3.11", "").await;
    assert_eq!(old.fault("itemNotFound").0, 404);
    let brief = json!({ "total_count": 4, "total_size": 7 });
    for version in ["3.12", "3.35"] {
        let found = at(version, "").await;
        assert_eq!(found.body, json!({ "volume-summary": brief }), "{version}");
    }
    let full = json!({
        "total_count": 4,
        "total_size": 7,
        "metadata": { "i": ["0", "1"], "k": ["0", "1"] },
    });
    for version in ["3.36", "3.71"] {
        let found = at(version, "").await;
        assert_eq!(found.body, json!({ "volume-summary": full }), "{version}");
    }
    let some = json!({ "total_count": 1, "total_size": 2, "metadata": { "i": ["1"], "k": ["1"] } });
    let found = at("3.36", "?metadata=%7B'k':'1'%7D").await;
    assert_eq!(found.body, json!({ "volume-summary": some }));
    let none = json!({ "total_count": 0, "total_size": 0, "metadata": {} });
    let found = at("3.36", "?name=nobody").await;
    assert_eq!(found.body, json!({ "volume-summary": none }));
}
