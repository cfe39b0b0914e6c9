//! What is known of a pool.

use std::collections::BTreeMap;

use firebrick_vocabulary::HostName;

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
    pub total: f64,
    /// What can still be written.
    pub free: f64,
    /// Sum of the sizes of its volumes.
    pub provisioned: f64,
    /// What is never given to volumes, in percent of the total.
    pub reserved_percentage: u8,
    /// How many times the total may be promised.
    pub max_over_subscription_ratio: f64,
    /// Volumes take room only for what was written.
    pub thin: bool,
    /// What extra specs are compared with, by Cinder's names.
    pub capabilities: BTreeMap<String, Capability>,
}

impl PoolState {
    /// What can be promised to new volumes, in GiB.
    pub fn room(&self) -> f64 {
        let reserved = self.total * f64::from(self.reserved_percentage) / 100.0;
        let free = self.free - reserved;
        if self.thin {
            let promised = self.total * self.max_over_subscription_ratio - self.provisioned;
            promised.min(free * self.max_over_subscription_ratio)
        } else {
            free
        }
    }
}
