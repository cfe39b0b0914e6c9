//! `rbd image-meta …`.

use firebrick_site::admin::{ToolImage, ToolRequest};

use super::args::{MetaCommand, NoteArgs, SpecArgs};
use super::error::{EINVAL, ENOENT, failed, fault, refuse};
use super::show;
use super::site::Rbd;
use super::spec::{Spec, Words};
use crate::exit::Failure;
use crate::printer::Printer;

/// Does what the command line says.
pub(super) async fn run(rbd: Rbd, command: &MetaCommand) -> Result<(), Failure> {
    match command {
        MetaCommand::Get(args) => get(rbd, args).await,
        MetaCommand::List(args) => list(rbd, args).await,
        MetaCommand::Remove(args) => remove(rbd, args).await,
        MetaCommand::Set(args) => set(rbd, args).await,
    }
}

/// The image, and the words behind it.
async fn open<'a>(
    rbd: &mut Rbd,
    args: &'a NoteArgs,
) -> Result<(ToolImage, &'a str, Words<'a>), Failure> {
    let mut words = Words::new(&args.spec.words);
    let spec = Spec::first(&rbd.common, &args.spec, &mut words)?;
    let name = spec.only_image()?;
    let key = words.need(None, "metadata key")?;
    Ok((rbd.open(name).await?, key, words))
}

async fn get(mut rbd: Rbd, args: &NoteArgs) -> Result<(), Failure> {
    let (image, key, words) = open(&mut rbd, args).await?;
    words.end()?;
    let value = image.metadata.get(key);
    let missing = || failed("getting metadata failed", ENOENT);
    Printer::line(value.ok_or_else(missing)?);
    Ok(())
}

async fn set(mut rbd: Rbd, args: &NoteArgs) -> Result<(), Failure> {
    let (image, key, mut words) = open(&mut rbd, args).await?;
    let value = words.need(None, "metadata value")?.to_owned();
    words.end()?;
    note(
        &mut rbd,
        &image,
        key,
        Some(value),
        "setting metadata failed",
    )
    .await
}

async fn remove(mut rbd: Rbd, args: &NoteArgs) -> Result<(), Failure> {
    const DOING: &str = "removing metadata failed";
    let (image, key, words) = open(&mut rbd, args).await?;
    words.end()?;
    if !image.metadata.contains_key(key) {
        let missing = failed(DOING, ENOENT);
        let text = format!("rbd: no existing metadata key {key} of image\n{missing}");
        return Err(refuse(ENOENT, text));
    }
    note(&mut rbd, &image, key, None, DOING).await
}

/// Sets or removes a key.
pub(super) async fn note(
    rbd: &mut Rbd,
    image: &ToolImage,
    key: &str,
    value: Option<String>,
    doing: &str,
) -> Result<(), Failure> {
    if key.is_empty() {
        return Err(refuse(EINVAL, "rbd: metadata key was not specified"));
    }
    let request = ToolRequest::Note {
        image: image.id,
        key: key.to_owned(),
        value,
    };
    let done = rbd.order(request).await;
    done.map_err(|error| fault(doing, &error))
}

async fn list(mut rbd: Rbd, args: &SpecArgs) -> Result<(), Failure> {
    let spec = Spec::of(&rbd.common, args)?;
    let image = rbd.open(spec.only_image()?).await?;
    show::lists::notes(&rbd.common, image.metadata);
    Ok(())
}
