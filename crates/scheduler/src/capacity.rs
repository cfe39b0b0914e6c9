//! How much a pool can still promise.

use std::fmt;

use crate::pool::PoolState;

/// The size of something, in GiB, as backends report it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Capacity {
    /// So much.
    Gigabytes(f64),
    /// Without bounds.
    Infinite,
    /// The backend cannot say.
    Unknown,
}

impl fmt::Display for Capacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gigabytes(size) => write!(f, "{size}"),
            Self::Infinite => f.write_str("infinite"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// `max_over_subscription_ratio`: how many times what lies below a thin pool may be promised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ratio {
    /// So many times; below one the pool takes nothing thin.
    Fixed(f64),
    /// As often as its volumes so far leave room: one more than what was promised over what was
    /// written.
    Auto,
}

/// Cinder's default, also what `auto` begins with.
const INITIAL: f64 = 20.0;

impl Default for Ratio {
    fn default() -> Self {
        Self::Fixed(INITIAL)
    }
}

/// What can be promised to new volumes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Room {
    /// As much as anybody wants, as far as is known.
    Unbounded,
    /// So many GiB; negative where too much is promised already.
    Gigabytes(f64),
}

impl PoolState {
    /// The ratio that holds now.
    ///
    /// Source: `cinder.scheduler.sched_utils.calculate_max_over_subscription_ratio`.
    pub fn ratio(&self) -> f64 {
        match (self.max_over_subscription_ratio, self.total, self.free) {
            (Ratio::Fixed(ratio), _, _) => ratio,
            (Ratio::Auto, Capacity::Gigabytes(total), Capacity::Gigabytes(free))
                if self.provisioned > 0.0 =>
            {
                1.0 + self.provisioned / ((total - free).max(0.0) + 1.0)
            }
            (Ratio::Auto, _, _) => INITIAL,
        }
    }

    /// What can be promised to new volumes; thick ones, if `thick`. An error says why that cannot be
    /// known.
    ///
    /// A thin pool promises its total, less the reserve, times the ratio, less what is promised; but
    /// nothing once only the reserve is free. A thick one promises what is neither written nor promised.
    ///
    /// Source: `cinder.scheduler.sched_utils.calculate_capacity_factors`, `CapacityFilter`.
    pub fn room(&self, thick: bool) -> Result<Room, String> {
        let free = match self.free {
            Capacity::Infinite | Capacity::Unknown => return Ok(Room::Unbounded),
            Capacity::Gigabytes(free) => free,
        };
        let total = match self.total {
            Capacity::Infinite | Capacity::Unknown if self.reserved_percentage == 0 => {
                return Ok(Room::Unbounded);
            }
            Capacity::Infinite | Capacity::Unknown => {
                let percent = self.reserved_percentage;
                return Err(format!("{percent} % of {} cannot be reserved", self.total));
            }
            Capacity::Gigabytes(total) if total > 0.0 => total,
            Capacity::Gigabytes(_) => return Err("it has no space at all".to_owned()),
        };
        let reserved = (total * f64::from(self.reserved_percentage) / 100.0).floor();
        let ours = total - reserved;
        if !self.thin || thick {
            return Ok(Room::Gigabytes(free.min(ours - self.provisioned)));
        }
        let ratio = self.ratio();
        if ratio < 1.0 {
            return Err(format!("its over-subscription ratio {ratio} is below 1"));
        }
        let promised = ours * ratio - self.provisioned;
        Ok(Room::Gigabytes(if free > reserved {
            promised
        } else {
            promised.min(0.0)
        }))
    }
}

#[cfg(test)]
mod tests;
