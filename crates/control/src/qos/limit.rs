//! The story of a volume that is held to the limits of its type.

use firebrick_backend::FaultKind;
use firebrick_db::{
    Activity, Column, Connection, Listing, QosSpec, Test, Tx, Volume, qos, types, volumes,
};
use firebrick_state::ActivityKind;
use firebrick_vocabulary::{Gibibytes, Limits, TypeId, VolumeId};
use serde_json::json;
use std::collections::BTreeMap;

use super::front::spec_of;
use crate::control::Inner;
use crate::error::{Error, ErrorKind, Result};
use crate::request::Context;
use crate::story::Step;
use crate::why::Why;

/// Refuses a spec that its volumes could not be held to.
pub(super) fn check(spec: &QosSpec) -> Result<()> {
    limits_by(spec, 1).map(drop)
}

/// What a spec means for a volume of that size.
fn limits_by(spec: &QosSpec, size: u32) -> Result<Limits> {
    if !spec.consumer.has_back_end() {
        return Ok(Limits::default());
    }
    Limits::of_spec(&spec.specs, Gibibytes(size)).map_err(|error| {
        let text = format!("Invalid qos specs: {error}");
        Error::new(ErrorKind::Invalid, text).because(error)
    })
}

/// What the volume is held to when it has that size.
pub(crate) async fn limits_of(
    connection: &mut Connection,
    volume: &Volume,
    size: u32,
) -> Result<Limits> {
    let spec = spec_of(connection, volume).await?;
    spec.map_or(Ok(Limits::default()), |spec| limits_by(&spec, size))
}

/// What volumes are held to, by their types.
pub(crate) struct Rules(BTreeMap<TypeId, QosSpec>);

impl Rules {
    /// As the database has them now.
    pub(crate) async fn now(connection: &mut Connection) -> Result<Self> {
        let specs: BTreeMap<_, _> = qos::all(connection)
            .await?
            .into_iter()
            .map(|spec| (spec.id, spec))
            .collect();
        let kinds = types::all(connection).await?.into_iter();
        let rules = kinds.filter_map(|kind| Some((kind.id, specs.get(&kind.qos_specs?)?.clone())));
        Ok(Self(rules.collect()))
    }

    /// For one volume.
    pub(crate) fn of(&self, volume: &Volume) -> Result<Limits> {
        let spec = self.0.get(&volume.volume_type);
        spec.map_or(Ok(Limits::default()), |spec| limits_by(spec, volume.size))
    }
}

impl Inner {
    /// Has all volumes of these types held to what the database says when their turn comes.
    pub(super) async fn limit_types(
        &self,
        tx: &mut Tx,
        context: &Context,
        kinds: &[TypeId],
    ) -> Result<()> {
        if kinds.is_empty() {
            return Ok(());
        }
        let texts = kinds.iter().map(TypeId::to_string).collect();
        let listing = Listing::default().and(Column::VolumeType, Test::OneOf(texts));
        for volume in volumes::list(tx, &listing).await?.unwrap_or_default() {
            self.limit_volume(tx, context, volume.id).await?;
        }
        Ok(())
    }

    /// The same for one volume.
    pub(crate) async fn limit_volume(
        &self,
        tx: &mut Tx,
        context: &Context,
        id: VolumeId,
    ) -> Result<()> {
        self.begin(tx, context, ActivityKind::LimitVolume, id.0, json!({}))
            .await
            .map(drop)
    }
}

/// Tells the site of the volume. Takes its turn with whatever else happens to the volume, so that what
/// is read here is not older than what an earlier story said.
pub(crate) async fn run(inner: &Inner, activity: &Activity) -> Step {
    let id = VolumeId(activity.resource);
    let found = volumes::get(&mut *inner.db.read().await?, id).await?;
    // One without a host has no image; whoever makes that sets its limits.
    let Some(volume) = found.filter(|volume| volume.host.is_some()) else {
        return inner.finish_alone(activity, Ok(())).await;
    };
    let home = inner.home(&volume).await?;
    let limits = limits_of(&mut *inner.db.read().await?, &volume, volume.size).await?;
    match home.site.set_limits(volume.image(), limits).await {
        Ok(()) => {}
        Err(fault) if fault.kind == FaultKind::NotFound => {}
        Err(fault) => return Err(fault.into()),
    }
    let mut tx = inner.db.begin().await?;
    home.stays(&mut tx).await?;
    inner.finish(&mut tx, activity, Ok(())).await?;
    Ok(tx.commit().await?)
}

/// There is nothing to undo: the reconciler sees the difference when the site answers again.
pub(crate) async fn undo(inner: &Inner, activity: &Activity, why: &Why) -> Step {
    inner.finish_alone(activity, Err(why)).await
}
