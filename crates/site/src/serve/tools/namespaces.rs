//! Namespaces: an image in one has its name behind that of the namespace and a `/`. An image of no size
//! says that a namespace is there, also while it is empty.

use std::collections::BTreeSet;

use firebrick_engine::{Alteration, Error, ErrorKind, Store};
use firebrick_vocabulary::ImageId;

use crate::serve::views::internal;

/// The namespace of what stands for namespaces.
const NAMESPACE: &str = ".namespace";

/// All of them, by name. One that came with an image from a peer counts too.
pub(super) fn list(store: &Store) -> Vec<String> {
    let names = store.images().into_iter().map(|image| image.info().name);
    let all: BTreeSet<String> = names
        .filter_map(|name| match name.namespace() {
            "" => None,
            NAMESPACE => Some(name.base().to_owned()),
            _ if name.is_internal() => None,
            namespace => Some(namespace.to_owned()),
        })
        .collect();
    all.into_iter().collect()
}

/// Refuses a namespace that is not there; the one without a name always is.
pub(super) fn exists(alteration: &Alteration<'_>, namespace: &str) -> Result<(), Error> {
    let there = namespace.is_empty()
        || alteration.named(&internal(NAMESPACE, namespace)?).is_some()
        || alteration.within(namespace).next().is_some();
    if there {
        return Ok(());
    }
    let why = format!("there is no namespace {namespace}");
    Err(alteration.error(ErrorKind::NotFound, why))
}

/// Makes a namespace.
pub(super) fn create(store: &Store, namespace: &str) -> Result<(), Error> {
    store.alter("create a namespace", |alteration| {
        if exists(alteration, namespace).is_ok() {
            let why = format!("there is a namespace {namespace} already");
            return Err(alteration.error(ErrorKind::Exists, why));
        }
        alteration.create(ImageId::random(), internal(NAMESPACE, namespace)?, false)
    })
}

/// Removes a namespace; [`ErrorKind::Busy`] where it has images.
pub(super) fn remove(store: &Store, namespace: &str) -> Result<(), Error> {
    store.alter("remove a namespace", |alteration| {
        exists(alteration, namespace)?;
        let groups = format!("{}/{namespace}", super::groups::GROUP);
        let used = alteration.within(namespace).next().is_some()
            || alteration.within(&groups).next().is_some();
        if used {
            let why = format!("namespace {namespace} has images or groups");
            return Err(alteration.error(ErrorKind::Busy, why));
        }
        match alteration.named(&internal(NAMESPACE, namespace)?) {
            Some(image) => alteration.remove(image),
            None => Ok(()),
        }
    })
}
