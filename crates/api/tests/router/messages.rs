//! User messages.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::NOWHERE;
use crate::activities::failed;
use crate::common::Api;

const LIST: &str = "/v3/dev/messages";

fn ids(list: &Value) -> Vec<&str> {
    let list = list["messages"].as_array().unwrap();
    list.iter().map(|row| row["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_message_says_what_failed_and_why() {
    let api = Api::new().await;
    let (volume, activity) = failed(&api).await;
    let listed = api.get(LIST).await.body;
    let messages = listed["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 1, "{listed}");
    let message = &messages[0];
    for (key, value) in [
        ("event_id", "VOLUME_VOLUME_001_003"),
        ("message_level", "ERROR"),
        ("resource_type", "VOLUME"),
        ("resource_uuid", &volume),
        ("request_id", activity["request_id"].as_str().unwrap()),
    ] {
        assert_eq!(message[key], value, "{key} of {message}");
    }
    assert_eq!(
        message["user_message"],
        "schedule allocate volume: Could not find any available weighted backend. (no backend has \
         reported yet)"
    );
    let keys: Vec<&String> = message.as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 10, "{keys:?}");
    let id = message["id"].as_str().unwrap();
    let path = format!("{LIST}/{id}");
    let href = message["links"][0]["href"].as_str().unwrap();
    assert!(href.ends_with(&path), "{href}");
    assert_eq!(api.get(&path).await.body, json!({ "message": message }));

    let gone = api.call("3.3", "DELETE", &path, None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    for method in ["GET", "DELETE"] {
        let missing = api.call("3.3", method, &path, None).await;
        let text = format!("Message {id} could not be found.");
        assert_eq!(missing.fault("itemNotFound"), (404, text.as_str()));
    }
    assert_eq!(api.get(LIST).await.body, json!({ "messages": [] }));
}

#[tokio::test]
async fn messages_are_paged_from_the_version_that_knows_pages() {
    let api = Api::new().await;
    for _ in 0..3 {
        failed(&api).await;
    }
    let at = async |version: &'static str, query: &str| {
        let path = format!("{LIST}?{query}");
        api.call(version, "GET", &path, None).await
    };
    assert_eq!(at("3.2", "").await.fault("itemNotFound").0, 404);
    let all = at("3.5", "").await.body;
    let all = ids(&all);
    assert_eq!(all.len(), 3);
    let older = at("3.4", "limit=1&sort=bogus&event_id=x").await.body;
    assert_eq!(ids(&older), all);
    assert_eq!(older["messages_links"], Value::Null);

    let page = at("3.5", "limit=2").await.body;
    assert_eq!(ids(&page), all[..2]);
    let next = page["messages_links"][0]["href"].as_str().unwrap();
    assert!(next.contains(&format!("marker={}", all[1])), "{next}");
    let rest = at("3.5", &format!("limit=2&marker={}", all[1])).await.body;
    assert_eq!(ids(&rest), all[2..]);
    assert_eq!(rest["messages_links"], Value::Null);
    let reversed = at("3.5", "sort=created_at:asc").await.body;
    assert!(ids(&reversed).iter().eq(all.iter().rev()));
    let marker = format!("marker={NOWHERE}");
    assert_eq!(at("3.5", &marker).await.fault("itemNotFound").0, 404);
}

#[tokio::test]
async fn messages_are_filtered() {
    let api = Api::new().await;
    let (volume, activity) = failed(&api).await;
    failed(&api).await;
    let request = activity["request_id"].as_str().unwrap();
    for (query, number) in [
        (format!("resource_uuid={volume}"), 1),
        (format!("resource_uuid={NOWHERE}"), 0),
        (format!("request_id={request}"), 1),
        ("resource_type=VOLUME".to_owned(), 2),
        ("resource_type=VOLUME_BACKUP".to_owned(), 0),
        ("event_id=VOLUME_VOLUME_001_003".to_owned(), 2),
        ("event_id~=001_003".to_owned(), 2),
        ("event_id~=001_004".to_owned(), 0),
        ("message_level=ERROR".to_owned(), 2),
        ("message_level=INFO".to_owned(), 0),
        ("created_at=gt:2020-01-01".to_owned(), 2),
        ("created_at=lt:2020-01-01".to_owned(), 0),
    ] {
        let found = api.get(&format!("{LIST}?{query}")).await;
        assert_eq!(found.status, StatusCode::OK, "{query}: {}", found.body);
        assert_eq!(ids(&found.body).len(), number, "{query}");
    }
}
