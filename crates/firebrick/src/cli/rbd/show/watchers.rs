//! `status`.

use crate::cli::rbd::args::Common;
use crate::cli::rbd::doc::Doc;
use crate::printer::Printer;

/// Somebody who has an image open.
#[derive(Clone, Debug)]
pub(in crate::cli::rbd) struct Watcher {
    pub(in crate::cli::rbd) address: String,
    pub(in crate::cli::rbd) client: u64,
    pub(in crate::cli::rbd) cookie: u64,
}

/// `rbd status`
pub(in crate::cli::rbd) fn print(common: &Common, watchers: &[Watcher]) {
    if common.structured() {
        let watcher = |watcher: &Watcher| {
            Doc::map([
                ("address", (&watcher.address).into()),
                ("client", watcher.client.into()),
                ("cookie", watcher.cookie.into()),
            ])
        };
        let watchers = Doc::list("watcher", watchers.iter().map(watcher));
        return common.print("status", &Doc::map([("watchers", watchers)]));
    }
    if watchers.is_empty() {
        return Printer::line("Watchers: none");
    }
    Printer::line("Watchers:");
    for watcher in watchers {
        let Watcher {
            address,
            client,
            cookie,
        } = watcher;
        Printer::line(&format!(
            "\twatcher={address} client.{client} cookie={cookie}"
        ));
    }
}
