//! Looking at volume types.

use firebrick_db::{
    Column, Connection, Listing, PrivateType, Tx, VolumeType, pairs, types, volumes,
};
use firebrick_scheduler::{Capability, matches, says_yes_or_no};
use firebrick_vocabulary::TypeId;

use crate::error::{Error, Result};
use crate::request::{Context, Metadata};

/// Whether the type exists for whoever asks: private ones do for projects that they were given to, and
/// for administrators.
pub(crate) async fn sees(
    connection: &mut Connection,
    context: &Context,
    kind: &VolumeType,
) -> Result<bool> {
    if kind.is_public || context.is_admin() {
        return Ok(true);
    }
    let private = PrivateType::Volume(kind.id);
    Ok(pairs::has_access(connection, private, &context.project).await?)
}

/// The type, if it exists for whoever asks.
pub(super) async fn visible(
    connection: &mut Connection,
    context: &Context,
    id: TypeId,
) -> Result<VolumeType> {
    if let Some(kind) = types::get(connection, id).await?
        && sees(connection, context, &kind).await?
    {
        return Ok(kind);
    }
    Err(Error::no_type(id))
}

/// The type, for an administrator's request that goes on to change it or what belongs to it.
pub(super) async fn locked(tx: &mut Tx, id: TypeId) -> Result<VolumeType> {
    let found = types::get_locked(tx, id).await?;
    found.ok_or_else(|| Error::no_type(id))
}

/// Whether a volume has the type. Where the transaction has locked the type, it stays so: new volumes
/// hold their type.
pub(super) async fn is_used(tx: &mut Tx, id: TypeId) -> Result<bool> {
    let (used, _) = volumes::total(tx, &Listing::of(Column::VolumeType, &id)).await?;
    Ok(used > 0)
}

/// The type of that id or, where it is none's, of that name.
pub(crate) async fn by_id_or_name(
    connection: &mut Connection,
    text: &str,
) -> Result<Option<VolumeType>> {
    if let Ok(id) = text.parse()
        && let Some(kind) = types::get(connection, id).await?
    {
        return Ok(Some(kind));
    }
    Ok(types::named(connection, text).await?)
}

/// Whether specs of a type ask for a capability with `<is> True`.
pub(crate) fn asks(specs: &Metadata, key: &str) -> bool {
    let yes = Capability::Flag(true);
    let asks = |spec: &String| spec.contains("<is>") && matches(spec, &yes);
    specs.get(key).is_some_and(asks)
}

/// The extra spec of types whose volumes replicate.
const REPLICATED: &str = "replication_enabled";

/// Refuses extra specs that say of replication neither that volumes replicate nor that they do not: no pool would
/// take such a volume, or one would, and not replicate it.
///
/// Source: `cinder.volume.volume_utils.is_boolean_str`.
pub(crate) fn check_replicated(specs: &Metadata) -> Result<()> {
    match specs.get(REPLICATED) {
        Some(text) if !says_yes_or_no(text) => {
            let shown: String = text.chars().take(64).collect();
            Err(Error::invalid_input(format_args!(
                "Extra spec {REPLICATED} must be '<is> True' or '<is> False', not '{shown}'."
            )))
        }
        Some(_) | None => Ok(()),
    }
}
