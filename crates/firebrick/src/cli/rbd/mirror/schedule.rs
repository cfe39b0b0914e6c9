//! `rbd mirror snapshot schedule …`, and the same of groups.

use firebrick_backend::{Fault, FaultKind};
use firebrick_site::admin::{
    MirrorReply, MirrorRequest, NextRun, Schedule, ScheduleItem, ScheduleLevel, ScheduleRequest,
    Schedules, ToolReply,
};
use firebrick_vocabulary::ImageName;

use super::args::{
    AddScheduleArgs, ListScheduleArgs, RemoveScheduleArgs, ScheduleCommand, ScheduleLevelArgs,
};
use crate::cli::rbd::at::minute;
use crate::cli::rbd::doc::Doc;
use crate::cli::rbd::error::{EINVAL, ENOENT, failed, fault, refuse};
use crate::cli::rbd::site::{Rbd, confused};
use crate::cli::rbd::spec::{POOL, check_pool, full_name, image as full};
use crate::cli::rbd::table::{Lean, Table};
use crate::exit::Failure;
use crate::printer::Printer;

/// Does what the command line says.
pub(super) async fn run(rbd: Rbd, command: &ScheduleCommand) -> Result<(), Failure> {
    match command {
        ScheduleCommand::Add(args) => add(rbd, args).await,
        ScheduleCommand::Remove(args) => remove(rbd, args).await,
        ScheduleCommand::Ls(args) => list(rbd, args).await,
        ScheduleCommand::Status(args) => status(rbd, args).await,
    }
}

/// What a command line is about: a level, and what it is called.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Level {
    level: ScheduleLevel,
    name: Option<ImageName>,
}

impl Level {
    async fn of(rbd: &mut Rbd, args: &ScheduleLevelArgs) -> Result<Self, Failure> {
        let place = rbd.common.place();
        let named = args.image.as_deref().or(args.group.as_deref());
        let Some(path) = named else {
            check_pool(place.pool)?;
            let level = match (place.namespace, place.pool) {
                (Some(name), _) if !name.is_empty() => ScheduleLevel::Namespace(name.to_owned()),
                (_, Some(_)) => ScheduleLevel::Pool,
                (_, None) => ScheduleLevel::Site,
            };
            return Ok(Self { level, name: None });
        };
        let name = full(place, path)?;
        let level = if args.group.is_some() {
            let doing = format!("error opening group {}", name.base());
            ScheduleLevel::Group(rbd.group(&name, &doing).await?.id)
        } else {
            ScheduleLevel::Image(rbd.open(&name).await?.id)
        };
        Ok(Self {
            level,
            name: Some(name),
        })
    }

    fn of_schedule(schedule: &Schedule) -> Self {
        Self {
            level: schedule.level.clone(),
            name: schedule.name.clone(),
        }
    }

    /// The namespace, where it is not about all of them.
    fn namespace(&self) -> Option<&str> {
        match (&self.level, &self.name) {
            (ScheduleLevel::Namespace(name), _) => Some(name),
            (_, name) => name.as_ref().map(ImageName::namespace),
        }
    }

    /// Whether something may be about both.
    fn meets(&self, other: &Self) -> bool {
        let (Some(here), Some(there)) = (self.namespace(), other.namespace()) else {
            return true;
        };
        here == there && (self.name.is_none() || other.name.is_none() || self.name == other.name)
    }

    /// Pool, namespace and image, as the `rbd` tool lists them.
    fn columns(&self) -> [&str; 3] {
        let pool = if self.level == ScheduleLevel::Site {
            "-"
        } else {
            POOL
        };
        let name = self.name.as_ref().map_or("-", ImageName::base);
        [pool, self.namespace().unwrap_or("-"), name]
    }
}

async fn ask(rbd: &mut Rbd, request: ScheduleRequest) -> Result<MirrorReply, Fault> {
    rbd.mirror(MirrorRequest::Schedule { request }).await
}

async fn order(rbd: &mut Rbd, request: ScheduleRequest, doing: &str) -> Result<(), Failure> {
    let done = match ask(rbd, request).await {
        Ok(MirrorReply::Done) => Ok(()),
        Ok(other) => Err(confused(&ToolReply::Mirror(other))),
        Err(error) => Err(error),
    };
    done.map_err(|error| match error.kind {
        FaultKind::Invalid => refuse(EINVAL, format!("rbd: {}", error.why)),
        _ => fault(doing, &error),
    })
}

async fn schedules(rbd: &mut Rbd) -> Result<Schedules, Failure> {
    let doing = "failed to list schedules";
    match ask(rbd, ScheduleRequest::List).await {
        Ok(MirrorReply::Schedules(schedules)) => Ok(schedules),
        Ok(other) => Err(fault(doing, &confused(&ToolReply::Mirror(other)))),
        Err(error) => Err(fault(doing, &error)),
    }
}

fn item(interval: &str, start_time: Option<&str>) -> Result<ScheduleItem, Failure> {
    let invalid = |why: String| refuse(EINVAL, format!("rbd: {why}"));
    let start_time = start_time.filter(|text| !text.is_empty());
    Ok(ScheduleItem {
        interval: interval.parse().map_err(invalid)?,
        start_time: start_time.map(str::parse).transpose().map_err(invalid)?,
    })
}

async fn add(mut rbd: Rbd, args: &AddScheduleArgs) -> Result<(), Failure> {
    let item = item(&args.interval, args.start_time.as_deref())?;
    let level = Level::of(&mut rbd, &args.level).await?.level;
    let request = ScheduleRequest::Add { level, item };
    order(&mut rbd, request, "failed to add the schedule").await
}

async fn remove(mut rbd: Rbd, args: &RemoveScheduleArgs) -> Result<(), Failure> {
    let interval = args.interval.as_deref().filter(|text| !text.is_empty());
    let item = interval.map(|interval| item(interval, args.start_time.as_deref()));
    let item = item.transpose()?;
    let level = Level::of(&mut rbd, &args.level).await?.level;
    let request = ScheduleRequest::Remove { level, item };
    order(&mut rbd, request, "failed to remove the schedule").await
}

/// The parts of a schedule, for programs.
fn items(schedule: &Schedule) -> Doc {
    let row = |item: &ScheduleItem| {
        let start = item.start_time.map(|time| time.to_string());
        Doc::map([
            ("interval", item.interval.to_string().into()),
            ("start_time", start.unwrap_or_default().into()),
        ])
    };
    Doc::list("item", schedule.items.iter().map(row))
}

/// The parts of a schedule, for people.
fn sentence(schedule: &Schedule) -> String {
    let part = |item: &ScheduleItem| {
        let start = item.start_time.map(|time| format!(" starting at {time}"));
        format!("every {}{}", item.interval, start.unwrap_or_default())
    };
    let parts: Vec<String> = schedule.items.iter().map(part).collect();
    parts.join(", ")
}

async fn list(mut rbd: Rbd, args: &ListScheduleArgs) -> Result<(), Failure> {
    let level = Level::of(&mut rbd, &args.level).await?;
    let all = schedules(&mut rbd).await?.schedules;
    if !args.recursive {
        let own = all.iter().find(|schedule| schedule.level == level.level);
        let own = own.ok_or_else(|| failed("there is no such schedule", ENOENT))?;
        if rbd.structured() {
            rbd.print("items", &items(own));
        } else {
            Printer::line(&sentence(own));
        }
        return Ok(());
    }
    let mut shown: Vec<(Level, &Schedule)> = all
        .iter()
        .map(|schedule| (Level::of_schedule(schedule), schedule))
        .filter(|(of, _)| of.meets(&level))
        .collect();
    shown.sort_by(|(one, _), (other, _)| one.columns().cmp(&other.columns()));
    let is_group = |of: &Level| matches!(of.level, ScheduleLevel::Group(_));
    if rbd.structured() {
        let row = |(of, schedule): &(Level, &Schedule)| {
            let [pool, namespace, name] = of.columns();
            let what = if is_group(of) { "group" } else { "image" };
            Doc::map([
                ("pool", pool.into()),
                ("namespace", namespace.into()),
                (what, name.into()),
                ("items", items(schedule)),
            ])
        };
        rbd.print("schedules", &Doc::list("schedule", shown.iter().map(row)));
        return Ok(());
    }
    let headings = ["POOL", "NAMESPACE", "IMAGE", "SCHEDULE"];
    let mut table = Table::new(&headings.map(|heading| (heading, Lean::Left)));
    for (of, schedule) in shown {
        let mut cells = of.columns().map(str::to_owned).to_vec();
        if is_group(&of) {
            cells[2] = format!("group {}", cells[2]);
        }
        cells.push(sentence(schedule));
        table.row(cells);
    }
    if !table.is_empty() {
        Printer::line(&table.text());
    }
    Ok(())
}

async fn status(mut rbd: Rbd, args: &ScheduleLevelArgs) -> Result<(), Failure> {
    let level = Level::of(&mut rbd, args).await?;
    let mut next = schedules(&mut rbd).await?.next;
    next.retain(|run| {
        let own = if run.group {
            ScheduleLevel::Group(run.id)
        } else {
            ScheduleLevel::Image(run.id)
        };
        let own = Level {
            level: own,
            name: Some(run.name.clone()),
        };
        own.meets(&level)
    });
    let name = |run: &NextRun| {
        let what = if run.group { "group " } else { "" };
        format!("{what}{}", full_name(&run.name))
    };
    if rbd.structured() {
        let row = |run: &NextRun| {
            Doc::map([
                ("schedule_time", minute(run.time).into()),
                (
                    if run.group { "group" } else { "image" },
                    full_name(&run.name).into(),
                ),
            ])
        };
        let rows = Doc::list("image", next.iter().map(row));
        rbd.print("scheduled_images", &rows);
        return Ok(());
    }
    let mut table = Table::new(&[("SCHEDULE TIME", Lean::Left), ("IMAGE", Lean::Left)]);
    for run in &next {
        table.row([minute(run.time), name(run)]);
    }
    // As in RBD, the headings are there without any row.
    Printer::line(&table.text());
    Ok(())
}

#[cfg(test)]
mod tests {
    use firebrick_vocabulary::ImageId;
    use uuid::Uuid;

    use super::*;

    fn level(level: ScheduleLevel, name: Option<&str>) -> Level {
        let name = name.map(|name| ImageName::new(name).unwrap());
        Level { level, name }
    }

    #[test]
    fn levels_are_listed_and_meet_as_in_rbd() {
        let image = ScheduleLevel::Image(ImageId(Uuid::from_u128(1)));
        let site = level(ScheduleLevel::Site, None);
        let pool = level(ScheduleLevel::Pool, None);
        let tenant = level(ScheduleLevel::Namespace("t".to_owned()), None);
        let plain = level(image.clone(), Some("disk"));
        let theirs = level(image, Some("t/disk"));
        for (of, columns) in [
            (&site, ["-", "-", "-"]),
            (&pool, ["volumes", "-", "-"]),
            (&tenant, ["volumes", "t", "-"]),
            (&plain, ["volumes", "", "disk"]),
            (&theirs, ["volumes", "t", "disk"]),
        ] {
            assert_eq!(of.columns(), columns);
            assert!(of.meets(of) && of.meets(&pool) && pool.meets(of) && of.meets(&site));
        }
        assert!(tenant.meets(&theirs) && theirs.meets(&tenant));
        assert!(!tenant.meets(&plain) && !plain.meets(&theirs));
    }

    #[test]
    fn a_schedule_is_a_sentence() {
        let items = [item("90m", None), item("1d", Some("14:00:00-05:00"))];
        let schedule = Schedule {
            level: ScheduleLevel::Pool,
            name: None,
            items: items.into_iter().map(|item| item.ok().unwrap()).collect(),
        };
        let said = "every 90m, every 1d starting at 14:00:00-05:00";
        assert_eq!(sentence(&schedule), said);
    }
}
