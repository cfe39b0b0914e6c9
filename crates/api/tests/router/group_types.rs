//! Group types and their specs.

use firebrick_api::ApiOptions;
use serde_json::{Value, json};

use crate::NOWHERE;
use crate::common::{Api, Reply, keystone};

const ALL: &str = "/v3/dev/group_types";

/// A group type of that name; its id.
pub(crate) async fn kind(api: &Api, name: &str, specs: Value) -> String {
    let body = json!({ "group_type": { "name": name, "group_specs": specs } });
    let made = api.post(ALL, body).await;
    assert_eq!(made.status.as_u16(), 202, "{}", made.body);
    let id = made.body["group_type"]["id"].as_str().unwrap();
    id.to_owned()
}

async fn put(api: &Api, path: &str, body: Value) -> Reply {
    api.call("3.71", "PUT", path, Some(body)).await
}

fn names(reply: &Reply) -> Vec<&str> {
    let all = reply.body["group_types"].as_array().unwrap().iter();
    all.map(|kind| kind["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn they_live_and_die() {
    let api = Api::new().await;
    for (version, status) in [("3.10", 404), ("3.11", 200)] {
        let reply = api.call(version, "GET", ALL, None).await;
        assert_eq!(reply.status.as_u16(), status, "{version}");
    }
    let body = json!({ "group_type": { "name": " sets ", "description": "d" } });
    let made = api.post(ALL, body.clone()).await;
    let id = made.body["group_type"]["id"].as_str().unwrap().to_owned();
    let expected = json!({
        "id": id, "name": "sets", "description": "d", "is_public": true, "group_specs": {},
    });
    assert_eq!(
        (made.status.as_u16(), &made.body["group_type"]),
        (202, &expected)
    );
    let again = api.post(ALL, body).await;
    let taken = (409, "Group Type sets already exists.");
    assert_eq!(again.fault("conflictingRequest"), taken);
    let path = format!("{ALL}/{id}");
    assert_eq!(api.get(&path).await.body["group_type"], expected);

    let change = json!({ "group_type": { "name": "more", "is_public": false } });
    let changed = put(&api, &path, change).await;
    let expected = json!({
        "id": id, "name": "more", "description": "d", "is_public": false, "group_specs": {},
    });
    assert_eq!(changed.status.as_u16(), 200, "{}", changed.body);
    assert_eq!(changed.body["group_type"], expected);
    let nothing = put(&api, &path, json!({ "group_type": {} })).await;
    let message = "Specify group type name, description or a combination thereof.";
    assert_eq!(nothing.fault("badRequest"), (400, message));
    let blank = put(&api, &path, json!({ "group_type": { "name": "  " } })).await;
    let message = "Group type name can not be empty.";
    assert_eq!(blank.fault("badRequest"), (400, message));
    let there = json!({ "group_type": { "name": "default_cgsnapshot_type" } });
    let taken = put(&api, &path, there).await;
    assert_eq!(taken.fault("conflictingRequest").0, 409);

    let message = format!("Group type {id} could not be found.");
    let gone = api.call("3.71", "DELETE", &path, None).await;
    assert_eq!(gone.status.as_u16(), 202);
    let gone = api.call("3.71", "DELETE", &path, None).await;
    assert_eq!(gone.fault("itemNotFound"), (404, message.as_str()));
    let never = api.get(&format!("{ALL}/{NOWHERE}")).await;
    assert_eq!(never.fault("itemNotFound").0, 404);
}

#[tokio::test]
async fn lists_have_pages_and_an_order() {
    let api = Api::new().await;
    for name in ["b", "a"] {
        kind(&api, name, json!({})).await;
    }
    let private = json!({ "group_type": { "name": "p", "is_public": "false" } });
    api.post(ALL, private).await;
    let all = api.get(&format!("{ALL}?sort=name:asc")).await;
    assert_eq!(names(&all), ["a", "b", "default_cgsnapshot_type"]);
    let specs = &all.body["group_types"][2]["group_specs"];
    let expected = json!({ "consistent_group_snapshot_enabled": "<is> True" });
    assert_eq!(specs, &expected);
    let both = api
        .get(&format!("{ALL}?sort=name:asc&is_public=None"))
        .await;
    assert_eq!(names(&both), ["a", "b", "default_cgsnapshot_type", "p"]);
    let private = api.get(&format!("{ALL}?is_public=0")).await;
    assert_eq!(names(&private), ["p"]);

    let first = api.get(&format!("{ALL}?sort=name:asc&limit=2")).await;
    assert_eq!(names(&first), ["a", "b"]);
    let next = first.body["group_type_links"][0]["href"].as_str().unwrap();
    let (_, next) = next.split_once("/v3/").unwrap();
    let second = api.get(&format!("/v3/{next}")).await;
    assert_eq!(names(&second), ["default_cgsnapshot_type"]);
    let lost = api.get(&format!("{ALL}?marker={NOWHERE}")).await;
    assert_eq!(lost.fault("itemNotFound").0, 404);
    let sort = api.get(&format!("{ALL}?sort=bogus")).await;
    assert_eq!(sort.fault("badRequest").0, 400);
}

#[tokio::test]
async fn the_default_is_the_one_of_the_configuration() {
    let api = Api::new().await;
    let none = api.get(&format!("{ALL}/default")).await;
    let message = "Default group type can not be found.";
    assert_eq!(none.fault("itemNotFound"), (404, message));
    let api = Api::with(|options| options.default_group_type = Some("sets".to_owned())).await;
    let none = api.get(&format!("{ALL}/default")).await;
    assert_eq!(none.fault("itemNotFound"), (404, message));
    let id = kind(&api, "sets", json!({})).await;
    let found = api.get(&format!("{ALL}/default")).await;
    assert_eq!(found.body["group_type"]["id"], json!(id));
}

#[tokio::test]
async fn specs_are_set_and_taken_away() {
    let api = Api::new().await;
    let id = kind(&api, "sets", json!({ "a": "b" })).await;
    let specs = format!("{ALL}/{id}/group_specs");
    let more = json!({ "group_specs": { "c": "d", "a": "e" } });
    let merged = api.post(&specs, more.clone()).await;
    assert_eq!((merged.status.as_u16(), &merged.body), (202, &more));
    assert_eq!(api.get(&specs).await.body, more);
    let one = format!("{specs}/c");
    let set = put(&api, &one, json!({ "c": "f" })).await;
    assert_eq!((set.status.as_u16(), set.body), (200, json!({ "c": "f" })));
    assert_eq!(api.get(&one).await.body, json!({ "c": "f" }));
    let other = put(&api, &one, json!({ "d": "f" })).await;
    assert_eq!(other.fault("badRequest").0, 400);
    let gone = api.call("3.71", "DELETE", &one, None).await;
    assert_eq!(gone.status.as_u16(), 202);
    let again = api.call("3.71", "DELETE", &one, None).await;
    let message = format!("Group Type {id} has no specs with key c.");
    assert_eq!(again.fault("itemNotFound"), (404, message.as_str()));
    let message = format!("Group Type {id} has no extra spec with key c.");
    let missing = api.get(&one).await;
    assert_eq!(missing.fault("itemNotFound"), (404, message.as_str()));
    let shown = api.get(&format!("{ALL}/{id}")).await.body;
    assert_eq!(shown["group_type"]["group_specs"], json!({ "a": "e" }));
}

#[tokio::test]
async fn private_ones_are_the_administrators() {
    let api = Api::behind(ApiOptions {
        auth: keystone::strategy().await,
        ..ApiOptions::default()
    })
    .await;
    let project = "0123456789abcdef0123456789abcdef";
    let ask = async |role: &str, method, path: &str, body| {
        let token = format!("{role}@{project}");
        let path = format!("/v3/{project}{path}");
        api.ask(&[("x-auth-token", &token)], method, &path, body)
            .await
    };
    let body = json!({ "group_type": { "name": "p", "is_public": false } });
    let made = ask("admin", "POST", "/group_types", body).await;
    let id = made.body["group_type"]["id"].as_str().unwrap();
    let path = format!("/group_types/{id}");
    let hidden = ask("member", "GET", &path, Value::Null).await;
    let message = format!("Group type {id} could not be found.");
    assert_eq!(hidden.fault("itemNotFound"), (404, message.as_str()));
    let all = "/group_types?is_public=None";
    let listed = ask("member", "GET", all, Value::Null).await;
    assert_eq!(names(&listed), ["default_cgsnapshot_type"]);
    assert_eq!(listed.body["group_types"][0].get("group_specs"), None);
    let listed = ask("admin", "GET", all, Value::Null).await;
    assert_eq!(names(&listed), ["p", "default_cgsnapshot_type"]);
}
