//! Groups and their snapshots to be asked about: rows that no backend has to make.

use firebrick_db::{Group, GroupSnapshot, Volume, group_snapshots, groups, now};
use firebrick_state::{GroupSnapshotStatus, GroupStatus, ReplicationStatus};
use firebrick_vocabulary::{GroupId, GroupSnapshotId};
use serde_json::json;
use uuid::Uuid;

use super::things::made;
use crate::common::Api;

/// A group of nothing, of whoever has the volume.
pub(super) async fn group(api: &Api, like: &Volume) -> Group {
    let body = json!({ "group_type": { "name": Uuid::new_v4() } });
    let kind = made(api, "/group_types", &body).await;
    let kind = kind["group_type"]["id"].as_str().unwrap();
    let group = Group {
        id: GroupId::random(),
        project: like.project.clone(),
        user: like.user.clone(),
        name: None,
        description: None,
        status: GroupStatus::Available,
        replication_status: ReplicationStatus::Disabled,
        host: None,
        availability_zone: "nova".to_owned(),
        group_type: kind.parse().unwrap(),
        group_snapshot: None,
        source: None,
        site: None,
        cluster: None,
        created_at: now(),
        updated_at: None,
    };
    let mut tx = api.db.begin().await.unwrap();
    groups::insert(&mut tx, &group).await.unwrap();
    tx.commit().await.unwrap();
    group
}

/// A snapshot of such a group.
pub(super) async fn taken(api: &Api, like: &Volume) -> GroupSnapshotId {
    let group = group(api, like).await;
    let taken = GroupSnapshot {
        id: GroupSnapshotId::random(),
        project: group.project.clone(),
        user: group.user.clone(),
        group: group.id,
        name: None,
        description: None,
        status: GroupSnapshotStatus::Available,
        group_type: group.group_type,
        created_at: now(),
        updated_at: None,
    };
    let mut tx = api.db.begin().await.unwrap();
    group_snapshots::insert(&mut tx, &taken).await.unwrap();
    tx.commit().await.unwrap();
    taken.id
}
