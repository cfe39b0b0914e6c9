//! Which pool a volume goes to, and where it goes when it cannot be made there.

use std::collections::BTreeMap;
use std::time::Duration;

use firebrick_backend::FaultKind;
use firebrick_control::{
    BackendOptions, ControlOptions, CreateType, CreateVolume, ErrorKind, Function, PoolFilter,
    PoolQuery, Volume,
};
use firebrick_db::volumes;
use firebrick_state::{ReplicationStatus, VolumeStatus};
use firebrick_vocabulary::{MirrorWay, SyncMode, SyncPolicy, VolumeId};
use uuid::Uuid;

use crate::common::{A, At, B, Trouble, World, admin, member, sized, until};

const BLOCKS: &str = "node1@blocks#volumes";
const SLATES: &str = "node1@slates#volumes";

/// Another backend, on what is a replication target otherwise.
fn two(options: &mut ControlOptions) {
    let first = &mut options.backends[0];
    let (_, site) = first.targets.remove(0);
    let second = BackendOptions {
        name: "slates".to_owned(),
        volume_backend_name: "slates".to_owned(),
        primary: site,
        availability_zone: Some("north".to_owned()),
        ..first.clone()
    };
    "north".clone_into(&mut options.availability_zone);
    options.backends.push(second);
}

async fn world() -> World {
    world_with(|_| {}).await
}

async fn world_with(change: impl FnOnce(&mut ControlOptions)) -> World {
    let world = World::with(|options| {
        two(options);
        change(options);
    })
    .await;
    until("both backends were looked at", || async {
        let pools = world.control.pools(&admin(), PoolQuery::default()).await;
        pools.unwrap().len() == 2
    })
    .await;
    world
}

async fn row(world: &World, id: VolumeId) -> Volume {
    let connection = &mut *world.db.read().await.unwrap();
    volumes::get(connection, id).await.unwrap().unwrap()
}

async fn host(world: &World, id: VolumeId) -> Option<String> {
    row(world, id).await.host.map(|host| host.to_string())
}

async fn ended(world: &World, request: CreateVolume) -> VolumeId {
    let detail = world.control.create_volume(&member(), request).await;
    let id = detail.unwrap().volume.id;
    world.settled(id.0).await;
    id
}

#[tokio::test]
async fn a_volume_that_cannot_be_made_in_a_pool_is_made_in_another() {
    let world = world().await;
    let refused = Trouble::Refuse(FaultKind::NoSpace);
    world.wire.arm(At::Name(A, "create_image", 1), refused);
    let id = world.made(sized(1)).await;
    assert_eq!(host(&world, id).await.as_deref(), Some(SLATES));
    assert!(world.wire.saw(A, "remove_image"), "undone where it failed");
    assert!(world.site(A, |site| site.images.is_empty()));
    assert!(world.site(B, |site| site.images.contains_key(&id.image_id())));
}

#[tokio::test]
async fn where_a_failure_cannot_be_undone_no_other_pool_is_tried() {
    let world = world().await;
    let both = At::All(A, &["create_image", "remove_image"]);
    world.wire.arm(both, Trouble::Refuse(FaultKind::Io));
    let id = ended(&world, sized(1)).await;
    assert_eq!(row(&world, id).await.status, VolumeStatus::Error);
    assert_eq!(host(&world, id).await.as_deref(), Some(BLOCKS));
    assert!(!world.wire.saw(B, "create_image"));
}

#[tokio::test]
async fn where_no_pool_is_left_the_volume_is_an_error_and_says_why() {
    let world = World::with(|options| options.scheduler_max_attempts = 3).await;
    let refused = Trouble::Refuse(FaultKind::NoSpace);
    world.wire.arm(At::Name(A, "create_image", 9), refused);
    let id = ended(&world, sized(1)).await;
    assert_eq!(row(&world, id).await.status, VolumeStatus::Error);
    assert_eq!(world.wire.struck(), 1, "the only pool is tried once");
}

#[tokio::test]
async fn as_many_pools_are_tried_as_are_allowed() {
    let world = world_with(|options| options.scheduler_max_attempts = 1).await;
    let refused = Trouble::Refuse(FaultKind::NoSpace);
    world.wire.arm(At::Name(A, "create_image", 9), refused);
    let id = ended(&world, sized(1)).await;
    assert_eq!(row(&world, id).await.status, VolumeStatus::Error);
    assert!(!world.wire.saw(B, "create_image"));
}

#[tokio::test]
async fn volumes_of_one_moment_are_spread() {
    let world = world().await;
    let mut hosts = Vec::new();
    for _ in 0..4 {
        let id = world.made(sized(10)).await;
        hosts.extend(host(&world, id).await);
    }
    hosts.sort();
    assert_eq!(hosts, [BLOCKS, BLOCKS, SLATES, SLATES]);
    let pools = world.control.pools(&admin(), PoolQuery::default()).await;
    for pool in pools.unwrap() {
        assert_eq!(pool.capabilities["allocated_capacity_gb"], 20);
        assert_eq!(pool.capabilities["total_volumes"], 2);
    }
}

#[tokio::test]
async fn functions_and_hints_decide() {
    let world = world_with(|options| {
        let small = Function::parse("volume.size < 5").unwrap();
        options.backends[0].filter_function = Some(small);
        options.scheduler.filters = PoolFilter::ALL.to_vec();
    })
    .await;
    let large = world.made(sized(5)).await;
    assert_eq!(host(&world, large).await.as_deref(), Some(SLATES));
    let queried = CreateVolume {
        query: Some(format!(r#"["=", "$backend_id", "{BLOCKS}"]"#)),
        ..sized(1)
    };
    let id = world.made(queried).await;
    assert_eq!(host(&world, id).await.as_deref(), Some(BLOCKS));
    let near = |instance| CreateVolume {
        local_to_instance: Some(instance),
        ..sized(1)
    };
    let id = ended(&world, near(Uuid::new_v4())).await;
    assert_eq!(row(&world, id).await.status, VolumeStatus::Error);
}

#[tokio::test]
async fn pools_are_found_by_what_they_say() {
    let world = world_with(|options| {
        options.backends[1].filter_function = Some(Function::parse("1 > 2").unwrap());
    })
    .await;
    let names = async |query: PoolQuery<'_>| -> Vec<String> {
        let found = world.control.pools(&admin(), query).await.unwrap();
        found.into_iter().map(|pool| pool.name).collect()
    };
    let has = |capabilities| PoolQuery {
        capabilities,
        ..PoolQuery::default()
    };
    assert_eq!(names(PoolQuery::default()).await, [BLOCKS, SLATES]);
    let slates = [("volume_backend_name", "slates"), ("QoS_support", "true")];
    assert_eq!(names(has(&slates)).await, [SLATES]);
    assert_eq!(names(has(&[("reserved_percentage", "0")])).await.len(), 2);
    assert!(names(has(&[("nothing", "0")])).await.is_empty());
    let by_name = PoolQuery {
        name: Some(SLATES),
        ..PoolQuery::default()
    };
    assert_eq!(names(by_name).await, [SLATES]);
    let by_type = PoolQuery {
        volume_type: Some("__DEFAULT__"),
        ..PoolQuery::default()
    };
    assert_eq!(names(by_type).await, [BLOCKS]);
}

#[tokio::test]
async fn pools_and_capabilities_agree() {
    let world = world().await;
    let pools = world.control.pools(&admin(), PoolQuery::default()).await;
    for pool in pools.unwrap() {
        let host = pool.name.split('#').next().unwrap();
        let told = world.control.capabilities(&admin(), host).unwrap();
        for key in [
            "vendor_name",
            "volume_backend_name",
            "storage_protocol",
            "driver_version",
        ] {
            assert_eq!(told[key], pool.capabilities[key], "{key}");
        }
        assert_eq!(pool.capabilities["backend_state"], "up");
        assert!(pool.capabilities["backend_last_ok"].is_string());
    }
}

#[tokio::test]
async fn hosts_tell_what_projects_have_there() {
    let world = world().await;
    let id = world.made(sized(3)).await;
    let host = row(&world, id)
        .await
        .host
        .unwrap()
        .without_pool()
        .to_string();
    let shares = world.control.host(&admin(), &host).await.unwrap();
    let share = shares[&member().project];
    assert_eq!((share.volumes, share.snapshots), ((1, 3), (0, 0)));
    let changed = world.control.enable_host(&admin(), &host, false).await;
    assert!(changed.unwrap().service.disabled);
    let enabled = world.control.hosts(&admin(), None).await.unwrap();
    assert!(enabled.iter().all(|it| it.service.host.to_string() != host));
    let back = world.control.enable_host(&admin(), &host, true).await;
    assert!(!back.unwrap().service.disabled);
}

/// A backend in the north, where new volumes go, and one in the south.
async fn two_zones(change: impl FnOnce(&mut ControlOptions)) -> World {
    world_with(|options| {
        options.backends[0].availability_zone = Some("south".to_owned());
        change(options);
    })
    .await
}

fn zoned(zone: &str) -> CreateVolume {
    CreateVolume {
        availability_zone: Some(zone.to_owned()),
        ..sized(1)
    }
}

async fn zone(world: &World, id: VolumeId) -> (VolumeStatus, String) {
    let row = row(world, id).await;
    (row.status, row.availability_zone)
}

#[tokio::test]
async fn what_is_made_of_a_volume_is_in_its_zone() {
    let world = two_zones(|_| {}).await;
    let origin = world.made(zoned("south")).await;
    let snapshot = world.snapped(origin).await;
    let of_volume = CreateVolume {
        source: Some(origin),
        ..sized(1)
    };
    let of_snapshot = CreateVolume {
        snapshot: Some(snapshot),
        ..sized(1)
    };
    let there = (VolumeStatus::Available, "south".to_owned());
    for (request, what) in [(of_volume, "source volume"), (of_snapshot, "snapshot")] {
        let id = ended(&world, request.clone()).await;
        assert_eq!(zone(&world, id).await, there, "{what}");
        let elsewhere = CreateVolume {
            availability_zone: Some("north".to_owned()),
            ..request
        };
        let refused = world.control.create_volume(&member(), elsewhere).await;
        let text = refused.unwrap_err().to_string();
        let expected = format!("Volume must be in the same availability zone as the {what}");
        assert!(text.ends_with(&expected), "{text}");
    }
}

#[tokio::test]
async fn a_zone_that_there_is_not_is_refused_unless_another_one_will_do() {
    for falls_back in [false, true] {
        let world = two_zones(|options| {
            options.default_availability_zone = Some("south".to_owned());
            options.zones_fall_back = falls_back;
        })
        .await;
        let south = (VolumeStatus::Available, "south".to_owned());
        let id = ended(&world, sized(1)).await;
        assert_eq!(zone(&world, id).await, south);
        let asked = world.control.create_volume(&member(), zoned("west")).await;
        match asked {
            Ok(made) => {
                assert!(falls_back);
                world.settled(made.volume.id.0).await;
                assert_eq!(zone(&world, made.volume.id).await, south);
            }
            Err(error) => {
                assert!(!falls_back);
                let text = error.to_string();
                assert!(
                    text.contains("Availability zone 'west' is invalid."),
                    "{text}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_type_is_bound_to_its_zones() {
    let world = two_zones(|_| {}).await;
    let bound = async |name: &str, zones: &str| {
        let request = CreateType {
            name: name.to_owned(),
            description: None,
            is_public: true,
            extra_specs: [("RESKEY:availability_zones".to_owned(), zones.to_owned())].into(),
        };
        world.control.create_type(&admin(), request).await.unwrap();
    };
    bound("southern", "south, east").await;
    bound("nowhere", "east,west").await;
    let of = |kind: &str, request: CreateVolume| CreateVolume {
        volume_type: Some(kind.to_owned()),
        ..request
    };
    let id = ended(&world, of("southern", sized(1))).await;
    let south = (VolumeStatus::Available, "south".to_owned());
    assert_eq!(zone(&world, id).await, south);
    for (request, expected) in [
        (
            of("southern", zoned("north")),
            "Availability zone 'north' is invalid.",
        ),
        (
            of("nowhere", sized(1)),
            "Volume type is only supported in these availability zones: ['east', 'west']",
        ),
    ] {
        let refused = world.control.create_volume(&member(), request).await;
        let text = refused.unwrap_err().to_string();
        assert!(text.contains(expected), "{text}");
    }
}

/// A volume of a new type with these extra specs.
async fn made_of(world: &World, specs: &[(&str, &str)]) -> Volume {
    let text = |text: &&str| (*text).to_owned();
    let name = Uuid::new_v4().to_string();
    let request = CreateType {
        name: name.clone(),
        description: None,
        is_public: true,
        extra_specs: specs
            .iter()
            .map(|(key, value)| (text(key), text(value)))
            .collect(),
    };
    world.control.create_type(&admin(), request).await.unwrap();
    let request = CreateVolume {
        volume_type: Some(name),
        ..sized(1)
    };
    let id = ended(world, request).await;
    row(world, id).await
}

#[tokio::test]
async fn a_type_says_whether_how_and_where_its_volumes_are_replicated() {
    let world = World::new().await;
    for word in ["<is> True", "<is> true", "<is> TRUE", "<is> 1"] {
        let volume = made_of(&world, &[("replication_enabled", word)]).await;
        let status = volume.replication_status.unwrap();
        assert_eq!(status, ReplicationStatus::Enabled, "{word}");
    }
    let there = format!("<in> {B}");
    for (key, value) in [
        ("replication_type", "<in> async"),
        ("replication_targets", there.as_str()),
    ] {
        let specs = [("replication_enabled", "<is> True"), (key, value)];
        let volume = made_of(&world, &specs).await;
        assert_eq!(volume.status, VolumeStatus::Available, "{key} {value}");
        let image = volume.image();
        assert!(world.site(B, |site| site.images.contains_key(&image)));
    }
    let specs = [
        ("replication_enabled", "<is> True"),
        ("replication_targets", "<in> nowhere"),
    ];
    let volume = made_of(&world, &specs).await;
    assert_eq!(volume.status, VolumeStatus::Error);
    assert_eq!(volume.host, None);
}

#[tokio::test]
async fn images_are_mirrored_in_the_way_that_their_type_says() {
    let world = World::with(|options| options.quotas.volumes = -1).await;
    let replicated = ("replication_enabled", "<is> True");
    let sync = ("replication_type", "<in> sync");
    let snapshots = ("replication_mode", "<in> snapshot");
    let strict = [
        ("firebrick:sync_policy", "block"),
        ("firebrick:sync_timeout_seconds", "30"),
    ];
    let waits = |policy, seconds| {
        let timeout = Duration::from_secs(seconds);
        MirrorWay::Sync(SyncMode::new(policy, timeout).unwrap())
    };
    let often = ("firebrick:snapshot_interval", "15m");
    for (specs, way) in [
        (vec![replicated], MirrorWay::Journal),
        (vec![replicated, sync], waits(SyncPolicy::FallBack, 5)),
        (
            vec![replicated, sync, strict[0], strict[1]],
            waits(SyncPolicy::Block, 30),
        ),
        (vec![replicated, snapshots], MirrorWay::Snapshot(None)),
        (
            vec![replicated, snapshots, often],
            MirrorWay::Snapshot("15m".parse().ok()),
        ),
        // What is not replicated is in none.
        (vec![sync], MirrorWay::Journal),
        (vec![snapshots, often], MirrorWay::Journal),
    ] {
        let volume = made_of(&world, &specs).await;
        assert_eq!(volume.status, VolumeStatus::Available, "{specs:?}");
        let image = volume.image();
        let found = world.site(A, |site| site.images[&image].way);
        assert_eq!(found, way, "{specs:?}");
        // And so is what is made of it.
        let request = CreateVolume {
            source: Some(volume.id),
            ..sized(1)
        };
        let copy = ended(&world, request).await;
        let copy = row(&world, copy).await;
        assert_eq!(copy.status, VolumeStatus::Available, "{specs:?}");
        let found = world.site(A, |site| site.images[&copy.image()].way);
        assert_eq!(found, way, "a clone, {specs:?}");
    }
}

#[tokio::test]
async fn a_schedule_goes_only_where_somebody_keeps_it() {
    let mut world = World::new().await;
    world.site(A, |site| site.unscheduled = true);
    world.restart().await;
    let mut specs = vec![
        ("replication_enabled", "<is> True"),
        ("replication_mode", "<in> snapshot"),
    ];
    let volume = made_of(&world, &specs).await;
    assert_eq!(volume.status, VolumeStatus::Available);
    specs.push(("firebrick:snapshot_interval", "15m"));
    let volume = made_of(&world, &specs).await;
    assert_eq!(volume.status, VolumeStatus::Error);
    assert_eq!(volume.host, None, "nothing is made anywhere");
    assert_eq!(world.site(A, |site| site.images.len()), 1);
    let kind = volume.volume_type.to_string();
    let query = PoolQuery {
        volume_type: Some(&kind),
        ..PoolQuery::default()
    };
    assert_eq!(world.control.pools(&admin(), query).await.unwrap(), []);
    // What is not taken in snapshots has no schedule.
    specs.remove(1);
    let volume = made_of(&world, &specs).await;
    assert_eq!(volume.status, VolumeStatus::Available);
}

#[tokio::test]
async fn a_type_that_asks_for_both_ways_or_for_what_is_not_there_is_refused() {
    let world = World::new().await;
    let map = |specs: &[(&str, &str)]| {
        specs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect::<BTreeMap<_, _>>()
    };
    let sync = ("replication_type", "<in> sync");
    let snapshots = ("replication_mode", "<in> snapshot");
    let request = |extra_specs| CreateType {
        name: Uuid::new_v4().to_string(),
        description: None,
        is_public: true,
        extra_specs,
    };
    let control = &world.control;
    let refused = control
        .create_type(&admin(), request(map(&[sync, snapshots])))
        .await;
    assert_eq!(refused.unwrap_err().kind, ErrorKind::Invalid);
    let made = control.create_type(&admin(), request(map(&[sync]))).await;
    let id = made.unwrap().volume_type.id;
    let refused = control
        .set_extra_specs(&admin(), id, map(&[snapshots]))
        .await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid);
    assert!(refused.message.contains("replication_mode"), "{refused}");
    control
        .delete_extra_spec(&admin(), id, sync.0)
        .await
        .unwrap();
    let set = control
        .set_extra_specs(&admin(), id, map(&[snapshots]))
        .await;
    set.unwrap();

    // One that nobody would ever ask for is said to be none.
    let mistyped = map(&[("firebrick:sync_polcy", "block")]);
    let made = control
        .create_type(&admin(), request(mistyped.clone()))
        .await;
    let refused = made.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid);
    assert!(refused.message.contains("sync_policy"), "{refused}");
    let set = control.set_extra_specs(&admin(), id, mistyped).await;
    assert_eq!(set.unwrap_err().kind, ErrorKind::Invalid);
}

#[tokio::test]
async fn a_type_that_says_neither_yes_nor_no_to_replication_is_refused() {
    let world = World::new().await;
    let control = &world.control;
    let specs = |word: &str| BTreeMap::from([("replication_enabled".to_owned(), word.to_owned())]);
    let request = |extra_specs| CreateType {
        name: Uuid::new_v4().to_string(),
        description: None,
        is_public: true,
        extra_specs,
    };
    let admin = admin();
    let made = control.create_type(&admin, request(specs("<is> False")));
    let id = made.await.unwrap().volume_type.id;
    for word in ["yes", "True", "<is> perhaps", ""] {
        let made = control.create_type(&admin, request(specs(word))).await;
        let refused = made.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Invalid, "{word}");
        assert!(refused.message.contains("replication_enabled"), "{refused}");
        assert!(refused.message.contains("'<is> True'"), "{refused}");
        let set = control.set_extra_specs(&admin, id, specs(word)).await;
        assert_eq!(set.unwrap_err().kind, ErrorKind::Invalid, "{word}");
    }
    let set = control.set_extra_specs(&admin, id, specs("<is> yes"));
    assert_eq!(set.await.unwrap(), specs("<is> yes"));
}
