//! What each version brought.

use super::Microversion;

macro_rules! versions {
    ($($name:ident = $minor:literal $what:literal)*) => {
        impl Microversion {
            $(#[doc = $what] pub(crate) const $name: Self = Self::v3($minor);)*
        }

        /// Every version behind the first, and what it brought.
        pub(crate) const HISTORY: &[(Microversion, &str)] =
            &[$((Microversion::$name, $what)),*];
    };
}

versions! {
    UPLOAD_OPTIONS = 1 "Visibility and protection of images that are uploaded."
    STRICT_BOOTABLE = 2 "The filter bootable must be a boolean."
    MESSAGES = 3 "User messages."
    GLANCE_METADATA_FILTER = 4 "The filter glance_metadata."
    MESSAGE_PAGES = 5 "Pages, order and filters of user messages."
    BLANK_CONSISTENCY_GROUPS = 6 "Consistency groups may be updated with blank names."
    CLUSTERS = 7 "Clusters, and the cluster of a service."
    MANAGEABLE = 8 "Lists of manageable volumes and snapshots."
    BACKUP_UPDATE = 9 "Backups may be renamed."
    GROUP_FILTER = 10 "The filter group_id."
    GROUP_TYPES = 11 "Group types and their specs."
    SUMMARY = 12 "The summary of volumes."
    GROUPS = 13 "Groups."
    GROUP_SNAPSHOTS = 14 "Group snapshots, and groups made from them."
    METADATA_ETAG = 15 "ETags of metadata."
    MIGRATE_TO_CLUSTER = 16 "Volumes may be migrated to a cluster."
    MANAGEABLE_IN_CLUSTER = 17 "Manageable volumes and snapshots of a cluster."
    BACKUP_PROJECT = 18 "The project of a backup."
    RESET_GROUP_SNAPSHOT = 19 "The status of a group snapshot may be reset."
    RESET_GROUP = 20 "The status of a group may be reset."
    PROVIDER_ID = 21 "The provider_id of a volume, for administrators."
    SNAPSHOT_METADATA_FILTER = 22 "The filter metadata of snapshots."
    FORCED_DELETE = 23 "Volumes may be deleted with force."
    WORKERS = 24 "Clean-up after services that ended."
    GROUP_VOLUMES = 25 "The volumes of a group."
    FAILOVER = 26 "Failover of clusters."
    ATTACHMENTS = 27 "Attachments."
    POOL_FILTERS = 28 "Filters of pools."
    GROUP_SNAPSHOT_PAGES = 29 "Pages, order and filters of group snapshots."
    SNAPSHOT_SORT_BY_NAME = 30 "Snapshots may be sorted by name."
    CHECKED_FILTERS = 31 "Filters that are not open are refused."
    LOG_LEVELS = 32 "Log levels of services."
    RESOURCE_FILTERS = 33 "The list of filters."
    SIMILAR_FILTER = 34 "Filters by a part of a value."
    POOL_TYPE_FILTER = 35 "The filter volume_type of pools."
    SUMMARY_METADATA = 36 "Metadata in the summary of volumes."
    BACKUP_SORT_BY_NAME = 37 "Backups may be sorted by name."
    GROUP_REPLICATION = 38 "Replication of groups."
    LIMITS_OF_PROJECT = 39 "Limits of another project, for administrators."
    REVERT = 40 "Volumes may be reverted to their newest snapshot."
    SNAPSHOT_USER_ID = 41 "The user of a snapshot."
    EXTEND_IN_USE = 42 "Attached volumes may be extended."
    BACKUP_METADATA = 43 "Metadata of backups."
    ATTACHMENT_COMPLETE = 44 "Attachments are completed by an action."
    COUNT = 45 "Lists say how many items all pages have."
    EMPTY_IMAGES = 46 "Volumes from images of Nova without size."
    CREATE_FROM_BACKUP = 47 "Volumes from backups."
    SHARED_TARGETS = 48 "The shared_targets and service_uuid of a volume."
    BACKEND_STATE = 49 "The state of a service's backend."
    MULTIATTACH = 50 "Volumes that are attached more than once."
    BACKUP_ZONE = 51 "Backups in another availability zone."
    TYPE_FILTER = 52 "Types are filtered by extra specs, and may name availability zones."
    STRICT_BODIES = 53 "Unknown keys of bodies are refused."
    ATTACH_MODE = 54 "The mode of an attachment."
    TRANSFER_SNAPSHOTS = 55 "Transfers with or without snapshots."
    BACKUP_USER_ID = 56 "The user of a backup."
    TRANSFER_HISTORY = 57 "Source, destination and acceptance of transfers."
    GROUP_PROJECT_ID = 58 "The project of groups and group snapshots."
    TRANSFER_PAGES = 59 "Pages, order and filters of transfers."
    TIME_FILTERS = 60 "Filters by comparison of times."
    CLUSTER_NAME = 61 "The cluster of a volume, for administrators."
    DEFAULT_TYPES = 62 "Default types of projects."
    VOLUME_TYPE_ID = 63 "The id of a volume's type."
    ENCRYPTION_KEY_ID = 64 "The encryption key of a volume or backup."
    CONSUMES_QUOTA = 65 "Whether a volume or snapshot counts for the quota."
    SNAPSHOT_IN_USE = 66 "Snapshots of attached volumes need no force."
    NO_PROJECT_ID = 67 "Addresses need no project."
    REIMAGE = 68 "Volumes may be given another image."
    SHARED_TARGETS_UNKNOWN = 69 "The shared_targets of a volume may be null."
    TRANSFER_ENCRYPTED = 70 "Encrypted volumes may be transferred."
    EXTEND_COMPLETION = 71 "Extension of attached volumes is completed by an action."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_has_its_name() {
        let numbers: Vec<String> = HISTORY.iter().map(|(v, _)| v.to_string()).collect();
        let expected: Vec<String> = (1..=71).map(|minor| format!("3.{minor}")).collect();
        assert_eq!(numbers, expected);
        assert_eq!(HISTORY.last().map(|(v, _)| *v), Some(Microversion::MAX));
    }
}
