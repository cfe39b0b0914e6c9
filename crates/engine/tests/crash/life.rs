//! What happens in the life of a store: operations, and the work behind them.

use std::io::ErrorKind::{Other, StorageFull};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use firebrick_engine::{Error, ErrorKind, NoSource, Retention, ScrubCursor, Store};
use firebrick_vocabulary::{BLOCK_SIZE, Bytes, MIB, Sequence};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IteratorRandom;

use crate::common::{Model, Step, read_map, take_over};
use crate::history::History;
use crate::machine::{Held, Limit, Machine, PEER, Phase, add};

impl Machine {
    fn flush(&self, store: &Store, random: &mut StdRng) -> Result<(), Error> {
        let image = store.images().pop().filter(|_| random.random());
        self.during(Phase::Flush, || match image {
            Some(image) => image.flush(),
            None => store.flush().map(drop),
        })
    }

    pub(crate) fn checkpoint(&self, store: &Store) -> Result<Option<()>, String> {
        let done = self.during(Phase::Checkpoint, || store.checkpoint());
        if let Ok(position) = &done {
            self.checkpointed.set(Some(position.sequence));
        }
        self.blame_room(done.map(drop))
    }

    /// A step of cleaning.
    pub(crate) fn clean(&self, store: &Store, history: &mut History) -> Result<Option<()>, String> {
        let before = store.head().sequence;
        let done = self.during(Phase::Clean, || store.clean());
        if let Ok(cleaned) = &done {
            add(&self.tally.freed, u64::from(cleaned.freed));
            add(&self.tally.moved, cleaned.moved.0 / BLOCK_SIZE);
        }
        let done = self.blame_room(done.map(drop))?;
        if done.is_some() {
            history.same(store.head().sequence);
        } else {
            history.cut(before, Vec::new());
        }
        Ok(done)
    }

    /// Makes some of what is stored superfluous, as a checkpoint knows.
    pub(crate) fn overwrite(
        &self,
        store: &Store,
        history: &mut History,
        random: &mut StdRng,
    ) -> Result<(), String> {
        for _ in 0..40 {
            self.step(store, history, random)?;
        }
        self.checkpoint(store).map(drop)
    }

    /// A step of cleaning, while it looks into the index of which somebody takes a snapshot of an image
    /// and writes over it: what only the snapshot shows then is needed, too.
    pub(crate) fn clean_beside(
        &self,
        store: &Store,
        history: &mut History,
        random: &mut StdRng,
    ) -> Result<Option<()>, String> {
        let before = store.head().sequence;
        let (says, said) = mpsc::channel();
        let (goes_on, waits) = mpsc::channel::<()>();
        let looks = says.clone();
        let reads = random.random_range(0..200);
        self.disk.pause_read_after("index/", reads, move || {
            // It goes on where nobody listens any more.
            let _ = looks.send(true);
            let _ = waits.recv();
        });
        let clean_with_others = || {
            thread::scope(|scope| {
                let cleaner = scope.spawn(move || {
                    let done = store.clean();
                    let _ = says.send(false);
                    done
                });
                let others = match said.recv() {
                    Ok(true) => {
                        add(&self.tally.beside, 1);
                        self.snapshot_and_write(store, history, random)
                    }
                    Ok(false) | Err(_) => Ok(Some(())),
                };
                drop(goes_on);
                (cleaner.join(), others)
            })
        };
        let (done, others) = self.during(Phase::Clean, clean_with_others);
        self.disk.pause_no_read();
        let done = done.map_err(|_| "the cleaner panicked")?;
        let done = self.blame_room(done.map(drop))?;
        let head = store.head().sequence;
        if done.is_some() {
            history.same(head);
        } else {
            history.cut(before.max(history.last()), Vec::new());
        }
        Ok(others?.and(done))
    }

    fn snapshot_and_write(
        &self,
        store: &Store,
        history: &mut History,
        random: &mut StdRng,
    ) -> Result<Option<()>, String> {
        let images = history.newest().contents().map(|(id, _)| id);
        let Some(id) = images.choose(random) else {
            return Ok(Some(()));
        };
        for step in Step::snapshot_and_write(history.newest(), id, random) {
            if self.carry_out(store, history, &step)?.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(()))
    }

    /// Everything is read and is right.
    fn scrub(&self, store: &Store) -> Result<Option<()>, String> {
        let (mut cursor, budget) = (ScrubCursor::default(), Bytes(3 * MIB));
        loop {
            let done = self.during(Phase::Scrub, || store.scrub(cursor, budget, &NoSource));
            let Some(done) = self.blame(done)? else {
                return Ok(None);
            };
            if let Some(rot) = done.rot.first() {
                return Err(format!("a scrub found {rot:?}"));
            }
            match done.next {
                Some(next) => cursor = next,
                None => return Ok(Some(())),
            }
        }
    }

    /// Operations until the power goes out or it has been enough.
    pub(crate) fn live(
        &self,
        store: &Store,
        history: &mut History,
        random: &mut StdRng,
    ) -> Result<(), String> {
        let often = [2, 10, 40][random.random_range(0..3)];
        for _ in 0..random.random_range(1..self.most) {
            if store.checkpoint_due()
                && random.random_bool(0.7)
                && self.checkpoint(store)?.is_none()
            {
                break;
            }
            let done = match random.random_range(0..122) {
                chance if chance < often => {
                    let head = store.head().sequence;
                    let flushed = self.blame(self.flush(store, random))?;
                    if flushed.is_some() {
                        history.durable = head;
                    }
                    flushed
                }
                95 if !self.has_small_cache() => {
                    self.disk
                        .fail_writes_after(random.random_range(0..4), StorageFull);
                    self.full.set(true);
                    Some(())
                }
                94 if random.random() => {
                    self.disk.fail_syncs_after(random.random_range(0..3), Other);
                    self.failing.set(true);
                    Some(())
                }
                91..=94 => {
                    if !self.failing.get() {
                        self.heal();
                    }
                    Some(())
                }
                96..100 => self.checkpoint(store)?,
                104..106 if self.has_small_cache() => self.clean_beside(store, history, random)?,
                100..106 => self.clean(store, history)?,
                106..109 => self.look(store, history, random)?,
                109..112 => self.follow(store, random)?,
                112..115 => self.pass(store, random)?,
                115..118 => self.back(store, history, random)?,
                118..121 => self.fall_back(store, history, random)?,
                _ => self.step(store, history, random)?,
            };
            if done.is_none() {
                break;
            }
        }
        self.compare_held(store)?;
        self.held.take();
        if random.random_bool(0.1) && !self.failing.get() && !self.full.get() {
            // After this the store is closed, and only that is known.
            self.blame_room(store.close())?;
        }
        Ok(())
    }

    /// Time passes, and segments are made ahead.
    fn pass(&self, store: &Store, random: &mut StdRng) -> Result<Option<()>, String> {
        match random.random_range(0..3) {
            0 => match store.prepare_segment(Duration::ZERO) {
                Err(error) if error.kind == ErrorKind::NoSpace && self.limit != Limit::None => {
                    Ok(Some(()))
                }
                done => self.blame_room(done.map(drop)),
            },
            1 if !self.full.get() => self.scrub(store),
            _ => {
                let seconds = random.random_range(1..60);
                self.clock.advance(Duration::from_secs(seconds));
                Ok(Some(()))
            }
        }
    }

    /// Somebody begins to look at what is there now, or ends it.
    fn look(
        &self,
        store: &Store,
        history: &History,
        random: &mut StdRng,
    ) -> Result<Option<()>, String> {
        let mut held = self.held.borrow_mut();
        if held.len() > 3 || random.random_bool(0.2) && !held.is_empty() {
            let at = random.random_range(0..held.len());
            let gone = held.swap_remove(at);
            drop(held);
            return self.compare(store, &gone);
        }
        let images: Vec<_> = history.newest().contents().collect();
        if images.is_empty() {
            return Ok(Some(()));
        }
        let (id, content) = images[random.random_range(0..images.len())].clone();
        if random.random() {
            let image = store.image(id).map_err(|error| error.to_string())?;
            let map = image.map();
            held.push(Held { map, content });
            return Ok(Some(()));
        }
        let Some(source) = self.blame(store.copy_source(id))? else {
            return Ok(None);
        };
        let snapshots = history.newest().snapshots(id);
        for (name, content) in snapshots {
            let mut taken = source.snapshots.iter();
            let taken = taken.position(|taken| taken.name.as_str() == name);
            if taken.is_none() {
                return Err(format!(
                    "snapshot {name} is missing ({} bytes)",
                    content.len()
                ));
            }
        }
        let map = source.head;
        held.push(Held { map, content });
        Ok(Some(()))
    }

    fn compare_held(&self, store: &Store) -> Result<Option<()>, String> {
        for held in self.held.borrow().iter() {
            if self.compare(store, held)?.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(()))
    }

    fn compare(&self, store: &Store, held: &Held) -> Result<Option<()>, String> {
        add(&self.tally.looks, 1);
        let read = self.blame(read_map(store, &held.map, held.content.len()))?;
        match read {
            Some(read) if read != *held.content => {
                Err("what somebody looked at has changed".into())
            }
            read => Ok(read.map(drop)),
        }
    }

    /// A peer gets some of the log.
    fn follow(&self, store: &Store, random: &mut StdRng) -> Result<Option<()>, String> {
        let Some(peer) = self.peer.get() else {
            return Ok(Some(()));
        };
        let read = Self::read_log(store, peer.next());
        if self.blame(read)?.is_none() {
            return Ok(None);
        }
        let durable = store.durable().sequence;
        if durable > peer {
            let upto = if random.random_bool(0.6) {
                durable
            } else {
                Sequence(random.random_range(peer.0..=durable.0))
            };
            self.peer.set(Some(upto));
            let reached = self.checkpointed.get().is_some_and(|at| at <= upto);
            self.based.set(self.based.get() || reached);
            store.keep_from(PEER, upto);
        }
        Ok(Some(()))
    }

    /// Whether everything from a record on can be read.
    fn read_log(store: &Store, from: Sequence) -> Result<(), Error> {
        let mut next = None;
        let mut reader = store.reader(from)?;
        while let Some(frame) = reader.next_frame()? {
            let follows = next.map_or(frame.first <= from, |next| next == frame.first);
            assert!(follows, "the log has a gap at {}", frame.first);
            next = Some(frame.first.plus(frame.records.len() as u64));
        }
        Ok(())
    }

    /// Back to an earlier state, or a clone of it.
    fn back(
        &self,
        store: &Store,
        history: &mut History,
        random: &mut StdRng,
    ) -> Result<Option<()>, String> {
        let past = history.past();
        match Step::back(store, history.newest(), &past, random) {
            Some(step) => {
                add(&self.tally.returns, 1);
                self.carry_out(store, history, &step)
            }
            None => Ok(Some(())),
        }
    }

    /// A peer takes over what it has, an image here falls back to that; and it is taken over again.
    fn fall_back(
        &self,
        store: &Store,
        history: &mut History,
        random: &mut StdRng,
    ) -> Result<Option<()>, String> {
        let Some(from) = self.peer.get().filter(|_| self.based.get()) else {
            return Ok(Some(()));
        };
        let images: Vec<_> = history.newest().contents().map(|(id, _)| id).collect();
        let Some(id) = images.into_iter().choose(random) else {
            return Ok(Some(()));
        };
        let fallen = self.fallen.borrow().get(&id).copied();
        let from = from.max(fallen.unwrap_or_default());
        let past = history.past();
        let Some(step) = Step::fall_back(store, id, &past, from, random) else {
            return Ok(Some(()));
        };
        add(&self.tally.fallen, 1);
        let done = match self.carry_out(store, history, &step)? {
            Some(()) => self.lead(store, history)?,
            None => None,
        };
        self.fallen.borrow_mut().insert(id, store.head().sequence);
        Ok(done)
    }

    /// Makes all images primary, so that guests can go on.
    pub(crate) fn lead(&self, store: &Store, history: &mut History) -> Result<Option<()>, String> {
        let before = store.head().sequence;
        let done = match take_over(store) {
            Err(error) if error.kind == ErrorKind::NoSpace && self.limit != Limit::None => Some(()),
            done => self.blame_room(done)?,
        };
        if done.is_some() {
            history.same(store.head().sequence);
        } else {
            history.cut(before, Vec::new());
        }
        Ok(done)
    }

    fn step(
        &self,
        store: &Store,
        history: &mut History,
        random: &mut StdRng,
    ) -> Result<Option<()>, String> {
        let step = Step::random(history.newest(), random);
        self.carry_out(store, history, &step)
    }

    fn carry_out(
        &self,
        store: &Store,
        history: &mut History,
        step: &Step,
    ) -> Result<Option<()>, String> {
        let states = step.states(history.newest());
        let before = store.head().sequence;
        match step.run(store) {
            Ok(()) => {
                let head = store.head().sequence;
                if head > before {
                    history.reached(head, states);
                }
                Ok(Some(()))
            }
            // There was no room to make it primary again.
            Err(error) if error.kind == ErrorKind::NotPrimary => self.lead(store, history),
            Err(error) if error.kind == ErrorKind::NoSpace => {
                add(&self.tally.refused, 1);
                if self.limit == Limit::None && !self.full.get() {
                    return Err(format!("there is room enough: {error}"));
                }
                if step.frees() && !self.full.get() && self.limit == Limit::Store {
                    return Err(format!("what wins room was refused: {error}"));
                }
                let Some(now) = self.blame(Model::of(store))? else {
                    history.cut(before, states);
                    return Ok(None);
                };
                let head = store.head().sequence;
                if now != *history.newest() && (head == before || !states.contains(&now)) {
                    return Err("an operation that was refused did something else".into());
                }
                history.refused(before, head, states);
                history.reached(head, vec![now]);
                Ok(Some(()))
            }
            failed => {
                history.cut(before, states);
                self.blame(failed)
            }
        }
    }

    /// Removes everything; the room comes back.
    pub(crate) fn wind_up(&self, store: &Store) -> Result<(), String> {
        let text = |error: Error| error.to_string();
        for image in store.images() {
            for snapshot in store.snapshots(image.id()).map_err(text)? {
                let removed = store.remove_snapshot(image.id(), &snapshot.name);
                removed.map_err(text)?;
            }
            store.remove_image(image.id()).map_err(text)?;
        }
        for _ in 0..8 {
            self.clock.advance(Duration::from_secs(1000));
            store.flush().map_err(text)?;
            if self.peer.get().is_some() {
                store.keep_from(PEER, store.durable().sequence);
            }
            store.checkpoint().map_err(text)?;
            while store.clean().map_err(text)?.freed > 0 {}
        }
        let window = match self.options.retention {
            Retention::Log(bytes) => bytes.0.next_multiple_of(MIB) + MIB,
            Retention::Time(_) | Retention::None => 0,
        };
        let used = store.space().map_err(text)?.used.0;
        let expected = window + 5 * MIB;
        if used > expected {
            return Err(format!(
                "an empty store takes {used} bytes, not at most {expected}"
            ));
        }
        Ok(())
    }
}
