//! Differences merged, against what applying both of them gives.

use clap::Parser as _;

use super::*;

/// A difference: the snapshots, the size, and ranges of a byte each, zero for zeroes.
type Diff<'a> = (Option<&'a str>, &'a str, u64, &'a [(u64, u64, u8)]);

fn written((from, to, size, ranges): Diff<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    stream::begin(&mut out, Version::One).unwrap();
    let mut put = |record: Record| stream::put(&mut out, Version::One, &record).unwrap();
    if let Some(from) = from {
        put(Record::From(from.to_owned()));
    }
    put(Record::To(to.to_owned()));
    put(Record::Size(size));
    for (offset, len, byte) in ranges {
        if *byte == 0 {
            stream::put(&mut out, Version::One, &Record::Zero(*offset, *len)).unwrap();
        } else {
            stream::put(&mut out, Version::One, &Record::Data(*offset, *len)).unwrap();
            out.resize(out.len() + *len as usize, *byte);
        }
    }
    stream::put(&mut out, Version::One, &Record::End).unwrap();
    out
}

/// What an image is after a difference: bytes that were never named are 255.
fn applied(image: &mut Vec<u8>, mut diff: &[u8]) {
    let version = stream::read_banner(&mut diff).unwrap();
    loop {
        match stream::read(&mut diff, version).unwrap() {
            Record::Size(size) => {
                let before = image.len();
                image.resize(size as usize, 0);
                if before == 0 {
                    image.fill(255);
                }
            }
            Record::Data(offset, len) => {
                let (offset, len) = (offset as usize, len as usize);
                image[offset..offset + len].copy_from_slice(&diff[..len]);
                diff = &diff[len..];
            }
            Record::Zero(offset, len) => image[offset as usize..(offset + len) as usize].fill(0),
            Record::End => return,
            Record::From(_) | Record::To(_) | Record::Protected(_) => {}
        }
    }
}

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    merge: MergeDiffArgs,
}

fn merged(first: &[u8], second: &[u8]) -> Result<Vec<u8>, Failure> {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("1"), first).unwrap();
    std::fs::write(path("2"), second).unwrap();
    let line = Line::parse_from([
        "merge-diff",
        "--no-progress",
        &path("1"),
        &path("2"),
        &path("3"),
    ]);
    run(&line.common, &line.merge)?;
    Ok(std::fs::read(path("3")).unwrap())
}

#[test]
fn a_merged_difference_does_what_both_do() {
    let cases: &[(Diff<'_>, Diff<'_>)] = &[
        (
            (None, "a", 100, &[(0, 10, 1), (20, 30, 2), (60, 40, 0)]),
            (Some("a"), "b", 100, &[(5, 20, 3), (30, 1, 0), (49, 20, 4)]),
        ),
        ((None, "a", 10, &[]), (Some("a"), "b", 20, &[(10, 10, 7)])),
        (
            (None, "a", 100, &[(10, 80, 1)]),
            (Some("a"), "b", 50, &[(20, 10, 0)]),
        ),
        (
            (None, "a", 9, &[(0, 9, 1)]),
            (Some("a"), "b", 9, &[(0, 9, 2)]),
        ),
        (
            (Some("z"), "a", 30, &[(0, 30, 1)]),
            (Some("a"), "b", 30, &[(0, 5, 2), (10, 5, 3), (20, 5, 0)]),
        ),
    ];
    for (first, second) in cases {
        let (one, two) = (written(*first), written(*second));
        let both = merged(&one, &two).unwrap();
        let mut wanted = Vec::new();
        applied(&mut wanted, &one);
        applied(&mut wanted, &two);
        let mut found = Vec::new();
        applied(&mut found, &both);
        // Growth is zero in the one and unknown in the other, unless the second says something there.
        assert_eq!(found.len(), wanted.len());
        for (i, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
            assert!(
                found == wanted || i as u64 >= first.2,
                "{first:?} {second:?} at {i}"
            );
        }
    }
}

#[test]
fn differences_that_do_not_follow_each_other_are_refused() {
    let one = written((None, "a", 10, &[(0, 1, 1)]));
    let other = written((Some("b"), "c", 10, &[(0, 1, 1)]));
    assert!(merged(&one, &other).is_err());
    let two = written((Some("a"), "c", 10, &[(0, 1, 1)]));
    assert!(merged(&one[..one.len() - 2], &two).is_err());
    let backwards = written((Some("a"), "c", 10, &[(5, 1, 1), (0, 1, 1)]));
    assert!(merged(&one, &backwards).is_err());
}
