//! The stock clients, unmodified, on every resource: cinder, openstack, and the SDK; and what
//! gophercloud asks of sites.
//!
//! Each client has a deployment of its own, and goes through all resources with it.

mod cinder;
mod cinder_groups;
mod cinder_settings;
mod gophercloud;
mod older;
mod openstack;
mod openstack_settings;
mod sdk;

use firebrick_tests::{Api, Clients, Deployment, fields, rows, until};
use serde_json::Value;

/// The service of the one backend.
const HOST: &str = "node1@alpha";
/// Its cluster.
const CLUSTER: &str = "together@alpha";

/// A control plane with one backend in a cluster, keys for encrypted volumes, a folder for backups, and a
/// default type of groups, to whose answers the clients' project is an administrator's.
fn everything() -> Deployment {
    let mut deployment = Deployment::new(&["alpha"]);
    let key = "0123456789abcdef".repeat(4);
    deployment.start(
        "auth_strategy = noauth\ncluster = together\ndefault_group_type = usual\n",
        &format!("[key_manager]\nfixed_key = {key}\n"),
    );
    deployment
}

/// The `cinder` client, with what it has done seen from outside.
struct Cinder {
    clients: Clients,
    api: Api,
}

impl Cinder {
    fn of(deployment: &Deployment) -> Self {
        Self {
            clients: deployment.clients(),
            api: deployment.api(),
        }
    }

    /// What `cinder LINE` prints; it must succeed.
    fn run(&self, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        self.clients.cinder(&words).ok().stdout
    }

    /// The one thing that it prints.
    fn fields(&self, line: &str) -> Value {
        fields(&self.run(line))
    }

    /// The list that it prints.
    fn rows(&self, line: &str) -> Vec<Value> {
        rows(&self.run(line))
    }

    /// What it complains of; it must fail.
    fn refused(&self, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        let ran = self.clients.cinder(&words);
        assert_ne!(ran.status, 0, "{line}: {}", ran.stdout);
        ran.stderr
    }

    /// Waits until the list has the thing of that name in that status.
    fn wait(&self, list: &str, name: &str, status: &str) {
        until(&format!("{name} is {status}"), 60, || {
            (self.rows(list).iter()).any(|row| row["Name"] == name && row["Status"] == status)
        });
    }

    /// Waits until the list does not have the thing of that name.
    fn gone(&self, list: &str, name: &str) {
        until(&format!("{name} is gone"), 60, || {
            self.rows(list).iter().all(|row| row["Name"] != name)
        });
    }

    /// Makes a volume of that name and returns its id.
    fn volume(&self, name: &str) -> String {
        let made = self.fields(&format!("create --name {name} 1"));
        self.wait("list", name, "available");
        text(&made["id"])
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}
