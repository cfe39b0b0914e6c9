//! Volumes in answers.

mod shape;

use std::borrow::Cow;

use firebrick_control::{Attachment, FIXED_KEY, Metadata, VolumeDetail};
use firebrick_policy::Rule;
use firebrick_state::{AttachStatus, AttachmentStatus, ReplicationStatus};
use firebrick_vocabulary::{
    AttachmentId, GroupId, HostName, ServiceId, SnapshotUuid, TypeId, VolumeId,
};
use serde::Serialize;
use uuid::Uuid;

use super::time::Moment;
use super::{Gated, Nothing, gated, since};
use crate::call::Call;
use crate::links::Both;
use crate::microversion::Microversion as V;

pub(crate) use shape::{LIST, LIST_DETAIL, MANAGED, ONE, SUMMARY};

/// A volume in a list without details.
#[derive(Serialize)]
pub(crate) struct Brief<'a> {
    id: VolumeId,
    name: Option<&'a str>,
    links: Both<'a, VolumeId>,
}

/// A volume with details.
#[derive(Serialize)]
pub(crate) struct Full<'a> {
    id: VolumeId,
    status: &'static str,
    size: u32,
    availability_zone: &'a str,
    created_at: Moment,
    updated_at: Option<Moment>,
    name: Option<&'a str>,
    description: Option<&'a str>,
    volume_type: &'a str,
    snapshot_id: Option<SnapshotUuid>,
    source_volid: Option<VolumeId>,
    metadata: Cow<'a, Metadata>,
    links: Both<'a, VolumeId>,
    user_id: &'a str,
    bootable: &'static str,
    encrypted: bool,
    replication_status: Option<&'static str>,
    consistencygroup_id: Option<GroupId>,
    multiattach: bool,
    attachments: Vec<Attached<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    migration_status: Gated<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_id: Gated<GroupId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_id: Option<Nothing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shared_targets: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_uuid: Gated<ServiceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_name: Gated<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    volume_type_id: Option<TypeId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_key_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumes_quota: Option<bool>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    attributes: Option<Attributes<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    volume_image_metadata: Option<&'a Metadata>,
}

/// What Cinder's extensions add to a volume that is shown or listed.
#[derive(Serialize)]
struct Attributes<'a> {
    #[serde(
        rename = "os-vol-tenant-attr:tenant_id",
        skip_serializing_if = "Option::is_none"
    )]
    project: Option<&'a str>,
    #[serde(
        rename = "os-vol-mig-status-attr:migstat",
        skip_serializing_if = "Option::is_none"
    )]
    migration_status: Gated<&'a str>,
    #[serde(
        rename = "os-vol-mig-status-attr:name_id",
        skip_serializing_if = "Option::is_none"
    )]
    name_id: Option<Nothing>,
    #[serde(
        rename = "os-vol-host-attr:host",
        skip_serializing_if = "Option::is_none"
    )]
    host: Gated<&'a HostName>,
}

/// A complete attachment within its volume.
#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names of the answer")]
struct Attached<'a> {
    id: VolumeId,
    attachment_id: AttachmentId,
    volume_id: VolumeId,
    server_id: Option<&'a str>,
    host_name: Option<&'a str>,
    device: Option<&'a str>,
    attached_at: Option<Moment>,
}

/// A volume in a list without details.
pub(crate) fn brief<'a>(call: &'a Call, detail: &'a VolumeDetail) -> Brief<'a> {
    let volume = &detail.volume;
    Brief {
        id: volume.id,
        name: volume.name.as_deref(),
        links: call.links.of("volumes", volume.id),
    }
}

/// A volume that was created or changed.
pub(crate) fn changed<'a>(call: &'a Call, detail: &'a VolumeDetail) -> Full<'a> {
    let volume = &detail.volume;
    let admin = call.context.is_admin();
    let targets = call.at(V::SHARED_TARGETS);
    Full {
        id: volume.id,
        status: volume.shown_status().as_str(),
        size: volume.size,
        availability_zone: &volume.availability_zone,
        created_at: Moment(volume.created_at),
        updated_at: volume.updated_at.map(Moment),
        name: volume.name.as_deref(),
        description: volume.description.as_deref(),
        volume_type: &detail.type_name,
        snapshot_id: volume.snapshot,
        source_volid: volume.source,
        metadata: Cow::Borrowed(&volume.metadata),
        links: call.links.of("volumes", volume.id),
        user_id: volume.user.as_str(),
        bootable: if volume.bootable { "true" } else { "false" },
        encrypted: volume.encryption_key.is_some(),
        replication_status: volume.replication_status.map(ReplicationStatus::as_str),
        consistencygroup_id: volume.group.filter(|_| detail.in_consistency_group),
        multiattach: volume.multiattach,
        attachments: attached(volume.attach_status, &detail.attachments),
        migration_status: gated(admin, volume.migration_status.as_deref()),
        group_id: since(
            call,
            V::GROUPS,
            volume.group.filter(|_| !detail.in_consistency_group),
        ),
        provider_id: gated(admin && call.at(V::PROVIDER_ID), None),
        // Each volume has an export of its own.
        shared_targets: targets.then_some(false),
        service_uuid: gated(targets, volume.service),
        cluster_name: gated(admin && call.at(V::CLUSTER_NAME), volume.cluster.as_deref()),
        volume_type_id: call.at(V::VOLUME_TYPE_ID).then_some(volume.volume_type),
        // Cinder hides the id of the key that is no secret's: the one all volumes share.
        encryption_key_id: volume
            .encryption_key
            .filter(|key| call.at(V::ENCRYPTION_KEY_ID) && *key != FIXED_KEY),
        consumes_quota: call.at(V::CONSUMES_QUOTA).then_some(volume.consumes_quota),
        attributes: None,
        volume_image_metadata: None,
    }
}

/// A volume that is shown, or listed with details.
pub(crate) fn full<'a>(call: &'a Call, detail: &'a VolumeDetail) -> Full<'a> {
    let volume = &detail.volume;
    let may = |rule| call.context.may_for(rule, volume);
    let moves = may(Rule::VolumeMigStatusAttribute);
    let attributes = Attributes {
        project: may(Rule::VolumeTenantAttribute).then_some(volume.project.as_str()),
        migration_status: gated(moves, volume.migration_status.as_deref()),
        name_id: gated(moves, None),
        host: gated(may(Rule::VolumeHostAttribute), volume.host.as_ref()),
    };
    Full {
        attributes: Some(attributes),
        volume_image_metadata: Some(&detail.image)
            .filter(|image| !image.is_empty() && may(Rule::VolumeImageMetadataShow)),
        metadata: with_readonly(&volume.metadata, volume.readonly),
        ..changed(call, detail)
    }
}

/// The metadata of a volume that is shown: Cinder adds what was last said of writing to it.
fn with_readonly(metadata: &Metadata, readonly: Option<bool>) -> Cow<'_, Metadata> {
    let Some(readonly) = readonly else {
        return Cow::Borrowed(metadata);
    };
    let word = if readonly { "True" } else { "False" };
    let mut shown = metadata.clone();
    shown.insert("readonly".to_owned(), word.to_owned());
    Cow::Owned(shown)
}

fn attached(status: AttachStatus, attachments: &[Attachment]) -> Vec<Attached<'_>> {
    if status == AttachStatus::Detached {
        return Vec::new();
    }
    let complete = attachments
        .iter()
        .filter(|attachment| attachment.status == AttachmentStatus::Attached);
    complete
        .map(|attachment| Attached {
            id: attachment.volume,
            attachment_id: attachment.id,
            volume_id: attachment.volume,
            server_id: attachment.instance.as_deref(),
            host_name: attachment.host.as_deref(),
            device: attachment.mountpoint.as_deref(),
            attached_at: attachment.attached_at.map(Moment),
        })
        .collect()
}
