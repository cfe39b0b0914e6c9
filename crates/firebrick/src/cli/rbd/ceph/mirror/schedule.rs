//! `mirror snapshot schedule …`: the manager keeps schedules and takes the snapshots; it is told by commands.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cli::rbd::ceph::site::{Ceph, trouble};
use crate::cli::rbd::ceph::spec::{DEFAULT_POOL, Place, Spec};
use crate::cli::rbd::ceph::without;
use crate::cli::rbd::doc::Doc;
use crate::cli::rbd::error::{EBADMSG, EINVAL, EIO, ENOENT, failed, refuse};
use crate::cli::rbd::mirror::args::{ScheduleCommand, ScheduleLevelArgs};
use crate::cli::rbd::table::{Lean, Table};
use crate::exit::Failure;
use crate::printer::Printer;

/// Does what the command line says.
pub(super) fn run(ceph: &Ceph, command: &ScheduleCommand) -> Result<(), Failure> {
    match command {
        ScheduleCommand::Add(args) => {
            let level = level(ceph, &args.level)?;
            let when = when(Some(&args.interval), args.start_time.as_deref());
            ask(ceph, "add", &level, when).map(|answer| said(&answer))
        }
        ScheduleCommand::Remove(args) => {
            let level = level(ceph, &args.level)?;
            let when = when(args.interval.as_deref(), args.start_time.as_deref());
            ask(ceph, "remove", &level, when).map(|answer| said(&answer))
        }
        ScheduleCommand::Ls(args) => list(ceph, &level(ceph, &args.level)?, args.recursive),
        ScheduleCommand::Status(args) => status(ceph, &level(ceph, args)?),
    }
}

/// What a schedule is for, as the manager names it: nothing, `POOL/`, `POOL/NAMESPACE/`, or with an image.
fn level(ceph: &Ceph, args: &ScheduleLevelArgs) -> Result<String, Failure> {
    if args.group.is_some() {
        let text = "a manager takes mirror snapshots of images, not of groups; use --image";
        return Err(without(text));
    }
    let common = &ceph.common;
    let pool = common.pool.as_deref().unwrap_or(DEFAULT_POOL);
    let Some(image) = &args.image else {
        return Ok(match (&common.pool, &common.namespace) {
            (None, None) => String::new(),
            (Some(pool), None) => format!("{pool}/"),
            (_, Some(namespace)) => format!("{pool}/{namespace}/"),
        });
    };
    for (what, is_said) in [
        ("pool", common.pool.is_some()),
        ("namespace", common.namespace.is_some()),
    ] {
        if is_said && image.contains('/') {
            let text = format!("rbd: {what} is specified both via {what} and image options");
            return Err(refuse(EINVAL, text));
        }
    }
    let spec = Spec::within(Place::of(common), Some(image), None)?;
    let name = spec.only_image()?;
    let Place { pool, namespace } = &spec.place;
    Ok(match namespace.as_str() {
        "" => format!("{pool}/{name}"),
        namespace => format!("{pool}/{namespace}/{name}"),
    })
}

/// When, as far as that is said.
fn when(interval: Option<&str>, start: Option<&str>) -> Vec<(&'static str, String)> {
    let said = [("interval", interval), ("start_time", start)];
    let said = said
        .into_iter()
        .filter_map(|(key, text)| Some((key, text?)));
    let said = said.filter(|(_, text)| !text.is_empty());
    said.map(|(key, text)| (key, text.to_owned())).collect()
}

/// Prints what the manager says where nothing else is printed.
fn said(answer: &str) {
    Printer::text(answer);
}

fn ask(
    ceph: &Ceph,
    verb: &str,
    level: &str,
    more: Vec<(&'static str, String)>,
) -> Result<String, Failure> {
    let what = format!("rbd mirror snapshot schedule {verb}");
    let mut command = json!({"prefix": what, "level_spec": level});
    for (key, value) in more {
        command[key] = value.into();
    }
    let answer = ceph.connection.ask_manager(&command.to_string());
    let answer = answer.map_err(|refused| {
        let text = trouble(&format!("{what} failed"), &refused.trouble).to_string();
        let errno = u8::try_from(refused.trouble.errno()).unwrap_or(EIO);
        match refused.why.trim_end_matches(['\0', '\n']) {
            "" => refuse(errno, text),
            why => refuse(errno, format!("{text}: {why}")),
        }
    })?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn understood(answer: &str, what: &str) -> Result<Value, Failure> {
    let text = || format!("rbd: invalid {what} JSON received");
    serde_json::from_str(answer).map_err(|_| refuse(EBADMSG, text()))
}

/// When snapshots are taken: intervals, each with the time from which it is counted, or none.
type Items = Vec<(String, String)>;

/// The schedules, by their levels.
fn schedules(answer: &str) -> Result<BTreeMap<String, Items>, Failure> {
    let found = understood(answer, "schedule list")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let one = |found: &Value| {
        let items = found["schedule"].as_array().into_iter().flatten();
        let items = items.map(|item| (text(&item["interval"]), text(&item["start_time"])));
        (text(&found["name"]), items.collect())
    };
    let found = found.as_object().into_iter().flatten();
    Ok(found.map(|(_, found)| one(found)).collect())
}

fn items(items: &Items) -> Doc {
    let item = |(interval, start): &(String, String)| {
        Doc::map([("interval", interval.into()), ("start_time", start.into())])
    };
    Doc::list("item", items.iter().map(item))
}

fn sentence(items: &Items) -> String {
    let part = |(interval, start): &(String, String)| match start.as_str() {
        "" => format!("every {interval}"),
        start => format!("every {interval} starting at {start}"),
    };
    let parts: Vec<String> = items.iter().map(part).collect();
    parts.join(", ")
}

/// Pool, namespace and image of a level, as they are listed.
fn columns(level: &str) -> [&str; 3] {
    let parts: Vec<&str> = level.split('/').collect();
    match parts.as_slice() {
        [pool, ""] => [pool, "-", "-"],
        [pool, image] => [pool, "", image],
        [pool, namespace, ""] => [pool, namespace, "-"],
        [pool, namespace, image] => [pool, namespace, image],
        _ => ["-", "-", "-"],
    }
}

fn list(ceph: &Ceph, level: &str, recursive: bool) -> Result<(), Failure> {
    let found = schedules(&ask(ceph, "list", level, Vec::new())?)?;
    let common = &ceph.common;
    if !recursive {
        let missing = || failed("there is no such schedule", ENOENT);
        let own = found.get(level).ok_or_else(missing)?;
        if common.structured() {
            common.print("items", &items(own));
        } else {
            Printer::line(&sentence(own));
        }
        return Ok(());
    }
    if common.structured() {
        let row = |(level, own): (&String, &Items)| {
            let [pool, namespace, image] = columns(level);
            Doc::map([
                ("pool", pool.into()),
                ("namespace", namespace.into()),
                ("image", image.into()),
                ("items", items(own)),
            ])
        };
        common.print("schedules", &Doc::list("schedule", found.iter().map(row)));
        return Ok(());
    }
    let headings = ["POOL", "NAMESPACE", "IMAGE", "SCHEDULE"];
    let mut table = Table::new(&headings.map(|heading| (heading, Lean::Left)));
    for (level, own) in &found {
        let mut cells = columns(level).map(str::to_owned).to_vec();
        cells.push(sentence(own));
        table.row(cells);
    }
    Printer::line(&table.text());
    Ok(())
}

fn status(ceph: &Ceph, level: &str) -> Result<(), Failure> {
    let found = understood(&ask(ceph, "status", level, Vec::new())?, "schedule status")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rows = found["scheduled_images"].as_array().into_iter().flatten();
    let rows = rows.map(|row| (text(&row["schedule_time"]), text(&row["image"])));
    let rows: Vec<(String, String)> = rows.collect();
    if ceph.common.structured() {
        let row = |(time, image): &(String, String)| {
            Doc::map([("schedule_time", time.into()), ("image", image.into())])
        };
        let rows = Doc::list("image", rows.iter().map(row));
        ceph.common.print("scheduled_images", &rows);
        return Ok(());
    }
    let mut table = Table::new(&[("SCHEDULE TIME", Lean::Left), ("IMAGE", Lean::Left)]);
    for (time, image) in rows {
        table.row([time, image]);
    }
    Printer::line(&table.text());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_shown_as_the_manager_keeps_them() {
        let answer = r#"{"2/": {"name": "volumes/", "schedule": [{"interval": "1h", "start_time": null}]},
            "2//1": {"name": "volumes/disk", "schedule":
                [{"interval": "1d", "start_time": "14:00:00"}, {"interval": "30m", "start_time": null}]}}"#;
        let found = schedules(answer).ok().unwrap();
        let shown: Vec<(&str, String)> = found.iter().map(|(k, v)| (&**k, sentence(v))).collect();
        let daily = "every 1d starting at 14:00:00, every 30m".to_owned();
        let golden = [("volumes/", "every 1h".to_owned()), ("volumes/disk", daily)];
        assert_eq!(shown, golden);
        assert!(schedules("{").is_err());
    }

    #[test]
    fn levels_have_three_columns() {
        for (level, shown) in [
            ("", ["-", "-", "-"]),
            ("p/", ["p", "-", "-"]),
            ("p/image", ["p", "", "image"]),
            ("p/ns/", ["p", "ns", "-"]),
            ("p/ns/image", ["p", "ns", "image"]),
        ] {
            assert_eq!(columns(level), shown, "{level}");
        }
    }
}
