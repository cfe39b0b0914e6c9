//! The file format of `rbd export-diff`: version 1 of the "RBD incremental backup" stream.
//!
//! Source: doc/dev/rbd-diff.rst of Ceph.

use std::io::{self, Read, Write};

const BANNER: &[u8] = b"rbd diff v1\n";
/// The longest name of a snapshot that is read.
const NAME_MAX: usize = 4096;

/// A record. The bytes of [`Record::Data`] follow it in the stream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Record {
    /// The snapshot that the difference begins with.
    From(String),
    /// The snapshot that it leads to.
    To(String),
    /// The size of the image afterwards, in bytes.
    Size(u64),
    /// New bytes: the first, and how many.
    Data(u64, u64),
    /// Zeroes: the first, and how many.
    Zero(u64, u64),
    /// Nothing follows.
    End,
}

/// Begins a stream.
pub(super) fn begin(out: &mut impl Write) -> io::Result<()> {
    out.write_all(BANNER)
}

/// Writes a record.
pub(super) fn put(out: &mut impl Write, record: &Record) -> io::Result<()> {
    let mut bytes = Vec::new();
    let mut name = |tag: u8, name: &str| {
        bytes.push(tag);
        bytes.extend_from_slice(&(name.len() as u32).to_le_bytes());
        bytes.extend_from_slice(name.as_bytes());
    };
    match record {
        Record::From(snapshot) => name(b'f', snapshot),
        Record::To(snapshot) => name(b't', snapshot),
        Record::Size(size) => numbers(&mut bytes, b's', &[*size]),
        Record::Data(offset, len) => numbers(&mut bytes, b'w', &[*offset, *len]),
        Record::Zero(offset, len) => numbers(&mut bytes, b'z', &[*offset, *len]),
        Record::End => bytes.push(b'e'),
    }
    out.write_all(&bytes)
}

fn numbers(bytes: &mut Vec<u8>, tag: u8, numbers: &[u64]) {
    bytes.push(tag);
    for number in numbers {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
}

/// Reads the beginning of a stream.
pub(super) fn read_banner(input: &mut impl Read) -> io::Result<()> {
    let mut banner = [0; BANNER.len()];
    input.read_exact(&mut banner)?;
    if banner == BANNER {
        return Ok(());
    }
    Err(invalid("invalid or unexpected diff banner".to_owned()))
}

/// Reads a record.
pub(super) fn read(input: &mut impl Read) -> io::Result<Record> {
    let mut tag = [0];
    input.read_exact(&mut tag)?;
    match tag[0] {
        b'f' => name(input).map(Record::From),
        b't' => name(input).map(Record::To),
        b's' => number(input).map(Record::Size),
        b'w' => Ok(Record::Data(number(input)?, number(input)?)),
        b'z' => Ok(Record::Zero(number(input)?, number(input)?)),
        b'e' => Ok(Record::End),
        other => Err(invalid(format!("unrecognized tag byte {other} in stream"))),
    }
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
    if len > NAME_MAX {
        return Err(invalid(format!("a snapshot's name of {len} bytes")));
    }
    let mut bytes = vec![0; len];
    input.read_exact(&mut bytes)?;
    String::from_utf8(bytes).map_err(|_| invalid("a snapshot's name that is no text".to_owned()))
}

fn invalid(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_what_the_document_says() {
        let mut stream = Vec::new();
        begin(&mut stream).unwrap();
        let records = [
            Record::From("a".to_owned()),
            Record::To("bc".to_owned()),
            Record::Size(0x10_0000),
            Record::Data(4096, 2),
            Record::Zero(8192, 4096),
            Record::End,
        ];
        for record in &records {
            put(&mut stream, record).unwrap();
            if matches!(record, Record::Data(..)) {
                stream.extend_from_slice(b"xy");
            }
        }
        let golden = b"rbd diff v1\nf\x01\0\0\0at\x02\0\0\0bcs\0\0\x10\0\0\0\0\0\
            w\0\x10\0\0\0\0\0\0\x02\0\0\0\0\0\0\0xy\
            z\0\x20\0\0\0\0\0\0\0\x10\0\0\0\0\0\0e";
        assert_eq!(stream, golden);
        let mut input = stream.as_slice();
        read_banner(&mut input).unwrap();
        for record in &records {
            assert_eq!(read(&mut input).unwrap(), *record);
            if matches!(record, Record::Data(..)) {
                input = &input[2..];
            }
        }
        assert!(input.is_empty());
    }

    #[test]
    fn what_is_no_stream_is_refused() {
        for bytes in [&b""[..], b"rbd diff v2\n", b"rbd diff v1"] {
            assert!(read_banner(&mut &*bytes).is_err());
        }
        for bytes in [
            &b""[..],
            b"x",
            b"s\0",
            b"f\xff\xff\xff\xff",
            b"f\x01\0\0\0\xff",
        ] {
            assert!(read(&mut &*bytes).is_err(), "{bytes:?}");
        }
    }
}
