//! Volumes get other types and go to another backend.

mod journey;
mod left;
mod meanwhile;
mod refusals;
mod types;

use firebrick_control::{At, CreateType, MigrateVolume, MigrationPolicy, RetypeVolume, Volume};
use firebrick_db::{Column, Listing, Test, volumes};
use firebrick_vocabulary::{ImageId, VolumeId};

use crate::common::{A, FAR, World, admin, sized, until};
use crate::place::Place;

async fn two() -> World {
    World::of_two(Place::asked_for(), |_| {}).await
}

/// A volume at the first backend, with two blocks in it.
async fn filled(world: &World) -> VolumeId {
    near_only(world, true).await;
    let id = world.made(sized(1)).await;
    near_only(world, false).await;
    for (block, byte) in [(0, 1), (9, 2)] {
        write(world, id, block, byte);
    }
    id
}

/// Whether new volumes go to the first backend alone.
async fn near_only(world: &World, only: bool) {
    let (control, admin) = (&world.control, admin());
    let binary = "cinder-volume";
    if only {
        control
            .disable_service(&admin, binary, FAR, None)
            .await
            .unwrap();
    } else {
        control.enable_service(&admin, binary, FAR).await.unwrap();
    }
}

fn write(world: &World, id: VolumeId, block: u64, byte: u8) {
    world.site(A, |site| {
        let image = site.images.get_mut(&id.image_id()).unwrap();
        image.blocks.insert(block, vec![byte; 4096]);
    });
}

/// The first bytes of the blocks of an image of the other backend.
fn far_bytes(world: &World, image: ImageId) -> Vec<(u64, u8)> {
    world.far(|site| {
        let blocks = &site.images[&image].blocks;
        blocks
            .iter()
            .map(|(block, bytes)| (*block, bytes[0]))
            .collect()
    })
}

fn to_far(lock: bool) -> MigrateVolume {
    MigrateVolume {
        to: At::Host(FAR.to_owned()),
        lock,
    }
}

fn becoming(kind: &str, policy: MigrationPolicy) -> RetypeVolume {
    RetypeVolume {
        new_type: kind.to_owned(),
        policy,
    }
}

async fn kind(world: &World, name: &str, specs: &[(&str, &str)]) {
    let request = CreateType {
        name: name.to_owned(),
        description: None,
        is_public: true,
        extra_specs: specs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
    };
    world.control.create_type(&admin(), request).await.unwrap();
}

/// The hidden volumes.
async fn hidden(world: &World) -> Vec<Volume> {
    let connection = &mut *world.db.read().await.unwrap();
    let listing = Listing::default().and(Column::MigrationTarget, Test::Number(1));
    volumes::list(connection, &listing).await.unwrap().unwrap()
}

/// Nothing is left of any copy.
async fn tidied(world: &World) {
    until("nothing hidden is left", || async {
        hidden(world).await.is_empty()
    })
    .await;
}

/// The volume is whole in one place, and nothing of it is elsewhere.
async fn rests_in_one_place(world: &World, id: VolumeId, when: &str) -> bool {
    tidied(world).await;
    let volume = world.volume(id).await.unwrap();
    let name = format!("volume-{id}");
    let far = volume.host.as_ref().unwrap().to_string().starts_with(FAR);
    let look = |site: &mut crate::common::State| -> Vec<(ImageId, String, usize, usize)> {
        let all = site.images.iter();
        all.map(|(id, it)| {
            (
                *id,
                it.name.to_string(),
                it.blocks.len(),
                it.snapshots.len(),
            )
        })
        .collect()
    };
    let (near_images, far_images) = (world.site(A, look), world.far(look));
    let whole = vec![(volume.image(), name, 2, 0)];
    let expected = if far {
        (Vec::new(), whole)
    } else {
        (whole, Vec::new())
    };
    assert_eq!((near_images, far_images), expected, "{when}");
    assert_eq!(volume.status.as_str(), "available", "{when}");
    assert_eq!(world.volumes().await.len(), 1, "{when}");
    far
}
