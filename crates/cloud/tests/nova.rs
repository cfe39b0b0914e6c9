//! Events for a small Nova in this process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "fake/nova.rs"]
mod fake;

use fake::FakeNova;
use firebrick_cloud::{DiskEvent, NovaError};
use serde_json::json;
use uuid::Uuid;

#[tokio::test]
async fn a_server_is_told_of_its_disk_with_the_services_own_token() {
    let fake = FakeNova::default();
    let nova = fake.serve().await;
    let (server, disk) = (Uuid::new_v4(), Uuid::new_v4());
    nova.tell(server, disk, DiskEvent::Extended).await.unwrap();
    nova.tell(server, disk, DiskEvent::Reimaged).await.unwrap();
    let event = |name: &str| json!({ "name": name, "server_uuid": server, "tag": disk });
    assert_eq!(
        fake.known.lock().events,
        [
            ("2.51".to_owned(), event("volume-extended")),
            ("2.93".to_owned(), event("volume-reimaged")),
        ]
    );
}

#[tokio::test]
async fn what_nova_does_not_take_is_an_error_and_some_of_it_passes() {
    let fake = FakeNova::default();
    let nova = fake.serve().await;
    let tell = async || {
        nova.tell(Uuid::new_v4(), Uuid::new_v4(), DiskEvent::Extended)
            .await
    };
    for (status, passes) in [(404, false), (403, false), (503, true), (401, true)] {
        fake.known.lock().answers.push(status);
        let error = tell().await.unwrap_err();
        assert_eq!(error.may_pass(), passes, "{status}: {error:?}");
    }
    fake.known.lock().answers.push(207);
    fake.known.lock().code = Some(422);
    let error = tell().await.unwrap_err();
    assert!(matches!(error, NovaError::Refused(422)), "{error:?}");
}

#[tokio::test]
async fn where_there_is_no_compute_service_nobody_is_told() {
    let fake = FakeNova::default();
    fake.known.lock().absent = true;
    let nova = fake.serve().await;
    let told = nova.tell(Uuid::new_v4(), Uuid::new_v4(), DiskEvent::Extended);
    told.await.unwrap();
    assert!(fake.known.lock().events.is_empty());
}
