//! Access to types, their encryption, and default types, in the order and with the answers of a real
//! Cinder.

use serde_json::{Value, json};

use crate::NOWHERE;
use crate::common::{Api, Reply};

const PROJECT: &str = "44f59ea8e7184f4ba240ce0cc67812e7";

async fn created(api: &Api, kind: Value) -> String {
    let made = api.post("/v3/dev/types", json!({ "volume_type": kind }));
    let made = made.await;
    let id = made.body["volume_type"]["id"].as_str();
    id.unwrap_or_else(|| panic!("no id in {}", made.body))
        .to_owned()
}

async fn put(api: &Api, path: &str, body: Value) -> Reply {
    api.call("3.71", "PUT", path, Some(body)).await
}

async fn delete(api: &Api, path: &str) -> Reply {
    api.call("3.71", "DELETE", path, None).await
}

#[tokio::test]
async fn private_types_are_given_and_taken() {
    let api = Api::new().await;
    let open = created(&api, json!({ "name": "gt1" })).await;
    let private = json!({ "name": "gt2", "os-volume-type-access:is_public": false });
    let id = created(&api, private).await;
    let access = format!("/v3/dev/types/{id}/os-volume-type-access");
    for version in ["3.0", "3.71"] {
        let none = api.call(version, "GET", &access, None).await;
        assert_eq!(none.body, json!({ "volume_type_access": [] }));
    }
    let public = format!("/v3/dev/types/{open}/os-volume-type-access");
    let message = "Access list not available for public volume types.";
    let refused = api.get(&public).await;
    assert_eq!(refused.fault("itemNotFound"), (404, message));

    let action = format!("/v3/dev/types/{id}/action");
    let add = json!({ "addProjectAccess": { "project": PROJECT } });
    let given = api.post(&action, add.clone()).await;
    assert_eq!((given.status.as_u16(), given.body), (202, Value::Null));
    let message = format!("Volume type access for {id} / {PROJECT} combination already exists.");
    let again = api.post(&action, add.clone()).await;
    assert_eq!(again.fault("conflictingRequest"), (409, message.as_str()));
    let message =
        "Invalid volume type: Type access modification is not applicable to public volume type.";
    let refused = api.post(&format!("/v3/dev/types/{open}/action"), add).await;
    assert_eq!(refused.fault("badRequest"), (400, message));
    let expected = json!({ "volume_type_access": [
        { "volume_type_id": id, "project_id": PROJECT },
    ]});
    assert_eq!(api.get(&access).await.body, expected);

    let nothing = json!({ "addProjectAccess": {} });
    let message = "Invalid input for field/attribute addProjectAccess. Value: {}. 'project' is a \
                   required property";
    let refused = api.post(&action, nothing).await;
    assert_eq!(refused.fault("badRequest"), (400, message));
    let remove = json!({ "removeProjectAccess": { "project": PROJECT } });
    let taken = api.post(&action, remove.clone()).await;
    assert_eq!((taken.status.as_u16(), taken.body), (202, Value::Null));
    let message = format!("Volume type access not found for {id} / {PROJECT} combination.");
    let again = api.post(&action, remove).await;
    assert_eq!(again.fault("itemNotFound"), (404, message.as_str()));
}

#[tokio::test]
async fn types_are_encrypted() {
    let api = Api::new().await;
    let id = created(&api, json!({ "name": "gt1" })).await;
    let path = format!("/v3/dev/types/{id}/encryption");
    assert_eq!(api.get(&path).await.body, json!({}));
    let luks = json!({ "provider": "luks", "cipher": "aes-xts-plain64", "key_size": "256",
                       "control_location": "front-end" });
    let made = api.post(&path, json!({ "encryption": luks })).await;
    assert_eq!(made.status.as_u16(), 200);
    let key = made.body["encryption"]["encryption_id"].as_str().unwrap();
    let mut expected = luks;
    expected["key_size"] = json!(256);
    expected["volume_type_id"] = json!(id);
    expected["encryption_id"] = json!(key);
    assert_eq!(made.body, json!({ "encryption": expected }));
    let less = json!({ "encryption": { "provider": "luks", "control_location": "front-end" } });
    let message = format!("Volume type encryption for type {id} already exists.");
    let again = api.post(&path, less).await;
    assert_eq!(again.fault("badRequest"), (400, message.as_str()));

    let mut shown = api.get(&path).await.body;
    assert!(shown["created_at"].is_string());
    for (name, value) in [
        ("created_at", shown["created_at"].clone()),
        ("updated_at", Value::Null),
        ("deleted_at", Value::Null),
        ("deleted", json!(false)),
    ] {
        expected[name] = value;
    }
    assert_eq!(shown, expected);
    shown = api.get(&format!("{path}/cipher")).await.body;
    assert_eq!(shown, json!({ "cipher": "aes-xts-plain64" }));
    let message = format!("Volume type encryption for type {id} does not exist.");
    let nope = api.get(&format!("{path}/nope")).await;
    assert_eq!(nope.fault("itemNotFound"), (404, message.as_str()));

    let one = format!("{path}/{key}");
    let longer = json!({ "encryption": { "key_size": 512 } });
    let changed = put(&api, &one, longer.clone()).await;
    assert_eq!((changed.status.as_u16(), &changed.body), (200, &longer));
    let shown = api.get(&path).await.body;
    assert_eq!(
        (&shown["key_size"], &shown["provider"]),
        (&json!(512), &json!("luks"))
    );
    for (bad, message) in [
        (
            json!({ "provider": "luks", "control_location": "mid" }),
            "Invalid input for field/attribute control_location. Value: mid. 'mid' is not one of \
             ['front-end', 'back-end']",
        ),
        (
            json!({ "provider": "luks", "control_location": "front-end", "key_size": -1 }),
            "Invalid input for field/attribute key_size. Value: -1. -1 is less than the minimum of 0",
        ),
        (
            json!({ "control_location": "front-end" }),
            "Invalid input for field/attribute encryption. Value: {'control_location': 'front-end'}. \
             'provider' is a required property",
        ),
    ] {
        let refused = api.post(&path, json!({ "encryption": bad })).await;
        assert_eq!(refused.fault("badRequest"), (400, message));
    }
    let gone = delete(&api, &one).await;
    assert_eq!((gone.status.as_u16(), gone.body), (202, Value::Null));
    let again = delete(&api, &one).await;
    let message = format!("Volume type encryption for type {id} does not exist.");
    assert_eq!(again.fault("itemNotFound"), (404, message.as_str()));
}

#[tokio::test]
async fn encrypted_volumes_say_so() {
    let api = Api::with(|options| options.has_fixed_key = true).await;
    let id = created(&api, json!({ "name": "gt1" })).await;
    let path = format!("/v3/dev/types/{id}/encryption");
    let luks = json!({ "provider": "luks2", "cipher": "aes-xts-plain64", "key_size": 512,
                       "control_location": "front-end" });
    let made = api.post(&path, json!({ "encryption": luks })).await;
    let spec = format!(
        "{path}/{}",
        made.body["encryption"]["encryption_id"].as_str().unwrap()
    );
    let volume = json!({ "volume": { "size": 1, "volume_type": id } });
    let made = api.post("/v3/dev/volumes", volume).await;
    assert_eq!(made.body["volume"]["encrypted"], true, "{}", made.body);
    // The key that all volumes share is no news.
    assert_eq!(made.body["volume"].get("encryption_key_id"), None);
    let volume = made.body["volume"]["id"].as_str().unwrap();
    let path = format!("/v3/dev/volumes/{volume}/encryption");
    let mut told = luks.clone();
    let key = "00000000-0000-0000-0000-000000000000";
    told["encryption_key_id"] = json!(key);
    assert_eq!(api.get(&path).await.body, told);
    let one = api.text(&format!("{path}/encryption_key_id")).await;
    assert_eq!(
        one,
        (200, "text/html; charset=utf-8".to_owned(), key.to_owned())
    );
    let one = api.text(&format!("{path}/key_size")).await;
    assert_eq!((one.0, one.2.as_str()), (200, "512"));
    assert_eq!(
        api.get(&format!("{path}/nope"))
            .await
            .fault("itemNotFound")
            .0,
        404
    );

    let change = json!({ "encryption": { "key_size": 256 } });
    let used = put(&api, &spec, change).await;
    let message = "Cannot update encryption specs. Volume type in use.";
    assert_eq!(used.fault("badRequest"), (400, message));
    let used = delete(&api, &spec).await;
    let message = "Cannot delete encryption specs. Volume type in use.";
    assert_eq!(used.fault("badRequest"), (400, message));

    let plain = json!({ "volume": { "size": 1 } });
    let plain = api.post("/v3/dev/volumes", plain).await;
    assert_eq!(plain.body["volume"]["encrypted"], false);
    let id = plain.body["volume"]["id"].as_str().unwrap();
    let path = format!("/v3/dev/volumes/{id}/encryption");
    assert_eq!(
        api.get(&path).await.body,
        json!({ "encryption_key_id": null })
    );
    let cipher = api.get(&format!("{path}/cipher")).await;
    assert_eq!(cipher.fault("itemNotFound").0, 404);
}

#[tokio::test]
async fn volumes_of_encrypted_types_need_a_key_and_one_guest() {
    let api = Api::new().await;
    let id = created(&api, json!({ "name": "gt1" })).await;
    let luks = json!({ "provider": "luks", "control_location": "front-end" });
    let path = format!("/v3/dev/types/{id}/encryption");
    let made = api.post(&path, json!({ "encryption": luks })).await;
    assert_eq!(made.status.as_u16(), 200);
    let volume = json!({ "volume": { "size": 1, "volume_type": "gt1" } });
    let refused = api.post("/v3/dev/volumes", volume.clone()).await;
    let (code, message) = refused.fault("badRequest");
    assert_eq!(code, 400);
    assert!(message.contains("no key manager"), "{message}");
    let shared = json!({ "extra_specs": { "multiattach": "<is> True" } });
    let _ = api
        .post(&format!("/v3/dev/types/{id}/extra_specs"), shared)
        .await;
    let refused = api.post("/v3/dev/volumes", volume).await;
    let message = "Invalid input received: Multiattach cannot be used with encrypted volumes.";
    assert_eq!(refused.fault("badRequest"), (400, message));
}

#[tokio::test]
async fn projects_have_default_types() {
    let api = Api::new().await;
    let id = created(&api, json!({ "name": "gt5" })).await;
    let path = format!("/v3/default-types/{PROJECT}");
    let body = json!({ "default_type": { "volume_type": id } });
    let old = api.call("3.61", "PUT", &path, Some(body.clone())).await;
    let expected = (404, "The resource could not be found.");
    assert_eq!(old.fault("itemNotFound"), expected);
    let shown = json!({ "project_id": PROJECT, "volume_type_id": id });
    for version in ["3.62", "3.71"] {
        let set = api.call(version, "PUT", &path, Some(body.clone())).await;
        assert_eq!(set.status.as_u16(), 200);
        assert_eq!(set.body, json!({ "default_type": shown }));
    }
    assert_eq!(api.get(&path).await.body, json!({ "default_type": shown }));
    for all in ["/v3/default-types", "/v3/dev/default-types"] {
        let listed = api.get(all).await.body;
        assert_eq!(listed, json!({ "default_types": [shown] }));
    }
    let nope = json!({ "default_type": { "volume_type": "nope" } });
    let message = "Volume type with name nope could not be found.";
    assert_eq!(
        put(&api, &path, nope).await.fault("badRequest"),
        (400, message)
    );
    let refused = delete(&api, &format!("/v3/dev/types/{id}")).await;
    let message = format!("The volume type {id} is a default volume type and cannot be deleted.");
    assert_eq!(refused.fault("badRequest"), (400, message.as_str()));

    // For the project that asks, its own comes before that of the configuration.
    let own = put(&api, "/v3/default-types/dev", body).await;
    assert_eq!(own.status.as_u16(), 200);
    let default = api.get("/v3/dev/types/default").await;
    assert_eq!(default.body["volume_type"]["name"], "gt5");
    let volume = json!({ "volume": { "size": 1 } });
    let made = api.post("/v3/dev/volumes", volume).await;
    assert_eq!(made.body["volume"]["volume_type"], "gt5");
    for _ in 0..2 {
        for path in [&path, "/v3/default-types/dev"] {
            let gone = delete(&api, path).await;
            assert_eq!((gone.status.as_u16(), gone.body), (204, Value::Null));
        }
    }
    let message = format!("Default type for project {PROJECT} not found.");
    assert_eq!(
        api.get(&path).await.fault("itemNotFound"),
        (404, message.as_str())
    );
    let default = api.get("/v3/dev/types/default").await;
    assert_eq!(default.body["volume_type"]["name"], "__DEFAULT__");
    let used = delete(&api, &format!("/v3/dev/types/{id}")).await;
    let expected = (400, "Target volume type is still in use.");
    assert_eq!(used.fault("badRequest"), expected);
    let gone = delete(&api, &format!("/v3/dev/types/{NOWHERE}")).await;
    assert_eq!(gone.fault("itemNotFound").0, 404);
}
