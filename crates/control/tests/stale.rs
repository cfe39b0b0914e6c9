//! Attachments whose servers did not follow their volumes to another site.

use firebrick_backend::ExportKey;
use firebrick_control::StaleAttachment;
use firebrick_vocabulary::AttachmentId;

use crate::common::{A, B, World, mirrored, sized};

impl World {
    async fn stale(&self) -> Vec<StaleAttachment> {
        let mut found = self.control.stale_attachments().await.unwrap();
        found.sort_by_key(|it| it.attachment_id);
        found
    }

    async fn is_stale(&self, id: AttachmentId) -> bool {
        self.stale().await.iter().any(|it| it.attachment_id == id.0)
    }
}

#[tokio::test]
async fn a_server_that_has_not_connected_anew_is_named() {
    let world = World::new().await;
    let volume = world.made(mirrored(1)).await;
    let second = world.made(mirrored(1)).await;
    let plain = world.made(sized(1)).await;
    let attachment = world.attached(volume).await;
    world.attached(plain).await;
    let key = ExportKey(attachment.to_string());
    world.site(A, |site| site.connected.insert(key.clone()));
    assert!(world.stale().await.is_empty(), "nothing has moved");

    world.failed_over(B).await;
    let found = world.stale().await;
    let [stale] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(
        (stale.attachment_id, stale.volume_id),
        (attachment.0, volume)
    );
    assert_eq!(stale.attached_host.as_deref(), Some("compute1"));
    assert_eq!(
        (stale.site.as_str(), stale.elsewhere, stale.certain),
        (B, 1, true)
    );
    world.set_up(A, false);
    assert_eq!(world.stale().await[0].elsewhere, 0, "nobody can say");

    world.site(B, |site| site.connected.insert(key));
    assert!(!world.is_stale(attachment).await, "it has followed");
    world.set_up(B, false);
    let found = world.stale().await;
    assert!(!found[0].certain, "nobody says that it has");
    world.set_up(A, true);
    world.set_up(B, true);

    // One that came later knows no other site.
    let later = world.attached(second).await;
    assert!(!world.is_stale(later).await);
    world.failed_over("default").await;
    assert!(world.is_stale(later).await);
}
