//! `image-meta …`, `lock …`, `namespace …`.

use firebrick_ceph::tool::{HeldLock, OpenImage};

use super::site::{Ceph, Doing as _, trouble};
use super::spec::{Place, Spec};
use crate::cli::rbd::args::{
    LockArgs, LockCommand, MetaCommand, NamespaceCommand, NoteArgs, PoolArgs, SpecArgs,
};
use crate::cli::rbd::error::{EBUSY, EINVAL, ENOENT, failed, refuse};
use crate::cli::rbd::show;
use crate::cli::rbd::spec::Words;
use crate::exit::Failure;
use crate::printer::Printer;

/// `rbd image-meta …`
pub(super) fn meta(ceph: &Ceph, command: &MetaCommand) -> Result<(), Failure> {
    match command {
        MetaCommand::Get(args) => get(ceph, args),
        MetaCommand::List(args) => notes(ceph, args),
        MetaCommand::Remove(args) => remove_note(ceph, args),
        MetaCommand::Set(args) => set(ceph, args),
    }
}

/// The image, and the words behind it.
fn noted<'a>(ceph: &Ceph, args: &'a NoteArgs) -> Result<(Spec, &'a str, Words<'a>), Failure> {
    let mut words = Words::new(&args.spec.words);
    let spec = Spec::first(&ceph.common, &args.spec, &mut words)?;
    spec.only_image()?;
    let key = words.need(None, "metadata key")?;
    Ok((spec, key, words))
}

fn get(ceph: &Ceph, args: &NoteArgs) -> Result<(), Failure> {
    const DOING: &str = "getting metadata failed";
    let (spec, key, words) = noted(ceph, args)?;
    words.end()?;
    let value = ceph.look(&spec)?.note(key).doing(DOING)?;
    let value = value.ok_or_else(|| {
        let missing = failed(DOING, ENOENT);
        let text = format!(
            "failed to get metadata {key} of image : ({ENOENT}) No such file or directory\n{missing}"
        );
        refuse(ENOENT, text)
    })?;
    Printer::line(&value);
    Ok(())
}

fn set(ceph: &Ceph, args: &NoteArgs) -> Result<(), Failure> {
    let (spec, key, mut words) = noted(ceph, args)?;
    let value = words.need(None, "metadata value")?;
    words.end()?;
    let image = ceph.change(&spec)?;
    image.set_note(key, value).doing("setting metadata failed")
}

fn remove_note(ceph: &Ceph, args: &NoteArgs) -> Result<(), Failure> {
    const DOING: &str = "removing metadata failed";
    let (spec, key, words) = noted(ceph, args)?;
    words.end()?;
    let image = ceph.change(&spec)?;
    if image.note(key).doing(DOING)?.is_none() {
        let missing = failed(DOING, ENOENT);
        let text = format!(
            "rbd: no existing metadata key {key} of image : ({ENOENT}) No such file or directory\n{missing}"
        );
        return Err(refuse(ENOENT, text));
    }
    image.remove_note(key).doing(DOING)
}

fn notes(ceph: &Ceph, args: &SpecArgs) -> Result<(), Failure> {
    let spec = Spec::of(&ceph.common, args)?;
    spec.only_image()?;
    let noted = ceph.look(&spec)?.notes();
    let noted = noted.doing("listing metadata failed")?;
    show::lists::notes(&ceph.common, noted);
    Ok(())
}

/// `rbd lock …`
pub(super) fn lock(ceph: &Ceph, command: &LockCommand) -> Result<(), Failure> {
    match command {
        LockCommand::Add(args) => add_lock(ceph, args),
        LockCommand::List(args) => locks(ceph, args),
        LockCommand::Remove(args) => remove_lock(ceph, args),
    }
}

fn add_lock(ceph: &Ceph, args: &LockArgs) -> Result<(), Failure> {
    let mut words = Words::new(&args.spec.words);
    let spec = Spec::first(&ceph.common, &args.spec, &mut words)?;
    spec.only_image()?;
    let id = words.need(None, "lock id")?;
    words.end()?;
    let tag = args.shared.as_deref();
    let locked = ceph.change(&spec)?.lock(id, tag);
    locked.map_err(|error| match (u8::try_from(error.errno()), tag) {
        (Ok(EBUSY), None) => refuse(EBUSY, "rbd: lock is already held by someone else"),
        (Ok(EBUSY), Some(_)) => refuse(
            EBUSY,
            "rbd: lock is already held by someone else with a different tag",
        ),
        _ => trouble("taking lock failed", &error),
    })
}

fn remove_lock(ceph: &Ceph, args: &LockArgs) -> Result<(), Failure> {
    let mut words = Words::new(&args.spec.words);
    let spec = Spec::first(&ceph.common, &args.spec, &mut words)?;
    spec.only_image()?;
    let id = words.need(None, "lock id")?;
    let locker = words.need(None, "locker")?;
    words.end()?;
    let image = ceph.change(&spec)?;
    image.break_lock(id, locker).doing("releasing lock failed")
}

fn locks(ceph: &Ceph, args: &SpecArgs) -> Result<(), Failure> {
    let spec = Spec::of(&ceph.common, args)?;
    spec.only_image()?;
    let image: OpenImage = ceph.look(&spec)?;
    let locks = image.locks().doing("listing locks failed")?;
    let lock = |lock: HeldLock| show::lists::Lock {
        id: lock.id,
        locker: lock.locker,
        address: lock.address,
    };
    let held = locks.held.into_iter().map(lock).collect();
    show::lists::locks(&ceph.common, locks.tag.as_deref(), held);
    Ok(())
}

/// `rbd namespace …`
pub(super) fn namespace(ceph: &Ceph, command: &NamespaceCommand) -> Result<(), Failure> {
    match command {
        NamespaceCommand::Create(args) => {
            let (place, name) = named(ceph, args)?;
            let pool = ceph.pool(&place)?;
            pool.create_namespace(&name)
                .doing("failed to created namespace")
        }
        NamespaceCommand::List(args) => {
            let mut place = Place::of_pool(&ceph.common, args)?;
            place.namespace.clear();
            let names = ceph.pool(&place)?.namespaces();
            let names = names.doing("failed to list namespaces")?;
            show::lists::namespaces(&ceph.common, names);
            Ok(())
        }
        NamespaceCommand::Remove(args) => {
            let (place, name) = named(ceph, args)?;
            let removed = ceph.pool(&place)?.remove_namespace(&name);
            removed.map_err(|error| match u8::try_from(error.errno()) {
                Ok(EBUSY) => refuse(
                    EBUSY,
                    "rbd: namespace contains images which must be deleted first.",
                ),
                Ok(ENOENT) => refuse(ENOENT, "rbd: namespace does not exist."),
                _ => trouble("failed to remove namespace", &error),
            })
        }
    }
}

/// The pool, and the namespace that must be named.
fn named(ceph: &Ceph, args: &PoolArgs) -> Result<(Place, String), Failure> {
    let mut place = Place::of_pool(&ceph.common, args)?;
    let name = std::mem::take(&mut place.namespace);
    if name.is_empty() {
        return Err(refuse(EINVAL, "rbd: namespace name was not specified"));
    }
    Ok((place, name))
}
