//! What is to be placed.

use std::collections::BTreeMap;

use firebrick_vocabulary::HostName;

use crate::pool::Capability;

/// A volume that needs a place, or more room in its own.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// How much room it needs, in GiB: its size; where it grows, only what is added; 0 where it is
    /// there already.
    pub size: u32,
    /// Of the type.
    pub extra_specs: BTreeMap<String, String>,
    /// Of the type, for functions.
    pub qos_specs: BTreeMap<String, String>,
    /// What functions may ask of the volume, by the names of its row.
    pub volume: BTreeMap<String, Capability>,
    /// The wanted zone.
    pub availability_zone: Option<String>,
    /// Only these pools (where a clone's origin lives, where a volume that grows is); any, if empty.
    pub only: Vec<HostName>,
    /// Where the volume already is: there it needs no further room.
    pub exists_on: Option<HostName>,
    /// It grows while a guest uses it.
    pub extends_online: bool,
    /// Its type says how often mirror snapshots of it are taken.
    pub scheduled_snapshots: bool,
    /// Hosts of which one must be taken, where given.
    pub same_host: Vec<HostName>,
    /// Hosts that must not be taken.
    pub different_host: Vec<HostName>,
    /// Hint `local_to_instance`.
    pub local_to_instance: Option<Locality>,
    /// Hint `query`: a condition as JSON.
    pub query: Option<String>,
    /// Pools where it has been tried in vain.
    pub attempted: Vec<HostName>,
}

/// Where an instance runs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Locality {
    /// On this hypervisor.
    Node(String),
    /// Nobody knows.
    Unknown,
}

impl Request {
    /// Whether the type asks for full provisioning, on a pool that could also do without.
    pub(crate) fn thick(&self) -> bool {
        let kind = self.extra_specs.get("provisioning:type");
        kind.is_some_and(|kind| kind == "thick")
    }
}
