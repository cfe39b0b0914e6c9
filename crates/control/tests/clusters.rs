//! Clusters of the configuration, and what they do to the volumes of their hosts.

use std::time::Duration;

use firebrick_control::{Cleanup, ErrorKind};
use firebrick_db::{Activity, activities, now};
use firebrick_policy::Rule;
use firebrick_state::{ActivityKind, ActivityStatus, VolumeStatus};
use firebrick_vocabulary::{ActivityId, ProjectId, VolumeId};
use serde_json::json;
use uuid::Uuid;

use crate::common::{World, admin, member, sized, until};

mod failover;
mod joining;
mod together;

const CLUSTER: &str = "north@blocks";

async fn clustered() -> World {
    World::with(|options| options.backends[0].cluster = Some("north".to_owned())).await
}

#[tokio::test]
async fn a_configured_cluster_is_there_with_its_service_and_volumes() {
    let world = clustered().await;
    let control = world.handle();
    let cluster = control.cluster(&admin(), CLUSTER, "cinder-volume").await;
    let cluster = cluster.unwrap();
    assert_eq!(cluster.services.len(), 1);
    let host = control
        .host_of_cluster(&admin(), Rule::VolumeFreezeHost, CLUSTER)
        .await;
    assert_eq!(host.unwrap(), CLUSTER);
    let all = control
        .services(&admin(), Some("cinder-volume"), None)
        .await;
    let hosts: Vec<String> = all
        .unwrap()
        .iter()
        .map(|it| it.service.host.to_string())
        .collect();
    assert_eq!(hosts, ["node1@blocks"]);
    let refused = control.clusters(&member()).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Forbidden);
    let id = world.made(sized(1)).await;
    let volume = world.volume(id).await.unwrap();
    let pool = format!("{CLUSTER}#volumes");
    assert_eq!(volume.cluster.as_ref(), Some(&pool));
    assert_eq!(volume.host.unwrap().to_string(), pool);
}

#[tokio::test]
async fn a_disabled_cluster_takes_no_volumes() {
    let world = clustered().await;
    let control = world.handle();
    world.made(sized(1)).await;
    let reason = Some("moving".to_owned());
    control
        .switch_cluster(&admin(), CLUSTER, "cinder-volume", true, reason)
        .await
        .unwrap();
    let made = control.create_volume(&member(), sized(1)).await.unwrap();
    let id = made.volume.id;
    until("it is refused", || async {
        world.status(id).await == Some(VolumeStatus::Error)
    })
    .await;
    control
        .switch_cluster(&admin(), CLUSTER, "cinder-volume", false, None)
        .await
        .unwrap();
    world.made(sized(1)).await;
}

#[tokio::test]
async fn work_that_was_left_behind_is_found_by_its_resource() {
    let world = clustered().await;
    let control = world.handle();
    let about = Uuid::new_v4();
    let cleanup = || Cleanup {
        resource: Some(about),
        ..Cleanup::default()
    };
    let nothing = control.cleanup(&admin(), cleanup()).await.unwrap_err();
    assert_eq!(nothing.kind, ErrorKind::Invalid);
    let activity = Activity {
        id: ActivityId::random(),
        kind: ActivityKind::DeleteVolume,
        resource: about,
        volume: Some(VolumeId(about)),
        parent: None,
        project: ProjectId("p".to_owned()),
        user: None,
        request_id: "req-1".to_owned(),
        input: json!({}),
        state: json!({}),
        status: ActivityStatus::Running,
        phase: None,
        done: None,
        total: None,
        cancel: false,
        node: None,
        attempts: 0,
        error: None,
        created_at: time::OffsetDateTime::UNIX_EPOCH,
        updated_at: now(),
        finished_at: None,
    };
    let mut tx = world.db.begin().await.unwrap();
    activities::insert(&mut tx, &activity).await.unwrap();
    let claimed = activities::claim(&mut tx, "node2/1", Duration::from_secs(60)).await;
    assert_eq!(claimed.unwrap().unwrap().id, activity.id);
    let held = activities::abandoned(&mut tx, about).await.unwrap();
    assert_eq!(held, None);
    // The owner is not heard of any more.
    activities::renew(&mut tx, activity.id, "node2/1", Duration::ZERO)
        .await
        .unwrap();
    let left = activities::abandoned(&mut tx, about).await.unwrap();
    assert_eq!(left.unwrap().node.as_deref(), Some("node2"));
    drop(tx);
}
