//! Waiting until the other sites have what they should have.

use std::time::Duration;

use firebrick_backend::{Fault, FaultKind};
use firebrick_engine::ImageInfo;
use firebrick_vocabulary::{ImageId, Role, Sequence, counted};

use super::Mirroring;
use crate::admin::wait_within;
use crate::serve::fault::fault;

const DOING: &str = "wait for the mirror";
/// How often it is looked.
const POLL: Duration = Duration::from_millis(20);
/// A primary's word is no older than this where it counts as news.
const FRESH: Duration = Duration::from_secs(2);

impl Mirroring {
    /// Waits until images are everywhere where they should be, up to record `position` or up to what is
    /// there now.
    pub(super) async fn wait(
        &self,
        images: Option<Vec<ImageId>>,
        position: Option<Sequence>,
        within: f64,
    ) -> Result<(), Fault> {
        let mut missing = Vec::new();
        for id in images.unwrap_or_else(|| self.mirrored()) {
            let image = self.store.image(id).map_err(|error| fault(&error))?;
            let info = image.info();
            if !info.mirrored {
                let why = format!("{} is not mirrored", info.name);
                return Err(Fault::new(FaultKind::Invalid, DOING, why));
            }
            missing.push((info.id, position.unwrap_or(info.last_change)));
        }
        let within = wait_within(within);
        let waits = async {
            loop {
                missing.retain(|(id, sequence)| !self.is_there(*id, *sequence, position));
                if missing.is_empty() {
                    return;
                }
                tokio::time::sleep(POLL).await;
            }
        };
        if tokio::time::timeout(within, waits).await.is_ok() {
            return Ok(());
        }
        let verb = if missing.len() == 1 { "is" } else { "are" };
        let why = format!(
            "{} {verb} not everywhere after {:.1} s; `mirror explain` says why",
            counted(missing.len() as u64, "image"),
            within.as_secs_f64()
        );
        Err(Fault::new(FaultKind::TimedOut, DOING, why))
    }

    fn mirrored(&self) -> Vec<ImageId> {
        let infos = self.store.images().into_iter().map(|image| image.info());
        infos
            .filter(|info| info.mirrored)
            .map(|info| info.id)
            .collect()
    }

    /// Whether an image is where it should be. One that is gone is missed nowhere.
    fn is_there(&self, id: ImageId, sequence: Sequence, position: Option<Sequence>) -> bool {
        let Ok(image) = self.store.image(id) else {
            return true;
        };
        let info = image.info();
        match info.role {
            Role::Primary => {
                let readers = self.mirror.readers(id);
                // A peer that needs a copy asks for it before it confirms the record that says so.
                let has = |reader: &firebrick_mirror::ImageReader| {
                    reader.consistent != Some(false)
                        && reader.peer.store.is_some()
                        && reader.peer.confirmed.sequence >= sequence
                };
                !readers.is_empty() && readers.iter().all(has)
            }
            Role::Secondary => self.follows(&info, position),
        }
    }

    /// Whether everything is here of an image that follows another site.
    fn follows(&self, info: &ImageInfo, position: Option<Sequence>) -> bool {
        if !info.sync.is_consistent() {
            return false;
        }
        let Some(of) = info.upstream else {
            return info.primary_demoted;
        };
        match position {
            Some(position) => self.store.applied(of) >= position,
            None if info.primary_demoted => true,
            None => {
                let upstream = self.mirror.upstream(info.id, of);
                let told = upstream.and_then(|upstream| upstream.told);
                told.is_some_and(|(lag, ago)| lag.records == 0 && ago < FRESH)
            }
        }
    }
}
