//! What is known of a pool.

use std::collections::BTreeMap;

use firebrick_vocabulary::HostName;

use crate::capacity::{Capacity, Ratio};
use crate::function::Function;

/// The value of a capability.
#[derive(Clone, Debug, PartialEq)]
pub enum Capability {
    /// Yes or no.
    Flag(bool),
    /// A text.
    Text(String),
    /// A number.
    Number(f64),
    /// Several texts.
    List(Vec<String>),
    /// Capabilities of its own, reached by further words of a key: `capabilities:outer:inner`.
    Map(BTreeMap<String, Capability>),
}

/// A pool as its backend last described it. Sizes are in GiB.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolState {
    /// `node@backend#pool`.
    pub host: HostName,
    /// The zone of its service.
    pub availability_zone: String,
    /// Why nothing new may go there now: down, disabled, frozen.
    pub closed: Option<String>,
    /// What lies below the pool.
    pub total: Capacity,
    /// What can still be written.
    pub free: Capacity,
    /// Sum of the sizes of all its volumes, whoever made them.
    pub provisioned: f64,
    /// Sum of the sizes of the volumes that this control plane placed there.
    pub allocated: f64,
    /// How many volumes this control plane placed there.
    pub volumes: u64,
    /// What is never given to volumes, in percent of the total.
    pub reserved_percentage: u8,
    /// How many times the total may be promised.
    pub max_over_subscription_ratio: Ratio,
    /// Volumes take room only for what was written.
    pub thin: bool,
    /// The backend can extend a volume that guests use.
    pub online_extend: bool,
    /// The backend takes mirror snapshots of a volume as often as its type says.
    pub snapshot_schedules: bool,
    /// Which volumes it takes, in its operator's words.
    pub filter_function: Option<Function>,
    /// How much it likes a volume, from 0 to 100.
    pub goodness_function: Option<Function>,
    /// What extra specs are compared with, by Cinder's names.
    pub capabilities: BTreeMap<String, Capability>,
}
