//! Attachments whose servers have not followed their volumes to another site.

use std::collections::BTreeMap;

use firebrick_backend::{ExportKey, SharedBackend};
use firebrick_db::{
    Activity, Attachment, Column, Listing, Service, Test, Volume, activities, attachments, volumes,
};
use firebrick_state::{ActivityKind, ActivityStatus};
use firebrick_vocabulary::{HostName, ImageId, VolumeId};
use serde::Serialize;
use time::OffsetDateTime;
use tokio::time::timeout;
use uuid::Uuid;

use super::export_key;
use crate::control::{Control, Inner, site};
use crate::error::Result;
use crate::home::{Seat, Seats, SiteId, moves};
use crate::options::BackendOptions;

/// An attachment that was made before its volume moved, and at whose new export nobody is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StaleAttachment {
    /// The attachment.
    pub attachment_id: Uuid,
    /// Its volume.
    pub volume_id: VolumeId,
    /// The server.
    pub instance: Option<String>,
    /// The machine on which the server ran when it was attached.
    pub attached_host: Option<String>,
    /// The name of the site where the volume lives.
    pub site: String,
    /// When the volume came there, in seconds since the Unix epoch.
    pub moved_at: i64,
    /// Clients that are still connected at the volume's other sites, as far as these answer.
    pub elsewhere: u32,
    /// Whether the site where it lives answered; what is connected there is not known otherwise.
    pub certain: bool,
}

/// How many clients each export of a site has; `None` where it does not answer.
type Clients = Option<BTreeMap<(ImageId, ExportKey), u32>>;

impl Control {
    /// The attachments of all backends whose servers have not connected anew since their volumes moved.
    pub async fn stale_attachments(&self) -> Result<Vec<StaleAttachment>> {
        let mut stale = Vec::new();
        for backend in &self.inner.options.backends {
            if !backend.targets.is_empty() {
                stale.extend(of_backend(&self.inner, backend).await?);
            }
        }
        Ok(stale)
    }
}

async fn of_backend(inner: &Inner, backend: &BackendOptions) -> Result<Vec<StaleAttachment>> {
    let host = inner.host_of(backend);
    let (seats, rows, known, failovers) = {
        let connection = &mut *inner.db.read().await?;
        let seats = Seats::of(connection, &host).await?;
        let mut rows = attachments::of_service(connection, &host).await?;
        rows.retain(|row| row.connector.is_some());
        let ids: Vec<VolumeId> = rows.iter().map(|row| row.volume).collect();
        let known = volumes::named(connection, &ids).await?;
        let kinds = [
            ActivityKind::Failover,
            ActivityKind::GroupFailover,
            ActivityKind::FailoverVolume,
        ];
        let listing = Listing::default()
            .and(
                Column::Kind,
                Test::OneOf(kinds.map(|kind| kind.to_string()).into()),
            )
            .and(
                Column::Status,
                Test::OneOf(vec![ActivityStatus::Done.to_string()]),
            );
        let failovers = activities::list(connection, &listing).await?;
        (seats, rows, known, failovers.unwrap_or_default())
    };
    let mut sites: Vec<(SiteId, SharedBackend, Clients)> = Vec::new();
    let targets = backend.targets.iter().map(|(id, _)| Some(id.clone()));
    for id in std::iter::once(None).chain(targets) {
        let site = site(backend, id.as_deref())?;
        let clients = clients(inner, &site).await;
        sites.push((id, site, clients));
    }
    let known: BTreeMap<VolumeId, &Volume> = known.iter().map(|it| (it.id, it)).collect();
    let mut stale = Vec::new();
    for row in rows {
        let Some(volume) = known.get(&row.volume) else {
            continue;
        };
        let Seat::At(lives) = seats.of_volume(volume) else {
            continue;
        };
        let moved = last_move(&failovers, &seats.service, &host, volume);
        let Some(moved) = moved.filter(|at| *at > attached(&row)) else {
            continue;
        };
        stale.extend(judge(&row, volume, &lives, &sites, moved));
    }
    Ok(stale)
}

/// When it was attached, or at least asked for.
fn attached(row: &Attachment) -> OffsetDateTime {
    row.attached_at.unwrap_or(row.created_at)
}

/// When the volume last came to another site.
fn last_move(
    failovers: &[Activity],
    service: &Service,
    host: &HostName,
    volume: &Volume,
) -> Option<OffsetDateTime> {
    let here = volume.host.as_ref().map(HostName::without_pool);
    let of_it = failovers.iter().filter(|it| {
        let with_backend =
            it.resource == service.id.0 && here.as_ref() == Some(host) && moves(volume);
        let with_group = volume.group.is_some_and(|group| it.resource == group.0);
        with_backend || with_group || it.resource == volume.id.0
    });
    of_it.filter_map(|it| it.finished_at).max()
}

fn judge(
    row: &Attachment,
    volume: &Volume,
    lives: &SiteId,
    sites: &[(SiteId, SharedBackend, Clients)],
    moved: OffsetDateTime,
) -> Option<StaleAttachment> {
    let place = (volume.image(), export_key(row));
    let at = |clients: &Clients| clients.as_ref()?.get(&place).copied();
    let (_, site, here) = sites.iter().find(|(id, ..)| id == lives)?;
    if at(here).is_some_and(|clients| clients > 0) {
        return None;
    }
    let others = sites.iter().filter(|(id, ..)| id != lives);
    Some(StaleAttachment {
        attachment_id: row.id.0,
        volume_id: row.volume,
        instance: row.instance.clone(),
        attached_host: row.host.clone(),
        site: site.name().to_owned(),
        moved_at: moved.unix_timestamp(),
        elsewhere: others.filter_map(|(.., clients)| at(clients)).sum(),
        certain: here.is_some(),
    })
}

async fn clients(inner: &Inner, site: &SharedBackend) -> Clients {
    let asked = timeout(inner.options.failover.probe, site.exports());
    let exports = asked.await.ok()?.ok()?.into_iter();
    Some(exports.map(|it| ((it.image, it.key), it.clients)).collect())
}
