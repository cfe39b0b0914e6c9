//! The entries of a file, a bounded number ahead: whether an operation succeeded stands behind it.

use std::collections::VecDeque;
use std::io::{self, BufRead as _};

use crate::cli::rbd::apply::Input;
use crate::cli::rbd::doc::Doc;
use crate::cli::rbd::journal::act::Act;
use crate::cli::rbd::journal::event::Event;
use crate::cli::rbd::journal::stream::{self, Kind, Line, RbdEntry, invalid};

/// How much is read ahead for the end of an operation, in bytes of the file.
const AHEAD: usize = 16 << 20;

/// An entry to be replayed.
pub(super) struct Next {
    /// Its number in the file, from 1 on.
    pub(super) number: u64,
    /// The image that it is of, where the file says so.
    pub(super) image: Option<String>,
    /// What is printed of it: a line, and more.
    pub(super) shown: (String, Doc),
    /// What it does, or why it cannot be understood.
    pub(super) act: io::Result<Act>,
}

/// An entry of RBD's that has been read.
struct Ahead {
    len: usize,
    tag: u64,
    number: u64,
    event: io::Result<(Event, u64)>,
}

/// The entries of a file.
pub(super) struct Queue {
    input: Input,
    kind: Kind,
    ahead: VecDeque<Ahead>,
    held: usize,
    ended: bool,
    taken: u64,
    read: u64,
}

impl Queue {
    pub(super) fn new(mut input: Input) -> io::Result<Self> {
        let kind = stream::kind(&mut input)?;
        if kind == Kind::Json {
            let head = stream::next_line(&mut input)?.unwrap_or_default();
            serde_json::from_slice::<stream::Head>(&head).map_err(invalid)?;
        }
        Ok(Self {
            input,
            kind,
            ahead: VecDeque::new(),
            held: 0,
            ended: false,
            taken: 0,
            read: 0,
        })
    }

    /// Bytes of entries that have been taken.
    pub(super) const fn read(&self) -> u64 {
        self.read
    }

    /// At least so many bytes there are.
    pub(super) fn size(&self) -> u64 {
        let more = self.held as u64 + self.input.buffer().len() as u64;
        self.read + more + u64::from(!self.ended)
    }

    /// The next entry; `None` at the end. After an error there is nothing more.
    pub(super) fn next(&mut self) -> io::Result<Option<Next>> {
        match self.kind {
            Kind::Rbd => self.next_of_rbd(),
            Kind::Json => self.next_line(),
        }
    }

    fn next_line(&mut self) -> io::Result<Option<Next>> {
        let Some(text) = stream::next_line(&mut self.input)? else {
            self.ended = true;
            return Ok(None);
        };
        self.read += text.len() as u64;
        self.taken += 1;
        let number = self.taken;
        let line: Line = match serde_json::from_slice(&text) {
            Ok(line) => line,
            Err(error) => {
                return Ok(Some(Next {
                    number,
                    image: None,
                    shown: (format!("Entry: {number}"), Doc::Null),
                    act: Err(invalid(error)),
                }));
            }
        };
        let shown = (
            format!("Entry: position={}, image={}", line.position, line.image),
            Doc::map([
                ("event", line.event_text().into()),
                ("timestamp", (&line.time).into()),
            ]),
        );
        let act = match &line.fault {
            Some(why) => Err(invalid(why.as_str())),
            None => line
                .data()
                .map(|data| Act::of_site(line.event.clone(), data)),
        };
        Ok(Some(Next {
            number,
            image: Some(line.image),
            shown,
            act,
        }))
    }

    fn next_of_rbd(&mut self) -> io::Result<Option<Next>> {
        if self.ahead.is_empty() {
            self.fetch()?;
        }
        let Some(entry) = self.ahead.pop_front() else {
            return Ok(None);
        };
        self.held -= entry.len;
        self.read += entry.len as u64;
        self.taken += 1;
        let line = format!("Entry: tag_id={}, commit_tid={}", entry.tag, entry.number);
        let (act, doc) = match entry.event {
            Ok((event, time)) => {
                let doc = event.doc(time);
                let failed = match event {
                    Event::Op { op, .. } => self.failed(entry.tag, op)?,
                    _ => false,
                };
                let act = if failed {
                    Act::Nothing
                } else {
                    Act::of_rbd(event)
                };
                (Ok(act), doc)
            }
            Err(error) => (Err(error), Doc::Null),
        };
        Ok(Some(Next {
            number: self.taken,
            image: None,
            shown: (line, doc),
            act,
        }))
    }

    /// Whether an operation failed in the end. What has no end in sight is taken for a success, as when RBD replays
    /// its journal.
    fn failed(&mut self, tag: u64, op: u64) -> io::Result<bool> {
        let mut looked = 0;
        loop {
            for entry in self.ahead.range(looked..) {
                match &entry.event {
                    Ok((Event::Finish { op: of, result }, _)) if *of == op && entry.tag == tag => {
                        return Ok(*result < 0);
                    }
                    Ok(_) | Err(_) => {}
                }
            }
            looked = self.ahead.len();
            if self.ended || self.held >= AHEAD {
                return Ok(false);
            }
            self.fetch()?;
        }
    }

    /// Reads one entry ahead, if there is one.
    fn fetch(&mut self) -> io::Result<()> {
        if self.ended {
            return Ok(());
        }
        let Some(text) = stream::next_entry(&mut self.input)? else {
            self.ended = true;
            return Ok(());
        };
        let entry = serde_json::from_slice::<RbdEntry>(&text).map_err(invalid);
        let (tag, number) = match &entry {
            Ok(entry) => (entry.tag_id, entry.commit_tid),
            Err(_) => (0, 0),
        };
        let event = entry.and_then(|entry| Event::decode(&entry.event()?));
        self.held += text.len();
        self.ahead.push_back(Ahead {
            len: text.len(),
            tag,
            number,
            event,
        });
        // So that the size is known to be more than what was read.
        self.ended = self.input.fill_buf()?.is_empty();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::rbd::journal::event::Op;
    use std::io::BufReader;

    fn queue(events: &[Event]) -> Queue {
        let mut file = b"# journal_id: x\n".to_vec();
        for (i, event) in events.iter().enumerate() {
            let entry = RbdEntry::new(3, i as u64, event.kind().0, &event.encode(5));
            stream::put(&mut file, &entry).unwrap();
        }
        let input: Box<dyn io::Read + Send> = Box::new(io::Cursor::new(file));
        Queue::new(BufReader::new(input)).unwrap()
    }

    fn acts(mut queue: Queue) -> Vec<Act> {
        let mut acts = Vec::new();
        while let Some(next) = queue.next().unwrap() {
            acts.push(next.act.unwrap());
        }
        acts
    }

    #[test]
    fn an_operation_that_failed_is_not_replayed() {
        let op = |op, name: &str| Event::Op {
            op,
            what: Op::SnapCreate(name.to_owned()),
        };
        let write = Event::Write {
            offset: 0,
            data: vec![1],
        };
        let finish = |op, result| Event::Finish { op, result };
        let events = [
            op(1, "one"),
            write.clone(),
            op(2, "two"),
            finish(2, -17),
            finish(1, 0),
            op(3, "three"),
        ];
        let golden = [
            Act::Take("one".to_owned()),
            Act::of_rbd(write),
            Act::Nothing,
            Act::Nothing,
            Act::Nothing,
            Act::Take("three".to_owned()),
        ];
        assert_eq!(acts(queue(&events)), golden);
    }

    #[test]
    fn a_damaged_event_is_an_error_of_its_entry_alone() {
        let mut file = Vec::new();
        stream::put(&mut file, &RbdEntry::new(1, 1, 1, &[5, 1, 9])).unwrap();
        stream::put(&mut file, &RbdEntry::new(1, 2, 2, &Event::Flush.encode(1))).unwrap();
        let input: Box<dyn io::Read + Send> = Box::new(io::Cursor::new(file));
        let mut queue = Queue::new(BufReader::new(input)).unwrap();
        assert!(queue.next().unwrap().unwrap().act.is_err());
        assert_eq!(queue.next().unwrap().unwrap().act.unwrap(), Act::Nothing);
        assert!(queue.next().unwrap().is_none());
    }
}
