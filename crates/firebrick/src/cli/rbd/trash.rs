//! `rbd trash …`.

use std::time::{SystemTime, UNIX_EPOCH};

use firebrick_backend::FaultKind;
use firebrick_site::admin::{ToolReply, ToolRequest, ToolTrash, TrashRequest};
use firebrick_vocabulary::ImageName;

use super::args::{PurgeArgs, ThrowArgs, TrashCommand, TrashIdArgs, TrashLsArgs, TrashRmArgs};
use super::at::moment;
use super::error::{EEXIST, EINVAL, EMLINK, ENOENT, EPERM, failed, fault, refuse};
use super::look::short_id;
use super::progress::Progress;
use super::show;
use super::site::{Rbd, confused};
use super::spec::{Spec, Words};
use crate::exit::Failure;

/// Does what the command line says.
pub(super) async fn run(rbd: Rbd, command: &TrashCommand) -> Result<(), Failure> {
    match command {
        TrashCommand::Move(args) => throw(rbd, args).await,
        TrashCommand::List(args) => list(rbd, args).await,
        TrashCommand::Remove(args) => remove(rbd, args).await,
        TrashCommand::Restore(args) => restore(rbd, args).await,
        TrashCommand::Purge(args) => purge(rbd, args).await,
    }
}

/// Nanoseconds since the Unix epoch.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    })
}

pub(super) fn time(text: &str) -> Result<u64, Failure> {
    if text == "now" {
        return Ok(now());
    }
    moment(text).ok_or_else(|| refuse(EINVAL, format!("rbd: '{text}' is no date or time")))
}

async fn throw(mut rbd: Rbd, args: &ThrowArgs) -> Result<(), Failure> {
    const DOING: &str = "deferred delete error";
    let spec = Spec::of(&rbd.common, &args.spec)?;
    let until = time(&args.expires_at)?;
    let found = rbd.find(spec.only_image()?).await;
    let found = found.map_err(|error| fault(DOING, &error))?;
    let image = found.ok_or_else(|| failed(DOING, ENOENT))?;
    if image.group.is_some() {
        let text = format!(
            "Remove the image from the group and try again.\nrbd: {DOING}: ({EMLINK}) Too many links"
        );
        return Err(refuse(EMLINK, text));
    }
    let what = TrashRequest::Move { until };
    let image = image.id;
    let done = rbd.order(ToolRequest::Throw { image, what }).await;
    done.map_err(|error| fault(DOING, &error))
}

impl Rbd {
    /// What is in the trash of a namespace, by id.
    async fn trash(&mut self, namespace: &str) -> Result<Vec<ToolTrash>, Failure> {
        let mut thrown = match self.call(ToolRequest::Trash).await {
            Ok(ToolReply::Trash(thrown)) => thrown,
            Ok(other) => return Err(fault("trash list", &confused(&other))),
            Err(error) => return Err(fault("trash list", &error)),
        };
        thrown.retain(|thrown| thrown.name.namespace() == namespace);
        Ok(thrown)
    }
}

async fn list(mut rbd: Rbd, args: &TrashLsArgs) -> Result<(), Failure> {
    let namespace = rbd.common.pool_word(args.pool.word.as_deref())?;
    rbd.check_namespace(&namespace).await?;
    let thrown = rbd.trash(&namespace).await?;
    let row = |thrown: &ToolTrash| show::lists::Thrown {
        id: short_id(thrown.id),
        name: thrown.name.base().to_owned(),
        source: thrown.source.as_str().to_owned(),
        at: thrown.deleted,
        until: thrown.until,
        parent: None,
    };
    let rows: Vec<_> = thrown.iter().map(row).collect();
    show::lists::trash(&rbd.common, &rows, args.long, now());
    Ok(())
}

/// The image in the trash whose id begins so, and where its namespace is.
async fn find(rbd: &mut Rbd, args: &TrashIdArgs) -> Result<Option<ToolTrash>, Failure> {
    let mut words = Words::new(&args.words);
    let path = words.need(args.image_id.as_deref(), "image id")?;
    words.end()?;
    let (place, id) = match path.rsplit_once('/') {
        Some((place, id)) => (Some(place), id),
        None => (None, path),
    };
    let namespace = rbd.common.pool_word(place)?;
    let thrown = rbd.trash(&namespace).await?;
    let is_it = |thrown: &ToolTrash| short_id(thrown.id) == id || thrown.id.to_string() == id;
    Ok(thrown.into_iter().find(is_it))
}

async fn remove(mut rbd: Rbd, args: &TrashRmArgs) -> Result<(), Failure> {
    const DOING: &str = "remove error";
    let progress = Progress::new(&rbd.common, "Removing image");
    let found = find(&mut rbd, &args.id).await?;
    let found = found.ok_or_else(|| failed(DOING, ENOENT))?;
    if now() < found.until && !args.force {
        let text = "Deferment time has not expired, please use --force if you really want to remove the image";
        return Err(refuse(EPERM, text));
    }
    end(&mut rbd, &found, args.force).await?;
    progress.done();
    Ok(())
}

async fn end(rbd: &mut Rbd, thrown: &ToolTrash, force: bool) -> Result<(), Failure> {
    let taken = rbd.snapshots(thrown.id).await;
    let taken = taken.map_err(|error| fault("remove error", &error))?;
    super::change::check_snapshots(&taken)?;
    let what = TrashRequest::Remove { force };
    let image = thrown.id;
    let done = rbd.order(ToolRequest::Throw { image, what }).await;
    done.map_err(|error| fault("remove error", &error))
}

async fn restore(mut rbd: Rbd, args: &TrashIdArgs) -> Result<(), Failure> {
    let missing = || refuse(ENOENT, "rbd: error: image does not exist in trash");
    let found = find(&mut rbd, args).await?.ok_or_else(missing)?;
    let name = match &args.image {
        None => None,
        Some(name) => {
            let within = found.name.namespace();
            let full = match within {
                "" => name.clone(),
                within => format!("{within}/{name}"),
            };
            let invalid = |error| refuse(EINVAL, format!("rbd: invalid spec '{name}': {error}"));
            Some(ImageName::new(full).map_err(invalid)?)
        }
    };
    let what = TrashRequest::Restore { name };
    let image = found.id;
    let done = rbd.order(ToolRequest::Throw { image, what }).await;
    done.map_err(|error| match error.kind {
        FaultKind::Exists => refuse(
            EEXIST,
            "rbd: error: an image with the same name already exists, try again with a different name",
        ),
        _ => fault("restore error", &error),
    })
}

async fn purge(mut rbd: Rbd, args: &PurgeArgs) -> Result<(), Failure> {
    let namespace = rbd.common.pool_word(args.pool.word.as_deref())?;
    rbd.check_namespace(&namespace).await?;
    let before = args.expired_before.as_deref().map(time).transpose()?;
    let before = before.map_or_else(now, |before| before.min(now()));
    let mut progress = Progress::new(&rbd.common, "Removing images");
    let mut thrown = rbd.trash(&namespace).await?;
    thrown.retain(|thrown| thrown.until <= before);
    let total = thrown.len() as u64;
    for (i, thrown) in thrown.iter().enumerate() {
        end(&mut rbd, thrown, false).await?;
        progress.at(i as u64 + 1, total);
    }
    progress.done();
    Ok(())
}
