//! Activities and messages as requests leave them behind.

use std::time::Duration;

use firebrick_db::{Activity, Db, Message, activities, messages, now};
use firebrick_state::{ActivityKind, ActivityStatus, MessageResource};
use firebrick_vocabulary::{ActivityId, MessageId, ProjectId};
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::HERE;

/// An activity that may be cancelled, and at which somebody else works.
pub(super) async fn activity(db: &Db) -> ActivityId {
    // The oldest is the next to be worked on.
    let created_at = OffsetDateTime::UNIX_EPOCH;
    let activity = Activity {
        id: ActivityId::random(),
        kind: ActivityKind::UploadVolume,
        resource: Uuid::new_v4(),
        volume: None,
        parent: None,
        project: ProjectId(HERE.to_owned()),
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
        created_at,
        updated_at: created_at,
        finished_at: None,
    };
    let mut tx = db.begin().await.unwrap();
    activities::insert(&mut tx, &activity).await.unwrap();
    let hour = Duration::from_secs(3600);
    let claimed = activities::claim(&mut tx, "elsewhere/1", hour).await;
    assert_eq!(claimed.unwrap().unwrap().id, activity.id);
    tx.commit().await.unwrap();
    activity.id
}

/// What failed.
pub(super) async fn message(db: &Db) -> MessageId {
    let message = Message {
        id: MessageId::random(),
        project: ProjectId(HERE.to_owned()),
        request_id: "req-1".to_owned(),
        resource_type: MessageResource::Volume,
        resource: Some(Uuid::new_v4()),
        event_id: "VOLUME_VOLUME_001_003".to_owned(),
        action: 1,
        detail: 3,
        note: None,
        level: "ERROR".to_owned(),
        created_at: now(),
        expires_at: now() + Duration::from_secs(3600),
    };
    let mut tx = db.begin().await.unwrap();
    messages::insert(&mut tx, &message).await.unwrap();
    tx.commit().await.unwrap();
    message.id
}
