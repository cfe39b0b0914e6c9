//! QoS specs as requests see them.

use firebrick_db::{QosSpec, now, qos, types};
use firebrick_policy::Rule;
use firebrick_vocabulary::{QosId, TypeId};

use super::limit::check;
use crate::control::Control;
use crate::error::{Error, ErrorKind, Result};
use crate::request::{Context, CreateQos, Metadata, UpdateQos};

impl Control {
    /// `GET /qos-specs`, the newest first.
    pub async fn qos_specs(&self, context: &Context) -> Result<Vec<QosSpec>> {
        context.allow(Rule::QosSpecsManageGetAll)?;
        Ok(qos::all(&mut *self.inner.db.read().await?).await?)
    }

    /// `GET /qos-specs/{id}`.
    pub async fn qos_spec(&self, context: &Context, id: QosId) -> Result<QosSpec> {
        context.allow(Rule::QosSpecsManageGet)?;
        let found = qos::get(&mut *self.inner.db.read().await?, id).await?;
        found.ok_or_else(|| Error::no_qos(id))
    }

    /// `POST /qos-specs`; refused where sites could not hold volumes to it.
    pub async fn create_qos(&self, context: &Context, request: CreateQos) -> Result<QosSpec> {
        context.allow(Rule::QosSpecsManageCreate)?;
        let spec = QosSpec {
            id: QosId::random(),
            name: request.name,
            consumer: request.consumer,
            specs: request.specs,
            created_at: now(),
            updated_at: None,
        };
        check(&spec)?;
        let mut tx = self.inner.db.begin().await?;
        qos::insert(&mut tx, &spec)
            .await
            .map_err(|error| match error.kind {
                firebrick_db::ErrorKind::Exists => {
                    let text = format!("QoS Specs {} already exists.", spec.name);
                    Error::new(ErrorKind::Conflict, text)
                }
                _ => error.into(),
            })?;
        tx.commit().await?;
        Ok(spec)
    }

    /// `PUT /qos-specs/{id}`: sets these keys, others stay. Volumes follow.
    pub async fn update_qos(&self, context: &Context, id: QosId, change: UpdateQos) -> Result<()> {
        context.allow(Rule::QosSpecsManageUpdate)?;
        self.change_qos(context, id, |spec| {
            spec.consumer = change.consumer.unwrap_or(spec.consumer);
            spec.specs.extend(change.specs);
            Ok(())
        })
        .await
    }

    /// `PUT /qos-specs/{id}/delete_keys`. Volumes follow.
    pub async fn delete_qos_keys(
        &self,
        context: &Context,
        id: QosId,
        keys: &[String],
    ) -> Result<()> {
        context.allow(Rule::QosSpecsManageDelete)?;
        self.change_qos(context, id, |spec| {
            for key in keys {
                if spec.specs.remove(key).is_none() {
                    let text = format!("QoS spec {id} has no spec with key {key}.");
                    return Err(Error::new(ErrorKind::NotFound, text));
                }
            }
            Ok(())
        })
        .await
    }

    /// Changes a spec, and has the volumes of its types follow.
    async fn change_qos(
        &self,
        context: &Context,
        id: QosId,
        change: impl FnOnce(&mut QosSpec) -> Result<()>,
    ) -> Result<()> {
        let mut tx = self.inner.db.begin().await?;
        let found = qos::get_locked(&mut tx, id).await?;
        let mut spec = found.ok_or_else(|| Error::no_qos(id))?;
        let former: (_, Metadata) = (spec.consumer, spec.specs.clone());
        change(&mut spec)?;
        check(&spec)?;
        qos::update(&mut tx, &spec).await?;
        let concerned = former.0.has_back_end() || spec.consumer.has_back_end();
        if concerned && former != (spec.consumer, spec.specs) {
            let kinds: Vec<TypeId> = types::of_qos(&mut tx, id)
                .await?
                .iter()
                .map(|kind| kind.id)
                .collect();
            self.inner.limit_types(&mut tx, context, &kinds).await?;
        }
        tx.commit().await?;
        self.inner.work.notify_one();
        Ok(())
    }

    /// `DELETE /qos-specs/{id}`; refused while types have it, unless `force` takes it from them.
    pub async fn delete_qos(&self, context: &Context, id: QosId, force: bool) -> Result<()> {
        context.allow(Rule::QosSpecsManageDelete)?;
        let mut tx = self.inner.db.begin().await?;
        let found = qos::get_locked(&mut tx, id).await?;
        let spec = found.ok_or_else(|| Error::no_qos(id))?;
        let kinds = types::of_qos(&mut tx, id).await?;
        if !kinds.is_empty() && !force {
            return Err(Error::new(ErrorKind::Invalid, "Qos specs still in use."));
        }
        self.inner.take_away(&mut tx, context, &spec, kinds).await?;
        qos::remove(&mut tx, id).await?;
        tx.commit().await?;
        self.inner.work.notify_one();
        Ok(())
    }
}
