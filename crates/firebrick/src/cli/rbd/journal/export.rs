//! `rbd journal export`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};

use firebrick_site::admin::JournalEntry;
use firebrick_vocabulary::SnapshotId;

use super::act::Translator;
use super::args::ExportArgs;
use super::entries::Entries;
use super::event::Event;
use super::inspect::Shown;
use super::stream::{self, Head, Line, RbdEntry};
use super::target::Target;
use crate::cli::rbd::args::RbdFormat;
use crate::cli::rbd::at::rfc3339;
use crate::cli::rbd::error::{EBADMSG, EINVAL, EOPNOTSUPP, failed, fault, io as io_failed, refuse};
use crate::cli::rbd::site::Rbd;
use crate::cli::rbd::spec::Words;
use crate::exit::Failure;
use crate::printer::Printer;

const DOING: &str = "journal export";
/// What RBD lets an entry hold unless it is told otherwise.
const PAYLOAD: usize = 16 << 10;

/// Where entries go.
pub(in crate::cli::rbd) enum Out {
    File(BufWriter<File>),
    /// What is said goes to standard error then.
    Stream(BufWriter<io::Stdout>),
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(out) => out.write(bytes),
            Self::Stream(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(out) => {
                out.flush()?;
                out.get_ref().sync_all()
            }
            Self::Stream(out) => out.flush(),
        }
    }
}

impl Out {
    /// A new file, or standard output for `-`.
    pub(in crate::cli::rbd) fn open(path: &str) -> Result<Self, Failure> {
        if path == "-" {
            return Ok(Self::Stream(BufWriter::new(io::stdout())));
        }
        let made = File::options().write(true).create_new(true).open(path);
        match made {
            Ok(file) => Ok(Self::File(BufWriter::new(file))),
            Err(error) => {
                Printer::note(&format!("rbd: error creating {path}"));
                Err(io_failed(DOING, &error))
            }
        }
    }

    /// Says something that is none of the entries.
    pub(in crate::cli::rbd) fn say(&self, text: &str) {
        match self {
            Self::File(_) => Printer::line(text),
            Self::Stream(_) => Printer::note(text),
        }
    }
}

/// How many entries there were.
#[derive(Default)]
struct Count {
    entries: u64,
    errors: u64,
    /// The number of the first error.
    errno: Option<u8>,
}

/// `rbd journal export`
pub(super) async fn run(mut rbd: Rbd, args: &ExportArgs) -> Result<(), Failure> {
    let mut words = Words::new(&args.journal.words);
    let named = args.journal.named(&mut words);
    let path = words.need(args.path.as_deref(), "path")?;
    words.end()?;
    let target = Target::find(&mut rbd, named).await?;
    let json = match rbd.common.format {
        RbdFormat::Json => true,
        RbdFormat::Plain => false,
        RbdFormat::Xml => {
            return Err(refuse(
                EINVAL,
                "rbd: entries are exported as JSON or for RBD",
            ));
        }
    };
    if target.of_group && !json {
        let text = "rbd: entries of RBD do not say of which image they are: export a group with --format json";
        return Err(refuse(EINVAL, text));
    }
    let mut out = Out::open(path)?;
    let names = if json {
        BTreeMap::new()
    } else {
        names(&mut rbd, &target).await?
    };
    let how = (true, DOING, "Exporting journal");
    let mut entries = Entries::open(&mut rbd, &target, args.from, how).await?;
    let broken = |error: io::Error| io_failed("failed to write to export file", &error);
    begin(&mut out, &target, json).map_err(broken)?;
    let mut translator = Translator::new(names);
    let mut count = Count::default();
    let mut shown = Shown::new(&target, args.verbose, json);
    while let Some((entry, data)) = entries.next().await? {
        count.entries += u64::from(!entry.continued);
        if args.verbose {
            shown.add(entry.clone());
        }
        let refused = if json {
            line(&mut out, &target, entry, &data).map_err(broken)?
        } else {
            rbd_entries(&mut out, &mut translator, &entry, data, args.tag).map_err(broken)?
        };
        if let Some((errno, why)) = refused {
            Printer::note(&why);
            count.errors += 1;
            count.errno.get_or_insert(errno);
            if !args.no_error {
                break;
            }
        }
    }
    shown.end();
    out.flush().map_err(broken)?;
    if count.errno.is_none() || args.no_error {
        entries.done();
    }
    let Count {
        entries,
        errors,
        errno,
    } = count;
    out.say(&format!("{entries} entries processed, {errors} errors"));
    errno.map_or(Ok(()), |errno| Err(failed(DOING, errno)))
}

/// What the snapshots of an image are called now.
async fn names(rbd: &mut Rbd, target: &Target) -> Result<BTreeMap<SnapshotId, String>, Failure> {
    let mut names = BTreeMap::new();
    for image in target.ids() {
        let taken = rbd.snapshots(image).await;
        for taken in taken.map_err(|error| fault(DOING, &error))? {
            names.insert(taken.id, taken.name.to_string());
        }
    }
    Ok(names)
}

fn begin(out: &mut Out, target: &Target, json: bool) -> io::Result<()> {
    if !json {
        return writeln!(out, "# journal_id: {}", target.id);
    }
    let names = target.images.iter().map(|(_, name)| name.to_string());
    let head = Head {
        journal_id: target.id.clone(),
        images: names.collect(),
    };
    stream::put_line(out, &head)
}

/// Why an entry was not written as it should be, and the number of that.
type Refused = Option<(u8, String)>;

fn line(out: &mut Out, target: &Target, entry: JournalEntry, data: &[u8]) -> io::Result<Refused> {
    let image = entry.image.map(|image| target.name_of(image));
    let position = entry.position.to_string();
    let refused = entry.fault.as_ref();
    let refused = refused.map(|why| (EBADMSG, format!("rbd: bad entry {position}: {why}")));
    let line = Line::new(
        image.unwrap_or_default(),
        (position, rfc3339(entry.time)),
        entry.event,
        (data, entry.fault),
    );
    stream::put_line(out, &line)?;
    Ok(refused)
}

fn rbd_entries(
    out: &mut Out,
    translator: &mut Translator,
    entry: &JournalEntry,
    data: Vec<u8>,
    tag: Option<u64>,
) -> io::Result<Refused> {
    let position = entry.position;
    if let Some(why) = &entry.fault {
        return Ok(Some((EBADMSG, format!("rbd: bad entry {position}: {why}"))));
    }
    let events = match translator.events(entry, data) {
        Ok(events) => events,
        Err(why) => {
            return Ok(Some((EOPNOTSUPP, format!("rbd: entry {position}: {why}"))));
        }
    };
    for event in events.into_iter().flat_map(pieces) {
        let encoded = event.encode(entry.time);
        let tag = tag.unwrap_or(position.epoch.0);
        let kind = event.kind().0;
        stream::put(
            out,
            &RbdEntry::new(tag, position.sequence.0, kind, &encoded),
        )?;
    }
    Ok(None)
}

/// A long write in parts that RBD lets an entry hold.
fn pieces(event: Event) -> Vec<Event> {
    let Event::Write { offset, data } = event else {
        return vec![event];
    };
    let piece = |(i, part): (usize, &[u8])| Event::Write {
        offset: offset + (i * PAYLOAD) as u64,
        data: part.to_vec(),
    };
    data.chunks(PAYLOAD).enumerate().map(piece).collect()
}
