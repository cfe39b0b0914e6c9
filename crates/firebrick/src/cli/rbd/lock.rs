//! `rbd lock …`.

use firebrick_backend::FaultKind;
use firebrick_site::admin::{Locks, ToolLock, ToolRequest};

use super::args::{LockArgs, LockCommand, SpecArgs};
use super::doc::Doc;
use super::error::{EBUSY, fault, refuse};
use super::site::Rbd;
use super::spec::{Spec, Words};
use super::table::{Lean, Table};
use crate::exit::Failure;
use crate::printer::Printer;

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
    if rbd.structured() {
        let row = |lock: &ToolLock| {
            Doc::map([
                ("id", (&lock.id).into()),
                ("locker", (&lock.locker).into()),
                ("address", (&lock.address).into()),
            ])
        };
        rbd.print("locks", &Doc::list("lock", held.iter().map(row)));
        return Ok(());
    }
    if held.is_empty() {
        return Ok(());
    }
    let kind = if tag.is_some() { "shared" } else { "exclusive" };
    Printer::line(&match held.len() {
        1 => format!("There is 1 {kind} lock on this image."),
        count => format!("There are {count} {kind} locks on this image."),
    });
    if let Some(tag) = tag {
        Printer::line(&format!("Lock tag: {tag}"));
    }
    let mut table = Table::new(&[
        ("Locker", Lean::Left),
        ("ID", Lean::Left),
        ("Address", Lean::Left),
    ]);
    for lock in held {
        table.row([lock.locker, lock.id, lock.address]);
    }
    Printer::line(&table.text());
    Ok(())
}
