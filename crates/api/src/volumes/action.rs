//! `POST /volumes/{id}/action`: which action, and those that concern the volume itself.

use axum::extract::State;
use axum::http::StatusCode;
use firebrick_control::{Control, ResetStatus};
use firebrick_vocabulary::{SnapshotUuid, VolumeId};

use super::{connect, image, image_metadata, moving};
use crate::body::{Body, Fields};
use crate::call::{Call, Named, empty};
use crate::fault::{Answer, Fault};
use crate::ids;
use crate::microversion::Microversion as V;
use crate::route::Action;
use crate::schema::volumes as bodies;
use crate::schema::{OBJECT, Schema, only};
use crate::view::image::UPLOADING;
use crate::view::shape::METADATA;

/// How the host reaches the volume.
const CONNECTION: Schema = only(&["connection_info"], &[("connection_info", OBJECT)]);

/// The actions, and what each must be.
pub(crate) const ACTIONS: &[Action] = &[
    Action::new(
        "os-extend",
        &["volume:extend", "volume:extend_attached_volume"],
        bodies::EXTEND,
    ),
    Action::new(
        "os-reset_status",
        &["volume_extension:volume_admin_actions:reset_status"],
        bodies::RESET_STATUS,
    ),
    Action::new(
        "os-force_delete",
        &["volume_extension:volume_admin_actions:force_delete"],
        bodies::SILENT,
    ),
    moving::RETYPE,
    moving::MIGRATE,
    moving::COMPLETE_MIGRATION,
    moving::COMPLETE_EXTENSION,
    Action::new(
        "os-unmanage",
        &["volume_extension:volume_unmanage"],
        bodies::SILENT,
    ),
    Action::new("os-set_bootable", &["volume:update"], bodies::SET_BOOTABLE).ok(200),
    Action::new(
        "os-update_readonly_flag",
        &["volume:update_readonly_flag"],
        bodies::SET_READONLY,
    ),
    Action::new("revert", &["volume:revert_to_snapshot"], bodies::REVERT).since(V::REVERT),
    Action::new(
        "os-show_image_metadata",
        &["volume:get_volume_metadata"],
        bodies::SILENT,
    )
    .answer(&METADATA),
    Action::new(
        "os-set_image_metadata",
        &[
            "volume_extension:volume_image_metadata:set",
            "volume:update_volume_metadata",
        ],
        bodies::SET_IMAGE_METADATA,
    )
    .answer(&METADATA),
    Action::new(
        "os-unset_image_metadata",
        &[
            "volume_extension:volume_image_metadata:remove",
            "volume:delete_volume_metadata",
        ],
        bodies::UNSET_IMAGE_METADATA,
    )
    .ok(200),
    Action::new(
        "os-volume_upload_image",
        &[
            "volume_extension:volume_actions:upload_image",
            "volume_extension:volume_actions:upload_public",
        ],
        bodies::UPLOAD,
    )
    .answer(&UPLOADING)
    .ok(202),
    Action::new(
        "os-reimage",
        &["volume:reimage", "volume:reimage_reserved"],
        bodies::REIMAGE,
    )
    .since(V::REIMAGE),
    Action::new(
        "os-reserve",
        &["volume_extension:volume_actions:reserve"],
        bodies::SILENT,
    ),
    Action::new(
        "os-unreserve",
        &["volume_extension:volume_actions:unreserve"],
        bodies::SILENT,
    ),
    Action::new(
        "os-begin_detaching",
        &["volume_extension:volume_actions:begin_detaching"],
        bodies::SILENT,
    ),
    Action::new(
        "os-roll_detaching",
        &["volume_extension:volume_actions:roll_detaching"],
        bodies::SILENT,
    ),
    Action::new(
        "os-initialize_connection",
        &["volume_extension:volume_actions:initialize_connection"],
        bodies::INITIALIZE,
    )
    .answer(&CONNECTION),
    Action::new(
        "os-terminate_connection",
        &["volume_extension:volume_actions:terminate_connection"],
        bodies::TERMINATE,
    ),
    Action::new(
        "os-attach",
        &["volume_extension:volume_actions:attach"],
        bodies::ATTACH,
    ),
    Action::new(
        "os-detach",
        &["volume_extension:volume_actions:detach"],
        bodies::DETACH,
    ),
    Action::new(
        "os-force_detach",
        &["volume_extension:volume_admin_actions:force_detach"],
        bodies::FORCE_DETACH,
    ),
];

pub(crate) async fn action(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
    body: Body,
) -> Answer {
    let (name, fields) = body.action()?;
    let id = ids::volume(&id)?;
    let asked = Asked { control, call, id };
    match name {
        "os-extend" => asked.extend(fields).await,
        "os-reset_status" => asked.reset_status(fields).await,
        "os-force_delete" => asked.force_delete().await,
        "os-retype" => moving::retype(&asked, fields).await,
        "os-migrate_volume" => moving::migrate(&asked, fields).await,
        "os-migrate_volume_completion" => moving::complete_migration(&asked, fields).await,
        "os-extend_volume_completion" => moving::complete_extension(&asked, fields).await,
        "os-unmanage" => asked.unmanage().await,
        "os-set_bootable" => asked.set_bootable(fields).await,
        "os-update_readonly_flag" => asked.set_readonly(fields).await,
        "revert" => asked.revert(fields).await,
        "os-show_image_metadata" => image_metadata::show(&asked).await,
        "os-set_image_metadata" => image_metadata::set(&asked, fields).await,
        "os-unset_image_metadata" => image_metadata::unset(&asked, fields).await,
        "os-volume_upload_image" => image::upload(&asked, fields).await,
        "os-reimage" => image::reimage(&asked, fields).await,
        "os-reserve" => connect::reserve(&asked).await,
        "os-unreserve" => connect::unreserve(&asked).await,
        "os-begin_detaching" => connect::begin_detaching(&asked).await,
        "os-roll_detaching" => connect::roll_detaching(&asked).await,
        "os-initialize_connection" => connect::initialize(&asked, fields).await,
        "os-terminate_connection" => connect::terminate(&asked, fields).await,
        "os-attach" => connect::attach(&asked, fields).await,
        "os-detach" => connect::detach(&asked, fields).await,
        "os-force_detach" => connect::force_detach(&asked, fields).await,
        other => Err(Fault::no_action(other)),
    }
}

/// Whom, for whom, and which volume.
pub(super) struct Asked {
    pub(super) control: Control,
    pub(super) call: Call,
    pub(super) id: VolumeId,
}

impl Asked {
    async fn extend(&self, fields: Fields<'_>) -> Answer {
        let fields = fields.object("os-extend")?;
        let size = fields
            .size("new_size", false)?
            .ok_or_else(Fault::malformed)?;
        let in_use = self.call.at(V::EXTEND_IN_USE);
        self.control
            .extend_volume(&self.call.context, self.id, size, in_use)
            .await?;
        empty(StatusCode::ACCEPTED)
    }

    async fn reset_status(&self, fields: Fields<'_>) -> Answer {
        let fields = fields.object("os-reset_status")?;
        let text = |key| {
            let text = fields.text_or_null(key, 0)?.flatten();
            Ok::<_, Fault>(text.filter(|text| !text.is_empty()))
        };
        let reset = ResetStatus {
            status: text("status")?,
            attach_status: text("attach_status")?,
            migration_status: text("migration_status")?,
        };
        if reset == ResetStatus::default() {
            return Err(Fault::bad_request(
                "Must specify 'status', 'attach_status' or 'migration_status' for update.",
            ));
        }
        self.control
            .reset_volume_status(&self.call.context, self.id, reset)
            .await?;
        empty(StatusCode::ACCEPTED)
    }

    async fn revert(&self, fields: Fields<'_>) -> Answer {
        let fields = fields.object("revert")?;
        let snapshot = fields.text_or_null("snapshot_id", 0)?.flatten();
        // What is no id is not the newest snapshot either.
        let snapshot = snapshot.as_deref().and_then(ids::uuid).map(SnapshotUuid);
        self.control
            .revert_volume(&self.call.context, self.id, snapshot)
            .await?;
        empty(StatusCode::ACCEPTED)
    }

    async fn force_delete(&self) -> Answer {
        self.control
            .force_delete_volume(&self.call.context, self.id)
            .await?;
        empty(StatusCode::ACCEPTED)
    }

    async fn unmanage(&self) -> Answer {
        self.control
            .unmanage_volume(&self.call.context, self.id)
            .await?;
        empty(StatusCode::ACCEPTED)
    }

    async fn set_bootable(&self, fields: Fields<'_>) -> Answer {
        let bootable = flag(fields, "os-set_bootable", "bootable")?;
        self.control
            .set_bootable(&self.call.context, self.id, bootable)
            .await?;
        empty(StatusCode::OK)
    }

    async fn set_readonly(&self, fields: Fields<'_>) -> Answer {
        let readonly = flag(fields, "os-update_readonly_flag", "readonly")?;
        self.control
            .set_readonly(&self.call.context, self.id, readonly)
            .await?;
        empty(StatusCode::ACCEPTED)
    }
}

/// The one boolean of an action.
fn flag(fields: Fields<'_>, action: &'static str, key: &str) -> Result<bool, Fault> {
    let fields = fields.object(action)?;
    fields.boolean(key)?.ok_or_else(Fault::malformed)
}
