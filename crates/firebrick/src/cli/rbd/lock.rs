//! `rbd lock …`.

use firebrick_backend::FaultKind;
use firebrick_site::admin::{Locks, ToolLock, ToolRequest};

use super::args::{LockArgs, LockCommand, SpecArgs};
use super::error::{EBUSY, fault, refuse};
use super::show;
use super::site::Rbd;
use super::spec::{Spec, Words};
use crate::exit::Failure;

/// Does what the command line says.
pub(super) async fn run(rbd: Rbd, command: &LockCommand) -> Result<(), Failure> {
    match command {
        LockCommand::Add(args) => add(rbd, args).await,
        LockCommand::List(args) => list(rbd, args).await,
        LockCommand::Remove(args) => remove(rbd, args).await,
    }
}

async fn add(mut rbd: Rbd, args: &LockArgs) -> Result<(), Failure> {
    let mut words = Words::new(&args.spec.words);
    let spec = Spec::first(&rbd.common, &args.spec, &mut words)?;
    let id = words.need(None, "lock id")?.to_owned();
    words.end()?;
    let image = rbd.open(spec.only_image()?).await?.id;
    // Each call is a client of its own, as with RBD; the process stands for it.
    let process = std::process::id();
    let lock = ToolLock {
        id,
        locker: format!("client.{process}"),
        address: format!("127.0.0.1:0/{process}"),
    };
    let tag = args.shared.clone();
    let shared = tag.is_some();
    let done = rbd.order(ToolRequest::Lock { image, lock, tag }).await;
    done.map_err(|error| match (error.kind, shared) {
        (FaultKind::Busy, false) => refuse(EBUSY, "rbd: lock is already held by someone else"),
        (FaultKind::Busy, true) => refuse(
            EBUSY,
            "rbd: lock is already held by someone else with a different tag",
        ),
        _ => fault("taking lock failed", &error),
    })
}

async fn remove(mut rbd: Rbd, args: &LockArgs) -> Result<(), Failure> {
    let mut words = Words::new(&args.spec.words);
    let spec = Spec::first(&rbd.common, &args.spec, &mut words)?;
    let id = words.need(None, "lock id")?.to_owned();
    let locker = words.need(None, "locker")?.to_owned();
    words.end()?;
    let image = rbd.open(spec.only_image()?).await?.id;
    let lock = ToolLock {
        id,
        locker,
        address: String::new(),
    };
    let done = rbd.order(ToolRequest::Unlock { image, lock }).await;
    done.map_err(|error| fault("releasing lock failed", &error))
}

async fn list(mut rbd: Rbd, args: &SpecArgs) -> Result<(), Failure> {
    let spec = Spec::of(&rbd.common, args)?;
    let Locks { tag, held } = rbd.open(spec.only_image()?).await?.locks;
    let lock = |lock: ToolLock| show::lists::Lock {
        id: lock.id,
        locker: lock.locker,
        address: lock.address,
    };
    let held = held.into_iter().map(lock).collect();
    show::lists::locks(&rbd.common, tag.as_deref(), held);
    Ok(())
}
