//! The calls, as `openstack/blockstorage/v3` of gophercloud 2 makes them, in its order.
//!
//! What needs a site that answers is asked by `tests/stories/clients/gophercloud.rs`:
//! `attachments.Update`, `volumes.InitializeConnection`, `manageablevolumes.ManageExisting` and
//! `schedulerstats.List` of pools that are there.

use super::shape::Shape;

/// One call.
pub(super) struct Call {
    /// Package and function.
    pub(super) name: &'static str,
    /// The oldest version that knows it.
    pub(super) since: &'static str,
    pub(super) method: &'static str,
    /// Below `/v3`.
    pub(super) path: &'static str,
    /// JSON, or nothing.
    pub(super) body: &'static str,
    /// `OkCodes`, or the defaults of the method.
    pub(super) codes: &'static [u16],
    /// What the structure is below in the answer; empty for the answer itself.
    pub(super) below: &'static str,
    /// What the structure, or each of a list of them, is made of.
    pub(super) shape: Shape,
}

impl Call {
    const fn since(self, since: &'static str) -> Self {
        Self { since, ..self }
    }

    /// With other `OkCodes` than the method's.
    const fn ok(self, codes: &'static [u16]) -> Self {
        Self { codes, ..self }
    }

    /// Reads the answer.
    const fn reads(self, below: &'static str, shape: Shape) -> Self {
        Self {
            below,
            shape,
            ..self
        }
    }
}

const fn call(
    name: &'static str,
    method: &'static str,
    path: &'static str,
    body: &'static str,
    codes: &'static [u16],
) -> Call {
    Call {
        name,
        since: "3.0",
        method,
        path,
        body,
        codes,
        below: "",
        shape: "",
    }
}

const fn get(name: &'static str, path: &'static str) -> Call {
    call(name, "GET", path, "", &[200])
}

const fn post(name: &'static str, path: &'static str, body: &'static str) -> Call {
    call(name, "POST", path, body, &[201, 202])
}

const fn put(name: &'static str, path: &'static str, body: &'static str) -> Call {
    call(name, "PUT", path, body, &[201, 202])
}

const fn delete(name: &'static str, path: &'static str) -> Call {
    call(name, "DELETE", path, "", &[202, 204])
}

/// What all but a few calls override.
const DONE: &[u16] = &[200];
const BEGUN: &[u16] = &[202];

const ATTACHMENT: Shape = "id=s volume_id=s instance=s attached_at=t detached_at=t status=s \
                           attach_mode=s connection_info=o";
const BACKUP: Shape = "id=s created_at=t updated_at=t name=s description=s volume_id=s snapshot_id=s \
                       status=s size=i object_count=i container=s has_dependent_backups=b \
                       fail_reason=s is_incremental=b data_timestamp=t \
                       os-backup-project-attr:project_id=s? metadata=m? availability_zone=s";
const BACKUP_NAME: Shape = "id=s name=s";
const QOS: Shape = "name=s id=s consumer=s specs=m";
const QUOTAS: Shape = "volumes=i snapshots=i gigabytes=i per_volume_gigabytes=i backups=i \
                       backup_gigabytes=i groups=i";
const SNAPSHOT: Shape = "id=s created_at=t updated_at=t name=s description=s volume_id=s status=s size=i \
                         metadata=m os-extended-snapshot-attributes:progress=s? \
                         os-extended-snapshot-attributes:project_id=s? group_snapshot_id=s? user_id=s? \
                         consumes_quota=b?";
const TRANSFER: Shape = "id=s auth_key=s? name=s volume_id=s created_at=t links=l";
const VOLUME: Shape = "id=s status=s size=i availability_zone=s created_at=t updated_at=t attachments=l \
                       name=s description=s volume_type=s snapshot_id=s source_volid=s backup_id=s? \
                       metadata=m user_id=s bootable=s encrypted=b replication_status=s \
                       consistencygroup_id=s multiattach=b volume_image_metadata=m? \
                       os-vol-host-attr:host=s? os-vol-tenant-attr:tenant_id=s?";
const TYPE: Shape = "id=s name=s description=s extra_specs=m is_public=b qos_specs_id=s? \
                     os-volume-type-access:is_public=b";
const ENCRYPTION: Shape = "volume_type_id=s control_location=s encryption_id=s key_size=i provider=s \
                           cipher=s";

const ACTION: &str = "/volumes/{volume}/action";

pub(super) const CALLS: &[Call] = &[
    post(
        "attachments.Create",
        "/attachments",
        r#"{"attachment": {"volume_uuid": "{volume}", "instance_uuid": "{server}"}}"#,
    )
    .since("3.27")
    .ok(&[200, 202])
    .reads("attachment", ATTACHMENT),
    delete("attachments.Delete", "/attachments/{attachment}")
        .since("3.27")
        .ok(DONE),
    get("attachments.Get", "/attachments/{attachment}")
        .since("3.27")
        .reads("attachment", ATTACHMENT),
    get("attachments.List", "/attachments/detail?limit=1")
        .since("3.27")
        .reads("attachments", ATTACHMENT),
    post(
        "attachments.Complete",
        "/attachments/{attachment}/action",
        r#"{"os-complete": {}}"#,
    )
    .since("3.44")
    .ok(&[204]),
    get("availabilityzones.List", "/os-availability-zone")
        .reads("", "availabilityZoneInfo=l"),
    post(
        "backups.Create",
        "/backups",
        r#"{"backup": {"volume_id": "{volume}", "force": true, "name": "n", "description": "d",
            "container": "shelf", "incremental": false}}"#,
    )
    .ok(BEGUN)
    .reads("backup", BACKUP_NAME),
    post(
        "backups.Create",
        "/backups",
        r#"{"backup": {"volume_id": "{volume}", "metadata": {"a": "b"}, "availability_zone": "nova"}}"#,
    )
    .since("3.51")
    .ok(BEGUN)
    .reads("backup", BACKUP_NAME),
    delete("backups.Delete", "/backups/{backup}"),
    get("backups.Get", "/backups/{backup}").reads("backup", BACKUP),
    get("backups.List", "/backups?all_tenants=true&limit=1").reads("backups", BACKUP_NAME),
    get("backups.ListDetail", "/backups/detail?limit=1&with_count=true").since("3.45")
    .reads("backups", BACKUP),
    // gophercloud 2 leaves out the key before it; Cinder refuses that, and so does this service.
    put(
        "backups.Update",
        "/backups/{backup}",
        r#"{"backup": {"name": "n", "description": "d"}}"#,
    )
    .since("3.9")
    .ok(DONE)
    .reads("backup", BACKUP_NAME),
    post(
        "backups.RestoreFromBackup",
        "/backups/{backup}/restore",
        r#"{"restore": {"name": "n"}}"#,
    )
    .ok(BEGUN)
    .reads("restore", "backup_id=s volume_id=s volume_name=s"),
    get("backups.Export", "/backups/{backup}/export_record")
        .reads("backup-record", "backup_service=s backup_url=s"),
    post(
        "backups.ResetStatus",
        "/backups/{backup}/action",
        r#"{"os-reset_status": {"status": "error"}}"#,
    )
    .ok(BEGUN),
    post(
        "backups.ForceDelete",
        "/backups/{backup}/action",
        r#"{"os-force_delete": {}}"#,
    )
    .ok(BEGUN),
    get("limits.Get", "/limits").reads("limits", "absolute=o rate=l"),
    post(
        "qos.Create",
        "/qos-specs",
        r#"{"qos_specs": {"name": "{server}", "consumer": "front-end", "read_iops_sec": "20000"}}"#,
    )
    .ok(DONE)
    .reads("qos_specs", QOS),
    delete("qos.Delete", "/qos-specs/{qos}?force=true"),
    get("qos.List", "/qos-specs?limit=1").reads("qos_specs", QOS),
    get("qos.Get", "/qos-specs/{qos}").reads("qos_specs", QOS),
    put(
        "qos.Update",
        "/qos-specs/{qos}",
        r#"{"qos_specs": {"consumer": "back-end", "read_iops_sec": "40000"}}"#,
    )
    .ok(DONE)
    .reads("", "qos_specs=m"),
    put(
        "qos.DeleteKeys",
        "/qos-specs/{qos}/delete_keys",
        r#"{"keys": ["read_iops_sec"]}"#,
    )
    .ok(BEGUN),
    get("qos.Associate", "/qos-specs/{qos}/associate?vol_type_id={type}").ok(BEGUN),
    get("qos.Disassociate", "/qos-specs/{qos}/disassociate?vol_type_id={type}").ok(BEGUN),
    get("qos.DisassociateAll", "/qos-specs/{qos}/disassociate_all").ok(BEGUN),
    get("qos.ListAssociations", "/qos-specs/{associated}/associations")
        .reads("qos_associations", "name=s id=s association_type=s"),
    get("quotasets.Get", "/os-quota-sets/{here}").reads("quota_set", QUOTAS),
    get("quotasets.GetDefaults", "/os-quota-sets/{here}/defaults").reads("quota_set", QUOTAS),
    get("quotasets.GetUsage", "/os-quota-sets/{here}?usage=true").reads(
        "quota_set",
        "id=s volumes=o snapshots=o gigabytes=o per_volume_gigabytes=o backups=o backup_gigabytes=o \
         groups=o volumes___DEFAULT__=o",
    ),
    // Without its `force`, which Cinder takes for the name of a resource and refuses.
    put(
        "quotasets.Update",
        "/os-quota-sets/{server}",
        r#"{"quota_set": {"volumes": 9, "snapshots": 9, "gigabytes": 99, "per_volume_gigabytes": 9,
            "backups": 9, "backup_gigabytes": 99, "groups": 9, "volumes___DEFAULT__": 5}}"#,
    )
    .ok(DONE)
    .reads("quota_set", QUOTAS),
    delete("quotasets.Delete", "/os-quota-sets/{server}").ok(DONE),
    get("schedulerstats.List", "/scheduler-stats/get_pools?detail=true").reads("", "pools=l"),
    get("services.List", "/os-services?binary=cinder-scheduler").reads(
        "services",
        "binary=s disabled_reason=s host=s state=s status=s updated_at=t zone=s",
    ),
    post(
        "snapshots.Create",
        "/snapshots",
        r#"{"snapshot": {"volume_id": "{volume}", "force": true, "name": "n", "description": "d",
            "metadata": {"a": "b"}}}"#,
    )
    .ok(BEGUN)
    .reads("snapshot", SNAPSHOT),
    delete("snapshots.Delete", "/snapshots/{snapshot}"),
    get("snapshots.Get", "/snapshots/{snapshot}").reads("snapshot", SNAPSHOT),
    get("snapshots.List", "/snapshots?all_tenants=true&limit=1").reads("snapshots", SNAPSHOT),
    get("snapshots.ListDetail", "/snapshots/detail?limit=1").reads("snapshots", SNAPSHOT),
    put(
        "snapshots.Update",
        "/snapshots/{snapshot}",
        r#"{"snapshot": {"name": "n", "description": "d"}}"#,
    )
    .ok(DONE)
    .reads("snapshot", SNAPSHOT),
    put(
        "snapshots.UpdateMetadata",
        "/snapshots/{snapshot}/metadata",
        r#"{"metadata": {"a": "b"}}"#,
    )
    .ok(DONE)
    .reads("", "metadata=m"),
    post(
        "snapshots.ResetStatus",
        "/snapshots/{snapshot}/action",
        r#"{"os-reset_status": {"status": "error"}}"#,
    )
    .ok(BEGUN),
    post(
        "snapshots.UpdateStatus",
        "/snapshots/{making}/action",
        r#"{"os-update_snapshot_status": {"status": "creating", "progress": "50%"}}"#,
    )
    .ok(BEGUN),
    post(
        "snapshots.ForceDelete",
        "/snapshots/{snapshot}/action",
        r#"{"os-force_delete": {}}"#,
    )
    .ok(BEGUN),
    post(
        "transfers.Create",
        "/os-volume-transfer",
        r#"{"transfer": {"volume_id": "{volume}", "name": "n"}}"#,
    )
    .ok(BEGUN)
    .reads("transfer", "id=s auth_key=s name=s volume_id=s created_at=t links=l"),
    post(
        "transfers.Accept",
        "/os-volume-transfer/{transfer}/accept",
        r#"{"accept": {"auth_key": "key"}}"#,
    )
    .ok(BEGUN)
    .reads("transfer", "id=s name=s volume_id=s links=l"),
    delete("transfers.Delete", "/os-volume-transfer/{transfer}"),
    get("transfers.List", "/os-volume-transfer/detail?all_tenants=true&limit=1")
        .reads("transfers", TRANSFER),
    get("transfers.Get", "/os-volume-transfer/{transfer}").reads("transfer", TRANSFER),
    post(
        "volumes.Create",
        "/volumes",
        r#"{"volume": {"size": 1, "availability_zone": "nova", "description": "d", "name": "n",
            "metadata": {"a": "b"}, "volume_type": "{type}"},
            "OS-SCH-HNT:scheduler_hints": {"same_host": ["{volume}"], "different_host": ["{server}"]}}"#,
    )
    .ok(BEGUN)
    .reads("volume", VOLUME),
    post(
        "volumes.Create",
        "/volumes",
        r#"{"volume": {"size": 1, "snapshot_id": "{snapshot}"}}"#,
    )
    .ok(BEGUN)
    .reads("volume", VOLUME),
    post(
        "volumes.Create",
        "/volumes",
        r#"{"volume": {"size": 1, "source_volid": "{volume}"}}"#,
    )
    .ok(BEGUN)
    .reads("volume", VOLUME),
    post(
        "volumes.Create",
        "/volumes",
        r#"{"volume": {"size": 1, "imageRef": "{image}"}}"#,
    )
    .ok(BEGUN)
    .reads("volume", VOLUME),
    post(
        "volumes.Create",
        "/volumes",
        r#"{"volume": {"size": 3, "backup_id": "{backup}"}}"#,
    )
    .since("3.47")
    .ok(BEGUN)
    .reads("volume", VOLUME),
    delete("volumes.Delete", "/volumes/{volume}?cascade=true"),
    get("volumes.Get", "/volumes/{volume}").reads("volume", VOLUME),
    get(
        "volumes.List",
        "/volumes/detail?all_tenants=true&bootable=false&limit=1&metadata=%7B%27key%27%3A%27value%27%7D",
    )
    .reads("volumes", VOLUME),
    put(
        "volumes.Update",
        "/volumes/{volume}",
        r#"{"volume": {"name": "n", "description": "d", "metadata": {"a": "b"}}}"#,
    )
    .ok(DONE)
    .reads("volume", VOLUME),
    post(
        "volumes.Attach",
        ACTION,
        r#"{"os-attach": {"mountpoint": "/dev/vdb", "instance_uuid": "{server}", "mode": "rw"}}"#,
    )
    .ok(BEGUN),
    post(
        "volumes.BeginDetaching",
        "/volumes/{busy}/action",
        r#"{"os-begin_detaching": {}}"#,
    )
    .ok(BEGUN),
    post(
        "volumes.Detach",
        "/volumes/{busy}/action",
        r#"{"os-detach": {}}"#,
    )
    .ok(BEGUN),
    post("volumes.Reserve", ACTION, r#"{"os-reserve": {}}"#).ok(&[200, 201, 202]),
    post(
        "volumes.Unreserve",
        "/volumes/{reserved}/action",
        r#"{"os-unreserve": {}}"#,
    )
    .ok(&[200, 201, 202]),
    post(
        "volumes.TerminateConnection",
        ACTION,
        r#"{"os-terminate_connection": {"connector": {"ip": "127.0.0.1", "host": "h",
            "initiator": "iqn.1994-05.com.redhat:17cf566367d2", "multipath": false,
            "platform": "x86_64", "os_type": "linux2"}}}"#,
    )
    .ok(BEGUN),
    post(
        "volumes.ExtendSize",
        ACTION,
        r#"{"os-extend": {"new_size": 3}}"#,
    )
    .ok(BEGUN),
    post(
        "volumes.UploadImage",
        ACTION,
        r#"{"os-volume_upload_image": {"container_format": "bare", "disk_format": "raw",
            "image_name": "n", "force": true}}"#,
    )
    .ok(BEGUN)
    .reads(
        "os-volume_upload_image",
        "id=s container_format=s disk_format=s display_description=s image_id=s image_name=s size=i \
         status=s updated_at=t volume_type=o",
    ),
    // Said nothing of, so that the defaults of the method hold.
    post("volumes.ForceDelete", ACTION, r#"{"os-force_delete": ""}"#),
    post(
        "volumes.SetImageMetadata",
        ACTION,
        r#"{"os-set_image_metadata": {"metadata": {"label": "test"}}}"#,
    )
    .ok(DONE)
    .reads("", "metadata=m"),
    post(
        "volumes.SetBootable",
        ACTION,
        r#"{"os-set_bootable": {"bootable": true}}"#,
    )
    .ok(DONE),
    post(
        "volumes.ChangeType",
        ACTION,
        r#"{"os-retype": {"new_type": "{type}", "migration_policy": "never"}}"#,
    )
    .ok(BEGUN),
    post(
        "volumes.ReImage",
        ACTION,
        r#"{"os-reimage": {"image_id": "{image}", "reimage_reserved": false}}"#,
    )
    .since("3.68")
    .ok(BEGUN),
    post(
        "volumes.ResetStatus",
        ACTION,
        r#"{"os-reset_status": {"status": "error", "attach_status": "detached",
            "migration_status": "error"}}"#,
    )
    .ok(BEGUN),
    post("volumes.Unmanage", ACTION, r#"{"os-unmanage": {}}"#).ok(BEGUN),
    post(
        "volumetypes.Create",
        "/types",
        r#"{"volume_type": {"name": "{server}", "description": "d",
            "os-volume-type-access:is_public": false, "extra_specs": {"capabilities": "gpu"}}}"#,
    )
    .ok(DONE)
    .reads("volume_type", TYPE),
    delete("volumetypes.Delete", "/types/{type}"),
    get("volumetypes.Get", "/types/{type}").reads("volume_type", TYPE),
    get("volumetypes.List", "/types?is_public=None&limit=1").reads("volume_types", TYPE),
    put(
        "volumetypes.Update",
        "/types/{type}",
        r#"{"volume_type": {"name": "{server}", "description": "d", "is_public": true}}"#,
    )
    .ok(DONE)
    .reads(
        "volume_type",
        "id=s name=s description=s extra_specs=m is_public=b qos_specs_id=s?",
    ),
    get("volumetypes.ListExtraSpecs", "/types/{type}/extra_specs").reads("", "extra_specs=m"),
    get("volumetypes.GetExtraSpec", "/types/{type}/extra_specs/multiattach")
        .reads("", "multiattach=s"),
    post(
        "volumetypes.CreateExtraSpecs",
        "/types/{type}/extra_specs",
        r#"{"extra_specs": {"capabilities": "gpu", "RESKEY:availability_zones": "nova"}}"#,
    )
    .ok(DONE)
    .reads("", "extra_specs=m"),
    put(
        "volumetypes.UpdateExtraSpec",
        "/types/{type}/extra_specs/capabilities",
        r#"{"capabilities": "gpu-2"}"#,
    )
    .ok(DONE)
    .reads("", "capabilities=s"),
    delete(
        "volumetypes.DeleteExtraSpec",
        "/types/{type}/extra_specs/multiattach",
    )
    .ok(BEGUN),
    get(
        "volumetypes.ListAccesses",
        "/types/{private}/os-volume-type-access",
    )
    .reads("volume_type_access", "volume_type_id=s project_id=s"),
    post(
        "volumetypes.AddAccess",
        "/types/{private}/action",
        r#"{"addProjectAccess": {"project": "{server}"}}"#,
    )
    .ok(BEGUN),
    post(
        "volumetypes.RemoveAccess",
        "/types/{private}/action",
        r#"{"removeProjectAccess": {"project": "guests"}}"#,
    )
    .ok(BEGUN),
    post(
        "volumetypes.CreateEncryption",
        "/types/{type}/encryption",
        r#"{"encryption": {"key_size": 256, "provider": "luks", "control_location": "front-end",
            "cipher": "aes-xts-plain64"}}"#,
    )
    .ok(DONE)
    .reads("encryption", ENCRYPTION),
    delete(
        "volumetypes.DeleteEncryption",
        "/types/{encrypted}/encryption/{server}",
    ),
    get("volumetypes.GetEncryption", "/types/{encrypted}/encryption").reads(
        "",
        "volume_type_id=s control_location=s deleted=b created_at=s updated_at=s encryption_id=s \
         key_size=i provider=s deleted_at=s cipher=s",
    ),
    get(
        "volumetypes.GetEncryptionSpec",
        "/types/{encrypted}/encryption/provider",
    )
    .reads("", "provider=s"),
    put(
        "volumetypes.UpdateEncryption",
        "/types/{encrypted}/encryption/{server}",
        r#"{"encryption": {"key_size": 512, "provider": "luks", "control_location": "front-end",
            "cipher": "aes-xts-plain64"}}"#,
    )
    .ok(DONE)
    .reads("encryption", "key_size=i provider=s control_location=s cipher=s"),
];
