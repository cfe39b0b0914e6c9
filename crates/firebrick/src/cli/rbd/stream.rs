//! The file formats of `rbd export-diff` and `rbd export`: versions 1 and 2 of a difference, and version 2
//! of an image, which is a header and differences.
//!
//! Source: doc/dev/rbd-diff.rst and rbd-export.rst of Ceph.

use std::io::{self, Read, Write};

/// The longest name and the longest note that are read.
const TEXT_MAX: usize = 64 << 10;
/// How an image begins.
const IMAGE: &[u8] = b"rbd image v2\n";
/// How the differences of an image begin.
const DIFFS: &[u8] = b"rbd image diffs v2\n";

/// The version of a difference.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Version {
    /// Records without lengths.
    One,
    /// Each record says how long it is, so that unknown ones can be passed over.
    Two,
}

impl Version {
    const fn banner(self) -> &'static [u8; 12] {
        match self {
            Self::One => b"rbd diff v1\n",
            Self::Two => b"rbd diff v2\n",
        }
    }
}

/// A record. The bytes of [`Record::Data`] follow it in the stream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Record {
    /// The snapshot that the difference begins with.
    From(String),
    /// The snapshot that it leads to.
    To(String),
    /// Whether that snapshot is protected.
    Protected(bool),
    /// The size of the image afterwards, in bytes.
    Size(u64),
    /// New bytes: the first, and how many.
    Data(u64, u64),
    /// Zeroes: the first, and how many.
    Zero(u64, u64),
    /// Nothing follows.
    End,
}

/// How an image lies in a cluster.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Layout {
    /// The binary logarithm of the size of its objects.
    pub(super) order: u64,
    /// Bytes that lie in one object before the next one has its turn.
    pub(super) stripe_unit: u64,
    /// Objects that take turns.
    pub(super) stripe_count: u64,
}

impl Default for Layout {
    /// Objects of 4 MiB, not striped: what every image looks like that says nothing.
    fn default() -> Self {
        Self {
            order: 22,
            stripe_unit: 4 << 20,
            stripe_count: 1,
        }
    }
}

/// What an image is besides its bytes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Header {
    /// RBD's mask of features.
    pub(super) features: Option<u64>,
    /// How it lies in a cluster.
    pub(super) layout: Layout,
    /// What users noted: keys and values.
    pub(super) notes: Vec<(String, String)>,
}

/// Begins a difference.
pub(super) fn begin(out: &mut impl Write, version: Version) -> io::Result<()> {
    out.write_all(version.banner())
}

/// Writes a record.
pub(super) fn put(out: &mut impl Write, version: Version, record: &Record) -> io::Result<()> {
    let mut payload = Vec::new();
    let mut behind = 0;
    let tag = match record {
        Record::From(snapshot) => text(&mut payload, b'f', snapshot),
        Record::To(snapshot) => text(&mut payload, b't', snapshot),
        Record::Protected(protected) => {
            payload.push(u8::from(*protected));
            b'p'
        }
        Record::Size(size) => numbers(&mut payload, b's', &[*size]),
        Record::Data(offset, len) => {
            behind = *len;
            numbers(&mut payload, b'w', &[*offset, *len])
        }
        Record::Zero(offset, len) => numbers(&mut payload, b'z', &[*offset, *len]),
        Record::End => return out.write_all(b"e"),
    };
    out.write_all(&[tag])?;
    if version == Version::Two {
        let len = payload.len() as u64 + behind;
        out.write_all(&len.to_le_bytes())?;
    }
    out.write_all(&payload)
}

fn text(bytes: &mut Vec<u8>, tag: u8, text: &str) -> u8 {
    bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
    tag
}

fn numbers(bytes: &mut Vec<u8>, tag: u8, numbers: &[u64]) -> u8 {
    for number in numbers {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    tag
}

/// Writes how an image begins, up to its `diffs` differences.
pub(super) fn put_header(out: &mut impl Write, header: &Header, diffs: u64) -> io::Result<()> {
    let fields = [
        (b'O', header.layout.order),
        (b'T', header.features.unwrap_or_default()),
        (b'U', header.layout.stripe_unit),
        (b'C', header.layout.stripe_count),
    ];
    out.write_all(IMAGE)?;
    for (tag, value) in fields {
        let mut bytes = vec![tag];
        numbers(&mut bytes, tag, &[8, value]);
        out.write_all(&bytes)?;
    }
    for (key, value) in &header.notes {
        let mut payload = Vec::new();
        text(&mut payload, b'M', key);
        text(&mut payload, b'M', value);
        out.write_all(b"M")?;
        out.write_all(&(payload.len() as u64).to_le_bytes())?;
        out.write_all(&payload)?;
    }
    out.write_all(b"E")?;
    out.write_all(DIFFS)?;
    out.write_all(&diffs.to_le_bytes())
}

/// Reads how an image begins, and how many differences follow.
pub(super) fn read_header(input: &mut impl Read) -> io::Result<(Header, u64)> {
    expect(input, IMAGE, "invalid or unexpected image banner")?;
    let mut header = Header::default();
    loop {
        match byte(input)? {
            b'E' => break,
            b'M' => {
                number(input)?;
                header.notes.push((name(input)?, name(input)?));
            }
            b'T' => header.features = Some(field(input)?),
            b'O' => header.layout.order = field(input)?,
            b'U' => header.layout.stripe_unit = field(input)?,
            b'C' => header.layout.stripe_count = field(input)?,
            _ => skip(input)?,
        }
    }
    expect(input, DIFFS, "invalid or unexpected image diffs banner")?;
    Ok((header, number(input)?))
}

/// A number, behind its length.
fn field(input: &mut impl Read) -> io::Result<u64> {
    number(input)?;
    number(input)
}

/// Passes over a record that says its length first.
fn skip(input: &mut impl Read) -> io::Result<()> {
    let len = number(input)?;
    let skipped = io::copy(&mut input.take(len), &mut io::sink())?;
    if skipped == len {
        return Ok(());
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

fn expect(input: &mut impl Read, wanted: &[u8], why: &str) -> io::Result<()> {
    let mut found = vec![0; wanted.len()];
    input.read_exact(&mut found)?;
    if found == wanted {
        return Ok(());
    }
    Err(invalid(why.to_owned()))
}

/// Reads the beginning of a difference.
pub(super) fn read_banner(input: &mut impl Read) -> io::Result<Version> {
    let mut banner = [0; 12];
    input.read_exact(&mut banner)?;
    let known = [Version::One, Version::Two];
    let found = known
        .into_iter()
        .find(|version| *version.banner() == banner);
    found.ok_or_else(|| invalid("invalid or unexpected diff banner".to_owned()))
}

/// Reads a record; what is unknown is passed over where it says its length.
pub(super) fn read(input: &mut impl Read, version: Version) -> io::Result<Record> {
    loop {
        let tag = byte(input)?;
        if tag == b'e' {
            return Ok(Record::End);
        }
        let known = matches!(tag, b'f' | b't' | b'p' | b's' | b'w' | b'z');
        if !known && version == Version::Two {
            skip(input)?;
            continue;
        }
        if version == Version::Two {
            // Known records say so themselves; one release of Ceph gives a wrong length for `p`.
            number(input)?;
        }
        return match tag {
            b'f' => name(input).map(Record::From),
            b't' => name(input).map(Record::To),
            b'p' if version == Version::Two => Ok(Record::Protected(byte(input)? != 0)),
            b's' => number(input).map(Record::Size),
            b'w' => Ok(Record::Data(number(input)?, number(input)?)),
            b'z' => Ok(Record::Zero(number(input)?, number(input)?)),
            other => Err(invalid(format!("unrecognized tag byte {other} in stream"))),
        };
    }
}

fn byte(input: &mut impl Read) -> io::Result<u8> {
    let mut byte = [0];
    input.read_exact(&mut byte)?;
    Ok(byte[0])
}

fn number(input: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    input.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

fn name(input: &mut impl Read) -> io::Result<String> {
    let mut len = [0; 4];
    input.read_exact(&mut len)?;
    let len = u32::from_le_bytes(len) as usize;
    if len > TEXT_MAX {
        return Err(invalid(format!("a text of {len} bytes")));
    }
    let mut bytes = vec![0; len];
    input.read_exact(&mut bytes)?;
    String::from_utf8(bytes).map_err(|_| invalid("a text that is none".to_owned()))
}

fn invalid(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(version: Version, records: &[Record]) -> Vec<u8> {
        let mut stream = Vec::new();
        begin(&mut stream, version).unwrap();
        for record in records {
            put(&mut stream, version, record).unwrap();
            if matches!(record, Record::Data(..)) {
                stream.extend_from_slice(b"xy");
            }
        }
        stream
    }

    fn again(stream: &[u8], records: &[Record]) {
        let mut input = stream;
        let version = read_banner(&mut input).unwrap();
        for record in records {
            assert_eq!(read(&mut input, version).unwrap(), *record);
            if matches!(record, Record::Data(..)) {
                input = &input[2..];
            }
        }
        assert!(input.is_empty());
    }

    #[test]
    fn a_stream_is_what_the_document_says() {
        let records = [
            Record::From("a".to_owned()),
            Record::To("bc".to_owned()),
            Record::Size(0x10_0000),
            Record::Data(4096, 2),
            Record::Zero(8192, 4096),
            Record::End,
        ];
        let one = stream(Version::One, &records);
        let golden = b"rbd diff v1\nf\x01\0\0\0at\x02\0\0\0bcs\0\0\x10\0\0\0\0\0\
            w\0\x10\0\0\0\0\0\0\x02\0\0\0\0\0\0\0xy\
            z\0\x20\0\0\0\0\0\0\0\x10\0\0\0\0\0\0e";
        assert_eq!(one, golden);
        again(&one, &records);
        let two = stream(Version::Two, &records);
        let golden = b"rbd diff v2\nf\x05\0\0\0\0\0\0\0\x01\0\0\0at\x06\0\0\0\0\0\0\0\x02\0\0\0bc\
            s\x08\0\0\0\0\0\0\0\0\0\x10\0\0\0\0\0\
            w\x12\0\0\0\0\0\0\0\0\x10\0\0\0\0\0\0\x02\0\0\0\0\0\0\0xy\
            z\x10\0\0\0\0\0\0\0\0\x20\0\0\0\0\0\0\0\x10\0\0\0\0\0\0e";
        assert_eq!(two, golden);
        again(&two, &records);
    }

    #[test]
    fn what_says_its_length_can_be_unknown() {
        let mut bytes = b"rbd diff v2\n?\x03\0\0\0\0\0\0\0abc".to_vec();
        // As Ceph 16.2 writes it: one byte, and the length of eight.
        bytes.extend_from_slice(b"p\x08\0\0\0\0\0\0\0\x01e");
        again(&bytes, &[Record::Protected(true), Record::End]);
        assert!(read(&mut &b"?\x03\0"[..], Version::Two).is_err());
    }

    #[test]
    fn an_image_has_a_header() {
        let header = Header {
            layout: Layout::default(),
            features: Some(61),
            notes: vec![("color".to_owned(), "blue".to_owned())],
        };
        let mut bytes = Vec::new();
        put_header(&mut bytes, &header, 2).unwrap();
        let golden = b"rbd image v2\nO\x08\0\0\0\0\0\0\0\x16\0\0\0\0\0\0\0\
            T\x08\0\0\0\0\0\0\0\x3d\0\0\0\0\0\0\0\
            U\x08\0\0\0\0\0\0\0\0\0\x40\0\0\0\0\0\
            C\x08\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\
            M\x11\0\0\0\0\0\0\0\x05\0\0\0color\x04\0\0\0blueE\
            rbd image diffs v2\n\x02\0\0\0\0\0\0\0";
        assert_eq!(bytes, golden);
        assert_eq!(read_header(&mut bytes.as_slice()).unwrap(), (header, 2));
    }

    #[test]
    fn what_is_no_stream_is_refused() {
        for bytes in [&b""[..], b"rbd diff v3\n", b"rbd diff v1"] {
            assert!(read_banner(&mut &*bytes).is_err());
        }
        for bytes in [
            &b""[..],
            b"x",
            b"p\x01",
            b"s\0",
            b"f\xff\xff\xff\xff",
            b"f\x01\0\0\0\xff",
        ] {
            assert!(read(&mut &*bytes, Version::One).is_err(), "{bytes:?}");
        }
        assert!(read_header(&mut &b"rbd image v1\n"[..]).is_err());
    }
}
