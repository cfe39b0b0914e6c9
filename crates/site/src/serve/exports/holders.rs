//! Who holds the exports of one image.

use std::collections::BTreeMap;
use std::collections::btree_map;

use firebrick_backend::{Access, ExportKey, Fault, FaultKind};
use firebrick_engine::ImageInfo;

/// Where they stand in the image's metadata, as JSON; `local.`: a peer does not get them.
pub(super) const HOLDERS_KEY: &str = "local.exports";
/// The longest key, in bytes.
const KEY_MAX: usize = 255;
/// The most holders of one image.
const HOLDERS_MAX: usize = 1024;

/// The holders of an image's exports, and what each may do.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Holders(BTreeMap<ExportKey, Access>);

impl Holders {
    /// Those in the metadata of an image.
    pub(super) fn of(info: &ImageInfo) -> Self {
        let Some(text) = info.metadata.get(HOLDERS_KEY) else {
            return Self::default();
        };
        Self::from_metadata(text).unwrap_or_else(|error| {
            tracing::error!(image = %info.name, %error, "the holders of the exports are not readable");
            Self::default()
        })
    }

    fn from_metadata(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str(text).map(Self)
    }

    /// What the metadata is to say; `None` for nothing.
    pub(super) fn to_metadata(&self) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        serde_json::to_string(&self.0).ok()
    }

    /// Adds `key`, or changes what it may do. Returns whether that made a difference.
    pub(super) fn insert(
        &mut self,
        key: ExportKey,
        access: Access,
        doing: &str,
    ) -> Result<bool, Fault> {
        if key.0.is_empty() || key.0.len() > KEY_MAX {
            let why = format!("a key has between 1 and {KEY_MAX} bytes");
            return Err(Fault::new(FaultKind::Invalid, doing, why));
        }
        let before = self.0.insert(key, access);
        if self.0.len() > HOLDERS_MAX {
            let why = format!("it has {HOLDERS_MAX} holders already");
            return Err(Fault::new(FaultKind::Busy, doing, why));
        }
        Ok(before != Some(access))
    }

    /// Removes `key`. Returns whether it was there.
    pub(super) fn remove(&mut self, key: &ExportKey) -> bool {
        self.0.remove(key).is_some()
    }

    /// Only those who may write.
    pub(super) fn writing(mut self) -> Self {
        self.0.retain(|_, access| *access == Access::ReadWrite);
        self
    }

    /// One of them, where there is one.
    pub(super) fn first(&self) -> Option<&ExportKey> {
        self.0.keys().next()
    }

    /// What they may do, each once or more.
    pub(super) fn accesses(&self) -> impl Iterator<Item = Access> {
        self.0.values().copied()
    }
}

impl IntoIterator for Holders {
    type Item = (ExportKey, Access);
    type IntoIter = btree_map::IntoIter<ExportKey, Access>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holders_survive_the_metadata() {
        let mut holders = Holders::default();
        assert_eq!(holders.to_metadata(), None);
        let (one, two) = (ExportKey("one".into()), ExportKey("two".into()));
        assert!(
            holders
                .insert(one.clone(), Access::ReadWrite, "test")
                .unwrap()
        );
        assert!(
            holders
                .insert(two.clone(), Access::ReadOnly, "test")
                .unwrap()
        );
        assert!(!holders.insert(two, Access::ReadOnly, "test").unwrap());
        let text = holders.to_metadata().unwrap();
        assert_eq!(text, r#"{"one":"rw","two":"ro"}"#);
        assert_eq!(Holders::from_metadata(&text).unwrap(), holders);
        assert_eq!(holders.clone().writing().first(), Some(&one));
        assert!(holders.remove(&one));
        assert!(!holders.remove(&one));
        assert_eq!(holders.writing().first(), None);
    }

    #[test]
    fn keys_have_a_length() {
        for key in [String::new(), "x".repeat(KEY_MAX + 1)] {
            let refused = Holders::default().insert(ExportKey(key), Access::ReadOnly, "test");
            assert_eq!(refused.unwrap_err().kind, FaultKind::Invalid);
        }
    }
}
