//! Which types have which QoS spec.

use firebrick_db::{QosSpec, Tx, VolumeType, qos, types};
use firebrick_policy::Rule;
use firebrick_vocabulary::{QosId, TypeId};

use crate::control::{Control, Inner};
use crate::error::{Error, ErrorKind, Result};
use crate::request::Context;

impl Control {
    /// `GET /qos-specs/{id}/associations`: the types that have it.
    pub async fn qos_types(&self, context: &Context, id: QosId) -> Result<Vec<VolumeType>> {
        context.allow(Rule::QosSpecsManageGetAll)?;
        let connection = &mut *self.inner.db.read().await?;
        let found = qos::get(connection, id).await?;
        found.ok_or_else(|| Error::no_qos(id))?;
        Ok(types::of_qos(connection, id).await?)
    }

    /// `GET /qos-specs/{id}/associate`: the type has it from now on, and its volumes follow.
    pub async fn associate_qos(&self, context: &Context, id: QosId, kind: TypeId) -> Result<()> {
        context.allow(Rule::QosSpecsManageUpdate)?;
        let inner = &self.inner;
        let mut tx = inner.db.begin().await?;
        let (spec, mut kind) = both(&mut tx, id, kind).await?;
        match kind.qos_specs {
            Some(other) if other != id => {
                let text = format!(
                    "Invalid volume type: Type {} is already associated with another qos specs: \
                     {other}",
                    kind.id
                );
                return Err(Error::new(ErrorKind::Invalid, text));
            }
            Some(_) => return Ok(()),
            None => {}
        }
        kind.qos_specs = Some(id);
        types::update(&mut tx, &kind).await?;
        if spec.consumer.has_back_end() {
            inner.limit_types(&mut tx, context, &[kind.id]).await?;
        }
        tx.commit().await?;
        inner.work.notify_one();
        Ok(())
    }

    /// `GET /qos-specs/{id}/disassociate`: the type has it no more, and its volumes follow.
    pub async fn disassociate_qos(&self, context: &Context, id: QosId, kind: TypeId) -> Result<()> {
        context.allow(Rule::QosSpecsManageUpdate)?;
        let inner = &self.inner;
        let mut tx = inner.db.begin().await?;
        let (spec, kind) = both(&mut tx, id, kind).await?;
        if kind.qos_specs == Some(id) {
            inner.take_away(&mut tx, context, &spec, vec![kind]).await?;
        }
        tx.commit().await?;
        inner.work.notify_one();
        Ok(())
    }

    /// `GET /qos-specs/{id}/disassociate_all`: no type has it any more.
    pub async fn disassociate_qos_from_all(&self, context: &Context, id: QosId) -> Result<()> {
        context.allow(Rule::QosSpecsManageUpdate)?;
        let inner = &self.inner;
        let mut tx = inner.db.begin().await?;
        let found = qos::get_locked(&mut tx, id).await?;
        let spec = found.ok_or_else(|| Error::no_qos(id))?;
        let kinds = types::of_qos(&mut tx, id).await?;
        inner.take_away(&mut tx, context, &spec, kinds).await?;
        tx.commit().await?;
        inner.work.notify_one();
        Ok(())
    }
}

async fn both(tx: &mut Tx, id: QosId, kind: TypeId) -> Result<(QosSpec, VolumeType)> {
    let spec = qos::get_locked(tx, id).await?;
    let spec = spec.ok_or_else(|| Error::no_qos(id))?;
    let found = types::get_locked(tx, kind).await?;
    Ok((spec, found.ok_or_else(|| Error::no_type(kind))?))
}

impl Inner {
    /// Takes a spec from types, and has their volumes follow.
    pub(super) async fn take_away(
        &self,
        tx: &mut Tx,
        context: &Context,
        spec: &QosSpec,
        kinds: Vec<VolumeType>,
    ) -> Result<()> {
        let mut ids = Vec::new();
        for mut kind in kinds {
            kind.qos_specs = None;
            types::update(tx, &kind).await?;
            ids.push(kind.id);
        }
        if spec.consumer.has_back_end() {
            self.limit_types(tx, context, &ids).await?;
        }
        Ok(())
    }
}
