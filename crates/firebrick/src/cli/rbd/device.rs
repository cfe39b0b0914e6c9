//! `rbd device map`, `unmap`, `list`: how clients reach images, which is NBD here.

use firebrick_backend::{Access, Backend as _, ExportKey};

use super::args::{DeviceCommand, MapArgs, UnmapArgs};
use super::doc::Doc;
use super::error::{EINVAL, EOPNOTSUPP, fault, refuse};
use super::site::Rbd;
use super::spec::{POOL, Spec};
use super::table::{Lean, Table};
use crate::exit::Failure;
use crate::printer::Printer;

/// Does what the command line says.
pub(super) async fn run(rbd: Rbd, command: &DeviceCommand) -> Result<(), Failure> {
    match command {
        DeviceCommand::Map(args) => map(rbd, args).await,
        DeviceCommand::Unmap(args) => unmap(rbd, args).await,
        DeviceCommand::List => list(rbd).await,
    }
}

fn check_type(kind: Option<&str>) -> Result<(), Failure> {
    match kind {
        None | Some("nbd") => Ok(()),
        Some("krbd" | "ggate" | "ubbd" | "wnbd") => {
            let text = "rbd: map failed: images are reached by NBD only";
            Err(refuse(EOPNOTSUPP, text))
        }
        Some(other) => Err(refuse(
            EINVAL,
            format!("rbd: invalid device type '{other}'"),
        )),
    }
}

/// `rbd map`
pub(super) async fn map(mut rbd: Rbd, args: &MapArgs) -> Result<(), Failure> {
    check_type(args.device_type.as_deref())?;
    let spec = Spec::of(&rbd.common, &args.spec)?;
    if spec.snapshot.is_some() {
        let text = "rbd: map failed: clone the snapshot, and map the clone";
        return Err(refuse(EOPNOTSUPP, text));
    }
    let image = rbd.open(spec.image()?).await?;
    let access = if args.read_only {
        Access::ReadOnly
    } else {
        Access::ReadWrite
    };
    let key = ExportKey(args.holder.clone());
    let address = rbd.backend.export(image.id, key, access).await;
    let address = address.map_err(|error| fault("map failed", &error))?;
    if rbd.structured() {
        let uri = ("uri", (&address.uri).into());
        let export = ("export", (&address.export).into());
        rbd.print("device", &Doc::map([uri, export]));
    } else {
        Printer::line(&address.uri);
    }
    Ok(())
}

/// `rbd unmap`
pub(super) async fn unmap(mut rbd: Rbd, args: &UnmapArgs) -> Result<(), Failure> {
    const DOING: &str = "unmap failed";
    check_type(args.device_type.as_deref())?;
    let spec = Spec::of(&rbd.common, &args.spec)?;
    let image = rbd.open(spec.only_image()?).await?;
    let key = ExportKey(args.holder.clone());
    let held = rbd.backend.exports().await;
    let held = held.map_err(|error| fault(DOING, &error))?;
    if !held
        .iter()
        .any(|export| export.image == image.id && export.key == key)
    {
        let name = image.name.base();
        let text = format!(
            "rbd: {name}: not a mapped image or snapshot\nrbd: {DOING}: (22) Invalid argument"
        );
        return Err(refuse(EINVAL, text));
    }
    let done = rbd.backend.unexport(image.id, key).await;
    done.map_err(|error| fault(DOING, &error))
}

/// `rbd showmapped`
pub(super) async fn list(mut rbd: Rbd) -> Result<(), Failure> {
    let exports = rbd.backend.exports().await;
    let exports = exports.map_err(|error| fault("listing devices failed", &error))?;
    let images = rbd.images().await?;
    let mut table = Table::new(&[
        ("id", Lean::Left),
        ("pool", Lean::Left),
        ("namespace", Lean::Left),
        ("image", Lean::Left),
        ("snap", Lean::Left),
        ("device", Lean::Left),
    ]);
    let mut devices = Vec::new();
    for export in exports {
        let Some(image) = images.iter().find(|image| image.id == export.image) else {
            continue;
        };
        let name = &image.name;
        let (namespace, base) = (name.namespace(), name.base());
        let uri = &export.address.uri;
        let cells = [&export.key.0, POOL, namespace, base, "-", uri];
        table.row(cells.map(str::to_owned));
        devices.push(Doc::map([
            ("id", (&export.key.0).into()),
            ("pool", POOL.into()),
            ("namespace", namespace.into()),
            ("name", base.into()),
            ("snap", "-".into()),
            ("device", uri.into()),
            ("read_only", (export.access == Access::ReadOnly).into()),
            ("clients", export.clients.into()),
        ]));
    }
    if rbd.structured() {
        rbd.print("devices", &Doc::list("device", devices));
    } else if !table.is_empty() {
        Printer::line(&table.text());
    }
    Ok(())
}
