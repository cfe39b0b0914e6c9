//! Mirrored images as the `rbd` tool shows them.

use std::collections::{BTreeMap, BTreeSet};

use firebrick_ceph::tool::{MirrorPeer, MirrorState, MirrorStatus, PeerDirection, SiteStatus};

use super::daemons::Daemon;
use crate::cli::rbd::at::second;
use crate::cli::rbd::doc::Doc;

/// An image, and what is known of its mirroring.
pub(super) struct Mirrored {
    name: String,
    /// Empty where it is not mirrored.
    pub(super) global_id: String,
    own: Option<SiteStatus>,
    others: Vec<SiteStatus>,
    /// The daemon of this cluster that mirrors it.
    pub(super) daemon: Option<Daemon>,
    /// Its mirror snapshots, where these are wanted.
    pub(super) snapshots: Vec<Taken>,
}

/// A mirror snapshot.
pub(super) struct Taken {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) demoted: bool,
    /// The mirror UUIDs of the peers that still need it.
    pub(super) peers: Vec<String>,
}

/// The names of peers, by what statuses call them.
pub(super) type Names = BTreeMap<String, String>;

/// Those of these peers.
pub(super) fn names(peers: &[MirrorPeer]) -> Names {
    let named = peers
        .iter()
        .filter(|peer| !peer.mirror_uuid.is_empty() && !peer.site_name.is_empty());
    let named = named.map(|peer| (peer.mirror_uuid.clone(), peer.site_name.clone()));
    named.collect()
}

/// What the sites say that should say something; of those that do not, that.
fn complete(peers: &[MirrorPeer], said: Vec<SiteStatus>) -> (Option<SiteStatus>, Vec<SiteStatus>) {
    let heard = peers
        .iter()
        .filter(|peer| !peer.mirror_uuid.is_empty() && peer.direction != PeerDirection::Tx);
    let mut awaited: BTreeSet<String> = heard.map(|peer| peer.mirror_uuid.clone()).collect();
    // Where all peers only read, no daemon of this cluster has anything to do.
    if peers.is_empty() || peers.iter().any(|peer| peer.direction != PeerDirection::Tx) {
        awaited.insert(String::new());
    }
    let mut sites: Vec<SiteStatus> = said
        .into_iter()
        .filter(|site| awaited.remove(&site.mirror_uuid))
        .collect();
    sites.extend(awaited.into_iter().map(|mirror_uuid| SiteStatus {
        mirror_uuid,
        state: MirrorState::Unknown,
        description: "status not found".to_owned(),
        last_update: 0,
        up: false,
    }));
    let own = sites.iter().position(|site| site.mirror_uuid.is_empty());
    (own.map(|at| sites.remove(at)), sites)
}

impl Mirrored {
    /// What the sites say of it, with what these peers should say.
    pub(super) fn new(name: &str, status: MirrorStatus, peers: &[MirrorPeer]) -> Self {
        let (own, others) = complete(peers, status.sites);
        Self {
            name: name.to_owned(),
            global_id: status.global_id,
            own,
            others,
            daemon: None,
            snapshots: Vec::new(),
        }
    }

    /// Whether a daemon of this cluster mirrors it.
    pub(super) fn is_up(&self) -> bool {
        self.own.as_ref().is_some_and(|own| own.up)
    }

    /// For programs.
    pub(super) fn doc(&self, names: &Names) -> Doc {
        let mut doc = Doc::map([
            ("name", (&self.name).into()),
            ("global_id", (&self.global_id).into()),
        ]);
        if let Some(own) = &self.own {
            doc.put("state", state(own));
            doc.put("description", &own.description);
            if let Some(daemon) = &self.daemon {
                doc.put("daemon_service", daemon.of_image());
            }
            doc.put("last_update", stamp(own));
        }
        let site = |site: &SiteStatus| {
            let name = names.get(&site.mirror_uuid).map_or("", String::as_str);
            Doc::map([
                ("site_name", name.into()),
                ("mirror_uuids", (&site.mirror_uuid).into()),
                ("state", state(site).into()),
                ("description", (&site.description).into()),
                ("last_update", stamp(site).into()),
            ])
        };
        if !self.others.is_empty() {
            doc.put(
                "peer_sites",
                Doc::list("peer_site", self.others.iter().map(site)),
            );
        }
        let taken = |taken: &Taken| {
            Doc::map([
                ("id", taken.id.into()),
                ("name", (&taken.name).into()),
                ("demoted", taken.demoted.into()),
                ("mirror_peer_uuids", Doc::list("peer_uuid", &taken.peers)),
            ])
        };
        if !self.snapshots.is_empty() {
            doc.put(
                "snapshots",
                Doc::list("snapshot", self.snapshots.iter().map(taken)),
            );
        }
        doc
    }

    /// For people, with the end of the last line.
    pub(super) fn text(&self, names: &Names) -> String {
        let mut text = format!("{}:\n  global_id:   {}\n", self.name, self.global_id);
        let mut line = |line: String| text.extend([&*line, "\n"]);
        if let Some(own) = &self.own {
            line(format!("  state:       {}", state(own)));
            line(format!("  description: {}", own.description));
            if let Some(daemon) = &self.daemon {
                line(format!("  service:     {}", daemon.described()));
            }
            line(format!("  last_update: {}", stamp(own)));
        }
        if !self.others.is_empty() {
            line("  peer_sites:".to_owned());
        }
        for (number, site) in self.others.iter().enumerate() {
            if number > 0 {
                line(String::new());
            }
            let name = names.get(&site.mirror_uuid).unwrap_or(&site.mirror_uuid);
            line(format!("    name: {name}"));
            line(format!("    state: {}", state(site)));
            line(format!("    description: {}", site.description));
            line(format!("    last_update: {}", stamp(site)));
        }
        if !self.snapshots.is_empty() {
            line("  snapshots:".to_owned());
        }
        for taken in &self.snapshots {
            let demoted = if taken.demoted { "demoted " } else { "" };
            let peers = taken.peers.join(",");
            let Taken { id, name, .. } = taken;
            line(format!("    {id} {name} ({demoted}peer_uuids:[{peers}])"));
        }
        text
    }
}

fn state(site: &SiteStatus) -> String {
    let up = if site.up { "up" } else { "down" };
    format!("{up}+{}", site.state.as_str())
}

/// When a site said it; nothing where it never did.
fn stamp(site: &SiteStatus) -> String {
    match u64::try_from(site.last_update) {
        Ok(0) | Err(_) => String::new(),
        Ok(seconds) => second(seconds.saturating_mul(1_000_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(mirror_uuid: &str, direction: PeerDirection) -> MirrorPeer {
        MirrorPeer {
            uuid: String::new(),
            direction,
            site_name: format!("site-{mirror_uuid}"),
            mirror_uuid: mirror_uuid.to_owned(),
            client_name: String::new(),
            last_seen: 0,
        }
    }

    fn said(mirror_uuid: &str) -> SiteStatus {
        SiteStatus {
            mirror_uuid: mirror_uuid.to_owned(),
            state: MirrorState::Replaying,
            description: "replaying".to_owned(),
            last_update: 1_795_211_186,
            up: true,
        }
    }

    fn shown(peers: &[MirrorPeer], sites: Vec<SiteStatus>) -> String {
        let status = MirrorStatus {
            name: "vol1".to_owned(),
            global_id: "9c34".to_owned(),
            enabled: true,
            primary: true,
            sites,
        };
        Mirrored::new("vol1", status, peers).text(&names(peers))
    }

    #[test]
    fn who_has_said_nothing_is_shown_too() {
        let peers = [peer("b", PeerDirection::RxTx)];
        let own = "vol1:\n  global_id:   9c34\n  state:       up+replaying\n  description: replaying\n  \
                   last_update: 2026-11-20 21:46:26\n";
        let silent = "  peer_sites:\n    name: site-b\n    state: down+unknown\n    \
                      description: status not found\n    last_update: \n";
        assert_eq!(shown(&peers, vec![said("")]), format!("{own}{silent}"));
        // A peer that was removed says nothing any more.
        assert_eq!(shown(&[], vec![said(""), said("c")]), own);
        // Nobody mirrors to here.
        let read = [peer("b", PeerDirection::Tx)];
        let head = "vol1:\n  global_id:   9c34\n";
        assert_eq!(shown(&read, vec![said("b")]), head);
    }
}
