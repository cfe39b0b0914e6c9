//! Activities and messages as users look at them: whose they are, and when they end.

use std::time::Duration;

use firebrick_control::{Context, ErrorKind, Listing, Query};
use firebrick_db::{Activity, Column, Filter, Message, Test, activities, messages, now};
use firebrick_state::{ActivityKind, ActivityStatus, MessageResource};
use firebrick_vocabulary::MessageId;
use uuid::Uuid;

use crate::common::{
    World, admin, member, member_of, sized, snapshot_of, until, upload, with_roles,
};

const OTHER: &str = "fedcba9876543210fedcba9876543210";

/// All that somebody sees.
async fn seen(world: &World, context: &Context, all_projects: bool) -> Vec<Activity> {
    let query = Query {
        all_projects,
        ..Query::default()
    };
    world.control.activities(context, query).await.unwrap()
}

fn reader() -> Context {
    with_roles(member().project.as_str(), &["reader"])
}

fn message(of: &Context) -> Message {
    Message {
        id: MessageId::random(),
        project: of.project.clone(),
        request_id: "req-1".to_owned(),
        resource_type: MessageResource::Volume,
        resource: Some(Uuid::new_v4()),
        event_id: "VOLUME_VOLUME_001_003".to_owned(),
        action: 1,
        detail: 3,
        note: None,
        level: "ERROR".to_owned(),
        created_at: now(),
        expires_at: now() + Duration::from_secs(60),
    }
}

async fn told(world: &World, message: &Message) {
    let mut tx = world.db.begin().await.unwrap();
    messages::insert(&mut tx, message).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn activities_are_seen_by_their_project_and_by_administrators() {
    let world = World::new().await;
    let id = world.made(sized(1)).await;
    let context = member();
    let made = world.control.create_snapshot(&context, snapshot_of(id));
    let snapshot = made.await.unwrap().snapshot.id;
    world.settled(snapshot.0).await;
    let own = seen(&world, &reader(), false).await;
    let kinds: Vec<_> = own.iter().map(|activity| activity.kind).collect();
    assert_eq!(
        kinds,
        [ActivityKind::CreateSnapshot, ActivityKind::CreateVolume]
    );
    let other = member_of(OTHER);
    assert_eq!(seen(&world, &other, true).await, []);
    let elsewhere = with_roles(OTHER, &["admin", "member", "reader"]);
    assert_eq!(seen(&world, &elsewhere, false).await, []);
    assert_eq!(seen(&world, &elsewhere, true).await, own);
    let first = own[0].id;
    assert_eq!(
        world.control.activity(&reader(), first).await.unwrap(),
        own[0]
    );
    let hidden = world.control.activity(&other, first).await.unwrap_err();
    assert_eq!(hidden.kind, ErrorKind::NotFound);
    let nobody = with_roles(member().project.as_str(), &[]);
    let refused = world.control.activity(&nobody, first).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Forbidden);
    let refused = world.control.activities(&nobody, Query::default()).await;
    assert_eq!(refused.unwrap_err().kind, ErrorKind::Forbidden);
}

#[tokio::test]
async fn what_is_asked_of_a_volume_finds_what_is_about_it() {
    let world = World::new().await;
    let (id, other) = (world.made(sized(1)).await, world.made(sized(1)).await);
    let upload = upload(id);
    let mut tx = world.db.begin().await.unwrap();
    activities::insert(&mut tx, &upload).await.unwrap();
    tx.commit().await.unwrap();
    world.settled(upload.resource).await;
    let about = async |id: Uuid| {
        let test = Test::OneOf(vec![id.to_string()]);
        let filter = Filter::Either([Column::Resource, Column::Volume], test);
        let query = Query {
            listing: Listing {
                filters: vec![filter],
                ..Listing::default()
            },
            all_projects: false,
        };
        let found = world.control.activities(&member(), query).await.unwrap();
        let kinds = found.iter().map(|activity| activity.kind);
        kinds.collect::<Vec<_>>()
    };
    let (make, copy) = (ActivityKind::CreateVolume, ActivityKind::UploadVolume);
    assert_eq!(about(id.0).await, [copy, make]);
    assert_eq!(about(other.0).await, [make]);
    assert_eq!(about(upload.resource).await, [copy]);
}

#[tokio::test]
async fn a_running_activity_is_cancelled_once_it_looks() {
    let world = World::new().await;
    let id = world.made(sized(1)).await;
    let upload = upload(id);
    // Somebody else works on it, so that it runs as long as the test wants.
    let (owner, hour) = ("elsewhere/1", Duration::from_secs(3600));
    let mut tx = world.db.begin().await.unwrap();
    activities::insert(&mut tx, &upload).await.unwrap();
    let claimed = activities::claim(&mut tx, owner, hour).await.unwrap();
    assert_eq!(claimed.map(|activity| activity.id), Some(upload.id));
    tx.commit().await.unwrap();

    let cancel = async |context: &Context| {
        let asked = world.control.cancel_activity(context, upload.id).await;
        asked.map_err(|error| error.kind)
    };
    assert_eq!(cancel(&reader()).await, Err(ErrorKind::Forbidden));
    assert_eq!(cancel(&member_of(OTHER)).await, Err(ErrorKind::NotFound));
    let found = world.control.activity(&member(), upload.id).await.unwrap();
    assert!(!found.cancel);
    assert_eq!(cancel(&member()).await, Ok(()));
    assert_eq!(cancel(&admin()).await, Ok(()), "asking twice is no mistake");

    let mut tx = world.db.begin().await.unwrap();
    let tried = activities::retry(&mut tx, upload.id, owner, Duration::ZERO, "it looked");
    tried.await.unwrap();
    tx.commit().await.unwrap();
    world.settled(upload.resource).await;
    let found = world.control.activity(&member(), upload.id).await.unwrap();
    assert_eq!(found.status, ActivityStatus::Cancelled);
    assert!(found.finished_at.is_some());
    assert_eq!(cancel(&member()).await, Err(ErrorKind::Conflict));
    let context = member();
    let grown = world.control.extend_volume(&context, id, 2, false).await;
    grown.unwrap();
    world.settled(id.0).await;
    let made = seen(&world, &member(), false).await;
    let made = made.iter().find(|it| it.kind == ActivityKind::ExtendVolume);
    let refused = world.control.cancel_activity(&context, made.unwrap().id);
    let refused = refused.await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Conflict);
    assert!(refused.message.contains("not undone safely"), "{refused}");
}

#[tokio::test]
async fn messages_belong_to_their_project() {
    let world = World::new().await;
    let (own, foreign) = (message(&member()), message(&member_of(OTHER)));
    told(&world, &own).await;
    told(&world, &foreign).await;
    let control = &world.control;
    let list = async |context: &Context| {
        let found = control.messages(context, Query::default()).await.unwrap();
        found.into_iter().map(|it| it.id).collect::<Vec<_>>()
    };
    assert_eq!(list(&reader()).await, [own.id]);
    assert_eq!(list(&member_of(OTHER)).await, [foreign.id]);
    assert_eq!(control.message(&reader(), own.id).await.unwrap().id, own.id);
    let hidden = control.message(&member(), foreign.id).await.unwrap_err();
    assert_eq!(hidden.kind, ErrorKind::NotFound);
    let hidden = control.delete_message(&member(), foreign.id).await;
    assert_eq!(hidden.unwrap_err().kind, ErrorKind::NotFound);
    let refused = control.delete_message(&reader(), own.id).await;
    assert_eq!(refused.unwrap_err().kind, ErrorKind::Forbidden);
    control.delete_message(&member(), own.id).await.unwrap();
    assert_eq!(list(&member()).await, []);
    control.delete_message(&admin(), foreign.id).await.unwrap();
    assert_eq!(list(&member_of(OTHER)).await, []);
}

#[tokio::test]
async fn what_has_expired_is_forgotten() {
    let mut world = World::new().await;
    let (kept, old) = (message(&member()), message(&member()));
    let old = Message {
        expires_at: now() - Duration::from_secs(1),
        ..old
    };
    told(&world, &kept).await;
    told(&world, &old).await;
    world.restart().await;
    let left = || async {
        let found = world.control.messages(&member(), Query::default()).await;
        let found: Vec<_> = found.unwrap().into_iter().map(|it| it.id).collect();
        assert!(found.contains(&kept.id));
        found == [kept.id]
    };
    until("the old message is forgotten", left).await;
}
