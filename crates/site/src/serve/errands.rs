//! Threads for what a site does on its own: guests go first, as somebody waits for them.

use std::sync::mpsc;

use tokio::sync::oneshot;

use super::error::{Error, ErrorKind};

type Errand = Box<dyn FnOnce() + Send>;

/// A thread that does one thing after the other, and lets all others go before it.
pub(super) struct Errands(mpsc::Sender<Errand>);

/// The thread is gone, or what it did has panicked.
#[derive(Debug)]
pub(super) struct EndedEarly;

impl std::fmt::Display for EndedEarly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("work in the background ended early")
    }
}

/// One for each kind of work.
pub(super) struct Threads {
    pub(super) cleaner: Errands,
    pub(super) checkpointer: Errands,
    pub(super) scrubber: Errands,
    pub(super) segments: Errands,
}

impl Threads {
    /// Starts all of them.
    pub(super) fn start() -> Result<Self, Error> {
        let start = |name| {
            let started = Errands::start(name);
            started.map_err(|error| Error::new(ErrorKind::Io, "start a thread", error))
        };
        Ok(Self {
            cleaner: start("cleaner")?,
            checkpointer: start("checkpointer")?,
            scrubber: start("scrubber")?,
            segments: start("segments")?,
        })
    }
}

impl Errands {
    /// Starts a thread of that name; it ends with this.
    fn start(name: &str) -> std::io::Result<Self> {
        let (send, receive) = mpsc::channel::<Errand>();
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                if let Err(error) = firebrick_edge::let_others_go_first() {
                    tracing::debug!(%error, "work in the background takes turns with guests");
                }
                while let Ok(errand) = receive.recv() {
                    // Who waits for it is told, as its answer is dropped.
                    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(errand));
                }
            })?;
        Ok(Self(send))
    }

    /// Has the thread do it, once it has done what it was given before.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, EndedEarly> {
        let (answer, answered) = oneshot::channel();
        let errand = move || {
            // Nobody listens any more where the site ends.
            let _ = answer.send(work());
        };
        self.0.send(Box::new(errand)).map_err(|_| EndedEarly)?;
        answered.await.map_err(|_| EndedEarly)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_panics_is_told_and_the_next_is_done() {
        let errands = Errands::start("test").unwrap();
        assert_eq!(errands.run(|| 7).await.unwrap(), 7);
        let nothing: Vec<u8> = Vec::new();
        let panicked = errands.run(move || nothing[0]).await;
        assert!(panicked.is_err());
        assert_eq!(errands.run(|| 8).await.unwrap(), 8);
    }
}
