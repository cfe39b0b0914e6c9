//! What empties the trash.

use std::sync::Weak;
use std::time::UNIX_EPOCH;

use firebrick_backend::Fault;
use tracing::{debug, info};

use super::Shared;
use crate::fault::Doing;
use crate::ffi::{Cancel, Errno};
use crate::link::{Link, Pace};
use crate::names::DRILL;

/// Only what was a volume, or a drill, is anybody's here to remove.
const OURS: [&str; 2] = ["volume-", DRILL];

/// Again and again, as often as `deferred_deletion_purge_interval` says, for as long as the site is there.
pub(super) async fn run(site: Weak<Shared>) {
    let doing = "empty the trash";
    loop {
        let Some(pause) = site.upgrade().map(|shared| shared.options().purge) else {
            return;
        };
        tokio::time::sleep(pause).await;
        let Some(shared) = site.upgrade() else {
            return;
        };
        let round = move |link: &Link, cancel: &Cancel| once(link, cancel, doing);
        match shared.line.call(Pace::Slow, doing, round).await {
            Ok(0) => {}
            Ok(removed) => info!(
                site = shared.options().name,
                removed, "the trash was emptied"
            ),
            Err(fault) => debug!(site = shared.options().name, %fault, "the trash stays for now"),
        }
    }
}

/// Removes what has waited for long enough and what no clone needs any more; how many images that were.
fn once(link: &Link, cancel: &Cancel, doing: &str) -> Result<usize, Fault> {
    let now = UNIX_EPOCH
        .elapsed()
        .map_or(0, |since| since.as_secs() as i64);
    let mut removed = 0;
    for trashed in link.pool.trash().doing(doing)? {
        if cancel.is_asked() {
            break;
        }
        if trashed.until > now || !OURS.iter().any(|ours| trashed.name.starts_with(ours)) {
            continue;
        }
        match link.pool.forget(&trashed.id, cancel) {
            Ok(()) => removed += 1,
            // Clones, clients, or somebody who was faster.
            Err(Errno(libc::EBUSY | libc::ENOTEMPTY | libc::ENOENT | libc::EPERM)) => {}
            Err(error) => return Err(error).doing(doing),
        }
    }
    Ok(removed)
}
