//! QoS specs: what volumes and hosts are held to, whatever happens meanwhile.

use std::collections::BTreeMap;

use firebrick_backend::FaultKind;
use firebrick_control::{CreateQos, CreateType, CreateVolume, ErrorKind, QosConsumer, UpdateQos};
use firebrick_vocabulary::{Limits, QosId, TypeId, VolumeId};
use serde_json::{Value, json};

use crate::common::{A, At, B, Trouble, World, admin, connector, member, sized, until};

fn specs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    pairs
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

async fn spec(world: &World, consumer: QosConsumer, pairs: &[(&str, &str)]) -> QosId {
    let request = CreateQos {
        name: QosId::random().to_string(),
        consumer,
        specs: specs(pairs),
    };
    let made = world.control.create_qos(&admin(), request).await;
    made.unwrap().id
}

/// A type with that spec, and the name of the type.
async fn kind(world: &World, qos: QosId, replicated: bool) -> (TypeId, String) {
    let name = TypeId::random().to_string();
    let extra_specs: &[_] = if replicated {
        &[("replication_enabled", "<is> True")]
    } else {
        &[]
    };
    let request = CreateType {
        name: name.clone(),
        description: None,
        is_public: true,
        extra_specs: specs(extra_specs),
    };
    let made = world.control.create_type(&admin(), request).await.unwrap();
    let id = made.volume_type.id;
    let done = world.control.associate_qos(&admin(), qos, id).await;
    done.unwrap();
    (id, name)
}

fn of(kind: &str, size: u32) -> CreateVolume {
    CreateVolume {
        volume_type: Some(kind.to_owned()),
        ..sized(size)
    }
}

fn set(pairs: &[(&str, &str)]) -> UpdateQos {
    UpdateQos {
        consumer: None,
        specs: specs(pairs),
    }
}

impl World {
    fn limits(&self, site: &str, id: VolumeId) -> Limits {
        self.site(site, |site| site.images[&id.image_id()].limits)
    }

    /// Requests a second, reads and writes together; 0 for no limit.
    fn iops(&self, site: &str, id: VolumeId) -> u64 {
        let total = self.limits(site, id).requests.total;
        total.map_or(0, |limit| limit.average.get())
    }

    async fn becomes(&self, site: &str, id: VolumeId, iops: u64) {
        let what = format!("{id} is held to {iops}");
        until(&what, || async { self.iops(site, id) == iops }).await;
        self.settled(id.0).await;
    }
}

#[tokio::test]
async fn a_volume_is_held_to_the_spec_of_its_type() {
    let world = World::new().await;
    let pairs = [
        ("total_iops_sec_per_gb", "10"),
        ("total_iops_sec_per_gb_min", "25"),
        ("read_bytes_sec", "4096"),
    ];
    let qos = spec(&world, QosConsumer::BackEnd, &pairs).await;
    let (_, name) = kind(&world, qos, false).await;
    let id = world.made(of(&name, 2)).await;
    assert_eq!(world.iops(A, id), 25);
    let read = world.limits(A, id).bytes.read.unwrap();
    assert_eq!(read.average.get(), 4096);
    let extended = world.control.extend_volume(&member(), id, 7, false).await;
    extended.unwrap();
    world.settled(id.0).await;
    assert_eq!(world.iops(A, id), 70);
    let plain = world.made(sized(1)).await;
    assert!(world.limits(A, plain).is_none());
}

#[tokio::test]
async fn volumes_follow_their_spec() {
    let world = World::new().await;
    let control = world.handle();
    let qos = spec(&world, QosConsumer::Both, &[("total_iops_sec", "100")]).await;
    let (type_id, name) = kind(&world, qos, false).await;
    let id = world.made(of(&name, 1)).await;
    assert_eq!(world.iops(A, id), 100);
    let change = set(&[("total_iops_sec", "200")]);
    control.update_qos(&admin(), qos, change).await.unwrap();
    world.becomes(A, id, 200).await;
    let front = UpdateQos {
        consumer: Some(QosConsumer::FrontEnd),
        ..UpdateQos::default()
    };
    control.update_qos(&admin(), qos, front).await.unwrap();
    world.becomes(A, id, 0).await;
    let back = UpdateQos {
        consumer: Some(QosConsumer::BackEnd),
        ..UpdateQos::default()
    };
    control.update_qos(&admin(), qos, back).await.unwrap();
    world.becomes(A, id, 200).await;
    let keys = ["total_iops_sec".to_owned()];
    control.delete_qos_keys(&admin(), qos, &keys).await.unwrap();
    world.becomes(A, id, 0).await;
    let change = set(&[("total_iops_sec", "300")]);
    control.update_qos(&admin(), qos, change).await.unwrap();
    world.becomes(A, id, 300).await;
    let done = control.disassociate_qos(&admin(), qos, type_id).await;
    done.unwrap();
    world.becomes(A, id, 0).await;
    let done = control.associate_qos(&admin(), qos, type_id).await;
    done.unwrap();
    world.becomes(A, id, 300).await;
    let refused = control.delete_qos(&admin(), qos, false).await;
    assert_eq!(refused.unwrap_err().kind, ErrorKind::Invalid);
    control.delete_qos(&admin(), qos, true).await.unwrap();
    world.becomes(A, id, 0).await;
}

#[tokio::test]
async fn a_change_during_creation_wins() {
    let world = World::new().await;
    let qos = spec(&world, QosConsumer::BackEnd, &[("total_iops_sec", "1")]).await;
    let (_, name) = kind(&world, qos, false).await;
    world
        .wire
        .arm(At::Name(A, "set_limits", 1), Trouble::HangBeforeRelease);
    let made = world.control.create_volume(&member(), of(&name, 1)).await;
    let id = made.unwrap().volume.id;
    world.struck().await;
    let change = set(&[("total_iops_sec", "2")]);
    let changed = world.control.update_qos(&admin(), qos, change).await;
    changed.unwrap();
    world.wire.release();
    world.becomes(A, id, 2).await;
}

#[tokio::test]
async fn a_change_outlives_the_control_plane_and_the_site() {
    let mut world = World::new().await;
    let qos = spec(&world, QosConsumer::BackEnd, &[("total_iops_sec", "1")]).await;
    let (_, name) = kind(&world, qos, false).await;
    let id = world.made(of(&name, 1)).await;
    world
        .wire
        .arm(At::Name(A, "set_limits", 1), Trouble::HangBefore);
    let change = set(&[("total_iops_sec", "2")]);
    let changed = world.control.update_qos(&admin(), qos, change).await;
    changed.unwrap();
    world.struck().await;
    world.restart().await;
    world.becomes(A, id, 2).await;

    // Given up, and seen by the reconciler of the next life.
    world.wire.arm(
        At::Name(A, "set_limits", usize::MAX),
        Trouble::Refuse(FaultKind::Io),
    );
    let change = set(&[("total_iops_sec", "3")]);
    let changed = world.control.update_qos(&admin(), qos, change).await;
    changed.unwrap();
    world.settled(id.0).await;
    assert_eq!(world.iops(A, id), 2);
    world.restart().await;
    world.becomes(A, id, 3).await;
}

#[tokio::test]
async fn limits_go_along_with_a_failover() {
    let world = World::new().await;
    let qos = spec(&world, QosConsumer::BackEnd, &[("total_iops_sec", "1")]).await;
    let (_, name) = kind(&world, qos, true).await;
    let id = world.made(of(&name, 1)).await;
    world.set_up(A, false);
    world.failed_over(B).await;
    assert_eq!(world.iops(B, id), 1);
    let change = set(&[("total_iops_sec", "2")]);
    let changed = world.control.update_qos(&admin(), qos, change).await;
    changed.unwrap();
    world.becomes(B, id, 2).await;
    assert_eq!(world.iops(A, id), 1);
}

#[tokio::test]
async fn hosts_are_told_what_they_are_to_do() {
    let world = World::new().await;
    let pairs = [("read_iops_sec_per_gb", "5"), ("colour", "blue")];
    let wanted = json!({ "read_iops_sec": 10, "colour": "blue" });
    for (consumer, expected) in [
        (QosConsumer::FrontEnd, wanted.clone()),
        (QosConsumer::Both, wanted),
        (QosConsumer::BackEnd, Value::Null),
    ] {
        let qos = spec(&world, consumer, &pairs).await;
        let (_, name) = kind(&world, qos, false).await;
        let id = world.made(of(&name, 2)).await;
        let (control, context) = (&world.control, member());
        let info = control.initialize_connection(&context, id, connector());
        assert_eq!(info.await.unwrap().data["qos_specs"], expected);
    }
}

#[tokio::test]
async fn specs_are_for_administrators() {
    let world = World::new().await;
    let refused = world.control.qos_specs(&member()).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Forbidden);
    assert_eq!(
        refused.message,
        "Policy doesn't allow volume_extension:qos_specs_manage:get_all to be performed."
    );
}
