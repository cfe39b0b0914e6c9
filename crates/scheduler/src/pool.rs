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
    /// What lies below the pool; infinite where it has no bounds.
    pub total: f64,
    /// What can still be written; infinite where it has no bounds.
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
    /// What can be promised to new volumes, in GiB; negative where too much is promised already.
    ///
    /// A thin pool promises at most its total, less the reserve, times the ratio; and nothing on the
    /// strength of space that others have filled. A thick one promises what is neither written nor
    /// promised.
    ///
    /// Source: `cinder.volume.volume_utils.calculate_virtual_free_capacity`.
    pub fn room(&self) -> f64 {
        if self.total.is_infinite() || self.free.is_infinite() {
            return f64::INFINITY;
        }
        let reserved = (self.total * f64::from(self.reserved_percentage) / 100.0).floor();
        let free = self.free - reserved;
        if self.thin {
            // Below one, a thin pool would promise less than a thick one.
            let ratio = self.max_over_subscription_ratio.max(1.0);
            let promised = (self.total - reserved) * ratio - self.provisioned;
            promised.min(free * ratio)
        } else {
            free.min(self.total - reserved - self.provisioned)
        }
    }
}
