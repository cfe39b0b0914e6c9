//! `rbd merge-diff`: two differences that follow each other as one.

use std::io::{self, Read, Write as _};

use super::apply::{Input, broken, open_input};
use super::args::{Common, MergeDiffArgs};
use super::diff::{Output, open_output};
use super::error::{EINVAL, io as io_failed, refuse};
use super::progress::Progress;
use super::spec::Words;
use super::stream::{self, Record, Version};
use crate::exit::Failure;

const DOING: &str = "merge-diff error";

/// Does what the command line says.
pub(super) fn run(common: &Common, args: &MergeDiffArgs) -> Result<(), Failure> {
    let mut words = Words::new(&args.words);
    let first = words.need(None, "first diff")?;
    let second = words.need(None, "second diff")?;
    let path = words.need(args.path.as_deref(), "path")?;
    words.end()?;
    if first == "-" && second == "-" {
        return Err(refuse(
            EINVAL,
            "rbd: only one diff can be read from standard input",
        ));
    }
    let progress = Progress::new(common, "Merging image diff");
    let mut first = Side::open(first)?;
    let mut second = Side::open(second)?;
    if first.to.is_none() || first.to != second.from {
        let text =
            "rbd: the first TO snapshot must be equal with the second FROM snapshot, aborting";
        return Err(refuse(EINVAL, text));
    }
    let mut out = open_output(path)?;
    merge(&mut first, &mut second, &mut out)?;
    out.flush().map_err(|error| io_failed(DOING, &error))?;
    progress.done();
    Ok(())
}

/// A range, and whether its bytes come next in the stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Range {
    offset: u64,
    len: u64,
    data: bool,
}

impl Range {
    const fn end(self) -> u64 {
        self.offset + self.len
    }
}

/// A difference that is read.
struct Side {
    input: Input,
    version: Version,
    from: Option<String>,
    to: Option<String>,
    protected: Option<bool>,
    size: u64,
    /// What is left of the range that comes next.
    range: Option<Range>,
}

impl Side {
    /// Reads up to the first range.
    fn open(path: &str) -> Result<Self, Failure> {
        let mut input = open_input(path)?;
        let version = stream::read_banner(&mut input).map_err(|error| broken(DOING, &error))?;
        let mut side = Self {
            input,
            version,
            from: None,
            to: None,
            protected: None,
            size: 0,
            range: None,
        };
        side.next()?;
        Ok(side)
    }

    /// Goes on to the next range.
    fn next(&mut self) -> Result<(), Failure> {
        let before = self.range.map_or(0, Range::end);
        self.range = loop {
            let record = stream::read(&mut self.input, self.version);
            let (offset, len, data) = match record.map_err(|error| broken(DOING, &error))? {
                Record::From(name) => {
                    self.from = Some(name);
                    continue;
                }
                Record::To(name) => {
                    self.to = Some(name);
                    continue;
                }
                Record::Protected(is) => {
                    self.protected = Some(is);
                    continue;
                }
                Record::Size(size) => {
                    self.size = size;
                    continue;
                }
                Record::Data(offset, len) => (offset, len, true),
                Record::Zero(offset, len) => (offset, len, false),
                Record::End => break None,
            };
            if offset < before || offset.checked_add(len).is_none() {
                let text = format!("rbd: {DOING}: ranges are not in their order");
                return Err(refuse(EINVAL, text));
            }
            break Some(Range { offset, len, data });
        };
        Ok(())
    }

    /// Takes up to `end` of the range that comes next, into `out` if there is one.
    fn take(&mut self, end: u64, out: Option<&mut Output>) -> Result<(), Failure> {
        let Some(range) = self.range else {
            return Ok(());
        };
        let len = end.min(range.end()).saturating_sub(range.offset);
        let failed = |error: io::Error| io_failed(DOING, &error);
        if len > 0 {
            let bytes = if range.data { len } else { 0 };
            let mut bytes = (&mut self.input).take(bytes);
            let wanted = bytes.limit();
            let copied = match out {
                Some(out) => {
                    let record = if range.data {
                        Record::Data(range.offset, len)
                    } else {
                        Record::Zero(range.offset, len)
                    };
                    stream::put(out, Version::One, &record).map_err(failed)?;
                    io::copy(&mut bytes, out)
                }
                None => io::copy(&mut bytes, &mut io::sink()),
            };
            if copied.map_err(failed)? < wanted {
                return Err(broken(DOING, &io::ErrorKind::UnexpectedEof.into()));
            }
        }
        if len == range.len {
            return self.next();
        }
        self.range = Some(Range {
            offset: range.offset + len,
            len: range.len - len,
            ..range
        });
        Ok(())
    }
}

/// Writes what the second says, and what of the first it leaves.
fn merge(first: &mut Side, second: &mut Side, out: &mut Output) -> Result<(), Failure> {
    let failed = |error: io::Error| io_failed(DOING, &error);
    stream::begin(out, Version::One).map_err(failed)?;
    let from = first.from.clone().map(Record::From);
    let to = second.to.clone().map(Record::To);
    let head = from
        .into_iter()
        .chain(to)
        .chain([Record::Size(second.size)]);
    for record in head {
        stream::put(out, Version::One, &record).map_err(failed)?;
    }
    // What a smaller size cut off is not there any more.
    let kept = first.size.min(second.size);
    while first.range.is_some() || second.range.is_some() {
        let next = second.range.map_or(u64::MAX, |range| range.offset);
        match first.range {
            Some(range) if range.offset >= kept => first.take(range.end(), None)?,
            Some(range) if range.offset < next => first.take(next.min(kept), Some(out))?,
            _ => {
                let covered = second.range.map_or(0, Range::end);
                second.take(covered, Some(out))?;
                while first.range.is_some_and(|range| range.offset < covered) {
                    first.take(covered, None)?;
                }
            }
        }
    }
    stream::put(out, Version::One, &Record::End).map_err(failed)
}

#[cfg(test)]
mod tests;
