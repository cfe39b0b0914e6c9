//! The process that runs the programs, see `programs.py`.

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, PoisonError};
use std::thread;

use serde_json::Value;

use crate::tools::{PATIENCE, Ran};

const SCRIPT: &str = include_str!("programs.py");

/// Started with the first program.
#[derive(Default)]
pub(super) struct Programs(Mutex<State>);

#[derive(Default)]
struct State {
    command: Option<Command>,
    process: Option<Process>,
}

struct Process {
    child: Child,
    questions: ChildStdin,
    answers: Receiver<String>,
}

impl Programs {
    /// The interpreter, with the environment of the programs.
    pub(super) fn prepare(&self, interpreter: Command) {
        self.state(|state| state.command = Some(interpreter));
    }

    /// `PROGRAM ARGS`.
    pub(super) fn run(&self, program: &str, args: &[&str]) -> Ran {
        let words: Vec<&str> = [program].iter().chain(args).copied().collect();
        let question = Value::from(words.clone()).to_string();
        let answer = self.state(|state| {
            let command = &mut state.command;
            let process = state.process.get_or_insert_with(|| {
                Process::start(command.take().expect("it is prepared once"))
            });
            process.ask(&question)
        });
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        Ran {
            line: words.join(" "),
            status: answer["status"].as_i64().unwrap_or(-1) as i32,
            stdout: text("stdout"),
            stderr: text("stderr"),
        }
    }

    fn state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Process {
    fn start(mut interpreter: Command) -> Self {
        let line = format!("{interpreter:?}");
        let mut child = interpreter
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {line}: {error}"));
        Self {
            questions: child.stdin.take().unwrap(),
            answers: lines(child.stdout.take().unwrap()),
            child,
        }
    }

    fn ask(&mut self, question: &str) -> Value {
        writeln!(self.questions, "{question}").unwrap();
        let line = self.answers.recv_timeout(PATIENCE);
        let line = line.unwrap_or_else(|error| {
            let _ = self.child.kill();
            panic!("{question} has no answer: {error}")
        });
        serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("no answer to {question}: {error}"))
    }
}

/// What is printed, line by line.
fn lines(printed: ChildStdout) -> Receiver<String> {
    let (send, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(printed).lines().map_while(Result::ok) {
            // Nobody may ask any more.
            let _ = send.send(line);
        }
    });
    lines
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl fmt::Debug for Programs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Programs").finish_non_exhaustive()
    }
}
