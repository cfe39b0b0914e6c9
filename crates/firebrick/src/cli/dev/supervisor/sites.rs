//! The processes of the sites.

use std::process::ExitStatus;

use firebrick_site::SiteClient;
use rustix::process::Signal;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use super::{Event, health};
use crate::cli::dev::child::{Child, describe};
use crate::cli::dev::control::{Order, OrderAnswer, SiteState};
use crate::cli::dev::manifest::Manifest;
use crate::cli::dev::screen;
use crate::exit::Failure;

/// One site's process, or how it ended.
#[derive(Default)]
struct Slot {
    child: Option<Child>,
    /// Looks whether the process answers.
    watch: Option<AbortHandle>,
    ended: Option<String>,
    /// The end was asked for, so that it is no loss.
    expected: bool,
    /// A signal that ends the process has been sent.
    ending: bool,
    /// Who waits until the site answers.
    starters: Vec<oneshot::Sender<OrderAnswer>>,
    /// Who wants a start while there is a process, which may have died a moment ago without this
    /// being known yet: they get that process where it answers, and a new one where it ends.
    joiners: Vec<oneshot::Sender<OrderAnswer>>,
    /// Who waits until the process is gone.
    stoppers: Vec<oneshot::Sender<OrderAnswer>>,
}

/// All sites.
pub(super) struct Sites {
    slots: Vec<Slot>,
    events: mpsc::UnboundedSender<Event>,
    /// Nothing is started any more.
    closing: bool,
}

impl Sites {
    pub(super) fn new(count: usize, events: mpsc::UnboundedSender<Event>) -> Self {
        Self {
            slots: (0..count).map(|_| Slot::default()).collect(),
            events,
            closing: false,
        }
    }

    /// Starts the process of the site `index` and notes it in the manifest.
    pub(super) fn start(&mut self, index: usize, manifest: &mut Manifest) -> Result<(), Failure> {
        let entry = &mut manifest.sites[index];
        let events = self.events.clone();
        let conf = entry.conf.to_string_lossy().into_owned();
        let args = ["site", "--supervised", "--conf", &conf];
        let child = Child::start(&args, &entry.log, move |status| {
            drop(events.send(Event::SiteEnded(index, status)));
        })?;
        entry.pid = Some(child.pid);
        let slot = &mut self.slots[index];
        slot.child = Some(child);
        slot.ended = None;
        slot.expected = false;
        slot.ending = false;
        self.watch(index, manifest);
        Ok(())
    }

    fn watch(&mut self, index: usize, manifest: &Manifest) {
        let entry = &manifest.sites[index];
        let site = SiteClient::at(&entry.name, entry.admin.clone(), false);
        let watch = tokio::spawn(health::watch_site(index, site, self.events.clone()));
        if let Some(former) = self.slots[index].watch.replace(watch.abort_handle()) {
            former.abort();
        }
    }

    /// The process of the site `index` is gone.
    pub(super) fn ended(&mut self, index: usize, status: ExitStatus, manifest: &mut Manifest) {
        let slot = &mut self.slots[index];
        let how = describe(status);
        slot.child = None;
        if let Some(watch) = slot.watch.take() {
            watch.abort();
        }
        slot.ended = Some(how.clone());
        let entry = &mut manifest.sites[index];
        entry.pid = None;
        if slot.expected {
            screen::site_stopped(entry);
        } else {
            screen::site_died(entry, &how);
        }
        for waiting in slot.starters.drain(..) {
            let why = format!("{} {how}: {}", entry.name, health::last_line(&entry.log));
            drop(waiting.send(Err(why)));
        }
        let stoppers: Vec<_> = slot.stoppers.drain(..).collect();
        for waiting in stoppers {
            drop(waiting.send(Ok(vec![self.state(index, manifest)])));
        }
        let joiners: Vec<_> = self.slots[index].joiners.drain(..).collect();
        for waiting in joiners {
            self.begin(index, waiting, manifest);
        }
    }

    /// The site `index` takes connections, or has not begun to in time.
    pub(super) fn answers(&mut self, index: usize, answers: bool, manifest: &Manifest) {
        let name = &manifest.sites[index].name;
        let slot = &mut self.slots[index];
        let starters: Vec<_> = slot.starters.drain(..).collect();
        let joiners: Vec<_> = slot.joiners.drain(..).collect();
        if !starters.is_empty() && answers {
            screen::site_started(&manifest.sites[index]);
        }
        for waiting in starters.into_iter().chain(joiners) {
            let answer = if answers {
                Ok(vec![self.state(index, manifest)])
            } else {
                Err(format!("{name} runs, but does not answer yet"))
            };
            drop(waiting.send(answer));
        }
    }

    /// Does what somebody asks for, and answers once it is done.
    pub(super) fn order(
        &mut self,
        order: Order,
        reply: oneshot::Sender<OrderAnswer>,
        manifest: &mut Manifest,
    ) {
        let (site, signal) = match order {
            Order::Status => {
                let all = (0..self.slots.len()).map(|index| self.state(index, manifest));
                drop(reply.send(Ok(all.collect())));
                return;
            }
            Order::Start { site } => (site, None),
            Order::Stop { site } => (site, Some(Signal::TERM)),
            Order::Kill { site } => (site, Some(Signal::KILL)),
        };
        let Some(index) = manifest.sites.iter().position(|entry| entry.name == site) else {
            drop(reply.send(Err(format!("there is no site {site}"))));
            return;
        };
        match signal {
            None => self.begin(index, reply, manifest),
            Some(signal) => self.end(index, signal, reply, manifest),
        }
    }

    fn begin(
        &mut self,
        index: usize,
        reply: oneshot::Sender<OrderAnswer>,
        manifest: &mut Manifest,
    ) {
        let slot = &mut self.slots[index];
        if self.closing {
            drop(reply.send(Err("the dev is ending".to_owned())));
        } else if slot.child.is_some() {
            slot.joiners.push(reply);
            // What is about to end may still take connections.
            if !slot.ending {
                self.watch(index, manifest);
            }
        } else if let Err(failure) = self.start(index, manifest) {
            drop(reply.send(Err(failure.to_string())));
        } else {
            self.slots[index].starters.push(reply);
        }
    }

    fn end(
        &mut self,
        index: usize,
        signal: Signal,
        reply: oneshot::Sender<OrderAnswer>,
        manifest: &Manifest,
    ) {
        let slot = &mut self.slots[index];
        let Some(child) = &slot.child else {
            drop(reply.send(Ok(vec![self.state(index, manifest)])));
            return;
        };
        child.signal(signal);
        // Killing plays a loss, and is reported as one.
        slot.expected = signal == Signal::TERM;
        slot.ending = true;
        slot.stoppers.push(reply);
    }

    /// From now on the end of a site is no loss, and none is started.
    pub(super) fn expect_the_end(&mut self) {
        self.closing = true;
        for slot in &mut self.slots {
            slot.expected = true;
        }
    }

    pub(super) fn signal_all(&self, signal: Signal) {
        for child in self.slots.iter().filter_map(|slot| slot.child.as_ref()) {
            child.signal(signal);
        }
    }

    pub(super) fn any_runs(&self) -> bool {
        self.slots.iter().any(|slot| slot.child.is_some())
    }

    fn state(&self, index: usize, manifest: &Manifest) -> SiteState {
        let slot = &self.slots[index];
        SiteState {
            name: manifest.sites[index].name.clone(),
            running: slot.child.is_some(),
            pid: slot.child.as_ref().map(|child| child.pid),
            ended: slot.ended.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
