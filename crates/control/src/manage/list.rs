//! What could be taken over at a backend.

use std::collections::{BTreeMap, BTreeSet};

use firebrick_backend::{FaultKind, ImageInfo, SharedBackend, SnapshotInfo};
use firebrick_db::{Column, Listing, Service, Test, Volume, snapshots, volumes};
use firebrick_policy::Rule;
use firebrick_vocabulary::{ImageId, Role, SnapshotName, SnapshotUuid, VolumeId};
use futures_util::future::join_all;
use tokio::time::timeout;

use super::page::{Manageable, ManageableQuery, page};
use super::whole;
use crate::control::{Control, Inner, VOLUME, site};
use crate::error::{Error, ErrorKind, Result};
use crate::hidden::is_hidden;
use crate::home::{Seat, Seats};
use crate::request::Context;

/// How many images a site is asked about at once.
const AT_ONCE: usize = 16;

/// How many volumes the database is asked about at once.
const ASKED: usize = 500;

/// Why what is managed is not safe to manage.
const MANAGED: &str = "already managed";

/// An image, and the site that has it.
type There = (SharedBackend, ImageInfo);

impl Control {
    /// `GET /manageable_volumes` and `/detail`.
    pub async fn manageable_volumes(
        &self,
        context: &Context,
        query: ManageableQuery,
    ) -> Result<Vec<Manageable>> {
        context.allow(Rule::VolumeListManageable)?;
        let inner = &self.inner;
        let (service, rows, there) = inner.images_there(&query).await?;
        let exported = inner.exported(&service).await?;
        let owners: BTreeMap<ImageId, VolumeId> =
            rows.iter().map(|row| (row.image(), row.id)).collect();
        let all = there.into_iter().map(|(_, image)| {
            let owner = owners.get(&image.id);
            let reason = if owner.is_some() {
                Some(MANAGED)
            } else if image.role == Role::Secondary {
                Some("secondary at this site")
            } else if exported.contains(&image.id) {
                Some("volume in use")
            } else {
                None
            };
            Manageable {
                reference: image.name.to_string(),
                size: whole(image.size),
                reason_not_safe: reason.map(str::to_owned),
                id: owner.map(|id| id.0),
                extra_info: Some(format!("image {}", image.id)),
                source: None,
            }
        });
        page(all.collect(), &query)
    }

    /// `GET /manageable_snapshots` and `/detail`.
    pub async fn manageable_snapshots(
        &self,
        context: &Context,
        query: ManageableQuery,
    ) -> Result<Vec<Manageable>> {
        context.allow(Rule::SnapshotListManageable)?;
        let inner = &self.inner;
        let (_, rows, there) = inner.images_there(&query).await?;
        let owners: BTreeMap<ImageId, VolumeId> =
            rows.iter().map(|row| (row.image(), row.id)).collect();
        let ids: Vec<VolumeId> = rows.iter().map(|row| row.id).collect();
        let known = inner.snapshot_names(&ids).await?;
        let mut all = Vec::new();
        for some in there.chunks(AT_ONCE) {
            let asked = join_all(some.iter().map(|it| inner.snapshots_there(it))).await;
            for ((_, image), found) in some.iter().zip(asked) {
                let owner = owners.get(&image.id).copied();
                let shown = found?.into_iter().filter(|it| !is_hidden(&it.name));
                all.extend(shown.map(|it| described(&known, image, owner, &it)));
            }
        }
        page(all, &query)
    }
}

type Known = BTreeMap<(VolumeId, SnapshotName), SnapshotUuid>;

fn described(
    known: &Known,
    image: &ImageInfo,
    owner: Option<VolumeId>,
    snapshot: &SnapshotInfo,
) -> Manageable {
    let id = owner.and_then(|owner| known.get(&(owner, snapshot.name.clone())));
    let reason = match (owner, id) {
        (_, Some(_)) => Some(MANAGED),
        (None, None) => Some("its volume is not managed"),
        (Some(_), None) => None,
    };
    Manageable {
        reference: snapshot.name.to_string(),
        size: whole(snapshot.size),
        reason_not_safe: reason.map(str::to_owned),
        id: id.map(|id| id.0),
        extra_info: None,
        source: Some(image.name.to_string()),
    }
}

impl Inner {
    /// The service that is asked about, its volumes, and the images that its backend has.
    async fn images_there(
        &self,
        query: &ManageableQuery,
    ) -> Result<(Service, Vec<Volume>, Vec<There>)> {
        let found = self.service_there(&query.at).await?;
        let service = found.ok_or_else(|| Error::no_service(VOLUME, query.at.name()))?;
        self.refuse_unavailable(&service)?;
        let backend = self.backend_of(&service.host)?;
        let home = self.images_at(site(backend, None)?).await;
        let mut there = match service.active_backend_id.as_deref() {
            None => home?,
            Some(id) => {
                // What is not mirrored has stayed at home, which may be lost.
                let mut there = home.unwrap_or_default();
                there.retain(|(_, image)| !image.mirrored);
                let away = self.images_at(site(backend, Some(id))?).await?;
                there.extend(away.into_iter().filter(|(_, image)| image.mirrored));
                there
            }
        };
        let connection = &mut *self.db.read().await?;
        let rows = volumes::of_service(connection, &service.host).await?;
        let seats = Seats::of(connection, &service.host).await?;
        let apart = rows.iter().filter(|row| seats.is_apart(row));
        let apart: BTreeMap<ImageId, &Volume> = apart.map(|row| (row.image(), row)).collect();
        for (asked, image) in &mut there {
            // The site of its group knows best.
            if let Some(row) = apart.get(&image.id)
                && let Seat::At(id) = seats.of_volume(row)
            {
                *asked = site(backend, id.as_deref())?;
            }
        }
        Ok((service, rows, there))
    }

    async fn images_at(&self, site: SharedBackend) -> Result<Vec<There>> {
        let images = timeout(self.options.runner.call, site.images()).await;
        let images = images.map_err(|_| silent(&site))??;
        let with_site = images
            .into_iter()
            .map(|image| (SharedBackend::clone(&site), image));
        Ok(with_site.collect())
    }

    async fn snapshots_there(&self, (site, image): &There) -> Result<Vec<SnapshotInfo>> {
        let found = timeout(self.options.runner.call, site.snapshots(image.id)).await;
        match found.map_err(|_| silent(site))? {
            // It went this moment.
            Err(fault) if fault.kind == FaultKind::NotFound => Ok(Vec::new()),
            found => Ok(found?),
        }
    }

    /// The images that somebody uses at the site that serves.
    async fn exported(&self, service: &Service) -> Result<BTreeSet<ImageId>> {
        let backend = self.backend_of(&service.host)?;
        let site = site(backend, service.active_backend_id.as_deref())?;
        let exports = timeout(self.options.runner.call, site.exports()).await;
        let exports = exports.map_err(|_| silent(&site))??;
        Ok(exports.into_iter().map(|export| export.image).collect())
    }

    /// The names of managed snapshots in the images of these volumes.
    async fn snapshot_names(&self, of: &[VolumeId]) -> Result<Known> {
        let mut known = BTreeMap::new();
        let connection = &mut *self.db.read().await?;
        for some in of.chunks(ASKED) {
            let texts = some.iter().map(VolumeId::to_string).collect();
            let listing = Listing::default().and(Column::Volume, Test::OneOf(texts));
            let rows = snapshots::list(connection, &listing).await?;
            let rows = rows.unwrap_or_default().into_iter();
            known.extend(rows.map(|row| ((row.volume, row.image_name()), row.id)));
        }
        Ok(known)
    }
}

fn silent(site: &SharedBackend) -> Error {
    let text = format!("The site {} does not answer in time.", site.name());
    Error::new(ErrorKind::Unavailable, text)
}
