//! What operators see and do of mirroring.

mod answer;
mod demote;
mod drill;
mod promote;
mod reasons;
mod report;
mod snapshots;
mod status;
mod sync;
mod target;
mod verify;
mod wait;

use std::sync::Arc;

use firebrick_engine::Store;
use firebrick_mirror::Mirror;
use tokio_util::sync::CancellationToken;

use super::pool::Pool;
use super::schedules::Scheduler;
use crate::conf::SiteConf;

pub(super) use target::{Watch, watch};
use verify::Verifying;
pub(super) use verify::{errand as verify_errand, is_mark};

/// Mirroring, for those who look and for operators.
pub(super) struct Mirroring {
    pub(super) store: Arc<Store>,
    pub(super) mirror: Arc<Mirror>,
    pub(super) watch: Watch,
    pub(super) pool: Arc<Pool>,
    pub(super) schedules: Arc<Scheduler>,
    verifying: Verifying,
}

impl Mirroring {
    pub(super) fn new(
        conf: &SiteConf,
        store: &Arc<Store>,
        mirror: &Arc<Mirror>,
        pool: &Arc<Pool>,
        schedules: &Arc<Scheduler>,
        ending: CancellationToken,
    ) -> Self {
        Self {
            store: Arc::clone(store),
            mirror: Arc::clone(mirror),
            watch: Watch::new(conf.rpo_target),
            pool: Arc::clone(pool),
            schedules: Arc::clone(schedules),
            verifying: Verifying::new(ending),
        }
    }
}
