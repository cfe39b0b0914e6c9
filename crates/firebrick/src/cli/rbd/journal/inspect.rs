//! `rbd journal inspect`.

use firebrick_site::admin::{JournalEntry, JournalEvent, SnapshotEvent};

use super::args::InspectArgs;
use super::entries::Entries;
use super::event::{Event, Op};
use super::target::Target;
use crate::cli::rbd::args::RbdFormat;
use crate::cli::rbd::at::stamp;
use crate::cli::rbd::doc::Doc;
use crate::cli::rbd::error::{EBADMSG, failed, refuse};
use crate::cli::rbd::site::Rbd;
use crate::exit::Failure;
use crate::printer::Printer;

const DOING: &str = "journal inspect";

/// What was found.
#[derive(Default)]
struct Found {
    entries: u64,
    errors: u64,
    /// The first damaged entry: its position, its image, and what is wrong.
    first: Option<(String, String, String)>,
}

/// `rbd journal inspect`
pub(super) async fn run(mut rbd: Rbd, args: &InspectArgs) -> Result<(), Failure> {
    let target = Target::of(&mut rbd, &args.journal).await?;
    let (structured, xml) = (rbd.structured(), rbd.common.format == RbdFormat::Xml);
    if xml && args.verbose {
        return Err(refuse(
            super::super::error::EINVAL,
            "rbd: entries are printed as plain text or JSON",
        ));
    }
    let how = (false, DOING, "Inspecting journal");
    let mut entries = Entries::open(&mut rbd, &target, args.from, how).await?;
    let mut found = Found::default();
    let mut shown = Shown::new(&target, args.verbose, structured);
    while let Some((entry, _)) = entries.next().await? {
        found.note(&entry, &target);
        shown.add(entry);
    }
    shown.end();
    entries.done();
    if structured {
        rbd.print("journal", &found.doc(&target));
    } else {
        Printer::line("Summary:");
        let Found {
            entries, errors, ..
        } = &found;
        Printer::line(&format!("  {entries} entries inspected, {errors} errors"));
    }
    match &found.first {
        None => Ok(()),
        Some((position, image, why)) => {
            let first = format!("first bad entry: {position}{image}: {why}");
            let last = failed(DOING, EBADMSG);
            match last {
                Failure::Rbd { text, errno } => Err(refuse(errno, format!("{first}\n{text}"))),
                other => Err(other),
            }
        }
    }
}

impl Found {
    fn note(&mut self, entry: &JournalEntry, target: &Target) {
        self.entries += u64::from(!entry.continued);
        let Some(why) = &entry.fault else { return };
        self.errors += 1;
        self.first.get_or_insert_with(|| {
            let image = entry.image.map(|image| target.name_of(image));
            let image = image.map(|image| format!(", image {image}"));
            let position = match entry.event {
                JournalEvent::Unreadable => format!("record {}", entry.position.sequence),
                _ => entry.position.to_string(),
            };
            (position, image.unwrap_or_default(), why.clone())
        });
    }

    fn doc(&self, target: &Target) -> Doc {
        let mut doc = Doc::map([
            ("journal_id", (&target.id).into()),
            ("entries", self.entries.into()),
            ("errors", self.errors.into()),
        ]);
        if let Some((position, _, why)) = &self.first {
            let first = [("position", position.into()), ("reason", why.into())];
            doc.put("first_error", Doc::map(first));
        }
        doc
    }
}

/// Prints entries; a long write, which comes in parts, once.
pub(super) struct Shown<'a> {
    target: &'a Target,
    verbose: bool,
    structured: bool,
    last: Option<JournalEntry>,
}

impl<'a> Shown<'a> {
    /// Prints nothing where that is not wanted.
    pub(super) const fn new(target: &'a Target, verbose: bool, structured: bool) -> Self {
        Self {
            target,
            verbose,
            structured,
            last: None,
        }
    }

    /// The next entry.
    pub(super) fn add(&mut self, entry: JournalEntry) {
        if !self.verbose {
            return;
        }
        match (&mut self.last, &entry.event) {
            (Some(last), JournalEvent::Write { length: more, .. }) if entry.continued => {
                if let JournalEvent::Write { length, .. } = &mut last.event {
                    *length += more;
                }
                if last.fault.is_none() {
                    last.fault = entry.fault;
                }
            }
            _ => {
                self.end();
                self.last = Some(entry);
            }
        }
    }

    /// There is nothing more.
    pub(super) fn end(&mut self) {
        if let Some(last) = self.last.take() {
            print(&last, self.target, self.structured);
        }
    }
}

/// Prints one entry.
fn print(entry: &JournalEntry, target: &Target, structured: bool) {
    let mut doc = describe(entry);
    if target.of_group {
        let image = entry.image.map(|image| target.name_of(image));
        doc.put("image", image.unwrap_or_default());
    }
    if let Some(fault) = &entry.fault {
        doc.put("fault", fault);
    }
    if structured {
        let mut whole = Doc::map([
            ("tag_id", entry.position.epoch.0.into()),
            ("commit_tid", entry.position.sequence.0.into()),
        ]);
        if let (Doc::Map(whole), Doc::Map(more)) = (&mut whole, doc) {
            whole.extend(more);
        }
        Printer::json(&whole);
        return;
    }
    let (tag, number) = (entry.position.epoch.0, entry.position.sequence.0);
    Printer::line(&format!("Entry: tag_id={tag}, commit_tid={number}"));
    Printer::json_as(&doc, true);
}

/// An entry in RBD's words.
fn describe(entry: &JournalEntry) -> Doc {
    let op = |what: Op| {
        let op = entry.position.sequence.0;
        Event::Op { op, what }.doc(entry.time)
    };
    let range = |name: &str, offset: u64, length: u64| {
        Doc::map([
            ("event_type", name.into()),
            ("offset", offset.into()),
            ("length", length.into()),
            ("timestamp", stamp(entry.time).into()),
        ])
    };
    match &entry.event {
        JournalEvent::Write { offset, length } => range("AioWrite", *offset, *length),
        JournalEvent::Discard { offset, length } => range("AioDiscard", *offset, *length),
        JournalEvent::Resize { size } => op(Op::Resize(*size)),
        JournalEvent::Rename { name } => op(Op::Rename(name.clone())),
        JournalEvent::Snapshot { id, name, what } => {
            let name = name.clone();
            op(match what {
                SnapshotEvent::Create => Op::SnapCreate(name),
                SnapshotEvent::Remove => Op::SnapRemove(name),
                SnapshotEvent::Rename { from } => Op::SnapRename {
                    id: id.0,
                    from: from.clone(),
                    to: name,
                },
                SnapshotEvent::Protect => Op::SnapProtect(name),
                SnapshotEvent::Unprotect => Op::SnapUnprotect(name),
                SnapshotEvent::Rollback => Op::SnapRollback(name),
            })
        }
        JournalEvent::SnapshotLimit { limit } => op(Op::SnapLimit(limit.unwrap_or(u64::MAX))),
        JournalEvent::Flatten => op(Op::Flatten),
        JournalEvent::Metadata { key, value } => op(match value {
            Some(value) => Op::MetadataSet(key.clone(), value.clone()),
            None => Op::MetadataRemove(key.clone()),
        }),
        JournalEvent::DemotePromote { change } => other("Demote/Promote", change, entry.time),
        JournalEvent::Other { change, .. } => other("Other", change, entry.time),
        JournalEvent::Unreadable => Doc::map([("event_type", "Unreadable".into())]),
    }
}

/// What RBD has no fields for, as the log says it.
fn other(name: &str, change: &serde_json::Value, time: u64) -> Doc {
    Doc::map([
        ("event_type", name.into()),
        ("change", from_json(change)),
        ("timestamp", stamp(time).into()),
    ])
}

fn from_json(value: &serde_json::Value) -> Doc {
    use serde_json::Value;
    match value {
        Value::Null => Doc::Null,
        Value::Bool(is) => (*is).into(),
        Value::Number(number) => match number.as_u64() {
            Some(number) => number.into(),
            None => number.as_f64().unwrap_or_default().into(),
        },
        Value::String(text) => text.into(),
        Value::Array(items) => Doc::list("item", items.iter().map(from_json)),
        Value::Object(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| (key.clone(), from_json(value)));
            Doc::Map(entries.collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use firebrick_site::admin::JournalSettings;
    use firebrick_vocabulary::{Epoch, ImageId, ImageName, Position, Sequence};

    #[test]
    fn the_first_bad_entry_is_named() {
        let image = ImageId::random();
        let target = Target {
            id: "1".to_owned(),
            images: vec![(image, ImageName::new("disk").unwrap())],
            settings: JournalSettings::default(),
            of_group: false,
        };
        let mut found = Found::default();
        for (sequence, continued, fault) in [
            (1, false, None),
            (2, false, Some("one")),
            (2, true, None),
            (3, false, Some("two")),
        ] {
            found.note(
                &JournalEntry {
                    image: Some(image),
                    position: Position {
                        epoch: Epoch(1),
                        sequence: Sequence(sequence),
                    },
                    time: 0,
                    event: JournalEvent::Write {
                        offset: 0,
                        length: 4096,
                    },
                    continued,
                    fault: fault.map(str::to_owned),
                },
                &target,
            );
        }
        assert_eq!((found.entries, found.errors), (3, 2));
        let (position, image, why) = found.first.unwrap();
        assert_eq!(
            (position, image, why),
            (
                "1.2".to_owned(),
                ", image disk".to_owned(),
                "one".to_owned()
            )
        );
    }
}
