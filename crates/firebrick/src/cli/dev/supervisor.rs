//! Keeps the processes of a `dev`: the control plane always runs, a lost site stays lost.

mod health;
mod sites;

use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot};

use super::child::{Child, describe};
use super::control::{Order, OrderAnswer};
use super::manifest::Manifest;
use super::screen;
use crate::cli::parent::stop_requested;
use crate::exit::Failure;
use sites::Sites;

/// How long processes may take to end in order before they are killed.
const STOP_WITHIN: Duration = Duration::from_secs(30);
/// A control plane that ran for less than this did not really start.
const SHORT_LIFE: Duration = Duration::from_secs(2);
/// The longest pause before another start.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// The exit status of a process whose configuration is wrong: another start would not help.
const WRONG_CONFIGURATION: i32 = 2;

/// What happens to a supervisor.
pub(super) enum Event {
    /// The control plane has ended.
    ServeEnded(ExitStatus),
    /// It is time to start the control plane again.
    StartServe,
    /// A site's process has ended; the number is its place in the manifest.
    SiteEnded(usize, ExitStatus),
    /// A site's process answers, or has not done so in time.
    SiteAnswers(usize, bool),
    /// Somebody asks for something.
    Order(Order, oneshot::Sender<OrderAnswer>),
    /// The API answers.
    Ready(Duration),
}

/// The processes and what is known about them.
struct Supervisor {
    dir: PathBuf,
    manifest: Manifest,
    events: mpsc::UnboundedSender<Event>,
    serve: Option<Child>,
    started: Instant,
    short_lives: u32,
    sites: Sites,
    stopping: bool,
}

/// Starts everything at once, and runs it until this process is asked to stop.
pub(super) async fn run(dir: PathBuf, manifest: Manifest) -> Result<(), Failure> {
    let begun = Instant::now();
    let (events, mut happens) = mpsc::unbounded_channel();
    let listener = control_socket(&manifest)?;
    let mut supervisor = Supervisor {
        sites: Sites::new(manifest.sites.len(), events.clone()),
        dir,
        manifest,
        events: events.clone(),
        serve: None,
        started: begun,
        short_lives: 0,
        stopping: false,
    };
    screen::welcome(&supervisor.dir, &supervisor.manifest);
    supervisor.start_all()?;
    tokio::spawn(super::control::listen(listener, events.clone()));
    tokio::spawn(health::report(supervisor.manifest.listen, begun, events));
    let stop = stop_requested(false);
    tokio::pin!(stop);
    let result = loop {
        tokio::select! {
            reason = &mut stop => break reason.map(drop),
            Some(event) = happens.recv() => {
                if let Err(failure) = supervisor.handle(event) {
                    break Err(failure);
                }
            }
        }
    };
    screen::stopping();
    supervisor.stop_all(&mut happens).await;
    result
}

fn control_socket(manifest: &Manifest) -> Result<UnixListener, Failure> {
    let path = &manifest.control;
    let doing = || format!("listen on {}", path.display());
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Failure::new(doing(), error));
        }
        Ok(()) | Err(_) => {}
    }
    UnixListener::bind(path).map_err(|error| Failure::new(doing(), error))
}

impl Supervisor {
    fn start_all(&mut self) -> Result<(), Failure> {
        self.start_serve()?;
        for index in 0..self.manifest.sites.len() {
            self.sites.start(index, &mut self.manifest)?;
        }
        self.manifest.write(&self.dir)
    }

    fn start_serve(&mut self) -> Result<(), Failure> {
        let conf = self.manifest.conf.to_string_lossy();
        let events = self.events.clone();
        let log = self.dir.join("logs").join("serve.log");
        let child = Child::start(
            &["serve", "--supervised", "--conf", &conf],
            &log,
            move |status| {
                drop(events.send(Event::ServeEnded(status)));
            },
        )?;
        self.started = Instant::now();
        self.manifest.pid = Some(child.pid);
        self.serve = Some(child);
        Ok(())
    }

    fn handle(&mut self, event: Event) -> Result<(), Failure> {
        match event {
            Event::ServeEnded(status) => self.serve_ended(status),
            Event::StartServe => {
                self.start_serve()?;
                self.manifest.write(&self.dir)
            }
            Event::SiteEnded(index, status) => {
                self.sites.ended(index, status, &mut self.manifest);
                self.manifest.write(&self.dir)
            }
            Event::SiteAnswers(index, answers) => {
                self.sites.answers(index, answers, &self.manifest);
                Ok(())
            }
            Event::Order(order, reply) => {
                self.sites.order(order, reply, &mut self.manifest);
                self.manifest.write(&self.dir)
            }
            Event::Ready(after) => {
                screen::ready(&self.manifest, after);
                Ok(())
            }
        }
    }

    fn serve_ended(&mut self, status: ExitStatus) -> Result<(), Failure> {
        self.serve = None;
        self.manifest.pid = None;
        if self.stopping {
            return self.manifest.write(&self.dir);
        }
        let log = self.dir.join("logs").join("serve.log");
        if status.code() == Some(WRONG_CONFIGURATION) {
            let why = health::last_line(&log);
            return Err(Failure::new("start the control plane", why));
        }
        let short = self.started.elapsed() < SHORT_LIFE;
        self.short_lives = if short { self.short_lives + 1 } else { 0 };
        let pause = pause(self.short_lives);
        screen::serve_died(&describe(status), pause);
        if pause.is_zero() {
            self.start_serve()?;
        } else {
            let events = self.events.clone();
            tokio::spawn(async move {
                tokio::time::sleep(pause).await;
                drop(events.send(Event::StartServe));
            });
        }
        self.manifest.write(&self.dir)
    }

    /// The control plane first, so that it does not report lost sites; then the sites.
    async fn stop_all(&mut self, happens: &mut mpsc::UnboundedReceiver<Event>) {
        self.stopping = true;
        self.sites.expect_the_end();
        let deadline = tokio::time::Instant::now() + STOP_WITHIN;
        if let Some(serve) = &self.serve {
            serve.signal(Signal::TERM);
        }
        self.wait(happens, deadline, |supervisor| supervisor.serve.is_none())
            .await;
        self.sites.signal_all(Signal::TERM);
        self.wait(happens, deadline, |supervisor| !supervisor.sites.any_runs())
            .await;
        if let Some(serve) = &self.serve {
            serve.signal(Signal::KILL);
        }
        self.sites.signal_all(Signal::KILL);
        let soon = tokio::time::Instant::now() + SHORT_LIFE;
        self.wait(happens, soon, |all| {
            all.serve.is_none() && !all.sites.any_runs()
        })
        .await;
        self.manifest.supervisor = None;
        if let Err(failure) = self.manifest.write(&self.dir) {
            tracing::warn!(%failure, "dev.json is not up to date");
        }
        drop(std::fs::remove_file(&self.manifest.control));
    }

    async fn wait(
        &mut self,
        happens: &mut mpsc::UnboundedReceiver<Event>,
        until: tokio::time::Instant,
        done: impl Fn(&Self) -> bool,
    ) {
        while !done(self) {
            match tokio::time::timeout_at(until, happens.recv()).await {
                Ok(Some(Event::StartServe)) => {}
                Ok(Some(Event::Order(_, reply))) => {
                    drop(reply.send(Err("the dev is ending".to_owned())));
                }
                Ok(Some(event)) => {
                    if let Err(failure) = self.handle(event) {
                        tracing::warn!(%failure, "while stopping");
                    }
                }
                Ok(None) | Err(_) => return,
            }
        }
    }
}

/// How long to wait before another start, after so many lives in a row that were short: the first
/// time not at all, then longer and longer, so that a broken one does not keep the machine busy.
fn pause(short_lives: u32) -> Duration {
    match short_lives {
        0 | 1 => Duration::ZERO,
        more => Duration::from_millis(100 << (more - 2).min(8)).min(PAUSE_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_plane_that_keeps_dying_is_started_more_and_more_slowly() {
        assert_eq!(pause(0), Duration::ZERO);
        assert_eq!(pause(1), Duration::ZERO);
        assert_eq!(pause(2), Duration::from_millis(100));
        assert_eq!(pause(3), Duration::from_millis(200));
        assert_eq!(pause(4_000_000), PAUSE_MAX);
    }
}
