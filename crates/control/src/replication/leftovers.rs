//! What sites still have of volumes that are gone.
//!
//! Some kinds of sites hear that an image was removed only while they follow who is primary of it: not right after
//! they have changed places, and not where they were lost meanwhile. One that was lost may even make others copy it
//! again. So the image is noted in the transaction that removes the row of its volume, and the note stays until all
//! sites have nothing of it.

use std::collections::BTreeSet;

use firebrick_backend::{Fault, FaultKind, SharedBackend};
use firebrick_db::{Leftover, Tx, Volume, leftovers, now, volumes};
use firebrick_vocabulary::{HostName, ImageId};
use tokio::time::timeout;
use tracing::{info, warn};

use crate::control::Inner;
use crate::error::Result;
use crate::home::{Home, moves};
use crate::options::BackendOptions;

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
        let host = volume.host.as_ref().map(HostName::without_pool);
        if let Some(host) = host
            && moves(volume)
            && home.site.capabilities().leaves_copies
        {
            let leftover = Leftover {
                image: volume.image(),
                host,
                since: now(),
            };
            leftovers::put(tx, &leftover).await?;
        }
        Ok(())
    }
}

/// Has the sites of a backend remove what is noted. One that does not answer is asked another time.
pub(crate) async fn sweep(inner: &Inner, backend: &BackendOptions) -> Result<()> {
    // Mirroring that works is faster, and better left alone.
    let linger = inner.options.failover.linger;
    let until = now() - linger;
    let host = inner.host_of(backend);
    let noted = leftovers::of_host(&mut *inner.db.read().await?, &host, until).await?;
    let mut silent = BTreeSet::new();
    for mut leftover in noted {
        let image = leftover.image;
        // Somebody may have made a volume of it.
        let needed = volumes::has_image(&mut *inner.db.read().await?, image).await?;
        let found = if needed {
            Found::Nothing
        } else {
            look_everywhere(inner, backend, image, &mut silent).await
        };
        let mut tx = inner.db.begin().await?;
        match found {
            Found::Nothing if needed || leftover.since + linger * SETTLED <= now() => {
                leftovers::remove(&mut tx, image).await?;
            }
            Found::Something => {
                leftover.since = now();
                leftovers::put(&mut tx, &leftover).await?;
            }
            Found::Nothing | Found::Unknown => {}
        }
        tx.commit().await?;
    }
    Ok(())
}

/// What all sites together had.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Found {
    Nothing,
    /// Some do not say, or could not remove it.
    Unknown,
    /// It was removed.
    Something,
}

async fn look_everywhere(
    inner: &Inner,
    backend: &BackendOptions,
    image: ImageId,
    silent: &mut BTreeSet<String>,
) -> Found {
    let targets = backend.targets.iter().map(|(_, site)| site);
    let mut all = Found::Nothing;
    for site in std::iter::once(&backend.primary).chain(targets) {
        let found = if silent.contains(site.name()) {
            Found::Unknown
        } else {
            match look(inner, site, image).await {
                Ok(found) => found,
                Err(fault) => {
                    warn!(site = site.name(), %image, %fault, "what is left of a volume stays for now");
                    if fault.is_transient() {
                        silent.insert(site.name().to_owned());
                    }
                    Found::Unknown
                }
            }
        };
        all = all.max(found);
    }
    all
}

async fn look(
    inner: &Inner,
    site: &SharedBackend,
    image: ImageId,
) -> std::result::Result<Found, Fault> {
    let asked = async {
        match site.image(image).await {
            Err(fault) if fault.kind == FaultKind::NotFound => return Ok(Found::Nothing),
            found => found?,
        };
        site.remove_leftover(image).await?;
        info!(site = site.name(), %image, "what was left of a volume is removed");
        Ok(Found::Something)
    };
    let doing = || format!("remove what is left of {image}");
    let silent = |_| Err(Fault::new(FaultKind::TimedOut, doing(), "no answer"));
    let asked = timeout(inner.options.runner.call, asked).await;
    asked.unwrap_or_else(silent)
}
