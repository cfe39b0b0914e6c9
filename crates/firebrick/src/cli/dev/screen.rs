//! What `dev` says on the terminal.

use std::path::Path;
use std::time::Duration;

use super::files::CLOUDS;
use super::manifest::{Manifest, SiteEntry};
use super::plan::{CLOUD, PROJECT};
use crate::printer::Printer;

/// Says where everything is, and how the stock clients find it.
pub(super) fn welcome(dir: &Path, manifest: &Manifest) {
    let printer = Printer::new();
    Printer::line(&format!(
        "{} in {}",
        printer.bold("Firebrick"),
        dir.display()
    ));
    for site in &manifest.sites {
        let ports = format!(
            "nbd port {}, mirror port {}",
            site.nbd_port, site.mirror_port
        );
        Printer::line(&format!("  {}   {ports}", site.name));
    }
    Printer::line(&format!("  logs     {}", dir.join("logs").display()));
    Printer::line("");
    Printer::line("For the stock clients, cinder and openstack:");
    for (name, value) in environment(dir, manifest) {
        Printer::line(&format!("  export {name}={value}"));
    }
    Printer::line("");
    Printer::line("For the operator's tools, beside the API:");
    for line in tools(manifest) {
        Printer::line(&format!("  {line}"));
    }
    Printer::line("");
}

/// Commands of the operator's tools, for each site and for the control plane.
fn tools(manifest: &Manifest) -> Vec<String> {
    let sites = manifest.sites.iter().map(|site| {
        let conf = site.conf.display();
        format!("firebrick rbd --conf {conf} mirror pool status")
    });
    let conf = manifest.conf.display();
    sites
        .chain([format!("firebrick manage --conf {conf} replications")])
        .collect()
}

/// The environment that makes both stock clients call this API without Keystone. They agree on
/// no authentication plugin (only `cinder` works with `noauth`, only `openstack` with `none`), so
/// `cinder` reads the first half and `openstack` the second.
fn environment(dir: &Path, manifest: &Manifest) -> [(&'static str, String); 5] {
    [
        ("OS_AUTH_PLUGIN", "noauth".to_owned()),
        ("CINDER_ENDPOINT", format!("{}/v3", manifest.api)),
        ("CINDER_PROJECT_ID", PROJECT.to_owned()),
        ("OS_CLOUD", CLOUD.to_owned()),
        (
            "OS_CLIENT_CONFIG_FILE",
            dir.join(CLOUDS).display().to_string(),
        ),
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
    let dir = site.dir.parent().unwrap_or(&site.dir);
    Printer::new().warning(&format!(
        "{name} died ({how}) and is down until `firebrick dev site start {name} --dir {dir}`; \
         its log is {log}",
        name = site.name,
        dir = dir.display(),
        log = site.log.display()
    ));
}

/// Says that a site was stopped as somebody asked.
pub(super) fn site_stopped(site: &SiteEntry) {
    Printer::line(&format!("{} is down, as asked", site.name));
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
    Printer::line("stopping");
}
