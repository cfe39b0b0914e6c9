//! `rbd journal import`.

mod queue;
mod replay;

use std::collections::BTreeMap;
use std::io;

use firebrick_site::admin::{ToolImage, ToolRequest};

use self::queue::{Next, Queue};
use self::replay::Replay;
use super::args::ImportArgs;
use super::target::{Named, Target};
use crate::cli::rbd::apply::{broken, open_input};
use crate::cli::rbd::error::{EINVAL, ENOENT, failed, fault, refuse};
use crate::cli::rbd::progress::Progress;
use crate::cli::rbd::site::Rbd;
use crate::cli::rbd::spec::{Place, Words};
use crate::exit::Failure;
use crate::printer::Printer;

const DOING: &str = "journal import";

/// `rbd journal import`
pub(super) async fn run(mut rbd: Rbd, args: &ImportArgs) -> Result<(), Failure> {
    let mut words = Words::new(&args.words);
    let path = words.need(args.path.as_deref(), "path")?;
    let (journal, group) = (args.dest_journal.as_deref(), args.dest_group.as_deref());
    let image = match journal.or(group) {
        Some(_) => args.dest.as_deref(),
        None => words.or_next(args.dest.as_deref()),
    };
    words.end()?;
    let named = Named {
        image,
        journal,
        group,
    };
    let target = destination(&mut rbd, args, named).await?;
    let mut images = members(&mut rbd, &target).await?;
    let input = open_input(path)?;
    let mut queue = Queue::new(input).map_err(|error| broken(DOING, &error))?;
    let mut progress = Progress::late(&rbd.common, "Importing journal");
    let (mut entries, mut errors, mut failure) = (0_u64, 0_u64, None);
    loop {
        let next = match queue.next() {
            Ok(Some(next)) => next,
            Ok(None) => break,
            // What follows cannot be told apart any more.
            Err(error) => {
                errors += 1;
                failure.get_or_insert(broken(DOING, &error));
                break;
            }
        };
        entries += 1;
        progress.at(queue.read(), queue.size());
        let done = one(&mut rbd, &target, &mut images, next, args.verbose).await;
        if let Err(failed) = done {
            errors += 1;
            failure.get_or_insert(failed);
            if !args.no_error {
                break;
            }
        }
    }
    Printer::line(&format!("{entries} entries processed, {errors} errors"));
    Printer::line("Waiting for journal append to complete...");
    let flushed = rbd.order(ToolRequest::Flush).await;
    flushed.map_err(|error| fault(DOING, &error))?;
    if let Some(failure) = failure {
        Err(failure)
    } else {
        progress.done();
        Ok(())
    }
}

async fn destination(
    rbd: &mut Rbd,
    args: &ImportArgs,
    named: Named<'_>,
) -> Result<Target, Failure> {
    let pool = args.dest_pool.clone().or_else(|| rbd.common.pool.clone());
    let namespace = args.dest_namespace.clone();
    let namespace = namespace.or_else(|| rbd.common.namespace.clone());
    let place = Place {
        pool: pool.as_deref(),
        namespace: namespace.as_deref(),
    };
    Target::within(rbd, named, place).await
}

/// The images that get entries, by the last part of their names.
async fn members(rbd: &mut Rbd, target: &Target) -> Result<BTreeMap<String, ToolImage>, Failure> {
    let mut images = BTreeMap::new();
    for (_, name) in &target.images {
        let image = rbd.open(name).await?;
        images.insert(image.name.base().to_owned(), image);
    }
    Ok(images)
}

/// Replays one entry.
async fn one(
    rbd: &mut Rbd,
    target: &Target,
    images: &mut BTreeMap<String, ToolImage>,
    next: Next,
    verbose: bool,
) -> Result<(), Failure> {
    let Next {
        number,
        image,
        shown,
        act,
    } = next;
    if verbose {
        Printer::line(&shown.0);
        Printer::json_as(&shown.1, true);
    }
    let act = act.map_err(|error: io::Error| {
        let text =
            format!("rbd: corrupted entry {number}: {error}\nrbd: {DOING}: (22) Invalid argument");
        refuse(EINVAL, text)
    })?;
    let image = if target.of_group {
        let name = image.unwrap_or_default();
        let base = name.rsplit('/').next().unwrap_or_default();
        images.get_mut(base).ok_or_else(|| {
            let doing = format!("{DOING}: the group has no image '{base}' for entry {number}");
            failed(&doing, ENOENT)
        })?
    } else {
        let only = images.values_mut().next();
        only.ok_or_else(|| failed(DOING, ENOENT))?
    };
    Replay { rbd, image, number }.act(act).await
}
