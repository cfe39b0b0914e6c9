//! What every kind of site has to do, as the trait promises it.
//!
//! What it is for: one suite, run by the tests of each kind against a real one. What it promises: whatever
//! keeps it can be driven by the control plane. What it leans on: the trait alone. Whoever runs it gives a
//! site without images.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test"
)]

use std::fmt;
use std::time::{Duration, Instant};

use firebrick_backend::{
    Access, Backend, Content, DRILL_SNAPSHOT, DrillInfo, ExportKey, FaultKind, NewImage, Origin,
    PromoteMode, Reason, TRANSFER_MAX, ViewOf,
};
use firebrick_vocabulary::{
    Bytes, Epoch, ImageId, ImageName, MIB, MirrorWay, Role, SnapshotName, SyncMode, SyncPolicy,
};

/// The longest that anything may take.
const PATIENCE: Duration = Duration::from_secs(120);

fn image_name(id: ImageId) -> ImageName {
    ImageName::new(format!("volume-{id}")).unwrap()
}

fn new_image(size: u64, mirrored: bool) -> NewImage {
    let id = ImageId::random();
    NewImage {
        id,
        name: image_name(id),
        size: Bytes(size),
        origin: None,
        mirrored,
    }
}

fn snapshot(name: &str) -> SnapshotName {
    SnapshotName::new(name).unwrap()
}

async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < end, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Holds for every backend: calls may be repeated, and faults have the kind that the trait names.
pub async fn contract(site: &dyn Backend) {
    images(site).await;
    snapshots_and_clones(site).await;
    if site.capabilities().consistent_groups {
        snapshots_together(site).await;
    } else {
        no_snapshots_together(site).await;
    }
    bytes(site).await;
    exports(site).await;
    missing_things(site).await;
    assert_eq!(site.images().await.unwrap(), []);
    assert_eq!(site.exports().await.unwrap(), []);
    let status = site.status().await.unwrap();
    assert_eq!(status.name, site.name());
    assert!(status.durable.sequence <= status.head.sequence);
}

async fn images(site: &dyn Backend) {
    let new = new_image(8 * MIB, false);
    let id = new.id;
    let made = site.create_image(new.clone()).await.unwrap();
    assert_eq!(
        (made.id, made.size, made.used),
        (id, Bytes(8 * MIB), Bytes::ZERO)
    );
    assert_eq!((made.role, made.mirrored), (Role::Primary, false));
    assert_eq!(site.create_image(new.clone()).await.unwrap(), made);
    assert_eq!(site.image(id).await.unwrap(), made);
    assert_eq!(site.images().await.unwrap(), std::slice::from_ref(&made));
    assert_eq!(site.space().await.unwrap().provisioned, Bytes(8 * MIB));

    let taken = NewImage {
        id: ImageId::random(),
        ..new
    };
    assert_eq!(kind(site.create_image(taken).await), FaultKind::Exists);

    for _ in 0..2 {
        site.extend_image(id, Bytes(12 * MIB)).await.unwrap();
        site.rename_image(id, image_name(ImageId::random()))
            .await
            .unwrap();
    }
    assert_eq!(site.image(id).await.unwrap().size, Bytes(12 * MIB));
    assert_eq!(
        kind(site.extend_image(id, Bytes(MIB)).await),
        FaultKind::Invalid
    );
    for _ in 0..2 {
        site.remove_image(id).await.unwrap();
    }
}

async fn snapshots_together(site: &dyn Backend) {
    let images = [new_image(4 * MIB, false), new_image(4 * MIB, false)];
    let [one, other] = images.each_ref().map(|image| image.id);
    for image in images {
        site.create_image(image).await.unwrap();
    }
    let both = [(one, snapshot("t")), (other, snapshot("t"))];
    let taken = site.create_snapshots(&both).await.unwrap();
    assert_eq!(site.create_snapshots(&both).await.unwrap(), taken);
    for (id, taken) in [one, other].into_iter().zip(taken) {
        assert_eq!(site.snapshots(id).await.unwrap(), [taken]);
    }
    let none = ImageId::random();
    let half = [(one, snapshot("u")), (none, snapshot("u"))];
    assert_eq!(
        kind(site.create_snapshots(&half).await),
        FaultKind::NotFound
    );
    let twice = [(one, snapshot("u")), (one, snapshot("v"))];
    assert_eq!(
        kind(site.create_snapshots(&twice).await),
        FaultKind::Invalid
    );
    site.remove_snapshot(other, snapshot("t")).await.unwrap();
    assert_eq!(kind(site.create_snapshots(&both).await), FaultKind::Exists);
    assert_eq!(site.snapshots(one).await.unwrap().len(), 1);
    site.remove_snapshot(one, snapshot("t")).await.unwrap();
    for id in [one, other] {
        site.remove_image(id).await.unwrap();
    }
}

/// What a kind of site cannot do, it does not do by halves.
async fn no_snapshots_together(site: &dyn Backend) {
    let images = [new_image(4 * MIB, false), new_image(4 * MIB, false)];
    let both = images.each_ref().map(|image| (image.id, snapshot("t")));
    for image in images {
        site.create_image(image).await.unwrap();
    }
    let refused = site.create_snapshots(&both).await;
    assert_eq!(kind(refused), FaultKind::Unsupported);
    for (id, _) in both {
        assert_eq!(site.snapshots(id).await.unwrap(), []);
        site.remove_image(id).await.unwrap();
    }
}

/// Neighbouring extents of one kind; a mebibyte of numbers says nothing, so only the ends of data are shown.
#[derive(Eq, PartialEq)]
struct Range {
    from: u64,
    data: Option<Vec<u8>>,
    to: u64,
}

impl fmt::Debug for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ends = self.data.as_ref().map(|data| (data.first(), data.last()));
        write!(f, "{}..{} {ends:?}", self.from, self.to)
    }
}

fn range(from: u64, data: Option<Vec<u8>>, to: u64) -> Range {
    Range { from, data, to }
}

/// All extents, neighbours joined.
async fn read(
    site: &dyn Backend,
    image: ImageId,
    of: ViewOf,
    since: Option<ViewOf>,
    from: u64,
) -> (u64, Vec<Range>) {
    let mut reader = site.reader(image, of, since, from).await.unwrap();
    let mut all: Vec<Range> = Vec::new();
    while let Some(extent) = reader.next().await.unwrap() {
        let (offset, end) = (extent.offset, extent.end());
        let data = match extent.content {
            Content::Data(data) => {
                assert!(data.len() <= TRANSFER_MAX);
                Some(data)
            }
            Content::Hole(_) => None,
        };
        match (all.last_mut(), data) {
            (Some(last), Some(data)) if last.to == offset && last.data.is_some() => {
                last.data.get_or_insert_default().extend(data);
                last.to = end;
            }
            (Some(last), None) if last.to == offset && last.data.is_none() => last.to = end,
            (_, data) => all.push(range(offset, data, end)),
        }
    }
    (reader.size().0, all)
}

async fn bytes(site: &dyn Backend) {
    let new = new_image(12 * MIB, false);
    let id = new.id;
    site.create_image(new).await.unwrap();
    let mut writer = site.writer(id).await.unwrap();
    let long: Vec<u8> = (0..5 * MIB).map(|at| (at / 4096 % 250 + 1) as u8).collect();
    for (i, part) in long.chunks(TRANSFER_MAX).enumerate() {
        let offset = MIB + (i * TRANSFER_MAX) as u64;
        writer.write(offset, part).await.unwrap();
    }
    let over = vec![1; TRANSFER_MAX + 1];
    assert_eq!(kind(writer.write(0, &over).await), FaultKind::Invalid);
    writer.flush().await.unwrap();
    site.create_snapshot(id, snapshot("then")).await.unwrap();
    writer.write(0, &[7; 4096]).await.unwrap();
    writer.discard(MIB, MIB).await.unwrap();
    writer.flush().await.unwrap();
    drop(writer);

    let then = ViewOf::Snapshot(snapshot("then"));
    let (size, all) = read(site, id, then.clone(), None, 0).await;
    assert_eq!(size, 12 * MIB);
    assert_eq!(all, [range(MIB, Some(long.clone()), 6 * MIB)]);
    let rest = long[MIB as usize..].to_vec();
    let (_, all) = read(site, id, ViewOf::Head, None, 2 * MIB).await;
    assert_eq!(all, [range(2 * MIB, Some(rest), 6 * MIB)]);
    let (_, changed) = read(site, id, ViewOf::Head, Some(then), 0).await;
    let first = range(0, Some(vec![7; 4096]), 4096);
    assert_eq!(changed, [first, range(MIB, None, 2 * MIB)]);
    let unknown = ViewOf::Snapshot(snapshot("never"));
    let none = site.reader(id, unknown, None, 0).await;
    assert_eq!(none.err().unwrap().kind, FaultKind::NotFound);
    let none = site.writer(ImageId::random()).await;
    assert_eq!(none.err().unwrap().kind, FaultKind::NotFound);

    site.remove_snapshot(id, snapshot("then")).await.unwrap();
    site.remove_image(id).await.unwrap();
}

async fn snapshots_and_clones(site: &dyn Backend) {
    let new = new_image(4 * MIB, false);
    let id = new.id;
    site.create_image(new).await.unwrap();
    let taken = site.create_snapshot(id, snapshot("one")).await.unwrap();
    assert_eq!(
        site.create_snapshot(id, snapshot("one")).await.unwrap(),
        taken
    );
    site.create_snapshot(id, snapshot("two")).await.unwrap();
    let names: Vec<_> = site
        .snapshots(id)
        .await
        .unwrap()
        .into_iter()
        .map(|s| s.name)
        .collect();
    assert_eq!(names, [snapshot("one"), snapshot("two")]);

    let origin = Origin {
        image: id,
        snapshot: Some(snapshot("one")),
    };
    let clone = NewImage {
        origin: Some(origin),
        ..new_image(6 * MIB, false)
    };
    for _ in 0..2 {
        assert_eq!(
            site.create_image(clone.clone()).await.unwrap().size,
            Bytes(6 * MIB)
        );
    }
    site.roll_back(id, snapshot("two")).await.unwrap();
    assert_eq!(
        kind(site.roll_back(id, snapshot("none")).await),
        FaultKind::NotFound
    );

    assert_eq!(kind(site.remove_image(id).await), FaultKind::Busy);
    for name in ["one", "two", "two"] {
        site.remove_snapshot(id, snapshot(name)).await.unwrap();
    }
    site.remove_image(id).await.unwrap();
    site.remove_image(clone.id).await.unwrap();
}

async fn exports(site: &dyn Backend) {
    let new = new_image(4 * MIB, false);
    let id = new.id;
    site.create_image(new).await.unwrap();
    site.create_snapshot(id, snapshot("before")).await.unwrap();
    let (one, two) = (ExportKey("one".into()), ExportKey("two".into()));
    let address = site
        .export(id, one.clone(), Access::ReadWrite)
        .await
        .unwrap();
    assert_ne!(address.uri, "");
    assert_eq!(
        address.uri.split([':', '+']).next(),
        Some(&*address.protocol)
    );
    assert_eq!(
        site.export(id, one.clone(), Access::ReadWrite)
            .await
            .unwrap(),
        address
    );
    site.export(id, two.clone(), Access::ReadOnly)
        .await
        .unwrap();
    let held: Vec<_> = site
        .exports()
        .await
        .unwrap()
        .into_iter()
        .map(|e| (e.key, e.access))
        .collect();
    assert_eq!(
        held,
        [
            (one.clone(), Access::ReadWrite),
            (two.clone(), Access::ReadOnly)
        ]
    );

    assert_eq!(
        kind(site.roll_back(id, snapshot("before")).await),
        FaultKind::Busy
    );
    for _ in 0..2 {
        site.unexport(id, one.clone()).await.unwrap();
    }
    site.roll_back(id, snapshot("before")).await.unwrap();
    site.remove_snapshot(id, snapshot("before")).await.unwrap();
    assert_eq!(kind(site.remove_image(id).await), FaultKind::Busy);
    site.unexport(id, two).await.unwrap();
    site.remove_image(id).await.unwrap();
}

async fn missing_things(site: &dyn Backend) {
    let none = ImageId::random();
    let key = ExportKey("none".into());
    assert_eq!(kind(site.image(none).await), FaultKind::NotFound);
    assert_eq!(kind(site.snapshots(none).await), FaultKind::NotFound);
    assert_eq!(
        kind(site.create_snapshot(none, snapshot("s")).await),
        FaultKind::NotFound
    );
    assert_eq!(
        kind(site.extend_image(none, Bytes(MIB)).await),
        FaultKind::NotFound
    );
    assert_eq!(
        kind(site.rename_image(none, image_name(none)).await),
        FaultKind::NotFound
    );
    let exported = site.export(none, key.clone(), Access::ReadWrite).await;
    assert_eq!(kind(exported), FaultKind::NotFound);
    site.unexport(none, key).await.unwrap();
    site.remove_image(none).await.unwrap();
    site.remove_leftover(none, None).await.unwrap();
    site.remove_snapshot(none, snapshot("s")).await.unwrap();
    let outcomes = site.promote(&[none], PromoteMode::Forced).await.unwrap();
    assert_eq!(outcomes.len(), 1);
    assert_eq!(outcomes[0].result, Err(Reason::NotFound));
}

/// Holds for every pair of backends that mirror: `one` is where the image is made.
pub async fn mirrored_contract(one: &dyn Backend, other: &dyn Backend) {
    let new = new_image(4 * MIB, true);
    let id = new.id;
    one.create_image(new.clone()).await.unwrap();
    one.create_image(new).await.unwrap();
    until("the copy is complete", async || {
        other
            .image(id)
            .await
            .is_ok_and(|image| image.sync.is_consistent())
    })
    .await;
    assert_eq!(other.image(id).await.unwrap().role, Role::Secondary);
    let exported = other
        .export(id, ExportKey("k".into()), Access::ReadOnly)
        .await;
    assert_eq!(kind(exported), FaultKind::NotPrimary);

    ways(one, other, id).await;
    let early = other.promote(&[id], PromoteMode::Planned).await.unwrap();
    assert_eq!(early[0].result, Err(Reason::NotDemoted));
    other
        .wait_ready(&[(id, Epoch::FIRST)], PATIENCE)
        .await
        .unwrap();
    let store = one.status().await.unwrap().store;
    let position = one.demote(&[id]).await.unwrap();
    one.demote(&[id]).await.unwrap();
    other
        .wait_applied(store, position, &[id], PATIENCE)
        .await
        .unwrap();
    for _ in 0..2 {
        let outcomes = other.promote(&[id], PromoteMode::Planned).await.unwrap();
        assert_eq!(outcomes[0].result, Ok(Epoch(2)));
    }
    assert_eq!(other.image(id).await.unwrap().role, Role::Primary);

    let there = other.status().await.unwrap();
    one.wait_applied(there.store, there.head, &[id], PATIENCE)
        .await
        .unwrap();
    for _ in 0..2 {
        other.set_mirroring(id, false).await.unwrap();
    }
    until("the peer's copy is removed", async || {
        one.image(id)
            .await
            .is_err_and(|fault| fault.kind == FaultKind::NotFound)
    })
    .await;
    other.remove_image(id).await.unwrap();
}

/// Whoever follows knows the way too, and what a kind of site does not know it refuses.
async fn ways(one: &dyn Backend, other: &dyn Backend, id: ImageId) {
    let sync = SyncMode::new(SyncPolicy::FallBack, SyncMode::TIMEOUT).unwrap();
    let by_snapshots = MirrorWay::Snapshot(None);
    for way in [MirrorWay::Sync(sync), by_snapshots, MirrorWay::Sync(sync)] {
        let set = one.set_mirror_way(id, way).await;
        let known = one.capabilities();
        let offered = known.mirror_modes.contains(&way.mode())
            && (known.synchronous || way.sync_mode().is_none());
        if !offered {
            assert_eq!(kind(set), FaultKind::Unsupported);
            continue;
        }
        set.unwrap();
        one.set_mirror_way(id, way).await.unwrap();
        until("the peer knows the way", async || {
            let there = other.mirror_status().await.unwrap().images;
            there.iter().any(|image| image.id == id && image.way == way)
        })
        .await;
    }
    one.set_mirror_way(id, MirrorWay::Journal).await.unwrap();
}

/// Holds for every pair of backends that mirror: `one` is where the image is made.
pub async fn drill_contract(one: &dyn Backend, other: &dyn Backend) {
    let new = new_image(4 * MIB, true);
    let id = new.id;
    one.create_image(new).await.unwrap();
    until("the copy is complete", async || {
        other
            .image(id)
            .await
            .is_ok_and(|image| image.sync.is_consistent())
    })
    .await;
    fill(one, id, 1).await;
    let of_snapshots = other.capabilities().drills_of_snapshots;
    if of_snapshots {
        drill_of_snapshot(one, other, id).await;
        drilled(other, id).await;
    } else {
        let unknown = snapshot("none");
        let asked = other.begin_drill_of(id, &unknown).await;
        assert_eq!(kind(asked), FaultKind::Unsupported);
    }
    let begun = other.begin_drill(id, None).await.unwrap();
    assert!(begun.position.is_some() || of_snapshots, "{begun:?}");
    drilled(other, id).await;
    let refused = one.begin_drill(id, None).await;
    assert_eq!(kind(refused), FaultKind::Invalid);
    assert_eq!(one.drills().await.unwrap(), []);
    let none = ImageId::random();
    assert_eq!(
        kind(other.begin_drill(none, None).await),
        FaultKind::NotFound
    );
    other.end_drill(none).await.unwrap();
    // Nothing of the mirror has changed.
    assert_eq!(one.image(id).await.unwrap().role, Role::Primary);
    assert_eq!(other.image(id).await.unwrap().role, Role::Secondary);
    assert_eq!(one.images().await.unwrap().len(), 1, "drills are no images");
    assert_eq!(one.snapshots(id).await.unwrap(), []);
    one.remove_image(id).await.unwrap();
}

/// One is taken at the primary and has arrived at the copy some time; it is not needed behind that.
async fn drill_of_snapshot(one: &dyn Backend, other: &dyn Backend, id: ImageId) {
    let name = SnapshotName::new(format!("{DRILL_SNAPSHOT}{id}")).unwrap();
    assert_eq!(other.begin_drill_of(id, &name).await.unwrap(), None);
    for _ in 0..2 {
        one.create_snapshot(id, name.clone()).await.unwrap();
        one.send(id).await.unwrap();
    }
    assert_eq!(one.snapshots(id).await.unwrap(), [], "it is nobody's");
    until("the snapshot is at the copy", async || {
        other.begin_drill_of(id, &name).await.unwrap().is_some()
    })
    .await;
    for _ in 0..2 {
        one.remove_snapshot(id, name.clone()).await.unwrap();
    }
    let primary = kind(one.begin_drill_of(id, &name).await);
    assert_eq!(primary, FaultKind::Invalid);
}

/// There is one drill, which stays the same until it ends.
async fn drilled(other: &dyn Backend, id: ImageId) {
    let reached = |drill: &DrillInfo| drill.address.as_ref().map(|address| address.uri.clone());
    let again = other.begin_drill(id, None).await.unwrap();
    assert_eq!(again.of, id);
    let uri = reached(&again);
    assert!(uri.is_some(), "{again:?}");
    let listed = other.drills().await.unwrap();
    assert_eq!(listed.iter().map(reached).collect::<Vec<_>>(), [uri]);
    assert_eq!(
        other.images().await.unwrap().len(),
        1,
        "drills are no images"
    );
    for _ in 0..2 {
        other.end_drill(id).await.unwrap();
    }
    assert_eq!(other.drills().await.unwrap(), []);
}

/// Writes the first block.
async fn fill(site: &dyn Backend, id: ImageId, byte: u8) {
    let mut writer = site.writer(id).await.unwrap();
    writer.write(0, &[byte; 4096]).await.unwrap();
    writer.flush().await.unwrap();
}

fn kind<T: std::fmt::Debug>(result: Result<T, firebrick_backend::Fault>) -> FaultKind {
    result.unwrap_err().kind
}
