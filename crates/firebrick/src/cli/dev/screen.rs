//! What `dev` says on the terminal.

use std::path::Path;
use std::time::Duration;

use super::manifest::{Manifest, SiteEntry};
use crate::printer::Printer;

/// The project that the printed environment works in.
const PROJECT: &str = "dev";

/// Says where everything is, and how the stock clients find it.
pub(super) fn welcome(dir: &Path, manifest: &Manifest) {
    let printer = Printer::new();
    printer.line(&format!(
        "{} in {}",
        printer.bold("Firebrick"),
        dir.display()
    ));
    for site in &manifest.sites {
        let ports = format!(
            "nbd port {}, mirror port {}",
            site.nbd_port, site.mirror_port
        );
        printer.line(&format!("  {}   {ports}", site.name));
    }
    printer.line(&format!("  logs     {}", dir.join("logs").display()));
    printer.line("");
    printer.line("For the stock clients, cinder and openstack:");
    for (name, value) in environment(manifest) {
        printer.line(&format!("  export {name}={value}"));
    }
    printer.line("");
}

/// The environment that makes both stock clients call this API without Keystone.
pub(super) fn environment(manifest: &Manifest) -> Vec<(&'static str, String)> {
    let endpoint = format!("{}/v3/{PROJECT}", manifest.api);
    vec![
        ("OS_AUTH_TYPE", "noauth".to_owned()),
        ("OS_ENDPOINT", endpoint),
        ("OS_USERNAME", "admin".to_owned()),
        ("OS_PROJECT_ID", PROJECT.to_owned()),
        ("OS_VOLUME_API_VERSION", "3".to_owned()),
    ]
}

/// Says that requests are answered.
pub(super) fn ready(manifest: &Manifest, after: Duration) {
    let text = format!(
        "{} answers after {:.2} s; Ctrl-C stops all",
        manifest.api,
        after.as_secs_f64()
    );
    Printer::new().good(&text);
}

/// Says that a site is lost.
pub(super) fn site_died(site: &SiteEntry, how: &str) {
    Printer::new().warning(&format!(
        "{name} died ({how}) and is down until `firebrick dev site start {name}`; its log is {log}",
        name = site.name,
        log = site.log.display()
    ));
}

/// Says that a site was stopped as somebody asked.
pub(super) fn site_stopped(site: &SiteEntry) {
    Printer::new().line(&format!("{} is down, as asked", site.name));
}

/// Says that a site runs again.
pub(super) fn site_started(site: &SiteEntry) {
    Printer::new().good(&format!("{} is up again", site.name));
}

/// Says that the control plane is being started again.
pub(super) fn serve_died(how: &str, again_in: Duration) {
    let text = if again_in.is_zero() {
        format!("the control plane died ({how}); starting it again")
    } else {
        format!(
            "the control plane died ({how}); again in {:.1} s",
            again_in.as_secs_f64()
        )
    };
    Printer::new().warning(&text);
}

/// Says that all ends.
pub(super) fn stopping() {
    Printer::new().line("stopping");
}
