//! One process that `dev` supervises.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{ChildStdin, Command};
use tokio::sync::mpsc;

use crate::exit::Failure;

/// A running process. Ends with this program, however that dies: its standard input is a pipe from
/// here, and its end is the process's order to stop.
#[derive(Debug)]
pub(super) struct Child {
    /// Its id.
    pub(super) pid: u32,
    signals: mpsc::UnboundedSender<Signal>,
    _lifeline: Option<ChildStdin>,
}

impl Child {
    /// Starts this very binary with `args`, its output appended to the file `log`. `ended` is called
    /// with the exit status once it has ended.
    pub(super) fn start(
        args: &[&str],
        log: &Path,
        ended: impl FnOnce(ExitStatus) + Send + 'static,
    ) -> Result<Self, Failure> {
        let failed = |error| Failure::new(format!("start `firebrick {}`", args.join(" ")), error);
        let binary = std::env::current_exe().map_err(failed)?;
        let output = OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .map_err(failed)?;
        let mut child = Command::new(binary)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(output.try_clone().map_err(failed)?)
            .stderr(output)
            // A group of its own, so that Ctrl-C reaches the supervisor alone, which stops the
            // processes in their order.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let lifeline = child.stdin.take();
        let pid = child.id().unwrap_or_default();
        let (signals, mut wanted) = mpsc::unbounded_channel::<Signal>();
        tokio::spawn(async move {
            // Signals go out from here only, where the process is known not to be reaped yet: its
            // id cannot belong to another one.
            let status = loop {
                tokio::select! {
                    status = child.wait() => break status,
                    signal = wanted.recv() => match signal {
                        Some(signal) => send(pid, signal),
                        None => break child.wait().await,
                    },
                }
            };
            if let Ok(status) = status {
                ended(status);
            }
        });
        Ok(Self {
            pid,
            signals,
            _lifeline: lifeline,
        })
    }

    /// Sends it a signal; one that has ended already gets none.
    pub(super) fn signal(&self, signal: Signal) {
        // One that has ended has nobody who listens.
        let _ = self.signals.send(signal);
    }
}

fn send(pid: u32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid as i32) {
        let _ = kill_process(pid, signal);
    }
}

/// How a process ended, in words.
pub(super) fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(0), _) | (None, None) => "ended".to_owned(),
        (Some(code), _) => format!("ended with status {code}"),
        (None, Some(9)) => "was killed".to_owned(),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
    }
}
