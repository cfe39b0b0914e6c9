//! Images of servers that boot from volumes: they have no data of their own and name the snapshot that has.

use firebrick_cloud::Image;
use firebrick_db::{Connection, Snapshot};
use firebrick_vocabulary::SnapshotUuid;
use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};
use crate::request::Context;
use crate::snapshot::look::visible;

/// The property in which Nova says of what a server's disks are made, as JSON.
const MAPPING: &str = "block_device_mapping";

/// The snapshot of a boot volume, as an image names it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct BootSnapshot {
    id: String,
    /// In GiB, where the image says so.
    pub(crate) size: Option<u64>,
}

impl BootSnapshot {
    /// That of `image`, if it has one.
    pub(crate) fn of(image: &Image) -> Option<Self> {
        let text = image.properties.get(MAPPING)?;
        let devices: Vec<Value> = serde_json::from_str(text).ok()?;
        let boots = |device: &&Value| {
            device.get("source_type").and_then(Value::as_str) == Some("snapshot")
                && device.get("boot_index").and_then(Value::as_i64) == Some(0)
        };
        let device = devices.iter().find(boots)?;
        let id = device.get("snapshot_id").and_then(Value::as_str);
        Some(Self {
            id: id.unwrap_or_default().to_owned(),
            size: device.get("volume_size").and_then(Value::as_u64),
        })
    }

    /// The row, if there is one for whoever asks.
    pub(crate) async fn find(
        &self,
        connection: &mut Connection,
        context: &Context,
    ) -> Result<Snapshot> {
        let missing = || {
            let text = format_args!(
                "Nova specific image is found, but boot volume snapshot id:{} not found.",
                self.id
            );
            Error::new(ErrorKind::NotFound, text)
        };
        let id: SnapshotUuid = self.id.parse().map_err(|_| missing())?;
        match visible(connection, context, id).await {
            Err(error) if error.kind == ErrorKind::NotFound => Err(missing()),
            found => found,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use firebrick_cloud::{ImageStatus, Visibility};
    use uuid::Uuid;

    use super::*;

    fn boot(mapping: &str) -> Option<BootSnapshot> {
        let image = Image {
            id: Uuid::new_v4(),
            name: None,
            status: ImageStatus::Active,
            disk_format: None,
            container_format: None,
            size: Some(0),
            virtual_size: None,
            min_disk: 0,
            min_ram: 0,
            visibility: Visibility::Private,
            protected: false,
            owner: None,
            checksum: None,
            hash: None,
            updated_at: None,
            properties: BTreeMap::from([(MAPPING.to_owned(), mapping.to_owned())]),
        };
        BootSnapshot::of(&image)
    }

    #[test]
    fn the_snapshot_that_boots_is_found_among_all_disks() {
        let found = boot(
            r#"[{"source_type": "snapshot", "boot_index": 1, "snapshot_id": "a"},
                {"source_type": "image", "boot_index": 0, "snapshot_id": "b"},
                {"source_type": "snapshot", "boot_index": 0, "snapshot_id": "c", "volume_size": 3}]"#,
        );
        let (id, size) = ("c".to_owned(), Some(3));
        assert_eq!(found, Some(BootSnapshot { id, size }));
    }

    #[test]
    fn other_images_name_none() {
        for text in [
            "",
            "[]",
            "{}",
            "[1]",
            "no JSON",
            r#"[{"source_type": "snapshot"}]"#,
        ] {
            assert_eq!(boot(text), None, "{text}");
        }
    }
}
