//! What happens on the way to a site: calls are recorded, lost, refused, or never answered.

use std::sync::Arc;

use firebrick_backend::{Fault, FaultKind};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// What becomes of a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Trouble {
    /// It never arrives and never returns.
    HangBefore,
    /// The site does it, and the answer never arrives.
    HangAfter,
    /// It waits for [`Wire::release`].
    HangBeforeRelease,
    /// The site does it, and the answer waits for [`Wire::release`].
    HangAfterRelease,
    /// The site refuses.
    Refuse(FaultKind),
    /// The site does it, and the caller is told this.
    LoseAnswer(FaultKind),
}

/// Which call is in trouble.
#[derive(Clone, Debug)]
pub(crate) enum At {
    /// The one with that number from now on, at whichever site.
    Index(usize),
    /// The next so many of that name at that site.
    Name(&'static str, &'static str, usize),
    /// All of these names at that site.
    All(&'static str, &'static [&'static str]),
}

#[derive(Debug, Default)]
struct State {
    calls: Vec<(&'static str, &'static str)>,
    armed: Option<(At, Trouble)>,
    since: usize,
    struck: usize,
}

/// The way to all sites of a test.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wire(Arc<Mutex<State>>, Arc<Notify>);

impl Wire {
    /// From now on that call is in trouble.
    pub(crate) fn arm(&self, at: At, trouble: Trouble) {
        let mut state = self.0.lock();
        state.since = state.calls.len();
        state.struck = 0;
        state.armed = Some((at, trouble));
    }

    /// Everything goes well again. Calls that hang do so for ever.
    pub(crate) fn disarm(&self) {
        self.0.lock().armed = None;
    }

    /// The one call that waits goes on.
    pub(crate) fn release(&self) {
        self.1.notify_one();
    }

    /// How many calls were in trouble since [`Self::arm`].
    pub(crate) fn struck(&self) -> usize {
        self.0.lock().struck
    }

    /// The calls since [`Self::arm`], or all.
    pub(crate) fn calls(&self) -> Vec<(&'static str, &'static str)> {
        let state = self.0.lock();
        state.calls[state.since..].to_vec()
    }

    /// Whether a site was asked for that since [`Self::arm`].
    pub(crate) fn saw(&self, site: &str, name: &str) -> bool {
        self.calls().contains(&(site, name))
    }

    fn strike(&self, site: &'static str, name: &'static str) -> Option<Trouble> {
        let mut state = self.0.lock();
        let index = state.calls.len() - state.since;
        state.calls.push((site, name));
        let (at, trouble) = state.armed.clone()?;
        let hit = match at {
            At::Index(wanted) => wanted == index,
            At::Name(at, of, times) => (at, of) == (site, name) && state.struck < times,
            At::All(at, of) => at == site && of.contains(&name),
        };
        if !hit {
            return None;
        }
        state.struck += 1;
        Some(trouble)
    }

    /// Makes the call `name` at `site`, or what the trouble leaves of it.
    pub(crate) async fn call<T>(
        &self,
        site: &'static str,
        name: &'static str,
        act: impl FnOnce() -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let fault = |kind| Fault::new(kind, name, "as the test wants it");
        match self.strike(site, name) {
            None => act(),
            Some(Trouble::HangBefore) => std::future::pending().await,
            Some(Trouble::HangAfter) => {
                drop(act());
                std::future::pending().await
            }
            Some(Trouble::HangBeforeRelease) => {
                self.1.notified().await;
                act()
            }
            Some(Trouble::HangAfterRelease) => {
                let done = act();
                self.1.notified().await;
                done
            }
            Some(Trouble::Refuse(kind)) => Err(fault(kind)),
            Some(Trouble::LoseAnswer(kind)) => act().and(Err(fault(kind))),
        }
    }
}
