//! The whole table, written a second time: by status instead of by operation.

use super::*;

const AVAILABLE: &[VolumeOperation] = {
    use VolumeOperation as O;
    &[
        O::Delete,
        O::Extend,
        O::ExtendInUse,
        O::Snapshot,
        O::SnapshotInUse,
        O::Clone,
        O::Reserve,
        O::Attach,
        O::LegacyAttach,
        O::Retype,
        O::Migrate,
        O::MigrateLocked,
        O::Upload,
        O::UploadForced,
        O::Backup,
        O::BackupInUse,
        O::Restore,
        O::Revert,
        O::Reimage,
        O::ReimageReserved,
        O::Unmanage,
        O::OfferTransfer,
        O::SetReadonly,
        O::JoinGroup,
        O::LeaveGroup,
        O::ReplicateGroup,
    ]
};

/// What may begin in a status, besides `ForceDelete`, which may begin in all.
const fn expected(status: VolumeStatus) -> &'static [VolumeOperation] {
    use VolumeOperation as O;
    use VolumeStatus as S;
    match status {
        S::Available => AVAILABLE,
        S::InUse => &[
            O::ExtendInUse,
            O::SnapshotInUse,
            O::Clone,
            O::BeginDetaching,
            O::Retype,
            O::Migrate,
            O::UploadForced,
            O::BackupInUse,
            O::JoinGroup,
            O::LeaveGroup,
            O::ReplicateGroup,
        ],
        S::Error => &[
            O::Delete,
            O::Unmanage,
            O::Reimage,
            O::ReimageReserved,
            O::LeaveGroup,
        ],
        S::ErrorManaging | S::ErrorRestoring | S::ErrorExtending => &[O::Delete, O::Unmanage],
        S::ErrorDeleting => &[O::LeaveGroup],
        S::Reserved => &[O::ReimageReserved],
        S::AwaitingTransfer => &[O::AcceptTransfer, O::WithdrawTransfer],
        S::Extending => &[O::CompleteExtension],
        S::Attaching => &[O::Unreserve, O::LegacyAttach],
        S::Detaching => &[O::RollDetaching],
        S::Downloading => &[O::Attach],
        S::Creating
        | S::Deleting
        | S::ErrorManagingDeleting
        | S::Managing
        | S::Maintenance
        | S::RestoringBackup
        | S::BackingUp
        | S::ErrorBackingUp
        | S::Uploading
        | S::Retyping
        | S::Reverting
        | S::Unmanaging => &[],
    }
}

#[test]
fn every_status_allows_exactly_what_the_table_says() {
    for status in VolumeStatus::ALL {
        for operation in VolumeOperation::ALL {
            let wanted =
                *operation == VolumeOperation::ForceDelete || expected(*status).contains(operation);
            let allowed = status.allows(*operation);
            assert_eq!(allowed, wanted, "{operation:?} in {status}");
        }
    }
}

#[test]
fn an_operation_leads_out_of_its_sources_or_back() {
    for operation in VolumeOperation::ALL {
        assert!(!operation.sources().is_empty(), "{operation:?}");
        let Some(target) = operation.target() else {
            continue;
        };
        let begins_again = target.allows(*operation);
        let forced = *operation == VolumeOperation::ForceDelete;
        assert!(!begins_again || forced, "{operation:?} could begin twice");
    }
}

#[test]
fn texts_survive() {
    for status in VolumeStatus::ALL {
        assert_eq!(status.as_str().parse(), Ok(*status));
        assert_eq!(status.to_string(), status.as_str());
    }
    for status in AttachStatus::ALL {
        assert_eq!(status.as_str().parse(), Ok(*status));
    }
    let refused = "in_use"
        .parse::<VolumeStatus>()
        .map_err(|error| error.to_string());
    assert_eq!(refused, Err("\"in_use\" is no volume status".to_owned()));
    assert!("Available".parse::<VolumeStatus>().is_err());
}

#[test]
fn only_force_and_what_ends_a_status_touch_a_volume_somebody_works_on() {
    use VolumeOperation as O;
    for status in VolumeStatus::ALL {
        for operation in O::ALL {
            let own = matches!(
                operation,
                O::ForceDelete
                    | O::Unreserve
                    | O::RollDetaching
                    | O::LegacyAttach
                    | O::Attach
                    | O::CompleteExtension
            );
            let free = !status.is_transient() || !status.allows(*operation);
            assert!(own || free, "{operation:?} in {status}");
        }
    }
}
