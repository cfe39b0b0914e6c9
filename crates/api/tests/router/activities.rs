//! Activities: named by the answers that begin them.

use axum::http::StatusCode;
use serde_json::json;
use uuid::Uuid;

use crate::common::Api;

#[tokio::test]
async fn answers_name_the_activity_that_they_begin() {
    let api = Api::new().await;
    let body = json!({ "volume": { "size": 1 } });
    let made = api.post("/v3/dev/volumes", body).await;
    assert_eq!(made.status, StatusCode::ACCEPTED, "{}", made.body);
    let id = made.activity.unwrap();
    assert!(id.parse::<Uuid>().is_ok(), "{id}");
    let refused = api
        .post("/v3/dev/volumes", json!({ "volume": { "size": 9999 } }))
        .await;
    assert_eq!((refused.status.as_u16(), refused.activity), (413, None));
    assert_eq!(api.get("/v3/dev/volumes").await.activity, None);
}
