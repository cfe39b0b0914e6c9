//! Groups, consistency groups and their snapshots, where there is no backend.

use serde_json::{Value, json};

use crate::NOWHERE;
use crate::common::{Api, Reply};
use crate::group_types::kind;

async fn default_type(api: &Api) -> String {
    let found = api.get("/v3/dev/types/default").await.body;
    let id = found["volume_type"]["id"].as_str().unwrap();
    id.to_owned()
}

/// A group; its id. It is an error as soon as somebody has looked for a place.
async fn group(api: &Api, kind: &str) -> String {
    let body = json!({ "group": {
        "name": " g ", "description": "d", "group_type": kind, "volume_types": ["__DEFAULT__"],
    } });
    let made = api.post("/v3/dev/groups", body).await;
    assert_eq!(made.status.as_u16(), 202, "{}", made.body);
    let id = made.body["group"]["id"].as_str().unwrap().to_owned();
    let expected = json!({ "group": { "id": id, "name": "g" } });
    assert_eq!(made.body, expected);
    assert!(made.activity.is_some());
    id
}

async fn reset(api: &Api, id: &str, status: &str) -> Reply {
    let body = json!({ "reset_status": { "status": status } });
    api.post(&format!("/v3/dev/groups/{id}/action"), body).await
}

/// Until nobody looks for a place any more.
async fn available(api: &Api, id: &str) {
    let path = format!("/v3/dev/groups/{id}");
    while api.get(&path).await.body["group"]["status"] != "error" {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    assert_eq!(reset(api, id, "available").await.status.as_u16(), 202);
}

fn ids(reply: &Reply, key: &str) -> Vec<String> {
    let all = reply.body[key].as_array();
    let all = all.unwrap_or_else(|| panic!("no {key} in {}", reply.body));
    let id = |item: &Value| item["id"].as_str().unwrap().to_owned();
    all.iter().map(id).collect()
}

#[tokio::test]
async fn a_group_is_shown_as_its_version_knows_it() {
    let api = Api::new().await;
    let sets = kind(&api, "sets", json!({})).await;
    let id = group(&api, "sets").await;
    available(&api, &id).await;
    let path = format!("/v3/dev/groups/{id}?list_volume=true");
    let old = api.call("3.12", "GET", &path, None).await;
    assert_eq!(old.status.as_u16(), 404);
    let volume_type = default_type(&api).await;
    let mut expected = json!({
        "id": id, "status": "available", "availability_zone": "nova", "name": "g",
        "description": "d", "group_type": sets, "volume_types": [volume_type],
    });
    for (version, more) in [
        ("3.13", json!({})),
        (
            "3.14",
            json!({ "group_snapshot_id": null, "source_group_id": null }),
        ),
        ("3.25", json!({ "volumes": [] })),
        ("3.38", json!({ "replication_status": "disabled" })),
        ("3.58", json!({ "project_id": "dev" })),
    ] {
        for (key, value) in more.as_object().unwrap() {
            expected[key] = value.clone();
        }
        let mut shown = api.call(version, "GET", &path, None).await.body["group"].take();
        assert!(
            shown
                .as_object_mut()
                .unwrap()
                .remove("created_at")
                .is_some()
        );
        assert_eq!(shown, expected, "{version}");
    }
    let shown = api.get(&format!("/v3/dev/groups/{id}")).await.body;
    assert_eq!(shown["group"].get("volumes"), None);
    let missing = api.get(&format!("/v3/dev/groups/{NOWHERE}")).await;
    let message = format!("Group {NOWHERE} could not be found.");
    assert_eq!(missing.fault("itemNotFound"), (404, message.as_str()));
}

#[tokio::test]
async fn bodies_are_checked() {
    let api = Api::new().await;
    kind(&api, "sets", json!({})).await;
    let types = ["__DEFAULT__"];
    for (group, status) in [
        (json!({ "volume_types": types }), 400),
        (json!({ "group_type": "sets" }), 400),
        (json!({ "group_type": "sets", "volume_types": [] }), 400),
        (
            json!({ "group_type": "sets", "volume_types": ["nope"] }),
            404,
        ),
        (json!({ "group_type": "nope", "volume_types": types }), 404),
        (json!({ "group_type": NOWHERE, "volume_types": types }), 404),
        (
            json!({ "group_type": "default_cgsnapshot_type", "volume_types": types }),
            400,
        ),
        (
            json!({ "group_type": "sets", "volume_types": types, "availability_zone": "mars" }),
            400,
        ),
        (
            json!({ "group_type": "sets", "volume_types": types, "more": 1 }),
            400,
        ),
    ] {
        let body = json!({ "group": group });
        let reply = api.post("/v3/dev/groups", body.clone()).await;
        assert_eq!(reply.status.as_u16(), status, "{body}: {}", reply.body);
    }
    for source in [
        json!({}),
        json!({ "source_group_id": NOWHERE, "group_snapshot_id": NOWHERE }),
        json!({ "source_group_id": "x" }),
    ] {
        let body = json!({ "create-from-src": source });
        let reply = api.post("/v3/dev/groups/action", body.clone()).await;
        assert_eq!(reply.fault("badRequest").0, 400, "{body}");
    }
    let body = json!({ "create-from-src": { "source_group_id": NOWHERE } });
    let reply = api.post("/v3/dev/groups/action", body.clone()).await;
    assert_eq!(reply.fault("itemNotFound").0, 404);
    let path = "/v3/dev/groups/action";
    let old = api.call("3.13", "POST", path, Some(body)).await;
    assert_eq!(old.fault("itemNotFound").0, 404);
    let none = api.get("/v3/dev/groups").await;
    assert_eq!(none.body, json!({ "groups": [] }));
}

#[tokio::test]
async fn lists_have_pages_filters_and_an_order() {
    let api = Api::with(|options| options.quotas.groups = -1).await;
    kind(&api, "sets", json!({})).await;
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(group(&api, "sets").await);
    }
    for id in &made {
        available(&api, id).await;
    }
    reset(&api, &made[0], "error").await;
    let list = async |query: &str| {
        let reply = api.get(&format!("/v3/dev/groups?{query}")).await;
        ids(&reply, "groups")
    };
    assert_eq!(list("sort=created_at:asc").await, made);
    assert_eq!(list("status=error").await, made[..1]);
    assert_eq!(list("limit=1&offset=1").await, made[1..2]);
    let marked = format!("sort=created_at:asc&marker={}", made[0]);
    assert_eq!(list(&marked).await, made[1..]);
    assert_eq!(list("name=other").await, Vec::<String>::new());
    let page = api.get("/v3/dev/groups/detail?limit=2&list_volume=1").await;
    assert_eq!(page.body["groups"][0]["volumes"], json!([]));
    let next = page.body["group_links"][0]["href"].as_str().unwrap();
    assert!(next.contains("/groups/detail?"), "{next}");
    let bad = api.get("/v3/dev/groups?sort=bogus").await;
    assert_eq!(bad.fault("badRequest").0, 400);
}

#[tokio::test]
async fn a_group_changes_and_goes() {
    let api = Api::new().await;
    kind(&api, "sets", json!({})).await;
    let id = group(&api, "sets").await;
    available(&api, &id).await;
    let path = format!("/v3/dev/groups/{id}");
    let put = async |group: Value| {
        let body = json!({ "group": group });
        api.call("3.71", "PUT", &path, Some(body)).await
    };
    assert_eq!(put(json!({ "name": "h" })).await.status.as_u16(), 202);
    assert_eq!(api.get(&path).await.body["group"]["name"], "h");
    let message = format!(
        "Invalid Group: Cannot update group {id} because no valid name, description, add_volumes, \
         or remove_volumes were provided."
    );
    let nothing = put(json!({ "name": "h" })).await;
    assert_eq!(nothing.fault("badRequest"), (400, message.as_str()));
    let message = format!(
        "Invalid volume: Cannot add volume {NOWHERE} to group {id} because volume cannot be found."
    );
    let missing = put(json!({ "add_volumes": NOWHERE })).await;
    assert_eq!(missing.fault("badRequest"), (400, message.as_str()));
    assert_eq!(
        put(json!({ "add_volumes": "x" }))
            .await
            .fault("badRequest")
            .0,
        400
    );

    let bogus = reset(&api, &id, "bogus").await;
    assert_eq!(bogus.fault("badRequest").0, 400);
    let action = format!("{path}/action");
    let old = json!({ "reset_status": { "status": "error" } });
    let old = api.call("3.19", "POST", &action, Some(old)).await;
    assert_eq!(old.fault("itemNotFound").0, 404);
    let types = api.get("/v3/dev/group_types?sort=created_at:desc").await;
    let sets = &ids(&types, "group_types")[0];
    let sets = format!("/v3/dev/group_types/{sets}");
    let used = api.call("3.71", "DELETE", &sets, None).await;
    let message = "Target group type is still in use.";
    assert_eq!(used.fault("badRequest"), (400, message));

    let gone = api.post(&action, json!({ "delete": {} })).await;
    assert_eq!(gone.status.as_u16(), 202, "{}", gone.body);
    assert_eq!(api.get(&path).await.status.as_u16(), 404);
    let used = api.call("3.71", "DELETE", &sets, None).await;
    assert_eq!(used.status.as_u16(), 202);
}

#[tokio::test]
async fn snapshots_of_groups_have_addresses_of_their_own() {
    let api = Api::new().await;
    let sets = kind(&api, "sets", json!({})).await;
    let group = group(&api, "sets").await;
    available(&api, &group).await;
    let all = "/v3/dev/group_snapshots";
    let body = json!({ "group_snapshot": { "group_id": group, "name": "s" } });
    let made = api.post(all, body).await;
    let id = made.body["group_snapshot"]["id"].as_str().unwrap();
    let expected = json!({ "id": id, "name": "s", "group_type_id": sets });
    assert_eq!(
        (made.status.as_u16(), &made.body["group_snapshot"]),
        (202, &expected)
    );
    let path = format!("{all}/{id}");
    while api.get(&path).await.body["group_snapshot"]["status"] != "available" {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let mut expected = json!({
        "id": id, "group_id": group, "group_type_id": sets, "status": "available", "name": "s",
        "description": null,
    });
    for (version, more) in [
        ("3.14", json!({})),
        ("3.58", json!({ "project_id": "dev" })),
    ] {
        for (key, value) in more.as_object().unwrap() {
            expected[key] = value.clone();
        }
        let mut shown = api.call(version, "GET", &path, None).await.body["group_snapshot"].take();
        assert!(
            shown
                .as_object_mut()
                .unwrap()
                .remove("created_at")
                .is_some()
        );
        assert_eq!(shown, expected, "{version}");
    }
    for (version, query, found) in [
        ("3.28", "status=error", 1),
        ("3.29", "status=error", 0),
        ("3.29", &format!("group_id={group}"), 1),
        ("3.71", "limit=0", 0),
    ] {
        let reply = api
            .call(version, "GET", &format!("{all}?{query}"), None)
            .await;
        assert_eq!(
            ids(&reply, "group_snapshots").len(),
            found,
            "{version} {query}"
        );
    }
    let brief = api.get(all).await.body;
    assert_eq!(
        brief,
        json!({ "group_snapshots": [{ "id": id, "name": "s" }] })
    );

    // The other family does not know them.
    let other = api.get(&format!("/v3/dev/cgsnapshots/{id}")).await;
    assert_eq!(other.fault("itemNotFound").0, 404);
    let group = api.get(&format!("/v3/dev/consistencygroups/{group}")).await;
    assert_eq!(group.fault("itemNotFound").0, 404);
    let gone = api.call("3.71", "DELETE", &path, None).await;
    assert_eq!(gone.status.as_u16(), 202);
    while api.get(&path).await.status.as_u16() != 404 {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
}

const LEGACY: &str = "/v3/dev/consistencygroups";

/// As the older clients ask.
async fn old(api: &Api, method: &str, path: &str, body: Value) -> Reply {
    let body = (!body.is_null()).then_some(body);
    api.call("3.0", method, path, body).await
}

/// A consistency group that is available.
async fn consistency_group(api: &Api) -> String {
    let body = json!({ "consistencygroup": { "name": "c", "volume_types": "__DEFAULT__," } });
    let made = old(api, "POST", LEGACY, body).await;
    assert_eq!(made.status.as_u16(), 202, "{}", made.body);
    let id = made.body["consistencygroup"]["id"].as_str().unwrap();
    let path = format!("{LEGACY}/{id}");
    while old(api, "GET", &path, Value::Null).await.body["consistencygroup"]["status"] != "error" {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    assert_eq!(reset(api, id, "available").await.status.as_u16(), 202);
    id.to_owned()
}

#[tokio::test]
async fn consistency_groups_are_groups_of_their_own_type() {
    let api = Api::new().await;
    let none = json!({ "consistencygroup": { "name": "c", "volume_types": "," } });
    let message = "volume_types must be provided to create consistency group c.";
    let refused = old(&api, "POST", LEGACY, none).await;
    assert_eq!(refused.fault("badRequest"), (400, message));
    let id = consistency_group(&api).await;
    let path = format!("{LEGACY}/{id}");
    let mut shown = old(&api, "GET", &path, Value::Null).await.body["consistencygroup"].take();
    let made_at = shown.as_object_mut().unwrap().remove("created_at");
    assert!(made_at.is_some());
    let expected = json!({
        "id": id, "status": "available", "availability_zone": "nova", "name": "c",
        "description": null, "volume_types": [default_type(&api).await],
    });
    assert_eq!(shown, expected);
    let listed = old(&api, "GET", &format!("{LEGACY}/detail"), Value::Null).await;
    assert_eq!(ids(&listed, "consistencygroups"), [id.as_str()]);
    assert_eq!(
        api.get("/v3/dev/groups").await.body,
        json!({ "groups": [] })
    );
    let other = api.get(&format!("/v3/dev/groups/{id}")).await;
    let (code, message) = other.fault("badRequest");
    assert!(
        message.contains("is reserved for migrating CGs to groups"),
        "{message}"
    );
    assert_eq!(code, 400);

    for update in [path.clone(), format!("{path}/update")] {
        let blank = json!({ "consistencygroup": { "name": "" } });
        let refused = old(&api, "PUT", &update, blank.clone()).await;
        assert_eq!(refused.fault("badRequest").0, 400);
        let named = json!({ "consistencygroup": { "name": update } });
        let changed = old(&api, "PUT", &update, named).await;
        assert_eq!(changed.status.as_u16(), 202, "{}", changed.body);
        let shown = old(&api, "GET", &path, Value::Null).await.body;
        assert_eq!(shown["consistencygroup"]["name"], json!(update));
        let blanked = api.call("3.6", "PUT", &update, Some(blank)).await;
        assert_eq!(blanked.status.as_u16(), 202, "{}", blanked.body);
    }
    let body = json!({ "consistencygroup": { "force": true } });
    let gone = old(&api, "POST", &format!("{path}/delete"), body).await;
    assert_eq!(gone.status.as_u16(), 202, "{}", gone.body);
    assert_eq!(
        old(&api, "GET", &path, Value::Null).await.status.as_u16(),
        404
    );
}

#[tokio::test]
async fn cgsnapshots_are_snapshots_of_consistency_groups() {
    let api = Api::new().await;
    let id = consistency_group(&api).await;
    let body = json!({ "cgsnapshot": { "consistencygroup_id": id, "name": "s" } });
    let taken = old(&api, "POST", "/v3/dev/cgsnapshots", body).await;
    let snapshot = taken.body["cgsnapshot"]["id"].as_str().unwrap();
    assert_eq!(
        taken.body,
        json!({ "cgsnapshot": { "id": snapshot, "name": "s" } })
    );
    let one = format!("/v3/dev/cgsnapshots/{snapshot}");
    while old(&api, "GET", &one, Value::Null).await.body["cgsnapshot"]["status"] != "available" {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let shown = old(&api, "GET", &one, Value::Null).await.body;
    assert_eq!(shown["cgsnapshot"]["consistencygroup_id"], json!(id));
    let listed = old(&api, "GET", "/v3/dev/cgsnapshots/detail", Value::Null).await;
    assert_eq!(ids(&listed, "cgsnapshots"), [snapshot]);
    let copy = format!("{LEGACY}/create_from_src");
    let from = json!({ "consistencygroup-from-src": { "cgsnapshot_id": snapshot } });
    let empty = old(&api, "POST", &copy, from).await;
    let message = "Invalid Group: Group snapshot is empty. No group will be created.";
    assert_eq!(empty.fault("badRequest"), (400, message));
    let from = json!({ "consistencygroup-from-src": { "name": "n" } });
    let neither = old(&api, "POST", &copy, from).await;
    assert_eq!(neither.fault("badRequest").0, 400);
    let gone = old(&api, "DELETE", &one, Value::Null).await;
    assert_eq!(gone.status.as_u16(), 202);
    while old(&api, "GET", &one, Value::Null).await.status.as_u16() != 404 {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn a_volume_names_its_group() {
    let api = Api::new().await;
    kind(&api, "sets", json!({})).await;
    let own = group(&api, "sets").await;
    available(&api, &own).await;
    let body = json!({ "consistencygroup": { "volume_types": "__DEFAULT__" } });
    let made = api.post("/v3/dev/consistencygroups", body).await;
    let legacy = made.body["consistencygroup"]["id"].as_str().unwrap();
    while reset(&api, legacy, "available").await.status.as_u16() != 202 {}
    for (key, group, shown) in [
        (
            "group_id",
            own.as_str(),
            ["group_id", "consistencygroup_id"],
        ),
        (
            "consistencygroup_id",
            legacy,
            ["consistencygroup_id", "group_id"],
        ),
    ] {
        let body = json!({ "volume": { "size": 1, key: group } });
        let made = api.post("/v3/dev/volumes", body).await;
        assert_eq!(made.status.as_u16(), 202, "{}", made.body);
        let volume = &made.body["volume"];
        let path = format!("/v3/dev/volumes/{}", volume["id"].as_str().unwrap());
        let found = api.get(&path).await.body;
        for volume in [volume, &found["volume"]] {
            assert_eq!(volume[shown[0]], group);
            assert_eq!(volume[shown[1]], Value::Null);
        }
        let filtered = api.get(&format!("/v3/dev/volumes?group_id={group}")).await;
        assert_eq!(ids(&filtered, "volumes"), [volume["id"].as_str().unwrap()]);
        let gone = api.call("3.71", "DELETE", &path, None).await;
        assert_eq!(gone.fault("badRequest").0, 400);
    }
    let unfiltered = format!("/v3/dev/volumes?group_id={own}");
    let unfiltered = api.call("3.9", "GET", &unfiltered, None).await;
    assert_eq!(ids(&unfiltered, "volumes").len(), 2);
    let body = json!({ "volume": { "size": 1, "group_id": NOWHERE } });
    let missing = api.post("/v3/dev/volumes", body.clone()).await;
    assert_eq!(missing.fault("itemNotFound").0, 404);
}
