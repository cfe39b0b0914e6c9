//! Branches and their points, by hand.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use super::*;

fn at(sequence: u64) -> Sequence {
    Sequence(sequence)
}

fn fork(branch: BranchId, sequence: u64) -> Fork {
    Fork {
        branch,
        at: at(sequence),
        blocks: 100,
    }
}

fn steps(view: &View) -> Vec<(u64, u64, u64)> {
    let steps = view.steps().iter();
    steps
        .map(|step| (step.branch.0, step.before.0, step.blocks))
        .collect()
}

#[test]
fn a_view_goes_down_through_the_forks_and_never_gets_wider() {
    let mut branches = Branches::default();
    let one = branches.begin(ImageId::random(), at(1), None, Vec::new());
    let two = branches.begin(ImageId::random(), at(5), Some(fork(one, 5)), Vec::new());
    let wide = Fork {
        blocks: 1000,
        ..fork(two, 7)
    };
    let three = branches.begin(ImageId::random(), at(9), Some(wide), Vec::new());
    let head = u64::MAX;
    assert_eq!(
        steps(&branches.view(three)),
        [(3, head, head), (2, 7, 1000), (1, 5, 100)]
    );
    assert_eq!(
        steps(&branches.view_at(two, at(7))),
        [(2, 7, head), (1, 5, 100)]
    );
}

#[test]
fn a_tag_is_the_newest_point() {
    let mut branches = Branches::default();
    let one = branches.begin(ImageId::random(), at(3), None, Vec::new());
    assert_eq!(branches.tag(one), at(3));
    branches.hold(one, at(8));
    assert_eq!(branches.tag(one), at(8));
    branches.keep(vec![at(9)], Sequence::ZERO);
    assert_eq!(branches.tag_change(one), at(9));
    branches.release(one, at(8));
    branches.keep(Vec::new(), Sequence::ZERO);
    assert_eq!(branches.tag(one), at(3));
    assert_eq!(
        branches.garbage.behind,
        [(one, at(8), at(9)), (one, at(9), HEAD)]
    );
}

#[test]
fn a_branch_lives_as_long_as_somebody_sees_it_and_takes_its_parents_along() {
    let mut branches = Branches::default();
    let (image, clone) = (ImageId::random(), ImageId::random());
    let one = branches.begin(image, at(1), None, Vec::new());
    let two = branches.begin(clone, at(5), Some(fork(one, 5)), Vec::new());
    branches.end(one, at(10));
    assert!(branches.get(one).is_some(), "its child needs it");
    assert_eq!(branches.of_record(image, at(4)), Some(one));
    assert_eq!(branches.of_record(image, at(11)), None, "the image is gone");
    branches.hold(two, at(12));
    branches.end(two, at(20));
    assert!(branches.get(two).is_some(), "it has a snapshot");
    branches.release(two, at(12));
    assert_eq!(branches.garbage.dropped, [two, one]);
}

#[test]
fn a_kept_checkpoint_holds_what_was_a_head_then() {
    let mut branches = Branches::default();
    let image = ImageId::random();
    let one = branches.begin(image, at(1), None, Vec::new());
    branches.keep(vec![at(5)], Sequence::ZERO);
    let two = branches.begin(image, at(8), None, Vec::new());
    branches.end(one, at(8));
    assert!(branches.get(one).is_some());
    branches.keep(vec![at(5), at(9)], Sequence::ZERO);
    assert!(branches.get(one).is_some());
    branches.keep(vec![at(9)], Sequence::ZERO);
    assert!(branches.get(one).is_none(), "nobody kept sees it any more");
    assert!(branches.get(two).is_some());
}

#[test]
fn the_first_point_behind_a_birth_is_its_witness() {
    let mut branches = Branches::default();
    let image = ImageId::random();
    let one = branches.begin(image, at(1), None, Vec::new());
    branches.hold(one, at(10));
    branches.hold(one, at(20));
    let witness = |birth| {
        let views = branches.witnesses(image, at(birth));
        views
            .iter()
            .map(|view| steps(view)[0].1)
            .collect::<Vec<_>>()
    };
    assert_eq!(witness(5), [10]);
    assert_eq!(witness(11), [20]);
    assert_eq!(witness(21), [u64::MAX]);
}

#[test]
fn who_took_over_records_is_a_witness_too() {
    let mut branches = Branches::default();
    let image = ImageId::random();
    let one = branches.begin(image, at(1), None, Vec::new());
    branches.hold(one, at(10));
    let take = Take {
        image,
        behind: at(10),
        upto: at(15),
        blocks: 100,
    };
    let clone = ImageId::random();
    let two = branches.begin(clone, at(30), Some(fork(one, 10)), vec![take]);
    // Even where there is no point to start from.
    let three = branches.begin(ImageId::random(), at(31), None, vec![take]);
    let witness = |branches: &Branches, birth| {
        let views = branches.witnesses(image, at(birth));
        let first = |view: &View| (steps(view)[0].0, steps(view)[0].1);
        views.iter().map(first).collect::<Vec<_>>()
    };
    let head = u64::MAX;
    let all = [(one.0, head), (two.0, head), (three.0, head)];
    assert_eq!(witness(&branches, 12), all);
    assert_eq!(witness(&branches, 16), all[..1]);
    branches.end(two, at(40));
    branches.end(one, at(41));
    // And where the branch of the records is gone.
    assert_eq!(witness(&branches, 12), all[2..]);
}

#[test]
fn a_point_that_goes_is_swept_from_the_side_with_fewer_records() {
    let mut branches = Branches::default();
    let one = branches.begin(ImageId::random(), at(1), None, Vec::new());
    branches.hold(one, at(1000));
    branches.release(one, at(1000));
    assert!(
        branches.garbage.behind.is_empty() && branches.garbage.sweeps.is_empty(),
        "nothing has changed behind it"
    );
    branches.hold(one, at(1000));
    assert_eq!(branches.tag_change(one), at(1000));
    branches.release(one, at(1000));
    assert_eq!(branches.garbage.behind, [(one, at(1000), HEAD)]);
    for point in [2000, 3000, 3100] {
        branches.hold(one, at(point));
        branches.tag_change(one);
    }
    branches.release(one, at(3000));
    assert_eq!(branches.garbage.behind[1..], [(one, at(3000), at(3100))]);
    branches.release(one, at(3100));
    assert_eq!(branches.garbage.sweeps, [(one, at(2000), at(3100))]);
}

/// Its records are in the log, and somebody may ask for what one of them left; no point shows it.
#[test]
fn a_branch_between_two_kept_checkpoints_is_found_as_long_as_the_first_is_kept() {
    let mut branches = Branches::default();
    let image = ImageId::random();
    branches.keep(vec![at(5)], Sequence::ZERO);
    let between = branches.begin(image, at(6), None, Vec::new());
    let next = branches.begin(image, at(9), None, Vec::new());
    branches.end(between, at(9));
    assert_eq!(branches.of_record(image, at(7)), Some(between));
    branches.keep(vec![at(5), at(10)], Sequence::ZERO);
    assert_eq!(branches.of_record(image, at(7)), Some(between));
    branches.keep(vec![at(10)], Sequence::ZERO);
    assert_eq!(branches.of_record(image, at(7)), None);
    assert_eq!(branches.of_record(image, at(11)), Some(next));
}

/// Before its own first point such a branch is what it took over, which only the log says.
#[test]
fn what_a_branch_took_over_is_read_again_until_a_kept_checkpoint_shows_it() {
    let mut branches = Branches::default();
    let image = ImageId::random();
    branches.keep(vec![at(5)], Sequence::ZERO);
    let one = branches.begin(image, at(1), None, Vec::new());
    assert_eq!(branches.taken_from(), None);
    let take = Take {
        image,
        behind: at(5),
        upto: at(8),
        blocks: 100,
    };
    branches.begin(image, at(10), Some(fork(one, 5)), vec![take]);
    assert_eq!(branches.taken_from(), Some(at(5)));
    branches.keep(vec![at(5), at(12)], Sequence::ZERO);
    assert_eq!(branches.taken_from(), Some(at(5)));
    branches.keep(vec![at(12)], Sequence::ZERO);
    assert_eq!(branches.taken_from(), None);
}

/// A store may have been checkpointed before its first record.
#[test]
fn a_checkpoint_is_a_point_alone_only_where_that_was_said() {
    let mut branches = Branches::default();
    branches.keep(vec![Sequence::ZERO, Sequence(9)], Sequence::ZERO);
    assert_eq!(branches.dense(), [Sequence::ZERO, Sequence(9)]);
    branches.keep(vec![Sequence::ZERO, Sequence(9)], Sequence(1));
    assert_eq!(branches.dense(), [Sequence(9)]);
    assert_eq!(branches.kept().len(), 2);
}
