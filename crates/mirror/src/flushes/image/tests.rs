//! Whom flushes wait for, step by step.

use std::sync::{Arc, Weak};

use super::super::Settled;
use super::*;

struct Somebody(Weak<()>);

impl Waiter for Somebody {
    fn is_there(&self) -> bool {
        self.0.strong_count() > 0
    }

    fn settle(&self, _: Settled) {}
}

/// An image with flushes, as time passes.
struct Story {
    image: ImageFlushes,
    mode: SyncMode,
    readers: Vec<Reader>,
    newest: u64,
    now: Duration,
    waiters: Vec<Arc<()>>,
}

fn reader(name: &str, upto: Option<u64>) -> Reader {
    Reader {
        id: format!("id of {name}"),
        name: name.to_owned(),
        reads: upto.is_some(),
        lacks: false,
        upto: upto.map(Sequence),
    }
}

impl Story {
    fn new(policy: SyncPolicy, noted: &[&str], readers: Vec<Reader>) -> Self {
        let noted = noted.iter().map(|name| format!("id of {name}"));
        Self {
            image: ImageFlushes::new(Epoch(1), noted.collect()),
            mode: SyncMode::new(policy, Duration::from_secs(5)).unwrap(),
            readers,
            newest: 0,
            now: Duration::ZERO,
            waiters: Vec::new(),
        }
    }

    fn flush(&mut self, upto: u64) {
        let waiter = Arc::new(());
        self.newest = upto;
        self.image.flushes.push(Flush {
            upto: Sequence(upto),
            since: self.now,
            waiter: Box::new(Somebody(Arc::downgrade(&waiter))),
        });
        self.waiters.push(waiter);
    }

    /// What is said, and how many flushes are settled by whom.
    fn look(&mut self) -> (Vec<Event>, Vec<Vec<String>>) {
        let newest = Sequence(self.newest);
        let events = self.image.look(self.mode, newest, &self.readers, self.now);
        let settled = self.image.take_settled(&self.readers);
        (events, settled.into_iter().map(|(_, by)| by).collect())
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }
}

fn names(of: &[&str]) -> Vec<String> {
    of.iter().map(ToString::to_string).collect()
}

#[test]
fn a_flush_waits_for_all_peers_and_many_for_one_confirmation() {
    let mut story = Story::new(
        SyncPolicy::FallBack,
        &[],
        vec![reader("b", Some(3)), reader("c", Some(3))],
    );
    story.flush(4);
    story.flush(5);
    story.flush(9);
    assert_eq!(story.look(), (vec![], vec![]));
    story.readers[0].upto = Some(Sequence(9));
    assert_eq!(story.look(), (vec![], vec![]));
    story.readers[1].upto = Some(Sequence(5));
    let both = names(&["b", "c"]);
    assert_eq!(story.look(), (vec![], vec![both.clone(), both.clone()]));
    story.readers[1].upto = Some(Sequence(10));
    assert_eq!(story.look(), (vec![], vec![both]));
}

#[test]
fn who_falls_back_goes_on_alone_until_the_peer_has_caught_up() {
    let mut story = Story::new(SyncPolicy::FallBack, &[], vec![reader("b", Some(3))]);
    story.look();
    story.flush(4);
    story.pass(5);
    assert_eq!(story.look(), (vec![], vec![]));
    story.pass(1);
    let fell = vec![Event::FellBack("b".to_owned())];
    assert_eq!(story.look(), (fell, vec![names(&[])]));
    story.flush(7);
    assert_eq!(story.look(), (vec![], vec![names(&[])]));
    // It comes closer, but is as far behind as before.
    for round in 0..3 {
        story.pass(2);
        story.flush(20 + round * 10);
        story.readers[0].upto = Some(Sequence(5 + round * 10));
        assert_eq!(story.look(), (vec![], vec![names(&[])]));
    }
    story.readers[0].upto = Some(Sequence(story.newest));
    let joined = vec![Event::Joined("b".to_owned())];
    assert_eq!(story.look(), (joined, vec![]));
    story.flush(60);
    assert_eq!(story.look(), (vec![], vec![]));
}

#[test]
fn who_blocks_waits_on_and_says_so_once() {
    let mut story = Story::new(SyncPolicy::Block, &[], vec![reader("b", Some(3))]);
    story.newest = 3;
    story.look();
    assert_eq!(story.image.to_note(SyncPolicy::Block), names(&["id of b"]));
    assert_eq!(story.image.to_note(SyncPolicy::FallBack), names(&[]));
    story.flush(4);
    story.pass(6);
    assert_eq!(story.look(), (vec![Event::Late], vec![]));
    story.pass(3600);
    assert_eq!(story.look(), (vec![], vec![]));
    let seen = story.image.synchrony(story.now);
    assert_eq!(seen.waiting, Some(Duration::from_secs(3606)));
    assert!(seen.late);
    story.readers[0].upto = Some(Sequence(4));
    assert_eq!(story.look(), (vec![Event::InTime], vec![names(&["b"])]));
}

#[test]
fn who_blocks_waits_after_a_restart_for_those_that_were_noted_and_for_others_only_so_long() {
    let away = || vec![reader("b", None), reader("c", None)];
    let mut story = Story::new(SyncPolicy::Block, &["b"], away());
    story.flush(4);
    story.pass(6);
    let said = vec![Event::FellBack("c".to_owned()), Event::Late];
    assert_eq!(story.look(), (said, vec![]));
    story.readers[0] = reader("b", Some(4));
    assert_eq!(story.look().1, vec![names(&["b"])]);
    // As after a promotion, when the former primary may be gone for good.
    let mut story = Story::new(SyncPolicy::Block, &[], away());
    story.flush(4);
    assert_eq!(story.look(), (vec![], vec![]));
    story.pass(6);
    assert_eq!(story.look().1, vec![names(&[])]);
    assert!(story.image.to_note(SyncPolicy::Block).is_empty());
}

#[test]
fn nobody_waits_for_a_peer_that_gets_a_copy_has_left_or_has_just_come() {
    let mut story = Story::new(SyncPolicy::Block, &["b"], vec![reader("b", Some(3))]);
    story.flush(4);
    assert_eq!(story.look(), (vec![], vec![]));
    story.readers[0].lacks = true;
    assert_eq!(story.look(), (vec![], vec![names(&[])]));
    story.readers[0] = reader("b", Some(4));
    story.look();
    assert_eq!(story.look().0, vec![Event::Joined("b".to_owned())]);
    story.flush(5);
    story.readers.push(reader("c", Some(1)));
    story.readers[0].upto = Some(Sequence(5));
    assert_eq!(story.look().1, vec![names(&["b"])]);
    story.flush(6);
    story.readers.remove(0);
    assert_eq!(story.look().1, vec![names(&[])]);
}

#[test]
fn what_nobody_waits_for_any_more_is_forgotten() {
    let mut story = Story::new(SyncPolicy::Block, &["b"], vec![reader("b", Some(3))]);
    story.flush(4);
    story.waiters.clear();
    story.look();
    assert!(story.image.flushes.is_empty());
}
