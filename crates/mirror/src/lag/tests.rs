//! Counting what peers lack.

use super::*;
use firebrick_vocabulary::{Bytes, Epoch, Position};
use uuid::Uuid;

const NOW: Timestamp = Timestamp(1 << 60);
const OWN: fn(Of) -> bool = |of| of.is_none();

fn frame(sequence: u64) -> Frame {
    Frame {
        first: Sequence(sequence),
        position: Position {
            epoch: Epoch(1),
            sequence: Sequence(sequence),
        },
        time: Timestamp(sequence),
        applied: None,
        records: Vec::new(),
    }
}

fn image(number: u128) -> ImageId {
    ImageId(Uuid::from_u128(number))
}

/// A frame with one record of `bytes` bytes for each of the images.
fn parts(images: &[ImageId], bytes: u64) -> Parts {
    let part = Part { records: 1, bytes };
    let count = images.len() as u64;
    Parts {
        all: Part {
            records: count,
            bytes: count * bytes,
        },
        images: images.iter().map(|image| (*image, part)).collect(),
    }
}

#[test]
fn the_lag_is_what_lies_behind_the_confirmed_record() {
    let backlog = Backlog::new(Sequence(10));
    assert_eq!(backlog.behind(Sequence(10), NOW, &OWN), Lag::NONE);
    for sequence in 11..=20 {
        backlog.add(&frame(sequence), parts(&[image(1)], 4096));
    }
    let lag = backlog.behind(Sequence(15), NOW, &OWN);
    assert_eq!((lag.records, lag.bytes), (5, Bytes(5 * 4096)));
    assert!(lag.seconds > 0.0);
    backlog.forget(Sequence(14));
    assert_eq!(backlog.behind(Sequence(15), NOW, &OWN).records, 5);
    assert_eq!(backlog.behind(Sequence(20), NOW, &OWN), Lag::NONE);
}

#[test]
fn each_image_has_a_lag_of_its_own() {
    let backlog = Backlog::new(Sequence(0));
    backlog.add(&frame(1), parts(&[image(1)], 4096));
    backlog.add(&frame(2), parts(&[image(1), image(2)], 8192));
    backlog.add(&frame(3), parts(&[image(2)], 4096));
    let lag = backlog.image_behind(image(1), Sequence(1), NOW, &OWN);
    assert_eq!((lag.records, lag.bytes), (1, Bytes(8192)));
    assert_eq!(
        backlog.image_behind(image(1), Sequence(2), NOW, &OWN),
        Lag::NONE
    );
    assert_eq!(
        backlog.image_behind(image(3), Sequence(0), NOW, &OWN),
        Lag::NONE
    );
    let behind: Vec<_> = backlog
        .images_behind(Sequence(2), NOW, &OWN)
        .into_iter()
        .collect();
    assert_eq!(behind.len(), 1);
    assert_eq!((behind[0].0, behind[0].1.bytes), (image(2), Bytes(4096)));
    backlog.forget(Sequence(2));
    assert_eq!(
        backlog
            .image_behind(image(2), Sequence(2), NOW, &OWN)
            .records,
        1
    );
    assert_eq!(
        backlog.0.lock().images.len(),
        1,
        "what all have is forgotten"
    );
}

#[test]
fn marks_are_bounded_and_keep_the_sums() {
    let backlog = Backlog::new(Sequence(0));
    let many = IMAGE_MARKS_MAX as u64 * 2;
    let images = [image(1), image(2)];
    for sequence in 1..=many {
        backlog.add(&frame(sequence), parts(&images, 1));
    }
    assert!(backlog.0.lock().all[&None].len() <= MARKS_MAX);
    assert!(backlog.0.lock().waiting <= IMAGE_MARKS_MAX);
    assert_eq!(backlog.behind(Sequence(0), NOW, &OWN).records, many * 2);
    assert_eq!(
        backlog
            .image_behind(images[0], Sequence(0), NOW, &OWN)
            .records,
        many
    );
}

#[test]
fn images_that_are_many_have_a_mark_each() {
    let backlog = Backlog::new(Sequence(0));
    let images: Vec<ImageId> = (0..IMAGE_MARKS_MAX as u128 + 10).map(image).collect();
    for sequence in 1..=3 {
        backlog.add(&frame(sequence), parts(&images, 1));
    }
    assert_eq!(
        backlog
            .image_behind(images[7], Sequence(0), NOW, &OWN)
            .records,
        3
    );
    assert!(backlog.0.lock().waiting <= images.len() * 2);
}

#[test]
fn a_peer_that_lacks_more_than_was_counted_has_it_counted_again() {
    let backlog = Backlog::new(Sequence(100));
    backlog.count_from(Sequence(100));
    assert_eq!(backlog.recount(), None);
    backlog.count_from(Sequence(40));
    backlog.count_from(Sequence(60));
    assert_eq!(backlog.recount(), Some(Sequence(40)));
    assert_eq!(backlog.recount(), None);
}
