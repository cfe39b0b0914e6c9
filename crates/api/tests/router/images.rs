//! Images in requests and answers.

use axum::http::StatusCode;
use firebrick_cloud::Glance;
use firebrick_control::ImageOptions;
use firebrick_db::volumes;
use firebrick_state::VolumeStatus;
use firebrick_vocabulary::VolumeId;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::activities::failed;
use crate::common::Api;
use crate::glance::{FakeGlance, impatient};

async fn both() -> (FakeGlance, Api) {
    let glance = FakeGlance::default();
    let client = Glance::new(impatient(glance.serve().await)).unwrap();
    let folder = std::env::temp_dir().join(Uuid::new_v4().to_string());
    let images = ImageOptions::new(client, folder);
    let api = Api::with(|options| options.images = Some(images)).await;
    (glance, api)
}

/// A volume that is `available`, though no backend has it.
pub(crate) async fn available(api: &Api) -> String {
    let (id, _) = failed(api).await;
    let mut tx = api.db.begin().await.unwrap();
    let key: VolumeId = id.parse().unwrap();
    let volume = volumes::get_locked(&mut tx, key).await.unwrap();
    let mut volume = volume.unwrap();
    volume.status = VolumeStatus::Available;
    let swapped = volumes::swap(&mut tx, &[VolumeStatus::Error], &volume).await;
    assert!(swapped.unwrap().won());
    tx.commit().await.unwrap();
    id
}

#[tokio::test]
async fn a_volume_is_asked_for_by_either_name_of_its_image() {
    let (glance, api) = both().await;
    let image = glance.add("raw", vec![1; 4096], &json!({}));
    for body in [
        json!({ "size": 1, "imageRef": image }),
        json!({ "size": 1, "image_id": image }),
        json!({ "size": 1, "imageRef": format!("http://glance/v2/images/{image}") }),
    ] {
        let made = api.post("/v3/dev/volumes", json!({ "volume": body })).await;
        assert_eq!(made.status, StatusCode::ACCEPTED, "{}", made.body);
        let volume = &made.body["volume"];
        assert_eq!(
            (&volume["status"], &volume["bootable"]),
            (&json!("creating"), &json!("false"))
        );
        assert!(made.activity.is_some());
    }
    for (body, expected) in [
        (
            json!({ "size": 1, "imageRef": "cirros" }),
            "Invalid image identifier",
        ),
        (
            json!({ "size": 1, "imageRef": Uuid::new_v4() }),
            "Invalid image identifier",
        ),
        (json!({ "imageRef": image }), "Invalid volume size"),
        (
            json!({ "size": 1, "imageRef": image, "source_volid": Uuid::new_v4() }),
            "May specify only one of",
        ),
    ] {
        let refused = api.post("/v3/dev/volumes", json!({ "volume": body })).await;
        let (status, text) = refused.fault("badRequest");
        assert!(status == 400 && text.contains(expected), "{text}");
    }
    let body = json!({ "volume": { "size": 1, "imageRef": null } });
    let none = api.post("/v3/dev/volumes", body).await;
    assert_eq!(none.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_volume_is_asked_for_by_the_name_of_one_image() {
    let (glance, api) = both().await;
    let named = |text: &str| json!({ "volume": { "size": 1, "imageRef": text } });
    glance.add(
        "raw",
        vec![1; 4096],
        &json!({ "name": "cirros/0.6 & more" }),
    );
    // An id that is nobody's may be a name.
    let odd = Uuid::new_v4().to_string();
    glance.add("raw", vec![1; 4096], &json!({ "name": odd }));
    for text in ["cirros/0.6 & more", &odd] {
        let made = api.post("/v3/dev/volumes", named(text)).await;
        assert_eq!(made.status, StatusCode::ACCEPTED, "{text}: {}", made.body);
    }
    for text in ["", "cirros", "0.6 & more"] {
        let refused = api.post("/v3/dev/volumes", named(text)).await;
        let (status, said) = refused.fault("badRequest");
        assert!(
            status == 400 && said.starts_with("Invalid image identifier"),
            "{said}"
        );
    }
    glance.add("raw", vec![1; 4096], &json!({ "name": odd }));
    let refused = api.post("/v3/dev/volumes", named(&odd)).await;
    let (status, said) = refused.fault("conflictingRequest");
    assert!(
        status == 409 && said.starts_with("Multiple matches found"),
        "{said}"
    );
}

#[tokio::test]
async fn an_upload_answers_with_its_image() {
    let (glance, api) = both().await;
    let id = available(&api).await;
    let path = format!("/v3/dev/volumes/{id}/action");
    let upload = async |version: &str, body: Value| {
        let body = json!({ "os-volume_upload_image": body });
        api.call(version, "POST", &path, Some(body)).await
    };
    let body = json!({
        "image_name": "copy", "disk_format": "qcow2", "visibility": "shared", "protected": true,
    });
    let made = upload("3.71", body.clone()).await;
    assert_eq!(made.status, StatusCode::ACCEPTED, "{}", made.body);
    let shown = &made.body["os-volume_upload_image"];
    for (key, value) in [
        ("id", json!(id)),
        ("status", json!("uploading")),
        ("size", json!(1)),
        ("image_name", json!("copy")),
        ("disk_format", json!("qcow2")),
        ("container_format", json!("bare")),
        ("visibility", json!("shared")),
        ("protected", json!(true)),
        ("display_description", Value::Null),
    ] {
        assert_eq!(shown[key], value, "{key}");
    }
    assert_eq!(shown["volume_type"]["name"], "__DEFAULT__");
    let image: Uuid = shown["image_id"].as_str().unwrap().parse().unwrap();
    assert!(made.activity.is_some() && glance.known.lock().made.contains(&image));
    // Those options are of 3.1.
    let older = upload("3.0", body).await;
    assert_eq!(older.status, StatusCode::BAD_REQUEST);
    let older = upload("3.0", json!({ "image_name": "copy" })).await;
    assert_eq!(older.status, StatusCode::ACCEPTED, "{}", older.body);
    for bad in [
        json!({}),
        json!({ "image_name": "" }),
        json!({ "image_name": "x", "disk_format": "iso" }),
        json!({ "image_name": "x", "disk_format": "ploop" }),
        json!({ "image_name": "x", "container_format": "ova" }),
        json!({ "image_name": "x", "visibility": "mine" }),
        json!({ "image_name": "x", "more": 1 }),
    ] {
        let refused = upload("3.71", bad.clone()).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{bad}");
    }
}

#[tokio::test]
async fn a_volume_is_reimaged_from_3_68_on() {
    let (glance, api) = both().await;
    let id = available(&api).await;
    let image = glance.add("raw", vec![1; 4096], &json!({}));
    let path = format!("/v3/dev/volumes/{id}/action");
    let body = json!({ "os-reimage": { "image_id": image } });
    let older = api.call("3.67", "POST", &path, Some(body.clone())).await;
    assert_eq!(older.status, StatusCode::NOT_FOUND);
    let bad = json!({ "os-reimage": { "image_id": "x" } });
    let bad = api.call("3.68", "POST", &path, Some(bad)).await;
    assert_eq!(bad.status, StatusCode::BAD_REQUEST);
    let none = json!({ "os-reimage": { "image_id": Uuid::new_v4() } });
    let none = api.call("3.68", "POST", &path, Some(none)).await;
    assert_eq!(none.status, StatusCode::BAD_REQUEST);
    let asked = api.call("3.68", "POST", &path, Some(body)).await;
    assert_eq!(
        (asked.status, asked.body),
        (StatusCode::ACCEPTED, Value::Null)
    );
    assert!(asked.activity.is_some());
}
