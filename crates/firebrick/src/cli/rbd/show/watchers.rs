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

/// How an image is mirrored, for programs and for people.
pub(in crate::cli::rbd) struct Mirroring {
    pub(in crate::cli::rbd) doc: Doc,
    pub(in crate::cli::rbd) text: String,
}

/// `rbd status`
pub(in crate::cli::rbd) fn print(
    common: &Common,
    watchers: &[Watcher],
    mirroring: Option<Mirroring>,
) {
    if common.structured() {
        let watcher = |watcher: &Watcher| {
            Doc::map([
                ("address", (&watcher.address).into()),
                ("client", watcher.client.into()),
                ("cookie", watcher.cookie.into()),
            ])
        };
        let watchers = Doc::list("watcher", watchers.iter().map(watcher));
        let mut doc = Doc::map([("watchers", watchers)]);
        if let Some(mirroring) = mirroring {
            doc.put("mirroring", mirroring.doc);
        }
        return common.print("status", &doc);
    }
    lines(watchers);
    if let Some(mirroring) = mirroring {
        Printer::line(&format!("Mirroring:\n{}", mirroring.text));
    }
}

fn lines(watchers: &[Watcher]) {
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
