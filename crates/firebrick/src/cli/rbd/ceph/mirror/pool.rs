//! `mirror pool enable`, `disable`, `info`, `promote`, `demote`.

use std::sync::Arc;

use firebrick_ceph::tool::{
    ImageAt, MirrorPeer, OpenImage, OpenPool, PeerDirection, PoolMode, Trouble,
};

use super::{at_once, each, mirrored, peer, plain, status};
use crate::cli::rbd::ceph::site::{Ceph, Doing as _, trouble};
use crate::cli::rbd::ceph::spec::{Place, behind_pool};
use crate::cli::rbd::doc::Doc;
use crate::cli::rbd::error::{EINVAL, EIO, refuse};
use crate::cli::rbd::mirror::args::{EnablePoolArgs, MirrorPoolCommand, PoolArgs, PoolInfoArgs};
use crate::exit::Failure;
use crate::printer::Printer;

/// Does what the command line says.
pub(super) fn run(ceph: &Ceph, command: &MirrorPoolCommand) -> Result<(), Failure> {
    match command {
        MirrorPoolCommand::Enable(args) => enable(ceph, args),
        MirrorPoolCommand::Disable(args) => {
            let pool = ceph.pool(&place(ceph, args)?)?;
            set_mode(&pool, PoolMode::Disabled, false)
        }
        MirrorPoolCommand::Info(args) => info(ceph, args),
        MirrorPoolCommand::Status(args) => {
            let pool = ceph.pool(&place(ceph, &args.pool)?)?;
            status::pool(ceph, &pool, args.verbose)
        }
        MirrorPoolCommand::Promote(args) => {
            plain(&args.how)?;
            let pool = ceph.pool(&place(ceph, &args.pool)?)?;
            switch(&pool, ("promote", "Promoted"), |image, primary| {
                (!primary).then(|| image.promote(args.how.force))
            })
        }
        MirrorPoolCommand::Demote(args) => {
            at_once(&args.how)?;
            let pool = ceph.pool(&place(ceph, &args.pool)?)?;
            switch(&pool, ("demote", "Demoted"), |image, primary| {
                primary.then(|| image.demote())
            })
        }
        MirrorPoolCommand::Peer(command) => peer::run(ceph, command),
        MirrorPoolCommand::Add(args) => peer::add(ceph, args),
        MirrorPoolCommand::Remove(args) => peer::remove(ceph, args),
    }
}

fn place(ceph: &Ceph, args: &PoolArgs) -> Result<Place, Failure> {
    Place::named(&ceph.common, args.spec.as_deref())
}

fn enable(ceph: &Ceph, args: &EnablePoolArgs) -> Result<(), Failure> {
    let (place, mut words) = behind_pool(&ceph.common, &args.words)?;
    let mode = match words.or_next(None) {
        Some("image") => PoolMode::Image,
        Some("pool") => PoolMode::Pool,
        _ => return Err(refuse(EINVAL, "rbd: must specify 'image' or 'pool' mode.")),
    };
    words.end()?;
    let pool = ceph.pool(&place)?;
    let renamed = match &args.site_name {
        Some(name) => call_site(ceph, name)?,
        None => false,
    };
    set_mode(&pool, mode, renamed)
}

/// Gives this cluster that name; whether it had another one.
pub(super) fn call_site(ceph: &Ceph, name: &str) -> Result<bool, Failure> {
    let was = ceph.connection.site_name();
    let set = ceph.connection.set_site_name(name);
    set.doing("failed to set site name")?;
    Ok(was.is_ok_and(|was| was != name))
}

/// `quiet`: something else was done already, so nothing is said where the mode stays.
fn set_mode(pool: &OpenPool, mode: PoolMode, quiet: bool) -> Result<(), Failure> {
    let was = pool.mirror_mode().doing("failed to retrieve mirror mode")?;
    match (was, mode) {
        _ if was == mode => {
            if mode == PoolMode::Disabled {
                Printer::line("rbd: mirroring is already disabled");
            } else if !quiet {
                let mode = mode.as_str();
                Printer::line(&format!(
                    "rbd: mirroring is already configured for {mode} mode"
                ));
            }
            return Ok(());
        }
        (PoolMode::Pool, PoolMode::Image) => {
            Printer::line("note: changing mirroring mode from pool to image");
        }
        (PoolMode::Image, PoolMode::Pool) => {
            Printer::line("note: changing mirroring mode from image to pool");
        }
        _ => {}
    }
    let set = pool.set_mirror_mode(mode);
    set.doing("failed to set mirror mode")
}

fn info(ceph: &Ceph, args: &PoolInfoArgs) -> Result<(), Failure> {
    let pool = ceph.pool(&place(ceph, &args.pool)?)?;
    let mode = pool.mirror_mode().doing("failed to retrieve mirror mode")?;
    let mut doc = Doc::map([("mode", mode.as_str().into())]);
    let mut text = format!("Mode: {}\n", mode.as_str());
    if mode != PoolMode::Disabled && pool.namespace().is_empty() {
        let name = ceph.connection.site_name();
        let name = name.doing("failed to get site name")?;
        let peers = peers(&pool, args.all)?;
        doc.put("site_name", &name);
        doc.put("peers", Doc::list("peer", peers.iter().map(peer_doc)));
        text.extend(["Site Name: ", &name, "\n\n", &peers_text(&peers, args.all)]);
    }
    if ceph.common.structured() {
        ceph.common.print("mirror", &doc);
    } else {
        Printer::text(&text);
    }
    Ok(())
}

/// A peer, and what the monitors keep of it.
type Peer = (MirrorPeer, Vec<(String, String)>);

fn peers(pool: &OpenPool, all: bool) -> Result<Vec<Peer>, Failure> {
    let found = pool.mirror_peers().doing("failed to list mirror peers")?;
    let mut peers = Vec::new();
    for found in found {
        let kept = if all {
            let kept = pool.peer_attributes(&found.uuid);
            kept.map_err(|error| peer::unread(&error))?
        } else {
            None
        };
        peers.push((found, kept.unwrap_or_default().into_iter().collect()));
    }
    Ok(peers)
}

fn peer_doc((peer, kept): &Peer) -> Doc {
    let mut doc = Doc::map([
        ("uuid", (&peer.uuid).into()),
        ("direction", peer.direction.to_string().into()),
        ("site_name", (&peer.site_name).into()),
        ("mirror_uuid", (&peer.mirror_uuid).into()),
        ("client_name", (&peer.client_name).into()),
    ]);
    for (key, value) in kept {
        doc.put(key, value);
    }
    doc
}

fn peers_text(peers: &[Peer], all: bool) -> String {
    let Some((last, _)) = peers.last() else {
        return "Peer Sites: none\n".to_owned();
    };
    let mut lines = vec!["Peer Sites: ".to_owned()];
    for (peer, kept) in peers {
        let mut line = |key: &str, value: &str| lines.push(format!("{key}: {value}"));
        line("\nUUID", &peer.uuid);
        line("Name", &peer.site_name);
        if peer.direction != PeerDirection::Rx || !peer.mirror_uuid.is_empty() {
            line("Mirror UUID", &peer.mirror_uuid);
        }
        line("Direction", &peer.direction.to_string());
        if peer.direction != PeerDirection::Tx || !peer.client_name.is_empty() {
            line("Client", &peer.client_name);
        }
        if all {
            let kept = |key: &str| {
                let found = kept.iter().find(|(known, _)| known == key);
                found.map_or("", |(_, value)| value.as_str())
            };
            line("Mon Host", kept("mon_host"));
            line("Key", kept("key"));
        }
        // As in RBD, one more line parts peers of several names.
        if peer.site_name != last.site_name {
            lines.push(String::new());
        }
    }
    lines.join("\n") + "\n"
}

/// Promotes or demotes all images for which `what` has something to do.
fn switch(
    pool: &Arc<OpenPool>,
    (doing, done): (&str, &str),
    what: impl Fn(&OpenImage, bool) -> Option<Result<(), Trouble>> + Sync,
) -> Result<(), Failure> {
    mirrored(pool)?;
    let switched = each(pool, |name| {
        let failed = |doing: &str, error: &Trouble| trouble(&format!("failed to {doing}"), error);
        let image = pool.change(ImageAt::Name(name));
        let image = image.map_err(|error| failed(&format!("open image {name}"), &error))?;
        let found = image.mirroring();
        let of = format!("retrieve mirror image info for {name}");
        let found = found.map_err(|error| failed(&of, &error))?;
        let found = found.filter(|found| found.state == "enabled");
        match found.and_then(|found| what(&image, found.primary)) {
            None => Ok(0),
            Some(Ok(())) => Ok(1),
            Some(Err(error)) => Err(failed(&format!("{doing} image {name}"), &error)),
        }
    })?;
    let mut count = 0_u64;
    let mut complaints = Vec::new();
    let mut first = None;
    for (_, came) in switched {
        match came {
            Ok(one) => count += one,
            Err(failure) => {
                complaints.push(failure.to_string());
                first.get_or_insert(match failure {
                    Failure::Rbd { errno, .. } => errno,
                    Failure::Failed(_) | Failure::Usage(_) => EIO,
                });
            }
        }
    }
    Printer::line(&format!("{done} {count} mirrored images"));
    first.map_or(Ok(()), |errno| Err(refuse(errno, complaints.join("\n"))))
}
