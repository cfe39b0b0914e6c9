//! Every table keeps what it is given, lists it, and lets go of it.

use std::collections::BTreeMap;

use firebrick_db::{
    Backup, CachedImage, Cluster, Column, Group, GroupSnapshot, GroupType, Leftover, LimitsOf,
    Listing, Message, PrivateType, Swapped, Test, Transfer, Tx, TypeEncryption, VolumeType,
    backups, beside, clusters, default_types, group_snapshots, group_types, groups, image_cache,
    image_properties, leftovers, limits, messages, now, pairs, rehost, transfers, type_encryption,
    types, volumes,
};
use firebrick_state::{
    BackupStatus, GroupSnapshotStatus, GroupStatus, MessageAction, MessageDetail, MessageResource,
    ReplicationStatus, event_id,
};
use firebrick_vocabulary::{
    BackupId, GroupId, GroupSnapshotId, GroupTypeId, HostName, ImageId, MessageId, ProjectId,
    TransferId, TypeId, UserId, VolumeId,
};
use uuid::Uuid;

use crate::place::{Place, on_both};

on_both!(
    backups_are_kept,
    groups_and_their_snapshots_are_kept,
    group_types_and_their_groups_hold_each_other,
    transfers_are_accepted_once,
    messages_are_forgotten_when_they_expire,
    clusters_are_kept,
    types_have_access_encryption_and_projects,
    quotas_are_set_and_cleared,
    images_are_remembered,
    leftovers_are_remembered_until_they_are_forgotten,
);

pub(crate) fn backup() -> Backup {
    Backup {
        id: BackupId::random(),
        project: ProjectId("p".into()),
        user: UserId("u".into()),
        volume: VolumeId::random(),
        snapshot: None,
        parent: Some(BackupId::random()),
        name: Some("nightly".into()),
        description: None,
        size: 7,
        kept_as: None,
        status: BackupStatus::Creating,
        fail_reason: None,
        host: Some("node".into()),
        availability_zone: Some("nova".into()),
        container: Some("c".into()),
        service: Some("posix".into()),
        object_count: 0,
        data_timestamp: now(),
        restore_volume: None,
        encryption_key: Some(Uuid::new_v4()),
        metadata: BTreeMap::from([("key".into(), "value".into())]),
        created_at: now(),
        updated_at: None,
    }
}

pub(crate) fn group_type() -> GroupType {
    GroupType {
        id: GroupTypeId::random(),
        name: Uuid::new_v4().to_string(),
        description: None,
        is_public: true,
        group_specs: BTreeMap::from([("consistent".into(), "<is> True".into())]),
        created_at: now(),
        updated_at: None,
    }
}

pub(crate) fn group(kind: GroupTypeId) -> Group {
    Group {
        id: GroupId::random(),
        project: ProjectId("p".into()),
        user: UserId("u".into()),
        name: None,
        description: Some("words".into()),
        status: GroupStatus::Creating,
        replication_status: ReplicationStatus::Disabled,
        host: Some("node@blocks#volumes".parse().unwrap()),
        availability_zone: "nova".into(),
        group_type: kind,
        group_snapshot: None,
        source: Some(GroupId::random()),
        site: None,
        cluster: None,
        created_at: now(),
        updated_at: None,
    }
}

pub(crate) fn group_snapshot(group: &Group) -> GroupSnapshot {
    GroupSnapshot {
        id: GroupSnapshotId::random(),
        project: group.project.clone(),
        user: group.user.clone(),
        group: group.id,
        name: Some("both".into()),
        description: None,
        status: GroupSnapshotStatus::Creating,
        group_type: group.group_type,
        created_at: now(),
        updated_at: None,
    }
}

pub(crate) fn cluster() -> Cluster {
    Cluster {
        id: Uuid::new_v4(),
        name: Uuid::new_v4().to_string(),
        binary: "cinder-volume".into(),
        disabled: false,
        disabled_reason: None,
        frozen: false,
        replication_status: ReplicationStatus::Enabled,
        active_backend_id: None,
        created_at: now(),
        updated_at: None,
    }
}

pub(crate) fn transfer() -> Transfer {
    Transfer {
        id: TransferId::random(),
        volume: VolumeId::random(),
        project: ProjectId("p".into()),
        name: None,
        salt: "salt".into(),
        key_hash: "hash".into(),
        no_snapshots: false,
        destination: None,
        accepted: false,
        created_at: now(),
        updated_at: None,
    }
}

async fn volume_type(tx: &mut Tx) -> TypeId {
    let kind = VolumeType {
        id: TypeId::random(),
        name: Uuid::new_v4().to_string(),
        description: None,
        is_public: false,
        extra_specs: BTreeMap::new(),
        qos_specs: None,
        created_at: now(),
        updated_at: None,
    };
    types::insert(tx, &kind).await.unwrap();
    kind.id
}

async fn backups_are_kept(place: Place) {
    let db = place.open().await;
    let mut tx = db.begin().await.unwrap();
    let mut row = backup();
    backups::insert(&mut tx, &row).await.unwrap();
    let found = backups::get_locked(&mut tx, row.id).await.unwrap();
    assert_eq!(found.as_ref(), Some(&row));
    row.status = BackupStatus::Available;
    row.object_count = 3;
    let lost = backups::swap(&mut tx, &[BackupStatus::Error], &row).await;
    assert_eq!(lost.unwrap(), Swapped::Lost);
    let won = backups::swap(&mut tx, &[BackupStatus::Creating], &row).await;
    assert_eq!(won.unwrap(), Swapped::Won);
    let listing = Listing::of(Column::Volume, &row.volume);
    let listing = listing.and(
        Column::Parent,
        Test::OneOf(vec![row.parent.unwrap().to_string()]),
    );
    let listed = backups::list(&mut tx, &listing).await.unwrap().unwrap();
    row.updated_at = listed[0].updated_at;
    assert_eq!(listed, [row.clone()]);
    assert_eq!(backups::total(&mut tx, &listing).await.unwrap(), (1, 7));
    assert!(backups::remove(&mut tx, row.id).await.unwrap());
    assert!(!backups::remove(&mut tx, row.id).await.unwrap());
    assert_eq!(backups::get(&mut tx, row.id).await.unwrap(), None);
}

async fn groups_and_their_snapshots_are_kept(place: Place) {
    let db = place.open().await;
    let mut tx = db.begin().await.unwrap();
    let kind = group_type();
    group_types::insert(&mut tx, &kind).await.unwrap();
    let mut row = group(kind.id);
    groups::insert(&mut tx, &row).await.unwrap();
    assert_eq!(
        groups::get(&mut tx, row.id).await.unwrap(),
        Some(row.clone())
    );
    row.status = GroupStatus::Available;
    row.site = Some("b".into());
    let won = groups::swap(&mut tx, &[GroupStatus::Creating], &row).await;
    assert!(won.unwrap().won());
    let found = groups::get_locked(&mut tx, row.id).await.unwrap().unwrap();
    assert_eq!((found.status, found.site), (row.status, row.site.clone()));
    let listing = Listing::of(Column::GroupType, &kind.id);
    assert_eq!(groups::total(&mut tx, &listing).await.unwrap(), 1);
    for (kind, expected) in [(row.group_type, 0), (GroupTypeId::random(), 1)] {
        let others = listing
            .clone()
            .and(Column::GroupType, Test::Not(kind.to_string()));
        assert_eq!(groups::total(&mut tx, &others).await.unwrap(), expected);
    }
    // What has no source has not this one.
    let source = Test::Not(row.id.to_string());
    let others = listing.clone().and(Column::Source, source);
    assert_eq!(groups::total(&mut tx, &others).await.unwrap(), 1);

    let mut taken = group_snapshot(&row);
    group_snapshots::insert(&mut tx, &taken).await.unwrap();
    let found = group_snapshots::get(&mut tx, taken.id).await.unwrap();
    assert_eq!(found.as_ref(), Some(&taken));
    taken.status = GroupSnapshotStatus::Available;
    let from = [GroupSnapshotStatus::Creating];
    let won = group_snapshots::swap(&mut tx, &from, &taken).await;
    assert!(won.unwrap().won());
    let listing = Listing::of(Column::Group, &row.id);
    let listed = group_snapshots::list(&mut tx, &listing).await.unwrap();
    assert_eq!(listed.unwrap().len(), 1);
    assert!(group_snapshots::remove(&mut tx, taken.id).await.unwrap());
    assert!(groups::remove(&mut tx, row.id).await.unwrap());
}

async fn group_types_and_their_groups_hold_each_other(place: Place) {
    let db = place.open().await;
    let mut tx = db.begin().await.unwrap();
    let mut kind = group_type();
    group_types::insert(&mut tx, &kind).await.unwrap();
    let held = group_types::get_locked(&mut tx, kind.id).await.unwrap();
    assert_eq!(held.as_ref(), Some(&kind));
    kind.name = "other".into();
    assert!(group_types::update(&mut tx, &kind).await.unwrap().won());
    let public = Listing::default().and(Column::IsPublic, Test::Number(1));
    let listed = group_types::list(&mut tx, &public).await.unwrap().unwrap();
    assert_eq!(listed[0].name, "other");
    assert_eq!(listed[0].group_specs, kind.group_specs);
    let row = group(kind.id);
    groups::insert(&mut tx, &row).await.unwrap();
    let of_group = volume_type(&mut tx).await;
    assert!(
        pairs::add_group_type(&mut tx, row.id, of_group)
            .await
            .unwrap()
    );
    assert!(
        !pairs::add_group_type(&mut tx, row.id, of_group)
            .await
            .unwrap()
    );
    let found = pairs::types_of_group(&mut tx, row.id).await.unwrap();
    assert_eq!(found, [of_group]);
    let wanted = [GroupId::random(), row.id];
    let found = pairs::types_of_groups(&mut tx, &wanted).await.unwrap();
    assert_eq!(found, BTreeMap::from([(row.id, vec![of_group])]));
    pairs::clear_group_types(&mut tx, row.id).await.unwrap();
    groups::remove(&mut tx, row.id).await.unwrap();
    assert!(group_types::remove(&mut tx, kind.id).await.unwrap());
    tx.commit().await.unwrap();
    let mut tx = db.begin().await.unwrap();
    // A type that is gone takes no group.
    groups::insert(&mut tx, &row).await.unwrap_err();
}

async fn transfers_are_accepted_once(place: Place) {
    let db = place.open().await;
    let mut tx = db.begin().await.unwrap();
    let row = transfer();
    transfers::insert(&mut tx, &row).await.unwrap();
    let held = transfers::get_locked(&mut tx, row.id).await.unwrap();
    assert_eq!(held.as_ref(), Some(&row));
    let (first, second) = (ProjectId("q".into()), ProjectId("r".into()));
    let accepted = transfers::accept(&mut tx, row.id, &first).await;
    assert_eq!(accepted.unwrap(), Swapped::Won);
    let accepted = transfers::accept(&mut tx, row.id, &second).await;
    assert_eq!(accepted.unwrap(), Swapped::Lost);
    let found = transfers::get(&mut tx, row.id).await.unwrap().unwrap();
    assert_eq!((found.destination, found.accepted), (Some(first), true));
    let listing = Listing::of(Column::Volume, &row.volume);
    let listed = transfers::list(&mut tx, &listing).await.unwrap();
    assert_eq!(listed.unwrap().len(), 1);
    assert!(transfers::remove(&mut tx, row.id).await.unwrap());
}

async fn messages_are_forgotten_when_they_expire(place: Place) {
    let db = place.open().await;
    let mut tx = db.begin().await.unwrap();
    let (action, detail) = (
        MessageAction::ExtendVolume,
        MessageDetail::DriverFailedExtend,
    );
    let resource_type = MessageResource::Volume;
    let row = Message {
        id: MessageId::random(),
        project: ProjectId("p".into()),
        request_id: "req-1".into(),
        resource_type,
        resource: Some(Uuid::new_v4()),
        event_id: event_id(resource_type, action, detail),
        action: u32::from(action.number()),
        detail: u32::from(detail.number()),
        note: Some("no host is named".into()),
        level: "ERROR".into(),
        created_at: now(),
        expires_at: now() + time::Duration::days(30),
    };
    messages::insert(&mut tx, &row).await.unwrap();
    let listing = Listing::of(Column::EventId, &"VOLUME_VOLUME_007_010")
        .and(Column::ResourceType, Test::OneOf(vec!["VOLUME".into()]))
        .and(Column::Level, Test::OneOf(vec!["ERROR".into()]));
    let listed = messages::list(&mut tx, &listing).await.unwrap().unwrap();
    assert_eq!(listed, std::slice::from_ref(&row));
    assert_eq!(messages::forget(&mut tx, now()).await.unwrap(), 0);
    let later = row.expires_at + time::Duration::seconds(1);
    assert_eq!(messages::forget(&mut tx, later).await.unwrap(), 1);
    assert_eq!(messages::get(&mut tx, row.id).await.unwrap(), None);
}

async fn clusters_are_kept(place: Place) {
    let db = place.open().await;
    let mut tx = db.begin().await.unwrap();
    let mut row = cluster();
    clusters::insert(&mut tx, &row).await.unwrap();
    assert_eq!(
        clusters::get_locked(&mut tx, row.id).await.unwrap(),
        Some(row.clone())
    );
    row.disabled = true;
    let from = [ReplicationStatus::Enabled];
    assert!(clusters::swap(&mut tx, &from, &row).await.unwrap().won());
    let listing = Listing::of(Column::Name, &row.name);
    let listed = clusters::list(&mut tx, &listing).await.unwrap().unwrap();
    assert!(listed[0].disabled);
    assert!(clusters::remove(&mut tx, row.id).await.unwrap());
}

async fn types_have_access_encryption_and_projects(place: Place) {
    let db = place.open().await;
    let mut tx = db.begin().await.unwrap();
    let (kind, project) = (volume_type(&mut tx).await, ProjectId("p".into()));
    let private = PrivateType::Volume(kind);
    assert!(pairs::add_access(&mut tx, private, &project).await.unwrap());
    assert!(!pairs::add_access(&mut tx, private, &project).await.unwrap());
    let found = pairs::projects_of(&mut tx, private).await.unwrap();
    assert_eq!(found, std::slice::from_ref(&project));
    assert!(
        pairs::remove_access(&mut tx, private, &project)
            .await
            .unwrap()
    );
    pairs::clear_access(&mut tx, private).await.unwrap();

    let mut row = TypeEncryption {
        volume_type: kind,
        id: Uuid::new_v4(),
        provider: "luks".into(),
        cipher: None,
        key_size: Some(256),
        control_location: "front-end".into(),
        created_at: now(),
        updated_at: None,
    };
    type_encryption::insert(&mut tx, &row).await.unwrap();
    assert_eq!(
        type_encryption::get(&mut tx, kind).await.unwrap(),
        Some(row.clone())
    );
    row.key_size = None;
    assert!(type_encryption::update(&mut tx, &row).await.unwrap().won());
    let held = type_encryption::get_locked(&mut tx, kind).await.unwrap();
    assert_eq!(held.unwrap().key_size, None);
    assert!(type_encryption::remove(&mut tx, kind).await.unwrap());

    assert_eq!(default_types::get(&mut tx, &project).await.unwrap(), None);
    default_types::set(&mut tx, &project, kind).await.unwrap();
    let other = volume_type(&mut tx).await;
    default_types::set(&mut tx, &project, other).await.unwrap();
    let all = default_types::all(&mut tx).await.unwrap();
    assert_eq!(all, [(project.clone(), other)]);
    assert!(default_types::remove(&mut tx, &project).await.unwrap());
    assert!(!default_types::remove(&mut tx, &project).await.unwrap());
}

async fn quotas_are_set_and_cleared(place: Place) {
    let db = place.open().await;
    let mut tx = db.begin().await.unwrap();
    for whose in [LimitsOf::Project("p"), LimitsOf::Class("default")] {
        assert!(limits::of(&mut tx, whose).await.unwrap().is_empty());
        let first = BTreeMap::from([("volumes".into(), 5), ("gigabytes".into(), -1)]);
        limits::merge(&mut tx, whose, &first).await.unwrap();
        let second = BTreeMap::from([("volumes".into(), 6)]);
        limits::merge(&mut tx, whose, &second).await.unwrap();
        let found = limits::of(&mut tx, whose).await.unwrap();
        assert_eq!((found["volumes"], found["gigabytes"]), (6, -1));
        limits::clear(&mut tx, whose).await.unwrap();
        assert!(limits::of(&mut tx, whose).await.unwrap().is_empty());
    }
}

async fn images_are_remembered(place: Place) {
    let db = place.open().await;
    let mut tx = db.begin().await.unwrap();
    let owner = Uuid::new_v4();
    let said = BTreeMap::from([("min_disk".into(), "1".into()), ("os".into(), "x".into())]);
    image_properties::merge(&mut tx, owner, &said)
        .await
        .unwrap();
    assert!(
        image_properties::remove(&mut tx, owner, "os")
            .await
            .unwrap()
    );
    let found = image_properties::of_all(&mut tx, &[owner]).await.unwrap();
    assert_eq!(found[&owner].len(), 1);
    let kind = volume_type(&mut tx).await;
    for (ids, images) in [(vec![VolumeId(owner), VolumeId::random()], 1), (vec![], 0)] {
        let beside = beside::of(&mut tx, &ids).await.unwrap();
        assert!(beside.types.contains_key(&kind));
        assert_eq!(beside.images.len(), images);
        assert!(beside.images.values().all(|said| said["min_disk"] == "1"));
    }
    image_properties::clear(&mut tx, owner).await.unwrap();

    let host = "node@blocks".parse().unwrap();
    let mut row = CachedImage {
        image: Uuid::new_v4(),
        host,
        volume: VolumeId::random(),
        size: 2,
        image_updated_at: None,
        used_at: now(),
    };
    image_cache::insert(&mut tx, &row).await.unwrap();
    row.used_at += time::Duration::seconds(1);
    image_cache::touch(&mut tx, row.volume, row.used_at)
        .await
        .unwrap();
    let found = image_cache::get(&mut tx, &row.host, row.image)
        .await
        .unwrap();
    assert_eq!(found.as_ref(), Some(&row));
    assert_eq!(
        image_cache::of_host(&mut tx, &row.host).await.unwrap(),
        [row.clone()]
    );
    assert!(image_cache::remove(&mut tx, row.volume).await.unwrap());
}

async fn leftovers_are_remembered_until_they_are_forgotten(place: Place) {
    let db = place.open().await;
    let mut tx = db.begin().await.unwrap();
    let host: HostName = "node@blocks".parse().unwrap();
    let mut row = Leftover {
        image: ImageId::random(),
        global_id: None,
        host: host.clone(),
        since: now(),
    };
    leftovers::put(&mut tx, &row).await.unwrap();
    let before = row.since - time::Duration::seconds(1);
    let early = leftovers::of_host(&mut tx, &host, before).await.unwrap();
    assert_eq!(early, []);
    row.since += time::Duration::seconds(2);
    leftovers::put(&mut tx, &row).await.unwrap();
    let found = leftovers::of_host(&mut tx, &host, row.since).await.unwrap();
    assert_eq!(found, [row.clone()]);
    let other = "node@stones".parse().unwrap();
    rehost(&mut tx, &host, &other, false).await.unwrap();
    let found = leftovers::of_host(&mut tx, &host, row.since).await.unwrap();
    assert_eq!(found, []);
    let ended = Leftover {
        global_id: Some("5d3cbd1a".to_owned()),
        ..row.clone()
    };
    assert_eq!(leftovers::ended(&mut tx).await.unwrap(), []);
    leftovers::put(&mut tx, &ended).await.unwrap();
    let found = leftovers::ended(&mut tx).await.unwrap();
    assert_eq!(found, std::slice::from_ref(&ended));
    let older = Leftover {
        since: before,
        ..row.clone()
    };
    assert!(!leftovers::remove(&mut tx, &older).await.unwrap());
    assert!(leftovers::remove(&mut tx, &row).await.unwrap());
    assert!(!leftovers::remove(&mut tx, &row).await.unwrap());
    let found = leftovers::of_host(&mut tx, &other, row.since).await;
    let ended = Leftover {
        host: host.clone(),
        ..ended
    };
    assert_eq!(found.unwrap(), []);
    let found = leftovers::of_host(&mut tx, &host, row.since).await;
    assert_eq!(found.unwrap(), [ended]);

    let one = crate::volume(None, 1);
    volumes::insert(&mut tx, &one).await.unwrap();
    let found = volumes::of_image(&mut tx, one.image()).await.unwrap();
    assert_eq!(found.map(|volume| volume.id), Some(one.id));
    let own = one.id.image_id();
    assert_eq!(volumes::of_image(&mut tx, own).await.unwrap(), None);
}
