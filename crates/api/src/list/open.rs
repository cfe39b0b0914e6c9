//! The filters that are open to everybody, as in Cinder's `resource_filters.json`: what lists check by,
//! and what `/resource_filters` tells.

use std::collections::BTreeMap;

/// What is open where lists of one resource are filtered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    /// Its name in files; empty for what no file names.
    resource: &'static str,
    /// Where no file says otherwise.
    usual: &'static [&'static str],
}

const fn open(resource: &'static str, usual: &'static [&'static str]) -> Open {
    Open { resource, usual }
}

/// Of a resource that no file names.
pub(crate) const fn always(usual: &'static [&'static str]) -> Open {
    open("", usual)
}

/// `resource_filters_file`: the filters that are open to everybody, by the resource.
#[derive(Clone, Debug, Default)]
pub struct ResourceFilters(Option<BTreeMap<String, Vec<String>>>);

impl ResourceFilters {
    /// Reads Cinder's JSON: an object of lists of names. A resource that it does not name has no open
    /// filters.
    ///
    /// # Errors
    ///
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text).map(|said| Self(Some(said)))
    }

    /// Whether everybody may filter by `key`. A filter that is open by a part of the value (`name~`) is
    /// open by the whole too.
    pub(crate) fn allows(&self, of: &Open, key: &str) -> bool {
        match &self.0 {
            Some(said) if !of.resource.is_empty() => {
                let fits = |name: &String| {
                    name == key || name.strip_suffix('~').is_some_and(|name| name == key)
                };
                (said.get(of.resource)).is_some_and(|names| names.iter().any(fits))
            }
            Some(_) | None => of.usual.contains(&key),
        }
    }

    /// All resources with their open filters.
    pub(crate) fn all(&self) -> Vec<(&str, Vec<&str>)> {
        match &self.0 {
            Some(said) => (said.iter())
                .map(|(name, filters)| {
                    (name.as_str(), filters.iter().map(String::as_str).collect())
                })
                .collect(),
            None => (ALL.iter())
                .map(|open| (open.resource, open.usual.to_vec()))
                .collect(),
        }
    }
}

/// Of volumes.
pub(crate) const VOLUME: Open = open(
    "volume",
    &[
        "name",
        "status",
        "metadata",
        "bootable",
        "migration_status",
        "availability_zone",
        "group_id",
        "size",
        "created_at",
        "updated_at",
        "consumes_quota",
    ],
);

/// Of backups.
pub(crate) const BACKUP: Open = open("backup", &["name", "status", "volume_id"]);

/// Of snapshots.
pub(crate) const SNAPSHOT: Open = open(
    "snapshot",
    &[
        "name",
        "status",
        "volume_id",
        "metadata",
        "availability_zone",
        "consumes_quota",
    ],
);

/// Of groups.
pub(crate) const GROUP: Open = open("group", &["name"]);

/// Of group snapshots.
pub(crate) const GROUP_SNAPSHOT: Open = open("group_snapshot", &["name", "status", "group_id"]);

/// Of attachments.
pub(crate) const ATTACHMENT: Open = open(
    "attachment",
    &["volume_id", "status", "instance_id", "attach_status"],
);

/// Of messages.
pub(crate) const MESSAGE: Open = open(
    "message",
    &[
        "resource_uuid",
        "resource_type",
        "event_id",
        "request_id",
        "message_level",
    ],
);

/// Of pools.
const POOL: Open = open("pool", &["name", "volume_type"]);

/// Of volume types.
const VOLUME_TYPE: Open = open("volume_type", &["is_public", "extra_specs"]);

/// All of them.
const ALL: [Open; 9] = [
    VOLUME,
    BACKUP,
    SNAPSHOT,
    GROUP,
    GROUP_SNAPSHOT,
    ATTACHMENT,
    MESSAGE,
    POOL,
    VOLUME_TYPE,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_what_is_open() {
        let text = r#"{"volume": ["status", "name~"]}"#;
        let said = ResourceFilters::parse(text).expect("JSON");
        for (key, open) in [
            ("status", true),
            ("name~", true),
            ("name", true),
            ("size", false),
        ] {
            assert_eq!(said.allows(&VOLUME, key), open, "{key}");
        }
        assert!(!said.allows(&BACKUP, "name"));
        assert!(said.allows(&always(&["action"]), "action"));
        assert_eq!(said.all(), [("volume", vec!["status", "name~"])]);
        let usual = ResourceFilters::default();
        assert!(usual.allows(&VOLUME, "size") && !usual.allows(&VOLUME, "host"));
        assert_eq!(usual.all().len(), 9);
        for wrong in ["", "[]", r#"{"volume": "name"}"#, r#"{"volume": [1]}"#] {
            assert!(ResourceFilters::parse(wrong).is_err(), "{wrong}");
        }
    }
}
