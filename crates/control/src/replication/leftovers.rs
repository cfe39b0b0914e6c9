//! What sites still have of volumes that are gone, and of volumes that are not replicated any more.
//!
//! Some kinds of sites hear that an image was removed, or is not mirrored any more, only while they follow who is
//! primary of it: not right after they have changed places, and not where they were lost meanwhile. One that was lost
//! may even make others copy it again. So the image is noted, and the note stays until no site has anything of it but
//! that where its volume lives. An image that was removed is noted in the transaction that removes the row of its
//! volume. Of one that stays, its mirroring is noted by its global id: it may be mirrored again before all sites
//! answer, and what they have of that is no business of the note.

use std::collections::BTreeSet;

use firebrick_backend::{Backend, Fault, FaultKind, GlobalId, SharedBackend};
use firebrick_db::{Leftover, Tx, Volume, leftovers, now, volumes};
use firebrick_state::{ReplicationStatus, VolumeStatus};
use firebrick_vocabulary::{HostName, ImageId, Role};
use tokio::time::timeout;
use tracing::{info, warn};

use crate::control::Inner;
use crate::error::Result;
use crate::home::{Home, moves};
use crate::options::BackendOptions;
use crate::story::Step;

/// Where no site has had anything for so many times as long as mirroring gets, nobody copies it from another one
/// any more.
const SETTLED: u32 = 15;

impl Inner {
    /// Notes that sites may keep what they have of the volume, whose row goes in this transaction.
    pub(crate) async fn note_leftover(
        &self,
        tx: &mut Tx,
        volume: &Volume,
        home: &Home,
    ) -> Result<()> {
        if moves(volume) && home.site.capabilities().leaves_copies {
            note(tx, volume, None).await?;
        }
        Ok(())
    }

    /// Has the image of a volume that stays be mirrored no more.
    pub(crate) async fn end_mirroring(&self, volume: &Volume, home: &Home) -> Step {
        let image = volume.image();
        self.end_drills(volume, image).await;
        if home.site.capabilities().leaves_copies
            && let Some(GlobalId(id)) = home.site.global_id(image).await?
        {
            // Before the mirroring ends: afterwards nobody could say any more which one that was.
            let mut tx = self.db.begin().await?;
            note(&mut tx, volume, Some(id)).await?;
            tx.commit().await?;
        }
        Ok(home.site.set_mirroring(image, false).await?)
    }
}

async fn note(tx: &mut Tx, volume: &Volume, global_id: Option<String>) -> Result<()> {
    let Some(host) = volume.host.as_ref().map(HostName::without_pool) else {
        return Ok(());
    };
    let leftover = Leftover {
        image: volume.image(),
        global_id,
        host,
        since: now(),
    };
    Ok(leftovers::put(tx, &leftover).await?)
}

/// Of which of these images a site has nothing but what is left of a mirroring that ended. Only who was primary could
/// tell of the others by what they are mirrored now.
pub(super) async fn foreign(
    inner: &Inner,
    site: &dyn Backend,
    images: &[ImageId],
) -> Step<Vec<ImageId>> {
    let noted = leftovers::ended(&mut *inner.db.read().await?).await?;
    let mut found = Vec::new();
    for leftover in noted.into_iter().filter(|it| images.contains(&it.image)) {
        let known = match site.global_id(leftover.image).await {
            Err(fault) if fault.kind == FaultKind::NotFound => continue,
            known => known?,
        };
        // Half of it may have been removed.
        if known.is_none_or(|GlobalId(id)| Some(id) == leftover.global_id) {
            found.push(leftover.image);
        }
    }
    found.dedup();
    Ok(found)
}

/// Has the sites of a backend remove what is noted. One that does not answer is asked another time.
pub(crate) async fn sweep(inner: &Inner, backend: &BackendOptions) -> Result<()> {
    // Mirroring that works is faster, and better left alone.
    let linger = inner.options.failover.linger;
    let until = now() - linger;
    let host = inner.host_of(backend);
    let noted = leftovers::of_host(&mut *inner.db.read().await?, &host, until).await?;
    let mut round = Round {
        inner,
        backend,
        silent: BTreeSet::new(),
    };
    for leftover in noted {
        let found = round.look_for(&leftover).await?;
        let mut tx = inner.db.begin().await?;
        match found {
            Found::Nothing if leftover.since + linger * SETTLED > now() => {}
            Found::Nothing | Found::Needed => {
                leftovers::remove(&mut tx, &leftover).await?;
            }
            Found::Something => {
                let later = Leftover {
                    since: now(),
                    ..leftover
                };
                leftovers::put(&mut tx, &later).await?;
            }
            Found::Unknown => {}
        }
        tx.commit().await?;
    }
    Ok(())
}

/// What all sites together had.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Found {
    /// What is there is no leftover.
    Needed,
    Nothing,
    /// Some do not say, or could not remove it.
    Unknown,
    /// It was removed.
    Something,
}

/// What is a leftover of an image.
#[derive(Clone, Copy)]
enum Which<'a> {
    /// Whatever a site has of it.
    All,
    /// What was mirrored by that global id, or is not mirrored at all, and is not at the home of the volume.
    Ended(&'a GlobalId, &'a Home),
}

/// One look at what is noted.
struct Round<'a> {
    inner: &'a Inner,
    backend: &'a BackendOptions,
    /// Who has not answered, by name.
    silent: BTreeSet<String>,
}

impl Round<'_> {
    async fn look_for(&mut self, leftover: &Leftover) -> Result<Found> {
        let image = leftover.image;
        let found = volumes::of_image(&mut *self.inner.db.read().await?, image).await?;
        let Some(volume) = found else {
            return Ok(self.look_everywhere(image, Which::All).await);
        };
        let host = volume.host.as_ref().map(HostName::without_pool);
        let (Some(id), true) = (&leftover.global_id, host.as_ref() == Some(&leftover.host)) else {
            // Somebody has made a volume of it.
            return Ok(Found::Needed);
        };
        if volume.replication_status == Some(ReplicationStatus::Error) {
            // It may have been left where it lived, for a site that has nothing of it but the leftover.
            return Ok(Found::Unknown);
        }
        let Ok(home) = self.inner.home(&volume).await else {
            return Ok(Found::Unknown);
        };
        let ended = GlobalId(id.clone());
        let patience = self.inner.options.runner.call;
        // Behind the row: what is mirrored as before then, and not about to end, stays so.
        let now = timeout(patience, home.site.global_id(image)).await;
        let Ok(Ok(now)) = now else {
            return Ok(Found::Unknown);
        };
        if now.as_ref() != Some(&ended) {
            let which = Which::Ended(&ended, &home);
            return Ok(self.look_everywhere(image, which).await);
        }
        // Else it did not end, and goes on.
        Ok(if is_ending(&volume) {
            Found::Unknown
        } else {
            Found::Needed
        })
    }

    async fn look_everywhere(&mut self, image: ImageId, which: Which<'_>) -> Found {
        let targets = self.backend.targets.iter();
        let targets = targets.map(|(id, site)| (Some(id.as_str()), site));
        let mut all = Found::Nothing;
        for (id, site) in std::iter::once((None, &self.backend.primary)).chain(targets) {
            if matches!(which, Which::Ended(_, home) if home.is_at(id)) {
                continue;
            }
            let found = if self.silent.contains(site.name()) {
                Found::Unknown
            } else {
                match look(self.inner, site, image, which).await {
                    Ok(found) => found,
                    Err(fault) => {
                        warn!(site = site.name(), %image, %fault, "what is left of a volume stays for now");
                        if fault.is_transient() {
                            self.silent.insert(site.name().to_owned());
                        }
                        Found::Unknown
                    }
                }
            };
            all = all.max(found);
        }
        all
    }
}

/// Whether a story may be about to end the mirroring of the volume.
fn is_ending(volume: &Volume) -> bool {
    volume.replication_status == Some(ReplicationStatus::Disabling)
        || matches!(
            volume.status,
            VolumeStatus::Retyping | VolumeStatus::Managing
        )
}

/// Whether the site has an image that nobody mirrors, and that is no copy which somebody begins to make.
async fn is_alone(site: &SharedBackend, image: ImageId) -> std::result::Result<bool, Fault> {
    let found = site.image(image).await?;
    Ok(found.role == Role::Primary && !found.mirrored)
}

async fn look(
    inner: &Inner,
    site: &SharedBackend,
    image: ImageId,
    which: Which<'_>,
) -> std::result::Result<Found, Fault> {
    let asked = async {
        let known = match site.global_id(image).await {
            Err(fault) if fault.kind == FaultKind::NotFound => return Ok(Found::Nothing),
            known => known?,
        };
        match which {
            Which::All => {}
            Which::Ended(ended, _) if known.as_ref() == Some(ended) => {}
            Which::Ended(..) if known.is_some() => return Ok(Found::Nothing),
            Which::Ended(_, home) => {
                // Half of it has been removed; but a copy that is just being made has no global id either.
                if home.site.global_id(image).await?.is_some() && !is_alone(site, image).await? {
                    return Ok(Found::Unknown);
                }
                // The volume itself may be there by another name of its site.
                if site.status().await?.store == home.site.status().await?.store {
                    return Ok(Found::Nothing);
                }
            }
        }
        site.remove_leftover(image, known).await?;
        info!(site = site.name(), %image, "what was left of a volume is removed");
        Ok(Found::Something)
    };
    let doing = || format!("remove what is left of {image}");
    let silent = |_| Err(Fault::new(FaultKind::TimedOut, doing(), "no answer"));
    let asked = timeout(inner.options.runner.call, asked).await;
    asked.unwrap_or_else(silent)
}
