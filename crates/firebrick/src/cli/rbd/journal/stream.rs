//! Files with entries: RBD's own format, and lines of JSON.
//!
//! RBD's has comments, lines that begin with `#`, and for each entry the length of a JSON text, a blank, and the
//! text, which has the bytes of the event in base64. The other one has a line that says what it is, and then a
//! line of JSON for each entry.

use std::io::{self, BufRead, Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use firebrick_site::admin::JournalEvent;
use serde::{Deserialize, Serialize};

/// The longest entry, in bytes of the file.
const ENTRY_MAX: usize = 128 << 20;

/// An entry as RBD writes it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(in crate::cli::rbd) struct RbdEntry {
    pub(super) tag_id: u64,
    pub(super) commit_tid: u64,
    #[serde(rename = "type")]
    pub(super) kind: i64,
    /// The event, in base64.
    entry: String,
}

impl RbdEntry {
    /// That of an event.
    pub(in crate::cli::rbd) fn new(tag_id: u64, commit_tid: u64, kind: u32, event: &[u8]) -> Self {
        Self {
            tag_id,
            commit_tid,
            kind: kind.into(),
            entry: STANDARD.encode(event),
        }
    }

    /// The bytes of the event.
    pub(super) fn event(&self) -> io::Result<Vec<u8>> {
        STANDARD.decode(&self.entry).map_err(invalid)
    }
}

/// What a file of JSON begins with.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(super) struct Head {
    /// The id of the journal.
    pub(super) journal_id: String,
    /// The names of its images.
    pub(super) images: Vec<String>,
}

/// An entry as a line of JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Line {
    /// The name of the image.
    pub(super) image: String,
    /// `EPOCH.SEQUENCE`.
    pub(super) position: String,
    /// In RFC 3339.
    pub(super) time: String,
    /// What happened.
    pub(super) event: JournalEvent,
    /// The bytes of a write, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    /// Why it cannot be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) fault: Option<String>,
}

impl Line {
    pub(super) fn new(
        image: String,
        (position, time): (String, String),
        event: JournalEvent,
        (data, fault): (&[u8], Option<String>),
    ) -> Self {
        Self {
            image,
            position,
            time,
            data: (!data.is_empty()).then(|| STANDARD.encode(data)),
            event,
            fault,
        }
    }

    /// What happened, as text.
    pub(super) fn event_text(&self) -> String {
        serde_json::to_string(&self.event).unwrap_or_default()
    }

    /// The bytes of a write.
    pub(super) fn data(&self) -> io::Result<Vec<u8>> {
        let data = self.data.as_deref().unwrap_or_default();
        STANDARD.decode(data).map_err(invalid)
    }
}

/// Writes an entry in RBD's format.
pub(in crate::cli::rbd) fn put(out: &mut impl Write, entry: &RbdEntry) -> io::Result<()> {
    let text = serde_json::to_vec(entry)?;
    write!(out, "{} ", text.len())?;
    out.write_all(&text)?;
    out.write_all(b"\n")
}

/// Writes a line of JSON.
pub(super) fn put_line(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

/// What a file has in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Rbd,
    Json,
}

/// Tells by its first byte what a file has in it.
pub(super) fn kind(input: &mut impl BufRead) -> io::Result<Kind> {
    match input.fill_buf()?.first() {
        Some(b'{') => Ok(Kind::Json),
        Some(_) | None => Ok(Kind::Rbd),
    }
}

/// The next entry of RBD's format, as its text; `None` at the end.
pub(super) fn next_entry(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let len = loop {
        match byte(input)? {
            None => return Ok(None),
            Some(b'\n') => {}
            Some(b'#') => _ = input.skip_until(b'\n')?,
            Some(digit) if digit.is_ascii_digit() => break length(input, digit)?,
            Some(_) => return Err(invalid("import data invalid format (digit expected)")),
        }
    };
    if len == 0 || len > ENTRY_MAX {
        return Err(invalid("import data invalid format (size of the entry)"));
    }
    // Grows with what arrives, so that an announced length alone takes no memory.
    let mut text = Vec::new();
    input.take(len as u64).read_to_end(&mut text)?;
    if text.len() < len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(text))
}

/// The next line of JSON, as its text; `None` at the end.
pub(super) fn next_line(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut text = Vec::new();
    let read = input.take(ENTRY_MAX as u64).read_until(b'\n', &mut text)?;
    if read == ENTRY_MAX && text.last() != Some(&b'\n') {
        return Err(invalid("a line is too long"));
    }
    Ok((read > 0).then_some(text))
}

fn byte(input: &mut impl BufRead) -> io::Result<Option<u8>> {
    let mut one = [0];
    Ok((input.read(&mut one)? > 0).then_some(one[0]))
}

/// A length of which the first digit has been read, and the blank behind it.
fn length(input: &mut impl BufRead, first: u8) -> io::Result<usize> {
    let mut len = usize::from(first - b'0');
    loop {
        match byte(input)? {
            Some(b' ') => return Ok(len),
            Some(digit) if digit.is_ascii_digit() && len <= ENTRY_MAX => {
                len = len * 10 + usize::from(digit - b'0');
            }
            Some(_) => return Err(invalid("import data invalid format (space expected)")),
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// An error of what a file says.
pub(super) fn invalid(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_stand_behind_their_lengths() {
        let entry = RbdEntry::new(3, 1, 2, &[5, 1, 4]);
        let mut file = b"# journal_id: 101a7452e6b3\n".to_vec();
        put(&mut file, &entry).unwrap();
        let golden = "# journal_id: 101a7452e6b3\n54 {\"tag_id\":3,\"commit_tid\":1,\"type\":2,\"entry\":\"BQEE\"}\n";
        assert_eq!(String::from_utf8_lossy(&file), golden.replace("54 ", "51 "));
        let mut input = file.as_slice();
        assert_eq!(kind(&mut input).unwrap(), Kind::Rbd);
        let text = next_entry(&mut input).unwrap().unwrap();
        let read: RbdEntry = serde_json::from_slice(&text).unwrap();
        assert_eq!(read.event().unwrap(), [5, 1, 4]);
        assert_eq!(read, entry);
        assert!(next_entry(&mut input).unwrap().is_none());
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        for text in ["x", "12x{}", "0 ", "5 {}", "99999999999999999999 {}", "7"] {
            let mut input = text.as_bytes();
            assert!(next_entry(&mut input).is_err(), "{text}");
        }
    }
}
