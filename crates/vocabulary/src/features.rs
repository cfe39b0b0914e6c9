//! What an image can do, in RBD's words.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One of RBD's features.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Feature {
    /// Clones.
    Layering,
    /// One writer at a time.
    ExclusiveLock,
    /// Which blocks are there is known without asking.
    ObjectMap,
    /// What differs between snapshots is known without reading.
    FastDiff,
    /// Snapshots of a clone become independent with it.
    DeepFlatten,
    /// Changes can be had in their order.
    Journaling,
}

/// Why a text is no feature.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "unknown feature '{0}': it is layering, exclusive-lock, object-map, fast-diff, deep-flatten or journaling"
)]
pub struct UnknownFeature(pub String);

impl Feature {
    /// All of them, in RBD's order.
    pub const ALL: [Self; 6] = [
        Self::Layering,
        Self::ExclusiveLock,
        Self::ObjectMap,
        Self::FastDiff,
        Self::DeepFlatten,
        Self::Journaling,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Layering => "layering",
            Self::ExclusiveLock => "exclusive-lock",
            Self::ObjectMap => "object-map",
            Self::FastDiff => "fast-diff",
            Self::DeepFlatten => "deep-flatten",
            Self::Journaling => "journaling",
        }
    }

    /// Its bit in RBD's mask.
    pub const fn bit(self) -> u64 {
        match self {
            Self::Layering => 1,
            Self::ExclusiveLock => 1 << 2,
            Self::ObjectMap => 1 << 3,
            Self::FastDiff => 1 << 4,
            Self::DeepFlatten => 1 << 5,
            Self::Journaling => 1 << 6,
        }
    }

    /// What it needs.
    pub const fn needs(self) -> Option<Self> {
        match self {
            Self::ObjectMap | Self::Journaling => Some(Self::ExclusiveLock),
            Self::FastDiff => Some(Self::ObjectMap),
            Self::Layering | Self::ExclusiveLock | Self::DeepFlatten => None,
        }
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Feature {
    type Err = UnknownFeature;

    fn from_str(text: &str) -> Result<Self, UnknownFeature> {
        let found = Self::ALL.into_iter().find(|feature| feature.name() == text);
        found.ok_or_else(|| UnknownFeature(text.to_owned()))
    }
}

/// The features of an image.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Features(BTreeSet<Feature>);

impl Default for Features {
    /// All but journaling: what a store whose log is the volume has anyway.
    fn default() -> Self {
        let mut all = BTreeSet::from(Feature::ALL);
        all.remove(&Feature::Journaling);
        Self(all)
    }
}

impl Features {
    /// None.
    pub const fn none() -> Self {
        Self(BTreeSet::new())
    }

    /// Whether `feature` is one of them.
    pub fn has(&self, feature: Feature) -> bool {
        self.0.contains(&feature)
    }

    /// Adds or removes one.
    pub fn set(&mut self, feature: Feature, enabled: bool) {
        if enabled {
            self.0.insert(feature);
        } else {
            self.0.remove(&feature);
        }
    }

    /// All of them, in RBD's order.
    pub fn iter(&self) -> impl Iterator<Item = Feature> {
        self.0.iter().copied()
    }

    /// RBD's mask.
    pub fn mask(&self) -> u64 {
        self.iter().map(Feature::bit).sum()
    }

    /// What of RBD's mask is known here.
    pub fn of_mask(mask: u64) -> Self {
        let known = Feature::ALL.into_iter();
        Self(known.filter(|feature| mask & feature.bit() != 0).collect())
    }

    /// The first of them that lacks another, and that one.
    pub fn lacking(&self) -> Option<(Feature, Feature)> {
        let needs = self
            .iter()
            .filter_map(|feature| Some((feature, feature.needs()?)));
        let mut missing = needs.filter(|(_, needed)| !self.has(*needed));
        missing.next()
    }
}

impl fmt::Display for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.iter().map(Feature::name).collect();
        f.write_str(&names.join(","))
    }
}

impl FromStr for Features {
    type Err = UnknownFeature;

    /// Names with commas between them; an empty text is none.
    fn from_str(text: &str) -> Result<Self, UnknownFeature> {
        let names = text.split(',').filter(|name| !name.is_empty());
        names.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl TryFrom<String> for Features {
    type Error = UnknownFeature;
    fn try_from(text: String) -> Result<Self, UnknownFeature> {
        text.parse()
    }
}

impl From<Features> for String {
    fn from(features: Features) -> Self {
        features.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_masks_say_the_same() {
        let all = Features::default();
        assert_eq!(all.mask(), 61);
        assert_eq!(Features::of_mask(61), all);
        assert_eq!(all.to_string().parse(), Ok(all));
        assert_eq!("".parse(), Ok(Features::none()));
        assert!("layering,striping".parse::<Features>().is_err());
    }

    #[test]
    fn some_need_others() {
        let mut features = Features::default();
        assert_eq!(features.lacking(), None);
        features.set(Feature::ExclusiveLock, false);
        let lacking = Some((Feature::ObjectMap, Feature::ExclusiveLock));
        assert_eq!(features.lacking(), lacking);
    }
}
