//! When a process must end: a signal, or the end of the `dev` that started it.

use std::io::Read as _;

use tokio::signal::unix::{SignalKind, signal};

use crate::exit::Failure;

/// Returns when the process is asked to stop: by SIGTERM, by SIGINT, or, for a child of `dev`, by
/// the end of its standard input, which ends with the supervisor however that dies.
pub(crate) async fn stop_requested(supervised: bool) -> Result<&'static str, Failure> {
    let listen = |kind| signal(kind).map_err(|error| Failure::new("listen for signals", error));
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    let (sender, orphaned) = tokio::sync::oneshot::channel();
    let mut held = Some(sender);
    if supervised && let Some(sender) = held.take() {
        // A thread of its own: a read of standard input cannot be cancelled, and must not keep the
        // runtime from ending.
        std::thread::spawn(move || {
            let mut buffer = [0; 64];
            while matches!(std::io::stdin().read(&mut buffer), Ok(1..)) {}
            // Nobody waits any more where a signal was first.
            let _ = sender.send(());
        });
    }
    let reason = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
        _ = orphaned => "the end of its supervisor",
    };
    // Held until here: without a supervisor nobody says that there is none any more.
    drop(held);
    Ok(reason)
}
