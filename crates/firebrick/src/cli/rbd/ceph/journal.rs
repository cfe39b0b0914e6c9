//! `journal …`: librbd has no function for it, so the objects of the journal are read.

use std::io::Write as _;
use std::sync::Arc;

use firebrick_ceph::tool::{ImageAt, JournalEntry, JournalHeader, OpenPool, Trouble};

use super::names::JOURNALING;
use super::site::{Ceph, Doing as _, trouble};
use super::spec::{Place, Spec};
use super::without;
use crate::cli::rbd::error::{EBADMSG, EINVAL, EIO, ENOENT, failed, io as io_failed, refuse};
use crate::cli::rbd::journal::args::{
    ClientCommand, DisconnectArgs, ExportArgs, InspectArgs, JournalArgs, JournalCommand, ResetArgs,
};
use crate::cli::rbd::journal::event::Event;
use crate::cli::rbd::journal::export::Out;
use crate::cli::rbd::journal::stream::{self, RbdEntry};
use crate::cli::rbd::show::journal::{self as show, Client, Journal, Status};
use crate::cli::rbd::spec::Words;
use crate::exit::Failure;
use crate::printer::Printer;

/// Does what the command line says.
pub(super) fn run(ceph: &Ceph, command: &JournalCommand) -> Result<(), Failure> {
    match command {
        JournalCommand::Info(args) => info(ceph, args),
        JournalCommand::Status(args) => status(ceph, args),
        JournalCommand::Inspect(args) => inspect(ceph, args),
        JournalCommand::Export(args) => export(ceph, args),
        JournalCommand::Reset(args) => reset(ceph, args),
        JournalCommand::Client(ClientCommand::Disconnect(args)) => disconnect(ceph, args),
        JournalCommand::Import(_) => Err(without(
            "librbd has no function that writes a journal; use the `rbd` tool of Ceph",
        )),
    }
}

/// The pool of a journal, and its id.
type Named = (Arc<OpenPool>, String);

/// The journal that is named: by its id, or by its image in an option. Takes a word where neither is.
fn named<'a>(ceph: &Ceph, args: &'a JournalArgs, words: &mut Words<'a>) -> Result<Named, Failure> {
    if args.group.is_some() {
        let text = "images of a group on Ceph share no journal; name one of them with --image";
        return Err(without(text));
    }
    let place = Place::of(&ceph.common);
    if let Some(image) = args.image.as_deref().filter(|_| args.journal.is_none()) {
        let spec = Spec::within(place, Some(image), None)?;
        let name = spec.only_image()?;
        let pool = ceph.pool(&spec.place)?;
        let facts = pool
            .look(ImageAt::Name(name))
            .and_then(|image| image.facts());
        let facts = facts.map_err(|error| {
            // As in RBD, it is said twice.
            let first = trouble(&format!("error opening image {name}"), &error).to_string();
            let doing = format!("failed to open image {name} to get journal name");
            twice(&first, &doing, &error)
        })?;
        if facts.features & JOURNALING == 0 {
            let text = format!("rbd: journaling is not enabled for image {name}");
            return Err(refuse(EINVAL, text));
        }
        return Ok((pool, facts.id));
    }
    let word = words.or_next(args.journal.as_deref());
    let missing = || refuse(EINVAL, "rbd: journal was not specified");
    let spec = Spec::within(place, Some(word.ok_or_else(missing)?), None)?;
    Ok((ceph.pool(&spec.place)?, spec.only_image()?.to_owned()))
}

/// The same of a verb that is about nothing else.
fn only(ceph: &Ceph, args: &JournalArgs) -> Result<Named, Failure> {
    let mut words = Words::new(&args.words);
    let found = named(ceph, args, &mut words)?;
    words.end()?;
    Ok(found)
}

/// Two lines of the tool, of which the first says what could not be done.
fn twice(first: &str, doing: &str, error: &Trouble) -> Failure {
    let last = trouble(doing, error);
    let errno = u8::try_from(error.errno()).unwrap_or(EIO);
    refuse(errno, format!("{first}\n{last}"))
}

fn info(ceph: &Ceph, args: &JournalArgs) -> Result<(), Failure> {
    let (pool, id) = only(ceph, args)?;
    let header = pool.journal(&id).map_err(|error| {
        let why = trouble("", &error).to_string();
        let why = why.trim_start_matches("rbd: : ");
        let first = format!("failed to get journal metadata: {why}");
        twice(&first, "journal info", &error)
    })?;
    let journal = Journal {
        id: header.id,
        prefix: header.prefix,
        order: header.order,
        splay_width: header.splay_width.into(),
        pool: header.pool,
    };
    show::info(&ceph.common, &journal);
    Ok(())
}

fn header(pool: &OpenPool, id: &str, doing: &str) -> Result<JournalHeader, Failure> {
    let first = "warning: failed to get journal metadata";
    pool.journal(id)
        .map_err(|error| twice(first, doing, &error))
}

fn status(ceph: &Ceph, args: &JournalArgs) -> Result<(), Failure> {
    let (pool, id) = only(ceph, args)?;
    let header = header(&pool, &id, "journal status")?;
    let clients = header.clients.into_iter().map(|client| Client {
        id: client.id,
        data: client.data,
        positions: client
            .positions
            .iter()
            .map(|at| [at.object, at.tag, at.entry])
            .collect(),
        connected: client.connected,
    });
    let status = Status {
        minimum_set: header.minimum_set,
        active_set: header.active_set,
        clients: clients.collect(),
    };
    show::status(&ceph.common, &status);
    Ok(())
}

/// What was found in a journal.
#[derive(Default)]
struct Found {
    entries: u64,
    errors: u64,
    /// What is wrong with the first damaged entry.
    first: Option<String>,
    last: Option<(u64, u64)>,
}

impl Found {
    /// Counts an entry, and understands it; `None` where it is damaged.
    fn add(&mut self, entry: JournalEntry) -> Option<(Event, u64, Vec<u8>)> {
        self.entries += 1;
        let here = format!("tag_id={}, entry_tid={}", entry.tag, entry.number);
        let expected = self.last.filter(|(tag, _)| *tag == entry.tag);
        let understood = entry.event.and_then(|bytes| match Event::decode(&bytes) {
            Ok((event, time)) => Ok((event, time, bytes)),
            Err(error) => Err(error.to_string()),
        });
        self.last = Some((entry.tag, entry.number));
        let missing = expected.is_some_and(|(_, number)| number + 1 != entry.number);
        let understood = match understood {
            Ok(_) if missing => Err("what was before it is missing".to_owned()),
            other => other,
        };
        match understood {
            Ok(understood) => Some(understood),
            Err(why) => {
                self.errors += 1;
                self.first
                    .get_or_insert(format!("first bad entry: {here}: {why}"));
                None
            }
        }
    }

    /// How it ends.
    fn end(self, doing: &str) -> Result<(), Failure> {
        let Some(first) = self.first else {
            return Ok(());
        };
        let last = failed(doing, EBADMSG);
        Err(refuse(EBADMSG, format!("{first}\n{last}")))
    }
}

/// Refuses what only the log of a site can say.
fn from_the_first(said: bool) -> Result<(), Failure> {
    if said {
        let text = "a journal on Ceph is read from its first entry on; leave --from and --tag away";
        return Err(without(text));
    }
    Ok(())
}

fn show_entry(tag: u64, number: u64, event: &Event, time: u64) {
    Printer::line(&format!("Entry: tag_id={tag}, commit_tid={number}"));
    Printer::json_as(&event.doc(time), true);
}

/// What may end the reading of entries.
enum Broken {
    Trouble(Trouble),
    Failure(Failure),
}

impl From<Trouble> for Broken {
    fn from(error: Trouble) -> Self {
        Self::Trouble(error)
    }
}

impl Broken {
    fn failure(self, doing: &str) -> Failure {
        match self {
            Self::Trouble(error) => trouble(doing, &error),
            Self::Failure(failure) => failure,
        }
    }
}

fn inspect(ceph: &Ceph, args: &InspectArgs) -> Result<(), Failure> {
    const DOING: &str = "journal inspect";
    from_the_first(args.from.is_some())?;
    let (pool, id) = only(ceph, &args.journal)?;
    let header = header(&pool, &id, DOING)?;
    let mut found = Found::default();
    let read = pool.journal_entries(&header, |entry| {
        let tag = entry.tag;
        let understood = found.add(entry);
        if let Some((event, time, _)) = understood.filter(|_| args.verbose) {
            show_entry(tag, found.entries, &event, time);
        }
        Ok::<(), Trouble>(())
    });
    read.doing(DOING)?;
    let Found {
        entries, errors, ..
    } = found;
    Printer::line("Summary:");
    Printer::line(&format!("  {entries} entries inspected, {errors} errors"));
    found.end(DOING)
}

fn export(ceph: &Ceph, args: &ExportArgs) -> Result<(), Failure> {
    const DOING: &str = "journal export";
    from_the_first(args.from.is_some() || args.tag.is_some())?;
    if ceph.common.structured() {
        let text = "a journal on Ceph is exported as RBD has it; leave --format away";
        return Err(without(text));
    }
    let mut words = Words::new(&args.journal.words);
    let (pool, id) = named(ceph, &args.journal, &mut words)?;
    let path = words.need(args.path.as_deref(), "path")?;
    words.end()?;
    let header = header(&pool, &id, DOING)?;
    let torn = |error: std::io::Error| Broken::Failure(io_failed(DOING, &error));
    let mut out = Out::open(path)?;
    let begun = writeln!(out, "# journal_id: {id}").map_err(torn);
    begun.map_err(|broken| broken.failure(DOING))?;
    let mut found = Found::default();
    let read = pool.journal_entries(&header, |entry| {
        let tag = entry.tag;
        let Some((event, time, bytes)) = found.add(entry) else {
            return if args.no_error {
                Ok(())
            } else {
                Err(Broken::Failure(failed(DOING, EBADMSG)))
            };
        };
        if args.verbose {
            show_entry(tag, found.entries, &event, time);
        }
        let kind = event.kind().0;
        let entry = RbdEntry::new(tag, found.entries, kind, &bytes);
        stream::put(&mut out, &entry).map_err(torn)
    });
    let ended = out.flush().map_err(torn);
    let Found {
        entries, errors, ..
    } = found;
    out.say(&format!("{entries} entries processed, {errors} errors"));
    match read.and(ended) {
        Ok(()) => found.end(DOING),
        Err(broken) if errors > 0 => found.end(DOING).and(Err(broken.failure(DOING))),
        Err(broken) => Err(broken.failure(DOING)),
    }
}

/// As the `rbd` tool does it: a journal goes, and another one comes.
fn reset(ceph: &Ceph, args: &ResetArgs) -> Result<(), Failure> {
    const DOING: &str = "journal reset";
    if args.force {
        let text =
            "a journal that peers need is reset by nobody; end the mirroring of the image first";
        return Err(without(text));
    }
    let (pool, id) = only(ceph, &args.journal)?;
    let done = |first: &str, error: &Trouble| {
        let why = trouble("", error).to_string();
        let why = why.trim_start_matches("rbd: : ");
        twice(&format!("{first}: {why}"), DOING, error)
    };
    let image = pool.change(ImageAt::Id(&id));
    let image = image.map_err(|error| done("failed to locate journal's image", &error))?;
    let off = image.set_features(JOURNALING, false);
    off.map_err(|error| done("failed to disable image journaling", &error))?;
    let on = image.set_features(JOURNALING, true);
    on.map_err(|error| done("failed to re-enable image journaling", &error))
}

fn disconnect(ceph: &Ceph, args: &DisconnectArgs) -> Result<(), Failure> {
    const DOING: &str = "journal client disconnect";
    let (pool, id) = only(ceph, &args.journal)?;
    let header = header(&pool, &id, DOING)?;
    let wanted = args.client_id.as_deref().filter(|id| !id.is_empty());
    let meant = header.clients.iter().filter(|client| {
        // The image itself reads its journal, too.
        !client.id.is_empty() && wanted.is_none_or(|wanted| wanted == client.id)
    });
    let mut gone = 0;
    for client in meant {
        let done = pool.disconnect(&id, &client.id);
        done.map_err(|error| {
            let why = trouble("", &error).to_string();
            let why = why.trim_start_matches("rbd: : ");
            let first = format!("warning: failed to disconnect client {}: {why}", client.id);
            twice(&first, DOING, &error)
        })?;
        Printer::line(&format!("client {} disconnected", client.id));
        gone += 1;
    }
    if gone == 0 {
        let first = match wanted {
            Some(id) => format!("warning: client {id} is not registered"),
            None => "no registered clients to disconnect".to_owned(),
        };
        return Err(twice(&first, DOING, &Trouble::Errno(ENOENT.into())));
    }
    let told = pool.journal_changed(&id);
    told.doing("failed to notify state change")
}
