//! Every rule by name, with its default and what the default once was. Cinder's names, texts and
//! order, and behind them those of what Cinder does not have, which begin with `firebrick:`; none of
//! them has a scope of its own.

/// Administrators.
const ADMIN: &str = "rule:admin_api";
/// Administrators, and members of the project.
const MEMBER: &str = "rule:xena_system_admin_or_project_member";
/// Administrators, and readers of the project.
const READER: &str = "rule:xena_system_admin_or_project_reader";
/// Administrators, and whoever is of the project.
const OWNER: &str = "rule:admin_or_owner";
/// Administrators of everything, of a domain or of a project.
const ANY_ADMIN: &str = "rule:system_or_domain_or_project_admin";
/// Whatever the rule of all encryptions says.
const ENCRYPTION: &str = "rule:volume_extension:volume_type_encryption";
/// Nobody: the former default names something that no token has.
const NOBODY: &str = "!";
/// Everybody.
const ANYBODY: &str = "";

/// One line of the table.
struct Row {
    name: &'static str,
    default: &'static str,
    former: Option<Former>,
}

/// What a rule was before there were the roles `member` and `reader`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Former {
    /// Its default then.
    pub(crate) default: &'static str,
    /// Its name then, where that was another.
    pub(crate) name: Option<&'static str>,
}

macro_rules! former {
    () => {
        None
    };
    ($default:tt) => {
        Some(Former {
            default: $default,
            name: None,
        })
    };
    ($default:tt $name:literal) => {
        Some(Former {
            default: $default,
            name: Some($name),
        })
    };
}

macro_rules! rules {
    ($(
        $(#[$doc:meta])*
        $variant:ident $name:literal $default:tt $(was $former:tt $(under $old:literal)?)?,
    )+) => {
        /// What a policy decides about. A variant is named as the rule, without `…_extension:`;
        /// its description says which requests ask it.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Rule {
            $($(#[$doc])* $variant,)+
        }

        impl Rule {
            /// All rules, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];
        }

        const TABLE: &[Row] = &[$(Row {
            name: $name,
            default: $default,
            former: former!($($former $($old)?)?),
        },)+];
    };
}

impl Rule {
    /// The rule's name in `policy.yaml`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The check that holds where no `policy.yaml` says otherwise, in oslo.policy's language.
    pub fn default_check(self) -> &'static str {
        self.row().default
    }

    /// The rule of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|rule| rule.name() == name)
    }

    pub(crate) fn former(self) -> Option<Former> {
        self.row().former
    }

    pub(crate) fn index(self) -> usize {
        self as usize
    }

    fn row(self) -> &'static Row {
        &TABLE[self.index()]
    }
}

rules! {
    /// Administrators and whoever is of the project, whichever their role.
    AdminOrOwner "admin_or_owner" "is_admin:True or (role:admin and is_admin_project:True) or project_id:%(project_id)s",
    /// Administrators of everything, of the domain or of the project.
    SystemOrDomainOrProjectAdmin "system_or_domain_or_project_admin" "(role:admin and system_scope:all) or (role:admin and domain_id:%(domain_id)s) or (role:admin and project_id:%(project_id)s)",
    /// What makes `is_admin:True` true.
    ContextIsAdmin "context_is_admin" "role:admin",
    /// Administrators.
    AdminApi "admin_api" "is_admin:True or (role:admin and is_admin_project:True)",
    /// Administrators, and readers of the project.
    XenaSystemAdminOrProjectReader "xena_system_admin_or_project_reader" "(role:admin) or (role:reader and project_id:%(project_id)s)",
    /// Administrators, and members of the project.
    XenaSystemAdminOrProjectMember "xena_system_admin_or_project_member" "(role:admin) or (role:member and project_id:%(project_id)s)",
    /// `POST /attachments`
    VolumeAttachmentCreate "volume:attachment_create" MEMBER was ANYBODY,
    /// `PUT /attachments/{attachment_id}`
    VolumeAttachmentUpdate "volume:attachment_update" MEMBER was OWNER,
    /// `DELETE /attachments/{attachment_id}`
    VolumeAttachmentDelete "volume:attachment_delete" MEMBER was OWNER,
    /// `POST /attachments/{attachment_id}/action (os-complete)`
    VolumeAttachmentComplete "volume:attachment_complete" MEMBER was OWNER,
    /// `POST /attachments`
    VolumeMultiattachBootableVolume "volume:multiattach_bootable_volume" MEMBER was OWNER,
    /// `GET /messages`
    MessageGetAll "message:get_all" READER was OWNER,
    /// `GET /messages/{message_id}`
    MessageGet "message:get" READER was OWNER,
    /// `DELETE /messages/{message_id}`
    MessageDelete "message:delete" MEMBER was OWNER,
    /// `GET /clusters`, `GET /clusters/detail`
    ClustersGetAll "clusters:get_all" ADMIN,
    /// `GET /clusters/{cluster_id}`
    ClustersGet "clusters:get" ADMIN,
    /// `PUT /clusters/{cluster_id}`
    ClustersUpdate "clusters:update" ADMIN,
    /// `POST /workers/cleanup`
    WorkersCleanup "workers:cleanup" ADMIN,
    /// `GET /snapshots/{snapshot_id}/metadata`, `GET /snapshots/{snapshot_id}/metadata/{key}`
    VolumeGetSnapshotMetadata "volume:get_snapshot_metadata" READER was OWNER,
    /// `POST /snapshots/{snapshot_id}/metadata`, `PUT /snapshots/{snapshot_id}/metadata/{key}`
    VolumeUpdateSnapshotMetadata "volume:update_snapshot_metadata" MEMBER was OWNER,
    /// `DELETE /snapshots/{snapshot_id}/metadata/{key}`
    VolumeDeleteSnapshotMetadata "volume:delete_snapshot_metadata" MEMBER was OWNER,
    /// `GET /snapshots`, `GET /snapshots/detail`
    VolumeGetAllSnapshots "volume:get_all_snapshots" READER was OWNER,
    /// `GET /snapshots/detail`, `GET /snapshots/{snapshot_id}`
    ExtendedSnapshotAttributes "volume_extension:extended_snapshot_attributes" READER was OWNER,
    /// `POST /snapshots`
    VolumeCreateSnapshot "volume:create_snapshot" MEMBER was OWNER,
    /// `GET /snapshots/{snapshot_id}`
    VolumeGetSnapshot "volume:get_snapshot" READER was OWNER,
    /// `PUT /snapshots/{snapshot_id}`
    VolumeUpdateSnapshot "volume:update_snapshot" MEMBER was OWNER,
    /// `DELETE /snapshots/{snapshot_id}`
    VolumeDeleteSnapshot "volume:delete_snapshot" MEMBER was OWNER,
    /// `POST /snapshots/{snapshot_id}/action (os-reset_status)`
    SnapshotAdminActionsResetStatus "volume_extension:snapshot_admin_actions:reset_status" ADMIN,
    /// `POST /snapshots/{snapshot_id}/action (update_snapshot_status)`
    SnapshotActionsUpdateSnapshotStatus "snapshot_extension:snapshot_actions:update_snapshot_status" MEMBER was ANYBODY,
    /// `POST /snapshots/{snapshot_id}/action (os-force_delete)`
    SnapshotAdminActionsForceDelete "volume_extension:snapshot_admin_actions:force_delete" ADMIN,
    /// `GET /manageable_snapshots`, `GET /manageable_snapshots/detail`
    SnapshotListManageable "snapshot_extension:list_manageable" ADMIN,
    /// `POST /manageable_snapshots`
    SnapshotManage "snapshot_extension:snapshot_manage" ADMIN,
    /// `POST /snapshots/{snapshot_id}/action (os-unmanage)`
    SnapshotUnmanage "snapshot_extension:snapshot_unmanage" ADMIN,
    /// `GET /backups`, `GET /backups/detail`
    BackupGetAll "backup:get_all" READER was OWNER,
    /// `GET /backups/detail`, `GET /backups/{backup_id}`
    BackupProjectAttribute "backup:backup_project_attribute" ADMIN,
    /// `POST /backups`
    BackupCreate "backup:create" MEMBER was ANYBODY,
    /// `GET /backups/{backup_id}`
    BackupGet "backup:get" READER was OWNER,
    /// `PUT /backups/{backup_id}`
    BackupUpdate "backup:update" MEMBER was OWNER,
    /// `DELETE /backups/{backup_id}`
    BackupDelete "backup:delete" MEMBER was OWNER,
    /// `POST /backups/{backup_id}/restore`
    BackupRestore "backup:restore" MEMBER was OWNER,
    /// `POST /backups/{backup_id}/import_record`
    BackupImport "backup:backup-import" ADMIN,
    /// `POST /backups/{backup_id}/export_record`
    BackupExportImport "backup:export-import" ADMIN,
    /// `POST /backups/{backup_id}/action (os-reset_status)`
    BackupAdminActionsResetStatus "volume_extension:backup_admin_actions:reset_status" ADMIN,
    /// `POST /backups/{backup_id}/action (os-force_delete)`
    BackupAdminActionsForceDelete "volume_extension:backup_admin_actions:force_delete" ADMIN,
    /// `GET /groups`, `GET /groups/detail`
    GroupGetAll "group:get_all" READER was OWNER,
    /// `POST /groups`
    GroupCreate "group:create" MEMBER was ANYBODY,
    /// `GET /groups/{group_id}`
    GroupGet "group:get" READER was OWNER,
    /// `PUT /groups/{group_id}`
    GroupUpdate "group:update" MEMBER was OWNER,
    /// `GET /groups/detail`, `GET /groups/{group_id}`
    GroupProjectAttribute "group:group_project_attribute" ADMIN,
    /// `POST /group_types/`
    GroupTypesCreate "group:group_types:create" ADMIN was ADMIN under "group:group_types_manage",
    /// `PUT /group_types/{group_type_id}`
    GroupTypesUpdate "group:group_types:update" ADMIN was ADMIN under "group:group_types_manage",
    /// `DELETE /group_types/{group_type_id}`
    GroupTypesDelete "group:group_types:delete" ADMIN was ADMIN under "group:group_types_manage",
    /// `GET /group_types/{group_type_id}`
    GroupAccessGroupTypesSpecs "group:access_group_types_specs" ADMIN,
    /// `GET /group_types/{group_type_id}/group_specs/{g_spec_id}`
    GroupTypesSpecsGet "group:group_types_specs:get" ADMIN was ADMIN under "group:group_types_specs",
    /// `GET /group_types/{group_type_id}/group_specs`
    GroupTypesSpecsGetAll "group:group_types_specs:get_all" ADMIN was ADMIN under "group:group_types_specs",
    /// `POST /group_types/{group_type_id}/group_specs`
    GroupTypesSpecsCreate "group:group_types_specs:create" ADMIN was ADMIN under "group:group_types_specs",
    /// `PUT /group_types/{group_type_id}/group_specs/{g_spec_id}`
    GroupTypesSpecsUpdate "group:group_types_specs:update" ADMIN was ADMIN under "group:group_types_specs",
    /// `DELETE /group_types/{group_type_id}/group_specs/{g_spec_id}`
    GroupTypesSpecsDelete "group:group_types_specs:delete" ADMIN was ADMIN under "group:group_types_specs",
    /// `GET /group_snapshots`, `GET /group_snapshots/detail`
    GroupGetAllGroupSnapshots "group:get_all_group_snapshots" READER was OWNER,
    /// `POST /group_snapshots`
    GroupCreateGroupSnapshot "group:create_group_snapshot" MEMBER was ANYBODY,
    /// `GET /group_snapshots/{group_snapshot_id}`
    GroupGetGroupSnapshot "group:get_group_snapshot" READER was OWNER,
    /// `DELETE /group_snapshots/{group_snapshot_id}`
    GroupDeleteGroupSnapshot "group:delete_group_snapshot" MEMBER was OWNER,
    /// `PUT /group_snapshots/{group_snapshot_id}`
    GroupUpdateGroupSnapshot "group:update_group_snapshot" MEMBER was OWNER,
    /// `GET /group_snapshots/detail`, `GET /group_snapshots/{group_snapshot_id}`
    GroupSnapshotProjectAttribute "group:group_snapshot_project_attribute" ADMIN,
    /// `POST /group_snapshots/{g_snapshot_id}/action (reset_status)`
    GroupResetGroupSnapshotStatus "group:reset_group_snapshot_status" ADMIN,
    /// `POST /groups/{group_id}/action (delete)`
    GroupDelete "group:delete" MEMBER was OWNER,
    /// `POST /groups/{group_id}/action (reset_status)`
    GroupResetStatus "group:reset_status" ADMIN,
    /// `POST /groups/{group_id}/action (enable_replication)`
    GroupEnableReplication "group:enable_replication" MEMBER was OWNER,
    /// `POST /groups/{group_id}/action (disable_replication)`
    GroupDisableReplication "group:disable_replication" MEMBER was OWNER,
    /// `POST /groups/{group_id}/action (failover_replication)`
    GroupFailoverReplication "group:failover_replication" MEMBER was OWNER,
    /// `POST /groups/{group_id}/action (list_replication_targets)`
    GroupListReplicationTargets "group:list_replication_targets" MEMBER was OWNER,
    /// `GET /qos-specs`, `GET /qos-specs/{qos_id}/associations`
    QosSpecsManageGetAll "volume_extension:qos_specs_manage:get_all" ADMIN,
    /// `GET /qos-specs/{qos_id}`
    QosSpecsManageGet "volume_extension:qos_specs_manage:get" ADMIN,
    /// `POST /qos-specs`
    QosSpecsManageCreate "volume_extension:qos_specs_manage:create" ADMIN,
    /// `GET /qos-specs/{qos_id}/associate`, `GET /qos-specs/{qos_id}/disassociate`, `GET
    /// /qos-specs/{qos_id}/disassociate_all`, `PUT /qos-specs/{qos_id}`
    QosSpecsManageUpdate "volume_extension:qos_specs_manage:update" ADMIN,
    /// `DELETE /qos-specs/{qos_id}`, `PUT /qos-specs/{qos_id}/delete_keys`
    QosSpecsManageDelete "volume_extension:qos_specs_manage:delete" ADMIN,
    /// `GET /os-quota-class-sets/{project_id}`
    QuotaClassesGet "volume_extension:quota_classes:get" ADMIN was ADMIN under "volume_extension:quota_classes",
    /// `PUT /os-quota-class-sets/{project_id}`
    QuotaClassesUpdate "volume_extension:quota_classes:update" ADMIN was ADMIN under "volume_extension:quota_classes",
    /// `GET /os-quota-sets/{project_id}`, `GET /os-quota-sets/{project_id}/default`, `GET
    /// /os-quota-sets/{project_id}?usage=True`
    QuotasShow "volume_extension:quotas:show" READER was OWNER,
    /// `PUT /os-quota-sets/{project_id}`
    QuotasUpdate "volume_extension:quotas:update" ADMIN,
    /// `DELETE /os-quota-sets/{project_id}`
    QuotasDelete "volume_extension:quotas:delete" ADMIN,
    /// `GET /capabilities/{host_name}`
    Capabilities "volume_extension:capabilities" ADMIN,
    /// `GET /os-services`
    ServicesIndex "volume_extension:services:index" ADMIN,
    /// `PUT /os-services/{action}`
    ServicesUpdate "volume_extension:services:update" ADMIN,
    /// `PUT /os-services/freeze`
    VolumeFreezeHost "volume:freeze_host" ADMIN,
    /// `PUT /os-services/thaw`
    VolumeThawHost "volume:thaw_host" ADMIN,
    /// `PUT /os-services/failover_host`
    VolumeFailoverHost "volume:failover_host" ADMIN,
    /// `GET /scheduler-stats/get_pools`
    GetPools "scheduler_extension:scheduler_stats:get_pools" ADMIN,
    /// `GET /os-hosts`, `GET /os-hosts/{host_id}`, `PUT /os-hosts/{host_name}`
    Hosts "volume_extension:hosts" ADMIN,
    /// `GET /limits`
    UsedLimits "limits_extension:used_limits" READER was OWNER,
    /// `GET /manageable_volumes`, `GET /manageable_volumes/detail`
    VolumeListManageable "volume_extension:list_manageable" ADMIN,
    /// `POST /manageable_volumes`
    VolumeManage "volume_extension:volume_manage" ADMIN,
    /// `POST /volumes/{volume_id}/action (os-unmanage)`
    VolumeUnmanage "volume_extension:volume_unmanage" ADMIN,
    /// `POST /types`
    TypeCreate "volume_extension:type_create" ADMIN was ADMIN under "volume_extension:types_manage",
    /// `PUT /types`
    TypeUpdate "volume_extension:type_update" ADMIN was ADMIN under "volume_extension:types_manage",
    /// `DELETE /types`
    TypeDelete "volume_extension:type_delete" ADMIN was ADMIN under "volume_extension:types_manage",
    /// `GET /types/{type_id}`
    TypeGet "volume_extension:type_get" READER was ANYBODY,
    /// `GET /types/`
    TypeGetAll "volume_extension:type_get_all" READER was ANYBODY,
    /// `GET /types`, `GET /types/{type_id}`
    AccessTypesExtraSpecs "volume_extension:access_types_extra_specs" READER was ADMIN,
    /// `GET /types`, `GET /types/{type_id}`
    AccessTypesQosSpecsId "volume_extension:access_types_qos_specs_id" ADMIN,
    /// What the rules of encryptions once referred to.
    VolumeTypeEncryption "volume_extension:volume_type_encryption" ADMIN,
    /// `POST /types/{type_id}/encryption`
    VolumeTypeEncryptionCreate "volume_extension:volume_type_encryption:create" ADMIN was ENCRYPTION,
    /// `GET /types/{type_id}/encryption`, `GET /types/{type_id}/encryption/{key}`
    VolumeTypeEncryptionGet "volume_extension:volume_type_encryption:get" ADMIN was ENCRYPTION,
    /// `PUT /types/{type_id}/encryption/{encryption_id}`
    VolumeTypeEncryptionUpdate "volume_extension:volume_type_encryption:update" ADMIN was ENCRYPTION,
    /// `DELETE /types/{type_id}/encryption/{encryption_id}`
    VolumeTypeEncryptionDelete "volume_extension:volume_type_encryption:delete" ADMIN was ENCRYPTION,
    /// `GET /types`, `GET /types/{type_id}`, `POST /types`
    VolumeTypeAccess "volume_extension:volume_type_access" MEMBER was OWNER,
    /// `POST /types/{type_id}/action (addProjectAccess)`
    VolumeTypeAccessAddProjectAccess "volume_extension:volume_type_access:addProjectAccess" ADMIN,
    /// `POST /types/{type_id}/action (removeProjectAccess)`
    VolumeTypeAccessRemoveProjectAccess "volume_extension:volume_type_access:removeProjectAccess" ADMIN,
    /// `GET /types/{type_id}/os-volume-type-access`
    VolumeTypeAccessGetAllForType "volume_extension:volume_type_access:get_all_for_type" ADMIN was NOBODY,
    /// `POST /volumes/{volume_id}/action (os-extend)`
    VolumeExtend "volume:extend" MEMBER was OWNER,
    /// `POST /volumes/{volume_id}/action (os-extend)`
    VolumeExtendAttachedVolume "volume:extend_attached_volume" MEMBER was OWNER,
    /// `POST /volumes/{volume_id}/action (os-extend_volume_completion)`
    VolumeAdminActionsExtendVolumeCompletion "volume_extension:volume_admin_actions:extend_volume_completion" ADMIN,
    /// `POST /volumes/{volume_id}/action (revert)`
    VolumeRevertToSnapshot "volume:revert_to_snapshot" MEMBER was OWNER,
    /// `POST /volumes/{volume_id}/action (os-reset_status)`
    VolumeAdminActionsResetStatus "volume_extension:volume_admin_actions:reset_status" ADMIN,
    /// `POST /volumes/{volume_id}/action (os-retype)`
    VolumeRetype "volume:retype" MEMBER was OWNER,
    /// `POST /volumes/{volume_id}/action (os-update_readonly_flag)`
    VolumeUpdateReadonlyFlag "volume:update_readonly_flag" MEMBER was OWNER,
    /// `POST /volumes/{volume_id}/action (os-force_delete)`
    VolumeAdminActionsForceDelete "volume_extension:volume_admin_actions:force_delete" ADMIN,
    /// `POST /volumes/{volume_id}/action (os-volume_upload_image)`
    VolumeActionsUploadPublic "volume_extension:volume_actions:upload_public" ADMIN,
    /// `POST /volumes/{volume_id}/action (os-volume_upload_image)`
    VolumeActionsUploadImage "volume_extension:volume_actions:upload_image" MEMBER was OWNER,
    /// `POST /volumes/{volume_id}/action (os-force_detach)`
    VolumeAdminActionsForceDetach "volume_extension:volume_admin_actions:force_detach" ADMIN,
    /// `POST /volumes/{volume_id}/action (os-migrate_volume)`
    VolumeAdminActionsMigrateVolume "volume_extension:volume_admin_actions:migrate_volume" ADMIN,
    /// `POST /volumes/{volume_id}/action (os-migrate_volume_completion)`
    VolumeAdminActionsMigrateVolumeCompletion "volume_extension:volume_admin_actions:migrate_volume_completion" ADMIN,
    /// `POST /volumes/{volume_id}/action (os-initialize_connection)`
    VolumeActionsInitializeConnection "volume_extension:volume_actions:initialize_connection" MEMBER was OWNER,
    /// `POST /volumes/{volume_id}/action (os-terminate_connection)`
    VolumeActionsTerminateConnection "volume_extension:volume_actions:terminate_connection" MEMBER was OWNER,
    /// `POST /volumes/{volume_id}/action (os-roll_detaching)`
    VolumeActionsRollDetaching "volume_extension:volume_actions:roll_detaching" MEMBER was OWNER,
    /// `POST /volumes/{volume_id}/action (os-reserve)`
    VolumeActionsReserve "volume_extension:volume_actions:reserve" MEMBER was OWNER,
    /// `POST /volumes/{volume_id}/action (os-unreserve)`
    VolumeActionsUnreserve "volume_extension:volume_actions:unreserve" MEMBER was OWNER,
    /// `POST /volumes/{volume_id}/action (os-begin_detaching)`
    VolumeActionsBeginDetaching "volume_extension:volume_actions:begin_detaching" MEMBER was OWNER,
    /// `POST /volumes/{volume_id}/action (os-attach)`
    VolumeActionsAttach "volume_extension:volume_actions:attach" MEMBER was OWNER,
    /// `POST /volumes/{volume_id}/action (os-detach)`
    VolumeActionsDetach "volume_extension:volume_actions:detach" MEMBER was OWNER,
    /// `POST /volumes/{volume_id}/action (os-reimage)`
    VolumeReimage "volume:reimage" MEMBER,
    /// `POST /volumes/{volume_id}/action (os-reimage)`
    VolumeReimageReserved "volume:reimage_reserved" MEMBER,
    /// `GET /os-volume-transfer`, `GET /os-volume-transfer/detail`, `GET /volume-transfers/detail`,
    /// `GET /volume_transfers`
    VolumeGetAllTransfers "volume:get_all_transfers" READER was OWNER,
    /// `POST /os-volume-transfer`, `POST /volume_transfers`
    VolumeCreateTransfer "volume:create_transfer" MEMBER was OWNER,
    /// `GET /os-volume-transfer/{transfer_id}`, `GET /volume-transfers/{transfer_id}`
    VolumeGetTransfer "volume:get_transfer" READER was OWNER,
    /// `POST /os-volume-transfer/{transfer_id}/accept`, `POST
    /// /volume-transfers/{transfer_id}/accept`
    VolumeAcceptTransfer "volume:accept_transfer" MEMBER was ANYBODY,
    /// `DELETE /os-volume-transfer/{transfer_id}`, `DELETE /volume-transfers/{transfer_id}`
    VolumeDeleteTransfer "volume:delete_transfer" MEMBER was OWNER,
    /// `GET /volumes/{volume_id}/metadata`, `GET /volumes/{volume_id}/metadata/{key}`, `POST
    /// /volumes/{volume_id}/action (os-show_image_metadata)`
    VolumeGetVolumeMetadata "volume:get_volume_metadata" READER was OWNER,
    /// `POST /volumes/{volume_id}/metadata`
    VolumeCreateVolumeMetadata "volume:create_volume_metadata" MEMBER was OWNER,
    /// `PUT /volumes/{volume_id}/metadata`, `PUT /volumes/{volume_id}/metadata/{key}`
    VolumeUpdateVolumeMetadata "volume:update_volume_metadata" MEMBER was OWNER,
    /// `DELETE /volumes/{volume_id}/metadata/{key}`
    VolumeDeleteVolumeMetadata "volume:delete_volume_metadata" MEMBER was OWNER,
    /// `GET /volumes/detail`, `GET /volumes/{volume_id}`
    VolumeImageMetadataShow "volume_extension:volume_image_metadata:show" READER was OWNER under "volume_extension:volume_image_metadata",
    /// `POST /volumes/{volume_id}/action (os-set_image_metadata)`
    VolumeImageMetadataSet "volume_extension:volume_image_metadata:set" MEMBER was OWNER under "volume_extension:volume_image_metadata",
    /// `POST /volumes/{volume_id}/action (os-unset_image_metadata)`
    VolumeImageMetadataRemove "volume_extension:volume_image_metadata:remove" MEMBER was OWNER under "volume_extension:volume_image_metadata",
    /// `POST /volumes/{volume_id}/action (os-attach)`, `POST /volumes/{volume_id}/action
    /// (os-update_readonly_flag)`
    VolumeUpdateVolumeAdminMetadata "volume:update_volume_admin_metadata" ADMIN,
    /// `GET /types/{type_id}/extra_specs`
    TypesExtraSpecsIndex "volume_extension:types_extra_specs:index" READER was ANYBODY,
    /// `POST /types/{type_id}/extra_specs`
    TypesExtraSpecsCreate "volume_extension:types_extra_specs:create" ADMIN,
    /// `GET /types/{type_id}/extra_specs/{extra_spec_key}`
    TypesExtraSpecsShow "volume_extension:types_extra_specs:show" READER was ANYBODY,
    /// `GET /types`, `GET /types/{type_id}`, `GET /types/{type_id}/extra_specs`, `GET
    /// /types/{type_id}/extra_specs/{extra_spec_key}`
    TypesExtraSpecsReadSensitive "volume_extension:types_extra_specs:read_sensitive" ADMIN,
    /// `PUT /types/{type_id}/extra_specs/{extra_spec_key}`
    TypesExtraSpecsUpdate "volume_extension:types_extra_specs:update" ADMIN,
    /// `DELETE /types/{type_id}/extra_specs/{extra_spec_key}`
    TypesExtraSpecsDelete "volume_extension:types_extra_specs:delete" ADMIN,
    /// `POST /volumes`
    VolumeCreate "volume:create" MEMBER was ANYBODY,
    /// `POST /volumes`
    VolumeCreateFromImage "volume:create_from_image" MEMBER was ANYBODY,
    /// `GET /volumes/{volume_id}`
    VolumeGet "volume:get" READER was OWNER,
    /// `GET /volumes`, `GET /volumes/detail`, `GET /volumes/summary`
    VolumeGetAll "volume:get_all" READER was OWNER,
    /// `POST /volumes/{volume_id}/action (os-set_bootable)`, `PUT /volumes`
    VolumeUpdate "volume:update" MEMBER was OWNER,
    /// `DELETE /volumes/{volume_id}`
    VolumeDelete "volume:delete" MEMBER was OWNER,
    /// `DELETE /volumes/{volume_id}`
    VolumeForceDelete "volume:force_delete" ADMIN,
    /// `GET /volumes/detail`, `GET /volumes/{volume_id}`
    VolumeHostAttribute "volume_extension:volume_host_attribute" ADMIN,
    /// `GET /volumes/detail`, `GET /volumes/{volume_id}`
    VolumeTenantAttribute "volume_extension:volume_tenant_attribute" READER was OWNER,
    /// `GET /volumes/detail`, `GET /volumes/{volume_id}`
    VolumeMigStatusAttribute "volume_extension:volume_mig_status_attribute" ADMIN,
    /// `GET /volumes/{volume_id}/encryption`, `GET
    /// /volumes/{volume_id}/encryption/{encryption_key}`
    VolumeEncryptionMetadata "volume_extension:volume_encryption_metadata" READER was OWNER,
    /// `POST /volumes`
    VolumeMultiattach "volume:multiattach" MEMBER was OWNER,
    /// `PUT /default-types`
    DefaultTypeSet "volume_extension:default_set_or_update" ADMIN was ANY_ADMIN,
    /// `GET /default-types/{project-id}`
    DefaultTypeGet "volume_extension:default_get" ADMIN was ANY_ADMIN,
    /// `GET /default-types/`
    DefaultTypeGetAll "volume_extension:default_get_all" ADMIN was "role:admin and system_scope:all",
    /// `DELETE /default-types/{project-id}`
    DefaultTypeUnset "volume_extension:default_unset" ADMIN was ANY_ADMIN,
    // What Cinder does not have.
    /// `GET /activities/{activity_id}`
    FirebrickActivityGet "firebrick:activity:get" READER,
    /// `GET /activities`
    FirebrickActivityGetAll "firebrick:activity:get_all" READER,
    /// `DELETE /activities/{activity_id}`
    FirebrickActivityCancel "firebrick:activity:cancel" MEMBER,
    /// `GET /replications/{id}`
    FirebrickReplicationGet "firebrick:replication:get" READER,
    /// `GET /replications`
    FirebrickReplicationGetAll "firebrick:replication:get_all" READER,
    /// `POST /replications/{id}/action` (check)
    FirebrickReplicationCheck "firebrick:replication:check" READER,
    /// `POST /replications/{id}/action` (failover, failback, reverse)
    FirebrickReplicationFailover "firebrick:replication:failover" ADMIN,
    /// `POST /replications/{id}/action` (drill, `end_drill`)
    FirebrickReplicationDrill "firebrick:replication:drill" MEMBER,
    /// `POST /replications/{id}/action` (enable)
    FirebrickReplicationEnable "firebrick:replication:enable" ADMIN,
    /// `POST /replications/{id}/action` (disable)
    FirebrickReplicationDisable "firebrick:replication:disable" ADMIN,
    /// `PUT /os-services/reset-active-backend`
    FirebrickServiceResetActiveBackend "firebrick:service:reset_active_backend" ADMIN,
}
