//! `mirror image status`, `mirror pool status`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use firebrick_ceph::tool::{
    ImageAt, ImageMode, MirrorPeer, MirrorState, OpenImage, OpenPool, SnapOf, Trouble,
};

use super::daemons::{Daemon, Daemons, Health};
use super::shown::{Mirrored, Names, Taken, names};
use super::{each, mirrored};
use crate::cli::rbd::ceph::site::{Ceph, Doing as _, trouble};
use crate::cli::rbd::ceph::spec::Spec;
use crate::cli::rbd::doc::Doc;
use crate::cli::rbd::error::{EIO, refuse};
use crate::exit::Failure;
use crate::printer::Printer;

/// The peers are those of the pool, whatever the namespace.
fn all_peers(ceph: &Ceph, pool: &OpenPool) -> Result<Vec<MirrorPeer>, Failure> {
    let doing = "failed to list mirror peers";
    let whole = ceph.connection.pool(pool.name(), "").doing(doing)?;
    whole.mirror_peers().doing(doing)
}

/// `mirror image status`
pub(super) fn image(ceph: &Ceph, spec: &Spec, image: &OpenImage) -> Result<(), Failure> {
    let name = spec.only_image()?;
    let peers = all_peers(ceph, image.pool())?;
    let status = image.mirror_status();
    let status = status.doing(&format!("failed to get status for image {name}"))?;
    let is_primary = status.primary && status.enabled;
    let mut shown = Mirrored::new(name, status, &peers);
    if shown.is_up() {
        let instance = image.mirror_instance();
        let instance = instance.doing(&format!("failed to get service id for image {name}"))?;
        if let Some(instance) = instance {
            let daemons = Daemons::of(ceph, image.pool());
            shown.daemon = daemons.by_instance(&instance).cloned();
        }
    }
    let mirroring = image.mirroring().doing("failed to retrieve mirror mode")?;
    if is_primary && mirroring.is_some_and(|it| it.mode == ImageMode::Snapshot) {
        let taken = image.snapshots().doing("failed to list snapshots")?;
        let taken = taken.into_iter().filter_map(|taken| match taken.of {
            SnapOf::Mirror(of) if of.primary => Some(Taken {
                id: taken.id,
                name: taken.name,
                demoted: of.demoted,
                peers: of.peers,
            }),
            _ => None,
        });
        shown.snapshots = taken.collect();
    }
    let known = names(&peers);
    if ceph.common.structured() {
        ceph.common.print("image", &shown.doc(&known));
    } else {
        Printer::text(&shown.text(&known));
    }
    Ok(())
}

/// `mirror pool status`
pub(super) fn pool(ceph: &Ceph, pool: &Arc<OpenPool>, verbose: bool) -> Result<(), Failure> {
    mirrored(pool)?;
    let states = pool.mirror_summary();
    let states = states.doing("failed to get status summary for mirrored images")?;
    let daemons = Daemons::of(ceph, pool);
    let mut all = Whole {
        health: of_images(&states),
        states,
        daemons,
        images: None,
    };
    let mut failed = None;
    let mut known = Names::new();
    if verbose {
        let peers = all_peers(ceph, pool)?;
        known = names(&peers);
        let (images, first) = images(pool, &peers, &all.daemons)?;
        all.images = Some(images);
        failed = first;
    }
    if ceph.common.structured() {
        ceph.common.print("status", &all.doc(&known));
    } else {
        Printer::text(&all.text(&known));
    }
    failed.map_or(Ok(()), Err)
}

fn of_images(states: &BTreeMap<MirrorState, u64>) -> Health {
    let one = |state: &MirrorState| match state {
        MirrorState::Replaying | MirrorState::Stopped => Health::Ok,
        MirrorState::Error => Health::Error,
        MirrorState::Unknown
        | MirrorState::Syncing
        | MirrorState::StartingReplay
        | MirrorState::StoppingReplay => Health::Warning,
    };
    states.keys().map(one).fold(Health::Ok, Ord::max)
}

/// All images that are mirrored, and why the status of one cannot be had.
fn images(
    pool: &Arc<OpenPool>,
    peers: &[MirrorPeer],
    daemons: &Daemons,
) -> Result<(Vec<Mirrored>, Option<Failure>), Failure> {
    let instances = pool.mirror_instances();
    let instances = instances.doing("failed to get instance id list")?;
    let found = each(pool, |name| {
        let image = pool.look(ImageAt::Name(name))?;
        let status = image.mirror_status()?;
        let id = image.facts()?.id;
        let mut shown = Mirrored::new(name, status, peers);
        let instance = instances.get(&id).filter(|_| shown.is_up());
        let daemon = instance.and_then(|instance| daemons.by_instance(instance));
        shown.daemon = daemon.cloned();
        Ok(shown)
    })?;
    let (mut images, mut complaints) = (Vec::new(), Vec::new());
    let mut errno = None;
    for (name, shown) in found {
        match shown {
            Ok(shown) if shown.global_id.is_empty() => {}
            Ok(shown) => images.push(shown),
            // Said of images that are not mirrored, or that went meanwhile.
            Err(Trouble::Errno(2)) => {}
            Err(error) => {
                let doing = format!("failed to status image {name}");
                complaints.push(trouble(&doing, &error).to_string());
                errno.get_or_insert(u8::try_from(error.errno()).unwrap_or(EIO));
            }
        }
    }
    let failed = errno.map(|errno| refuse(errno, complaints.join("\n")));
    Ok((images, failed))
}

/// All that is said of a pool.
struct Whole {
    health: Health,
    states: BTreeMap<MirrorState, u64>,
    daemons: Daemons,
    /// Where they are wanted.
    images: Option<Vec<Mirrored>>,
}

impl Whole {
    fn healths(&self) -> [(&'static str, Health); 3] {
        let daemons = self.daemons.health;
        [
            ("health", self.health.max(daemons)),
            ("daemon health", daemons),
            ("image health", self.health),
        ]
    }

    fn doc(&self, names: &Names) -> Doc {
        let mut summary = Doc::map([]);
        for (key, health) in self.healths() {
            summary.put(&key.replace(' ', "_"), health.to_string());
        }
        let mut states = Doc::map([]);
        for (state, count) in &self.states {
            states.put(state.as_str(), *count);
        }
        summary.put("states", states);
        let mut doc = Doc::map([("summary", summary)]);
        if let Some(images) = &self.images {
            let daemons = self.daemons.all.iter().map(daemon_doc);
            doc.put("daemons", Doc::list("daemon", daemons));
            let images = images.iter().map(|image| image.doc(names));
            doc.put("images", Doc::list("image", images));
        }
        doc
    }

    fn text(&self, names: &Names) -> String {
        let mut text = String::new();
        // Writing to a text cannot fail.
        for (key, health) in self.healths() {
            _ = writeln!(text, "{key}: {health}");
        }
        _ = writeln!(text, "images: {} total", self.states.values().sum::<u64>());
        for (state, count) in &self.states {
            _ = writeln!(text, "    {count} {}", state.as_str());
        }
        let Some(images) = &self.images else {
            return text;
        };
        text.push_str("\nDAEMONS\n");
        if self.daemons.all.is_empty() {
            text.push_str("  none\n");
        }
        for daemon in &self.daemons.all {
            text.push_str(&daemon_text(daemon));
        }
        text.push_str("\nIMAGES");
        for image in images {
            text.extend(["\n", &image.text(names)]);
        }
        text
    }
}

fn daemon_doc(daemon: &Daemon) -> Doc {
    let mut doc = Doc::map([
        ("service_id", (&daemon.service).into()),
        ("instance_id", (&daemon.instance).into()),
        ("client_id", (&daemon.client).into()),
        ("hostname", (&daemon.host).into()),
        ("ceph_version", (&daemon.version).into()),
        ("leader", daemon.leader.into()),
        ("health", daemon.health.to_string().into()),
    ]);
    if !daemon.callouts.is_empty() {
        doc.put("callouts", Doc::list("callout", &daemon.callouts));
    }
    doc
}

fn daemon_text(daemon: &Daemon) -> String {
    let Daemon {
        service,
        instance,
        client,
        host,
        version,
        leader,
        health,
        callouts,
    } = daemon;
    let callouts = match callouts.as_slice() {
        [] => String::new(),
        callouts => format!("  callouts: [{}]\n", callouts.join(",")),
    };
    format!(
        "service {service}:\n  instance_id: {instance}\n  client_id: {client}\n  hostname: {host}\n  \
         version: {version}\n  leader: {leader}\n  health: {health}\n{callouts}\n"
    )
}
