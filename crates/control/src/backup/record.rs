//! Backups whose rows are lost, or of another cloud: what is written down is enough to find them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use firebrick_backend::{Fault, FaultKind};
use firebrick_backup::{Chain, Container};
use firebrick_db::{Backup, backups, now};
use firebrick_policy::Rule;
use firebrick_state::{BackupOperation, BackupStatus};
use firebrick_vocabulary::{BackupId, GIB, VolumeId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::look::{self, invalid, visible};
use super::request::Record;
use crate::control::Control;
use crate::detail::BackupDetail;
use crate::error::{Error, Result};
use crate::quota::{self, Wanted};
use crate::request::{Context, Metadata};

/// The longest record that is read, in bytes.
const RECORD_MAX: usize = 256 << 10;

/// What a record says.
#[derive(Serialize, Deserialize)]
struct Written {
    id: BackupId,
    /// In GiB.
    size: u32,
    volume_id: VolumeId,
    parent_id: Option<BackupId>,
    /// Under which id the repository has it, where that is another.
    #[serde(default)]
    kept_as: Option<BackupId>,
    container: Container,
    display_name: Option<String>,
    display_description: Option<String>,
    object_count: u32,
    /// Microseconds since the Unix epoch.
    data_timestamp: i64,
    #[serde(default)]
    metadata: Metadata,
    /// The id of the key that hosts encrypt with, not the key.
    #[serde(default)]
    encryption_key: Option<Uuid>,
}

impl Control {
    /// `GET /backups/{id}/export_record`.
    pub async fn export_backup(&self, context: &Context, id: BackupId) -> Result<Record> {
        let connection = &mut *self.inner.db.read().await?;
        let backup = visible(connection, context, id).await?;
        context.allow_for(Rule::BackupExportImport, &backup)?;
        let repository = &self.inner.backups()?.repository;
        if !backup.status.allows(BackupOperation::Export) {
            return Err(invalid(format_args!(
                "Backup status must be available and not {}.",
                backup.status
            )));
        }
        let container = backup.container.as_deref().unwrap_or_default().parse();
        // The record is of what the repository has, where ids of rows mean nothing.
        let parent = match backup.parent {
            Some(parent) => backups::get(connection, parent).await?,
            None => None,
        };
        let written = Written {
            id,
            size: backup.size,
            volume_id: backup.volume,
            parent_id: parent.map(|parent| parent.kept()).or(backup.parent),
            kept_as: Some(backup.kept()),
            container: container.map_err(invalid)?,
            display_name: backup.name,
            display_description: backup.description,
            object_count: backup.object_count,
            data_timestamp: (backup.data_timestamp.unix_timestamp_nanos() / 1000) as i64,
            metadata: backup.metadata,
            encryption_key: backup.encryption_key,
        };
        let text = serde_json::to_vec(&written)
            .map_err(|error| Error::internal("A record could not be written.", error))?;
        Ok(Record {
            service: repository.service().to_owned(),
            url: BASE64_STANDARD.encode(&text),
        })
    }

    /// `POST /backups/import_record`. The backup must be there, with all that it builds upon.
    pub async fn import_backup(&self, context: &Context, record: Record) -> Result<BackupDetail> {
        context.allow(Rule::BackupImport)?;
        let project = context.owner()?;
        let repository = &self.inner.backups()?.repository;
        if record.service != repository.service() {
            return Err(invalid(format_args!(
                "The service {} is not the one that is configured here.",
                record.service.chars().take(64).collect::<String>()
            )));
        }
        let written = read(&record.url)?;
        let kept = written.kept_as.unwrap_or(written.id);
        let chain = Chain::open(repository, &written.container, kept).await;
        let chain = chain.map_err(|fault| unusable(&fault))?;
        let parent = chain.manifest().parent().map(|parent| parent.id);
        let objects = chain.manifest().objects();
        let size = chain.manifest().size().0.div_ceil(GIB);
        if (parent, size) != (written.parent_id, u64::from(written.size)) {
            return Err(invalid("The record is not of the backup that it names."));
        }
        let mut backup = self.imported(context, written, objects as u32);
        let mut tx = self.inner.db.begin().await?;
        if let Some(parent) = backup.parent {
            let known = backups::of_kept(&mut tx, parent).await?;
            backup.parent = known.first().map(|row| row.id).or(backup.parent);
        }
        let (quotas, size) = (&self.inner.options.quotas, backup.size);
        quota::check(&mut tx, quotas, project, Wanted::backup(size)).await?;
        if backups::get(&mut tx, backup.id).await?.is_some() {
            return Err(invalid("Backup already exists in database."));
        }
        backups::insert(&mut tx, &backup).await?;
        let detail = look::one(&mut tx, backup).await?;
        tx.commit().await?;
        Ok(detail)
    }

    fn imported(&self, context: &Context, written: Written, object_count: u32) -> Backup {
        let options = &self.inner.options;
        let backup = options.backup.as_ref();
        Backup {
            id: written.id,
            project: context.project.clone(),
            user: context.user.clone(),
            volume: written.volume_id,
            snapshot: None,
            parent: written.parent_id,
            name: written.display_name,
            description: written.display_description,
            size: written.size,
            status: BackupStatus::Available,
            fail_reason: None,
            host: Some(options.node.clone()),
            availability_zone: Some(options.availability_zone.clone()),
            kept_as: written.kept_as.filter(|kept| *kept != written.id),
            container: Some(written.container.to_string()),
            service: backup.map(|backup| backup.repository.service().to_owned()),
            object_count,
            data_timestamp: data_timestamp(written.data_timestamp),
            restore_volume: None,
            encryption_key: written.encryption_key,
            metadata: written.metadata,
            created_at: now(),
            updated_at: None,
        }
    }
}

fn data_timestamp(micros: i64) -> OffsetDateTime {
    let nanos = i128::from(micros) * 1000;
    OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or_else(|_| now())
}

fn read(url: &str) -> Result<Written> {
    let unreadable = || Error::invalid_input("Can't decode backup record.");
    if url.len() > RECORD_MAX {
        return Err(unreadable());
    }
    let bytes = BASE64_STANDARD.decode(url).map_err(|_| unreadable())?;
    serde_json::from_slice(&bytes).map_err(|_| unreadable())
}

fn unusable(fault: &Fault) -> Error {
    match fault.kind {
        FaultKind::NotFound => invalid("The repository does not have it."),
        _ => invalid(fault),
    }
}
