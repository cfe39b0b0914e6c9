//! Every operation asks its rule, and refuses whom the rule refuses.

use std::sync::Arc;

use firebrick_control::{
    Context, Control, CreateEncryption, CreateQos, CreateTransfer, CreateType, CreateVolume,
    DeleteVolume, ErrorKind, ForceDetach, HardLimits, LegacyAttach, Metadata, MetadataWrite,
    PoolQuery, QosConsumer, Query, Rename, ResetStatus, Result, UpdateEncryption, UpdateQos,
    UpdateType,
};
use firebrick_policy::{Defaults, Policy, Rule};
use firebrick_vocabulary::{AttachmentId, QosId, SnapshotUuid, TransferId, TypeId, VolumeId};

use crate::common::{
    HOST, World, admin, attach_to, connector, member, sized, snapshot_of, with_policy, with_roles,
};

/// The name of a type whose volumes may be attached more than once.
const SHARED: &str = "shared";

/// What there is to be asked about, all of it of one project but the type and the QoS spec.
struct Given {
    volume: VolumeId,
    /// A volume that is in use.
    busy: VolumeId,
    snapshot: SnapshotUuid,
    attachment: AttachmentId,
    kind: TypeId,
    qos: QosId,
    /// A volume offered to others.
    transfer: TransferId,
}

impl Given {
    async fn new(world: &World) -> Self {
        let (control, user, operator) = (world.handle(), member(), admin());
        let volume = world.made(sized(1)).await;
        let busy = world.made(sized(1)).await;
        let snapshot = world.snapped(volume).await;
        let attached = control
            .create_attachment(&user, attach_to(busy, true))
            .await;
        let attachment = attached.unwrap().attachment.id;
        control
            .complete_attachment(&user, attachment)
            .await
            .unwrap();
        let request = CreateType {
            name: SHARED.to_owned(),
            description: None,
            is_public: true,
            extra_specs: [("multiattach".to_owned(), "<is> True".to_owned())].into(),
        };
        let kind = control.create_type(&operator, request).await.unwrap();
        let qos = control.create_qos(&operator, spec("slow")).await.unwrap();
        let request = offer(world.made(sized(1)).await);
        let (transfer, _) = control.create_transfer(&user, request).await.unwrap();
        Self {
            volume,
            busy,
            snapshot,
            attachment,
            kind: kind.volume_type.id,
            qos: qos.id,
            transfer: transfer.id,
        }
    }
}

fn spec(name: &str) -> CreateQos {
    CreateQos {
        name: name.to_owned(),
        consumer: QosConsumer::FrontEnd,
        specs: Metadata::new(),
    }
}

fn one() -> Metadata {
    [("key".to_owned(), "value".to_owned())].into()
}

/// What the operation behind `rule` answers, or none where there is no such operation.
async fn ask(rule: Rule, control: &Control, who: &Context, given: &Given) -> Option<Result<()>> {
    if let Some(answer) = volumes(rule, control, who, given).await {
        return Some(answer);
    }
    if let Some(answer) = attachments(rule, control, who, given).await {
        return Some(answer);
    }
    if let Some(answer) = snapshots(rule, control, who, given).await {
        return Some(answer);
    }
    if let Some(answer) = types(rule, control, who, given).await {
        return Some(answer);
    }
    if let Some(answer) = transfers(rule, control, who, given).await {
        return Some(answer);
    }
    operators(rule, control, who, given).await
}

fn offer(volume: VolumeId) -> CreateTransfer {
    CreateTransfer {
        volume,
        name: None,
        no_snapshots: false,
        encrypted: false,
    }
}

async fn transfers(
    rule: Rule,
    control: &Control,
    who: &Context,
    given: &Given,
) -> Option<Result<()>> {
    let id = given.transfer;
    Some(match rule {
        Rule::VolumeCreateTransfer => {
            let request = offer(given.volume);
            control.create_transfer(who, request).await.map(drop)
        }
        Rule::VolumeGetAllTransfers => control.transfers(who, Query::default()).await.map(drop),
        Rule::VolumeGetTransfer => control.transfer(who, id).await.map(drop),
        Rule::VolumeAcceptTransfer => control.accept_transfer(who, id, "no").await.map(drop),
        Rule::VolumeDeleteTransfer => control.delete_transfer(who, id).await,
        _ => return None,
    })
}

async fn volumes(
    rule: Rule,
    control: &Control,
    who: &Context,
    given: &Given,
) -> Option<Result<()>> {
    let id = given.volume;
    Some(match rule {
        Rule::VolumeCreate => control.create_volume(who, sized(1)).await.map(drop),
        Rule::VolumeMultiattach => {
            let request = CreateVolume {
                volume_type: Some(SHARED.to_owned()),
                ..sized(1)
            };
            control.create_volume(who, request).await.map(drop)
        }
        Rule::VolumeGet => control.volume(who, id).await.map(drop),
        Rule::VolumeGetAll => {
            let asked = control.volume_summary(who, Query::default()).await;
            let counted = control.count_volumes(who, Query::default()).await;
            let listed = control.volumes(who, Query::default()).await;
            asked.and(counted).and(listed).map(drop)
        }
        Rule::VolumeUpdate => {
            let flagged = control.set_bootable(who, id, true).await;
            let renamed = control.update_volume(who, id, Rename::default()).await;
            flagged.and(renamed.map(drop))
        }
        Rule::VolumeUpdateReadonlyFlag => control.set_readonly(who, id, false).await,
        Rule::VolumeGetVolumeMetadata => control.volume_metadata(who, id).await.map(drop),
        Rule::VolumeCreateVolumeMetadata | Rule::VolumeUpdateVolumeMetadata => {
            let how: &[_] = if rule == Rule::VolumeCreateVolumeMetadata {
                &[MetadataWrite::Merge]
            } else {
                &[MetadataWrite::One, MetadataWrite::Replace]
            };
            let mut answer = Ok(());
            for how in how {
                let set = control.set_volume_metadata(who, id, one(), *how).await;
                answer = answer.and(set.map(drop));
            }
            answer
        }
        Rule::VolumeDeleteVolumeMetadata => control.delete_volume_metadata(who, id, "key").await,
        Rule::VolumeAdminActionsResetStatus => {
            let reset = ResetStatus::default();
            control.reset_volume_status(who, id, reset).await
        }
        Rule::VolumeExtend => control.extend_volume(who, id, 2, false).await,
        Rule::VolumeExtendAttachedVolume => control.extend_volume(who, given.busy, 2, true).await,
        Rule::VolumeDelete => {
            let how = DeleteVolume::default();
            control.delete_volume(who, id, how).await
        }
        Rule::VolumeForceDelete => {
            let how = DeleteVolume {
                cascade: false,
                force: true,
            };
            control.delete_volume(who, id, how).await
        }
        Rule::VolumeAdminActionsForceDelete => control.force_delete_volume(who, id).await,
        _ => return None,
    })
}

async fn attachments(
    rule: Rule,
    control: &Control,
    who: &Context,
    given: &Given,
) -> Option<Result<()>> {
    let (id, of) = (given.attachment, given.volume);
    Some(match rule {
        Rule::VolumeAttachmentCreate => {
            let request = attach_to(of, false);
            control.create_attachment(who, request).await.map(drop)
        }
        Rule::VolumeAttachmentUpdate => {
            let updated = control.update_attachment(who, id, connector()).await;
            updated.map(drop)
        }
        Rule::VolumeAttachmentComplete => control.complete_attachment(who, id).await,
        Rule::VolumeAttachmentDelete => control.delete_attachment(who, id).await.map(drop),
        Rule::VolumeActionsReserve => control.reserve(who, of).await,
        Rule::VolumeActionsUnreserve => control.unreserve(who, of).await,
        Rule::VolumeActionsInitializeConnection => {
            let made = control.initialize_connection(who, of, connector()).await;
            made.map(drop)
        }
        Rule::VolumeActionsAttach => {
            let request = LegacyAttach {
                instance: None,
                host: None,
                mountpoint: None,
                mode: None,
            };
            control.attach(who, of, request).await
        }
        Rule::VolumeActionsBeginDetaching => control.begin_detaching(who, of).await,
        Rule::VolumeActionsRollDetaching => control.roll_detaching(who, of).await,
        Rule::VolumeActionsTerminateConnection => {
            control.terminate_connection(who, of, connector()).await
        }
        Rule::VolumeActionsDetach => control.detach(who, of, None).await,
        Rule::VolumeAdminActionsForceDetach => {
            let request = ForceDetach::default();
            control.force_detach(who, of, request).await
        }
        _ => return None,
    })
}

async fn snapshots(
    rule: Rule,
    control: &Control,
    who: &Context,
    given: &Given,
) -> Option<Result<()>> {
    let id = given.snapshot;
    Some(match rule {
        Rule::VolumeCreateSnapshot => {
            let request = snapshot_of(given.volume);
            control.create_snapshot(who, request).await.map(drop)
        }
        Rule::VolumeGetSnapshot => control.snapshot(who, id).await.map(drop),
        Rule::VolumeGetAllSnapshots => {
            let counted = control.count_snapshots(who, Query::default()).await;
            let listed = control.snapshots(who, Query::default()).await;
            counted.and(listed).map(drop)
        }
        Rule::VolumeUpdateSnapshot => {
            let renamed = control.update_snapshot(who, id, Rename::default()).await;
            renamed.map(drop)
        }
        Rule::VolumeGetSnapshotMetadata => control.snapshot_metadata(who, id).await.map(drop),
        Rule::VolumeUpdateSnapshotMetadata => {
            let how = MetadataWrite::Merge;
            let set = control.set_snapshot_metadata(who, id, one(), how).await;
            set.map(drop)
        }
        Rule::VolumeDeleteSnapshotMetadata => {
            control.delete_snapshot_metadata(who, id, "key").await
        }
        Rule::SnapshotAdminActionsResetStatus => {
            control.reset_snapshot_status(who, id, "available").await
        }
        Rule::SnapshotActionsUpdateSnapshotStatus => {
            let status = "available";
            control.update_snapshot_status(who, id, status, None).await
        }
        Rule::VolumeDeleteSnapshot => control.delete_snapshot(who, id, false).await,
        Rule::SnapshotAdminActionsForceDelete => control.delete_snapshot(who, id, true).await,
        _ => return None,
    })
}

async fn types(rule: Rule, control: &Control, who: &Context, given: &Given) -> Option<Result<()>> {
    let id = given.kind;
    Some(match rule {
        Rule::TypeGetAll => control.types(who).await.map(drop),
        Rule::TypeGet => {
            let shown = control.volume_type(who, id).await;
            shown.and(control.default_type(who).await).map(drop)
        }
        Rule::TypeCreate => {
            let request = CreateType {
                name: "another".to_owned(),
                description: None,
                is_public: true,
                extra_specs: Metadata::new(),
            };
            control.create_type(who, request).await.map(drop)
        }
        Rule::TypeUpdate => {
            let change = UpdateType {
                name: None,
                description: None,
                is_public: None,
            };
            control.update_type(who, id, change).await.map(drop)
        }
        Rule::TypesExtraSpecsIndex => control.extra_specs(who, id).await.map(drop),
        Rule::TypesExtraSpecsShow => control.extra_spec(who, id, "key").await.map(drop),
        Rule::TypesExtraSpecsCreate => control.set_extra_specs(who, id, one()).await.map(drop),
        Rule::TypesExtraSpecsUpdate => control.set_extra_spec(who, id, one()).await.map(drop),
        Rule::TypesExtraSpecsDelete => control.delete_extra_spec(who, id, "key").await,
        Rule::TypeDelete => control.delete_type(who, id).await,
        _ => return encryption_and_access(rule, control, who, given).await,
    })
}

async fn encryption_and_access(
    rule: Rule,
    control: &Control,
    who: &Context,
    given: &Given,
) -> Option<Result<()>> {
    let (id, project) = (given.kind, &member().project);
    Some(match rule {
        Rule::VolumeTypeAccessGetAllForType => control.type_access(who, id).await.map(drop),
        Rule::VolumeTypeAccessAddProjectAccess => control.add_type_access(who, id, project).await,
        Rule::VolumeTypeAccessRemoveProjectAccess => {
            control.remove_type_access(who, id, project).await
        }
        Rule::VolumeTypeEncryptionGet => control.type_encryption(who, id).await.map(drop),
        Rule::VolumeTypeEncryptionCreate => {
            let request = CreateEncryption {
                provider: "luks".to_owned(),
                cipher: None,
                key_size: None,
                control_location: "front-end".to_owned(),
            };
            let made = control.create_type_encryption(who, id, request).await;
            made.map(drop)
        }
        Rule::VolumeTypeEncryptionUpdate => {
            let change = UpdateEncryption::default();
            control.update_type_encryption(who, id, change).await
        }
        Rule::VolumeTypeEncryptionDelete => control.delete_type_encryption(who, id).await,
        Rule::VolumeEncryptionMetadata => {
            let told = control.volume_encryption(who, given.volume).await;
            told.map(drop)
        }
        _ => return None,
    })
}

async fn operators(
    rule: Rule,
    control: &Control,
    who: &Context,
    given: &Given,
) -> Option<Result<()>> {
    let (id, kind) = (given.qos, given.kind);
    let binary = "cinder-volume";
    Some(match rule {
        Rule::QosSpecsManageGetAll => {
            let listed = control.qos_specs(who).await.map(drop);
            listed.and(control.qos_types(who, id).await.map(drop))
        }
        Rule::QosSpecsManageGet => control.qos_spec(who, id).await.map(drop),
        Rule::QosSpecsManageCreate => control.create_qos(who, spec("fast")).await.map(drop),
        Rule::QosSpecsManageUpdate => {
            let change = UpdateQos {
                consumer: None,
                specs: Metadata::new(),
            };
            let changed = control.update_qos(who, id, change).await;
            let given = control.associate_qos(who, id, kind).await;
            let taken = control.disassociate_qos(who, id, kind).await;
            let from_all = control.disassociate_qos_from_all(who, id).await;
            changed.and(given).and(taken).and(from_all)
        }
        Rule::QosSpecsManageDelete => control.delete_qos(who, id, false).await,
        Rule::ServicesIndex => control.services(who, None, None).await.map(drop),
        Rule::ServicesUpdate => {
            let off = control.disable_service(who, binary, HOST, None).await;
            let on = control.enable_service(who, binary, HOST).await;
            off.and(on).map(drop)
        }
        Rule::VolumeFreezeHost => control.freeze(who, HOST).await,
        Rule::VolumeThawHost => control.thaw(who, HOST).await,
        Rule::VolumeFailoverHost => control.failover(who, HOST, Some("nowhere")).await,
        Rule::QuotasShow => {
            let project = &who.project;
            let shown = control.quota_set(who, project).await.map(drop);
            let used = control.quota_use(who, project).await.map(drop);
            let defaults = control.quota_defaults(who, project).await;
            shown.and(used).and(defaults).map(drop)
        }
        Rule::QuotasUpdate => {
            let (project, none) = (member().project, HardLimits::new());
            control.set_quotas(who, &project, none).await.map(drop)
        }
        Rule::QuotasDelete => control.delete_quotas(who, &member().project).await,
        Rule::QuotaClassesGet => control.quota_class(who, "default").await.map(drop),
        Rule::QuotaClassesUpdate => {
            let set = control.set_quota_class(who, "default", HardLimits::new());
            set.await.map(drop)
        }
        Rule::GetPools => control.pools(who, PoolQuery::default()).await.map(drop),
        Rule::Capabilities => control.capabilities(who, HOST).map(drop),
        Rule::Hosts => control.hosts(who, None).await.map(drop),
        _ => return None,
    })
}

/// How many rules [`ask`] knows an operation for.
const ASKED: usize = 81;

#[tokio::test]
async fn each_operation_asks_its_rule() {
    let world = World::new().await;
    let given = Given::new(&world).await;
    let mut asked = 0;
    for rule in Rule::ALL {
        let file = format!("\"{}\": \"!\"", rule.name());
        let (policy, _) = Policy::parse(&file, Defaults::New).unwrap();
        let roles = ["admin", "member", "reader"];
        let who = with_policy(&Arc::new(policy), member().project.as_str(), &roles);
        let Some(answer) = ask(*rule, &world.handle(), &who, &given).await else {
            continue;
        };
        asked += 1;
        let refused = answer.expect_err(rule.name());
        // As in Cinder, a volume that somebody may not look at is not there.
        let expected = match rule {
            Rule::VolumeGet => format!("Volume {} could not be found.", given.volume),
            _ => format!("Policy doesn't allow {} to be performed.", rule.name()),
        };
        assert_eq!(refused.message, expected);
    }
    assert_eq!(asked, ASKED);
}

#[tokio::test]
async fn roles_do_what_their_rules_allow() {
    let world = World::new().await;
    let given = Given::new(&world).await;
    let project = member().project;
    let elsewhere = "ffffffffffffffffffffffffffffffff";
    let nobody = with_roles(project.as_str(), &[]);
    let reader = with_roles(project.as_str(), &["reader"]);
    let stranger = with_roles(elsewhere, &["member", "reader"]);
    // Those who may do most come last: they remove what the others ask about.
    for who in [nobody, stranger, reader, member(), admin()] {
        for rule in Rule::ALL {
            let Some(answer) = ask(*rule, &world.handle(), &who, &given).await else {
                continue;
            };
            let kind = answer.err().map(|error| error.kind);
            let refusals = [Some(ErrorKind::Forbidden), Some(ErrorKind::NotFound)];
            let name = rule.name();
            // Whoever is of another project may do there what they may not do here, where nothing
            // of this one is theirs to see.
            if who.may(*rule) || who.may_for(*rule, &project) {
                assert_ne!(kind, Some(ErrorKind::Forbidden), "{name}");
            } else {
                assert!(refusals.contains(&kind), "{name}: {kind:?}");
            }
        }
    }
}
