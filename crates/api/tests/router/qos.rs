//! QoS specs, in the order and with the answers of a real Cinder.

use serde_json::{Value, json};

use crate::NOWHERE;
use crate::common::{Api, Reply};

const BAD_CONSUMER: &str = "Invalid qos specs: Valid consumer of QoS specs are: \
    QoSConsumerValues(default=<class 'oslo_versionedobjects.fields.UnspecifiedDefault'>,\
    nullable=False,valid_values=('back-end', 'front-end', 'both'))";

async fn create(api: &Api, spec: Value) -> Reply {
    api.post("/v3/dev/qos-specs", json!({ "qos_specs": spec }))
        .await
}

async fn put(api: &Api, path: &str, body: Value) -> Reply {
    api.call("3.71", "PUT", path, Some(body)).await
}

fn id_of(reply: &Reply) -> String {
    let id = reply.body["qos_specs"]["id"].as_str();
    id.unwrap_or_else(|| panic!("no id in {}", reply.body))
        .to_owned()
}

#[tokio::test]
async fn specs_are_made_shown_and_listed() {
    let api = Api::new().await;
    for version in ["3.0", "3.71"] {
        let none = api.call(version, "GET", "/v3/dev/qos-specs", None).await;
        assert_eq!(none.status.as_u16(), 200);
        assert_eq!(none.body, json!({ "qos_specs": [] }));
    }
    let first = create(
        &api,
        json!({ "name": "q1", "consumer": "front-end", "total_iops_sec": "1000",
                "read_bytes_sec": "1" }),
    )
    .await;
    assert_eq!(first.status.as_u16(), 200);
    let id = id_of(&first);
    let shown = json!({
        "qos_specs": {
            "id": id, "name": "q1", "consumer": "front-end",
            "specs": { "read_bytes_sec": "1", "total_iops_sec": "1000" },
        },
        "links": [
            { "rel": "self", "href": format!("http://localhost/v3/dev/qos-specs/{id}") },
            { "rel": "bookmark", "href": format!("http://localhost/dev/qos-specs/{id}") },
        ],
    });
    assert_eq!(first.body, shown);
    let path = format!("/v3/dev/qos-specs/{id}");
    assert_eq!(api.call("3.0", "GET", &path, None).await.body, shown);

    let second = create(&api, json!({ "name": " q4 " })).await;
    let made = &second.body["qos_specs"];
    assert_eq!(
        (&made["name"], &made["consumer"], &made["specs"]),
        (&json!("q4"), &json!("back-end"), &json!({}))
    );
    let list = api.get("/v3/dev/qos-specs").await.body;
    assert_eq!(list["qos_specs"], json!([made, shown["qos_specs"]]));
    let page = api
        .get("/v3/dev/qos-specs?limit=1&sort=created_at:asc")
        .await
        .body;
    assert_eq!(page["qos_specs"], json!([shown["qos_specs"]]));
    let next = page["qos_specs_links"][0]["href"].as_str().unwrap();
    let next = next.strip_prefix("http://localhost").unwrap();
    assert_eq!(api.get(next).await.body["qos_specs"], json!([made]));
    let both = api.get("/v3/dev/qos-specs?consumer=both").await.body;
    assert_eq!(both, json!({ "qos_specs": [] }));
    let sorted = api.get("/v3/dev/qos-specs?limit=1&sort=name:asc").await;
    let expected = (400, "Invalid input received: Invalid sort key");
    assert_eq!(sorted.fault("badRequest"), expected);
}

#[tokio::test]
async fn bad_specs_are_refused() {
    let api = Api::new().await;
    let _ = create(&api, json!({ "name": "q1" })).await;
    let again = create(&api, json!({ "name": "q1" })).await;
    let expected = (409, "QoS Specs q1 already exists.");
    assert_eq!(again.fault("conflictingRequest"), expected);
    let no_name = "An invalid 'name' value was provided. The 'name' can not be None.";
    for (spec, message) in [
        (json!({ "name": "q2", "consumer": "bad" }), BAD_CONSUMER),
        (json!({ "name": "q2", "consumer": 1 }), BAD_CONSUMER),
        (json!({ "name": "" }), no_name),
        (
            json!({}),
            "Invalid input for field/attribute qos_specs. Value: {}. 'name' is a required property",
        ),
        (
            json!({ "name": "q3", "k": 1 }),
            "Invalid input received: Value for key \"k\" is not a string or unicode",
        ),
        (
            json!({ "name": "q3", "total_iops_sec": "many" }),
            "Invalid qos specs: total_iops_sec: it must be a whole number from 0 to \
             1000000000000000",
        ),
        (
            json!({ "name": "q3", "consumer": "both", "read_bytes_sec_max": "5" }),
            "Invalid qos specs: read_bytes_sec_max: it needs a limit that it belongs to",
        ),
    ] {
        let reply = create(&api, spec.clone()).await;
        assert_eq!(reply.fault("badRequest"), (400, message), "{spec}");
    }
    // What hosts are to understand is not for this service to judge.
    let host = json!({ "name": "q5", "consumer": "front-end", "total_iops_sec": "many" });
    assert_eq!(create(&api, host).await.status.as_u16(), 200);
    let all = api.get("/v3/dev/qos-specs").await.body;
    assert_eq!(all["qos_specs"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn keys_are_set_and_deleted() {
    let api = Api::new().await;
    let spec = json!({ "name": "q1", "consumer": "front-end", "total_iops_sec": "1000" });
    let id = id_of(&create(&api, spec).await);
    let path = format!("/v3/dev/qos-specs/{id}");
    let set = json!({ "qos_specs": { "total_iops_sec": "5", "new": "1" } });
    let reply = put(&api, &path, set.clone()).await;
    assert_eq!((reply.status.as_u16(), &reply.body), (200, &set));
    let set = json!({ "qos_specs": { "consumer": "back-end" } });
    let reply = put(&api, &path, set.clone()).await;
    assert_eq!((reply.status.as_u16(), &reply.body), (200, &set));
    let reply = put(&api, &path, json!({ "qos_specs": { "consumer": "zz" } })).await;
    assert_eq!(reply.fault("badRequest"), (400, BAD_CONSUMER));
    let reply = put(
        &api,
        &path,
        json!({ "qos_specs": { "total_iops_sec": "x" } }),
    )
    .await;
    assert_eq!(reply.fault("badRequest").0, 400);
    let shown = api.get(&path).await.body;
    let expected = json!({ "total_iops_sec": "5", "new": "1" });
    assert_eq!(shown["qos_specs"]["specs"], expected);
    assert_eq!(shown["qos_specs"]["consumer"], "back-end");

    let keys = format!("{path}/delete_keys");
    let reply = put(&api, &keys, json!({ "keys": ["new"] })).await;
    assert_eq!((reply.status.as_u16(), reply.body), (202, Value::Null));
    let reply = put(&api, &keys, json!({ "keys": ["total_iops_sec", "zz"] })).await;
    let message = format!("QoS spec {id} has no spec with key zz.");
    assert_eq!(reply.fault("itemNotFound"), (404, message.as_str()));
    let shown = api.get(&path).await.body;
    let expected = json!({ "total_iops_sec": "5" });
    assert_eq!(shown["qos_specs"]["specs"], expected);
    for body in [
        json!({}),
        json!({ "keys": "new" }),
        json!({ "keys": [""] }),
        json!({ "keys": [1] }),
        json!({ "keys": [], "more": 1 }),
    ] {
        let reply = put(&api, &keys, body.clone()).await;
        assert_eq!(reply.fault("badRequest").0, 400, "{body}");
    }
}

#[tokio::test]
async fn types_are_associated_and_disassociated() {
    let api = Api::new().await;
    let id = id_of(&create(&api, json!({ "name": "q1" })).await);
    let path = format!("/v3/dev/qos-specs/{id}");
    let made = api
        .post(
            "/v3/dev/types",
            json!({ "volume_type": { "name": "gt1b" } }),
        )
        .await;
    let kind = made.body["volume_type"]["id"].as_str().unwrap().to_owned();
    let shown = async || {
        let reply = api.get(&format!("/v3/dev/types/{kind}")).await;
        reply.body["volume_type"]["qos_specs_id"].clone()
    };
    assert_eq!(shown().await, Value::Null);
    let associate = format!("{path}/associate?vol_type_id={kind}");
    for _ in 0..2 {
        let reply = api.get(&associate).await;
        assert_eq!((reply.status.as_u16(), reply.body), (202, Value::Null));
    }
    assert_eq!(shown().await, json!(id));
    let listed = api.get(&format!("{path}/associations")).await.body;
    let expected = json!({ "qos_associations": [
        { "association_type": "volume_type", "name": "gt1b", "id": kind },
    ]});
    assert_eq!(listed, expected);

    let none = api.get(&format!("{path}/associate")).await;
    let expected = (400, "Volume Type id must not be None.");
    assert_eq!(none.fault("badRequest"), expected);
    let nowhere = api
        .get(&format!("{path}/associate?vol_type_id={NOWHERE}"))
        .await;
    let message = format!("Volume type {NOWHERE} could not be found.");
    assert_eq!(nowhere.fault("itemNotFound"), (404, message.as_str()));
    let other = id_of(&create(&api, json!({ "name": "q2" })).await);
    let second = api
        .get(&format!(
            "/v3/dev/qos-specs/{other}/associate?vol_type_id={kind}"
        ))
        .await;
    let message = format!(
        "Invalid volume type: Type {kind} is already associated with another qos specs: {id}"
    );
    assert_eq!(second.fault("badRequest"), (400, message.as_str()));

    let delete = async |query: &str| {
        api.call("3.71", "DELETE", &format!("{path}{query}"), None)
            .await
    };
    let used = delete("").await;
    assert_eq!(used.fault("badRequest"), (400, "Qos specs still in use."));
    let reply = api
        .get(&format!("{path}/disassociate?vol_type_id={kind}"))
        .await;
    assert_eq!(reply.status.as_u16(), 202);
    assert_eq!(shown().await, Value::Null);
    let _ = api.get(&associate).await;
    let reply = api.get(&format!("{path}/disassociate_all")).await;
    assert_eq!(reply.status.as_u16(), 202);
    assert_eq!(shown().await, Value::Null);
    let _ = api.get(&associate).await;
    let reply = delete("?force=true").await;
    assert_eq!((reply.status.as_u16(), reply.body), (202, Value::Null));
    assert_eq!(shown().await, Value::Null);
    let message = format!("No such QoS spec {id}.");
    for below in ["", "/associations", "/disassociate_all"] {
        let gone = api.get(&format!("{path}{below}")).await;
        assert_eq!(gone.fault("itemNotFound"), (404, message.as_str()));
    }
}
