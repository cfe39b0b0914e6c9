//! `rbd namespace …`.

use firebrick_backend::FaultKind;
use firebrick_site::admin::{NamespaceRequest, ToolReply, ToolRequest};

use super::args::{NamespaceCommand, PoolArgs};
use super::error::{EBUSY, EINVAL, ENOENT, fault, refuse};
use super::show;
use super::site::{Rbd, confused};
use crate::exit::Failure;

/// Does what the command line says.
pub(super) async fn run(rbd: Rbd, command: &NamespaceCommand) -> Result<(), Failure> {
    match command {
        NamespaceCommand::Create(args) => create(rbd, args).await,
        NamespaceCommand::List(args) => list(rbd, args).await,
        NamespaceCommand::Remove(args) => remove(rbd, args).await,
    }
}

fn name(rbd: &Rbd, args: &PoolArgs) -> Result<String, Failure> {
    let name = rbd.common.pool_word(args.word.as_deref())?;
    if name.is_empty() {
        return Err(refuse(EINVAL, "rbd: namespace name was not specified"));
    }
    Ok(name)
}

async fn create(mut rbd: Rbd, args: &PoolArgs) -> Result<(), Failure> {
    let name = name(&rbd, args)?;
    let what = NamespaceRequest::Create;
    let done = rbd.order(ToolRequest::Namespace { name, what }).await;
    done.map_err(|error| fault("failed to created namespace", &error))
}

async fn remove(mut rbd: Rbd, args: &PoolArgs) -> Result<(), Failure> {
    let name = name(&rbd, args)?;
    let what = NamespaceRequest::Remove;
    let done = rbd.order(ToolRequest::Namespace { name, what }).await;
    done.map_err(|error| match error.kind {
        FaultKind::Busy => refuse(
            EBUSY,
            "rbd: namespace contains images which must be deleted first.",
        ),
        FaultKind::NotFound => refuse(ENOENT, "rbd: namespace does not exist."),
        _ => fault("failed to remove namespace", &error),
    })
}

async fn list(mut rbd: Rbd, args: &PoolArgs) -> Result<(), Failure> {
    rbd.common.pool_word(args.word.as_deref())?;
    let names = rbd.namespaces().await?;
    show::lists::namespaces(&rbd.common, names);
    Ok(())
}

impl Rbd {
    /// All namespaces, by name.
    pub(super) async fn namespaces(&mut self) -> Result<Vec<String>, Failure> {
        const DOING: &str = "failed to list namespaces";
        match self.call(ToolRequest::Namespaces).await {
            Ok(ToolReply::Namespaces(names)) => Ok(names),
            Ok(other) => Err(fault(DOING, &confused(&other))),
            Err(error) => Err(fault(DOING, &error)),
        }
    }

    /// Refuses a namespace that is not there.
    pub(super) async fn check_namespace(&mut self, name: &str) -> Result<(), Failure> {
        if name.is_empty() || self.namespaces().await?.iter().any(|known| known == name) {
            return Ok(());
        }
        let text = format!("rbd: namespace '{name}' does not exist.");
        Err(refuse(ENOENT, text))
    }
}
