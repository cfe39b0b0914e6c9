//! Transfers by both of their addresses, and what each version shows of them.

use serde_json::{Value, json};

use crate::NOWHERE;
use crate::common::Api;

/// A volume that is available, though there is no backend.
async fn available(api: &Api) -> String {
    let made = api.post("/v3/dev/volumes", json!({ "volume": { "size": 1 } }));
    let id = made.await.body["volume"]["id"].as_str().unwrap().to_owned();
    let path = format!("/v3/dev/volumes/{id}/action");
    let reset = json!({ "os-reset_status": { "status": "available" } });
    assert_eq!(api.post(&path, reset).await.status.as_u16(), 202);
    id
}

#[tokio::test]
async fn transfers_are_offered_shown_and_withdrawn() {
    let api = Api::new().await;
    let volume = available(&api).await;
    for path in ["/v3/dev/os-volume-transfer", "/v3/dev/volume-transfers"] {
        let body = json!({ "transfer": { "volume_id": volume, "name": " gift " } });
        let made = api.post(path, body).await;
        assert_eq!(made.status.as_u16(), 202, "{}", made.body);
        let made = &made.body["transfer"];
        let id = made["id"].as_str().unwrap();
        let key = made["auth_key"].as_str().unwrap();
        assert_eq!((key.len(), &made["name"]), (16, &json!("gift")));
        let mut shown = made.clone();
        shown.as_object_mut().unwrap().remove("auth_key");
        assert_eq!(shown["source_project_id"], "dev");
        assert_eq!(shown["destination_project_id"], Value::Null);
        assert_eq!(
            (&shown["accepted"], &shown["no_snapshots"]),
            (&json!(false), &json!(false))
        );
        let one = format!("{path}/{id}");
        assert_eq!(api.get(&one).await.body, json!({ "transfer": shown }));
        let details = api.get(&format!("{path}/detail")).await.body;
        assert_eq!(details, json!({ "transfers": [shown] }));
        let brief = json!({
            "id": id, "volume_id": volume, "name": "gift", "links": shown["links"],
        });
        assert_eq!(api.get(path).await.body, json!({ "transfers": [brief] }));
        let named = api.get(&format!("{path}?name=other")).await.body;
        assert_eq!(named, json!({ "transfers": [] }));
        let wrong = json!({ "accept": { "auth_key": 1 } });
        let refused = api.post(&format!("{one}/accept"), wrong).await;
        assert_eq!(refused.fault("badRequest").0, 400);
        let status = api.get(&format!("/v3/dev/volumes/{volume}")).await.body;
        assert_eq!(status["volume"]["status"], "awaiting-transfer");
        let gone = api.call("3.71", "DELETE", &one, None).await;
        assert_eq!((gone.status.as_u16(), gone.body), (202, Value::Null));
        let message = format!("Transfer {id} could not be found.");
        assert_eq!(
            api.get(&one).await.fault("itemNotFound"),
            (404, message.as_str())
        );
    }
}

#[tokio::test]
async fn older_versions_show_less_and_have_one_address() {
    let api = Api::new().await;
    let volume = available(&api).await;
    let body = json!({ "transfer": { "volume_id": volume } });
    let path = "/v3/dev/volume-transfers";
    let old = api.call("3.54", "POST", path, Some(body.clone())).await;
    assert_eq!(old.fault("itemNotFound").0, 404);
    let path = "/v3/dev/os-volume-transfer";
    let snapshots = json!({ "transfer": { "volume_id": volume, "no_snapshots": true } });
    let refused = api.call("3.54", "POST", path, Some(snapshots)).await;
    assert_eq!(refused.fault("badRequest").0, 400);
    let made = api.call("3.0", "POST", path, Some(body)).await.body;
    let id = made["transfer"]["id"].as_str().unwrap();
    let keys = async |version: &str| {
        let shown = api
            .call(version, "GET", &format!("{path}/{id}"), None)
            .await;
        let shown = shown.body["transfer"].as_object().unwrap().clone();
        shown.keys().cloned().collect::<Vec<_>>()
    };
    let mut expected = vec!["created_at", "id", "links", "name", "volume_id"];
    assert_eq!(keys("3.54").await, expected);
    expected.insert(4, "no_snapshots");
    assert_eq!(keys("3.56").await, expected);
    assert_eq!(keys("3.57").await.len(), 9);

    let key = made["transfer"]["auth_key"].as_str().unwrap();
    let accept = json!({ "accept": { "auth_key": key } });
    let taken = api
        .call("3.0", "POST", &format!("{path}/{id}/accept"), Some(accept))
        .await;
    assert_eq!(taken.status.as_u16(), 202, "{}", taken.body);
    assert_eq!(taken.body["transfer"]["volume_id"], json!(volume));
    assert_eq!(api.get(path).await.body, json!({ "transfers": [] }));
}

#[tokio::test]
async fn bad_transfers_are_refused() {
    let api = Api::new().await;
    let path = "/v3/dev/volume-transfers";
    for (body, code) in [
        (json!({}), 400),
        (json!({ "transfer": {} }), 400),
        (json!({ "transfer": { "volume_id": "x" } }), 400),
        (
            json!({ "transfer": { "volume_id": NOWHERE, "more": 1 } }),
            400,
        ),
        (json!({ "transfer": { "volume_id": NOWHERE } }), 404),
    ] {
        assert_eq!(
            api.post(path, body.clone()).await.status.as_u16(),
            code,
            "{body}"
        );
    }
    for below in ["x", NOWHERE] {
        let one = format!("{path}/{below}");
        assert_eq!(api.get(&one).await.fault("itemNotFound").0, 404);
        let accept = json!({ "accept": { "auth_key": "0" } });
        let refused = api.post(&format!("{one}/accept"), accept).await;
        assert_eq!(refused.fault("itemNotFound").0, 404);
    }
}

#[tokio::test]
async fn lists_have_pages_from_3_59_on() {
    let api = Api::new().await;
    let path = "/v3/dev/volume-transfers";
    let mut made = Vec::new();
    for name in ["a", "b", "c"] {
        let body = json!({ "transfer": { "volume_id": available(&api).await, "name": name } });
        let answer = api.post(path, body).await.body;
        made.push(answer["transfer"]["id"].as_str().unwrap().to_owned());
    }
    let names = async |version: &str, query: &str| {
        let asked = format!("{path}{query}");
        let page = api.call(version, "GET", &asked, None).await.body;
        let names = page["transfers"].as_array().unwrap().iter();
        let names: Vec<_> = names.map(|it| it["name"].as_str().unwrap()).collect();
        (names.concat(), page["transfers_links"][0]["href"].clone())
    };
    assert_eq!(names("3.58", "").await.0, "abc");
    assert_eq!(names("3.58", "?sort=name:desc").await.0, "abc");
    assert_eq!(names("3.59", "").await.0, "cba");
    assert_eq!(names("3.59", "?sort=name:asc").await.0, "abc");
    let (first, next) = names("3.59", "?sort=name:asc&limit=2").await;
    assert_eq!(first, "ab");
    let next = next.as_str().unwrap();
    assert!(next.contains(&format!("marker={}", made[1])), "{next}");
    let rest = format!("?sort=name:asc&limit=2&marker={}", made[1]);
    assert_eq!(names("3.59", &rest).await, ("c".to_owned(), Value::Null));
    let beyond = api.get(&format!("{path}?marker={NOWHERE}")).await;
    assert_eq!(beyond.fault("itemNotFound").0, 404);
}
