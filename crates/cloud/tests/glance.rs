//! Images of a small Glance in this process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "fake/glance.rs"]
mod fake;

use firebrick_cloud::{
    Glance, GlanceError, GlanceOptions, ImageStatus, NewImage, UserToken, Visibility,
};
use serde_json::json;
use uuid::Uuid;

use fake::{FakeGlance, Fault, impatient};

async fn both() -> (FakeGlance, Glance) {
    let fake = FakeGlance::default();
    let url = fake.serve().await;
    let glance = Glance::new(impatient(format!("{url}/v2/"))).unwrap();
    (fake, glance)
}

async fn read(glance: &Glance, id: Uuid) -> Result<Vec<u8>, GlanceError> {
    let token = UserToken::new("user");
    let image = glance.show(Some(&token), id).await?;
    let mut download = glance.download(Some(&token), &image).await?;
    let mut all = Vec::new();
    while let Some(chunk) = download.next().await? {
        all.extend(chunk);
    }
    Ok(all)
}

fn data() -> Vec<u8> {
    (0..3_000_001_u32).map(|n| (n % 251) as u8).collect()
}

#[tokio::test]
async fn an_image_is_shown_and_read_with_the_users_token() {
    let (fake, glance) = both().await;
    let more = json!({ "os_distro": "cirros", "min_disk": 2, "visibility": "public" });
    let id = fake.add("qcow2", data(), &more);
    let image = glance.show(None, id).await.unwrap();
    assert_eq!(
        (image.status, image.min_disk, image.visibility),
        (ImageStatus::Active, 2, Visibility::Public)
    );
    assert_eq!(image.size, Some(3_000_001));
    assert_eq!(image.properties.len(), 1);
    assert_eq!(image.properties["os_distro"], "cirros");
    assert_eq!(read(&glance, id).await.unwrap(), data());
    let seen = fake.known.lock().tokens.clone();
    let user = Some("user".to_owned());
    assert_eq!(seen, [(None, None), (user.clone(), None), (user, None)]);
    let none = glance.show(None, Uuid::new_v4()).await;
    assert!(matches!(none, Err(GlanceError::NotFound)));
}

#[tokio::test]
async fn data_that_are_not_the_image_are_an_error() {
    let (fake, glance) = both().await;
    let id = fake.add("raw", data(), &json!({}));
    for (fault, passes) in [
        (Fault::Truncated, true),
        (Fault::Corrupt, true),
        (Fault::Slow, true),
        (Fault::Gone, false),
        (Fault::Status(403), false),
        (Fault::Status(503), true),
    ] {
        fake.fail(fault);
        let error = read(&glance, id).await.unwrap_err();
        assert_eq!(error.may_pass(), passes, "{error:?}");
    }
    fake.fail(Fault::Corrupt);
    let error = read(&glance, id).await.unwrap_err();
    assert!(matches!(error, GlanceError::Damaged(_)), "{error:?}");
    fake.fail(Fault::None);
    // The bytes are right, but not what was promised.
    let checksum = json!({ "os_hash_algo": "whirlpool", "checksum": "00" });
    let id = fake.add("raw", data(), &checksum);
    let error = read(&glance, id).await.unwrap_err();
    assert!(matches!(error, GlanceError::Damaged(_)), "{error:?}");
    let longer = json!({ "size": 2_999_999 });
    let id = fake.add("raw", data(), &longer);
    let error = read(&glance, id).await.unwrap_err();
    assert!(matches!(error, GlanceError::Damaged(_)), "{error:?}");
}

#[tokio::test]
async fn an_image_is_made_written_and_deleted() {
    let (fake, glance) = both().await;
    let new = NewImage {
        name: "copy".to_owned(),
        disk_format: "raw".to_owned(),
        container_format: "bare".to_owned(),
        visibility: Some(Visibility::Shared),
        protected: Some(false),
        properties: [("os".to_owned(), "x".to_owned())].into(),
        ..NewImage::default()
    };
    let made = glance.create(None, &new).await.unwrap();
    assert_eq!(made.status, ImageStatus::Queued);
    let all = data();
    let mut upload = glance
        .upload(None, made.id, Some(all.len() as u64))
        .await
        .unwrap();
    for chunk in all.chunks(700_000) {
        upload.write(chunk.to_vec()).await.unwrap();
    }
    upload.finish().await.unwrap();
    let (image, stored) = fake.image(made.id).unwrap();
    assert!(stored == all);
    assert_eq!(
        (
            &image["os"],
            &image["visibility"],
            &image["protected"],
            &image["name"]
        ),
        (&json!("x"), &json!("shared"), &json!(false), &json!("copy"))
    );
    glance.delete(None, made.id).await.unwrap();
    glance.delete(None, made.id).await.unwrap();
    assert!(fake.image(made.id).is_none());
}

#[tokio::test]
async fn an_upload_that_is_given_up_leaves_no_data() {
    let (fake, glance) = both().await;
    let made = glance.create(None, &NewImage::default()).await.unwrap();
    let mut upload = glance.upload(None, made.id, Some(100)).await.unwrap();
    upload.write(vec![1; 50]).await.unwrap();
    drop(upload);
    fake.fail(Fault::Status(403));
    let mut upload = glance.upload(None, made.id, Some(3)).await.unwrap();
    let _ = upload.write(vec![1; 3]).await;
    let refused = upload.finish().await;
    assert!(
        matches!(refused, Err(GlanceError::Forbidden)),
        "{refused:?}"
    );
    let (image, stored) = fake.image(made.id).unwrap();
    assert!(stored.is_empty() && image["status"] == "queued");
}

#[tokio::test]
async fn calls_that_came_to_nothing_are_made_again_but_never_those_that_make_images() {
    let (fake, glance) = both().await;
    let id = fake.add("raw", vec![1], &json!({}));
    fake.fail(Fault::Every(503, 1));
    glance.show(None, id).await.unwrap();
    fake.fail(Fault::Every(503, 2));
    let error = glance.show(None, id).await.unwrap_err();
    assert!(matches!(error, GlanceError::Unreachable(_)), "{error:?}");
    fake.fail(Fault::Every(503, 1));
    let error = glance.create(None, &NewImage::default()).await.unwrap_err();
    assert!(matches!(error, GlanceError::Unreachable(_)), "{error:?}");
    assert_eq!(fake.known.lock().images.len(), 1);
    let mut options = impatient("http://127.0.0.1:1".to_owned());
    options.servers.push(fake.serve().await);
    let second = Glance::new(options).unwrap();
    second.show(None, id).await.unwrap();
}

#[test]
fn without_an_address_there_is_no_glance() {
    for servers in [vec![], vec!["glance:9292".to_owned()]] {
        let options = GlanceOptions {
            servers,
            ..GlanceOptions::default()
        };
        let error = Glance::new(options).unwrap_err();
        assert!(error.to_string().starts_with("glance_api_servers"));
    }
}
